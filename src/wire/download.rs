//! Files over REST: whole or in part, sent piece by piece as the client takes them, with what browsers
//! and their caches want to know.
//!
//! Invariant: of each download at most one piece is held here. A file that cannot be read to its end
//! breaks its connection, so no short file looks whole.

mod asked;
mod disposition;
mod range;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{Stream, stream};
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, ETAG, VARY,
};
use http::{HeaderName, HeaderValue, StatusCode};

pub(super) use self::asked::Asked;
use self::asked::Owed;
use self::range::Selected;
use super::call;
use super::pieces::Rest;
use super::status;
use super::table::Answer;
use crate::domain::ctx::Ctx;
use crate::domain::media_type;
use crate::error::{Code, Error};
use crate::proto::download::{Download, Pieces, ends_early};

/// A handler that answers with a file.
pub type Open<Req> =
    Arc<dyn Fn(Ctx, Req) -> BoxFuture<'static, Result<Download, Error>> + Send + Sync>;

/// Used by the generated code.
pub fn opener<Req, F, Fut>(handler: F) -> Open<Req>
where
    F: Fn(Ctx, Req) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Download, Error>> + Send + 'static,
{
    Arc::new(move |ctx, request| Box::pin(handler(ctx, request)))
}

type Headers = Vec<(HeaderName, HeaderValue)>;

/// Opens the file, and reads the first piece of what was asked for: what goes wrong until then is an
/// error like others.
pub(super) async fn answer<Req>(
    open: Open<Req>,
    ctx: Ctx,
    request: Req,
    asked: Asked,
) -> Result<Answer, Error> {
    // Every piece may take as long as a call.
    let window = ctx.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    let request_id = ctx.request_id.clone();
    let file = open(ctx, request).await?;
    let tag = format!("\"{}\"", file.tag);
    let size = file.size_bytes;
    match asked.owed(&tag, size) {
        Owed::NotModified => Ok(empty(StatusCode::NOT_MODIFIED, lasting(&file, &tag))),
        Owed::Changed => Ok(empty(StatusCode::PRECONDITION_FAILED, Headers::new())),
        Owed::File(Selected::Nothing) => Ok(no_such_part(size, &request_id)),
        Owed::File(Selected::Whole) => {
            let headers = described(&file, &tag, size);
            part_of(file, (StatusCode::OK, headers), 0..size, &asked, window).await
        }
        Owed::File(Selected::Part(part)) => {
            let mut headers = described(&file, &tag, part.end - part.start);
            let place = format!("bytes {}-{}/{size}", part.start, part.end - 1);
            headers.push((CONTENT_RANGE, value(place)));
            part_of(file, (StatusCode::PARTIAL_CONTENT, headers), part, &asked, window).await
        }
    }
}

async fn part_of(
    file: Download,
    (status, headers): (StatusCode, Headers),
    part: Range<u64>,
    asked: &Asked,
    window: Option<Duration>,
) -> Result<Answer, Error> {
    let content_type = Cow::Owned(file.media_type);
    let mut left = Left { pieces: file.pieces, part, window };
    let is_empty = asked.is_head || left.part.is_empty();
    let body = if is_empty { Bytes::new() } else { left.next().await? };
    let has_more = !is_empty && !left.part.is_empty();
    let rest = has_more.then(|| Rest::new(left.into_stream()));
    Ok(Answer { status, content_type, body, rest, headers })
}

/// What was not read yet.
struct Left {
    pieces: Box<dyn Pieces>,
    part: Range<u64>,
    window: Option<Duration>,
}

impl Left {
    async fn next(&mut self) -> Result<Bytes, Error> {
        let deadline = self.window.map(|window| Instant::now() + window);
        let mut piece = call::guard(deadline, self.pieces.read(self.part.start)).await?;
        let wanted = usize::try_from(self.part.end - self.part.start).unwrap_or(usize::MAX);
        piece.truncate(wanted);
        if piece.is_empty() {
            return Err(ends_early());
        }
        self.part.start += piece.len() as u64;
        Ok(piece)
    }

    fn into_stream(self) -> impl Stream<Item = Result<Bytes, Error>> + Send {
        stream::try_unfold(self, |mut left| async move {
            if left.part.is_empty() {
                return Ok(None);
            }
            let piece = left.next().await?;
            Ok(Some((piece, left)))
        })
    }
}

/// What holds for the file whether its bytes are sent or not. Nobody but its reader may keep it, and
/// not for longer than its address works. Only answers to requests with an `Origin` let pages of
/// others read them, so a copy that an `<img>` had is not to be given to a fetch.
fn lasting(file: &Download, tag: &str) -> Headers {
    let kept = format!("private, max-age={}, immutable", file.fresh_s);
    let origin = HeaderValue::from_static("origin");
    vec![(ETAG, value(tag.to_owned())), (CACHE_CONTROL, value(kept)), (VARY, origin)]
}

fn described(file: &Download, tag: &str, length: u64) -> Headers {
    let is_shown = media_type::is_shown(&file.media_type);
    let mut headers = lasting(file, tag);
    headers.push((CONTENT_DISPOSITION, disposition::disposition(&file.name, is_shown)));
    headers.push((CONTENT_LENGTH, length.into()));
    headers.push((ACCEPT_RANGES, HeaderValue::from_static("bytes")));
    headers
}

fn empty(status: StatusCode, headers: Headers) -> Answer {
    let (content_type, body) = (Cow::Borrowed(""), Bytes::new());
    Answer { status, content_type, body, rest: None, headers }
}

/// An error with the file's size, which a client that goes on with a download learns from it.
fn no_such_part(size: u64, request_id: &str) -> Answer {
    let problem = format!("The file has {size} bytes, and none of them are in this range.");
    let error = Error::new(Code::InvalidArgument, "RANGE_NOT_SATISFIABLE", problem);
    let body = status::rest(&error, request_id).body;
    let headers = vec![(CONTENT_RANGE, value(format!("bytes */{size}")))];
    let content_type = Cow::Borrowed("application/json");
    Answer { status: StatusCode::RANGE_NOT_SATISFIABLE, content_type, body, rest: None, headers }
}

/// Of what is made of numbers and tags.
fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}
