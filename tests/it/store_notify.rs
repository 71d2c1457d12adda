//! What follows from what happens in threads: who is told of it, and who follows them.

use std::collections::BTreeMap;

use roomd::domain::comment::{CommentBody, CommentDraft, Visibility};
use roomd::domain::content_id::ThreadId;
use roomd::domain::ctx::{ThreadRight, User, UserRights};
use roomd::domain::group::Group;
use roomd::domain::ids::{GroupId, OrganizationId, ProjectId, UserId};
use roomd::domain::notification::{
    About, Notification, RoomSubscription, ThreadNotices, ThreadSubscription,
};
use roomd::domain::permissions::{AccessPatterns, Level};
use roomd::store::{CommentScope, ThreadView};
use serde_json::{Value, json};

use crate::databases::Database;
use crate::store_rooms::grant;
use crate::store_threads::{comment, create, rights, scope, thread, thread_id, user};

crate::on_both!(
    those_who_write_and_are_mentioned_follow_and_are_told,
    settings_and_subscriptions_say_who_wants_to_hear,
    members_of_groups_are_told,
    a_private_thread_is_told_to_those_who_may_read_it,
    a_thread_has_one_notification_that_becomes_unread_again,
    subscriptions_are_made_and_ended_for_those_who_may_read_the_thread,
    what_changed_is_told_once_it_did,
);

fn project() -> ProjectId {
    ProjectId::trusted("p")
}

/// A body that mentions users, by their names, and groups, by `@` and their names.
fn mentioning(names: &[&str]) -> CommentBody {
    let mention = |name: &&str| match name.strip_prefix('@') {
        Some(group) => json!({"type": "mention", "kind": "group", "id": group}),
        None => json!({"type": "mention", "kind": "user", "id": name}),
    };
    let children: Vec<Value> = names.iter().map(mention).chain([json!({"text": "!"})]).collect();
    let content = json!([{"type": "paragraph", "children": children}]);
    CommentBody::from_json("body", json!({"version": 1, "content": content})).unwrap()
}

fn by(scope: &CommentScope, author: &str) -> CommentScope {
    CommentScope { actor: Some(user(author)), ..scope.clone() }
}

/// Thread `th_{name}` of ann, at a time.
async fn open_thread(
    db: &Database,
    scope: &CommentScope,
    (name, visibility): (&str, Visibility),
    mentions: &[&str],
) -> ThreadId {
    let mut draft = thread(name, visibility, json!({}));
    draft.comment.body = mentioning(mentions);
    create(db, &by(scope, "ann"), &draft, 10).await.id
}

async fn say(db: &Database, scope: &CommentScope, id: &str, author: &str, mentions: &[&str]) {
    let draft = CommentDraft { body: mentioning(mentions), ..comment(id, author, "") };
    let by = by(scope, author);
    db.store.create_comment(&by, &thread_id("th_a"), &draft, 20).await.unwrap();
}

async fn inbox(db: &Database, who: &str) -> Vec<Notification> {
    let (entries, _) =
        db.store.list_inbox(&project(), &user(who), None, (50, false)).await.unwrap();
    entries.into_iter().map(|entry| grant("p").open(entry.notification)).collect()
}

/// Which of these have something unread.
async fn told<'a>(db: &Database, names: &[&'a str]) -> Vec<&'a str> {
    let mut told = Vec::new();
    for name in names {
        if inbox(db, name).await.iter().any(|one| one.unread) {
            told.push(*name);
        }
    }
    told
}

async fn read_all(db: &Database, names: &[&str]) {
    for name in names {
        db.store.mark_all_as_read(&project(), &user(name), None, 15).await.unwrap();
    }
}

async fn followers(db: &Database, view: &ThreadView, thread: &str) -> Vec<String> {
    let found = db.store.list_thread_subscriptions(view, &thread_id(thread)).await.unwrap();
    found.iter().map(|one| one.user.to_string()).collect()
}

async fn wants(db: &Database, scope: &CommentScope, who: &str, threads: ThreadNotices) {
    let patch = RoomSubscription { threads: Some(threads), text_mentions: None };
    db.store.update_room_subscription(&scope.view.key, &user(who), patch).await.unwrap();
}

async fn follow(db: &Database, scope: &CommentScope, who: &str, follows: bool) {
    let whom = (&thread_id("th_a"), &user(who));
    db.store.follow_thread(&scope.view, whom, follows, 15).await.unwrap();
}

const EVERYBODY: [&str; 5] = ["ann", "bob", "cat", "dan", "eve"];

async fn those_who_write_and_are_mentioned_follow_and_are_told(db: &Database) {
    let scope = scope(db, "r").await;
    open_thread(db, &scope, ("a", Visibility::Public), &["ann", "bob"]).await;
    assert_eq!(told(db, &EVERYBODY).await, ["bob"]);
    assert_eq!(followers(db, &scope.view, "th_a").await, ["ann", "bob"]);
    read_all(db, &EVERYBODY).await;
    say(db, &scope, "cm_1", "cat", &[]).await;
    assert_eq!(told(db, &EVERYBODY).await, ["ann", "bob"]);
    assert_eq!(followers(db, &scope.view, "th_a").await, ["ann", "bob", "cat"]);
    read_all(db, &EVERYBODY).await;
    say(db, &scope, "cm_2", "bob", &["dan"]).await;
    assert_eq!(told(db, &EVERYBODY).await, ["ann", "cat", "dan"]);
}

async fn settings_and_subscriptions_say_who_wants_to_hear(db: &Database) {
    let scope = scope(db, "r").await;
    wants(db, &scope, "cat", ThreadNotices::All).await;
    wants(db, &scope, "dan", ThreadNotices::None).await;
    open_thread(db, &scope, ("a", Visibility::Public), &["bob", "dan"]).await;
    assert_eq!(told(db, &EVERYBODY).await, ["bob", "cat"]);
    assert_eq!(followers(db, &scope.view, "th_a").await, ["ann", "bob"]);
    read_all(db, &EVERYBODY).await;
    for (who, follows) in [("bob", false), ("cat", false), ("eve", true)] {
        follow(db, &scope, who, follows).await;
    }
    say(db, &scope, "cm_1", "dan", &[]).await;
    assert_eq!(told(db, &EVERYBODY).await, ["ann", "eve"], "who left is not told");
    assert_eq!(followers(db, &scope.view, "th_a").await, ["ann", "eve"], "dan wants nothing");
    read_all(db, &EVERYBODY).await;
    say(db, &scope, "cm_2", "ann", &["bob"]).await;
    assert_eq!(told(db, &EVERYBODY).await, ["bob", "eve"], "unless they are mentioned");
    assert_eq!(followers(db, &scope.view, "th_a").await, ["ann", "bob", "eve"]);
}

async fn members_of_groups_are_told(db: &Database) {
    let scope = scope(db, "r").await;
    for (id, organization, member) in [("eng", "default", "bob"), ("far", "elsewhere", "cat")] {
        let mut group = Group {
            id: GroupId::trusted(id),
            organization_id: OrganizationId::trusted(organization),
            created_at_ms: 1,
            updated_at_ms: 1,
            mention: Some(true),
            members: Vec::new(),
        };
        group.add(&[user(member), user("ann")], 1).unwrap();
        assert!(db.store.insert_group(&grant("p"), &group).await.unwrap());
    }
    open_thread(db, &scope, ("a", Visibility::Public), &["@eng", "@far", "@nobody"]).await;
    assert_eq!(told(db, &EVERYBODY).await, ["bob"]);
    assert_eq!(followers(db, &scope.view, "th_a").await, ["ann", "bob"]);
}

async fn record(db: &Database, who: &str, scopes: &[(&str, &[&str])]) {
    let scopes = scopes.iter().map(|(room, scopes)| (*room, scopes.iter().copied()));
    let user = User {
        id: UserId::trusted(who),
        info: None,
        organization_id: OrganizationId::default(),
        rights: UserRights::Patterns(AccessPatterns::parse("permissions", scopes).unwrap()),
    };
    db.store.record_access(&project(), &user).await.unwrap();
}

async fn a_private_thread_is_told_to_those_who_may_read_it(db: &Database) {
    let scope = scope(db, "r").await;
    record(db, "bob", &[("r", &["*:read", "comments:private:none"])]).await;
    record(db, "cat", &[("r*", &["*:read"])]).await;
    record(db, "dan", &[("other", &["*:write"])]).await;
    let mentions = ["bob", "cat", "dan", "eve"];
    open_thread(db, &scope, ("a", Visibility::Private), &mentions).await;
    assert_eq!(told(db, &EVERYBODY).await, ["cat"]);
    assert_eq!(followers(db, &scope.view, "th_a").await, ["ann", "cat"]);
    open_thread(db, &scope, ("b", Visibility::Public), &mentions).await;
    assert_eq!(told(db, &EVERYBODY).await, ["bob", "cat", "dan", "eve"]);
    // What a later token takes away counts from then on.
    read_all(db, &EVERYBODY).await;
    record(db, "cat", &[("r*", &["*:read", "comments:none"])]).await;
    record(db, "bob", &[("r", &["*:read"])]).await;
    say(db, &scope, "cm_1", "ann", &["bob", "cat"]).await;
    assert_eq!(told(db, &EVERYBODY).await, ["bob"]);
}

async fn a_thread_has_one_notification_that_becomes_unread_again(db: &Database) {
    let scope = scope(db, "r").await;
    let id = open_thread(db, &scope, ("a", Visibility::Private), &[]).await;
    wants(db, &scope, "bob", ThreadNotices::All).await;
    record(db, "bob", &[("r", &["*:read"])]).await;
    say(db, &scope, "cm_1", "cat", &[]).await;
    let first = inbox(db, "bob").await.remove(0);
    assert_eq!(first.about, About::Thread { id: id.clone(), visibility: Visibility::Private });
    assert_eq!((first.notified_at_ms, first.read_at_ms, first.unread), (20, None, true));
    db.store.mark_as_read(&project(), &first.id, 30).await.unwrap();
    say(db, &scope, "cm_2", "cat", &[]).await;
    let again = inbox(db, "bob").await;
    assert_eq!((again.len(), &again[0].id), (1, &first.id));
    assert_eq!((again[0].read_at_ms, again[0].unread), (Some(30), true));
    let all = db.store.list_thread_notifications(&scope.view, &id).await.unwrap();
    let all: Vec<String> =
        all.into_iter().map(|found| grant("p").open(found).user.to_string()).collect();
    assert_eq!(all, ["ann", "bob"]);
}

async fn subscriptions_are_made_and_ended_for_those_who_may_read_the_thread(db: &Database) {
    let scope = scope(db, "r").await;
    open_thread(db, &scope, ("a", Visibility::Private), &[]).await;
    open_thread(db, &scope, ("b", Visibility::Public), &[]).await;
    let only_public = rights(db, "r", &["*:read", "comments:private:none"], Level::Read).await;
    let blind = ThreadView { right: only_public, ..scope.view.clone() };
    let (a, b, eve) = (thread_id("th_a"), thread_id("th_b"), user("eve"));
    for refused in [
        db.store.follow_thread(&blind, (&a, &eve), true, 15).await.map(drop),
        db.store.follow_thread(&blind, (&a, &eve), false, 15).await.map(drop),
        db.store.list_thread_subscriptions(&blind, &a).await.map(drop),
        db.store.list_thread_notifications(&blind, &a).await.map(drop),
        db.store.follow_thread(&scope.view, (&thread_id("th_no"), &eve), true, 15).await.map(drop),
    ] {
        assert_eq!(refused.unwrap_err().reason(), "RESOURCE_NOT_FOUND");
    }
    let both = [a.clone(), b.clone()];
    assert_eq!(db.store.readable_threads(&blind, &both).await.unwrap(), std::slice::from_ref(&b));
    let nothing = ThreadView { right: nothing(db).await, ..scope.view.clone() };
    assert!(db.store.readable_threads(&nothing, &both).await.unwrap().is_empty());
    let made = db.store.follow_thread(&scope.view, (&a, &eve), true, 15).await.unwrap();
    let shown = ThreadSubscription {
        thread: a.clone(),
        user: eve.clone(),
        created_at_ms: 15,
        deleted_at_ms: None,
    };
    assert_eq!(made, shown);
    let again = db.store.follow_thread(&scope.view, (&a, &eve), true, 20).await.unwrap();
    assert_eq!(again, shown, "since the first time");
    let ids = [a.clone(), thread_id("th_b")];
    let found = db.store.thread_subscriptions(&scope.view.key, &eve, &ids).await.unwrap();
    assert_eq!(found, [shown]);
    let left = db.store.follow_thread(&scope.view, (&a, &eve), false, 30).await.unwrap();
    assert_eq!(left.deleted_at_ms, Some(30));
    let left = db.store.follow_thread(&scope.view, (&a, &eve), false, 40).await.unwrap();
    assert_eq!(left.deleted_at_ms, Some(30));
    assert!(db.store.thread_subscriptions(&scope.view.key, &eve, &ids).await.unwrap().is_empty());
    let back = db.store.follow_thread(&scope.view, (&a, &eve), true, 50).await.unwrap();
    assert_eq!((back.created_at_ms, back.deleted_at_ms), (50, None));
}

async fn nothing(db: &Database) -> ThreadRight {
    rights(db, "r", &["*:read", "comments:none"], Level::Read).await
}

async fn what_changed_is_told_once_it_did(db: &Database) {
    let scope = scope(db, "r").await;
    let (project, bob) = (project(), user("bob"));
    let changed = async |since| db.store.inbox_changed_since(&project, &bob, since).await.unwrap();
    assert!(!changed(0).await);
    open_thread(db, &scope, ("a", Visibility::Public), &["bob"]).await;
    assert!(changed(0).await && changed(10).await && !changed(11).await);
    let follows = db.store.list_subscription_changes(&project, &bob, 10, 9).await.unwrap();
    let mut by_thread = BTreeMap::new();
    for change in &follows.entries {
        assert_eq!((change.room.as_str(), &change.key), ("r", &scope.view.key));
        by_thread.insert(change.subscription.thread.clone(), change.subscription.deleted_at_ms);
    }
    assert_eq!(by_thread, BTreeMap::from([(thread_id("th_a"), None)]));
    follow(db, &scope, "bob", false).await;
    assert!(changed(15).await && !changed(16).await);
    let follows = db.store.list_subscription_changes(&project, &bob, 11, 9).await.unwrap();
    assert_eq!(follows.entries[0].subscription.deleted_at_ms, Some(15));
    db.store.delete_inbox(&project, &bob, None, 30).await.unwrap();
    assert!(changed(30).await && !changed(31).await);
}
