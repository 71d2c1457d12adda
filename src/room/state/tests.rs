mod client;
mod convergence;
mod damage;
mod edits;
mod hostile;
mod world;

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::domain::permissions::{Matrix, Scope};
use crate::room::effects::Delivery;
use crate::room::message::{ClientOp, Member, OutgoingOp, RawJson};
use crate::room::storage::Op;

const WRITER: ActorId = 1;
const READER: ActorId = 2;
const STRANGER: ActorId = 3;
const ALL: [ActorId; 3] = [WRITER, READER, STRANGER];

fn raw(value: &Value) -> RawJson {
    serde_json::value::to_raw_value(value).unwrap().into()
}

fn matrix(scopes: &[&str]) -> Matrix {
    Matrix::from_scopes(scopes.iter().map(|scope| Scope::parse(scope).unwrap()))
}

/// A room with somebody who may write, somebody who may read, and somebody who may do neither with
/// Storage.
fn room() -> State {
    let mut state =
        State { storage: Some(SharedStorage::new(Document::new(), None, 0)), ..State::default() };
    state.yjs.insert(None, crate::room::yjs::YDocument::new());
    let rights =
        [["*:write", "storage:write"], ["*:read", "storage:read"], ["*:read", "storage:none"]];
    for (actor, scopes) in ALL.into_iter().zip(rights) {
        let rights = matrix(&scopes);
        let member = Member { id: None, info: None, scopes: rights.canonical_scopes().into() };
        state.people.join(actor, (member, false), rights, "nonce".into(), &mut Effects::default());
    }
    state
}

fn receive(state: &mut State, from: ActorId, messages: Vec<ClientMessage>) -> Effects {
    let mut effects = Effects::default();
    state.receive(from, StorageDialect::Compact, messages, &mut effects);
    effects
}

fn ops(ops: &[Value]) -> ClientMessage {
    let parse = |op: &Value| {
        let (op_id, op) = Op::parse(&op.to_string()).unwrap();
        ClientOp { op_id, op }
    };
    ClientMessage::Ops(ops.iter().map(parse).collect())
}

/// Who would get the frame, of everybody in the room.
fn receivers(state: &State, delivery: &Delivery) -> Vec<ActorId> {
    let gets = |actor: &ActorId| match delivery.to {
        To::One(one) => one == *actor,
        To::Live { .. } | To::LiveOne(_) => false,
        To::Readers { of, except } => {
            except != Some(*actor) && state.people.may(*actor, Level::Read, of)
        }
    };
    ALL.into_iter().filter(gets).collect()
}

#[test]
fn an_operation_goes_to_readers_and_its_acknowledgement_to_the_sender() {
    let mut state = room();
    let op = json!({"type": 3, "id": "root", "data": {"a": 1}, "opId": "1:0"});
    let effects = receive(&mut state, WRITER, vec![ops(&[op])]);
    assert!(effects.now.is_empty(), "nothing durable leaves before the commit");
    let [others, sender] = effects.after_commit.as_slice() else { panic!("two frames") };
    assert_eq!(receivers(&state, others), [READER]);
    assert_eq!(receivers(&state, sender), [WRITER]);
    assert!(!state.storage.unwrap().take_log().is_empty());
}

#[test]
fn whoever_may_not_write_is_rejected_and_nothing_is_logged() {
    for actor in [READER, STRANGER] {
        let mut state = room();
        let op = json!({"type": 3, "id": "root", "data": {"a": 1}, "opId": "9:0"});
        let effects = receive(&mut state, actor, vec![ops(&[op])]);
        let [rejected] = effects.after_commit.as_slice() else { panic!("one frame") };
        assert_eq!(receivers(&state, rejected), [actor]);
        let ServerMessage::Rejected { op_ids, .. } = &rejected.frame.message else {
            panic!("{:?}", rejected.frame)
        };
        assert_eq!(op_ids.iter().map(|id| id.as_str()).collect::<Vec<_>>(), ["9:0"]);
        assert!(state.storage.unwrap().take_log().is_empty());
    }
}

#[test]
fn storage_that_one_may_not_read_looks_empty() {
    let mut state = room();
    let op = json!({"type": 3, "id": "root", "data": {"secret": 1}, "opId": "1:0"});
    receive(&mut state, WRITER, vec![ops(&[op])]);
    for (actor, sees) in [(READER, true), (STRANGER, false)] {
        let effects = receive(&mut state, actor, vec![ClientMessage::FetchStorage]);
        let [chunk, end] = effects.after_commit.as_slice() else { panic!("two frames") };
        let ServerMessage::StorageChunk { nodes } = &chunk.frame.message else {
            panic!("{chunk:?}")
        };
        let text = std::str::from_utf8(nodes).unwrap();
        assert_eq!(text.contains("secret"), sees, "{text}");
        assert!(text.contains("root"), "clients cannot do without a root: {text}");
        assert!(matches!(end.frame.message, ServerMessage::StorageEnd));
    }
}

#[test]
fn the_answer_to_a_fetch_holds_what_came_with_it() {
    let mut state = room();
    let op = json!({"type": 3, "id": "root", "data": {"late": 1}, "opId": "1:0"});
    let messages = vec![ClientMessage::FetchStorage, ops(&[op])];
    let effects = receive(&mut state, WRITER, messages);
    let kinds: Vec<&ServerMessage> =
        effects.after_commit.iter().map(|delivery| &delivery.frame.message).collect();
    let [
        ServerMessage::Ops(_),
        ServerMessage::Ops(acks),
        ServerMessage::StorageChunk { nodes },
        ServerMessage::StorageEnd,
    ] = kinds.as_slice()
    else {
        panic!("{kinds:?}")
    };
    assert!(matches!(&acks[..], [OutgoingOp::Op { op_id: Some(_), .. }]));
    assert!(std::str::from_utf8(nodes).unwrap().contains("late"));
}

#[test]
fn events_need_write_access_and_presence_does_not() {
    let mut state = room();
    let event = || ClientMessage::Broadcast { event: raw(&json!({"hello": 1})) };
    assert!(receive(&mut state, READER, vec![event()]).now.is_empty());
    let effects = receive(&mut state, WRITER, vec![event()]);
    assert_eq!(receivers(&state, &effects.now[0]), [READER, STRANGER]);
    let presence = ClientMessage::Presence { data: raw(&json!({"x": 1})), target: Some(-1) };
    let effects = receive(&mut state, READER, vec![presence]);
    assert_eq!(receivers(&state, &effects.now[0]), [WRITER, STRANGER]);
}

#[test]
fn a_newcomer_gets_the_room_first_and_then_everybody_s_presence() {
    let mut state = room();
    let presence = ClientMessage::Presence { data: raw(&json!({"x": 1})), target: Some(-1) };
    receive(&mut state, WRITER, vec![presence]);
    let patch = ClientMessage::Presence { data: raw(&json!({"y": 2})), target: None };
    receive(&mut state, WRITER, vec![patch]);
    let mut effects = Effects::default();
    let member = Member { id: Some("dan".into()), info: None, scopes: Arc::from([]) };
    state.people.join(4, (member, false), matrix(&["*:write"]), "nonce".into(), &mut effects);
    let [room_state, shown, joined] = effects.now.as_slice() else { panic!("{effects:?}") };
    assert_eq!((room_state.to, shown.to), (To::One(4), To::One(4)));
    let ServerMessage::RoomState { users, .. } = &room_state.frame.message else { panic!() };
    assert_eq!(users.len(), 3, "without the newcomer");
    let ServerMessage::Presence { data, target: Some(4), .. } = &shown.frame.message else {
        panic!()
    };
    assert_eq!(data.get(), r#"{"x":1,"y":2}"#);
    assert_eq!(receivers(&state, joined), ALL);
}

/// Clients write what they show a newcomer as the newcomer comes, and send it behind what has changed
/// since.
#[test]
fn what_is_shown_to_one_does_not_bring_back_what_is_over() {
    let mut state = room();
    let show = |data: Value, target| ClientMessage::Presence { data: raw(&data), target };
    let messages = vec![
        show(json!({"x": 1}), Some(-1)),
        show(json!({"x": 2, "y": 3}), None),
        show(json!({"x": 1}), Some(READER)),
    ];
    let effects = receive(&mut state, WRITER, messages);
    let [.., to_one] = effects.now.as_slice() else { panic!("{effects:?}") };
    assert_eq!(to_one.to, To::One(READER));
    let ServerMessage::Presence { data, target: Some(READER), .. } = &to_one.frame.message else {
        panic!("{to_one:?}")
    };
    assert_eq!(data.get(), r#"{"x":2,"y":3}"#);
    let effects = receive(&mut state, STRANGER, vec![show(json!({"z": 1}), Some(READER))]);
    let ServerMessage::Presence { data, .. } = &effects.now[0].frame.message else { panic!() };
    assert_eq!(data.get(), r#"{"z":1}"#, "nothing else was known");
}

#[test]
fn a_yjs_update_comes_back_to_its_sender_and_a_refused_one_tells_where_the_document_stands() {
    let update = || {
        use yrs::{Doc, ReadTxn, Text, Transact};
        let doc = Doc::with_client_id(7);
        let text = doc.get_or_insert_text("t");
        text.push(&mut doc.transact_mut(), "hello");
        doc.transact().encode_state_as_update_v1(&yrs::StateVector::default())
    };
    let message = |update: Vec<u8>| ClientMessage::UpdateYjs {
        update: update.into(),
        guid: None,
        encoding: crate::room::yjs::Encoding::V1,
    };
    let mut state = room();
    let effects = receive(&mut state, WRITER, vec![message(update())]);
    assert_eq!(receivers(&state, &effects.after_commit[0]), [WRITER, READER]);
    assert_eq!(state.yjs.take_logs().len(), 1);
    for (actor, bytes) in [(READER, update()), (WRITER, b"\xff\xff garbage".to_vec())] {
        let effects = receive(&mut state, actor, vec![message(bytes)]);
        let [answer] = effects.after_commit.as_slice() else { panic!("{effects:?}") };
        assert_eq!(receivers(&state, answer), [actor]);
        let ServerMessage::Yjs(yjs) = &answer.frame.message else { panic!() };
        assert_eq!((&yjs.update[..], &yjs.state_vector), (&[0, 0][..], &None));
        assert!(state.yjs.take_logs().is_empty());
    }
}

#[test]
fn yjs_updates_that_come_together_leave_together_and_a_broken_one_takes_none_with_it() {
    use yrs::{Doc, Text, Transact};
    let doc = Doc::with_client_id(7);
    let text = doc.get_or_insert_text("t");
    let mut typed = |letter: &str| {
        let mut transaction = doc.transact_mut();
        text.push(&mut transaction, letter);
        Bytes::from(transaction.encode_update_v1())
    };
    let message = |update: Bytes, guid: Guid| ClientMessage::UpdateYjs {
        update,
        guid,
        encoding: crate::room::yjs::Encoding::V1,
    };
    let [a, b, c, d] = ["a", "b", "c", "d"].map(&mut typed);
    let mut state = room();
    state.yjs.insert(Some("sub".into()), crate::room::yjs::YDocument::new());
    let all = vec![
        message(a.clone(), None),
        message(b.clone(), None),
        message(a.clone(), Some("sub".into())),
        message(c.clone(), None),
        message(Bytes::from_static(b"\xff garbage"), None),
        message(d.clone(), None),
    ];
    let effects = receive(&mut state, WRITER, all);
    let sent = effects.after_commit.iter().map(|delivery| match &delivery.frame.message {
        ServerMessage::YjsUpdates(run) => run.updates.clone(),
        ServerMessage::Yjs(refused) => vec![refused.update.clone()],
        other => panic!("{other:?}"),
    });
    let nothing = Bytes::from_static(&[0, 0]);
    let expected = [vec![a.clone(), b], vec![a], vec![c], vec![nothing], vec![d]];
    assert_eq!(sent.collect::<Vec<_>>(), expected);
    let last = effects.after_commit.last().map(|delivery| &delivery.frame.message);
    let Some(ServerMessage::YjsUpdates(last)) = last else { panic!("{last:?}") };
    let document = state.yjs.document(&None).unwrap();
    assert_eq!(last.snapshot_hash, document.snapshot_hash(last.encoding));
    let logged = state.yjs.take_logs().into_iter().map(|(_, records)| records.len());
    assert_eq!(logged.sum::<usize>(), 5);
}

#[test]
fn rights_that_change_are_told_and_hold_at_once() {
    let mut state = room();
    let mut effects = Effects::default();
    let rights = matrix(&["*:read"]);
    state.people.change_rights(WRITER, rights, "nonce".into(), &mut effects);
    let ServerMessage::RoomState { scopes, actor, .. } = &effects.now[0].frame.message else {
        panic!()
    };
    assert_eq!((*actor, scopes.as_ref()), (WRITER, &[Scope::BaseRead][..]));
    let op = json!({"type": 3, "id": "root", "data": {"a": 1}, "opId": "1:0"});
    let effects = receive(&mut state, WRITER, vec![ops(&[op])]);
    assert!(matches!(effects.after_commit[0].frame.message, ServerMessage::Rejected { .. }));
}
