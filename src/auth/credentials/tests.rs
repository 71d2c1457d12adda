use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;
use crate::auth::api_key::{bootstrap, bootstrap_dev, create};
use crate::auth::testing::*;
use crate::error::Code;

async fn authenticator(world: &World, options: AuthOptions) -> Authenticator {
    Authenticator::new(world.store.clone(), world.tokens().await, options)
}

async fn refusal(auth: &Authenticator, bearer: &str) -> (Code, &'static str) {
    let error = auth.authenticate(Some(bearer), NOW_MS).await.unwrap_err();
    (error.code(), error.reason())
}

#[tokio::test]
async fn keys_and_tokens_say_who_calls() {
    let world = World::new().await;
    let keys = bootstrap(&world.store, &project(), NOW_MS).await.unwrap().unwrap();
    let auth = authenticator(&world, AuthOptions::default()).await;
    assert!(auth.authenticate(None, NOW_MS).await.unwrap().is_none());
    let token = auth.tokens().issue(&access_spec(), NOW_MS).unwrap();
    for bearer in [keys.secret.expose(), keys.public.expose(), &token] {
        assert!(auth.authenticate_cached(bearer, NOW_MS).is_none());
        let caller = auth.authenticate(Some(bearer), NOW_MS).await.unwrap().unwrap();
        assert_eq!(caller.project, project());
        let fits = match caller.actor {
            Actor::Secret => bearer.starts_with("sk_"),
            Actor::Public => bearer.starts_with("pk_"),
            Actor::User(_) => bearer == token,
            Actor::Live(_) => false,
        };
        assert!(fits);
        // From now on it takes no store and no waiting.
        assert!(auth.authenticate_cached(bearer, NOW_MS).unwrap().is_ok());
    }
}

#[tokio::test]
async fn wrong_credentials_are_named_for_what_they_are() {
    let world = World::new().await;
    let keys = bootstrap(&world.store, &project(), NOW_MS).await.unwrap().unwrap();
    let auth = authenticator(&world, AuthOptions::default()).await;
    let long = format!("sk_{}", "a".repeat(1000));
    let swapped = keys.secret.expose().replace("sk_", "pk_");
    let cut = &keys.secret.expose()[..40];
    for (bearer, reason) in [
        ("sk_wrong", "INVALID_SECRET_KEY"),
        ("sk_", "INVALID_SECRET_KEY"),
        (cut, "INVALID_SECRET_KEY"),
        (long.as_str(), "INVALID_SECRET_KEY"),
        ("pk_wrong", "INVALID_PUBLIC_KEY"),
        (swapped.as_str(), "INVALID_PUBLIC_KEY"),
        ("a.b.c", "INVALID_TOKEN"),
        ("..", "INVALID_TOKEN"),
        ("", "INVALID_SECRET_KEY"),
        ("hello", "INVALID_SECRET_KEY"),
        ("a.b", "INVALID_SECRET_KEY"),
        ("a.b.c.d", "INVALID_SECRET_KEY"),
        // Not in production.
        (WELL_KNOWN_SECRET_KEY, "INVALID_SECRET_KEY"),
        (WELL_KNOWN_PUBLIC_KEY, "INVALID_PUBLIC_KEY"),
    ] {
        assert_eq!(refusal(&auth, bearer).await, (Code::BadCredential, reason), "{bearer}");
        // The second time from the cache.
        assert_eq!(refusal(&auth, bearer).await, (Code::BadCredential, reason), "{bearer}");
    }
    let error = auth.authenticate(Some("sk_wrong"), NOW_MS).await.unwrap_err();
    assert_eq!(error.public(), "Invalid secret key.");
    assert!(error.suggestion().is_some());
}

#[tokio::test]
async fn a_revoked_key_ends_at_once_here_and_soon_elsewhere() {
    let world = World::new().await;
    bootstrap(&world.store, &project(), NOW_MS).await.unwrap().unwrap();
    let (row, raw) = create(&world.store, &project(), ApiKeyKind::Secret, NOW_MS).await.unwrap();
    let here = authenticator(&world, AuthOptions::default()).await;
    let elsewhere = authenticator(&world, AuthOptions::default()).await;
    for auth in [&here, &elsewhere] {
        auth.authenticate(Some(raw.expose()), NOW_MS).await.unwrap().unwrap();
    }
    let stranger = ProjectId::trusted("stranger");
    assert!(here.revoke(&stranger, &row.id, NOW_MS).await.unwrap().is_none());
    assert!(here.authenticate(Some(raw.expose()), NOW_MS).await.is_ok());
    let revoked = here.revoke(&project(), &row.id, NOW_MS).await.unwrap().unwrap();
    assert_eq!(revoked.revoked_at_ms, Some(NOW_MS));
    let invalid = (Code::BadCredential, "INVALID_SECRET_KEY");
    assert_eq!(refusal(&here, raw.expose()).await, invalid);
    let later = NOW_MS + 4_999;
    assert!(elsewhere.authenticate(Some(raw.expose()), later).await.is_ok());
    let later = NOW_MS + 5_000;
    assert!(elsewhere.authenticate(Some(raw.expose()), later).await.is_err());
}

#[tokio::test]
async fn strangers_cannot_push_known_keys_out() {
    let world = World::new().await;
    let keys = bootstrap(&world.store, &project(), NOW_MS).await.unwrap().unwrap();
    let auth = authenticator(&world, AuthOptions::default()).await;
    auth.authenticate(Some(keys.secret.expose()), NOW_MS).await.unwrap();
    for n in 0..2_000 {
        auth.authenticate(Some(&format!("sk_{n}")), NOW_MS).await.unwrap_err();
    }
    auth.0.unknown.run_pending_tasks();
    assert!(auth.0.unknown.entry_count() <= UNKNOWN_KEYS_MAX);
    assert!(auth.authenticate_cached(keys.secret.expose(), NOW_MS).unwrap().is_ok());
}

#[tokio::test]
async fn the_well_known_keys_work_where_they_are_wanted_and_are_never_stored() {
    let world = World::new().await;
    bootstrap_dev(&world.store, &project(), NOW_MS).await.unwrap();
    let options = AuthOptions { well_known_keys_of: Some(project()), ..AuthOptions::default() };
    let auth = authenticator(&world, options).await;
    let caller = auth.authenticate(Some("sk_localdev"), NOW_MS).await.unwrap().unwrap();
    assert!(matches!(caller.actor, Actor::Secret));
    let caller = auth.authenticate(Some("pk_localdev"), NOW_MS).await.unwrap().unwrap();
    assert!(matches!(caller.actor, Actor::Public));
    assert_eq!(auth.public_key("pk_localdev", NOW_MS).await.unwrap(), project());
    assert!(world.store.list_api_keys(&project(), None, 100).await.unwrap().is_empty());
}

#[tokio::test]
async fn only_public_keys_pass_as_public_keys() {
    let world = World::new().await;
    let keys = bootstrap(&world.store, &project(), NOW_MS).await.unwrap().unwrap();
    let auth = authenticator(&world, AuthOptions::default()).await;
    assert_eq!(auth.public_key(keys.public.expose(), NOW_MS).await.unwrap(), project());
    for raw in [keys.secret.expose(), "pk_wrong", "", "a.b.c"] {
        let error = auth.public_key(raw, NOW_MS).await.unwrap_err();
        assert_eq!((error.code(), error.reason()), (Code::BadCredential, "INVALID_PUBLIC_KEY"));
    }
}

#[test]
fn arbitrary_credentials_never_panic() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(World::new());
    let auth = runtime.block_on(authenticator(&world, AuthOptions::default()));
    let texts = prop_oneof!["((sk|pk)_)?\\PC{0,300}", "[A-Za-z0-9_.-]{0,300}", any::<String>()];
    let outcome = TestRunner::default().run(&texts, |bearer| {
        runtime.block_on(async {
            prop_assert!(auth.authenticate(Some(&bearer), NOW_MS).await.is_err());
            prop_assert!(auth.public_key(&bearer, NOW_MS).await.is_err());
            Ok(())
        })
    });
    outcome.unwrap();
}
