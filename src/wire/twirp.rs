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
use super::table::{Answer, Input, Method, MethodSpec};
use crate::error::Error;

pub(super) const PREFIX: &str = "/twirp/";

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Codec {
    Json,
    Protobuf,
}

impl Codec {
    /// By the Content-Type, without its parameters.
    pub fn of(content_type: &str) -> Option<Self> {
        match respond::media_type(content_type).to_ascii_lowercase().as_str() {
            "application/json" => Some(Self::Json),
            "application/protobuf" => Some(Self::Protobuf),
            _ => None,
        }
    }

    pub fn input(self, spec: &MethodSpec, body: Bytes) -> Input<'static> {
        let unknown_enums = spec.snake_case;
        let options = ReadOptions { required: false, unknown_enums, trailing: true };
        match self {
            Self::Protobuf => Input::Proto(body),
            Self::Json => Input::Json(body, options),
        }
    }

    /// The reference's text for a body that is no message, which tests of clients compare.
    pub fn malformed(self) -> &'static str {
        match self {
            Self::Json => "the json request could not be decoded",
            Self::Protobuf => "the protobuf request could not be decoded",
        }
    }

    /// And for a body that could not be read to its end.
    pub fn unread(self) -> &'static str {
        match self {
            Self::Json => self.malformed(),
            Self::Protobuf => "failed to read request body",
        }
    }
}

/// Why a call has no answer. The body's own faults have texts that clients know.
enum Failure {
    Route(String),
    Decode(Error),
    Call(Error),
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
    let codec = Codec::of(content_type);
    let codec = codec.ok_or_else(|| format!("unexpected Content-Type: {content_type:?}"))?;
    Ok((method, codec))
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
    let reply = method.call(ctx, codec.input(method.spec(), body)).map_err(Failure::Decode)?;
    call::guard(Some(deadline), reply).await.map_err(Failure::Call)
}

/// What LiveKit's Go clients send. What is no number is ignored; what is past has ended.
pub(super) fn timeout(exchange: &Exchange<'_>) -> Option<Duration> {
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

/// What is wrong stands beside the reference's text.
fn malformed(error: &Error, codec: Codec) -> Rendered {
    let meta = Map::from_iter([("detail".to_owned(), Value::from(error.public()))]);
    status::twirp_error(400, "malformed", codec.malformed(), meta)
}
