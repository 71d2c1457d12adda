//! Frames of somebody who means harm: valid ones that were damaged, and garbage. Whatever comes, the
//! room goes on, nobody else sees anything but the document, its memory stays within what came and
//! what its limits allow, and what is stored makes it again.
//!
//! `PROPTEST_CASES=100000 cargo test --release --lib hostile` tries longer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use prost::Message as _;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::convergence::cases;
use super::damage::any_damage;
use super::world::{FILE_ID, World};
use super::*;
use crate::proto::roomd::v1::JoinRoomRequest;
use crate::room::close::CloseReason;
use crate::room::codec::{json, protobuf};
use crate::room::message::Frame;
use crate::room::storage::Limits;
use crate::room::storage::tests::{check, nodes, plans};

const LIMITS: Limits = Limits { nodes_max: 64, depth_max: 6, bytes_max: 32 << 10 };
/// What one op may bring beyond the limits: the rest of it, or a position that is put right.
const SLACK_BYTES: usize = 32 << 10;

/// Somebody who only reads, by what the codec writes.
struct Reader {
    actor: ActorId,
    replica: Document,
}

struct Attacked {
    world: World,
    reader: Reader,
    writer: ActorId,
    attacker: ActorId,
    written: u64,
}

#[derive(Deserialize)]
struct Heard<'a> {
    #[serde(borrow)]
    ops: Vec<&'a RawValue>,
}

impl Attacked {
    fn new() -> Self {
        let mut world = World::with_limits(LIMITS);
        let reader = Reader { actor: world.join(&["*:read"]), replica: Document::new() };
        let (writer, attacker) = (world.join(&["*:write"]), world.join(&["*:write"]));
        let mut attacked = Self { world, reader, writer, attacker, written: 0 };
        let text = json!({"type": 9, "id": "0:3", "parentId": "root", "parentKey": "text",
            "data": [["hello"]], "version": 0});
        let file = json!({"type": 11, "id": "0:4", "parentId": "0:1", "parentKey": "file",
            "data": {"id": FILE_ID, "name": "a", "size": 3, "mimeType": "t"}});
        for op in plans::with_start(vec![text, file]) {
            attacked.say(attacked.attacker, json!([{"type": 201, "ops": [op]}]).to_string());
        }
        attacked
    }

    fn say(&mut self, actor: ActorId, text: String) {
        let text_bytes = text.len();
        match json::parse(&text) {
            Ok(parsed) => self.receive(actor, parsed.messages, text_bytes),
            Err(CloseReason::NotUnderstood(_) | CloseReason::TooManyMessages) => self.rejoin(),
            Err(other) => panic!("{other:?}"),
        }
    }

    fn rejoin(&mut self) {
        self.world.leave(self.attacker);
        self.attacker = self.world.join(&["*:write"]);
    }

    fn receive(&mut self, actor: ActorId, messages: Vec<ClientMessage>, frame_bytes: usize) {
        let before_bytes = self.world.contents_bytes();
        self.world.receive(actor, messages);
        // An answer is as long as a document, or in proportion to the question.
        let bytes_max = 64 * frame_bytes + 4 * (before_bytes + self.world.contents_bytes()) + 4096;
        assert!(self.world.said_bytes <= bytes_max, "{} > {bytes_max}", self.world.said_bytes);
        let document = self.world.document();
        assert!(document.node_count() <= LIMITS.nodes_max);
        assert!(document.bytes() <= LIMITS.bytes_max + SLACK_BYTES, "{}", document.bytes());
        for (actor, wire) in &mut self.world.wires {
            for frame in wire.incoming.drain(..) {
                let text = frame.json(json::write);
                drop(protobuf::write(&frame.message));
                if !matches!(frame.message, ServerMessage::Ops(_)) {
                    let json = serde_json::from_slice::<&RawValue>(&text);
                    json.unwrap_or_else(|error| panic!("{error}: {text:?}"));
                    continue;
                }
                let heard = serde_json::from_slice::<Heard>(&text);
                let heard = heard.unwrap_or_else(|error| panic!("{error}: {text:?}"));
                if *actor == self.reader.actor {
                    heard.ops.iter().for_each(|op| self.reader.hear(op.get()));
                }
            }
        }
        if self.world.state.yjs.is_broken() {
            self.restart();
        }
    }

    /// Loads the room from what is stored; the reader comes back and sees the same.
    fn restart(&mut self) {
        self.world.restart(self.written.is_multiple_of(2));
        self.reader.actor = self.world.join(&["*:read"]);
        self.writer = self.world.join(&["*:write"]);
        self.attacker = self.world.join(&["*:write"]);
    }

    /// Somebody else's change is taken as ever, or there is no room for it.
    fn write(&mut self) {
        self.written += 1;
        let data = json!({"written": self.written});
        let op_id = format!("w:{}", self.written);
        let op = json!({"type": 3, "id": "root", "opId": op_id, "data": data});
        let is_full = self.world.document().bytes() > LIMITS.bytes_max - 1024;
        self.say(self.writer, json!([{"type": 201, "ops": [op]}]).to_string());
        let root = self.world.document().root();
        let found = root.plain("written").map(|value| value.get().to_owned());
        assert!(is_full || found == Some(self.written.to_string()), "{found:?}");
    }

    fn check(&self) {
        assert_eq!(nodes(&self.reader.replica), nodes(self.world.document()));
        self.world.reloaded();
    }
}

impl Reader {
    /// What is heard is final: it changes the copy exactly as it says.
    fn hear(&mut self, op: &str) {
        let parsed = Op::parse(op).unwrap_or_else(|bad| panic!("{bad:?}: {op}"));
        assert_eq!(parsed.0, None, "it did not send anything");
        let done = self.replica.replay(op.as_bytes());
        done.unwrap_or_else(|corrupt| panic!("{corrupt}: {op}"));
        check(&self.replica);
    }
}

fn any_guid() -> impl Strategy<Value = Value> {
    prop_oneof![3 => Just(Value::Null), 1 => Just(json!("sub")), 1 => Just(json!(""))]
}

fn any_update() -> impl Strategy<Value = Vec<u8>> {
    use yrs::{Doc, ReadTxn, Text, Transact};
    let update = |(client, text): (u64, String)| {
        let doc = Doc::with_client_id(client);
        let root = doc.get_or_insert_text("t");
        root.push(&mut doc.transact_mut(), &text);
        doc.transact().encode_state_as_update_v1(&yrs::StateVector::default())
    };
    prop_oneof![
        3 => (1..4_u64, "[a-c]{1,40}").prop_map(update),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
    ]
}

fn any_text_op() -> impl Strategy<Value = Value> {
    let edit = prop_oneof![
        (0..9_u32, "[a-zé]{0,9}")
            .prop_map(|(at, text)| json!({"type": "insert", "index": at, "text": text})),
        (0..9_u32, 0..9_u32)
            .prop_map(|(at, length)| json!({"type": "delete", "index": at, "length": length})),
        (0..9_u32, 0..9_u32).prop_map(|(at, length)| {
            json!({"type": "format", "index": at, "length": length, "attributes": {"b": at}})
        }),
    ];
    (0..6_u64, proptest::collection::vec(edit, 0..4))
        .prop_map(|(base, ops)| json!({"type": 10, "id": "0:3", "baseVersion": base, "ops": ops}))
}

fn any_message() -> impl Strategy<Value = Value> {
    let op = prop_oneof![4 => plans::any_op(), 2 => any_text_op()];
    let op = (op, 0..40_u8).prop_map(|(mut op, number)| {
        op["opId"] = format!("9:{number}").into();
        op
    });
    let base64 = |bytes: Vec<u8>| STANDARD.encode(bytes);
    prop_oneof![
        1 => Just(json!({"type": 100, "data": {"x": [1]}, "targetActor": -1})),
        1 => (0..5_i64).prop_map(|to| json!({"type": 100, "data": {"y": to}, "targetActor": to})),
        1 => Just(json!({"type": 103, "event": {"e": [null]}})),
        1 => Just(json!({"type": 200})),
        6 => proptest::collection::vec(op, 0..8).prop_map(|ops| json!({"type": 201, "ops": ops})),
        1 => (any_guid(), proptest::collection::vec(any::<u8>(), 0..6), any::<bool>()).prop_map(
            move |(guid, vector, v2)| {
                json!({"type": 300, "vector": base64(vector), "guid": guid, "v2": v2})
            }
        ),
        2 => (any_guid(), any_update(), any::<bool>()).prop_map(move |(guid, update, v2)| {
            json!({"type": 301, "update": base64(update), "guid": guid, "v2": v2})
        }),
    ]
}

/// A frame of a client, mostly damaged.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let frame = || proptest::collection::vec(any_message(), 1..5).prop_map(Value::Array);
    prop_oneof![
        2 => frame().prop_map(|frame| frame.to_string().into_bytes()),
        6 => (frame(), any_damage()).prop_map(|(frame, damage)| damage.change(frame)),
        1 => ".{0,60}".prop_map(String::into_bytes),
    ]
}

/// A request of a stream: the bytes of a valid one, damaged.
fn any_request() -> impl Strategy<Value = Vec<u8>> {
    let valid = any_message().prop_map(|message| {
        let request = request_of(&message);
        request.map(|request| request.encode_to_vec()).unwrap_or_default()
    });
    (valid, proptest::option::of(any_damage())).prop_map(|(mut bytes, damage)| {
        if let Some(damage) = damage {
            damage.change_bytes(&mut bytes);
        }
        bytes
    })
}

/// What the server would say of the op is what a client may say.
fn request_of(message: &Value) -> Option<JoinRoomRequest> {
    use crate::proto::roomd::v1::join_room_request::Message;
    use crate::proto::roomd::v1::join_room_response::Message as Reply;
    let ops = message["ops"].as_array()?.iter().map(|op| {
        let (op_id, op) = Op::parse(&op.to_string()).unwrap();
        OutgoingOp::Op { op: Arc::new(op), op_id }
    });
    let reply = protobuf::write(&ServerMessage::Ops(ops.collect())).pop()?;
    let Some(Reply::Operations(operations)) = reply.message else { return None };
    Some(JoinRoomRequest { message: Some(Message::Operations(operations)) })
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn damaged_frames_harm_nobody(frames in proptest::collection::vec(any_frame(), 1..24)) {
        let mut attacked = Attacked::new();
        for frame in frames {
            // What is no text ends the connection before it is read.
            if let Ok(text) = String::from_utf8(frame) {
                attacked.say(attacked.attacker, text);
            }
            attacked.write();
        }
        attacked.check();
    }

    #[test]
    fn damaged_requests_harm_nobody(requests in proptest::collection::vec(any_request(), 1..24)) {
        let mut attacked = Attacked::new();
        for request in requests {
            let bytes = request.len();
            let parsed = JoinRoomRequest::decode(&request[..]).ok().map(|request| protobuf::read(request, 0));
            match parsed {
                Some(Ok(parsed)) => attacked.receive(attacked.attacker, parsed.messages, bytes),
                Some(Err(_)) | None => attacked.rejoin(),
            }
            attacked.write();
        }
        attacked.check();
    }
}

/// One question after the other for the same document: the last is answered.
#[test]
fn a_frame_of_fetches_is_answered_once_for_each_document() {
    let mut attacked = Attacked::new();
    let fetch = json!({"type": 300, "vector": "AA=="});
    let frame = vec![fetch; 10_000];
    attacked.say(attacked.attacker, Value::Array(frame).to_string());
    let kinds = |frame: &Arc<Frame>| matches!(frame.message, ServerMessage::Yjs(_));
    let frames = [
        json!({"type": 300, "vector": "AA=="}),
        json!({"type": 300, "vector": "AQEB"}),
        json!({"type": 300, "vector": "AA==", "v2": true}),
        json!({"type": 300, "vector": "AA==", "guid": "g"}),
    ];
    let parsed = json::parse(&Value::from(frames.to_vec()).to_string()).unwrap();
    attacked.world.receive(attacked.attacker, parsed.messages);
    let heard = &attacked.world.wires[&attacked.attacker].incoming;
    assert_eq!(heard.iter().filter(|frame| kinds(frame)).count(), 3);
}
