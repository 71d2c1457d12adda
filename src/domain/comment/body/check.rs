//! Whether blocks are what editors make, and within the limits. What is wrong is named by its
//! place, such as `comment.body.content[2].children[0].text`.

use std::fmt;

use serde_json::{Map, Value};

use super::{BODY_DEPTH_MAX, LINK_URL_CHARS_MAX, MENTIONS_MAX};
use crate::domain::ids::{UserId, check_text};
use crate::domain::room::ACCESSES_ID_CHARS_MAX;
use crate::domain::text::{check_chars, excerpt};
use crate::error::Error;

/// Marks of a text.
const MARKS: [&str; 4] = ["bold", "italic", "strikethrough", "code"];

/// How a value is reached. It becomes a text only when something is wrong.
#[derive(Clone, Copy)]
enum Place<'a> {
    Field(&'a str),
    Key(&'a Place<'a>, &'a str),
    Index(&'a Place<'a>, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(field) => f.write_str(field),
            Self::Key(parent, key) => write!(f, "{parent}.{}", excerpt(key)),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

impl Place<'_> {
    fn invalid(self, problem: impl Into<String>) -> Error {
        Error::invalid(self.to_string(), problem)
    }
}

/// Checks the blocks of a body.
pub(super) fn content(field: &str, blocks: &[Value]) -> Result<(), Error> {
    let field = Place::Field(field);
    let content = Place::Key(&field, "content");
    let mut mentions = 0;
    for (index, value) in blocks.iter().enumerate() {
        let place = Place::Index(&content, index);
        // Before anything else, since it bounds what the rest recurses into.
        any(place, value, 1)?;
        block(place, value, &mut mentions)?;
        if mentions > MENTIONS_MAX {
            let problem = format!("must name at most {MENTIONS_MAX} users and groups");
            return Err(content.invalid(problem));
        }
    }
    Ok(())
}

/// What holds for every value: how deep it is, and that a database can keep its texts.
fn any(place: Place<'_>, value: &Value, level: usize) -> Result<(), Error> {
    if level > BODY_DEPTH_MAX && (value.is_array() || value.is_object()) {
        return Err(place.invalid(format!("must be at most {BODY_DEPTH_MAX} levels deep")));
    }
    match value {
        Value::String(text) if text.contains('\0') => check_text(&place.to_string(), text),
        Value::Array(values) => values
            .iter()
            .enumerate()
            .try_for_each(|(index, value)| any(Place::Index(&place, index), value, level + 1)),
        Value::Object(entries) => entries.iter().try_for_each(|(key, value)| {
            if key.contains('\0') {
                check_text(&place.to_string(), key)?;
            }
            any(Place::Key(&place, key), value, level + 1)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

fn block(place: Place<'_>, value: &Value, mentions: &mut usize) -> Result<(), Error> {
    let Value::Object(entries) = value else { return Err(place.invalid("must be an object")) };
    match entries.get("type") {
        Some(Value::String(kind)) if kind == "paragraph" => {}
        // Of another kind: it is kept as it is, and what is in it may be anything.
        Some(Value::String(kind)) if !kind.is_empty() => {
            return others(place, entries, mentions);
        }
        _ => return Err(Place::Key(&place, "type").invalid("must be a text, such as 'paragraph'")),
    }
    let at = Place::Key(&place, "children");
    let Some(Value::Array(children)) = entries.get("children") else {
        return Err(at.invalid("must be a list of texts, mentions and links"));
    };
    children
        .iter()
        .enumerate()
        .try_for_each(|(index, child)| inline(Place::Index(&at, index), child, mentions))
}

/// What is in a block or an inline element that is not known: only its mentions matter, since
/// somebody is told of them.
fn others(
    place: Place<'_>,
    entries: &Map<String, Value>,
    mentions: &mut usize,
) -> Result<(), Error> {
    let at = Place::Key(&place, "children");
    let Some(Value::Array(children)) = entries.get("children") else { return Ok(()) };
    for (index, child) in children.iter().enumerate() {
        let place = Place::Index(&at, index);
        let Value::Object(entries) = child else { continue };
        match entries.get("type").and_then(Value::as_str) {
            Some("mention") => mention(place, entries, mentions)?,
            _ => others(place, entries, mentions)?,
        }
    }
    Ok(())
}

fn inline(place: Place<'_>, value: &Value, mentions: &mut usize) -> Result<(), Error> {
    let Value::Object(entries) = value else { return Err(place.invalid("must be an object")) };
    match entries.get("type") {
        None => text(place, entries),
        Some(Value::String(kind)) => match kind.as_str() {
            "mention" => mention(place, entries, mentions),
            "link" => link(place, entries),
            "" => Err(Place::Key(&place, "type").invalid("must not be empty")),
            _ => others(place, entries, mentions),
        },
        Some(_) => Err(Place::Key(&place, "type").invalid("must be a text")),
    }
}

fn text(place: Place<'_>, entries: &Map<String, Value>) -> Result<(), Error> {
    match entries.get("text") {
        Some(Value::String(_)) => {}
        Some(_) => return Err(Place::Key(&place, "text").invalid("must be a text")),
        None => return Err(place.invalid("must have a 'text', or the 'type' of what it is")),
    }
    for mark in MARKS {
        match entries.get(mark) {
            None | Some(Value::Bool(_)) => {}
            Some(_) => return Err(Place::Key(&place, mark).invalid("must be true or false")),
        }
    }
    Ok(())
}

fn link(place: Place<'_>, entries: &Map<String, Value>) -> Result<(), Error> {
    let at = Place::Key(&place, "url");
    let Some(Value::String(url)) = entries.get("url") else {
        return Err(at.invalid("must be a text"));
    };
    check_chars(&at.to_string(), "an address", url, LINK_URL_CHARS_MAX)?;
    match entries.get("text") {
        None | Some(Value::String(_)) => Ok(()),
        Some(_) => Err(Place::Key(&place, "text").invalid("must be a text")),
    }
}

fn mention(
    place: Place<'_>,
    entries: &Map<String, Value>,
    mentions: &mut usize,
) -> Result<(), Error> {
    *mentions += 1;
    let at = Place::Key(&place, "id");
    let Some(Value::String(id)) = entries.get("id") else {
        return Err(at.invalid("must be a text"));
    };
    let kind = entries.get("kind").map_or(Some("user"), Value::as_str);
    match kind {
        Some("user") => UserId::parse(&at.to_string(), id).map(drop),
        Some("group") => {
            if id.is_empty() {
                return Err(at.invalid("must not be empty"));
            }
            check_chars(&at.to_string(), "a group's id", id, ACCESSES_ID_CHARS_MAX)?;
            group_users(Place::Key(&place, "userIds"), entries.get("userIds"), mentions)
        }
        _ => Err(Place::Key(&place, "kind").invalid("must be 'user' or 'group'")),
    }
}

fn group_users(
    place: Place<'_>,
    user_ids: Option<&Value>,
    mentions: &mut usize,
) -> Result<(), Error> {
    let listed = match user_ids {
        None => return Ok(()),
        Some(Value::Array(listed)) => listed,
        Some(_) => return Err(place.invalid("must be a list of the ids of users")),
    };
    *mentions += listed.len();
    for (index, id) in listed.iter().enumerate() {
        let at = Place::Index(&place, index);
        let Value::String(id) = id else { return Err(at.invalid("must be a text")) };
        UserId::parse(&at.to_string(), id)?;
    }
    Ok(())
}
