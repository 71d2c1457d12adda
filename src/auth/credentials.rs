//! From what a caller sent to who it is. The usual path, a known key or token, is a hash and a
//! look-up in memory: it runs no SQL and never waits.
//!
//! Invariant: only keys that the store knows get into the cache of known keys, so strangers cannot
//! push them out; what strangers send has a small cache of its own.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moka::sync::Cache;

use super::api_key::{self, API_KEY_BYTES_MAX, WELL_KNOWN_PUBLIC_KEY, WELL_KNOWN_SECRET_KEY};
use super::livekit::LiveTokens;
use super::tokens::Tokens;
use super::{invalid_public_key, invalid_secret_key};
use crate::domain::ctx::{Actor, Caller};
use crate::domain::ids::ProjectId;
use crate::domain::live::LiveKeyPair;
use crate::error::Error;
use crate::store::{ApiKey, ApiKeyKind, Store};

pub const KNOWN_KEYS_MAX: u64 = 100_000;
/// How long another process's revocation can go unseen. Our own take effect at once.
pub const KNOWN_KEY_TTL_MS: u64 = 5_000;
/// For the client that keeps sending a wrong key; against random keys no cache helps.
pub const UNKNOWN_KEYS_MAX: u64 = 1_024;
pub const UNKNOWN_KEY_TTL_MS: u64 = 2_000;

#[derive(Debug, Clone)]
struct KnownKey {
    kind: ApiKeyKind,
    project: ProjectId,
    seen_at_ms: i64,
}

#[derive(Debug, Clone, Default)]
pub struct AuthOptions {
    /// The project that `sk_localdev` and `pk_localdev` open, as in `roomd dev`; `None` everywhere
    /// else, where these keys are as unknown as any other. LiveKit's `devkey` too.
    pub well_known_keys_of: Option<ProjectId>,
    /// LiveKit keys of the default project that no store knows.
    pub live_keys: Vec<LiveKeyPair>,
}

/// What opens a session, which lasts longer than the call that brought it. A secret key does not:
/// it is no browser's.
#[derive(Clone, Copy)]
pub enum SessionCredential<'a> {
    Token(&'a str),
    PublicKey(&'a str),
}

/// Whose session it is, and how long it may last.
#[derive(Debug, Clone)]
pub struct Admitted {
    pub caller: Caller,
    /// The token's unique id, its `jti`; absent for a key.
    pub token_id: Option<String>,
    /// Absent for a key.
    pub expires_at_ms: Option<i64>,
    /// When the token became valid; absent for a key.
    pub valid_from_s: Option<i64>,
}

/// Resolves credentials. Cheap to clone.
#[derive(Clone)]
pub struct Authenticator(Arc<Inner>);

struct Inner {
    store: Store,
    tokens: Tokens,
    live: LiveTokens,
    options: AuthOptions,
    known: Cache<[u8; 32], KnownKey>,
    /// When each hash was last looked for in vain.
    unknown: Cache<[u8; 32], i64>,
    /// Counts revocations, so that a look-up that began before one does not outlive it in the
    /// cache.
    revocations: AtomicU64,
}

impl Authenticator {
    pub fn new(store: Store, tokens: Tokens, options: AuthOptions) -> Self {
        let (known, unknown) = (Cache::new(KNOWN_KEYS_MAX), Cache::new(UNKNOWN_KEYS_MAX));
        let revocations = AtomicU64::new(0);
        let live = LiveTokens::new(store.clone(), &options);
        Self(Arc::new(Inner { store, tokens, live, options, known, unknown, revocations }))
    }

    pub fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    /// Tokens of LiveKit's form, and the keys that sign them.
    pub fn live(&self) -> &LiveTokens {
        &self.0.live
    }

    /// Who sent this `Bearer` text to what LiveKit's clients call: a token of LiveKit's, or a key
    /// of ours.
    pub async fn authenticate_live(&self, bearer: &str, now_ms: i64) -> Result<Caller, Error> {
        if api_key::kind_of(bearer).is_none() {
            return self.0.live.verify(bearer, now_ms).await;
        }
        let key = match self.authenticate_cached(bearer, now_ms) {
            Some(answer) => return answer,
            None => self.find_key(bearer, now_ms).await?,
        };
        Ok(key.into_caller())
    }

    /// Who sent this `Bearer` text; `None` if nothing was sent. Does not wait if the credential was
    /// seen before.
    pub async fn authenticate(
        &self,
        bearer: Option<&str>,
        now_ms: i64,
    ) -> Result<Option<Caller>, Error> {
        let Some(bearer) = bearer else { return Ok(None) };
        let caller = match self.authenticate_cached(bearer, now_ms) {
            Some(answer) => answer?,
            None if api_key::kind_of(bearer).is_some() => {
                Box::pin(self.find_key(bearer, now_ms)).await?.into_caller()
            }
            None => Box::pin(self.0.tokens.verify(bearer, now_ms)).await?,
        };
        Ok(Some(caller))
    }

    /// The answer, if it is known without a signature check and without the store.
    pub fn authenticate_cached(&self, bearer: &str, now_ms: i64) -> Option<Result<Caller, Error>> {
        if let Some(kind) = api_key::kind_of(bearer) {
            return Some(self.cached_key(bearer, kind, now_ms)?.map(KnownKey::into_caller));
        }
        if !looks_like_token(bearer) {
            return Some(Err(invalid_secret_key()));
        }
        let answer = self.0.tokens.verify_cached(bearer, now_ms)?;
        Some(answer.map(|token| token.caller.clone()))
    }

    /// The project of a public key that came in a body or a query instead of a header.
    pub async fn public_key(&self, raw: &str, now_ms: i64) -> Result<ProjectId, Error> {
        if api_key::kind_of(raw) != Some(ApiKeyKind::Public) {
            return Err(invalid_public_key());
        }
        let key = match self.cached_key(raw, ApiKeyKind::Public, now_ms) {
            Some(answer) => answer?,
            None => self.find_key(raw, now_ms).await?,
        };
        Ok(key.project)
    }

    /// Who opens a session. [`super::is_token_expired`] tells a token that was ours from a forged
    /// one.
    pub async fn admit(
        &self,
        credential: SessionCredential<'_>,
        now_ms: i64,
    ) -> Result<Admitted, Error> {
        match credential {
            SessionCredential::Token(token) => {
                let token = self.0.tokens.verify_token(token, now_ms).await?;
                Ok(Admitted {
                    caller: token.caller.clone(),
                    token_id: Some(token.token_id.clone()),
                    expires_at_ms: Some(token.expires_at_ms),
                    valid_from_s: Some(token.valid_from_s),
                })
            }
            SessionCredential::PublicKey(key) => {
                let project = self.public_key(key, now_ms).await?;
                let caller = Caller { project, actor: Actor::Public };
                Ok(Admitted { caller, token_id: None, expires_at_ms: None, valid_from_s: None })
            }
        }
    }

    /// Revokes a key, which ends it at once in this process; `None` if the project has no such key.
    pub async fn revoke(
        &self,
        project: &ProjectId,
        key_id: &str,
        now_ms: i64,
    ) -> Result<Option<ApiKey>, Error> {
        let revoked = self.0.store.revoke_api_key(project, key_id, now_ms).await;
        self.0.revocations.fetch_add(1, Ordering::SeqCst);
        match &revoked {
            Ok(None) => {}
            Ok(Some(key)) => self.0.known.invalidate(&key.hash),
            // The commit may have happened although its answer was lost, and the cache knows hashes
            // and not ids: all keys go, and come back with one look-up each.
            Err(_) => self.0.known.invalidate_all(),
        }
        revoked
    }

    fn cached_key(
        &self,
        raw: &str,
        kind: ApiKeyKind,
        now_ms: i64,
    ) -> Option<Result<KnownKey, Error>> {
        if raw.len() > API_KEY_BYTES_MAX {
            return Some(Err(unknown_key(kind)));
        }
        let hash = api_key::hash(raw);
        if let Some(key) = self.0.known.get(&hash) {
            return (now_ms.abs_diff(key.seen_at_ms) < KNOWN_KEY_TTL_MS).then_some(Ok(key));
        }
        let missed_at_ms = self.0.unknown.get(&hash)?;
        let is_fresh = now_ms.abs_diff(missed_at_ms) < UNKNOWN_KEY_TTL_MS;
        is_fresh.then(|| Err(unknown_key(kind)))
    }

    async fn find_key(&self, raw: &str, now_ms: i64) -> Result<KnownKey, Error> {
        let hash = api_key::hash(raw);
        let revocations = self.0.revocations.load(Ordering::SeqCst);
        let Some(key) = self.look_up(raw, &hash, now_ms).await? else {
            self.0.known.invalidate(&hash);
            self.0.unknown.insert(hash, now_ms);
            return Err(unknown_key(api_key::kind_of(raw).unwrap_or(ApiKeyKind::Secret)));
        };
        self.0.known.insert(hash, key.clone());
        if self.0.revocations.load(Ordering::SeqCst) != revocations {
            self.0.known.invalidate(&hash);
        }
        Ok(key)
    }

    async fn look_up(
        &self,
        raw: &str,
        hash: &[u8; 32],
        now_ms: i64,
    ) -> Result<Option<KnownKey>, Error> {
        if let Some(key) = self.well_known(raw, now_ms) {
            return Ok(Some(key));
        }
        let Some(row) = self.0.store.find_api_key_by_hash(hash).await? else { return Ok(None) };
        let is_valid = api_key::is_same(&row.hash, hash)
            && row.revoked_at_ms.is_none()
            && api_key::kind_of(raw) == Some(row.kind);
        let key = KnownKey { kind: row.kind, project: row.project_id, seen_at_ms: now_ms };
        Ok(is_valid.then_some(key))
    }

    fn well_known(&self, raw: &str, now_ms: i64) -> Option<KnownKey> {
        let project = self.0.options.well_known_keys_of.clone()?;
        let kind = match raw {
            WELL_KNOWN_SECRET_KEY => ApiKeyKind::Secret,
            WELL_KNOWN_PUBLIC_KEY => ApiKeyKind::Public,
            _ => return None,
        };
        Some(KnownKey { kind, project, seen_at_ms: now_ms })
    }
}

impl KnownKey {
    fn into_caller(self) -> Caller {
        let actor = match self.kind {
            ApiKeyKind::Secret => Actor::Secret,
            ApiKeyKind::Public => Actor::Public,
        };
        Caller { project: self.project, actor }
    }
}

fn unknown_key(kind: ApiKeyKind) -> Error {
    match kind {
        ApiKeyKind::Secret => invalid_secret_key(),
        ApiKeyKind::Public => invalid_public_key(),
    }
}

/// Three parts between dots, as the compact form of a signed token has.
fn looks_like_token(bearer: &str) -> bool {
    bearer.bytes().filter(|byte| *byte == b'.').count() == 2
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").field("options", &self.0.options).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
