//! Connect's streaming protocol, bridged to tonic: its messages have gRPC's envelope, so only the
//! head and the end differ. Server reflection is what uses it today.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderName, TE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::{Body as HttpBody, Frame};
use serde_json::{Map, Value};

use super::body::{Body, BoxError};
use super::front::Exchange;
use super::metrics::Protocol;
use super::{connect, grpc_front, status};
use crate::error::Error;

/// The flag of the envelope that ends a stream.
const END_STREAM: u8 = 0b10;

/// Connect's names of headers, and gRPC's.
const RENAMED: [(&str, &str); 2] = [
    ("connect-content-encoding", "grpc-encoding"),
    ("connect-accept-encoding", "grpc-accept-encoding"),
];

pub(super) async fn call(
    exchange: &Exchange<'_>,
    refusal: Option<Error>,
    content_type: &str,
) -> Response<Body> {
    if content_type != "application/connect+proto" {
        let mut response = Response::new(Body::Full(None));
        *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        let taken = HeaderValue::from_static("application/connect+proto");
        response.headers_mut().insert(HeaderName::from_static("accept-post"), taken);
        return response;
    }
    let (headers, refusal) = match grpc_headers(&exchange.head.headers) {
        Ok(headers) => (headers, refusal),
        Err(error) => (HeaderMap::new(), Some(error)),
    };
    let body = grpc_front::body(exchange);
    let reply = grpc_front::forward(exchange, refusal, Protocol::Connect, headers, body).await;
    from_grpc(reply)
}

fn grpc_headers(headers: &HeaderMap) -> Result<HeaderMap, Error> {
    connect::check_version(headers)?;
    let mut headers = headers.clone();
    if let Some(timeout) = connect::timeout(&headers)? {
        // gRPC has eight digits; what does not fit in milliseconds does in seconds.
        let text = match timeout.as_millis() {
            millis if millis < 100_000_000 => format!("{millis}m"),
            _ => format!("{}S", timeout.as_secs()),
        };
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert("grpc-timeout", value);
        }
    }
    for (connect, grpc) in RENAMED {
        if let Some(value) = headers.remove(connect) {
            headers.insert(grpc, value);
        }
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc+proto"));
    headers.insert(TE, HeaderValue::from_static("trailers"));
    Ok(headers)
}

fn from_grpc(reply: Response<Body>) -> Response<Body> {
    let (mut head, body) = reply.into_parts();
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/connect+proto"));
    for (connect, grpc) in RENAMED {
        if let Some(value) = head.headers.remove(grpc) {
            head.headers.insert(connect, value);
        }
    }
    // A call that tonic refused at once has its status in the head and no body.
    let refused = tonic::Status::from_header_map(&head.headers);
    for name in ["grpc-status", "grpc-message", "grpc-status-details-bin"] {
        head.headers.remove(name);
    }
    let stream = Bridge { body, end: refused.map(|status| end_of_stream(&status)), ended: false };
    Response::from_parts(head, Body::Stream(tonic::body::Body::new(stream)))
}

/// The messages as they are, then the trailers as a message.
struct Bridge {
    body: Body,
    end: Option<Bytes>,
    ended: bool,
}

impl HttpBody for Bridge {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let end = match self.end.take() {
            Some(end) => end,
            None => match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                None => end_of_stream(&tonic::Status::ok("")),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => match frame.into_trailers() {
                    Err(data) => return Poll::Ready(Some(Ok(data))),
                    Ok(trailers) => {
                        let status = tonic::Status::from_header_map(&trailers);
                        end_of_stream(&status.unwrap_or_else(|| tonic::Status::ok("")))
                    }
                },
            },
        };
        self.ended = true;
        Poll::Ready(Some(Ok(Frame::data(end))))
    }
}

fn end_of_stream(status: &tonic::Status) -> Bytes {
    let mut end = Map::new();
    if status.code() != tonic::Code::Ok {
        let name = status::name_of(status.code());
        end.insert("error".to_owned(), status::connect_body(name, status));
    }
    let text = Value::Object(end).to_string();
    let mut envelope = BytesMut::with_capacity(5 + text.len());
    envelope.put_u8(END_STREAM);
    envelope.put_u32(u32::try_from(text.len()).unwrap_or(0));
    envelope.put_slice(text.as_bytes());
    envelope.freeze()
}
