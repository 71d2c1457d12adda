//! Comments that come at once and are added together, which must not be seen in any of them.

use std::collections::BTreeSet;

use roomd::domain::comment::Visibility;
use roomd::domain::permissions::Level;
use roomd::error::Code;
use roomd::store::{CommentScope, ThreadView};
use serde_json::json;

use crate::databases::Database;
use crate::store_threads::{comment, create, get, rights, scope, thread, thread_id};

const THREADS: usize = 5;
const COMMENTS: usize = 150;

crate::on_both!(
    comments_that_come_at_once_are_all_there,
    comments_that_cannot_be_added_leave_the_others_alone,
    comments_that_come_twice_are_there_once,
);

/// What became of each comment: whether it is new, or the error's code. The n-th is sent to the
/// thread, with the id and in the room that `place` says.
async fn say_at_once(
    db: &Database,
    place: impl Fn(usize) -> (CommentScope, String, String),
) -> Vec<Result<bool, Code>> {
    let calls: Vec<_> = (0..COMMENTS)
        .map(|n| {
            let (store, (scope, to, id)) = (db.store.clone(), place(n));
            let what = comment(&id, "ann", &format!("text of {id}"));
            tokio::spawn(async move {
                let made = store.create_comment(&scope, &thread_id(&to), &what, 100).await;
                made.map(|made| made.is_new).map_err(|error| error.code())
            })
        })
        .collect();
    let mut outcomes = Vec::new();
    for call in calls {
        outcomes.push(call.await.unwrap());
    }
    outcomes
}

async fn threads(db: &Database) -> CommentScope {
    let scope = scope(db, "a").await;
    for number in 0..THREADS {
        let draft = thread(&format!("{number}"), Visibility::Public, json!({"n": number}));
        create(db, &scope, &draft, 7).await;
    }
    scope
}

async fn comments_that_come_at_once_are_all_there(db: &Database) {
    let scope = threads(db).await;
    let place = |n: usize| (scope.clone(), format!("th_{}", n % THREADS), format!("cm_new-{n}"));
    let outcomes = say_at_once(db, place).await;
    assert!(outcomes.iter().all(|outcome| *outcome == Ok(true)), "{outcomes:?}");
    for number in 0..THREADS {
        let there = get(db, &scope.view, &format!("th_{number}")).await.unwrap();
        assert_eq!(there.metadata, thread("x", Visibility::Public, json!({"n": number})).metadata);
        assert_eq!((there.created_at_ms, there.visibility), (7, Visibility::Public));
        let of_thread = COMMENTS / THREADS;
        assert_eq!(there.comments.len(), 1 + of_thread);
        let ids: BTreeSet<_> = there.comments.iter().map(|comment| &comment.id).collect();
        assert_eq!(ids.len(), there.comments.len());
        for said in &there.comments[1..] {
            let text = format!("text of {}", said.id);
            assert_eq!(said.body, Some(comment("cm_x", "ann", &text).body));
            assert_eq!(said.created_at_ms, 100);
        }
        // Each of them moved it on, also those that came within one millisecond.
        let last = 100 + i64::try_from(of_thread).unwrap() - 1;
        assert_eq!(there.updated_at_ms, last);
    }
    let stats = db.store.pool_stats();
    assert!(stats.group_commits <= stats.grouped_writes, "{stats:?}");
}

async fn comments_that_cannot_be_added_leave_the_others_alone(db: &Database) {
    let scope = threads(db).await;
    let none = rights(db, "a", &["*:write", "comments:none"], Level::Read).await;
    let blind = ThreadView { right: none, ..scope.view.clone() };
    let blind = CommentScope { view: blind, ..scope.clone() };
    let mute = CommentScope { writable: none, ..scope.clone() };
    let outcomes = say_at_once(db, |n| match n % 4 {
        0 => (scope.clone(), "th_none".to_owned(), format!("cm_new-{n}")),
        1 => (blind.clone(), "th_1".to_owned(), format!("cm_new-{n}")),
        2 => (mute.clone(), "th_1".to_owned(), format!("cm_new-{n}")),
        _ => (scope.clone(), "th_1".to_owned(), format!("cm_new-{n}")),
    })
    .await;
    for (n, outcome) in outcomes.into_iter().enumerate() {
        let expected = match n % 4 {
            0 | 1 => Err(Code::NotFound),
            2 => Err(Code::PermissionDenied),
            _ => Ok(true),
        };
        assert_eq!(outcome, expected, "{n}");
    }
    let there = get(db, &scope.view, "th_1").await.unwrap();
    assert_eq!(there.comments.len(), 1 + COMMENTS / 4);
}

async fn comments_that_come_twice_are_there_once(db: &Database) {
    let scope = threads(db).await;
    let place = |n: usize| (scope.clone(), "th_2".to_owned(), format!("cm_new-{}", n / 2));
    let outcomes = say_at_once(db, place).await;
    let new = outcomes.iter().filter(|outcome| **outcome == Ok(true)).count();
    let same = outcomes.iter().filter(|outcome| **outcome == Ok(false)).count();
    assert_eq!((new, same), (COMMENTS / 2, COMMENTS / 2));
    let there = get(db, &scope.view, "th_2").await.unwrap();
    assert_eq!(there.comments.len(), 1 + COMMENTS / 2);
}
