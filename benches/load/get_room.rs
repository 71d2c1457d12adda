//! `GetRoom` of one hot room over every protocol, against bare servers that answer its bytes.

use serde_json::json;

use crate::Fail;
use crate::engine::Session;
use crate::grpc::{self, Grpc};
use crate::http1::{self, Http1, Request};
use crate::measure::{Plan, Summary, Target, interleave};
use crate::processes::{self, SECRET_KEY, Server};
use crate::reference;
use crate::report::{Goal, Section};

const ROOM: &str = "bench:room/1";
const CONNECTIONS: usize = 32;
const HTTP_GOAL: Goal = Goal::AtLeast(0.60);
const GRPC_GOAL: Goal = Goal::AtLeast(0.70);
const RPC: &str = "roomd.v1.RoomService/GetRoom";

/// Name, and the goal where the issue sets one.
pub const SCENARIOS: &[(&str, Option<Goal>)] = &[
    ("get-room-rest", Some(HTTP_GOAL)),
    ("get-room-twirp-json", Some(HTTP_GOAL)),
    ("get-room-twirp-protobuf", None),
    ("get-room-connect-json", None),
    ("get-room-grpc", Some(GRPC_GOAL)),
    ("get-room-grpc-multiplexed", Some(GRPC_GOAL)),
];

/// How one protocol asks for the room.
enum Load {
    Http { request: Request, reference: &'static str },
    Grpc { call: grpc::Call, connections: usize, streams: usize },
}

pub fn run(plan: Plan, scenario: &str, goal: Option<Goal>) -> Result<Section, Fail> {
    let cached = processes::roomd(plan.pinning, &[])?;
    let uncached = processes::roomd(plan.pinning, &["--room-cache-bytes-max", "0"])?;
    create_room(&cached)?;
    create_room(&uncached)?;
    let (cached_load, reply) = load(scenario)?.learn_reply(&cached)?;
    let (uncached_load, _) = load(scenario)?.learn_reply(&uncached)?;
    let (bare, bare_load) = cached_load.limit(&reply, plan.pinning)?;

    let mut targets = [
        target("roomd", &cached, &cached_load),
        target("limit", &bare, &bare_load),
        target("roomd, no room cache", &uncached, &uncached_load),
    ];
    let rows = interleave(plan, &mut targets)?;
    let mut section = Section::new(scenario);
    section.notes.push(format!("reply: {} bytes", reply.len()));
    let [roomd, limit, no_cache] = rows.as_slice() else { return Err("a row is missing".into()) };
    judge(&mut section, "roomd / limit", roomd, limit, goal);
    judge(&mut section, "no room cache / limit", no_cache, limit, None);
    section.rows = rows;
    Ok(section)
}

/// The limit alone, for when there is no roomd to measure.
pub fn limit_only(plan: Plan, scenario: &str) -> Result<Section, Fail> {
    let load = load(scenario)?;
    let reply = vec![b'x'; 575];
    let (bare, bare_load) = load.limit(&reply, plan.pinning)?;
    let mut section = Section::new(scenario);
    section.rows = interleave(plan, &mut [target("limit", &bare, &bare_load)])?;
    Ok(section)
}

/// Both ratios are told; the goal is held by the lower one, since a load generator that is the
/// bottleneck flatters requests per second.
pub fn judge(section: &mut Section, what: &str, of: &Summary, to: &Summary, goal: Option<Goal>) {
    let by_rate = of.per_second / to.per_second;
    let by_cost = of.per_cpu_second / to.per_cpu_second;
    section.find(format!("{what}, by req/s"), by_rate, None);
    section.find(format!("{what}, by req/cpu-s"), by_cost, None);
    section.find(format!("{what}, the lower"), by_rate.min(by_cost), goal);
}

fn load(scenario: &str) -> Result<Load, Fail> {
    let json = json!({ "roomId": ROOM }).to_string().into_bytes();
    // GetRoomRequest: field 1, length-delimited.
    let mut protobuf = vec![0x0a, u8::try_from(ROOM.len())?];
    protobuf.extend_from_slice(ROOM.as_bytes());
    let post = |path: String, kind, body: &[u8]| Request::post(&path, kind, SECRET_KEY, body);
    let http = |request, reference| Load::Http { request, reference };
    let grpc = |connections, streams| {
        let (path, key) = (format!("/{RPC}"), SECRET_KEY.to_owned());
        let call = grpc::Call { path, key, request: protobuf.clone(), reply: Vec::new() };
        Load::Grpc { call, connections, streams }
    };
    Ok(match scenario {
        "get-room-rest" => {
            let path = format!("/v2/rooms/{}", ROOM.replace('/', "%2F"));
            http(Request::get(path, SECRET_KEY), reference::HTTP_JSON)
        }
        "get-room-twirp-json" => {
            http(post(format!("/twirp/{RPC}"), "application/json", &json), reference::HTTP_JSON)
        }
        "get-room-twirp-protobuf" => http(
            post(format!("/twirp/{RPC}"), "application/protobuf", &protobuf),
            reference::HTTP_PROTOBUF,
        ),
        "get-room-connect-json" => {
            http(post(format!("/{RPC}"), "application/json", &json), reference::HTTP_JSON)
        }
        "get-room-grpc" => grpc(CONNECTIONS, 1),
        "get-room-grpc-multiplexed" => grpc(1, CONNECTIONS),
        other => return Err(format!("no scenario `{other}`").into()),
    })
}

impl Load {
    /// Asks once, so that a wrong answer fails here, and so that the limit can answer the same.
    fn learn_reply(self, server: &Server) -> Result<(Self, Vec<u8>), Fail> {
        match self {
            Self::Http { request, reference } => {
                let reply = http1::call(server.address, &request)?;
                Ok((Self::Http { request, reference }, reply))
            }
            Self::Grpc { call, connections, streams } => {
                let reply = grpc::call(server.address, &call)?;
                let call = grpc::Call { reply: reply.clone(), ..call };
                Ok((Self::Grpc { call, connections, streams }, reply))
            }
        }
    }

    /// The bare server for this load, and the load with the reply that it gives.
    fn limit(&self, reply: &[u8], pinning: bool) -> Result<(Server, Self), Fail> {
        match self {
            Self::Http { request, reference } => {
                let server = processes::reference(reference, reply, pinning)?;
                Ok((server, Self::Http { request: request.clone(), reference }))
            }
            Self::Grpc { call, connections, streams } => {
                let payload = reference::echo_payload_for(reply.len());
                let server = processes::reference(reference::GRPC, &payload, pinning)?;
                let reply = reference::echo_message(payload);
                let call = grpc::Call { reply, ..call.clone() };
                let (connections, streams) = (*connections, *streams);
                Ok((server, Self::Grpc { call, connections, streams }))
            }
        }
    }

    fn sessions(&self) -> Vec<Box<dyn Session>> {
        match self {
            Self::Http { request, .. } => (0..CONNECTIONS)
                .map(|_| Box::new(Http1::fixed(request.bytes())) as Box<dyn Session>)
                .collect(),
            Self::Grpc { call, connections, streams } => (0..*connections)
                .map(|_| Box::new(Grpc::new(call.clone(), *streams)) as Box<dyn Session>)
                .collect(),
        }
    }
}

fn target<'a>(label: &str, server: &Server, load: &'a Load) -> Target<'a> {
    let (label, address, pid) = (label.to_owned(), server.address, server.pid());
    Target { label, address, pid, sessions: Box::new(|| load.sessions()) }
}

/// A room as applications make them; its JSON has about 575 bytes.
fn create_room(server: &Server) -> Result<(), Fail> {
    let body = json!({
        "id": ROOM,
        "defaultAccesses": ["room:read", "room:presence:write"],
        "usersAccesses": {
            "user-0123456789": ["room:write"],
            "user-9876543210": ["room:read", "room:presence:write", "comments:write"],
        },
        "groupsAccesses": { "engineering": ["room:write"], "marketing": ["room:read"] },
        "metadata": {
            "title": "Quarterly planning board",
            "plan": "enterprise",
            "color": "#2a9d8f",
            "description": "Goals, owners and dates of the quarter, agreed with all teams",
            "tags": ["planning", "2026", "board"],
        },
    });
    let body = body.to_string().into_bytes();
    http1::call(server.address, &Request::post("/v2/rooms", "application/json", SECRET_KEY, body))?;
    Ok(())
}
