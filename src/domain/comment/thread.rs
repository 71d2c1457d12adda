//! Threads and the comments in them.

use super::{Attachment, CommentBody, CommentMetadata, Reaction, Visibility};
use crate::domain::content_id::{AttachmentId, CommentId, ThreadId};
use crate::domain::ids::{RoomId, UserId};
use crate::error::{Code, Error};

/// Comments of one thread, those that were deleted included: each of them is in every answer that
/// shows the thread.
pub const COMMENTS_IN_THREAD_MAX: i64 = 10_000;
/// What a thread's comments hold as they are stored, all together: a thread is read as a whole.
pub const THREAD_BYTES_MAX: i64 = 16 << 20;
/// Reactions on one comment, one for each user and emoji.
pub const REACTIONS_ON_COMMENT_MAX: i64 = 10_000;

#[derive(Debug, Clone, PartialEq)]
pub struct Thread {
    pub id: ThreadId,
    pub room_id: RoomId,
    pub visibility: Visibility,
    /// Who wrote the first comment.
    pub created_by: UserId,
    pub created_at_ms: i64,
    /// Grows with every change of anything in the thread.
    pub updated_at_ms: i64,
    pub resolved: bool,
    pub metadata: CommentMetadata,
    /// Oldest first; those that were deleted have no body.
    pub comments: Vec<Comment>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Comment {
    pub id: CommentId,
    pub thread_id: ThreadId,
    pub room_id: RoomId,
    pub user_id: UserId,
    pub created_at_ms: i64,
    pub edited_at_ms: Option<i64>,
    pub deleted_at_ms: Option<i64>,
    /// Absent if it was deleted.
    pub body: Option<CommentBody>,
    pub metadata: CommentMetadata,
    pub attachments: Vec<Attachment>,
    /// One for each user and emoji, oldest first.
    pub reactions: Vec<Reaction>,
}

/// A thread that is gone, for those who knew it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedThread {
    pub id: ThreadId,
    pub room_id: RoomId,
    pub deleted_at_ms: i64,
}

/// A thread to be made, checked.
#[derive(Debug, Clone)]
pub struct ThreadDraft {
    pub id: ThreadId,
    pub visibility: Visibility,
    pub metadata: CommentMetadata,
    pub comment: CommentDraft,
}

/// A comment to be made, checked.
#[derive(Debug, Clone)]
pub struct CommentDraft {
    pub id: CommentId,
    pub user_id: UserId,
    pub body: CommentBody,
    pub metadata: CommentMetadata,
    pub attachment_ids: Vec<AttachmentId>,
    /// When it was written, if a back end says so; else now.
    pub created_at_ms: Option<i64>,
}

/// What became of something that may have been sent twice.
#[derive(Debug, Clone, PartialEq)]
pub struct Made<T> {
    pub value: T,
    pub visibility: Visibility,
    /// False if it was there before, just the same.
    pub is_new: bool,
}

pub fn thread_not_found() -> Error {
    Error::not_found("RESOURCE_NOT_FOUND", "Thread not found.")
}

pub fn comment_not_found() -> Error {
    Error::not_found("RESOURCE_NOT_FOUND", "Comment not found.")
}

pub fn thread_exists() -> Error {
    already_exists("A thread with this id already exists.")
}

pub fn comment_exists() -> Error {
    already_exists("A comment with this id already exists.")
}

fn already_exists(public: &'static str) -> Error {
    Error::new(Code::AlreadyExists, "RESOURCE_ALREADY_EXISTS", public)
}

/// The thread may be read, and no more.
pub fn thread_is_read_only() -> Error {
    Error::new(
        Code::PermissionDenied,
        "UNAUTHORIZED_ROOM_ACCESS",
        "The user may not write in this thread",
    )
}

/// Somebody else made it.
pub fn not_the_author() -> Error {
    Error::new(Code::PermissionDenied, "FORBIDDEN", "Only its author may do this.")
}
