//! The keys with which tokens are signed: those of projects, by way of a bounded cache, and those
//! of the configuration.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moka::sync::Cache;

use super::super::api_key::PROJECT_DEFAULT;
use super::super::credentials::{
    AuthOptions, KNOWN_KEY_TTL_MS, KNOWN_KEYS_MAX, UNKNOWN_KEY_TTL_MS, UNKNOWN_KEYS_MAX,
};
use super::super::random_text;
use crate::domain::ids::ProjectId;
use crate::domain::live::{LiveKeyPair, LiveSecret, random_sid_text};
use crate::error::Error;
use crate::store::{LiveKey, Store};

/// What `roomd dev` takes, as LiveKit's own server for development does. Never stored.
pub const WELL_KNOWN_LIVE_KEY: &str = "devkey";
pub const WELL_KNOWN_LIVE_SECRET: &str = "secret";

const KEY_ID_PREFIX: &str = "API";
const KEY_ID_RANDOM_CHARS: usize = 12;
/// 43 characters of [A-Za-z0-9_-].
const SECRET_RANDOM_BYTES: usize = 32;
/// Longer ids are no keys of ours; they are not looked for.
const KEY_ID_BYTES_MAX: usize = 64;

/// The key that everybody knows.
fn well_known_key() -> LiveKeyPair {
    LiveKeyPair::new(WELL_KNOWN_LIVE_KEY, WELL_KNOWN_LIVE_SECRET)
}

/// Makes a key and stores it with its secret.
pub async fn create_key(store: &Store, project: &ProjectId, now_ms: i64) -> Result<LiveKey, Error> {
    let key = LiveKey {
        project_id: project.clone(),
        id: format!("{KEY_ID_PREFIX}{}", random_sid_text(KEY_ID_RANDOM_CHARS)?),
        secret: LiveSecret::new(random_text::<SECRET_RANDOM_BYTES>()?),
        created_at_ms: now_ms,
        revoked_at_ms: None,
    };
    match store.insert_livekit_key(&key).await? {
        true => Ok(key),
        false => Err(Error::internal("a random key's id exists already")),
    }
}

#[derive(Clone)]
struct Known {
    key: Arc<LiveKey>,
    seen_at_ms: i64,
}

#[derive(Clone)]
pub struct LiveKeys(Arc<Inner>);

struct Inner {
    store: Store,
    /// They come before stored ones, and no store revokes them.
    configured: HashMap<String, Arc<LiveKey>>,
    known: Cache<String, Known>,
    /// When each id was last looked for in vain.
    unknown: Cache<String, i64>,
    /// Counts revocations, so that a look-up that began before one does not outlive it in the
    /// cache.
    revocations: AtomicU64,
}

impl LiveKeys {
    pub fn new(store: Store, options: &AuthOptions) -> Self {
        let key = |project: &ProjectId, pair: &LiveKeyPair| {
            let key = LiveKey {
                project_id: project.clone(),
                id: pair.id.clone(),
                secret: pair.secret.clone(),
                created_at_ms: 0,
                revoked_at_ms: None,
            };
            (key.id.clone(), Arc::new(key))
        };
        let default = ProjectId::trusted(PROJECT_DEFAULT);
        let everybodys = options.well_known_keys_of.iter();
        let everybodys = everybodys.map(|project| key(project, &well_known_key()));
        let named = options.live_keys.iter().map(|pair| key(&default, pair));
        Self(Arc::new(Inner {
            store,
            configured: everybodys.chain(named).collect(),
            known: Cache::new(KNOWN_KEYS_MAX),
            unknown: Cache::new(UNKNOWN_KEYS_MAX),
            revocations: AtomicU64::new(0),
        }))
    }

    /// A key that holds. Does not wait if it was seen lately.
    pub async fn find(&self, id: &str, now_ms: i64) -> Result<Option<Arc<LiveKey>>, Error> {
        if let Some(key) = self.0.configured.get(id) {
            return Ok(Some(key.clone()));
        }
        if id.is_empty() || id.len() > KEY_ID_BYTES_MAX || id.contains('\0') {
            return Ok(None);
        }
        if let Some(known) = self.0.known.get(id)
            && now_ms.abs_diff(known.seen_at_ms) < KNOWN_KEY_TTL_MS
        {
            return Ok(Some(known.key));
        }
        if let Some(missed_at_ms) = self.0.unknown.get(id)
            && now_ms.abs_diff(missed_at_ms) < UNKNOWN_KEY_TTL_MS
        {
            return Ok(None);
        }
        self.look_up(id, now_ms).await
    }

    async fn look_up(&self, id: &str, now_ms: i64) -> Result<Option<Arc<LiveKey>>, Error> {
        let revocations = self.0.revocations.load(Ordering::SeqCst);
        let found = self.0.store.find_livekit_key(id).await?;
        let Some(key) = found.filter(|key| key.revoked_at_ms.is_none()) else {
            self.0.known.invalidate(id);
            self.0.unknown.insert(id.to_owned(), now_ms);
            return Ok(None);
        };
        let key = Arc::new(key);
        self.0.known.insert(id.to_owned(), Known { key: key.clone(), seen_at_ms: now_ms });
        if self.0.revocations.load(Ordering::SeqCst) != revocations {
            self.0.known.invalidate(id);
        }
        Ok(Some(key))
    }

    /// The newest of a project's keys; of configured ones, the first by its id.
    pub async fn newest(&self, project: &ProjectId) -> Result<Option<Arc<LiveKey>>, Error> {
        if let Some(key) = self.0.store.newest_livekit_key(project).await? {
            return Ok(Some(Arc::new(key)));
        }
        let configured = self.0.configured.values().filter(|key| key.project_id == *project);
        Ok(configured.min_by(|a, b| a.id.cmp(&b.id)).cloned())
    }

    pub async fn revoke(
        &self,
        project: &ProjectId,
        id: &str,
        now_ms: i64,
    ) -> Result<Option<LiveKey>, Error> {
        let revoked = self.0.store.revoke_livekit_key(project, id, now_ms).await;
        self.0.revocations.fetch_add(1, Ordering::SeqCst);
        // Also after a failure: the commit may have happened although its answer was lost.
        self.0.known.invalidate(id);
        revoked
    }
}
