//! Durability, group commit and the cache, as far as they show from outside.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use roomd::domain::ids::ProjectId;
use roomd::error::Code;
use roomd::store::{DatabaseOptions, Store, Target};

use crate::databases::Database;
use crate::store_rooms::{draft, find, grant, id, open, patch};

crate::on_both!(
    an_answered_write_survives_a_store_that_is_dropped,
    a_write_whose_caller_left_is_complete,
    readers_never_see_less_than_was_answered,
    another_nodes_write_shows_after_invalidation,
    without_a_cache_reads_still_work,
    calls_after_close_are_unavailable,
);

async fn an_answered_write_survives_a_store_that_is_dropped(db: &Database) {
    let other = db.reopen().await;
    other.insert_room(&grant("p"), draft("a"), 1).await.unwrap();
    // Not closed: whatever was answered must be in the file by now.
    drop(other);
    let third = db.reopen().await;
    let room = third.find_room(&ProjectId::trusted("p"), &id("a")).await.unwrap();
    assert!(room.is_some());
}

async fn a_write_whose_caller_left_is_complete(db: &Database) {
    for n in 0..50_u64 {
        let (store, room) = (db.store.clone(), format!("r{n}"));
        let insert =
            tokio::spawn(
                async move { store.insert_room(&grant("p"), draft(&room), 1).await.map(drop) },
            );
        tokio::time::sleep(Duration::from_micros(40 * n)).await;
        insert.abort();
        drop(insert.await);
    }
    for n in 0..50 {
        // Each is there or not, in the cache as in the database, and can still be written.
        let room = format!("r{n}");
        let inserted = db.store.insert_room(&grant("p"), draft(&room), 2).await.unwrap();
        assert_eq!(find(db, &room).await, Some(inserted.room));
    }
}

async fn readers_never_see_less_than_was_answered(db: &Database) {
    let project = ProjectId::trusted("p");
    db.store.insert_room(&grant("p"), draft("a"), 1).await.unwrap();
    let (answered, last) = tokio::sync::watch::channel(0_i64);
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (store, project, last) = (db.store.clone(), project.clone(), last.clone());
            tokio::spawn(async move {
                loop {
                    let least = *last.borrow();
                    let room = open(store.find_room(&project, &id("a")).await.unwrap()).unwrap();
                    let seen = room.last_connection_at_ms.unwrap_or(0);
                    assert!(seen >= least, "saw {seen} after {least} was answered");
                    if least == 200 {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for now_ms in 1..=200 {
        db.store.touch_room_connection(&project, &id("a"), now_ms).await.unwrap();
        answered.send(now_ms).unwrap();
    }
    for reader in readers {
        reader.await.unwrap();
    }
}

async fn another_nodes_write_shows_after_invalidation(db: &Database) {
    let project = ProjectId::trusted("p");
    db.store.insert_room(&grant("p"), draft("a"), 1).await.unwrap();
    find(db, "a").await.unwrap();
    let other = db.reopen().await;
    other.touch_room_connection(&project, &id("a"), 77).await.unwrap();
    db.store.invalidate_room(&project, &id("a"));
    assert_eq!(find(db, "a").await.unwrap().last_connection_at_ms, Some(77));
}

async fn without_a_cache_reads_still_work(db: &Database) {
    let mut options = db.options.clone();
    options.cache_bytes_max = 0;
    let store = Store::open(options).await.unwrap();
    store.insert_room(&grant("p"), draft("a"), 1).await.unwrap();
    for _ in 0..2 {
        assert!(store.find_room(&ProjectId::trusted("p"), &id("a")).await.unwrap().is_some());
    }
}

async fn calls_after_close_are_unavailable(db: &Database) {
    let store = db.reopen().await;
    store.insert_room(&grant("p"), draft("a"), 1).await.unwrap();
    store.close().await;
    let error = store.insert_room(&grant("p"), draft("b"), 1).await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    let error = store.find_room(&ProjectId::trusted("p"), &id("a")).await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert_eq!(store.ping().await.unwrap_err().code(), Code::Unavailable);
}

/// Errors that had written nothing, and ones that had, among writes that must all stay.
#[tokio::test(flavor = "multi_thread")]
async fn a_failing_write_in_a_group_leaves_the_others_alone() {
    let db = Database::sqlite().await;
    let tasks: Vec<_> = (0..200)
        .map(|n| {
            let store = db.store.clone();
            tokio::spawn(async move {
                if n % 10 == 7 {
                    // No such project: the statement itself fails inside of the group.
                    let key = orphan_key(n);
                    store.insert_api_key(&key).await.map(drop)
                } else {
                    store.insert_room(&grant("p"), draft(&format!("r{n}")), n).await.map(drop)
                }
            })
        })
        .collect();
    for (n, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.await.unwrap().is_err(), n % 10 == 7, "write {n}");
    }
    for n in 0..200 {
        assert_eq!(find(&db, &format!("r{n}")).await.is_some(), n % 10 != 7, "room {n}");
    }
    let stats = db.store.pool_stats();
    assert!(stats.group_commits < stats.grouped_writes, "{stats:?}");
}

fn orphan_key(n: i64) -> roomd::store::ApiKey {
    roomd::store::ApiKey {
        project_id: ProjectId::trusted("nowhere"),
        id: format!("key_{n}"),
        kind: roomd::store::ApiKeyKind::Public,
        hash: [u8::try_from(n).unwrap(); 32],
        hint: String::new(),
        created_at_ms: n,
        revoked_at_ms: None,
    }
}

#[tokio::test]
async fn the_file_is_private_and_its_directory_made() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a/b/roomd.db");
    let options = DatabaseOptions::new(Target::Sqlite { path: path.clone() });
    let store = Store::open(options).await.unwrap();
    store.insert_room(&grant("p"), draft("a"), 1).await.unwrap();
    for name in ["roomd.db", "roomd.db-wal"] {
        let mode = std::fs::metadata(path.with_file_name(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_path_that_cannot_be_a_file_is_explained() {
    let directory = tempfile::tempdir().unwrap();
    let options = DatabaseOptions::new(Target::Sqlite { path: directory.path().to_path_buf() });
    let error = Store::open(options).await.unwrap_err();
    assert_eq!(error.reason(), "DATABASE_UNUSABLE");
    assert!(error.public().contains(&directory.path().display().to_string()), "{error}");

    let path = directory.path().join("garbage.db");
    std::fs::write(&path, vec![7; 8192]).unwrap();
    let error = Store::open(DatabaseOptions::new(Target::Sqlite { path })).await.unwrap_err();
    assert_eq!(error.reason(), "DATABASE_UNUSABLE");
}

/// Another process that holds the write lock delays writes; it does not fail them.
#[tokio::test(flavor = "multi_thread")]
async fn another_process_may_write_too() {
    let db = Database::sqlite().await;
    let other = db.reopen().await;
    let both = [db.store.clone(), other];
    let tasks: Vec<_> = (0..100)
        .map(|n| {
            let store = both[n % 2].clone();
            let room = format!("r{n}");
            tokio::spawn(async move { store.insert_room(&grant("p"), draft(&room), 1).await })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap().unwrap().created);
    }
    assert!(db.store.update_room(&grant("p"), &id("r99"), patch()).await.unwrap().is_some());
}
