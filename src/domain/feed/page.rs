//! Pages of feeds and of messages, newest first.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{SEARCHED_TEXT_CHARS_MAX, read_time_ms};
use crate::domain::ids::FeedId;
use crate::domain::text::{check_chars, excerpt};
use crate::error::Error;

const LIMIT_MAX: usize = 100;
const LIMIT_DEFAULT: usize = 20;
/// What the entries of a page take together; the first is there however long it is.
pub const PAGE_BYTES_MAX: usize = 1 << 20;
const FILTER_KEYS_MAX: usize = 10;
/// Characters of the longest cursor that is looked at; ours are shorter.
const CURSOR_CHARS_MAX: usize = 1_024;

/// Which feeds of a room are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedQuery {
    pub after: Option<FeedCursor>,
    /// Only what was created later.
    pub since_ms: i64,
    pub limit: usize,
    /// Keys and texts that all have to be there.
    pub metadata: BTreeMap<String, String>,
}

/// Which messages of a feed are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedMessageQuery {
    pub after: Option<FeedMessageCursor>,
    /// Only what was created later.
    pub since_ms: i64,
    pub limit: usize,
}

/// A page, and where the next one begins.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedPage<T> {
    pub entries: Vec<T>,
    pub next_cursor: Option<String>,
}

impl<T> FeedPage<T> {
    pub const EMPTY: Self = Self { entries: Vec::new(), next_cursor: None };
}

/// Where a feed stands in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedCursor {
    pub created_at_ms: i64,
    pub id: FeedId,
}

/// Where a message stands in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedMessageCursor {
    pub created_at_ms: i64,
    pub seq: i64,
}

impl FeedQuery {
    pub fn read(
        cursor: &str,
        since: Option<f64>,
        limit: Option<i64>,
        metadata: BTreeMap<String, String>,
    ) -> Result<Self, Error> {
        if metadata.len() > FILTER_KEYS_MAX {
            let problem =
                format!("must have at most {FILTER_KEYS_MAX} keys, got {}", metadata.len());
            return Err(Error::invalid("metadata", problem));
        }
        for (key, value) in &metadata {
            check_chars("metadata", "a key", key, SEARCHED_TEXT_CHARS_MAX)?;
            let field = format!("metadata.{}", excerpt(key));
            check_chars(&field, "a value", value, SEARCHED_TEXT_CHARS_MAX)?;
        }
        let place = |ms, id: &str| {
            let id = FeedId::parse("cursor", id).ok()?;
            Some(FeedCursor { created_at_ms: ms, id })
        };
        let after = read_cursor(cursor, place)?;
        Ok(Self { after, since_ms: read_since(since)?, limit: read_limit(limit)?, metadata })
    }
}

impl FeedMessageQuery {
    pub fn read(cursor: &str, since: Option<f64>, limit: Option<i64>) -> Result<Self, Error> {
        let place = |created_at_ms, seq: &str| {
            Some(FeedMessageCursor { created_at_ms, seq: seq.parse().ok()? })
        };
        let after = read_cursor(cursor, place)?;
        Ok(Self { after, since_ms: read_since(since)?, limit: read_limit(limit)? })
    }
}

impl FeedCursor {
    pub fn to_text(&self) -> String {
        write_cursor(self.created_at_ms, &self.id)
    }
}

impl FeedMessageCursor {
    pub fn to_text(self) -> String {
        write_cursor(self.created_at_ms, self.seq)
    }
}

fn write_cursor(ms: i64, place: impl std::fmt::Display) -> String {
    URL_SAFE_NO_PAD.encode(format!("{ms}.{place}"))
}

/// A place in one room's list, which whoever has the cursor may read anyway: it need not be sealed.
fn read_cursor<C>(
    raw: &str,
    place: impl FnOnce(i64, &str) -> Option<C>,
) -> Result<Option<C>, Error> {
    if raw.is_empty() {
        return Ok(None);
    }
    let read = || {
        let short = Some(raw).filter(|raw| raw.len() <= CURSOR_CHARS_MAX)?;
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(short).ok()?).ok()?;
        let (ms, rest) = text.split_once('.')?;
        place(ms.parse().ok()?, rest)
    };
    read().map(Some).ok_or_else(|| Error::invalid("cursor", "is not a cursor of this list"))
}

fn read_since(since: Option<f64>) -> Result<i64, Error> {
    since.map_or(Ok(i64::MIN), |since| read_time_ms("since", since))
}

fn read_limit(limit: Option<i64>) -> Result<usize, Error> {
    let Some(limit) = limit else { return Ok(LIMIT_DEFAULT) };
    match usize::try_from(limit) {
        Ok(limit @ 1..=LIMIT_MAX) => Ok(limit),
        _ => Err(Error::invalid("limit", format!("must be 1 to {LIMIT_MAX}, got {limit}"))),
    }
}
