//! How a room lies in the database: one wide row, and index rows for what lists filter by.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use sqlx::{AssertSqlSafe, FromRow};

use super::db::{Tx, on_tx};
use super::fault::{Fault, corrupt, on};
use crate::domain::ids::{OrganizationId, ProjectId, RoomId};
use crate::domain::metadata::RoomMetadata;
use crate::domain::permissions::ScopeList;
use crate::domain::query::number_of;
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

/// Index rows in one statement: a multiple of a full room's 50 metadata strings, and far below the
/// 32,766 parameters that SQLite takes.
const INDEX_ROWS_PER_STATEMENT: usize = 500;

pub(super) const KIND_USER: &str = "user";
pub(super) const KIND_GROUP: &str = "group";

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

/// Every string of the metadata once, with the number that it spells, if it does.
fn metadata_rows(metadata: &RoomMetadata) -> Vec<(&str, &str, Option<f64>)> {
    let mut rows = Vec::with_capacity(metadata.len());
    for (key, value) in metadata {
        let start = rows.len();
        for text in value.texts() {
            let row = (key.as_str(), text.as_str(), number_in(text));
            if !rows[start..].contains(&row) {
                rows.push(row);
            }
        }
    }
    rows
}

/// The same rule as the model's, but for what an index cannot hold.
fn number_in(text: &str) -> Option<f64> {
    number_of(text).filter(|number| number.is_finite())
}

/// One row per user and group that is named with at least one scope.
fn access_rows(room: &Room) -> Vec<(&'static str, &str)> {
    let users = room.users_accesses.iter().map(|(id, scopes)| (KIND_USER, id, scopes));
    let groups = room.groups_accesses.iter().map(|(id, scopes)| (KIND_GROUP, id, scopes));
    users
        .chain(groups)
        .filter(|(_, _, scopes)| !scopes.is_empty())
        .map(|(kind, id, _)| (kind, id.as_str()))
        .collect()
}

pub(super) async fn insert_metadata_rows(
    tx: &mut Tx,
    project: &ProjectId,
    room: &Room,
) -> Result<(), Fault> {
    const HEAD: &str = "INSERT INTO room_metadata \
        (project_id, room_id, created_at_ms, key, value, number) VALUES ";
    for rows in metadata_rows(&room.metadata).chunks(INDEX_ROWS_PER_STATEMENT) {
        let text = values_text(HEAD, rows.len(), 3);
        on_tx!(tx.write(), |c| {
            let mut query = sqlx::query(AssertSqlSafe(text))
                .bind(project.as_str())
                .bind(room.id.as_str())
                .bind(room.created_at_ms);
            for (key, value, number) in rows {
                query = query.bind(*key).bind(*value).bind(*number);
            }
            query.execute(c).await.map(drop)
        })
        .map_err(on("room_metadata"))?;
    }
    Ok(())
}

pub(super) async fn insert_access_rows(
    tx: &mut Tx,
    project: &ProjectId,
    room: &Room,
) -> Result<(), Fault> {
    const HEAD: &str = "INSERT INTO room_access \
        (project_id, room_id, created_at_ms, kind, subject_id) VALUES ";
    for rows in access_rows(room).chunks(INDEX_ROWS_PER_STATEMENT) {
        let text = values_text(HEAD, rows.len(), 2);
        on_tx!(tx.write(), |c| {
            let mut query = sqlx::query(AssertSqlSafe(text))
                .bind(project.as_str())
                .bind(room.id.as_str())
                .bind(room.created_at_ms);
            for (kind, subject_id) in rows {
                query = query.bind(*kind).bind(*subject_id);
            }
            query.execute(c).await.map(drop)
        })
        .map_err(on("room_access"))?;
    }
    Ok(())
}

/// `head ($1, $2, $3, $4, ...), ($1, $2, $3, $6, ...)`: three shared parameters, then each row's.
fn values_text(head: &str, rows: usize, own_columns: usize) -> String {
    let mut text = head.to_owned();
    for row in 0..rows {
        text.push_str(if row == 0 { "($1, $2, $3" } else { ", ($1, $2, $3" });
        for column in 0..own_columns {
            // Writing to a string cannot fail.
            let _ = write!(text, ", ${}", 4 + row * own_columns + column);
        }
        text.push(')');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::metadata::MetadataValue;

    #[test]
    fn index_rows_hold_each_string_once() {
        let mut metadata = RoomMetadata::new();
        metadata.insert("n".into(), MetadataValue::Many(vec!["7".into(), "7".into(), "x".into()]));
        metadata.insert("o".into(), MetadataValue::One("7".into()));
        let rows = metadata_rows(&metadata);
        assert_eq!(rows, [("n", "7", Some(7.0)), ("n", "x", None), ("o", "7", Some(7.0))]);
    }

    #[test]
    fn values_share_the_first_three_parameters() {
        assert_eq!(values_text("", 2, 2), "($1, $2, $3, $4, $5), ($1, $2, $3, $6, $7)");
    }
}
