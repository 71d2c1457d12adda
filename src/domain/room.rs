//! A room's durable record, and what callers may ask to be done to it.

use std::collections::BTreeMap;

use super::ids::{OrganizationId, RoomId};
use super::metadata::RoomMetadata;
use super::permissions::ScopeList;

/// Who, by user id or group id, has which scopes. At most [`ACCESSES_MAX`] ids.
pub type Accesses = BTreeMap<String, ScopeList>;

pub const ACCESSES_MAX: usize = 1000;
pub const ACCESSES_ID_CHARS_MAX: usize = 256;

/// The storage engine that a room was created for. Only recorded: roomd has one engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Engine {
    V1,
    #[default]
    V2,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Room {
    pub id: RoomId,
    pub organization_id: OrganizationId,
    pub created_at_ms: i64,
    /// Absent until somebody connected for the first time.
    pub last_connection_at_ms: Option<i64>,
    pub default_accesses: ScopeList,
    pub users_accesses: Accesses,
    pub groups_accesses: Accesses,
    pub metadata: RoomMetadata,
    pub engine: Engine,
}

/// A room to be created, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct RoomDraft {
    pub id: RoomId,
    pub organization_id: OrganizationId,
    pub default_accesses: ScopeList,
    pub users_accesses: Accesses,
    pub groups_accesses: Accesses,
    pub metadata: RoomMetadata,
    pub engine: Engine,
}

/// What a merge patch says of one map: leave it, clear it, or set and remove single entries.
#[derive(Debug, Clone, PartialEq)]
pub enum MapPatch<V> {
    Keep,
    Clear,
    Merge(BTreeMap<String, Option<V>>),
}

/// A checked merge patch. `default_accesses: Some(empty)` is what an explicit `null` becomes.
#[derive(Debug, Clone, PartialEq)]
pub struct RoomPatch {
    pub default_accesses: Option<ScopeList>,
    pub users_accesses: MapPatch<ScopeList>,
    pub groups_accesses: MapPatch<ScopeList>,
    pub metadata: MapPatch<super::metadata::MetadataValue>,
}
