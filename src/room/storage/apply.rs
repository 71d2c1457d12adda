//! The rules by which an op changes the tree.
//!
//! Ops arrive one after another, each from somebody who had not seen the ones just before. So none
//! of these rules may fail half way: an op is applied in full, put right, or ignored.

use super::arena::{Content, Node};
use super::document::{Applied, Document, ROOT_ID};
use super::edit::TextApplied;
use super::json::Json;
use super::limits::KEY_BYTES_MAX;
use super::node_ref::FileRef;
use super::op::{Body, Create, Intent, Op, TextUpdate};
use super::plain::{Plain, entry_bytes};
use super::small_text::SmallText;
use super::text::TextBody;
use crate::domain::position;

const TOO_LARGE: &str = "The document is too large";

impl Document {
    /// Applies an op of a client. `op_id` is what an op that is sent twice is recognised by.
    pub fn apply(&mut self, op: Op, op_id: Option<&str>) -> Applied {
        match op {
            Op::Create(create) => self.create(create),
            Op::SetParentKey { id, parent_key } => self.set_parent_key(id, parent_key),
            Op::UpdateObject { id, data } => self.update_object(id, data),
            Op::DeleteCrdt { id } => self.delete_crdt(id),
            Op::DeleteObjectKey { id, key } => self.delete_object_key(id, key),
            Op::UpdateText(update) => self.apply_text(update, op_id),
            Op::Unknown => Applied::Ignored,
        }
    }

    fn create(&mut self, create: Create) -> Applied {
        if let Some(place) = self.find(&create.id) {
            return self.create_again(place, create);
        }
        let Some(parent) = self.find(&create.parent_id) else { return Applied::Ignored };
        let Some(node) = self.arena.get(parent) else { return Applied::Ignored };
        let is_register = matches!(create.body, Body::Register(_));
        let (is_list, is_object) = match node.content {
            Content::List(_) => (true, false),
            Content::Object { .. } => (false, true),
            Content::Map(_) => (false, false),
            Content::Register(_) | Content::Text(_) | Content::File(_) => return Applied::Ignored,
        };
        if is_object && is_register {
            return Applied::Ignored;
        }
        let depth = usize::from(node.depth) + 1;
        let content = match new_content(&create.body) {
            Ok(content) => content,
            Err(reason) => return Applied::rejected(reason),
        };
        if let Some(reason) = self.refuses(depth, &create, &content) {
            return Applied::rejected(reason);
        }
        if is_list {
            return self.create_in_list(parent, create, content);
        }
        if let Some(child) = self.child(parent, &create.parent_key) {
            self.remove(child);
        }
        self.set_plain(parent, &create.parent_key, None);
        self.attach(parent, create.parent_key.clone(), create.id.clone(), content);
        Applied::Done { op: Op::Create(create), fixes: Vec::new() }
    }

    /// Says where the node is that was created before. A client whose acknowledgement was lost would
    /// take an empty one as well, but it would ignore for ever what others do to the key of an
    /// object that it believes to be still on its way.
    fn create_again(&self, place: u32, mut create: Create) -> Applied {
        let Some(node) = self.arena.get(place).filter(|_| create.id != ROOT_ID) else {
            return Applied::Ignored;
        };
        if self.find(&create.parent_id) != Some(node.parent) {
            return Applied::Ignored;
        }
        create.parent_key = node.key.clone();
        // Whatever has this id by now was created after the node.
        create.deleted_id = None;
        Applied::Echo(Op::Create(create))
    }

    fn refuses(&self, depth: usize, create: &Create, content: &Content) -> Option<&'static str> {
        // What the content takes, with room for its node.
        let bytes = match content {
            Content::Object { plain, .. } => plain.heap_bytes(),
            Content::Text(text) => text.bytes(),
            Content::Register(json) | Content::File(json) => json.heap_bytes(),
            Content::List(_) | Content::Map(_) => 0,
        };
        let node = size_of::<Node>() + create.id.heap_bytes() + create.parent_key.heap_bytes();
        if depth > self.limits.depth_max {
            return Some("The document is too deep");
        }
        let is_full = self.arena.len() >= self.limits.nodes_max
            || self.bytes + node + bytes > self.limits.bytes_max;
        is_full.then_some(TOO_LARGE)
    }

    fn create_in_list(&mut self, list: u32, mut create: Create, content: Content) -> Applied {
        let mut key = position::normalise(&create.parent_key).into_owned();
        let mut fixes = Vec::new();
        match create.intent {
            Intent::Set => {
                let deleted = create.deleted_id.as_ref().and_then(|id| self.find(id));
                if let Some(item) = deleted.filter(|item| self.parent(*item) == Some(list)) {
                    self.remove(item);
                }
                if let Some(occupant) = self.child(list, &key) {
                    let id = self.arena.get(occupant).map(|node| node.id.clone());
                    fixes.extend(id.map(|id| Op::DeleteCrdt { id }));
                    self.remove(occupant);
                }
            }
            Intent::Push => {
                let last = self.last_key(list).filter(|last| key.as_str() <= last.as_str());
                key = last.map_or(key, |last| position::after(&last));
            }
            Intent::Insert if self.child(list, &key).is_some() => {
                key = self.free_key_behind(list, &key);
            }
            Intent::Insert => {}
        }
        if key.len() > KEY_BYTES_MAX {
            return Applied::rejected("The position in the list is too long");
        }
        if create.parent_key != key.as_str() {
            create.parent_key = key.into();
            let (id, parent_key) = (create.id.clone(), create.parent_key.clone());
            fixes.push(Op::SetParentKey { id, parent_key });
        }
        self.attach(list, create.parent_key.clone(), create.id.clone(), content);
        Applied::Done { op: Op::Create(create), fixes }
    }

    fn set_parent_key(&mut self, id: SmallText, parent_key: SmallText) -> Applied {
        // A `set` may have taken its place, and clients that had moved it away by then cannot infer
        // from that that it is gone.
        let Some(place) = self.find(&id) else { return Applied::Gone(Op::DeleteCrdt { id }) };
        let Some(list) = self.parent(place).filter(|parent| self.is_list(*parent)) else {
            return Applied::Ignored;
        };
        let mut key = position::normalise(&parent_key).into_owned();
        if self.child(list, &key).is_some_and(|occupant| occupant != place) {
            key = self.free_key_behind(list, &key);
        }
        if key.len() > KEY_BYTES_MAX {
            return Applied::rejected("The position in the list is too long");
        }
        let key = SmallText::from(key.as_str());
        if self.bytes + key.heap_bytes() > self.limits.bytes_max {
            return Applied::rejected(TOO_LARGE);
        }
        let is_fixed = parent_key != key;
        let op = Op::SetParentKey { id, parent_key: key.clone() };
        self.set_key(place, key);
        let fixes = if is_fixed { vec![op.clone()] } else { Vec::new() };
        Applied::Done { op, fixes }
    }

    /// A position right behind an item of the list.
    fn free_key_behind(&self, list: u32, key: &str) -> String {
        let children = self.arena.get(list).and_then(Node::children);
        let next = children
            .and_then(|children| children.next_after(key.as_bytes(), |place| self.arena.key(place)))
            .and_then(|next| self.arena.get(next));
        next.and_then(|next| position::between(key, &next.key))
            .unwrap_or_else(|| position::after(key))
    }

    fn update_object(&mut self, id: SmallText, data: Json) -> Applied {
        let Some(place) = self.find(&id).filter(|place| self.is_object(*place)) else {
            return Applied::Ignored;
        };
        let Some(entries) = data.entries() else {
            return Applied::rejected("The data of an object must be an object");
        };
        let bytes: usize = entries.iter().map(|(key, value)| entry_bytes(key, value)).sum();
        if self.bytes + bytes > self.limits.bytes_max {
            return Applied::rejected(TOO_LARGE);
        }
        if entries.iter().any(|(key, _)| key.len() > KEY_BYTES_MAX) {
            return Applied::rejected("A key of an object is too long");
        }
        for (key, value) in entries {
            if let Some(child) = self.child(place, &key) {
                self.remove(child);
            }
            self.set_plain(place, &key, Some(value));
        }
        Applied::Done { op: Op::UpdateObject { id, data }, fixes: Vec::new() }
    }

    fn delete_object_key(&mut self, id: SmallText, key: SmallText) -> Applied {
        let Some(place) = self.find(&id).filter(|place| self.is_object(*place)) else {
            return Applied::Ignored;
        };
        if let Some(child) = self.child(place, &key) {
            self.remove(child);
        }
        self.set_plain(place, &key, None);
        Applied::Done { op: Op::DeleteObjectKey { id, key }, fixes: Vec::new() }
    }

    fn delete_crdt(&mut self, id: SmallText) -> Applied {
        let Some(place) = self.find(&id).filter(|_| id != ROOT_ID) else { return Applied::Ignored };
        self.remove(place);
        Applied::Done { op: Op::DeleteCrdt { id }, fixes: Vec::new() }
    }

    fn apply_text(&mut self, update: TextUpdate, op_id: Option<&str>) -> Applied {
        let Some(place) = self.find(&update.id) else { return Applied::Ignored };
        let inserted: usize = update.ops.iter().map(|op| op.inserted_units()).sum();
        if self.bytes + inserted > self.limits.bytes_max {
            return Applied::rejected(TOO_LARGE);
        }
        match self.update_text(place, update, op_id) {
            None => Applied::Ignored,
            Some(TextApplied::Done(update)) => {
                Applied::Done { op: Op::UpdateText(update), fixes: Vec::new() }
            }
            Some(TextApplied::Repeated { ack, tail }) => {
                Applied::Repeated { ack: Op::UpdateText(ack), tail: tail.map(Op::UpdateText) }
            }
            Some(TextApplied::Echo(ack)) => Applied::Echo(Op::UpdateText(ack)),
            Some(TextApplied::Rejected(reason)) => Applied::rejected(reason),
        }
    }

    pub(super) fn child(&self, parent: u32, key: &str) -> Option<u32> {
        let children = self.arena.get(parent)?.children()?;
        children.get(key.as_bytes(), |place| self.arena.key(place))
    }

    fn last_key(&self, list: u32) -> Option<SmallText> {
        let last = self.arena.get(list)?.children()?.last()?;
        self.arena.get(last).map(|node| node.key.clone())
    }

    fn parent(&self, place: u32) -> Option<u32> {
        self.arena.get(place).map(|node| node.parent)
    }

    fn is_list(&self, place: u32) -> bool {
        self.arena.get(place).is_some_and(|node| matches!(node.content, Content::List(_)))
    }

    fn is_object(&self, place: u32) -> bool {
        self.arena.get(place).is_some_and(|node| matches!(node.content, Content::Object { .. }))
    }
}

pub(super) fn new_content(body: &Body) -> Result<Content, &'static str> {
    Ok(match body {
        Body::List => Content::List(None),
        Body::Map => Content::Map(None),
        Body::Register(data) => Content::Register(data.clone()),
        Body::Object(data) => {
            let entries = data.entries().ok_or("The data of an object must be an object")?;
            if entries.iter().any(|(key, _)| key.len() > KEY_BYTES_MAX) {
                return Err("A key of an object is too long");
            }
            Content::Object { plain: Plain::new(entries), children: None }
        }
        Body::Text { segments, version } => {
            Content::Text(Box::new(TextBody::new(segments, *version)?))
        }
        Body::File(data) => {
            FileRef::read(data).ok_or("The file is malformed")?;
            Content::File(data.clone())
        }
    })
}
