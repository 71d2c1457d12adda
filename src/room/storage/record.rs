//! What the log keeps of an op that was applied: bytes that make the same document again.
//!
//! A record is the final op in the JSON of the wire, with the id under which it came. For an update
//! of a text it also tells how many edits of its sender are in, which a repeated op is measured by.

use super::arena::Content;
use super::document::{Applied, Document};
use super::json::write_number;
use super::limits::Limits;
use super::op::{Op, TextUpdate};
use super::op_json;

/// Stored bytes that make no document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stored storage is corrupt: {0}")]
pub struct Corrupt(pub &'static str);

/// Appends the record of an op that `apply` reported: the `op` of `Done`, or the `tail` of
/// `Repeated`. Nothing else changes the document. The record has no line feed.
pub fn encode_record(op: &Op, op_id: Option<&str>, out: &mut Vec<u8>) {
    op.write_json(op_id, out);
    if let Op::UpdateText(update) = op {
        out.pop();
        out.extend_from_slice(b",\"accepted\":");
        write_number(u64::from(update.accepted), out);
        out.push(b'}');
    }
}

impl Document {
    /// Does again what a record tells. The document must be as it was before the op.
    pub fn replay(&mut self, record: &[u8]) -> Result<(), Corrupt> {
        let text = std::str::from_utf8(record).map_err(|_| Corrupt("a record is not UTF-8"))?;
        let (op_id, op) = op_json::read(text).map_err(|_| Corrupt("a record is not an op"))?;
        match op {
            Op::UpdateText(update) => self.replay_text(update, op_id.as_deref()),
            op => self.replay_op(op),
        }
    }

    fn replay_op(&mut self, op: Op) -> Result<(), Corrupt> {
        // What was accepted once is accepted whatever the limits are today.
        let limits = std::mem::replace(&mut self.limits, Limits::NONE);
        let applied = self.apply(op.clone(), None);
        self.limits = limits;
        match applied {
            Applied::Done { op: done, .. } if done == op => Ok(()),
            _ => Err(Corrupt("a record does not follow from those before it")),
        }
    }

    fn replay_text(&mut self, update: TextUpdate, op_id: Option<&str>) -> Result<(), Corrupt> {
        const MISFIT: Corrupt = Corrupt("a record of a text does not follow from its version");
        let node = self.find(&update.id).and_then(|place| self.arena.get_mut(place));
        let Some(Content::Text(text)) = node.map(|node| &mut node.content) else {
            return Err(MISFIT);
        };
        if update.base_version != text.version() {
            return Err(MISFIT);
        }
        let before = text.bytes();
        text.accept(update.id, update.ops, op_id, update.accepted as usize);
        text.trim();
        self.bytes = (self.bytes + text.bytes()).saturating_sub(before);
        Ok(())
    }
}
