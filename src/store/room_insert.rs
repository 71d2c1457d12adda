//! Creating rooms, many in a few statements.
//!
//! Each statement is a trip to SQLite's thread and back, and creating rooms is the write that comes
//! in crowds. So the writer hands over all new rooms of a group at once.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use sqlx::AssertSqlSafe;
use tokio::sync::oneshot;

use super::db::{Db, Tx, on_tx};
use super::fault::{Fault, on};
use super::room::{Inserted, lock_room};
use super::room_index::{insert_access_rows, insert_metadata_rows};
use super::room_row::{RoomJson, engine_number};
use super::transact::SqliteJob;
use super::values::{runs, values};
use super::writer::{Job, Ran, Sharing};
use super::{Store, fault};
use crate::domain::ctx::ProjectGrant;
use crate::domain::ids::ProjectId;
use crate::domain::room::{Room, RoomDraft};
use crate::error::Error;

const INSERT_ROOM: &str = "INSERT INTO room (project_id, id, created_at_ms, organization_id, \
    last_connection_at_ms, engine, default_accesses, users_accesses, groups_accesses, metadata) \
    VALUES ";
const UNLESS_THERE: &str = " ON CONFLICT (project_id, id) DO NOTHING RETURNING project_id, id";

impl Store {
    /// A room that exists already stays as it is.
    pub async fn insert_room(
        &self,
        grant: &ProjectGrant,
        draft: RoomDraft,
        now_ms: i64,
    ) -> Result<Inserted, Error> {
        let touched = self.touched(grant.project(), &draft.id);
        let args = (grant.project().clone(), Arc::new(new_room(draft, now_ms)));
        match (&self.inner.db, &self.inner.writer) {
            (Db::Sqlite(_), Some(writer)) => {
                let (reply, answer) = oneshot::channel();
                let job = SqliteJob::new("insert_room", args, insert_one as _, reply, touched);
                writer.submit(Box::new(InsertRoomJob(job)), self.patience()).await?;
                let answer = answer.await.map_err(|_| fault::unreachable("the writer was closed"));
                Ok(answer??)
            }
            (Db::Sqlite(_) | Db::Postgres(_), _) => {
                self.transact("insert_room", touched, args, insert_one).await
            }
        }
    }
}

pub(super) fn new_room(draft: RoomDraft, now_ms: i64) -> Room {
    draft.into_room(now_ms)
}

type Args = (ProjectId, Arc<Room>);
type Insert = for<'a> fn(&'a mut Tx, &'a Args) -> BoxFuture<'a, Result<Inserted, Fault>>;

fn insert_one<'a>(tx: &'a mut Tx, args: &'a Args) -> BoxFuture<'a, Result<Inserted, Fault>> {
    Box::pin(async move {
        let inserted = insert_rooms(tx, &[args]).await?.pop();
        inserted.ok_or_else(|| Fault::Rule(Error::internal("an inserted room is missing")))
    })
}

/// A job that the writer may run together with others of its kind.
struct InsertRoomJob(SqliteJob<Args, Inserted, Insert>);

/// What a group needs of one [`InsertRoomJob`].
pub(super) struct Insertion<'a> {
    args: &'a Args,
    outcome: &'a mut Option<Result<Inserted, Fault>>,
}

impl Job for InsertRoomJob {
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, Ran> {
        self.0.run(tx)
    }

    fn answer(self: Box<Self>, failed: Option<Error>) {
        Box::new(self.0).answer(failed);
    }

    fn sharing(&self) -> Sharing {
        Sharing::Insertions
    }

    fn insertion(&mut self) -> Option<Insertion<'_>> {
        let (args, outcome) = self.0.parts();
        Some(Insertion { args, outcome })
    }
}

/// Runs many insertions as one. After an error nothing may stay of any of them.
pub(super) async fn insert_group(tx: &mut Tx, insertions: Vec<Insertion<'_>>) -> Result<(), Fault> {
    let args: Vec<&Args> = insertions.iter().map(|insertion| insertion.args).collect();
    let inserted = insert_rooms(tx, &args).await?;
    for (insertion, inserted) in insertions.into_iter().zip(inserted) {
        *insertion.outcome = Some(Ok(inserted));
    }
    Ok(())
}

/// Whether each room was created, or else the one that was there, in the order of `rooms`. Of two
/// with one id, the first is created.
pub(super) async fn insert_rooms(tx: &mut Tx, rooms: &[&Args]) -> Result<Vec<Inserted>, Fault> {
    let mut created = HashSet::with_capacity(rooms.len());
    for run in runs(rooms) {
        created.extend(insert_wide_rows(tx, run).await?);
    }
    let mut fresh = Vec::with_capacity(created.len());
    let mut inserted = Vec::with_capacity(rooms.len());
    for (project, room) in rooms {
        let key = (project.as_str().to_owned(), room.id.as_str().to_owned());
        let created = created.remove(&key);
        if created {
            fresh.push((project, &**room));
        }
        inserted.push(Inserted { room: Arc::clone(room), created });
    }
    insert_metadata_rows(tx, &fresh).await?;
    insert_access_rows(tx, &fresh).await?;
    for ((project, _), inserted) in rooms.iter().zip(&mut inserted) {
        if !inserted.created {
            let there = lock_room(tx, project, &inserted.room.id).await?;
            // It can be deleted between the two statements, though only on PostgreSQL.
            inserted.room = there.ok_or(Fault::Retry("a room was deleted while it was created"))?;
        }
    }
    Ok(inserted)
}

/// The keys of those that were not there yet.
async fn insert_wide_rows(tx: &mut Tx, rooms: &[&Args]) -> Result<Vec<(String, String)>, Fault> {
    let json: Vec<RoomJson> =
        rooms.iter().map(|(_, room)| RoomJson::of(room)).collect::<Result<_, _>>()?;
    let text = values(INSERT_ROOM, rooms.len(), 10, UNLESS_THERE);
    on_tx!(tx.write(), |c| {
        let mut query = sqlx::query_as(AssertSqlSafe(text));
        for ((project, room), json) in rooms.iter().zip(json) {
            query = query
                .bind(project.as_str())
                .bind(room.id.as_str())
                .bind(room.created_at_ms)
                .bind(room.organization_id.as_str())
                .bind(room.last_connection_at_ms)
                .bind(engine_number(room.engine))
                .bind(json.default_accesses)
                .bind(json.users_accesses)
                .bind(json.groups_accesses)
                .bind(json.metadata);
        }
        query.fetch_all(c).await
    })
    .map_err(on("room"))
}
