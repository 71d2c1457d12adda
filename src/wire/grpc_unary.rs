//! Plain gRPC calls of the methods in the table, without tonic: one message in, one message out.
//!
//! tonic keeps everything else: gRPC-Web, packed messages, streams, health and reflection. This is
//! the path of most calls, and tonic's routing, boxing and second copy of the reply cost as much as
//! the call itself.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method as Verb, Response};

use super::body::Body;
use super::call;
use super::front::Exchange;
use super::grpc_front;
use super::metrics::Protocol;
use super::status;
use super::table::{Answer, Input, Method};
use crate::error::Error;

/// The flag that says whether a message is packed, and its length.
pub(super) const PREFIX_BYTES: usize = 5;

/// What became of a call.
enum Outcome {
    Answer(Result<Answer, Error>),
    /// Not one plain message: tonic knows what to say to that.
    Strange(Bytes),
}

/// Whether a call is plain: its message comes unpacked, and the reply would be sent unpacked.
pub(super) fn is_plain(exchange: &Exchange<'_>, content_type: &str) -> bool {
    let headers = &exchange.head.headers;
    matches!(content_type, "application/grpc" | "application/grpc+proto")
        && exchange.head.method == Verb::POST
        && names_no_packing(headers, "grpc-encoding")
        && names_no_packing(headers, "grpc-accept-encoding")
}

fn names_no_packing(headers: &HeaderMap, name: &'static str) -> bool {
    headers.get(name).is_none_or(|value| value == "identity")
}

pub(super) async fn call(exchange: &Exchange<'_>, method: &Arc<dyn Method>) -> Response<Body> {
    let (response, code) = match run(exchange, method).await {
        Outcome::Answer(Ok(answer)) => (success(&answer.body), tonic::Code::Ok),
        Outcome::Answer(Err(error)) => {
            call::log(&error, &exchange.request_id);
            let status = status::grpc(&error, &exchange.request_id);
            let code = status.code();
            (status.into_http().map(Body::Stream), code)
        }
        Outcome::Strange(body) => {
            let headers = exchange.head.headers.clone();
            let body = tonic::body::Body::new(http_body_util::Full::new(body));
            return grpc_front::forward(exchange, None, Protocol::Grpc, headers, body).await;
        }
    };
    exchange.finish(Protocol::Grpc, Some(method.as_ref()), code);
    response
}

async fn run(exchange: &Exchange<'_>, method: &Arc<dyn Method>) -> Outcome {
    let spec = Some(method.spec());
    let context = grpc_front::context(exchange, spec, &exchange.head.headers).await;
    let ctx = match context {
        Ok(ctx) => ctx,
        Err(error) => return Outcome::Answer(Err(error)),
    };
    let deadline = ctx.deadline;
    let body = match call::guard(deadline, exchange.read_framed_body(PREFIX_BYTES)).await {
        Ok(body) => body,
        Err(error) => return Outcome::Answer(Err(error)),
    };
    let Some(message) = unframe(&body) else { return Outcome::Strange(body) };
    let answer = async { method.call(ctx, Input::Proto(message))?.await };
    Outcome::Answer(call::guard(deadline, answer).await)
}

/// The message of a body that is exactly one, unpacked.
fn unframe(body: &Bytes) -> Option<Bytes> {
    let mut rest = body.clone();
    if rest.try_get_u8().ok()? != 0 {
        return None;
    }
    let length = usize::try_from(rest.try_get_u32().ok()?).ok()?;
    (rest.len() == length).then_some(rest)
}

fn success(message: &Bytes) -> Response<Body> {
    let mut framed = BytesMut::with_capacity(PREFIX_BYTES + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put_slice(message);
    let mut response = Response::new(Body::Unary(Some(framed.freeze()), false));
    let content_type = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_whole_unpacked_message_is_unframed() {
        let message = |bytes: &'static [u8]| unframe(&Bytes::from_static(bytes));
        assert_eq!(message(b"\0\0\0\0\x02hi").as_deref(), Some(&b"hi"[..]));
        assert_eq!(message(b"\0\0\0\0\0").as_deref(), Some(&b""[..]));
        for strange in [&b""[..], b"\0\0\0\0", b"\x01\0\0\0\x02hi", b"\0\0\0\0\x03hi"] {
            assert_eq!(message(strange), None, "{strange:?}");
        }
        assert_eq!(message(b"\0\0\0\0\x01hi"), None);
    }
}
