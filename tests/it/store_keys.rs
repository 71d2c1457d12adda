//! Projects, API keys, signing keys and deployment secrets.

use roomd::domain::ids::ProjectId;
use roomd::domain::live::LiveSecret;
use roomd::error::Code;
use roomd::store::{ApiKey, ApiKeyKind, LiveKey, SigningAlgorithm, SigningKey};

use crate::databases::Database;

crate::on_both!(
    a_project_is_created_once,
    api_keys_are_found_by_hash_listed_and_revoked,
    livekit_keys_are_found_by_id_listed_and_revoked,
    a_key_needs_its_project,
    signing_keys_are_retired_then_forgotten,
    a_deployment_secret_is_the_same_for_all,
    a_rotten_key_is_data_loss,
);

fn project(id: &str) -> ProjectId {
    ProjectId::trusted(id)
}

fn key(id: &str, byte: u8, created_at_ms: i64) -> ApiKey {
    ApiKey {
        project_id: project("p"),
        id: id.to_owned(),
        kind: if byte.is_multiple_of(2) { ApiKeyKind::Secret } else { ApiKeyKind::Public },
        hash: [byte; 32],
        hint: format!("sk_…{byte}"),
        created_at_ms,
        revoked_at_ms: None,
    }
}

async fn a_project_is_created_once(db: &Database) {
    let store = &db.store;
    assert_eq!(store.find_project(&project("p")).await.unwrap(), None);
    let (first, created) = store.ensure_project(&project("p"), "One", 7).await.unwrap();
    assert!(created);
    assert_eq!((first.name.as_str(), first.created_at_ms), ("One", 7));
    let (again, created) = store.ensure_project(&project("p"), "Two", 8).await.unwrap();
    assert_eq!((again, created), (first, false));
    assert!(!store.insert_project(&project("p"), "Three", 9).await.unwrap());
    assert!(store.insert_project(&project("q"), "Four", 9).await.unwrap());
}

async fn api_keys_are_found_by_hash_listed_and_revoked(db: &Database) {
    let store = &db.store;
    store.ensure_project(&project("p"), "One", 1).await.unwrap();
    let keys = [key("key_b", 1, 5), key("key_c", 2, 5), key("key_a", 3, 6)];
    for key in &keys {
        assert!(store.insert_api_key(key).await.unwrap());
        assert!(!store.insert_api_key(key).await.unwrap(), "the same key twice");
    }
    assert!(!store.insert_api_key(&key("key_d", 1, 9)).await.unwrap(), "the same hash twice");

    assert_eq!(store.find_api_key_by_hash(&[1; 32]).await.unwrap().as_ref(), Some(&keys[0]));
    assert_eq!(store.find_api_key_by_hash(&[9; 32]).await.unwrap(), None);

    let page = store.list_api_keys(&project("p"), None, 2).await.unwrap();
    assert_eq!(page, keys[..2]);
    let after = Some((page[1].created_at_ms, page[1].id.as_str()));
    assert_eq!(store.list_api_keys(&project("p"), after, 2).await.unwrap(), keys[2..]);
    assert_eq!(store.list_api_keys(&project("q"), None, 2).await.unwrap(), []);

    let revoked = store.revoke_api_key(&project("p"), "key_b", 100).await.unwrap().unwrap();
    assert_eq!(revoked.revoked_at_ms, Some(100));
    let again = store.revoke_api_key(&project("p"), "key_b", 200).await.unwrap().unwrap();
    assert_eq!(again.revoked_at_ms, Some(100), "the first time stays");
    assert_eq!(store.find_api_key_by_hash(&[1; 32]).await.unwrap(), Some(again));
    assert_eq!(store.revoke_api_key(&project("q"), "key_c", 300).await.unwrap(), None);
    let other = store.find_api_key_by_hash(&[2; 32]).await.unwrap().unwrap();
    assert_eq!(other.revoked_at_ms, None, "another project cannot revoke it");
}

async fn livekit_keys_are_found_by_id_listed_and_revoked(db: &Database) {
    let store = &db.store;
    for id in ["p", "q"] {
        store.ensure_project(&project(id), id, 1).await.unwrap();
    }
    let key = |id: &str, created_at_ms| LiveKey {
        project_id: project("p"),
        id: id.to_owned(),
        secret: LiveSecret::new(format!("secret of {id}")),
        created_at_ms,
        revoked_at_ms: None,
    };
    let keys = [key("APIb", 5), key("APIc", 5), key("APIa", 6)];
    for key in &keys {
        assert!(store.insert_livekit_key(key).await.unwrap());
    }
    let of_other = LiveKey { project_id: project("q"), ..key("APIa", 9) };
    assert!(!store.insert_livekit_key(&of_other).await.unwrap(), "an id is one key's");
    assert_eq!(store.find_livekit_key("APIa").await.unwrap().as_ref(), Some(&keys[2]));
    assert_eq!(store.find_livekit_key("APId").await.unwrap(), None);

    let page = store.list_livekit_keys(&project("p"), None, 2).await.unwrap();
    assert_eq!(page, keys[..2]);
    let after = Some((page[1].created_at_ms, page[1].id.as_str()));
    assert_eq!(store.list_livekit_keys(&project("p"), after, 2).await.unwrap(), keys[2..]);
    assert_eq!(store.list_livekit_keys(&project("q"), None, 2).await.unwrap(), []);

    assert_eq!(store.newest_livekit_key(&project("p")).await.unwrap().as_ref(), Some(&keys[2]));
    assert_eq!(store.revoke_livekit_key(&project("q"), "APIa", 7).await.unwrap(), None);
    for at_ms in [7, 8] {
        let revoked = store.revoke_livekit_key(&project("p"), "APIa", at_ms).await.unwrap();
        assert_eq!(revoked.unwrap().revoked_at_ms, Some(7), "the first time stays");
    }
    assert_eq!(store.newest_livekit_key(&project("p")).await.unwrap().as_ref(), Some(&keys[1]));
    assert_eq!(store.newest_livekit_key(&project("q")).await.unwrap(), None);
    assert!(!format!("{:?}", keys[0]).contains("secret of"), "no log may hold it");
}

async fn a_key_needs_its_project(db: &Database) {
    let error = db.store.insert_api_key(&key("key_a", 1, 1)).await.unwrap_err();
    assert_eq!(error.code(), Code::Internal);
    assert!(!error.public().to_lowercase().contains("foreign"), "{error}");
}

async fn signing_keys_are_retired_then_forgotten(db: &Database) {
    let store = &db.store;
    let key = |kid: &str, algorithm, created_at_ms| SigningKey {
        kid: kid.to_owned(),
        algorithm,
        pkcs8: vec![0, 1, 255],
        created_at_ms,
        retired_at_ms: None,
    };
    let (b, a) = (key("b", SigningAlgorithm::Es256, 1), key("a", SigningAlgorithm::EdDsa, 2));
    assert!(store.insert_signing_key(&a).await.unwrap());
    assert!(store.insert_signing_key(&b).await.unwrap());
    assert!(!store.insert_signing_key(&key("a", SigningAlgorithm::Es256, 3)).await.unwrap());
    assert_eq!(store.list_signing_keys().await.unwrap(), [b.clone(), a.clone()]);
    assert!(!format!("{a:?}").contains("pkcs8"), "the private key must not reach a log");

    assert!(store.retire_signing_key("b", 50).await.unwrap());
    assert!(store.retire_signing_key("b", 60).await.unwrap());
    assert!(!store.retire_signing_key("c", 50).await.unwrap());
    let retired = SigningKey { retired_at_ms: Some(50), ..b };
    assert_eq!(store.list_signing_keys().await.unwrap(), [retired, a.clone()]);

    assert_eq!(store.delete_signing_keys_retired_before(50).await.unwrap(), 0);
    assert_eq!(store.delete_signing_keys_retired_before(51).await.unwrap(), 1);
    assert_eq!(store.list_signing_keys().await.unwrap(), [a]);
}

async fn a_deployment_secret_is_the_same_for_all(db: &Database) {
    let other = db.reopen().await;
    let (here, there) =
        tokio::join!(db.store.deployment_secret("cursor"), other.deployment_secret("cursor"));
    let here = here.unwrap();
    assert_eq!(here, there.unwrap());
    assert_ne!(here, [0; 32]);
    assert_ne!(here, db.store.deployment_secret("other").await.unwrap());
}

async fn a_rotten_key_is_data_loss(db: &Database) {
    let store = &db.store;
    store.ensure_project(&project("p"), "One", 1).await.unwrap();
    store.insert_api_key(&key("key_a", 1, 1)).await.unwrap();
    db.execute("UPDATE api_key SET kind = 'golden'").await;
    let error = store.find_api_key_by_hash(&[1; 32]).await.unwrap_err();
    assert_eq!(error.code(), Code::DataLoss);
    let chain = roomd::error::chain(&error);
    assert!(chain.contains("table `api_key`, column `kind`"), "{chain}");
    assert!(!error.public().contains("api_key"), "{error}");
}
