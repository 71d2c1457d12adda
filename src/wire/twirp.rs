//! Twirp v7: POST to /twirp/package.Service/Method, as the reference implementation answers it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method as Verb, Response};
use serde_json::{Map, Value};

use super::body::Body;
use super::call;
use super::front::{Answered, Exchange};
use super::json::ReadOptions;
use super::metrics::Protocol;
use super::respond;
use super::status::{self, Rendered};
use super::table::{Answer, Input, Method};
use crate::error::Error;

#[derive(Clone, Copy, PartialEq)]
enum Codec {
    Json,
    Protobuf,
}

/// Why a call has no answer. The body's own faults have texts that clients know.
enum Failure {
    Route(String),
    Decode(Error),
    Call(Error),
}

/// What follows `/twirp/`. Several leading slashes count as one: base URLs often end in one.
pub(super) fn path(path: &str) -> Option<&str> {
    path.trim_start_matches('/').strip_prefix("twirp/")
}

pub(super) async fn call(
    exchange: &Exchange<'_>,
    name: &str,
    refusal: Option<Error>,
    content_type: &str,
) -> Response<Body> {
    let found = route(exchange, name, content_type);
    let method = found.as_ref().ok().map(|(method, _)| method.as_ref());
    let outcome = match (refusal, &found) {
        (Some(error), _) => Err(Failure::Call(error)),
        (None, Err(problem)) => Err(Failure::Route(problem.clone())),
        (None, Ok((method, codec))) => run(exchange, method, *codec).await,
    };
    let answered = match outcome {
        Ok(answer) => Answered {
            response: respond::with(answer.status, answer.content_type, answer.body),
            code: tonic::Code::Ok,
        },
        Err(failure) => {
            let codec = found.as_ref().map_or(Codec::Json, |(_, codec)| *codec);
            refuse(exchange, failure, codec)
        }
    };
    exchange.finish(Protocol::Twirp, method, answered.code);
    answered.response
}

/// In the reference's order: HTTP method, service, method, content type.
fn route<'a>(
    exchange: &'a Exchange<'_>,
    name: &str,
    content_type: &str,
) -> Result<(&'a Arc<dyn Method>, Codec), String> {
    let head = exchange.head;
    if head.method != Verb::POST {
        return Err(format!(
            "unsupported method {:?} (only POST is allowed)",
            head.method.as_str()
        ));
    }
    let method = exchange.state.table().find(name);
    let method = method.ok_or_else(|| format!("no handler for path {:?}", head.uri.path()))?;
    match respond::media_type(content_type).to_ascii_lowercase().as_str() {
        "application/json" => Ok((method, Codec::Json)),
        "application/protobuf" => Ok((method, Codec::Protobuf)),
        _ => Err(format!("unexpected Content-Type: {content_type:?}")),
    }
}

async fn run(
    exchange: &Exchange<'_>,
    method: &Arc<dyn Method>,
    codec: Codec,
) -> Result<Answer, Failure> {
    let deadline = exchange.deadline(timeout(exchange)).map_err(Failure::Call)?;
    let ctx = exchange.context(Some(method.spec()), Some(deadline)).await.map_err(Failure::Call)?;
    let body = call::guard(Some(deadline), exchange.read_body()).await;
    let body = body.map_err(Failure::Call)?;
    let input = match codec {
        Codec::Protobuf => Input::Proto(body),
        Codec::Json => Input::Json(
            body,
            ReadOptions {
                required: false,
                unknown_enums: method.spec().snake_case,
                trailing: true,
            },
        ),
    };
    let reply = method.call(ctx, input).map_err(Failure::Decode)?;
    call::guard(Some(deadline), reply).await.map_err(Failure::Call)
}

/// What LiveKit's Go clients send. What is no number is ignored; what is past has ended.
fn timeout(exchange: &Exchange<'_>) -> Option<Duration> {
    let asked = exchange.head.headers.get("x-twirp-timeout-ms")?.to_str().ok()?;
    let asked: i64 = asked.parse().ok()?;
    Some(Duration::from_millis(u64::try_from(asked).unwrap_or(0)))
}

fn refuse(exchange: &Exchange<'_>, failure: Failure, codec: Codec) -> Answered {
    let (rendered, code) = match failure {
        Failure::Route(problem) => (bad_route(exchange, &problem), tonic::Code::Unimplemented),
        Failure::Decode(error) => (malformed(&error, codec), tonic::Code::InvalidArgument),
        Failure::Call(error) => {
            call::log(&error, &exchange.request_id);
            let code = status::statuses_of(error.code()).grpc;
            (status::twirp(&error, &exchange.request_id), code)
        }
    };
    let body: Bytes = rendered.body;
    Answered { response: respond::json(rendered.status, body), code }
}

fn bad_route(exchange: &Exchange<'_>, problem: &str) -> Rendered {
    let head = exchange.head;
    let route = format!("{} {}", head.method, head.uri.path());
    let meta = Map::from_iter([("twirp_invalid_route".to_owned(), Value::from(route))]);
    status::twirp_error(404, "bad_route", problem, meta)
}

/// The reference's text, which tests of clients compare; what is wrong stands beside it.
fn malformed(error: &Error, codec: Codec) -> Rendered {
    let text = match codec {
        Codec::Json => "the json request could not be decoded",
        Codec::Protobuf => "the protobuf request could not be decoded",
    };
    let meta = Map::from_iter([("detail".to_owned(), Value::from(error.public()))]);
    status::twirp_error(400, "malformed", text, meta)
}
