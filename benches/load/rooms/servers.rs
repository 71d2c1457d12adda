//! Who takes part in a scenario: roomd, its limit, and the peers that are installed.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::Setup;
use crate::http1::Request;
use crate::measure::Summary;
use crate::processes::{self, SECRET_KEY, Server};
use crate::report::{Goal, Section};
use crate::{Fail, machine};

pub const ROOMD: &str = "roomd";
pub const LIMIT: &str = "limit";
pub const PEER: &str = "liveblocks dev";
pub const HOCUSPOCUS: &str = "hocuspocus";

/// The folder in which `npm install liveblocks@1.9.0 bun@1.4.5` was run.
const PEER_ENV: &str = "ROOMD_BENCH_LIVEBLOCKS";
/// The folder in which the packages of `hocuspocus.mjs` were installed.
const HOCUSPOCUS_ENV: &str = "ROOMD_BENCH_HOCUSPOCUS";
const HOCUSPOCUS_SCRIPT: &str = include_str!("hocuspocus.mjs");
/// A first frame as long as roomd's for somebody who comes into a small room.
pub const GREETING: &str = concat!(
    r#"{"type":104,"actor":0,"nonce":"0123456789abcdefghijk","scopes":["room:write"],"users":{"#,
    r#""1":{"scopes":["room:write"]},"2":{"scopes":["room:write"]},"#,
    r#""3":{"scopes":["room:write"]},"4":{"scopes":["room:write"]}},"meta":{}}"#,
);

/// Where a server keeps its data.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Disk {
    /// The disk that holds the build.
    Real,
    Memory,
}

impl Disk {
    pub fn folder(self) -> Result<TempDir, Fail> {
        match self {
            Self::Real => processes::data_folder(),
            Self::Memory => processes::memory_folder(),
        }
    }
}

/// A server and what the report calls it.
pub struct Runner {
    pub label: &'static str,
    pub server: Server,
}

/// All that can be measured here. What is missing becomes a note.
pub fn line_up(
    setup: Setup,
    disk: Disk,
    limit: &str,
    section: &mut Section,
) -> Result<Vec<Runner>, Fail> {
    let mut runners = Vec::new();
    if setup.with_roomd {
        runners.push(Runner { label: ROOMD, server: roomd(setup, disk)? });
    }
    let server = processes::reference(limit, GREETING.as_bytes(), setup.plan.pinning)?;
    runners.push(Runner { label: LIMIT, server });
    runners.extend(peer(setup, disk, section)?);
    Ok(runners)
}

pub fn roomd(setup: Setup, disk: Disk) -> Result<Server, Fail> {
    processes::roomd_in(disk.folder()?, setup.plan.pinning, &[])
}

/// The Liveblocks dev server, as a black box.
pub fn peer(setup: Setup, disk: Disk, section: &mut Section) -> Result<Option<Runner>, Fail> {
    let Some(bin) = installed(PEER_ENV, PEER, section).map(|root| root.join("node_modules/.bin"))
    else {
        return Ok(None);
    };
    let (folder, address) = (disk.folder()?, processes::free_address()?);
    let mut command = machine::pinned(&bin.join("bun").to_string_lossy(), setup.plan.pinning);
    command.arg(bin.join("liveblocks")).args(["dev", "--no-persist", "--no-check", "--port"]);
    command.arg(address.port().to_string()).args(["--host", "127.0.0.1"]);
    let ready = Request::get("/v2/rooms", SECRET_KEY);
    let server = start(command, address, folder, Some(&ready))?;
    Ok(Some(Runner { label: PEER, server }))
}

/// Hocuspocus with its SQLite extension.
pub fn hocuspocus(setup: Setup, disk: Disk, section: &mut Section) -> Result<Option<Runner>, Fail> {
    let Some(root) = installed(HOCUSPOCUS_ENV, HOCUSPOCUS, section) else { return Ok(None) };
    let (folder, address) = (disk.folder()?, processes::free_address()?);
    // Beside its packages for as long as the bench runs, since that is where Node looks for them.
    let script = tempfile::Builder::new().prefix("bench-").suffix(".mjs").tempfile_in(root)?;
    fs::write(script.path(), HOCUSPOCUS_SCRIPT)?;
    let mut command = machine::pinned("node", setup.plan.pinning);
    command.arg(script.path()).arg(address.port().to_string());
    command.arg(folder.path().join("hocuspocus.db"));
    let server = start(command, address, folder, None)?;
    Ok(Some(Runner { label: HOCUSPOCUS, server }))
}

fn installed(variable: &str, label: &str, section: &mut Section) -> Option<PathBuf> {
    let root = std::env::var_os(variable).map(PathBuf::from).filter(|root| root.is_dir());
    if root.is_none() {
        section.notes.push(format!("{label}: SKIPPED, {variable} names no folder"));
    }
    root
}

fn start(
    mut command: Command,
    address: SocketAddr,
    folder: TempDir,
    ready: Option<&Request>,
) -> Result<Server, Fail> {
    let log_path = folder.path().join("server.log");
    let log = fs::File::create(&log_path)?;
    // Throw-away data goes where the folder is: on the disk or in memory.
    command.current_dir(folder.path()).env("TMPDIR", folder.path());
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    let mut server = Server::new(address, command.spawn()?, Some(folder));
    processes::wait_for_answer(&mut server, &log_path, ready)?;
    Ok(server)
}

/// The rows of a scenario by name.
pub struct Rows<'a>(pub &'a [Summary]);

impl Rows<'_> {
    fn get(&self, label: &str) -> Option<&Summary> {
        self.0.iter().find(|row| row.label == label)
    }

    /// How one row stands to another in one measure, where both were measured.
    pub fn ratio(
        &self,
        section: &mut Section,
        [of, to]: [&str; 2],
        (measure, value): (&str, fn(&Summary) -> f64),
        goal: Option<Goal>,
    ) {
        if let (Some(row), Some(other)) = (self.get(of), self.get(to)) {
            let what = format!("{of} / {to}, {measure}");
            section.find(what, value(row) / value(other), goal);
        }
    }
}

pub const PER_SECOND: (&str, fn(&Summary) -> f64) = ("by rate", |row| row.per_second);
pub const PER_CPU_SECOND: (&str, fn(&Summary) -> f64) =
    ("by rate per cpu-s", |row| row.per_cpu_second);
pub const CPU: (&str, fn(&Summary) -> f64) = ("cpu for each", |row| 1.0 / row.per_cpu_second);
pub const P99: (&str, fn(&Summary) -> f64) = ("p99", |row| row.p99_ms);
