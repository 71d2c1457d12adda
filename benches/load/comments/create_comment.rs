//! `CreateComment` with 64 callers, each waiting until its comment is on the disk, beside
//! `CreateRoom`.

use std::cell::Cell;
use std::rc::Rc;

use serde_json::json;

use super::{body, post};
use crate::Fail;
use crate::create_room::{self, CONNECTIONS};
use crate::engine::Session;
use crate::http1::{Http1, Request};
use crate::measure::{Plan, Target, interleave};
use crate::processes::{self, SECRET_KEY, Server};
use crate::report::{Goal, Section};

pub const SCENARIO: &str = "create-comment-durable";
const GOAL: Goal = Goal::AtLeast(0.7);
/// Half of what a thread takes.
const COMMENTS_IN_THREAD: u64 = 5_000;

/// Who writes in a thread.
#[derive(Clone, Copy)]
enum Authors {
    /// One user, whom nobody has to be told of.
    One,
    /// Two users by turns, so that each comment moves the other one's notification.
    Two,
}

pub fn run(plan: Plan) -> Result<Section, Fail> {
    let server = processes::roomd(plan.pinning, &[])?;
    for room in 0..CONNECTIONS {
        post(server.address, "/v2/rooms", &json!({ "id": room_id(room), "defaultAccesses": [] }))?;
    }
    let rooms = Rc::new(Cell::new(0));
    let threads = Rc::new(Cell::new(0));
    let mut targets = [
        create_room::target("CreateRoom", &server, &rooms),
        target("CreateComment, one author", &server, &threads, Authors::One),
        target("CreateComment, two by turns", &server, &threads, Authors::Two),
    ];
    let rows = interleave(plan, &mut targets)?;
    let mut section = Section::new(SCENARIO);
    section.notes.push(format!(
        "{CONNECTIONS} connections, each to a thread in a room of its own, synchronous=FULL"
    ));
    let [room, one, two] = rows.as_slice() else { return Err("a row is missing".into()) };
    let ratio = one.per_second / room.per_second;
    section.find("CreateComment / CreateRoom", ratio, Some(GOAL));
    let told = two.per_second / room.per_second;
    section.find("CreateComment with a notification / CreateRoom", told, None);
    section.rows = rows;
    Ok(section)
}

fn room_id(number: usize) -> String {
    format!("bench-comments-{number}")
}

fn target<'a>(
    label: &str,
    server: &Server,
    threads: &'a Rc<Cell<u64>>,
    authors: Authors,
) -> Target<'a> {
    let (label, address, pid) = (label.to_owned(), server.address, server.pid());
    let sessions = move || -> Vec<Box<dyn Session>> {
        (0..CONNECTIONS)
            .map(|room| Box::new(writer(room, Rc::clone(threads), authors)) as _)
            .collect()
    };
    Target { label, address, pid, sessions: Box::new(sessions) }
}

/// A connection that fills thread after thread of its room; one request in 5,000 makes a thread.
fn writer(room: usize, threads: Rc<Cell<u64>>, authors: Authors) -> Http1 {
    let room = format!("/v2/rooms/{}/threads", room_id(room));
    let (mut thread, mut written) = (String::new(), 0);
    Http1::new(Box::new(move |out| {
        let author = match authors {
            Authors::Two if written % 2 == 1 => "user-of-the-bench-b",
            Authors::One | Authors::Two => "user-of-the-bench-a",
        };
        let text = format!("Comment {written} of the bench, as long as people write them");
        let comment = json!({ "userId": author, "body": body(&text) });
        let (path, body) = if written % COMMENTS_IN_THREAD == 0 {
            threads.set(threads.get() + 1);
            thread = format!("th_ofthebenc{:012}", threads.get());
            (room.clone(), json!({ "id": thread, "comment": comment }))
        } else {
            (format!("{room}/{thread}/comments"), comment)
        };
        written += 1;
        let body = body.to_string().into_bytes();
        let request = Request::post(&path, "application/json", SECRET_KEY, body);
        out.extend_from_slice(&request.bytes());
    }))
}
