//! Rooms in memory, over a real database, without any protocol: what is stored when, who is let go
//! why, and what comes back.

use std::sync::Arc;

use roomd::config::Limits;
use roomd::domain::ctx::{Actor, Caller, Clock};
use roomd::domain::ids::ProjectId;
use roomd::room::close::CloseReason;
use roomd::room::message::{ClientMessage, ClientOp, Frame, OutgoingOp, ServerMessage};
use roomd::room::registry::Rooms;
use roomd::room::requests::StorageFormat;
use roomd::room::session::{Join, RoomAddress, Session, StorageDialect};
use roomd::room::storage::Op;
use roomd::room::storage::patch::PatchOp;
use roomd::store::{SchemaId, Store, VersionKind};
use serde_json::{Value, json};

use crate::databases::Database;
use crate::store_rooms::{draft, grant, id};

crate::on_both!(
    an_acknowledged_operation_is_there_after_a_restart,
    a_room_that_another_process_opens_lets_everybody_go,
    actors_never_come_twice,
    a_patch_is_all_or_nothing_and_seen_live,
    replacing_storage_sends_everybody_away,
    a_long_log_becomes_a_snapshot,
    a_version_keeps_everything_as_it_was,
    a_schema_is_checked_when_attached_and_ever_after,
    a_deleted_room_and_a_renamed_one_close,
    who_may_enter_and_who_makes_a_room,
    an_idle_room_leaves_the_memory,
    a_full_room_says_so,
);

fn address(room: &str) -> RoomAddress {
    RoomAddress { project: ProjectId::trusted("p"), room: id(room) }
}

fn limits() -> Limits {
    Limits { room_idle_ms: 3_600_000, ..Limits::PRODUCTION }
}

fn start(store: &Store, limits: Limits) -> Rooms {
    Rooms::new(store.clone(), Clock::system(), limits)
}

async fn with_room(db: &Database, room: &str) -> Rooms {
    db.store.insert_room(&grant("p"), draft(room), 1).await.unwrap();
    start(&db.store, limits())
}

fn as_actor(actor: Actor, room: &str) -> Join {
    let caller = Caller { project: ProjectId::trusted("p"), actor };
    Join::plain(caller, address(room), StorageDialect::Compact)
}

async fn enter(rooms: &Rooms, room: &str) -> Session {
    rooms.join(as_actor(Actor::Secret, room)).await.unwrap()
}

fn ops(ops: &[Value]) -> Vec<ClientMessage> {
    let parse = |op: &Value| {
        let (op_id, op) = Op::parse(&op.to_string()).unwrap();
        ClientOp { op_id, op }
    };
    vec![ClientMessage::Ops(ops.iter().map(parse).collect())]
}

fn set(key: &str, value: &Value, op_id: &str) -> Vec<ClientMessage> {
    ops(&[json!({"type": 3, "id": "root", "data": {key: value}, "opId": op_id})])
}

/// Reads on until a frame is what is looked for.
async fn next<T>(session: &Session, wanted: impl Fn(&ServerMessage) -> Option<T>) -> T {
    let mut frames: Vec<Arc<Frame>> = Vec::new();
    loop {
        if let Some(reason) = session.drain(&mut frames).await {
            panic!("closed: {reason:?}");
        }
        if let Some(found) = frames.drain(..).find_map(|frame| wanted(&frame.message)) {
            return found;
        }
    }
}

async fn closed(session: &Session) -> CloseReason {
    let mut frames = Vec::new();
    loop {
        if let Some(reason) = session.drain(&mut frames).await {
            return reason;
        }
    }
}

/// Sends an operation and waits for its acknowledgement.
async fn set_and_wait(session: &Session, key: &str, value: &Value, op_id: &str) {
    session.receive(set(key, value, op_id)).await.unwrap();
    next(session, |message| match message {
        ServerMessage::Ops(ops) => ops.iter().find_map(|op| match op {
            OutgoingOp::Op { op_id: Some(id), .. } => (id.as_str() == op_id).then_some(()),
            _ => None,
        }),
        _ => None,
    })
    .await;
}

async fn storage(rooms: &Rooms, room: &str) -> Value {
    let text = rooms.read_storage(&address(room), StorageFormat::Json).await.unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn patch(patch: Value) -> Vec<PatchOp> {
    PatchOp::parse_all(patch).unwrap()
}

async fn an_acknowledged_operation_is_there_after_a_restart(db: &Database) {
    let rooms = with_room(db, "a").await;
    let session = enter(&rooms, "a").await;
    for n in 0..20 {
        set_and_wait(&session, &format!("k{n}"), &json!(n), &format!("1:{n}")).await;
    }
    // As after kill -9: nobody was told to stop, the next process just opens the room.
    let after = start(&db.store, limits());
    let stored = storage(&after, "a").await;
    assert_eq!(stored.as_object().unwrap().len(), 20);
    assert_eq!(stored["k19"], 19);
    after.close().await;
}

async fn a_room_that_another_process_opens_lets_everybody_go(db: &Database) {
    let rooms = with_room(db, "a").await;
    let session = enter(&rooms, "a").await;
    set_and_wait(&session, "a", &json!(1), "1:0").await;
    let other = start(&db.store, limits());
    assert_eq!(storage(&other, "a").await, json!({"a": 1}));
    session.receive(set("a", &json!(2), "1:1")).await.unwrap();
    assert_eq!(closed(&session).await, CloseReason::Unavailable, "and no acknowledgement");
    assert_eq!(storage(&other, "a").await, json!({"a": 1}));
    other.close().await;
}

async fn actors_never_come_twice(db: &Database) {
    db.store.insert_room(&grant("p"), draft("a"), 1).await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let rooms = start(&db.store, limits());
        for _ in 0..70 {
            seen.push(enter(&rooms, "a").await.actor());
        }
        rooms.close().await;
    }
    let count = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), count);
    assert!(seen[0] >= 0 && seen[count - 1] < 300, "what was not used went back: {seen:?}");
}

async fn a_patch_is_all_or_nothing_and_seen_live(db: &Database) {
    let rooms = with_room(db, "a").await;
    let session = enter(&rooms, "a").await;
    // Changes are for those who know what is changed.
    session.receive(vec![ClientMessage::FetchStorage]).await.unwrap();
    let known =
        |message: &ServerMessage| matches!(message, ServerMessage::StorageEnd).then_some(());
    next(&session, known).await;
    let good = json!([
        {"op": "add", "path": "/todos", "value": [{"text": "one"}]},
        {"op": "add", "path": "/todos/-", "value": {"text": "two"}},
    ]);
    rooms.patch_storage(&address("a"), patch(good)).await.unwrap();
    let seen = next(&session, |message| match message {
        ServerMessage::Ops(ops) => Some(ops.len()),
        _ => None,
    });
    assert_eq!(seen.await, 3, "a list and two objects");
    let bad = json!([
        {"op": "remove", "path": "/todos/0"},
        {"op": "test", "path": "/todos/0/text", "value": "three"},
    ]);
    let error = rooms.patch_storage(&address("a"), patch(bad)).await.unwrap_err();
    for part in ["1", "test", "/todos/0/text"] {
        assert!(error.public().contains(part), "{}", error.public());
    }
    let expected = json!({"todos": [{"text": "one"}, {"text": "two"}]});
    assert_eq!(storage(&rooms, "a").await, expected);
    assert_eq!(storage(&start(&db.store, limits()), "a").await, expected);
}

async fn replacing_storage_sends_everybody_away(db: &Database) {
    let rooms = with_room(db, "a").await;
    let lson = json!({"liveblocksType": "LiveObject", "data": {
        "list": {"liveblocksType": "LiveList", "data": [1, {"liveblocksType": "LiveObject", "data": {}}]},
        "plain": {"x": [1, 2]},
    }});
    let session = enter(&rooms, "a").await;
    let text = rooms.initialize_storage(&address("a"), lson.clone()).await.unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&text).unwrap(), lson);
    assert_eq!(closed(&session).await, CloseReason::StorageReset);
    let again = rooms.initialize_storage(&address("a"), lson.clone()).await.unwrap_err();
    assert_eq!(again.reason(), "CANNOT_UPDATE_EXISTING_STORAGE");
    let session = enter(&rooms, "a").await;
    set_and_wait(&session, "later", &json!(true), "9:0").await;
    let expected = json!({"list": [1, {}], "plain": {"x": [1, 2]}, "later": true});
    assert_eq!(storage(&start(&db.store, limits()), "a").await, expected);
    let rooms = start(&db.store, limits());
    rooms.delete_storage(&address("a")).await.unwrap();
    assert_eq!(storage(&rooms, "a").await, json!({}));
    assert_eq!(storage(&start(&db.store, limits()), "a").await, json!({}));
}

async fn a_long_log_becomes_a_snapshot(db: &Database) {
    let rooms = with_room(db, "a").await;
    let session = enter(&rooms, "a").await;
    let filler = "x".repeat(64 << 10);
    for n in 0..12 {
        set_and_wait(&session, "filler", &json!(filler), &format!("1:{n}")).await;
    }
    set_and_wait(&session, "last", &json!("word"), "1:99").await;
    drop(session);
    rooms.close().await;
    let data = db.store.open_room_data(&address("a").project, &id("a"), 0).await.unwrap().unwrap();
    let stored =
        db.store.load_document(&data.key, &roomd::store::DocumentId::storage()).await.unwrap();
    let logged: usize = stored.updates.iter().map(bytes::Bytes::len).sum();
    assert!(!stored.snapshot.is_empty());
    assert!(logged < 600 << 10, "{logged} bytes of log are left");
    let after = storage(&start(&db.store, limits()), "a").await;
    assert_eq!((after["last"].as_str(), after["filler"].as_str()), (Some("word"), Some(&*filler)));
}

async fn a_version_keeps_everything_as_it_was(db: &Database) {
    let rooms = with_room(db, "a").await;
    let session = enter(&rooms, "a").await;
    set_and_wait(&session, "a", &json!(1), "1:0").await;
    rooms.apply_ydoc(&address("a"), None, yjs_update(7, "hello")).await.unwrap();
    let version = rooms.create_version(&address("a"), VersionKind::Manual, None).await.unwrap();
    set_and_wait(&session, "a", &json!(2), "1:1").await;
    drop(session);
    rooms.close().await;
    let data = db.store.open_room_data(&address("a").project, &id("a"), 0).await.unwrap().unwrap();
    let read = |document| {
        let (store, key, id) = (&db.store, data.key.data().clone(), version.id.clone());
        async move { store.read_version(&key, &id, &document).await.unwrap().unwrap().concat() }
    };
    let nodes = String::from_utf8(read(roomd::store::DocumentId::storage()).await).unwrap();
    let root: Value = serde_json::from_str(nodes.lines().next().unwrap()).unwrap();
    assert_eq!(root, json!(["root", {"type": 0, "data": {"a": 1}}]));
    let yjs = read(roomd::store::DocumentId::yjs()).await;
    assert!(yjs.windows(5).any(|part| part == b"hello"));
}

fn yjs_update(client: u64, text: &str) -> bytes::Bytes {
    use yrs::{Doc, ReadTxn, Text, Transact};
    let doc = Doc::with_client_id(client);
    doc.get_or_insert_text("t").push(&mut doc.transact_mut(), text);
    doc.transact().encode_state_as_update_v1(&yrs::StateVector::default()).into()
}

async fn a_schema_is_checked_when_attached_and_ever_after(db: &Database) {
    let rooms = with_room(db, "a").await;
    let body = "type Storage {\n  count: Int\n}\n";
    let schema = db.store.insert_schema(&grant("p"), "s", body, 1).await.unwrap().unwrap();
    let wrong = rooms.attach_schema(&address("a"), schema.id.clone()).await.unwrap_err();
    assert!(wrong.public().contains("count"), "{}", wrong.public());
    let session = enter(&rooms, "a").await;
    set_and_wait(&session, "count", &json!(1), "1:0").await;
    rooms.attach_schema(&address("a"), schema.id.clone()).await.unwrap();
    session.receive(set("count", &json!("one"), "1:1")).await.unwrap();
    let rejected = next(&session, |message| match message {
        ServerMessage::Rejected { op_ids, reason } => Some((op_ids.len(), reason.to_string())),
        _ => None,
    });
    let (count, reason) = rejected.await;
    assert_eq!(count, 1);
    assert!(reason.contains("count"), "{reason}");
    let bad = patch(json!([{"op": "replace", "path": "/count", "value": "one"}]));
    rooms.patch_storage(&address("a"), bad.clone()).await.unwrap_err();
    // It holds after a restart too.
    let after = start(&db.store, limits());
    after.patch_storage(&address("a"), bad.clone()).await.unwrap_err();
    assert_eq!(storage(&after, "a").await, json!({"count": 1}));
    after.detach_schema(&address("a")).await.unwrap();
    after.patch_storage(&address("a"), bad).await.unwrap();
    let missing = SchemaId { name: "s".into(), version: 9 };
    let error = after.attach_schema(&address("a"), missing).await.unwrap_err();
    assert_eq!(error.reason(), "SCHEMA_NOT_FOUND");
}

async fn a_deleted_room_and_a_renamed_one_close(db: &Database) {
    let rooms = with_room(db, "a").await;
    let session = enter(&rooms, "a").await;
    set_and_wait(&session, "a", &json!(1), "1:0").await;
    db.store.rename_room(&grant("p"), &id("a"), &id("b")).await.unwrap();
    let renamed = CloseReason::RoomRenamed { to: "b".into() };
    rooms.close_room(&address("a"), renamed.clone()).await;
    assert_eq!(closed(&session).await, renamed);
    let session = enter(&rooms, "b").await;
    assert_eq!(storage(&rooms, "b").await, json!({"a": 1}), "the documents came along");
    db.store.delete_room(&grant("p"), &id("b")).await.unwrap();
    rooms.close_room(&address("b"), CloseReason::RoomDeleted).await;
    assert_eq!(closed(&session).await, CloseReason::RoomDeleted);
    db.store.insert_room(&grant("p"), draft("b"), 1).await.unwrap();
    assert_eq!(storage(&rooms, "b").await, json!({}), "a new room of the same name is empty");
}

async fn who_may_enter_and_who_makes_a_room(db: &Database) {
    let rooms = start(&db.store, limits());
    rooms.join(as_actor(Actor::Public, "open")).await.unwrap();
    assert!(db.store.find_room(&address("open").project, &id("open")).await.unwrap().is_some());
    let refused = rooms.join(as_actor(Actor::Secret, "none")).await.unwrap_err();
    assert_eq!(refused, CloseReason::NotAllowed, "a back end makes rooms on purpose");
    let mut closed = draft("closed");
    closed.default_accesses = roomd::domain::permissions::ScopeList::EMPTY;
    db.store.insert_room(&grant("p"), closed, 1).await.unwrap();
    let refused = rooms.join(as_actor(Actor::Public, "closed")).await.unwrap_err();
    assert_eq!(refused, CloseReason::NotAllowed);
}

async fn an_idle_room_leaves_the_memory(db: &Database) {
    db.store.insert_room(&grant("p"), draft("a"), 1).await.unwrap();
    let rooms = start(&db.store, Limits { room_idle_ms: 1, ..Limits::PRODUCTION });
    let session = enter(&rooms, "a").await;
    set_and_wait(&session, "a", &json!(1), "1:0").await;
    assert_eq!(rooms.running_len(), 1);
    drop(session);
    let gone = async {
        while rooms.running_len() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), gone).await.unwrap();
    assert_eq!(storage(&rooms, "a").await, json!({"a": 1}));
}

async fn a_full_room_says_so(db: &Database) {
    db.store.insert_room(&grant("p"), draft("a"), 1).await.unwrap();
    let rooms = start(&db.store, Limits { room_connections_max: 2, ..limits() });
    let first = enter(&rooms, "a").await;
    let _second = enter(&rooms, "a").await;
    let refused = rooms.join(as_actor(Actor::Secret, "a")).await.unwrap_err();
    assert_eq!(refused, CloseReason::RoomFull);
    drop(first);
    enter(&rooms, "a").await;
}
