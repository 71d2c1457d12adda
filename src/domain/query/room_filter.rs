//! Which rooms a list shows. [`RoomFilter::matches`] is the meaning; SQL is tested against it.

use aws_lc_rs::digest;

use super::ast::{Op, Query, QueryError, Term, Value};
use super::parser::number_of;
use crate::domain::ids::OrganizationId;
use crate::domain::metadata::{
    METADATA_KEY_CHARS_MAX, METADATA_KEYS_MAX, METADATA_VALUE_CHARS_MAX, MetadataValue,
};
use crate::domain::room::{Accesses, Room, check_access_id};
use crate::domain::text::{check_chars, excerpt};
use crate::error::Error;

/// Groups that one list can be filtered by.
pub const GROUP_IDS_MAX: usize = 100;

/// All of these must hold; of the user and the groups, one is enough.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RoomFilter {
    pub organization_id: Option<OrganizationId>,
    /// Rooms whose `usersAccesses` give this user something.
    pub user_id: Option<String>,
    /// Rooms whose `groupsAccesses` give one of these something. Sorted, each once.
    pub group_ids: Vec<String>,
    pub terms: Vec<RoomTerm>,
}

/// One condition. Where metadata holds a list, one of its texts must satisfy it.
#[derive(Debug, Clone, PartialEq)]
pub enum RoomTerm {
    IdEquals(String),
    IdPrefix(String),
    MetadataEquals {
        key: String,
        value: String,
    },
    MetadataPrefix {
        key: String,
        prefix: String,
    },
    /// Compares the texts that are numbers ([`number_of`]); others do not match.
    MetadataNumber {
        key: String,
        op: NumberOp,
        number: f64,
    },
    MetadataAbsent {
        key: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NumberOp {
    Equals,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl NumberOp {
    /// The sign in mathematics, and in SQL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equals => "=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    pub fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Equals => left == right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

impl RoomFilter {
    /// Reads the query language; an empty text filters nothing.
    pub fn from_query(text: &str) -> Result<Self, Error> {
        let query = Query::parse(text)?;
        let terms = query.terms.into_iter().map(room_term).collect::<Result<_, _>>()?;
        Ok(Self { terms, ..Self::default() })
    }

    /// Adds the older `metadata.<key>=<value>` filters.
    pub fn with_metadata(
        mut self,
        entries: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>,
    ) -> Result<Self, Error> {
        for (index, (key, value)) in entries.into_iter().enumerate() {
            if index == METADATA_KEYS_MAX {
                let problem = format!("must have at most {METADATA_KEYS_MAX} keys");
                return Err(Error::invalid("metadata", problem));
            }
            let (key, value) = (key.into(), value.into());
            check_chars("metadata", "a key", &key, METADATA_KEY_CHARS_MAX)?;
            let field = format!("metadata.{}", excerpt(&key));
            check_chars(&field, "the value", &value, METADATA_VALUE_CHARS_MAX)?;
            self.terms.push(RoomTerm::MetadataEquals { key, value });
        }
        Ok(self)
    }

    /// Adds who must have an access of their own: this user, or one of these groups.
    pub fn with_members(
        mut self,
        user_id: Option<&str>,
        group_ids: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Self, Error> {
        if let Some(user_id) = user_id {
            check_access_id("userId", user_id)?;
        }
        self.user_id = user_id.map(str::to_owned);
        for (index, group_id) in group_ids.into_iter().enumerate() {
            if index == GROUP_IDS_MAX {
                let problem = format!("must have at most {GROUP_IDS_MAX} ids");
                return Err(Error::invalid("groupIds", problem));
            }
            let group_id = group_id.into();
            check_access_id("groupIds", &group_id)?;
            self.group_ids.push(group_id);
        }
        self.group_ids.sort_unstable();
        self.group_ids.dedup();
        Ok(self)
    }

    #[must_use]
    pub fn in_organization(mut self, organization_id: Option<OrganizationId>) -> Self {
        self.organization_id = organization_id;
        self
    }

    /// Whether a list with this filter shows the room.
    pub fn matches(&self, room: &Room) -> bool {
        self.organization_id.as_ref().is_none_or(|id| *id == room.organization_id)
            && self.matches_members(room)
            && self.terms.iter().all(|term| term.matches(room))
    }

    fn matches_members(&self, room: &Room) -> bool {
        if self.user_id.is_none() && self.group_ids.is_empty() {
            return true;
        }
        let gives =
            |map: &Accesses, id: &String| map.get(id).is_some_and(|scopes| !scopes.is_empty());
        self.user_id.iter().any(|id| gives(&room.users_accesses, id))
            || self.group_ids.iter().any(|id| gives(&room.groups_accesses, id))
    }

    /// The same for the same filter, whatever the order of its terms; a cursor is bound to it.
    pub fn fingerprint(&self) -> [u8; 8] {
        let mut parts = vec![
            encode("organization", self.organization_id.iter().map(OrganizationId::as_str)),
            encode("user", self.user_id.iter().map(String::as_str)),
            encode("groups", self.group_ids.iter().map(String::as_str)),
        ];
        let mut terms: Vec<_> = self.terms.iter().map(RoomTerm::encode).collect();
        terms.sort_unstable();
        parts.append(&mut terms);
        let digest = digest::digest(&digest::SHA256, &parts.concat());
        let mut fingerprint = [0; 8];
        for (to, from) in fingerprint.iter_mut().zip(digest.as_ref()) {
            *to = *from;
        }
        fingerprint
    }
}

impl RoomTerm {
    pub fn matches(&self, room: &Room) -> bool {
        let any = |key: &str, holds: &dyn Fn(&str) -> bool| {
            let texts = room.metadata.get(key).map_or(&[][..], MetadataValue::texts);
            texts.iter().any(|text| holds(text))
        };
        match self {
            Self::IdEquals(id) => room.id.as_str() == id,
            Self::IdPrefix(prefix) => room.id.as_str().starts_with(prefix),
            Self::MetadataEquals { key, value } => any(key, &|text| text == value),
            Self::MetadataPrefix { key, prefix } => any(key, &|text| text.starts_with(prefix)),
            Self::MetadataNumber { key, op, number } => {
                any(key, &|text| number_of(text).is_some_and(|value| op.holds(value, *number)))
            }
            Self::MetadataAbsent { key } => !room.metadata.contains_key(key),
        }
    }

    /// For the fingerprint: different terms have different encodings.
    fn encode(&self) -> Vec<u8> {
        match self {
            Self::IdEquals(id) => encode("id", [id.as_str()]),
            Self::IdPrefix(prefix) => encode("id^", [prefix.as_str()]),
            Self::MetadataEquals { key, value } => encode("metadata", [key.as_str(), value]),
            Self::MetadataPrefix { key, prefix } => encode("metadata^", [key.as_str(), prefix]),
            Self::MetadataNumber { key, op, number } => {
                // Adding zero makes -0 the same as 0, as it is in comparisons.
                let bits = (number + 0.0).to_bits().to_string();
                encode("metadata number", [key.as_str(), op.as_str(), &bits])
            }
            Self::MetadataAbsent { key } => encode("metadata absent", [key.as_str()]),
        }
    }
}

/// The count and lengths before the texts keep two filters from looking alike.
fn encode<'a>(kind: &'a str, texts: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let texts: Vec<&str> = std::iter::once(kind).chain(texts).collect();
    let mut bytes = (texts.len() as u64).to_be_bytes().to_vec();
    for text in texts {
        bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

fn room_term(term: Term) -> Result<RoomTerm, Error> {
    let Term { field, op, value, span } = term;
    let refuse = |problem: String| Error::from(QueryError { position: span.start, problem });
    match (field.name.as_str(), field.key) {
        ("roomId", None) => match (op, value) {
            (Op::Equals, Value::Text(id)) => Ok(RoomTerm::IdEquals(id)),
            (Op::StartsWith, Value::Text(prefix)) => Ok(RoomTerm::IdPrefix(prefix)),
            _ => Err(refuse(r#"roomId is compared with a text: roomId:"x" or roomId^"x""#.into())),
        },
        ("metadata", Some(key)) => metadata_term(key, op, value)
            .ok_or_else(|| refuse(format!("the operator {op} does not go with this value"))),
        ("metadata", None) => {
            Err(refuse(r#"metadata needs a key in brackets, as in metadata["key"]"#.into()))
        }
        ("roomId", Some(_)) => Err(refuse("roomId has no keys".into())),
        (other, _) => {
            let shown = excerpt(other);
            let known = r#"rooms have roomId and metadata["key"]"#;
            Err(refuse(format!("unknown field '{shown}'; {known}")))
        }
    }
}

/// Nothing for what the parser refuses already: a prefix or an order of the wrong type.
fn metadata_term(key: String, op: Op, value: Value) -> Option<RoomTerm> {
    let number_op = match op {
        Op::Equals => NumberOp::Equals,
        Op::Less => NumberOp::Less,
        Op::LessOrEqual => NumberOp::LessOrEqual,
        Op::Greater => NumberOp::Greater,
        Op::GreaterOrEqual => NumberOp::GreaterOrEqual,
        Op::StartsWith => {
            let Value::Text(prefix) = value else { return None };
            return Some(RoomTerm::MetadataPrefix { key, prefix });
        }
    };
    match (number_op, value) {
        (op, Value::Number(number)) => Some(RoomTerm::MetadataNumber { key, op, number }),
        (NumberOp::Equals, Value::Text(value)) => Some(RoomTerm::MetadataEquals { key, value }),
        // Metadata of rooms holds texts only, so a boolean means the text.
        (NumberOp::Equals, Value::Bool(value)) => {
            Some(RoomTerm::MetadataEquals { key, value: value.to_string() })
        }
        (NumberOp::Equals, Value::Null) => Some(RoomTerm::MetadataAbsent { key }),
        _ => None,
    }
}
