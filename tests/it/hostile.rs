//! What nobody should send: every protocol answers in its own way, and the server lives on.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::{RequestBuilder, Response};
use roomd::config::Limits;
use roomd::proto::roomd::v1::CreateRoomRequest;
use roomd::proto::roomd::v1::room_service_client::RoomServiceClient;
use serde_json::{Value, json};
use tonic::codec::CompressionEncoding;

use crate::databases::Database;
use crate::harness::{Project, Server};
use crate::protocols::{Protocol, call};

const TWIRP: &str = "/twirp/roomd.v1.RoomService/CreateRoom";
const CONNECT: &str = "/roomd.v1.RoomService/CreateRoom";
const REST: &str = "/v2/rooms";

struct World {
    _database: Database,
    server: Server,
    project: Project,
}

async fn world() -> World {
    let database = Database::sqlite().await;
    let limits = Limits { request_body_bytes_max: 64 << 10, ..Limits::PRODUCTION };
    let server = Server::start_with(&database.store, limits).await;
    let project = server.project("p").await;
    World { _database: database, server, project }
}

impl World {
    fn post(&self, path: &str, kind: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        let request = self.server.http.post(self.server.url(path)).body(body);
        let request = if kind.is_empty() { request } else { request.header("content-type", kind) };
        request.bearer_auth(self.project.secret.expose())
    }

    fn get(&self, path: &str) -> RequestBuilder {
        let request = self.server.http.get(self.server.url(path));
        request.bearer_auth(self.project.secret.expose())
    }
}

async fn answer(request: RequestBuilder) -> (u16, Value) {
    let reply = request.send().await.unwrap();
    let status = reply.status().as_u16();
    let body = reply.bytes().await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_refused_in_the_callers_protocol() {
    let world = world().await;
    let deep = format!("{}{}", "{\"metadata\":{\"a\":".repeat(2000), "1}}".repeat(2000));
    let bodies: [(&str, Vec<u8>); 8] = [
        ("not JSON", b"{".to_vec()),
        ("an array", b"[]".to_vec()),
        ("UTF-8 that breaks", b"{\"id\":\"\xff\xfe\"}".to_vec()),
        ("a lone surrogate", br#"{"id":"\ud800"}"#.to_vec()),
        ("a key twice", br#"{"id":"a","id":"b"}"#.to_vec()),
        ("a huge number", br#"{"id":"a","engine":1e999}"#.to_vec()),
        ("an unknown enum value", br#"{"id":"a","engine":"V9"}"#.to_vec()),
        ("deep nesting", deep.into_bytes()),
    ];
    for (what, body) in bodies {
        let (status, error) = answer(world.post(TWIRP, "application/json", body.clone())).await;
        assert_eq!((status, &error["code"]), (400, &json!("malformed")), "{what}: {error}");
        assert_eq!(error["msg"], "the json request could not be decoded", "{what}");

        let (status, error) = answer(world.post(CONNECT, "application/json", body.clone())).await;
        assert_eq!((status, &error["code"]), (400, &json!("invalid_argument")), "{what}: {error}");

        let (status, error) = answer(world.post(REST, "application/json", body)).await;
        assert!(status == 400 || status == 422, "{what}: {status} {error}");
        assert!(error["error"].is_string() && error["message"].is_string(), "{what}: {error}");
    }
    let garbage = vec![0xff; 40];
    let (status, error) = answer(world.post(TWIRP, "application/protobuf", garbage.clone())).await;
    assert_eq!((status, &error["code"]), (400, &json!("malformed")));
    assert_eq!(error["msg"], "the protobuf request could not be decoded");
    let (status, error) = answer(world.post(CONNECT, "application/proto", garbage)).await;
    assert_eq!((status, &error["code"]), (400, &json!("invalid_argument")));
    alive(&world).await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_whether_it_says_so_or_not() {
    let world = world().await;
    let long = format!(r#"{{"id":"{}"}}"#, "x".repeat(70 << 10));
    for (path, status, code) in [(REST, 413, "error"), (TWIRP, 429, "code"), (CONNECT, 429, "code")]
    {
        let (got, error) = answer(world.post(path, "application/json", long.clone())).await;
        assert_eq!(got, status, "{path}: {error}");
        let name = if code == "error" { "PAYLOAD_TOO_LARGE" } else { "resource_exhausted" };
        assert_eq!(error[code], name, "{path}");
        assert!(error.to_string().contains("65536 bytes"), "{path}: {error}");

        // In chunks, without a Content-Length.
        let pieces = long.as_bytes().chunks(1000).map(|piece| Ok::<_, String>(piece.to_vec()));
        let pieces = futures_util::stream::iter(pieces.collect::<Vec<_>>());
        let body = reqwest::Body::wrap_stream(pieces);
        let (got, error) = answer(world.post(path, "application/json", body)).await;
        assert_eq!(got, status, "{path}: {error}");
    }
    alive(&world).await;
}

#[tokio::test]
async fn a_grpc_message_over_the_limit_is_refused_packed_or_not() {
    let world = world().await;
    let channel = tonic::transport::Endpoint::from_shared(world.server.url("")).unwrap();
    let channel = channel.connect().await.unwrap();
    let client = || RoomServiceClient::new(channel.clone());
    let packing = client().send_compressed(CompressionEncoding::Gzip);
    for mut client in [client(), packing] {
        let id = "x".repeat(1 << 20);
        let mut request =
            tonic::Request::new(CreateRoomRequest { id, ..CreateRoomRequest::default() });
        let bearer = format!("Bearer {}", world.project.secret.expose()).parse().unwrap();
        request.metadata_mut().insert("authorization", bearer);
        let status = client.create_room(request).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::ResourceExhausted, "{status:?}");
        assert!(status.message().contains("65536 bytes"), "{status:?}");
    }
    alive(&world).await;
}

#[tokio::test]
async fn a_gzip_bomb_is_refused_and_gzip_is_read() {
    let world = world().await;
    let pack = |text: &str| {
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(text.as_bytes()).unwrap();
        packed.finish().unwrap()
    };
    let small = pack(r#"{"id":"packed","defaultAccesses":[]}"#);
    let bomb = pack(&format!(r#"{{"id":"{}"}}"#, "x".repeat(10 << 20)));
    for (path, too_large) in [(REST, 413), (CONNECT, 429)] {
        let request = |body: &[u8]| {
            world.post(path, "application/json", body.to_vec()).header("content-encoding", "gzip")
        };
        let (status, reply) = answer(request(&small)).await;
        assert!(status == 200 || status == 409, "{path}: {status} {reply}");
        assert_eq!(answer(request(&bomb)).await.0, too_large, "{path}");
        let request = world.post(path, "application/json", small.clone());
        let (status, error) = answer(request.header("content-encoding", "br")).await;
        assert_eq!(status, 501, "{path}: {error}");
    }
    alive(&world).await;
}

#[tokio::test]
async fn twirp_answers_bad_routes_as_the_reference_does() {
    let world = world().await;
    let post = |path: &str, kind: &str| world.post(path, kind, "{}");
    let url = "/twirp/roomd.v1.RoomService/GetRoom";
    for (request, route, msg) in [
        (world.get(url), format!("GET {url}"), "unsupported method \"GET\" (only POST is allowed)"),
        (post(url, "text/plain"), format!("POST {url}"), "unexpected Content-Type: \"text/plain\""),
        (post(url, ""), format!("POST {url}"), "unexpected Content-Type: \"\""),
        (
            post("/twirp/roomd.v1.RoomService/Nope", "application/json"),
            "POST /twirp/roomd.v1.RoomService/Nope".to_owned(),
            "no handler for path \"/twirp/roomd.v1.RoomService/Nope\"",
        ),
        (
            post("/twirp/roomd.v1.RoomService/GetRoom/", "application/json"),
            "POST /twirp/roomd.v1.RoomService/GetRoom/".to_owned(),
            "no handler for path \"/twirp/roomd.v1.RoomService/GetRoom/\"",
        ),
    ] {
        let reply = request.send().await.unwrap();
        assert_eq!(reply.status(), 404);
        assert_eq!(reply.headers()["content-type"], "application/json");
        let error: Value = reply.json().await.unwrap();
        assert_eq!(error["code"], "bad_route");
        assert_eq!(error["msg"], msg);
        assert_eq!(error["meta"], json!({ "twirp_invalid_route": route }));
    }
    // The media type is compared without its parameters and letter case; slashes in front collapse.
    for (path, kind) in [
        (url, "Application/JSON; charset=utf-8"),
        ("//twirp/roomd.v1.RoomService/GetRoom", "application/json"),
    ] {
        let (status, error) = answer(world.post(path, kind, r#"{"room_id":"none"} junk"#)).await;
        assert_eq!((status, &error["code"]), (404, &json!("not_found")), "{path} {kind}");
    }
}

#[tokio::test]
async fn rest_answers_wrong_verbs_and_paths() {
    let world = world().await;
    let request = world.server.http.put(world.server.url("/v2/rooms/r"));
    let reply: Response = request.bearer_auth(world.project.secret.expose()).send().await.unwrap();
    assert_eq!(reply.status(), 405);
    let allow = reply.headers()["allow"].to_str().unwrap().to_owned();
    assert!(["GET", "POST", "DELETE"].iter().all(|verb| allow.contains(verb)), "{allow}");
    assert_eq!(answer(world.get("/v2/nothing")).await.1["error"], "ROUTE_NOT_FOUND");
    assert_eq!(answer(world.get("/v2/rooms/%ff")).await.0, 400);
    assert_eq!(answer(world.get("/v2/rooms/")).await.1["error"], "ROUTE_NOT_FOUND");
    assert_eq!(answer(world.get("/v2/rooms?limit=x")).await.0, 422);
    let many = "a=1&".repeat(300);
    assert_eq!(answer(world.get(&format!("/v2/rooms?{many}"))).await.0, 422);
    let (status, _) =
        answer(world.post(REST, "text/csv", r#"{"id":"a","defaultAccesses":[]}"#)).await;
    assert_eq!(status, 400, "JSON under another name");
    let (status, error) = answer(world.post(REST, "application/json", r#"{"id":"a"}"#)).await;
    assert_eq!((status, &error["message"]), (422, &json!("Missing key: 'defaultAccesses'.")));
    alive(&world).await;
}

#[tokio::test]
async fn deadlines_are_honoured_and_checked() {
    let world = world().await;
    let body = r#"{"roomId":"r"}"#;
    let path = "/roomd.v1.RoomService/GetRoom";
    let connect = |timeout: &str| {
        world.post(path, "application/json", body).header("connect-timeout-ms", timeout)
    };
    assert_eq!(answer(connect("0")).await.1["code"], "deadline_exceeded");
    assert_eq!(answer(connect("5000")).await.1["code"], "not_found");
    assert_eq!(answer(connect("soon")).await.1["code"], "invalid_argument");
    assert_eq!(answer(connect("12345678901")).await.1["code"], "invalid_argument");
    let twirp = |timeout: &str| {
        let request = world.post(&format!("/twirp{path}"), "application/json", body);
        request.header("x-twirp-timeout-ms", timeout)
    };
    assert_eq!(answer(twirp("-5")).await.1["code"], "deadline_exceeded");
    assert_eq!(answer(twirp("0")).await.1["code"], "deadline_exceeded");
    assert_eq!(answer(twirp("soon")).await.1["code"], "not_found", "not a number is ignored");
}

#[tokio::test]
async fn credentials_in_other_forms_are_refused() {
    let world = world().await;
    for (value, reason) in [
        ("Basic c2s6", "MISSING_SECRET_KEY"),
        ("Bearer", "MISSING_SECRET_KEY"),
        ("Bearer  ", "MISSING_SECRET_KEY"),
        ("Bearer a.b.c", "INVALID_TOKEN"),
        ("Bearer sk_", "INVALID_SECRET_KEY"),
    ] {
        let request = world.server.http.get(world.server.url("/v2/rooms"));
        let (status, error) = answer(request.header("authorization", value)).await;
        assert_eq!(error["error"], reason, "{value}: {status}");
    }
    let long = format!("Bearer {}.{}.c", "a".repeat(10_000), "b".repeat(10_000));
    let request = world.server.http.get(world.server.url("/v2/rooms"));
    assert_eq!(answer(request.header("authorization", long)).await.0, 403);
}

#[tokio::test]
async fn browsers_may_call_from_any_origin() {
    let world = world().await;
    let url = world.server.url("/v2/rooms");
    let preflight = world.server.http.request(reqwest::Method::OPTIONS, &url);
    let preflight = preflight
        .header("origin", "https://app.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type,x-lb-client");
    let reply = preflight.send().await.unwrap();
    assert!(reply.status().is_success());
    let header = |name: &str| reply.headers()[name].to_str().unwrap().to_lowercase();
    assert_eq!(header("access-control-allow-origin"), "*");
    assert!(header("access-control-allow-methods").contains("post"));
    assert!(header("access-control-allow-headers").contains("x-lb-client"));
    let reply =
        world.get("/v2/rooms").header("origin", "https://app.example").send().await.unwrap();
    assert_eq!(reply.status(), 200);
    assert_eq!(reply.headers()["access-control-allow-origin"], "*");
    let exposed = reply.headers()["access-control-expose-headers"].to_str().unwrap();
    assert!(exposed.contains("grpc-status") && exposed.contains("x-request-id"));
}

#[tokio::test]
async fn request_ids_are_kept_if_they_are_fit_for_a_log() {
    let world = world().await;
    let id_of = async |given: Option<&str>| {
        let request = world.get("/v2/rooms");
        let request =
            given.into_iter().fold(request, |request, id| request.header("x-request-id", id));
        let reply = request.send().await.unwrap();
        reply.headers()["x-request-id"].to_str().unwrap().to_owned()
    };
    assert_eq!(id_of(Some("mine-1")).await, "mine-1");
    assert_ne!(id_of(Some("with space")).await, "with space");
    assert_ne!(id_of(Some(&"x".repeat(129))).await, "x".repeat(129));
    assert_ne!(id_of(None).await, id_of(None).await);
}

#[tokio::test]
async fn operators_see_health_metrics_and_documents() {
    let world = world().await;
    alive(&world).await;
    for path in ["/healthz", "/readyz", "/openapi.json"] {
        let reply = world.server.http.get(world.server.url(path)).send().await.unwrap();
        assert_eq!(reply.status(), 200, "{path}");
    }
    let reply = world.server.http.get(world.server.url("/metrics")).send().await.unwrap();
    let text = reply.text().await.unwrap();
    let line = text.lines().find(|line| {
        line.starts_with("roomd_requests_total{protocol=\"connect\"") && line.contains("CreateRoom")
    });
    assert!(
        line.is_some_and(|line| line.contains("code=\"ok\"") && line.ends_with(" 1")),
        "{text}"
    );
    assert!(text.contains("roomd_request_duration_seconds_bucket"));
    assert!(text.contains("roomd_database_connections"));
    assert!(!text.contains("sk_"), "a secret in the metrics");
}

/// The server still answers, and remembers.
async fn alive(world: &World) {
    let secret = Some(world.project.secret.expose());
    let room = json!({"id": "alive", "defaultAccesses": [], "idempotent": true});
    let create = "roomd.v1.RoomService/CreateRoom";
    call(&world.server, Protocol::ConnectJson, create, &room, secret).await.unwrap();
    let get = "roomd.v1.RoomService/GetRoom";
    let room = json!({"roomId": "alive"});
    call(&world.server, Protocol::Grpc, get, &room, secret).await.unwrap();
}
