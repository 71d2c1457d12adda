//! From what a request carries to who calls. Where the credential stands, and of which kinds it may
//! be, depends on the path and on the method.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;

use super::table::{Credentials, MethodSpec};
use super::{livekit, rocket_chat};
use crate::auth::credentials::{Authenticator, SessionCredential};
use crate::auth::livekit::{LIVE_TOKEN_LEEWAY_S, is_live_token};
use crate::domain::ctx::{Actor, Caller, TokenTimes, missing_credential};
use crate::error::{Code, Error};

/// Nobody for a method that needs no credential, and for those that refuse nobody themselves.
pub async fn caller(
    head: &Parts,
    spec: &MethodSpec,
    authenticator: &Authenticator,
    now_ms: i64,
) -> Result<Option<Caller>, Error> {
    if spec.open {
        return Ok(None);
    }
    if spec.credentials == Credentials::Livekit {
        return livekit::caller(head, authenticator, now_ms).await;
    }
    let headers = &head.headers;
    if rocket_chat::is_spoken(head) {
        let token = rocket_chat::token(headers)?;
        let caller = authenticator.authenticate(Some(token), now_ms).await?;
        let caller = caller.ok_or_else(missing_credential)?;
        rocket_chat::check_user(headers, &caller)?;
        return Ok(Some(caller));
    }
    let bearer = bearer(headers)?;
    if spec.credentials == Credentials::OursOrLivekit
        && let Some(token) = bearer.filter(|token| is_live_token(token))
    {
        return authenticator.authenticate_live(token, now_ms).await.map(Some);
    }
    let caller = authenticator.authenticate(bearer, now_ms).await?;
    caller.ok_or_else(missing_credential).map(Some)
}

/// From when until when the caller's token is valid.
pub async fn times(
    head: &Parts,
    caller: Option<&Caller>,
    authenticator: &Authenticator,
    now_ms: i64,
) -> Result<TokenTimes, Error> {
    match caller.map(|caller| &caller.actor) {
        Some(Actor::User(_)) => {
            let Some(token) = bearer(&head.headers)? else { return Ok(TokenTimes::default()) };
            let admitted = authenticator.admit(SessionCredential::Token(token), now_ms).await?;
            Ok(TokenTimes {
                expires_at_ms: admitted.expires_at_ms,
                valid_from_s: admitted.valid_from_s,
            })
        }
        Some(Actor::Live(token)) => {
            let end_s = token.expires_at_s.saturating_add(LIVE_TOKEN_LEEWAY_S);
            let expires_at_ms = Some(end_s.saturating_mul(1_000));
            Ok(TokenTimes { expires_at_ms, valid_from_s: token.not_before_s })
        }
        Some(Actor::Secret | Actor::Public) | None => Ok(TokenTimes::default()),
    }
}

/// The token of `Authorization: Bearer ...`. Another scheme is an error, not an absence.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let Some(value) = headers.get(AUTHORIZATION) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    match scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() {
        true => Ok(Some(token.trim())),
        false => Err(Error::new(
            Code::Unauthenticated,
            "MISSING_SECRET_KEY",
            "The authorization header must be 'Bearer' and a key or token.",
        )),
    }
}
