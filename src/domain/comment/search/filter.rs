//! What a search leaves out: `threadResolved:true hasMentions:true threadMetadata["color"]:"blue"`.

use crate::domain::comment::{CommentMetadata, MetadataScalar};
use crate::domain::ids::RoomId;
use crate::domain::query::{NumberOp, Op, Query, QueryError, Term, Value};
use crate::domain::text::excerpt;
use crate::error::Error;

/// All of these must hold.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CommentFilter {
    pub room_id: Option<RoomId>,
    pub resolved: Option<bool>,
    pub attachments: Option<bool>,
    pub mentions: Option<bool>,
    metadata: Vec<MetadataTerm>,
}

#[derive(Debug, Clone, PartialEq)]
struct MetadataTerm {
    key: String,
    test: Test,
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    Is(MetadataScalar),
    IsAbsent,
    StartsWith(String),
    Compares(NumberOp, f64),
}

impl CommentFilter {
    /// Reads the query language; an empty text leaves out nothing.
    pub fn from_query(text: &str) -> Result<Self, Error> {
        let mut filter = Self::default();
        for term in Query::parse(text)?.terms {
            filter.add(term)?;
        }
        Ok(filter)
    }

    /// What a comment's thread says.
    pub fn matches_thread(&self, resolved: bool, metadata: &CommentMetadata) -> bool {
        self.resolved.is_none_or(|wanted| wanted == resolved)
            && self.metadata.iter().all(|term| term.test.holds(metadata.get(&term.key)))
    }

    fn add(&mut self, term: Term) -> Result<(), Error> {
        let Term { field, op, value, span } = term;
        let refuse = |problem: String| Error::from(QueryError { position: span.start, problem });
        let (name, key) = (field.name, field.key);
        if name == "threadMetadata" {
            let example = r#"threadMetadata needs a key in brackets: threadMetadata["key"]"#;
            let key = key.ok_or_else(|| refuse(example.to_owned()))?;
            self.metadata.push(MetadataTerm { key, test: Test::read(op, value).map_err(refuse)? });
            return Ok(());
        }
        if key.is_some() {
            return Err(refuse(format!("{} has no keys", excerpt(&name))));
        }
        if name == "roomId" {
            let Value::Text(id) = value else {
                return Err(refuse(r#"roomId is compared with a text: roomId:"x""#.to_owned()));
            };
            self.room_id = Some(RoomId::parse("query", &id)?);
            return Ok(());
        }
        let flag = match name.as_str() {
            "threadResolved" => &mut self.resolved,
            "hasAttachments" => &mut self.attachments,
            "hasMentions" => &mut self.mentions,
            other => {
                let known = "threadMetadata[\"key\"], threadResolved, hasAttachments, hasMentions \
                             and roomId";
                return Err(refuse(format!("unknown field '{}'; {known} exist", excerpt(other))));
            }
        };
        let (Op::Equals, Value::Bool(wanted)) = (op, value) else {
            return Err(refuse(format!("{name} is compared with true or false: {name}:true")));
        };
        *flag = Some(wanted);
        Ok(())
    }
}

impl Test {
    fn read(op: Op, value: Value) -> Result<Self, String> {
        let number_op = match op {
            Op::Equals => NumberOp::Equals,
            Op::Less => NumberOp::Less,
            Op::LessOrEqual => NumberOp::LessOrEqual,
            Op::Greater => NumberOp::Greater,
            Op::GreaterOrEqual => NumberOp::GreaterOrEqual,
            Op::StartsWith => {
                let Value::Text(prefix) = value else {
                    return Err("a text in quotes comes after ^".to_owned());
                };
                return Ok(Self::StartsWith(prefix));
            }
        };
        match (number_op, value) {
            (op, Value::Number(number)) => Ok(Self::Compares(op, number)),
            (NumberOp::Equals, Value::Text(text)) => Ok(Self::Is(MetadataScalar::Text(text))),
            (NumberOp::Equals, Value::Bool(flag)) => Ok(Self::Is(MetadataScalar::Flag(flag))),
            (NumberOp::Equals, Value::Null) => Ok(Self::IsAbsent),
            (_, Value::Text(_) | Value::Bool(_) | Value::Null) => {
                Err(format!("a number comes after {op}"))
            }
        }
    }

    fn holds(&self, value: Option<&MetadataScalar>) -> bool {
        match (self, value) {
            (Self::IsAbsent, value) => value.is_none(),
            (_, None) => false,
            (Self::Is(wanted), Some(value)) => wanted == value,
            (Self::StartsWith(prefix), Some(MetadataScalar::Text(text))) => {
                text.starts_with(prefix.as_str())
            }
            (Self::Compares(op, wanted), Some(MetadataScalar::Number(number))) => {
                op.holds(*number, *wanted)
            }
            (Self::StartsWith(_) | Self::Compares(..), Some(_)) => false,
        }
    }
}
