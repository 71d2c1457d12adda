//! Where LiveKit's clients put their token.

use std::borrow::Cow;

use http::header::AUTHORIZATION;
use http::request::Parts;
use percent_encoding::percent_decode_str;

use crate::auth::credentials::Authenticator;
use crate::auth::livekit::invalid_header;
use crate::domain::ctx::Caller;
use crate::error::{Code, Error};

/// Case counts, and so does the one space.
const SCHEME: &[u8] = b"Bearer ";
/// For clients that cannot send a header.
const PARAMETER: &str = "access_token";

/// Who calls; nobody, where nothing was sent. Handlers refuse nobody in their own words.
pub(in crate::wire) async fn caller(
    head: &Parts,
    authenticator: &Authenticator,
    now_ms: i64,
) -> Result<Option<Caller>, Error> {
    match token(head)? {
        Some(token) => authenticator.authenticate_live(&token, now_ms).await.map(Some),
        None => Ok(None),
    }
}

/// Whether a credential was refused, which is told as plain text; anything else went wrong with us.
pub(in crate::wire) fn is_refused(error: &Error) -> bool {
    matches!(error.code(), Code::BadCredential | Code::Unauthenticated)
}

fn token(head: &Parts) -> Result<Option<Cow<'_, str>>, Error> {
    let header = head.headers.get(AUTHORIZATION).map(|value| value.as_bytes());
    let token = match header.filter(|value| !value.is_empty()) {
        Some(value) => {
            let token = value.strip_prefix(SCHEME).ok_or_else(invalid_header)?;
            Some(String::from_utf8_lossy(token))
        }
        None => head.uri.query().and_then(parameter),
    };
    Ok(token.filter(|token| !token.is_empty()))
}

fn parameter(query: &str) -> Option<Cow<'_, str>> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let raw = pairs.filter(|(name, _)| *name == PARAMETER).map(|(_, raw)| raw).next()?;
    Some(percent_decode_str(raw).decode_utf8_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token_of(uri: &str, header: Option<&str>) -> Result<Option<String>, String> {
        let mut request = http::Request::builder().uri(uri);
        if let Some(header) = header {
            request = request.header(AUTHORIZATION, header);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let token = token(&head).map_err(|error| error.public().to_owned());
        token.map(|token| token.map(Cow::into_owned))
    }

    #[test]
    fn a_token_is_in_the_header_or_in_the_query() {
        assert_eq!(token_of("/", None), Ok(None));
        assert_eq!(token_of("/?access_token=a.b%2Ec&x=1", None), Ok(Some("a.b.c".to_owned())));
        assert_eq!(token_of("/?access_token=q", Some("Bearer h")), Ok(Some("h".to_owned())));
        assert_eq!(token_of("/?access_token=q", Some("")), Ok(Some("q".to_owned())));
        assert_eq!(token_of("/?access_token=", None), Ok(None));
        let refusal = "invalid authorization header. Must start with Bearer ".to_owned();
        for header in ["bearer h", "Bearer", "Basic h", "h", "Bearer\th"] {
            assert_eq!(token_of("/", Some(header)), Err(refusal.clone()), "{header}");
        }
    }
}
