//! What applications tell users of, under kinds of their own.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::content_id::ActivityId;
use crate::domain::text::{check_chars, excerpt};
use crate::error::Error;

const KIND_CHARS_MAX: usize = 128;
pub const SUBJECT_ID_CHARS_MAX: usize = 256;
/// Activities that a notification keeps: the last.
pub const ACTIVITIES_MAX: usize = 50;
const DATA_KEYS_MAX: usize = 50;
const DATA_KEY_CHARS_MAX: usize = 40;
const DATA_TEXT_CHARS_MAX: usize = 4_000;
/// What one activity says, as JSON.
const DATA_BYTES_MAX: usize = 64 << 10;
/// What all activities of a notification say together; the last is kept however long it is.
const ACTIVITIES_BYTES_MAX: usize = 256 << 10;

/// `$` and letters or underscores.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CustomKind(Arc<str>);

impl CustomKind {
    pub fn parse(field: &str, raw: &str) -> Result<Self, Error> {
        let is_letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
        let name = raw.strip_prefix('$').unwrap_or_default();
        if name.is_empty() || raw.len() > KIND_CHARS_MAX || !name.bytes().all(is_letter) {
            let problem =
                format!("must be '$' and letters or '_', at most {KIND_CHARS_MAX} characters");
            return Err(Error::invalid(field, problem));
        }
        Ok(Self(raw.into()))
    }

    /// Takes what a database holds: it was checked when it was written.
    pub fn trusted(raw: impl Into<Arc<str>>) -> Self {
        Self(raw.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CustomKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// One thing that happened to the subject of a notification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Activity {
    pub id: String,
    pub created_at_ms: i64,
    pub data: Map<String, Value>,
}

impl Activity {
    pub fn new(data: Map<String, Value>, created_at_ms: i64) -> Result<Self, Error> {
        check_data(&data)?;
        Ok(Self { id: ActivityId::random()?.to_string(), created_at_ms, data })
    }

    fn bytes(&self) -> usize {
        let text = |value: &Value| value.as_str().map_or(8, str::len);
        self.data.iter().map(|(key, value)| key.len() + text(value)).sum()
    }

    /// Adds it to what happened before, of which it keeps the last within the limits.
    pub fn append_to(self, mut activities: Vec<Self>) -> Vec<Self> {
        activities.push(self);
        let (mut bytes, mut kept) = (0, 0);
        for activity in activities.iter().rev().take(ACTIVITIES_MAX) {
            bytes += activity.bytes();
            if kept > 0 && bytes > ACTIVITIES_BYTES_MAX {
                break;
            }
            kept += 1;
        }
        activities.split_off(activities.len() - kept)
    }
}

/// What a custom notification or a mention in a text is about, by the caller's own name.
pub fn parse_subject(field: &str, raw: &str) -> Result<String, Error> {
    if raw.is_empty() {
        return Err(Error::invalid(field, "must not be empty"));
    }
    check_chars(field, "it", raw, SUBJECT_ID_CHARS_MAX)?;
    Ok(raw.to_owned())
}

fn check_data(data: &Map<String, Value>) -> Result<(), Error> {
    const FIELD: &str = "activityData";
    if data.len() > DATA_KEYS_MAX {
        let problem = format!("must have at most {DATA_KEYS_MAX} keys, got {}", data.len());
        return Err(Error::invalid(FIELD, problem));
    }
    for (key, value) in data {
        check_chars(FIELD, "a key", key, DATA_KEY_CHARS_MAX)?;
        let field = || format!("{FIELD}.{}", excerpt(key));
        match value {
            Value::String(text) => check_chars(&field(), "a text", text, DATA_TEXT_CHARS_MAX)?,
            Value::Number(_) | Value::Bool(_) => {}
            Value::Null | Value::Array(_) | Value::Object(_) => {
                return Err(Error::invalid(field(), "must be a text, a number or a boolean"));
            }
        }
    }
    let bytes = serde_json::to_string(data).map_err(Error::internal)?.len();
    if bytes > DATA_BYTES_MAX {
        let problem = format!("must be at most {DATA_BYTES_MAX} bytes as JSON, got {bytes}");
        return Err(Error::invalid(FIELD, problem));
    }
    Ok(())
}
