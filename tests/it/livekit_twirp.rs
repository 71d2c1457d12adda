//! The front of LiveKit's Twirp, to the byte: routes, bodies, CORS, limits.

use prost::Message as _;
use reqwest::{Method, RequestBuilder, Response};
use roomd::config::Limits;
use roomd::domain::ids::ProjectId;
use roomd::proto::livekit;
use serde_json::{Value, json};

use crate::databases::Database;
use crate::harness::Server;
use crate::on_both_servers;

const SERVICE: &str = "/twirp/livekit.RoomService";
const LIST: &str = "/twirp/livekit.RoomService/ListRooms";
const JSON: &str = "application/json";
const PROTOBUF: &str = "application/protobuf";
const PLAIN: &str = "text/plain; charset=utf-8";

/// Somebody who may list rooms.
struct Caller {
    server: Server,
    project: ProjectId,
    token: String,
}

impl Caller {
    async fn new(server: Server) -> Self {
        let project = server.project("p").await;
        let key = server.livekit_key(&project.id).await;
        let token = server.livekit_grant(&key, json!({"roomList": true}));
        Self { server, project: project.id, token }
    }

    fn request(&self, verb: Method, path: &str) -> RequestBuilder {
        self.server.http.request(verb, self.server.url(path)).bearer_auth(&self.token)
    }

    fn post(&self, path: &str, kind: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.request(Method::POST, path).header("content-type", kind).body(body)
    }
}

fn header<'a>(reply: &'a Response, name: &str) -> &'a str {
    reply.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// Status, content type and body; the length has to be told.
async fn answer(request: RequestBuilder) -> (u16, String, String) {
    let reply = request.send().await.unwrap();
    let (status, kind) = (reply.status().as_u16(), header(&reply, "content-type").to_owned());
    let length: usize = header(&reply, "content-length").parse().unwrap();
    let body = reply.text().await.unwrap();
    assert_eq!(body.len(), length, "{body}");
    (status, kind, body)
}

async fn bad_routes_are_told_as_the_reference_does(server: Server) {
    let caller = Caller::new(server).await;
    let escaped = r"\u003ca\u003e\u0026\u0001é".replace(r"\u0001", r"\\x01");
    let twice = format!("{SERVICE}/livekit.RoomService/ListRooms");
    for (request, msg, route) in [
        (
            caller.request(Method::GET, LIST),
            r#"unsupported method \"GET\" (only POST is allowed)"#.to_owned(),
            format!("GET {LIST}"),
        ),
        (
            caller.post(LIST, "text/plain; x=<1>", "{}"),
            r#"unexpected Content-Type: \"text/plain; x=\u003c1\u003e\""#.to_owned(),
            format!("POST {LIST}"),
        ),
        (
            caller.request(Method::POST, LIST),
            r#"unexpected Content-Type: \"\""#.to_owned(),
            format!("POST {LIST}"),
        ),
        (
            caller.post(LIST, "application/x-protobuf", ""),
            r#"unexpected Content-Type: \"application/x-protobuf\""#.to_owned(),
            format!("POST {LIST}"),
        ),
        (
            caller.post(&format!("{SERVICE}/Nope"), "text/plain", "{}"),
            format!(r#"no handler for path \"{SERVICE}/Nope\""#),
            format!("POST {SERVICE}/Nope"),
        ),
        (
            caller.post(&format!("{LIST}/"), JSON, "{}"),
            format!(r#"no handler for path \"{LIST}/\""#),
            format!("POST {LIST}/"),
        ),
        (
            caller.post(&twice, JSON, "{}"),
            format!(
                r#"invalid path prefix \"{SERVICE}\", expected \"/twirp\", on path \"{twice}\""#
            ),
            format!("POST {twice}"),
        ),
        (
            caller.post(&format!("{SERVICE}/%3Ca%3E&%01%C3%A9"), JSON, "{}"),
            format!(r#"no handler for path \"{SERVICE}/{escaped}\""#),
            format!(r"POST {SERVICE}/\u003ca\u003e\u0026\u0001é"),
        ),
    ] {
        let body = format!(
            r#"{{"code":"bad_route","msg":"{msg}","meta":{{"twirp_invalid_route":"{route}"}}}}"#
        );
        assert_eq!(answer(request).await, (404, JSON.to_owned(), body), "{route}");
    }
    caller.server.stop().await;
}

async fn only_paths_of_its_services_reach_twirp(server: Server) {
    let caller = Caller::new(server).await;
    for path in [
        "/twirp/livekit.SIP/CreateSIPTrunk",
        "/twirp/livekit.Egress/ListEgress",
        "/twirp/livekit.Nothing/X",
        "/twirp/livekit.RoomServiceX/ListRooms",
    ] {
        let expected = (404, PLAIN.to_owned(), "404 page not found\n".to_owned());
        assert_eq!(answer(caller.post(path, JSON, "{}")).await, expected, "{path}");
        let refused = caller.server.http.post(caller.server.url(path)).bearer_auth("a.b.c");
        assert_eq!(answer(refused).await.0, 401, "the credential comes first: {path}");
    }
    let client = reqwest::Client::builder().no_proxy();
    let client = client.redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let reply = client.post(caller.server.url(SERVICE)).bearer_auth(&caller.token);
    let reply = reply.send().await.unwrap();
    assert_eq!(
        (reply.status().as_u16(), header(&reply, "location")),
        (301, &*format!("{SERVICE}/"))
    );
    let reply = caller.server.http.get(caller.server.url("/")).send().await.unwrap();
    assert_eq!((reply.status().as_u16(), reply.text().await.unwrap().as_str()), (200, "OK"));
    caller.server.stop().await;
}

async fn malformed_bodies_are_told_as_the_reference_does(server: Server) {
    let caller = Caller::new(server).await;
    let malformed =
        |text: &str| (400, JSON.to_owned(), format!(r#"{{"code":"malformed","msg":"{text}"}}"#));
    let bad_json = malformed("the json request could not be decoded");
    for body in [
        "",
        "null",
        "[]",
        "\"x\"",
        "{",
        "{\"names\":[null]}",
        "{\"names\":1}",
        "{\"names\":[],\"names\":[]}",
        "{\"names\":[\"\\ud800\"]}",
    ] {
        assert_eq!(answer(caller.post(LIST, JSON, body)).await, bad_json, "{body}");
    }
    let bad_protobuf = malformed("the protobuf request could not be decoded");
    for body in [&b"\xff"[..], b"\x0a\x02\xff\xfe"] {
        assert_eq!(answer(caller.post(LIST, PROTOBUF, body.to_vec())).await, bad_protobuf);
    }
    // What is let through is the handler's to answer.
    for (kind, body) in [
        ("Application/JSON; charset=utf-8", "{} junk"),
        (JSON, "{}{}"),
        (JSON, r#"{"names":null,"unknown":{"x":[1]}}"#),
        (PROTOBUF, ""),
    ] {
        let (status, _, text) = answer(caller.post(LIST, kind, body)).await;
        assert!(status != 400 && status != 401 && status != 404, "{kind} {body}: {status} {text}");
    }
    caller.server.stop().await;
}

async fn both_codecs_answer_in_their_own(server: Server) {
    let caller = Caller::new(server).await;
    let path = format!("{SERVICE}/UpdateRoomMetadata");
    let request = livekit::UpdateRoomMetadataRequest { room: "r".to_owned(), ..Default::default() };
    let denied = r#"{"code":"unauthenticated","msg":"permissions denied"}"#;
    for (kind, body) in [(PROTOBUF, request.encode_to_vec()), (JSON, br#"{"room":"r"}"#.to_vec())] {
        let expected = (401, JSON.to_owned(), denied.to_owned());
        assert_eq!(answer(caller.post(&path, kind, body)).await, expected, "errors are JSON");
    }
    for (kind, body) in [(PROTOBUF, ""), (JSON, "{}")] {
        let (status, answered, _) = answer(caller.post(LIST, kind, body)).await;
        assert_eq!(answered, if status == 200 { kind } else { JSON });
    }
    let late = caller.post(LIST, JSON, "{}").header("x-twirp-timeout-ms", "-1");
    let (status, _, body) = answer(late).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (status, &body["code"], &body["meta"]),
        (408, &json!("deadline_exceeded"), &Value::Null)
    );
    let odd = caller.post(LIST, JSON, "{}").header("x-twirp-timeout-ms", "soon");
    assert_ne!(answer(odd).await.0, 408);
    caller.server.stop().await;
}

async fn browsers_are_answered_as_livekit_does(server: Server) {
    let caller = Caller::new(server).await;
    let origin = "https://app.example";
    for (path, bearer) in [(LIST, "a.b.c"), ("/twirp/livekit.No/X", "a.b.c"), (LIST, "")] {
        let request = caller.server.http.post(caller.server.url(path)).bearer_auth(bearer);
        let reply = request.header("origin", origin).send().await.unwrap();
        assert_eq!(reply.status(), 401, "{path}");
        assert_eq!(header(&reply, "access-control-allow-origin"), origin, "{path}");
        assert_eq!(header(&reply, "access-control-expose-headers"), "*", "{path}");
    }
    for path in [LIST, "/rtc", "/rtc/v1/validate", &format!("/{LIST}")] {
        let request = caller.server.http.request(Method::OPTIONS, caller.server.url(path));
        let request =
            request.header("origin", origin).header("access-control-request-method", "POST");
        let reply = request.header("access-control-request-headers", "x-any").send().await.unwrap();
        assert!(reply.status().is_success(), "{path}");
        assert_eq!(header(&reply, "access-control-allow-origin"), origin, "{path}");
        assert_eq!(header(&reply, "access-control-max-age"), "86400");
        assert_eq!(header(&reply, "access-control-allow-headers"), "x-any");
        let verbs = header(&reply, "access-control-allow-methods");
        assert_eq!(verbs, "OPTIONS,HEAD,GET,POST,PATCH,DELETE");
    }
    let elsewhere = caller.server.http.get(caller.server.url("/rtcx")).header("origin", origin);
    let reply = elsewhere.send().await.unwrap();
    assert_eq!(header(&reply, "access-control-allow-origin"), "*");
    caller.server.stop().await;
}

/// LiveKit's server looks at a credential before it looks where a request goes, and how.
async fn a_credential_is_looked_at_before_the_request(server: Server) {
    let caller = Caller::new(server).await;
    let origin = "http://testhost.com";
    // A handshake that is none, since it is no GET.
    let upgrade = || {
        let request = caller.server.http.post(caller.server.url("/rtc"));
        request.header("connection", "upgrade").header("upgrade", "websocket")
    };
    for request in [
        caller.server.http.post(caller.server.url("/")),
        caller.server.http.get(caller.server.url("/")),
        caller.server.http.post(caller.server.url("/rtc")),
        upgrade(),
    ] {
        let request = request.header("authorization", "bearer xyz").header("origin", origin);
        let reply = request.send().await.unwrap();
        assert_eq!(reply.status(), 401, "{reply:?}");
        assert_eq!(header(&reply, "access-control-allow-origin"), origin, "{reply:?}");
        let text = "invalid authorization header. Must start with Bearer ";
        assert_eq!(reply.text().await.unwrap(), text);
    }
    let video = json!({"roomJoin": true, "room": "r"});
    let key = caller.server.livekit_key(&caller.project).await;
    let token = caller.server.livekit_token(&key, json!({"sub": "ann", "video": video}));
    assert_eq!(upgrade().bearer_auth(token).send().await.unwrap().status(), 405);
    let (status, _, text) = answer(caller.request(Method::GET, "/")).await;
    assert_eq!((status, text.as_str()), (200, "OK"));
    caller.server.stop().await;
}

async fn slashes_in_front_collapse(server: Server) {
    let caller = Caller::new(server).await;
    let (status, _, body) = answer(caller.post(&format!("//{SERVICE}/Nope"), JSON, "{}")).await;
    assert!(status == 404 && body.contains(&format!(r#"path \"{SERVICE}/Nope\""#)), "{body}");
    let reply = caller.server.http.get(caller.server.url("//healthz")).send().await.unwrap();
    assert_eq!(reply.status(), 200);
    caller.server.stop().await;
}

#[tokio::test]
async fn a_long_body_is_refused_before_the_credential_if_it_says_so() {
    let database = Database::sqlite().await;
    let limits = Limits { request_body_bytes_max: 64 << 10, ..Limits::PRODUCTION };
    let caller = Caller::new(Server::start_with(&database.store, limits).await).await;
    let long = format!(r#"{{"names":["{}"]}}"#, "x".repeat(64 << 10));
    let expected = (413, PLAIN.to_owned(), "request body too large".to_owned());
    let request = caller.server.http.post(caller.server.url(LIST)).bearer_auth("a.b.c");
    assert_eq!(answer(request.body(long.clone())).await, expected);
    for (kind, text) in
        [(JSON, "the json request could not be decoded"), (PROTOBUF, "failed to read request body")]
    {
        let pieces = long.as_bytes().chunks(1000).map(|piece| Ok::<_, String>(piece.to_vec()));
        let pieces = futures_util::stream::iter(pieces.collect::<Vec<_>>());
        let request = caller.post(LIST, kind, reqwest::Body::wrap_stream(pieces));
        let body = format!(r#"{{"code":"malformed","msg":"{text}"}}"#);
        assert_eq!(answer(request).await, (400, JSON.to_owned(), body));
    }
    caller.server.stop().await;
}

on_both_servers!(
    bad_routes_are_told_as_the_reference_does,
    only_paths_of_its_services_reach_twirp,
    malformed_bodies_are_told_as_the_reference_does,
    both_codecs_answer_in_their_own,
    browsers_are_answered_as_livekit_does,
    a_credential_is_looked_at_before_the_request,
    slashes_in_front_collapse,
);
