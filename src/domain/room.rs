//! A room's durable record, and what callers may ask to be done to it.

use std::collections::BTreeMap;

use super::ids::{OrganizationId, RoomId};
use super::memo::Memo;
use super::metadata::{MetadataValue, RoomMetadata, check_room_metadata};
use super::permissions::{BaseRule, Scope, ScopeList};
use super::text::{check_chars, excerpt};
use crate::error::Error;

/// Who, by user id or group id, has which scopes. At most [`ACCESSES_MAX`] ids.
pub type Accesses = BTreeMap<String, ScopeList>;

/// Ids in `usersAccesses`, and as many in `groupsAccesses`.
pub const ACCESSES_MAX: usize = 1000;
/// Longer than a user's id may be today, since older rooms name users by longer ones.
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
    /// The room as outer layers have written it.
    pub memo: Memo,
    /// Where the store keeps what the room holds.
    pub place: Memo,
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

impl RoomDraft {
    /// A room that somebody with the public key enters first, and everybody after them.
    pub fn open_to_everybody(id: RoomId) -> Self {
        let default_accesses = ScopeList::trusted([Scope::RoomWrite.as_str()]);
        Self { default_accesses, ..Self::closed(id, OrganizationId::default()) }
    }

    /// A room that only tokens open that name it themselves.
    pub fn closed(id: RoomId, organization_id: OrganizationId) -> Self {
        Self {
            id,
            organization_id,
            default_accesses: ScopeList::EMPTY,
            users_accesses: Accesses::default(),
            groups_accesses: Accesses::default(),
            metadata: RoomMetadata::default(),
            engine: Engine::default(),
        }
    }
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
    pub metadata: MapPatch<MetadataValue>,
}

impl RoomDraft {
    /// Everything that was not checked when its parts were made.
    pub fn check(&self) -> Result<(), Error> {
        check_accesses("usersAccesses", &self.users_accesses)?;
        check_accesses("groupsAccesses", &self.groups_accesses)?;
        check_room_metadata(&self.metadata)
    }

    pub fn into_room(self, created_at_ms: i64) -> Room {
        Room {
            id: self.id,
            organization_id: self.organization_id,
            created_at_ms,
            last_connection_at_ms: None,
            default_accesses: self.default_accesses,
            users_accesses: self.users_accesses,
            groups_accesses: self.groups_accesses,
            metadata: self.metadata,
            engine: self.engine,
            memo: Memo::default(),
            place: Memo::default(),
        }
    }
}

impl<V> MapPatch<V> {
    pub fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }
}

impl<V: Clone> MapPatch<V> {
    /// The map afterwards, or nothing if the patch leaves it alone.
    fn applied_to(&self, map: &BTreeMap<String, V>) -> Option<BTreeMap<String, V>> {
        let entries = match self {
            Self::Keep => return None,
            Self::Clear => return Some(BTreeMap::new()),
            Self::Merge(entries) => entries,
        };
        let mut map = map.clone();
        for (key, value) in entries {
            match value {
                Some(value) => {
                    map.insert(key.clone(), value.clone());
                }
                None => {
                    map.remove(key);
                }
            }
        }
        Some(map)
    }
}

impl RoomPatch {
    /// Leaves everything as it is.
    pub const NOTHING: Self = Self {
        default_accesses: None,
        users_accesses: MapPatch::Keep,
        groups_accesses: MapPatch::Keep,
        metadata: MapPatch::Keep,
    };

    /// Whether the caller named no property at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::NOTHING
    }

    /// Changes the room. The limits hold for what comes out, not for the patch: one that removes
    /// as much as it adds is fine. On an error the room stays as it was.
    pub fn apply(&self, room: &mut Room) -> Result<(), Error> {
        let users = self.users_accesses.applied_to(&room.users_accesses);
        let groups = self.groups_accesses.applied_to(&room.groups_accesses);
        let metadata = self.metadata.applied_to(&room.metadata);
        users.as_ref().map_or(Ok(()), |users| check_accesses("usersAccesses", users))?;
        groups.as_ref().map_or(Ok(()), |groups| check_accesses("groupsAccesses", groups))?;
        metadata.as_ref().map_or(Ok(()), check_room_metadata)?;

        replace(&mut room.default_accesses, self.default_accesses.clone());
        replace(&mut room.users_accesses, users);
        replace(&mut room.groups_accesses, groups);
        replace(&mut room.metadata, metadata);
        Ok(())
    }
}

fn replace<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}

/// One entry of `usersAccesses` or `groupsAccesses` as a caller sent it. A list may hold a single
/// override, such as `comments:write`: the base then comes from a weaker source.
pub fn parse_access(
    field: &str,
    id: &str,
    scopes: impl IntoIterator<Item = impl AsRef<str>>,
) -> Result<ScopeList, Error> {
    check_access_id(field, id)?;
    ScopeList::parse(&format!("{field}.{}", excerpt(id)), scopes, BaseRule::Optional)
}

/// A whole map of accesses: how many ids, and how long. Its lists were checked one by one.
pub fn check_accesses(field: &str, accesses: &Accesses) -> Result<(), Error> {
    if accesses.len() > ACCESSES_MAX {
        let problem = format!("must have at most {ACCESSES_MAX} ids, got {}", accesses.len());
        return Err(Error::invalid(field, problem));
    }
    accesses.keys().try_for_each(|id| check_access_id(field, id))
}

pub(super) fn check_access_id(field: &str, id: &str) -> Result<(), Error> {
    if id.is_empty() {
        return Err(Error::invalid(field, "an id must not be empty"));
    }
    check_chars(field, "an id", id, ACCESSES_ID_CHARS_MAX)
}

#[cfg(test)]
mod tests;
