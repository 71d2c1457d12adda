//! Pages of threads, newest first.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{DeletedThread, Thread, ThreadFilter};
use crate::domain::content_id::ThreadId;
use crate::domain::ids::UserId;
use crate::error::Error;

const LIMIT_MAX: usize = 50;
/// Characters of the longest cursor that is looked at; ours are shorter.
const CURSOR_CHARS_MAX: usize = 256;

/// Which threads of a room are wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct ThreadQuery {
    pub filter: ThreadFilter,
    /// Whose subscriptions the filter asks for; absent, nobody is subscribed to anything.
    pub user: Option<UserId>,
    pub after: Option<ThreadCursor>,
    pub limit: usize,
}

/// A page, and where the next one begins.
#[derive(Debug, Clone, PartialEq)]
pub struct ThreadPage {
    pub threads: Vec<Thread>,
    pub next_cursor: Option<String>,
}

/// Where a thread stands in a list, which goes by a time of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadCursor {
    pub at_ms: i64,
    pub id: ThreadId,
}

/// What changed in a room since a time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ThreadChanges {
    pub threads: Vec<Thread>,
    pub deleted: Vec<DeletedThread>,
    /// There is more, and this is the time to go on from.
    pub cut_at_ms: Option<i64>,
}

impl ThreadChanges {
    pub fn is_empty(&self) -> bool {
        self.threads.is_empty() && self.deleted.is_empty() && self.cut_at_ms.is_none()
    }
}

impl ThreadPage {
    pub const EMPTY: Self = Self { threads: Vec::new(), next_cursor: None };
}

impl ThreadQuery {
    /// Checks what a caller sent.
    pub fn read(
        query: &str,
        user: Option<UserId>,
        cursor: &str,
        limit: Option<i32>,
    ) -> Result<Self, Error> {
        let filter = ThreadFilter::from_query(query)?;
        Ok(Self { filter, user, after: ThreadCursor::read(cursor)?, limit: read_limit(limit)? })
    }
}

impl ThreadCursor {
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}.{}", self.at_ms, self.id))
    }

    /// A place in a list, which whoever has the cursor may read anyway: it need not be sealed.
    pub fn read(raw: &str) -> Result<Option<Self>, Error> {
        if raw.is_empty() {
            return Ok(None);
        }
        let read = || {
            let short = Some(raw).filter(|raw| raw.len() <= CURSOR_CHARS_MAX)?;
            let text = String::from_utf8(URL_SAFE_NO_PAD.decode(short).ok()?).ok()?;
            let (at_ms, id) = text.split_once('.')?;
            let id = ThreadId::parse("cursor", id).ok()?;
            Some(Self { at_ms: at_ms.parse().ok()?, id })
        };
        read().map(Some).ok_or_else(|| Error::invalid("cursor", "is not a cursor of this list"))
    }
}

pub fn read_limit(limit: Option<i32>) -> Result<usize, Error> {
    let Some(limit) = limit else { return Ok(LIMIT_MAX) };
    match usize::try_from(limit) {
        Ok(limit @ 1..=LIMIT_MAX) => Ok(limit),
        _ => Err(Error::invalid("limit", format!("must be 1 to {LIMIT_MAX}, got {limit}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_read_back_and_others_refused() {
        let cursor = ThreadCursor { at_ms: -5, id: ThreadId::trusted("th_a.b") };
        assert!(ThreadCursor::read(&cursor.to_text()).is_err(), "no id has a dot");
        let cursor = ThreadCursor { at_ms: -5, id: ThreadId::trusted("th_a") };
        assert_eq!(ThreadCursor::read(&cursor.to_text()).unwrap(), Some(cursor));
        for text in ["what?", "MS5jbV9h", &"A".repeat(CURSOR_CHARS_MAX + 1)] {
            assert!(ThreadCursor::read(text).is_err(), "{text}");
        }
        assert_eq!(read_limit(None).unwrap(), LIMIT_MAX);
        assert!([0, -1, 51].iter().all(|limit| read_limit(Some(*limit)).is_err()));
    }
}
