//! JSON Schemas of messages and fields: the JSON that `src/wire/json/` reads and writes over REST.

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use super::text::Texts;
use crate::generate::model::{Api, flag};

/// The component that errors have; no message may take its name.
pub const ERROR: &str = "Error";

#[derive(Clone, Copy, PartialEq)]
pub enum Direction {
    Request,
    Reply,
}

pub struct Schemas<'a> {
    texts: &'a Texts,
    /// Messages that travel both ways and differ: which keys must be sent and which are always
    /// written are two lists. These have a second schema for requests.
    two_faced: BTreeSet<String>,
    /// By name: the type that it stands for, and its schema.
    found: BTreeMap<String, (String, Value)>,
}

impl<'a> Schemas<'a> {
    pub fn new(api: &Api, texts: &'a Texts) -> Self {
        let (mut requests, mut replies) = (BTreeMap::new(), BTreeMap::new());
        let methods = api.services.iter().flat_map(|service| &service.methods);
        for method in methods.filter(|method| !method.rules.is_empty()) {
            reach(&method.descriptor.input(), &mut requests);
            reach(&method.descriptor.output(), &mut replies);
        }
        let both = requests.iter().filter(|(name, _)| replies.contains_key(*name));
        let two_faced = both.filter(|(_, message)| differs(message)).map(|(name, _)| name.clone());
        Self { texts, two_faced: two_faced.collect(), found: BTreeMap::new() }
    }

    /// All that was referred to.
    pub fn finish(self) -> Map<String, Value> {
        self.found.into_iter().map(|(name, (_, schema))| (name, schema)).collect()
    }

    /// A message where it is used: a reference, but for those that JSON has its own form of.
    pub fn message(
        &mut self,
        message: &MessageDescriptor,
        direction: Direction,
    ) -> Result<Value, String> {
        if let Some(schema) = self.well_known(message)? {
            return Ok(schema);
        }
        let full_name = message.full_name();
        let mut name = short_name(message.package_name(), full_name);
        if direction == Direction::Request && self.two_faced.contains(full_name) {
            name.push_str("Input");
        }
        if self.claim(&name, full_name)? {
            let schema = self.object(message, direction, &[])?;
            self.found.insert(name.clone(), (full_name.to_owned(), schema));
        }
        Ok(reference(&name))
    }

    /// A message spelled out, without some of its fields.
    pub fn object(
        &mut self,
        message: &MessageDescriptor,
        direction: Direction,
        without: &[&str],
    ) -> Result<Value, String> {
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for field in message.fields().filter(|field| !without.contains(&field.name())) {
            let is_required = match direction {
                Direction::Request => flag(&field, "roomd.required"),
                Direction::Reply => always_written(&field),
            };
            if is_required {
                required.push(field.json_name().to_owned());
            }
            properties.insert(field.json_name().to_owned(), self.property(&field, direction)?);
        }
        required.sort();
        let mut schema = json!({"type": "object", "properties": properties});
        if !required.is_empty() {
            schema["required"] = required.into();
        }
        Ok(described(schema, &self.texts.of(message)))
    }

    fn property(&mut self, field: &FieldDescriptor, way: Direction) -> Result<Value, String> {
        let mut schema = self.field(field, way)?;
        if flag(field, "roomd.nullable") {
            schema = nullable(schema);
        }
        if field.field_descriptor_proto().options.as_ref().is_some_and(|o| o.deprecated()) {
            schema["deprecated"] = true.into();
        }
        Ok(described(schema, &self.texts.of(field)))
    }

    /// A field's value, without what its place adds: description, null.
    pub fn field(&mut self, field: &FieldDescriptor, way: Direction) -> Result<Value, String> {
        match field.kind() {
            Kind::Message(entry) if field.is_map() => {
                let values = self.kind(&entry.map_entry_value_field().kind(), way)?;
                Ok(json!({"type": "object", "additionalProperties": values}))
            }
            kind if field.is_list() => {
                Ok(json!({"type": "array", "items": self.kind(&kind, way)?}))
            }
            kind => self.kind(&kind, way),
        }
    }

    pub fn kind(&mut self, kind: &Kind, direction: Direction) -> Result<Value, String> {
        Ok(match kind {
            Kind::Message(message) => self.message(message, direction)?,
            Kind::Enum(found) => self.enumeration(found)?,
            Kind::String => json!({"type": "string"}),
            Kind::Bytes => json!({"type": "string", "contentEncoding": "base64"}),
            Kind::Bool => json!({"type": "boolean"}),
            Kind::Float => json!({"type": "number", "format": "float"}),
            Kind::Double => json!({"type": "number", "format": "double"}),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
                json!({"type": "integer", "format": "int32"})
            }
            Kind::Uint32 | Kind::Fixed32 => {
                json!({"type": "integer", "format": "uint32", "minimum": 0})
            }
            // 64 bits do not survive JavaScript's numbers, so proto JSON quotes them.
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
                json!({"type": "string", "format": "int64"})
            }
            Kind::Uint64 | Kind::Fixed64 => json!({"type": "string", "format": "uint64"}),
        })
    }

    fn enumeration(&mut self, found: &EnumDescriptor) -> Result<Value, String> {
        let name = short_name(found.package_name(), found.full_name());
        if self.claim(&name, found.full_name())? {
            let values: Vec<String> = found.values().map(|value| value.name().to_owned()).collect();
            let schema = json!({"type": "string", "enum": values});
            let schema = described(schema, &self.texts.of(found));
            self.found.insert(name.clone(), (found.full_name().to_owned(), schema));
        }
        Ok(reference(&name))
    }

    fn well_known(&mut self, message: &MessageDescriptor) -> Result<Option<Value>, String> {
        let Some(name) = message.full_name().strip_prefix("google.protobuf.") else {
            return Ok(None);
        };
        Ok(Some(match name {
            "Timestamp" => json!({"type": "string", "format": "date-time"}),
            "Duration" => json!({"type": "string", "pattern": "^-?[0-9]+([.][0-9]+)?s$"}),
            "FieldMask" => json!({"type": "string"}),
            "Struct" => json!({"type": "object", "additionalProperties": true}),
            "Value" => json!({}),
            "ListValue" => json!({"type": "array", "items": {}}),
            "Empty" => json!({"type": "object"}),
            // The wrappers are written as what they wrap.
            _ => match message.get_field_by_name("value") {
                Some(field) if name.ends_with("Value") => self.field(&field, Direction::Reply)?,
                _ => return Err(format!("{}: has no JSON form here", message.full_name())),
            },
        }))
    }

    /// Takes a name for a type. `false` if the type has it already; what it stands for comes after,
    /// so that a message may hold itself.
    fn claim(&mut self, name: &str, full_name: &str) -> Result<bool, String> {
        match self.found.get(name) {
            Some((holder, _)) if holder == full_name => Ok(false),
            Some((holder, _)) => {
                Err(format!("{holder} and {full_name} would both be schema {name}"))
            }
            None if name == ERROR => {
                Err(format!("{full_name} would be schema {ERROR}, which errors have"))
            }
            None => {
                self.found.insert(name.to_owned(), (full_name.to_owned(), Value::Null));
                Ok(true)
            }
        }
    }
}

/// Whether canonical JSON has the key whatever the value is.
fn always_written(field: &FieldDescriptor) -> bool {
    flag(field, "roomd.always") || flag(field, "roomd.nullable")
}

/// A message and all that it can hold.
fn reach(message: &MessageDescriptor, found: &mut BTreeMap<String, MessageDescriptor>) {
    let name = message.full_name();
    if name.starts_with("google.protobuf.") || found.contains_key(name) {
        return;
    }
    found.insert(name.to_owned(), message.clone());
    for field in message.fields() {
        if let Kind::Message(inner) = field.kind() {
            reach(&inner, found);
        }
    }
}

fn differs(message: &MessageDescriptor) -> bool {
    let mut held = BTreeMap::new();
    reach(message, &mut held);
    let mut fields = held.values().flat_map(MessageDescriptor::fields);
    fields.any(|field| flag(&field, "roomd.required") != always_written(&field))
}

/// A type's name without its package; nested types keep their parents' names.
fn short_name(package: &str, full_name: &str) -> String {
    full_name.strip_prefix(package).unwrap_or(full_name).trim_start_matches('.').to_owned()
}

pub fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

pub fn described(mut schema: Value, text: &str) -> Value {
    if !text.is_empty() {
        schema["description"] = text.into();
    }
    schema
}

fn nullable(mut schema: Value) -> Value {
    match schema.get("type").cloned() {
        Some(kind) => {
            schema["type"] = json!([kind, "null"]);
            schema
        }
        None if schema.get("$ref").is_some() => json!({"anyOf": [schema, {"type": "null"}]}),
        // Without a type it is any JSON, null among it.
        None => schema,
    }
}
