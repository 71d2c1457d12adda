//! Plain values against types. Most of them are told by their first byte, without being read.

use serde_json::{Map, Value};

use super::super::json::Json;
use super::describe::describe_value;
use crate::domain::schema::{Literal, ObjectId, Schema, Type};

/// Where within the value, and what is wrong there; no problem stands for the value as a whole.
pub(super) struct Fault {
    pub(super) path: String,
    pub(super) problem: Option<String>,
}

impl Fault {
    const WHOLE: Self = Self { path: String::new(), problem: None };

    fn here(problem: String) -> Self {
        Self { path: String::new(), problem: Some(problem) }
    }

    fn below(mut self, key: &str) -> Self {
        let key = key.replace('~', "~0").replace('/', "~1");
        self.path.insert_str(0, &format!("/{key}"));
        self
    }
}

pub(super) fn check(schema: &Schema, expected: &Type, value: &Json) -> Result<(), Fault> {
    if is_sure(expected, value.get()) {
        return Ok(());
    }
    // What is nested so deep that it cannot be read fits no type that somebody wrote down.
    let value = value.to_value().map_err(|_| Fault::WHOLE)?;
    check_value(schema, expected, &value)
}

/// Whether the first byte is enough to say that it fits.
fn is_sure(expected: &Type, text: &str) -> bool {
    match (expected, text.as_bytes().first()) {
        (Type::String, Some(b'"')) | (Type::Boolean, Some(b't' | b'f')) => true,
        (Type::Number, Some(b'-' | b'0'..=b'9')) | (Type::Null, Some(b'n')) => true,
        (Type::Union(members), _) => members.iter().any(|member| is_sure(member, text)),
        _ => false,
    }
}

/// As deep as the value, which its reader has limited.
fn check_value(schema: &Schema, expected: &Type, value: &Value) -> Result<(), Fault> {
    let fits = match (expected, value) {
        (Type::String, Value::String(_))
        | (Type::Number, Value::Number(_))
        | (Type::Boolean, Value::Bool(_))
        | (Type::Null, Value::Null) => true,
        (Type::Integer, Value::Number(number)) => {
            number.as_f64().is_some_and(|number| number.fract() == 0.0)
        }
        (Type::Literal(Literal::Text(text)), Value::String(value)) => **text == **value,
        (Type::Literal(Literal::Bool(bool)), Value::Bool(value)) => bool == value,
        (Type::Literal(Literal::Number(number)), Value::Number(value)) => {
            value.as_f64() == Some(*number)
        }
        (Type::Object(id), Value::Object(fields)) => return check_object(schema, *id, fields),
        (Type::Array(of), Value::Array(items)) => return check_items(schema, of, items),
        (Type::Union(members), _) => return check_union(schema, members, expected, value),
        _ => false,
    };
    if fits { Ok(()) } else { Err(Fault::here(describe_value(schema, expected, value))) }
}

fn check_union(
    schema: &Schema,
    members: &[Type],
    expected: &Type,
    value: &Value,
) -> Result<(), Fault> {
    // A union has at most one member for objects and one for lists, whose faults are more to the
    // point than that nothing fits.
    let nested = members.iter().find(|member| {
        matches!(
            (member, value),
            (Type::Object(_), Value::Object(_)) | (Type::Array(_), Value::Array(_))
        )
    });
    if let Some(nested) = nested {
        return check_value(schema, nested, value);
    }
    let fits = members.iter().any(|member| check_value(schema, member, value).is_ok());
    if fits { Ok(()) } else { Err(Fault::here(describe_value(schema, expected, value))) }
}

fn check_items(schema: &Schema, of: &Type, items: &[Value]) -> Result<(), Fault> {
    for (index, item) in items.iter().enumerate() {
        check_value(schema, of, item).map_err(|fault| fault.below(&index.to_string()))?;
    }
    Ok(())
}

fn check_object(schema: &Schema, id: ObjectId, fields: &Map<String, Value>) -> Result<(), Fault> {
    let object = schema.object(id);
    let shown = || schema.show(&Type::Object(id)).to_string();
    for (key, value) in fields {
        let Some(field) = object.fields.get(key.as_str()) else {
            let problem = format!("there is no such field in {}", shown());
            return Err(Fault::here(problem).below(key));
        };
        check_value(schema, &field.of, value).map_err(|fault| fault.below(key))?;
    }
    let mut required = object.fields.iter().filter(|(_, field)| !field.is_optional);
    match required.find(|(key, _)| !fields.contains_key(&***key)) {
        Some((key, _)) => {
            let problem = format!("missing required property '{key}' on type '{}'", shown());
            Err(Fault::here(problem))
        }
        None => Ok(()),
    }
}
