//! The loop of one endpoint: it claims queues that are due, as many as it may deliver at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Interval, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::turn::Turn;
use crate::error::{Error, chain};
use crate::webhooks::{Served, Webhooks};

/// Nobody is woken when the claim of a node ends that went away.
const POLL_MS: u64 = 5_000;
/// Where another node has locked what is due, or the database does not answer.
const PAUSE_MS: u64 = 200;
const COUNT_INTERVAL: Duration = Duration::from_secs(15);

pub(super) struct Courier {
    webhooks: Webhooks,
    served: Arc<Served>,
    stop: CancellationToken,
    turns: JoinSet<()>,
}

impl Courier {
    pub(super) fn new(webhooks: Webhooks, served: Arc<Served>, stop: CancellationToken) -> Self {
        Self { webhooks, served, stop, turns: JoinSet::new() }
    }

    pub(super) async fn run(mut self) {
        let mut counting = interval(COUNT_INTERVAL);
        while !self.stop.is_cancelled() {
            let pause = self.begin_turns().await.unwrap_or_else(|error| {
                self.complain(&error);
                Duration::from_millis(PAUSE_MS)
            });
            self.wait(pause, &mut counting).await;
        }
        self.end_turns().await;
    }

    async fn wait(&mut self, pause: Duration, counting: &mut Interval) {
        let is_full = self.free() == 0;
        tokio::select! {
            () = self.stop.cancelled() => {}
            _ = counting.tick() => self.count().await,
            Some(ended) = self.turns.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a delivery of webhooks broke off");
                }
            }
            () = self.served.wake.notified(), if !is_full => {}
            () = sleep(pause), if !is_full => {}
        }
    }

    /// Begins to deliver what is due, and says when to look again.
    async fn begin_turns(&mut self) -> Result<Duration, Error> {
        let store = self.webhooks.store().clone();
        let id = &self.served.endpoint.id;
        while self.free() > 0 {
            let now_ms = self.webhooks.now_ms();
            let due_in_ms = match store.next_webhook_at_ms(id).await? {
                Some(at_ms) => u64::try_from(at_ms.saturating_sub(now_ms)).unwrap_or(0),
                None => POLL_MS,
            };
            if due_in_ms > 0 {
                return Ok(Duration::from_millis(due_in_ms.min(POLL_MS)));
            }
            let until_ms = now_ms.saturating_add(self.webhooks.limits().claim_ms());
            let claims = store.claim_webhooks(id, (now_ms, until_ms), self.free()).await?;
            if claims.is_empty() {
                return Ok(Duration::from_millis(PAUSE_MS));
            }
            for claim in claims {
                let (webhooks, served) = (self.webhooks.clone(), Arc::clone(&self.served));
                let turn = Turn { webhooks, served, stop: self.stop.clone(), claim, until_ms };
                self.turns.spawn(turn.run());
            }
        }
        Ok(Duration::from_millis(POLL_MS))
    }

    fn free(&self) -> usize {
        self.webhooks.limits().deliveries_max.saturating_sub(self.turns.len())
    }

    async fn count(&self) {
        match self.trim().await {
            Ok(count) => self.served.metrics.waiting(count),
            Err(error) => self.complain(&error),
        }
    }

    /// Drops what is too much, and says how many events wait.
    async fn trim(&self) -> Result<i64, Error> {
        let (store, id) = (self.webhooks.store(), &self.served.endpoint.id);
        let count = store.count_webhooks(id).await?;
        let excess = count - i64::from(self.webhooks.limits().events_per_endpoint_max);
        let Some(excess) = u64::try_from(excess).ok().filter(|excess| *excess > 0) else {
            return Ok(count);
        };
        let dropped = store.trim_webhooks(id, excess).await?;
        self.served.metrics.dropped_full(dropped);
        tracing::warn!(
            endpoint = %self.served.endpoint.url,
            dropped,
            "too many webhooks wait for an endpoint: the oldest of the longest queues were dropped",
        );
        Ok(count.saturating_sub_unsigned(dropped))
    }

    /// What runs longer than the grace is cut: its claim ends by itself, and it is sent again.
    async fn end_turns(mut self) {
        let grace = Duration::from_millis(self.webhooks.limits().stop_grace_ms);
        let ended = async { while self.turns.join_next().await.is_some() {} };
        if timeout(grace, ended).await.is_err() {
            let url = &self.served.endpoint.url;
            let cut = self.turns.len();
            tracing::info!(endpoint = %url, cut, "webhooks were cut and will be sent again");
        }
    }

    fn complain(&self, error: &Error) {
        let url = &self.served.endpoint.url;
        tracing::warn!(endpoint = %url, error = %chain(error), "failed to look for webhooks");
    }
}
