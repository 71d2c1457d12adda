//! The index rows of rooms: what lists filter by, written with the room in one transaction.

use sqlx::AssertSqlSafe;

use super::db::{Tx, on_tx};
use super::fault::{Fault, on};
use super::values::{runs, values};
use crate::domain::ids::ProjectId;
use crate::domain::metadata::MetadataValue;
use crate::domain::query::number_of;
use crate::domain::room::Room;

pub(super) const KIND_USER: &str = "user";
pub(super) const KIND_GROUP: &str = "group";

const INSERT_METADATA: &str = "INSERT INTO room_metadata \
    (project_id, room_id, created_at_ms, key, value, number) VALUES ";
const INSERT_ACCESS: &str = "INSERT INTO room_access \
    (project_id, room_id, created_at_ms, kind, subject_id) VALUES ";

/// A room that has no index rows yet.
pub(super) type NewRoom<'a> = (&'a ProjectId, &'a Room);

/// Every string of the metadata once, with the number that it spells, if it does.
pub(super) async fn insert_metadata_rows(tx: &mut Tx, rooms: &[NewRoom<'_>]) -> Result<(), Fault> {
    let rows: Vec<_> = rooms.iter().flat_map(|new| metadata_rows(*new)).collect();
    for run in runs(&rows) {
        let text = values(INSERT_METADATA, run.len(), 6, "");
        on_tx!(tx.write(), |c| {
            let mut query = sqlx::query(AssertSqlSafe(text));
            for ((project, room), key, value, number) in run {
                query = query
                    .bind(project.as_str())
                    .bind(room.id.as_str())
                    .bind(room.created_at_ms)
                    .bind(*key)
                    .bind(*value)
                    .bind(*number);
            }
            query.execute(c).await.map(drop)
        })
        .map_err(on("room_metadata"))?;
    }
    Ok(())
}

/// One row per user and group that a room names with at least one scope.
pub(super) async fn insert_access_rows(tx: &mut Tx, rooms: &[NewRoom<'_>]) -> Result<(), Fault> {
    let rows: Vec<_> = rooms.iter().flat_map(|new| access_rows(*new)).collect();
    for run in runs(&rows) {
        let text = values(INSERT_ACCESS, run.len(), 5, "");
        on_tx!(tx.write(), |c| {
            let mut query = sqlx::query(AssertSqlSafe(text));
            for ((project, room), kind, subject_id) in run {
                query = query
                    .bind(project.as_str())
                    .bind(room.id.as_str())
                    .bind(room.created_at_ms)
                    .bind(*kind)
                    .bind(*subject_id);
            }
            query.execute(c).await.map(drop)
        })
        .map_err(on("room_access"))?;
    }
    Ok(())
}

type MetadataRow<'a> = (NewRoom<'a>, &'a str, &'a str, Option<f64>);

fn metadata_rows<'a>(new: NewRoom<'a>) -> impl Iterator<Item = MetadataRow<'a>> {
    let (_, room) = new;
    room.metadata.iter().flat_map(move |(key, value)| {
        let texts = MetadataValue::texts(value);
        let firsts = texts.iter().enumerate().filter(|(at, text)| !texts[..*at].contains(text));
        firsts.map(move |(_, text)| (new, key.as_str(), text.as_str(), number_in(text)))
    })
}

/// The same rule as the model's, but for what an index cannot hold.
fn number_in(text: &str) -> Option<f64> {
    number_of(text).filter(|number| number.is_finite())
}

fn access_rows<'a>(new: NewRoom<'a>) -> impl Iterator<Item = (NewRoom<'a>, &'static str, &'a str)> {
    let (_, room) = new;
    let users = room.users_accesses.iter().map(|(id, scopes)| (KIND_USER, id, scopes));
    let groups = room.groups_accesses.iter().map(|(id, scopes)| (KIND_GROUP, id, scopes));
    let named = users.chain(groups).filter(|(_, _, scopes)| !scopes.is_empty());
    named.map(move |(kind, id, _)| (new, kind, id.as_str()))
}
