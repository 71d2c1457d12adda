//! Small responses that all of the JSON protocols share.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response, StatusCode};

use super::body::Body;

/// Browsers show such files by a program of their own, which a sandbox would keep from running.
const PDF: &str = "application/pdf";

/// A content type that is not fixed is of a raw body, which may be a user's file: no browser may find
/// a page in it, nor run what is in it as if it were ours.
pub fn with(status: StatusCode, content_type: Cow<'static, str>, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let value = match content_type {
        Cow::Borrowed("") => return response,
        Cow::Borrowed(text) => HeaderValue::from_static(text),
        Cow::Owned(text) => {
            let headers = response.headers_mut();
            headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            if text != PDF {
                headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
            }
            HeaderValue::try_from(text)
                .unwrap_or(HeaderValue::from_static("application/octet-stream"))
        }
    };
    response.headers_mut().insert(CONTENT_TYPE, value);
    response
}

pub fn json(status: StatusCode, body: Bytes) -> Response<Body> {
    with(status, Cow::Borrowed("application/json"), body)
}

/// The media type of a Content-Type, without its parameters.
pub fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}
