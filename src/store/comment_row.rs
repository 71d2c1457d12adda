//! Rows of comments and of reactions to them.

use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::fault::corrupt;
use crate::domain::comment::{
    Attachment, Comment, CommentBody, CommentMetadata, Emoji, Reaction, Visibility,
};
use crate::domain::content_id::{AttachmentId, CommentId, ThreadId};
use crate::domain::ids::{RoomId, UserId};
use crate::error::Error;

macro_rules! comment_columns {
    () => {
        "id, thread_id, visibility, user_id, created_at_ms, edited_at_ms, deleted_at_ms, body, \
         metadata, attachments, reactions_count"
    };
}
pub(super) use comment_columns;

macro_rules! reaction_columns {
    () => {
        "thread_id, comment_id, emoji, user_id, created_at_ms"
    };
}
pub(super) use reaction_columns;

/// What a row takes besides its texts, about.
const ROW_BYTES: usize = 256;

#[derive(Debug, Clone, FromRow)]
pub(super) struct CommentRow {
    pub id: String,
    pub thread_id: String,
    pub visibility: String,
    pub user_id: String,
    pub created_at_ms: i64,
    pub edited_at_ms: Option<i64>,
    pub deleted_at_ms: Option<i64>,
    pub body: Option<String>,
    pub metadata: String,
    pub attachments: String,
    pub reactions_count: i64,
}

#[derive(Debug, Clone, FromRow)]
pub(super) struct ReactionRow {
    pub thread_id: String,
    pub comment_id: String,
    pub emoji: String,
    pub user_id: String,
    pub created_at_ms: i64,
}

/// A file as a comment's row has it.
#[derive(Serialize, Deserialize)]
struct StoredAttachment {
    id: String,
    name: String,
    size: i64,
    mime_type: String,
}

impl CommentRow {
    pub fn visibility(&self) -> Result<Visibility, Error> {
        Visibility::parse(&self.visibility).map_err(|error| corrupt("comment", "visibility", error))
    }

    /// `reactions` are those of this comment, oldest first.
    pub fn into_comment(self, room: &RoomId, reactions: Vec<Reaction>) -> Result<Comment, Error> {
        let metadata = CommentMetadata::stored(&self.metadata)
            .map_err(|error| corrupt("comment", "metadata", error))?;
        let attachments = read_attachments(&self.attachments)?;
        Ok(Comment {
            id: CommentId::trusted(self.id),
            thread_id: ThreadId::trusted(self.thread_id),
            room_id: room.clone(),
            user_id: UserId::trusted(self.user_id),
            created_at_ms: self.created_at_ms,
            edited_at_ms: self.edited_at_ms,
            deleted_at_ms: self.deleted_at_ms,
            body: self.body.map(CommentBody::stored),
            metadata,
            attachments,
            reactions,
        })
    }
}

impl ReactionRow {
    pub fn into_reaction(self) -> Reaction {
        Reaction {
            emoji: Emoji::trusted(self.emoji),
            user_id: UserId::trusted(self.user_id),
            created_at_ms: self.created_at_ms,
        }
    }
}

/// What a thread's `bytes` counts for a comment.
pub(super) fn comment_bytes(body: &str, metadata: &str) -> i64 {
    i64::try_from(ROW_BYTES + body.len() + metadata.len()).unwrap_or(i64::MAX)
}

pub(super) fn write_attachments(attachments: &[Attachment]) -> Result<String, Error> {
    let stored: Vec<_> = attachments
        .iter()
        .map(|attachment| StoredAttachment {
            id: attachment.id.to_string(),
            name: attachment.name.clone(),
            size: attachment.size_bytes,
            mime_type: attachment.mime_type.clone(),
        })
        .collect();
    serde_json::to_string(&stored).map_err(Error::internal)
}

pub(super) fn read_attachments(text: &str) -> Result<Vec<Attachment>, Error> {
    let stored: Vec<StoredAttachment> =
        serde_json::from_str(text).map_err(|error| corrupt("comment", "attachments", error))?;
    let attachment = |stored: StoredAttachment| Attachment {
        id: AttachmentId::trusted(stored.id),
        name: stored.name,
        size_bytes: stored.size,
        mime_type: stored.mime_type,
    };
    Ok(stored.into_iter().map(attachment).collect())
}
