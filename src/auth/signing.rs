//! The deployment's signing keys: made, rotated, retired and at last deleted.
//!
//! A key's life: it is *published*, a little later it *signs*, after `key_age_max_ms` its successor
//! is published and then takes over, and the key is *retired*. A retired key still verifies and
//! stays published until every token that it can have signed has expired; then it is deleted.
//!
//! Private keys stand unencrypted in the database in this version, as PKCS#8: whoever can read the
//! database can sign tokens. Protect the file, the backups and the database's users accordingly.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio_util::sync::CancellationToken;

use super::jwks::KeySet;
pub use super::signing_key::LoadedKey;
use super::signing_key::generate;
use crate::domain::ctx::Clock;
use crate::error::{Code, Error, chain};
pub use crate::store::SigningAlgorithm;
use crate::store::{SigningKey, Store};

const HOUR_MS: i64 = 60 * 60 * 1000;

/// A key signs for this long unless the configuration says otherwise.
pub const KEY_AGE_MAX_MS: i64 = 30 * 24 * HOUR_MS;
/// Shorter-lived keys would fill the table before the retired ones may be deleted.
pub const KEY_AGE_MIN_MS: i64 = 24 * HOUR_MS;
/// No token lives longer, whatever the configuration says; retired keys are kept for it.
pub const TOKEN_LIFETIME_S_MAX: i64 = 7 * 24 * 60 * 60;
/// A new key is published for this long before it signs, so that other nodes, and applications that
/// cache the published set, know it by then.
pub const KEY_PUBLISH_LEAD_MS: i64 = 10 * 60 * 1000;
/// Covers clocks that disagree, and nodes that learn late that a key was retired.
const KEY_RETIRED_MARGIN_MS: i64 = HOUR_MS;
const KEY_RETIRED_KEEP_MS: i64 = TOKEN_LIFETIME_S_MAX * 1000 + KEY_RETIRED_MARGIN_MS;
/// Enough for the shortest age and many rotations by hand; a script that rotates in a loop must not
/// fill the table.
pub const SIGNING_KEYS_MAX: usize = 64;
/// Tokens may name any key they like; at most one of them in this time makes us ask the store.
pub const UNKNOWN_KEY_RELOAD_MS: u64 = 1000;
const MAINTAIN_INTERVAL: Duration = Duration::from_secs(60);

const _: () = assert!(KEY_RETIRED_KEEP_MS / KEY_AGE_MIN_MS < SIGNING_KEYS_MAX as i64 / 2);
const _: () = assert!(2 * MAINTAIN_INTERVAL.as_millis() < KEY_PUBLISH_LEAD_MS as u128);
const _: () = assert!(2 * MAINTAIN_INTERVAL.as_millis() < KEY_RETIRED_MARGIN_MS as u128);

#[derive(Debug, Clone)]
pub struct SigningOptions {
    pub algorithm: SigningAlgorithm,
    pub key_age_max_ms: i64,
}

impl Default for SigningOptions {
    fn default() -> Self {
        Self { algorithm: SigningAlgorithm::Es256, key_age_max_ms: KEY_AGE_MAX_MS }
    }
}

#[derive(Clone)]
struct Entry {
    key: Arc<LoadedKey>,
    retired_at_ms: Option<i64>,
}

/// What the store held when it was last asked.
#[derive(Default)]
struct Loaded {
    by_kid: HashMap<String, Entry>,
}

impl Loaded {
    /// Keys that may sign, oldest first. The id breaks ties, so that all nodes agree.
    fn active(&self, algorithm: SigningAlgorithm) -> Vec<&Arc<LoadedKey>> {
        let entries = self.by_kid.values().filter(|entry| entry.retired_at_ms.is_none());
        let mut keys: Vec<_> = entries.map(|entry| &entry.key).collect();
        keys.retain(|key| key.algorithm == algorithm);
        keys.sort_by_key(|key| (key.created_at_ms, key.kid()));
        keys
    }

    /// The newest key that has been published for long enough, else the one published longest.
    fn signer(&self, algorithm: SigningAlgorithm, now_ms: i64) -> Option<&Arc<LoadedKey>> {
        let active = self.active(algorithm);
        let known = |key: &&&Arc<LoadedKey>| key.created_at_ms + KEY_PUBLISH_LEAD_MS <= now_ms;
        active.iter().rev().find(known).or(active.first()).copied()
    }

    /// Any key that may sign: a node whose own were all retired by another one has until its next
    /// turn of maintenance none of the algorithm that it is configured for.
    fn stand_in(&self) -> Option<&Arc<LoadedKey>> {
        let active = self.by_kid.values().filter(|entry| entry.retired_at_ms.is_none());
        active.map(|entry| &entry.key).max_by_key(|key| (key.created_at_ms, key.kid()))
    }
}

pub struct SigningKeys {
    store: Store,
    options: SigningOptions,
    loaded: RwLock<Arc<Loaded>>,
    /// When an unknown key last made us ask the store. Whoever reloads holds it, so that an older
    /// answer of the store cannot overwrite a newer one.
    reloading: Mutex<Option<i64>>,
}

impl SigningKeys {
    /// Loads the keys, and makes the first one in a new deployment.
    pub async fn open(
        store: Store,
        options: SigningOptions,
        now_ms: i64,
    ) -> Result<Arc<Self>, Error> {
        if options.key_age_max_ms < KEY_AGE_MIN_MS {
            return Err(Error::invalid("signingKeyAgeMax", "must be at least 1 day"));
        }
        let (loaded, reloading) = (RwLock::default(), Mutex::default());
        let keys = Arc::new(Self { store, options, loaded, reloading });
        keys.maintain(now_ms).await?;
        Ok(keys)
    }

    /// Does what is due: publishes a successor, retires what it replaced, deletes what no valid
    /// token can name, and learns what other nodes did.
    pub async fn maintain(&self, now_ms: i64) -> Result<(), Error> {
        let turn = self.reloading.lock().await;
        self.reload(&turn).await?;
        // An idle server writes nothing: each step first looks at what is in memory.
        let mut changed = false;
        if self.successor_is_due(now_ms) {
            self.publish_key(now_ms).await?;
            self.reload(&turn).await?;
        }
        for kid in self.replaced(now_ms) {
            self.store.retire_signing_key(&kid, now_ms).await?;
            changed = true;
        }
        let kept_since_ms = now_ms - KEY_RETIRED_KEEP_MS;
        if self.any_retired_before(kept_since_ms) {
            self.store.delete_signing_keys_retired_before(kept_since_ms).await?;
            changed = true;
        }
        if changed { self.reload(&turn).await } else { Ok(()) }
    }

    /// Maintains the keys until `stop`. A failure is logged and tried again at the next turn: the
    /// keys in memory go on working.
    pub async fn maintain_until(self: Arc<Self>, clock: Clock, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(MAINTAIN_INTERVAL)).await.is_some() {
            if let Err(error) = self.maintain(clock.now_ms()).await {
                tracing::error!(error = %chain(&error), "failed to maintain the signing keys");
            }
        }
    }

    /// Replaces the signing key at once, for an operator who has a reason to. Old tokens stay
    /// valid.
    pub async fn rotate_now(&self, now_ms: i64) -> Result<(), Error> {
        let turn = self.reloading.lock().await;
        self.reload(&turn).await?;
        let old: Vec<String> = self.active_kids();
        self.publish_key(now_ms).await?;
        for kid in old {
            self.store.retire_signing_key(&kid, now_ms).await?;
        }
        self.reload(&turn).await
    }

    /// Deletes all retired keys at once, which ends every token that they signed: the answer to a
    /// private key that leaked, after [`Self::rotate_now`]. Other nodes follow within a minute.
    pub async fn discard_retired(&self, now_ms: i64) -> Result<(), Error> {
        let turn = self.reloading.lock().await;
        self.store.delete_signing_keys_retired_before(now_ms.saturating_add(1)).await?;
        self.reload(&turn).await
    }

    /// The key that signs now.
    pub fn signer(&self, now_ms: i64) -> Result<Arc<LoadedKey>, Error> {
        let loaded = self.loaded();
        let key = loaded.signer(self.options.algorithm, now_ms).or_else(|| loaded.stand_in());
        key.cloned().ok_or_else(|| Error::internal("there is no signing key"))
    }

    /// The key that a token names. An unknown one may be new from another node, so the store is
    /// asked, but rarely: anybody can invent key ids.
    pub async fn find(&self, kid: &str, now_ms: i64) -> Result<Option<Arc<LoadedKey>>, Error> {
        if let Some(key) = self.find_loaded(kid) {
            return Ok(Some(key));
        }
        let mut turn = self.reloading.lock().await;
        let asked_lately = turn.is_some_and(|at| now_ms.abs_diff(at) < UNKNOWN_KEY_RELOAD_MS);
        if !asked_lately {
            *turn = Some(now_ms);
            self.reload(&turn).await?;
        }
        Ok(self.find_loaded(kid))
    }

    /// What `/.well-known/jwks.json` publishes, the newest key first.
    pub fn public_keys(&self) -> KeySet {
        let loaded = self.loaded();
        let mut keys: Vec<_> = loaded.by_kid.values().map(|entry| &entry.key).collect();
        keys.sort_by_key(|key| (std::cmp::Reverse(key.created_at_ms), key.kid()));
        KeySet { keys: keys.into_iter().map(|key| key.public.clone()).collect() }
    }

    fn loaded(&self) -> Arc<Loaded> {
        Arc::clone(&self.loaded.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn find_loaded(&self, kid: &str) -> Option<Arc<LoadedKey>> {
        self.loaded().by_kid.get(kid).map(|entry| Arc::clone(&entry.key))
    }

    fn active_kids(&self) -> Vec<String> {
        let loaded = self.loaded();
        let active = loaded.by_kid.values().filter(|entry| entry.retired_at_ms.is_none());
        active.map(|entry| entry.key.kid().to_owned()).collect()
    }

    fn is_old(&self, key: &LoadedKey, now_ms: i64) -> bool {
        now_ms - key.created_at_ms >= self.options.key_age_max_ms
    }

    fn successor_is_due(&self, now_ms: i64) -> bool {
        let loaded = self.loaded();
        loaded.active(self.options.algorithm).iter().all(|key| self.is_old(key, now_ms))
    }

    fn any_retired_before(&self, ms: i64) -> bool {
        let loaded = self.loaded();
        loaded.by_kid.values().any(|entry| entry.retired_at_ms.is_some_and(|at_ms| at_ms < ms))
    }

    /// Keys that a later one has taken over from. Those of another algorithm belong to nodes with
    /// another configuration, as during a change of it: they go when they are old and idle.
    fn replaced(&self, now_ms: i64) -> Vec<String> {
        let loaded = self.loaded();
        let Some(signer) = loaded.signer(self.options.algorithm, now_ms) else { return Vec::new() };
        let is_replaced = |entry: &&Entry| {
            let key = &entry.key;
            let superseded = if key.algorithm == signer.algorithm {
                (key.created_at_ms, key.kid()) < (signer.created_at_ms, signer.kid())
            } else {
                self.is_old(key, now_ms - 2 * KEY_PUBLISH_LEAD_MS)
            };
            entry.retired_at_ms.is_none() && superseded
        };
        let replaced = loaded.by_kid.values().filter(is_replaced);
        replaced.map(|entry| entry.key.kid().to_owned()).collect()
    }

    async fn publish_key(&self, now_ms: i64) -> Result<(), Error> {
        if self.loaded().by_kid.len() >= SIGNING_KEYS_MAX {
            let problem = format!("There are {SIGNING_KEYS_MAX} signing keys; rotate less often.");
            return Err(Error::new(Code::ResourceExhausted, "RESOURCE_EXHAUSTED", problem));
        }
        let algorithm = self.options.algorithm;
        let pkcs8 = generate(algorithm)?;
        let kid = LoadedKey::load(algorithm, &pkcs8, now_ms)?.kid().to_owned();
        tracing::info!(kid, algorithm = algorithm.as_str(), "published a new signing key");
        let (created_at_ms, retired_at_ms) = (now_ms, None);
        let key = SigningKey { kid, algorithm, pkcs8, created_at_ms, retired_at_ms };
        // It is false for a key that is there already, and nobody else can have made this one.
        self.store.insert_signing_key(&key).await?;
        Ok(())
    }

    /// Takes over what the store holds. Keys that are gone from it are withdrawn, and with them the
    /// tokens that they signed, also those in caches.
    async fn reload(&self, _turn: &MutexGuard<'_, Option<i64>>) -> Result<(), Error> {
        let rows = self.store.list_signing_keys().await?;
        let before = self.loaded();
        let mut by_kid = HashMap::with_capacity(rows.len());
        for row in rows {
            let known = before.by_kid.get(&row.kid).map(|entry| Ok(Arc::clone(&entry.key)));
            match known.unwrap_or_else(|| load_row(&row)) {
                Ok(key) => {
                    let entry = Entry { key, retired_at_ms: row.retired_at_ms };
                    by_kid.insert(row.kid, entry);
                }
                // The other keys still work, so one rotten row must not end all sessions.
                Err(error) => {
                    let cause = chain(&error);
                    tracing::error!(kid = row.kid, error = cause, "failed to read a signing key");
                }
            }
        }
        for (kid, entry) in &before.by_kid {
            if !by_kid.contains_key(kid) {
                entry.key.withdraw();
            }
        }
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Loaded { by_kid });
        Ok(())
    }
}

fn load_row(row: &SigningKey) -> Result<Arc<LoadedKey>, Error> {
    let key = LoadedKey::load(row.algorithm, &row.pkcs8, row.created_at_ms)?;
    if key.kid() != row.kid {
        return Err(Error::internal("the key does not match its id"));
    }
    Ok(Arc::new(key))
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeys").field("options", &self.options).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
