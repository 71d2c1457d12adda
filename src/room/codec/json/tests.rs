//! Frames as clients and the hosted service's own server exchange them.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{DEPTH_MAX, MESSAGES_MAX, Parsed, parse, write};
use crate::domain::permissions::Scope;
use crate::room::close::CloseReason;
use crate::room::message::{
    ClientMessage, CommentEvent, CommentEventKind, Member, OPS_MAX, OutgoingOp, RawJson,
    ServerMessage, YjsMessage, YjsUpdates,
};
use crate::room::storage::Op;
use crate::room::yjs::Encoding;
use crate::room::yjs::GUID_BYTES_MAX;

/// One of each kind of frame that a real client sent, captured.
const FROM_CLIENTS: &[&str] = &[
    r#"[{"type":100,"targetActor":-1,"data":{"cursor":null,"name":"Ann"}},{"type":200}]"#,
    r#"[{"type":100,"data":{"cursor":{"x":1,"y":2}}}]"#,
    r#"[{"type":100,"data":{"__yjs_clientid":2693845127}},{"type":300,"vector":"AA==","v2":false},
        {"type":301,"update":"AAA=","v2":false}]"#,
    r#"[{"type":103,"event":{"type":"EMOJI","emoji":"🔥"}}]"#,
    r#"[{"type":201,"ops":[{"opId":"0:0","id":"root","type":3,"data":{"title":"untitled"}}]}]"#,
    r#"[{"type":201,"ops":[{"opId":"0:17","type":8,"id":"0:9","parentId":"0:2","parentKey":"!#",
        "data":"d","intent":"push"}]}]"#,
    r#"[{"type":201,"ops":[{"opId":"0:20","type":8,"id":"0:11","parentId":"0:2","parentKey":"!!",
        "data":"replaced","intent":"set","deletedId":"0:4"}]}]"#,
    r#"[{"type":201,"ops":[{"opId":"0:31","id":"0:16","type":2,"parentId":"0:6","parentKey":"k3"},
        {"opId":"0:36","type":4,"id":"0:19","parentId":"root","parentKey":"o","data":{"a":1}}]}]"#,
    r#"[{"type":201,"ops":[{"type":1,"id":"0:3","opId":"0:19","parentKey":"!!O"}]}]"#,
    r#"[{"type":201,"ops":[{"type":6,"key":"inner","id":"0:0","opId":"0:16"}]}]"#,
    r#"[{"type":201,"ops":[{"id":"0:10","opId":"0:21","type":5}]}]"#,
    r#"[{"type":201,"ops":[{"opId":"0:53","type":9,"id":"0:20","parentId":"root",
        "parentKey":"text","data":[["Hello"]],"version":0}]}]"#,
    r#"[{"type":201,"ops":[{"type":10,"id":"0:20","opId":"0:54","baseVersion":0,
        "ops":[{"type":"insert","index":5,"text":" world"}]}]}]"#,
    r#"[{"type":300,"vector":"AA==","guid":"1df9d87d-badf-4f30-83cd-25d018a2e489","v2":false}]"#,
];

fn messages(text: &str) -> Vec<ClientMessage> {
    let Parsed { messages, rejections } = parse(text).unwrap();
    assert!(rejections.is_empty(), "{text}");
    messages
}

fn problem(text: &str) -> &'static str {
    match parse(text) {
        Err(CloseReason::NotUnderstood(problem)) => problem,
        other => panic!("{text} was taken: {other:?}"),
    }
}

fn raw(value: &Value) -> RawJson {
    RawValue::from_string(value.to_string()).unwrap().into()
}

fn written(message: &ServerMessage) -> Value {
    serde_json::from_slice(&write(message)).unwrap()
}

#[test]
fn every_kind_of_frame_of_a_client_is_read() {
    for text in FROM_CLIENTS {
        let expected = serde_json::from_str::<Vec<Value>>(text).unwrap().len();
        assert_eq!(messages(text).len(), expected, "{text}");
    }
}

#[test]
fn presence_is_passed_on_as_it_came() {
    let text = r#"[{"data":{"b": 1e400, "a":"\ud800", "b":2},"type":100,"targetActor":7}]"#;
    let [ClientMessage::Presence { data, target }] = &messages(text)[..] else { panic!() };
    assert_eq!(data.get(), r#"{"b": 1e400, "a":"\ud800", "b":2}"#);
    assert_eq!(*target, Some(7));
    let message = ServerMessage::Presence { actor: 3, data: data.clone(), target: None };
    assert_eq!(
        write(&message),
        br#"{"type":100,"actor":3,"data":{"b": 1e400, "a":"\ud800", "b":2}}"#,
    );
}

#[test]
fn yjs_comes_in_base64() {
    let text = r#"[{"type":300,"vector":""},{"type":301,"update":"AQID","guid":"g","v2":true},
        {"type":301,"update":"AQ","guid":null}]"#;
    let messages = messages(text);
    assert!(matches!(&messages[0], ClientMessage::FetchYjs { state_vector, guid: None,
        encoding: Encoding::V1 } if state_vector[..] == [0]));
    assert!(matches!(&messages[1], ClientMessage::UpdateYjs { update, guid: Some(guid),
        encoding: Encoding::V2 } if update[..] == [1, 2, 3] && &**guid == "g"));
    assert!(matches!(&messages[2], ClientMessage::UpdateYjs { update, .. } if update[..] == [1]));
    for text in [
        r#"[{"type":301,"update":"?"}]"#,
        r#"[{"type":301}]"#,
        r#"[{"type":301,"update":5}]"#,
        r#"[{"type":300,"vector":"AA==","guid":5}]"#,
        &format!(r#"[{{"type":300,"vector":"","guid":"{}"}}]"#, "g".repeat(GUID_BYTES_MAX + 1)),
    ] {
        problem(text);
    }
}

#[test]
fn what_is_unknown_is_ignored() {
    for text in [
        r#"[{"type":999,"data":5,"ops":{"a":[1]},"vector":[{}],"guid":1.5,"v2":"?"}]"#,
        r#"[{"type":509,"requestId":"r"},{"type":-5}]"#,
        "[]",
        " [ ] ",
    ] {
        assert!(messages(text).is_empty(), "{text}");
    }
    assert_eq!(messages(r#"[{"type":103}]"#).len(), 1, "an event of undefined");
    assert_eq!(messages(r#"{"type":200}"#).len(), 1, "a message outside an array");
}

#[test]
fn what_is_malformed_ends_the_connection() {
    for text in [
        "",
        "hello",
        "5",
        "null",
        "\"ping\"",
        "[[]]",
        "[5]",
        "[null]",
        "[{}]",
        r#"[{"type":100}]"#,
        r#"[{"type":100,"data":[]}]"#,
        r#"[{"type":100,"data":null}]"#,
        r#"[{"type":100,"data":{},"targetActor":"all"}]"#,
        r#"[{"type":"100"}]"#,
        r#"[{"type":100.5}]"#,
        r#"[{"type":201}]"#,
        r#"[{"type":201,"ops":{}}]"#,
        r#"[{"type":201,"ops":[5]}]"#,
        r#"[{"type":200}"#,
        r#"[{"type":200}]]"#,
        r#"[{"type":200,"type":200}]"#,
    ] {
        assert!(!problem(text).is_empty());
    }
}

#[test]
fn an_operation_that_is_none_is_rejected_alone() {
    let text = r#"[{"type":201,"ops":[{"type":3,"opId":"0:1","data":{}},
        {"type":5,"opId":"0:2","id":"x"}]}]"#;
    let Parsed { messages, rejections } = parse(text).unwrap();
    assert!(matches!(&messages[..], [ClientMessage::Ops(ops)] if ops.len() == 1));
    assert_eq!(rejections.iter().map(|bad| &*bad.op_id).collect::<Vec<_>>(), ["0:1"]);
    let text = r#"[{"type":201,"ops":[{"type":5,"opId":"0:1"}]},{"type":201,"ops":[]}]"#;
    assert!(parse(text).unwrap().messages.is_empty());
}

#[test]
fn the_limits_hold() {
    let nested = |levels: usize| {
        format!(r#"[{{"type":103,"event":{}{}}}]"#, "[".repeat(levels), "]".repeat(levels))
    };
    assert_eq!(messages(&nested(DEPTH_MAX)).len(), 1);
    assert_eq!(problem(&nested(DEPTH_MAX + 1)), "a value is nested too deep");
    problem(&nested(1_000_000));
    problem(&"[".repeat(1_000_000));

    let many = |part: &str, count: usize| vec![part; count].join(",");
    let frame = |count| format!("[{}]", many(r#"{"type":200}"#, count));
    assert_eq!(messages(&frame(MESSAGES_MAX)).len(), MESSAGES_MAX);
    // The client has dropped them, and does no harm when it comes back.
    let too_many = parse(&frame(MESSAGES_MAX + 1));
    assert_eq!(too_many.map(|_| ()), Err(CloseReason::TooManyMessages));
    let unknown = format!("[{}]", many(r#"{"type":999}"#, MESSAGES_MAX + 1));
    assert_eq!(parse(&unknown).map(|_| ()), Err(CloseReason::TooManyMessages));

    let ops = |count| {
        format!(r#"{{"type":201,"ops":[{}]}}"#, many(r#"{"type":5,"id":"x","opId":"y"}"#, count))
    };
    let too_many = "too many operations in one frame";
    assert_eq!(messages(&format!("[{}]", ops(OPS_MAX))).len(), 1);
    assert_eq!(problem(&format!("[{}]", ops(OPS_MAX + 1))), too_many);
    let half = ops(OPS_MAX / 2 + 1);
    assert_eq!(problem(&format!("[{half},{half}]")), too_many, "of all messages together");
    problem(&format!(r#"[{{"type":201,"ops":[{}]"#, many("5", OPS_MAX + 1)));
}

/// What a client sends that comes back after somebody typed for hours without a connection.
#[test]
fn a_day_without_a_connection_fits_into_a_frame() {
    let update = r#"{"type":301,"update":"AAECwtOHkQQAhMLTh5EEBgF4AA==","v2":false}"#;
    let frame = |count| format!("[{}]", vec![update; count].join(","));
    let bytes_max = crate::config::Limits::PRODUCTION.websocket_frame_bytes_max;
    let count = bytes_max / (update.len() + 1);
    assert!(frame(count).len() > bytes_max - update.len());
    assert_eq!(messages(&frame(count)).len(), count);
}

#[test]
fn brackets_in_texts_are_no_nesting() {
    let text = format!(r#"[{{"type":103,"event":"{}\\\"{}"}}]"#, "[".repeat(500), "{".repeat(500));
    assert_eq!(messages(&text).len(), 1);
}

#[test]
fn who_is_there() {
    let scopes: Arc<[Scope]> = [Scope::BaseWrite].into();
    let info = Some(raw(&json!({ "name": "A" })));
    let alice = Member { id: Some("alice".into()), info, scopes: scopes.clone() };
    let anonymous = Member { id: None, info: None, scopes: [].into() };
    let state = ServerMessage::RoomState {
        actor: 1,
        nonce: "n".into(),
        scopes,
        users: vec![(0, alice.clone()), (5, anonymous)],
    };
    let a = json!({ "id": "alice", "info": { "name": "A" }, "scopes": ["*:write"] });
    assert_eq!(
        written(&state),
        json!({ "type": 104, "actor": 1, "nonce": "n", "scopes": ["*:write"],
            "users": { "0": a, "5": { "scopes": [] } }, "meta": {} }),
    );
    let joined = written(&ServerMessage::UserJoined { actor: 0, member: alice });
    assert_eq!(
        joined,
        json!({ "type": 101, "actor": 0, "id": "alice", "info": { "name": "A" },
        "scopes": ["*:write"] })
    );
    assert_eq!(written(&ServerMessage::UserLeft { actor: 2 }), json!({ "type": 102, "actor": 2 }));
    let event = ServerMessage::Event { actor: -1, event: raw(&json!("hi")) };
    assert_eq!(written(&event), json!({ "type": 103, "actor": -1, "event": "hi" }));
    let target = ServerMessage::Presence { actor: 1, data: raw(&json!({})), target: Some(-1) };
    assert_eq!(written(&target), json!({ "type": 100, "actor": 1, "data": {}, "targetActor": -1 }));
}

#[test]
fn storage_for_both_versions() {
    let nodes = Bytes::from_static(br#"["root",{}],["0:0",1,"root","l"]"#);
    assert_eq!(
        written(&ServerMessage::StorageChunk { nodes }),
        json!({ "type": 210, "nodes": [["root", {}], ["0:0", 1, "root", "l"]] }),
    );
    assert_eq!(written(&ServerMessage::StorageEnd), json!({ "type": 211 }));
    let items = Bytes::from_static(br#"["root",{"type":0,"data":{}}]"#);
    assert_eq!(
        written(&ServerMessage::StorageItems { items }),
        json!({ "type": 200, "items": [["root", { "type": 0, "data": {} }]] }),
    );
}

#[test]
fn operations_and_their_acknowledgements() {
    let json = json!({ "type": 6, "id": "0:0", "key": "y" });
    let (_, op) = Op::parse(&json.to_string()).unwrap();
    let op = Arc::new(op);
    let ops = ServerMessage::Ops(vec![
        OutgoingOp::Op { op: op.clone(), op_id: None },
        OutgoingOp::Op { op, op_id: Some("0:15".into()) },
        OutgoingOp::Ignored { op_id: "0:16".into() },
    ]);
    assert_eq!(
        written(&ops),
        json!({ "type": 201, "ops": [
            json,
            { "type": 6, "id": "0:0", "key": "y", "opId": "0:15" },
            { "type": 5, "id": "ACK", "opId": "0:16" },
        ] }),
    );
    let reason = "no \"write\"".into();
    let rejected = ServerMessage::Rejected { op_ids: vec!["1:1".into(), "1:2".into()], reason };
    let expected = json!({ "type": 299, "opIds": ["1:1", "1:2"], "reason": "no \"write\"" });
    assert_eq!(written(&rejected), expected);
}

#[test]
fn yjs_goes_in_base64() {
    let mut message = YjsMessage {
        update: Bytes::from_static(&[0, 0]),
        state_vector: Some(Bytes::from_static(&[0])),
        guid: Some("g".into()),
        encoding: Encoding::V2,
        snapshot_hash: [0; 32],
    };
    let hash = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    assert_eq!(
        written(&ServerMessage::Yjs(message.clone())),
        json!({ "type": 300, "update": "AAA=", "isSync": true, "stateVector": "AA==", "guid": "g",
            "v2": true, "remoteSnapshotHash": hash }),
    );
    message.state_vector = None;
    message.guid = None;
    message.encoding = Encoding::V1;
    let one = json!({ "type": 300, "update": "AAA=", "isSync": false, "stateVector": null,
        "remoteSnapshotHash": hash });
    assert_eq!(written(&ServerMessage::Yjs(message)), one);
    let mut run = YjsUpdates {
        updates: vec![Bytes::from_static(&[0, 0])],
        guid: None,
        encoding: Encoding::V1,
        snapshot_hash: [0; 32],
    };
    assert_eq!(written(&ServerMessage::YjsUpdates(run.clone())), one);
    run.updates.push(Bytes::from_static(&[1]));
    (run.guid, run.encoding) = (Some("g".into()), Encoding::V2);
    let each = |update: &str| {
        json!({ "type": 300, "update": update, "isSync": false, "stateVector": null, "guid": "g",
            "v2": true, "remoteSnapshotHash": hash })
    };
    assert_eq!(written(&ServerMessage::YjsUpdates(run)), json!([each("AAA="), each("AQ==")]));
}

#[test]
fn what_happens_to_threads() {
    let event = |kind, comment_id: Option<&str>, emoji: Option<&str>| {
        written(&ServerMessage::Comment(CommentEvent {
            kind,
            thread_id: "th_1".into(),
            comment_id: comment_id.map(Into::into),
            emoji: emoji.map(Into::into),
        }))
    };
    let created = event(CommentEventKind::ThreadCreated, None, None);
    assert_eq!(created, json!({ "type": 400, "threadId": "th_1" }));
    let removed = event(CommentEventKind::ReactionRemoved, Some("cm_1"), Some("👍"));
    assert_eq!(
        removed,
        json!({ "type": 406, "threadId": "th_1", "commentId": "cm_1", "emoji": "👍" }),
    );
    let edited = event(CommentEventKind::CommentMetadataUpdated, Some("cm_1"), None);
    assert_eq!(edited["type"], 409);
}
