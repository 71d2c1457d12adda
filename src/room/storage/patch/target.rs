//! What a path names.

use super::super::build::Slot;
use super::super::document::Document;
use super::super::json::Json;
use super::super::node_ref::{Kind, NodeRef};
use super::super::op::Intent;
use super::pointer::{Pointer, index, show};
use crate::domain::position;
use crate::domain::text::excerpt;

#[derive(Clone, Copy)]
pub(super) enum Target<'a> {
    Root(NodeRef<'a>),
    Field {
        object: NodeRef<'a>,
        key: &'a str,
        found: Option<Found<'a>>,
    },
    Entry {
        map: NodeRef<'a>,
        key: &'a str,
        found: Option<NodeRef<'a>>,
    },
    /// The index is that of an item, or one more. `-` is one more.
    Item {
        list: NodeRef<'a>,
        index: usize,
        found: Option<NodeRef<'a>>,
    },
    /// Something in the segments of a LiveText, or all of them.
    InText {
        text: NodeRef<'a>,
        rest: &'a [String],
    },
}

#[derive(Clone, Copy)]
pub(super) enum Found<'a> {
    Plain(&'a Json),
    Node(NodeRef<'a>),
}

impl<'a> Target<'a> {
    /// Everything on the way must be there and be live. The last step may lead to nothing.
    pub(super) fn resolve(document: &'a Document, path: &'a Pointer) -> Result<Self, String> {
        let mut node = document.root();
        for (count, step) in path.steps().iter().enumerate() {
            let (above, rest) = path.steps().split_at_checked(count).unwrap_or_default();
            let rest = rest.get(1..).unwrap_or_default();
            let target = Self::step(node, step, above, rest)?;
            if rest.is_empty() || matches!(target, Self::InText { .. }) {
                return Ok(target);
            }
            node = match target.found() {
                Some(Found::Node(node)) if node.kind() != Kind::Register => node,
                Some(_) => return Err(is_plain(path.steps(), count + 1)),
                None => return Err(is_missing(path.steps(), count + 1)),
            };
        }
        Ok(Self::Root(node))
    }

    fn step(
        node: NodeRef<'a>,
        step: &'a str,
        above: &[String],
        rest: &'a [String],
    ) -> Result<Self, String> {
        match node.kind() {
            Kind::Object => {
                let child = node.child(step).map(Found::Node);
                let found = child.or_else(|| node.plain(step).map(Found::Plain));
                Ok(Self::Field { object: node, key: step, found })
            }
            Kind::Map => Ok(Self::Entry { map: node, key: step, found: node.child(step) }),
            Kind::List => {
                let len = node.len();
                let index = if step == "-" { Some(len) } else { index(step) };
                let Some(index) = index else {
                    let step = excerpt(step);
                    return Err(format!(
                        "'{step}' is no index of the list '{}': digits without leading zeros, \
                         or '-'",
                        show(above)
                    ));
                };
                if index > len {
                    return Err(format!(
                        "index {index} is out of bounds: the list '{}' has {len} items",
                        show(above)
                    ));
                }
                Ok(Self::Item { list: node, index, found: node.child_at(index) })
            }
            Kind::Text if step == "data" => Ok(Self::InText { text: node, rest }),
            Kind::Text => {
                Err(format!("'{}' is a LiveText, which has nothing but 'data'", show(above)))
            }
            Kind::File => {
                Err(format!("'{}' is a LiveFile, which can only be replaced", show(above)))
            }
            Kind::Register => Err(is_plain(above, above.len())),
        }
    }

    /// `None` also for what is in a text, which is read in its own way.
    pub(super) fn found(self) -> Option<Found<'a>> {
        match self {
            Self::Root(root) => Some(Found::Node(root)),
            Self::Field { found, .. } => found,
            Self::Entry { found, .. } | Self::Item { found, .. } => found.map(Found::Node),
            Self::InText { .. } => None,
        }
    }

    /// Where a new node goes that replaces whatever is there; in a list, that makes room.
    pub(super) fn slot_to_add(self) -> Option<Slot> {
        match self {
            Self::Field { object, key, .. } => Some(Slot::in_object(object.id().into(), key)),
            Self::Entry { map, key, .. } => Some(Slot::keyed(map.id().into(), key)),
            Self::Item { list, index, .. } => {
                let slot = Slot::keyed(list.id().into(), &position_at(list, index, None));
                let intent = if index == list.len() { Intent::Push } else { Intent::Insert };
                Some(Slot { intent, ..slot })
            }
            Self::Root(_) | Self::InText { .. } => None,
        }
    }

    /// Where a new node goes that replaces what was found.
    pub(super) fn slot_to_replace(self) -> Option<Slot> {
        let Self::Item { list, found, .. } = self else { return self.slot_to_add() };
        let item = found?;
        let (_, key) = item.parent()?;
        let slot = Slot::keyed(list.id().into(), key);
        Some(Slot { intent: Intent::Set, deleted_id: Some(item.id().into()), ..slot })
    }
}

/// A free position for an item that shall stand at this index. `moved` is the index of an item that
/// counts as taken out already.
pub(super) fn position_at(list: NodeRef<'_>, index: usize, moved: Option<usize>) -> String {
    let skip = |index: usize| index + usize::from(moved.is_some_and(|moved| index >= moved));
    let key_at = |index: usize| {
        let item = list.child_at(skip(index))?;
        item.parent().map(|(_, key)| key)
    };
    let previous = index.checked_sub(1).and_then(key_at);
    match (previous, key_at(index)) {
        (Some(previous), Some(next)) => {
            position::between(previous, next).unwrap_or_else(|| position::after(previous))
        }
        (Some(previous), None) => position::after(previous),
        (None, Some(next)) => position::before(next),
        (None, None) => position::FIRST.to_owned(),
    }
}

fn is_plain(steps: &[String], count: usize) -> String {
    let path = show(steps.get(..count).unwrap_or_default());
    format!("'{path}' is plain JSON; a path can only lead into LiveObject, LiveList and LiveMap")
}

pub(super) fn is_missing(steps: &[String], count: usize) -> String {
    format!("there is nothing at '{}'", show(steps.get(..count).unwrap_or_default()))
}
