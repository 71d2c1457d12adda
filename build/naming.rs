//! The Rust names that prost gives to what a proto file names.

use heck::{ToSnakeCase, ToUpperCamelCase};
use prost_reflect::{EnumDescriptor, FieldDescriptor, MessageDescriptor, OneofDescriptor};

const KEYWORDS: [&str; 13] = [
    "as", "break", "const", "enum", "final", "fn", "for", "in", "loop", "match", "mod", "type",
    "use",
];

/// The Rust path of a message.
pub fn message(root: &str, message: &MessageDescriptor) -> String {
    let full = message.full_name();
    // prost holds Empty as the unit.
    if full == "google.protobuf.Empty" {
        return "()".to_owned();
    }
    if let Some(name) = full.strip_prefix("google.protobuf.") {
        return format!("::prost_types::{name}");
    }
    type_path(root, message.package_name(), full)
}

pub fn enumeration(root: &str, enumeration: &EnumDescriptor) -> String {
    type_path(root, enumeration.package_name(), enumeration.full_name())
}

/// The Rust path of the enum that holds a oneof's members.
pub fn oneof(root: &str, oneof: &OneofDescriptor) -> String {
    let parent = oneof.parent_message();
    let scope = scope_of(root, parent.package_name(), parent.full_name());
    format!("{scope}::{}::{}", parent.name().to_snake_case(), variant(oneof.name()))
}

pub fn variant(name: &str) -> String {
    name.to_upper_camel_case()
}

/// The Rust field of a message, or of the oneof that the field belongs to.
pub fn field(name: &str) -> String {
    let name = name.to_snake_case();
    if KEYWORDS.contains(&name.as_str()) { format!("r#{name}") } else { name }
}

pub fn of_field(field_descriptor: &FieldDescriptor) -> String {
    field(field_descriptor.name())
}

fn type_path(root: &str, package: &str, full: &str) -> String {
    let name = full.rsplit('.').next().unwrap_or(full);
    format!("{}::{}", scope_of(root, package, full), name.to_upper_camel_case())
}

/// The module that a type stands in: its package, then the messages that it is nested in.
fn scope_of(root: &str, package: &str, full: &str) -> String {
    // Google's own messages are generated once, with the API, also for the tests' protos.
    let root = if package.starts_with("google.") { "crate::proto" } else { root };
    let mut path = root.to_owned();
    for segment in package.split('.') {
        path = format!("{path}::{}", segment.to_snake_case());
    }
    let nested = full.strip_prefix(package).unwrap_or(full).trim_start_matches('.');
    let mut parts: Vec<&str> = nested.split('.').collect();
    parts.pop();
    for parent in parts {
        path = format!("{path}::{}", parent.to_snake_case());
    }
    path
}
