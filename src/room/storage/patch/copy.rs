//! What `copy` and `move` take from one place to put it at another.

use super::super::build::Slot;
use super::super::json::Json;
use super::super::node_ref::{Kind, NodeRef};
use super::super::op::{Body, Create, Intent, Op};
use super::super::small_text::SmallText;

pub(super) enum Copied {
    Plain(Json),
    /// A live node and everything below it, parents first.
    Tree(Vec<Part>),
}

pub(super) struct Part {
    /// Which of the parts before it is its parent. Of the first one nothing is read but its body.
    parent: usize,
    key: SmallText,
    body: Body,
}

impl Copied {
    /// `None` if it is more than so many nodes.
    pub(super) fn take(top: NodeRef<'_>, nodes_max: usize) -> Option<Self> {
        if let Some(value) = top.data() {
            return Some(Self::Plain(value.clone()));
        }
        let mut parts = Vec::new();
        let mut pending = vec![(0, "", top)];
        while let Some((parent, key, node)) = pending.pop() {
            if parts.len() + pending.len() >= nodes_max {
                return None;
            }
            let place = parts.len();
            pending.extend(node.children().rev().map(|(key, child)| (place, key, child)));
            parts.push(Part { parent, key: key.into(), body: body_of(node) });
        }
        Some(Self::Tree(parts))
    }

    /// The ops that create it at a slot.
    pub(super) fn put(self, slot: Slot, new_id: &mut dyn FnMut() -> String) -> Vec<Op> {
        let parts = match self {
            Self::Plain(json) if slot.is_in_object => {
                let data = Json::object([(&*slot.key, &json)]);
                return vec![Op::UpdateObject { id: slot.parent_id, data }];
            }
            Self::Plain(json) => return vec![slot.create(new_id().into(), Body::Register(json))],
            Self::Tree(parts) => parts,
        };
        let mut parts = parts.into_iter();
        let Some(top) = parts.next() else { return Vec::new() };
        let id: SmallText = new_id().into();
        let op = slot.create(id.clone(), top.body);
        std::iter::once(op).chain(below(id, parts, new_id)).collect()
    }

    /// The ops that fill an object that exists with what is in the copied one. `None` if that is no
    /// object.
    pub(super) fn fill(
        self,
        object: SmallText,
        new_id: &mut dyn FnMut() -> String,
    ) -> Option<Vec<Op>> {
        let Self::Tree(parts) = self else { return None };
        let mut parts = parts.into_iter();
        let Body::Object(data) = parts.next()?.body else { return None };
        let op = Op::UpdateObject { id: object.clone(), data };
        Some(std::iter::once(op).chain(below(object, parts, new_id)).collect())
    }
}

/// Creates all parts but the first, whose node has this id.
fn below(
    top: SmallText,
    parts: impl Iterator<Item = Part>,
    new_id: &mut dyn FnMut() -> String,
) -> Vec<Op> {
    let mut ids = vec![top];
    let mut ops = Vec::new();
    for Part { parent, key: parent_key, body } in parts {
        let id: SmallText = new_id().into();
        ids.push(id.clone());
        let parent_id = ids.get(parent).cloned().unwrap_or_default();
        let (intent, deleted_id) = (Intent::Insert, None);
        ops.push(Op::Create(Create { id, parent_id, parent_key, body, intent, deleted_id }));
    }
    ops
}

fn body_of(node: NodeRef<'_>) -> Body {
    match node.kind() {
        Kind::Object => Body::Object(Json::object(node.plain_entries())),
        Kind::List => Body::List,
        Kind::Map => Body::Map,
        Kind::Register => Body::Register(node.data().cloned().unwrap_or_else(Json::null)),
        Kind::File => Body::File(node.file_json().cloned().unwrap_or_else(Json::null)),
        Kind::Text => {
            let mut json = Vec::new();
            if let Some(text) = node.text() {
                text.write_segments(&mut json);
            }
            let segments = Json::parse(&String::from_utf8_lossy(&json));
            Body::Text { segments: segments.unwrap_or_else(|_| Json::null()), version: 0 }
        }
    }
}
