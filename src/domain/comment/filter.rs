//! Which threads a list shows. [`ThreadFilter::matches`] is the meaning; SQL is tested against it.

#[cfg(test)]
mod tests;

use super::metadata::METADATA_KEY_CHARS_MAX;
use super::{MetadataScalar, Thread, Visibility};
use crate::domain::query::{NumberOp, Op, QUERIED_TEXT_CHARS_MAX, Query, QueryError, Term, Value};
use crate::domain::text::{check_chars, excerpt};
use crate::error::Error;

/// All of these must hold.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ThreadFilter {
    pub resolved: Option<bool>,
    pub visibility: Option<Visibility>,
    /// Whether the caller is subscribed to it.
    pub subscribed: Option<bool>,
    pub metadata: Vec<MetadataTerm>,
    /// Two terms contradict each other.
    pub is_nothing: bool,
}

/// A condition on a value of metadata. Values of other types than it asks for do not match.
#[derive(Debug, Clone, PartialEq)]
pub enum MetadataTerm {
    Equals { key: String, value: MetadataScalar },
    Prefix { key: String, prefix: String },
    Number { key: String, op: NumberOp, number: f64 },
    Absent { key: String },
}

impl ThreadFilter {
    /// Reads the query language; an empty text filters nothing.
    pub fn from_query(text: &str) -> Result<Self, Error> {
        let mut filter = Self::default();
        for term in Query::parse(text)?.terms {
            filter.add(term)?;
        }
        Ok(filter)
    }

    fn add(&mut self, term: Term) -> Result<(), Error> {
        let Term { field, op, value, span } = term;
        let refuse = |problem: &str| {
            let problem = problem.to_owned();
            Error::from(QueryError { position: span.start, problem })
        };
        let name = field.name.as_str();
        match (name, field.key, op, value) {
            ("resolved", None, Op::Equals, Value::Bool(flag)) => {
                self.is_nothing |= set(&mut self.resolved, flag);
            }
            ("subscribed", None, Op::Equals, Value::Bool(flag)) => {
                self.is_nothing |= set(&mut self.subscribed, flag);
            }
            ("visibility", None, Op::Equals, Value::Text(text)) if !text.is_empty() => {
                let visibility = Visibility::parse(&text)
                    .map_err(|_| refuse("visibility is 'public' or 'private'"))?;
                self.is_nothing |= set(&mut self.visibility, visibility);
            }
            ("resolved" | "subscribed" | "visibility", ..) => {
                return Err(refuse("resolved:true, subscribed:true or visibility:'public'"));
            }
            ("metadata", Some(key), op, value) => {
                let term = metadata_term(key, op, value)?;
                self.metadata
                    .push(term.ok_or_else(|| refuse("the operator does not go with this value"))?);
            }
            ("metadata", None, ..) => {
                return Err(refuse(r#"metadata needs a key in brackets, as in metadata["key"]"#));
            }
            (other, ..) => {
                let known = "threads have resolved, visibility, subscribed and metadata['key']";
                return Err(refuse(&format!("unknown field '{}'; {known}", excerpt(other))));
            }
        }
        Ok(())
    }

    pub fn matches(&self, thread: &Thread, is_subscribed: bool) -> bool {
        !self.is_nothing
            && self.resolved.is_none_or(|resolved| resolved == thread.resolved)
            && self.visibility.is_none_or(|visibility| visibility == thread.visibility)
            && self.subscribed.is_none_or(|subscribed| subscribed == is_subscribed)
            && self.metadata.iter().all(|term| term.matches(thread))
    }
}

/// Whether it was something else before.
fn set<T: PartialEq>(slot: &mut Option<T>, value: T) -> bool {
    let contradicts = slot.as_ref().is_some_and(|old| *old != value);
    *slot = Some(value);
    contradicts
}

impl MetadataTerm {
    pub fn matches(&self, thread: &Thread) -> bool {
        let found = |key: &str| thread.metadata.get(key);
        match self {
            Self::Equals { key, value } => found(key) == Some(value),
            Self::Prefix { key, prefix } => {
                matches!(found(key), Some(MetadataScalar::Text(text)) if text.starts_with(prefix))
            }
            Self::Number { key, op, number } => {
                matches!(found(key), Some(MetadataScalar::Number(value)) if op.holds(*value, *number))
            }
            Self::Absent { key } => found(key).is_none(),
        }
    }
}

/// Nothing for an operator that does not go with the value.
fn metadata_term(key: String, op: Op, value: Value) -> Result<Option<MetadataTerm>, Error> {
    check_chars("query", "a key", &key, METADATA_KEY_CHARS_MAX)?;
    if let Value::Text(text) = &value {
        check_chars("query", "a value", text, QUERIED_TEXT_CHARS_MAX)?;
    }
    let number_op = match op {
        Op::Equals => None,
        Op::Less => Some(NumberOp::Less),
        Op::LessOrEqual => Some(NumberOp::LessOrEqual),
        Op::Greater => Some(NumberOp::Greater),
        Op::GreaterOrEqual => Some(NumberOp::GreaterOrEqual),
        Op::StartsWith => {
            let Value::Text(prefix) = value else { return Ok(None) };
            return Ok(Some(MetadataTerm::Prefix { key, prefix }));
        }
    };
    Ok(match (number_op, value) {
        (Some(op), Value::Number(number)) => Some(MetadataTerm::Number { key, op, number }),
        (Some(_), _) => None,
        (None, Value::Text(text)) => {
            Some(MetadataTerm::Equals { key, value: MetadataScalar::Text(text) })
        }
        (None, Value::Number(number)) => {
            Some(MetadataTerm::Equals { key, value: MetadataScalar::Number(number) })
        }
        (None, Value::Bool(flag)) => {
            Some(MetadataTerm::Equals { key, value: MetadataScalar::Flag(flag) })
        }
        (None, Value::Null) => Some(MetadataTerm::Absent { key }),
    })
}
