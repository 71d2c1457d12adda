//! Streams of messages, as handlers take and give them.

use std::pin::Pin;

use futures_util::Stream;

use crate::error::Error;

/// What a client sends, one message after another. An error is the last item: what came could not
/// be read, or the client is gone.
pub type Requests<T> = Pin<Box<dyn Stream<Item = Result<T, Error>> + Send>>;

/// What a handler sends. An error is the last item and becomes the status of the call. Dropped when
/// the client is gone.
pub type Replies<T> = Pin<Box<dyn Stream<Item = Result<T, Error>> + Send>>;
