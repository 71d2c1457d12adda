//! Yjs updates: 128 documents, one client in each, every keystroke an update that it waits for.
//!
//! roomd and the Liveblocks dev server answer after the update is on the disk. Hocuspocus answers
//! at once and stores seconds later.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use yrs::updates::decoder::Decode;
use yrs::{Doc, Transact, Update};

use super::servers::{self, CPU, Disk, HOCUSPOCUS, LIMIT, PEER, PER_SECOND, ROOMD, Rows, Runner};
use super::typing::typed;
use super::yjs_client::{HocuspocusTypist, Script, Typist};
use super::{Setup, clients};
use crate::Fail;
use crate::engine::Session;
use crate::measure::{Plan, Target, interleave, median};
use crate::report::{Goal, Section};
use crate::ws::Socket;
use crate::ws_reference;

pub const DISK: &str = "yjs-updates-disk";
pub const MEMORY: &str = "yjs-updates-memory";
const PEER_GOAL: Goal = Goal::AtLeast(3.0);
const HOCUSPOCUS_GOAL: Goal = Goal::AtLeast(1.0);
const YRS_GOAL: Goal = Goal::AtLeast(0.5);
const DOCUMENTS: usize = 128;
/// As many as a client gathers while it may not send: a second of a fast writer and more.
const BATCH: usize = 32;
const BATCHES: &str = "roomd, 32 in a message";
/// What one window can use up in one document.
const UPDATES: usize = 100_000;
/// In one document while bare yrs is measured.
const YRS_UPDATES: usize = 2_000;

pub fn run(setup: Setup, scenario: &'static str) -> Result<Section, Fail> {
    let mut section = Section::new(scenario);
    let disk = if scenario == DISK { Disk::Real } else { Disk::Memory };
    let mut runners = servers::line_up(setup, disk, ws_reference::ECHO, &mut section)?;
    if disk == Disk::Real {
        runners.extend(servers::hocuspocus(setup, disk, &mut section)?);
    }
    if setup.with_roomd {
        runners.push(Runner { label: BATCHES, server: servers::roomd(setup, disk)? });
    }
    let updates = Rc::new(typed(UPDATES).updates);
    let windows = Rc::new(Cell::new(0));
    let mut targets: Vec<_> =
        runners.iter().map(|runner| target(runner, &updates, &windows)).collect();
    let plan = Plan { warm_up: setup.plan.warm_up * 2, ..setup.plan };
    let rows = interleave(plan, &mut targets)?;
    section.notes.push(format!("{DOCUMENTS} documents with a client each, 1 message in flight"));
    judge(&mut section, &Rows(&rows), disk);
    if disk == Disk::Memory {
        let yrs = yrs_per_second(setup.plan, &updates)?;
        section.find("bare yrs in process, updates per second", yrs, None);
        for row in rows.iter().filter(|row| row.label.starts_with(ROOMD)) {
            let goal = (row.label == BATCHES).then_some(YRS_GOAL);
            section.find(format!("{} / bare yrs, by rate", row.label), row.per_second / yrs, None);
            section.find(
                format!("{} / bare yrs, by rate per cpu-s", row.label),
                row.per_cpu_second / yrs,
                goal,
            );
        }
    }
    section.rows = rows;
    Ok(section)
}

fn judge(section: &mut Section, found: &Rows<'_>, disk: Disk) {
    let goal = (disk == Disk::Real).then_some(PEER_GOAL);
    found.ratio(section, [ROOMD, PEER], PER_SECOND, goal);
    found.ratio(section, [ROOMD, PEER], CPU, None);
    found.ratio(section, [ROOMD, HOCUSPOCUS], PER_SECOND, Some(HOCUSPOCUS_GOAL));
    found.ratio(section, [ROOMD, HOCUSPOCUS], CPU, None);
    found.ratio(section, [ROOMD, LIMIT], PER_SECOND, None);
}

fn target<'a>(
    runner: &Runner,
    updates: &Rc<Vec<Vec<u8>>>,
    windows: &'a Rc<Cell<usize>>,
) -> Target<'a> {
    let (name, updates) = (runner.label, Rc::clone(updates));
    let in_message = if name == BATCHES { BATCH } else { 1 };
    let script = Rc::new(Script::new(&updates, in_message, name == LIMIT));
    // New rooms for every window, since the dev server takes no more than 1,000 updates in a room.
    let address = runner.server.address;
    let sessions = move || -> Vec<Box<dyn Session>> {
        windows.set(windows.get() + 1);
        let documents = (0..DOCUMENTS).map(|n| format!("bench:yjs/{}/{n}", windows.get()));
        documents
            .map(|document| -> Box<dyn Session> {
                // Making a room is not part of typing. What fails here fails below with its reason.
                if ![HOCUSPOCUS, LIMIT].contains(&name) {
                    drop(clients::enter(address, &document));
                }
                if name == HOCUSPOCUS {
                    let typist = HocuspocusTypist::new(&document, Rc::clone(&updates));
                    Box::new(Socket::new("/", typist))
                } else {
                    let typist = Typist::new(Rc::clone(&script));
                    Box::new(Socket::new(clients::path(&document), typist))
                }
            })
            .collect()
    };
    let (label, pid) = (name.to_owned(), runner.server.pid());
    Target { label, address, pid, sessions: Box::new(sessions) }
}

/// As many documents, in turns, with nothing around yrs.
fn yrs_per_second(plan: Plan, updates: &[Vec<u8>]) -> Result<f64, Fail> {
    let mut rates = Vec::new();
    for _ in 0..plan.rounds {
        let docs: Vec<Doc> = (0..DOCUMENTS).map(|_| Doc::new()).collect();
        let started = Instant::now();
        for update in &updates[..YRS_UPDATES] {
            for doc in &docs {
                doc.transact_mut().apply_update(Update::decode_v1(update)?)?;
            }
        }
        let applied = (YRS_UPDATES * DOCUMENTS) as f64;
        rates.push(applied / started.elapsed().as_secs_f64());
    }
    Ok(median(rates.into_iter()))
}
