//! Attachments over REST: the paths of back ends and of browsers, and what people try with them.

use roomd::domain::file_url::{FileKind, FileUrl, FileUrlKey};
use roomd::domain::ids::RoomId;
use serde_json::{Value, json};

use crate::harness::{Project, Server};
use crate::on_both_servers;

const ID: &str = "at_abcdefghijklmnopqrstu";
const OCTETS: &str = "application/octet-stream";

/// A project with the rooms `r` and `s`, in which everybody may comment.
struct World {
    server: Server,
    project: Project,
}

impl World {
    async fn new(server: Server, name: &str) -> Self {
        let project = server.project(name).await;
        let world = Self { server, project };
        for id in ["r", "s"] {
            let room = json!({"id": id, "defaultAccesses": ["*:read", "comments:write"]});
            let bearer = world.secret();
            let made = world.send("POST", "/v2/rooms", &bearer, room.to_string()).await;
            assert_eq!(made.status(), 200);
        }
        world
    }

    fn secret(&self) -> String {
        self.project.secret.expose().to_owned()
    }

    fn token(&self, user: &str) -> String {
        self.server.id_token(&self.project.id, user, &[])
    }

    async fn send(
        &self,
        verb: &str,
        path: &str,
        bearer: &str,
        body: impl Into<reqwest::Body>,
    ) -> reqwest::Response {
        let media_type = if verb == "PUT" { OCTETS } else { "application/json" };
        let request = self.server.http.request(verb.parse().unwrap(), self.server.url(path));
        let request = request.header("authorization", format!("Bearer {bearer}"));
        request.header("content-type", media_type).body(body).send().await.unwrap()
    }

    /// The status, and the answer as JSON.
    async fn json(&self, verb: &str, path: &str, bearer: &str, body: String) -> (u16, Value) {
        let reply = self.send(verb, path, bearer, body).await;
        let status = reply.status().as_u16();
        (status, reply.json().await.unwrap_or_default())
    }

    /// Uploads `hi` as ann.
    async fn upload(&self, id: &str, name: &str) -> Value {
        let path = format!("/v2/c/rooms/r/attachments/{id}/upload/{name}?fileSize=2");
        let (status, reply) = self.json("PUT", &path, &self.token("ann"), "hi".into()).await;
        assert_eq!(status, 200, "{reply}");
        reply
    }

    /// What a caller is shown of the attachment, in a room.
    async fn urls(&self, room: &str, bearer: &str) -> Value {
        let path = format!("/v2/c/rooms/{room}/attachments/presigned-urls");
        let ids = json!({"attachmentIds": [ID, "at_nobody"]}).to_string();
        let (status, reply) = self.json("POST", &path, bearer, ids).await;
        assert_eq!(status, 200, "{reply}");
        reply["urls"].clone()
    }
}

async fn a_draft_is_for_its_uploader_and_the_back_end(server: Server) {
    let world = World::new(server, "drafts").await;
    let stored = world.upload(ID, "a%20b.txt").await;
    let attachment = json!({"type": "attachment", "id": ID, "name": "a b.txt", "size": 2,
        "mimeType": "text/plain"});
    assert_eq!(stored, attachment);
    let path = format!("/v2/rooms/r/attachments/{ID}");
    for bearer in [world.secret(), world.token("ann")] {
        let (status, shown) = world.json("GET", &path, &bearer, String::new()).await;
        assert_eq!((status, &shown["name"]), (200, &json!("a b.txt")));
        assert!(shown["expiresAt"].is_string(), "{shown}");
        let urls = world.urls("r", &bearer).await;
        assert_eq!(urls[1], Value::Null);
        for url in [&shown["url"], &urls[0]] {
            let url = url.as_str().unwrap();
            let file = world.server.http.get(url).send().await.unwrap();
            assert_eq!(file.headers()["content-type"], "text/plain");
            assert_eq!(file.headers()["x-content-type-options"], "nosniff");
            assert_eq!(file.headers()["content-security-policy"], "sandbox");
            assert_eq!(file.text().await.unwrap(), "hi");
        }
    }
    let (status, refused) = world.json("GET", &path, &world.token("bob"), String::new()).await;
    assert_eq!((status, &refused["error"]), (404, &json!("RESOURCE_NOT_FOUND")));
    assert_eq!(world.urls("r", &world.token("bob")).await, json!([null, null]));
    let public = world.project.public.expose().to_owned();
    assert_eq!(world.urls("r", &public).await, json!([null, null]));
    // The same id means nothing in another room, or another project.
    assert_eq!(world.urls("s", &world.secret()).await, json!([null, null]));
    let other = world.server.project("drafts-other").await;
    let (status, _) = world.json("GET", &path, other.secret.expose(), String::new()).await;
    assert_eq!(status, 404);
    world.server.stop().await;
}

async fn nobody_uploads_for_somebody_else(server: Server) {
    let world = World::new(server, "uploaders").await;
    let put = async |query: &str, bearer: String| {
        let path = format!("/v2/rooms/r/attachments/{ID}/upload/a.txt{query}");
        let (status, reply) = world.json("PUT", &path, &bearer, "hi".into()).await;
        (status, reply["error"].as_str().unwrap_or_default().to_owned())
    };
    let invalid = (422, "UNPROCESSABLE_ENTITY".to_owned());
    assert_eq!(put("", world.secret()).await, invalid);
    assert_eq!(put("?userId=bob", world.token("ann")).await, invalid);
    let wrong_key = put("?userId=bob", world.project.public.expose().to_owned()).await;
    assert_eq!(wrong_key, (401, "WRONG_KEY_USED".into()));
    let reader = world.server.access_token(&world.project.id, &[("r", &["*:read"])], 0);
    assert_eq!(put("", reader).await, (403, "UNAUTHORIZED_ROOM_ACCESS".into()));
    let mismatch = put("?userId=ann&fileSize=3", world.secret()).await;
    assert_eq!(mismatch, (409, "FILE_SIZE_MISMATCH".into()));
    assert_eq!(put("?userId=ann", world.secret()).await, (200, String::new()));
    assert_eq!(put("?userId=ann", world.token("ann")).await, (200, String::new()));
    // Whoever comes second with the id gets no hold of the first one's draft.
    assert_eq!(put("", world.token("bob")).await, (409, "RESOURCE_ALREADY_EXISTS".into()));
    // Whoever may write private threads only may upload for those.
    let scopes: &[&str] = &["*:read", "comments:private:write"];
    let private = world.server.access_token(&world.project.id, &[("r", scopes)], 0);
    assert_eq!(put("", private).await, (200, String::new()));
    world.server.stop().await;
}

async fn an_upload_in_parts_becomes_one_attachment(server: Server) {
    let world = World::new(server, "parts").await;
    for (number, (base, bearer, query)) in
        [("/v2", world.secret(), "?userId=ann"), ("/v2/c", world.token("ann"), "")]
            .into_iter()
            .enumerate()
    {
        let id = format!("at_{number}");
        let base = format!("{base}/rooms/r/attachments/{id}/multipart");
        let begin = format!("{base}/a.bin?fileSize=5");
        let (status, begun) = world.json("POST", &begin, &bearer, String::new()).await;
        assert_eq!((status, &begun["attachmentId"]), (200, &json!(id)));
        let upload = begun["uploadId"].as_str().unwrap();
        let mut parts = Vec::new();
        for (number, bytes) in [(2, "lo"), (1, "hel")] {
            let path = format!("{base}/{upload}/{number}");
            parts.push(world.json("PUT", &path, &bearer, bytes.into()).await.1);
        }
        let complete = format!("{base}/{upload}/complete{query}");
        for _ in 0..2 {
            let named = json!({"parts": parts}).to_string();
            let (status, done) = world.json("POST", &complete, &bearer, named).await;
            assert_eq!((status, &done["size"]), (200, &json!(5)), "{done}");
            assert_eq!(done["mimeType"], OCTETS);
        }
        let path = format!("/v2/rooms/r/attachments/{id}");
        let shown = world.json("GET", &path, &world.token("ann"), String::new()).await.1;
        let file = world.server.http.get(shown["url"].as_str().unwrap()).send().await.unwrap();
        assert_eq!(file.text().await.unwrap(), "hello");

        let (_, begun) = world.json("POST", &begin, &bearer, String::new()).await;
        let path = format!("{base}/{}", begun["uploadId"].as_str().unwrap());
        let dropped = world.send("DELETE", &path, &bearer, "").await;
        assert_eq!(
            (dropped.status().as_u16(), dropped.text().await.unwrap()),
            (204, String::new())
        );
        let (status, _) = world.json("DELETE", &path, &bearer, String::new()).await;
        assert_eq!(status, 404);
    }
    world.server.stop().await;
}

async fn odd_names_are_names_and_no_more(server: Server) {
    let world = World::new(server, "names").await;
    let names = [
        ("..%2F..%2Fetc%2Fpasswd", "../../etc/passwd", OCTETS),
        ("%2E%2E%5Ca.png", "..\\a.png", "image/png"),
        ("a%0d%0aX-Evil:%201.txt", "a\r\nX-Evil: 1.txt", "text/plain"),
        ("page.html", "page.html", "text/html"),
        ("image.svg", "image.svg", "image/svg+xml"),
        ("%F0%9F%A6%80", "🦀", OCTETS),
    ];
    for (number, (raw, name, media_type)) in names.into_iter().enumerate() {
        let id = format!("at_{number}");
        let stored = world.upload(&id, raw).await;
        assert_eq!((&stored["name"], &stored["mimeType"]), (&json!(name), &json!(media_type)));
        let path = format!("/v2/rooms/r/attachments/{id}");
        let shown = world.json("GET", &path, &world.secret(), String::new()).await.1;
        let file = world.server.http.get(shown["url"].as_str().unwrap()).send().await.unwrap();
        // No page of ours, whatever it is called; an image may not run what is in it.
        assert_ne!(file.headers()["content-type"], "text/html");
        assert_eq!(file.headers()["content-security-policy"], "sandbox");
        assert_eq!(file.headers().get("x-evil"), None);
        assert_eq!(file.text().await.unwrap(), "hi");
    }
    let rpc = "/roomd.v1.AttachmentService/UploadAttachment";
    for name in ["x".repeat(9_000_000), "x".repeat(256), "a\0b".to_owned(), String::new()] {
        let request = json!({"roomId": "r", "attachmentId": ID, "userId": "ann", "name": name,
            "content": {"data": "aGk="}});
        let (status, refused) = world.json("POST", rpc, &world.secret(), request.to_string()).await;
        assert_eq!((status, &refused["code"]), (400, &json!("invalid_argument")), "{refused}");
        assert!(refused.to_string().len() < 2_000, "the name is not repeated");
    }
    world.server.stop().await;
}

async fn an_address_is_good_for_one_file_and_one_hour(server: Server) {
    let world = World::new(server, "addresses").await;
    world.upload(ID, "a.txt").await;
    world.upload("at_other", "b.txt").await;
    let get = async |url: String| {
        let reply = world.server.http.get(url).send().await.unwrap();
        let status = reply.status().as_u16();
        let error: Value = reply.json().await.unwrap_or_default();
        (status, error["error"].as_str().unwrap_or_default().to_owned())
    };
    let url = world.urls("r", &world.token("ann")).await[0].as_str().unwrap().to_owned();
    assert_eq!(get(url.clone()).await, (200, String::new()));
    let forgeries = [
        url.replace("signature=", "signature=x"),
        url.replace("expires=1", "expires=2"),
        url.replace("rooms/r/", "rooms/s/"),
        url.replace("at%5Fabcdefghijklmnopqrstu", "at_other"),
        url.split("&signature").next().unwrap().to_owned(),
    ];
    for forged in forgeries {
        assert_ne!(forged, url);
        assert_eq!(get(forged).await, (403, "INVALID_FILE_URL".into()));
    }
    // Nor is it one of a file of Storage.
    let (status, _) = get(url.replace("attachments/", "storage/files/")).await;
    assert_eq!(status, 422);
    let key = FileUrlKey::new(world.server.store.deployment_secret("file_url").await.unwrap());
    let room = RoomId::parse("roomId", "r").unwrap();
    let at = |expires| {
        let (kind, project) = (FileKind::Attachment, &world.project.id);
        world.server.url(&key.sign(FileUrl { kind, project, room: &room, file: ID, expires }))
    };
    let now = u32::try_from(world.server.clock.now_ms() / 1000).unwrap();
    assert_eq!(get(at(now + 60)).await, (200, String::new()));
    assert_eq!(get(at(now - 1)).await, (403, "INVALID_FILE_URL".into()));
    // What is deleted is gone from its address, too.
    let gone = world.send("DELETE", "/v2/rooms/r", &world.secret(), "").await;
    assert_eq!(gone.status(), 204);
    assert_eq!(get(url).await, (404, "RESOURCE_NOT_FOUND".into()));
    world.server.stop().await;
}

/// A comment that comes with attachments, as a thread of its own.
async fn comment(world: &World, bearer: &str, visibility: &str, ids: &[&str]) -> (u16, Value) {
    let body =
        json!({"version": 1, "content": [{"type": "paragraph", "children": [{"text": "x"}]}]});
    let thread = json!({"visibility": visibility,
        "comment": {"userId": "ann", "body": body, "attachmentIds": ids}});
    let (status, reply) =
        world.json("POST", "/v2/rooms/r/threads", bearer, thread.to_string()).await;
    (status, reply)
}

async fn a_comment_takes_its_authors_drafts_once(server: Server) {
    let world = World::new(server, "takes").await;
    let stored = world.upload(ID, "a.txt").await;
    let other = world.upload("at_other", "b.txt").await;
    let (bob, ann) = (world.token("bob"), world.token("ann"));
    let refused = async |bearer: &str, ids: &[&str]| {
        let (status, reply) = comment(&world, bearer, "public", ids).await;
        assert_eq!((status, &reply["error"]), (422, &json!("UNPROCESSABLE_ENTITY")), "{reply}");
        assert!(reply["message"].as_str().unwrap().contains("attachmentIds"), "{reply}");
    };
    let path = "/v2/rooms/r/attachments/at_bob/upload/c.txt?userId=bob";
    assert_eq!(world.send("PUT", path, &world.secret(), "hi").await.status(), 200);
    // Somebody else's, unknown ones, the same one twice, too many.
    refused(&ann, &["at_bob"]).await;
    refused(&ann, &["at_nobody"]).await;
    refused(&ann, &[ID, ID]).await;
    refused(&ann, &[ID; 11]).await;
    assert_eq!(world.urls("r", &bob).await, json!([null, null]));

    let (status, thread) = comment(&world, &ann, "public", &["at_other", ID]).await;
    assert_eq!((status, &thread["comments"][0]["attachments"]), (200, &json!([other, stored])));
    let id = thread["id"].as_str().unwrap();
    let read = world.json("GET", &format!("/v2/rooms/r/threads/{id}"), &bob, String::new()).await.1;
    assert_eq!(read["comments"][0]["attachments"], json!([other, stored]));
    // Now it is for all who may read the thread, and no other comment's.
    for bearer in [&bob, world.project.public.expose()] {
        let url = world.urls("r", bearer).await[0].as_str().unwrap().to_owned();
        let file = world.server.http.get(url).send().await.unwrap();
        assert_eq!(file.text().await.unwrap(), "hi");
    }
    refused(&ann, &[ID]).await;
    refused(&world.secret(), &[ID]).await;
    // A back end may let a comment take whosever draft.
    let (status, thread) = comment(&world, &world.secret(), "public", &["at_bob"]).await;
    assert_eq!((status, &thread["comments"][0]["attachments"][0]["name"]), (200, &json!("c.txt")));
    world.server.stop().await;
}

async fn what_a_private_thread_has_is_for_those_who_may_read_it(server: Server) {
    let world = World::new(server, "private").await;
    world.upload(ID, "a.txt").await;
    let (status, thread) = comment(&world, &world.secret(), "private", &[ID]).await;
    assert_eq!(status, 200, "{thread}");
    let token = |scopes: &[&str]| world.server.access_token(&world.project.id, &[("r", scopes)], 0);
    // Ann uploaded it, which counts no more.
    let readers = [
        (token(&["*:read", "comments:private:none"]), false),
        (token(&["*:write", "comments:private:none"]), false),
        (token(&["*:read"]), true),
        (token(&["*:read", "comments:none"]), false),
        (token(&["*:read", "comments:public:none"]), true),
    ];
    for (number, (bearer, may_read)) in readers.into_iter().enumerate() {
        let path = format!("/v2/rooms/r/attachments/{ID}");
        let (status, _) = world.json("GET", &path, &bearer, String::new()).await;
        assert_eq!(status == 200, may_read, "{number}");
        let path = "/v2/c/rooms/r/attachments/presigned-urls";
        let ids = json!({"attachmentIds": [ID]}).to_string();
        let (_, urls) = world.json("POST", path, &bearer, ids).await;
        assert_eq!(urls["urls"][0].is_string(), may_read, "{number}: {urls}");
    }
    world.server.stop().await;
}

/// What the garbage is after some calls: contents of attachments that nothing refers to.
async fn swept(world: &World) -> u64 {
    let mut rows = 0;
    loop {
        match world.server.store.sweep_garbage(100).await.unwrap() {
            0 => return rows,
            step => rows += step,
        }
    }
}

async fn what_is_left_out_and_what_is_deleted_goes(server: Server) {
    let world = World::new(server, "detached").await;
    let ann = world.token("ann");
    for id in ["at_1", "at_2", "at_3", "at_4"] {
        world.upload(id, "a.txt").await;
    }
    let (_, thread) = comment(&world, &ann, "public", &["at_1", "at_2"]).await;
    let id = |value: &Value| value["id"].as_str().unwrap().to_owned();
    let thread_path = format!("/v2/rooms/r/threads/{}", id(&thread));
    let path = format!("{thread_path}/comments/{}", id(&thread["comments"][0]));
    let body = thread["comments"][0]["body"].clone();
    let is_there = async |id: &str| {
        let path = format!("/v2/rooms/r/attachments/{id}");
        world.json("GET", &path, &world.secret(), String::new()).await.0 == 200
    };
    // An edit keeps some, takes others, and lets go of the rest; not without a list.
    let edit = json!({"body": body, "attachmentIds": ["at_3", "at_2"]}).to_string();
    let (status, edited) = world.json("POST", &path, &ann, edit).await;
    let ids: Vec<_> = edited["attachments"].as_array().unwrap().iter().map(id).collect();
    assert_eq!((status, ids), (200, vec!["at_3".to_owned(), "at_2".to_owned()]));
    assert!(!is_there("at_1").await && is_there("at_2").await && is_there("at_3").await);
    // Its chunk and its key.
    assert_eq!(swept(&world).await, 2);
    let edit = json!({ "body": body }).to_string();
    let (_, edited) = world.json("POST", &path, &ann, edit).await;
    assert_eq!(edited["attachments"].as_array().unwrap().len(), 2);

    let reply = json!({"userId": "ann", "body": body, "attachmentIds": ["at_4"]}).to_string();
    let replies = format!("{thread_path}/comments");
    let (status, reply) = world.json("POST", &replies, &ann, reply).await;
    assert_eq!(status, 200, "{reply}");
    assert_eq!(world.send("DELETE", &path, &ann, "").await.status(), 204);
    assert!(!is_there("at_2").await && !is_there("at_3").await && is_there("at_4").await);
    // The last comment takes the thread along.
    let last = format!("{replies}/{}", id(&reply));
    assert_eq!(world.send("DELETE", &last, &world.secret(), "").await.status(), 204);
    assert!(!is_there("at_4").await);
    assert_eq!(swept(&world).await, 3 * 2);
    world.server.stop().await;
}

on_both_servers!(
    what_is_left_out_and_what_is_deleted_goes,
    a_comment_takes_its_authors_drafts_once,
    what_a_private_thread_has_is_for_those_who_may_read_it,
    a_draft_is_for_its_uploader_and_the_back_end,
    nobody_uploads_for_somebody_else,
    an_upload_in_parts_becomes_one_attachment,
    odd_names_are_names_and_no_more,
    an_address_is_good_for_one_file_and_one_hour,
);
