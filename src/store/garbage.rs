//! What deleted rooms, feeds, files and uploads left behind.

use super::Store;
use super::content::drop_content;
use super::db::{Conn, Tx, on_tx};
use super::fault::{Fault, on};
use super::room_cache::Touched;
use crate::domain::ids::{ProjectId, RoomId};
use crate::error::Error;

const LOCK_ROOM: &str = "SELECT id FROM room WHERE project_id = $1 AND id = $2 FOR UPDATE";
const DISCARD: &str = "INSERT INTO garbage (project_id, key) \
    SELECT project_id, key FROM room_data WHERE project_id = $1 AND room_id = $2";
const SELECT_FIRST: &str = "SELECT project_id, key FROM garbage ORDER BY project_id, key LIMIT 1";
/// Two nodes that sweep at once take different rooms.
const SELECT_FIRST_FOR_UPDATE: &str = "SELECT project_id, key FROM garbage \
    ORDER BY project_id, key LIMIT 1 FOR UPDATE SKIP LOCKED";
const DELETE_KEY: &str = "DELETE FROM garbage WHERE project_id = $1 AND key = $2";

/// Rows of a key, in the order in which a batch takes them.
macro_rules! some_rows {
    ($table:literal, $columns:literal) => {
        concat!(
            " FROM ",
            $table,
            " WHERE project_id = $1 AND key = $2 ORDER BY ",
            $columns,
            " LIMIT $3"
        )
    };
}

/// A table of rows that belong to a key, and a statement that deletes some of them.
macro_rules! bounded_delete {
    ($table:literal, $columns:literal) => {
        (
            $table,
            concat!(
                "DELETE FROM ",
                $table,
                " WHERE project_id = $1 AND key = $2 AND (",
                $columns,
                ") IN (SELECT ",
                $columns,
                some_rows!($table, $columns),
                ")"
            ),
        )
    };
}

/// Before such a batch of feeds, files or uploads is deleted: their content is garbage too.
macro_rules! drop_contents {
    ($table:literal, $columns:literal) => {
        (
            "garbage",
            concat!(
                "INSERT INTO garbage (project_id, key) SELECT * FROM (SELECT project_id, content",
                some_rows!($table, $columns),
                ") c WHERE TRUE ON CONFLICT DO NOTHING"
            ),
        )
    };
}

type Statement = (&'static str, &'static str);

/// Before parts of a content are deleted: whether there may be objects is known only by them.
const DROP_OBJECTS: Statement = (
    "garbage_object",
    "INSERT INTO garbage_object (project_id, key, swept_at_ms) SELECT project_id, key, 0 \
     FROM content_part WHERE project_id = $1 AND key = $2 AND object IS NOT NULL LIMIT $3 \
     ON CONFLICT DO NOTHING",
);

/// What comes before the deletion, if anything does, and the deletion. A key has rows in tables of
/// rooms or in tables of content.
const TABLES: &[(Option<Statement>, Statement)] = &[
    (None, bounded_delete!("document_update", "document, seq")),
    (None, bounded_delete!("document_snapshot", "document, chunk")),
    (None, bounded_delete!("version_chunk", "version_id, document, chunk")),
    (None, bounded_delete!("version", "id")),
    (Some(drop_contents!("storage_file", "id")), bounded_delete!("storage_file", "id")),
    (
        Some(drop_contents!("storage_upload", "content")),
        bounded_delete!("storage_upload", "content"),
    ),
    (Some(drop_contents!("attachment", "id")), bounded_delete!("attachment", "id")),
    (Some(drop_contents!("feed", "id")), bounded_delete!("feed", "id")),
    (None, bounded_delete!("feed_metadata", "name, value, created_at_ms, id")),
    (None, bounded_delete!("feed_message", "id")),
    // Whoever adds something to a thread has locked its row, so nothing is added once it is gone.
    (None, bounded_delete!("thread", "id")),
    (None, bounded_delete!("thread_metadata", "name, kind, value, created_at_ms, thread_id")),
    (None, bounded_delete!("comment", "thread_id, id")),
    (None, bounded_delete!("comment_reaction", "thread_id, comment_id, emoji, user_id")),
    (None, bounded_delete!("inbox_notification", "kind, subject_id, user_id, organization_id")),
    (None, bounded_delete!("inbox_deletion", "user_id, deleted_at_ms, id")),
    (None, bounded_delete!("thread_subscription", "thread_id, user_id")),
    (None, bounded_delete!("room_subscription_setting", "threads, user_id")),
    (None, bounded_delete!("content_chunk", "part, chunk")),
    (Some(DROP_OBJECTS), bounded_delete!("content_part", "part")),
];

/// SQLite has no such table: there the words of a comment go with the comment.
const SEARCHED_ON_POSTGRES: (Option<Statement>, Statement) =
    (None, bounded_delete!("comment_search", "seq"));

/// Files that storage never had, attachments that no comment took, and uploads that were never
/// completed; of all projects, since they are few.
const SELECT_STALE_FILES: &str = "SELECT project_id, key, id, content FROM storage_file \
    WHERE NOT referenced AND created_at_ms < $1 LIMIT $2";
const SELECT_STALE_FILES_FOR_UPDATE: &str = "SELECT project_id, key, id, content \
    FROM storage_file WHERE NOT referenced AND created_at_ms < $1 LIMIT $2 FOR UPDATE SKIP LOCKED";
const DELETE_STALE_FILE: &str =
    "DELETE FROM storage_file WHERE project_id = $1 AND key = $2 AND id = $3";
const SELECT_STALE_DRAFTS: &str = "SELECT project_id, key, id, content FROM attachment \
    WHERE comment_id IS NULL AND created_at_ms < $1 LIMIT $2";
const SELECT_STALE_DRAFTS_FOR_UPDATE: &str = "SELECT project_id, key, id, content FROM attachment \
    WHERE comment_id IS NULL AND created_at_ms < $1 LIMIT $2 FOR UPDATE SKIP LOCKED";
const DELETE_STALE_DRAFT: &str =
    "DELETE FROM attachment WHERE project_id = $1 AND key = $2 AND id = $3";
const SELECT_STALE_UPLOADS: &str = "SELECT project_id, key, content, content FROM storage_upload \
    WHERE created_at_ms < $1 LIMIT $2";
const SELECT_STALE_UPLOADS_FOR_UPDATE: &str = "SELECT project_id, key, content, content \
    FROM storage_upload WHERE created_at_ms < $1 LIMIT $2 FOR UPDATE SKIP LOCKED";
const DELETE_STALE_UPLOAD: &str =
    "DELETE FROM storage_upload WHERE project_id = $1 AND key = $2 AND content = $3";

/// A table, what finds its stale rows on SQLite and on PostgreSQL, and what deletes one.
const STALE: [(&str, &str, &str, &str); 3] = [
    ("storage_file", SELECT_STALE_FILES, SELECT_STALE_FILES_FOR_UPDATE, DELETE_STALE_FILE),
    ("attachment", SELECT_STALE_DRAFTS, SELECT_STALE_DRAFTS_FOR_UPDATE, DELETE_STALE_DRAFT),
    ("storage_upload", SELECT_STALE_UPLOADS, SELECT_STALE_UPLOADS_FOR_UPDATE, DELETE_STALE_UPLOAD),
];

impl Store {
    /// Gives up files that storage never had, attachments that no comment took, and uploads that
    /// nobody completed, if they are older than `before_ms`; at most `rows_max` of each. Says how
    /// many; 0 means that none are left.
    pub async fn sweep_stale_files(&self, before_ms: i64, rows_max: u32) -> Result<u64, Error> {
        let args = (before_ms, i64::from(rows_max));
        self.transact("sweep_stale_files", Touched::nothing(), args, |tx, (before_ms, rows_max)| {
            Box::pin(async move {
                let window = (*before_ms, *rows_max);
                let mut count = 0;
                for (table, select, for_update, delete) in STALE {
                    let text = tx.locking(select, for_update);
                    count += give_up(tx, (table, text, delete), window).await?;
                }
                Ok(count)
            })
        })
        .await
    }

    /// Deletes at most `rows_max` rows of rooms and files that were deleted, in one transaction, and
    /// says how many. 0 means that nothing is left.
    pub async fn sweep_garbage(&self, rows_max: u32) -> Result<u64, Error> {
        self.transact("sweep_garbage", Touched::nothing(), rows_max, |tx, rows_max| {
            Box::pin(sweep(tx, *rows_max))
        })
        .await
    }
}

/// Before a room is deleted, in the same transaction.
pub(super) async fn discard(tx: &mut Tx, project: &ProjectId, room: &RoomId) -> Result<(), Fault> {
    if let Conn::Postgres(conn) = tx.read() {
        // Else somebody who opens the room now would give it a key that the next statement misses.
        sqlx::query(LOCK_ROOM)
            .bind(project.as_str())
            .bind(room.as_str())
            .execute(&mut **conn)
            .await
            .map_err(on("room"))?;
    }
    on_tx!(tx.write(), |c| sqlx::query(DISCARD)
        .bind(project.as_str())
        .bind(room.as_str())
        .execute(c)
        .await
        .map(drop))
    .map_err(on("garbage"))
}

async fn sweep(tx: &mut Tx, rows_max: u32) -> Result<u64, Fault> {
    let text = tx.locking(SELECT_FIRST, SELECT_FIRST_FOR_UPDATE);
    let first: Option<(String, String)> =
        on_tx!(tx.read(), |c| sqlx::query_as(text).fetch_optional(c).await)
            .map_err(on("garbage"))?;
    let Some((project, key)) = first else { return Ok(0) };
    let mut left = u64::from(rows_max);
    let searched = match tx.read() {
        Conn::Sqlite(_) => None,
        Conn::Postgres(_) => Some(&SEARCHED_ON_POSTGRES),
    };
    for (before, delete) in TABLES.iter().chain(searched) {
        if let Some(before) = before {
            run_bounded(tx, *before, (&project, &key), left).await?;
        }
        left -= run_bounded(tx, *delete, (&project, &key), left).await?;
        if left == 0 {
            return Ok(u64::from(rows_max));
        }
    }
    // The key itself goes last, so whatever stops a sweep, the next one finds the rest.
    let done = on_tx!(tx.write(), |c| sqlx::query(DELETE_KEY)
        .bind(project.as_str())
        .bind(key.as_str())
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(on("garbage"))?;
    Ok(u64::from(rows_max) - left + done)
}

async fn run_bounded(
    tx: &mut Tx,
    (table, text): Statement,
    (project, key): (&str, &str),
    rows_max: u64,
) -> Result<u64, Fault> {
    let rows_max = i64::try_from(rows_max).unwrap_or(i64::MAX);
    on_tx!(tx.write(), |c| sqlx::query(text)
        .bind(project)
        .bind(key)
        .bind(rows_max)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(on(table))
}

/// Deletes the rows that the second text finds with the third, and drops their content.
async fn give_up(
    tx: &mut Tx,
    (table, select, delete): (&'static str, &'static str, &'static str),
    (before_ms, rows_max): (i64, i64),
) -> Result<u64, Fault> {
    let rows: Vec<(String, String, String, String)> = on_tx!(tx.read(), |c| {
        sqlx::query_as(select).bind(before_ms).bind(rows_max).fetch_all(c).await
    })
    .map_err(on(table))?;
    let mut count = 0;
    for (project, key, id, content) in rows {
        count += on_tx!(tx.write(), |c| sqlx::query(delete)
            .bind(project.as_str())
            .bind(key.as_str())
            .bind(id.as_str())
            .execute(c)
            .await
            .map(|done| done.rows_affected()))
        .map_err(on(table))?;
        drop_content(tx, &ProjectId::trusted(project), &content).await?;
    }
    Ok(count)
}
