//! Why a session ends. Each codec says it in its own protocol.

use std::sync::Arc;

/// Grouped by what the peer should do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloseReason {
    /// Never come back: the credential opens no such room.
    NotAllowed,
    /// Never come back: what was sent is not of this protocol.
    NotUnderstood(&'static str),
    /// Never come back: as many people are in the room as may be.
    RoomFull,
    /// Never come back under this name.
    RoomRenamed {
        to: Arc<str>,
    },
    /// Never come back: the room is gone.
    RoomDeleted,
    /// Never come back with this token: a back end has removed its holder.
    Removed,
    /// Never come back by oneself: the same identity came again.
    DuplicateIdentity,
    /// A back end ended the room's life.
    LiveRoomDeleted,
    /// The room's life ended, since nobody was in it.
    LiveRoomEnded,
    /// Come back with a new token.
    TokenExpired,
    /// Come back and load everything anew: Storage was replaced.
    StorageReset,
    /// Come back soon: the server stops, or lost its database.
    ShuttingDown,
    Unavailable,
    /// Come back later.
    Overloaded,
    TooSlow,
    TooManyMessages,
}

impl CloseReason {
    /// A text for people.
    pub fn text(&self) -> String {
        match self {
            Self::NotAllowed => "You have no access to this room".to_owned(),
            Self::NotUnderstood(problem) => format!("Message not understood: {problem}"),
            Self::RoomFull => "The room is full".to_owned(),
            Self::RoomRenamed { to } => format!("The room has another id now: {to}"),
            Self::RoomDeleted => "The room was deleted".to_owned(),
            Self::Removed => "You were removed from the room".to_owned(),
            Self::DuplicateIdentity => "You are in the room by another connection".to_owned(),
            Self::LiveRoomDeleted => "The room was ended".to_owned(),
            Self::LiveRoomEnded => "The room has ended".to_owned(),
            Self::TokenExpired => "The token has expired".to_owned(),
            Self::StorageReset => "The room's Storage was replaced".to_owned(),
            Self::ShuttingDown => "The server is stopping".to_owned(),
            Self::Unavailable => "The room cannot be stored right now".to_owned(),
            Self::Overloaded => "The server has no room for more connections".to_owned(),
            Self::TooSlow => "Too much waits to be read by this connection".to_owned(),
            Self::TooManyMessages => "Too many messages at once".to_owned(),
        }
    }
}
