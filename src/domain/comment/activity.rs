//! What happened in a thread, for those who are to be told of it.

use std::sync::Arc;

use super::{CommentBody, Mention, Visibility};
use crate::domain::content_id::{CommentId, ThreadId};
use crate::domain::ids::UserId;
use crate::domain::room::Room;

#[derive(Debug, Clone)]
pub struct CommentActivity {
    /// With its accesses, which say who may know of it.
    pub room: Arc<Room>,
    pub thread: ThreadId,
    pub visibility: Visibility,
    /// Who did it; absent if a back end did not say.
    pub actor: Option<UserId>,
    pub at_ms: i64,
    pub kind: ActivityKind,
    /// The comment that was written or edited.
    pub said: Option<Said>,
    /// Who is named in the comment and was not named in it before.
    pub mentions: Vec<Mention>,
}

#[derive(Debug, Clone)]
pub struct Said {
    pub body: CommentBody,
    pub has_mentions: bool,
    pub has_attachments: bool,
}

impl CommentActivity {
    /// With what a new comment says, and whom it names.
    #[must_use]
    pub fn saying(self, body: &CommentBody, has_attachments: bool) -> Self {
        let mentions = body.mentions();
        let has_mentions = !mentions.is_empty();
        let said = Some(Said { body: body.clone(), has_mentions, has_attachments });
        Self { said, mentions, ..self }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActivityKind {
    /// With its first comment.
    ThreadCreated(CommentId),
    CommentCreated(CommentId),
    CommentEdited(CommentId),
    CommentDeleted(CommentId),
    Resolved,
    Unresolved,
    ThreadDeleted,
}
