//! The messages of RealtimeService: what WebSockets carry as JSON, typed.
//!
//! Operations go through the JSON that the document reads and writes, so that one place knows their
//! limits and what is malformed.

mod feeds;
mod ops;
mod read;
#[cfg(test)]
mod tests;
mod write;

use serde_json::Value;

use super::super::close::CloseReason;
use crate::proto::roomd::v1;
use crate::proto::value;
use crate::room::message::RawJson;

pub use read::{Parsed, read, read_presence};
pub use write::write;

/// Free-form JSON on its way in, to be passed on.
fn raw(json: &Value) -> Result<RawJson, CloseReason> {
    let raw = serde_json::value::to_raw_value(json);
    raw.map(RawJson::from).map_err(|_| CloseReason::NotUnderstood("a value is not JSON"))
}

/// JSON on its way out. What the room holds was read before, so that it is valid.
fn to_value(json: &str) -> prost_types::Value {
    value::from_json(serde_json::from_str(json).unwrap_or_default())
}

fn to_struct(json: &str) -> prost_types::Struct {
    value::from_object(serde_json::from_str(json).unwrap_or_default())
}

/// The last message of a session.
pub fn closed(reason: &CloseReason) -> v1::JoinRoomResponse {
    use CloseReason as R;
    use v1::CloseCode as C;
    let (code, retry) = match reason {
        R::NotAllowed => (C::NotAllowed, false),
        R::NotUnderstood(_) => (C::NotUnderstood, false),
        R::RoomFull => (C::RoomFull, false),
        R::RoomRenamed { .. } => (C::RoomRenamed, true),
        R::RoomDeleted => (C::RoomDeleted, false),
        R::Removed | R::DuplicateIdentity => (C::Removed, false),
        R::LiveRoomDeleted | R::LiveRoomEnded => (C::LiveRoomEnded, false),
        R::TokenExpired => (C::TokenExpired, true),
        R::StorageReset => (C::StorageReset, true),
        R::ShuttingDown => (C::ShuttingDown, true),
        R::Unavailable => (C::Unavailable, true),
        R::Overloaded => (C::Overloaded, true),
        R::TooSlow => (C::TooSlow, true),
        R::TooManyMessages => (C::TooManyMessages, true),
    };
    let new_room_id = match reason {
        R::RoomRenamed { to } => Some(to.to_string()),
        _ => None,
    };
    let closed = v1::RoomClosed { code: code.into(), reason: reason.text(), retry, new_room_id };
    v1::JoinRoomResponse { message: Some(v1::join_room_response::Message::Closed(closed)) }
}
