//! Comments: threads of what people say about what is in a room.

mod activity;
mod attachment;
mod body;
mod change;
mod emoji;
mod filter;
mod metadata;
mod page;
pub mod search;
mod thread;
mod visibility;

pub use activity::{ActivityKind, CommentActivity, Said};
pub use attachment::{ATTACHMENTS_MAX, AttachmentRight};
pub use body::CommentBody;
pub use change::{
    Changed, CommentEdit, CommentPlace, Deleted, ReactionDraft, reaction_exists,
    reaction_not_found, too_many_reactions,
};
pub use emoji::{Emoji, Reaction};
pub use filter::{MetadataTerm, ThreadFilter};
pub use metadata::{CommentMetadata, MetadataPatch, MetadataScalar};
pub use page::{ThreadChanges, ThreadCursor, ThreadPage, ThreadQuery, read_limit};
pub use thread::{
    COMMENTS_IN_THREAD_MAX, Comment, CommentDraft, DeletedThread, Made, REACTIONS_ON_COMMENT_MAX,
    THREAD_BYTES_MAX, Thread, ThreadDraft, comment_exists, comment_not_found, not_the_author,
    thread_exists, thread_is_read_only, thread_not_found,
};
pub use visibility::Visibility;

use super::content_id::AttachmentId;
use super::ids::UserId;

/// Somebody who is named in a text, so that they are told of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mention {
    User(UserId),
    Group {
        id: String,
        /// Who is in it, if the text says so: a group that the server does not keep.
        user_ids: Vec<UserId>,
    },
}

/// What a comment tells of a file that it comes with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    pub id: AttachmentId,
    pub name: String,
    pub size_bytes: i64,
    pub mime_type: String,
}
