//! Which tokens of LiveKit's are taken, and what is told to whoever sends another: to the byte.

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::harness::Server;
use crate::livekit_tokens::{sign, with_algorithm};
use crate::on_both_servers;
use crate::protocols::{Protocol, call};

/// Every caller may ask, and with `roomList` it is answered.
const LIST: &str = "/twirp/livekit.RoomService/ListRooms";
const INVALID: &str = "invalid authorization token";
const DENIED: &str = r#"{"code":"unauthenticated","msg":"permissions denied"}"#;

fn ask(server: &Server, path: &str) -> RequestBuilder {
    let request = server.http.post(server.url(path));
    request.header("content-type", "application/json").body("{}")
}

async fn answer(request: RequestBuilder) -> (u16, String, String) {
    let reply = request.send().await.unwrap();
    let status = reply.status().as_u16();
    let kind = reply.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(reply.headers().contains_key("content-length"), "{kind}");
    (status, kind, reply.text().await.unwrap())
}

/// What a token is refused with; nothing if it is let in.
async fn refusal(server: &Server, token: &str) -> Option<String> {
    let (status, kind, text) = answer(ask(server, LIST).bearer_auth(token)).await;
    if status != 401 {
        return None;
    }
    assert_eq!(kind, "text/plain; charset=utf-8", "{text}");
    Some(text)
}

async fn refusals_have_the_texts_that_livekit_gives(server: Server) {
    let project = server.project("p").await;
    let key = server.livekit_key(&project.id).await;
    let secret = key.secret.expose();
    let now_s = server.clock.now_ms() / 1_000;
    let video = json!({"roomList": true});
    let token = |more: Value| {
        let mut claims = json!({ "video": video });
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.livekit_token(&key, claims)
    };
    let of_other = json!({"iss": "APIother", "exp": now_s + 60, "video": video});
    let no_end = json!({"iss": key.id, "video": video});
    let other_algorithm = |name: &str| {
        format!("{INVALID}: token signature is invalid: signing method {name} is invalid")
    };
    for (token, text) in [
        ("nonsense".to_owned(), INVALID.to_owned()),
        ("a.b.c".to_owned(), INVALID.to_owned()),
        (format!("{}.x", token(json!({}))), INVALID.to_owned()),
        (with_algorithm(&token(json!({})), "XS1"), INVALID.to_owned()),
        (token(json!({"exp": "soon"})), INVALID.to_owned()),
        (sign(&of_other, secret), "invalid API key".to_owned()),
        (sign(&json!({"exp": now_s + 60}), secret), "invalid API key".to_owned()),
        (
            sign(&json!({"iss": key.id, "exp": now_s + 60}), "another secret"),
            format!("{INVALID}: token signature is invalid: signature is invalid"),
        ),
        (with_algorithm(&token(json!({})), "none"), other_algorithm("none")),
        (with_algorithm(&token(json!({})), "RS256"), other_algorithm("RS256")),
        (with_algorithm(&token(json!({})), "ES256"), other_algorithm("ES256")),
        (
            sign(&no_end, secret),
            format!(
                "{INVALID}: token has invalid claims: token is missing required claim: exp claim \
                 is required"
            ),
        ),
        (
            token(json!({"nbf": now_s + 600})),
            format!("{INVALID}: token has invalid claims: token is not valid yet"),
        ),
    ] {
        assert_eq!(refusal(&server, &token).await, Some(text), "{token}");
    }
    // How long ago depends on how long the test takes.
    let expired = refusal(&server, &token(json!({"exp": now_s - 120}))).await.unwrap();
    let since = format!("{INVALID}: token has invalid claims: token is expired by 2m");
    assert!(expired.starts_with(&since), "{expired}");
    for taken in [json!({"exp": now_s - 30}), json!({"nbf": now_s + 30}), json!({"nbf": null})] {
        assert_eq!(refusal(&server, &token(taken.clone())).await, None, "{taken}");
    }
    server.stop().await;
}

async fn a_credential_is_where_livekits_clients_put_it(server: Server) {
    let project = server.project("p").await;
    let key = server.livekit_key(&project.id).await;
    let token = server.livekit_grant(&key, json!({"roomList": true}));
    for header in ["bearer x.y.z", "Basic x", "x"] {
        let asked = ask(&server, LIST).header("authorization", header);
        let text = "invalid authorization header. Must start with Bearer ".to_owned();
        let expected = (401, "text/plain; charset=utf-8".to_owned(), text);
        assert_eq!(answer(asked).await, expected, "{header}");
    }
    let denied = (401, "application/json".to_owned(), DENIED.to_owned());
    assert_eq!(answer(ask(&server, LIST)).await, denied, "no credential");
    let in_query = ask(&server, &format!("{LIST}?access_token={token}"));
    assert_ne!(answer(in_query).await.0, 401);
    let both = ask(&server, &format!("{LIST}?access_token={token}")).bearer_auth("a.b.c");
    assert_eq!(answer(both).await.2, INVALID, "the header comes first");
    for (credential, status) in [(&project.secret, false), (&project.public, true)] {
        let asked = ask(&server, LIST).bearer_auth(credential.expose());
        assert_eq!(answer(asked).await.0 == 401, status);
    }
    let unknown = answer(ask(&server, LIST).bearer_auth("sk_nobody")).await;
    assert_eq!((unknown.0, unknown.2.as_str()), (401, "Invalid secret key."));
    // The other protocols refuse in their own shape.
    let rpc = "livekit.RoomService/ListRooms";
    for protocol in [Protocol::Grpc, Protocol::GrpcWeb, Protocol::ConnectJson] {
        let refused = call(&server, protocol, rpc, &json!({}), Some("a.b.c")).await.unwrap_err();
        assert_eq!((refused.reason.as_str(), refused.message.as_str()), ("INVALID_TOKEN", INVALID));
        let refused = call(&server, protocol, rpc, &json!({}), None).await.unwrap_err();
        assert_eq!(refused.message, "permissions denied", "{protocol:?}");
    }
    server.stop().await;
}

async fn a_revoked_key_opens_nothing_at_once(server: Server) {
    let (ours, theirs) = (server.project("ours").await, server.project("theirs").await);
    let key = server.livekit_key(&ours.id).await;
    let token = server.livekit_grant(&key, json!({"roomList": true}));
    assert_eq!(refusal(&server, &token).await, None);
    let live = server.authenticator.live();
    let now_ms = server.clock.now_ms();
    assert!(live.revoke_key(&theirs.id, &key.id, now_ms).await.unwrap().is_none());
    assert_eq!(refusal(&server, &token).await, None, "another project cannot revoke it");
    assert!(live.revoke_key(&ours.id, &key.id, now_ms).await.unwrap().is_some());
    assert_eq!(refusal(&server, &token).await.as_deref(), Some("invalid API key"));
    server.stop().await;
}

async fn tokens_are_made_with_the_newest_key(server: Server) {
    let project = server.project("p").await;
    let old = server.livekit_key(&project.id).await;
    let rpc = "roomd.v1.AuthService/CreateLiveKitToken";
    let secret = Some(project.secret.expose());
    let request = json!({"identity": "ann", "name": "Ann", "attributes": {"a": "b"},
        "ttlSeconds": 60, "grant": {"roomList": true, "roomJoin": true, "room": "r",
        "canPublish": false, "canPublishSources": ["camera"]}});
    for protocol in Protocol::ALL {
        let made = call(&server, protocol, rpc, &request, secret).await.unwrap();
        assert_eq!(made["apiKey"], old.id, "{protocol:?}");
        let token = made["token"].as_str().unwrap();
        assert_eq!(refusal(&server, token).await, None, "{protocol:?}");
        let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::HS256);
        validation.set_issuer(&[&old.id]);
        let key = jsonwebtoken::DecodingKey::from_secret(old.secret.expose().as_bytes());
        let claims = jsonwebtoken::decode::<Value>(token, &key, &validation).unwrap().claims;
        let (begin, end) = (claims["nbf"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
        assert_eq!(end - begin, 60);
        let rest = ["sub", "name", "attributes", "video", "kind", "metadata"].map(|n| &claims[n]);
        let video = json!({"roomList": true, "roomJoin": true, "room": "r", "canPublish": false,
            "canPublishSources": ["camera"]});
        let attributes = json!({"a": "b"});
        let (ann, name) = (json!("ann"), json!("Ann"));
        assert_eq!(rest, [&ann, &name, &attributes, &video, &Value::Null, &Value::Null]);
    }
    let now_ms = server.clock.now_ms();
    let live = server.authenticator.live();
    live.revoke_key(&project.id, &old.id, now_ms).await.unwrap().unwrap();
    let refused = call(&server, Protocol::Grpc, rpc, &request, secret).await.unwrap_err();
    assert_eq!(refused.reason, "LIVEKIT_KEY_MISSING");
    let new = server.livekit_key(&project.id).await;
    let made = call(&server, Protocol::Grpc, rpc, &request, secret).await.unwrap();
    assert_eq!(made["apiKey"], new.id);
    server.stop().await;
}

on_both_servers!(
    refusals_have_the_texts_that_livekit_gives,
    a_credential_is_where_livekits_clients_put_it,
    a_revoked_key_opens_nothing_at_once,
    tokens_are_made_with_the_newest_key,
);
