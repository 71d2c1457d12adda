//! What a route takes in its path and query, by the rules of `build/params.rs`.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Value, json};

use super::schema::{Direction, Schemas, described};
use super::text::{Texts, join};
use crate::generate::model::{Body, Method, Rule, Segment};

pub fn of_route(
    method: &Method,
    rule: &Rule,
    schemas: &mut Schemas<'_>,
    texts: &Texts,
) -> Result<Vec<Value>, String> {
    let input = method.descriptor.input();
    let in_path = variables(rule);
    let mut found = Vec::new();
    for field in in_path.iter().filter_map(|name| input.get_field_by_name(name)) {
        let schema = schemas.field(&field, Direction::Request)?;
        let parameter = json!({
            "name": field.json_name(), "in": "path", "required": true, "schema": schema,
        });
        found.push(finish(parameter, &field, &texts.of(&field)));
    }
    let mut query = Query { schemas, texts, found, parents: vec![input.full_name().to_owned()] };
    for field in input.fields().filter(|field| !in_path.contains(&field.name())) {
        let offered = match &rule.body {
            Body::None => true,
            // A flag such as `?idempotent` is at home beside a body; all else belongs inside.
            Body::Whole => matches!(field.kind(), Kind::Bool) && !field.is_list(),
            Body::Field(body) => body != &field,
        };
        if offered {
            query.add("", &field)?;
        }
    }
    Ok(query.found)
}

/// The names of the fields that a route's path sets.
pub fn variables(rule: &Rule) -> Vec<&str> {
    let names = rule.segments.iter().filter_map(|segment| match segment {
        Segment::Variable(name) => Some(name.as_str()),
        Segment::Literal(_) => None,
    });
    names.collect()
}

struct Query<'a, 'b> {
    schemas: &'a mut Schemas<'b>,
    texts: &'a Texts,
    found: Vec<Value>,
    /// The messages around the field at hand: one inside itself would never end.
    parents: Vec<String>,
}

impl Query<'_, '_> {
    fn add(&mut self, prefix: &str, field: &FieldDescriptor) -> Result<(), String> {
        if field.containing_oneof().is_some_and(|oneof| !oneof.is_synthetic()) {
            return Ok(());
        }
        let name = format!("{prefix}{}", field.json_name());
        match field.kind() {
            Kind::Message(entry) if field.is_map() => {
                if is_text_map(&entry) {
                    self.add_map(&name, field);
                }
            }
            Kind::Message(_) if field.is_list() => {}
            Kind::Message(message) if message.full_name() == "google.protobuf.Timestamp" => {
                let schema = self.schemas.field(field, Direction::Request)?;
                self.push(json!({"name": name, "in": "query", "schema": schema}), field, "");
            }
            Kind::Message(message) => self.add_nested(&name, &message)?,
            kind => {
                let mut schema = self.schemas.field(field, Direction::Request)?;
                if kind == Kind::Bytes {
                    // In a URL the bytes are percent-encoded, not base64.
                    schema = json!({"type": "string"});
                }
                let mut parameter = json!({"name": name, "in": "query", "schema": schema});
                if kind == Kind::Bool {
                    parameter["allowEmptyValue"] = true.into();
                }
                self.push(parameter, field, "");
            }
        }
        Ok(())
    }

    /// `metadata.color=blue`. An exploded object is written as its own keys, so that the prefix in
    /// their pattern says exactly this; the parameter's own name never travels.
    fn add_map(&mut self, name: &str, field: &FieldDescriptor) {
        let parameter = json!({
            "name": format!("{name}.*"),
            "in": "query",
            "style": "form",
            "explode": true,
            "schema": {
                "type": "object",
                "propertyNames": {"pattern": format!("^{}[.]", name.replace('.', "[.]"))},
                "additionalProperties": {"type": "string"},
            },
        });
        let note = format!("One parameter for each key, as in `?{name}.key=value`.");
        self.push(parameter, field, &note);
    }

    fn add_nested(&mut self, name: &str, message: &MessageDescriptor) -> Result<(), String> {
        let full_name = message.full_name();
        let is_parent = self.parents.iter().any(|parent| parent == full_name);
        if full_name.starts_with("google.") || is_parent {
            return Ok(());
        }
        self.parents.push(full_name.to_owned());
        let prefix = format!("{name}.");
        let outcome = message.fields().try_for_each(|field| self.add(&prefix, &field));
        self.parents.pop();
        outcome
    }

    fn push(&mut self, parameter: Value, field: &FieldDescriptor, note: &str) {
        let text = join(&self.texts.of(field), note);
        self.found.push(finish(parameter, field, &text));
    }
}

fn finish(mut parameter: Value, field: &FieldDescriptor, text: &str) -> Value {
    if field.field_descriptor_proto().options.as_ref().is_some_and(|o| o.deprecated()) {
        parameter["deprecated"] = true.into();
    }
    described(parameter, text)
}

fn is_text_map(entry: &MessageDescriptor) -> bool {
    entry.map_entry_key_field().kind() == Kind::String
        && entry.map_entry_value_field().kind() == Kind::String
}
