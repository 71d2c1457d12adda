//! A text that needs no allocation while it is short.
//!
//! Ids, keys, positions and most values are shorter than 23 bytes, and a document holds some of
//! each per node. A longer one is shared, so that an op, the tree and the journal hold one copy.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

const INLINE_BYTES_MAX: usize = 22;

#[derive(Clone)]
enum Repr {
    Inline { len: u8, bytes: [u8; INLINE_BYTES_MAX] },
    Shared(Arc<str>),
}

#[derive(Clone)]
pub struct SmallText(Repr);

impl SmallText {
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Repr::Shared(text) => text.as_bytes(),
        }
    }

    pub fn as_str(&self) -> &str {
        match &self.0 {
            // It was made from a text, so this never takes the default.
            Repr::Inline { .. } => std::str::from_utf8(self.as_bytes()).unwrap_or_default(),
            Repr::Shared(text) => text,
        }
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Repr::Inline { .. } => 0,
            Repr::Shared(text) => text.len() + 2 * size_of::<usize>(),
        }
    }
}

impl From<&str> for SmallText {
    fn from(text: &str) -> Self {
        let mut bytes = [0; INLINE_BYTES_MAX];
        match bytes.get_mut(..text.len()) {
            Some(place) => {
                place.copy_from_slice(text.as_bytes());
                // It fits into 22 bytes.
                Self(Repr::Inline { len: text.len() as u8, bytes })
            }
            None => Self(Repr::Shared(text.into())),
        }
    }
}

impl From<String> for SmallText {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<&String> for SmallText {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl Default for SmallText {
    fn default() -> Self {
        "".into()
    }
}

impl Deref for SmallText {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for SmallText {
    fn borrow(&self) -> &str {
        self
    }
}

impl Hash for SmallText {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl PartialEq for SmallText {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for SmallText {}

impl PartialEq<str> for SmallText {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for SmallText {
    fn eq(&self, other: &&str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialOrd for SmallText {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SmallText {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl fmt::Debug for SmallText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Display for SmallText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_back_as_it_went_in() {
        for len in 0..60 {
            let text = "é".repeat(len / 2) + &"x".repeat(len % 2);
            let small = SmallText::from(text.as_str());
            assert_eq!(small.as_str(), text);
            assert_eq!(small.heap_bytes() > 0, text.len() > INLINE_BYTES_MAX);
        }
        assert_eq!(size_of::<SmallText>(), 24);
    }
}
