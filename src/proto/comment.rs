//! Comments between messages and domain values. A field's name in an error is its name in JSON.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use prost_types::Struct;
use serde_json::Value;

use super::room::{strings, timestamp};
use super::roomd::v1;
use super::thread::{attachment_ids, read_time};
use super::value;
use crate::domain::comment::{
    Attachment, CommentBody, CommentEdit, CommentMetadata, MetadataPatch, Reaction,
};
use crate::error::Error;

/// `field` is how the body is reached in the request, such as `comment.body`.
pub fn body(field: &str, given: Option<v1::CommentBody>) -> Result<CommentBody, Error> {
    let Some(given) = given else { return Err(Error::missing(field)) };
    let content = given.content.into_iter().map(|block| Value::Object(value::to_object(block)));
    CommentBody::from_content(field, Some(given.version.into()), content.collect())
}

/// Absent is empty.
pub fn metadata(field: &str, given: Option<Struct>) -> Result<CommentMetadata, Error> {
    let Some(given) = given else { return Ok(CommentMetadata::default()) };
    CommentMetadata::from_json(field, value::to_object(finite(field, given)?))
}

/// Absent changes nothing.
pub fn metadata_patch(field: &str, given: Option<Struct>) -> Result<MetadataPatch, Error> {
    let Some(given) = given else { return Ok(MetadataPatch::default()) };
    MetadataPatch::from_json(field, value::to_object(finite(field, given)?))
}

pub fn edit(request: v1::EditCommentRequest) -> Result<CommentEdit, Error> {
    let ids = request.attachment_ids.map(|list| strings("attachmentIds", list)).transpose()?;
    let ids = ids.map(|ids| attachment_ids("attachmentIds", &ids)).transpose()?;
    let edited_at = request.edited_at.map(|at| read_time("editedAt", at)).transpose()?;
    Ok(CommentEdit {
        body: body("body", request.body)?,
        metadata: metadata_patch("metadata", request.metadata)?,
        attachment_ids: ids,
        edited_at_ms: edited_at,
    })
}

/// What is no number would become a null, which removes its key.
fn finite(field: &str, given: Struct) -> Result<Struct, Error> {
    use prost_types::value::Kind::NumberValue;
    let is_odd =
        |value: &prost_types::Value| matches!(value.kind, Some(NumberValue(n)) if !n.is_finite());
    match given.fields.values().any(is_odd) {
        true => Err(Error::invalid(field, "a number must be finite")),
        false => Ok(given),
    }
}

pub fn metadata_struct(metadata: &CommentMetadata) -> Struct {
    value::from_object(metadata.to_json())
}

impl From<&CommentBody> for v1::CommentBody {
    fn from(body: &CommentBody) -> Self {
        let block = |block: Value| match block {
            Value::Object(block) => Some(value::from_object(block)),
            _ => None,
        };
        Self { version: 1, content: body.content().into_iter().filter_map(block).collect() }
    }
}

impl From<&Attachment> for v1::CommentAttachment {
    fn from(attachment: &Attachment) -> Self {
        Self {
            r#type: "attachment".to_owned(),
            id: attachment.id.to_string(),
            name: attachment.name.clone(),
            size: u32::try_from(attachment.size_bytes).unwrap_or(u32::MAX),
            mime_type: attachment.mime_type.clone(),
        }
    }
}

impl From<&Reaction> for v1::CommentUserReaction {
    fn from(reaction: &Reaction) -> Self {
        Self {
            user_id: reaction.user_id.to_string(),
            created_at: Some(timestamp(reaction.created_at_ms)),
            emoji: reaction.emoji.to_string(),
        }
    }
}

/// One entry for each emoji, in the order in which they were used first, which is the order that
/// the reactions come in.
pub fn reactions(reactions: &[Reaction]) -> Vec<v1::CommentReaction> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut grouped: Vec<v1::CommentReaction> = Vec::new();
    for reaction in reactions {
        let place = *places.entry(reaction.emoji.as_str()).or_insert(grouped.len());
        if place == grouped.len() {
            grouped.push(v1::CommentReaction {
                emoji: reaction.emoji.to_string(),
                created_at: Some(timestamp(reaction.created_at_ms)),
                users: Vec::new(),
                user_id: reaction.user_id.to_string(),
            });
        }
        if let Some(group) = grouped.get_mut(place) {
            group.users.push(v1::CommentReactionUser { id: reaction.user_id.to_string() });
        }
    }
    grouped
}
