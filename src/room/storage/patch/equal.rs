//! What `test` means by equal: numbers by their value, objects whatever the order of their members.

use serde_json::{Number, Value};

use super::super::json::Json;
use super::super::lson::{DATA_KEY, TYPE_KEY, type_name};
use super::super::node_ref::{Kind, NodeRef};

/// Whether a node is this value, in either form that documents are read in. It goes only as deep as
/// the value does, and stops where they differ.
pub(super) fn is_node(node: NodeRef<'_>, value: &Value) -> bool {
    let name = type_name(node.kind());
    let says = value.get(TYPE_KEY).and_then(Value::as_str);
    match value.get(DATA_KEY) {
        Some(data) if name.is_some() && says == name => is_data(node, data),
        Some(_) | None => is_data(node, value),
    }
}

fn is_data(node: NodeRef<'_>, value: &Value) -> bool {
    match (node.kind(), value) {
        (Kind::Object | Kind::Map, Value::Object(fields)) => {
            fields.len() == node.len() + node.plain_len()
                && fields.iter().all(|(key, value)| match node.child(key) {
                    Some(child) => is_node(child, value),
                    None => node.plain(key).is_some_and(|json| is_json(json, value)),
                })
        }
        (Kind::List, Value::Array(items)) => {
            items.len() == node.len()
                && items.iter().zip(node.children()).all(|(value, (_, item))| is_node(item, value))
        }
        (Kind::Register, _) => node.data().is_some_and(|json| is_json(json, value)),
        (Kind::File, _) => node.file_json().is_some_and(|json| is_json(json, value)),
        (Kind::Text, _) => super::segments::read(node).is_some_and(|data| is_value(&data, value)),
        (Kind::Object | Kind::Map | Kind::List, _) => false,
    }
}

pub(super) fn is_json(json: &Json, value: &Value) -> bool {
    json.to_value().is_ok_and(|json| is_value(&json, value))
}

pub(super) fn is_value(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => is_number(one, other),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| is_value(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(key, one)| other.get(key).is_some_and(|other| is_value(one, other)))
        }
        (one, other) => one == other,
    }
}

/// Whole numbers may be too long to be told apart as fractions.
fn is_number(one: &Number, other: &Number) -> bool {
    one == other || ((one.is_f64() || other.is_f64()) && one.as_f64() == other.as_f64())
}
