//! Downloads over REST: names, parts, what caches are told, and files that break in the middle. Each
//! case runs with the bytes in the database, and in a folder beside it.

use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, IF_NONE_MATCH, IF_RANGE, ORIGIN, RANGE, VARY,
};
use http::{HeaderName, Method};
use reqwest::Response;
use roomd::objects::{Objects, ObjectsPlace};
use roomd::store::{DatabaseOptions, Store};
use serde_json::{Value, json};

use crate::databases::Database;
use crate::harness::{Project, Server};

crate::on_both!(
    a_file_has_a_name_and_is_shown_or_saved,
    a_file_is_had_in_parts,
    a_download_goes_on_where_it_broke_off,
    what_is_known_is_not_sent,
    a_head_is_a_get_without_its_body,
    what_cannot_be_read_is_never_a_short_file,
    a_client_that_stops_reading_holds_little,
    rpc_has_the_file_in_its_message,
    pages_of_others_may_read_what_they_fetch,
);

const OCTETS: &str = "application/octet-stream";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Database,
    Folder,
}

/// A room with files, and the address of each that was uploaded.
struct World<'a> {
    server: Server,
    project: Project,
    database: &'a Database,
    folder: Option<tempfile::TempDir>,
}

impl<'a> World<'a> {
    async fn new(database: &'a Database, place: Place) -> Self {
        let (store, folder) = match place {
            Place::Database => (database.store.clone(), None),
            Place::Folder => {
                let folder = tempfile::tempdir().unwrap();
                let place = ObjectsPlace::Folder(folder.path().to_owned());
                let objects = Some(Objects::open(&place).unwrap());
                let options = DatabaseOptions { objects, ..database.options.clone() };
                (Store::open(options).await.unwrap(), Some(folder))
            }
        };
        let server = Server::start(&store).await;
        let project = server.project(&format!("{place:?}").to_lowercase()).await;
        let world = Self { server, project, database, folder };
        let room = json!({"id": "r", "defaultAccesses": ["*:read"]});
        world.json("POST", "/v2/rooms", room.to_string()).await;
        world
    }

    async fn json(&self, verb: &str, path: &str, body: impl Into<reqwest::Body>) -> Value {
        let media_type = if verb == "PUT" { OCTETS } else { "application/json" };
        let bearer = format!("Bearer {}", self.project.secret.expose());
        let request = self.server.http.request(verb.parse().unwrap(), self.server.url(path));
        let request = request.header("authorization", bearer).header("content-type", media_type);
        let reply = request.body(body).send().await.unwrap();
        assert_eq!(reply.status(), 200, "{verb} {path}");
        reply.json().await.unwrap()
    }

    /// Uploads a file and gives its address.
    async fn upload(&self, id: &str, name: &str, bytes: &[u8]) -> String {
        let path = format!("/v2/rooms/r/attachments/{id}");
        let put = format!("{path}/upload/{name}?userId=ann");
        self.json("PUT", &put, bytes.to_vec()).await;
        self.json("GET", &path, "").await["url"].as_str().unwrap().to_owned()
    }

    /// The same, in parts, and of any kind: `attachments` or `storage/files`.
    async fn upload_parts(&self, kind: &str, id: &str, parts: &[&[u8]]) -> String {
        let path = format!("/v2/rooms/r/{kind}/{id}");
        let begun = self.json("POST", &format!("{path}/multipart/a.bin"), "").await;
        let upload = format!("{path}/multipart/{}", begun["uploadId"].as_str().unwrap());
        let mut receipts = Vec::new();
        for (number, part) in (1..).zip(parts) {
            let put = format!("{upload}/{number}");
            receipts.push(self.json("PUT", &put, part.to_vec()).await);
        }
        let named = json!({"parts": receipts}).to_string();
        let uploader = if kind == "attachments" { "?userId=ann" } else { "" };
        self.json("POST", &format!("{upload}/complete{uploader}"), named).await;
        self.json("GET", &path, "").await["url"].as_str().unwrap().to_owned()
    }

    async fn ask(&self, verb: Method, url: &str, headers: &[(HeaderName, &str)]) -> Response {
        let mut request = self.server.http.request(verb, url);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        request.send().await.unwrap()
    }

    async fn get(&self, url: &str, headers: &[(HeaderName, &str)]) -> Response {
        self.ask(Method::GET, url, headers).await
    }

    /// All bytes are gone, and what is known of the files is not.
    async fn lose_bytes(&self) {
        self.database.execute("DELETE FROM content_chunk").await;
        if let Some(folder) = &self.folder {
            for entry in std::fs::read_dir(folder.path()).unwrap() {
                std::fs::remove_dir_all(entry.unwrap().path()).unwrap();
            }
        }
    }
}

/// Runs a case with the bytes in each place.
async fn in_each_place(database: &Database, case: impl AsyncFn(&World<'_>)) {
    for place in [Place::Database, Place::Folder] {
        let world = World::new(database, place).await;
        case(&world).await;
        world.server.stop().await;
    }
}

fn header<'a>(reply: &'a Response, name: &HeaderName) -> &'a str {
    reply.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// Bytes that differ from place to place.
fn noise(len: usize) -> Vec<u8> {
    let next = |state: &mut u32| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some((*state >> 24) as u8)
    };
    std::iter::repeat(()).scan(1, |state, ()| next(state)).take(len).collect()
}

/// A file that lies in many pieces, with its address.
async fn many_pieces(world: &World<'_>) -> (Vec<u8>, String) {
    let bytes = noise(3_500_007);
    let parts = [&bytes[..300_000], &bytes[300_000..300_005], &bytes[300_005..]];
    let url = world.upload_parts("attachments", "at_parts", &parts).await;
    (bytes, url)
}

async fn a_file_has_a_name_and_is_shown_or_saved(database: &Database) {
    let names = [
        ("a%20b.png", "image/png", "inline", "a b.png", "a%20b.png"),
        ("a.pdf", "application/pdf", "inline", "a.pdf", "a.pdf"),
        ("note.txt", "text/plain", "attachment", "note.txt", "note.txt"),
        ("page.html", "text/plain", "attachment", "page.html", "page.html"),
        ("image.svg", "image/svg+xml", "attachment", "image.svg", "image.svg"),
        ("%C3%A9%F0%9F%A6%80", OCTETS, "attachment", "__", "%C3%A9%F0%9F%A6%80"),
        (
            "..%2F%22x%22%0d%0a.zip",
            "application/zip",
            "attachment",
            "..__x___.zip",
            ".._%22x%22__.zip",
        ),
    ];
    in_each_place(database, async |world| {
        for (number, (raw, media_type, kind, plain, exact)) in names.into_iter().enumerate() {
            let url = world.upload(&format!("at_{number}"), raw, b"hi").await;
            let file = world.get(&url, &[]).await;
            assert_eq!(header(&file, &CONTENT_TYPE), media_type);
            let disposition = format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{exact}");
            assert_eq!(header(&file, &CONTENT_DISPOSITION), disposition);
            assert_eq!(file.headers()["x-content-type-options"], "nosniff");
            let is_pdf = media_type == "application/pdf";
            assert_eq!(file.headers().get("content-security-policy").is_none(), is_pdf);
            assert_eq!(file.text().await.unwrap(), "hi");
        }
    })
    .await;
}

async fn a_file_is_had_in_parts(database: &Database) {
    in_each_place(database, async |world| {
        let (bytes, url) = many_pieces(world).await;
        let size = bytes.len();
        let whole = world.get(&url, &[]).await;
        assert_eq!((whole.status().as_u16(), header(&whole, &ACCEPT_RANGES)), (200, "bytes"));
        assert_eq!(header(&whole, &CONTENT_LENGTH), size.to_string());
        assert!(whole.bytes().await.unwrap() == bytes);
        for (range, first, end) in [
            ("bytes=0-0", 0, 1),
            ("bytes=299999-300006", 299_999, 300_007),
            ("bytes=262143-1310000", 262_143, 1_310_001),
            ("bytes=3500000-", 3_500_000, size),
            ("bytes=-2000000", size - 2_000_000, size),
            ("bytes=0-99999999999", 0, size),
        ] {
            let part = world.get(&url, &[(RANGE, range)]).await;
            assert_eq!(part.status(), 206, "{range}");
            let place = format!("bytes {first}-{}/{size}", end - 1);
            assert_eq!(header(&part, &CONTENT_RANGE), place);
            assert_eq!(header(&part, &CONTENT_LENGTH), (end - first).to_string());
            assert_eq!(header(&part, &CONTENT_TYPE), OCTETS);
            assert!(part.bytes().await.unwrap() == bytes[first..end], "{range}");
        }
        for range in ["bytes=0-1,5-6", "bytes=5-2", "lines=1-2"] {
            let whole = world.get(&url, &[(RANGE, range)]).await;
            assert_eq!(whole.status(), 200, "{range}");
            assert!(whole.bytes().await.unwrap() == bytes, "{range}");
        }
        let behind = world.get(&url, &[(RANGE, "bytes=3500007-")]).await;
        assert_eq!(behind.status(), 416);
        assert_eq!(header(&behind, &CONTENT_RANGE), format!("bytes */{size}"));
        assert_eq!(behind.json::<Value>().await.unwrap()["error"], "RANGE_NOT_SATISFIABLE");
        // A part needs the address's right as the whole does.
        let forged = url.replace("signature=", "signature=x");
        let refused = world.get(&forged, &[(RANGE, "bytes=0-0")]).await;
        assert_eq!(refused.status(), 403);

        let empty = world.upload("at_empty", "empty.bin", b"").await;
        for headers in [&[][..], &[(RANGE, "bytes=0-")]] {
            let file = world.get(&empty, headers).await;
            assert_eq!((file.status().as_u16(), header(&file, &CONTENT_LENGTH)), (200, "0"));
        }
        let url = world.upload_parts("storage/files", "fl_parts", &[b"stor", b"age"]).await;
        let part = world.get(&url, &[(RANGE, "bytes=2-5")]).await;
        assert_eq!((part.status().as_u16(), part.text().await.unwrap()), (206, "orag".into()));
    })
    .await;
}

async fn a_download_goes_on_where_it_broke_off(database: &Database) {
    in_each_place(database, async |world| {
        let (bytes, url) = many_pieces(world).await;
        let mut begun = world.get(&url, &[]).await;
        let tag = header(&begun, &ETAG).to_owned();
        let mut had = Vec::new();
        while had.len() < 400_000 {
            had.extend(begun.chunk().await.unwrap().unwrap());
        }
        drop(begun);
        let range = format!("bytes={}-", had.len());
        let rest = world.get(&url, &[(RANGE, &range), (IF_RANGE, &tag)]).await;
        assert_eq!((rest.status().as_u16(), header(&rest, &ETAG)), (206, tag.as_str()));
        had.extend(rest.bytes().await.unwrap());
        assert!(had == bytes);
        // The beginning of another file is of no use.
        let other = world.upload("at_other", "a.bin", &bytes[..100]).await;
        let whole = world.get(&other, &[(RANGE, "bytes=50-"), (IF_RANGE, &tag)]).await;
        assert_ne!(header(&whole, &ETAG), tag);
        assert_eq!(whole.status(), 200);
        assert!(whole.bytes().await.unwrap() == bytes[..100]);
    })
    .await;
}

async fn what_is_known_is_not_sent(database: &Database) {
    in_each_place(database, async |world| {
        let url = world.upload("at_a", "a.txt", b"hi").await;
        let file = world.get(&url, &[]).await;
        let tag = header(&file, &ETAG).to_owned();
        let freshness = header(&file, &CACHE_CONTROL).to_owned();
        let seconds = freshness.strip_prefix("private, max-age=").unwrap();
        let seconds: u32 = seconds.strip_suffix(", immutable").unwrap().parse().unwrap();
        assert!((3_500..=3_600).contains(&seconds), "{freshness}");
        // Another address of the same file, as one gets it every time that one asks.
        let again = world.json("GET", "/v2/rooms/r/attachments/at_a", "").await;
        let again = again["url"].as_str().unwrap();
        let (weak, listed) = (format!("W/{tag}"), format!("\"x\", {tag}"));
        for known in [&*tag, &*weak, &*listed, "*"] {
            let reply = world.get(again, &[(IF_NONE_MATCH, known)]).await;
            assert_eq!((reply.status().as_u16(), header(&reply, &ETAG)), (304, tag.as_str()));
            assert!(header(&reply, &CACHE_CONTROL).starts_with("private, max-age="));
            assert!(reply.bytes().await.unwrap().is_empty());
        }
        let reply = world.get(again, &[(IF_NONE_MATCH, "\"x\"")]).await;
        assert_eq!(reply.text().await.unwrap(), "hi");
        let forged = again.replace("signature=", "signature=x");
        let refused = world.get(&forged, &[(IF_NONE_MATCH, &tag)]).await;
        assert_eq!(refused.status(), 403);
    })
    .await;
}

/// Both versions of HTTP, each on one connection that every call has to leave fit for the next.
fn clients() -> [reqwest::Client; 2] {
    let builder = || reqwest::Client::builder().no_proxy().pool_max_idle_per_host(1);
    [builder().build().unwrap(), builder().http2_prior_knowledge().build().unwrap()]
}

async fn a_head_is_a_get_without_its_body(database: &Database) {
    in_each_place(database, async |world| {
        let (bytes, url) = many_pieces(world).await;
        let forged = url.replace("signature=", "signature=x");
        for http in clients() {
            let got = http.get(&url).send().await.unwrap();
            let head = http.head(&url).header(RANGE, "bytes=5-").send().await.unwrap();
            assert_eq!(head.status(), 200);
            for name in [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_DISPOSITION, ETAG, ACCEPT_RANGES] {
                assert_eq!(header(&head, &name), header(&got, &name), "{name}");
            }
            assert!(head.bytes().await.unwrap().is_empty());
            assert!(got.bytes().await.unwrap() == bytes);
            let refused = http.head(&forged).send().await.unwrap();
            assert_eq!(refused.status(), 403);
            assert!(refused.bytes().await.unwrap().is_empty());
            let got = http.get(&url).header(RANGE, "bytes=0-3").send().await.unwrap();
            assert!(got.bytes().await.unwrap() == bytes[..4]);
        }
    })
    .await;
}

async fn what_cannot_be_read_is_never_a_short_file(database: &Database) {
    in_each_place(database, async |world| {
        let url = world.upload("at_a", "a.bin", &noise(600_000)).await;
        world.lose_bytes().await;
        for http in clients() {
            let reply = http.get(&url).send().await.unwrap();
            assert_eq!(reply.status(), 500, "nothing was sent, so this can be told");
            assert_eq!(reply.json::<Value>().await.unwrap()["error"], "DATA_LOSS");
        }
    })
    .await;
}

async fn a_client_that_stops_reading_holds_little(database: &Database) {
    // More than the buffers of the sockets between the two can hold.
    const SIZE: usize = 24 << 20;
    const HELD_MAX: usize = 16 << 20;
    in_each_place(database, async |world| {
        let bytes = noise(SIZE);
        let parts: Vec<_> = bytes.chunks(8 << 20).collect();
        let url = world.upload_parts("attachments", "at_large", &parts).await;
        let mut begun = Vec::new();
        for http in clients() {
            let mut reply = http.get(&url).send().await.unwrap();
            let first = reply.chunk().await.unwrap().unwrap();
            begun.push((reply, first.to_vec()));
        }
        // What the server has not read by now, it will never have.
        world.lose_bytes().await;
        for (mut reply, mut had) in begun {
            let ended = loop {
                match reply.chunk().await {
                    Ok(Some(more)) => had.extend(more),
                    other => break other,
                }
            };
            assert!(ended.is_err(), "a file that breaks off has no end");
            assert!(had.len() < HELD_MAX, "{} bytes were read ahead", had.len());
            assert!(had == bytes[..had.len()]);
        }
    })
    .await;
}

async fn rpc_has_the_file_in_its_message(database: &Database) {
    in_each_place(database, async |world| {
        let url = world.upload("at_a", "a.html", b"<b>hi").await;
        let (_, query) = url.split_once('?').unwrap();
        let mut request = json!({"roomId": "r", "attachmentId": "at_a"});
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            request[name] = match name {
                "expires" => value.parse::<u32>().unwrap().into(),
                _ => value.into(),
            };
        }
        let rpc = "roomd.v1.AttachmentService/DownloadAttachment";
        for path in [format!("/{rpc}"), format!("/twirp/{rpc}")] {
            let reply = world.json("POST", &path, request.to_string()).await;
            let content = json!({"contentType": "text/plain", "data": "PGI+aGk="});
            assert_eq!(reply["content"], content);
        }
    })
    .await;
}

async fn pages_of_others_may_read_what_they_fetch(database: &Database) {
    in_each_place(database, async |world| {
        let url = world.upload("at_a", "a.txt", b"hi").await;
        let plain = world.get(&url, &[]).await;
        // Else a copy that was kept for an <img> would be given to a fetch, which may not read it.
        assert!(header(&plain, &VARY).to_ascii_lowercase().contains("origin"));
        let fetched = world.get(&url, &[(ORIGIN, "https://app.example.com")]).await;
        assert_eq!(fetched.headers()["access-control-allow-origin"], "*");
        let exposed = fetched.headers()["access-control-expose-headers"].to_str().unwrap();
        for name in [ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_RANGE, ETAG] {
            assert!(exposed.contains(name.as_str()), "{name}");
        }
    })
    .await;
}
