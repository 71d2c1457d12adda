//! A poll of a room's threads that has nothing new, against a bare server that answers its bytes.

use serde_json::json;

use super::{body, post, user_token};
use crate::Fail;
use crate::engine::Session;
use crate::get_room::judge;
use crate::http1::{self, Http1, Request};
use crate::measure::{Plan, Target, interleave};
use crate::processes::{self, Server};
use crate::reference;
use crate::report::{Goal, Section};

pub const SCENARIO: &str = "threads-delta";
const GOAL: Goal = Goal::AtLeast(0.6);
const CONNECTIONS: usize = 32;
const THREADS: usize = 100;
const ROOM: &str = "bench-delta";
const POLLS_MAX: usize = 100;

pub fn run(plan: Plan) -> Result<Section, Fail> {
    let server = processes::roomd(plan.pinning, &[])?;
    let (request, reply) = fill(&server)?;
    let bare = processes::reference(reference::HTTP_JSON, &reply, plan.pinning)?;
    let mut targets = [target("roomd", &server, &request), target("limit", &bare, &request)];
    let rows = interleave(plan, &mut targets)?;
    let mut section = Section::new(SCENARIO);
    section.notes.push(format!("reply: {} bytes", reply.len()));
    let [roomd, limit] = rows.as_slice() else { return Err("a row is missing".into()) };
    judge(&mut section, "roomd / limit", roomd, limit, Some(GOAL));
    section.rows = rows;
    Ok(section)
}

/// Makes threads; returns a poll that has nothing new and what it is answered.
fn fill(server: &Server) -> Result<(Request, Vec<u8>), Fail> {
    let address = server.address;
    post(address, "/v2/rooms", &json!({ "id": ROOM, "defaultAccesses": ["room:write"] }))?;
    for number in 0..THREADS {
        let comment = json!({ "userId": "somebody", "body": body(&format!("Thread {number}")) });
        post(address, &format!("/v2/rooms/{ROOM}/threads"), &json!({ "comment": comment }))?;
    }
    let token = user_token(address, "user-of-the-bench", &["*:write"])?;
    let mut since = "2026-01-01T00:00:00.000Z".to_owned();
    // What happened in the millisecond of a poll is told by the next one as well.
    for _ in 0..POLLS_MAX {
        let path = format!("/v2/c/rooms/{ROOM}/threads/delta?since={since}");
        let request = Request::get(path, &token);
        let reply = http1::call(address, &request)?;
        let answer: serde_json::Value = serde_json::from_slice(&reply)?;
        let threads = answer["data"].as_array().ok_or("a delta without threads")?;
        if threads.is_empty() {
            return Ok((request, reply));
        }
        let next = answer["meta"]["requestedAt"].as_str().ok_or("a delta without its time")?;
        next.clone_into(&mut since);
    }
    Err(format!("there was something new after {POLLS_MAX} polls").into())
}

fn target<'a>(label: &str, server: &Server, request: &'a Request) -> Target<'a> {
    let (label, address, pid) = (label.to_owned(), server.address, server.pid());
    let sessions = || -> Vec<Box<dyn Session>> {
        (0..CONNECTIONS).map(|_| Box::new(Http1::fixed(request.bytes())) as _).collect()
    };
    Target { label, address, pid, sessions: Box::new(sessions) }
}
