//! Storage ops: 10 rooms, 5 clients in each, every client with one op in flight.
//!
//! An op counts when its sender has the acknowledgement, which roomd and the peer give after the
//! op is stored. Its message goes to the 4 others in the room as well.

use std::cell::Cell;
use std::io::Write;
use std::time::Instant;

use super::servers::{self, CPU, Disk, LIMIT, PEER, PER_SECOND, ROOMD, Rows, Runner};
use super::{Setup, clients, document};
use crate::Fail;
use crate::engine::{Session, Tally};
use crate::measure::{Target, interleave};
use crate::report::{Goal, Section};
use crate::ws::{Socket, TEXT, Talk, has, write_frame};
use crate::ws_reference;

pub const DISK: &str = "storage-ops-disk";
pub const MEMORY: &str = "storage-ops-memory";
const DISK_GOAL: Goal = Goal::AtLeast(5.0);
const MEMORY_GOAL: Goal = Goal::AtLeast(2.0);
const ROOMS: usize = 10;
const CLIENTS_PER_ROOM: usize = 5;
const NODES: usize = 1_000;
/// Objects that one client changes in turn.
const OBJECTS_PER_CLIENT: usize = NODES / CLIENTS_PER_ROOM - 1;

pub fn run(setup: Setup, scenario: &'static str) -> Result<Section, Fail> {
    let mut section = Section::new(scenario);
    let (disk, goal) = match scenario {
        DISK => (Disk::Real, DISK_GOAL),
        _ => (Disk::Memory, MEMORY_GOAL),
    };
    let runners = servers::line_up(setup, disk, ws_reference::ECHO, &mut section)?;
    for runner in runners.iter().filter(|runner| runner.label != LIMIT) {
        for room in 0..ROOMS {
            document::fill(runner.server.address, &room_id(room), NODES)?;
        }
    }
    let windows = Cell::new(0);
    let mut targets: Vec<_> = runners.iter().map(|runner| target(runner, &windows)).collect();
    let rows = interleave(setup.plan, &mut targets)?;
    section.notes.push(format!(
        "{ROOMS} rooms of {NODES} nodes, {CLIENTS_PER_ROOM} clients each, 1 op in flight each"
    ));
    let found = Rows(&rows);
    found.ratio(&mut section, [ROOMD, PEER], PER_SECOND, Some(goal));
    found.ratio(&mut section, [ROOMD, PEER], CPU, None);
    found.ratio(&mut section, [ROOMD, LIMIT], PER_SECOND, None);
    section.rows = rows;
    Ok(section)
}

fn room_id(room: usize) -> String {
    format!("bench:ops/{room}")
}

fn target<'a>(runner: &Runner, windows: &'a Cell<usize>) -> Target<'a> {
    let sessions = move || -> Vec<Box<dyn Session>> {
        windows.set(windows.get() + 1);
        (0..ROOMS * CLIENTS_PER_ROOM)
            .map(|index| {
                let writer = Writer::new(windows.get(), index);
                let path = clients::path(&room_id(index / CLIENTS_PER_ROOM));
                Box::new(Socket::new(path, writer)) as _
            })
            .collect()
    };
    let (label, address, pid) =
        (runner.label.to_owned(), runner.server.address, runner.server.pid());
    Target { label, address, pid, sessions: Box::new(sessions) }
}

/// Somebody who drags one object after the other, and waits for each op.
struct Writer {
    /// The part of its op ids that nobody else has.
    name: String,
    first_object: usize,
    number: usize,
    awaited: Vec<u8>,
    message: Vec<u8>,
    since: Option<Instant>,
}

impl Writer {
    fn new(window: usize, index: usize) -> Self {
        Self {
            name: format!("{window}w{index}"),
            first_object: index % CLIENTS_PER_ROOM * OBJECTS_PER_CLIENT,
            number: 0,
            awaited: Vec::new(),
            message: Vec::new(),
            since: None,
        }
    }

    fn send_next(&mut self, out: &mut Vec<u8>, now: Instant) -> Result<(), Fail> {
        self.number += 1;
        let Self { name, number, awaited, message, .. } = self;
        let object = self.first_object + *number % OBJECTS_PER_CLIENT;
        awaited.clear();
        write!(awaited, r#""opId":"{name}:{number}""#)?;
        message.clear();
        write!(message, r#"[{{"type":201,"ops":[{{"type":3,"opId":"{name}:{number}","#)?;
        write!(message, r#""id":"o:{object}","data":{{"x":{number}}}}}]}}]"#)?;
        write_frame(out, TEXT, message);
        self.since = Some(now);
        Ok(())
    }
}

impl Talk for Writer {
    fn heard(
        &mut self,
        message: &[u8],
        out: &mut Vec<u8>,
        now: Instant,
        tally: &mut Tally,
    ) -> Result<(), Fail> {
        match self.since {
            None if clients::is_room_state(message) => self.send_next(out, now),
            None => Ok(()),
            Some(since) if has(message, &self.awaited) => {
                tally.done(since, now);
                self.send_next(out, now)
            }
            Some(_) if has(message, br#""type":299"#) => {
                let text = String::from_utf8_lossy(message);
                Err(format!("an op was refused: {text}").into())
            }
            Some(_) => Ok(()),
        }
    }
}
