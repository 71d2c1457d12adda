//! Threads: what is made is read back, once, by those who may read it.

use std::sync::Arc;

use roomd::domain::comment::{
    Comment, CommentBody, CommentDraft, CommentMetadata, Thread, ThreadDraft, Visibility,
};
use roomd::domain::content_id::{CommentId, ThreadId};
use roomd::domain::ctx::{Actor, Caller, Clock, Ctx, ThreadRight, TokenTimes, User, UserRights};
use roomd::domain::ids::{OrganizationId, ProjectId, UserId};
use roomd::domain::permissions::{AccessPatterns, Level};
use roomd::error::Code;
use roomd::store::{CommentScope, Target, ThreadView};
use serde_json::{Value, json};

use crate::databases::Database;
use crate::store_documents::room;
use crate::store_rooms::{find, grant, id};

crate::on_both!(
    a_thread_comes_back_as_it_was_written,
    what_is_sent_twice_is_made_once,
    an_id_is_taken_once,
    a_thread_of_the_other_visibility_does_not_exist,
    a_thread_that_may_only_be_read_takes_no_comment,
    changes_have_times_that_grow,
    comments_come_in_the_order_in_which_they_came,
    threads_go_with_their_room,
);

pub fn thread_id(raw: &str) -> ThreadId {
    ThreadId::parse("id", raw).unwrap()
}

pub fn comment_id(raw: &str) -> CommentId {
    CommentId::parse("id", raw).unwrap()
}

pub fn user(raw: &str) -> UserId {
    UserId::parse("userId", raw).unwrap()
}

pub fn says(text: &str) -> CommentBody {
    let content = json!([{"type": "paragraph", "children": [{ "text": text }]}]);
    CommentBody::from_json("body", json!({"version": 1, "content": content})).unwrap()
}

pub fn metadata(value: Value) -> CommentMetadata {
    CommentMetadata::from_json("metadata", value.as_object().unwrap().clone()).unwrap()
}

pub fn comment(raw: &str, author: &str, text: &str) -> CommentDraft {
    CommentDraft {
        id: comment_id(raw),
        user_id: user(author),
        body: says(text),
        metadata: CommentMetadata::default(),
        attachment_ids: Vec::new(),
        created_at_ms: None,
    }
}

/// Thread `th_{name}` of `ann` with comment `cm_{name}`.
pub fn thread(name: &str, visibility: Visibility, given: Value) -> ThreadDraft {
    ThreadDraft {
        id: thread_id(&format!("th_{name}")),
        visibility,
        metadata: metadata(given),
        comment: comment(&format!("cm_{name}"), "ann", name),
    }
}

/// What a token with these scopes may do in the room.
pub async fn rights(db: &Database, raw: &str, scopes: &[&str], level: Level) -> ThreadRight {
    let patterns = AccessPatterns::parse("permissions", [("*", scopes)]).unwrap();
    let caller = Caller {
        project: ProjectId::trusted("p"),
        actor: Actor::User(Arc::new(User {
            id: user("eve"),
            info: None,
            organization_id: OrganizationId::default(),
            rights: UserRights::Patterns(patterns),
        })),
    };
    let ctx = Ctx {
        caller: Some(caller),
        request_id: "r".into(),
        deadline: None,
        clock: Clock::system(),
        origin: None,
        token: TokenTimes::default(),
    };
    ctx.threads(&find(db, raw).await.unwrap(), level).unwrap()
}

/// A back end's view of a new room, or of one that is there.
pub async fn scope(db: &Database, raw: &str) -> CommentScope {
    let key = room(db, raw).await.data().clone();
    let right = ThreadRight::system();
    let view = ThreadView { key, room_id: id(raw), right };
    let room = find(db, raw).await.unwrap();
    CommentScope { view, writable: right, room, actor: None, owner: None }
}

pub async fn create(db: &Database, scope: &CommentScope, draft: &ThreadDraft, at: i64) -> Thread {
    let made = db.store.create_thread(scope, draft, at).await.unwrap();
    assert!(made.is_new);
    made.value
}

pub async fn say(db: &Database, scope: &CommentScope, to: &str, what: &CommentDraft) -> Comment {
    db.store.create_comment(scope, &thread_id(to), what, 5).await.unwrap().value
}

pub async fn get(db: &Database, view: &ThreadView, raw: &str) -> Option<Thread> {
    db.store.find_thread(view, &thread_id(raw)).await.unwrap()
}

async fn a_thread_comes_back_as_it_was_written(db: &Database) {
    let (scope, other) = (scope(db, "a").await, scope(db, "b").await);
    let mut draft = thread("x", Visibility::Private, json!({"é": "ü", "n": -0.5, "b": true}));
    draft.comment.metadata = metadata(json!({"k": 7}));
    let made = create(db, &scope, &draft, 7).await;
    let first = &made.comments[0];
    assert_eq!((made.created_at_ms, made.updated_at_ms, first.created_at_ms), (7, 7, 7));
    assert_eq!((made.created_by.as_str(), made.room_id.as_str()), ("ann", "a"));
    assert_eq!(first.body, Some(draft.comment.body.clone()));
    assert_eq!(get(db, &scope.view, "th_x").await.as_ref(), Some(&made));
    let found = db.store.find_comment(&scope.view, &made.id, &first.id).await.unwrap();
    assert_eq!(found.as_ref(), Some(first));
    assert_eq!(get(db, &other.view, "th_x").await, None, "another room's");

    let old = CommentDraft { created_at_ms: Some(-3), ..comment("cm_old", "bob", "long ago") };
    let said = say(db, &scope, "th_x", &old).await;
    assert_eq!(said.created_at_ms, -3);
    let now = get(db, &scope.view, "th_x").await.unwrap();
    assert_eq!(now.comments, [said, made.comments[0].clone()], "by when they were written");
    let ids: Vec<ThreadId> = ["th_x", "th_none"].map(thread_id).into();
    assert_eq!(db.store.find_threads(&scope.view, &ids).await.unwrap(), [now]);
}

async fn what_is_sent_twice_is_made_once(db: &Database) {
    let scope = scope(db, "a").await;
    let draft = thread("x", Visibility::Public, json!({"a": "1"}));
    let made = create(db, &scope, &draft, 1).await;
    let again = db.store.create_thread(&scope, &draft, 9).await.unwrap();
    assert_eq!((again.value, again.is_new), (made.clone(), false));
    let reply = comment("cm_y", "bob", "y");
    let said = say(db, &scope, "th_x", &reply).await;
    let again = db.store.create_comment(&scope, &made.id, &reply, 9).await.unwrap();
    assert_eq!((again.value, again.is_new), (said, false));
    let now = get(db, &scope.view, "th_x").await.unwrap();
    assert_eq!((now.comments.len(), now.updated_at_ms), (2, 5));
}

async fn an_id_is_taken_once(db: &Database) {
    let scope = scope(db, "a").await;
    create(db, &scope, &thread("x", Visibility::Public, json!({})), 1).await;
    create(db, &scope, &thread("y", Visibility::Public, json!({})), 1).await;
    let edited = |edit: &dyn Fn(&mut ThreadDraft)| {
        let mut draft = thread("x", Visibility::Public, json!({}));
        edit(&mut draft);
        draft
    };
    for draft in [
        edited(&|draft| draft.visibility = Visibility::Private),
        edited(&|draft| draft.comment.user_id = user("bob")),
        edited(&|draft| draft.comment.body = says("else")),
        edited(&|draft| draft.comment.id = comment_id("cm_new")),
    ] {
        let error = db.store.create_thread(&scope, &draft, 9).await.unwrap_err();
        assert_eq!(error.reason(), "RESOURCE_ALREADY_EXISTS", "{draft:?}");
    }
    let theirs = comment("cm_x", "ann", "else");
    let error = db.store.create_comment(&scope, &thread_id("th_x"), &theirs, 9).await.unwrap_err();
    assert_eq!(error.reason(), "RESOURCE_ALREADY_EXISTS");
    assert_eq!(get(db, &scope.view, "th_x").await.unwrap().comments.len(), 1);
}

async fn a_thread_of_the_other_visibility_does_not_exist(db: &Database) {
    let all = scope(db, "a").await;
    create(db, &all, &thread("open", Visibility::Public, json!({})), 1).await;
    create(db, &all, &thread("shut", Visibility::Private, json!({})), 1).await;
    let ids: Vec<ThreadId> = ["th_open", "th_shut"].map(thread_id).into();
    for (scopes, seen) in [
        (&["*:write"][..], &["th_open", "th_shut"][..]),
        (&["*:write", "comments:private:none"], &["th_open"]),
        (&["*:write", "comments:public:none"], &["th_shut"]),
        (&["*:write", "comments:none"], &[]),
    ] {
        let right = rights(db, "a", scopes, Level::Read).await;
        let writable = rights(db, "a", scopes, Level::Write).await;
        let view = ThreadView { right, ..all.view.clone() };
        let scope = CommentScope { view: view.clone(), writable, ..all.clone() };
        let mut found: Vec<String> = Vec::new();
        for thread in db.store.find_threads(&view, &ids).await.unwrap() {
            found.push(thread.id.to_string());
        }
        found.sort();
        assert_eq!(found, seen, "{scopes:?}");
        for name in ["open", "shut"] {
            let (thread, first) = (format!("th_{name}"), comment_id(&format!("cm_{name}")));
            let is_seen = seen.contains(&thread.as_str());
            let id = thread_id(&thread);
            assert_eq!(get(db, &view, &thread).await.is_some(), is_seen, "{scopes:?}");
            let comment_there = db.store.find_comment(&view, &id, &first).await.unwrap();
            assert_eq!(comment_there.is_some(), is_seen, "{scopes:?}");
            let reply = comment(&format!("cm_{name}{}", scopes.len()), "eve", "me too");
            let said = db.store.create_comment(&scope, &id, &reply, 2).await;
            match said {
                Ok(_) => assert!(is_seen, "{scopes:?}"),
                Err(error) => {
                    assert!(!is_seen, "{scopes:?}: {error}");
                    assert_eq!(error.reason(), "RESOURCE_NOT_FOUND");
                }
            }
        }
    }
}

async fn a_thread_that_may_only_be_read_takes_no_comment(db: &Database) {
    let all = scope(db, "a").await;
    create(db, &all, &thread("shut", Visibility::Private, json!({})), 1).await;
    let scopes = ["*:write", "comments:private:read"];
    let view =
        ThreadView { right: rights(db, "a", &scopes, Level::Read).await, ..all.view.clone() };
    let writable = rights(db, "a", &scopes, Level::Write).await;
    let scope = CommentScope { view, writable, ..all.clone() };
    let reply = comment("cm_r", "eve", "me too");
    let error =
        db.store.create_comment(&scope, &thread_id("th_shut"), &reply, 2).await.unwrap_err();
    assert_eq!(
        (error.code(), error.reason()),
        (Code::PermissionDenied, "UNAUTHORIZED_ROOM_ACCESS")
    );
    let new = thread("new", Visibility::Private, json!({}));
    let error = db.store.create_thread(&scope, &new, 2).await.unwrap_err();
    assert_eq!(error.reason(), "UNAUTHORIZED_ROOM_ACCESS");
    create(db, &scope, &thread("new", Visibility::Public, json!({})), 2).await;
}

async fn changes_have_times_that_grow(db: &Database) {
    let scope = scope(db, "a").await;
    create(db, &scope, &thread("x", Visibility::Public, json!({})), 100).await;
    let mut last = 100;
    for number in 0..5 {
        // The clock was set back.
        let reply = comment(&format!("cm_{number}"), "bob", "x");
        db.store.create_comment(&scope, &thread_id("th_x"), &reply, 50).await.unwrap();
        let now = get(db, &scope.view, "th_x").await.unwrap();
        assert!(now.updated_at_ms > last);
        last = now.updated_at_ms;
    }
}

async fn comments_come_in_the_order_in_which_they_came(db: &Database) {
    let scope = scope(db, "a").await;
    create(db, &scope, &thread("x", Visibility::Public, json!({})), 5).await;
    let names = ["cm_z", "cm_b", "cm_y", "cm_a"];
    for name in names {
        say(db, &scope, "th_x", &comment(name, "bob", name)).await;
    }
    let found = get(db, &scope.view, "th_x").await.unwrap().comments;
    let ids: Vec<&str> = found.iter().map(|comment| comment.id.as_str()).collect();
    assert_eq!(ids, [&["cm_x"][..], &names].concat());
}

async fn threads_go_with_their_room(db: &Database) {
    let scope = scope(db, "a").await;
    for name in ["x", "y"] {
        let draft = thread(name, Visibility::Public, json!({"a": "1", "b": 2}));
        create(db, &scope, &draft, 1).await;
        say(db, &scope, &format!("th_{name}"), &comment(&format!("cm_r{name}"), "bob", "r")).await;
    }
    db.store.delete_room(&grant("p"), &id("a")).await.unwrap();
    let new = thread("z", Visibility::Public, json!({}));
    let error = db.store.create_thread(&scope, &new, 1).await.unwrap_err();
    assert_eq!(error.reason(), "ROOM_NOT_FOUND");
    let mut rows = 0;
    loop {
        match db.store.sweep_garbage(3).await.unwrap() {
            0 => break,
            some => rows += some,
        }
    }
    // On SQLite the words of a comment go with its row.
    let found_by = match &db.options.target {
        Target::Sqlite { .. } => 0,
        Target::Postgres { .. } => 4,
    };
    // Two threads with two values and two comments each, what these are found by, and the room's key.
    assert_eq!(rows, 2 + 4 + 4 + found_by + 1);
    let reply = comment("cm_late", "bob", "late");
    let error = db.store.create_comment(&scope, &thread_id("th_x"), &reply, 1).await.unwrap_err();
    assert_eq!(error.reason(), "RESOURCE_NOT_FOUND");
}
