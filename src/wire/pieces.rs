//! Bodies that are made while they are sent: the first piece in the answer, the others when the client
//! has taken the one before.
//!
//! What goes wrong after the first piece cannot be told any more: the body breaks off, which no client
//! takes for its end.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http_body::Frame;
use http_body_util::StreamBody;

use super::body::Body;
use super::call;
use crate::error::Error;

/// The pieces of a body after the first.
pub struct Rest(Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>);

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rest")
    }
}

impl Rest {
    pub fn new(pieces: impl Stream<Item = Result<Bytes, Error>> + Send + 'static) -> Self {
        Self(Box::pin(pieces))
    }

    /// All of it, for tests.
    #[cfg(test)]
    pub async fn collect(self) -> Result<Vec<u8>, Error> {
        let pieces: Vec<_> = self.0.collect().await;
        pieces.into_iter().try_fold(Vec::new(), |mut all, piece| {
            all.extend_from_slice(&piece?);
            Ok(all)
        })
    }

    pub fn into_body(self, first: Body, request_id: Arc<str>) -> Body {
        let Body::Full(first) = first else { return first };
        let rest = self.0.inspect(move |piece| {
            if let Err(error) = piece {
                call::log(error, &request_id);
            }
        });
        let pieces = stream::iter(first.map(Ok)).chain(rest);
        let frames = pieces.map(|piece| piece.map(Frame::data));
        Body::Stream(tonic::body::Body::new(StreamBody::new(frames)))
    }
}
