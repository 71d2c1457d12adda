//! Rooms that are alive, and who may not come back into them.

use std::sync::Arc;

use sqlx::FromRow;

use super::Store;
use super::db::{Tx, on_db, on_tx};
use super::fault::{Fault, on};
use super::room_cache::Touched;
use super::webhook::{self, DroppedWebhooks, WebhookBatch};
use crate::domain::ids::{ProjectId, RoomId};
use crate::domain::live::LiveRoom;
use crate::error::Error;

/// A room that was alive before keeps nothing of that life. No row comes to be for a room that is
/// gone.
const UPSERT_ROOM: &str = "INSERT INTO live_room (project_id, room_id, sid, empty_timeout_s, \
    departure_timeout_s, max_participants, metadata, created_at_ms, ends_at_ms) \
    SELECT r.project_id, r.id, $3, $4, $5, $6, $7, $8, $9 FROM room r \
    WHERE r.project_id = $1 AND r.id = $2 \
    ON CONFLICT (project_id, room_id) DO UPDATE SET sid = excluded.sid, \
    empty_timeout_s = excluded.empty_timeout_s, \
    departure_timeout_s = excluded.departure_timeout_s, \
    max_participants = excluded.max_participants, metadata = excluded.metadata, \
    created_at_ms = excluded.created_at_ms, ends_at_ms = excluded.ends_at_ms";
const DELETE_ROOM: &str =
    "DELETE FROM live_room WHERE project_id = $1 AND room_id = $2 AND sid = $3";
const SET_END: &str = "UPDATE live_room SET ends_at_ms = $4 \
    WHERE project_id = $1 AND room_id = $2 AND sid = $3";
const LIST_ROOMS: &str = "SELECT project_id, room_id, sid, empty_timeout_s, departure_timeout_s, \
    max_participants, metadata, created_at_ms, ends_at_ms FROM live_room \
    WHERE (project_id, room_id) > ($1, $2) ORDER BY project_id, room_id LIMIT $3";
/// A later time stays.
const REVOKE: &str = "INSERT INTO live_revocation (project_id, room_id, identity, before_s) \
    SELECT r.project_id, r.id, $3, $4 FROM room r WHERE r.project_id = $1 AND r.id = $2 \
    ON CONFLICT (project_id, room_id, identity) DO UPDATE SET before_s = excluded.before_s \
    WHERE live_revocation.before_s < excluded.before_s";
const HAS_REVOCATIONS: &str = "SELECT before_s FROM live_revocation \
    WHERE project_id = $1 AND room_id = $2 LIMIT 1";
const FIND_REVOCATION: &str = "SELECT before_s FROM live_revocation \
    WHERE project_id = $1 AND room_id = $2 AND identity = $3";

/// A room that is alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLiveRoom {
    pub project: ProjectId,
    pub room: LiveRoom,
    pub ends_at_ms: Option<i64>,
}

/// A step in the life of a room.
#[derive(Debug, Clone)]
pub enum LiveWrite {
    /// All of it, as it is now.
    Set {
        room: LiveRoom,
        ends_at_ms: Option<i64>,
    },
    EndsAt {
        sid: String,
        ends_at_ms: Option<i64>,
    },
    End {
        sid: String,
    },
    /// What back ends are told with it.
    Tell(Arc<WebhookBatch>),
}

/// What had to be dropped for what was told.
pub type Told = Vec<(Arc<WebhookBatch>, Vec<DroppedWebhooks>)>;

#[derive(FromRow)]
struct LiveRoomRow {
    project_id: String,
    room_id: String,
    sid: String,
    empty_timeout_s: i64,
    departure_timeout_s: i64,
    max_participants: i64,
    metadata: String,
    created_at_ms: i64,
    ends_at_ms: Option<i64>,
}

impl From<LiveRoomRow> for StoredLiveRoom {
    fn from(row: LiveRoomRow) -> Self {
        let number = |stored: i64| u32::try_from(stored).unwrap_or(u32::MAX);
        Self {
            project: ProjectId::trusted(row.project_id),
            room: LiveRoom {
                sid: row.sid.into(),
                room_id: RoomId::trusted(row.room_id),
                empty_timeout_s: number(row.empty_timeout_s),
                departure_timeout_s: number(row.departure_timeout_s),
                max_participants: number(row.max_participants),
                metadata: row.metadata.into(),
                created_at_ms: row.created_at_ms,
            },
            ends_at_ms: row.ends_at_ms,
        }
    }
}

impl Store {
    /// One after the other, in one transaction.
    pub async fn write_live_room(
        &self,
        project: &ProjectId,
        room: &RoomId,
        writes: Vec<LiveWrite>,
    ) -> Result<Told, Error> {
        let args = (project.clone(), room.clone(), writes);
        self.transact("write_live_room", Touched::nothing(), args, |tx, (project, room, writes)| {
            Box::pin(async move {
                let mut told = Vec::new();
                for write in writes {
                    match write {
                        LiveWrite::Tell(batch) => {
                            let dropped = webhook::enqueue(tx, batch).await?;
                            told.push((Arc::clone(batch), dropped));
                        }
                        write => apply(tx, (project, room), write).await?,
                    }
                }
                Ok(told)
            })
        })
        .await
    }

    /// Those after this one, in the order of projects and names.
    pub async fn list_live_rooms(
        &self,
        after: Option<(&ProjectId, &RoomId)>,
        limit: u32,
    ) -> Result<Vec<StoredLiveRoom>, Error> {
        let (project, room) = after.map_or(("", ""), |(p, r)| (p.as_str(), r.as_str()));
        let rows: Vec<LiveRoomRow> = self
            .read("live_room", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(LIST_ROOMS)
                    .bind(project)
                    .bind(room)
                    .bind(i64::from(limit))
                    .fetch_all(c)
                    .await)
            })
            .await?;
        Ok(rows.into_iter().map(StoredLiveRoom::from).collect())
    }

    /// From now on somebody's tokens open the room only if they became valid at this time or later.
    pub async fn revoke_live_tokens(
        &self,
        project: &ProjectId,
        room: &RoomId,
        (identity, before_s): (&str, i64),
    ) -> Result<(), Error> {
        let args = (project.clone(), room.clone(), identity.to_owned(), before_s);
        self.transact("revoke_live_tokens", Touched::nothing(), args, |tx, args| {
            let (project, room, identity, before_s) = args;
            Box::pin(async move {
                on_tx!(tx.write(), |c| sqlx::query(REVOKE)
                    .bind(project.as_str())
                    .bind(room.as_str())
                    .bind(identity.as_str())
                    .bind(*before_s)
                    .execute(c)
                    .await
                    .map(drop))
                .map_err(on("live_revocation"))
            })
        })
        .await
    }

    /// Whether anybody's tokens were revoked for a room.
    pub async fn has_live_revocations(
        &self,
        project: &ProjectId,
        room: &RoomId,
    ) -> Result<bool, Error> {
        let row: Option<(i64,)> = self
            .read("live_revocation", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(HAS_REVOCATIONS)
                    .bind(project.as_str())
                    .bind(room.as_str())
                    .fetch_optional(c)
                    .await)
            })
            .await?;
        Ok(row.is_some())
    }

    /// Since when somebody's tokens must have become valid to open the room.
    pub async fn find_live_revocation(
        &self,
        project: &ProjectId,
        room: &RoomId,
        identity: &str,
    ) -> Result<Option<i64>, Error> {
        let row: Option<(i64,)> = self
            .read("live_revocation", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(FIND_REVOCATION)
                    .bind(project.as_str())
                    .bind(room.as_str())
                    .bind(identity)
                    .fetch_optional(c)
                    .await)
            })
            .await?;
        Ok(row.map(|(before_s,)| before_s))
    }
}

async fn apply(
    tx: &mut Tx,
    (project, id): (&ProjectId, &RoomId),
    write: &LiveWrite,
) -> Result<(), Fault> {
    let (project, id) = (project.as_str(), id.as_str());
    match write {
        LiveWrite::Set { room, ends_at_ms } => on_tx!(tx.write(), |c| sqlx::query(UPSERT_ROOM)
            .bind(project)
            .bind(id)
            .bind(&*room.sid)
            .bind(i64::from(room.empty_timeout_s))
            .bind(i64::from(room.departure_timeout_s))
            .bind(i64::from(room.max_participants))
            .bind(&*room.metadata)
            .bind(room.created_at_ms)
            .bind(*ends_at_ms)
            .execute(c)
            .await
            .map(drop)),
        LiveWrite::EndsAt { sid, ends_at_ms } => on_tx!(tx.write(), |c| sqlx::query(SET_END)
            .bind(project)
            .bind(id)
            .bind(sid.as_str())
            .bind(*ends_at_ms)
            .execute(c)
            .await
            .map(drop)),
        LiveWrite::End { sid } => on_tx!(tx.write(), |c| sqlx::query(DELETE_ROOM)
            .bind(project)
            .bind(id)
            .bind(sid.as_str())
            .execute(c)
            .await
            .map(drop)),
        LiveWrite::Tell(_) => Ok(()),
    }
    .map_err(on("live_room"))
}
