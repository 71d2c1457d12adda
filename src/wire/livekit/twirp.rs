//! A call of one of LiveKit's Twirp services, from the checks in front of Twirp to the answer.

use std::borrow::Cow;
use std::sync::Arc;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Method as Verb, Response, StatusCode};
use percent_encoding::percent_decode_str;

use super::{error, plain, quote};
use crate::domain::ctx::Caller;
use crate::error::{Code, Error};
use crate::wire::body::Body;
use crate::wire::call as guarded;
use crate::wire::front::Exchange;
use crate::wire::metrics::Protocol;
use crate::wire::respond;
use crate::wire::status;
use crate::wire::table::{Answer, Method};
use crate::wire::twirp::{Codec, timeout};

/// Why a call has no answer.
enum Refusal {
    TooLarge,
    /// The credential, in plain text.
    Credential(Error),
    /// No such service.
    NotServed,
    /// A service without a method and without a slash.
    Moved(String),
    /// Twirp's own: the message, and the path as it was understood.
    Route(String, String),
    Malformed(&'static str),
    Call(Error),
}

type Found<'a> = (&'a Arc<dyn Method>, Codec);

/// `overload` is answered instead of the call.
pub(in crate::wire) async fn call(
    exchange: &Exchange<'_>,
    overload: Option<Error>,
) -> Response<Body> {
    let mut method = None;
    let outcome = match overload {
        Some(error) => Err(Refusal::Call(error)),
        None => run(exchange, &mut method).await,
    };
    let (response, code) = match outcome {
        Ok(answer) => {
            let response = respond::with(answer.status, answer.content_type, answer.body);
            (response, tonic::Code::Ok)
        }
        Err(refusal) => refuse(exchange, refusal),
    };
    exchange.finish(Protocol::Twirp, method.map(AsRef::as_ref), code);
    response
}

/// What is told to a credential that is refused, whatever it was sent for: LiveKit's server looks at
/// it before it looks where a request goes.
pub(in crate::wire) async fn refusal(exchange: &Exchange<'_>) -> Option<Response<Body>> {
    let refusal = caller(exchange).await.err()?;
    if !matches!(refusal, Refusal::Credential(_)) {
        return None;
    }
    let (response, code) = refuse(exchange, refusal);
    exchange.finish(Protocol::Rest, None, code);
    Some(response)
}

async fn run<'a>(
    exchange: &'a Exchange<'_>,
    method: &mut Option<&'a Arc<dyn Method>>,
) -> Result<Answer, Refusal> {
    check_length(exchange)?;
    let caller = caller(exchange).await?;
    let (found, codec) = route(exchange)?;
    *method = Some(found);
    let deadline = exchange.deadline(timeout(exchange)).map_err(Refusal::Call)?;
    let body = guarded::guard(Some(deadline), exchange.read_body()).await;
    let body = body.map_err(|error| unread(error, codec))?;
    let ctx = exchange.context_of(caller, Some(found.spec()), Some(deadline));
    let reply = found.call(ctx, codec.input(found.spec(), body));
    let reply = reply.map_err(|_| Refusal::Malformed(codec.malformed()))?;
    guarded::guard(Some(deadline), reply).await.map_err(Refusal::Call)
}

/// A body that says that it is too long is refused before anything else; one that does not say is
/// malformed when it turns out.
fn check_length(exchange: &Exchange<'_>) -> Result<(), Refusal> {
    let length = exchange.head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let length: Option<usize> = length.and_then(|length| length.parse().ok());
    match length.is_some_and(|length| length > exchange.state.limits().request_body_bytes_max) {
        true => Err(Refusal::TooLarge),
        false => Ok(()),
    }
}

async fn caller(exchange: &Exchange<'_>) -> Result<Option<Caller>, Refusal> {
    let (authenticator, now_ms) = (exchange.state.authenticator(), exchange.state.now_ms());
    let caller = super::caller(exchange.head, authenticator, now_ms).await;
    caller.map_err(|error| match super::is_refused(&error) {
        true => Refusal::Credential(error),
        false => Refusal::Call(error),
    })
}

/// In the reference's order: the service that is served, HTTP method, service, prefix, method,
/// content type. Paths are compared and shown after percent-decoding.
fn route<'a>(exchange: &'a Exchange<'_>) -> Result<Found<'a>, Refusal> {
    let (head, table) = (exchange.head, exchange.state.table());
    let path: Cow<'_, [u8]> = percent_decode_str(head.uri.path()).into();
    let bad = |problem: String| {
        let route = format!("{} {}", head.method, String::from_utf8_lossy(&path));
        Refusal::Route(problem, route)
    };
    let name = path.strip_prefix(b"/twirp/").unwrap_or_default();
    let method = std::str::from_utf8(name).ok().and_then(|name| table.find(name));
    if method.is_none() {
        check_service(name, |service| table.services().any(|name| name.as_bytes() == service))?;
    }
    if head.method != Verb::POST {
        let verb = quote::quoted(head.method.as_str().as_bytes());
        return Err(bad(format!("unsupported method {verb} (only POST is allowed)")));
    }
    let Some(method) = method else { return Err(bad(no_method(name, &path))) };
    let kind = head.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    match Codec::of(&String::from_utf8_lossy(kind)) {
        Some(codec) => Ok((method, codec)),
        None => Err(bad(format!("unexpected Content-Type: {}", quote::quoted(kind)))),
    }
}

/// Only what is under the name of a service reaches Twirp.
fn check_service(name: &[u8], is_served: impl Fn(&[u8]) -> bool) -> Result<(), Refusal> {
    let service = name.split(|byte| *byte == b'/').next().unwrap_or_default();
    match is_served(service) {
        false => Err(Refusal::NotServed),
        true if service.len() == name.len() => {
            Err(Refusal::Moved(format!("/twirp/{}/", String::from_utf8_lossy(name))))
        }
        true => Ok(()),
    }
}

/// Twirp reads a path from its end: method, service, and whatever stands before.
fn no_method(name: &[u8], path: &[u8]) -> String {
    let served = name.split(|byte| *byte == b'/').next().unwrap_or_default();
    let mut parts = path.rsplitn(3, |byte| *byte == b'/');
    let (_, service, prefix) = (parts.next(), parts.next(), parts.next().unwrap_or_default());
    let shown = quote::quoted(path);
    match service == Some(served) && prefix != b"/twirp" {
        true => {
            let prefix = quote::quoted(prefix);
            format!("invalid path prefix {prefix}, expected \"/twirp\", on path {shown}")
        }
        false => format!("no handler for path {shown}"),
    }
}

fn unread(error: Error, codec: Codec) -> Refusal {
    match error.code() {
        Code::TooLarge | Code::Malformed => Refusal::Malformed(codec.unread()),
        _ => Refusal::Call(error),
    }
}

fn refuse(exchange: &Exchange<'_>, refusal: Refusal) -> (Response<Body>, tonic::Code) {
    match refusal {
        Refusal::TooLarge => {
            let response = plain(StatusCode::PAYLOAD_TOO_LARGE, "request body too large");
            (response, tonic::Code::ResourceExhausted)
        }
        Refusal::Credential(error) => {
            guarded::log(&error, &exchange.request_id);
            let text = error.public().to_owned();
            (plain(StatusCode::UNAUTHORIZED, text), tonic::Code::Unauthenticated)
        }
        Refusal::NotServed => {
            let response = plain(StatusCode::NOT_FOUND, "404 page not found\n");
            (response, tonic::Code::Unimplemented)
        }
        Refusal::Moved(to) => (moved(&to), tonic::Code::Unimplemented),
        Refusal::Route(problem, route) => {
            (error::bad_route(&problem, &route), tonic::Code::Unimplemented)
        }
        Refusal::Malformed(problem) => (error::malformed(problem), tonic::Code::InvalidArgument),
        Refusal::Call(cause) => {
            guarded::log(&cause, &exchange.request_id);
            let response = error::of_call(&cause, &exchange.request_id);
            (response, status::statuses_of(cause.code()).grpc)
        }
    }
}

fn moved(to: &str) -> Response<Body> {
    let mut response = Response::new(Body::Full(None));
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    if let Ok(to) = HeaderValue::from_str(to) {
        response.headers_mut().insert(LOCATION, to);
    }
    response
}
