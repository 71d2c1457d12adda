//! A schema as it was written, each part with the place where it stands.

use std::ops::Range;

use super::types::Literal;

/// Where something stands in the text, in bytes.
pub(super) type Span = Range<usize>;

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) span: Span,
    pub(super) text: String,
}

impl Problem {
    pub(super) fn new(span: Span, text: impl Into<String>) -> Self {
        Self { span, text: text.into() }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Name<'t> {
    pub(super) text: &'t str,
    pub(super) span: Span,
}

#[derive(Debug)]
pub(super) struct Definition<'t> {
    pub(super) name: Name<'t>,
    pub(super) fields: Vec<FieldExpr<'t>>,
}

#[derive(Debug)]
pub(super) struct FieldExpr<'t> {
    pub(super) name: Name<'t>,
    pub(super) is_optional: bool,
    pub(super) of: TypeExpr<'t>,
}

#[derive(Debug)]
pub(super) struct TypeExpr<'t> {
    pub(super) kind: Kind<'t>,
    pub(super) span: Span,
    /// Levels of types within types, this one included; never over `SCHEMA_NESTING_LEVELS_MAX`,
    /// which keeps everything that walks down a type off the end of the stack.
    pub(super) levels: usize,
}

#[derive(Debug)]
pub(super) enum Kind<'t> {
    /// A scalar, `LiveText`, `LiveFile` or a type that is defined somewhere.
    Named(&'t str),
    Literal(Literal),
    Object(Vec<FieldExpr<'t>>),
    Array(Box<TypeExpr<'t>>),
    Union(Vec<TypeExpr<'t>>),
    LiveObject(Name<'t>),
    LiveList(Box<TypeExpr<'t>>),
    LiveMap(Box<[TypeExpr<'t>; 2]>),
}
