//! Comments that are there: edited, deleted, reacted to, by those who may.

use bytes::Bytes;
use roomd::domain::comment::{
    CommentBody, CommentEdit, CommentMetadata, CommentPlace, Deleted, Emoji, MetadataPatch,
    Reaction, ReactionDraft, Visibility,
};
use roomd::domain::content_id::AttachmentId;
use roomd::domain::ctx::ThreadRight;
use roomd::domain::livechat::{MessageParams, MessageQuery};
use roomd::domain::permissions::Level;
use roomd::error::Error;
use roomd::store::{CommentScope, FileDraft, ThreadView};
use serde_json::{Value, json};

use crate::databases::Database;
use crate::store_threads::{
    comment, comment_id, create, get, metadata, rights, say, says, scope, thread, thread_id, user,
};

crate::on_both!(
    an_edit_replaces_what_was_said,
    an_edit_keeps_what_it_does_not_name,
    metadata_is_merged,
    a_deleted_comment_leaves_its_place,
    the_last_comment_takes_its_thread_along,
    somebody_reacts_once_with_an_emoji,
    reactions_come_in_the_order_in_which_they_came,
    a_comment_is_its_authors,
    a_comment_of_the_other_visibility_does_not_exist,
    a_thread_that_may_only_be_read_stays_as_it_is,
    what_is_not_there_is_not_found,
    an_id_is_that_of_one_comment_in_its_thread,
    a_thread_does_not_outgrow_its_limit_by_edits,
);

pub fn place(thread: &str, comment: &str) -> CommentPlace {
    CommentPlace { thread: thread_id(thread), comment: comment_id(comment) }
}

pub fn edit(text: &str) -> CommentEdit {
    CommentEdit {
        body: says(text),
        metadata: MetadataPatch::default(),
        attachment_ids: None,
        edited_at_ms: None,
    }
}

pub fn patch(given: Value) -> MetadataPatch {
    MetadataPatch::from_json("metadata", given.as_object().unwrap().clone()).unwrap()
}

pub fn emoji(raw: &str) -> Emoji {
    Emoji::parse("emoji", raw).unwrap()
}

pub fn reacts(raw: &str, who: &str) -> ReactionDraft {
    ReactionDraft { emoji: emoji(raw), user_id: user(who), created_at_ms: None }
}

/// Public thread `th_x` with `cm_x` by ann and `cm_y` by bob.
async fn two_comments(db: &Database) -> CommentScope {
    let scope = scope(db, "a").await;
    create(db, &scope, &thread("x", Visibility::Public, json!({"k": "v"})), 1).await;
    say(db, &scope, "th_x", &comment("cm_y", "bob", "y")).await;
    scope
}

fn reason<T: std::fmt::Debug>(refused: Result<T, Error>) -> &'static str {
    refused.unwrap_err().reason()
}

async fn an_edit_replaces_what_was_said(db: &Database) {
    let scope = two_comments(db).await;
    let edited = db.store.edit_comment(&scope, &place("th_x", "cm_y"), &edit("new"), 40).await;
    let edited = edited.unwrap();
    assert_eq!((edited.value.edited_at_ms, edited.visibility), (Some(40), Visibility::Public));
    assert_eq!(edited.value.body, Some(says("new")));
    assert_eq!((edited.value.created_at_ms, edited.value.user_id.as_str()), (5, "bob"));
    let now = get(db, &scope.view, "th_x").await.unwrap();
    assert_eq!((now.updated_at_ms, &now.comments[1]), (40, &edited.value));
    assert_eq!(now.comments[0].edited_at_ms, None);

    // A back end says when, and the thread changed now all the same.
    let then = CommentEdit { edited_at_ms: Some(7), ..edit("old") };
    let edited = db.store.edit_comment(&scope, &place("th_x", "cm_y"), &then, 41).await.unwrap();
    assert_eq!(edited.value.edited_at_ms, Some(7));
    assert_eq!(get(db, &scope.view, "th_x").await.unwrap().updated_at_ms, 41);
}

async fn an_edit_keeps_what_it_does_not_name(db: &Database) {
    let scope = two_comments(db).await;
    let at = place("th_x", "cm_x");
    db.store.add_reaction(&scope, &at, &reacts("👍", "bob"), 6).await.unwrap();
    let first = CommentEdit { metadata: patch(json!({"a": 1, "b": true})), ..edit("1") };
    db.store.edit_comment(&scope, &at, &first, 7).await.unwrap();
    let second = CommentEdit { metadata: patch(json!({"a": null, "c": "x"})), ..edit("2") };
    let edited = db.store.edit_comment(&scope, &at, &second, 8).await.unwrap().value;
    assert_eq!(edited.metadata, metadata(json!({"b": true, "c": "x"})));
    assert_eq!(edited.reactions.len(), 1);

    // A file that nobody uploaded changes nothing.
    let id = AttachmentId::parse("id", "at_nobody").unwrap();
    let with_file = CommentEdit { attachment_ids: Some(vec![id]), ..edit("3") };
    let refused = db.store.edit_comment(&scope, &at, &with_file, 9).await.unwrap_err();
    assert!(refused.public().contains("'attachmentIds'"), "{refused}");
    let without = CommentEdit { attachment_ids: Some(Vec::new()), ..edit("2") };
    let same = db.store.edit_comment(&scope, &at, &without, 8).await.unwrap().value;
    assert_eq!(same, edited);
}

async fn metadata_is_merged(db: &Database) {
    let scope = two_comments(db).await;
    let at = place("th_x", "cm_x");
    let merge = |given: Value, now_ms| {
        let (scope, at, given) = (scope.clone(), at.clone(), patch(given));
        async move { db.store.edit_comment_metadata(&scope, &at, &given, now_ms).await }
    };
    merge(json!({"a": 1, "b": "2"}), 10).await.unwrap();
    let now = merge(json!({"a": null, "nobody": null, "c": false}), 11).await.unwrap();
    assert_eq!(now.value, metadata(json!({"b": "2", "c": false})));
    let found = get(db, &scope.view, "th_x").await.unwrap();
    assert_eq!((found.updated_at_ms, &found.comments[0].metadata), (11, &now.value));
    assert_eq!(found.comments[0].edited_at_ms, None, "it says what it said");
    assert_eq!(found.metadata, metadata(json!({"k": "v"})), "the thread's is another");

    let many: serde_json::Map<String, Value> =
        (0..49).map(|n| (format!("k{n}"), json!(n))).collect();
    let refused = merge(Value::Object(many), 12).await.unwrap_err();
    assert!(refused.public().contains("at most 50 keys, got 51"), "{refused}");
    assert_eq!(get(db, &scope.view, "th_x").await.unwrap(), found);
}

async fn a_deleted_comment_leaves_its_place(db: &Database) {
    let scope = two_comments(db).await;
    let at = place("th_x", "cm_x");
    db.store.add_reaction(&scope, &at, &reacts("👍", "bob"), 6).await.unwrap();
    db.store.edit_comment_metadata(&scope, &at, &patch(json!({"a": 1})), 6).await.unwrap();
    let deleted = db.store.delete_comment(&scope, &at, 50).await.unwrap();
    assert_eq!((deleted.value, deleted.visibility), (Deleted::Comment, Visibility::Public));

    let now = get(db, &scope.view, "th_x").await.unwrap();
    assert_eq!((now.comments.len(), now.updated_at_ms), (2, 50));
    let gone = &now.comments[0];
    assert_eq!((gone.body.as_ref(), gone.deleted_at_ms), (None::<&CommentBody>, Some(50)));
    assert_eq!((gone.user_id.as_str(), gone.created_at_ms), ("ann", 1));
    assert!(gone.reactions.is_empty() && gone.metadata == CommentMetadata::default());
    let found = db.store.find_comment(&scope.view, &at.thread, &at.comment).await.unwrap();
    assert_eq!(found.as_ref(), Some(gone));

    // Nothing can be done to it any more.
    let store = &db.store;
    let thumb = (&emoji("👍"), &user("bob"));
    for refused in [
        reason(store.delete_comment(&scope, &at, 51).await),
        reason(store.edit_comment(&scope, &at, &edit("again"), 51).await),
        reason(store.edit_comment_metadata(&scope, &at, &patch(json!({})), 51).await),
        reason(store.add_reaction(&scope, &at, &reacts("👍", "bob"), 51).await),
        reason(store.remove_reaction(&scope, &at, thumb, 51).await),
    ] {
        assert_eq!(refused, "RESOURCE_NOT_FOUND");
    }
    assert_eq!(get(db, &scope.view, "th_x").await.unwrap(), now);
    // Its id stays taken.
    let again = comment("cm_x", "ann", "x");
    let refused = store.create_comment(&scope, &thread_id("th_x"), &again, 52).await;
    assert_eq!(reason(refused), "RESOURCE_ALREADY_EXISTS");
}

async fn the_last_comment_takes_its_thread_along(db: &Database) {
    let scope = two_comments(db).await;
    create(db, &scope, &thread("other", Visibility::Public, json!({})), 2).await;
    let (x, y) = (place("th_x", "cm_x"), place("th_x", "cm_y"));
    db.store.add_reaction(&scope, &y, &reacts("👍", "bob"), 6).await.unwrap();
    let first = db.store.delete_comment(&scope, &x, 10).await.unwrap();
    assert_eq!(first.value, Deleted::Comment);
    let last = db.store.delete_comment(&scope, &y, 11).await.unwrap();
    assert_eq!(last.value, Deleted::CommentAndThread);
    assert_eq!(get(db, &scope.view, "th_x").await, None);
    let found = db.store.find_comment(&scope.view, &x.thread, &x.comment).await.unwrap();
    assert_eq!(found, None);
    assert_eq!(get(db, &scope.view, "th_other").await.unwrap().comments.len(), 1);
    let late = comment("cm_late", "bob", "late");
    let refused = db.store.create_comment(&scope, &x.thread, &late, 12).await;
    assert_eq!(reason(refused), "RESOURCE_NOT_FOUND");
    assert_eq!(reason(db.store.delete_comment(&scope, &y, 12).await), "RESOURCE_NOT_FOUND");
}

async fn somebody_reacts_once_with_an_emoji(db: &Database) {
    let scope = two_comments(db).await;
    let (x, y) = (place("th_x", "cm_x"), place("th_x", "cm_y"));
    let added = db.store.add_reaction(&scope, &x, &reacts("👍", "bob"), 10).await.unwrap();
    let expected = Reaction { emoji: emoji("👍"), user_id: user("bob"), created_at_ms: 10 };
    assert_eq!((added.value, added.visibility), (expected.clone(), Visibility::Public));
    let before = get(db, &scope.view, "th_x").await.unwrap();
    assert_eq!((before.updated_at_ms, &before.comments[0].reactions), (10, &vec![expected]));
    let again = db.store.add_reaction(&scope, &x, &reacts("👍", "bob"), 11).await;
    assert_eq!(reason(again), "RESOURCE_ALREADY_EXISTS");
    assert_eq!(get(db, &scope.view, "th_x").await.unwrap(), before, "nothing happened");

    // Another emoji, tone of skin, user, comment are others.
    let others = [(&x, "❤️", "bob"), (&x, "👍🏽", "bob"), (&x, "👍", "ann"), (&y, "👍", "bob")];
    for (at, raw, who) in others {
        db.store.add_reaction(&scope, at, &reacts(raw, who), 12).await.unwrap();
    }
    let remove = (&emoji("👍"), &user("bob"));
    db.store.remove_reaction(&scope, &x, remove, 13).await.unwrap();
    assert_eq!(
        reason(db.store.remove_reaction(&scope, &x, remove, 14).await),
        "RESOURCE_NOT_FOUND"
    );
    let now = get(db, &scope.view, "th_x").await.unwrap();
    let counts = now.comments.iter().map(|comment| comment.reactions.len());
    assert_eq!(counts.collect::<Vec<_>>(), [3, 1]);
    db.store.add_reaction(&scope, &x, &reacts("👍", "bob"), 15).await.unwrap();
}

async fn reactions_come_in_the_order_in_which_they_came(db: &Database) {
    let scope = two_comments(db).await;
    let x = place("th_x", "cm_x");
    for (now_ms, raw, who) in [(20, "🎉", "cy"), (21, "👍", "bob"), (22, "🎉", "ann")] {
        db.store.add_reaction(&scope, &x, &reacts(raw, who), now_ms).await.unwrap();
    }
    let old = ReactionDraft { created_at_ms: Some(-1), ..reacts("❤️", "dee") };
    db.store.add_reaction(&scope, &x, &old, 23).await.unwrap();
    let found = db.store.find_comment(&scope.view, &x.thread, &x.comment).await.unwrap().unwrap();
    let found: Vec<(&str, &str)> =
        found.reactions.iter().map(|one| (one.emoji.as_str(), one.user_id.as_str())).collect();
    assert_eq!(found, [("❤️", "dee"), ("🎉", "cy"), ("👍", "bob"), ("🎉", "ann")]);
}

/// The same scope, of a user's token.
fn of(scope: &CommentScope, who: &str) -> CommentScope {
    CommentScope { actor: Some(user(who)), owner: Some(user(who)), ..scope.clone() }
}

async fn a_comment_is_its_authors(db: &Database) {
    let scope = two_comments(db).await;
    let (ann, bob) = (of(&scope, "ann"), of(&scope, "bob"));
    let y = place("th_x", "cm_y");
    let before = get(db, &scope.view, "th_x").await.unwrap();
    let given = patch(json!({"a": 1}));
    for refused in [
        reason(db.store.edit_comment(&ann, &y, &edit("mine"), 10).await),
        reason(db.store.edit_comment_metadata(&ann, &y, &given, 10).await),
        reason(db.store.delete_comment(&ann, &y, 10).await),
    ] {
        assert_eq!(refused, "FORBIDDEN");
    }
    assert_eq!(get(db, &scope.view, "th_x").await.unwrap(), before);
    db.store.edit_comment(&bob, &y, &edit("mine"), 10).await.unwrap();
    db.store.edit_comment_metadata(&bob, &y, &given, 11).await.unwrap();
    db.store.delete_comment(&bob, &y, 12).await.unwrap();
}

async fn a_comment_of_the_other_visibility_does_not_exist(db: &Database) {
    let all = scope(db, "a").await;
    create(db, &all, &thread("shut", Visibility::Private, json!({})), 1).await;
    let scopes = ["*:write", "comments:private:none"];
    let right = rights(db, "a", &scopes, Level::Read).await;
    let writable = rights(db, "a", &scopes, Level::Write).await;
    let view = ThreadView { right, ..all.view.clone() };
    refuses_every_change(db, &CommentScope { view, writable, ..all }, "RESOURCE_NOT_FOUND").await;
}

async fn a_thread_that_may_only_be_read_stays_as_it_is(db: &Database) {
    let all = scope(db, "a").await;
    create(db, &all, &thread("shut", Visibility::Private, json!({})), 1).await;
    let scopes = ["*:write", "comments:private:read"];
    let view =
        ThreadView { right: rights(db, "a", &scopes, Level::Read).await, ..all.view.clone() };
    let writable = rights(db, "a", &scopes, Level::Write).await;
    let scope = CommentScope { view, writable, ..all };
    refuses_every_change(db, &scope, "UNAUTHORIZED_ROOM_ACCESS").await;
}

async fn refuses_every_change(db: &Database, scope: &CommentScope, expected: &str) {
    let everything = ThreadView { right: ThreadRight::system(), ..scope.view.clone() };
    let before = get(db, &everything, "th_shut").await.unwrap();
    let (at, store) = (place("th_shut", "cm_shut"), &db.store);
    let thumb = (&emoji("👍"), &user("ann"));
    for refused in [
        reason(store.edit_comment(scope, &at, &edit("x"), 9).await),
        reason(store.edit_comment_metadata(scope, &at, &patch(json!({"a": 1})), 9).await),
        reason(store.add_reaction(scope, &at, &reacts("👍", "ann"), 9).await),
        reason(store.remove_reaction(scope, &at, thumb, 9).await),
        reason(store.delete_comment(scope, &at, 9).await),
    ] {
        assert_eq!(refused, expected);
    }
    assert_eq!(get(db, &everything, "th_shut").await.unwrap(), before);
}

async fn what_is_not_there_is_not_found(db: &Database) {
    let scope = two_comments(db).await;
    create(db, &scope, &thread("other", Visibility::Public, json!({})), 2).await;
    let store = &db.store;
    for at in [
        place("th_x", "cm_nobody"),
        place("th_nobody", "cm_x"),
        // A comment of another thread.
        place("th_other", "cm_x"),
    ] {
        let thumb = (&emoji("👍"), &user("ann"));
        for refused in [
            reason(store.edit_comment(&scope, &at, &edit("x"), 9).await),
            reason(store.edit_comment_metadata(&scope, &at, &patch(json!({"a": 1})), 9).await),
            reason(store.add_reaction(&scope, &at, &reacts("👍", "ann"), 9).await),
            reason(store.remove_reaction(&scope, &at, thumb, 9).await),
            reason(store.delete_comment(&scope, &at, 9).await),
        ] {
            assert_eq!(refused, "RESOURCE_NOT_FOUND", "{at:?}");
        }
    }
}

/// Nobody learns from an id that is taken what is in a thread that they may not read.
async fn an_id_is_that_of_one_comment_in_its_thread(db: &Database) {
    let scope = two_comments(db).await;
    create(db, &scope, &thread("other", Visibility::Private, json!({})), 2).await;
    let untouched = say(db, &scope, "th_other", &comment("cm_x", "ann", "same id")).await;
    let (store, at) = (&db.store, place("th_x", "cm_x"));
    store.edit_comment(&scope, &at, &edit("new"), 6).await.unwrap();
    store.edit_comment_metadata(&scope, &at, &patch(json!({"a": 1})), 7).await.unwrap();
    store.add_reaction(&scope, &at, &reacts("👍", "bob"), 8).await.unwrap();
    let ids = ["th_x", "th_other"].map(thread_id);
    let mut threads = store.find_threads(&scope.view, &ids).await.unwrap();
    threads.sort_by_key(|thread| thread.visibility == Visibility::Private);
    let [x, other] = threads.as_slice() else { panic!("two threads: {threads:?}") };
    assert_eq!((x.comments[0].reactions.len(), &x.comments[0].body), (1, &Some(says("new"))));
    assert_eq!(other.comments[1], untouched);

    let public = ThreadView {
        right: rights(db, "a", &["*:read", "comments:private:none"], Level::Read).await,
        ..scope.view.clone()
    };
    let query = MessageQuery::read(MessageParams::default()).unwrap();
    let page = store.list_messages(&public, &query).await.unwrap();
    assert!(page.comments.iter().all(|message| message.thread_id == ids[0]), "{page:?}");
    let all = store.list_messages(&scope.view, &query).await.unwrap();
    assert_eq!((page.comments.len(), all.comments.len()), (2, 4));

    let file = FileDraft {
        id: AttachmentId::parse("id", "at_file").unwrap(),
        name: "a.txt".into(),
        mime_type: "text/plain".into(),
    };
    let (key, bytes) = (&scope.view.key, Bytes::from_static(b"a"));
    let file = store.insert_attachment(key, file, user("ann"), bytes, 9).await.unwrap();
    let with_file =
        |text| CommentEdit { attachment_ids: Some(vec![file.id.clone()]), ..edit(text) };
    store.edit_comment(&scope, &at, &with_file("mine"), 9).await.unwrap();
    let theirs = place("th_other", "cm_x");
    let refused = store.edit_comment(&scope, &theirs, &with_file("mine too"), 9).await;
    assert_eq!(reason(refused), "UNPROCESSABLE_ENTITY");

    store.delete_comment(&scope, &at, 9).await.unwrap();
    let now = store.find_comment(&scope.view, &ids[1], &untouched.id).await.unwrap();
    assert_eq!(now, Some(untouched));
}

async fn a_thread_does_not_outgrow_its_limit_by_edits(db: &Database) {
    let scope = two_comments(db).await;
    db.execute("UPDATE thread SET bytes = 16777216 WHERE id = 'th_x'").await;
    let at = place("th_x", "cm_y");
    let longer = db.store.edit_comment(&scope, &at, &edit("yy"), 9).await.unwrap_err();
    assert!(longer.public().contains("at most 16777216 bytes"), "{longer}");
    let more = patch(json!({"a": 1}));
    db.store.edit_comment_metadata(&scope, &at, &more, 9).await.unwrap_err();
    // As long as before, and shorter.
    db.store.edit_comment(&scope, &at, &edit("z"), 9).await.unwrap();
    db.store.edit_comment(&scope, &at, &edit(""), 9).await.unwrap();
    db.store.edit_comment(&scope, &at, &edit("z"), 9).await.unwrap();
}
