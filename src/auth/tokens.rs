//! Access tokens and ID tokens: JSON Web Tokens that this deployment signs and nobody else can.
//!
//! Invariant: a token is believed only after its signature, its times and every one of its claims
//! were checked; a cached verdict is bound to the hash of the whole text, to the token's own times,
//! and to its signing key being still there.

use std::fmt;
use std::sync::Arc;

use moka::sync::Cache;

use super::claims::{ClaimsIn, ClaimsOut};
pub use super::claims::{
    GROUP_ID_CHARS_MAX, GROUP_IDS_MAX, USER_INFO_CHARS_MAX, check_user, check_user_info,
};
use super::signing::{LoadedKey, SigningKeys, TOKEN_LIFETIME_S_MAX};
use super::{invalid_token, random_text, sha256, token_expired};
use crate::domain::ctx::{Actor, Caller, User};
use crate::domain::ids::ProjectId;
use crate::error::Error;

pub const TOKEN_BYTES_MAX: usize = 16 * 1024;
pub const TOKEN_LIFETIME_S_DEFAULT: i64 = 60 * 60;
/// For clocks of nodes that disagree. Only `nbf` has it: a client renews early, so `exp` needs
/// none.
const NOT_BEFORE_LEEWAY_MS: i64 = 30 * 1000;
/// Memory for verified tokens, so that a busy session pays for one verification and not for each.
pub const VERIFIED_TOKENS_BYTES_MAX: u64 = 32 << 20;
/// What a cached token costs besides its claims, roughly.
const VERIFIED_TOKEN_OVERHEAD_BYTES: usize = 512;
/// 128 bits: two tokens never have the same id, and clients refuse a token text they saw before.
const TOKEN_ID_BYTES: usize = 16;

#[derive(Debug, Clone)]
pub struct TokenOptions {
    /// How long a token lives that does not say otherwise.
    pub lifetime_s: i64,
    pub cache_bytes_max: u64,
}

impl Default for TokenOptions {
    fn default() -> Self {
        let lifetime_s = TOKEN_LIFETIME_S_DEFAULT;
        Self { lifetime_s, cache_bytes_max: VERIFIED_TOKENS_BYTES_MAX }
    }
}

/// A token to be made: what `verify` will answer for it.
#[derive(Debug, Clone)]
pub struct TokenSpec {
    pub project: ProjectId,
    pub user: User,
    /// `None` takes the configured lifetime.
    pub lifetime_s: Option<i64>,
}

/// A token that was checked, apart from the time, which is checked at every use.
#[derive(Debug)]
pub struct VerifiedToken {
    pub caller: Caller,
    /// The token's unique id, its `jti`.
    pub token_id: String,
    pub expires_at_ms: i64,
    /// When it was made, or is valid from if it says so.
    pub valid_from_s: i64,
    not_before_ms: i64,
    key: Arc<LoadedKey>,
    weight_bytes: u32,
}

impl VerifiedToken {
    fn new(token: &str, claims: ClaimsIn, key: Arc<LoadedKey>) -> Result<Self, Error> {
        let (project, user) = claims.check()?;
        let caller = Caller { project, actor: Actor::User(Arc::new(user)) };
        let expires_at_ms = claims.exp.saturating_mul(1000);
        let not_before_ms = claims
            .nbf
            .map_or(i64::MIN, |nbf| nbf.saturating_mul(1000).saturating_sub(NOT_BEFORE_LEEWAY_MS));
        let weight_bytes = token.len() + VERIFIED_TOKEN_OVERHEAD_BYTES;
        let weight_bytes = u32::try_from(weight_bytes).unwrap_or(u32::MAX);
        let valid_from_s = claims.nbf.unwrap_or(claims.iat);
        let token_id = claims.jti;
        Ok(Self { caller, token_id, expires_at_ms, valid_from_s, not_before_ms, key, weight_bytes })
    }

    fn is_usable(&self, now_ms: i64) -> Result<(), Error> {
        if self.expires_at_ms <= now_ms {
            return Err(token_expired());
        }
        if now_ms < self.not_before_ms {
            return Err(invalid_token().because("the token is not valid yet"));
        }
        if self.key.is_withdrawn() {
            return Err(invalid_token().because("the token's signing key was withdrawn"));
        }
        Ok(())
    }
}

/// Issues and verifies tokens. Cheap to clone.
#[derive(Clone)]
pub struct Tokens(Arc<Inner>);

struct Inner {
    keys: Arc<SigningKeys>,
    lifetime_s: i64,
    verified: Cache<[u8; 32], Arc<VerifiedToken>>,
}

impl Tokens {
    pub fn new(keys: Arc<SigningKeys>, options: &TokenOptions) -> Result<Self, Error> {
        check_lifetime("tokenLifetime", options.lifetime_s)?;
        let verified = Cache::builder()
            .max_capacity(options.cache_bytes_max)
            .weigher(|_, token: &Arc<VerifiedToken>| token.weight_bytes)
            .build();
        Ok(Self(Arc::new(Inner { keys, lifetime_s: options.lifetime_s, verified })))
    }

    pub fn keys(&self) -> &Arc<SigningKeys> {
        &self.0.keys
    }

    /// Signs a token. Each has a random id, so no two are the same text.
    pub fn issue(&self, spec: &TokenSpec, now_ms: i64) -> Result<String, Error> {
        check_user(&spec.user)?;
        let lifetime_s = spec.lifetime_s.unwrap_or(self.0.lifetime_s);
        check_lifetime("lifetime", lifetime_s)?;
        let token_id = random_text::<TOKEN_ID_BYTES>()?;
        let issued_at_s = now_ms.div_euclid(1000);
        let times = (issued_at_s, issued_at_s.saturating_add(lifetime_s));
        let claims = ClaimsOut::new(&spec.project, &spec.user, times, &token_id);
        let token = self.0.keys.signer(now_ms)?.sign(&claims)?;
        if token.len() > TOKEN_BYTES_MAX {
            let bytes = token.len();
            let problem =
                format!("a token must be at most {TOKEN_BYTES_MAX} bytes; this one has {bytes}");
            return Err(Error::invalid("token", problem).suggest("Please put less into the token."));
        }
        Ok(token)
    }

    /// Who the token says it is, if we signed that and it is valid now.
    pub async fn verify(&self, token: &str, now_ms: i64) -> Result<Caller, Error> {
        Ok(self.verify_token(token, now_ms).await?.caller.clone())
    }

    /// As [`Self::verify`], with the token's id and end, for sessions that outlive a call.
    pub async fn verify_token(
        &self,
        token: &str,
        now_ms: i64,
    ) -> Result<Arc<VerifiedToken>, Error> {
        match self.verify_cached(token, now_ms) {
            Some(answer) => answer,
            None => self.verify_new(token, now_ms).await,
        }
    }

    /// The answer, if it needs no signature check and no store: it never waits.
    pub fn verify_cached(
        &self,
        token: &str,
        now_ms: i64,
    ) -> Option<Result<Arc<VerifiedToken>, Error>> {
        if token.len() > TOKEN_BYTES_MAX {
            return Some(Err(invalid_token().because("the token is too long")));
        }
        let hash = sha256(token.as_bytes());
        let verified = self.0.verified.get(&hash)?;
        let usable = verified.is_usable(now_ms);
        if usable.is_err() {
            self.0.verified.invalidate(&hash);
        }
        Some(usable.map(|()| verified))
    }

    async fn verify_new(&self, token: &str, now_ms: i64) -> Result<Arc<VerifiedToken>, Error> {
        let kid = kid_of(token)?;
        let Some(key) = self.0.keys.find(&kid, now_ms).await? else {
            return Err(invalid_token().because("the token names an unknown key"));
        };
        let claims = key.open::<ClaimsIn>(token).map_err(|cause| invalid_token().because(cause))?;
        let verified = VerifiedToken::new(token, claims, key);
        let verified = verified.map_err(|cause| invalid_token().because(cause))?;
        verified.is_usable(now_ms)?;
        let verified = Arc::new(verified);
        self.0.verified.insert(sha256(token.as_bytes()), Arc::clone(&verified));
        Ok(verified)
    }
}

/// The key that the token's header names. Nothing else in the header is believed; extensions that
/// claim to be critical are refused, since we know none.
fn kid_of(token: &str) -> Result<String, Error> {
    let header = jsonwebtoken::decode_header(token);
    let header = header.map_err(|cause| invalid_token().because(cause))?;
    match (header.kid, header.crit) {
        (Some(kid), None) => Ok(kid),
        (Some(_), Some(_)) => Err(invalid_token().because("the token has critical extensions")),
        (None, _) => Err(invalid_token().because("the token names no key")),
    }
}

fn check_lifetime(field: &str, lifetime_s: i64) -> Result<(), Error> {
    if (1..=TOKEN_LIFETIME_S_MAX).contains(&lifetime_s) {
        return Ok(());
    }
    let problem = format!("must be 1 to {TOKEN_LIFETIME_S_MAX} seconds, got {lifetime_s}");
    Err(Error::invalid(field, problem))
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("lifetime_s", &self.0.lifetime_s).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
