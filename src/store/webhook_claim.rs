//! Queues of webhooks on their way out: who delivers one claims it, and holds the claim for a time.
//!
//! Invariant: a claim is a number that comes up once. Whoever lost theirs, since its time was over,
//! changes nothing any more.

use bytes::Bytes;
use sqlx::FromRow;

use super::Store;
use super::db::{Tx, on_db, on_tx};
use super::fault::{Fault, on};
use super::room_cache::Touched;
use super::upload_part::random_number;
use crate::domain::ids::{ProjectId, WebhookEndpointId, WebhookQueueName};
use crate::domain::webhook::WebhookEvent;
use crate::error::Error;

const NEXT: &str = "SELECT MIN(next_attempt_at_ms) FROM webhook_queue WHERE endpoint = $1";

/// What is due longest goes first. Two nodes that claim at once get different queues.
macro_rules! claim {
    ($lock:literal) => {
        concat!(
            "WITH due AS (SELECT project_id AS p, queue AS q FROM webhook_queue \
             WHERE endpoint = $1 AND next_attempt_at_ms <= $2 \
             ORDER BY next_attempt_at_ms LIMIT $3",
            $lock,
            ") UPDATE webhook_queue SET claim = $4, next_attempt_at_ms = $5 FROM due \
             WHERE project_id = p AND endpoint = $1 AND queue = q \
             RETURNING project_id, queue, first_seq, attempts"
        )
    };
}
const CLAIM: &str = claim!("");
const CLAIM_FOR_UPDATE: &str = claim!(" FOR UPDATE SKIP LOCKED");
const SELECT_FIRST: &str = "SELECT seq, id, name, created_at_ms, body FROM webhook_event \
    WHERE project_id = $1 AND endpoint = $2 AND queue = $3 AND seq >= $4 ORDER BY seq LIMIT 1";
/// Events that were dropped meanwhile have moved `first_seq` further.
const ADVANCE: &str = "UPDATE webhook_queue \
    SET first_seq = CASE WHEN first_seq < $5 THEN $5 ELSE first_seq END, attempts = $6, \
    next_attempt_at_ms = $7 WHERE project_id = $1 AND endpoint = $2 AND queue = $3 AND claim = $4 \
    RETURNING first_seq";
const DELETE_EVENT: &str = "DELETE FROM webhook_event \
    WHERE project_id = $1 AND endpoint = $2 AND queue = $3 AND seq = $4";
const DELETE_QUEUE: &str =
    "DELETE FROM webhook_queue WHERE project_id = $1 AND endpoint = $2 AND queue = $3";
const RELEASE: &str = "UPDATE webhook_queue SET attempts = $5, next_attempt_at_ms = $6, claim = 0 \
    WHERE project_id = $1 AND endpoint = $2 AND queue = $3 AND claim = $4";

/// The right to deliver a queue, for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookClaim {
    pub project: ProjectId,
    pub endpoint: WebhookEndpointId,
    pub queue: WebhookQueueName,
    /// The queue's first event, when it was claimed.
    pub first_seq: i64,
    /// Attempts that failed since the last that did not.
    pub attempts: u32,
    number: i64,
}

/// An event that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredWebhook {
    pub seq: i64,
    pub event: WebhookEvent,
    pub created_at_ms: i64,
}

/// How a queue goes on when its first event is done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebhookProgress {
    /// The event that is done with.
    pub seq: i64,
    pub attempts: u32,
    /// How long the claim holds from now on.
    pub until_ms: i64,
}

#[derive(FromRow)]
struct QueueRow {
    project_id: String,
    queue: String,
    first_seq: i64,
    attempts: i64,
}

#[derive(FromRow)]
struct EventRow {
    seq: i64,
    id: String,
    name: String,
    created_at_ms: i64,
    body: Vec<u8>,
}

impl EventRow {
    fn into_stored(self) -> StoredWebhook {
        let Self { seq, id, name, created_at_ms, body } = self;
        let event = WebhookEvent { id: id.into(), name: name.into(), body: Bytes::from(body) };
        StoredWebhook { seq, event, created_at_ms }
    }
}

impl Store {
    /// When the first of an endpoint's queues may be claimed; absent if it has none.
    pub async fn next_webhook_at_ms(
        &self,
        endpoint: &WebhookEndpointId,
    ) -> Result<Option<i64>, Error> {
        let (first,): (Option<i64>,) = self
            .read("webhook_queue", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(NEXT)
                    .bind(endpoint.as_str())
                    .fetch_one(c)
                    .await)
            })
            .await?;
        Ok(first)
    }

    /// Claims queues that are due, `queues_max` at most, until `until_ms`.
    pub async fn claim_webhooks(
        &self,
        endpoint: &WebhookEndpointId,
        (now_ms, until_ms): (i64, i64),
        queues_max: usize,
    ) -> Result<Vec<WebhookClaim>, Error> {
        let queues_max = i64::try_from(queues_max).unwrap_or(i64::MAX);
        // None that is 0, which stands for no claim.
        let number = random_number()? | 1;
        let args = (endpoint.clone(), now_ms, until_ms, queues_max, number);
        self.transact("claim_webhooks", Touched::nothing(), args, |tx, args| {
            Box::pin(async move {
                let (endpoint, now_ms, until_ms, queues_max, number) = args;
                let text = tx.locking(CLAIM, CLAIM_FOR_UPDATE);
                let rows: Vec<QueueRow> = on_tx!(tx.write(), |c| sqlx::query_as(text)
                    .bind(endpoint.as_str())
                    .bind(*now_ms)
                    .bind(*queues_max)
                    .bind(*number)
                    .bind(*until_ms)
                    .fetch_all(c)
                    .await)
                .map_err(on("webhook_queue"))?;
                Ok(rows.into_iter().map(|row| claimed(row, endpoint, *number)).collect())
            })
        })
        .await
    }

    /// The first event of a queue that was just claimed.
    pub async fn find_webhook(&self, claim: &WebhookClaim) -> Result<Option<StoredWebhook>, Error> {
        let row: Option<EventRow> = self
            .read("webhook_event", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(SELECT_FIRST)
                    .bind(claim.project.as_str())
                    .bind(claim.endpoint.as_str())
                    .bind(claim.queue.as_str())
                    .bind(claim.first_seq)
                    .fetch_optional(c)
                    .await)
            })
            .await?;
        Ok(row.map(EventRow::into_stored))
    }

    /// Deletes an event that was delivered or given up. Tells the next one, for which the claim is
    /// extended; nothing, if the claim was lost or the queue is empty and gone.
    pub async fn advance_webhooks(
        &self,
        claim: &WebhookClaim,
        progress: WebhookProgress,
    ) -> Result<Option<StoredWebhook>, Error> {
        let args = (claim.clone(), progress);
        self.transact("advance_webhooks", Touched::nothing(), args, |tx, (claim, progress)| {
            Box::pin(advance(tx, claim, *progress))
        })
        .await
    }

    /// Lets go of a queue until `next_attempt_at_ms`. Whether the claim still held.
    pub async fn release_webhooks(
        &self,
        claim: &WebhookClaim,
        attempts: u32,
        next_attempt_at_ms: i64,
    ) -> Result<bool, Error> {
        let args = (claim.clone(), attempts, next_attempt_at_ms);
        self.transact("release_webhooks", Touched::nothing(), args, |tx, args| {
            Box::pin(async move {
                let (claim, attempts, next_attempt_at_ms) = args;
                let rows = on_tx!(tx.write(), |c| sqlx::query(RELEASE)
                    .bind(claim.project.as_str())
                    .bind(claim.endpoint.as_str())
                    .bind(claim.queue.as_str())
                    .bind(claim.number)
                    .bind(i64::from(*attempts))
                    .bind(*next_attempt_at_ms)
                    .execute(c)
                    .await
                    .map(|done| done.rows_affected()))
                .map_err(on("webhook_queue"))?;
                Ok(rows > 0)
            })
        })
        .await
    }
}

fn claimed(row: QueueRow, endpoint: &WebhookEndpointId, number: i64) -> WebhookClaim {
    WebhookClaim {
        project: ProjectId::trusted(row.project_id),
        endpoint: endpoint.clone(),
        queue: WebhookQueueName::trusted(row.queue),
        first_seq: row.first_seq,
        attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
        number,
    }
}

async fn advance(
    tx: &mut Tx,
    claim: &WebhookClaim,
    progress: WebhookProgress,
) -> Result<Option<StoredWebhook>, Fault> {
    let first: Option<(i64,)> = on_tx!(tx.write(), |c| sqlx::query_as(ADVANCE)
        .bind(claim.project.as_str())
        .bind(claim.endpoint.as_str())
        .bind(claim.queue.as_str())
        .bind(claim.number)
        .bind(progress.seq + 1)
        .bind(i64::from(progress.attempts))
        .bind(progress.until_ms)
        .fetch_optional(c)
        .await)
    .map_err(on("webhook_queue"))?;
    let Some((first_seq,)) = first else { return Ok(None) };
    delete_event(tx, claim, progress.seq).await?;
    let next: Option<EventRow> = on_tx!(tx.read(), |c| sqlx::query_as(SELECT_FIRST)
        .bind(claim.project.as_str())
        .bind(claim.endpoint.as_str())
        .bind(claim.queue.as_str())
        .bind(first_seq)
        .fetch_optional(c)
        .await)
    .map_err(on("webhook_event"))?;
    if next.is_none() {
        on_tx!(tx.write(), |c| sqlx::query(DELETE_QUEUE)
            .bind(claim.project.as_str())
            .bind(claim.endpoint.as_str())
            .bind(claim.queue.as_str())
            .execute(c)
            .await
            .map(drop))
        .map_err(on("webhook_queue"))?;
    }
    Ok(next.map(EventRow::into_stored))
}

async fn delete_event(tx: &mut Tx, claim: &WebhookClaim, seq: i64) -> Result<(), Fault> {
    on_tx!(tx.write(), |c| sqlx::query(DELETE_EVENT)
        .bind(claim.project.as_str())
        .bind(claim.endpoint.as_str())
        .bind(claim.queue.as_str())
        .bind(seq)
        .execute(c)
        .await
        .map(drop))
    .map_err(on("webhook_event"))
}
