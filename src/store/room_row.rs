//! How a room lies in its wide row.

use std::collections::BTreeMap;
use std::sync::Arc;

use sqlx::FromRow;

use super::fault::corrupt;
use crate::domain::ids::{OrganizationId, RoomId};
use crate::domain::memo::Memo;
use crate::domain::permissions::ScopeList;
use crate::domain::room::{Accesses, Engine, Room};
use crate::error::Error;

/// The columns of [`RoomRow`], for a table that is called `r` in the statement.
macro_rules! room_columns {
    () => {
        "r.id, r.created_at_ms, r.organization_id, r.last_connection_at_ms, r.engine, \
         r.default_accesses, r.users_accesses, r.groups_accesses, r.metadata"
    };
}
pub(super) use room_columns;

#[derive(Debug, FromRow)]
pub(super) struct RoomRow {
    id: String,
    created_at_ms: i64,
    organization_id: String,
    last_connection_at_ms: Option<i64>,
    engine: i64,
    default_accesses: String,
    users_accesses: String,
    groups_accesses: String,
    metadata: String,
}

impl RoomRow {
    pub(super) fn into_room(self) -> Result<Arc<Room>, Error> {
        let id = &self.id;
        let bad = |column: &'static str| {
            move |error: serde_json::Error| corrupt("room", column, format!("room `{id}`: {error}"))
        };
        let default_accesses: Vec<&str> =
            serde_json::from_str(&self.default_accesses).map_err(bad("default_accesses"))?;
        let room = Room {
            organization_id: OrganizationId::trusted(self.organization_id.as_str()),
            created_at_ms: self.created_at_ms,
            last_connection_at_ms: self.last_connection_at_ms,
            default_accesses: ScopeList::trusted(default_accesses),
            users_accesses: read_accesses(&self.users_accesses).map_err(bad("users_accesses"))?,
            groups_accesses: read_accesses(&self.groups_accesses)
                .map_err(bad("groups_accesses"))?,
            metadata: serde_json::from_str(&self.metadata).map_err(bad("metadata"))?,
            engine: match self.engine {
                1 => Engine::V1,
                2 => Engine::V2,
                other => return Err(corrupt("room", "engine", format!("room `{id}`: {other}"))),
            },
            id: RoomId::trusted(self.id),
            memo: Memo::default(),
            place: Memo::default(),
        };
        Ok(Arc::new(room))
    }
}

fn read_accesses(json: &str) -> Result<Accesses, serde_json::Error> {
    let map: BTreeMap<String, Vec<&str>> = serde_json::from_str(json)?;
    Ok(map.into_iter().map(|(id, scopes)| (id, ScopeList::trusted(scopes))).collect())
}

/// The columns that hold JSON, as text.
pub(super) struct RoomJson {
    pub(super) default_accesses: String,
    pub(super) users_accesses: String,
    pub(super) groups_accesses: String,
    pub(super) metadata: String,
}

impl RoomJson {
    pub(super) fn of(room: &Room) -> Result<Self, Error> {
        let scopes = |list: &ScopeList| list.iter().map(|scope| scope.as_str()).collect::<Vec<_>>();
        let accesses = |map: &Accesses| {
            let map: BTreeMap<_, _> = map.iter().map(|(id, list)| (id, scopes(list))).collect();
            serde_json::to_string(&map).map_err(Error::internal)
        };
        Ok(Self {
            default_accesses: serde_json::to_string(&scopes(&room.default_accesses))
                .map_err(Error::internal)?,
            users_accesses: accesses(&room.users_accesses)?,
            groups_accesses: accesses(&room.groups_accesses)?,
            metadata: serde_json::to_string(&room.metadata).map_err(Error::internal)?,
        })
    }
}

pub(super) const fn engine_number(engine: Engine) -> i64 {
    match engine {
        Engine::V1 => 1,
        Engine::V2 => 2,
    }
}
