//! What a comment says: blocks of text, as the clients' editors make them.

mod check;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::Mention;
use crate::domain::ids::UserId;
use crate::error::Error;

/// All of it, as JSON.
pub const BODY_BYTES_MAX: usize = 64 << 10;
/// Levels of nesting inside `content`, a block being the first. Each is three in protobuf, of which
/// common clients read a hundred.
pub const BODY_DEPTH_MAX: usize = 20;
/// Mentions in one body, and in those of groups the users that they name.
pub const MENTIONS_MAX: usize = 1_000;
pub const LINK_URL_CHARS_MAX: usize = 8_192;
/// The only version there is.
const VERSION: i64 = 1;

/// A body that was checked: `{"version": 1, "content": [...]}`.
#[derive(Debug, Clone)]
pub struct CommentBody {
    json: Arc<str>,
    /// The content as well, for as long as whoever checked it goes on with it.
    blocks: Option<Arc<[Value]>>,
}

impl PartialEq for CommentBody {
    fn eq(&self, other: &Self) -> bool {
        self.json == other.json
    }
}

impl Eq for CommentBody {}

impl CommentBody {
    /// Checks what a caller sent; `field` is how the body is reached in the request.
    pub fn from_json(field: &str, body: Value) -> Result<Self, Error> {
        let Value::Object(mut body) = body else {
            return Err(Error::invalid(field, "must be an object"));
        };
        let version = body.get("version").and_then(Value::as_i64);
        let content = match body.remove("content") {
            Some(Value::Array(content)) => content,
            _ => {
                return Err(Error::invalid(format!("{field}.content"), "must be a list of blocks"));
            }
        };
        Self::from_content(field, version, content)
    }

    /// The same, of a body that came in parts.
    pub fn from_content(
        field: &str,
        version: Option<i64>,
        content: Vec<Value>,
    ) -> Result<Self, Error> {
        if version != Some(VERSION) {
            return Err(Error::invalid(format!("{field}.version"), format!("must be {VERSION}")));
        }
        check::content(field, &content)?;
        let mut body = json!({ "version": VERSION, "content": content });
        let json = body.to_string();
        if json.len() > BODY_BYTES_MAX {
            let problem =
                format!("must be at most {BODY_BYTES_MAX} bytes as JSON, got {}", json.len());
            return Err(Error::invalid(field, problem));
        }
        let blocks = match body.get_mut("content").map(Value::take) {
            Some(Value::Array(blocks)) => Some(blocks.into()),
            _ => None,
        };
        Ok(Self { json: json.into(), blocks })
    }

    /// Takes what a database holds: it was checked when it was written.
    pub fn stored(json: String) -> Self {
        Self { json: json.into(), blocks: None }
    }

    pub fn as_str(&self) -> &str {
        &self.json
    }

    /// For what outlives the body, without a copy.
    pub fn to_arc(&self) -> Arc<str> {
        Arc::clone(&self.json)
    }

    /// The blocks; none if the text is not a body, which nothing that was checked is.
    pub fn content(&self) -> Vec<Value> {
        self.blocks().into_owned()
    }

    fn blocks(&self) -> Cow<'_, [Value]> {
        if let Some(blocks) = &self.blocks {
            return Cow::Borrowed(blocks);
        }
        let content = match serde_json::from_str(&self.json) {
            Ok(Value::Object(mut body)) => body.remove("content"),
            _ => None,
        };
        match content {
            Some(Value::Array(content)) => Cow::Owned(content),
            _ => Cow::Owned(Vec::new()),
        }
    }

    /// Who is named, each once, in order.
    pub fn mentions(&self) -> Vec<Mention> {
        // Most comments name nobody, and need not be parsed for it.
        if !self.json.contains("mention") {
            return Vec::new();
        }
        let mut found = Vec::new();
        for block in &*self.blocks() {
            collect_mentions(block, &mut found);
        }
        let mut seen = HashSet::new();
        found.retain(|mention| seen.insert(mention.clone()));
        found
    }

    /// What it says, without its form: a line for each block, a mention as `@id`, a link as its
    /// text or else its address.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (index, block) in self.blocks().iter().enumerate() {
            if index > 0 {
                text.push('\n');
            }
            collect_text(block, &mut text);
        }
        text
    }
}

fn string<'a>(element: &'a Value, key: &str) -> Option<&'a str> {
    element.get(key).and_then(Value::as_str)
}

fn children(element: &Value) -> &[Value] {
    element.get("children").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Blocks that are not known have children where paragraphs have them, if at all. Nothing nests
/// deeper than `BODY_DEPTH_MAX`, so this may recurse.
fn collect_mentions(element: &Value, found: &mut Vec<Mention>) {
    if string(element, "type") == Some("mention") {
        found.extend(mention(element));
    }
    for child in children(element) {
        collect_mentions(child, found);
    }
}

/// Mentions that are older than groups say no kind and are of users.
fn mention(element: &Value) -> Option<Mention> {
    let id = string(element, "id")?;
    match string(element, "kind") {
        None | Some("user") => Some(Mention::User(UserId::parse("id", id).ok()?)),
        Some("group") => {
            let listed = element.get("userIds").and_then(Value::as_array);
            let ids = listed.into_iter().flatten().filter_map(Value::as_str);
            let user_ids = ids.filter_map(|id| UserId::parse("userIds", id).ok()).collect();
            Some(Mention::Group { id: id.to_owned(), user_ids })
        }
        Some(_) => None,
    }
}

fn collect_text(element: &Value, text: &mut String) {
    match string(element, "type") {
        Some("mention") => {
            text.push('@');
            text.push_str(string(element, "id").unwrap_or_default());
        }
        Some("link") => {
            let shown = string(element, "text").filter(|shown| !shown.is_empty());
            text.push_str(shown.or_else(|| string(element, "url")).unwrap_or_default());
        }
        _ => {
            text.push_str(string(element, "text").unwrap_or_default());
            for child in children(element) {
                collect_text(child, text);
            }
        }
    }
}
