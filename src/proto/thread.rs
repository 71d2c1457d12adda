//! Threads and the comments in them, between messages and domain values.

use prost_types::Timestamp;

use super::comment::{body, metadata, metadata_struct, reactions};
use super::room::timestamp;
use super::roomd::v1;
use crate::domain::comment::{Comment, CommentDraft, DeletedThread, Thread};
use crate::domain::content_id::{AttachmentId, CommentId};
use crate::domain::ids::UserId;
use crate::error::Error;

impl From<&Thread> for v1::Thread {
    fn from(thread: &Thread) -> Self {
        Self {
            r#type: "thread".to_owned(),
            id: thread.id.to_string(),
            room_id: thread.room_id.to_string(),
            comments: thread.comments.iter().map(v1::Comment::from).collect(),
            created_at: Some(timestamp(thread.created_at_ms)),
            updated_at: Some(timestamp(thread.updated_at_ms)),
            metadata: Some(metadata_struct(&thread.metadata)),
            resolved: thread.resolved,
            visibility: thread.visibility.as_str().to_owned(),
        }
    }
}

impl From<&Comment> for v1::Comment {
    fn from(comment: &Comment) -> Self {
        Self {
            r#type: "comment".to_owned(),
            id: comment.id.to_string(),
            thread_id: comment.thread_id.to_string(),
            room_id: comment.room_id.to_string(),
            user_id: comment.user_id.to_string(),
            created_at: Some(timestamp(comment.created_at_ms)),
            edited_at: comment.edited_at_ms.map(timestamp),
            deleted_at: comment.deleted_at_ms.map(timestamp),
            body: comment.body.as_ref().map(v1::CommentBody::from),
            metadata: Some(metadata_struct(&comment.metadata)),
            reactions: reactions(&comment.reactions),
            attachments: comment.attachments.iter().map(v1::CommentAttachment::from).collect(),
        }
    }
}

impl From<&DeletedThread> for v1::DeletedThread {
    fn from(deleted: &DeletedThread) -> Self {
        Self {
            r#type: "deletedThread".to_owned(),
            id: deleted.id.to_string(),
            room_id: deleted.room_id.to_string(),
            deleted_at: Some(timestamp(deleted.deleted_at_ms)),
        }
    }
}

/// `within` is how the message's own fields are reached in the request: `comment.`, or nothing.
pub fn comment_draft(
    within: &str,
    author: UserId,
    given: v1::NewComment,
) -> Result<CommentDraft, Error> {
    let field = |name: &str| format!("{within}{name}");
    let id = match given.id.as_str() {
        "" => CommentId::random()?,
        id => CommentId::parse(&field("id"), id)?,
    };
    let created_at = given.created_at.map(|at| read_time(&field("createdAt"), at));
    Ok(CommentDraft {
        id,
        user_id: author,
        body: body(&field("body"), given.body)?,
        metadata: metadata(&field("metadata"), given.metadata)?,
        attachment_ids: attachment_ids(&field("attachmentIds"), &given.attachment_ids)?,
        created_at_ms: created_at.transpose()?,
    })
}

pub fn attachment_ids(field: &str, given: &[String]) -> Result<Vec<AttachmentId>, Error> {
    given.iter().map(|id| AttachmentId::parse(field, id)).collect()
}

/// A moment, as JavaScript has it; fractions of a millisecond are cut off.
pub fn read_time(field: &str, at: Timestamp) -> Result<i64, Error> {
    const TIME_MS_MAX: i64 = 8_640_000_000_000_000;
    let ms = at.seconds.checked_mul(1_000);
    let ms = ms.and_then(|ms| ms.checked_add(i64::from(at.nanos.div_euclid(1_000_000))));
    ms.filter(|ms| (-TIME_MS_MAX..=TIME_MS_MAX).contains(ms))
        .ok_or_else(|| Error::invalid(field, "must be a moment that JavaScript's dates have"))
}

impl From<v1::CreateCommentRequest> for v1::NewComment {
    fn from(request: v1::CreateCommentRequest) -> Self {
        Self {
            id: request.id,
            user_id: request.user_id,
            body: request.body,
            created_at: request.created_at,
            metadata: request.metadata,
            attachment_ids: request.attachment_ids,
        }
    }
}
