//! Inboxes beside threads, as browsers and back ends reach them.

use serde_json::{Value, json};

use crate::harness::Server;
use crate::notifications::World;
use crate::on_both_servers;

const INBOX: &str = "/v2/c/inbox-notifications";

fn says(mentions: &[(&str, &str)]) -> Value {
    let mention = |(kind, id): &(&str, &str)| json!({"type": "mention", "kind": kind, "id": id});
    let children: Vec<Value> =
        mentions.iter().map(mention).chain([json!({"text": "hi"})]).collect();
    json!({"version": 1, "content": [{"type": "paragraph", "children": children}]})
}

/// Everybody may read room `r`, and staff its private threads.
async fn world(server: Server) -> World {
    let world = World::new(server).await;
    let room = json!({"id": "r",
        "defaultAccesses": ["*:read", "comments:write", "comments:private:none"],
        "groupsAccesses": {"staff": ["*:write", "comments:private:write"]}});
    world.admin("POST", "/v2/rooms", room).await;
    for (user, groups) in [("ann", json!(["staff"])), ("bob", json!([])), ("cat", json!(["staff"]))]
    {
        let identity = json!({"userId": user, "groupIds": groups});
        world.admin("POST", "/v2/identify-user", identity).await;
    }
    world
}

impl World {
    /// As a user, with an ID token.
    async fn user(&self, user: &str, verb: &str, path: &str, body: Value) -> (u16, Value) {
        let groups: &[&str] = if user == "bob" { &[] } else { &["staff"] };
        self.call(&self.server.id_token(&self.project.id, user, groups), verb, path, body).await
    }

    async fn open_thread(&self, by: &str, visibility: &str, mentions: &[(&str, &str)]) -> String {
        let thread = json!({"visibility": visibility, "comment": {"body": says(mentions)}});
        let (status, made) = self.user(by, "POST", "/v2/c/rooms/r/threads", thread).await;
        assert_eq!(status, 200, "{made}");
        made["id"].as_str().unwrap().to_owned()
    }

    async fn inbox(&self, user: &str) -> Value {
        self.user(user, "GET", INBOX, Value::Null).await.1
    }

    async fn count(&self, user: &str) -> Value {
        self.user(user, "GET", &format!("{INBOX}/count"), Value::Null).await.1["count"].clone()
    }
}

async fn a_mention_is_in_the_inbox_with_its_thread(server: Server) {
    let world = world(server).await;
    let group = json!({"id": "crew", "memberIds": ["ann", "cat"]});
    world.admin("POST", "/v2/groups", group).await;
    let since = world.inbox("bob").await["meta"]["requestedAt"].as_str().unwrap().to_owned();
    let thread = world.open_thread("ann", "public", &[("user", "bob"), ("group", "crew")]).await;
    for user in ["bob", "cat"] {
        let inbox = world.inbox(user).await;
        let one = &inbox["inboxNotifications"][0];
        assert_eq!((&one["kind"], &one["threadId"]), (&json!("thread"), &json!(thread)), "{user}");
        assert_eq!((&one["roomId"], &one["readAt"]), (&json!("r"), &Value::Null), "{user}");
        assert_eq!(inbox["threads"][0]["id"], json!(thread));
        assert_eq!(inbox["threads"][0]["comments"].as_array().unwrap().len(), 1);
        assert_eq!(inbox["subscriptions"][0]["kind"], "thread");
        assert_eq!(inbox["subscriptions"][0]["subjectId"], json!(thread));
        assert_eq!(inbox["groups"][0]["id"], "crew");
        assert_eq!(world.count(user).await, 1);
    }
    assert_eq!(world.inbox("ann").await["inboxNotifications"], json!([]));
    let delta = format!("{INBOX}/delta?since={since}");
    let (_, changed) = world.user("bob", "GET", &delta, Value::Null).await;
    for list in ["inboxNotifications", "threads", "subscriptions"] {
        assert_eq!(changed[list].as_array().unwrap().len(), 1, "{list}: {changed}");
    }
    let path = format!("/v2/rooms/r/threads/{thread}/inbox-notifications");
    let all = world.admin("GET", &path, Value::Null).await;
    let users: Vec<&Value> =
        all["data"].as_array().unwrap().iter().map(|one| &one["userId"]).collect();
    assert_eq!(users, ["bob", "cat"]);
    assert_eq!(world.user("bob", "GET", &path, Value::Null).await.0, 403);
    // The thread goes with its last comment, and takes along what told of it.
    let found = world.admin("GET", &format!("/v2/rooms/r/threads/{thread}"), Value::Null).await;
    let comment = found["comments"][0]["id"].as_str().unwrap();
    let path = format!("/v2/rooms/r/threads/{thread}/comments/{comment}");
    world.admin("DELETE", &path, Value::Null).await;
    assert_eq!(world.inbox("bob").await["inboxNotifications"], json!([]));
    let (_, changed) = world.user("bob", "GET", &delta, Value::Null).await;
    assert_eq!(changed["inboxNotifications"], json!([]));
    let gone = &changed["deletedInboxNotifications"][0];
    assert_eq!((&gone["type"], &gone["roomId"]), (&json!("deletedInboxNotification"), &json!("r")));
    assert_eq!(changed["deletedSubscriptions"][0]["subjectId"], json!(thread));
    world.server.stop().await;
}

async fn a_private_thread_is_in_no_inbox_of_those_who_may_not_read_it(server: Server) {
    let world = world(server).await;
    let thread = world.open_thread("ann", "private", &[("user", "bob"), ("user", "cat")]).await;
    assert_eq!(world.count("cat").await, 1);
    assert_eq!(world.count("bob").await, 0);
    let whole = world.admin("GET", "/v2/users/bob/inbox-notifications", Value::Null).await;
    assert_eq!(whole["data"], json!([]), "it was never there");
    for verb in ["subscribe", "unsubscribe"] {
        let path = format!("/v2/c/rooms/r/threads/{thread}/{verb}");
        assert_eq!(world.user("bob", "POST", &path, Value::Null).await.0, 404, "{verb}");
    }
    let path = format!("/v2/rooms/r/threads/{thread}/subscriptions");
    assert_eq!(world.user("bob", "GET", &path, Value::Null).await.0, 404);
    // Somebody who was told and lost the right sees nothing of it any more.
    let cat = world.server.id_token(&world.project.id, "cat", &[]);
    let (_, inbox) = world.call(&cat, "GET", INBOX, Value::Null).await;
    for list in ["inboxNotifications", "threads", "subscriptions"] {
        assert_eq!(inbox[list], json!([]), "{list}");
    }
    let delta = format!("{INBOX}/delta?since=2020-01-01T00:00:00.000Z");
    let (_, changed) = world.call(&cat, "GET", &delta, Value::Null).await;
    for list in ["inboxNotifications", "threads", "subscriptions"] {
        assert_eq!(changed[list], json!([]), "{list}");
    }
    let (_, count) = world.call(&cat, "GET", &format!("{INBOX}/count"), Value::Null).await;
    assert_eq!(count["count"], 0);
    // Nor do they hear of its end, by which it would have been there.
    let path = format!("/v2/rooms/r/threads/{thread}");
    world.admin("DELETE", &path, Value::Null).await;
    let threads = "/v2/c/rooms/r/threads/delta?since=2020-01-01T00:00:00.000Z";
    let own = "/v2/c/threads/delta?since=2020-01-01T00:00:00.000Z";
    for delta in [delta.as_str(), threads, own] {
        let (_, changed) = world.call(&cat, "GET", delta, Value::Null).await;
        assert_eq!(changed["deletedSubscriptions"], json!([]), "{delta}");
        let (_, changed) = world.user("cat", "GET", delta, Value::Null).await;
        assert_eq!(changed["deletedSubscriptions"][0]["subjectId"], json!(thread), "{delta}");
    }
    world.server.stop().await;
}

async fn who_follows_a_thread_is_told_of_comments_until_they_leave(server: Server) {
    let world = world(server).await;
    let thread = world.open_thread("ann", "public", &[]).await;
    let reply = async |by: &str| {
        let path = format!("/v2/c/rooms/r/threads/{thread}/comments");
        let (status, _) = world.user(by, "POST", &path, json!({"body": says(&[])})).await;
        assert_eq!(status, 200);
    };
    let browser = |verb: &str| format!("/v2/c/rooms/r/threads/{thread}/{verb}");
    let (status, made) = world.user("bob", "POST", &browser("subscribe"), Value::Null).await;
    assert_eq!(
        (status, &made["kind"], &made["subjectId"]),
        (200, &json!("thread"), &json!(thread))
    );
    let backend = |verb: &str| format!("/v2/rooms/r/threads/{thread}/{verb}");
    world.admin("POST", &backend("subscribe"), json!({"userId": "cat"})).await;
    let followers = world.admin("GET", &backend("subscriptions"), Value::Null).await;
    let users: Vec<&Value> =
        followers["data"].as_array().unwrap().iter().map(|one| &one["userId"]).collect();
    assert_eq!(users, ["ann", "bob", "cat"]);
    reply("cat").await;
    assert_eq!((world.count("ann").await, world.count("bob").await), (json!(1), json!(1)));
    assert_eq!(world.count("cat").await, 0);
    let left = world.user("bob", "POST", &browser("unsubscribe"), Value::Null).await;
    assert_eq!(left, (200, json!({})));
    world.admin("POST", &backend("unsubscribe"), json!({"userId": "ann"})).await;
    for user in ["ann", "bob"] {
        let all = json!({"inboxNotificationIds": "all"});
        world.user(user, "POST", &format!("{INBOX}/read"), all).await;
    }
    reply("cat").await;
    assert_eq!((world.count("ann").await, world.count("bob").await), (json!(0), json!(0)));
    world.server.stop().await;
}

async fn a_mention_in_a_text_reaches_members_who_may_read_the_text(server: Server) {
    let world = world(server).await;
    world.admin("POST", "/v2/rooms/r", json!({"usersAccesses": {"bob": ["storage:none"]}})).await;
    world
        .admin("POST", "/v2/groups", json!({"id": "all", "memberIds": ["ann", "bob", "cat"]}))
        .await;
    let mention = json!({"mentionId": "m", "groupId": "all"});
    let path = "/v2/c/rooms/r/text-mentions";
    let (status, _) = world.user("ann", "POST", path, mention.clone()).await;
    assert_eq!(status, 200);
    assert_eq!(world.user("bob", "POST", path, mention).await.0, 403);
    let one = &world.inbox("cat").await["inboxNotifications"][0];
    assert_eq!((&one["kind"], &one["mentionId"]), (&json!("textMention"), &json!("m")));
    assert_eq!((&one["createdBy"], &one["roomId"]), (&json!("ann"), &json!("r")));
    assert_eq!(one["mention"], json!({"kind": "group", "id": "all"}));
    assert_eq!(world.inbox("cat").await["groups"][0]["id"], "all");
    for user in ["ann", "bob"] {
        assert_eq!(world.count(user).await, 0, "{user}");
    }
    world.user("ann", "DELETE", "/v2/c/rooms/r/text-mentions/m", Value::Null).await;
    assert_eq!(world.count("cat").await, 0);
    world.server.stop().await;
}

async fn lists_of_threads_come_with_what_the_inbox_has_of_them(server: Server) {
    let world = world(server).await;
    let list = "/v2/c/rooms/r/threads";
    let public = world.open_thread("ann", "public", &[("user", "bob")]).await;
    let private = world.open_thread("ann", "private", &[("user", "cat")]).await;
    let subjects = |reply: &Value, list: &str, key: &str| -> Vec<String> {
        let text = |one: &Value| one[key].as_str().unwrap().to_owned();
        let mut found: Vec<String> = reply[list].as_array().unwrap().iter().map(text).collect();
        found.sort();
        found
    };
    let (_, bobs) = world.user("bob", "GET", list, Value::Null).await;
    assert_eq!(subjects(&bobs, "data", "id"), std::slice::from_ref(&public));
    assert_eq!(subjects(&bobs, "inboxNotifications", "threadId"), std::slice::from_ref(&public));
    assert_eq!(subjects(&bobs, "subscriptions", "subjectId"), std::slice::from_ref(&public));
    let mut both = vec![public.clone(), private.clone()];
    both.sort();
    let (_, anns) = world.user("ann", "GET", list, Value::Null).await;
    assert_eq!(subjects(&anns, "data", "id"), both);
    assert_eq!(subjects(&anns, "subscriptions", "subjectId"), both);
    assert_eq!(anns["inboxNotifications"], json!([]));
    for (query, wanted) in [("subscribed:true", &private), ("subscribed:false", &public)] {
        let path = format!("{list}?query={query}");
        let (_, cats) = world.user("cat", "GET", &path, Value::Null).await;
        assert_eq!(subjects(&cats, "data", "id"), std::slice::from_ref(wanted), "{query}");
    }
    let path = format!("/v2/c/rooms/r/thread-with-notification/{private}");
    let (_, cats) = world.user("cat", "GET", &path, Value::Null).await;
    assert_eq!(cats["inboxNotification"]["threadId"], json!(private));
    assert_eq!(cats["subscription"]["subjectId"], json!(private));
    let (_, anns) = world.user("ann", "GET", &path, Value::Null).await;
    assert!(anns.get("inboxNotification").is_none(), "{anns}");
    // What changed is told to those who may read it.
    let delta = format!("{list}/delta?since=2020-01-01T00:00:00.000Z");
    let (_, bobs) = world.user("bob", "GET", &delta, Value::Null).await;
    assert_eq!(subjects(&bobs, "inboxNotifications", "threadId"), std::slice::from_ref(&public));
    let (_, anns) = world.user("ann", "GET", &delta, Value::Null).await;
    assert_eq!(subjects(&anns, "subscriptions", "subjectId"), both);
    let path = format!("{list}/{public}/unsubscribe");
    world.user("bob", "POST", &path, Value::Null).await;
    world.user("bob", "DELETE", INBOX, Value::Null).await;
    let (_, bobs) = world.user("bob", "GET", &delta, Value::Null).await;
    assert_eq!(bobs["inboxNotifications"], json!([]));
    assert_eq!(bobs["deletedInboxNotifications"].as_array().unwrap().len(), 1);
    assert_eq!(subjects(&bobs, "deletedSubscriptions", "subjectId"), [public]);
    world.server.stop().await;
}

on_both_servers!(
    lists_of_threads_come_with_what_the_inbox_has_of_them,
    a_mention_is_in_the_inbox_with_its_thread,
    a_private_thread_is_in_no_inbox_of_those_who_may_not_read_it,
    who_follows_a_thread_is_told_of_comments_until_they_leave,
    a_mention_in_a_text_reaches_members_who_may_read_the_text,
);
