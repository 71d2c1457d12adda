//! Rows of threads: how they are read, locked and changed.

use sqlx::FromRow;

use super::comment_write::CommentScope;
use super::db::{Tx, on_tx};
use super::fault::{Fault, corrupt, on};
use super::room_data::DataKey;
use crate::domain::comment::{
    Comment, CommentMetadata, Thread, Visibility, thread_is_read_only, thread_not_found,
};
use crate::domain::content_id::ThreadId;
use crate::domain::ctx::ThreadRight;
use crate::domain::ids::{RoomId, UserId};
use crate::error::Error;

macro_rules! thread_columns {
    () => {
        "id, visibility, created_by, created_at_ms, updated_at_ms, resolved, metadata, \
         comments_count, comments_living, bytes, deleted_at_ms"
    };
}
pub(super) use thread_columns;

/// The same, of one table among others.
macro_rules! thread_columns_of {
    ($table:literal) => {
        concat!(
            $table,
            ".id, ",
            $table,
            ".visibility, ",
            $table,
            ".created_by, ",
            $table,
            ".created_at_ms, ",
            $table,
            ".updated_at_ms, ",
            $table,
            ".resolved, ",
            $table,
            ".metadata, ",
            $table,
            ".comments_count, ",
            $table,
            ".comments_living, ",
            $table,
            ".bytes, ",
            $table,
            ".deleted_at_ms"
        )
    };
}
pub(super) use thread_columns_of;

pub(super) const SELECT_THREAD: &str = concat!(
    "SELECT ",
    thread_columns!(),
    " FROM thread WHERE project_id = $1 AND key = $2 AND id = $3 AND deleted_at_ms IS NULL"
);
const SELECT_THREAD_FOR_UPDATE: &str = concat!(
    "SELECT ",
    thread_columns!(),
    " FROM thread WHERE project_id = $1 AND key = $2 AND id = $3 AND deleted_at_ms IS NULL \
      FOR UPDATE"
);
const UPDATE_THREAD: &str = "UPDATE thread SET updated_at_ms = $4, resolved = $5, metadata = $6, \
    comments_count = $7, comments_living = $8, bytes = $9, deleted_at_ms = $10 \
    WHERE project_id = $1 AND key = $2 AND id = $3";

#[derive(Debug, Clone, FromRow)]
pub(super) struct ThreadRow {
    pub id: String,
    pub visibility: String,
    pub created_by: String,
    pub created_at_ms: i64,
    pub updated_at_ms: i64,
    pub resolved: bool,
    pub metadata: String,
    /// Those that were deleted as well.
    pub comments_count: i64,
    pub comments_living: i64,
    pub bytes: i64,
    pub deleted_at_ms: Option<i64>,
}

impl ThreadRow {
    pub fn visibility(&self) -> Result<Visibility, Error> {
        Visibility::parse(&self.visibility).map_err(|error| corrupt("thread", "visibility", error))
    }

    pub fn is_covered_by(&self, right: ThreadRight) -> Result<bool, Error> {
        Ok(right.covers(self.visibility()?))
    }

    /// A thread that may not be read is not there.
    pub fn check_writable(&self, scope: &CommentScope) -> Result<(), Error> {
        if !self.is_covered_by(scope.view.right)? {
            return Err(thread_not_found());
        }
        if !self.is_covered_by(scope.writable)? {
            return Err(thread_is_read_only());
        }
        Ok(())
    }

    pub fn metadata(&self) -> Result<CommentMetadata, Error> {
        CommentMetadata::stored(&self.metadata)
            .map_err(|error| corrupt("thread", "metadata", error))
    }

    pub fn into_thread(self, room: &RoomId, comments: Vec<Comment>) -> Result<Thread, Error> {
        let (visibility, metadata) = (self.visibility()?, self.metadata()?);
        Ok(Thread {
            id: ThreadId::trusted(self.id),
            room_id: room.clone(),
            visibility,
            created_by: UserId::trusted(self.created_by),
            created_at_ms: self.created_at_ms,
            updated_at_ms: self.updated_at_ms,
            resolved: self.resolved,
            metadata,
            comments,
        })
    }

    /// Something changed: later than every change before, whatever the clock says.
    pub fn touch(&mut self, stamp_ms: i64) {
        self.updated_at_ms = stamp_ms.max(self.updated_at_ms + 1);
    }
}

/// The thread, for a caller who may write in it, and nobody else changes it or anything in it until
/// the end of the transaction.
pub(super) async fn lock_thread(
    tx: &mut Tx,
    scope: &CommentScope,
    id: &ThreadId,
) -> Result<ThreadRow, Fault> {
    let text = tx.locking(SELECT_THREAD, SELECT_THREAD_FOR_UPDATE);
    let row: Option<ThreadRow> = on_tx!(tx.read(), |c| sqlx::query_as(text)
        .bind(scope.view.key.project.as_str())
        .bind(&*scope.view.key.key)
        .bind(id.as_str())
        .fetch_optional(c)
        .await)
    .map_err(on("thread"))?;
    let row = row.ok_or_else(thread_not_found)?;
    row.check_writable(scope)?;
    Ok(row)
}

/// Writes what may have changed of a thread that was locked.
pub(super) async fn save_thread(tx: &mut Tx, key: &DataKey, row: &ThreadRow) -> Result<(), Fault> {
    on_tx!(tx.write(), |c| sqlx::query(UPDATE_THREAD)
        .bind(key.project.as_str())
        .bind(&*key.key)
        .bind(row.id.as_str())
        .bind(row.updated_at_ms)
        .bind(row.resolved)
        .bind(row.metadata.as_str())
        .bind(row.comments_count)
        .bind(row.comments_living)
        .bind(row.bytes)
        .bind(row.deleted_at_ms)
        .execute(c)
        .await
        .map(drop))
    .map_err(on("thread"))
}
