//! REST, as the `google.api.http` annotations say.

use std::sync::Arc;

use http::header::{ALLOW, CONTENT_LENGTH};
use http::{HeaderValue, Method as Verb, Response};

use super::body::{self, Body};
use super::call;
use super::front::{Answered, Exchange};
use super::metrics::Protocol;
use super::respond;
use super::rocket_chat;
use super::status;
use super::table::{Answer, Input, Method, RestInput};
use crate::error::{Code, Error};

pub(super) struct Route<'a> {
    pub method: &'a Arc<dyn Method>,
    pub rule: usize,
    pub variables: &'a [&'a str],
}

pub(super) async fn call(
    exchange: &Exchange<'_>,
    route: &Route<'_>,
    refusal: Option<Error>,
    content_type: &str,
) -> Response<Body> {
    let outcome = match refusal {
        Some(error) => Err(error),
        None => run(exchange, route, content_type).await,
    };
    let answered = match outcome {
        Ok(answer) => {
            // Some refusals are answers: what HTTP alone can ask for, no error has a code for.
            let is_refusal = answer.status.is_client_error();
            let code = if is_refusal { tonic::Code::OutOfRange } else { tonic::Code::Ok };
            Answered { response: respond_with(answer, &exchange.request_id), code }
        }
        Err(error) => refuse(exchange, &error),
    };
    exchange.finish(Protocol::Rest, Some(route.method.as_ref()), answered.code);
    match exchange.head.method == Verb::HEAD {
        true => without_body(answered.response),
        false => answered.response,
    }
}

/// What a HEAD is answered with: the length of what a GET would be, and nothing more. hyper sees to
/// that in HTTP/1 only.
fn without_body(mut response: Response<Body>) -> Response<Body> {
    let body = std::mem::take(response.body_mut());
    if let Body::Full(Some(bytes)) = body {
        response.headers_mut().insert(CONTENT_LENGTH, bytes.len().into());
    }
    response
}

async fn run(
    exchange: &Exchange<'_>,
    route: &Route<'_>,
    content_type: &str,
) -> Result<Answer, Error> {
    let deadline = exchange.deadline(None)?;
    let ctx = exchange.context(Some(route.method.spec()), Some(deadline)).await?;
    call::guard(Some(deadline), async {
        let body = exchange.read_body().await?;
        let bytes_max = exchange.state.limits().request_body_bytes_max;
        let body = body::unpack(body, &exchange.head.headers, bytes_max)?;
        let input = Input::Rest(RestInput {
            rule: route.rule,
            variables: route.variables,
            query: exchange.head.uri.query(),
            headers: &exchange.head.headers,
            content_type,
            body,
        });
        route.method.call(ctx, input)?.await
    })
    .await
}

fn respond_with(answer: Answer, request_id: &Arc<str>) -> Response<Body> {
    let Answer { status, content_type, body, rest, headers } = answer;
    let mut response = respond::with(status, content_type, body);
    response.headers_mut().extend(headers);
    if let Some(rest) = rest {
        let first = std::mem::take(response.body_mut());
        *response.body_mut() = rest.into_body(first, request_id.clone());
    }
    response
}

/// An error in the shape that Liveblocks' SDKs read.
pub(super) fn refuse(exchange: &Exchange<'_>, error: &Error) -> Answered {
    call::log(error, &exchange.request_id);
    let rendered = match rocket_chat::is_spoken(exchange.head) {
        true => rocket_chat::error(error),
        false => status::rest(error, &exchange.request_id),
    };
    Answered {
        response: respond::json(rendered.status, rendered.body),
        code: status::statuses_of(error.code()).grpc,
    }
}

pub(super) fn no_route(exchange: &Exchange<'_>) -> Response<Body> {
    let head = exchange.head;
    let error = Error::not_found(
        "ROUTE_NOT_FOUND",
        format!("Nothing is served at {} {}.", head.method, head.uri.path()),
    )
    .suggest("GET /openapi.json lists every route.");
    exchange.finish(Protocol::Rest, None, tonic::Code::NotFound);
    refuse(exchange, &error).response
}

pub(super) fn wrong_verb(exchange: &Exchange<'_>, verbs: &[&Verb]) -> Response<Body> {
    let allowed = verbs.iter().map(|verb| verb.as_str()).collect::<Vec<_>>().join(", ");
    let error = Error::new(
        Code::Unimplemented,
        "METHOD_NOT_ALLOWED",
        format!("{} takes {allowed}, not {}.", exchange.head.uri.path(), exchange.head.method),
    );
    exchange.finish(Protocol::Rest, None, tonic::Code::Unimplemented);
    let mut response = refuse(exchange, &error).response;
    *response.status_mut() = http::StatusCode::METHOD_NOT_ALLOWED;
    if let Ok(value) = HeaderValue::from_str(&allowed) {
        response.headers_mut().insert(ALLOW, value);
    }
    response
}
