//! Connect, unary: POST to /package.Service/Method with plain JSON or protobuf.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT_ENCODING, HeaderName};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::body::{self, Body};
use super::call;
use super::front::{Answered, Exchange};
use super::json::ReadOptions;
use super::metrics::Protocol;
use super::respond;
use super::status;
use super::table::{Answer, Input, Method};
use crate::error::Error;

const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
const TIMEOUT: HeaderName = HeaderName::from_static("connect-timeout-ms");
const VERSION: HeaderName = HeaderName::from_static("connect-protocol-version");

pub(super) async fn call(
    exchange: &Exchange<'_>,
    method: &Arc<dyn Method>,
    refusal: Option<Error>,
    content_type: &str,
) -> Response<Body> {
    let media_type = respond::media_type(content_type).to_ascii_lowercase();
    let json = match media_type.as_str() {
        "application/json" => true,
        "application/proto" | "application/protobuf" | "application/x-protobuf" => false,
        _ => return wrong_media_type(),
    };
    let outcome = match refusal {
        Some(error) => Err(error),
        None => run(exchange, method, json).await,
    };
    let answered = match outcome {
        Ok(mut answer) => {
            if !json {
                answer.content_type = Cow::Borrowed("application/proto");
            }
            let response = respond::with(answer.status, answer.content_type, answer.body);
            Answered { response, code: tonic::Code::Ok }
        }
        Err(error) => refuse(exchange, &error),
    };
    exchange.finish(Protocol::Connect, Some(method.as_ref()), answered.code);
    answered.response
}

async fn run(
    exchange: &Exchange<'_>,
    method: &Arc<dyn Method>,
    json: bool,
) -> Result<Answer, Error> {
    let headers = &exchange.head.headers;
    check_version(headers)?;
    let deadline = exchange.deadline(timeout(headers)?)?;
    let ctx = exchange.context(Some(method.spec()), Some(deadline)).await?;
    call::guard(Some(deadline), async {
        let body = exchange.read_body().await?;
        let bytes_max = exchange.state.limits().request_body_bytes_max;
        let body = body::unpack(body, headers, bytes_max)?;
        let input = match json {
            true => Input::Json(body, ReadOptions::default()),
            false => Input::Proto(body),
        };
        method.call(ctx, input)?.await
    })
    .await
}

pub(super) fn check_version(headers: &HeaderMap) -> Result<(), Error> {
    match headers.get(VERSION) {
        Some(version) if version != "1" => {
            Err(Error::invalid("Connect-Protocol-Version", "must be 1"))
        }
        _ => Ok(()),
    }
}

/// At most ten digits of milliseconds, says the protocol.
pub(super) fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Error> {
    let Some(value) = headers.get(TIMEOUT) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let digits = (1..=10).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse().ok().filter(|_| digits) {
        Some(asked) => Ok(Some(Duration::from_millis(asked))),
        None => Err(Error::invalid("Connect-Timeout-Ms", "must be 1 to 10 digits of milliseconds")),
    }
}

fn refuse(exchange: &Exchange<'_>, error: &Error) -> Answered {
    call::log(error, &exchange.request_id);
    let rendered = status::connect(error, &exchange.request_id);
    let mut response = respond::json(rendered.status, rendered.body);
    if error.reason() == "UNSUPPORTED_ENCODING" {
        response.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Answered { response, code: status::statuses_of(error.code()).grpc }
}

/// The protocol wants a bare 415 and the list of what is taken.
fn wrong_media_type() -> Response<Body> {
    let mut response = Response::new(Body::Full(None));
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    let taken = HeaderValue::from_static("application/json, application/proto");
    response.headers_mut().insert(ACCEPT_POST, taken);
    response
}
