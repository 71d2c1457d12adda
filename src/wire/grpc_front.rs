//! The front's side of gRPC and gRPC-Web: deadline, credential and metrics around tonic.

use std::time::Duration;

use http::{HeaderMap, Request, Response};

use super::body::Body;
use super::front::Exchange;
use super::grpc::{Outcome, Refusal};
use super::grpc_unary;
use super::metrics::Protocol;
use super::status;
use super::table::MethodSpec;
use crate::domain::ctx::Ctx;
use crate::error::Error;

pub(super) async fn call(
    exchange: &Exchange<'_>,
    refusal: Option<Error>,
    content_type: &str,
) -> Response<Body> {
    if refusal.is_none()
        && grpc_unary::is_plain(exchange, content_type)
        && let Some(method) = exchange.state.find(exchange.head.uri.path())
    {
        return grpc_unary::call(exchange, method).await;
    }
    let web = content_type.starts_with("application/grpc-web");
    let protocol = if web { Protocol::GrpcWeb } else { Protocol::Grpc };
    let headers = exchange.head.headers.clone();
    forward(exchange, refusal, protocol, headers, body(exchange)).await
}

/// The request's body, as tonic takes it.
pub(super) fn body(exchange: &Exchange<'_>) -> tonic::body::Body {
    exchange.take_body().map_or_else(tonic::body::Body::empty, tonic::body::Body::new)
}

/// Hands a call to tonic, in whatever protocol it came.
pub(super) async fn forward(
    exchange: &Exchange<'_>,
    refusal: Option<Error>,
    protocol: Protocol,
    headers: HeaderMap,
    body: tonic::body::Body,
) -> Response<Body> {
    let path = exchange.head.uri.path();
    let stream = exchange.state.find_stream(path);
    let spec = stream.or_else(|| exchange.state.find(path).map(|method| method.spec()));
    let context = match refusal {
        Some(error) => Err(error),
        None if stream.is_some() => stream_context(exchange, spec, &headers).await,
        None => context(exchange, spec, &headers).await,
    };
    let outcome = Outcome::default();
    let mut request = Request::new(body);
    *request.method_mut() = exchange.head.method.clone();
    *request.uri_mut() = exchange.head.uri.clone();
    *request.version_mut() = exchange.head.version;
    *request.headers_mut() = headers;
    request.extensions_mut().insert(outcome.clone());
    if stream.is_some() {
        request.extensions_mut().insert(exchange.state.shutdown().clone());
    }
    let grpc = exchange.state.grpc();
    let response = match context {
        Ok(ctx) => {
            request.extensions_mut().insert(ctx);
            match protocol {
                Protocol::GrpcWeb => grpc.call_web(request).await,
                _ => grpc.call(request).await,
            }
        }
        Err(error) => {
            super::call::log(&error, &exchange.request_id);
            let refusal = Refusal(status::grpc(&error, &exchange.request_id));
            request.extensions_mut().insert(refusal);
            grpc.call_web(request).await
        }
    };
    // What tonic refused by itself has its status in the head already.
    let code = response
        .headers()
        .get("grpc-status")
        .map_or_else(|| outcome.get(), |status| tonic::Code::from_bytes(status.as_bytes()));
    exchange.finish_spec(protocol, spec, code);
    response
}

pub(super) async fn context(
    exchange: &Exchange<'_>,
    spec: Option<&MethodSpec>,
    headers: &HeaderMap,
) -> Result<Ctx, Error> {
    exchange.context(spec, Some(exchange.deadline(timeout(headers)?)?)).await
}

async fn stream_context(
    exchange: &Exchange<'_>,
    spec: Option<&MethodSpec>,
    headers: &HeaderMap,
) -> Result<Ctx, Error> {
    let mut ctx = exchange.context(spec, exchange.stream_deadline(timeout(headers)?)?).await?;
    ctx.token = exchange.token_times(&ctx).await?;
    Ok(ctx)
}

/// `grpc-timeout`: at most eight digits and a unit.
fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Error> {
    let Some(value) = headers.get("grpc-timeout") else { return Ok(None) };
    let parsed = value.to_str().ok().and_then(parse_timeout);
    let problem = || Error::invalid("grpc-timeout", "must be 1 to 8 digits and one of HMSmun");
    parsed.map(Some).ok_or_else(problem)
}

fn parse_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let fits = (1..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let amount: u64 = digits.parse().ok().filter(|_| fits)?;
    Some(match unit {
        "H" => Duration::from_secs(amount * 3600),
        "M" => Duration::from_secs(amount * 60),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    })
}
