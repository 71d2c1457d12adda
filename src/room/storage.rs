//! The Storage document of a room: a tree of live objects, lists, maps, texts, files and values.
//!
//! Everything here is pure: an op goes in, the tree changes, and what other people must hear comes
//! out. Permissions, sockets, the log and the clock are the caller's.
//!
//! Invariant: the same ops in the same order give the same document, whoever replays them.

mod apply;
mod arena;
mod build;
mod children;
mod document;
mod edit;
mod ids;
mod json;
mod limits;
pub mod lson;
mod node_ref;
mod op;
mod op_json;
pub mod patch;
mod plain;
mod record;
mod small_text;
mod snapshot;
#[cfg(test)]
pub(super) mod tests;
mod text;
pub mod validate;
mod write;

pub use document::{Applied, Document};
pub use json::Json;
pub use limits::Limits;
pub use node_ref::{FileRef, Kind, NodeRef, TextRef};
pub use op::{Body, Create, Intent, Op, TextUpdate};
pub use op_json::{BadOp, write_ack};
pub use record::{Corrupt, encode_record};
pub use small_text::SmallText;
pub use snapshot::SnapshotChunks;
pub use text::{Attributes, Segment, TextOp};
pub use write::{NodeChunks, NodeForm};
