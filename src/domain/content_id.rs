//! Ids of what rooms hold besides documents: a prefix that says what it is, and random characters.
//! Clients make them, or the server does.

use std::fmt;
use std::sync::Arc;

use crate::error::Error;

/// Bytes of an id, its prefix included; those that are made by servers and SDKs have 24.
pub const CONTENT_ID_BYTES_MAX: usize = 64;
/// Random characters after the prefix, of 64 kinds each.
const RANDOM_CHARS: usize = 21;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

fn check(field: &str, raw: &str, prefix: &str, what: &str) -> Result<(), Error> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let fits = (prefix.len() + 1..=CONTENT_ID_BYTES_MAX).contains(&raw.len());
    if fits && raw.starts_with(prefix) && raw.bytes().all(is_word) {
        return Ok(());
    }
    let problem = format!(
        "must be the id of {what}: '{prefix}' and letters, digits, '_' or '-', at most \
         {CONTENT_ID_BYTES_MAX} bytes"
    );
    Err(Error::invalid(field, problem))
}

fn random(prefix: &str) -> Result<String, Error> {
    let mut bytes = [0_u8; RANDOM_CHARS];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::internal("no randomness"))?;
    let chars = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 64)]));
    Ok(prefix.chars().chain(chars).collect())
}

macro_rules! content_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks what a caller sent; `field` names it in the error.
            pub fn parse(field: &str, raw: &str) -> Result<Self, Error> {
                check(field, raw, $prefix, $what)?;
                Ok(Self(raw.into()))
            }

            pub fn random() -> Result<Self, Error> {
                random($prefix).map(|id| Self(id.into()))
            }

            /// Takes what a database holds: it was checked when it was written.
            pub fn trusted(raw: impl Into<Arc<str>>) -> Self {
                Self(raw.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// For what outlives the id, without a copy.
            pub fn to_arc(&self) -> Arc<str> {
                Arc::clone(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

content_id!(
    /// A thread of comments, unique in its room.
    ThreadId,
    "th_",
    "a thread"
);
content_id!(
    /// A comment, unique in its thread.
    CommentId,
    "cm_",
    "a comment"
);
content_id!(
    /// A file that a comment comes with, unique in its room.
    AttachmentId,
    "at_",
    "an attachment"
);
content_id!(
    /// A notification in an inbox, unique in its project.
    NotificationId,
    "in_",
    "an inbox notification"
);
content_id!(
    /// One thing that happened to what a notification is about.
    ActivityId,
    "ac_",
    "an activity"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_are_made_are_taken_and_differ() {
        let (one, other) = (ThreadId::random().unwrap(), ThreadId::random().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.as_str().len(), 24);
        assert_eq!(ThreadId::parse("id", one.as_str()).unwrap(), one);
    }

    #[test]
    fn ids_of_another_kind_or_of_odd_characters_are_refused() {
        let long = format!("th_{}", "x".repeat(CONTENT_ID_BYTES_MAX - 2));
        for raw in ["", "th_", "cm_abc", "th_a/b", "th_é", "th_a\0", &long] {
            let error = ThreadId::parse("threadId", raw).unwrap_err();
            assert!(error.public().contains("'th_'"), "{raw}: {}", error.public());
        }
    }
}
