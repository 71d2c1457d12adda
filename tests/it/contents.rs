//! What rooms hold over REST, in the shapes that the SDKs and the browsers' client rely on.

use serde_json::{Value, json};

use crate::harness::{Project, Server};
use crate::on_both_servers;

/// A project with the room `r`, as its back end calls it.
struct World {
    server: Server,
    project: Project,
}

impl World {
    async fn new(server: Server, name: &str) -> Self {
        let project = server.project(name).await;
        let world = Self { server, project };
        let room = json!({"id": "r", "defaultAccesses": ["*:read"]});
        let made = world.post("/v2/rooms", room.to_string()).await;
        assert_eq!(made.status(), 200);
        world
    }

    fn request(&self, verb: &str, path: &str) -> reqwest::RequestBuilder {
        let request = self.server.http.request(verb.parse().unwrap(), self.server.url(path));
        request.header("authorization", format!("Bearer {}", self.project.secret.expose()))
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        self.request("GET", path).send().await.unwrap()
    }

    async fn post(&self, path: &str, body: String) -> reqwest::Response {
        let request = self.request("POST", path).header("content-type", "application/json");
        request.body(body).send().await.unwrap()
    }

    async fn fill(&self, data: Value) {
        let document = json!({"liveblocksType": "LiveObject", "data": data});
        let filled = self.post("/v2/rooms/r/storage", document.to_string()).await;
        assert_eq!(filled.status(), 200);
        let text = filled.text().await.unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), document);
    }

    async fn json(&self, path: &str) -> Value {
        let reply = self.get(path).await;
        assert_eq!((reply.status().as_u16(), media_type(&reply)), (200, "application/json".into()));
        reply.json().await.unwrap()
    }
}

fn media_type(reply: &reqwest::Response) -> String {
    reply.headers()["content-type"].to_str().unwrap().to_owned()
}

async fn storage_is_read_patched_and_refused_by_name(server: Server) {
    let world = World::new(server, "storage").await;
    world.fill(json!({"list": {"liveblocksType": "LiveList", "data": [1, 2]}})).await;
    let patch = |patch: Value| {
        let request = world.request("PATCH", "/v2/rooms/r/storage/json-patch");
        request.header("content-type", "application/json").body(patch.to_string()).send()
    };
    let added = patch(json!([{"op": "add", "path": "/list/-", "value": 3}])).await.unwrap();
    assert_eq!(added.status(), 200);
    assert_eq!(world.json("/v2/rooms/r/storage?format=json").await, json!({"list": [1, 2, 3]}));

    let two = json!([
        {"op": "remove", "path": "/list/0"},
        {"op": "remove", "path": "/nobody"},
    ]);
    let refused = patch(two).await.unwrap();
    assert_eq!(refused.status(), 422);
    let error: Value = refused.json().await.unwrap();
    assert_eq!(error["error"], "INVALID_STORAGE_MUTATION_REQUEST");
    let text = error["message"].as_str().unwrap();
    for part in ["1", "remove", "/nobody"] {
        assert!(text.contains(part), "{text} lacks {part}");
    }
    assert_eq!(
        world.json("/v2/rooms/r/storage?format=json").await,
        json!({"list": [1, 2, 3]}),
        "nothing of a patch that fails is kept"
    );
    let deleted = world.request("DELETE", "/v2/rooms/r/storage").send().await.unwrap();
    assert_eq!(deleted.status(), 200, "not 204: the SDKs want 200");
    assert_eq!(world.json("/v2/rooms/r/storage?format=json").await, json!({}));
    world.server.stop().await;
}

async fn a_mutation_begins_with_its_actor_and_is_sent_as_operations(server: Server) {
    let world = World::new(server, "mutation").await;
    world.fill(json!({"title": "x"})).await;
    let begun = world.post("/v2/rooms/r/request-storage-mutation", "{}".into()).await;
    assert_eq!(media_type(&begun), "application/x-ndjson");
    let text = begun.text().await.unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let actor = lines[0]["actor"].as_i64().unwrap();
    assert_eq!(lines[1][0], "root");

    let op = json!({"type": 3, "opId": format!("{actor}:0"), "id": "root", "data": {"title": "y"}});
    let messages = json!({"messages": [{"type": 201, "ops": [op]}]});
    let sent = world.post("/v2/rooms/r/send-message", messages.to_string()).await;
    assert!(sent.status().is_success());
    assert_eq!(world.json("/v2/rooms/r/storage?format=json").await, json!({"title": "y"}));
    world.server.stop().await;
}

async fn browsers_load_nodes_and_versions(server: Server) {
    let world = World::new(server, "browsers").await;
    world.fill(json!({"title": "x"})).await;
    let browser = |path: &str| {
        let request = world.server.http.get(world.server.url(path));
        let key = world.project.public.expose();
        request.header("authorization", format!("Bearer {key}")).send()
    };
    let nodes: Value = browser("/v2/c/rooms/r/storage").await.unwrap().json().await.unwrap();
    assert_eq!(nodes[0][0], "root");
    assert_eq!(nodes[0][1]["data"], json!({"title": "x"}));

    let wrong = browser("/v2/rooms/r/storage").await.unwrap();
    assert_eq!(wrong.status(), 401);
    assert_eq!(wrong.json::<Value>().await.unwrap()["error"], "WRONG_KEY_USED");

    let made = world.post("/v2/rooms/r/version", String::new()).await;
    let id = made.json::<Value>().await.unwrap()["data"]["id"].as_str().unwrap().to_owned();
    let listed: Value = browser("/v2/c/rooms/r/versions/delta?since=2020-01-01T00:00:00.000Z")
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(listed["versions"][0]["id"], id);
    assert_eq!(listed["versions"][0]["authors"], json!([]));
    assert!(listed["meta"]["requestedAt"].is_string());
    let storage = browser(&format!("/v2/c/rooms/r/versions/{id}/storage")).await.unwrap();
    assert_eq!(media_type(&storage), "application/x-ndjson");
    let text = storage.text().await.unwrap();
    let root: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(root[0], "root");
    let yjs = browser(&format!("/v2/c/rooms/r/versions/{id}/yjs")).await.unwrap();
    assert_eq!(yjs.bytes().await.unwrap().as_ref(), [0, 0]);
    world.server.stop().await;
}

async fn versions_come_in_pages(server: Server) {
    let world = World::new(server, "pages").await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let made = world.post("/v2/rooms/r/versions", "{}".into()).await;
        let made: Value = made.json().await.unwrap();
        ids.push(made["data"]["id"].as_str().unwrap().to_owned());
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = world.json(&format!("/v2/rooms/r/versions?limit=2&cursor={cursor}")).await;
        for version in page["data"].as_array().unwrap() {
            seen.push(version["id"].as_str().unwrap().to_owned());
        }
        match page["nextCursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    seen.sort();
    ids.sort();
    assert_eq!(seen, ids);
    world.server.stop().await;
}

async fn a_file_is_downloaded_from_its_address_alone(server: Server) {
    let world = World::new(server, "files").await;
    let (id, name) = ("fl_abcdefghijklmnopqrstu", "a%20b.png");
    let bytes: Vec<u8> = (0..600_000_u32).map(|n| (n % 251) as u8).collect();
    let path = format!("/v2/c/rooms/r/storage/files/{id}/upload/{name}?fileSize=600000");
    let put = world.request("PUT", &path).header("content-type", "application/octet-stream");
    let stored: Value = put.body(bytes.clone()).send().await.unwrap().json().await.unwrap();
    let file = json!({"id": id, "name": "a b.png", "size": 600_000, "mimeType": "image/png"});
    assert_eq!(stored, file);

    let shown = world.json(&format!("/v2/rooms/r/storage/files/{id}")).await;
    let url = shown["url"].as_str().unwrap();
    assert!(url.starts_with(&world.server.url("/v2/rooms/r/storage/files/")), "{url}");
    assert!(shown["expiresAt"].is_string());
    let downloaded = world.server.http.get(url).send().await.unwrap();
    assert_eq!((downloaded.status().as_u16(), media_type(&downloaded)), (200, "image/png".into()));
    assert!(downloaded.bytes().await.unwrap() == bytes, "the file is what was uploaded");

    let forged = url.replace("signature=", "signature=x");
    let refused = world.server.http.get(forged).send().await.unwrap();
    assert_eq!(refused.status(), 403);
    assert_eq!(refused.json::<Value>().await.unwrap()["error"], "INVALID_FILE_URL");
    world.server.stop().await;
}

async fn an_upload_in_parts_becomes_one_file(server: Server) {
    let world = World::new(server, "parts").await;
    let base = "/v2/rooms/r/storage/files/fl_abcdefghijklmnopqrstu/multipart";
    let begun = world.request("POST", &format!("{base}/a.bin?fileSize=5")).send().await.unwrap();
    let upload: Value = begun.json().await.unwrap();
    let upload = upload["uploadId"].as_str().unwrap();
    let mut parts = Vec::new();
    for (number, bytes) in [(2, "lo"), (1, "hel")] {
        let put = world.request("PUT", &format!("{base}/{upload}/{number}")).body(bytes);
        parts.push(put.send().await.unwrap().json::<Value>().await.unwrap());
    }
    let complete = json!({"parts": parts}).to_string();
    for _ in 0..2 {
        let done = world.post(&format!("{base}/{upload}/complete"), complete.clone()).await;
        assert_eq!(done.json::<Value>().await.unwrap()["size"], 5);
    }
    let shown = world.json("/v2/rooms/r/storage/files/fl_abcdefghijklmnopqrstu").await;
    let text = world.server.http.get(shown["url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(text.text().await.unwrap(), "hello");
    world.server.stop().await;
}

on_both_servers!(
    storage_is_read_patched_and_refused_by_name,
    a_mutation_begins_with_its_actor_and_is_sent_as_operations,
    browsers_load_nodes_and_versions,
    versions_come_in_pages,
    a_file_is_downloaded_from_its_address_alone,
    an_upload_in_parts_becomes_one_file,
);
