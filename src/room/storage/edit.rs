//! The primitive changes of the tree, and how each is taken back.
//!
//! Invariant: every node but the root is among the children of its parent under its key, is found
//! by its id, and counts in `bytes`. Nothing else may touch the arena.

use super::arena::{Content, Node};
use super::children::Children;
use super::document::Document;
use super::json::Json;
use super::op::TextUpdate;
use super::plain::{Plain, entry_bytes};
use super::small_text::SmallText;
use super::text::{self, Outcome};

/// How to take one primitive change back. Only valid on the document as it was right after it.
#[derive(Debug)]
pub enum Undo {
    Attached {
        place: u32,
    },
    /// Descendants come behind the top, which alone is linked to its parent again.
    Removed {
        place: u32,
        node: Node,
        is_top: bool,
    },
    Moved {
        place: u32,
        key: SmallText,
    },
    Plain {
        place: u32,
        key: SmallText,
        value: Option<Json>,
    },
    Text {
        place: u32,
        undo: text::Undo,
    },
}

impl Document {
    pub(super) fn attach(
        &mut self,
        parent: u32,
        key: SmallText,
        id: SmallText,
        content: Content,
    ) -> u32 {
        let depth = self.arena.get(parent).map_or(0, |node| node.depth.saturating_add(1));
        let node = Node { id: id.clone(), key, parent, depth, content };
        self.bytes += node.bytes();
        let place = self.arena.insert(node);
        self.index.insert(&id, place, |place| self.arena.id(place));
        self.link(place);
        self.record(|| Undo::Attached { place });
        place
    }

    /// Removes a node and everything below it. The root stays.
    pub(super) fn remove(&mut self, top: u32) {
        self.unlink(top);
        let mut pending = vec![top];
        while let Some(place) = pending.pop() {
            let Some(node) = self.arena.get(place) else { continue };
            pending.extend(node.children().into_iter().flat_map(Children::iter));
            self.index.remove(&node.id, place, |place| self.arena.id(place));
            let Some(node) = self.arena.take(place) else { continue };
            self.bytes = self.bytes.saturating_sub(node.bytes());
            match &mut self.journal {
                Some(journal) => journal.push(Undo::Removed { place, node, is_top: place == top }),
                None => self.arena.release(place),
            }
        }
    }

    pub(super) fn set_key(&mut self, place: u32, key: SmallText) {
        if self.arena.key(place) == key.as_bytes() {
            return;
        }
        self.unlink(place);
        let Some(node) = self.arena.get_mut(place) else { return };
        let old = std::mem::replace(&mut node.key, key);
        self.bytes = self.bytes.saturating_sub(old.heap_bytes()) + node.key.heap_bytes();
        self.link(place);
        self.record(|| Undo::Moved { place, key: old });
    }

    /// Sets a plain value of an object, or takes it away.
    pub(super) fn set_plain(&mut self, place: u32, key: &SmallText, value: Option<Json>) {
        let Some(plain) = self.plain_mut(place) else { return };
        let added = value.as_ref().map_or(0, |value| entry_bytes(key, value));
        let old = match value {
            Some(value) => plain.insert(key.clone(), value),
            None => plain.remove(key),
        };
        let removed = old.as_ref().map_or(0, |value| entry_bytes(key, value));
        self.bytes = (self.bytes + added).saturating_sub(removed);
        if added + removed > 0 {
            self.record(|| Undo::Plain { place, key: key.clone(), value: old });
        }
    }

    /// `None` when there is no text at this place.
    pub(super) fn update_text(
        &mut self,
        place: u32,
        update: TextUpdate,
        op_id: Option<&str>,
    ) -> Option<TextApplied> {
        let journals = self.journal.is_some();
        let Content::Text(text) = &mut self.arena.get_mut(place)?.content else { return None };
        let before = text.bytes();
        let (applied, undo) = match text.update(update, op_id) {
            Outcome::Done(update, undo) => (TextApplied::Done(update), Some(undo)),
            Outcome::Repeated { ack, tail } => {
                let (tail, undo) = tail.unzip();
                (TextApplied::Repeated { ack, tail }, undo)
            }
            Outcome::Echo(ack) => (TextApplied::Echo(ack), None),
            Outcome::Rejected(reason) => (TextApplied::Rejected(reason), None),
        };
        if !journals {
            text.trim();
        }
        self.bytes = (self.bytes + text.bytes()).saturating_sub(before);
        if let Some(undo) = undo {
            self.record(|| Undo::Text { place, undo });
        }
        Some(applied)
    }

    fn plain_mut(&mut self, place: u32) -> Option<&mut Plain> {
        match &mut self.arena.get_mut(place)?.content {
            Content::Object { plain, .. } => Some(plain),
            _ => None,
        }
    }

    fn record(&mut self, undo: impl FnOnce() -> Undo) {
        if let Some(journal) = &mut self.journal {
            journal.push(undo());
        }
    }

    /// Takes back the last of the changes that are not taken back yet.
    pub(super) fn undo(&mut self, undo: Undo) {
        match undo {
            Undo::Attached { place } => self.remove(place),
            Undo::Removed { place, node, is_top } => {
                self.bytes += node.bytes();
                let id = node.id.clone();
                self.arena.put_back(place, node);
                self.index.insert(&id, place, |place| self.arena.id(place));
                if is_top {
                    self.link(place);
                }
            }
            Undo::Moved { place, key } => self.set_key(place, key),
            Undo::Plain { place, key, value } => self.set_plain(place, &key, value),
            Undo::Text { place, undo } => {
                let Some(node) = self.arena.get_mut(place) else { return };
                let Content::Text(text) = &mut node.content else { return };
                let before = text.bytes();
                text.undo(undo);
                self.bytes = (self.bytes + text.bytes()).saturating_sub(before);
            }
        }
    }

    /// What remains to be done once a change can no longer be taken back.
    pub(super) fn forget(&mut self, undo: Undo) {
        match undo {
            Undo::Removed { place, .. } => self.arena.release(place),
            Undo::Text { place, .. } => {
                let node = self.arena.get_mut(place);
                if let Some(Node { content: Content::Text(text), .. }) = node {
                    let before = text.bytes();
                    text.trim();
                    self.bytes = (self.bytes + text.bytes()).saturating_sub(before);
                }
            }
            Undo::Attached { .. } | Undo::Moved { .. } | Undo::Plain { .. } => {}
        }
    }

    /// Puts a node among the children of its parent.
    fn link(&mut self, place: u32) {
        let Some((parent, mut children)) = self.take_siblings(place) else { return };
        let arena = &self.arena;
        children.insert(place, arena.key(place), |place| arena.key(place));
        self.put_siblings(parent, children);
    }

    fn unlink(&mut self, place: u32) {
        let Some((parent, mut children)) = self.take_siblings(place) else { return };
        let arena = &self.arena;
        children.remove(arena.key(place), |place| arena.key(place));
        self.put_siblings(parent, children);
    }

    /// The children of the node's parent, out of the arena, since their keys are in the arena.
    fn take_siblings(&mut self, place: u32) -> Option<(u32, Box<Children>)> {
        let parent = self.arena.get(place)?.parent;
        let children = self.arena.get_mut(parent)?.children_slot()?;
        Some((parent, children.take().unwrap_or_default()))
    }

    fn put_siblings(&mut self, parent: u32, children: Box<Children>) {
        let slot = self.arena.get_mut(parent).and_then(Node::children_slot);
        if let Some(slot) = slot {
            *slot = (children.len() > 0).then_some(children);
        }
    }
}

/// What became of an update of a text.
#[derive(Debug)]
pub enum TextApplied {
    Done(TextUpdate),
    Repeated { ack: TextUpdate, tail: Option<TextUpdate> },
    Echo(TextUpdate),
    Rejected(&'static str),
}
