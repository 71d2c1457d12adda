//! Memory: of a connection that is idle, and of a document that is loaded.

use super::servers::{self, Disk, LIMIT, PEER, ROOMD, Runner};
use super::{Setup, clients, connect, document};
use crate::report::{Goal, Section};
use crate::{Fail, machine, processes, ws_reference};

pub const CONNECTION: &str = "memory-connection";
pub const NODE: &str = "memory-node";
const CONNECTION_GOAL: Goal = Goal::AtMost(1.5);
const DOCUMENTS: usize = 5;
const NODES: usize = 20_000;

/// Fresh servers, since an allocator keeps what it once had.
pub fn run_connection(setup: Setup, scenario: &'static str) -> Result<Section, Fail> {
    let mut section = Section::new(scenario);
    let runners = servers::line_up(setup, Disk::Real, ws_reference::FANOUT, &mut section)?;
    let mut bytes = Vec::new();
    for Runner { label, server } in &runners {
        let pid = server.pid();
        // One in every room, so that rooms are not counted.
        let first = connect::arrive(server.address, 0..connect::ROOMS, connect::one_of_the_rooms)?;
        connect::settle(pid)?;
        let before = machine::resident_bytes(pid)?;
        let numbers = connect::ROOMS..connect::CLIENTS;
        let rest = connect::arrive(server.address, numbers, connect::one_of_the_rooms)?;
        connect::settle(pid)?;
        let grown = machine::resident_bytes(pid)?.saturating_sub(before);
        let each = grown as f64 / rest.streams.len() as f64;
        section.find(format!("{label}, bytes per idle connection"), each, None);
        bytes.push((*label, each));
        drop((first, rest));
    }
    let of = |label| bytes.iter().find(|(name, _)| *name == label).map(|(_, each)| *each);
    if let (Some(roomd), Some(limit)) = (of(ROOMD), of(LIMIT)) {
        section.find("roomd / limit, bytes per connection", roomd / limit, Some(CONNECTION_GOAL));
    }
    if let (Some(roomd), Some(peer)) = (of(ROOMD), of(PEER)) {
        section.find("roomd / liveblocks dev, bytes per connection", roomd / peer, None);
    }
    Ok(section)
}

/// A server that was just started loads documents that another one stored.
pub fn run_node(setup: Setup, scenario: &'static str) -> Result<Section, Fail> {
    let mut section = Section::new(scenario);
    if !setup.with_roomd {
        section.notes.push("only roomd is measured here".to_owned());
        return Ok(section);
    }
    let folder = processes::data_folder()?;
    let room = |number| format!("bench:memory/{number}");
    {
        let server = processes::roomd_on(folder.path(), setup.plan.pinning, &[])?;
        for number in 0..DOCUMENTS {
            document::fill(server.address, &room(number), NODES)?;
        }
        let mut caller = clients::enter(server.address, "bench:memory/empty")?;
        caller.send(r#"[{"type":200}]"#)?;
        caller.wait_for(br#""type":211"#)?;
    }
    let server = processes::roomd_on(folder.path(), setup.plan.pinning, &[])?;
    let enter_and_load = |room: &str| -> Result<_, Fail> {
        let mut caller = clients::enter(server.address, room)?;
        caller.send(r#"[{"type":200}]"#)?;
        caller.wait_for(br#""type":211"#)?;
        Ok(caller)
    };
    let warm = enter_and_load("bench:memory/empty")?;
    let before = machine::resident_bytes(server.pid())?;
    let rooms = (0..DOCUMENTS).map(|number| enter_and_load(&room(number)));
    let inside = rooms.collect::<Result<Vec<_>, _>>()?;
    connect::settle(server.pid())?;
    let grown = machine::resident_bytes(server.pid())?.saturating_sub(before);
    section.notes.push(format!("{DOCUMENTS} documents of {NODES} nodes, sent to a client each"));
    section.find("bytes per node", grown as f64 / (DOCUMENTS * NODES) as f64, None);
    drop((warm, inside));
    Ok(section)
}
