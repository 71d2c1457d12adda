//! What the tests of this folder share.

use serde_json::{Map, Value, json};

use super::signing::{SigningAlgorithm, SigningKeys, SigningOptions};
use super::tokens::{TokenOptions, TokenSpec, Tokens};
use crate::domain::ctx::{User, UserRights};
use crate::domain::ids::{OrganizationId, ProjectId, UserId};
use crate::domain::permissions::AccessPatterns;
use crate::store::{DatabaseOptions, Store, Target};

pub const NOW_MS: i64 = 1_795_196_979_123;
pub const MINUTE_MS: i64 = 60 * 1000;
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// A database of its own, which lives as long as the test.
pub struct World {
    pub store: Store,
    _directory: tempfile::TempDir,
}

impl World {
    pub async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let target = Target::Sqlite { path: directory.path().join("roomd.db") };
        let store = Store::open(DatabaseOptions::new(target)).await.unwrap();
        store.ensure_project(&project(), "test", NOW_MS).await.unwrap();
        Self { store, _directory: directory }
    }

    pub async fn tokens(&self) -> Tokens {
        self.tokens_signed_with(SigningAlgorithm::Es256).await
    }

    pub async fn tokens_signed_with(&self, algorithm: SigningAlgorithm) -> Tokens {
        let options = SigningOptions { algorithm, ..SigningOptions::default() };
        let keys = SigningKeys::open(self.store.clone(), options, NOW_MS).await.unwrap();
        Tokens::new(keys, &TokenOptions::default()).unwrap()
    }
}

pub fn project() -> ProjectId {
    ProjectId::trusted("proj")
}

pub fn info() -> Map<String, Value> {
    let Value::Object(info) = json!({"name": "Alice", "avatar": "https://a.example/a.png"}) else {
        unreachable!("it is an object");
    };
    info
}

pub fn access_user(patterns: &[(&str, &[&str])]) -> User {
    let patterns = patterns.iter().map(|(pattern, scopes)| {
        ((*pattern).to_owned(), scopes.iter().map(|scope| (*scope).to_owned()).collect::<Vec<_>>())
    });
    User {
        id: UserId::trusted("alice"),
        info: Some(info()),
        organization_id: OrganizationId::default(),
        rights: UserRights::Patterns(AccessPatterns::parse("permissions", patterns).unwrap()),
    }
}

pub fn access_spec() -> TokenSpec {
    let user = access_user(&[("room-1", &["room:write"])]);
    TokenSpec { project: project(), user, lifetime_s: None }
}

pub fn identity_spec(group_ids: &[&str]) -> TokenSpec {
    let group_ids = group_ids.iter().map(|id| (*id).to_owned()).collect();
    let rights = UserRights::Identity { group_ids };
    let user = User { id: UserId::trusted("bob"), rights, ..access_user(&[]) };
    TokenSpec { project: project(), user, lifetime_s: None }
}
