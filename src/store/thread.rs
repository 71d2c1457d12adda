//! Threads: how they are made, and read as a whole.

use std::collections::HashMap;

use sqlx::AssertSqlSafe;

use super::Store;
use super::comment::{Inserted, insert_comment, is_same_comment};
use super::comment_row::{
    CommentRow, ReactionRow, comment_bytes, comment_columns, reaction_columns,
};
use super::comment_write::{CommentScope, ThreadView, follow};
use super::db::{Tx, on_db, on_tx};
use super::fault::{Fault, on};
use super::room_cache::Touched;
use super::room_data::lock_data;
use super::thread_metadata::insert_metadata;
use super::thread_row::{SELECT_THREAD, ThreadRow, thread_columns};
use super::values::{list, runs};
use crate::domain::comment::{
    ActivityKind, Comment, Made, Reaction, Thread, ThreadDraft, comment_exists, thread_exists,
    thread_is_read_only, thread_not_found,
};
use crate::domain::content_id::ThreadId;
use crate::error::Error;

const INSERT_THREAD: &str = "INSERT INTO thread \
    (project_id, key, id, visibility, created_by, created_at_ms, updated_at_ms, resolved, \
    metadata, comments_count, comments_living, bytes) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, FALSE, $8, 1, 1, $9) \
    ON CONFLICT (project_id, key, id) DO NOTHING";
const SELECT_THREADS: &str = concat!(
    "SELECT ",
    thread_columns!(),
    " FROM thread WHERE project_id = $1 AND key = $2 AND deleted_at_ms IS NULL AND id IN "
);
const SELECT_COMMENTS: &str = concat!(
    "SELECT ",
    comment_columns!(),
    " FROM comment WHERE project_id = $1 AND key = $2 AND thread_id IN "
);
const COMMENTS_IN_ORDER: &str = " ORDER BY created_at_ms, seq";
const SELECT_REACTIONS: &str = concat!(
    "SELECT ",
    reaction_columns!(),
    " FROM comment_reaction WHERE project_id = $1 AND key = $2 AND thread_id IN "
);
const REACTIONS_IN_ORDER: &str = " ORDER BY created_at_ms, emoji, user_id";

impl Store {
    /// Makes a thread with its first comment; once more with the same ids is the same thread.
    pub async fn create_thread(
        &self,
        scope: &CommentScope,
        draft: &ThreadDraft,
        now_ms: i64,
    ) -> Result<Made<Thread>, Error> {
        let visibility = draft.visibility;
        if !scope.writable.covers(visibility) {
            return Err(thread_is_read_only());
        }
        let args = (scope.clone(), draft.clone(), self.stamp_in(&scope.view.key, now_ms));
        let made = self
            .transact("create_thread", Touched::nothing(), args, |tx, (scope, draft, stamp)| {
                Box::pin(create(tx, scope, draft, stamp.ms()))
            })
            .await?;
        let (value, is_new) = match made {
            Some(thread) => (thread, true),
            None => {
                let found = self.find_thread(&scope.view, &draft.id).await?;
                (found.ok_or_else(thread_not_found)?, false)
            }
        };
        Ok(Made { value, visibility, is_new })
    }

    pub async fn find_thread(
        &self,
        view: &ThreadView,
        id: &ThreadId,
    ) -> Result<Option<Thread>, Error> {
        let row: Option<ThreadRow> =
            self.find_in_room("thread", SELECT_THREAD, &view.key, id.as_str()).await?;
        Ok(self.with_comments(view, row.into_iter().collect()).await?.pop())
    }

    /// Those of the threads that exist and may be read, in no particular order.
    pub async fn find_threads(
        &self,
        view: &ThreadView,
        ids: &[ThreadId],
    ) -> Result<Vec<Thread>, Error> {
        let mut rows = Vec::with_capacity(ids.len());
        for run in runs(ids) {
            let ids: Vec<&str> = run.iter().map(ThreadId::as_str).collect();
            let found: Vec<ThreadRow> =
                self.select_in("thread", (SELECT_THREADS, ""), view, &ids).await?;
            rows.extend(found);
        }
        self.with_comments(view, rows).await
    }

    /// Leaves out the threads that may not be read, and reads the comments of the others. The rows
    /// were read before: so a thread never claims to be newer than the comments that it shows.
    pub(super) async fn with_comments(
        &self,
        view: &ThreadView,
        rows: Vec<ThreadRow>,
    ) -> Result<Vec<Thread>, Error> {
        let mut readable = Vec::with_capacity(rows.len());
        for row in rows {
            if row.is_covered_by(view.right)? {
                readable.push(row);
            }
        }
        let ids: Vec<&str> = readable.iter().map(|row| row.id.as_str()).collect();
        let mut comments = self.comments_of(view, &ids).await?;
        let thread = |row: ThreadRow| {
            let comments = comments.remove(&row.id).unwrap_or_default();
            row.into_thread(&view.room_id, comments)
        };
        readable.into_iter().map(thread).collect()
    }

    async fn comments_of(
        &self,
        view: &ThreadView,
        threads: &[&str],
    ) -> Result<HashMap<String, Vec<Comment>>, Error> {
        let mut comments: HashMap<String, Vec<Comment>> = HashMap::with_capacity(threads.len());
        for run in runs(threads) {
            let texts = (SELECT_COMMENTS, COMMENTS_IN_ORDER);
            let rows: Vec<CommentRow> = self.select_in("comment", texts, view, run).await?;
            let mut reactions: HashMap<(String, String), Vec<Reaction>> = HashMap::new();
            if rows.iter().any(|row| row.reactions_count > 0) {
                let texts = (SELECT_REACTIONS, REACTIONS_IN_ORDER);
                let rows: Vec<ReactionRow> =
                    self.select_in("comment_reaction", texts, view, run).await?;
                for row in rows {
                    let place = (row.thread_id.clone(), row.comment_id.clone());
                    reactions.entry(place).or_default().push(row.into_reaction());
                }
            }
            for row in rows {
                let reactions = match row.reactions_count {
                    0 => Vec::new(),
                    _ => {
                        let place = (row.thread_id.clone(), row.id.clone());
                        reactions.remove(&place).unwrap_or_default()
                    }
                };
                let comment = row.into_comment(&view.room_id, reactions)?;
                comments.entry(comment.thread_id.to_string()).or_default().push(comment);
            }
        }
        Ok(comments)
    }

    /// Rows whose last column of the text is one of these ids.
    async fn select_in<R>(
        &self,
        table: &'static str,
        (head, tail): (&'static str, &'static str),
        view: &ThreadView,
        ids: &[&str],
    ) -> Result<Vec<R>, Error>
    where
        R: for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow>
            + for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>
            + Send
            + Unpin,
    {
        let text = list(head, 3, ids.len(), tail);
        self.read(table, async {
            on_db!(&self.inner.db, |c| {
                let mut query = sqlx::query_as(AssertSqlSafe(text))
                    .bind(view.key.project.as_str())
                    .bind(&*view.key.key);
                for id in ids {
                    query = query.bind(*id);
                }
                query.fetch_all(c).await
            })
        })
        .await
    }
}

/// `None` if there is one with this id that is the same.
async fn create(
    tx: &mut Tx,
    scope: &CommentScope,
    draft: &ThreadDraft,
    stamp_ms: i64,
) -> Result<Option<Thread>, Fault> {
    let key = &scope.view.key;
    lock_data(tx, key).await?;
    let row = new_row(draft, stamp_ms);
    let inserted = on_tx!(tx.write(), |c| sqlx::query(INSERT_THREAD)
        .bind(key.project.as_str())
        .bind(&*key.key)
        .bind(row.id.as_str())
        .bind(row.visibility.as_str())
        .bind(row.created_by.as_str())
        .bind(row.created_at_ms)
        .bind(row.updated_at_ms)
        .bind(row.metadata.as_str())
        .bind(row.bytes)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(on("thread"))?;
    if inserted == 0 {
        let is_same = is_same_comment(tx, scope, &row, &draft.comment).await?;
        return if is_same { Ok(None) } else { Err(thread_exists().into()) };
    }
    insert_metadata(tx, key, (&row.id, row.created_at_ms), &draft.metadata).await?;
    let first = ThreadRow { comments_count: 0, ..row.clone() };
    let comment = match insert_comment(tx, scope, &first, (&draft.comment, stamp_ms)).await? {
        Inserted::New(comment) => comment,
        Inserted::Same => return Err(comment_exists().into()),
    };
    let kind = ActivityKind::ThreadCreated(draft.comment.id.clone());
    let has_attachments = !comment.attachments.is_empty();
    let activity = scope.activity(&row, kind)?.saying(&draft.comment.body, has_attachments);
    follow(tx, &[(key, &activity)]).await?;
    Ok(Some(row.into_thread(&scope.view.room_id, vec![comment])?))
}

fn new_row(draft: &ThreadDraft, stamp_ms: i64) -> ThreadRow {
    let comment = &draft.comment;
    ThreadRow {
        id: draft.id.to_string(),
        visibility: draft.visibility.as_str().to_owned(),
        created_by: comment.user_id.to_string(),
        created_at_ms: comment.created_at_ms.unwrap_or(stamp_ms),
        updated_at_ms: stamp_ms,
        resolved: false,
        metadata: draft.metadata.to_text(),
        comments_count: 1,
        comments_living: 1,
        bytes: comment_bytes(comment.body.as_str(), &comment.metadata.to_text()),
        deleted_at_ms: None,
    }
}
