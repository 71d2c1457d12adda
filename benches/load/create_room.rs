//! `CreateRoom` with 64 callers, each waiting until its room is on the disk.

use std::cell::Cell;
use std::io::{Seek, SeekFrom, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::Fail;
use crate::engine::Session;
use crate::http1::{Http1, Request};
use crate::measure::{Plan, Target, interleave};
use crate::processes::{self, SECRET_KEY, Server};
use crate::report::{Goal, Section};

pub const SCENARIO: &str = "create-room-durable";
pub const CONNECTIONS: usize = 64;
const GOAL: Goal = Goal::AtLeast(3.0);
const PROBE: Duration = Duration::from_secs(1);
const PROBE_BYTES: usize = 4096;

pub fn run(plan: Plan) -> Result<Section, Fail> {
    let grouped = processes::roomd(plan.pinning, &[])?;
    let each = processes::roomd(plan.pinning, &["--group-commit-max", "1"])?;
    let numbers = Rc::new(Cell::new(0));
    let before = disk_syncs_per_second()?;
    let mut targets = [
        target("roomd, group commit", &grouped, &numbers),
        target("roomd, a commit per request", &each, &numbers),
    ];
    let rows = interleave(plan, &mut targets)?;
    let after = disk_syncs_per_second()?;

    let mut section = Section::new(SCENARIO);
    section.notes.push(format!("{CONNECTIONS} connections, POST /v2/rooms, synchronous=FULL"));
    section.notes.push(format!(
        "disk: {before:.0} appends of 4 KiB with fdatasync per second before, {after:.0} after"
    ));
    let [group, single] = rows.as_slice() else { return Err("a row is missing".into()) };
    section.find(
        "group commit / commit per request",
        group.per_second / single.per_second,
        Some(GOAL),
    );
    section.find("requests per fdatasync of the disk", group.per_second / after.max(1.0), None);
    section.rows = rows;
    Ok(section)
}

/// Connections to a server that create rooms.
pub fn target<'a>(label: &str, server: &Server, numbers: &'a Rc<Cell<u64>>) -> Target<'a> {
    let (label, address, pid) = (label.to_owned(), server.address, server.pid());
    let sessions = move || -> Vec<Box<dyn Session>> {
        (0..CONNECTIONS).map(|_| Box::new(creator(Rc::clone(numbers))) as _).collect()
    };
    Target { label, address, pid, sessions: Box::new(sessions) }
}

/// A connection that creates room after room, none twice.
fn creator(numbers: Rc<Cell<u64>>) -> Http1 {
    Http1::new(Box::new(move |out| {
        let number = numbers.get();
        numbers.set(number + 1);
        let body = json!({
            "id": format!("bench:created/{number:012}"),
            "defaultAccesses": ["room:write"],
            "metadata": { "title": "A room of the bench", "plan": "team" },
        });
        let body = body.to_string().into_bytes();
        let request = Request::post("/v2/rooms", "application/json", SECRET_KEY, body);
        out.extend_from_slice(&request.bytes());
    }))
}

/// What the disk itself can do, one caller after the other.
fn disk_syncs_per_second() -> Result<f64, Fail> {
    let folder = processes::data_folder()?;
    let mut file = std::fs::File::create(folder.path().join("probe"))?;
    let (block, started, mut syncs) = (vec![7; PROBE_BYTES], Instant::now(), 0_u32);
    while started.elapsed() < PROBE {
        file.seek(SeekFrom::End(0))?;
        file.write_all(&block)?;
        file.sync_data()?;
        syncs += 1;
    }
    Ok(f64::from(syncs) / started.elapsed().as_secs_f64())
}
