//! Rooms: the wide row is the record, the index rows follow it in the same transaction.

use std::sync::Arc;

use super::Store;
use super::db::{Tx, on_db, on_tx};
use super::fault::{Fault, on};
use super::garbage::discard;
use super::room_cache::Touched;
use super::room_row::{RoomRow, room_columns};
use crate::domain::ctx::{Guarded, ProjectGrant};
use crate::domain::ids::{OrganizationId, ProjectId, RoomId};
use crate::domain::room::Room;
use crate::error::Error;

const SELECT_ROOM: &str =
    concat!("SELECT ", room_columns!(), " FROM room r WHERE r.project_id = $1 AND r.id = $2");
const SELECT_ROOM_FOR_UPDATE: &str = concat!(
    "SELECT ",
    room_columns!(),
    " FROM room r WHERE r.project_id = $1 AND r.id = $2 FOR UPDATE"
);
const DELETE_ROOM: &str = "DELETE FROM room WHERE project_id = $1 AND id = $2";
const RENAME_ROOM: &str = "UPDATE room SET id = $3 WHERE project_id = $1 AND id = $2 \
    AND NOT EXISTS (SELECT 1 FROM room o WHERE o.project_id = $1 AND o.id = $3)";
const MOVE_ROOM: &str = "UPDATE room SET organization_id = $4 \
    WHERE project_id = $1 AND id = $2 AND organization_id = $3";
const TOUCH_ROOM: &str = "UPDATE room SET last_connection_at_ms = $3 \
    WHERE project_id = $1 AND id = $2 \
    AND (last_connection_at_ms IS NULL OR last_connection_at_ms < $3)";
/// What became of a room that should exist.
#[derive(Debug, Clone)]
pub struct Inserted {
    pub room: Arc<Room>,
    /// False if it existed before.
    pub created: bool,
}

#[derive(Debug, Clone)]
pub enum Renamed {
    NotFound,
    /// Another room, or this one, has the new id.
    Taken,
    Done(Arc<Room>),
}

#[derive(Debug, Clone)]
pub enum Moved {
    NotFound,
    /// The room is not in the organization that the caller takes it to be in.
    Elsewhere,
    Done(Arc<Room>),
}

impl Store {
    /// From the cache if it is there, without any SQL; never older than an answered write.
    pub async fn find_room(
        &self,
        project: &ProjectId,
        id: &RoomId,
    ) -> Result<Option<Guarded<Arc<Room>>>, Error> {
        let ticket = match self.inner.cache.find(project, id) {
            Ok(room) => return Ok(Some(Guarded::new(room))),
            Err(ticket) => ticket,
        };
        // Boxed, as what is seldom done, so that the futures of calls stay small.
        let room = Box::pin(self.load_room(project, id)).await?;
        if let Some(room) = &room {
            self.inner.cache.store(ticket, room);
        }
        Ok(room.map(Guarded::new))
    }

    /// Always asks the database.
    pub async fn find_room_uncached(
        &self,
        project: &ProjectId,
        id: &RoomId,
    ) -> Result<Option<Guarded<Arc<Room>>>, Error> {
        Ok(self.load_room(project, id).await?.map(Guarded::new))
    }

    /// Another node wrote the room: the next read asks the database.
    pub fn invalidate_room(&self, project: &ProjectId, id: &RoomId) {
        self.inner.cache.invalidate(project, id);
    }

    pub(super) async fn load_room(
        &self,
        project: &ProjectId,
        id: &RoomId,
    ) -> Result<Option<Arc<Room>>, Error> {
        let row: Option<RoomRow> = self
            .read("room", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(SELECT_ROOM)
                    .bind(project.as_str())
                    .bind(id.as_str())
                    .fetch_optional(c)
                    .await)
            })
            .await?;
        row.map(RoomRow::into_room).transpose()
    }

    /// Whether there was such a room. Everything that belongs to it goes with it.
    pub async fn delete_room(&self, grant: &ProjectGrant, id: &RoomId) -> Result<bool, Error> {
        let touched = self.touched(grant.project(), id);
        let args = (grant.project().clone(), id.clone());
        self.transact("delete_room", touched, args, |tx, (project, id)| {
            Box::pin(async move {
                discard(tx, project, id).await?;
                Ok(by_room(tx, "room", DELETE_ROOM, project, id).await? > 0)
            })
        })
        .await
    }

    /// Everything that belongs to the room follows it to the new id.
    pub async fn rename_room(
        &self,
        grant: &ProjectGrant,
        from: &RoomId,
        to: &RoomId,
    ) -> Result<Renamed, Error> {
        let touched = self.touched(grant.project(), from).and(grant.project(), to);
        let args = (grant.project().clone(), from.clone(), to.clone());
        self.transact("rename_room", touched, args, |tx, (project, from, to)| {
            Box::pin(rename(tx, project, from, to))
        })
        .await
    }

    pub async fn move_room(
        &self,
        grant: &ProjectGrant,
        id: &RoomId,
        from: &OrganizationId,
        to: &OrganizationId,
    ) -> Result<Moved, Error> {
        let touched = self.touched(grant.project(), id);
        let args = (grant.project().clone(), id.clone(), from.clone(), to.clone());
        self.transact("move_room", touched, args, |tx, (project, id, from, to)| {
            Box::pin(relocate(tx, project, id, from, to))
        })
        .await
    }

    /// Notes that somebody connected. A room that is gone, or knows of a later one, stays as it is.
    pub async fn touch_room_connection(
        &self,
        project: &ProjectId,
        id: &RoomId,
        now_ms: i64,
    ) -> Result<(), Error> {
        let touched = self.touched(project, id);
        let args = (project.clone(), id.clone(), now_ms);
        self.transact("touch_room_connection", touched, args, |tx, (project, id, now_ms)| {
            Box::pin(async move {
                on_tx!(tx.write(), |c| sqlx::query(TOUCH_ROOM)
                    .bind(project.as_str())
                    .bind(id.as_str())
                    .bind(*now_ms)
                    .execute(c)
                    .await
                    .map(drop))
                .map_err(on("room"))
            })
        })
        .await
    }

    pub(super) fn touched(&self, project: &ProjectId, id: &RoomId) -> Touched {
        Touched::room(&self.inner.cache, project, id)
    }
}

async fn rename(
    tx: &mut Tx,
    project: &ProjectId,
    from: &RoomId,
    to: &RoomId,
) -> Result<Renamed, Fault> {
    let renamed = on_tx!(tx.write(), |c| sqlx::query(RENAME_ROOM)
        .bind(project.as_str())
        .bind(from.as_str())
        .bind(to.as_str())
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(on("room"));
    match renamed {
        Ok(0) => match find(tx, SELECT_ROOM, project, from).await? {
            None => Ok(Renamed::NotFound),
            Some(_) => Ok(Renamed::Taken),
        },
        Ok(_) => match find(tx, SELECT_ROOM, project, to).await? {
            Some(room) => Ok(Renamed::Done(room)),
            None => Err(Fault::Rule(Error::internal("a renamed room is gone"))),
        },
        // Somebody took the id after the statement looked; a second run sees who.
        Err(fault) if fault.is_unique_violation() => Err(Fault::Retry("two took one room id")),
        Err(fault) => Err(fault),
    }
}

async fn relocate(
    tx: &mut Tx,
    project: &ProjectId,
    id: &RoomId,
    from: &OrganizationId,
    to: &OrganizationId,
) -> Result<Moved, Fault> {
    let moved = on_tx!(tx.write(), |c| sqlx::query(MOVE_ROOM)
        .bind(project.as_str())
        .bind(id.as_str())
        .bind(from.as_str())
        .bind(to.as_str())
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(on("room"))?;
    match find(tx, SELECT_ROOM, project, id).await? {
        None => Ok(Moved::NotFound),
        Some(_) if moved == 0 => Ok(Moved::Elsewhere),
        Some(room) => Ok(Moved::Done(room)),
    }
}

/// Reads a room that stays as it is until the transaction ends.
pub(super) async fn lock_room(
    tx: &mut Tx,
    project: &ProjectId,
    id: &RoomId,
) -> Result<Option<Arc<Room>>, Fault> {
    let text = tx.locking(SELECT_ROOM, SELECT_ROOM_FOR_UPDATE);
    find(tx, text, project, id).await
}

async fn find(
    tx: &mut Tx,
    text: &'static str,
    project: &ProjectId,
    id: &RoomId,
) -> Result<Option<Arc<Room>>, Fault> {
    let row: Option<RoomRow> = on_tx!(tx.read(), |c| sqlx::query_as(text)
        .bind(project.as_str())
        .bind(id.as_str())
        .fetch_optional(c)
        .await)
    .map_err(on("room"))?;
    Ok(row.map(RoomRow::into_room).transpose()?)
}

/// Runs a statement about one room, and counts the rows that it changed.
pub(super) async fn by_room(
    tx: &mut Tx,
    table: &'static str,
    text: &'static str,
    project: &ProjectId,
    id: &RoomId,
) -> Result<u64, Fault> {
    on_tx!(tx.write(), |c| sqlx::query(text)
        .bind(project.as_str())
        .bind(id.as_str())
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(on(table))
}
