//! What is too large for one transaction: written in pieces, seen as a whole or not at all.

use bytes::Bytes;
use roomd::store::{DocumentId, RoomKey, StoredDocument, Version, VersionId, VersionKind};

use crate::databases::Database;
use crate::store_documents::{room, updates};
use crate::store_rooms::{grant, id};

crate::on_both!(
    a_large_snapshot_takes_the_place_of_what_was_there,
    a_snapshot_that_was_not_finished_is_never_read,
    an_older_snapshot_does_not_come_back,
    others_write_between_the_pieces,
    a_large_version_is_whole_or_not_there,
);

/// Seven pieces.
fn large(fill: u8) -> Vec<Bytes> {
    vec![Bytes::from(vec![fill; 256 << 10]); 28]
}

fn storage() -> DocumentId {
    DocumentId::storage()
}

async fn load(db: &Database, key: &RoomKey) -> StoredDocument {
    db.store.load_document(key, &storage()).await.unwrap()
}

async fn append(db: &Database, key: &RoomKey, entries: &[(i64, &str)]) {
    db.store.append_updates(key, updates(&storage(), entries)).await.unwrap();
}

async fn compact(db: &Database, key: &RoomKey, upto_seq: i64, chunks: Vec<Bytes>) {
    db.store.compact_document(key, &storage(), upto_seq, chunks).await.unwrap();
}

async fn sweep_all(db: &Database) -> u64 {
    let mut rows = 0;
    loop {
        match db.store.sweep_garbage(100).await.unwrap() {
            0 => return rows,
            some => rows += some,
        }
    }
}

/// What a room left: its rows, and one for itself.
async fn rows_left_by(db: &Database, raw: &str) -> u64 {
    assert!(db.store.delete_room(&grant("p"), &id(raw)).await.unwrap());
    sweep_all(db).await
}

async fn a_large_snapshot_takes_the_place_of_what_was_there(db: &Database) {
    let key = room(db, "a").await;
    append(db, &key, &[(1, "a"), (2, "b"), (3, "c")]).await;
    compact(db, &key, 1, vec![Bytes::from("A")]).await;
    compact(db, &key, 2, large(2)).await;
    let stored = load(db, &key).await;
    assert_eq!((&stored.snapshot, stored.next_seq), (&large(2), 4));
    assert_eq!(stored.updates, [Bytes::from("c")]);
    compact(db, &key, 3, large(3)).await;
    let stored = load(db, &key).await;
    assert_eq!((&stored.snapshot, stored.updates.len(), stored.next_seq), (&large(3), 0, 4));
    // The chunks, the row that shows them, and the room: nothing that they replaced.
    assert_eq!(rows_left_by(db, "a").await, 28 + 1 + 1);
}

async fn a_snapshot_that_was_not_finished_is_never_read(db: &Database) {
    let key = room(db, "a").await;
    append(db, &key, &[(1, "a"), (2, "b")]).await;
    compact(db, &key, 1, large(1)).await;
    // As a crash leaves it: a piece of the next one, and nothing that shows it.
    db.execute(
        "INSERT INTO document_snapshot (project_id, key, document, chunk, upto_seq, payload) \
         SELECT project_id, key, document, chunk + 1048576, -1, payload FROM document_snapshot \
         WHERE upto_seq = -1",
    )
    .await;
    let stored = load(db, &key).await;
    assert_eq!((&stored.snapshot, stored.next_seq), (&large(1), 3));
    assert_eq!(stored.updates, [Bytes::from("b")]);
    compact(db, &key, 2, large(2)).await;
    let stored = load(db, &key).await;
    assert_eq!((&stored.snapshot, stored.updates.len()), (&large(2), 0));
    assert_eq!(rows_left_by(db, "a").await, 28 + 1 + 1);
}

async fn an_older_snapshot_does_not_come_back(db: &Database) {
    let key = room(db, "a").await;
    compact(db, &key, 5, large(5)).await;
    compact(db, &key, 4, large(4)).await;
    compact(db, &key, 4, vec![Bytes::from("A")]).await;
    assert_eq!(load(db, &key).await.snapshot, large(5));
    compact(db, &key, 6, vec![Bytes::from("A")]).await;
    let stored = load(db, &key).await;
    assert_eq!((stored.snapshot, stored.next_seq), (vec![Bytes::from("A")], 7));
}

async fn others_write_between_the_pieces(db: &Database) {
    let (key, other) = (room(db, "a").await, room(db, "b").await);
    append(db, &key, &[(1, "a")]).await;
    let store = db.store.clone();
    let compacting = {
        let key = key.clone();
        tokio::spawn(async move { store.compact_document(&key, &storage(), 1, large(1)).await })
    };
    let mut seq = 1;
    while !compacting.is_finished() {
        seq += 1;
        let text = seq.to_string();
        append(db, &key, &[(seq, &text)]).await;
        append(db, &other, &[(seq, &text)]).await;
    }
    compacting.await.unwrap().unwrap();
    let stored = load(db, &key).await;
    assert_eq!((&stored.snapshot, stored.next_seq), (&large(1), seq + 1));
    let log: Vec<String> = (2..=seq).map(|seq| seq.to_string()).collect();
    assert_eq!(stored.updates, log);
}

async fn a_large_version_is_whole_or_not_there(db: &Database) {
    let key = room(db, "a").await;
    let data = key.data().clone();
    let made = |name: &str, created_at_ms| {
        let id = VersionId::parse("id", name).unwrap();
        Version { id, created_at_ms, kind: VersionKind::Manual, authors: Vec::new() }
    };
    let insert = async |version: &Version| {
        let contents = vec![(storage(), large(1)), (DocumentId::yjs(), large(2))];
        db.store.insert_version(&key, version.clone(), contents).await.unwrap();
    };
    let list = async || db.store.list_versions(&data, None, 10).await.unwrap();
    let (first, second) = (made("vh_a", 1), made("vh_b", 2));
    insert(&first).await;
    assert_eq!(list().await, std::slice::from_ref(&first));
    let read = db.store.read_version(&data, &first.id, &DocumentId::yjs()).await.unwrap();
    assert_eq!(read, Some(large(2)));
    // As a crash before the last step leaves it.
    db.execute("UPDATE version SET kind = 'staged'").await;
    assert_eq!(list().await, []);
    assert_eq!(db.store.find_version(&data, &first.id).await.unwrap(), None);
    assert_eq!(db.store.read_version(&data, &first.id, &storage()).await.unwrap(), None);
    assert!(!db.store.delete_version(&data, &first.id).await.unwrap());
    insert(&second).await;
    assert_eq!(list().await, [second]);
    assert_eq!(rows_left_by(db, "a").await, 2 * 28 + 1 + 1);
}
