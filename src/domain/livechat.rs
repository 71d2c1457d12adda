//! Comments as one flat list of messages, as Rocket.Chat's clients know them.

mod markdown;
#[cfg(test)]
mod tests;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::content_id::CommentId;
use super::text::{check_chars, excerpt};
use crate::error::Error;

pub use markdown::{links, markdown};

pub const MESSAGES_LIMIT_MAX: i32 = 100;
const MESSAGES_LIMIT_DEFAULT: i32 = 50;
/// Messages that may be passed over by their number; a cursor passes over any number.
pub const MESSAGES_OFFSET_MAX: i32 = 10_000;
/// The newest messages, in which a text is looked for.
pub const MESSAGES_SEARCHED_MAX: usize = 10_000;
const SEARCH_TERM_CHARS_MAX: usize = 256;
/// An order is a few words.
const SORT_BYTES_MAX: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageField {
    /// When it was written.
    Ts,
    /// When it was edited last, else when it was written.
    UpdatedAt,
    Id,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageOrder {
    pub field: MessageField,
    pub descending: bool,
}

/// Where a page ended, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageCursor {
    pub created_at_ms: i64,
    pub id: CommentId,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageStart {
    Offset(i64),
    After(MessageCursor),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageQuery {
    pub start: MessageStart,
    pub limit: usize,
    /// The most important first; never empty, and each field once at most.
    pub order: Vec<MessageOrder>,
    /// In lower case.
    pub search: Option<String>,
}

/// What a caller sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct MessageParams<'a> {
    pub offset: Option<i32>,
    pub count: Option<i32>,
    pub sort: &'a str,
    pub search_term: &'a str,
    pub cursor: &'a str,
}

impl MessageQuery {
    pub fn read(params: MessageParams<'_>) -> Result<Self, Error> {
        let MessageParams { offset, count, sort, search_term, cursor } = params;
        let start = match cursor {
            "" => MessageStart::Offset(read_offset(offset.unwrap_or(0))?),
            _ if offset.is_some() || !sort.is_empty() || !search_term.is_empty() => {
                let problem = "goes with neither 'offset', 'sort' nor 'searchTerm'";
                return Err(Error::invalid("cursor", problem));
            }
            cursor => MessageStart::After(MessageCursor::parse(cursor)?),
        };
        check_chars("searchTerm", "a term", search_term, SEARCH_TERM_CHARS_MAX)?;
        let search = Some(search_term.to_lowercase()).filter(|term| !term.is_empty());
        Ok(Self { start, limit: read_count(count)?, order: read_order(sort)?, search })
    }

    /// Whether it is the order of the cursors.
    pub fn is_newest_first(&self) -> bool {
        self.order == [MessageOrder { field: MessageField::Ts, descending: true }]
    }
}

fn read_offset(offset: i32) -> Result<i64, Error> {
    match offset {
        0..=MESSAGES_OFFSET_MAX => Ok(i64::from(offset)),
        _ => {
            let problem = format!("must be 0 to {MESSAGES_OFFSET_MAX}, got {offset}");
            Err(Error::invalid("offset", problem))
        }
    }
}

/// There, 0 asks for all: as many as a page may have.
fn read_count(count: Option<i32>) -> Result<usize, Error> {
    let limit = match count {
        None => MESSAGES_LIMIT_DEFAULT,
        Some(0) => MESSAGES_LIMIT_MAX,
        Some(count @ 1..=MESSAGES_LIMIT_MAX) => count,
        Some(count) => {
            let problem = format!("must be 0 to {MESSAGES_LIMIT_MAX}, got {count}");
            return Err(Error::invalid("count", problem));
        }
    };
    usize::try_from(limit).map_err(Error::internal)
}

fn read_order(sort: &str) -> Result<Vec<MessageOrder>, Error> {
    const PROBLEM: &str = "must be a JSON object of 'ts', '_updatedAt' and '_id' with 1 or -1";
    if sort.is_empty() {
        return Ok(vec![MessageOrder { field: MessageField::Ts, descending: true }]);
    }
    if sort.len() > SORT_BYTES_MAX {
        return Err(Error::invalid("sort", format!("must be at most {SORT_BYTES_MAX} bytes")));
    }
    let keys: InOrder = serde_json::from_str(sort).map_err(|_| Error::invalid("sort", PROBLEM))?;
    let mut order: Vec<MessageOrder> = Vec::new();
    for (key, direction) in &keys.0 {
        let field = match key.as_str() {
            "ts" => MessageField::Ts,
            "_updatedAt" => MessageField::UpdatedAt,
            "_id" => MessageField::Id,
            _ => {
                let problem = format!("{PROBLEM}, got '{}'", excerpt(key));
                return Err(Error::invalid("sort", problem));
            }
        };
        let descending = match direction.as_i64() {
            Some(1) => false,
            Some(-1) => true,
            _ => return Err(Error::invalid("sort", PROBLEM)),
        };
        // Of a key that comes again the first counts, as the more important one.
        if order.iter().all(|known| known.field != field) {
            order.push(MessageOrder { field, descending });
        }
    }
    if order.is_empty() { Err(Error::invalid("sort", PROBLEM)) } else { Ok(order) }
}

/// An object's entries in the order in which they came, which is what they say.
struct InOrder(Vec<(String, Value)>);

impl<'de> serde::Deserialize<'de> for InOrder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrderVisitor)
    }
}

struct InOrderVisitor;

impl<'de> Visitor<'de> for InOrderVisitor {
    type Value = InOrder;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<InOrder, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(InOrder(entries))
    }
}

impl MessageCursor {
    fn parse(raw: &str) -> Result<Self, Error> {
        let wrong = || Error::invalid("cursor", "must be `nextCursor` of the page before");
        let bytes = URL_SAFE_NO_PAD.decode(raw).map_err(|_| wrong())?;
        let (created_at_ms, id): (i64, String) =
            serde_json::from_slice(&bytes).map_err(|_| wrong())?;
        Ok(Self { created_at_ms, id: CommentId::parse("cursor", &id).map_err(|_| wrong())? })
    }

    pub fn to_text(&self) -> String {
        let json = serde_json::json!([self.created_at_ms, self.id.as_str()]);
        URL_SAFE_NO_PAD.encode(json.to_string())
    }
}
