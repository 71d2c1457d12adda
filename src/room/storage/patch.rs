//! JSON Patch (RFC 6902) on a live document.
//!
//! Every operation becomes ordinary ops, so that the people in the room see what happened and keep
//! what they have: a moved item of a list stays the same node, a patched text keeps its other
//! letters. A patch happens as a whole or not at all.
//!
//! # What a path can name
//!
//! Fields of a LiveObject, entries of a LiveMap and items of a LiveList, as deep as they are live.
//! A path cannot lead into plain JSON. It can lead into a LiveText through its `data`:
//! `/text/data/0/0` is the text of the first segment.
//!
//! # What a value becomes
//!
//! An object or a list that `add` or `replace` brings becomes a LiveObject or a LiveList, and so do
//! those in it. A value in the form of plain LSON becomes what it says, with the plain values in it
//! left plain. `copy` and `move` keep what is plain plain and what is live live, under new ids.

mod copy;
mod equal;
mod parse;
mod pointer;
mod run;
mod segments;
mod target;
#[cfg(test)]
mod tests;

use serde_json::Value;

use self::pointer::Pointer;
use self::run::Runner;
use super::document::Document;
use super::op::Op;
use crate::error::{Code, Error};

/// Operations of one patch.
pub const PATCH_OPERATIONS_MAX: usize = 10_000;
/// Ops that one patch may become. Without it, copying copies would double with each operation.
pub const PATCH_OPS_MAX: usize = 100_000;
/// Bytes of the values that one patch reads and writes, a text counting whenever it is touched.
pub const PATCH_BYTES_MAX: usize = 64 * 1024 * 1024;

#[derive(Debug, Clone, PartialEq)]
pub enum PatchOp {
    Add { path: Pointer, value: Value },
    Remove { path: Pointer },
    Replace { path: Pointer, value: Value },
    Move { from: Pointer, path: Pointer },
    Copy { from: Pointer, path: Pointer },
    Test { path: Pointer, value: Value },
}

/// A body that is no patch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct BadPatch {
    /// Which operation it is about, from 0. `None` for the body as a whole.
    pub index: Option<usize>,
    /// It names the operation, too.
    pub problem: String,
}

/// The operation that could not be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("operation {index} ({op} '{path}') failed: {reason}")]
pub struct PatchError {
    /// From 0.
    pub index: usize,
    pub op: &'static str,
    pub path: String,
    pub reason: String,
}

/// Applies a patch and returns what it became, in order, for everybody in the room.
///
/// It begins a transaction of the document, or joins the one that has begun. After an error
/// everything since the beginning is rolled back; after success the caller ends it, with `commit`
/// or `rollback`, which leaves room to hold the result against a schema.
pub fn apply_patch(
    document: &mut Document,
    patch: &[PatchOp],
    new_id: &mut dyn FnMut() -> String,
) -> Result<Vec<Op>, PatchError> {
    document.begin();
    let mut runner = Runner::new(document, new_id);
    for (index, op) in patch.iter().enumerate() {
        if let Err(reason) = runner.run(op) {
            document.rollback();
            let path = op.path().to_string();
            return Err(PatchError { index, op: op.name(), path, reason });
        }
    }
    Ok(runner.finish())
}

impl PatchOp {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Add { .. } => "add",
            Self::Remove { .. } => "remove",
            Self::Replace { .. } => "replace",
            Self::Move { .. } => "move",
            Self::Copy { .. } => "copy",
            Self::Test { .. } => "test",
        }
    }

    /// What is to be written or compared.
    pub fn value(&self) -> Option<&Value> {
        match self {
            Self::Add { value, .. } | Self::Replace { value, .. } | Self::Test { value, .. } => {
                Some(value)
            }
            Self::Remove { .. } | Self::Move { .. } | Self::Copy { .. } => None,
        }
    }

    pub fn path(&self) -> &Pointer {
        match self {
            Self::Add { path, .. }
            | Self::Remove { path }
            | Self::Replace { path, .. }
            | Self::Move { path, .. }
            | Self::Copy { path, .. }
            | Self::Test { path, .. } => path,
        }
    }
}

impl From<BadPatch> for Error {
    fn from(bad: BadPatch) -> Self {
        let field = bad.index.map_or_else(|| "body".to_owned(), |index| index.to_string());
        Self::invalid(field, bad.problem)
    }
}

impl From<PatchError> for Error {
    fn from(error: PatchError) -> Self {
        const REASON: &str = "INVALID_STORAGE_MUTATION_REQUEST";
        Self::new(Code::InvalidArgument, REASON, error.to_string())
            .suggest("Nothing was changed. Read the document again and correct the patch.")
    }
}
