//! What a text remembers of its accepted updates.

use std::collections::{HashMap, VecDeque};

use super::Span;
use crate::room::storage::limits::{HISTORY_SPANS_MAX, HISTORY_VERSIONS_MAX, OP_IDS_MAX};
use crate::room::storage::small_text::SmallText;

/// The version that an op made, and how many of its edits were in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remembered {
    pub version: u64,
    pub edits: u32,
}

#[derive(Debug, Default, PartialEq)]
pub struct History {
    /// What each of the last versions did, the newest at the end.
    versions: VecDeque<Box<[Span]>>,
    spans: usize,
    /// On the heap, of the ids in `order`.
    id_bytes: usize,
    op_ids: HashMap<SmallText, Remembered>,
    /// The order in which they came. An id that came again is in it twice; only its newest counts.
    order: VecDeque<(SmallText, u64)>,
}

impl History {
    /// About what it takes in memory.
    pub fn bytes(&self) -> usize {
        const VERSION_BYTES: usize = size_of::<Box<[Span]>>();
        /// In the order, and in the table with its share of what is free there.
        const OP_ID_BYTES: usize =
            size_of::<(SmallText, u64)>() + 2 * size_of::<(SmallText, Remembered)>();
        self.versions.len() * VERSION_BYTES
            + self.spans * size_of::<Span>()
            + self.order.len() * OP_ID_BYTES
            + self.id_bytes
    }

    pub fn push(&mut self, spans: Box<[Span]>) {
        self.spans += spans.len();
        self.versions.push_back(spans);
    }

    pub fn pop(&mut self) {
        self.spans -= self.versions.pop_back().map_or(0, |spans| spans.len());
    }

    /// Everything done between `base` and `version`, which is the newest. `None` when some of it is
    /// forgotten.
    pub fn since(&self, version: u64, base: u64) -> Option<impl Iterator<Item = Span> + '_> {
        let missed = usize::try_from(version.checked_sub(base)?).ok()?;
        let first = self.versions.len().checked_sub(missed)?;
        Some(self.versions.range(first..).flatten().copied())
    }

    pub fn remembered(&self, op_id: &str) -> Option<Remembered> {
        self.op_ids.get(op_id).copied()
    }

    pub fn remember(&mut self, op_id: &str, remembered: Remembered) -> Option<Remembered> {
        let op_id = SmallText::from(op_id);
        self.id_bytes += op_id.heap_bytes();
        self.order.push_back((op_id.clone(), remembered.version));
        self.op_ids.insert(op_id, remembered)
    }

    /// Takes the last `remember` back.
    pub fn forget(&mut self, op_id: &SmallText, before: Option<Remembered>) {
        if let Some((op_id, _)) = self.order.pop_back() {
            self.id_bytes -= op_id.heap_bytes();
        }
        match before {
            Some(before) => self.op_ids.insert(op_id.clone(), before),
            None => self.op_ids.remove(op_id),
        };
    }

    pub fn trim(&mut self) {
        while self.versions.len() > HISTORY_VERSIONS_MAX
            || (self.spans > HISTORY_SPANS_MAX && self.versions.len() > 1)
        {
            self.spans -= self.versions.pop_front().map_or(0, |spans| spans.len());
        }
        while self.order.len() > OP_IDS_MAX {
            let Some((op_id, version)) = self.order.pop_front() else { return };
            self.id_bytes -= op_id.heap_bytes();
            if self.remembered(&op_id).is_some_and(|found| found.version == version) {
                self.op_ids.remove(&op_id);
            }
        }
    }

    /// The oldest first.
    pub fn versions(&self) -> impl Iterator<Item = &[Span]> {
        self.versions.iter().map(AsRef::as_ref)
    }

    /// In the order in which they must be remembered again.
    pub fn op_ids(&self) -> impl Iterator<Item = (&str, Remembered)> {
        self.order.iter().filter_map(|(op_id, version)| {
            let found = self.remembered(op_id)?;
            (found.version == *version).then_some((op_id.as_str(), found))
        })
    }
}
