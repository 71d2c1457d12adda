//! Small responses that all of the JSON protocols share.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};

use super::body::Body;

pub fn with(status: StatusCode, content_type: Cow<'static, str>, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let value = match content_type {
        Cow::Borrowed("") => return response,
        Cow::Borrowed(text) => HeaderValue::from_static(text),
        Cow::Owned(text) => match HeaderValue::try_from(text) {
            Ok(value) => value,
            Err(_) => HeaderValue::from_static("application/octet-stream"),
        },
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
