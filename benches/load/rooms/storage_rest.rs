//! Storage over REST: one value changed in a small and in a large document, and a small document
//! read as JSON.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::servers::{self, CPU, Disk, LIMIT, PEER, PER_SECOND, ROOMD, Rows, Runner};
use super::{Setup, document};
use crate::Fail;
use crate::engine::Session;
use crate::http1::{self, Http1, Request};
use crate::measure::{Target, interleave};
use crate::processes::{SECRET_KEY, Server};
use crate::report::{Goal, Section};
use crate::{processes, reference};

pub const PATCH: &str = "storage-json-patch";
pub const READ: &str = "storage-read-json";
const PATCH_GOAL: Goal = Goal::AtMost(1.5);
const READ_GOAL: Goal = Goal::AtLeast(5.0);
const SMALL: usize = 1_000;
const LARGE: usize = 50_000;
const READERS: usize = 32;
/// A prime, so that the values lie everywhere in a document.
const STRIDE: usize = 7_919;

/// One caller, one value at a time, on a disk in memory: the work is compared, not the disk.
pub fn run_patch(setup: Setup, scenario: &'static str) -> Result<Section, Fail> {
    let mut section = Section::new(scenario);
    if !setup.with_roomd {
        section.notes.push("only roomd is measured here".to_owned());
        return Ok(section);
    }
    let server = servers::roomd(setup, Disk::Memory)?;
    for nodes in [SMALL, LARGE] {
        document::fill(server.address, &room_id(nodes), nodes)?;
    }
    let number = Rc::new(Cell::new(0));
    let mut targets = Vec::new();
    for parent in ["map", "list"] {
        for nodes in [SMALL, LARGE] {
            targets.push(patcher(&server, parent, nodes, &number));
        }
    }
    let rows = interleave(setup.plan, &mut targets)?;
    if let [map_small, map_large, list_small, list_large] = rows.as_slice() {
        let what = |parent| format!("median time, {LARGE} nodes / {SMALL} nodes, in a {parent}");
        section.find(what("map"), map_large.p50_ms / map_small.p50_ms, Some(PATCH_GOAL));
        section.find(what("list"), list_large.p50_ms / list_small.p50_ms, Some(PATCH_GOAL));
    }
    section.rows = rows;
    Ok(section)
}

pub fn run_read(setup: Setup, scenario: &'static str) -> Result<Section, Fail> {
    let mut section = Section::new(scenario);
    let mut runners = Vec::new();
    if setup.with_roomd {
        runners.push(Runner { label: ROOMD, server: servers::roomd(setup, Disk::Real)? });
    }
    runners.extend(servers::peer(setup, Disk::Real, &mut section)?);
    let mut reply = Vec::new();
    for runner in &runners {
        document::fill(runner.server.address, &room_id(SMALL), SMALL)?;
        let body = check(runner.server.address)?;
        section.notes.push(format!("{}: {} bytes", runner.label, body.len()));
        reply = if reply.is_empty() { body } else { reply };
    }
    let server = processes::reference(reference::HTTP_JSON, &reply, setup.plan.pinning)?;
    runners.push(Runner { label: LIMIT, server });
    let mut targets: Vec<_> = runners.iter().map(reader).collect();
    let rows = interleave(setup.plan, &mut targets)?;
    let found = Rows(&rows);
    found.ratio(&mut section, [ROOMD, PEER], PER_SECOND, Some(READ_GOAL));
    found.ratio(&mut section, [ROOMD, PEER], CPU, None);
    found.ratio(&mut section, [ROOMD, LIMIT], PER_SECOND, None);
    section.rows = rows;
    Ok(section)
}

fn room_id(nodes: usize) -> String {
    format!("bench:document/{nodes}")
}

fn storage_path(nodes: usize) -> String {
    format!("/v2/rooms/{}/storage", utf8_percent_encode(&room_id(nodes), NON_ALPHANUMERIC))
}

fn read_request() -> Request {
    Request::get(format!("{}?format=json", storage_path(SMALL)), SECRET_KEY)
}

/// A fast answer without the document in it would be no answer.
fn check(address: SocketAddr) -> Result<Vec<u8>, Fail> {
    let body = http1::call(address, &read_request())?;
    let document: serde_json::Value = serde_json::from_slice(&body)?;
    let (map, list) = (document["map"].as_object(), document["list"].as_array());
    let found = map.map_or(0, serde_json::Map::len) + list.map_or(0, Vec::len);
    if found != SMALL - 3 {
        return Err(format!("the document has {found} objects").into());
    }
    Ok(body)
}

fn reader(runner: &Runner) -> Target<'static> {
    let sessions = || -> Vec<Box<dyn Session>> {
        (0..READERS).map(|_| Box::new(Http1::fixed(read_request().bytes())) as _).collect()
    };
    let (label, address, pid) =
        (runner.label.to_owned(), runner.server.address, runner.server.pid());
    Target { label, address, pid, sessions: Box::new(sessions) }
}

fn patcher<'a>(
    server: &Server,
    parent: &'static str,
    nodes: usize,
    number: &'a Rc<Cell<usize>>,
) -> Target<'a> {
    let (address, pid) = (server.address, server.pid());
    let sessions = move || -> Vec<Box<dyn Session>> {
        let number = Rc::clone(number);
        let next = move |out: &mut Vec<u8>| {
            let value = number.get() + 1;
            number.set(value);
            out.extend_from_slice(&patch(parent, nodes, value).bytes());
        };
        vec![Box::new(Http1::new(Box::new(next)))]
    };
    let label = format!("{parent}, {nodes} nodes");
    Target { label, address, pid, sessions: Box::new(sessions) }
}

fn patch(parent: &str, nodes: usize, value: usize) -> Request {
    let index = value * STRIDE % ((nodes - 3) / 2);
    let object = if parent == "map" { format!("k{index}") } else { index.to_string() };
    let body = format!(r#"[{{"op":"replace","path":"/{parent}/{object}/x","value":{value}}}]"#);
    let path = format!("{}/json-patch", storage_path(nodes));
    Request { method: "PATCH", ..Request::post(&path, "application/json", SECRET_KEY, body) }
}
