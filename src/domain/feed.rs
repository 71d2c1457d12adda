//! Feeds: lists of messages that a room has beside its documents.

mod page;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

pub use page::{
    FeedCursor, FeedMessageCursor, FeedMessageQuery, FeedPage, FeedQuery, PAGE_BYTES_MAX,
};

use super::ids::{FeedId, FeedMessageId};
use super::text::check_chars;
use crate::error::Error;

/// What a feed's metadata takes as JSON, all of it together.
pub const METADATA_BYTES_MAX: usize = 32 << 10;
pub const METADATA_KEYS_MAX: usize = 50;
pub const METADATA_KEY_CHARS_MAX: usize = 40;
/// Feeds are found by texts of at most this length.
pub const SEARCHED_TEXT_CHARS_MAX: usize = 256;
/// Texts of one list that a feed is found by: the first.
pub const SEARCHED_LIST_LEN_MAX: usize = 50;
/// What a message says, as JSON.
pub const DATA_BYTES_MAX: usize = 128 << 10;
/// Levels of nesting. Each is three in protobuf, of which common clients read a hundred.
pub const JSON_DEPTH_MAX: usize = 30;
/// What a feed or a message holds besides its own.
const OVERHEAD_BYTES: usize = 128;
/// The last moment that JavaScript's dates have, and with a minus the first.
const TIME_MS_MAX: f64 = 8.64e15;

pub type FeedMetadata = Map<String, Value>;

#[derive(Debug, Clone, PartialEq)]
pub struct Feed {
    pub id: FeedId,
    pub metadata: FeedMetadata,
    pub created_at_ms: i64,
    /// When the metadata changed last.
    pub updated_at_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedMessage {
    pub id: FeedMessageId,
    pub data: FeedData,
    pub created_at_ms: i64,
    pub updated_at_ms: i64,
}

impl Feed {
    /// About what it holds in memory and on the wire.
    pub fn cost_bytes(&self) -> usize {
        OVERHEAD_BYTES + metadata_bytes(&self.metadata)
    }
}

impl FeedMessage {
    /// About what it holds in memory and on the wire.
    pub fn cost_bytes(&self) -> usize {
        OVERHEAD_BYTES + self.data.as_str().len()
    }
}

/// What a message says: a JSON object that was checked, as it came.
#[derive(Debug, Clone)]
pub struct FeedData(Arc<RawValue>);

impl FeedData {
    pub fn parse(json: &str) -> Result<Self, Error> {
        if json.len() > DATA_BYTES_MAX {
            let problem = format!("must be at most {DATA_BYTES_MAX} bytes, got {}", json.len());
            return Err(Error::invalid("data", problem));
        }
        // Whoever reads it later must be able to, so a half of a character is refused here.
        let object = serde_json::from_str::<Map<String, Value>>(json);
        let object = object.map_err(|_| Error::invalid("data", "must be a JSON object"))?;
        check_depth("data", &object)?;
        Self::stored(json.to_owned()).map_err(Error::internal)
    }

    pub fn from_object(object: &Map<String, Value>) -> Result<Self, Error> {
        Self::parse(&serde_json::to_string(object).map_err(Error::internal)?)
    }

    /// Takes what a database holds: it was checked when it was written.
    pub fn stored(json: String) -> Result<Self, serde_json::Error> {
        RawValue::from_string(json).map(|raw| Self(raw.into()))
    }

    pub fn as_str(&self) -> &str {
        self.0.get()
    }
}

impl PartialEq for FeedData {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for FeedData {}

/// A change of a room's feeds that somebody asks for. Times that are absent are now.
#[derive(Debug, Clone, PartialEq)]
pub enum FeedChange {
    Add {
        feed: FeedId,
        metadata: FeedMetadata,
        created_at_ms: Option<i64>,
    },
    /// Keys with their new values; a null removes its key.
    Update {
        feed: FeedId,
        metadata: FeedMetadata,
    },
    Delete {
        feed: FeedId,
    },
    AddMessage {
        feed: FeedId,
        /// Absent, it is made.
        id: Option<FeedMessageId>,
        data: FeedData,
        created_at_ms: Option<i64>,
    },
    UpdateMessage {
        feed: FeedId,
        id: FeedMessageId,
        data: FeedData,
        updated_at_ms: Option<i64>,
    },
    DeleteMessage {
        feed: FeedId,
        id: FeedMessageId,
    },
}

impl FeedChange {
    /// About what it holds in memory.
    pub fn cost_bytes(&self) -> usize {
        match self {
            Self::Add { metadata, .. } | Self::Update { metadata, .. } => metadata_bytes(metadata),
            Self::AddMessage { data, .. } | Self::UpdateMessage { data, .. } => data.as_str().len(),
            Self::Delete { .. } | Self::DeleteMessage { .. } => 0,
        }
    }
}

/// A change that was made.
#[derive(Debug, Clone, PartialEq)]
pub enum FeedEvent {
    Added(Feed),
    Updated(Feed),
    Deleted(FeedId),
    MessageAdded(FeedId, FeedMessage),
    MessageUpdated(FeedId, FeedMessage),
    MessageDeleted(FeedId, FeedMessageId),
}

impl FeedEvent {
    /// The feed as it is now, if it is about one that is there.
    pub fn feed(&self) -> Option<&Feed> {
        match self {
            Self::Added(feed) | Self::Updated(feed) => Some(feed),
            _ => None,
        }
    }

    /// The message as it is now, if it is about one that is there.
    pub fn message(&self) -> Option<&FeedMessage> {
        match self {
            Self::MessageAdded(_, message) | Self::MessageUpdated(_, message) => Some(message),
            _ => None,
        }
    }
}

/// Puts a patch over metadata, if what comes out is within the limits.
pub fn merge_metadata(into: &mut FeedMetadata, patch: FeedMetadata) -> Result<(), Error> {
    for (key, value) in patch {
        match value {
            Value::Null => drop(into.remove(&key)),
            value => drop(into.insert(key, value)),
        }
    }
    check_metadata(into)
}

fn check_metadata(metadata: &FeedMetadata) -> Result<(), Error> {
    const FIELD: &str = "metadata";
    if metadata.len() > METADATA_KEYS_MAX {
        let problem = format!("must have at most {METADATA_KEYS_MAX} keys, got {}", metadata.len());
        return Err(Error::invalid(FIELD, problem));
    }
    for key in metadata.keys() {
        if key.is_empty() {
            return Err(Error::invalid(FIELD, "a key must not be empty"));
        }
        check_chars(FIELD, "a key", key, METADATA_KEY_CHARS_MAX)?;
    }
    check_depth(FIELD, metadata)?;
    let bytes = serde_json::to_string(metadata).map_err(Error::internal)?.len();
    if bytes > METADATA_BYTES_MAX {
        let problem = format!("must be at most {METADATA_BYTES_MAX} bytes as JSON, got {bytes}");
        return Err(Error::invalid(FIELD, problem));
    }
    Ok(())
}

/// About what metadata holds.
fn metadata_bytes(metadata: &FeedMetadata) -> usize {
    metadata.iter().map(|(key, value)| key.len() + value_bytes(value)).sum()
}

fn value_bytes(value: &Value) -> usize {
    const VALUE_BYTES: usize = 16;
    VALUE_BYTES
        + match value {
            Value::String(text) => text.len(),
            Value::Array(values) => values.iter().map(value_bytes).sum(),
            Value::Object(entries) => metadata_bytes(entries),
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        }
}

fn check_depth(field: &str, object: &Map<String, Value>) -> Result<(), Error> {
    let deepest = object.values().map(depth).max().unwrap_or(0) + 1;
    if deepest > JSON_DEPTH_MAX {
        let problem = format!("must have at most {JSON_DEPTH_MAX} levels, got {deepest}");
        return Err(Error::invalid(field, problem));
    }
    Ok(())
}

/// What comes from a parser is nested as deep as the parser allows, so this may recurse.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(entries) => 1 + entries.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// The keys and texts that a feed is found by, without duplicates.
pub fn searched_texts(metadata: &FeedMetadata) -> Vec<(&str, Cow<'_, str>)> {
    let mut found = Vec::new();
    for (key, value) in metadata {
        let values = match value {
            Value::Array(values) => values.get(..SEARCHED_LIST_LEN_MAX).unwrap_or(values),
            one => std::slice::from_ref(one),
        };
        let texts = values.iter().filter_map(searched_text);
        found.extend(texts.map(|text| (key.as_str(), text)));
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn searched_text(value: &Value) -> Option<Cow<'_, str>> {
    let text = match value {
        Value::String(text) => Cow::Borrowed(text.as_str()),
        Value::Number(number) => Cow::Owned(number.to_string()),
        Value::Bool(flag) => Cow::Borrowed(if *flag { "true" } else { "false" }),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    check_chars("metadata", "a value", &text, SEARCHED_TEXT_CHARS_MAX).is_ok().then_some(text)
}

/// A moment, as JavaScript has it; fractions of a millisecond are cut off.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
pub fn read_time_ms(field: &str, raw: f64) -> Result<i64, Error> {
    match raw.abs() <= TIME_MS_MAX {
        true => Ok(raw.floor() as i64),
        false => Err(Error::invalid(field, "must be a moment in ms since the Unix epoch")),
    }
}

/// A random id for a message that came without one.
pub fn new_message_id() -> Result<FeedMessageId, Error> {
    const BYTES: usize = 15;
    let mut bytes = [0; BYTES];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::internal("no randomness"))?;
    Ok(FeedMessageId::trusted(format!("msg_{}", URL_SAFE_NO_PAD.encode(bytes))))
}

pub fn feed_not_found() -> Error {
    Error::not_found("FEED_NOT_FOUND", "Feed not found.")
}

pub fn feed_message_not_found() -> Error {
    Error::not_found("FEED_MESSAGE_NOT_FOUND", "Feed message not found.")
}
