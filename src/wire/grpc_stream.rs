//! Streaming methods of tonic's services: the generated adapters call these.
//!
//! A stream outlives the request that opened it: the front counts the request until the stream has
//! begun, and only a deadline that the caller asked for, or the end of the server, ends it.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_util::{Stream, StreamExt, future, stream};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::call;
use super::grpc::Outcome;
use super::status;
use crate::domain::ctx::Ctx;
use crate::error::{Code, Error};
use crate::proto::stream::{Replies, Requests};

pub type ReplyStream<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// A stream of requests, answered by a stream of replies.
pub async fn both<Req, Resp, F, Fut>(
    request: Request<Streaming<Req>>,
    handler: F,
) -> Result<Response<ReplyStream<Resp>>, Status>
where
    Req: Send + 'static,
    Resp: Send + 'static,
    F: FnOnce(Ctx, Requests<Req>) -> Fut,
    Fut: Future<Output = Result<Replies<Resp>, Error>>,
{
    replies(request, |ctx, requests| handler(ctx, read(requests))).await
}

/// One request, answered by a stream of replies.
pub async fn replies<Req, Resp, F, Fut>(
    mut request: Request<Req>,
    handler: F,
) -> Result<Response<ReplyStream<Resp>>, Status>
where
    Resp: Send + 'static,
    F: FnOnce(Ctx, Req) -> Fut,
    Fut: Future<Output = Result<Replies<Resp>, Error>>,
{
    let Some(ctx) = request.extensions_mut().remove::<Ctx>() else {
        return Err(Status::internal("the call reached its handler without a context"));
    };
    let outcome = request.extensions_mut().remove::<Outcome>().unwrap_or_default();
    let shutdown = request.extensions_mut().remove::<CancellationToken>().unwrap_or_default();
    let (request_id, deadline) = (ctx.request_id.clone(), ctx.deadline);
    match call::guard(deadline, handler(ctx, request.into_inner())).await {
        Ok(replies) => {
            let replies = until(replies, deadline, shutdown);
            Ok(Response::new(write(replies, request_id)))
        }
        Err(error) => {
            let status = refused(&error, &request_id);
            outcome.set(status.code());
            Err(status)
        }
    }
}

fn refused(error: &Error, request_id: &str) -> Status {
    call::log(error, request_id);
    status::grpc(error, request_id)
}

/// The requests up to the first that cannot be read.
fn read<T: Send + 'static>(requests: Streaming<T>) -> Requests<T> {
    let requests = requests.map(|request| request.map_err(unreadable));
    Box::pin(up_to_the_first_error(requests))
}

fn unreadable(status: Status) -> Error {
    let text = status.message().to_owned();
    match status.code() {
        // tonic's word for a message over its limit, and for one that it cannot decode.
        tonic::Code::OutOfRange | tonic::Code::ResourceExhausted => Error::too_large(text),
        tonic::Code::Internal | tonic::Code::InvalidArgument => {
            Error::malformed("The message is not valid protobuf.").because(status)
        }
        tonic::Code::Unimplemented => Error::new(Code::Unimplemented, "UNSUPPORTED_ENCODING", text),
        _ => Error::new(Code::Canceled, "CANCELED", "The client is gone.").because(status),
    }
}

/// Ends the replies when the deadline passes or the server stops, whatever comes first.
fn until<T: Send + 'static>(
    replies: Replies<T>,
    deadline: Option<Instant>,
    shutdown: CancellationToken,
) -> Replies<T> {
    let ended = async move {
        let expired = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => future::pending().await,
            }
        };
        tokio::select! {
            () = expired => call::deadline_exceeded(),
            () = shutdown.cancelled() => Error::unavailable("The server is stopping; come back."),
        }
    };
    let ended = stream::once(ended).map(Err);
    // The end comes first: a peer that is always behind must not keep the stream open.
    Box::pin(Ending { ended: Box::pin(ended), replies })
}

/// The replies, until there is an end.
struct Ending<T> {
    ended: Replies<T>,
    replies: Replies<T>,
}

impl<T> Stream for Ending<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.ended.poll_next_unpin(context) {
            Poll::Ready(Some(end)) => Poll::Ready(Some(end)),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => self.replies.poll_next_unpin(context),
        }
    }
}

/// The replies up to the first error; a panic is one.
fn write<T: Send + 'static>(replies: Replies<T>, request_id: Arc<str>) -> ReplyStream<T> {
    let replies = AssertUnwindSafe(replies).catch_unwind().map(flatten);
    let replies = up_to_the_first_error(replies);
    Box::pin(replies.map(move |reply| reply.map_err(|error| refused(&error, &request_id))))
}

fn flatten<T>(reply: Result<Result<T, Error>, Box<dyn Any + Send>>) -> Result<T, Error> {
    reply.unwrap_or_else(|panic| Err(call::panicked(panic.as_ref())))
}

fn up_to_the_first_error<T>(
    items: impl Stream<Item = Result<T, Error>>,
) -> impl Stream<Item = Result<T, Error>> {
    items.scan(false, |failed, item| {
        let item = (!*failed).then_some(item);
        *failed = matches!(item, Some(Err(_)) | None);
        future::ready(item)
    })
}
