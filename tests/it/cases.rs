//! Every unary RPC over every protocol: the same case, the same result.

use serde_json::{Value, json};

use crate::authorization_livekit::is_of_livekit;
use crate::cases_attachments::attachment_cases;
use crate::cases_auth::auth_cases;
use crate::cases_comments::comment_cases;
use crate::cases_contents::contents_cases;
use crate::cases_feeds::feed_cases;
use crate::cases_groups::group_cases;
use crate::cases_livechat::livechat_cases;
use crate::cases_notifications::notification_cases;
use crate::cases_search::search_cases;
use crate::cases_text_editor::text_editor_cases;
use crate::harness::{Project, Server};
use crate::on_both_servers;
use crate::protocols::{Outcome, Protocol, call};

const ROOMS: &str = "roomd.v1.RoomService";

pub enum Expected {
    /// The reply holds at least this.
    Reply(Value),
    /// The code by its gRPC name, the REST status, the reason.
    Refusal(&'static str, u16, &'static str),
}

pub struct Case {
    name: &'static str,
    /// Rooms that exist before.
    rooms: &'static [&'static str],
    /// Calls that succeed before. A request may name a part of the reply to one of them, by its
    /// place and a JSON Pointer: `{0:/data/id}`.
    before: Vec<(String, Value)>,
    rpc: String,
    request: Value,
    expected: Expected,
}

impl Case {
    pub fn after(mut self, (service, method): (&str, &str), request: Value) -> Self {
        self.before.push((format!("{service}/{method}"), request));
        self
    }
}

pub fn case(
    name: &'static str,
    rooms: &'static [&'static str],
    (service, method): (&str, &str),
    request: Value,
    expected: Expected,
) -> Case {
    let rpc = format!("{service}/{method}");
    Case { name, rooms, before: Vec::new(), rpc, request, expected }
}

pub fn refusal(code: &'static str, status: u16, reason: &'static str) -> Expected {
    Expected::Refusal(code, status, reason)
}

/// The room that every `rooms` entry becomes.
fn room(id: &str) -> Value {
    json!({
        "id": id,
        "defaultAccesses": ["*:read", "comments:write"],
        "usersAccesses": {"ann": ["*:write"]},
        "groupsAccesses": {"eng": ["storage:none"]},
        "metadata": {"color": "red", "tags": ["a", "b"]},
    })
}

fn room_cases() -> Vec<Case> {
    use Expected::Reply;
    const ODD: &str = "a/b c%2F?#é:x";
    let rpc = |method| (ROOMS, method);
    let strange_room = json!({"room": {"id": ODD, "type": "room", "organizationId": "default"}});
    let not_found = || refusal("not_found", 404, "ROOM_NOT_FOUND");
    let taken = || refusal("already_exists", 409, "ROOM_ALREADY_EXISTS");
    let invalid = || refusal("invalid_argument", 422, "UNPROCESSABLE_ENTITY");
    let long = "x".repeat(129);
    vec![
        case(
            "create",
            &[],
            rpc("CreateRoom"),
            room("r"),
            Reply(json!({"room": {
                "id": "r", "type": "room", "organizationId": "default",
                "defaultAccesses": ["*:read", "comments:write"],
                "usersAccesses": {"ann": ["*:write"]}, "groupsAccesses": {"eng": ["storage:none"]},
                "metadata": {"color": "red", "tags": ["a", "b"]},
            }})),
        ),
        case("create what is there", &["r"], rpc("CreateRoom"), room("r"), taken()),
        case(
            "create idempotently",
            &["r"],
            rpc("CreateRoom"),
            json!({"id": "r", "defaultAccesses": [], "idempotent": true}),
            Reply(json!({"room": {"id": "r", "metadata": {"color": "red"}}})),
        ),
        case(
            "create with an id too long",
            &[],
            rpc("CreateRoom"),
            json!({"id": long, "defaultAccesses": []}),
            invalid(),
        ),
        case(
            "create with two bases",
            &[],
            rpc("CreateRoom"),
            json!({"id": "r", "defaultAccesses": ["*:read", "*:write"]}),
            invalid(),
        ),
        case(
            "create with a number as metadata",
            &[],
            rpc("CreateRoom"),
            json!({"id": "r", "defaultAccesses": [], "metadata": {"n": 5}}),
            invalid(),
        ),
        case(
            "get",
            &["r"],
            rpc("GetRoom"),
            json!({"roomId": "r"}),
            Reply(json!({"room": {"id": "r"}})),
        ),
        case("get an odd id", &[ODD], rpc("GetRoom"), json!({"roomId": ODD}), Reply(strange_room)),
        case("get what is not there", &[], rpc("GetRoom"), json!({"roomId": "r"}), not_found()),
        case(
            "list",
            &["a", "b", "c"],
            rpc("ListRooms"),
            json!({"limit": 2, "metadata": {"color": "red"}, "groupIds": ["x,eng", "y"]}),
            Reply(json!({"data": [{"id": "c"}, {"id": "b"}]})),
        ),
        case(
            "list by a query",
            &["team:1", "other"],
            rpc("ListRooms"),
            json!({"query": "roomId^'team:' AND metadata[\"tags\"]:\"b\""}),
            Reply(json!({"data": [{"id": "team:1"}]})),
        ),
        case(
            "list with a bad query",
            &[],
            rpc("ListRooms"),
            json!({"query": "roomId="}),
            invalid(),
        ),
        case(
            "list with a bad cursor",
            &[],
            rpc("ListRooms"),
            json!({"startingAfter": "x"}),
            invalid(),
        ),
        case("list too many", &[], rpc("ListRooms"), json!({"limit": 101}), invalid()),
        case(
            "update",
            &["r"],
            rpc("UpdateRoom"),
            json!({"roomId": "r", "update": {
                "defaultAccesses": null, "usersAccesses": {"ann": null, "bob": ["*:read"]},
                "groupsAccesses": null, "metadata": {"color": null, "size": "xl"},
            }}),
            Reply(json!({"room": {"usersAccesses": {"bob": ["*:read"]},
                "metadata": {"tags": ["a", "b"], "size": "xl"}}})),
        ),
        case(
            "update what is not there",
            &[],
            rpc("UpdateRoom"),
            json!({"roomId": "r", "update": {"metadata": {}}}),
            not_found(),
        ),
        case(
            "upsert as create",
            &[],
            rpc("UpsertRoom"),
            json!({"roomId": "r",
                "update": {"metadata": {"a": "1"}}, "create": {"defaultAccesses": ["*:read"]}}),
            Reply(json!({"room": {"defaultAccesses": ["*:read"], "metadata": {"a": "1"}}})),
        ),
        case(
            "upsert as update",
            &["r"],
            rpc("UpsertRoom"),
            json!({"roomId": "r",
                "update": {"metadata": {"a": "1"}}, "create": {"defaultAccesses": []}}),
            Reply(json!({"room": {"metadata": {"a": "1", "color": "red"}}})),
        ),
        case(
            "upsert nothing",
            &["r"],
            rpc("UpsertRoom"),
            json!({"roomId": "r", "update": {}}),
            invalid(),
        ),
        case("delete", &["r"], rpc("DeleteRoom"), json!({"roomId": "r"}), Reply(json!({}))),
        case(
            "delete what is not there",
            &[],
            rpc("DeleteRoom"),
            json!({"roomId": "r"}),
            not_found(),
        ),
        case(
            "rename",
            &["r"],
            rpc("UpdateRoomId"),
            json!({"roomId": "r", "newRoomId": "s"}),
            Reply(json!({"room": {"id": "s", "metadata": {"color": "red"}}})),
        ),
        case(
            "rename to what is there",
            &["r", "s"],
            rpc("UpdateRoomId"),
            json!({"roomId": "r", "newRoomId": "s"}),
            taken(),
        ),
        case(
            "move",
            &["r"],
            rpc("UpdateRoomOrganizationId"),
            json!({"roomId": "r",
                "fromOrganizationId": "default", "toOrganizationId": "acme"}),
            Reply(json!({"room": {"organizationId": "acme"}})),
        ),
        case(
            "move from elsewhere",
            &["r"],
            rpc("UpdateRoomOrganizationId"),
            json!({"roomId": "r",
                "fromOrganizationId": "x", "toOrganizationId": "acme"}),
            refusal("failed_precondition", 422, "UNPROCESSABLE_ENTITY"),
        ),
        case("prewarm", &["r"], rpc("PrewarmRoom"), json!({"roomId": "r"}), Reply(json!({}))),
        case(
            "who is there",
            &["r"],
            rpc("GetActiveUsers"),
            json!({"roomId": "r"}),
            Reply(json!({})),
        ),
        case(
            "set presence",
            &["r"],
            rpc("SetPresence"),
            json!({"roomId": "r", "userId": "ann",
                "data": {"cursor": [1, 2]}, "userInfo": {"name": "Ann"}, "ttl": 2}),
            Reply(json!({})),
        ),
        case(
            "set presence too long",
            &["r"],
            rpc("SetPresence"),
            json!({"roomId": "r", "userId": "ann", "data": {}, "ttl": 3600}),
            invalid(),
        ),
        case(
            "broadcast",
            &["r"],
            rpc("BroadcastEvent"),
            json!({"roomId": "r", "event": [1, {"a": null}]}),
            Reply(json!({})),
        ),
        case(
            "broadcast to nobody's room",
            &[],
            rpc("BroadcastEvent"),
            json!({"roomId": "r", "event": null}),
            not_found(),
        ),
    ]
}

#[test]
fn every_unary_rpc_has_a_case_that_succeeds() {
    let cases = all_cases();
    // The first is refused for the room of the cases; the interop tests have it succeed. The second
    // needs a key, which the tests of LiveKit's tokens have, and the others a signature, which the
    // tests of files have.
    let elsewhere = [
        "roomd.v1.AuthService/AuthorizeRoomPublic",
        "roomd.v1.AuthService/CreateLiveKitToken",
        "roomd.v1.StorageService/DownloadStorageFile",
        "roomd.v1.AttachmentService/DownloadAttachment",
    ];
    for service in crate::harness::descriptors().services() {
        let unary = |method: &prost_reflect::MethodDescriptor| !method.is_server_streaming();
        for method in service.methods().filter(unary) {
            let rpc = format!("{}/{}", service.full_name(), method.name());
            let succeeds =
                |case: &Case| case.rpc == rpc && matches!(case.expected, Expected::Reply(_));
            // LiveKit's errors have no reasons; its cases are in tests of its own.
            let elsewhere = elsewhere.contains(&rpc.as_str()) || is_of_livekit(&rpc);
            let found = cases.iter().any(succeeds) || elsewhere;
            assert!(found, "no case for {rpc}");
        }
    }
}

fn all_cases() -> Vec<Case> {
    let all = [
        room_cases(),
        auth_cases(),
        contents_cases(),
        feed_cases(),
        group_cases(),
        comment_cases(),
        attachment_cases(),
        notification_cases(),
        livechat_cases(),
        search_cases(),
        text_editor_cases(),
    ];
    all.into_iter().flatten().collect()
}

async fn the_same_case_has_the_same_result_over_every_protocol(server: Server) {
    for (number, case) in all_cases().into_iter().enumerate() {
        let mut replies: Vec<(Protocol, Value)> = Vec::new();
        for protocol in Protocol::ALL {
            // A project of its own for each call: the same ids, and no traces of another.
            let project = server.project(&format!("case-{number}-{protocol:?}")).await;
            for id in case.rooms {
                let created = call(
                    &server,
                    Protocol::ConnectJson,
                    &format!("{ROOMS}/CreateRoom"),
                    &room(id),
                    Some(project.secret.expose()),
                )
                .await;
                created.unwrap();
            }
            let outcome = run(&server, protocol, &case, &project).await;
            check(protocol, &case, outcome, &mut replies);
        }
    }
    server.stop().await;
}

async fn run(server: &Server, protocol: Protocol, case: &Case, project: &Project) -> Outcome {
    let mut replies: Vec<Value> = Vec::new();
    let secret = Some(project.secret.expose());
    for (rpc, request) in &case.before {
        let request = fill(request, project, &replies);
        let reply = call(server, Protocol::ConnectJson, rpc, &request, secret).await;
        replies.push(reply.unwrap_or_else(|refused| panic!("{}, {rpc}: {refused:?}", case.name)));
    }
    let request = fill(&case.request, project, &replies);
    call(server, protocol, &case.rpc, &request, secret).await
}

/// Puts what only the run knows into a request.
fn fill(request: &Value, project: &Project, replies: &[Value]) -> Value {
    match request {
        Value::String(text) if text == "{public}" => json!(project.public.expose()),
        Value::String(text) => {
            let place = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
            let Some((number, pointer)) = place.and_then(|place| place.split_once(':')) else {
                return request.clone();
            };
            let number: usize = number.parse().unwrap();
            replies[number].pointer(pointer).expect(text).clone()
        }
        Value::Array(values) => values.iter().map(|value| fill(value, project, replies)).collect(),
        Value::Object(entries) => {
            let entry =
                |(key, value): (&String, &Value)| (key.clone(), fill(value, project, replies));
            Value::Object(entries.iter().map(entry).collect())
        }
        other => other.clone(),
    }
}

fn check(protocol: Protocol, case: &Case, outcome: Outcome, replies: &mut Vec<(Protocol, Value)>) {
    let name = case.name;
    match (&case.expected, outcome) {
        (Expected::Reply(expected), Ok(mut reply)) => {
            let mut expected = expected.clone();
            normalize(&mut expected);
            normalize(&mut reply);
            assert!(holds(&reply, &expected), "{name}, {protocol:?}: {reply} lacks {expected}");
            if let Some((first, same)) = replies.first() {
                assert_eq!(&reply, same, "{name}: {protocol:?} and {first:?} differ");
            }
            replies.push((protocol, reply));
        }
        (Expected::Refusal(code, status, reason), Err(refused)) => {
            let expected = match protocol {
                Protocol::Rest => status.to_string(),
                _ => (*code).to_owned(),
            };
            assert_eq!(refused.code, expected, "{name}, {protocol:?}: {refused:?}");
            assert_eq!(refused.reason, *reason, "{name}, {protocol:?}: {refused:?}");
            assert!(!refused.message.is_empty(), "{name}, {protocol:?}: no message");
        }
        (_, outcome) => panic!("{name}, {protocol:?}: {outcome:?}"),
    }
}

/// Ids that the server made: those of cases are shorter.
fn is_random(id: &str) -> bool {
    let kinds = ["vh_", "msg_", "th_", "cm_", "in_", "ac_"];
    kinds.iter().any(|kind| id.starts_with(kind) && id.len() >= kind.len() + 15)
}

/// Replaces what no two calls share.
fn normalize(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(normalize),
        // Whether a double is written `5` or `5.0` is the writer's choice.
        Value::Number(number) => {
            if let Some(whole) = number.as_f64().filter(|number| number.fract() == 0.0) {
                *value = json!(whole);
            }
        }
        Value::Object(entries) => {
            for (key, value) in entries {
                match key.as_str() {
                    "createdAt" | "updatedAt" | "editedAt" | "deletedAt" | "addedAt"
                    | "requestedAt" | "expiresAt" | "token" | "nextCursor" | "nextPage" | "url"
                    | "uploadId" | "notifiedAt" | "readAt"
                        if value.is_string() || value.as_f64().is_some_and(|ms| ms > 1e12) =>
                    {
                        *value = json!("T");
                    }
                    "id" | "threadId" | "commentId" if value.as_str().is_some_and(is_random) => {
                        *value = json!("V");
                    }
                    _ => normalize(value),
                }
            }
        }
        _ => {}
    }
}

/// Whether a reply has at least what is expected.
fn holds(reply: &Value, expected: &Value) -> bool {
    match (reply, expected) {
        (Value::Object(reply), Value::Object(expected)) => expected
            .iter()
            .all(|(key, expected)| reply.get(key).is_some_and(|reply| holds(reply, expected))),
        (Value::Array(reply), Value::Array(expected)) => {
            reply.len() == expected.len()
                && reply.iter().zip(expected).all(|(reply, expected)| holds(reply, expected))
        }
        _ => reply == expected,
    }
}

on_both_servers!(the_same_case_has_the_same_result_over_every_protocol);
