//! The HTTP side of a WebSocket: which requests ask for one, and the answer (RFC 6455, section 4).

use std::borrow::Cow;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Version};
use percent_encoding::percent_decode_str;

use crate::room::session::StorageDialect;
use crate::wire::body::Body;

const VERSION: &str = "13";
/// What RFC 6455 wants to be hashed behind the key, so that no other server answers by accident.
const ACCEPT_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const KEY_BYTES: usize = 16;

/// Whether a request asks for a WebSocket.
pub fn is_asked_for(head: &Parts) -> bool {
    head.version == Version::HTTP_11
        && names(&head.headers, UPGRADE, "websocket")
        && names(&head.headers, CONNECTION, "upgrade")
}

fn names(headers: &HeaderMap, header: HeaderName, token: &str) -> bool {
    let values = headers.get_all(header).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(token))
}

/// What is wrong with a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadHandshake {
    pub status: StatusCode,
    pub problem: &'static str,
}

/// The value that proves to the client that its key was understood.
pub fn accept(head: &Parts) -> Result<HeaderValue, BadHandshake> {
    let bad = |status, problem| Err(BadHandshake { status, problem });
    let headers = &head.headers;
    if head.method != Method::GET {
        return bad(StatusCode::METHOD_NOT_ALLOWED, "A WebSocket is opened with GET.");
    }
    let has_body = headers.contains_key(TRANSFER_ENCODING)
        || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
    if has_body {
        return bad(StatusCode::BAD_REQUEST, "A WebSocket is opened without a body.");
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != VERSION) {
        return bad(StatusCode::UPGRADE_REQUIRED, "Sec-WebSocket-Version must be 13.");
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).unwrap_or_default();
    if STANDARD.decode(key).map(|key| key.len()) != Ok(KEY_BYTES) {
        return bad(StatusCode::BAD_REQUEST, "Sec-WebSocket-Key must be 16 bytes in base64.");
    }
    let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key);
    hash.update(ACCEPT_SUFFIX);
    HeaderValue::try_from(STANDARD.encode(hash.finish()))
        .or(bad(StatusCode::BAD_REQUEST, "Sec-WebSocket-Key cannot be answered."))
}

pub fn switching_protocols(accept: HeaderValue) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    response
}

/// What a client wants, and with which credential. Not `Debug`: it holds secrets.
#[derive(Default, PartialEq, Eq)]
pub struct Asked {
    pub room_id: Option<String>,
    pub token: Option<String>,
    pub public_key: Option<String>,
}

impl Asked {
    /// Reads a query string; of what comes twice the first counts, and what is not UTF-8 does not.
    pub fn parse(query: &str) -> Self {
        let mut asked = Self::default();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let slot = match name {
                "roomId" => &mut asked.room_id,
                "tok" => &mut asked.token,
                "pubkey" => &mut asked.public_key,
                _ => continue,
            };
            if slot.is_none() {
                *slot = decode(value);
            }
        }
        asked
    }
}

fn decode(value: &str) -> Option<String> {
    let spaced = match value.contains('+') {
        true => Cow::Owned(value.replace('+', " ")),
        false => Cow::Borrowed(value),
    };
    percent_decode_str(&spaced).decode_utf8().ok().map(Cow::into_owned)
}

/// The protocol at a path; `None` for one that is not spoken here.
pub fn dialect_at(path: &str) -> Option<StorageDialect> {
    match path {
        "/v8" => Some(StorageDialect::Compact),
        "/v7" => Some(StorageDialect::Full),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn head(edit: impl FnOnce(&mut Parts)) -> Parts {
        let request = Request::get("/v8?roomId=r")
            .header("connection", "keep-alive, Upgrade")
            .header("upgrade", "WebSocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        edit(&mut head);
        head
    }

    #[test]
    fn the_key_is_answered_as_in_the_rfc() {
        let head = head(|_| {});
        assert!(is_asked_for(&head));
        assert_eq!(accept(&head).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn handshakes_that_are_none() {
        assert!(!is_asked_for(&head(|head| drop(head.headers.remove("connection")))));
        assert!(!is_asked_for(&head(|head| head.version = Version::HTTP_10)));
        let h2c = HeaderValue::from_static("h2c");
        assert!(!is_asked_for(&head(|head| drop(head.headers.insert("upgrade", h2c)))));

        let status = |head: Parts| accept(&head).unwrap_err().status.as_u16();
        let with = |name: &'static str, value: &'static str| {
            head(|head| drop(head.headers.insert(name, HeaderValue::from_static(value))))
        };
        assert_eq!(status(head(|head| head.method = Method::POST)), 405);
        assert_eq!(status(with("sec-websocket-version", "8")), 426);
        assert_eq!(status(with("sec-websocket-key", "short")), 400);
        assert_eq!(status(with("content-length", "5")), 400);
        assert_eq!(status(with("transfer-encoding", "chunked")), 400);
    }

    #[test]
    fn queries() {
        let asked = Asked::parse("roomId=a%2Fb+%C3%BC&tok=x.y.z&version=3.24.2&tok=other");
        assert_eq!(asked.room_id.as_deref(), Some("a/b ü"));
        assert_eq!(asked.token.as_deref(), Some("x.y.z"));
        assert_eq!(asked.public_key, None);
        assert!(Asked::parse("") == Asked::default());
        assert_eq!(Asked::parse("roomId=%ff").room_id, None);
    }
}
