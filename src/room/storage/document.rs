//! The document: the tree, and what it takes to change it.

use std::borrow::Cow;
use std::fmt;

use super::arena::{Arena, Content, NOWHERE, Node, ROOT};
use super::edit::Undo;
use super::ids::IdIndex;
use super::limits::Limits;
use super::node_ref::NodeRef;
use super::op::Op;
use super::plain::Plain;

pub const ROOT_ID: &str = "root";

pub struct Document {
    pub(super) arena: Arena,
    pub(super) index: IdIndex,
    pub(super) limits: Limits,
    /// About what the nodes take in memory.
    pub(super) bytes: usize,
    /// How to take back what was done since `begin`.
    pub(super) journal: Option<Vec<Undo>>,
}

/// What became of an op.
#[derive(Debug, Clone, PartialEq)]
pub enum Applied {
    /// Everybody else gets `op` without its id; the sender gets `fixes`, and `op` with its id.
    Done { op: Op, fixes: Vec<Op> },
    /// An edit of a text that came before. The sender gets `ack` with its id; the tail goes to
    /// everybody, the sender too, without an id.
    Repeated { ack: Op, tail: Option<Op> },
    /// Nothing changed; the sender gets this with its id.
    Echo(Op),
    /// Nothing changed; the sender gets an acknowledgement for no node, see `write_ack`.
    Ignored,
    /// Nothing changed, since the node is gone, which the sender may never hear otherwise: it gets
    /// this without an id, and then an acknowledgement for no node.
    Gone(Op),
    /// Nothing changed; the sender gets a refusal.
    Rejected { reason: Cow<'static, str> },
}

impl Applied {
    pub(super) fn rejected(reason: &'static str) -> Self {
        Self::Rejected { reason: Cow::Borrowed(reason) }
    }
}

impl Default for Document {
    fn default() -> Self {
        Self::new()
    }
}

impl Document {
    pub fn new() -> Self {
        Self::with_limits(Limits::PRODUCTION)
    }

    pub fn with_limits(limits: Limits) -> Self {
        let mut document = Self {
            arena: Arena::default(),
            index: IdIndex::default(),
            limits,
            bytes: 0,
            journal: None,
        };
        let content = Content::Object { plain: Plain::default(), children: None };
        document.add_root(content);
        document
    }

    fn add_root(&mut self, content: Content) {
        let root = Node { id: ROOT_ID.into(), key: "".into(), parent: NOWHERE, depth: 0, content };
        self.bytes += root.bytes();
        let place = self.arena.insert(root);
        self.index.insert(ROOT_ID, place, |place| self.arena.id(place));
    }

    /// Only the root is there, and there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.node_count() <= 1 && self.root().plain_len() == 0
    }

    /// With the root.
    pub fn node_count(&self) -> usize {
        self.arena.len()
    }

    /// About what it takes in memory.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn root(&self) -> NodeRef<'_> {
        NodeRef::new(self, ROOT)
    }

    pub fn node(&self, id: &str) -> Option<NodeRef<'_>> {
        self.find(id).map(|place| NodeRef::new(self, place))
    }

    pub(super) fn find(&self, id: &str) -> Option<u32> {
        self.index.find(id, |place| self.arena.id(place))
    }

    /// From here on changes can be taken back, at a cost that follows the changes. A second `begin`
    /// before the end joins the first.
    pub fn begin(&mut self) {
        self.journal.get_or_insert_default();
    }

    pub fn commit(&mut self) {
        for undo in self.journal.take().unwrap_or_default() {
            self.forget(undo);
        }
    }

    /// Makes the document what it was at `begin`.
    pub fn rollback(&mut self) {
        for undo in self.journal.take().unwrap_or_default().into_iter().rev() {
            self.undo(undo);
        }
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").field("nodes", &self.node_count()).finish_non_exhaustive()
    }
}
