//! Many people at once on one thread: what holds for one holds for all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use roomd::domain::comment::{Deleted, Thread, Visibility};
use roomd::error::Error;
use roomd::store::{CommentScope, Store};
use serde_json::json;

use crate::databases::Database;
use crate::store_comments::{edit, emoji, patch, place, reacts};
use crate::store_threads::{comment, create, get, says, scope, thread, thread_id, user};

crate::on_both!(
    a_crowd_on_one_thread_keeps_every_invariant,
    one_of_many_equal_reactions_is_the_first,
    the_last_of_many_deletions_takes_the_thread_along,
);

const PEOPLE: usize = 8;
const ROUNDS: usize = 6;
const EMOJI: [&str; 3] = ["👍", "❤️", "🎉"];

fn own(person: usize, round: usize) -> String {
    format!("cm_{person}_{round}")
}

/// Whether it was done; an error that the crowd explains is no failure.
fn done<T>(outcome: Result<T, Error>) -> bool {
    match outcome {
        Ok(_) => true,
        Err(error) => {
            let reason = error.reason();
            assert!(["RESOURCE_NOT_FOUND", "RESOURCE_ALREADY_EXISTS"].contains(&reason), "{error}");
            false
        }
    }
}

/// What one of the crowd did, by what came of it.
#[derive(Debug, Default)]
struct Did {
    edits: BTreeMap<String, String>,
    deleted: BTreeSet<String>,
    added: i64,
    removed: i64,
    keys: BTreeSet<String>,
}

async fn person(store: &Store, scope: &CommentScope, number: usize) -> Did {
    let (name, mut did) = (format!("user-{number}"), Did::default());
    let shared = place("th_x", "cm_x");
    for round in 0..ROUNDS {
        let id = own(number, round);
        let draft = comment(&id, &name, "first");
        assert!(store.create_comment(scope, &thread_id("th_x"), &draft, 10).await.unwrap().is_new);
        let text = format!("{name} in round {round}");
        let mine = place("th_x", &id);
        store.edit_comment(scope, &mine, &edit(&text), 11).await.unwrap();
        did.edits.insert(id.clone(), text);
        // All of them write the same comment, react to it, and take back what they may have added.
        store.edit_comment(scope, &shared, &edit(&name), 12).await.unwrap();
        let key = format!("{number}-{round}");
        let given = patch(json!({ &key: round }));
        store.edit_comment_metadata(scope, &shared, &given, 13).await.unwrap();
        did.keys.insert(key);
        // Two share each name, so they get into each other's way.
        let who = format!("user-{}", number / 2);
        let raw = EMOJI[(number + round) % EMOJI.len()];
        let added = store.add_reaction(scope, &shared, &reacts(raw, &who), 14).await;
        did.added += i64::from(done(added));
        if round % 2 == 0 {
            let taken = (&emoji(raw), &user(&who));
            did.removed += i64::from(done(store.remove_reaction(scope, &shared, taken, 15).await));
        }
        if round % 3 == 0 {
            let deleted = store.delete_comment(scope, &mine, 16).await.unwrap();
            assert_eq!(deleted.value, Deleted::Comment);
            did.deleted.insert(id);
        }
    }
    did
}

/// Reads while others write: it never gets older, and is whole at every time.
async fn watch(db_store: &Store, scope: &CommentScope, mut last: Thread) {
    while last.comments.len() < 1 + PEOPLE * ROUNDS {
        let found = db_store.find_thread(&scope.view, &thread_id("th_x")).await.unwrap().unwrap();
        assert!(found.updated_at_ms >= last.updated_at_ms, "time went back");
        assert!(found.comments.len() >= last.comments.len(), "a comment vanished");
        one_reaction_of_each(&found);
        last = found;
        tokio::task::yield_now().await;
    }
}

fn one_reaction_of_each(thread: &Thread) {
    for comment in &thread.comments {
        let all = comment.reactions.iter();
        let distinct: BTreeSet<_> = all.map(|one| (&one.emoji, &one.user_id)).collect();
        assert_eq!(distinct.len(), comment.reactions.len());
        assert_eq!(comment.body.is_none(), comment.deleted_at_ms.is_some());
    }
}

async fn a_crowd_on_one_thread_keeps_every_invariant(db: &Database) {
    let scope = scope(db, "a").await;
    let made = create(db, &scope, &thread("x", Visibility::Public, json!({})), 1).await;
    let (store, scope) = (db.store.clone(), Arc::new(scope));
    let people: Vec<_> = (0..PEOPLE)
        .map(|number| {
            let (store, scope) = (store.clone(), Arc::clone(&scope));
            tokio::spawn(async move { person(&store, &scope, number).await })
        })
        .collect();
    let watcher = {
        let (store, scope) = (store.clone(), Arc::clone(&scope));
        tokio::spawn(async move { watch(&store, &scope, made).await })
    };
    let mut all = Did::default();
    for one in people {
        let did = one.await.unwrap();
        all.edits.extend(did.edits);
        all.deleted.extend(did.deleted);
        all.keys.extend(did.keys);
        all.added += did.added;
        all.removed += did.removed;
    }
    watcher.await.unwrap();

    let found = get(db, &scope.view, "th_x").await.unwrap();
    one_reaction_of_each(&found);
    assert_eq!(found.comments.len(), 1 + PEOPLE * ROUNDS);
    let shared = found.comments.iter().find(|comment| comment.id.as_str() == "cm_x").unwrap();
    let keys: BTreeSet<String> = shared.metadata.iter().map(|(key, _)| key.to_owned()).collect();
    assert_eq!(keys, all.keys, "no merge was lost");
    let reactions = i64::try_from(shared.reactions.len()).unwrap();
    assert_eq!(reactions, all.added - all.removed);
    for comment in found.comments.iter().filter(|comment| comment.id.as_str() != "cm_x") {
        let id = comment.id.as_str();
        assert_eq!(comment.deleted_at_ms.is_some(), all.deleted.contains(id), "{id}");
        let expected = (!all.deleted.contains(id)).then(|| says(&all.edits[id]));
        assert_eq!(comment.body, expected, "{id}");
    }
    // Each of them made a change of its own, a millisecond after the one before at least.
    let per_round = 4;
    let changes = PEOPLE * (ROUNDS * per_round + ROUNDS / 3);
    let changes = i64::try_from(changes).unwrap() + all.added + all.removed;
    assert!(found.updated_at_ms >= changes, "{} after {changes}", found.updated_at_ms);
    counts_are_right(db, &scope, &found).await;
}

/// What the thread's row counts is what there is: deleting the living one by one ends with it.
async fn counts_are_right(db: &Database, scope: &CommentScope, found: &Thread) {
    let living: Vec<&str> = found
        .comments
        .iter()
        .filter(|comment| comment.deleted_at_ms.is_none())
        .map(|comment| comment.id.as_str())
        .collect();
    for (index, id) in living.iter().enumerate() {
        let deleted = db.store.delete_comment(scope, &place("th_x", id), 20).await.unwrap();
        let is_last = index + 1 == living.len();
        assert_eq!(deleted.value == Deleted::CommentAndThread, is_last, "{index}");
    }
    assert_eq!(get(db, &scope.view, "th_x").await, None);
}

async fn one_of_many_equal_reactions_is_the_first(db: &Database) {
    let scope = Arc::new(scope(db, "a").await);
    create(db, &scope, &thread("x", Visibility::Public, json!({})), 1).await;
    let tries: Vec<_> = (0..16)
        .map(|_| {
            let (store, scope) = (db.store.clone(), Arc::clone(&scope));
            tokio::spawn(async move {
                let at = place("th_x", "cm_x");
                done(store.add_reaction(&scope, &at, &reacts("👍", "bob"), 5).await)
            })
        })
        .collect();
    let mut firsts = 0;
    for one in tries {
        firsts += u32::from(one.await.unwrap());
    }
    assert_eq!(firsts, 1);
    let found = get(db, &scope.view, "th_x").await.unwrap();
    assert_eq!(found.comments[0].reactions.len(), 1);
}

async fn the_last_of_many_deletions_takes_the_thread_along(db: &Database) {
    let scope = Arc::new(scope(db, "a").await);
    create(db, &scope, &thread("x", Visibility::Public, json!({})), 1).await;
    for number in 0..7 {
        let draft = comment(&own(number, 0), "bob", "x");
        db.store.create_comment(&scope, &thread_id("th_x"), &draft, 2).await.unwrap();
    }
    let ids = (0..7).map(|number| own(number, 0)).chain(["cm_x".to_owned()]);
    let deletions: Vec<_> = ids
        .map(|id| {
            let (store, scope) = (db.store.clone(), Arc::clone(&scope));
            tokio::spawn(async move { store.delete_comment(&scope, &place("th_x", &id), 3).await })
        })
        .collect();
    let mut threads = 0;
    for one in deletions {
        threads += u32::from(one.await.unwrap().unwrap().value == Deleted::CommentAndThread);
    }
    assert_eq!(threads, 1);
    assert_eq!(get(db, &scope.view, "th_x").await, None);
}
