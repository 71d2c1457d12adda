//! Which editor writes a room's Yjs document, as browsers report it and back ends ask for it: who
//! may change what is kept.

use serde_json::{Value, json};

use crate::harness::{Project, Server};
use crate::on_both_servers;

struct World {
    server: Server,
    project: Project,
}

impl World {
    async fn send(&self, verb: &str, path: &str, bearer: &str, body: Value) -> (u16, Value) {
        let request = self.server.http.request(verb.parse().unwrap(), self.server.url(path));
        let request = request.header("content-type", "application/json").bearer_auth(bearer);
        let reply = request.body(body.to_string()).send().await.unwrap();
        (reply.status().as_u16(), reply.json().await.unwrap())
    }

    /// As `@liveblocks/client` does it.
    async fn report(&self, bearer: &str, editor: &Value) -> (u16, Value) {
        self.send("POST", "/v2/c/rooms/r/text-metadata", bearer, editor.clone()).await
    }

    async fn kept(&self, bearer: &str) -> (u16, Value) {
        let request = self.server.http.get(self.server.url("/v2/rooms/r/text-editor"));
        let reply = request.bearer_auth(bearer).send().await.unwrap();
        (reply.status().as_u16(), reply.json().await.unwrap())
    }

    fn token(&self, scopes: &[&str]) -> String {
        self.server.access_token(&self.project.id, &[("r", scopes)], 0)
    }
}

async fn a_room(server: Server, name: &str, default_accesses: Value) -> World {
    let project = server.project(name).await;
    let world = World { server, project };
    let room = json!({"id": "r", "defaultAccesses": default_accesses});
    let secret = world.project.secret.expose();
    assert_eq!(world.send("POST", "/v2/rooms", secret, room).await.0, 200);
    world
}

async fn readers_report_and_only_writers_are_believed(server: Server) {
    let world = a_room(server, "readers", json!(["*:read"])).await;
    let (reader, writer) = (world.token(&["*:read"]), world.token(&["*:write"]));
    let public = world.project.public.expose();
    let secret = world.project.secret.expose();
    let lexical = json!({"type": "lexical", "rootKey": "root"});
    let other = json!({"type": "tiptap", "rootKey": "elsewhere"});

    // Not even while nothing is kept.
    for bearer in [&*reader, public] {
        assert_eq!(world.report(bearer, &other).await, (200, json!({})));
        let (status, error) = world.kept(secret).await;
        assert_eq!((status, &error["error"]), (404, &json!("TEXT_EDITOR_NOT_FOUND")));
    }
    assert_eq!(world.report(&writer, &lexical).await, (200, json!({})));
    for bearer in [&*reader, public] {
        assert_eq!(world.report(bearer, &other).await, (200, json!({})));
        assert_eq!(world.kept(secret).await, (200, lexical.clone()));
    }
    for bearer in [&*reader, &*writer] {
        assert_eq!(world.kept(bearer).await, (200, lexical.clone()));
    }
    let (status, error) = world.kept(public).await;
    assert_eq!((status, &error["error"]), (401, &json!("WRONG_KEY_USED")));

    // A writer's next report wins, and so does a back end's.
    assert_eq!(world.report(&writer, &other).await, (200, json!({})));
    assert_eq!(world.kept(secret).await, (200, other));
    let put = world.send("PUT", "/v2/rooms/r/text-editor", secret, lexical.clone()).await;
    assert_eq!(put, (200, json!({})));
    assert_eq!(world.kept(&reader).await, (200, lexical));
    world.server.stop().await;
}

async fn the_right_is_that_of_storage(server: Server) {
    let world = a_room(server, "storage", json!([])).await;
    let secret = world.project.secret.expose();
    let lexical = json!({"type": "lexical", "rootKey": "root"});
    let blind = world.token(&["*:write", "storage:none"]);
    assert_eq!(world.report(&blind, &lexical).await.0, 403);
    assert_eq!(world.kept(&blind).await.0, 403);
    let reads = world.token(&["*:write", "storage:read"]);
    assert_eq!(world.report(&reads, &lexical).await.0, 200);
    assert_eq!(world.kept(secret).await.0, 404);
    let writes = world.token(&["*:read", "storage:write"]);
    assert_eq!(world.report(&writes, &lexical).await.0, 200);
    assert_eq!(world.kept(&reads).await, (200, lexical));
    world.server.stop().await;
}

async fn the_public_key_reports_where_everybody_may_write(server: Server) {
    let world = a_room(server, "public", json!(["*:write"])).await;
    let blocknote = json!({"type": "blocknote", "rootKey": "document-store"});
    let public = world.project.public.expose();
    assert_eq!(world.report(public, &blocknote).await, (200, json!({})));
    assert_eq!(world.kept(world.project.secret.expose()).await, (200, blocknote));
    world.server.stop().await;
}

async fn what_is_wrong_is_named_even_to_readers(server: Server) {
    let world = a_room(server, "wrong", json!(["*:read"])).await;
    let reader = world.token(&["*:read"]);
    for (wrong, field) in [
        (json!({"rootKey": "root"}), "type"),
        (json!({"type": "lexical"}), "rootKey"),
        (json!({"type": "word", "rootKey": "root"}), "type"),
        (json!({"type": "lexical", "rootKey": "x".repeat(257)}), "rootKey"),
    ] {
        let (status, error) = world.report(&reader, &wrong).await;
        assert_eq!(status, 422, "{wrong}");
        assert!(error["message"].as_str().unwrap().contains(field), "{error}");
    }
    world.server.stop().await;
}

on_both_servers!(
    readers_report_and_only_writers_are_believed,
    the_right_is_that_of_storage,
    the_public_key_reports_where_everybody_may_write,
    what_is_wrong_is_named_even_to_readers,
);
