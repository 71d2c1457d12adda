//! What was expected and what came, in words.

use serde_json::Value;

use super::super::json::Json;
use super::super::lson::type_name;
use super::super::node_ref::NodeRef;
use crate::domain::schema::{Schema, Type};
use crate::domain::text::excerpt;

/// Characters of an expected type that a message shows.
const TYPE_CHARS_MAX: usize = 200;

pub(super) fn describe_node(schema: &Schema, expected: &Type, node: NodeRef<'_>) -> String {
    let found = type_name(node.kind()).unwrap_or("plain value");
    sentence(schema, expected, &format!("a {found}"))
}

pub(super) fn describe_plain(schema: &Schema, expected: &Type, value: &Json) -> String {
    match value.to_value() {
        Ok(value) => describe_value(schema, expected, &value),
        Err(_) => sentence(schema, expected, "a value that is nested too deep"),
    }
}

pub(super) fn describe_value(schema: &Schema, expected: &Type, value: &Value) -> String {
    let found = match value {
        Value::Null => "null".to_owned(),
        Value::Bool(bool) => format!("the boolean {bool}"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the string {:?}", excerpt(text)),
        Value::Array(_) => "a plain array".to_owned(),
        Value::Object(_) => "a plain object".to_owned(),
    };
    sentence(schema, expected, &found)
}

fn sentence(schema: &Schema, expected: &Type, found: &str) -> String {
    let mut expected = schema.show(expected).to_string();
    if let Some((end, _)) = expected.char_indices().nth(TYPE_CHARS_MAX) {
        expected.truncate(end);
        expected.push('…');
    }
    format!("expected {expected}, got {found}")
}
