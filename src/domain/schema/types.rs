//! A schema that holds together: every name is resolved, every rule is kept.

use std::collections::BTreeMap;
use std::fmt;

#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    pub(super) objects: Vec<ObjectType>,
    pub(super) root: ObjectId,
}

/// An object type of one schema. Never take it to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ObjectId(pub(super) usize);

#[derive(Debug, Clone, PartialEq, Default)]
pub struct ObjectType {
    /// `None` if it was written inline.
    pub name: Option<Box<str>>,
    pub fields: BTreeMap<Box<str>, Field>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    pub is_optional: bool,
    pub of: Type,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    String,
    Number,
    /// The old `Int`: a number without a fraction.
    Integer,
    Boolean,
    Null,
    Literal(Literal),
    /// A plain JSON object.
    Object(ObjectId),
    /// A plain JSON array.
    Array(Box<Type>),
    LiveObject(ObjectId),
    LiveList(Box<Type>),
    LiveMap(Box<Type>),
    LiveText,
    LiveFile,
    /// Flat, and its members cannot be mistaken for each other.
    Union(Box<[Type]>),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    Text(Box<str>),
    /// A whole number.
    Number(f64),
    Bool(bool),
}

const NO_FIELDS: &ObjectType = &ObjectType { name: None, fields: BTreeMap::new() };

impl Schema {
    pub fn root(&self) -> ObjectId {
        self.root
    }

    pub fn object(&self, id: ObjectId) -> &ObjectType {
        self.objects.get(id.0).unwrap_or(NO_FIELDS)
    }

    /// A type as the language writes it, such as `LiveList<LiveObject<Todo>>`.
    pub fn show<'s>(&'s self, of: &'s Type) -> impl fmt::Display + 's {
        Shown { objects: &self.objects, of }
    }
}

pub(super) struct Shown<'s> {
    pub(super) objects: &'s [ObjectType],
    pub(super) of: &'s Type,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |of| Shown { objects: self.objects, of };
        match self.of {
            Type::String => f.write_str("string"),
            Type::Number => f.write_str("number"),
            Type::Integer => f.write_str("Int"),
            Type::Boolean => f.write_str("boolean"),
            Type::Null => f.write_str("null"),
            Type::Literal(literal) => literal.fmt(f),
            Type::Object(id) => show_object(self.objects, *id, f),
            Type::Array(item) if matches!(**item, Type::Union(_)) => {
                write!(f, "({})[]", shown(item))
            }
            Type::Array(item) => write!(f, "{}[]", shown(item)),
            Type::LiveObject(id) => {
                f.write_str("LiveObject<")?;
                show_object(self.objects, *id, f)?;
                f.write_str(">")
            }
            Type::LiveList(item) => write!(f, "LiveList<{}>", shown(item)),
            Type::LiveMap(value) => write!(f, "LiveMap<string, {}>", shown(value)),
            Type::LiveText => f.write_str("LiveText"),
            Type::LiveFile => f.write_str("LiveFile"),
            Type::Union(members) => {
                for (place, member) in members.iter().enumerate() {
                    f.write_str(if place == 0 { "" } else { " | " })?;
                    shown(member).fmt(f)?;
                }
                Ok(())
            }
        }
    }
}

/// Its name, or what it holds. Inline objects cannot refer to themselves, so this ends.
fn show_object(objects: &[ObjectType], id: ObjectId, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Some(object) = objects.get(id.0) else { return Ok(()) };
    if let Some(name) = &object.name {
        return f.write_str(name);
    }
    f.write_str("{")?;
    for (place, (name, field)) in object.fields.iter().enumerate() {
        let comma = if place == 0 { " " } else { ", " };
        let mark = if field.is_optional { "?" } else { "" };
        write!(f, "{comma}{name}{mark}: {}", Shown { objects, of: &field.of })?;
    }
    f.write_str(if object.fields.is_empty() { "}" } else { " }" })
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Number(number) => number.fmt(f),
            Self::Bool(bool) => bool.fmt(f),
        }
    }
}
