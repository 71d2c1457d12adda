//! Schemas: versions that never change, and rooms that hold on to them.

use roomd::domain::ctx::ProjectGrant;
use roomd::domain::ids::ProjectId;
use roomd::domain::room::Room;
use roomd::store::{DataKey, RoomKey, Schema, SchemaDeleted, SchemaId, SchemaUpdated};

use crate::databases::Database;
use crate::store_documents::room;
use crate::store_rooms::{draft, find, grant, id};

crate::on_both!(
    schemas_come_in_versions,
    an_attached_schema_stays_as_it_is,
    only_the_owner_attaches,
    attached_or_deleted_but_never_both,
    concurrent_updates_make_a_version_each,
    contents_are_found_without_opening,
);

fn schema_id(name: &str, version: i64) -> SchemaId {
    SchemaId { name: name.into(), version }
}

async fn update(db: &Database, id: &SchemaId, body: &str, now_ms: i64) -> SchemaUpdated {
    db.store.update_schema(&grant("p"), id, body, now_ms).await.unwrap()
}

async fn delete(db: &Database, id: &SchemaId) -> SchemaDeleted {
    db.store.delete_schema(&grant("p"), id).await.unwrap()
}

async fn attached(db: &Database, raw: &str) -> Option<SchemaId> {
    let room = find(db, raw).await.unwrap();
    db.store.find_room_schema(&ProjectId::trusted("p"), &room).await.unwrap()
}

async fn schemas_come_in_versions(db: &Database) {
    let grant: ProjectGrant = grant("p");
    let first = db.store.insert_schema(&grant, "s", "one", 10).await.unwrap().unwrap();
    assert_eq!(db.store.insert_schema(&grant, "s", "again", 11).await.unwrap(), None);
    let (one, two, three) = (schema_id("s", 1), schema_id("s", 2), schema_id("s", 3));
    let expected =
        Schema { id: one.clone(), body: "one".into(), created_at_ms: 10, updated_at_ms: 10 };
    assert_eq!(first, expected);
    assert_eq!(one.to_string(), "s@1");
    let SchemaUpdated::Done(second) = update(db, &one, "two", 20).await else { panic!() };
    let expected =
        Schema { id: two.clone(), body: "two".into(), created_at_ms: 10, updated_at_ms: 20 };
    assert_eq!(second, expected);
    // An older one may be the model too; the new number is after all others.
    let SchemaUpdated::Done(third) = update(db, &one, "three", 30).await else { panic!() };
    assert_eq!(third.id, three);
    for schema in [&first, &second, &third] {
        assert_eq!(db.store.find_schema(&grant, &schema.id).await.unwrap().as_ref(), Some(schema));
    }
    assert_eq!(update(db, &schema_id("s", 4), "x", 1).await, SchemaUpdated::NotFound);
    assert_eq!(delete(db, &schema_id("t", 1)).await, SchemaDeleted::NotFound);
    assert_eq!(delete(db, &two).await, SchemaDeleted::Done);
    assert_eq!(db.store.find_schema(&grant, &two).await.unwrap(), None);
    // Projects do not see each other's.
    let other = crate::store_rooms::grant("q");
    assert_eq!(db.store.find_schema(&other, &one).await.unwrap(), None);
    assert!(db.store.insert_schema(&other, "s", "q", 1).await.unwrap().is_some());
    assert_eq!(delete(db, &one).await, SchemaDeleted::Done);
    assert_eq!(delete(db, &three).await, SchemaDeleted::Done);
    assert!(db.store.insert_schema(&grant, "s", "new", 40).await.unwrap().is_some());
}

async fn an_attached_schema_stays_as_it_is(db: &Database) {
    let key = room(db, "a").await;
    db.store.insert_schema(&grant("p"), "s", "one", 1).await.unwrap();
    let one = schema_id("s", 1);
    assert!(!db.store.attach_schema(&key, &schema_id("s", 2)).await.unwrap());
    assert!(db.store.attach_schema(&key, &one).await.unwrap());
    assert_eq!(attached(db, "a").await, Some(one.clone()));
    assert_eq!(update(db, &one, "two", 2).await, SchemaUpdated::Attached);
    assert_eq!(delete(db, &one).await, SchemaDeleted::Attached);
    // Whoever opens the room is told.
    let opened = db.store.open_room_data(&ProjectId::trusted("p"), &id("a"), 0).await.unwrap();
    assert_eq!(opened.as_ref().unwrap().schema, Some(one.clone()));
    db.store.rename_room(&grant("p"), &id("a"), &id("b")).await.unwrap();
    assert_eq!(delete(db, &one).await, SchemaDeleted::Attached);
    db.store.detach_schema(&opened.unwrap().key).await.unwrap();
    assert_eq!(attached(db, "b").await, None);
    let SchemaUpdated::Done(two) = update(db, &one, "two", 2).await else { panic!() };
    let key = room(db, "c").await;
    assert!(db.store.attach_schema(&key, &two.id).await.unwrap());
    // Another version of the same name is not held.
    assert_eq!(delete(db, &one).await, SchemaDeleted::Done);
    assert!(db.store.delete_room(&grant("p"), &id("c")).await.unwrap());
    assert_eq!(delete(db, &two.id).await, SchemaDeleted::Done);
}

async fn only_the_owner_attaches(db: &Database) {
    let old = room(db, "a").await;
    db.store.insert_schema(&grant("p"), "s", "one", 1).await.unwrap();
    let new =
        db.store.open_room_data(&ProjectId::trusted("p"), &id("a"), 0).await.unwrap().unwrap();
    let error = db.store.attach_schema(&old, &schema_id("s", 1)).await.unwrap_err();
    assert_eq!(error.reason(), "ROOM_FENCED");
    assert_eq!(attached(db, "a").await, None);
    assert!(db.store.attach_schema(&new.key, &schema_id("s", 1)).await.unwrap());
    assert_eq!(db.store.detach_schema(&old).await.unwrap_err().reason(), "ROOM_FENCED");
}

async fn attached_or_deleted_but_never_both(db: &Database) {
    let key: RoomKey = room(db, "a").await;
    for _ in 0..15 {
        let schema = db.store.insert_schema(&grant("p"), "s", "x", 1).await.unwrap().unwrap();
        let (store, key, id) = (db.store.clone(), key.clone(), schema.id.clone());
        let attach = tokio::spawn(async move {
            let attached = store.attach_schema(&key, &id).await.unwrap();
            (attached, key)
        });
        let deleted = delete(db, &schema.id).await;
        let (was_attached, key) = attach.await.unwrap();
        assert_eq!(was_attached, deleted == SchemaDeleted::Attached);
        assert_eq!(attached(db, "a").await.is_some(), was_attached);
        db.store.detach_schema(&key).await.unwrap();
        delete(db, &schema.id).await;
    }
}

async fn concurrent_updates_make_a_version_each(db: &Database) {
    db.store.insert_schema(&grant("p"), "s", "x", 1).await.unwrap();
    db.store.update_schema(&grant("p"), &schema_id("s", 1), "y", 1).await.unwrap();
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let store = db.store.clone();
            tokio::spawn(async move {
                let id = schema_id("s", 1 + n % 2);
                store.update_schema(&grant("p"), &id, "z", n).await.unwrap()
            })
        })
        .collect();
    let mut versions = Vec::new();
    for task in tasks {
        let SchemaUpdated::Done(schema) = task.await.unwrap() else { panic!() };
        versions.push(schema.id.version);
    }
    versions.sort_unstable();
    assert_eq!(versions, (3..=10).collect::<Vec<_>>());
}

async fn contents_are_found_without_opening(db: &Database) {
    let project = ProjectId::trusted("p");
    db.store.insert_room(&grant("p"), draft("a"), 1).await.unwrap();
    let found = find(db, "a").await.unwrap();
    assert!(db.store.find_data_key(&project, &found).await.unwrap().is_none());
    let data: DataKey = db.store.ensure_data_key(&project, &found).await.unwrap().unwrap();
    let uncached = db.store.find_room_uncached(&project, &id("a")).await.unwrap().unwrap();
    let uncached = grant("p").open(uncached);
    assert_eq!(db.store.ensure_data_key(&project, &uncached).await.unwrap(), Some(data.clone()));
    let opened = db.store.open_room_data(&project, &id("a"), 0).await.unwrap().unwrap().key;
    assert_eq!(opened.data(), &data);
    // Looking does not take the room from its owner.
    db.store.ensure_data_key(&project, &Room::clone(&found)).await.unwrap();
    db.store.reserve_actors(&opened, 1).await.unwrap();
    db.store.delete_room(&grant("p"), &id("a")).await.unwrap();
    // What is remembered goes with the copy of the room that a caller has.
    let forgetful = Room::clone(&found);
    assert!(db.store.find_data_key(&project, &forgetful).await.unwrap().is_none());
    assert!(db.store.ensure_data_key(&project, &forgetful).await.unwrap().is_none());
    db.store.insert_room(&grant("p"), draft("a"), 2).await.unwrap();
    let next = find(db, "a").await.unwrap();
    assert_ne!(db.store.ensure_data_key(&project, &next).await.unwrap(), Some(data));
}
