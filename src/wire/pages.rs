//! Lists that REST gives whole: page after page of a paged method, in one body.
//!
//! The next page is read when the client has taken the one before, so a list of any length costs
//! the memory of one page.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, stream};

use super::call;
use super::json::{Profile, Writer};
use super::pieces::Rest;
use crate::domain::ctx::Ctx;
use crate::error::Error;
use crate::proto::reply;

/// How the pages of a method are read and joined.
pub struct Paging<Req, Resp> {
    /// The list's key in JSON.
    pub key: &'static str,
    /// Writes a page's list, with its brackets.
    pub write: fn(&Resp, &mut Writer),
    pub next: fn(&Resp) -> Option<&str>,
    pub turn: fn(&mut Req, String),
}

impl<Req, Resp> Clone for Paging<Req, Resp> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Req, Resp> Copy for Paging<Req, Resp> {}

/// Calls for the first page; if there are more, they come in the rest.
pub(super) async fn whole<Req, Resp, R, F, Fut>(
    paging: Paging<Req, Resp>,
    handler: Arc<F>,
    ctx: Ctx,
    request: Req,
) -> Result<(Bytes, Option<Rest>), Error>
where
    Req: Clone + Send + Sync + 'static,
    Resp: Clone + Send + Sync + 'static,
    R: Into<reply::Reply<Resp>> + 'static,
    F: Fn(Ctx, Req) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, Error>> + Send + 'static,
{
    // Every page may take as long as a call.
    let window = ctx.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    let mut pages = Pages { paging, handler, ctx, request, window, next: None, has_items: false };
    let first = pages.call(None).await?;
    let mut body = BytesMut::from(format!("{{\"{}\":[", paging.key).as_str());
    body.extend_from_slice(&pages.piece(first));
    let rest = pages.next.is_some().then(|| Rest::new(pages.into_stream()));
    Ok((body.freeze(), rest))
}

struct Pages<Req, Resp, F> {
    paging: Paging<Req, Resp>,
    handler: Arc<F>,
    ctx: Ctx,
    request: Req,
    window: Option<Duration>,
    next: Option<String>,
    /// Whether a comma has to come before the next item.
    has_items: bool,
}

impl<Req, Resp, R, F, Fut> Pages<Req, Resp, F>
where
    Req: Clone + Send + Sync + 'static,
    Resp: Clone + Send + Sync + 'static,
    R: Into<reply::Reply<Resp>> + 'static,
    F: Fn(Ctx, Req) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, Error>> + Send + 'static,
{
    async fn call(&mut self, cursor: Option<String>) -> Result<Resp, Error> {
        let (mut ctx, mut request) = (self.ctx.clone(), self.request.clone());
        if let Some(cursor) = cursor {
            (self.paging.turn)(&mut request, cursor);
            ctx.deadline = self.window.map(|window| Instant::now() + window);
        }
        let deadline = ctx.deadline;
        let reply = call::guard(deadline, (self.handler)(ctx, request)).await?;
        Ok(reply.into().into_message())
    }

    /// A page's items, and the end of the body if it is the last.
    fn piece(&mut self, page: Resp) -> Bytes {
        let mut w = Writer::new(Profile::Canonical, 0);
        (self.paging.write)(&page, &mut w);
        let list = w.finish();
        let items = list.strip_prefix(b"[").and_then(|list| list.strip_suffix(b"]"));
        let items = items.unwrap_or_default();
        let mut piece = BytesMut::with_capacity(items.len() + 3);
        if self.has_items && !items.is_empty() {
            piece.extend_from_slice(b",");
        }
        self.has_items |= !items.is_empty();
        piece.extend_from_slice(items);
        self.next = (self.paging.next)(&page).map(str::to_owned);
        if self.next.is_none() {
            piece.extend_from_slice(b"]}");
        }
        piece.freeze()
    }

    fn into_stream(self) -> impl Stream<Item = Result<Bytes, Error>> + Send {
        stream::try_unfold(self, |mut pages| async move {
            let Some(cursor) = pages.next.take() else { return Ok(None) };
            let page = pages.call(Some(cursor)).await?;
            let piece = pages.piece(page);
            Ok(Some((piece, pages)))
        })
    }
}
