//! Documents: their logs and snapshots, who may write them, and what deletion leaves behind.

use bytes::Bytes;
use roomd::domain::ids::ProjectId;
use roomd::error::{Code, Error};
use roomd::store::{DocumentId, DocumentUpdate, Renamed, RoomKey, Store};

use crate::databases::Database;
use crate::store_rooms::{draft, grant, id};

crate::on_both!(
    a_document_comes_back_as_it_was_written,
    an_append_is_all_or_nothing,
    compaction_keeps_what_came_later,
    a_snapshot_comes_back_in_the_order_of_its_chunks,
    documents_are_listed_page_by_page,
    only_the_last_opener_writes,
    concurrent_openers_leave_one_owner,
    nothing_is_appended_behind_an_opener,
    actors_are_never_given_twice,
    a_renamed_room_keeps_everything,
    a_room_made_again_is_empty,
    a_room_deleted_while_it_is_opened_leaves_no_rows,
    garbage_is_swept_in_bounded_steps,
    appends_of_many_rooms_stay_apart,
    a_fenced_append_takes_no_other_along,
    a_missing_chunk_is_data_loss,
);

fn project() -> ProjectId {
    ProjectId::trusted("p")
}

pub async fn room(db: &Database, raw: &str) -> RoomKey {
    db.store.insert_room(&grant("p"), draft(raw), 1).await.unwrap();
    open(&db.store, raw).await
}

async fn open(store: &Store, raw: &str) -> RoomKey {
    store.open_room_data(&project(), &id(raw), 0).await.unwrap().unwrap().key
}

pub fn updates(document: &DocumentId, entries: &[(i64, &str)]) -> Vec<DocumentUpdate> {
    let update = |(seq, text): &(i64, &str)| DocumentUpdate {
        document: document.clone(),
        seq: *seq,
        payload: Bytes::copy_from_slice(text.as_bytes()),
    };
    entries.iter().map(update).collect()
}

/// Snapshot, log and next number, as text.
async fn load(db: &Database, key: &RoomKey, document: &DocumentId) -> (String, String, i64) {
    let stored = db.store.load_document(key, document).await.unwrap();
    let text = |parts: Vec<Bytes>| {
        let parts: Vec<_> = parts.iter().map(|part| String::from_utf8_lossy(part)).collect();
        parts.join(" ")
    };
    (text(stored.snapshot), text(stored.updates), stored.next_seq)
}

fn state(snapshot: &str, log: &str, next_seq: i64) -> (String, String, i64) {
    (snapshot.to_owned(), log.to_owned(), next_seq)
}

#[track_caller]
fn assert_fenced<T: std::fmt::Debug>(outcome: Result<T, Error>) {
    let error = outcome.unwrap_err();
    assert_eq!((error.code(), error.reason()), (Code::Aborted, "ROOM_FENCED"));
}

async fn a_document_comes_back_as_it_was_written(db: &Database) {
    assert!(db.store.open_room_data(&project(), &id("none"), 0).await.unwrap().is_none());
    let key = room(db, "a").await;
    let (storage, yjs) = (DocumentId::storage(), DocumentId::yjs());
    let sub = DocumentId::subdocument("ünï 🦀").unwrap();
    assert_eq!(load(db, &key, &storage).await, state("", "", 1));
    let mut batch = updates(&storage, &[(1, "a"), (2, "b")]);
    batch.extend(updates(&sub, &[(1, "s")]));
    db.store.append_updates(&key, batch).await.unwrap();
    db.store.append_updates(&key, updates(&storage, &[(3, ""), (10, "c")])).await.unwrap();
    db.store.append_updates(&key, Vec::new()).await.unwrap();
    assert_eq!(load(db, &key, &storage).await, state("", "a b  c", 11));
    assert_eq!(load(db, &key, &sub).await, state("", "s", 2));
    assert_eq!(load(db, &key, &yjs).await, state("", "", 1));
    let bytes = DocumentUpdate { document: yjs, seq: 1, payload: (0..=255).collect() };
    db.store.append_updates(&key, vec![bytes.clone()]).await.unwrap();
    let stored = db.store.load_document(&key, &bytes.document).await.unwrap();
    assert_eq!(stored.updates, [bytes.payload]);
    for guid in ["", "a\0b", &"x".repeat(257)] {
        assert_eq!(DocumentId::subdocument(guid).unwrap_err().code(), Code::InvalidArgument);
    }
}

async fn an_append_is_all_or_nothing(db: &Database) {
    let key = room(db, "a").await;
    let storage = DocumentId::storage();
    db.store.append_updates(&key, updates(&storage, &[(50, "there")])).await.unwrap();
    // One number is taken, in the last of several statements.
    let many: Vec<_> = (1..=50).map(|seq| (seq, "new")).collect();
    let error = db.store.append_updates(&key, updates(&storage, &many)).await.unwrap_err();
    assert_eq!(error.code(), Code::Internal);
    assert_eq!(load(db, &key, &storage).await, state("", "there", 51));
    let many: Vec<_> = (51..=300).map(|seq| (seq, "")).collect();
    db.store.append_updates(&key, updates(&storage, &many)).await.unwrap();
    assert_eq!(db.store.load_document(&key, &storage).await.unwrap().updates.len(), 251);
}

async fn compaction_keeps_what_came_later(db: &Database) {
    let key = room(db, "a").await;
    let (storage, yjs) = (DocumentId::storage(), DocumentId::yjs());
    for document in [&storage, &yjs] {
        let entries = updates(document, &[(1, "a"), (2, "b"), (3, "c")]);
        db.store.append_updates(&key, entries).await.unwrap();
    }
    let chunks = |texts: &[&str]| texts.iter().map(|text| Bytes::from(text.to_string())).collect();
    db.store.compact_document(&key, &storage, 2, chunks(&["A", "B", "C"])).await.unwrap();
    assert_eq!(load(db, &key, &storage).await, state("A B C", "c", 4));
    db.store.compact_document(&key, &storage, 3, chunks(&["D"])).await.unwrap();
    // The numbers go on where they were.
    assert_eq!(load(db, &key, &storage).await, state("D", "", 4));
    assert_eq!(load(db, &key, &yjs).await, state("", "a b c", 4));
}

async fn a_snapshot_comes_back_in_the_order_of_its_chunks(db: &Database) {
    let key = room(db, "a").await;
    let storage = DocumentId::storage();
    let chunks: Vec<Bytes> = (0..12_u8).map(|n| Bytes::from(vec![n; 100_000])).collect();
    db.store.compact_document(&key, &storage, 7, chunks.clone()).await.unwrap();
    assert_eq!(db.store.load_document(&key, &storage).await.unwrap().snapshot, chunks);
}

async fn documents_are_listed_page_by_page(db: &Database) {
    let (key, other) = (room(db, "a").await, room(db, "b").await);
    assert_eq!(db.store.list_documents(&key, None, 10).await.unwrap(), []);
    let mut names = vec![DocumentId::storage(), DocumentId::yjs()];
    names.extend((0..5).map(|n| DocumentId::subdocument(&format!("s{n}")).unwrap()));
    for (n, document) in names.iter().enumerate() {
        let entries = updates(document, &[(1, "a"), (2, "b"), (3, "c")]);
        db.store.append_updates(&key, entries).await.unwrap();
        if n % 2 == 0 {
            db.store.compact_document(&key, document, 3, vec![Bytes::from("A")]).await.unwrap();
        }
    }
    let entries = updates(&DocumentId::subdocument("z").unwrap(), &[(1, "a")]);
    db.store.append_updates(&other, entries).await.unwrap();
    for limit in [1, 3, 7, 8] {
        let mut found: Vec<DocumentId> = Vec::new();
        loop {
            let page = db.store.list_documents(&key, found.last(), limit).await.unwrap();
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            found.extend(page);
        }
        assert_eq!(found, names);
    }
}

async fn only_the_last_opener_writes(db: &Database) {
    let first = room(db, "a").await;
    let storage = DocumentId::storage();
    db.store.append_updates(&first, updates(&storage, &[(1, "first")])).await.unwrap();
    let second = open(&db.reopen().await, "a").await;
    assert!(second.epoch() > first.epoch());
    let late = updates(&storage, &[(2, "late")]);
    assert_fenced(db.store.append_updates(&first, late).await);
    assert_fenced(db.store.compact_document(&first, &storage, 1, Vec::new()).await);
    assert_fenced(db.store.reserve_actors(&first, 1).await);
    db.store.append_updates(&second, updates(&storage, &[(2, "second")])).await.unwrap();
    assert_eq!(load(db, &second, &storage).await, state("", "first second", 3));
    assert!(db.store.delete_room(&grant("p"), &id("a")).await.unwrap());
    let late = updates(&storage, &[(3, "late")]);
    assert_fenced(db.store.append_updates(&second, late).await);
    assert_fenced(db.store.reserve_actors(&second, 1).await);
}

async fn concurrent_openers_leave_one_owner(db: &Database) {
    db.store.insert_room(&grant("p"), draft("a"), 1).await.unwrap();
    let other = db.reopen().await;
    let tasks: Vec<_> = (0..12)
        .map(|n| {
            let store = if n % 2 == 0 { db.store.clone() } else { other.clone() };
            tokio::spawn(async move {
                let key = open(&store, "a").await;
                let entries = updates(&DocumentId::storage(), &[(key.epoch(), "mine")]);
                (key.clone(), store.append_updates(&key, entries).await)
            })
        })
        .collect();
    let mut epochs = Vec::new();
    let mut last = None;
    for task in tasks {
        let (key, outcome) = task.await.unwrap();
        epochs.push(key.epoch());
        if key.epoch() == 12 {
            outcome.unwrap();
            last = Some(key);
        } else if let Err(error) = outcome {
            assert_eq!(error.reason(), "ROOM_FENCED");
        }
    }
    epochs.sort_unstable();
    assert_eq!(epochs, (1..=12).collect::<Vec<_>>());
    let entries = updates(&DocumentId::storage(), &[(13, "more")]);
    db.store.append_updates(&last.unwrap(), entries).await.unwrap();
}

/// What was answered before an opener loads, the opener sees; what it does not see, was refused.
async fn nothing_is_appended_behind_an_opener(db: &Database) {
    for round in 0..8 {
        let raw = format!("r{round}");
        let key = room(db, &raw).await;
        let (started, running) = tokio::sync::oneshot::channel();
        let writer = tokio::spawn(append_until_fenced(db.store.clone(), key, started));
        running.await.unwrap();
        let key = open(&db.store, &raw).await;
        let loaded = db.store.load_document(&key, &DocumentId::storage()).await.unwrap();
        assert_eq!(writer.await.unwrap(), loaded.next_seq);
    }
}

/// Answers the number that was refused.
async fn append_until_fenced(
    store: Store,
    key: RoomKey,
    started: tokio::sync::oneshot::Sender<()>,
) -> i64 {
    let mut started = Some(started);
    for seq in 1.. {
        let entries = updates(&DocumentId::storage(), &[(seq, "x")]);
        if let Err(error) = store.append_updates(&key, entries).await {
            assert_eq!(error.reason(), "ROOM_FENCED");
            return seq;
        }
        if seq == 10 {
            started.take().unwrap().send(()).unwrap();
        }
    }
    unreachable!()
}

async fn actors_are_never_given_twice(db: &Database) {
    let key = room(db, "a").await;
    assert_eq!(db.store.reserve_actors(&key, 3).await.unwrap(), 1..4);
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let (store, key) = (db.store.clone(), key.clone());
            tokio::spawn(async move { store.reserve_actors(&key, 5).await.unwrap() })
        })
        .collect();
    let mut given = Vec::new();
    for task in tasks {
        given.extend(task.await.unwrap());
    }
    given.sort_unstable();
    assert_eq!(given, (4..104).collect::<Vec<_>>());
    // In the middle: nothing comes back. At the end: it does.
    db.store.release_actors(&key, 50..60).await.unwrap();
    assert_eq!(db.store.reserve_actors(&key, 10).await.unwrap(), 104..114);
    db.store.release_actors(&key, 107..114).await.unwrap();
    let again = open(&db.store, "a").await;
    db.store.release_actors(&key, 1..107).await.unwrap();
    assert_eq!(db.store.reserve_actors(&again, 1).await.unwrap(), 107..108);
}

async fn a_renamed_room_keeps_everything(db: &Database) {
    let key = room(db, "a").await;
    let storage = DocumentId::storage();
    db.store.append_updates(&key, updates(&storage, &[(1, "a")])).await.unwrap();
    let renamed = db.store.rename_room(&grant("p"), &id("a"), &id("b")).await.unwrap();
    assert!(matches!(renamed, Renamed::Done(_)));
    // Whoever has it open goes on.
    db.store.append_updates(&key, updates(&storage, &[(2, "b")])).await.unwrap();
    assert!(db.store.open_room_data(&project(), &id("a"), 0).await.unwrap().is_none());
    let key = open(&db.store, "b").await;
    assert_eq!(load(db, &key, &storage).await, state("", "a b", 3));
    let other = room(db, "a").await;
    assert_eq!(load(db, &other, &storage).await, state("", "", 1));
}

async fn a_room_made_again_is_empty(db: &Database) {
    let old = room(db, "a").await;
    let storage = DocumentId::storage();
    db.store.append_updates(&old, updates(&storage, &[(1, "old")])).await.unwrap();
    db.store.reserve_actors(&old, 9).await.unwrap();
    assert!(db.store.delete_room(&grant("p"), &id("a")).await.unwrap());
    let new = room(db, "a").await;
    assert_eq!(load(db, &new, &storage).await, state("", "", 1));
    assert_fenced(db.store.append_updates(&old, updates(&storage, &[(2, "old")])).await);
    db.store.append_updates(&new, updates(&storage, &[(1, "new")])).await.unwrap();
    assert_eq!(db.store.reserve_actors(&new, 1).await.unwrap(), 1..2);
    while db.store.sweep_garbage(100).await.unwrap() > 0 {}
    assert_eq!(load(db, &new, &storage).await, state("", "new", 2));
    assert_eq!(load(db, &old, &storage).await, state("", "", 1));
}

async fn a_room_deleted_while_it_is_opened_leaves_no_rows(db: &Database) {
    for _ in 0..20 {
        db.store.insert_room(&grant("p"), draft("a"), 1).await.unwrap();
        let store = db.store.clone();
        let writer = tokio::spawn(async move {
            let data = store.open_room_data(&project(), &id("a"), 0).await.unwrap()?;
            let entries = updates(&DocumentId::storage(), &[(1, "x")]);
            Some((store.append_updates(&data.key, entries).await, data.key))
        });
        assert!(db.store.delete_room(&grant("p"), &id("a")).await.unwrap());
        let written = writer.await.unwrap();
        while db.store.sweep_garbage(10).await.unwrap() > 0 {}
        if let Some((_, key)) = written {
            assert_eq!(load(db, &key, &DocumentId::storage()).await, state("", "", 1));
        }
    }
}

async fn garbage_is_swept_in_bounded_steps(db: &Database) {
    let storage = DocumentId::storage();
    for raw in ["a", "b"] {
        let key = room(db, raw).await;
        let entries: Vec<_> = (1..=25).map(|seq| (seq, "x")).collect();
        db.store.append_updates(&key, updates(&storage, &entries)).await.unwrap();
        db.store.compact_document(&key, &storage, 4, vec![Bytes::from("A"); 4]).await.unwrap();
        assert!(db.store.delete_room(&grant("p"), &id(raw)).await.unwrap());
    }
    let kept = room(db, "kept").await;
    db.store.append_updates(&kept, updates(&storage, &[(1, "x")])).await.unwrap();
    let mut steps = Vec::new();
    while steps.last() != Some(&0) {
        steps.push(db.store.sweep_garbage(10).await.unwrap());
    }
    // Two rooms of 21 updates, 4 chunks and a key each.
    assert_eq!(steps, [10, 10, 6, 10, 10, 6, 0]);
    assert_eq!(load(db, &kept, &storage).await, state("", "x", 2));
}

async fn appends_of_many_rooms_stay_apart(db: &Database) {
    let mut tasks = Vec::new();
    for n in 0..20 {
        let (key, store) = (room(db, &format!("r{n}")).await, db.store.clone());
        tasks.push(tokio::spawn(async move {
            for round in 0..10 {
                let text = format!("{n}.{round}");
                let entries = [(2 * round + 1, text.as_str()), (2 * round + 2, "")];
                let entries = updates(&DocumentId::storage(), &entries);
                store.append_updates(&key, entries).await.unwrap();
            }
            key
        }));
    }
    for (n, task) in tasks.into_iter().enumerate() {
        let key = task.await.unwrap();
        let expected: Vec<_> = (0..10).map(|round| format!("{n}.{round} ")).collect();
        let loaded = load(db, &key, &DocumentId::storage()).await;
        assert_eq!(loaded, state("", &expected.join(" "), 21));
    }
}

async fn a_fenced_append_takes_no_other_along(db: &Database) {
    let mut keys = Vec::new();
    for n in 0..20 {
        keys.push(room(db, &format!("r{n}")).await);
    }
    for n in (0..20).step_by(3) {
        open(&db.store, &format!("r{n}")).await;
    }
    let tasks: Vec<_> = keys
        .iter()
        .map(|key| {
            let (store, key) = (db.store.clone(), key.clone());
            let entries = updates(&DocumentId::storage(), &[(1, "a"), (2, "b")]);
            tokio::spawn(async move { store.append_updates(&key, entries).await })
        })
        .collect();
    for (n, task) in tasks.into_iter().enumerate() {
        let outcome = task.await.unwrap();
        let loaded = load(db, &keys[n], &DocumentId::storage()).await;
        if n % 3 == 0 {
            assert_fenced(outcome);
            assert_eq!(loaded, state("", "", 1));
        } else {
            outcome.unwrap();
            assert_eq!(loaded, state("", "a b", 3));
        }
    }
}

async fn a_missing_chunk_is_data_loss(db: &Database) {
    let key = room(db, "a").await;
    let storage = DocumentId::storage();
    db.store.compact_document(&key, &storage, 4, vec![Bytes::from("A"); 4]).await.unwrap();
    db.execute("DELETE FROM document_snapshot WHERE chunk = 2").await;
    let error = db.store.load_document(&key, &storage).await.unwrap_err();
    assert_eq!(error.code(), Code::DataLoss);
}
