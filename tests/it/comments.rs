//! Comments as browsers change them, with the tokens of their users, and what others are told of it.

use serde_json::{Value, json};

use crate::harness::{Project, Server};
use crate::on_both_servers;
use crate::protocols::{Protocol, call};
use crate::websocket_client::Client;

const THREAD: &str = "/v2/c/rooms/r/threads/th_a";
const COMMENT: &str = "/v2/c/rooms/r/threads/th_a/comments/cm_a";

struct World {
    server: Server,
    project: Project,
}

impl World {
    /// Everybody may write everything in the room, but for eve, who sees no private threads, and
    /// rob, who may only read.
    async fn new(server: Server) -> Self {
        let world = Self { project: server.project("p").await, server };
        let room = json!({"id": "r", "defaultAccesses": ["*:write"], "usersAccesses": {
            "eve": ["*:write", "comments:private:none"], "rob": ["*:read"]}});
        let create = "roomd.v1.RoomService/CreateRoom";
        let secret = Some(world.project.secret.expose());
        call(&world.server, Protocol::ConnectJson, create, &room, secret).await.unwrap();
        world
    }

    fn token(&self, user: &str) -> String {
        self.server.id_token(&self.project.id, user, &[])
    }

    async fn join(&self, user: &str) -> Client {
        let path = format!("/v8?roomId=r&tok={}&version=3.24.2", self.token(user));
        let mut client = Client::open(self.server.address, &path).await;
        assert_eq!(client.json().await["type"], 104);
        client
    }

    async fn rest(&self, bearer: &str, verb: &str, path: &str, body: Value) -> (u16, Value) {
        self.server.rest(bearer, verb, path, body).await
    }

    async fn user(&self, user: &str, verb: &str, path: &str, body: Value) -> (u16, Value) {
        self.rest(&self.token(user), verb, path, body).await
    }

    async fn secret(&self, verb: &str, path: &str, body: Value) -> (u16, Value) {
        self.rest(self.project.secret.expose(), verb, path, body).await
    }

    /// Thread `th_a` with `cm_a` by ann and `cm_b` by bob.
    async fn two_comments(&self, visibility: &str) {
        let thread = json!({"id": "th_a", "visibility": visibility,
            "comment": {"id": "cm_a", "body": says("hi")}});
        let made = self.user("ann", "POST", "/v2/c/rooms/r/threads", thread).await;
        assert_eq!(made.0, 200, "{made:?}");
        let reply = json!({"id": "cm_b", "body": says("yes")});
        let made = self.user("bob", "POST", &format!("{THREAD}/comments"), reply).await;
        assert_eq!(made.0, 200, "{made:?}");
    }
}

fn says(text: &str) -> Value {
    json!({"version": 1, "content": [{"type": "paragraph", "children": [{"text": text}]}]})
}

fn without_times(mut value: Value) -> Value {
    for key in ["createdAt", "editedAt", "deletedAt", "updatedAt"] {
        let removed = value.as_object_mut().unwrap().remove(key);
        assert!(removed.is_none_or(|time| time.as_str().unwrap().ends_with('Z')));
    }
    value
}

async fn browsers_change_comments(server: Server) {
    let world = World::new(server).await;
    world.two_comments("public").await;
    let edit = json!({"body": says("better"), "metadata": {"a": 1},
        "editedAt": "2001-01-01T00:00:00Z"});
    let (status, edited) = world.user("ann", "POST", COMMENT, edit).await;
    assert!(!edited["editedAt"].as_str().unwrap().starts_with("2001"), "{edited}");
    let expected = json!({"type": "comment", "id": "cm_a", "threadId": "th_a", "roomId": "r",
        "userId": "ann", "body": says("better"), "metadata": {"a": 1}, "reactions": [],
        "attachments": []});
    assert_eq!((status, without_times(edited)), (200, expected));

    // The body is the patch, and the answer all of the metadata.
    let path = format!("{COMMENT}/metadata");
    let patched = world.user("ann", "POST", &path, json!({"a": null, "b": "x", "c": true})).await;
    assert_eq!(patched, (200, json!({"b": "x", "c": true})));

    let path = format!("{COMMENT}/reactions");
    let (status, reaction) = world.user("bob", "POST", &path, json!({"emoji": "👍"})).await;
    assert_eq!((status, without_times(reaction)), (200, json!({"userId": "bob", "emoji": "👍"})));
    let (status, refused) = world.user("bob", "POST", &path, json!({"emoji": "👍"})).await;
    assert_eq!((status, &refused["error"]), (409, &json!("RESOURCE_ALREADY_EXISTS")));
    // The path of an emoji is percent-encoded.
    let path = format!("{COMMENT}/reactions/%F0%9F%91%8D");
    assert_eq!(world.user("ann", "DELETE", &path, Value::Null).await.0, 404, "bob's, not ann's");
    assert_eq!(world.user("bob", "DELETE", &path, Value::Null).await, (204, Value::Null));
    assert_eq!(world.user("bob", "DELETE", &path, Value::Null).await.0, 404);

    assert_eq!(world.user("ann", "DELETE", COMMENT, Value::Null).await, (204, Value::Null));
    let path = "/v2/rooms/r/threads/th_a/comments/cm_a";
    let (status, gone) = world.user("ann", "GET", path, Value::Null).await;
    assert!(gone["deletedAt"].is_string());
    let expected = json!({"type": "comment", "id": "cm_a", "threadId": "th_a", "roomId": "r",
        "userId": "ann", "metadata": {}, "reactions": [], "attachments": []});
    assert_eq!((status, without_times(gone)), (200, expected));
    world.server.stop().await;
}

async fn users_change_what_is_theirs_and_back_ends_everything(server: Server) {
    let world = World::new(server).await;
    world.two_comments("public").await;
    let metadata = format!("{COMMENT}/metadata");
    for (verb, path, body) in [
        ("POST", COMMENT, json!({"body": says("forged")})),
        ("POST", &*metadata, json!({"a": 1})),
        ("DELETE", COMMENT, Value::Null),
    ] {
        let (status, refused) = world.user("bob", verb, path, body).await;
        assert_eq!((status, &refused["error"]), (403, &json!("FORBIDDEN")), "{verb} {path}");
    }
    // Nobody acts for somebody else.
    let react = format!("{COMMENT}/add-reaction").replace("/v2/c/", "/v2/");
    let of_ann = json!({"userId": "ann", "emoji": "👍"});
    let (status, refused) = world.user("bob", "POST", &react, of_ann.clone()).await;
    assert_eq!((status, &refused["error"]), (403, &json!("FORBIDDEN")));
    // Whoever may only read the room changes nothing in it.
    let own = json!({"emoji": "👍"});
    let (status, refused) = world.user("rob", "POST", &react, own.clone()).await;
    assert_eq!((status, &refused["error"]), (403, &json!("UNAUTHORIZED_ROOM_ACCESS")));
    let public = world.project.public.expose();
    assert!(world.rest(public, "POST", &react, own).await.0 >= 401, "nobody, with the public key");

    let (status, reaction) = world.secret("POST", &react, of_ann).await;
    assert_eq!((status, &reaction["userId"]), (200, &json!("ann")));
    let comment = "/v2/rooms/r/threads/th_a/comments/cm_a";
    let edit = json!({"body": says("moderated"), "editedAt": "2026-01-02T03:04:05"});
    let (status, edited) = world.secret("POST", comment, edit).await;
    assert_eq!((status, &edited["editedAt"]), (200, &json!("2026-01-02T03:04:05.000Z")));
    assert_eq!(edited["reactions"][0]["users"], json!([{"id": "ann"}]));
    assert_eq!(world.secret("DELETE", comment, Value::Null).await, (204, Value::Null));
    world.server.stop().await;
}

async fn what_is_wrong_with_a_body_is_named_by_its_place(server: Server) {
    let world = World::new(server).await;
    world.two_comments("public").await;
    let children = json!([{"text": "a"}, {"text": "b", "bold": "very"}]);
    let content = json!([{"type": "paragraph", "children": children}]);
    let body = json!({"body": {"version": 1, "content": content}});
    let (status, refused) = world.user("ann", "POST", COMMENT, body).await;
    assert_eq!((status, &refused["error"]), (422, &json!("UNPROCESSABLE_ENTITY")));
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains("'body.content[0].children[1].bold'"), "{message}");
    world.server.stop().await;
}

/// Does everything to the comments of `th_a` that there is, the last of it to the thread as well.
async fn change_everything(world: &World) {
    let (metadata, reactions) = (format!("{COMMENT}/metadata"), format!("{COMMENT}/reactions"));
    let other = format!("{THREAD}/comments/cm_b");
    for (user, verb, path, body) in [
        ("ann", "POST", COMMENT, json!({"body": says("better")})),
        ("bob", "POST", &*reactions, json!({"emoji": "👍"})),
        ("bob", "DELETE", &*format!("{reactions}/%F0%9F%91%8D"), Value::Null),
        ("ann", "POST", &*metadata, json!({"a": 1})),
        ("ann", "DELETE", COMMENT, Value::Null),
        ("bob", "DELETE", &*other, Value::Null),
    ] {
        let (status, answer) = world.user(user, verb, path, body).await;
        assert!([200, 204].contains(&status), "{verb} {path}: {answer}");
    }
}

/// What everybody who may know is told of it.
fn told() -> Vec<Value> {
    let of =
        |kind: i64, comment: &str| json!({"type": kind, "threadId": "th_a", "commentId": comment});
    let with_emoji = |kind| {
        let mut event = of(kind, "cm_a");
        event["emoji"] = json!("👍");
        event
    };
    vec![
        of(403, "cm_a"),
        with_emoji(405),
        with_emoji(406),
        of(409, "cm_a"),
        of(404, "cm_a"),
        of(404, "cm_b"),
        json!({"type": 407, "threadId": "th_a"}),
    ]
}

async fn hears_everything(client: &mut Client) {
    for expected in told() {
        assert_eq!(client.find(expected["type"].as_i64().unwrap()).await, expected);
    }
}

async fn whoever_may_see_a_comment_is_told_what_becomes_of_it(server: Server) {
    let world = World::new(server).await;
    let mut rob = world.join("rob").await;
    world.two_comments("public").await;
    change_everything(&world).await;
    hears_everything(&mut rob).await;
    drop(rob);
    world.server.stop().await;
}

async fn nobody_else_knows_of_a_private_thread(server: Server) {
    let world = World::new(server).await;
    let (mut rob, mut eve) = (world.join("rob").await, world.join("eve").await);
    world.two_comments("private").await;
    let (metadata, reactions) = (format!("{COMMENT}/metadata"), format!("{COMMENT}/reactions"));
    for (verb, path, body) in [
        ("POST", COMMENT, json!({"body": says("better")})),
        ("POST", &*metadata, json!({"a": 1})),
        ("POST", &*reactions, json!({"emoji": "👍"})),
        ("DELETE", &*format!("{reactions}/%F0%9F%91%8D"), Value::Null),
        ("DELETE", COMMENT, Value::Null),
    ] {
        let (status, refused) = world.user("eve", verb, path, body).await;
        assert_eq!((status, &refused["error"]), (404, &json!("RESOURCE_NOT_FOUND")), "{path}");
    }
    change_everything(&world).await;
    hears_everything(&mut rob).await;
    // What eve hears first is what came after all of it.
    let thread = json!({"id": "th_z", "comment": {"body": says("hello, eve")}});
    world.user("ann", "POST", "/v2/c/rooms/r/threads", thread).await;
    loop {
        let heard = eve.json().await;
        if (400..=409).contains(&heard["type"].as_i64().unwrap()) {
            assert_eq!(heard, json!({"type": 400, "threadId": "th_z"}));
            break;
        }
    }
    drop((rob, eve));
    world.server.stop().await;
}

on_both_servers!(
    browsers_change_comments,
    users_change_what_is_theirs_and_back_ends_everything,
    what_is_wrong_with_a_body_is_named_by_its_place,
    whoever_may_see_a_comment_is_told_what_becomes_of_it,
    nobody_else_knows_of_a_private_thread,
);
