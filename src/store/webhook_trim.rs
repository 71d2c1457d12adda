//! What an endpoint has too many of, all its queues together: an endpoint that is dead for a day must
//! not fill the disk that everybody else needs.

use sqlx::FromRow;

use super::Store;
use super::db::{Tx, on_db, on_tx};
use super::fault::{Fault, on};
use super::room_cache::Touched;
use super::webhook::DROP_EVENTS;
use crate::domain::ids::WebhookEndpointId;
use crate::error::Error;

/// Queues of one endpoint that are looked up at once.
const QUEUES_AT_A_TIME: i64 = 100;
/// Events that one transaction deletes: others wait for it.
const EVENTS_AT_A_TIME: i64 = 1_000;

const SELECT_LONGEST: &str = "SELECT project_id, queue, first_seq, next_seq FROM webhook_queue \
    WHERE endpoint = $1 AND first_seq < next_seq ORDER BY next_seq - first_seq DESC LIMIT $2";
/// It may have been delivered meanwhile, or have begun anew.
const MOVE_FIRST: &str = "UPDATE webhook_queue SET first_seq = $4 WHERE project_id = $1 \
    AND endpoint = $2 AND queue = $3 AND first_seq < $4 AND $4 <= next_seq";

#[derive(Debug, Clone, FromRow)]
struct Queue {
    project_id: String,
    queue: String,
    first_seq: i64,
    next_seq: i64,
}

impl Store {
    /// Drops so many events of an endpoint, the oldest of its longest queues, each of which keeps about
    /// half of its own. Says how many: fewer, if others deliver or drop some meanwhile.
    pub async fn trim_webhooks(
        &self,
        endpoint: &WebhookEndpointId,
        events: u64,
    ) -> Result<u64, Error> {
        let mut dropped = 0;
        while dropped < events {
            let before = dropped;
            for queue in self.longest_webhook_queues(endpoint).await? {
                let left = i64::try_from(events - dropped).unwrap_or(i64::MAX);
                let half = (queue.next_seq - queue.first_seq).midpoint(1);
                let keep_from = queue.first_seq + half.min(left).min(EVENTS_AT_A_TIME);
                dropped += self.drop_webhooks_before(endpoint, queue, keep_from).await?;
                if dropped >= events {
                    break;
                }
            }
            if dropped == before {
                break;
            }
        }
        Ok(dropped)
    }

    async fn longest_webhook_queues(
        &self,
        endpoint: &WebhookEndpointId,
    ) -> Result<Vec<Queue>, Error> {
        self.read("webhook_queue", async {
            on_db!(&self.inner.db, |c| sqlx::query_as(SELECT_LONGEST)
                .bind(endpoint.as_str())
                .bind(QUEUES_AT_A_TIME)
                .fetch_all(c)
                .await)
        })
        .await
    }

    async fn drop_webhooks_before(
        &self,
        endpoint: &WebhookEndpointId,
        queue: Queue,
        seq: i64,
    ) -> Result<u64, Error> {
        let args = (endpoint.clone(), queue, seq);
        self.transact("trim_webhooks", Touched::nothing(), args, |tx, (endpoint, queue, seq)| {
            Box::pin(drop_before(tx, endpoint, queue, *seq))
        })
        .await
    }
}

async fn drop_before(
    tx: &mut Tx,
    endpoint: &WebhookEndpointId,
    queue: &Queue,
    seq: i64,
) -> Result<u64, Fault> {
    let mut rows = 0;
    for (table, text) in [("webhook_queue", MOVE_FIRST), ("webhook_event", DROP_EVENTS)] {
        rows = on_tx!(tx.write(), |c| sqlx::query(text)
            .bind(queue.project_id.as_str())
            .bind(endpoint.as_str())
            .bind(queue.queue.as_str())
            .bind(seq)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))
        .map_err(on(table))?;
        if rows == 0 {
            break;
        }
    }
    Ok(rows)
}
