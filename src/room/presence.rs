//! What somebody shows of themselves: the last full presence and the patches since.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::message::RawJson;

/// Patches that are kept apart before they are merged. Merging parses, and most rooms never need
/// the whole.
const PATCHES_MAX: usize = 64;
/// A presence that is larger is forwarded and not kept: newcomers get it from its owner alone.
const PRESENCE_BYTES_MAX: usize = 1 << 20;

#[derive(Debug, Default)]
pub struct Presence {
    full: Option<RawJson>,
    patches: Vec<RawJson>,
}

impl Presence {
    pub fn replace(&mut self, full: RawJson) {
        self.patches.clear();
        self.full = (full.get().len() <= PRESENCE_BYTES_MAX).then_some(full);
    }

    /// Without a full presence there is nothing to patch.
    pub fn patch(&mut self, patch: RawJson) {
        if self.full.is_none() {
            return;
        }
        self.patches.push(patch);
        if self.patches.len() >= PATCHES_MAX {
            self.merge();
        }
    }

    /// All that this member shows now, if it ever showed anything.
    pub fn full(&mut self) -> Option<RawJson> {
        self.merge();
        self.full.clone()
    }

    fn merge(&mut self) {
        if self.patches.is_empty() {
            return;
        }
        let Some(full) = self.full.take() else { return };
        let mut merged: BTreeMap<String, &RawValue> = BTreeMap::new();
        for part in std::iter::once(&full).chain(&self.patches) {
            // The codec lets objects through only; anything else would change nothing.
            let part: BTreeMap<String, &RawValue> =
                serde_json::from_str(part.get()).unwrap_or_default();
            merged.extend(part);
        }
        let merged = serde_json::value::to_raw_value(&merged).ok().map(RawJson::from);
        self.full = merged.filter(|merged| merged.get().len() <= PRESENCE_BYTES_MAX);
        self.patches.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> RawJson {
        RawValue::from_string(text.to_owned()).unwrap().into()
    }

    #[test]
    fn patches_change_what_was_shown_and_null_is_a_value() {
        let mut presence = Presence::default();
        presence.patch(raw(r#"{"lost":1}"#));
        assert!(presence.full().is_none());
        presence.replace(raw(r#"{"cursor":{"x":1},"name":"a"}"#));
        presence.patch(raw(r#"{"cursor":null}"#));
        presence.patch(raw(r#"{"color":"red"}"#));
        let full = presence.full().unwrap();
        assert_eq!(full.get(), r#"{"color":"red","cursor":null,"name":"a"}"#);
    }

    #[test]
    fn many_patches_take_no_more_memory_than_a_few() {
        let mut presence = Presence::default();
        presence.replace(raw("{}"));
        for x in 0..10_000 {
            presence.patch(raw(&format!(r#"{{"x":{x}}}"#)));
            assert!(presence.patches.len() <= PATCHES_MAX);
        }
        assert_eq!(presence.full().unwrap().get(), r#"{"x":9999}"#);
    }
}
