//! Opening a document that 100,000 updates made, after its log was compacted.
//!
//! Each round starts the server anew, enters an empty room, and then the room of the document with
//! a state vector that has everything: what is left is loading the document.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use yrs::updates::decoder::Decode;
use yrs::{Doc, Transact, Update};

use super::typing::{Typed, typed};
use super::{Setup, clients, yjs_client};
use crate::measure::{Plan, median};
use crate::report::{Goal, Section};
use crate::{Fail, processes};

pub const SCENARIO: &str = "yjs-open";
const GOAL: Goal = Goal::AtMost(3.0);
const UPDATES: usize = 100_000;
const UPDATES_PER_MESSAGE: usize = 500;
const ROOM: &str = "bench:open";
const EMPTY_ROOM: &str = "bench:open/empty";
/// Nothing: no client, no clock.
const EMPTY_STATE_VECTOR: &[u8] = &[0];
const SYNCED: &[u8] = br#""isSync":true"#;
const TAKEN: &[u8] = br#""isSync":false"#;

pub fn run(setup: Setup, scenario: &'static str) -> Result<Section, Fail> {
    let mut section = Section::new(scenario);
    if !setup.with_roomd {
        section.notes.push("only roomd is measured here".to_owned());
        return Ok(section);
    }
    let document = typed(UPDATES);
    let decoded_ms = decode_ms(setup.plan, &document.snapshot)?;
    let folder = processes::data_folder()?;
    type_all(setup.plan, folder.path(), &document)?;

    let (mut known, mut all, mut empty) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..setup.plan.rounds {
        let vector = &document.state_vector;
        let [first, opened] = open(setup.plan, folder.path(), vector)?;
        empty.push(first);
        known.push(opened);
        all.push(open(setup.plan, folder.path(), EMPTY_STATE_VECTOR)?[1]);
    }
    let middle = |times: Vec<f64>| median(times.into_iter());
    let (known_ms, all_ms, empty_ms) = (middle(known), middle(all), middle(empty));
    section.notes.push(format!("{UPDATES} updates, snapshot of {} bytes", document.snapshot.len()));
    section.find("bare yrs decodes the snapshot, ms", decoded_ms, None);
    section.find("roomd opens it for a client that has all, ms", known_ms, None);
    section.find("roomd opens it for a client that has nothing, ms", all_ms, None);
    section.find("roomd opens an empty room after a start, ms", empty_ms, None);
    section.find("roomd, client that has all / bare yrs", known_ms / decoded_ms, Some(GOAL));
    section.find("roomd, client that has nothing / bare yrs", all_ms / decoded_ms, None);
    Ok(section)
}

fn decode_ms(plan: Plan, snapshot: &[u8]) -> Result<f64, Fail> {
    let mut times = Vec::new();
    for _ in 0..plan.rounds {
        let started = Instant::now();
        let doc = Doc::new();
        doc.transact_mut().apply_update(Update::decode_v1(snapshot)?)?;
        times.push(milliseconds(started.elapsed()));
    }
    Ok(median(times.into_iter()))
}

/// Types everything in and ends the server in good order, so that it stores what it will.
fn type_all(plan: Plan, folder: &Path, document: &Typed) -> Result<(), Fail> {
    let mut server = processes::roomd_on(folder, plan.pinning, &[])?;
    let mut caller = clients::enter(server.address, ROOM)?;
    for chunk in document.updates.chunks(UPDATES_PER_MESSAGE) {
        caller.send(&yjs_client::message(chunk))?;
        caller.wait_for_many(TAKEN, chunk.len())?;
    }
    drop(caller);
    server.end()
}

/// Milliseconds until an empty room is open, and then until the document is.
fn open(plan: Plan, folder: &Path, vector: &[u8]) -> Result<[f64; 2], Fail> {
    let mut server = processes::roomd_on(folder, plan.pinning, &[])?;
    let empty = time_to_sync(server.address, EMPTY_ROOM, EMPTY_STATE_VECTOR)?;
    let opened = time_to_sync(server.address, ROOM, vector)?;
    server.end()?;
    Ok([milliseconds(empty), milliseconds(opened)])
}

fn time_to_sync(address: SocketAddr, room: &str, vector: &[u8]) -> Result<Duration, Fail> {
    let started = Instant::now();
    let mut caller = clients::enter(address, room)?;
    caller.send(&yjs_client::fetch(vector))?;
    caller.wait_for(SYNCED)?;
    Ok(started.elapsed())
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
