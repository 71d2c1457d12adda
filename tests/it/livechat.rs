//! A room's comments as one flat list, in the dialect of Rocket.Chat.

use serde_json::{Value, json};

use crate::harness::{Project, Server};
use crate::on_both_servers;

const BODY: fn(&str) -> Value =
    |text| json!({"version": 1, "content": [{"type": "paragraph", "children": [{"text": text}]}]});

struct World {
    server: Server,
    project: Project,
}

/// Who asks: the values of `X-Auth-Token` and `X-User-Id`.
type Headers<'a> = (&'a str, &'a str);

impl World {
    /// A room that `ann` and the reviewers see all of, and others its public threads.
    async fn new(server: Server) -> Self {
        let project = server.project("p").await;
        let world = Self { server, project };
        let room = json!({
            "id": "r",
            "defaultAccesses": ["*:read", "comments:private:none"],
            "groupsAccesses": {"reviewers": ["*:read", "comments:private:read"]},
        });
        world.post("/v2/rooms", room).await;
        world
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let request = self.server.http.post(self.server.url(path));
        let bearer = format!("Bearer {}", self.project.secret.expose());
        let request = request.header("authorization", bearer);
        let request = request.header("content-type", "application/json").body(body.to_string());
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    /// A thread whose first comment was written at a time of its own.
    async fn say(&self, user: &str, text: &str, second: u32, visibility: &str) -> String {
        let created_at = format!("2026-01-01T00:00:{second:02}.000Z");
        let thread = json!({
            "visibility": visibility,
            "comment": {"userId": user, "body": BODY(text), "createdAt": created_at},
        });
        let thread = self.post("/v2/rooms/r/threads", thread).await;
        thread["comments"][0]["id"].as_str().unwrap().to_owned()
    }

    async fn ask(&self, (token, user): Headers<'_>, path: &str) -> (u16, Value) {
        let url = self.server.url(&format!("/api/v1/livechat/messages/{path}"));
        let mut request = self.server.http.get(url);
        for (name, value) in [("x-auth-token", token), ("x-user-id", user)] {
            if !value.is_empty() {
                request = request.header(name, value);
            }
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
    }

    async fn texts(&self, headers: Headers<'_>, path: &str) -> Vec<String> {
        let (status, page) = self.ask(headers, path).await;
        assert_eq!((status, &page["success"]), (200, &json!(true)), "{page}");
        let messages = page["messages"].as_array().unwrap().iter();
        messages.map(|message| message["msg"].as_str().unwrap().to_owned()).collect()
    }

    fn secret(&self) -> &str {
        self.project.secret.expose()
    }

    fn token(&self, user: &str, groups: &[&str]) -> String {
        self.server.id_token(&self.project.id, user, groups)
    }
}

async fn a_conversation_is_one_flat_list(server: Server) {
    let world = World::new(server).await;
    let headers = (world.secret(), "anybody");
    let first = world.say("ann", "hello", 1, "public").await;
    world.say("bob", "world", 2, "public").await;
    let (status, page) = world.ask(headers, "r").await;
    assert_eq!(status, 200);
    let oldest = &page["messages"][1];
    let user = json!({"_id": "ann", "username": "ann", "name": "ann"});
    assert_eq!(oldest["_id"], json!(first));
    assert_eq!(
        (&oldest["rid"], &oldest["msg"], &oldest["u"]),
        (&json!("r"), &json!("hello"), &user)
    );
    assert_eq!(oldest["ts"], "2026-01-01T00:00:01.000Z");
    assert_eq!(oldest["_updatedAt"], "2026-01-01T00:00:01.000Z");
    let md = json!([{"type": "PARAGRAPH", "value": [{"type": "PLAIN_TEXT", "value": "hello"}]}]);
    assert_eq!(oldest["md"], md);
    for list in ["urls", "mentions", "channels"] {
        assert_eq!(oldest[list], json!([]), "{list}");
    }
    assert!(
        oldest.get("file").is_none() && oldest.get("attachments").is_none_or(|a| a == &json!([]))
    );
    for (key, value) in [("offset", 0), ("count", 50), ("total", 2)] {
        assert_eq!(page[key], json!(value), "{key}");
    }
}

async fn pages_and_orders(server: Server) {
    let world = World::new(server).await;
    let headers = (world.secret(), "anybody");
    for (second, text) in ["one", "two", "three", "four"].into_iter().enumerate() {
        let second = u32::try_from(second).unwrap();
        let visibility = if second == 1 { "private" } else { "public" };
        world.say("ann", text, second, visibility).await;
    }
    assert_eq!(world.texts(headers, "r").await, ["four", "three", "two", "one"]);
    assert_eq!(world.texts(headers, "r?count=2").await, ["four", "three"]);
    assert_eq!(world.texts(headers, "r?count=2&offset=1").await, ["three", "two"]);
    assert_eq!(world.texts(headers, "r?offset=9").await, Vec::<String>::new());
    let sort = |json: &str| format!("r?sort={}", json.replace('"', "%22"));
    let oldest = world.texts(headers, &sort(r#"{"ts":1}"#)).await;
    assert_eq!(oldest, ["one", "two", "three", "four"]);
    let mut by_id = world.texts(headers, &sort(r#"{"_id":-1}"#)).await;
    let (_, ids) = world.ask(headers, &sort(r#"{"_id":-1}"#)).await;
    let ids: Vec<&str> =
        ids["messages"].as_array().unwrap().iter().map(|m| m["_id"].as_str().unwrap()).collect();
    assert!(ids.is_sorted_by(|one, other| one > other), "{ids:?}");
    by_id.sort();
    assert_eq!(by_id, ["four", "one", "three", "two"]);
    assert_eq!(world.texts(headers, "r?searchTerm=T").await, ["three", "two"]);
    let (_, found) = world.ask(headers, "r?searchTerm=T&count=1&offset=1").await;
    assert_eq!((&found["messages"][0]["msg"], &found["total"]), (&json!("two"), &json!(2)));
    // The keyset goes on where the page before ended.
    let (_, first) = world.ask(headers, "r?count=3").await;
    let next = first["nextCursor"].as_str().unwrap();
    assert_eq!(world.texts(headers, &format!("r?count=3&cursor={next}")).await, ["one"]);
}

async fn private_threads_are_for_those_who_may_read_them(server: Server) {
    let world = World::new(server).await;
    world.say("ann", "for all", 1, "public").await;
    world.say("ann", "for few", 2, "private").await;
    let (eve, rita) = (world.token("eve", &[]), world.token("rita", &["reviewers"]));
    for path in ["r", "r?searchTerm=for", "r?sort=%7B%22_id%22:1%7D", "r?offset=0&count=9"] {
        assert_eq!(world.texts((&eve, "eve"), path).await, ["for all"], "{path}");
        assert_eq!(world.texts((&rita, "rita"), path).await.len(), 2, "{path}");
    }
    let (_, page) = world.ask((&eve, "eve"), "r").await;
    assert_eq!(page["total"], json!(1), "a count tells nothing of private threads");
}

async fn whoever_is_not_let_in_is_told_as_there(server: Server) {
    let world = World::new(server).await;
    let out = json!({"status": "error", "message": "You must be logged in to do this."});
    let no_room = json!({"success": false, "error": "invalid-room"});
    let (secret, eve) = (world.secret(), world.token("eve", &[]));
    let cases = [
        (("", ""), "r", 401, &out),
        ((secret, ""), "r", 401, &out),
        (("", "eve"), "r", 401, &out),
        (("sk_wrong", "eve"), "r", 401, &out),
        ((eve.as_str(), "ann"), "r", 401, &out),
        ((world.project.public.expose(), "eve"), "r", 401, &out),
        ((secret, "eve"), "nowhere", 400, &no_room),
        ((eve.as_str(), "eve"), "nowhere", 400, &no_room),
    ];
    for (headers, path, status, body) in cases {
        assert_eq!(world.ask(headers, path).await, (status, body.clone()), "{headers:?} {path}");
    }
    world.post("/v2/rooms", json!({"id": "closed", "defaultAccesses": []})).await;
    assert_eq!(world.ask((&eve, "eve"), "closed").await, (400, no_room));
    let (status, error) = world.ask((secret, "eve"), "r?count=101").await;
    assert_eq!((status, &error["success"]), (400, &json!(false)));
    assert!(error["error"].as_str().unwrap().contains("'count'"), "{error}");
}

on_both_servers!(
    a_conversation_is_one_flat_list,
    pages_and_orders,
    private_threads_are_for_those_who_may_read_them,
    whoever_is_not_let_in_is_told_as_there,
);
