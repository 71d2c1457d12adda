//! A queue's turn: its events one after the other, until one is not taken or others have waited long
//! enough.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::error::{Error, chain};
use crate::store::{StoredWebhook, WebhookClaim, WebhookProgress};
use crate::webhooks::{Refusal, Served, Webhooks};

pub(super) struct Turn {
    pub(super) webhooks: Webhooks,
    pub(super) served: Arc<Served>,
    pub(super) stop: CancellationToken,
    pub(super) claim: WebhookClaim,
    /// When the claim ends.
    pub(super) until_ms: i64,
}

impl Turn {
    /// Whatever fails, the event is still there, and the claim ends by itself.
    pub(super) async fn run(mut self) {
        if let Err(error) = self.deliver().await {
            tracing::warn!(
                endpoint = %self.served.endpoint.url,
                project = %self.claim.project,
                queue = %self.claim.queue,
                error = %chain(&error),
                "failed to note what became of a webhook",
            );
        }
    }

    async fn deliver(&mut self) -> Result<(), Error> {
        let mut next = match self.webhooks.store().find_webhook(&self.claim).await? {
            Some(first) => Some(first),
            // They were dropped, being too many, or deleted by hand. What has come since is next.
            None => self.advance(self.claim.first_seq - 1).await?,
        };
        for _ in 0..self.webhooks.limits().turn_events_max {
            let Some(stored) = next else { return Ok(()) };
            if self.stop.is_cancelled() {
                return self.release(self.webhooks.now_ms()).await;
            }
            let now_ms = self.webhooks.now_ms();
            if now_ms.saturating_sub(stored.created_at_ms) > self.webhooks.limits().event_age_ms_max
            {
                self.give_up(&stored);
            } else if !self.has_time_for_an_attempt(now_ms) {
                return Ok(());
            } else if let Err(refusal) = self.attempt(&stored, now_ms).await {
                return self.postpone(&stored, &refusal).await;
            }
            next = self.advance(stored.seq).await?;
        }
        match next {
            Some(_) => self.release(self.webhooks.now_ms()).await,
            None => Ok(()),
        }
    }

    /// The process may have stood still, and somebody else may deliver the queue soon.
    fn has_time_for_an_attempt(&self, now_ms: i64) -> bool {
        let attempt_ms = i64::try_from(self.webhooks.limits().request_timeout_ms);
        now_ms.saturating_add(attempt_ms.unwrap_or(i64::MAX)) <= self.until_ms
    }

    async fn attempt(&mut self, stored: &StoredWebhook, now_ms: i64) -> Result<(), Refusal> {
        let endpoint = &self.served.endpoint;
        self.webhooks.sender().send(endpoint, &stored.event, now_ms).await?;
        self.claim.attempts = 0;
        self.served.metrics.delivered();
        if self.served.is_news(false) {
            tracing::info!(endpoint = %endpoint.url, "the endpoint takes webhooks again");
        }
        Ok(())
    }

    fn give_up(&self, stored: &StoredWebhook) {
        self.served.metrics.dropped_old();
        tracing::warn!(
            endpoint = %self.served.endpoint.url,
            project = %self.claim.project,
            queue = %self.claim.queue,
            event = %stored.event.id,
            attempts = self.claim.attempts,
            "gave up a webhook that nobody took in time",
        );
    }

    async fn advance(&mut self, seq: i64) -> Result<Option<StoredWebhook>, Error> {
        let until_ms = self.webhooks.now_ms().saturating_add(self.webhooks.limits().claim_ms());
        let progress = WebhookProgress { seq, attempts: self.claim.attempts, until_ms };
        self.until_ms = until_ms;
        self.webhooks.store().advance_webhooks(&self.claim, progress).await
    }

    async fn postpone(&mut self, stored: &StoredWebhook, refusal: &Refusal) -> Result<(), Error> {
        self.claim.attempts = self.claim.attempts.saturating_add(1);
        self.served.metrics.failed();
        let pause_ms = self.webhooks.limits().backoff_ms(self.claim.attempts, random());
        let (url, queue) = (&self.served.endpoint.url, &self.claim.queue);
        let (event, attempts) = (&stored.event.id, self.claim.attempts);
        if self.served.is_news(true) {
            tracing::warn!(endpoint = %url, %queue, %event, %refusal, "a webhook was not taken");
        } else {
            tracing::debug!(endpoint = %url, %queue, %event, attempts, %refusal, "not taken");
        }
        self.release(self.webhooks.now_ms().saturating_add(pause_ms)).await
    }

    async fn release(&self, next_attempt_at_ms: i64) -> Result<(), Error> {
        let store = self.webhooks.store();
        let held =
            store.release_webhooks(&self.claim, self.claim.attempts, next_attempt_at_ms).await?;
        if !held {
            tracing::debug!(queue = %self.claim.queue, "the claim of a webhook queue had ended");
        }
        Ok(())
    }
}

/// Without randomness all pauses are merely alike.
fn random() -> u64 {
    let mut bytes = [0; 8];
    match aws_lc_rs::rand::fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes),
        Err(_) => 0,
    }
}
