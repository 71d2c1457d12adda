//! Inboxes and settings as users reach them: what they see is what they may read now.

use serde_json::{Value, json};

use crate::harness::{Project, Server};
use crate::on_both_servers;

pub struct World {
    pub server: Server,
    pub project: Project,
}

impl World {
    pub async fn new(server: Server) -> Self {
        let project = server.project("p").await;
        Self { server, project }
    }

    pub async fn call(&self, bearer: &str, verb: &str, path: &str, body: Value) -> (u16, Value) {
        self.server.rest(bearer, verb, path, body).await
    }

    /// As the back end.
    pub async fn admin(&self, verb: &str, path: &str, body: Value) -> Value {
        let (status, reply) = self.call(self.project.secret.expose(), verb, path, body).await;
        assert!(status < 300, "{verb} {path}: {status} {reply}");
        reply
    }

    /// As ann, with an ID token.
    async fn ann(&self, verb: &str, path: &str, body: Value) -> (u16, Value) {
        self.call(&self.server.id_token(&self.project.id, "ann", &[]), verb, path, body).await
    }

    async fn room(&self, id: &str, users: Value) {
        let room = json!({"id": id, "defaultAccesses": [], "usersAccesses": users});
        self.admin("POST", "/v2/rooms", room).await;
    }

    async fn tell_ann(&self, subject: &str, more: Value) {
        let mut notice = json!({"userId": "ann", "kind": "$alert", "subjectId": subject,
            "activityData": {"n": 1}});
        notice.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.admin("POST", "/v2/inbox-notifications/trigger", notice).await;
    }

    /// The subjects that ann sees, in order of their names, and how many are unread.
    async fn seen(&self) -> (Vec<String>, i64) {
        let (_, inbox) = self.ann("GET", "/v2/c/inbox-notifications", Value::Null).await;
        let text = |value: &Value| value["subjectId"].as_str().unwrap().to_owned();
        let list = inbox["inboxNotifications"].as_array().unwrap();
        let mut subjects: Vec<String> = list.iter().map(text).collect();
        subjects.sort();
        let (_, count) = self.ann("GET", "/v2/c/inbox-notifications/count", Value::Null).await;
        (subjects, count["count"].as_i64().unwrap())
    }
}

async fn an_inbox_shows_what_its_user_may_read_now(server: Server) {
    let world = World::new(server).await;
    world.room("mine", json!({"ann": ["*:read"]})).await;
    world.room("theirs", json!({"bob": ["*:write"]})).await;
    world.tell_ann("nowhere", json!({})).await;
    world.tell_ann("mine", json!({"roomId": "mine"})).await;
    world.tell_ann("theirs", json!({"roomId": "theirs"})).await;
    world.tell_ann("acme", json!({"organizationId": "acme"})).await;
    assert_eq!(world.seen().await, (vec!["mine".into(), "nowhere".into()], 2));
    let whole = world.admin("GET", "/v2/users/ann/inbox-notifications", Value::Null).await;
    assert_eq!(whole["data"].as_array().unwrap().len(), 4);
    let hidden = whole["data"].as_array().unwrap();
    let hidden = hidden.iter().find(|one| one["subjectId"] == "theirs").unwrap();
    let path = format!("/v2/users/ann/inbox-notifications/{}", hidden["id"].as_str().unwrap());
    assert_eq!(world.ann("GET", &path, Value::Null).await.0, 404);
    world.admin("GET", &path, Value::Null).await;
    let delta = "/v2/c/inbox-notifications/delta?since=2020-01-01T00:00:00.000Z";
    let (_, changed) = world.ann("GET", delta, Value::Null).await;
    assert_eq!(changed["inboxNotifications"].as_array().unwrap().len(), 2);
    // A right that comes, or goes, counts at once.
    let accesses = |accesses: Value| json!({ "usersAccesses": accesses });
    world.admin("POST", "/v2/rooms/theirs", accesses(json!({"ann": ["*:read"]}))).await;
    world.admin("POST", "/v2/rooms/mine", accesses(json!({"ann": null}))).await;
    assert_eq!(world.seen().await, (vec!["nowhere".into(), "theirs".into()], 2));
    world.server.stop().await;
}

async fn pages_are_full_where_much_is_hidden(server: Server) {
    let world = World::new(server).await;
    world.room("theirs", json!({})).await;
    for number in 0..4 {
        world.tell_ann(&format!("own{number}"), json!({})).await;
        for hidden in 0..60 {
            let subject = format!("{number}.{hidden}");
            world.tell_ann(&subject, json!({"roomId": "theirs"})).await;
        }
    }
    let (mut subjects, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v2/c/inbox-notifications?limit=2&cursor={cursor}");
        let (status, page) = world.ann("GET", &path, Value::Null).await;
        assert_eq!(status, 200);
        let found = page["inboxNotifications"].as_array().unwrap();
        assert!(found.len() == 2 || page["meta"]["nextCursor"].is_null(), "{page}");
        subjects.extend(found.iter().map(|one| one["subjectId"].as_str().unwrap().to_owned()));
        match page["meta"]["nextCursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(subjects, ["own3", "own2", "own1", "own0"]);
    world.server.stop().await;
}

async fn answers_have_every_key_that_browsers_read(server: Server) {
    let world = World::new(server).await;
    let (_, mut inbox) = world.ann("GET", "/v2/c/inbox-notifications?limit=50", Value::Null).await;
    let meta = inbox["meta"].take();
    assert!(meta["requestedAt"].is_string() && meta["nextCursor"].is_null());
    assert!(meta.as_object().unwrap().contains_key("nextCursor"));
    assert_eq!(
        inbox,
        json!({"inboxNotifications": [], "threads": [], "subscriptions": [], "groups": [],
            "meta": null})
    );
    let since = meta["requestedAt"].as_str().unwrap();
    let delta = format!("/v2/c/inbox-notifications/delta?since={since}");
    let (_, mut changed) = world.ann("GET", &delta, Value::Null).await;
    assert!(changed["meta"].take()["requestedAt"].as_str().unwrap() >= since);
    assert_eq!(
        changed,
        json!({"inboxNotifications": [], "threads": [], "subscriptions": [],
            "deletedInboxNotifications": [], "deletedThreads": [], "deletedSubscriptions": [],
            "meta": null})
    );
    let count = world.ann("GET", "/v2/c/inbox-notifications/count", Value::Null).await;
    assert_eq!(count, (200, json!({"count": 0})));
    world.tell_ann("s", json!({})).await;
    let (_, changed) = world.ann("GET", &delta, Value::Null).await;
    let one = &changed["inboxNotifications"][0];
    assert!(one["id"].as_str().unwrap().starts_with("in_"));
    for key in ["readAt", "roomId", "threadId"] {
        assert_eq!(one.as_object().unwrap().get(key), Some(&Value::Null), "{key}");
    }
    let empty = world.admin("GET", "/v2/users/bob/inbox-notifications", Value::Null).await;
    assert_eq!(empty, json!({"nextCursor": null, "data": []}));
    world.server.stop().await;
}

async fn nobody_changes_the_inbox_of_somebody_else(server: Server) {
    let world = World::new(server).await;
    world.room("r", json!({"ann": ["*:read"], "bob": ["*:read"]})).await;
    world.tell_ann("s", json!({"roomId": "r"})).await;
    let bob = world.server.id_token(&world.project.id, "bob", &[]);
    let whole = world.admin("GET", "/v2/users/ann/inbox-notifications", Value::Null).await;
    let id = whole["data"][0]["id"].as_str().unwrap();
    let ids = json!({ "inboxNotificationIds": [id] });
    let read = format!("/v2/inbox-notifications/{id}/read");
    assert_eq!(world.call(&bob, "POST", &read, Value::Null).await.0, 404);
    let path = "/v2/users/ann/inbox-notifications";
    assert_eq!(world.call(&bob, "GET", path, Value::Null).await.0, 403);
    assert_eq!(world.call(&bob, "DELETE", path, Value::Null).await.0, 403);
    let (status, _) = world.call(&bob, "POST", "/v2/c/inbox-notifications/read", ids.clone()).await;
    assert_eq!(status, 200, "what is not there is passed over");
    let delete = format!("/v2/c/inbox-notifications/{id}");
    assert_eq!(world.call(&bob, "DELETE", &delete, Value::Null).await.0, 404);
    assert_eq!(world.seen().await.1, 1);
    assert_eq!(
        world.ann("POST", "/v2/c/rooms/r/inbox-notifications/read", ids).await,
        (200, json!({}))
    );
    assert_eq!(world.seen().await, (vec!["s".into()], 0));
    world.tell_ann("s", json!({"roomId": "r"})).await;
    assert_eq!(world.seen().await, (vec!["s".into()], 1));
    let all = json!({"inboxNotificationIds": "all"});
    assert_eq!(world.ann("POST", "/v2/c/inbox-notifications/read", all).await, (200, json!({})));
    assert_eq!(world.seen().await.1, 0);
    assert_eq!(world.ann("DELETE", "/v2/c/inbox-notifications", Value::Null).await.0, 204);
    assert_eq!(world.seen().await.0, Vec::<String>::new());
    world.server.stop().await;
}

async fn a_browser_with_the_public_key_has_no_inbox(server: Server) {
    let world = World::new(server).await;
    let open = json!({"id": "open", "defaultAccesses": ["*:read"]});
    world.admin("POST", "/v2/rooms", open).await;
    let public = world.project.public.expose();
    let read = "/v2/c/rooms/open/inbox-notifications/read";
    let ids = json!({"inboxNotificationIds": ["in_x"]});
    assert_eq!(world.call(public, "POST", read, ids).await, (200, json!({})));
    for path in ["/v2/c/inbox-notifications", "/v2/c/rooms/open/subscription-settings"] {
        let (status, refused) = world.call(public, "GET", path, Value::Null).await;
        assert_eq!((status, &refused["error"]), (401, &json!("WRONG_KEY_USED")), "{path}");
    }
    world.server.stop().await;
}

async fn settings_are_a_users_own_and_have_older_names(server: Server) {
    let world = World::new(server).await;
    world.room("r", json!({"ann": ["*:read"]})).await;
    world.room("theirs", json!({})).await;
    let path = "/v2/c/rooms/r/subscription-settings";
    let (_, settings) = world.ann("GET", path, Value::Null).await;
    let usual = json!({"threads": "replies_and_mentions", "textMentions": "mine"});
    assert_eq!(settings, usual);
    let (_, settings) = world.ann("POST", path, json!({"threads": "all"})).await;
    let all = json!({"threads": "all", "textMentions": "mine"});
    assert_eq!(settings, all);
    for name in ["subscription-settings", "notification-settings"] {
        let path = format!("/v2/rooms/r/users/ann/{name}");
        assert_eq!(world.admin("GET", &path, Value::Null).await, all);
    }
    world.admin("POST", "/v2/rooms/theirs/users/ann/notification-settings", all.clone()).await;
    let list = "/v2/users/ann/room-subscription-settings";
    let whole = world.admin("GET", list, Value::Null).await;
    assert_eq!((whole["data"].as_array().unwrap().len(), &whole["nextCursor"]), (2, &Value::Null));
    let (_, own) = world.ann("GET", list, Value::Null).await;
    let shown = json!({"roomId": "r", "threads": "all", "textMentions": "mine"});
    assert_eq!(own, json!({"nextCursor": null, "data": [shown]}));
    world.admin("DELETE", "/v2/rooms/r/users/ann/notification-settings", Value::Null).await;
    assert_eq!(world.ann("GET", path, Value::Null).await.1, usual);
    let update = json!({"email": {"textMention": false}, "webPush": {"$alert": true}});
    let (_, settings) = world.ann("POST", "/v2/c/notification-settings", update).await;
    assert_eq!(settings["email"], json!({"thread": true, "textMention": false}));
    assert_eq!(settings["webPush"], json!({"thread": false, "textMention": false, "$alert": true}));
    let path = "/v2/users/ann/notification-settings";
    assert_eq!(world.admin("GET", path, Value::Null).await, settings);
    world.admin("DELETE", path, Value::Null).await;
    let (_, settings) = world.ann("GET", "/v2/c/notification-settings", Value::Null).await;
    assert_eq!(settings["webPush"], json!({"thread": false, "textMention": false}));
    world.server.stop().await;
}

on_both_servers!(
    an_inbox_shows_what_its_user_may_read_now,
    pages_are_full_where_much_is_hidden,
    answers_have_every_key_that_browsers_read,
    nobody_changes_the_inbox_of_somebody_else,
    a_browser_with_the_public_key_has_no_inbox,
    settings_are_a_users_own_and_have_older_names,
);
