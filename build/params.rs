//! Setters by name for path variables and query parameters: typed, and only for request messages
//! and what they hold.

use std::collections::BTreeMap;
use std::fmt::Write;

use prost_reflect::{Kind, MessageDescriptor};

use super::model::Api;
use super::naming;

pub fn generate(api: &Api) -> Result<String, String> {
    let mut needed = BTreeMap::new();
    for method in api.services.iter().flat_map(|service| service.unary()) {
        collect(&method.descriptor.input(), &mut needed);
    }
    Ok(needed.values().map(|message| setters(api, message)).collect())
}

fn collect(message: &MessageDescriptor, needed: &mut BTreeMap<String, MessageDescriptor>) {
    if message.full_name().starts_with("google.") || message.is_map_entry() {
        return;
    }
    if needed.insert(message.full_name().to_owned(), message.clone()).is_some() {
        return;
    }
    for field in message.fields() {
        if let Kind::Message(inner) = field.kind() {
            collect(&inner, needed);
        }
    }
}

fn setters(api: &Api, message: &MessageDescriptor) -> String {
    let path = api.message(message);
    let params = "crate::wire::params";
    let mut out = format!(
        "impl {params}::ParamMessage for {path} {{\n\
         fn set_field(&mut self, name: &str, rest: Option<&str>, raw: &str) \
         -> Result<bool, {params}::ParamError> {{\n\
         _ = (rest, raw);\nmatch name {{\n"
    );
    for field in message.fields() {
        // A member of a oneof, a raw body or another repeated message has no form as a parameter.
        let in_oneof = field.containing_oneof().is_some_and(|oneof| !oneof.is_synthetic());
        let raw_message = matches!(field.kind(), Kind::Message(inner)
            if (inner.full_name().starts_with("google.")
                && inner.full_name() != "google.protobuf.Timestamp") || field.is_list());
        if in_oneof || (raw_message && !field.is_map()) {
            continue;
        }
        if field.is_map() && !plain_map(&field.kind()) {
            continue;
        }
        let (camel, snake, target) = (field.json_name(), field.name(), naming::of_field(&field));
        let names = match camel == snake {
            true => format!("\"{camel}\""),
            false => format!("\"{camel}\" | \"{snake}\""),
        };
        let set = match field.kind().as_enum() {
            Some(found) => {
                let kind = naming::enumeration(api.root, found);
                format!("{params}::set_enum::<{kind}, _>(&mut self.{target}, rest, raw)")
            }
            None => format!("{params}::Param::set(&mut self.{target}, rest, raw)"),
        };
        _ = writeln!(out, "{names} => {set}.map(|()| true),");
    }
    out.push_str("_ => Ok(false),\n}\n}\n}\n");
    _ = writeln!(
        out,
        "impl {params}::Param for {path} {{\n\
         fn set(&mut self, rest: Option<&str>, raw: &str) -> Result<(), {params}::ParamError> \
         {{ {params}::set_nested(self, rest, raw) }}\n}}"
    );
    out
}

fn plain_map(kind: &Kind) -> bool {
    let Kind::Message(entry) = kind else { return false };
    matches!(entry.map_entry_value_field().kind(), Kind::String)
        && matches!(entry.map_entry_key_field().kind(), Kind::String)
}
