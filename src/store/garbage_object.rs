//! Objects of contents that are garbage: the folder or the bucket is asked outside of transactions.

use super::Store;
use super::db::{Tx, on_db, on_tx};
use super::fault::{Fault, on};
use super::room_cache::Touched;
use crate::domain::ids::ProjectId;
use crate::error::Error;

/// Longer than any call may take: no upload that had begun before can add an object after it.
const LATE_MS: i64 = 2 * 60 * 60 * 1_000;

const SELECT_DUE: &str = "SELECT project_id, key FROM garbage_object \
    WHERE swept_at_ms = 0 OR swept_at_ms < $1 ORDER BY project_id, key LIMIT $2";
/// The second time is the last one.
const DELETE_SWEPT: &str = "DELETE FROM garbage_object \
    WHERE project_id = $1 AND key = $2 AND swept_at_ms > 0 AND swept_at_ms < $3";
const MARK_SWEPT: &str = "UPDATE garbage_object SET swept_at_ms = $3 \
    WHERE project_id = $1 AND key = $2 AND swept_at_ms = 0";

impl Store {
    /// Deletes the objects of at most `contents_max` contents, and says of how many. 0 means that
    /// none are due.
    pub async fn sweep_objects(&self, now_ms: i64, contents_max: u32) -> Result<u64, Error> {
        let Some(objects) = &self.inner.objects else { return Ok(0) };
        let late_ms = now_ms.saturating_sub(LATE_MS);
        let due: Vec<(String, String)> = self
            .read("garbage_object", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(SELECT_DUE)
                    .bind(late_ms)
                    .bind(i64::from(contents_max))
                    .fetch_all(c)
                    .await)
            })
            .await?;
        let count = due.len() as u64;
        for (project, content) in due {
            let project = ProjectId::trusted(project);
            objects.delete_content(&project, &content).await?;
            let args = (project, content, late_ms, now_ms.max(1));
            self.transact("sweep_objects", Touched::nothing(), args, |tx, args| {
                Box::pin(async move {
                    let (project, content, late_ms, now_ms) = args;
                    note(tx, DELETE_SWEPT, (project, content), *late_ms).await?;
                    note(tx, MARK_SWEPT, (project, content), *now_ms).await
                })
            })
            .await?;
        }
        Ok(count)
    }
}

async fn note(
    tx: &mut Tx,
    text: &'static str,
    (project, content): (&ProjectId, &str),
    time_ms: i64,
) -> Result<(), Fault> {
    on_tx!(tx.write(), |c| sqlx::query(text)
        .bind(project.as_str())
        .bind(content)
        .bind(time_ms)
        .execute(c)
        .await
        .map(drop))
    .map_err(on("garbage_object"))
}
