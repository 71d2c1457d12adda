use super::*;
use crate::auth::testing::*;
use crate::auth::tokens::{TokenOptions, Tokens};

async fn open(world: &World, now_ms: i64) -> Arc<SigningKeys> {
    SigningKeys::open(world.store.clone(), SigningOptions::default(), now_ms).await.unwrap()
}

fn kid(keys: &SigningKeys, now_ms: i64) -> String {
    keys.signer(now_ms).unwrap().kid().to_owned()
}

fn published(keys: &SigningKeys) -> Vec<String> {
    keys.public_keys().keys.into_iter().map(|key| key.kid).collect()
}

#[tokio::test]
async fn a_key_is_published_then_signs_then_verifies_then_goes() {
    let world = World::new().await;
    let keys = open(&world, NOW_MS).await;
    let tokens = Tokens::new(Arc::clone(&keys), &TokenOptions::default()).unwrap();
    let first = kid(&keys, NOW_MS);
    assert_eq!(published(&keys), [first.as_str()]);

    let almost = NOW_MS + 30 * DAY_MS - 1;
    keys.maintain(almost).await.unwrap();
    assert_eq!(published(&keys), [first.as_str()]);

    let due = NOW_MS + 30 * DAY_MS;
    keys.maintain(due).await.unwrap();
    assert_eq!(published(&keys).len(), 2);
    assert_eq!(kid(&keys, due), first);
    let old = tokens.issue(&access_spec(), due).unwrap();

    let taken_over = due + KEY_PUBLISH_LEAD_MS;
    let second = kid(&keys, taken_over);
    assert_ne!(second, first);
    keys.maintain(taken_over).await.unwrap();
    assert_eq!(published(&keys), [second.as_str(), first.as_str()]);
    // Not from the cache: a fresh verifier asks the retired key.
    let verifier = Tokens::new(Arc::clone(&keys), &TokenOptions::default()).unwrap();
    verifier.verify(&old, taken_over).await.unwrap();

    let gone = taken_over + KEY_RETIRED_KEEP_MS;
    keys.maintain(gone).await.unwrap();
    assert_eq!(published(&keys).len(), 2);
    keys.maintain(gone + 1).await.unwrap();
    assert_eq!(published(&keys), [second.as_str()]);
    assert_eq!(world.store.list_signing_keys().await.unwrap().len(), 1);
}

#[tokio::test]
async fn keys_survive_a_restart() {
    let world = World::new().await;
    let tokens = world.tokens().await;
    let token = tokens.issue(&access_spec(), NOW_MS).unwrap();
    let again = world.tokens().await;
    again.verify(&token, NOW_MS).await.unwrap();
    assert_eq!(again.keys().public_keys(), tokens.keys().public_keys());
}

#[tokio::test]
async fn rotating_at_once_keeps_old_tokens_and_discarding_ends_them() {
    let world = World::new().await;
    let keys = open(&world, NOW_MS).await;
    let first = kid(&keys, NOW_MS);
    keys.rotate_now(NOW_MS + 1).await.unwrap();
    assert_ne!(kid(&keys, NOW_MS + 1), first);
    assert!(keys.find(&first, NOW_MS + 1).await.unwrap().is_some());
    keys.discard_retired(NOW_MS + 1).await.unwrap();
    assert_eq!(published(&keys).len(), 1);
    assert!(keys.find(&first, NOW_MS + 1).await.unwrap().is_none());
}

#[tokio::test]
async fn a_key_of_another_node_is_found_by_one_reload() {
    let world = World::new().await;
    let (one, two) = (open(&world, NOW_MS).await, open(&world, NOW_MS).await);
    assert_eq!(kid(&one, NOW_MS), kid(&two, NOW_MS));
    two.rotate_now(NOW_MS).await.unwrap();
    let new = kid(&two, NOW_MS);
    assert!(one.find(&new, NOW_MS).await.unwrap().is_some());
    // And the retired key that it replaced no longer signs here either.
    assert_eq!(kid(&one, NOW_MS), new);
}

#[tokio::test]
async fn unknown_keys_make_us_ask_the_store_rarely() {
    let world = World::new().await;
    let (one, two) = (open(&world, NOW_MS).await, open(&world, NOW_MS).await);
    assert!(one.find("nobody", NOW_MS).await.unwrap().is_none());
    two.rotate_now(NOW_MS).await.unwrap();
    let new = kid(&two, NOW_MS);
    // The reload for `nobody` was just now, so this one is not made.
    assert!(one.find(&new, NOW_MS + 999).await.unwrap().is_none());
    assert!(one.find(&new, NOW_MS + 1000).await.unwrap().is_some());
}

#[tokio::test]
async fn nodes_that_start_at_once_agree_on_a_key() {
    let world = World::new().await;
    let options = SigningOptions::default();
    let row = async |now_ms| {
        let store = world.store.clone();
        let keys = SigningKeys {
            store,
            options: options.clone(),
            loaded: RwLock::default(),
            reloading: Mutex::default(),
        };
        keys.publish_key(now_ms).await.unwrap();
    };
    // As if both had seen an empty table.
    row(NOW_MS + 1).await;
    row(NOW_MS).await;
    let (one, two) = (open(&world, NOW_MS + 2).await, open(&world, NOW_MS + 3).await);
    assert_eq!(published(&one).len(), 2);
    assert_eq!(kid(&one, NOW_MS + 2), kid(&two, NOW_MS + 2));
    let later = NOW_MS + KEY_PUBLISH_LEAD_MS + 2;
    one.maintain(later).await.unwrap();
    two.maintain(later).await.unwrap();
    assert_eq!(kid(&one, later), kid(&two, later));
    let rows = world.store.list_signing_keys().await.unwrap();
    assert_eq!(rows.iter().filter(|row| row.retired_at_ms.is_none()).count(), 1);
}

#[tokio::test]
async fn a_change_of_algorithm_makes_a_key_of_it_and_keeps_the_old_one_valid() {
    let world = World::new().await;
    let token = world.tokens().await.issue(&access_spec(), NOW_MS).unwrap();
    let tokens = world.tokens_signed_with(SigningAlgorithm::EdDsa).await;
    let signer = tokens.keys().signer(NOW_MS).unwrap();
    assert_eq!(signer.algorithm, SigningAlgorithm::EdDsa);
    tokens.verify(&token, NOW_MS).await.unwrap();
    let ed_token = tokens.issue(&access_spec(), NOW_MS).unwrap();
    tokens.verify(&ed_token, NOW_MS).await.unwrap();
}

#[tokio::test]
async fn a_rotten_row_is_passed_over() {
    let world = World::new().await;
    let rotten = SigningKey {
        kid: "rotten".to_owned(),
        algorithm: SigningAlgorithm::Es256,
        pkcs8: vec![1, 2, 3],
        created_at_ms: NOW_MS,
        retired_at_ms: None,
    };
    world.store.insert_signing_key(&rotten).await.unwrap();
    let keys = open(&world, NOW_MS).await;
    assert!(keys.find("rotten", NOW_MS).await.unwrap().is_none());
    assert_eq!(published(&keys).len(), 1);
}

#[tokio::test]
async fn rotating_in_a_loop_ends_at_the_limit() {
    let world = World::new().await;
    let keys = open(&world, NOW_MS).await;
    let mut error = None;
    for turn in 0..SIGNING_KEYS_MAX {
        error = keys.rotate_now(NOW_MS + i64::try_from(turn).unwrap()).await.err();
    }
    assert_eq!(error.map(|error| error.code()), Some(Code::ResourceExhausted));
    assert_eq!(published(&keys).len(), SIGNING_KEYS_MAX);
    let options = SigningOptions { key_age_max_ms: 1, ..SigningOptions::default() };
    assert!(SigningKeys::open(world.store.clone(), options, NOW_MS).await.is_err());
}

#[tokio::test]
async fn the_published_set_holds_what_a_verifier_needs_and_nothing_private() {
    let world = World::new().await;
    for (algorithm, kty, crv) in
        [(SigningAlgorithm::Es256, "EC", "P-256"), (SigningAlgorithm::EdDsa, "OKP", "Ed25519")]
    {
        let tokens = world.tokens_signed_with(algorithm).await;
        let key = tokens.keys().signer(NOW_MS).unwrap().public.clone();
        assert_eq!((key.kty, key.crv, key.alg), (kty, crv, algorithm.as_str()));
        assert_eq!((key.key_use, key.x.len()), ("sig", 43));
        assert_eq!(key.y.is_some(), algorithm == SigningAlgorithm::Es256);
        // As an application would verify: from the published text alone.
        let mut jwk = serde_json::json!({"kty": key.kty, "crv": key.crv, "x": key.x,
            "kid": key.kid, "alg": key.alg, "use": key.key_use});
        if let Some(y) = &key.y {
            jwk["y"] = serde_json::json!(y);
        }
        let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(jwk).unwrap();
        let thumbprint = jwk.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256).unwrap();
        assert_eq!(thumbprint, key.kid);
        let token = tokens.issue(&access_spec(), NOW_MS).unwrap();
        let decoding = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
        let name = key.alg.parse().unwrap();
        let mut rules = jsonwebtoken::Validation::new(name);
        rules.validate_exp = false;
        let claims = jsonwebtoken::decode::<serde_json::Value>(&token, &decoding, &rules);
        assert_eq!(claims.unwrap().claims["uid"], "alice");
    }
}
