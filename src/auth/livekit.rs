//! Tokens of LiveKit's form: JSON Web Tokens that whoever holds an API key's secret signs with it.
//!
//! Invariant: nothing in a token is believed before its signature was checked with the secret of
//! the key that it names, by HS256 and nothing else; and the key gives the project, never the token.
//!
//! Verified tokens are not kept, unlike ours: back ends sign one for each call, and the hash under
//! which a token would be found costs as much as its signature.

mod claims;
mod jwt;
mod keys;
mod mint;
mod refusal;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use self::claims::Times;
use self::jwt::Parsed;
use self::keys::LiveKeys;
pub use self::keys::{WELL_KNOWN_LIVE_KEY, WELL_KNOWN_LIVE_SECRET, create_key};
pub use self::refusal::invalid_header;
use super::credentials::AuthOptions;
use crate::domain::ctx::{Actor, Caller};
use crate::domain::ids::ProjectId;
use crate::domain::live::LiveToken;
use crate::error::{Code, Error};
use crate::store::{LiveKey, Store};

/// Metadata of 512 KiB fits in it. It is the most that the heads of requests can be configured to
/// hold; how much of that one server takes, `request_header_bytes_max` says.
pub const LIVE_TOKEN_BYTES_MAX: usize = 1 << 20;
/// For clocks that disagree, at both ends of a token's life.
pub const LIVE_TOKEN_LEEWAY_S: i64 = 60;

/// Verifies and issues them. Cheap to clone.
#[derive(Clone)]
pub struct LiveTokens {
    keys: LiveKeys,
}

impl LiveTokens {
    pub fn new(store: Store, options: &AuthOptions) -> Self {
        Self { keys: LiveKeys::new(store, options) }
    }

    /// Who the token says it is. The order of the checks is LiveKit's, since the first that fails
    /// is what the caller is told.
    pub async fn verify(&self, token: &str, now_ms: i64) -> Result<Caller, Error> {
        if token.len() > LIVE_TOKEN_BYTES_MAX {
            let cause = format!("the token is over {LIVE_TOKEN_BYTES_MAX} bytes");
            return Err(refusal::invalid_token().because(cause));
        }
        let parsed = Parsed::read(token)?;
        let times = Times::read(&parsed.claims)?;
        let id = parsed.text("iss");
        let Some(key) = self.keys.find(id, now_ms).await? else {
            return Err(refusal::invalid_key());
        };
        parsed.verify(&key.secret)?;
        let expires_at_s = times.check(now_ms)?;
        let token = claims::read(parsed, times.not_before_s, expires_at_s)?;
        let actor = Actor::Live(Arc::new(token));
        Ok(Caller { project: key.project_id.clone(), actor })
    }

    /// The token as text, signed with the key that it names.
    pub async fn sign(&self, token: &LiveToken, now_ms: i64) -> Result<String, Error> {
        match self.keys.find(&token.api_key, now_ms).await? {
            Some(key) => mint::sign(token, &key.secret, now_ms),
            None => Err(Error::new(
                Code::FailedPrecondition,
                "LIVEKIT_KEY_NOT_FOUND",
                format!("There is no LiveKit key `{}`, or it was revoked.", token.api_key),
            )),
        }
    }

    /// A key by its id, unless it was revoked.
    pub async fn key(&self, id: &str, now_ms: i64) -> Result<Option<Arc<LiveKey>>, Error> {
        self.keys.find(id, now_ms).await
    }

    /// The key that signs what a project has the server sign: its newest, else one that the
    /// configuration names for it.
    pub async fn newest_key(&self, project: &ProjectId) -> Result<Arc<LiveKey>, Error> {
        self.keys.newest(project).await?.ok_or_else(|| {
            Error::new(
                Code::FailedPrecondition,
                "LIVEKIT_KEY_MISSING",
                "The project has no LiveKit key.",
            )
            .suggest("`roomd keys create --livekit` makes one.")
        })
    }

    /// Revokes a key, which ends its tokens at once in this process; `None` if the project has no
    /// such key.
    pub async fn revoke_key(
        &self,
        project: &ProjectId,
        id: &str,
        now_ms: i64,
    ) -> Result<Option<LiveKey>, Error> {
        self.keys.revoke(project, id, now_ms).await
    }
}

/// Whether a text claims to be a token of LiveKit's: we sign ours in another way.
pub fn is_live_token(bearer: &str) -> bool {
    jwt::names_hs256(bearer)
}

impl fmt::Debug for LiveTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LiveTokens")
    }
}
