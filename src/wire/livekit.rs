//! How LiveKit's server answers HTTP, for what its SDKs call: the front of its Twirp services. Its
//! users compare texts and statuses, so they are its own to the byte.
//!
//! The order is its own too: CORS, slashes, the body's size, the credential, the service, and only
//! then Twirp.

mod credential;
mod error;
mod event;
mod quote;
mod twirp;

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::header::X_CONTENT_TYPE_OPTIONS;
use http::{HeaderValue, Method as Verb, Response, StatusCode};
use tower_http::cors::{AllowHeaders, AllowOrigin, Any, CorsLayer};

pub(super) use self::credential::{caller, is_refused};
pub use self::event::event_body;
pub(super) use self::twirp::{call, refusal};
use super::body::Body;
use super::respond;

const TWIRP: &str = "/twirp/livekit.";
const SIGNAL: &str = "/rtc";
/// Where it is asked for its health.
const ROOT: &str = "/";

/// Whether a path is one of its Twirp services.
pub(super) fn is_twirp(path: &str) -> bool {
    path.starts_with(TWIRP)
}

pub(super) fn is_root(path: &str) -> bool {
    path == ROOT
}

/// Whether browsers get the headers of LiveKit's server there.
pub(super) fn has_its_cors(path: &str) -> bool {
    let signal = path.strip_prefix(SIGNAL);
    is_root(path)
        || is_twirp(path)
        || signal.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Every origin may call, and is told so by its own name. A preflight holds for a day.
pub(super) fn cors() -> CorsLayer {
    let verbs = [Verb::OPTIONS, Verb::HEAD, Verb::GET, Verb::POST, Verb::PATCH, Verb::DELETE];
    CorsLayer::new()
        .allow_origin(AllowOrigin::mirror_request())
        .allow_methods(verbs)
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(Any)
        .max_age(Duration::from_hours(24))
}

/// An answer from in front of Twirp.
pub(super) fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    let kind = Cow::Borrowed("text/plain; charset=utf-8");
    let mut response = respond::with(status, kind, text.into());
    let nosniff = HeaderValue::from_static("nosniff");
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}
