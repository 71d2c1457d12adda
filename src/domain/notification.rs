//! Notifications: what users are told of, in their inboxes.

mod access;
mod activity;
mod filter;
mod page;
mod rules;
mod settings;
#[cfg(test)]
mod tests;

pub use access::{Known, UserAccess, may_be_told};
pub use activity::{ACTIVITIES_MAX, Activity, CustomKind, SUBJECT_ID_CHARS_MAX, parse_subject};
pub use filter::InboxFilter;
pub use page::{INBOX_LIMIT_MAX, InboxCursor, InboxQuery, SettingsCursor, read_limit};
pub use rules::{ThreadFacts, ThreadOutcome};
pub use settings::{
    Channel, NotificationSettings, RoomSubscription, SettingsPatch, TextMentionNotices,
    ThreadNotices,
};

use super::comment::{Mention, Visibility};
use super::content_id::{NotificationId, ThreadId};
use super::ids::{OrganizationId, RoomId, UserId};
use crate::error::Error;

/// Ids that one call marks as read.
pub const MARKED_MAX: usize = 1_000;
/// The kind of what happens in threads.
pub const THREAD_KIND: &str = "thread";
/// The kind of mentions in texts.
pub const TEXT_MENTION_KIND: &str = "textMention";

/// Something that happened, in one user's inbox.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    pub id: NotificationId,
    pub user: UserId,
    pub place: Place,
    pub about: About,
    /// When it happened last.
    pub notified_at_ms: i64,
    pub read_at_ms: Option<i64>,
    /// Whether something happened since it was read.
    pub unread: bool,
}

/// Where it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Room(RoomId),
    /// In no room.
    Organization(OrganizationId),
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum About {
    Thread { id: ThreadId, visibility: Visibility },
    TextMention { id: String, created_by: UserId, mention: Mention },
    Custom { kind: CustomKind, subject_id: String, activities: Vec<Activity> },
}

/// A notification that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxDeletion {
    pub id: NotificationId,
    /// The room that it was about, if that is still there.
    pub room: Option<RoomId>,
    pub deleted_at_ms: i64,
}

/// Somebody who follows a thread, or does no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadSubscription {
    pub thread: ThreadId,
    pub user: UserId,
    pub created_at_ms: i64,
    pub deleted_at_ms: Option<i64>,
}

impl Notification {
    pub fn room(&self) -> Option<&RoomId> {
        match &self.place {
            Place::Room(room) => Some(room),
            Place::Organization(_) => None,
        }
    }
}

impl About {
    pub fn kind(&self) -> &str {
        match self {
            Self::Thread { .. } => THREAD_KIND,
            Self::TextMention { .. } => TEXT_MENTION_KIND,
            Self::Custom { kind, .. } => kind.as_str(),
        }
    }

    /// What it is about, by its id among those of its kind.
    pub fn subject_id(&self) -> &str {
        match self {
            Self::Thread { id, .. } => id.as_str(),
            Self::TextMention { id, .. } => id,
            Self::Custom { subject_id, .. } => subject_id,
        }
    }
}

pub fn notification_not_found() -> Error {
    Error::not_found("RESOURCE_NOT_FOUND", "Inbox notification not found.")
}
