//! Webhooks on their way into their queues, one row for each endpoint.
//!
//! Invariant: whoever changes a queue or its events locks the queue's row first, so that events have
//! the order in which they are committed, and none is lost while a queue that became empty goes.

use super::Store;
use super::db::{Tx, on_db, on_tx};
use super::fault::{Fault, on};
use super::room_cache::Touched;
use crate::domain::ids::{ProjectId, WebhookEndpointId, WebhookQueueName};
use crate::domain::webhook::WebhookEvent;
use crate::error::Error;

/// A new queue is due at once; one that waits or is being delivered stays as it is.
const TAKE_SEQ: &str = "INSERT INTO webhook_queue \
    (project_id, endpoint, queue, first_seq, next_seq, attempts, next_attempt_at_ms, claim) \
    VALUES ($1, $2, $3, 0, 1, 0, $4, 0) ON CONFLICT (project_id, endpoint, queue) \
    DO UPDATE SET next_seq = webhook_queue.next_seq + 1 RETURNING first_seq, next_seq";
const INSERT_EVENT: &str = "INSERT INTO webhook_event \
    (project_id, endpoint, queue, seq, id, name, created_at_ms, body) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
pub(super) const DROP_EVENTS: &str = "DELETE FROM webhook_event \
    WHERE project_id = $1 AND endpoint = $2 AND queue = $3 AND seq < $4";
const SET_FIRST: &str = "UPDATE webhook_queue SET first_seq = $4 \
    WHERE project_id = $1 AND endpoint = $2 AND queue = $3";
const COUNT: &str = "SELECT CAST(COALESCE(SUM(next_seq - first_seq), 0) AS BIGINT) \
    FROM webhook_queue WHERE endpoint = $1";

/// One event for all endpoints that want it.
#[derive(Debug, Clone)]
pub struct WebhookBatch {
    pub project: ProjectId,
    pub queue: WebhookQueueName,
    pub event: WebhookEvent,
    pub created_at_ms: i64,
    /// In the same order everywhere, so that transactions never wait for each other in a circle.
    pub endpoints: Vec<WebhookEndpointId>,
    /// Events that may wait in each of the queues; beyond it the oldest are dropped.
    pub events_per_queue_max: u32,
}

/// Events that had to go, since their queue was full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedWebhooks {
    pub endpoint: WebhookEndpointId,
    pub events: u64,
}

impl Store {
    pub async fn enqueue_webhooks(
        &self,
        batch: WebhookBatch,
    ) -> Result<Vec<DroppedWebhooks>, Error> {
        self.transact("enqueue_webhooks", Touched::nothing(), batch, |tx, batch| {
            Box::pin(enqueue(tx, batch))
        })
        .await
    }

    /// Events that wait for this endpoint, those on their way included.
    pub async fn count_webhooks(&self, endpoint: &WebhookEndpointId) -> Result<i64, Error> {
        let (count,): (i64,) = self
            .read("webhook_queue", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(COUNT)
                    .bind(endpoint.as_str())
                    .fetch_one(c)
                    .await)
            })
            .await?;
        Ok(count)
    }
}

/// Inside whatever transaction made the event. Those who deliver are to be woken after its commit.
pub(super) async fn enqueue(
    tx: &mut Tx,
    batch: &WebhookBatch,
) -> Result<Vec<DroppedWebhooks>, Fault> {
    let mut dropped = Vec::new();
    for endpoint in &batch.endpoints {
        let (first, next): (i64, i64) = on_tx!(tx.write(), |c| sqlx::query_as(TAKE_SEQ)
            .bind(batch.project.as_str())
            .bind(endpoint.as_str())
            .bind(batch.queue.as_str())
            .bind(batch.created_at_ms)
            .fetch_one(c)
            .await)
        .map_err(on("webhook_queue"))?;
        insert(tx, batch, endpoint, next - 1).await?;
        let keep_from = next - i64::from(batch.events_per_queue_max);
        if first < keep_from {
            let events = drop_before(tx, batch, endpoint, keep_from).await?;
            dropped.push(DroppedWebhooks { endpoint: endpoint.clone(), events });
        }
    }
    Ok(dropped)
}

async fn insert(
    tx: &mut Tx,
    batch: &WebhookBatch,
    endpoint: &WebhookEndpointId,
    seq: i64,
) -> Result<(), Fault> {
    on_tx!(tx.write(), |c| sqlx::query(INSERT_EVENT)
        .bind(batch.project.as_str())
        .bind(endpoint.as_str())
        .bind(batch.queue.as_str())
        .bind(seq)
        .bind(&*batch.event.id)
        .bind(&*batch.event.name)
        .bind(batch.created_at_ms)
        .bind(&batch.event.body[..])
        .execute(c)
        .await
        .map(drop))
    .map_err(on("webhook_event"))
}

/// The event that is being sent may be among them; whoever sends it goes on with the next.
async fn drop_before(
    tx: &mut Tx,
    batch: &WebhookBatch,
    endpoint: &WebhookEndpointId,
    seq: i64,
) -> Result<u64, Fault> {
    let mut events = 0;
    for (table, text) in [("webhook_event", DROP_EVENTS), ("webhook_queue", SET_FIRST)] {
        let rows = on_tx!(tx.write(), |c| sqlx::query(text)
            .bind(batch.project.as_str())
            .bind(endpoint.as_str())
            .bind(batch.queue.as_str())
            .bind(seq)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))
        .map_err(on(table))?;
        if table == "webhook_event" {
            events = rows;
        }
    }
    Ok(events)
}
