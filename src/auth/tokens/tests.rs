use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

use super::*;
use crate::auth::signing::SigningAlgorithm;
use crate::auth::testing::*;
use crate::domain::ctx::UserRights;
use crate::domain::ids::{OrganizationId, UserId};
use crate::error::Code;

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// Text, since a parsed object forgets the order of its keys.
fn payload_text(token: &str) -> String {
    let part = token.split('.').nth(1).unwrap();
    String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn encode(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

/// A token with these claims, signed with the real key: what only a bug of ours could produce.
fn sign_claims(tokens: &Tokens, claims: &Value) -> String {
    tokens.keys().signer(NOW_MS).unwrap().sign(claims).unwrap()
}

fn good_claims() -> Value {
    let now_s = NOW_MS / 1000;
    json!({"k": "acc", "pid": "proj", "uid": "alice", "perms": {"room-1": ["*:write"]},
        "iat": now_s, "exp": now_s + 60, "jti": "abc"})
}

async fn refusal(tokens: &Tokens, token: &str) -> &'static str {
    let error = tokens.verify(token, NOW_MS).await.unwrap_err();
    assert_eq!(error.code(), Code::BadCredential, "{error:?}");
    error.reason()
}

#[tokio::test]
async fn an_access_token_has_the_claims_of_the_reference() {
    let tokens = World::new().await.tokens().await;
    let user =
        access_user(&[("room-1", &["room:write"]), ("team:*", &["room:read", "comments:write"])]);
    let spec = TokenSpec { user, ..access_spec() };
    let token = tokens.issue(&spec, NOW_MS).unwrap();
    let jti = part(&token, 1)["jti"].as_str().unwrap().to_owned();
    let expected = [
        r#"{"k":"acc","pid":"proj","uid":"alice","#,
        r#""perms":{"room-1":["room:write"],"team:*":["room:read","comments:write"]},"#,
        r#""ui":{"avatar":"https://a.example/a.png","name":"Alice"},"#,
        &format!(r#""iat":1795196979,"exp":1795200579,"jti":"{jti}"}}"#),
    ];
    assert_eq!(payload_text(&token), expected.concat());
    assert_eq!(jti.len(), 22);
    let kid = tokens.keys().signer(NOW_MS).unwrap().kid().to_owned();
    assert_eq!(part(&token, 0), json!({"typ": "JWT", "alg": "ES256", "kid": kid}));
}

#[tokio::test]
async fn an_id_token_has_the_claims_of_the_reference() {
    let tokens = World::new().await.tokens_signed_with(SigningAlgorithm::EdDsa).await;
    let token = tokens.issue(&identity_spec(&["eng"]), NOW_MS).unwrap();
    let jti = part(&token, 1)["jti"].as_str().unwrap().to_owned();
    let expected = [
        r#"{"k":"id","pid":"proj","uid":"bob","gids":["eng"],"#,
        r#""ui":{"avatar":"https://a.example/a.png","name":"Alice"},"#,
        &format!(r#""iat":1795196979,"exp":1795200579,"jti":"{jti}"}}"#),
    ];
    assert_eq!(payload_text(&token), expected.concat());
    assert_eq!(part(&token, 0)["alg"], "EdDSA");
}

#[tokio::test]
async fn what_is_empty_is_left_out_and_another_organization_is_named() {
    let tokens = World::new().await.tokens().await;
    let mut spec = identity_spec(&[]);
    spec.user.info = None;
    spec.user.organization_id = OrganizationId::trusted("acme");
    spec.lifetime_s = Some(60);
    let token = tokens.issue(&spec, NOW_MS).unwrap();
    let mut claims = part(&token, 1);
    claims.as_object_mut().unwrap().remove("jti");
    let expected = json!({"k": "id", "pid": "proj", "uid": "bob", "oid": "acme",
        "iat": 1_795_196_979, "exp": 1_795_197_039});
    assert_eq!(claims, expected);
}

#[tokio::test]
async fn verifying_answers_what_was_issued() {
    let world = World::new().await;
    for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa] {
        let tokens = world.tokens_signed_with(algorithm).await;
        let mut spec = access_spec();
        spec.user.organization_id = OrganizationId::trusted("acme");
        let token = tokens.issue(&spec, NOW_MS).unwrap();
        // The second time the answer comes from the cache.
        for _ in 0..2 {
            let verified = tokens.verify_token(&token, NOW_MS).await.unwrap();
            assert_eq!(verified.caller.project, project());
            let Actor::User(user) = &verified.caller.actor else { panic!("not a user") };
            assert_eq!(user.id, spec.user.id);
            assert_eq!(user.info, spec.user.info);
            assert_eq!(user.organization_id, spec.user.organization_id);
            let UserRights::Patterns(patterns) = &user.rights else { panic!("no patterns") };
            let UserRights::Patterns(issued) = &spec.user.rights else { panic!("no patterns") };
            assert_eq!(patterns.iter().count(), issued.iter().count());
            assert_eq!(verified.expires_at_ms, 1_795_200_579_000);
            assert_eq!(verified.token_id, part(&token, 1)["jti"].as_str().unwrap());
        }
        let token = tokens.issue(&identity_spec(&["eng", "ops"]), NOW_MS).unwrap();
        let caller = tokens.verify(&token, NOW_MS).await.unwrap();
        let Actor::User(user) = &caller.actor else { panic!("not a user") };
        let UserRights::Identity { group_ids } = &user.rights else { panic!("no groups") };
        assert_eq!(group_ids, &["eng", "ops"]);
    }
}

#[tokio::test]
async fn every_token_is_unique() {
    let tokens = World::new().await.tokens().await;
    let issue = || tokens.issue(&access_spec(), NOW_MS).unwrap();
    let issued: std::collections::HashSet<String> = (0..100).map(|_| issue()).collect();
    assert_eq!(issued.len(), 100);
    let ids: std::collections::HashSet<String> =
        issued.iter().map(|token| part(token, 1)["jti"].to_string()).collect();
    assert_eq!(ids.len(), 100);
}

#[tokio::test]
async fn the_algorithm_is_that_of_the_key_and_not_what_the_header_says() {
    let world = World::new().await;
    let tokens = world.tokens().await;
    let public = tokens.keys().signer(NOW_MS).unwrap().public.clone();
    let token = tokens.issue(&access_spec(), NOW_MS).unwrap();
    let payload = token.split('.').nth(1).unwrap();
    let signature = token.split('.').nth(2).unwrap();

    // The classic: the public key's bytes as the secret of an HMAC, in every form they come in.
    let x = URL_SAFE_NO_PAD.decode(&public.x).unwrap();
    let y = URL_SAFE_NO_PAD.decode(public.y.as_ref().unwrap()).unwrap();
    let point = [&[4][..], &x, &y].concat();
    let secrets = [point, x, public.x.clone().into_bytes(), b"".to_vec()];
    for (alg, hash) in
        [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)]
    {
        let header = encode(&json!({"alg": alg, "typ": "JWT", "kid": public.kid}));
        let message = format!("{header}.{payload}");
        for secret in &secrets {
            let tag = hmac::sign(&hmac::Key::new(hash, secret), message.as_bytes());
            let forged = format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()));
            assert_eq!(refusal(&tokens, &forged).await, "INVALID_TOKEN");
        }
    }
    for alg in ["none", "None", "NONE", "", "EdDSA", "ES384", "RS256", "PS256", "es256"] {
        let header = encode(&json!({"alg": alg, "typ": "JWT", "kid": public.kid}));
        for signature in ["", signature, "AA"] {
            let forged = format!("{header}.{payload}.{signature}");
            assert_eq!(refusal(&tokens, &forged).await, "INVALID_TOKEN", "{alg}");
        }
    }
}

#[tokio::test]
async fn tampered_tokens_are_refused() {
    let tokens = World::new().await.tokens().await;
    let token = tokens.issue(&access_spec(), NOW_MS).unwrap();
    tokens.verify(&token, NOW_MS).await.unwrap();
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else {
        panic!("not three parts");
    };
    let mut claims = part(&token, 1);
    claims["uid"] = json!("mallory");
    let mut wrong_kid = part(&token, 0);
    wrong_kid["kid"] = json!("somebody-else");
    let mut no_kid = part(&token, 0);
    no_kid.as_object_mut().unwrap().remove("kid");
    let mut critical = part(&token, 0);
    critical["crit"] = json!(["exp"]);
    let forged = [
        format!("{header}.{}.{signature}", encode(&claims)),
        format!("{}.{payload}.{signature}", encode(&wrong_kid)),
        format!("{}.{payload}.{signature}", encode(&no_kid)),
        format!("{}.{payload}.{signature}", encode(&critical)),
        format!("{header}.{payload}."),
        format!("{header}.{payload}.{}", &signature[1..]),
        format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode([0_u8; 64])),
        format!("{header}.{payload}.{signature}="),
        format!("{header}.{payload}=.{signature}"),
        format!("{header}.{payload}.{signature}.{signature}"),
        format!("{header}.{payload}"),
        format!(" {token}"),
        format!("{token}\n"),
        format!("{header}.!!!.{signature}"),
        format!("!!!.{payload}.{signature}"),
        "..".to_owned(),
        "a.b.c".to_owned(),
        String::new(),
        format!("{token}{}", "A".repeat(TOKEN_BYTES_MAX)),
    ];
    for forged in &forged {
        assert_eq!(refusal(&tokens, forged).await, "INVALID_TOKEN", "{forged}");
    }
    tokens.verify(&token, NOW_MS).await.unwrap();
}

#[tokio::test]
async fn a_token_of_another_deployment_or_project_opens_nothing_here() {
    let tokens = World::new().await.tokens().await;
    let others = World::new().await.tokens().await;
    let foreign = others.issue(&access_spec(), NOW_MS).unwrap();
    assert_eq!(refusal(&tokens, &foreign).await, "INVALID_TOKEN");
    // Naming our key does not help.
    let mut header = part(&foreign, 0);
    header["kid"] = json!(tokens.keys().signer(NOW_MS).unwrap().kid());
    let (_, rest) = foreign.split_once('.').unwrap();
    let forged = format!("{}.{rest}", encode(&header));
    assert_eq!(refusal(&tokens, &forged).await, "INVALID_TOKEN");
    // A token is bound to the project that its signed claims name, and to no other.
    let spec = TokenSpec { project: ProjectId::trusted("other"), ..access_spec() };
    let token = tokens.issue(&spec, NOW_MS).unwrap();
    let caller = tokens.verify(&token, NOW_MS).await.unwrap();
    assert_eq!(caller.project.as_str(), "other");
}

#[tokio::test]
async fn times_are_checked_at_every_use() {
    let tokens = World::new().await.tokens().await;
    let spec = TokenSpec { lifetime_s: Some(10), ..access_spec() };
    let token = tokens.issue(&spec, NOW_MS).unwrap();
    let end_ms = NOW_MS / 1000 * 1000 + 10_000;
    tokens.verify(&token, end_ms - 1).await.unwrap();
    assert!(tokens.verify_cached(&token, end_ms - 1).unwrap().is_ok());
    // From the cache first, then without it.
    for _ in 0..2 {
        let error = tokens.verify(&token, end_ms).await.unwrap_err();
        assert_eq!((error.code(), error.reason()), (Code::BadCredential, "TOKEN_EXPIRED"));
    }
    assert!(tokens.verify_cached(&token, end_ms).is_none());

    let mut claims = good_claims();
    claims["nbf"] = json!(NOW_MS / 1000 + 60);
    claims["exp"] = json!(NOW_MS / 1000 + 600);
    let early = sign_claims(&tokens, &claims);
    assert_eq!(refusal(&tokens, &early).await, "INVALID_TOKEN");
    tokens.verify(&early, NOW_MS + 31_000).await.unwrap();
    assert_eq!(refusal(&tokens, &early).await, "INVALID_TOKEN");
}

#[tokio::test]
async fn claims_are_checked_even_under_our_own_signature() {
    let tokens = World::new().await.tokens().await;
    tokens.verify(&sign_claims(&tokens, &good_claims()), NOW_MS).await.unwrap();
    let many: Map<String, Value> =
        (0..11).map(|n| (format!("room-{n}"), json!(["*:read"]))).collect();
    let bad = [
        ("k", json!("access")),
        ("k", json!(null)),
        ("pid", json!("")),
        ("pid", json!("p".repeat(65))),
        ("pid", json!(7)),
        ("uid", json!("")),
        ("uid", json!("u".repeat(129))),
        ("uid", json!("nul\0")),
        ("perms", json!(null)),
        ("perms", json!([])),
        ("perms", json!({"room-1": ["room:admin"]})),
        ("perms", json!({"a*b": ["*:read"]})),
        ("perms", Value::Object(many)),
        ("ui", json!("Alice")),
        ("ui", json!({"name": "n".repeat(1025)})),
        ("oid", json!("")),
        ("iat", json!("now")),
        ("exp", json!(null)),
        ("exp", json!(1.5e300)),
        ("exp", json!("1795200579")),
        ("exp", json!(u64::MAX)),
        ("nbf", json!("soon")),
        ("jti", json!("")),
        ("jti", json!("j".repeat(65))),
    ];
    for (name, value) in bad {
        let mut claims = good_claims();
        claims[name] = value;
        let token = sign_claims(&tokens, &claims);
        assert_eq!(refusal(&tokens, &token).await, "INVALID_TOKEN", "{claims}");
    }
    for name in ["k", "pid", "uid", "perms", "iat", "exp", "jti"] {
        let mut claims = good_claims();
        claims.as_object_mut().unwrap().remove(name);
        let token = sign_claims(&tokens, &claims);
        assert_eq!(refusal(&tokens, &token).await, "INVALID_TOKEN", "without {name}");
    }
}

#[tokio::test]
async fn limits_name_the_field_and_what_came() {
    let tokens = World::new().await.tokens().await;
    let problem = |spec: &TokenSpec| {
        let error = tokens.issue(spec, NOW_MS).unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        error.public().to_owned()
    };
    let mut spec = identity_spec(&[]);
    let info = Map::from_iter([("n".to_owned(), json!("x".repeat(1017)))]);
    spec.user.info = Some(info);
    assert_eq!(
        problem(&spec),
        "Invalid value for field 'userInfo': must be at most 1024 characters as JSON, got 1025"
    );
    let long = "g".repeat(257);
    assert_eq!(
        problem(&identity_spec(&["ok", &long])),
        "Invalid value for field 'groupIds[1]': must be 1 to 256 characters, got 257"
    );
    let long = "g".repeat(250);
    let many: Vec<&str> = std::iter::repeat_n(long.as_str(), 100).collect();
    assert!(problem(&identity_spec(&many)).contains("a token must be at most 16384 bytes"));
    let many: Vec<&str> = std::iter::repeat_n("g", 1001).collect();
    assert!(problem(&identity_spec(&many)).contains("must have at most 1000 ids, got 1001"));
    for lifetime_s in [0, -1, TOKEN_LIFETIME_S_MAX + 1, i64::MAX] {
        let spec = TokenSpec { lifetime_s: Some(lifetime_s), ..identity_spec(&[]) };
        assert!(problem(&spec).contains("must be 1 to 604800 seconds"));
    }
    // The longest user id fits, also if each of its characters takes four bytes.
    let id = UserId::parse("userId", &"\u{1F600}".repeat(128)).unwrap();
    let mut spec = identity_spec(&["eng"]);
    spec.user.id = id;
    let token = tokens.issue(&spec, NOW_MS).unwrap();
    tokens.verify(&token, NOW_MS).await.unwrap();
}

#[tokio::test]
async fn a_withdrawn_key_ends_cached_tokens_too() {
    let tokens = World::new().await.tokens().await;
    let token = tokens.issue(&access_spec(), NOW_MS).unwrap();
    tokens.keys().rotate_now(NOW_MS).await.unwrap();
    tokens.verify(&token, NOW_MS).await.unwrap();
    tokens.keys().discard_retired(NOW_MS).await.unwrap();
    assert!(tokens.verify_cached(&token, NOW_MS).unwrap().is_err());
    assert_eq!(refusal(&tokens, &token).await, "INVALID_TOKEN");
}

#[tokio::test]
async fn debug_text_shows_no_secret() {
    let tokens = World::new().await.tokens().await;
    let token = tokens.issue(&access_spec(), NOW_MS).unwrap();
    let verified = tokens.verify_token(&token, NOW_MS).await.unwrap();
    let text = format!("{tokens:?} {verified:?} {:?}", tokens.keys());
    assert!(!text.contains(&token) && !text.contains("pkcs8") && !text.contains("encoding"));
}

#[test]
fn arbitrary_text_never_panics() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(World::new());
    let tokens = runtime.block_on(world.tokens());
    let cases = ("\\PC{0,200}", any::<usize>(), any::<u8>());
    let outcome = TestRunner::default().run(&cases, |(text, at, byte)| {
        runtime.block_on(async {
            prop_assert!(tokens.verify(&text, NOW_MS).await.is_err());
            let token = tokens.issue(&access_spec(), NOW_MS).unwrap();
            let at = at % token.len();
            let mut bytes = token.clone().into_bytes();
            bytes[at] = byte & 0x7f;
            let changed = String::from_utf8(bytes).unwrap();
            let answer = tokens.verify(&changed, NOW_MS).await;
            prop_assert_eq!(answer.is_ok(), changed == token, "{}", changed);
            prop_assert!(tokens.verify(&token[..at], NOW_MS).await.is_err());
            Ok(())
        })
    });
    outcome.unwrap();
}
