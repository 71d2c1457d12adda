//! Bodies: reading a request's whole within its limit, and the one type of a response's.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::error::{Code, Error};

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A response's body. The hot path has its bytes in one piece and no box.
pub enum Body {
    Full(Option<Bytes>),
    /// The one message of a gRPC reply, then its trailers; whether they are sent.
    Unary(Option<Bytes>, bool),
    /// tonic's replies and what axum serves.
    Stream(tonic::body::Body),
}

/// What a CORS preflight is answered with.
impl Default for Body {
    fn default() -> Self {
        Self::Full(None)
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Full(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Self::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Unary(message, ended) => Poll::Ready(match message.take() {
                Some(message) => Some(Ok(Frame::data(message))),
                None if *ended => None,
                None => {
                    *ended = true;
                    Some(Ok(Frame::trailers(success_trailers())))
                }
            }),
            Self::Stream(stream) => {
                Pin::new(stream).poll_frame(context).map_err(|status| Box::new(status) as BoxError)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(bytes) => bytes.is_none(),
            Self::Unary(message, ended) => message.is_none() && *ended,
            Self::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            // An exact size would become a Content-Length, which gRPC has no use for.
            Self::Unary(..) => SizeHint::new(),
            Self::Stream(stream) => stream.size_hint(),
        }
    }
}

fn success_trailers() -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert(HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"));
    trailers
}

fn too_large(bytes_max: usize) -> Error {
    Error::too_large(format!("The body must be at most {bytes_max} bytes."))
}

/// What is read away of a body that nobody wants, so that its connection can be used again.
const DISCARDED_BYTES_MAX: usize = 256 << 10;
const DISCARD_TIMEOUT: Duration = Duration::from_millis(500);

/// Reads a body and forgets it; `false` if it is too long or too slow for that.
pub async fn discard(mut body: Incoming) -> bool {
    if body.is_end_stream() {
        return true;
    }
    if body.size_hint().lower() > DISCARDED_BYTES_MAX as u64 {
        return false;
    }
    let to_the_end = async {
        let mut left = DISCARDED_BYTES_MAX;
        while let Ok(Some(data)) = next_data(&mut body).await {
            match left.checked_sub(data.len()) {
                Some(rest) => left = rest,
                None => return false,
            }
        }
        body.is_end_stream()
    };
    tokio::time::timeout(DISCARD_TIMEOUT, to_the_end).await.unwrap_or(false)
}

/// Reads a body to its end. A `Content-Length` over the limit is refused before a byte is read.
/// `frame_bytes` stand around the message and do not count.
pub async fn read(
    body: &mut Incoming,
    bytes_max: usize,
    frame_bytes: usize,
) -> Result<Bytes, Error> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let body_bytes_max = bytes_max.saturating_add(frame_bytes);
    if body.size_hint().lower() > body_bytes_max as u64 {
        return Err(too_large(bytes_max));
    }
    let Some(first) = next_data(body).await? else { return Ok(Bytes::new()) };
    if first.len() > body_bytes_max {
        return Err(too_large(bytes_max));
    }
    if body.is_end_stream() {
        return Ok(first);
    }
    let mut whole = BytesMut::from(first);
    while let Some(data) = next_data(body).await? {
        if whole.len() + data.len() > body_bytes_max {
            return Err(too_large(bytes_max));
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

async fn next_data(body: &mut Incoming) -> Result<Option<Bytes>, Error> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|cause| {
            Error::new(Code::Canceled, "CANCELED", "The request's body ended early.").because(cause)
        })?;
        // Trailers of a request mean nothing to us.
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// Unpacks a body that says that it is packed. The limit holds for what comes out.
pub fn unpack(body: Bytes, headers: &HeaderMap, bytes_max: usize) -> Result<Bytes, Error> {
    use std::io::Read;
    let Some(encoding) = headers.get(http::header::CONTENT_ENCODING) else { return Ok(body) };
    match encoding.as_bytes() {
        b"" | b"identity" => Ok(body),
        b"gzip" => {
            let mut plain = Vec::new();
            let limit = bytes_max as u64 + 1;
            let read = flate2::read::MultiGzDecoder::new(&body[..]).take(limit);
            let read = std::io::BufReader::new(read).read_to_end(&mut plain);
            read.map_err(|cause| Error::malformed("The body is not gzip.").because(cause))?;
            if plain.len() > bytes_max { Err(too_large(bytes_max)) } else { Ok(plain.into()) }
        }
        other => Err(Error::new(
            Code::Unimplemented,
            "UNSUPPORTED_ENCODING",
            format!(
                "Content-Encoding must be gzip or identity, got `{}`.",
                String::from_utf8_lossy(other)
            ),
        )),
    }
}
