//! Which rooms are in memory, and what can be asked of them.

use serde_json::{Map, Value};

use crate::domain::ids::{ProjectId, RoomId, UserId};

/// Somebody who is in a room, by one connection.
#[derive(Debug, Clone, PartialEq)]
pub struct ActiveUser {
    /// Absent for somebody anonymous.
    pub id: Option<UserId>,
    pub info: Map<String, Value>,
    pub connection_id: i32,
}

/// A presence that is shown without a connection, until it expires.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpPresence {
    pub user_id: UserId,
    pub data: Map<String, Value>,
    pub user_info: Map<String, Value>,
    pub ttl_seconds: u32,
}

/// The rooms of this node. Cloning it is cheap.
#[derive(Debug, Clone, Default)]
pub struct Rooms;

impl Rooms {
    /// Everybody who is in a room now.
    pub fn active_users(&self, _project: &ProjectId, _room: &RoomId) -> Vec<ActiveUser> {
        Vec::new()
    }

    /// Shows a presence to whoever is in the room. Presence is not kept: nobody there, nobody told.
    pub fn show_presence(&self, _project: &ProjectId, _room: &RoomId, _presence: &HttpPresence) {}

    /// Sends an event to whoever is in the room.
    pub fn broadcast(&self, _project: &ProjectId, _room: &RoomId, _event: &Value) {}
}
