//! What is done to comments that are there.

use super::{CommentBody, Emoji, MetadataPatch, Visibility};
use crate::domain::content_id::{AttachmentId, CommentId, ThreadId};
use crate::domain::ids::UserId;
use crate::error::{Code, Error};

use super::thread::REACTIONS_ON_COMMENT_MAX;

/// Which comment of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommentPlace {
    pub thread: ThreadId,
    pub comment: CommentId,
}

/// What is to become of a comment, checked.
#[derive(Debug, Clone)]
pub struct CommentEdit {
    pub body: CommentBody,
    pub metadata: MetadataPatch,
    /// Absent, the comment keeps the files that it has.
    pub attachment_ids: Option<Vec<AttachmentId>>,
    /// When it was edited, if a back end says so; else now.
    pub edited_at_ms: Option<i64>,
}

/// A reaction to be added, checked.
#[derive(Debug, Clone)]
pub struct ReactionDraft {
    pub emoji: Emoji,
    pub user_id: UserId,
    /// When, if a back end says so; else now.
    pub created_at_ms: Option<i64>,
}

/// What came of a change, and who may know of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed<T> {
    pub value: T,
    pub visibility: Visibility,
}

/// Whether the thread went with its comment, which was its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    Comment,
    CommentAndThread,
}

pub fn reaction_not_found() -> Error {
    Error::not_found("RESOURCE_NOT_FOUND", "Reaction not found.")
}

pub fn reaction_exists() -> Error {
    let public = "The user has reacted with this emoji already.";
    Error::new(Code::AlreadyExists, "RESOURCE_ALREADY_EXISTS", public)
}

pub fn too_many_reactions() -> Error {
    let public = format!("A comment has at most {REACTIONS_ON_COMMENT_MAX} reactions.");
    Error::new(Code::FailedPrecondition, "UNPROCESSABLE_ENTITY", public)
}
