//! The document as JSON, in the two forms that the REST API reads and writes.
//!
//! Plain LSON says what is live: `{"liveblocksType":"LiveList","data":["a"]}`. JSON does not: the
//! same list is `["a"]`. Whatever is not live is the same in both.

#[cfg(test)]
mod tests;

use super::build::{Builder, Nested};
use super::document::{Document, ROOT_ID};
use super::json::{write_entries, write_string};
use super::node_ref::{Kind, NodeRef};
use super::op::Op;

pub use super::build::LsonError;

/// Which member tells plain LSON from plain JSON.
pub const TYPE_KEY: &str = "liveblocksType";
/// Which member has what is in it.
pub const DATA_KEY: &str = "data";

/// The document as plain LSON.
pub fn write_lson(document: &Document, out: &mut Vec<u8>) {
    write(document.root(), Form::Lson, out);
}

/// The document as JSON.
pub fn write_json(document: &Document, out: &mut Vec<u8>) {
    write(document.root(), Form::Json, out);
}

/// The ops that bring plain LSON into an empty document. Its root must be a LiveObject.
pub fn ops_from_lson(
    value: &serde_json::Value,
    new_id: &mut dyn FnMut() -> String,
) -> Result<Vec<Op>, LsonError> {
    let mut builder = Builder::new(new_id, Nested::Plain);
    builder.fill_root(value)?;
    Ok(builder.finish())
}

/// The name of a node's type. A register has none: it is the value in it.
pub fn type_name(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Object => Some("LiveObject"),
        Kind::List => Some("LiveList"),
        Kind::Map => Some("LiveMap"),
        Kind::Text => Some("LiveText"),
        Kind::File => Some("LiveFile"),
        Kind::Register => None,
    }
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Form {
    Lson,
    Json,
}

/// What is still to be written, the next one last. Documents may be deeper than the stack.
enum Pending<'a> {
    Node { comma: bool, key: Option<&'a str>, node: NodeRef<'a> },
    Text(&'static [u8]),
}

pub(super) fn write(top: NodeRef<'_>, form: Form, out: &mut Vec<u8>) {
    let mut pending = vec![Pending::Node { comma: false, key: None, node: top }];
    while let Some(next) = pending.pop() {
        let (comma, key, node) = match next {
            Pending::Node { comma, key, node } => (comma, key, node),
            Pending::Text(text) => {
                out.extend_from_slice(text);
                continue;
            }
        };
        if comma {
            out.push(b',');
        }
        if let Some(key) = key {
            write_string(key, out);
            out.push(b':');
        }
        write_node(node, form, &mut pending, out);
    }
}

fn write_node<'a>(
    node: NodeRef<'a>,
    form: Form,
    pending: &mut Vec<Pending<'a>>,
    out: &mut Vec<u8>,
) {
    let kind = node.kind();
    let is_wrapped = form == Form::Lson && kind != Kind::Register;
    if is_wrapped {
        out.extend_from_slice(opening(kind));
    }
    match kind {
        Kind::Object => {
            out.push(b'{');
            write_entries(node.plain_entries(), out);
            pending.push(Pending::Text(if is_wrapped { b"}}" } else { b"}" }));
            push_children(node, true, node.plain_len() > 0, pending);
        }
        Kind::Map => {
            out.push(b'{');
            pending.push(Pending::Text(if is_wrapped { b"}}" } else { b"}" }));
            push_children(node, true, false, pending);
        }
        Kind::List => {
            out.push(b'[');
            pending.push(Pending::Text(if is_wrapped { b"]}" } else { b"]" }));
            push_children(node, false, false, pending);
        }
        Kind::Register | Kind::Text | Kind::File => {
            write_leaf(node, out);
            if is_wrapped {
                out.push(b'}');
            }
        }
    }
}

fn opening(kind: Kind) -> &'static [u8] {
    match kind {
        Kind::Object => br#"{"liveblocksType":"LiveObject","data":"#,
        Kind::List => br#"{"liveblocksType":"LiveList","data":"#,
        Kind::Map => br#"{"liveblocksType":"LiveMap","data":"#,
        Kind::Text => br#"{"liveblocksType":"LiveText","data":"#,
        Kind::File => br#"{"liveblocksType":"LiveFile","data":"#,
        Kind::Register => b"",
    }
}

/// Pushes them in reverse, since the last one pushed is the next one written.
fn push_children<'a>(
    node: NodeRef<'a>,
    has_keys: bool,
    is_after_values: bool,
    pending: &mut Vec<Pending<'a>>,
) {
    let start = pending.len();
    for (key, node) in node.children().rev() {
        let key = has_keys.then_some(key);
        pending.push(Pending::Node { comma: true, key, node });
    }
    let is_first = pending.len() > start && !is_after_values;
    if let Some(Pending::Node { comma, .. }) = pending.last_mut().filter(|_| is_first) {
        *comma = false;
    }
}

fn write_leaf(node: NodeRef<'_>, out: &mut Vec<u8>) {
    if let Some(text) = node.text() {
        text.write_segments(out);
    } else {
        let value = node.data().or_else(|| node.file_json());
        out.extend_from_slice(value.map_or("null", |value| value.get()).as_bytes());
    }
}

impl Builder<'_> {
    /// The root exists already, so its values are set one by one.
    fn fill_root(&mut self, value: &serde_json::Value) -> Result<(), LsonError> {
        let (kind, data) = match self.live(value)? {
            Some((Kind::Object, data)) => (Kind::Object, data),
            Some((kind, _)) => {
                let name = type_name(kind).unwrap_or_default();
                return Err(self.error(format!("the root must be a LiveObject, not a {name}")));
            }
            None => {
                let problem = r#"the root must be {"liveblocksType": "LiveObject", "data": {…}}"#;
                return Err(self.error(problem.to_owned()));
            }
        };
        self.within(DATA_KEY, |builder| match data.as_object() {
            Some(fields) => builder.fill(ROOT_ID.into(), fields),
            None => Err(builder.wrong_data(kind)),
        })
    }
}
