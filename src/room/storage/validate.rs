//! Holds a document against a schema.
//!
//! A document is checked as a whole once, when a schema is attached to its room. From then on only
//! what changed is checked, at a cost that follows the change.
//!
//! # When to check a change
//!
//! A nested structure arrives as one op for the parent and then one for each child, so that between
//! two ops of one message an object may lack what it must have. Therefore messages are checked, not
//! ops: `begin`, apply all ops of the message, [`validate_changes`], and then `commit`, or
//! `rollback` and refuse all of them. The journal of the document knows what was touched, also what
//! an op touched without naming it, such as the item that another one replaced.

mod describe;
mod plain;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use self::describe::{describe_node, describe_plain};
use super::arena::{Content, NOWHERE, Node};
use super::document::Document;
use super::edit::Undo;
use super::json::Json;
use super::node_ref::{Kind, NodeRef};
use super::small_text::SmallText;
use crate::domain::schema::{Field, ObjectId, Schema, Type};

/// One place where a document is not what its schema says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{path}': {problem}")]
pub struct Violation {
    /// A JSON pointer into the document as JSON, such as `/todos/0/text`. The root is empty.
    pub path: String,
    /// What was expected there and what is there, for a person.
    pub problem: String,
}

/// Checks everything.
pub fn validate_document(schema: &Schema, document: &Document) -> Result<(), Violation> {
    let mut walk = Walk { schema, pending: Vec::new() };
    walk.object(document.root(), schema.root())?;
    walk.finish()
}

/// Checks what was changed since `begin`. What was wrong before and is elsewhere stays unnoticed.
pub fn validate_changes(schema: &Schema, document: &Document) -> Result<(), Violation> {
    let journal = document.journal.as_deref().unwrap_or_default();
    let mut touched = Touched::default();
    for change in journal {
        touched.note(document, change);
    }
    for place in &touched.nodes {
        touched.check_node(schema, document, *place)?;
    }
    for (place, key) in &touched.fields {
        check_field(schema, document, *place, key)?;
    }
    Ok(())
}

/// Nodes by their places, which stay theirs for as long as there is a journal.
#[derive(Default)]
struct Touched<'d> {
    nodes: BTreeSet<u32>,
    /// Fields of live objects that were set or taken away, maybe many times.
    fields: BTreeSet<(u32, &'d SmallText)>,
}

impl<'d> Touched<'d> {
    fn note(&mut self, document: &'d Document, change: &'d Undo) {
        match change {
            Undo::Attached { place } => {
                self.nodes.insert(*place);
            }
            // Lists and maps miss nothing; an object may miss a field that it must have.
            Undo::Removed { node, is_top: true, .. } => {
                let parent = document.arena.get(node.parent);
                if parent.is_some_and(|parent| matches!(parent.content, Content::Object { .. })) {
                    self.fields.insert((node.parent, &node.key));
                }
            }
            Undo::Plain { place, key, .. } => {
                self.fields.insert((*place, key));
            }
            // The order of a list and the letters of a text are free.
            Undo::Removed { .. } | Undo::Moved { .. } | Undo::Text { .. } => {}
        }
    }

    /// Checks a new node and all that is below it.
    fn check_node(
        &self,
        schema: &Schema,
        document: &Document,
        place: u32,
    ) -> Result<(), Violation> {
        let Some(Node { parent, key, .. }) = document.arena.get(place) else { return Ok(()) };
        // Who is checked with the new node around it is not checked alone.
        if *parent == NOWHERE || self.nodes.contains(parent) {
            return Ok(());
        }
        let node = NodeRef::new(document, place);
        let Some(within) = type_of(schema, NodeRef::new(document, *parent)) else { return Ok(()) };
        let expected = match within {
            Within::Object(id) => &field_of(schema, id, key, node)?.of,
            Within::Items(of) => of,
        };
        let mut walk = Walk { schema, pending: vec![(node, expected)] };
        walk.finish()
    }
}

/// What the schema says about that which is in a node.
#[derive(Clone, Copy)]
enum Within<'s> {
    Object(ObjectId),
    Items(&'s Type),
}

/// `None` for a leaf, and below what is not what it should be.
fn type_of<'s>(schema: &'s Schema, node: NodeRef<'_>) -> Option<Within<'s>> {
    let mut path = vec![node];
    while let Some((parent, _)) = path.last().and_then(|last| last.parent()) {
        path.push(parent);
    }
    path.pop();
    let mut within = Within::Object(schema.root());
    while let Some(node) = path.pop() {
        let expected = match within {
            Within::Object(id) => {
                let (_, key) = node.parent()?;
                &schema.object(id).fields.get(key)?.of
            }
            Within::Items(of) => of,
        };
        within = within_node(member(expected, node.kind())?)?;
    }
    Some(within)
}

/// What may be in a node of this type.
fn within_node(of: &Type) -> Option<Within<'_>> {
    match of {
        Type::LiveObject(id) => Some(Within::Object(*id)),
        Type::LiveList(of) | Type::LiveMap(of) => Some(Within::Items(of)),
        _ => None,
    }
}

/// The type, or the member of a union, that a live node of this kind must be. A union has at most
/// one for each kind.
fn member(expected: &Type, kind: Kind) -> Option<&Type> {
    let fits = |of: &&Type| {
        matches!(
            (of, kind),
            (Type::LiveObject(_), Kind::Object)
                | (Type::LiveList(_), Kind::List)
                | (Type::LiveMap(_), Kind::Map)
                | (Type::LiveText, Kind::Text)
                | (Type::LiveFile, Kind::File)
        )
    };
    match expected {
        Type::Union(members) => members.iter().find(fits),
        one => Some(one).filter(fits),
    }
}

/// Checks one field of a live object, which may be set or not. A live value was checked as a node.
fn check_field(
    schema: &Schema,
    document: &Document,
    place: u32,
    key: &str,
) -> Result<(), Violation> {
    if document.arena.get(place).is_none() {
        return Ok(());
    }
    let object = NodeRef::new(document, place);
    let Some(Within::Object(id)) = type_of(schema, object) else { return Ok(()) };
    if let Some(value) = object.plain(key) {
        let field = field_of_value(schema, id, object, key)?;
        return check_value(schema, &field.of, value, || path_to(object, Some(key)));
    }
    let missing = schema.object(id).fields.get(key).filter(|field| !field.is_optional);
    match missing.filter(|_| object.child(key).is_none()) {
        Some(_) => Err(lacks(schema, id, object, key)),
        None => Ok(()),
    }
}

/// What is still to be checked. Documents may be deeper than the stack.
struct Walk<'a> {
    schema: &'a Schema,
    pending: Vec<(NodeRef<'a>, &'a Type)>,
}

impl<'a> Walk<'a> {
    fn finish(&mut self) -> Result<(), Violation> {
        while let Some((node, expected)) = self.pending.pop() {
            self.node(node, expected)?;
        }
        Ok(())
    }

    fn node(&mut self, node: NodeRef<'a>, expected: &'a Type) -> Result<(), Violation> {
        if let Some(value) = node.data() {
            return check_value(self.schema, expected, value, || path_to(node, None));
        }
        let Some(of) = member(expected, node.kind()) else {
            let problem = describe_node(self.schema, expected, node);
            return Err(Violation { path: path_to(node, None), problem });
        };
        match within_node(of) {
            Some(Within::Object(id)) => self.object(node, id)?,
            Some(Within::Items(of)) => {
                self.pending.extend(node.children().map(|(_, item)| (item, of)));
            }
            None => {}
        }
        Ok(())
    }

    fn object(&mut self, node: NodeRef<'a>, id: ObjectId) -> Result<(), Violation> {
        for (key, value) in node.plain_entries() {
            let field = field_of_value(self.schema, id, node, key)?;
            check_value(self.schema, &field.of, value, || path_to(node, Some(key)))?;
        }
        for (key, child) in node.children() {
            self.pending.push((child, &field_of(self.schema, id, key, child)?.of));
        }
        let fields = self.schema.object(id).fields.iter();
        let mut required = fields.filter(|(_, field)| !field.is_optional);
        match required.find(|(key, _)| node.plain(key).is_none() && node.child(key).is_none()) {
            Some((key, _)) => Err(lacks(self.schema, id, node, key)),
            None => Ok(()),
        }
    }
}

fn field_of<'s>(
    schema: &'s Schema,
    id: ObjectId,
    key: &str,
    child: NodeRef<'_>,
) -> Result<&'s Field, Violation> {
    let field = schema.object(id).fields.get(key);
    field.ok_or_else(|| unknown(schema, id, path_to(child, None)))
}

fn field_of_value<'s>(
    schema: &'s Schema,
    id: ObjectId,
    object: NodeRef<'_>,
    key: &str,
) -> Result<&'s Field, Violation> {
    let field = schema.object(id).fields.get(key);
    field.ok_or_else(|| unknown(schema, id, path_to(object, Some(key))))
}

fn check_value(
    schema: &Schema,
    expected: &Type,
    value: &Json,
    path: impl Fn() -> String,
) -> Result<(), Violation> {
    plain::check(schema, expected, value).map_err(|fault| Violation {
        path: path() + &fault.path,
        problem: fault.problem.unwrap_or_else(|| describe_plain(schema, expected, value)),
    })
}

fn unknown(schema: &Schema, id: ObjectId, path: String) -> Violation {
    let of = schema.show(&Type::LiveObject(id)).to_string();
    Violation { path, problem: format!("there is no such field in {of}") }
}

fn lacks(schema: &Schema, id: ObjectId, object: NodeRef<'_>, key: &str) -> Violation {
    let of = schema.show(&Type::LiveObject(id)).to_string();
    let problem = format!("missing required property '{key}' on type '{of}'");
    Violation { path: path_to(object, None), problem }
}

/// A JSON pointer to a node, or to a plain value in it.
fn path_to(node: NodeRef<'_>, key: Option<&str>) -> String {
    let mut steps: Vec<String> = key.map(str::to_owned).into_iter().collect();
    let mut place = node;
    while let Some((parent, key)) = place.parent() {
        steps.push(match (parent.kind(), place.index()) {
            (Kind::List, Some(index)) => index.to_string(),
            _ => key.to_owned(),
        });
        place = parent;
    }
    let steps = steps.iter().rev();
    steps.map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1"))).collect()
}
