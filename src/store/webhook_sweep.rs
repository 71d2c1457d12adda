//! Webhooks of endpoints that nobody serves any more: their address was taken out of the
//! configuration.

use super::Store;
use super::db::{Tx, on_tx};
use super::fault::{Fault, on};
use super::room_cache::Touched;
use crate::error::Error;

/// From endpoint to endpoint by the index. There are few.
const NEXT_ENDPOINT: &str = "SELECT MIN(endpoint) FROM webhook_queue WHERE endpoint > $1";
const SELECT_STALE: &str = "SELECT project_id, queue FROM webhook_queue \
    WHERE endpoint = $1 AND next_attempt_at_ms < $2 ORDER BY next_attempt_at_ms LIMIT 1";
const SELECT_STALE_FOR_UPDATE: &str = "SELECT project_id, queue FROM webhook_queue \
    WHERE endpoint = $1 AND next_attempt_at_ms < $2 ORDER BY next_attempt_at_ms LIMIT 1 \
    FOR UPDATE SKIP LOCKED";
const DELETE_EVENTS: &str = "DELETE FROM webhook_event \
    WHERE project_id = $1 AND endpoint = $2 AND queue = $3 AND seq IN (SELECT seq \
    FROM webhook_event WHERE project_id = $1 AND endpoint = $2 AND queue = $3 \
    ORDER BY seq LIMIT $5) AND created_at_ms < $4";
const SELECT_FIRST: &str = "SELECT MIN(seq) FROM webhook_event \
    WHERE project_id = $1 AND endpoint = $2 AND queue = $3";
/// With an event that is not old the queue is not stale: somebody serves the endpoint after all.
const KEEP_QUEUE: &str = "UPDATE webhook_queue SET first_seq = $4, \
    next_attempt_at_ms = CASE WHEN $5 THEN next_attempt_at_ms ELSE $6 END \
    WHERE project_id = $1 AND endpoint = $2 AND queue = $3";
const DELETE_QUEUE: &str =
    "DELETE FROM webhook_queue WHERE project_id = $1 AND endpoint = $2 AND queue = $3";

struct Stale {
    project: String,
    endpoint: String,
    queue: String,
}

impl Store {
    /// Deletes events older than `before_ms` of one queue that nobody has tried to deliver since
    /// then, `rows_max` at most. Says how many rows were deleted; 0 means that none are left.
    pub async fn sweep_webhooks(&self, before_ms: i64, rows_max: u32) -> Result<u64, Error> {
        let args = (before_ms, i64::from(rows_max));
        self.transact("sweep_webhooks", Touched::nothing(), args, |tx, (before_ms, rows_max)| {
            Box::pin(async move {
                match find_stale(tx, *before_ms).await? {
                    Some(stale) => empty(tx, &stale, *before_ms, *rows_max).await,
                    None => Ok(0),
                }
            })
        })
        .await
    }
}

async fn find_stale(tx: &mut Tx, before_ms: i64) -> Result<Option<Stale>, Fault> {
    let mut after = String::new();
    loop {
        let (endpoint,): (Option<String>,) = on_tx!(tx.read(), |c| {
            sqlx::query_as(NEXT_ENDPOINT).bind(after.as_str()).fetch_one(c).await
        })
        .map_err(on("webhook_queue"))?;
        let Some(endpoint) = endpoint else { return Ok(None) };
        let text = tx.locking(SELECT_STALE, SELECT_STALE_FOR_UPDATE);
        let row: Option<(String, String)> = on_tx!(tx.read(), |c| sqlx::query_as(text)
            .bind(endpoint.as_str())
            .bind(before_ms)
            .fetch_optional(c)
            .await)
        .map_err(on("webhook_queue"))?;
        if let Some((project, queue)) = row {
            return Ok(Some(Stale { project, endpoint, queue }));
        }
        after = endpoint;
    }
}

async fn empty(tx: &mut Tx, stale: &Stale, before_ms: i64, rows_max: i64) -> Result<u64, Fault> {
    let deleted = on_tx!(tx.write(), |c| sqlx::query(DELETE_EVENTS)
        .bind(stale.project.as_str())
        .bind(stale.endpoint.as_str())
        .bind(stale.queue.as_str())
        .bind(before_ms)
        .bind(rows_max)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(on("webhook_event"))?;
    let (first,): (Option<i64>,) = on_tx!(tx.read(), |c| sqlx::query_as(SELECT_FIRST)
        .bind(stale.project.as_str())
        .bind(stale.endpoint.as_str())
        .bind(stale.queue.as_str())
        .fetch_one(c)
        .await)
    .map_err(on("webhook_event"))?;
    let Some(first) = first else { return Ok(deleted + delete_queue(tx, stale).await?) };
    on_tx!(tx.write(), |c| sqlx::query(KEEP_QUEUE)
        .bind(stale.project.as_str())
        .bind(stale.endpoint.as_str())
        .bind(stale.queue.as_str())
        .bind(first)
        .bind(deleted > 0)
        .bind(before_ms)
        .execute(c)
        .await
        .map(drop))
    .map_err(on("webhook_queue"))?;
    Ok(deleted.max(1))
}

async fn delete_queue(tx: &mut Tx, stale: &Stale) -> Result<u64, Fault> {
    on_tx!(tx.write(), |c| sqlx::query(DELETE_QUEUE)
        .bind(stale.project.as_str())
        .bind(stale.endpoint.as_str())
        .bind(stale.queue.as_str())
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(on("webhook_queue"))
}
