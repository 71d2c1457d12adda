//! Which notifications a list shows.

use super::Notification;
use crate::domain::query::{Op, Query, QueryError, Term, Value};
use crate::domain::text::excerpt;
use crate::error::Error;

/// All of these must hold.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct InboxFilter(Vec<InboxTerm>);

#[derive(Debug, Clone, PartialEq)]
enum InboxTerm {
    Unread(bool),
    Kind(String),
    KindPrefix(String),
    Room(String),
    RoomPrefix(String),
    /// It is about no room.
    NoRoom,
}

impl InboxFilter {
    /// Reads the query language; an empty text filters nothing.
    pub fn from_query(text: &str) -> Result<Self, Error> {
        let query = Query::parse(text)?;
        query.terms.into_iter().map(read_term).collect::<Result<_, _>>().map(Self)
    }

    /// Whether only unread notifications can match.
    pub fn is_of_unread(&self) -> bool {
        self.0.contains(&InboxTerm::Unread(true))
    }

    pub fn matches(&self, found: &Notification) -> bool {
        let room = found.room().map(|room| room.as_str());
        self.matches_parts(found.unread, found.about.kind(), room)
    }

    /// As [`InboxFilter::matches`], for what was counted and not read.
    pub fn matches_parts(&self, unread: bool, kind: &str, room: Option<&str>) -> bool {
        self.0.iter().all(|term| match term {
            InboxTerm::Unread(wanted) => *wanted == unread,
            InboxTerm::Kind(wanted) => wanted == kind,
            InboxTerm::KindPrefix(prefix) => kind.starts_with(prefix),
            InboxTerm::Room(wanted) => room == Some(wanted),
            InboxTerm::RoomPrefix(prefix) => room.is_some_and(|room| room.starts_with(prefix)),
            InboxTerm::NoRoom => room.is_none(),
        })
    }
}

fn read_term(term: Term) -> Result<InboxTerm, Error> {
    let Term { field, op, value, span } = term;
    let refuse = |problem: String| Error::from(QueryError { position: span.start, problem });
    if let Some(key) = field.key {
        let shown = excerpt(&key);
        return Err(refuse(format!("{} has no key '{shown}'", excerpt(&field.name))));
    }
    match (field.name.as_str(), op, value) {
        ("unread", Op::Equals, Value::Bool(unread)) => Ok(InboxTerm::Unread(unread)),
        ("unread", ..) => Err(refuse("unread is true or false: unread:true".into())),
        ("kind", Op::Equals, Value::Text(kind)) => Ok(InboxTerm::Kind(kind)),
        ("kind", Op::StartsWith, Value::Text(prefix)) => Ok(InboxTerm::KindPrefix(prefix)),
        ("kind", ..) => {
            Err(refuse(r#"kind is compared with a text: kind:"thread" or kind^"$""#.into()))
        }
        ("roomId", Op::Equals, Value::Text(id)) => Ok(InboxTerm::Room(id)),
        ("roomId", Op::Equals, Value::Null) => Ok(InboxTerm::NoRoom),
        ("roomId", Op::StartsWith, Value::Text(prefix)) => Ok(InboxTerm::RoomPrefix(prefix)),
        ("roomId", ..) => Err(refuse(
            r#"roomId is compared with a text or null: roomId:"x", roomId^"x" or roomId:null"#
                .into(),
        )),
        (other, ..) => {
            let shown = excerpt(other);
            let known = "notifications have unread, kind and roomId";
            Err(refuse(format!("unknown field '{shown}'; {known}")))
        }
    }
}
