//! A room's metadata: small texts that rooms are found by.

use std::collections::BTreeMap;

use super::text::{check_chars, excerpt};
use crate::error::Error;

/// Keys of one room.
pub const METADATA_KEYS_MAX: usize = 50;
pub const METADATA_KEY_CHARS_MAX: usize = 40;
/// Characters of a value; of a list, of each of its texts.
pub const METADATA_VALUE_CHARS_MAX: usize = 256;
/// Texts in one list.
pub const METADATA_LIST_LEN_MAX: usize = 50;

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum MetadataValue {
    One(String),
    Many(Vec<String>),
}

pub type RoomMetadata = BTreeMap<String, MetadataValue>;

impl MetadataValue {
    /// The value, or each value of the list.
    pub fn texts(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }
}

impl From<&str> for MetadataValue {
    fn from(text: &str) -> Self {
        Self::One(text.to_owned())
    }
}

pub fn check_room_metadata(metadata: &RoomMetadata) -> Result<(), Error> {
    if metadata.len() > METADATA_KEYS_MAX {
        let problem = format!("must have at most {METADATA_KEYS_MAX} keys, got {}", metadata.len());
        return Err(Error::invalid("metadata", problem));
    }
    metadata.iter().try_for_each(|(key, value)| check_entry(key, value))
}

fn check_entry(key: &str, value: &MetadataValue) -> Result<(), Error> {
    if key.is_empty() {
        return Err(Error::invalid("metadata", "a key must not be empty"));
    }
    check_chars("metadata", "a key", key, METADATA_KEY_CHARS_MAX)?;
    let field = format!("metadata.{}", excerpt(key));
    let texts = value.texts();
    if texts.len() > METADATA_LIST_LEN_MAX {
        let problem =
            format!("must have at most {METADATA_LIST_LEN_MAX} values, got {}", texts.len());
        return Err(Error::invalid(field, problem));
    }
    texts.iter().try_for_each(|text| check_chars(&field, "a value", text, METADATA_VALUE_CHARS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(key: &str, value: MetadataValue) -> RoomMetadata {
        RoomMetadata::from([(key.to_owned(), value)])
    }

    fn refusal(metadata: &RoomMetadata) -> String {
        check_room_metadata(metadata).unwrap_err().public().to_owned()
    }

    #[test]
    fn metadata_at_its_limits_is_accepted() {
        // Characters count, not bytes: each of these has two.
        let key = |n: usize| format!("{n:02}{}", "é".repeat(METADATA_KEY_CHARS_MAX - 2));
        let text = "é".repeat(METADATA_VALUE_CHARS_MAX);
        let value = MetadataValue::Many(vec![text; METADATA_LIST_LEN_MAX]);
        let metadata: RoomMetadata =
            (0..METADATA_KEYS_MAX).map(|n| (key(n), value.clone())).collect();
        check_room_metadata(&metadata).unwrap();
        check_room_metadata(&RoomMetadata::new()).unwrap();
        check_room_metadata(&one("k", MetadataValue::Many(vec![]))).unwrap();
        check_room_metadata(&one("k", "".into())).unwrap();
    }

    #[test]
    fn what_is_over_a_limit_is_named() {
        let many: RoomMetadata =
            (0..=METADATA_KEYS_MAX).map(|n| (n.to_string(), "".into())).collect();
        assert_eq!(
            refusal(&many),
            "Invalid value for field 'metadata': must have at most 50 keys, got 51"
        );
        assert!(refusal(&one("", "v".into())).contains("must not be empty"));
        assert!(refusal(&one(&"k".repeat(41), "v".into())).contains("at most 40 characters"));
        assert!(refusal(&one("k\0", "v".into())).contains("NUL"));
        assert!(refusal(&one("k", "v\0".into())).contains("'metadata.k'"));
        let long = refusal(&one("k", "v".repeat(100_000).as_str().into()));
        assert!(long.contains("at most 256 characters, got 100000"), "{long}");
        assert!(long.len() < 250, "{long}");
        let list = MetadataValue::Many(vec![String::new(); METADATA_LIST_LEN_MAX + 1]);
        assert!(refusal(&one("k", list)).contains("at most 50 values, got 51"));
    }

    #[test]
    fn json_is_a_text_or_a_list() {
        let metadata: RoomMetadata = serde_json::from_str(r#"{"a":"b","c":["d","e"]}"#).unwrap();
        assert_eq!(metadata["a"].texts(), ["b"]);
        assert_eq!(metadata["c"].texts(), ["d", "e"]);
        assert_eq!(serde_json::to_string(&metadata).unwrap(), r#"{"a":"b","c":["d","e"]}"#);
        assert!(serde_json::from_str::<RoomMetadata>(r#"{"a":1}"#).is_err());
    }
}
