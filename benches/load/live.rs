//! LiveKit's lists: all rooms that are alive, and everybody in one, against a bare server that
//! answers their bytes.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use mio::net::TcpStream;
use roomd::auth::livekit::{WELL_KNOWN_LIVE_KEY, WELL_KNOWN_LIVE_SECRET};
use serde_json::{Value, json};

use crate::Fail;
use crate::engine::Session;
use crate::get_room::judge;
use crate::http1::{self, Http1, Request};
use crate::measure::{Plan, Target, interleave};
use crate::processes::{self, Server};
use crate::reference;
use crate::report::{Goal, Section};
use crate::rooms::{clients, connect};

const ROOMS: usize = 10_000;
/// What a room holds at most, unless it is configured (`room_connections_max`).
const PEOPLE: usize = 1_000;
const ROOM: &str = "bench:live";
const CONNECTIONS: usize = 32;
const CALLERS: usize = 16;
const GOAL: Goal = Goal::AtLeast(0.6);
/// Rooms and people outlive the run, however long its windows are.
const STAY_S: u32 = 36_000;
const FLAGS: &[&str] = &["--websocket-idle-ms", "36000000"];
/// The year 2100: nothing here asks what time it is.
const TOKEN_EXPIRES_AT_S: u64 = 4_102_444_800;

#[derive(Clone, Copy, PartialEq)]
enum List {
    Rooms,
    Participants,
}

struct Case {
    name: &'static str,
    list: List,
    content_type: &'static str,
    reference: &'static str,
}

const JSON: (&str, &str) = ("application/json", reference::HTTP_JSON);
const PROTOBUF: (&str, &str) = ("application/protobuf", reference::HTTP_PROTOBUF);

const CASES: &[Case] = &[
    case("live-rooms-twirp-json", List::Rooms, JSON),
    case("live-rooms-twirp-protobuf", List::Rooms, PROTOBUF),
    case("live-participants-twirp-json", List::Participants, JSON),
    case("live-participants-twirp-protobuf", List::Participants, PROTOBUF),
];

const fn case(
    name: &'static str,
    list: List,
    (content_type, reference): (&'static str, &'static str),
) -> Case {
    Case { name, list, content_type, reference }
}

pub fn scenario_names() -> impl Iterator<Item = &'static str> {
    CASES.iter().map(|case| case.name)
}

pub fn run(
    plan: Plan,
    wants: impl Fn(&str) -> bool,
    mut keep: impl FnMut(Section),
) -> Result<(), Fail> {
    for list in [List::Rooms, List::Participants] {
        let mut cases =
            CASES.iter().filter(|case| case.list == list && wants(case.name)).peekable();
        if cases.peek().is_none() {
            continue;
        }
        let server = processes::roomd(plan.pinning, FLAGS)?;
        let caller = Caller { address: server.address, token: token()? };
        let people = caller.fill(list)?;
        connect::settle(server.pid())?;
        for case in cases {
            keep(case.measure(plan, &server, &caller)?);
        }
        drop(people);
    }
    Ok(())
}

impl Case {
    fn measure(&self, plan: Plan, server: &Server, caller: &Caller) -> Result<Section, Fail> {
        let request = self.list.request(self.content_type, &caller.token);
        let reply = http1::call(server.address, &request)?;
        let bare = processes::reference(self.reference, &reply, plan.pinning)?;
        let mut targets = [target("roomd", server, &request), target("limit", &bare, &request)];
        let rows = interleave(plan, &mut targets)?;
        let entries = caller.count(self.list)?;
        if http1::call(server.address, &request)?.len() != reply.len() {
            return Err("the list changed while it was measured".into());
        }
        let mut section = Section::new(self.name);
        let bytes = reply.len();
        section.notes.push(format!("{entries} entries, reply: {bytes} bytes, LiveKit token"));
        let [roomd, limit] = rows.as_slice() else { return Err("a row is missing".into()) };
        judge(&mut section, "roomd / limit", roomd, limit, Some(GOAL));
        section.rows = rows;
        Ok(section)
    }
}

impl List {
    fn request(self, content_type: &'static str, token: &str) -> Request {
        let (method, body) = match (self, content_type) {
            (Self::Rooms, "application/json") => ("ListRooms", b"{}".to_vec()),
            (Self::Rooms, _) => ("ListRooms", Vec::new()),
            (Self::Participants, "application/json") => {
                ("ListParticipants", json!({ "room": ROOM }).to_string().into_bytes())
            }
            (Self::Participants, _) => {
                // ListParticipantsRequest: field 1, length-delimited.
                let head = [0x0a, ROOM.len() as u8];
                ("ListParticipants", [&head[..], ROOM.as_bytes()].concat())
            }
        };
        Request::post(&path(method), content_type, token, body)
    }

    /// The field of the reply, and how many entries it has to have.
    const fn expected(self) -> (&'static str, usize) {
        match self {
            Self::Rooms => ("rooms", ROOMS),
            Self::Participants => ("participants", PEOPLE),
        }
    }
}

/// A back end with LiveKit's SDK.
struct Caller {
    address: SocketAddr,
    token: String,
}

impl Caller {
    /// Makes what is listed; returns who has to stay connected for it.
    fn fill(&self, list: List) -> Result<Vec<TcpStream>, Fail> {
        if list == List::Rooms {
            self.make_rooms()?;
            return Ok(Vec::new());
        }
        Ok(connect::arrive(self.address, 0..PEOPLE, |_| clients::path(ROOM))?.streams)
    }

    fn make_rooms(&self) -> Result<(), Fail> {
        let next = AtomicUsize::new(0);
        let make = || -> Result<(), String> {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= ROOMS {
                    return Ok(());
                }
                let name = format!("bench:live/{number}");
                let room = json!({ "name": name, "emptyTimeout": STAY_S, "metadata": "{}" });
                self.ask("CreateRoom", &room).map_err(|error| error.to_string())?;
            }
        };
        thread::scope(|scope| {
            let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(make)).collect();
            for caller in callers {
                caller.join().map_err(|_| "a caller panicked")??;
            }
            Ok(())
        })
    }

    fn ask(&self, method: &str, body: &Value) -> Result<Value, Fail> {
        let body = body.to_string().into_bytes();
        let request = Request::post(&path(method), JSON.0, &self.token, body);
        Ok(serde_json::from_slice(&http1::call(self.address, &request)?)?)
    }

    fn count(&self, list: List) -> Result<usize, Fail> {
        let (field, wanted) = list.expected();
        let request = list.request(JSON.0, &self.token);
        let answer: Value = serde_json::from_slice(&http1::call(self.address, &request)?)?;
        let entries = answer[field].as_array().map_or(0, Vec::len);
        if entries != wanted {
            return Err(format!("{entries} {field} were listed, not {wanted}").into());
        }
        Ok(entries)
    }
}

fn path(method: &str) -> String {
    format!("/twirp/livekit.RoomService/{method}")
}

/// What LiveKit's SDKs sign for a back end that may do all that is measured here.
fn token() -> Result<String, Fail> {
    let video = json!({ "roomCreate": true, "roomList": true, "roomAdmin": true, "room": ROOM });
    let claims = json!({ "iss": WELL_KNOWN_LIVE_KEY, "exp": TOKEN_EXPIRES_AT_S, "video": video });
    let key = EncodingKey::from_secret(WELL_KNOWN_LIVE_SECRET.as_bytes());
    Ok(jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)?)
}

fn target<'a>(label: &str, server: &Server, request: &'a Request) -> Target<'a> {
    let (label, address, pid) = (label.to_owned(), server.address, server.pid());
    let sessions = || -> Vec<Box<dyn Session>> {
        (0..CONNECTIONS).map(|_| Box::new(Http1::fixed(request.bytes())) as _).collect()
    };
    Target { label, address, pid, sessions: Box::new(sessions) }
}
