//! Who may open which session.
//!
//! A token that has expired is no reason to keep a client away: it is told to get a new one. A
//! client that goes by its own clock may believe in the old one all the same, and would come back
//! with it at once, thousands of times a second; so it has to wait for the answer, and the second
//! time is told to pause.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use moka::sync::Cache;
use tokio::sync::Semaphore;

use super::close::Close;
use super::handshake::Asked;
use crate::auth::credentials::{Authenticator, SessionCredential};
use crate::auth::is_token_expired;
use crate::domain::ids::RoomId;
use crate::error::{Code, Error};
use crate::room::close::CloseReason;
use crate::room::session::{Join, RoomAddress, StorageDialect};
use crate::wire::call;

/// Expired tokens that are remembered.
const EXPIRED_TOKENS_MAX: u64 = 100_000;
const EXPIRED_TOKEN_TTL: Duration = Duration::from_mins(10);
/// Clients that wait for the news that their token has expired.
const HELD_MAX: usize = 1_000;
const HOLD_MS_MIN: u64 = 1_000;
const HOLD_MS_SPREAD: u64 = 1_000;

pub struct Admission {
    authenticator: Authenticator,
    /// Hashes of tokens that came although they had expired.
    expired: Cache<u64, ()>,
    hasher: RandomState,
    held: Semaphore,
}

impl Admission {
    pub fn new(authenticator: Authenticator) -> Self {
        let expired = Cache::builder()
            .max_capacity(EXPIRED_TOKENS_MAX)
            .time_to_live(EXPIRED_TOKEN_TTL)
            .build();
        let (hasher, held) = (RandomState::new(), Semaphore::new(HELD_MAX));
        Self { authenticator, expired, hasher, held }
    }

    pub fn authenticator(&self) -> &Authenticator {
        &self.authenticator
    }

    /// What the room is asked for and when the session has to end, or what the client is told
    /// instead.
    pub async fn admit(
        &self,
        asked: &Asked,
        dialect: Option<StorageDialect>,
        now_ms: i64,
        request_id: &str,
    ) -> Result<(Join, Option<i64>), Close> {
        let not_allowed = |text: &str| Close::because(&CloseReason::NotAllowed, text);
        let Some(dialect) = dialect else {
            return Err(not_allowed("No WebSocket protocol is spoken at this path"));
        };
        let room_id = asked.room_id.as_deref().unwrap_or_default();
        let room = RoomId::parse("roomId", room_id).map_err(|error| not_allowed(error.public()))?;
        let credential = match (&asked.token, &asked.public_key) {
            (Some(token), _) => SessionCredential::Token(token),
            (None, Some(key)) => SessionCredential::PublicKey(key),
            (None, None) => return Err(CloseReason::NotAllowed.into()),
        };
        match self.authenticator.admit(credential, now_ms).await {
            Ok(admitted) => {
                let project = admitted.caller.project.clone();
                let address = RoomAddress { project, room };
                let valid_from_s = admitted.valid_from_s;
                let join = Join::plain(admitted.caller, address, dialect);
                let join = Join { valid_from_s, ..join };
                Ok((join, admitted.expires_at_ms))
            }
            Err(error) => {
                call::log(&error, request_id);
                Err(self.refusal(&error, asked).await)
            }
        }
    }

    async fn refusal(&self, error: &Error, asked: &Asked) -> Close {
        match error.code() {
            Code::BadCredential if is_token_expired(error) => {
                self.expired(asked.token.as_deref().unwrap_or_default()).await
            }
            Code::BadCredential | Code::Unauthenticated | Code::PermissionDenied => {
                CloseReason::NotAllowed.into()
            }
            _ => CloseReason::Unavailable.into(),
        }
    }

    async fn expired(&self, token: &str) -> Close {
        let hash = self.hasher.hash_one(token);
        let is_known = !self.expired.entry(hash).or_insert(()).is_fresh();
        if is_known {
            return Self::pause();
        }
        let Ok(_held) = self.held.try_acquire() else { return Self::pause() };
        let hold_ms = HOLD_MS_MIN + hash % HOLD_MS_SPREAD;
        tokio::time::sleep(Duration::from_millis(hold_ms)).await;
        CloseReason::TokenExpired.into()
    }

    /// The code is that of a client that is sent away and may come back.
    fn pause() -> Close {
        Close::because(&CloseReason::StorageReset, CloseReason::TokenExpired.text())
    }
}
