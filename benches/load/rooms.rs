//! Rooms that people are in: against a bare WebSocket server, and against peers where they are
//! installed.

pub mod clients;
pub mod connect;
mod document;
mod fanout;
mod memory;
mod servers;
mod storage_ops;
mod storage_rest;
mod typing;
mod yjs_client;
mod yjs_open;
mod yjs_updates;

use crate::Fail;
use crate::measure::Plan;
use crate::report::Section;

/// What a scenario is run with.
#[derive(Clone, Copy)]
pub struct Setup {
    pub plan: Plan,
    /// Without it the limit and the peers are measured alone.
    pub with_roomd: bool,
}

type Run = fn(Setup, &'static str) -> Result<Section, Fail>;

const SCENARIOS: &[(&str, Run)] = &[
    (storage_ops::DISK, storage_ops::run),
    (storage_ops::MEMORY, storage_ops::run),
    (fanout::FULL, fanout::run),
    (fanout::PACED, fanout::run),
    (connect::SCENARIO, connect::run),
    (memory::CONNECTION, memory::run_connection),
    (memory::NODE, memory::run_node),
    (storage_rest::PATCH, storage_rest::run_patch),
    (storage_rest::READ, storage_rest::run_read),
    (yjs_updates::DISK, yjs_updates::run),
    (yjs_updates::MEMORY, yjs_updates::run),
    (yjs_open::SCENARIO, yjs_open::run),
];

pub fn scenario_names() -> impl Iterator<Item = &'static str> {
    SCENARIOS.iter().map(|(name, _)| *name)
}

pub fn run(
    setup: Setup,
    wants: impl Fn(&str) -> bool,
    mut keep: impl FnMut(Section),
) -> Result<(), Fail> {
    for (name, run) in SCENARIOS.iter().filter(|(name, _)| wants(name)) {
        eprintln!("measuring {name}");
        keep(run(setup, name)?);
    }
    Ok(())
}
