//! The REST dialect of Rocket.Chat, for the routes that its clients call: where a credential stands,
//! and what an error looks like.

use http::HeaderMap;
use http::request::Parts;
use serde_json::json;

use super::status::{Rendered, rendered, statuses_of};
use crate::domain::ctx::{Actor, Caller, missing_credential};
use crate::error::{Code, Error};

const PATHS: &str = "/api/v1/";
const TOKEN: &str = "x-auth-token";
const USER: &str = "x-user-id";

pub fn is_spoken(head: &Parts) -> bool {
    head.uri.path().starts_with(PATHS)
}

/// A secret key or a user's token. Both headers have to be there, as there.
pub fn token(headers: &HeaderMap) -> Result<&str, Error> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match (text(TOKEN), text(USER)) {
        ("", _) | (_, "") => Err(missing_credential()),
        (token, _) => Ok(token),
    }
}

/// A user's token goes with its own user; a back end may name anybody.
pub fn check_user(headers: &HeaderMap, caller: &Caller) -> Result<(), Error> {
    let named = headers.get(USER).map_or(&b""[..], |value| value.as_bytes());
    match &caller.actor {
        Actor::Secret => Ok(()),
        Actor::User(user) if user.id.as_str().as_bytes() == named => Ok(()),
        Actor::User(_) | Actor::Public | Actor::Live(_) => Err(missing_credential()),
    }
}

/// Whoever may not see a room learns as much as of one that is not there.
pub fn error(error: &Error) -> Rendered {
    match error.code() {
        Code::Unauthenticated | Code::BadCredential => {
            let text = "You must be logged in to do this.";
            rendered(401, &json!({"status": "error", "message": text}))
        }
        Code::NotFound | Code::PermissionDenied => {
            rendered(400, &json!({"success": false, "error": "invalid-room"}))
        }
        code => {
            let status = match code {
                Code::InvalidArgument | Code::Malformed => 400,
                code => statuses_of(code).rest,
            };
            let error =
                json!({"success": false, "error": error.public(), "errorType": error.reason()});
            rendered(status, &error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_bodies_that_its_clients_know() {
        let no_room = crate::domain::ctx::room_not_found();
        let cases = [
            (
                missing_credential(),
                401,
                r#"{"message":"You must be logged in to do this.","status":"error"}"#,
            ),
            (no_room, 400, r#"{"error":"invalid-room","success":false}"#),
            (
                Error::invalid("count", "must be at most 100"),
                400,
                r#"{"error":"Invalid value for field 'count': must be at most 100","errorType":"UNPROCESSABLE_ENTITY","success":false}"#,
            ),
        ];
        for (cause, status, body) in cases {
            let shown = error(&cause);
            assert_eq!(shown.status.as_u16(), status, "{cause}");
            assert_eq!(shown.body, body, "{cause}");
        }
    }
}
