//! Versions: lists, pages, contents, and what goes with the room.

use bytes::Bytes;
use roomd::domain::ids::{ProjectId, UserId};
use roomd::error::Code;
use roomd::store::{DocumentId, RoomKey, Version, VersionCursor, VersionId, VersionKind};

use crate::databases::Database;
use crate::store_documents::room;
use crate::store_rooms::{grant, id};

crate::on_both!(
    a_version_comes_back_as_it_was_written,
    versions_are_listed_newest_first,
    a_deleted_version_is_gone,
    only_the_owner_makes_versions,
    versions_go_with_their_room,
);

fn version(name: &str, created_at_ms: i64) -> Version {
    let id = VersionId::parse("id", &format!("vh_{name}")).unwrap();
    Version { id, created_at_ms, kind: VersionKind::Automatic, authors: Vec::new() }
}

async fn insert(db: &Database, key: &RoomKey, name: &str, created_at_ms: i64) -> Version {
    let version = version(name, created_at_ms);
    let contents = vec![(DocumentId::storage(), vec![Bytes::from("x")])];
    db.store.insert_version(key, version.clone(), contents).await.unwrap();
    version
}

async fn a_version_comes_back_as_it_was_written(db: &Database) {
    let key = room(db, "a").await;
    let id = VersionId::random().unwrap();
    assert_ne!(id, VersionId::random().unwrap());
    let authors = ["ann \"quoted\"", "🦀"].map(UserId::trusted).to_vec();
    let written = Version { id, created_at_ms: 7, kind: VersionKind::Manual, authors };
    let sub = DocumentId::subdocument("s").unwrap();
    let chunks: Vec<Bytes> = (0..12_u8).map(|n| Bytes::from(vec![n; 1_000])).collect();
    let contents = vec![
        (DocumentId::storage(), chunks.clone()),
        (sub.clone(), vec![Bytes::from("sub")]),
        (DocumentId::yjs(), Vec::new()),
    ];
    db.store.insert_version(&key, written.clone(), contents).await.unwrap();
    let data = key.data();
    assert_eq!(db.store.find_version(data, &written.id).await.unwrap(), Some(written.clone()));
    let read =
        async |document: &DocumentId| db.store.read_version(data, &written.id, document).await;
    assert_eq!(read(&DocumentId::storage()).await.unwrap(), Some(chunks));
    assert_eq!(read(&sub).await.unwrap(), Some(vec![Bytes::from("sub")]));
    assert_eq!(read(&DocumentId::yjs()).await.unwrap(), Some(vec![]));
    let other = version("none", 1).id;
    assert_eq!(db.store.find_version(data, &other).await.unwrap(), None);
    assert_eq!(db.store.read_version(data, &other, &sub).await.unwrap(), None);
    db.execute("DELETE FROM version_chunk WHERE chunk = 3").await;
    assert_eq!(read(&DocumentId::storage()).await.unwrap_err().code(), Code::DataLoss);
    for raw in ["", "vh_a\0", "th_1", &"vh_".repeat(40)] {
        assert_eq!(VersionId::parse("id", raw).unwrap_err().code(), Code::InvalidArgument);
    }
}

async fn versions_are_listed_newest_first(db: &Database) {
    let (key, other) = (room(db, "a").await, room(db, "b").await);
    insert(db, &other, "other", 5).await;
    let mut expected = Vec::new();
    for (name, created_at_ms) in [("d", 1), ("a", 2), ("b", 2), ("c", 2), ("e", 3)] {
        expected.insert(0, insert(db, &key, name, created_at_ms).await);
    }
    for limit in 1..=6 {
        let mut found: Vec<Version> = Vec::new();
        loop {
            let after = found.last().map(|version| VersionCursor {
                created_at_ms: version.created_at_ms,
                id: version.id.clone(),
            });
            let page = db.store.list_versions(key.data(), after.as_ref(), limit).await.unwrap();
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            found.extend(page);
        }
        assert_eq!(found, expected);
    }
    let since =
        async |ms, limit| db.store.list_versions_since(key.data(), ms, limit).await.unwrap();
    assert_eq!(since(2, 10).await, expected[..4]);
    assert_eq!(since(2, 3).await, expected[..3]);
    assert_eq!(since(4, 10).await, []);
}

async fn a_deleted_version_is_gone(db: &Database) {
    let key = room(db, "a").await;
    let (one, two) = (insert(db, &key, "1", 1).await, insert(db, &key, "2", 2).await);
    assert!(db.store.delete_version(key.data(), &one.id).await.unwrap());
    assert!(!db.store.delete_version(key.data(), &one.id).await.unwrap());
    let storage = DocumentId::storage();
    assert_eq!(db.store.read_version(key.data(), &one.id, &storage).await.unwrap(), None);
    assert_eq!(db.store.list_versions(key.data(), None, 9).await.unwrap(), [two]);
    // Its chunks went with it, or these would collide.
    insert(db, &key, "1", 3).await;
}

async fn only_the_owner_makes_versions(db: &Database) {
    let old = room(db, "a").await;
    db.store.open_room_data(&ProjectId::trusted("p"), &id("a"), 0).await.unwrap();
    let error = db.store.insert_version(&old, version("1", 1), Vec::new()).await.unwrap_err();
    assert_eq!(error.reason(), "ROOM_FENCED");
    assert_eq!(db.store.list_versions(old.data(), None, 9).await.unwrap(), []);
}

async fn versions_go_with_their_room(db: &Database) {
    let key = room(db, "a").await;
    insert(db, &key, "1", 1).await;
    db.store.rename_room(&grant("p"), &id("a"), &id("b")).await.unwrap();
    insert(db, &key, "2", 2).await;
    assert_eq!(db.store.list_versions(key.data(), None, 9).await.unwrap().len(), 2);
    db.store.delete_room(&grant("p"), &id("b")).await.unwrap();
    let again = room(db, "b").await;
    assert_eq!(db.store.list_versions(again.data(), None, 9).await.unwrap(), []);
    let mut steps = Vec::new();
    while steps.last() != Some(&0) {
        steps.push(db.store.sweep_garbage(3).await.unwrap());
    }
    // Two chunks, two versions and the key.
    assert_eq!(steps, [3, 2, 0]);
    assert_eq!(db.store.list_versions(key.data(), None, 9).await.unwrap(), []);
}
