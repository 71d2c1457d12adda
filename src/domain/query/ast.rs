//! A query as a typed tree.

use std::ops::Range;
use std::str::FromStr;

use crate::error::Error;

/// Terms that must all hold. No terms hold for everything.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Query {
    pub terms: Vec<Term>,
}

#[derive(Debug, Clone)]
pub struct Term {
    pub field: Field,
    pub op: Op,
    pub value: Value,
    /// Where it stands in the text, in bytes.
    pub span: Range<usize>,
}

/// Two terms are equal if they mean the same, wherever they stand.
impl PartialEq for Term {
    fn eq(&self, other: &Self) -> bool {
        self.field == other.field && self.op == other.op && self.value == other.value
    }
}

/// `resolved`, or `metadata["color"]`, whose key is `color`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Field {
    pub name: String,
    pub key: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    Equals,
    /// Its value is always a text.
    StartsWith,
    /// The value of this and the following is always a number.
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Op {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equals => ":",
            Self::StartsWith => "^",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Text(String),
    /// Never infinite, never NaN.
    Number(f64),
    Bool(bool),
    Null,
}

/// Why a text is not a query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} (at byte {position})")]
pub struct QueryError {
    /// Bytes before the place where it went wrong.
    pub position: usize,
    /// What was expected there and what came, for a person.
    pub problem: String,
}

impl From<QueryError> for Error {
    fn from(error: QueryError) -> Self {
        Self::invalid("query", error.to_string())
    }
}

impl Query {
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        super::parser::parse(text)
    }
}

impl FromStr for Query {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        Self::parse(text)
    }
}
