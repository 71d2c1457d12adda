//! What somebody shows of themselves: the last full presence and the patches since.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::message::RawJson;

/// Patches that are kept apart before they are merged. Merging parses, and most rooms never need
/// the whole. Onto a large presence it waits for as much in patches, so that none costs more to
/// merge than it is long, however many come.
const PATCHES_MAX: usize = 64;
/// What a patch takes in memory besides its text.
const PATCH_OVERHEAD_BYTES: usize = 64;
/// A presence that is larger is forwarded and not kept: newcomers get it from its owner alone.
const PRESENCE_BYTES_MAX: usize = 1 << 20;

#[derive(Debug, Default)]
pub struct Presence {
    full: Option<RawJson>,
    patches: Vec<RawJson>,
    patches_bytes: usize,
}

impl Presence {
    pub fn replace(&mut self, full: RawJson) {
        self.forget_patches();
        self.full = (full.get().len() <= PRESENCE_BYTES_MAX).then_some(full);
    }

    /// The same, and gives it back.
    pub fn replace_with(&mut self, full: RawJson) -> RawJson {
        self.replace(RawJson::clone(&full));
        full
    }

    /// Without a full presence there is nothing to patch.
    pub fn patch(&mut self, patch: RawJson) {
        let Some(full) = &self.full else { return };
        self.patches_bytes += PATCH_OVERHEAD_BYTES + patch.get().len();
        let is_worth_it = self.patches_bytes >= full.get().len();
        self.patches.push(patch);
        if self.patches.len() >= PATCHES_MAX && is_worth_it {
            self.merge();
        }
    }

    fn forget_patches(&mut self) {
        self.patches = Vec::new();
        self.patches_bytes = 0;
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
        self.forget_patches();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

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

    #[test]
    fn patches_of_a_large_presence_are_merged_once_they_are_as_long() {
        let large = format!(r#"{{"large":"{}"}}"#, "x".repeat(PRESENCE_BYTES_MAX / 2));
        let mut presence = Presence::default();
        presence.replace(raw(&large));
        let patch = raw(r#"{"x":1}"#);
        let cost = PATCH_OVERHEAD_BYTES + patch.get().len();
        let mut merges = 0;
        for _ in 0..10 * large.len() / cost {
            presence.patch(Arc::clone(&patch));
            merges += usize::from(presence.patches.is_empty());
            assert!(presence.patches_bytes < large.len() + 2 * cost);
        }
        assert!((8..=10).contains(&merges), "{merges}");
    }
}
