//! What changed in a room's threads since a time, for clients that ask again and again. When nothing
//! changed, the answer costs one look at one index.

use sqlx::AssertSqlSafe;

use super::Store;
use super::comment_write::ThreadView;
use super::db::on_db;
use super::thread_row::{ThreadRow, thread_columns};
use crate::domain::comment::{DeletedThread, ThreadChanges};
use crate::domain::content_id::ThreadId;
use crate::error::Error;

/// Threads of one answer, and what their comments hold together. Whoever missed more goes on from
/// where the answer ends.
const CHANGES_MAX: usize = 1_000;
const CHANGES_BYTES_MAX: i64 = 8 << 20;
/// Rows read at once.
const STEP: usize = 250;
const SELECT_CHANGED: &str = concat!(
    "SELECT ",
    thread_columns!(),
    " FROM thread WHERE project_id = $1 AND key = $2 AND (updated_at_ms, id) > ($3, $4)"
);

impl Store {
    /// What changed at `since_ms` or later, those who are gone included. Oldest first, and if it is
    /// too much, only the oldest: then `cut_at_ms` says how far it goes.
    pub async fn list_thread_changes(
        &self,
        view: &ThreadView,
        since_ms: i64,
    ) -> Result<ThreadChanges, Error> {
        if view.right.is_nothing() {
            return Ok(ThreadChanges::default());
        }
        let (mut living, mut deleted, mut bytes) = (Vec::new(), Vec::new(), 0);
        // No id is empty, so the first step begins with what has just this time.
        let mut after = (since_ms, String::new());
        let cut_at_ms = 'all: loop {
            let step = self.changed_after(view, &after).await?;
            let is_last = step.len() < STEP;
            for row in step {
                after = (row.updated_at_ms, row.id.clone());
                bytes += row.bytes;
                match row.deleted_at_ms {
                    Some(deleted_at_ms) => deleted.push(DeletedThread {
                        id: ThreadId::trusted(row.id),
                        room_id: view.room_id.clone(),
                        deleted_at_ms,
                    }),
                    None => living.push(row),
                }
                let is_full =
                    living.len() + deleted.len() >= CHANGES_MAX || bytes >= CHANGES_BYTES_MAX;
                // Whoever is told to go on from where they began would never get further.
                if is_full && after.0 > since_ms {
                    break 'all Some(after.0);
                }
            }
            if is_last {
                break None;
            }
        };
        let threads = self.with_comments(view, living).await?;
        Ok(ThreadChanges { threads, deleted, cut_at_ms })
    }

    async fn changed_after(
        &self,
        view: &ThreadView,
        (at_ms, id): &(i64, String),
    ) -> Result<Vec<ThreadRow>, Error> {
        let only = view.right.only();
        let visibility = if only.is_some() { " AND visibility = $5" } else { "" };
        let text = format!("{SELECT_CHANGED}{visibility} ORDER BY updated_at_ms, id LIMIT {STEP}");
        self.read("thread", async {
            on_db!(&self.inner.db, |c| {
                let mut query = sqlx::query_as(AssertSqlSafe(text))
                    .bind(view.key.project.as_str())
                    .bind(&*view.key.key)
                    .bind(*at_ms)
                    .bind(id.as_str());
                if let Some(only) = only {
                    query = query.bind(only.as_str());
                }
                query.fetch_all(c).await
            })
        })
        .await
    }
}
