//! A live text: styled text that many people edit at once, in an order that the server decides.
//!
//! An edit names the version that it starts from. What other people did since is transformed into
//! it, it makes the next version, and everybody applies what came out.
//!
//! Indices and lengths are UTF-16 code units, as in JavaScript. An edit may cut a surrogate pair in
//! two; each half becomes U+FFFD, so that every index means the same here and in the clients.
//! A format never cuts: it takes the whole pair or none of it.

mod history;
mod op;
mod pieces;
mod transform;

use std::sync::Arc;

pub use history::{History, Remembered};
pub use op::{Attributes, TextOp, WireTextOp};
use pieces::Splice;
pub use pieces::{Pieces, Segment};
pub use transform::Span;

use super::json::Json;
use super::limits::{EDIT_STEPS_MAX, TEXT_OPS_MAX, TEXT_UNITS_MAX, TRANSFORM_STEPS_MAX};
use super::op::TextUpdate;
use super::small_text::SmallText;

#[derive(Debug, Default)]
pub struct TextBody {
    pieces: Pieces,
    version: u64,
    /// Made by the first edit: most texts are only read.
    history: Option<Box<History>>,
}

/// What an update did to the text.
#[derive(Debug)]
pub enum Outcome {
    Done(TextUpdate, Undo),
    /// It was here before; the tail is what its sender added since.
    Repeated {
        ack: TextUpdate,
        tail: Option<(TextUpdate, Undo)>,
    },
    /// Nothing to do, and the sender must hear the version.
    Echo(TextUpdate),
    Rejected(&'static str),
}

/// How to take an accepted update back.
#[derive(Debug)]
pub struct Undo {
    /// In the order of the edits.
    splices: Vec<Splice>,
    op_id: Option<(SmallText, Option<Remembered>)>,
}

impl TextBody {
    /// A text of these segments, which are JSON from a client.
    pub fn new(segments: &Json, version: u64) -> Result<Self, &'static str> {
        let pieces = Pieces::parse(segments)?;
        if pieces.units() > TEXT_UNITS_MAX {
            return Err("The text is too long");
        }
        Ok(Self { pieces, version, history: None })
    }

    pub fn version(&self) -> u64 {
        self.version
    }

    pub fn pieces(&self) -> &Pieces {
        &self.pieces
    }

    pub fn history(&self) -> Option<&History> {
        self.history.as_deref()
    }

    pub fn set_history(&mut self, history: History) {
        self.history = Some(Box::new(history));
    }

    pub fn bytes(&self) -> usize {
        let history = self.history.as_ref().map_or(0, |history| history.bytes());
        size_of::<Self>() + self.pieces.bytes() + history
    }

    pub fn update(&mut self, mut update: TextUpdate, op_id: Option<&str>) -> Outcome {
        let known = op_id.and_then(|op_id| self.history.as_ref()?.remembered(op_id));
        if let (Some(known), Some(op_id)) = (known, op_id) {
            return self.repeat(update, op_id, known);
        }
        if update.base_version > self.version {
            return Outcome::Rejected("The base version of the text is not known yet");
        }
        if update.ops.is_empty() {
            return Outcome::Echo(self.nothing(update.id));
        }
        let ops = std::mem::take(&mut update.ops);
        let accepted = ops.len();
        match self.bring_up_to_date(ops, update.base_version) {
            Ok(ops) => {
                let (update, undo) = self.accept(update.id, ops, op_id, accepted);
                Outcome::Done(update, undo)
            }
            Err(reason) => Outcome::Rejected(reason),
        }
    }

    /// An op that comes again, after a connection was lost before its acknowledgement. Its sender
    /// may have typed on in the meantime: then its edits continue where the accepted ones ended.
    fn repeat(&mut self, mut update: TextUpdate, op_id: &str, known: Remembered) -> Outcome {
        let accepted = update.ops.len();
        let tail = update.ops.split_off(accepted.min(known.edits as usize));
        if tail.is_empty() {
            return Outcome::Repeated { ack: self.nothing(update.id), tail: None };
        }
        match self.bring_up_to_date(tail, known.version) {
            Ok(tail) => {
                let tail = self.accept(update.id.clone(), tail, Some(op_id), accepted);
                // Its sender hears the tail first, so this tells of the version that it made.
                Outcome::Repeated { ack: self.nothing(update.id), tail: Some(tail) }
            }
            Err(reason) => Outcome::Rejected(reason),
        }
    }

    fn nothing(&self, id: SmallText) -> TextUpdate {
        let (base_version, version) = (self.version, Some(self.version));
        TextUpdate { id, base_version, ops: Vec::new(), version, accepted: 0 }
    }

    fn bring_up_to_date(&self, ops: Vec<TextOp>, base: u64) -> Result<Vec<TextOp>, &'static str> {
        let mut ops = ops;
        if base < self.version {
            const TOO_OLD: &str = "The base version of the text is older than its history";
            let history = self.history.as_ref().ok_or(TOO_OLD)?;
            let newer = history.since(self.version, base).ok_or(TOO_OLD)?;
            let mut steps = TRANSFORM_STEPS_MAX;
            ops = transform::over(ops, newer, &mut steps)
                .ok_or("The edit of the text is too far behind")?;
        }
        let inserted: usize = ops.iter().map(TextOp::inserted_units).sum();
        if self.pieces.units() + inserted > TEXT_UNITS_MAX {
            return Err("The text is too long");
        }
        if ops.len() > TEXT_OPS_MAX || ops.len() * self.pieces.len() > EDIT_STEPS_MAX {
            return Err("The edit of the text is too large");
        }
        Ok(ops)
    }

    /// Applies edits that start from the version of now. `accepted` is how many edits of the
    /// client's op are in the text with these.
    pub fn accept(
        &mut self,
        id: SmallText,
        ops: Vec<TextOp>,
        op_id: Option<&str>,
        accepted: usize,
    ) -> (TextUpdate, Undo) {
        let mut done = Vec::with_capacity(ops.len());
        let mut splices = Vec::with_capacity(ops.len());
        for op in ops {
            // Others must do what happened here, so an edit beyond the end is cut to it.
            if let Some(op) = op.clamp(self.pieces.units()) {
                splices.push(self.pieces.edit(&op));
                done.push(op);
            }
        }
        let base_version = self.version;
        self.version = base_version.saturating_add(1);
        let accepted = u32::try_from(accepted).unwrap_or(u32::MAX);
        let history = self.history.get_or_insert_default();
        history.push(done.iter().filter_map(TextOp::span).collect());
        let op_id = op_id.map(|op_id| {
            let remembered = Remembered { version: self.version, edits: accepted };
            (SmallText::from(op_id), history.remember(op_id, remembered))
        });
        let version = Some(self.version);
        let update = TextUpdate { id, base_version, ops: done, version, accepted };
        (update, Undo { splices, op_id })
    }

    pub fn undo(&mut self, undo: Undo) {
        for splice in undo.splices.into_iter().rev() {
            self.pieces.undo(splice);
        }
        self.version = self.version.saturating_sub(1);
        if let Some(history) = &mut self.history {
            history.pop();
            if let Some((op_id, before)) = undo.op_id {
                history.forget(&op_id, before);
            }
        }
    }

    /// Forgets what is older than has to be kept. Not part of an edit, which can be undone.
    pub fn trim(&mut self) {
        if let Some(history) = &mut self.history {
            history.trim();
        }
    }
}

/// The attributes of a piece, or none.
type Style = Option<Arc<Attributes>>;

#[cfg(test)]
pub(super) mod tests;
