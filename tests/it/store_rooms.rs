//! Rooms: create, read, patch, rename, move, delete; alone and against each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use roomd::domain::ctx::{Actor, Caller, Clock, Ctx, Guarded, ProjectGrant, TokenTimes};
use roomd::domain::ids::{OrganizationId, ProjectId, RoomId};
use roomd::domain::metadata::MetadataValue;
use roomd::domain::permissions::{Level, Resource, ScopeList};
use roomd::domain::room::{Engine, MapPatch, Room, RoomDraft, RoomPatch};
use roomd::error::{Code, chain};
use roomd::store::{Moved, Renamed};

use crate::databases::Database;

crate::on_both!(
    a_room_comes_back_as_it_was_written,
    a_second_insert_changes_nothing,
    projects_do_not_see_each_other,
    a_patch_merges_and_keeps_the_rest,
    a_patch_over_a_limit_changes_nothing,
    upsert_creates_then_patches,
    delete_takes_everything_with_it,
    rename_keeps_everything,
    rename_tells_absent_from_taken,
    move_needs_the_right_organization,
    connections_only_move_forward,
    concurrent_inserts_make_one_room,
    concurrent_patches_lose_nothing,
    concurrent_upserts_lose_nothing,
    concurrent_renames_have_one_winner,
    rotten_rooms_are_data_loss,
    a_full_room_is_stored,
);

pub fn id(raw: &str) -> RoomId {
    RoomId::trusted(raw)
}

pub fn grant(project: &str) -> ProjectGrant {
    ProjectGrant::system(ProjectId::trusted(project))
}

pub fn draft(raw: &str) -> RoomDraft {
    RoomDraft {
        id: id(raw),
        organization_id: OrganizationId::default(),
        default_accesses: ScopeList::default(),
        users_accesses: BTreeMap::new(),
        groups_accesses: BTreeMap::new(),
        metadata: BTreeMap::new(),
        engine: Engine::V2,
    }
}

/// Opens a room as whoever holds the project's secret key.
pub fn open(room: Option<Guarded<Arc<Room>>>) -> Option<Arc<Room>> {
    let caller = Caller { project: ProjectId::trusted("p"), actor: Actor::Secret };
    let ctx = Ctx {
        caller: Some(caller),
        request_id: "test".into(),
        deadline: None,
        clock: Clock::from_fn(|| 0),
        origin: None,
        token: TokenTimes::default(),
    };
    room.map(|room| ctx.open(Some(room), Level::Read, Resource::Room).unwrap())
}

pub async fn find(db: &Database, raw: &str) -> Option<Arc<Room>> {
    let project = ProjectId::trusted("p");
    let cached = open(db.store.find_room(&project, &id(raw)).await.unwrap());
    let stored = open(db.store.find_room_uncached(&project, &id(raw)).await.unwrap());
    assert_eq!(cached, stored, "the cache is never behind");
    stored
}

pub fn patch() -> RoomPatch {
    RoomPatch {
        default_accesses: None,
        users_accesses: MapPatch::Keep,
        groups_accesses: MapPatch::Keep,
        metadata: MapPatch::Keep,
    }
}

fn set_metadata(key: &str, value: &str) -> RoomPatch {
    let entries = BTreeMap::from([(key.to_owned(), Some(value.into()))]);
    RoomPatch { metadata: MapPatch::Merge(entries), ..patch() }
}

fn scopes(raw: &[&str]) -> ScopeList {
    ScopeList::trusted(raw)
}

fn rich(raw: &str) -> RoomDraft {
    RoomDraft {
        organization_id: OrganizationId::trusted("acme"),
        default_accesses: scopes(&["room:read", "room:presence:write"]),
        users_accesses: BTreeMap::from([
            ("ann \"quoted\" ünï 🦀".to_owned(), scopes(&["*:write"])),
            ("nobody".to_owned(), ScopeList::default()),
        ]),
        groups_accesses: BTreeMap::from([(
            "ops".to_owned(),
            scopes(&["*:read", "comments:write"]),
        )]),
        metadata: BTreeMap::from([
            ("color".to_owned(), MetadataValue::One("red".to_owned())),
            ("tags".to_owned(), MetadataValue::Many(vec!["a".into(), "7".into(), "a".into()])),
            ("none".to_owned(), MetadataValue::Many(vec![])),
        ]),
        engine: Engine::V1,
        ..draft(raw)
    }
}

async fn a_room_comes_back_as_it_was_written(db: &Database) {
    assert_eq!(find(db, "a").await, None);
    let inserted = db.store.insert_room(&grant("p"), rich("a"), 1_234).await.unwrap();
    assert!(inserted.created);
    let room = find(db, "a").await.unwrap();
    assert_eq!(room, inserted.room);
    assert_eq!((room.created_at_ms, room.last_connection_at_ms), (1_234, None));
    let RoomDraft { organization_id, users_accesses, groups_accesses, metadata, .. } = rich("a");
    assert_eq!(room.organization_id, organization_id);
    assert_eq!(room.users_accesses, users_accesses);
    assert_eq!(room.groups_accesses, groups_accesses);
    assert_eq!(room.metadata, metadata);
    assert_eq!(room.engine, Engine::V1);
}

async fn a_second_insert_changes_nothing(db: &Database) {
    let first = db.store.insert_room(&grant("p"), rich("a"), 1).await.unwrap();
    let second = db.store.insert_room(&grant("p"), draft("a"), 2).await.unwrap();
    assert!(!second.created);
    assert_eq!(second.room, first.room);
    // Ids are compared as bytes.
    assert!(db.store.insert_room(&grant("p"), draft("A"), 3).await.unwrap().created);
}

async fn projects_do_not_see_each_other(db: &Database) {
    db.store.insert_room(&grant("p"), rich("a"), 1).await.unwrap();
    let other = ProjectId::trusted("q");
    assert!(db.store.find_room(&other, &id("a")).await.unwrap().is_none());
    assert!(!db.store.delete_room(&grant("q"), &id("a")).await.unwrap());
    let patch = set_metadata("k", "v");
    assert_eq!(db.store.update_room(&grant("q"), &id("a"), patch).await.unwrap(), None);
    assert!(db.store.insert_room(&grant("q"), draft("a"), 9).await.unwrap().created);
    assert!(db.store.delete_room(&grant("q"), &id("a")).await.unwrap());
    assert_eq!(find(db, "a").await.unwrap().created_at_ms, 1);
}

async fn a_patch_merges_and_keeps_the_rest(db: &Database) {
    let before = db.store.insert_room(&grant("p"), rich("a"), 1).await.unwrap().room;
    let entries = BTreeMap::from([
        ("color".to_owned(), None),
        ("size".to_owned(), Some(MetadataValue::One("7".to_owned()))),
    ]);
    let patch = RoomPatch {
        metadata: MapPatch::Merge(entries),
        users_accesses: MapPatch::Clear,
        ..patch()
    };
    let after = db.store.update_room(&grant("p"), &id("a"), patch).await.unwrap().unwrap();
    assert_eq!(find(db, "a").await.as_ref(), Some(&after));
    assert!(!after.metadata.contains_key("color"));
    assert_eq!(after.metadata["size"].texts(), ["7"]);
    assert_eq!(after.metadata["tags"], before.metadata["tags"]);
    assert!(after.users_accesses.is_empty());
    assert_eq!(after.groups_accesses, before.groups_accesses);
    assert_eq!(after.default_accesses, before.default_accesses);
    let absent = set_metadata("k", "v");
    assert_eq!(db.store.update_room(&grant("p"), &id("b"), absent).await.unwrap(), None);
}

async fn a_patch_over_a_limit_changes_nothing(db: &Database) {
    let before = db.store.insert_room(&grant("p"), rich("a"), 1).await.unwrap().room;
    let entries = (0..48).map(|n| (format!("k{n}"), Some("v".into()))).collect();
    let patch = RoomPatch { metadata: MapPatch::Merge(entries), ..patch() };
    let error = db.store.update_room(&grant("p"), &id("a"), patch.clone()).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(error.public().contains("metadata"), "{error}");
    let error = db.store.upsert_room(&grant("p"), draft("a"), patch, 2).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert_eq!(find(db, "a").await, Some(before));
}

async fn upsert_creates_then_patches(db: &Database) {
    let patch = set_metadata("k", "v");
    let first = db.store.upsert_room(&grant("p"), rich("a"), patch, 5).await.unwrap();
    assert!(first.created);
    assert_eq!(first.room.metadata["k"].texts(), ["v"]);
    assert_eq!(first.room.metadata["color"].texts(), ["red"]);
    assert_eq!(find(db, "a").await.as_ref(), Some(&first.room));
    let patch = set_metadata("k", "w");
    let second = db.store.upsert_room(&grant("p"), draft("a"), patch, 6).await.unwrap();
    assert!(!second.created);
    assert_eq!(second.room.metadata["k"].texts(), ["w"]);
    assert_eq!(second.room.metadata["color"].texts(), ["red"]);
    assert_eq!(second.room.created_at_ms, 5);
    assert_eq!(find(db, "a").await, Some(second.room));
}

async fn delete_takes_everything_with_it(db: &Database) {
    db.store.insert_room(&grant("p"), rich("a"), 1).await.unwrap();
    assert!(db.store.delete_room(&grant("p"), &id("a")).await.unwrap());
    assert!(!db.store.delete_room(&grant("p"), &id("a")).await.unwrap());
    assert_eq!(find(db, "a").await, None);
    // Index rows of the old room would collide with these, or give it back its old rights.
    let again = db.store.insert_room(&grant("p"), rich("a"), 2).await.unwrap();
    assert!(again.created);
    assert_eq!(find(db, "a").await, Some(again.room));
}

async fn rename_keeps_everything(db: &Database) {
    let before = db.store.insert_room(&grant("p"), rich("a"), 1).await.unwrap().room;
    find(db, "a").await.unwrap();
    let Renamed::Done(after) = db.store.rename_room(&grant("p"), &id("a"), &id("b")).await.unwrap()
    else {
        panic!("nothing is in the way")
    };
    assert_eq!(*after, Room { id: id("b"), ..(*before).clone() });
    assert_eq!(find(db, "a").await, None);
    assert_eq!(find(db, "b").await, Some(after));
    // The index rows moved along: they can be replaced, and go with the room.
    let patch = RoomPatch { metadata: MapPatch::Clear, ..patch() };
    db.store.update_room(&grant("p"), &id("b"), patch).await.unwrap().unwrap();
    assert!(db.store.delete_room(&grant("p"), &id("b")).await.unwrap());
    assert!(db.store.insert_room(&grant("p"), rich("a"), 3).await.unwrap().created);
}

async fn rename_tells_absent_from_taken(db: &Database) {
    for room in ["a", "b"] {
        db.store.insert_room(&grant("p"), draft(room), 1).await.unwrap();
    }
    let rename =
        async |from, to| db.store.rename_room(&grant("p"), &id(from), &id(to)).await.unwrap();
    assert!(matches!(rename("x", "y").await, Renamed::NotFound));
    assert!(matches!(rename("x", "a").await, Renamed::NotFound));
    assert!(matches!(rename("a", "b").await, Renamed::Taken));
    assert!(matches!(rename("a", "a").await, Renamed::Taken));
    assert!(find(db, "a").await.is_some() && find(db, "b").await.is_some());
}

async fn move_needs_the_right_organization(db: &Database) {
    db.store.insert_room(&grant("p"), rich("a"), 1).await.unwrap();
    find(db, "a").await.unwrap();
    let (acme, emca) = (OrganizationId::trusted("acme"), OrganizationId::trusted("emca"));
    let relocate =
        async |room, from, to| db.store.move_room(&grant("p"), &id(room), from, to).await.unwrap();
    assert!(matches!(relocate("b", &acme, &emca).await, Moved::NotFound));
    assert!(matches!(relocate("a", &emca, &acme).await, Moved::Elsewhere));
    let Moved::Done(room) = relocate("a", &acme, &emca).await else { panic!("it is in acme") };
    assert_eq!(room.organization_id, emca);
    assert_eq!(find(db, "a").await, Some(room));
    assert!(matches!(relocate("a", &acme, &emca).await, Moved::Elsewhere));
}

async fn connections_only_move_forward(db: &Database) {
    let project = ProjectId::trusted("p");
    db.store.insert_room(&grant("p"), draft("a"), 1).await.unwrap();
    for (now_ms, expected_ms) in [(50, 50), (40, 50), (60, 60)] {
        find(db, "a").await.unwrap();
        db.store.touch_room_connection(&project, &id("a"), now_ms).await.unwrap();
        assert_eq!(find(db, "a").await.unwrap().last_connection_at_ms, Some(expected_ms));
    }
    db.store.touch_room_connection(&project, &id("gone"), 1).await.unwrap();
}

/// Runs `work` as that many tasks at once, and gives back what each of them answered.
async fn all_at_once<T: Send + 'static, F>(count: usize, work: impl Fn(usize) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
{
    let tasks: Vec<_> = (0..count).map(|n| tokio::spawn(work(n))).collect();
    let mut answers = Vec::with_capacity(count);
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

async fn concurrent_inserts_make_one_room(db: &Database) {
    let inserted = all_at_once(16, |n| {
        let store = db.store.clone();
        async move { store.insert_room(&grant("p"), rich("a"), n as i64).await.unwrap() }
    })
    .await;
    assert_eq!(inserted.iter().filter(|inserted| inserted.created).count(), 1);
    let winner = find(db, "a").await.unwrap();
    assert!(inserted.iter().all(|inserted| inserted.room == winner));
}

async fn concurrent_patches_lose_nothing(db: &Database) {
    db.store.insert_room(&grant("p"), draft("a"), 1).await.unwrap();
    all_at_once(40, |n| {
        let store = db.store.clone();
        async move {
            let patch = set_metadata(&format!("key{n}"), &n.to_string());
            store.update_room(&grant("p"), &id("a"), patch).await.unwrap().unwrap();
        }
    })
    .await;
    let room = find(db, "a").await.unwrap();
    assert_eq!(room.metadata.len(), 40);
    assert!((0..40).all(|n| room.metadata[&format!("key{n}")].texts() == [n.to_string()]));
}

async fn concurrent_upserts_lose_nothing(db: &Database) {
    let done = all_at_once(20, |n| {
        let store = db.store.clone();
        async move {
            let patch = set_metadata(&format!("key{n}"), "v");
            store.upsert_room(&grant("p"), draft("a"), patch, 1).await.unwrap().created
        }
    })
    .await;
    assert_eq!(done.into_iter().filter(|created| *created).count(), 1);
    assert_eq!(find(db, "a").await.unwrap().metadata.len(), 20);
}

async fn concurrent_renames_have_one_winner(db: &Database) {
    for n in 0..10 {
        db.store.insert_room(&grant("p"), rich(&format!("from{n}")), n).await.unwrap();
    }
    let outcomes =
        all_at_once(10, |n| {
            let store = db.store.clone();
            async move {
                store.rename_room(&grant("p"), &id(&format!("from{n}")), &id("to")).await.unwrap()
            }
        })
        .await;
    let winners: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Renamed::Done(room) => Some(room),
            Renamed::Taken => None,
            Renamed::NotFound => panic!("every room exists"),
        })
        .collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(find(db, "to").await.as_ref(), Some(winners[0]));
    let mut left = 0;
    for n in 0..10 {
        left += usize::from(find(db, &format!("from{n}")).await.is_some());
    }
    assert_eq!(left, 9);
}

async fn rotten_rooms_are_data_loss(db: &Database) {
    let project = ProjectId::trusted("p");
    for (room, rot) in [
        ("metadata", "metadata = '{\"k\":1}'"),
        ("engine", "engine = 7"),
        ("users_accesses", "users_accesses = 'x'"),
    ] {
        db.store.insert_room(&grant("p"), rich(room), 1).await.unwrap();
        db.execute(&format!("UPDATE room SET {rot} WHERE id = '{room}'")).await;
        let error = db.store.find_room(&project, &id(room)).await.unwrap_err();
        assert_eq!(error.code(), Code::DataLoss);
        let log = chain(&error);
        assert!(log.contains(&format!("table `room`, column `{room}`")), "{log}");
        assert_eq!(error.public(), "stored data cannot be read back");
    }
}

async fn a_full_room_is_stored(db: &Database) {
    let long = |n: usize, chars: usize| format!("{n:04}{}", "🦀".repeat(chars - 4));
    let subjects = |mark: usize| -> BTreeMap<String, ScopeList> {
        (0..1000).map(|n| (long(mark + n, 256), scopes(&["*:write"]))).collect()
    };
    let room = RoomDraft {
        users_accesses: subjects(0),
        groups_accesses: subjects(5000),
        metadata: (0..50)
            .map(|n| {
                let texts = (0..50).map(|m| long(m, 256)).collect();
                (long(n, 40), MetadataValue::Many(texts))
            })
            .collect(),
        ..draft(&long(0, 128))
    };
    let raw = room.id.clone();
    let inserted = db.store.insert_room(&grant("p"), room, 1).await.unwrap();
    assert_eq!(find(db, raw.as_str()).await, Some(inserted.room));
    let renamed = db.store.rename_room(&grant("p"), &raw, &id("short")).await.unwrap();
    assert!(matches!(renamed, Renamed::Done(_)));
    assert!(db.store.delete_room(&grant("p"), &id("short")).await.unwrap());
}
