use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::super::credentials::{AuthOptions, KNOWN_KEY_TTL_MS};
use super::super::testing::{MINUTE_MS, NOW_MS, World, project};
use super::*;
use crate::auth::is_token_expired;
use crate::domain::live::{
    KindDetail, LiveKeyPair, LiveSecret, LiveSettings, ParticipantKind, TrackSource, VideoGrant,
};

const NOW_S: i64 = NOW_MS / 1_000;

struct Fixture {
    _world: World,
    live: LiveTokens,
    /// Another process on the same database.
    elsewhere: LiveTokens,
    key: LiveKey,
}

async fn fixture() -> Fixture {
    let world = World::new().await;
    let key = create_key(&world.store, &project(), NOW_MS).await.unwrap();
    let live = || LiveTokens::new(world.store.clone(), &AuthOptions::default());
    let (live, elsewhere) = (live(), live());
    Fixture { _world: world, live, elsewhere, key }
}

impl Fixture {
    fn signed(&self, claims: &Value) -> String {
        let mut all = Map::from_iter([
            ("iss".to_owned(), json!(self.key.id)),
            ("exp".to_owned(), json!(NOW_S + 60)),
        ]);
        all.extend(claims.as_object().unwrap().clone());
        jwt::sign(&all, &self.key.secret).unwrap()
    }

    async fn read(&self, claims: Value) -> Result<Arc<LiveToken>, String> {
        let caller = self.live.verify(&self.signed(&claims), NOW_MS).await;
        let caller = caller.map_err(|error| error.public().to_owned())?;
        assert_eq!(caller.project, project());
        let Actor::Live(token) = caller.actor else { panic!("another actor") };
        Ok(token)
    }
}

#[tokio::test]
async fn what_is_signed_is_read_again() {
    let fixture = fixture().await;
    let flags = VideoGrant {
        room_create: true,
        room_list: true,
        room_record: true,
        room_admin: true,
        room_join: true,
        ingress_admin: true,
        hidden: true,
        recorder: true,
        agent: true,
        ..VideoGrant::default()
    };
    let full = LiveToken {
        api_key: fixture.key.id.clone(),
        identity: "ann".to_owned(),
        name: "Ann ✓".to_owned(),
        metadata: "m".repeat(512 << 10),
        attributes: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
        kind: ParticipantKind::Agent,
        kind_details: BTreeSet::from([KindDetail::CloudAgent, KindDetail::Simulation]),
        grant: VideoGrant {
            room: "r".to_owned(),
            can_publish: Some(false),
            can_subscribe: Some(true),
            can_publish_data: Some(false),
            can_publish_sources: vec![TrackSource::Camera, TrackSource::ScreenShareAudio],
            can_update_own_metadata: Some(true),
            can_subscribe_metrics: Some(true),
            can_manage_agent_session: Some(false),
            destination_room: "d".to_owned(),
            ..flags
        },
        room: LiveSettings {
            empty_timeout_s: 5,
            departure_timeout_s: 6,
            max_participants: 7,
            metadata: "room".to_owned(),
        },
        room_preset: "p".to_owned(),
        not_before_s: Some(NOW_S - 1),
        expires_at_s: NOW_S + 600,
    };
    let bare = LiveToken {
        api_key: fixture.key.id.clone(),
        not_before_s: Some(NOW_S),
        expires_at_s: NOW_S + 1,
        ..LiveToken::default()
    };
    for token in [full, bare] {
        let text = fixture.live.sign(&token, NOW_MS).await.unwrap();
        assert!(is_live_token(&text));
        let caller = fixture.live.verify(&text, NOW_MS).await.unwrap();
        let Actor::Live(read) = caller.actor else { panic!("another actor") };
        assert_eq!(*read, token);
    }
}

#[tokio::test]
async fn claims_are_read_leniently() {
    let fixture = fixture().await;
    let token = fixture.read(json!({"jti": "by-id", "exp": NOW_S as f64 + 0.5})).await.unwrap();
    assert_eq!((token.identity.as_str(), token.expires_at_s), ("by-id", NOW_S));
    let claims = json!({"sub": "ann", "jti": "other", "identity": "eve", "iat": "odd", "sip": 5,
        "name": null, "video": {"roomJoin": true, "room": null, "unknown": [],
        "canPublishSources": ["CAMERA", "kitchen"]}, "kind": "SIP", "attributes": null,
        "roomConfig": {"empty_timeout": "7.0", "maxParticipants": 3, "departureTimeout": null,
        "agents": [{"agentName": "a"}], "metadata": null}, "sha256": "x", "aud": 5,
        "kindDetails": ["FORWARDED", "bridge_rtsp", "martian", "forwarded"], "roomPreset": null});
    let token = fixture.read(claims).await.unwrap();
    assert_eq!((token.identity.as_str(), token.kind), ("ann", ParticipantKind::Sip));
    assert!(token.grant.room_join && token.grant.room.is_empty());
    let sources = &token.grant.can_publish_sources;
    assert_eq!(sources[..], [TrackSource::Camera, TrackSource::Unknown]);
    assert_eq!((token.room.empty_timeout_s, token.room.max_participants), (7, 3));
    let details = BTreeSet::from([KindDetail::Forwarded, KindDetail::BridgeRtsp]);
    assert_eq!((&token.kind_details, token.check_room().is_ok()), (&details, true));
    let token = fixture.read(json!({"kind": "martian"})).await.unwrap();
    assert_eq!((token.kind, &token.identity), (ParticipantKind::Standard, &String::new()));
    for wrong in [
        json!({"video": {"roomJoin": "yes"}}),
        json!({"attributes": {"a": 1}}),
        json!({"kindDetails": "forwarded"}),
        json!({"roomPreset": 1}),
        json!({"roomConfig": {"emptyTimeout": -1}}),
        json!({"roomConfig": {"emptyTimeout": 1.5}}),
        json!({"roomConfig": {"metadata": 1}}),
    ] {
        let text = fixture.read(wrong.clone()).await.unwrap_err();
        let start = "invalid authorization token: token is malformed: could not JSON decode claim";
        assert!(text.starts_with(start), "{wrong}: {text}");
    }
}

#[tokio::test]
async fn times_have_a_minute_of_leeway() {
    let fixture = fixture().await;
    let start = "invalid authorization token: token has invalid claims: token";
    for (claims, refusal) in [
        (json!({"exp": NOW_S - 59}), None),
        (json!({"exp": NOW_S - 60}), Some("is expired by 1m0s")),
        (json!({"exp": NOW_S - 120}), Some("is expired by 2m0s")),
        (json!({"exp": NOW_S - 3_600}), Some("is expired by 1h0m0s")),
        (json!({"exp": null}), Some("is missing required claim: exp claim is required")),
        (json!({"nbf": NOW_S + 60}), None),
        (json!({"nbf": NOW_S + 61}), Some("is not valid yet")),
        (
            json!({"exp": NOW_S - 120, "nbf": NOW_S + 120}),
            Some("is expired by 2m0s, token is not valid yet"),
        ),
        (json!({"exp": 1e300, "nbf": -1e300}), None),
    ] {
        let text = fixture.read(claims.clone()).await.err();
        assert_eq!(text, refusal.map(|refusal| format!("{start} {refusal}")), "{claims}");
    }
    let expired = fixture.signed(&json!({"exp": NOW_S - 120}));
    let error = fixture.live.verify(&expired, NOW_MS).await.unwrap_err();
    assert!(is_token_expired(&error));
}

#[tokio::test]
async fn a_token_of_any_other_form_is_none() {
    let fixture = fixture().await;
    let good = fixture.signed(&json!({}));
    let (head, signature) = good.rsplit_once('.').unwrap();
    let encoded = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let long = format!("{}.{}.x", encoded(r#"{"alg":"HS256"}"#), "A".repeat(LIVE_TOKEN_BYTES_MAX));
    for (token, text) in [
        (String::new(), "invalid authorization token"),
        (head.to_owned(), "invalid authorization token"),
        (format!("{good}.{signature}"), "invalid authorization token"),
        (format!("{}.e30.x", encoded("[]")), "invalid authorization token"),
        (format!("{}.e30.x", encoded(r#"{"alg":5}"#)), "invalid authorization token"),
        (format!("{}.e30.x", encoded(r#"{"alg":"HS256"}"#)), "invalid API key"),
        (long, "invalid authorization token"),
        (
            format!("{head}.{signature}="),
            "invalid authorization token: token is malformed: could not base64 decode signature",
        ),
        (
            format!("{head}."),
            "invalid authorization token: token signature is invalid: signature is invalid",
        ),
        (
            format!("{head}.{}", &signature[..40]),
            "invalid authorization token: token signature is invalid: signature is invalid",
        ),
    ] {
        let error = fixture.live.verify(&token, NOW_MS).await.unwrap_err();
        assert_eq!(error.public(), text, "{}", &token[..token.len().min(80)]);
    }
}

#[tokio::test]
async fn a_revoked_key_ends_here_at_once_and_elsewhere_soon() {
    let fixture = fixture().await;
    let token = fixture.signed(&json!({}));
    for live in [&fixture.live, &fixture.elsewhere] {
        live.verify(&token, NOW_MS).await.unwrap();
    }
    fixture.live.revoke_key(&project(), &fixture.key.id, NOW_MS).await.unwrap().unwrap();
    fixture.live.verify(&token, NOW_MS).await.unwrap_err();
    let ttl_ms = i64::try_from(KNOWN_KEY_TTL_MS).unwrap();
    fixture.elsewhere.verify(&token, NOW_MS + ttl_ms - 1).await.unwrap();
    let error = fixture.elsewhere.verify(&token, NOW_MS + ttl_ms).await.unwrap_err();
    assert_eq!(error.public(), "invalid API key");
    let lost = LiveToken { api_key: fixture.key.id.clone(), ..LiveToken::default() };
    let error = fixture.live.sign(&lost, NOW_MS + MINUTE_MS).await.unwrap_err();
    assert_eq!(error.reason(), "LIVEKIT_KEY_NOT_FOUND");
}

#[tokio::test]
async fn keys_of_the_configuration_are_the_default_projects() {
    let world = World::new().await;
    let default = ProjectId::trusted(super::super::api_key::PROJECT_DEFAULT);
    let live_keys = vec![LiveKeyPair::new("configured", "a secret of its own")];
    let options = AuthOptions { well_known_keys_of: Some(project()), live_keys };
    let live = LiveTokens::new(world.store.clone(), &options);
    for (id, secret, of) in
        [("devkey", "secret", project()), ("configured", "a secret of its own", default.clone())]
    {
        let claims = json!({"iss": id, "exp": NOW_S + 60});
        let token = jwt::sign(claims.as_object().unwrap(), &LiveSecret::new(secret)).unwrap();
        assert_eq!(live.verify(&token, NOW_MS).await.unwrap().project, of);
        assert_eq!(live.newest_key(&of).await.unwrap().id, id);
        assert_eq!(live.key(id, NOW_MS).await.unwrap().unwrap().secret.expose(), secret);
        let usual = LiveTokens::new(world.store.clone(), &AuthOptions::default());
        let error = usual.verify(&token, NOW_MS).await.unwrap_err();
        assert_eq!(error.public(), "invalid API key", "{id} is none of the usual");
    }
    let stored = create_key(&world.store, &project(), NOW_MS).await.unwrap();
    assert_eq!(live.newest_key(&project()).await.unwrap().id, stored.id);
    assert_eq!((stored.id.len(), stored.secret.expose().len()), (15, 43));
    let error = live.newest_key(&ProjectId::trusted("nobodys")).await.unwrap_err();
    assert!(error.suggestion().unwrap().contains("roomd keys create --livekit"));
}
