//! Every kind of message, there and back.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::proto::roomd::v1::join_room_request::Message as Request;
use crate::proto::roomd::v1::join_room_response::Message as Response;
use crate::proto::roomd::v1::storage_node::Content;
use crate::room::message::{ClientMessage, OutgoingOp, ServerMessage};
use crate::room::storage::Op;

fn request(message: Request) -> v1::JoinRoomRequest {
    v1::JoinRoomRequest { message: Some(message) }
}

/// An operation as the server forwards it, read back from what it becomes.
fn there_and_back(json: &Value) -> Value {
    let (op_id, op) = Op::parse(&json.to_string()).expect("an operation");
    let outgoing = ServerMessage::Ops(vec![OutgoingOp::Op { op: Arc::new(op), op_id }]);
    let Some(Response::Operations(sent)) = write(&outgoing).pop().and_then(|reply| reply.message)
    else {
        panic!("{json} is not sent");
    };
    let parsed = read(request(Request::Operations(sent)), 0).expect("what was sent");
    let Some(ClientMessage::Ops(ops)) = parsed.messages.into_iter().next() else {
        panic!("{json} does not come back: {:?}", parsed.rejections);
    };
    let mut out = Vec::new();
    ops[0].op.write_json(ops[0].op_id.as_deref(), &mut out);
    serde_json::from_slice(&out).expect("JSON")
}

#[test]
fn operations_of_every_kind_survive() {
    let place = |mut op: Value| {
        for (key, value) in [("id", "1:1"), ("parentId", "root"), ("parentKey", "a")] {
            op[key] = value.into();
        }
        op["opId"] = "1:0".into();
        op
    };
    for op in [
        place(json!({"type": 2})),
        place(json!({"type": 4, "data": {"a": [1, null, {"b": "c"}]}})),
        place(json!({"type": 7, "intent": "set", "deletedId": "0:1"})),
        place(json!({"type": 8, "data": null, "intent": "push"})),
        place(json!({"type": 9, "data": [["plain"], ["bold", {"bold": true}]], "version": 0})),
        place(json!({"type": 11, "data":
            {"id": "fl_x", "name": "a.txt", "size": 5, "mimeType": "text/plain"}})),
        json!({"type": 1, "id": "1:1", "parentKey": "!", "opId": "1:0"}),
        json!({"type": 3, "id": "1:1", "data": {"n": 1.5, "z": null}, "opId": "1:0"}),
        json!({"type": 5, "id": "1:1", "opId": "1:0"}),
        json!({"type": 6, "id": "1:1", "key": "k", "opId": "1:0"}),
        json!({"type": 10, "id": "1:1", "baseVersion": 3, "opId": "1:0", "ops": [
            {"type": "insert", "index": 0, "text": "x", "attributes": {"b": true}},
            {"type": "delete", "index": 1, "length": 2},
            {"type": "format", "index": 0, "length": 1, "attributes": {"b": null}},
        ]}),
    ] {
        assert_eq!(there_and_back(&op), op);
    }
}

#[test]
fn chunks_become_nodes() {
    let nodes = br#"["root",{"a":1}],["0:1",0,"root","o",{"b":2}],["0:2",1,"root","l"],
        ["0:3",2,"root","m"],["0:4",3,"0:2","!",[1]],["0:5",4,"root","t",[["x",{"b":1}]],7],
        ["0:6",5,"root","f",{"id":"fl_x","name":"a","size":3,"mimeType":"text/plain"}]"#;
    let chunk = ServerMessage::StorageChunk { nodes: Bytes::from_static(nodes) };
    let Some(Response::StorageChunk(chunk)) = write(&chunk).pop().and_then(|reply| reply.message)
    else {
        panic!("no chunk");
    };
    let kinds: Vec<_> =
        chunk.nodes.iter().map(|node| node.content.clone().expect("content")).collect();
    assert_eq!(chunk.nodes.len(), 7);
    assert_eq!(chunk.nodes[0].parent_id, None);
    assert_eq!(chunk.nodes[4].parent_id.as_deref(), Some("0:2"));
    assert_eq!(chunk.nodes[4].parent_key.as_deref(), Some("!"));
    assert!(matches!(&kinds[2], Content::List(_)) && matches!(&kinds[3], Content::Map(_)));
    assert!(matches!(&kinds[5], Content::Text(text) if text.version == 7));
    assert!(matches!(&kinds[6], Content::File(file) if file.size == 3));
}

#[test]
fn what_says_nothing_is_not_understood_and_a_bad_operation_is_rejected() {
    let empty = v1::StorageOperation { op_id: Some("1:0".to_owned()), operation: None };
    let operations = v1::StorageOperations { operations: vec![empty] };
    let problem =
        read(request(Request::Operations(operations)), 0).expect_err("an empty operation");
    assert!(matches!(problem, CloseReason::NotUnderstood(_)));
    assert!(read(request(Request::Enter(v1::EnterRoom::default())), 0).is_err());

    let delete = v1::DeleteNode { id: "x".repeat(10_000) };
    let delete = v1::storage_operation::Operation::DeleteNode(delete);
    let long = v1::StorageOperation { op_id: Some("1:0".to_owned()), operation: Some(delete) };
    let operations = v1::StorageOperations { operations: vec![long] };
    let parsed = read(request(Request::Operations(operations)), 0).expect("one that goes on");
    assert!(matches!(&parsed.rejections[..], [ServerMessage::Rejected { .. }]));
}
