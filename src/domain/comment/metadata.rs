//! What applications keep with threads and comments: small values that threads are found by.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};

use crate::domain::text::{check_chars, excerpt};
use crate::error::Error;

/// Keys of one thread or comment.
pub const METADATA_KEYS_MAX: usize = 50;
pub const METADATA_KEY_CHARS_MAX: usize = 40;
/// Characters of a value that is a text.
pub const METADATA_TEXT_CHARS_MAX: usize = 4_000;

/// A value of metadata.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum MetadataScalar {
    Flag(bool),
    /// Finite.
    Number(f64),
    Text(String),
}

/// Metadata within its limits.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct CommentMetadata(BTreeMap<String, MetadataScalar>);

/// Keys with their new values; nothing removes its key.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MetadataPatch(BTreeMap<String, Option<MetadataScalar>>);

impl CommentMetadata {
    /// Checks what a caller sent; `field` is how the metadata is reached in the request.
    pub fn from_json(field: &str, given: Map<String, Value>) -> Result<Self, Error> {
        let read = |(key, value): (String, Value)| match read_value(field, &key, value)? {
            Some(value) => Ok((key, value)),
            None => Err(Error::invalid(place(field, &key), "must not be null")),
        };
        let metadata = given.into_iter().map(read).collect::<Result<_, _>>().map(Self)?;
        metadata.check_keys(field)?;
        Ok(metadata)
    }

    /// Takes what a database holds: it was checked when it was written.
    pub fn stored(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json)
    }

    /// As a database keeps it.
    pub fn to_text(&self) -> String {
        Value::Object(self.to_json()).to_string()
    }

    pub fn to_json(&self) -> Map<String, Value> {
        self.0.iter().map(|(key, value)| (key.clone(), value.to_json())).collect()
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &MetadataScalar)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    pub fn get(&self, key: &str) -> Option<&MetadataScalar> {
        self.0.get(key)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts a patch over it, if what comes out is within the limits; else nothing changes.
    pub fn merge(&mut self, field: &str, patch: MetadataPatch) -> Result<(), Error> {
        let mut merged = self.clone();
        for (key, value) in patch.0 {
            match value {
                Some(value) => drop(merged.0.insert(key, value)),
                None => drop(merged.0.remove(&key)),
            }
        }
        merged.check_keys(field)?;
        *self = merged;
        Ok(())
    }

    fn check_keys(&self, field: &str) -> Result<(), Error> {
        if self.0.len() > METADATA_KEYS_MAX {
            let problem =
                format!("must have at most {METADATA_KEYS_MAX} keys, got {}", self.0.len());
            return Err(Error::invalid(field, problem));
        }
        Ok(())
    }
}

impl MetadataPatch {
    /// Checks what a caller sent; a null removes its key.
    pub fn from_json(field: &str, given: Map<String, Value>) -> Result<Self, Error> {
        let read = |(key, value): (String, Value)| {
            let value = read_value(field, &key, value)?;
            Ok((key, value))
        };
        given.into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl MetadataScalar {
    pub fn to_json(&self) -> Value {
        match self {
            Self::Flag(flag) => Value::Bool(*flag),
            Self::Number(number) => json_number(*number).map_or(Value::Null, Value::Number),
            Self::Text(text) => Value::String(text.clone()),
        }
    }
}

/// Whole numbers are written without a fraction, as JavaScript writes them.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
fn json_number(number: f64) -> Option<Number> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    let is_whole = number.fract() == 0.0 && number.abs() <= EXACT_MAX;
    if is_whole { Some(Number::from(number as i64)) } else { Number::from_f64(number) }
}

fn place(field: &str, key: &str) -> String {
    format!("{field}.{}", excerpt(key))
}

fn read_value(field: &str, key: &str, value: Value) -> Result<Option<MetadataScalar>, Error> {
    if key.is_empty() {
        return Err(Error::invalid(field, "a key must not be empty"));
    }
    check_chars(field, "a key", key, METADATA_KEY_CHARS_MAX)?;
    let problem = "must be a string, a number or a boolean";
    match value {
        Value::Null => Ok(None),
        Value::Bool(flag) => Ok(Some(MetadataScalar::Flag(flag))),
        Value::Number(number) => match number.as_f64().filter(|number| number.is_finite()) {
            Some(number) => Ok(Some(MetadataScalar::Number(number))),
            None => Err(Error::invalid(place(field, key), problem)),
        },
        Value::String(text) => {
            check_chars(&place(field, key), "a value", &text, METADATA_TEXT_CHARS_MAX)?;
            Ok(Some(MetadataScalar::Text(text)))
        }
        Value::Array(_) | Value::Object(_) => Err(Error::invalid(place(field, key), problem)),
    }
}
