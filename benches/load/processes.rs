//! The servers under measurement, each a child process that ends with its handle.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::http1::{self, Request};
use crate::{Fail, machine};

/// The well-known key of `roomd dev`.
pub const SECRET_KEY: &str = "sk_localdev";
const START_TIMEOUT: Duration = Duration::from_secs(120);
const START_POLL: Duration = Duration::from_millis(20);

pub struct Server {
    pub address: SocketAddr,
    child: Child,
    /// Data that goes away with the server.
    _folder: Option<TempDir>,
}

impl Server {
    /// A process that was just started, and the folder that goes away with it.
    pub fn new(address: SocketAddr, child: Child, folder: Option<TempDir>) -> Self {
        Self { address, child, _folder: folder }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it in good order, with everything stored.
    pub fn end(&mut self) -> Result<(), Fail> {
        let pid = Pid::from_raw(i32::try_from(self.pid())?).ok_or("a process without an id")?;
        kill_process(pid, Signal::TERM)?;
        let status = self.child.wait()?;
        if !status.success() {
            return Err(format!("a server ended with {status}").into());
        }
        Ok(())
    }

    /// What it holds open is free when this returns.
    pub fn stop(&mut self) {
        // It may have ended by itself, and nobody needs its state.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A folder on the disk that holds the build, never in memory: durability has to cost what it
/// costs.
pub fn data_folder() -> Result<TempDir, Fail> {
    Ok(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?)
}

/// A folder in memory, which takes the disk out of a measurement.
pub fn memory_folder() -> Result<TempDir, Fail> {
    Ok(tempfile::tempdir_in("/dev/shm")?)
}

/// roomd on a fresh folder.
pub fn roomd(pinning: bool, flags: &[&str]) -> Result<Server, Fail> {
    roomd_in(data_folder()?, pinning, flags)
}

/// roomd on a folder that goes away with it.
pub fn roomd_in(folder: TempDir, pinning: bool, flags: &[&str]) -> Result<Server, Fail> {
    let mut server = roomd_on(folder.path(), pinning, flags)?;
    server._folder = Some(folder);
    Ok(server)
}

/// roomd on a folder that the caller filled and keeps.
pub fn roomd_on(folder: &Path, pinning: bool, flags: &[&str]) -> Result<Server, Fail> {
    let address = free_address()?;
    let log_path = folder.join("roomd.log");
    let log = fs::File::create(&log_path)?;
    let mut command = machine::pinned(env!("CARGO_BIN_EXE_roomd"), pinning);
    // A variable of the shell must not change what is measured.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ROOMD_")) {
        command.env_remove(name);
    }
    command
        .env_remove("DATABASE_URL")
        .env_remove("RUST_LOG")
        .arg("dev")
        .arg("--data-dir")
        .arg(folder);
    command.args(["--listen", &address.to_string()]).args(flags);
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    let mut server = Server { address, child: command.spawn()?, _folder: None };
    wait_until_ready(&mut server, &log_path)?;
    Ok(server)
}

pub fn free_address() -> Result<SocketAddr, Fail> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

fn wait_until_ready(server: &mut Server, log_path: &Path) -> Result<(), Fail> {
    wait_for_answer(server, log_path, Some(&Request::get("/readyz", "")))
}

/// Returns when the server answers `ready` with a 200, or, without a request, listens.
pub fn wait_for_answer(
    server: &mut Server,
    log_path: &Path,
    ready: Option<&Request>,
) -> Result<(), Fail> {
    let deadline = Instant::now() + START_TIMEOUT;
    while Instant::now() < deadline {
        if let Some(status) = server.child.try_wait()? {
            let log = fs::read_to_string(log_path).unwrap_or_default();
            return Err(format!("the server ended with {status} instead of serving:\n{log}").into());
        }
        let answers = |request| http1::call(server.address, request).is_ok();
        if TcpStream::connect(server.address).is_ok() && ready.is_none_or(answers) {
            return Ok(());
        }
        std::thread::sleep(START_POLL);
    }
    Err(format!("the server was not ready after {} s", START_TIMEOUT.as_secs()).into())
}

/// This binary again, as the bare server that answers `reply` to everything.
pub fn reference(kind: &str, reply: &[u8], pinning: bool) -> Result<Server, Fail> {
    let folder = data_folder()?;
    let file = folder.path().join("reply");
    fs::write(&file, reply)?;
    let program = std::env::current_exe()?;
    let program = program.to_str().ok_or("the path of this binary is not UTF-8")?;
    let mut command: Command = machine::pinned(program, pinning);
    command.args(["--reference", kind]).arg(&file);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let stdout = child.stdout.take().ok_or("the reference server has no output")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let address = line.trim().parse()?;
    Ok(Server { address, child, _folder: Some(folder) })
}
