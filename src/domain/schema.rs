//! The schema language of Storage: `type Storage { todos: LiveList<LiveObject<Todo>> }`.
//!
//! A schema says which Storage documents are good. This module reads the text and checks what a
//! text alone can tell; `room::storage::validate` holds documents against the result.
//!
//! # The language
//!
//! ```text
//! document   = { definition }
//! definition = "type" Name [ "=" ] object
//! object     = "{" { field [ "," | ";" ] } "}"
//! field      = name [ "?" ] ":" type
//! type       = item { "|" item }
//! item       = ( "(" type ")" | object | literal | scalar | Name | live ) { "[]" }
//! literal    = "text" | 'text' | [ "-" ] integer | "true" | "false"
//! scalar     = "string" | "number" | "boolean" | "null"
//! live       = "LiveObject" "<" Name ">" | "LiveList" "<" type ">"
//!            | "LiveMap" "<" "string" "," type ">" | "LiveText" | "LiveFile"
//! comment    = ( "#" | "//" ) rest of the line
//! ```
//!
//! Names are ASCII letters, digits and `_`, not beginning with a digit; those of types begin with a
//! capital letter or `_`. Further rules, each with its own message: there is a `Storage`; every
//! other type is used; nothing is defined twice; built-in names, names beginning with `Live` and
//! the field `liveblocksType` are reserved; plain JSON (arrays, inline objects, types that are
//! referred to without `LiveObject<>`) holds nothing live; a type is referred to either as `T` or
//! as `LiveObject<T>`, never both; the members of a union can be told apart at a glance, so that it
//! has at most one member of each kind, and no literal beside the scalar that it belongs to.
//!
//! # Where we accept more than the hosted service does
//!
//! * The spellings of before 0.0.11, `String`, `Int`, `Float` and `Boolean`, unless the schema
//!   defines a type of that name.
//! * A type may refer to itself, as long as some finite value fits it.
//! * `LiveText` and `LiveFile`, which are younger than the published language.

mod ast;
mod check;
mod errors;
mod inhabited;
mod lexer;
mod names;
mod parser;
#[cfg(test)]
mod tests;
mod types;
mod unions;

pub use errors::{SchemaError, SchemaErrors};
pub use types::{Field, Literal, ObjectId, ObjectType, Schema, Type};

/// Bytes of a schema's text.
pub const SCHEMA_BYTES_MAX: usize = 64 * 1024;
/// Named types of one schema.
pub const SCHEMA_TYPES_MAX: usize = 1_000;
/// Levels of types within types in one field. References to named types do not count.
pub const SCHEMA_NESTING_LEVELS_MAX: usize = 32;
/// Errors that one answer names. A text with more of them is told about the first.
pub const SCHEMA_ERRORS_MAX: usize = 20;

impl Schema {
    pub fn parse(text: &str) -> Result<Self, SchemaErrors> {
        if text.len() > SCHEMA_BYTES_MAX {
            let problem =
                format!("a schema must be at most {SCHEMA_BYTES_MAX} bytes, got {}", text.len());
            return Err(SchemaErrors::without_place(problem));
        }
        let place = |problems| SchemaErrors::locate(text, problems);
        let definitions = parser::parse(text).map_err(place)?;
        check::check(text, &definitions).map_err(place)
    }
}
