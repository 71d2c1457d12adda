//! The keys of a project: `sk_…` for its back ends, `pk_…` for browsers.
//!
//! Only hashes are stored. A key has 256 random bits, so a plain SHA-256 is as good as a slow hash:
//! nobody can try them all.

use std::fmt;

use subtle::ConstantTimeEq as _;

use super::{random_text, sha256};
use crate::domain::ids::ProjectId;
use crate::error::Error;
use crate::store::{ApiKey, ApiKeyKind, Store};

pub const SECRET_KEY_PREFIX: &str = "sk_";
pub const PUBLIC_KEY_PREFIX: &str = "pk_";
/// What `roomd dev` takes, as the Liveblocks dev server does. Never stored: a database that was
/// filled in development does not make a production server take keys that everybody knows.
pub const WELL_KNOWN_SECRET_KEY: &str = "sk_localdev";
pub const WELL_KNOWN_PUBLIC_KEY: &str = "pk_localdev";
/// The project that the first start creates.
pub const PROJECT_DEFAULT: &str = "default";
pub const API_KEY_BYTES_MAX: usize = 256;

const KEY_RANDOM_BYTES: usize = 32;
const KEY_ID_RANDOM_BYTES: usize = 12;
/// The ids of the keys that the first start makes. They are fixed, so that of several processes
/// that start at once only one can insert them.
const BOOTSTRAP_SECRET_KEY_ID: &str = "key_bootstrap_secret";
const BOOTSTRAP_PUBLIC_KEY_ID: &str = "key_bootstrap_public";
/// The first public key is among the oldest.
const BOOTSTRAP_SEARCH_MAX: usize = 1000;
/// Characters that a hint shows at each end of a secret key.
const HINT_CHARS: usize = 4;

/// A key as its owner types it. It has neither `Debug` text nor `Display`, so no log can hold it.
#[derive(Clone, PartialEq, Eq)]
pub struct RawKey(String);

impl RawKey {
    /// A fresh key of [A-Za-z0-9_-], which is what clients check.
    pub fn generate(kind: ApiKeyKind) -> Result<Self, Error> {
        let random = random_text::<KEY_RANDOM_BYTES>()?;
        Ok(Self(format!("{}{random}", prefix_of(kind))))
    }

    /// The text, for the one moment in which it is shown to its owner.
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn to_row(&self, project: &ProjectId, id: String, kind: ApiKeyKind, now_ms: i64) -> ApiKey {
        ApiKey {
            project_id: project.clone(),
            id,
            kind,
            hash: hash(&self.0),
            hint: hint(kind, &self.0),
            created_at_ms: now_ms,
            revoked_at_ms: None,
        }
    }
}

impl fmt::Debug for RawKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawKey(…)")
    }
}

fn prefix_of(kind: ApiKeyKind) -> &'static str {
    match kind {
        ApiKeyKind::Secret => SECRET_KEY_PREFIX,
        ApiKeyKind::Public => PUBLIC_KEY_PREFIX,
    }
}

/// Which kind of key this text claims to be.
pub fn kind_of(raw: &str) -> Option<ApiKeyKind> {
    if raw.starts_with(SECRET_KEY_PREFIX) {
        Some(ApiKeyKind::Secret)
    } else if raw.starts_with(PUBLIC_KEY_PREFIX) {
        Some(ApiKeyKind::Public)
    } else {
        None
    }
}

/// What stands in the database instead of the key.
pub fn hash(raw: &str) -> [u8; 32] {
    sha256(raw.as_bytes())
}

/// Compares in constant time, so that an index that found a near miss could not leak how near.
pub fn is_same(stored: &[u8; 32], given: &[u8; 32]) -> bool {
    stored.ct_eq(given).into()
}

/// What lists show: enough to recognize a secret key, too little to use it. Public keys are no
/// secret and are shown in full.
pub fn hint(kind: ApiKeyKind, raw: &str) -> String {
    if kind == ApiKeyKind::Public {
        return raw.to_owned();
    }
    let body = raw.strip_prefix(SECRET_KEY_PREFIX).unwrap_or_default();
    let ends = body.get(..HINT_CHARS).zip(body.get(body.len().saturating_sub(HINT_CHARS)..));
    match ends {
        Some((first, last)) if body.len() >= 8 * HINT_CHARS => format!("sk_{first}…{last}"),
        _ => "sk_…".to_owned(),
    }
}

/// Makes a key and stores its hash. The key itself is in nobody's hands but the caller's.
pub async fn create(
    store: &Store,
    project: &ProjectId,
    kind: ApiKeyKind,
    now_ms: i64,
) -> Result<(ApiKey, RawKey), Error> {
    let raw = RawKey::generate(kind)?;
    let id = format!("key_{}", random_text::<KEY_ID_RANDOM_BYTES>()?);
    let row = raw.to_row(project, id, kind, now_ms);
    match store.insert_api_key(&row).await? {
        true => Ok((row, raw)),
        false => Err(Error::internal("a random key or its id exists already")),
    }
}

/// The keys of the first start, to be printed once.
#[derive(Debug)]
pub struct NewKeys {
    pub project: ProjectId,
    pub secret: RawKey,
    pub public: RawKey,
}

/// Creates a project and its first keys. Of all processes that ever call it on one database,
/// exactly one is given the keys; revoking them later does not bring new ones.
pub async fn bootstrap(
    store: &Store,
    project: &ProjectId,
    now_ms: i64,
) -> Result<Option<NewKeys>, Error> {
    store.ensure_project(project, project.as_str(), now_ms).await?;
    let first = BOOTSTRAP_PUBLIC_KEY_ID;
    let public = RawKey::generate(ApiKeyKind::Public)?;
    let row = public.to_row(project, first.to_owned(), ApiKeyKind::Public, now_ms);
    let public = store.insert_api_key(&row).await?.then_some(public);
    // The secret key comes last and decides: a process that is killed in between leaves the next
    // one to go on, and a public key can be read again.
    let secret = RawKey::generate(ApiKeyKind::Secret)?;
    let id = BOOTSTRAP_SECRET_KEY_ID.to_owned();
    let row = secret.to_row(project, id, ApiKeyKind::Secret, now_ms);
    if !store.insert_api_key(&row).await? {
        return Ok(None);
    }
    let public = match public {
        Some(public) => public,
        None => find_bootstrap_public(store, project).await?,
    };
    Ok(Some(NewKeys { project: project.clone(), secret, public }))
}

/// What `roomd dev` needs in the database: the project. Its keys are the well-known ones, which an
/// `Authenticator` takes when its options say so.
pub async fn bootstrap_dev(store: &Store, project: &ProjectId, now_ms: i64) -> Result<(), Error> {
    store.ensure_project(project, project.as_str(), now_ms).await?;
    Ok(())
}

async fn find_bootstrap_public(store: &Store, project: &ProjectId) -> Result<RawKey, Error> {
    let keys = store.list_api_keys(project, None, BOOTSTRAP_SEARCH_MAX).await?;
    let first = keys.into_iter().find(|key| key.id == BOOTSTRAP_PUBLIC_KEY_ID);
    // The hint of a public key is the whole key.
    let first = first.map(|key| RawKey(key.hint));
    first.ok_or_else(|| Error::internal("the first public key is not listed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::testing::{NOW_MS, World, project};

    #[test]
    fn keys_are_long_random_and_of_the_characters_that_clients_check() {
        for (kind, prefix) in [(ApiKeyKind::Secret, "sk_"), (ApiKeyKind::Public, "pk_")] {
            let (one, two) = (RawKey::generate(kind).unwrap(), RawKey::generate(kind).unwrap());
            assert_ne!(one.expose(), two.expose());
            let body = one.expose().strip_prefix(prefix).unwrap();
            assert_eq!(body.len(), 43);
            assert!(body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            assert_eq!(kind_of(one.expose()), Some(kind));
        }
    }

    #[test]
    fn hints_show_no_secret() {
        assert_eq!(hint(ApiKeyKind::Public, "pk_localdev"), "pk_localdev");
        assert_eq!(hint(ApiKeyKind::Secret, "sk_localdev"), "sk_…");
        assert_eq!(hint(ApiKeyKind::Secret, "sk_"), "sk_…");
        assert_eq!(hint(ApiKeyKind::Secret, &format!("sk_{}", "ä".repeat(40))), "sk_ää…ää");
        let raw = RawKey::generate(ApiKeyKind::Secret).unwrap();
        let shown = hint(ApiKeyKind::Secret, raw.expose());
        assert_eq!(shown.chars().count(), 12);
        assert_eq!(format!("{raw:?}"), "RawKey(…)");
    }

    #[test]
    fn hashes_are_sha256() {
        assert_eq!(hash("abc")[..4], [0xba, 0x78, 0x16, 0xbf]);
        assert!(is_same(&hash("abc"), &hash("abc")) && !is_same(&hash("abc"), &hash("abd")));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_many_first_starts_one_gets_the_keys() {
        let world = World::new().await;
        let starts = (0..16).map(|_| {
            let store = world.store.clone();
            tokio::spawn(async move { bootstrap(&store, &project(), NOW_MS).await.unwrap() })
        });
        let mut given = Vec::new();
        for start in starts.collect::<Vec<_>>() {
            given.extend(start.await.unwrap());
        }
        assert_eq!(given.len(), 1);
        let rows = world.store.list_api_keys(&project(), None, 100).await.unwrap();
        assert_eq!(rows.len(), 2);
        for raw in [&given[0].secret, &given[0].public] {
            let found = world.store.find_api_key_by_hash(&hash(raw.expose())).await.unwrap();
            assert_eq!(found.unwrap().project_id, project());
        }
        assert!(bootstrap(&world.store, &project(), NOW_MS).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn revoking_the_first_keys_brings_no_new_ones() {
        let world = World::new().await;
        bootstrap(&world.store, &project(), NOW_MS).await.unwrap().unwrap();
        let id = BOOTSTRAP_SECRET_KEY_ID;
        world.store.revoke_api_key(&project(), id, NOW_MS).await.unwrap();
        assert!(bootstrap(&world.store, &project(), NOW_MS).await.unwrap().is_none());
    }
}
