//! Whether a token lets its holder enter a room, and the words in which LiveKit's server refuses.

use http::{Response, StatusCode};

use crate::domain::ctx::{Actor, Caller};
use crate::domain::ids::RoomId;
use crate::domain::live::{IDENTITY_BYTES_MAX, LiveToken, check_room_name};
use crate::error::Error;
use crate::wire::body::Body;
use crate::wire::call;
use crate::wire::front::Exchange;
use crate::wire::livekit;

/// A status and its text.
#[derive(Debug)]
pub struct Refusal(StatusCode, String);

impl Refusal {
    fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self(status, text.into())
    }

    pub fn overloaded() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the server has no room for more connections")
    }

    /// It would have to be brought to life first.
    pub fn no_room() -> Self {
        Self::new(StatusCode::NOT_FOUND, "requested room does not exist")
    }

    /// It cannot be brought to life as the token wants it.
    pub fn of_room(error: &Error) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error.public())
    }

    pub fn of_credential(error: &Error, exchange: &Exchange<'_>) -> Self {
        call::log(error, &exchange.request_id);
        match livekit::is_refused(error) {
            true => Self::new(StatusCode::UNAUTHORIZED, error.public()),
            false => Self::new(StatusCode::SERVICE_UNAVAILABLE, "try again later"),
        }
    }

    pub fn into_response(self) -> (Response<Body>, tonic::Code) {
        let Self(status, text) = self;
        let code = match status {
            StatusCode::UNAUTHORIZED => tonic::Code::Unauthenticated,
            StatusCode::NOT_FOUND => tonic::Code::NotFound,
            StatusCode::SERVICE_UNAVAILABLE => tonic::Code::Unavailable,
            _ => tonic::Code::InvalidArgument,
        };
        (livekit::plain(status, text), code)
    }
}

/// In LiveKit's order: the grant, the identity, the room.
pub fn check(caller: Option<Caller>) -> Result<(Caller, LiveToken, RoomId), Refusal> {
    let denied = || Refusal::new(StatusCode::UNAUTHORIZED, "permissions denied");
    let caller = caller.ok_or_else(denied)?;
    let Actor::Live(token) = &caller.actor else { return Err(denied()) };
    let token = LiveToken::clone(token);
    if !token.grant.room_join {
        return Err(denied());
    }
    let bad = |text: String| Err(Refusal::new(StatusCode::BAD_REQUEST, text));
    if token.identity.is_empty() {
        return bad("identity cannot be empty".to_owned());
    }
    if token.identity.len() > IDENTITY_BYTES_MAX {
        let limit = format!("identity length exceeds limits: max length {IDENTITY_BYTES_MAX}");
        return bad(format!("participant {limit}"));
    }
    if let Err(error) = token.check_holder() {
        return bad(error.public().to_owned());
    }
    if token.grant.room.is_empty() {
        return bad("no room name".to_owned());
    }
    let named = check_room_name(&token.grant.room);
    match named.and_then(|()| RoomId::parse("room", &token.grant.room)) {
        Ok(room) => Ok((caller, token, room)),
        Err(error) => bad(error.public().to_owned()),
    }
}
