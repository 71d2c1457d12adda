//! Who owns what a room holds.
//!
//! Invariants: a room's data is named by a key that outlives renames and is never used again after
//! a deletion. Of all who opened a room, only the last can write.

use std::ops::Range;
use std::sync::Arc;

use sqlx::FromRow;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use super::Store;
use super::db::{Tx, on_db, on_tx};
use super::fault::{Fault, on};
use super::room_cache::Touched;
use super::schema::{SchemaId, schema_id};
use crate::domain::ctx::room_not_found;
use crate::domain::ids::{ProjectId, RoomId};
use crate::domain::room::Room;
use crate::error::{Code, Error};

const KEY_BYTES: usize = 16;

/// Makes the row or raises its epoch by $4, and reserves $5 actors; no row comes back if there is no
/// such room.
const OPEN: &str = "INSERT INTO room_data (project_id, room_id, key, epoch, next_actor) \
    SELECT r.project_id, r.id, $3, $4, 1 + $5 FROM room r WHERE r.project_id = $1 AND r.id = $2 \
    ON CONFLICT (project_id, room_id) DO UPDATE SET epoch = room_data.epoch + $4, \
    next_actor = room_data.next_actor + $5 \
    RETURNING key, epoch, next_actor, schema_name, schema_version";
const FIND: &str = "SELECT key, epoch, next_actor, schema_name, schema_version FROM room_data \
    WHERE project_id = $1 AND room_id = $2";
const RESERVE_ACTORS: &str = "UPDATE room_data SET next_actor = next_actor + $4 \
    WHERE project_id = $1 AND key = $2 AND epoch = $3 RETURNING next_actor";
const RELEASE_ACTORS: &str = "UPDATE room_data SET next_actor = $4 \
    WHERE project_id = $1 AND key = $2 AND epoch = $3 AND next_actor = $5";
const LOCK_DATA: &str = "SELECT epoch FROM room_data WHERE project_id = $1 AND key = $2";
const LOCK_DATA_FOR_SHARE: &str =
    "SELECT epoch FROM room_data WHERE project_id = $1 AND key = $2 FOR SHARE";
/// Shuts out everybody who would add to the same count; appends wait for it as well.
const LOCK_DATA_ALONE: &str =
    "SELECT epoch FROM room_data WHERE project_id = $1 AND key = $2 FOR NO KEY UPDATE";
const LOCK_EPOCH: &str =
    "SELECT epoch FROM room_data WHERE project_id = $1 AND key = $2 AND epoch = $3";
/// A share is enough: it keeps openers out, not other writes of the same owner.
const LOCK_EPOCH_FOR_SHARE: &str = "SELECT epoch FROM room_data \
    WHERE project_id = $1 AND key = $2 AND epoch = $3 FOR SHARE";

/// Names what one room holds, whatever the room is called and whoever has it open.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DataKey {
    pub(super) project: ProjectId,
    pub(super) key: Arc<str>,
}

/// The right to write the documents of one room, until somebody else opens the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomKey {
    pub(super) data: DataKey,
    pub(super) epoch: i64,
}

impl RoomKey {
    pub fn project(&self) -> &ProjectId {
        &self.data.project
    }

    pub fn data(&self) -> &DataKey {
        &self.data
    }

    /// Grows with every opening of the room.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }
}

#[derive(Debug, Clone)]
pub struct RoomData {
    pub key: RoomKey,
    /// Numbers that nobody was or will be given again, unless they are released.
    pub actors: Range<i64>,
    pub schema: Option<SchemaId>,
}

#[derive(FromRow)]
struct RoomDataRow {
    key: String,
    epoch: i64,
    next_actor: i64,
    schema_name: Option<String>,
    schema_version: Option<i64>,
}

/// Somebody else opened the room, or it was deleted. Whoever is told so holds a stale copy.
pub(super) fn fenced() -> Error {
    let public = "The room was opened elsewhere or deleted, please connect again.";
    Error::new(Code::Aborted, "ROOM_FENCED", public)
}

impl Store {
    /// A row of what a room holds, by its own id.
    pub(super) async fn find_in_room<R>(
        &self,
        table: &'static str,
        select: &'static str,
        key: &DataKey,
        id: &str,
    ) -> Result<Option<R>, Error>
    where
        R: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        self.read(table, async {
            on_db!(&self.inner.db, |c| sqlx::query_as(select)
                .bind(key.project.as_str())
                .bind(&*key.key)
                .bind(id)
                .fetch_optional(c)
                .await)
        })
        .await
    }

    /// Makes the caller the room's only owner: whoever opened it before can write no more. `None`
    /// if there is no such room. With it come numbers for `actors_count` actors, which would be a
    /// commit of their own otherwise, as long again for every room after a restart.
    pub async fn open_room_data(
        &self,
        project: &ProjectId,
        room: &RoomId,
        actors_count: u32,
    ) -> Result<Option<RoomData>, Error> {
        let args = (project.clone(), room.clone(), random_key()?, i64::from(actors_count));
        self.transact("open_room_data", Touched::nothing(), args, |tx, args| {
            let (project, room, fresh, actors_count) = args;
            Box::pin(open(tx, (project, room), fresh, (1, *actors_count)))
        })
        .await
    }

    /// Where a room keeps what it holds, without opening it; `None` if it never held anything.
    /// Takes the room itself, which only somebody with a right to it has. The place stays the same
    /// for as long as the room exists, so it is remembered with the room.
    pub async fn find_data_key(
        &self,
        project: &ProjectId,
        room: &Room,
    ) -> Result<Option<DataKey>, Error> {
        if let Some(key) = room.place.get::<DataKey>() {
            return Ok(Some(DataKey::clone(&key)));
        }
        let found = Box::pin(self.room_data(project, room)).await?;
        Ok(found.map(|found| remember(room, found.key.data)))
    }

    /// As [`Store::find_data_key`], and makes a place for the room if it has none yet. `None` if the
    /// room is gone.
    pub async fn ensure_data_key(
        &self,
        project: &ProjectId,
        room: &Room,
    ) -> Result<Option<DataKey>, Error> {
        if let Some(found) = self.find_data_key(project, room).await? {
            return Ok(Some(found));
        }
        let args = (project.clone(), room.id.clone(), random_key()?);
        let making = self.transact(
            "ensure_data_key",
            Touched::nothing(),
            args,
            |tx, (project, room, fresh)| Box::pin(open(tx, (project, room), fresh, (0, 0))),
        );
        let made = Box::pin(making).await?;
        Ok(made.map(|made| remember(room, made.key.data)))
    }

    /// The schema that a room has.
    pub async fn find_room_schema(
        &self,
        project: &ProjectId,
        room: &Room,
    ) -> Result<Option<SchemaId>, Error> {
        Ok(self.room_data(project, room).await?.and_then(|found| found.schema))
    }

    async fn room_data(&self, project: &ProjectId, room: &Room) -> Result<Option<RoomData>, Error> {
        let row: Option<RoomDataRow> = self
            .read("room_data", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(FIND)
                    .bind(project.as_str())
                    .bind(room.id.as_str())
                    .fetch_optional(c)
                    .await)
            })
            .await?;
        row.map(|row| row.into_data(project, 0)).transpose()
    }

    /// Numbers that nobody was or will be given again, unless they are released.
    pub async fn reserve_actors(&self, key: &RoomKey, count: u32) -> Result<Range<i64>, Error> {
        let args = (key.clone(), i64::from(count));
        self.transact("reserve_actors", Touched::nothing(), args, |tx, (key, count)| {
            Box::pin(async move {
                let next: Option<(i64,)> = on_tx!(tx.write(), |c| sqlx::query_as(RESERVE_ACTORS)
                    .bind(key.data.project.as_str())
                    .bind(&*key.data.key)
                    .bind(key.epoch)
                    .bind(*count)
                    .fetch_optional(c)
                    .await)
                .map_err(on("room_data"))?;
                let (next,) = next.ok_or_else(fenced)?;
                Ok::<_, Fault>(next - count..next)
            })
        })
        .await
    }

    /// Gives back the end of what was reserved last. It stays reserved if others came after it, or
    /// if the room has another owner by now.
    pub async fn release_actors(&self, key: &RoomKey, unused: Range<i64>) -> Result<(), Error> {
        let args = (key.clone(), unused);
        self.transact("release_actors", Touched::nothing(), args, |tx, (key, unused)| {
            Box::pin(async move {
                on_tx!(tx.write(), |c| sqlx::query(RELEASE_ACTORS)
                    .bind(key.data.project.as_str())
                    .bind(&*key.data.key)
                    .bind(key.epoch)
                    .bind(unused.start)
                    .bind(unused.end)
                    .execute(c)
                    .await
                    .map(drop))
                .map_err(on("room_data"))
            })
        })
        .await
    }
}

fn remember(room: &Room, key: DataKey) -> DataKey {
    DataKey::clone(&room.place.get_or_make(|| key.clone()))
}

pub(super) fn random_key() -> Result<String, Error> {
    let mut bytes = [0_u8; KEY_BYTES];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::internal("no randomness"))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

async fn open(
    tx: &mut Tx,
    (project, room): (&ProjectId, &RoomId),
    fresh: &str,
    (raise, actors_count): (i64, i64),
) -> Result<Option<RoomData>, Fault> {
    let row: Result<Option<RoomDataRow>, Fault> = on_tx!(tx.write(), |c| sqlx::query_as(OPEN)
        .bind(project.as_str())
        .bind(room.as_str())
        .bind(fresh)
        .bind(raise)
        .bind(actors_count)
        .fetch_optional(c)
        .await)
    .map_err(on("room_data"));
    match row {
        Ok(Some(row)) => Ok(Some(row.into_data(project, actors_count)?)),
        Ok(None) => Ok(None),
        Err(fault) if fault.is_foreign_key_violation() => {
            Err(Fault::Retry("a room went away while it was opened"))
        }
        Err(fault) => Err(fault),
    }
}

impl RoomDataRow {
    fn into_data(self, project: &ProjectId, actors_count: i64) -> Result<RoomData, Error> {
        let schema = schema_id(self.schema_name, self.schema_version)?;
        let data = DataKey { project: project.clone(), key: self.key.into() };
        let key = RoomKey { data, epoch: self.epoch };
        let actors = self.next_actor - actors_count..self.next_actor;
        Ok(RoomData { key, actors, schema })
    }
}

/// Fails unless the key is the last that was given out, and keeps it so until the end of the
/// transaction.
pub(super) async fn lock_epoch(tx: &mut Tx, key: &RoomKey) -> Result<(), Fault> {
    let text = tx.locking(LOCK_EPOCH, LOCK_EPOCH_FOR_SHARE);
    let row: Option<(i64,)> = on_tx!(tx.read(), |c| sqlx::query_as(text)
        .bind(key.data.project.as_str())
        .bind(&*key.data.key)
        .bind(key.epoch)
        .fetch_optional(c)
        .await)
    .map_err(on("room_data"))?;
    row.map(drop).ok_or_else(|| Fault::Rule(fenced()))
}

/// Fails if the room is gone, and keeps it until the end of the transaction.
pub(super) async fn lock_data(tx: &mut Tx, key: &DataKey) -> Result<(), Fault> {
    lock_row(tx, key, LOCK_DATA_FOR_SHARE).await
}

/// As `lock_data`, and nobody else has it locked at the same time. For something short.
pub(super) async fn lock_data_alone(tx: &mut Tx, key: &DataKey) -> Result<(), Fault> {
    lock_row(tx, key, LOCK_DATA_ALONE).await
}

async fn lock_row(tx: &mut Tx, key: &DataKey, on_postgres: &'static str) -> Result<(), Fault> {
    let text = tx.locking(LOCK_DATA, on_postgres);
    let row: Option<(i64,)> = on_tx!(tx.read(), |c| sqlx::query_as(text)
        .bind(key.project.as_str())
        .bind(&*key.key)
        .fetch_optional(c)
        .await)
    .map_err(on("room_data"))?;
    row.map(drop).ok_or_else(|| Fault::Rule(room_not_found()))
}
