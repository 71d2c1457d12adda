//! Twirp's errors as LiveKit's server writes them: no extras in `meta`, since there are none there.

use http::{Response, StatusCode};

use super::quote;
use crate::error::{Code, Error};
use crate::wire::body::Body;
use crate::wire::{respond, status};

/// What comes from one of its inner services shows that it came through its bridge.
const PREFIX: &str = "twirp error unknown: ";
/// Twirp cuts what is longer, before it is escaped.
const MESSAGE_BYTES_MAX: usize = 1_000_000;
const PREFIXED: [&str; 6] = [
    "LIVE_ROOM_NOT_FOUND",
    "PARTICIPANT_NOT_FOUND",
    "ROOM_NAME_TOO_LONG",
    "REMOTE_UNMUTE_DISABLED",
    "EGRESS_NOT_CONNECTED",
    "NOT_IMPLEMENTED",
];

/// An error that a handler, or the way to it, answered.
pub fn of_call(error: &Error, request_id: &str) -> Response<Body> {
    let (code, status) = match (error.code(), error.reason()) {
        // A client's method failed, which is nobody's bug here and yet `internal` there.
        (Code::Aborted, "RPC_ERROR") => status::statuses_of(Code::Internal).twirp,
        (code, _) => status::statuses_of(code).twirp,
    };
    let message = status::message(error, request_id);
    let message = match PREFIXED.contains(&error.reason()) {
        true => format!("{PREFIX}{message}"),
        false => message,
    };
    let argument = match error.code() {
        Code::InvalidArgument => error.fields().first(),
        _ => None,
    };
    let meta = argument.map(|argument| ("argument", argument.field.as_str()));
    twirp(status, code, &message, meta)
}

pub fn bad_route(problem: &str, route: &str) -> Response<Body> {
    twirp(404, "bad_route", problem, Some(("twirp_invalid_route", route)))
}

pub fn malformed(problem: &str) -> Response<Body> {
    twirp(400, "malformed", problem, None)
}

fn twirp(status: u16, code: &str, msg: &str, meta: Option<(&str, &str)>) -> Response<Body> {
    let msg = msg.get(..msg.floor_char_boundary(MESSAGE_BYTES_MAX)).unwrap_or_default();
    let (code, msg) = (quote::json(code), quote::json(msg));
    let mut body = format!("{{\"code\":{code},\"msg\":{msg}");
    if let Some((name, value)) = meta {
        body = format!("{body},\"meta\":{{{}:{}}}", quote::json(name), quote::json(value));
    }
    body.push('}');
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    respond::json(status, body.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_cut_between_characters_where_twirp_cuts_it() {
        let shown = |msg: &str| match twirp(404, "bad_route", msg, None).into_body() {
            Body::Full(Some(body)) => body.len() - r#"{"code":"bad_route","msg":""}"#.len(),
            _ => 0,
        };
        for (letters, bytes) in [
            ("x".repeat(MESSAGE_BYTES_MAX), MESSAGE_BYTES_MAX),
            ("x".repeat(MESSAGE_BYTES_MAX + 1), MESSAGE_BYTES_MAX),
            (format!("x{}", "ü".repeat(MESSAGE_BYTES_MAX)), MESSAGE_BYTES_MAX - 1),
        ] {
            assert_eq!(shown(&letters), bytes);
        }
    }
}
