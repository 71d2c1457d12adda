//! The plain values of a live object, by key.

use std::collections::BTreeMap;

use super::json::Json;
use super::small_text::SmallText;

/// An object of more keys than this is a map: inserting into a list would begin to show.
const FEW_MAX: usize = 128;

#[derive(Debug, Clone)]
pub enum Plain {
    /// In the order of the keys.
    Few(Vec<(SmallText, Json)>),
    #[expect(clippy::box_collection, reason = "without the box every node is 8 bytes larger")]
    Many(Box<BTreeMap<SmallText, Json>>),
}

impl Default for Plain {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Plain {
    /// Of two entries with one key the later one counts, as in JavaScript.
    pub fn new(entries: Vec<(SmallText, Json)>) -> Self {
        if entries.len() > FEW_MAX {
            return Self::Many(Box::new(entries.into_iter().collect()));
        }
        let mut few = Self::Few(Vec::with_capacity(entries.len()));
        for (key, value) in entries {
            few.insert(key, value);
        }
        few
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Few(entries) => entries.len(),
            Self::Many(entries) => entries.len(),
        }
    }

    pub fn get(&self, key: &str) -> Option<&Json> {
        match self {
            Self::Few(entries) => {
                let at = find(entries, key).ok()?;
                entries.get(at).map(|(_, value)| value)
            }
            Self::Many(entries) => entries.get(key),
        }
    }

    pub fn insert(&mut self, key: SmallText, value: Json) -> Option<Json> {
        match self {
            Self::Few(entries) => match find(entries, &key) {
                Ok(at) => entries.get_mut(at).map(|entry| std::mem::replace(&mut entry.1, value)),
                Err(at) => {
                    entries.insert(at, (key, value));
                    if entries.len() > FEW_MAX {
                        *self = Self::Many(Box::new(std::mem::take(entries).into_iter().collect()));
                    }
                    None
                }
            },
            Self::Many(entries) => entries.insert(key, value),
        }
    }

    pub fn remove(&mut self, key: &str) -> Option<Json> {
        match self {
            Self::Few(entries) => {
                find(entries, key).ok().map(|at| entries.remove(at)).map(|(_, value)| value)
            }
            Self::Many(entries) => entries.remove(key),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        let (few, many) = match self {
            Self::Few(entries) => (Some(entries), None),
            Self::Many(entries) => (None, Some(entries)),
        };
        let few = few.into_iter().flatten().map(|(key, value)| (key.as_str(), value));
        few.chain(many.into_iter().flat_map(|map| map.iter()).map(|(key, value)| (&**key, value)))
    }

    pub fn heap_bytes(&self) -> usize {
        self.iter().map(|(key, value)| entry_bytes(key, value)).sum()
    }
}

/// What an entry adds to the memory of its object.
pub fn entry_bytes(key: &str, value: &Json) -> usize {
    2 * size_of::<SmallText>() + key.len() + value.heap_bytes()
}

fn find(entries: &[(SmallText, Json)], key: &str) -> Result<usize, usize> {
    entries.binary_search_by(|(found, _)| found.as_bytes().cmp(key.as_bytes()))
}
