//! Webhooks: what happens in rooms, told to addresses of the application.
//!
//! Whoever has something to tell asks [`Webhooks::wants`], and enqueues. `jobs/webhook` delivers.
//! Invariants: an event that was enqueued is stored, for each endpoint, before the call returns; the
//! events of one queue are delivered in the order in which they were committed, one after the other;
//! an event goes only after an answer of 2xx, when it is too old, or when its queue is full.

mod endpoint;
mod limits;
mod livekit;
mod metrics;
mod sender;
mod url;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

pub use endpoint::{Endpoint, EventFilter, Outgoing, Signer};
pub use limits::{WEBHOOK_AGE_MS_MAX, WebhookLimits};
pub use livekit::LiveKitSigner;
pub use metrics::{EndpointMetrics, WebhookMetrics};
pub use sender::{Refusal, Sender};
pub use url::{WEBHOOK_URLS_MAX, WebhookUrl, WebhookUrls};

use crate::domain::ctx::Clock;
use crate::domain::ids::{ProjectId, WebhookQueueName};
use crate::domain::webhook::WebhookEvent;
use crate::error::Error;
use crate::store::{DroppedWebhooks, Store, WebhookBatch};

/// The way to the queues; clones share it.
#[derive(Clone)]
pub struct Webhooks(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Clock,
    limits: WebhookLimits,
    sender: Sender,
    metrics: WebhookMetrics,
    /// By id.
    endpoints: Vec<Arc<Served>>,
}

/// An endpoint, and what is known of it.
pub struct Served {
    pub endpoint: Endpoint,
    pub metrics: EndpointMetrics,
    /// Wakes whoever delivers.
    pub wake: Notify,
    is_failing: AtomicBool,
}

impl Served {
    /// Notes how an attempt ended, and says whether that is news.
    pub fn is_news(&self, failed: bool) -> bool {
        self.is_failing.swap(failed, Ordering::Relaxed) != failed
    }
}

impl Webhooks {
    /// Nothing is delivered before `jobs::webhook::run` runs.
    pub fn new(
        store: Store,
        clock: Clock,
        endpoints: Vec<Endpoint>,
        limits: WebhookLimits,
    ) -> Result<Self, Error> {
        let sender = Sender::new(&endpoints, &limits)?;
        let metrics = WebhookMetrics::default();
        let mut endpoints: Vec<Arc<Served>> =
            endpoints.into_iter().map(|endpoint| serve(endpoint, &metrics)).collect();
        endpoints.sort_by(|one, other| one.endpoint.id.cmp(&other.endpoint.id));
        if endpoints.windows(2).any(|pair| pair[0].endpoint.id == pair[1].endpoint.id) {
            return Err(Error::internal("two webhook endpoints have the same id"));
        }
        Ok(Self(Arc::new(Inner { store, clock, limits, sender, metrics, endpoints })))
    }

    /// Whether anybody is to be told of such events. Who asks first spares itself the body.
    pub fn wants(&self, event: &str) -> bool {
        self.0.endpoints.iter().any(|served| served.endpoint.events.lets_through(event))
    }

    /// Stores an event for all endpoints that want it; it is durable when this returns. Events of
    /// one queue are delivered in order, those of different queues side by side.
    pub async fn enqueue(
        &self,
        project: &ProjectId,
        queue: &WebhookQueueName,
        event: WebhookEvent,
    ) -> Result<(), Error> {
        if let Some(batch) = self.batch(project, queue, event)? {
            let dropped = self.0.store.enqueue_webhooks(batch.clone()).await?;
            self.committed(&batch, &dropped);
        }
        Ok(())
    }

    /// The same event for a transaction of somebody else: nothing, if nobody wants it. They call
    /// [`Self::committed`] after the commit.
    pub fn batch(
        &self,
        project: &ProjectId,
        queue: &WebhookQueueName,
        event: WebhookEvent,
    ) -> Result<Option<WebhookBatch>, Error> {
        let (bytes, bytes_max) = (event.body.len(), self.0.limits.body_bytes_max);
        if bytes > bytes_max {
            let problem = format!("must have at most {bytes_max} bytes, got {bytes}");
            return Err(Error::invalid("body", problem));
        }
        let wanting = self.0.endpoints.iter().map(|served| &served.endpoint);
        let wanting = wanting.filter(|endpoint| {
            endpoint.project == *project && endpoint.events.lets_through(&event.name)
        });
        let endpoints: Vec<_> = wanting.map(|endpoint| endpoint.id.clone()).collect();
        if endpoints.is_empty() {
            return Ok(None);
        }
        Ok(Some(WebhookBatch {
            project: project.clone(),
            queue: queue.clone(),
            event,
            created_at_ms: self.0.clock.now_ms(),
            endpoints,
            events_per_queue_max: self.0.limits.events_per_queue_max,
        }))
    }

    /// Counts what had to be dropped, and wakes those who deliver.
    pub fn committed(&self, batch: &WebhookBatch, dropped: &[DroppedWebhooks]) {
        for served in &self.0.endpoints {
            let id = &served.endpoint.id;
            if let Some(DroppedWebhooks { events, .. }) = dropped.iter().find(|d| d.endpoint == *id)
            {
                served.metrics.dropped_full(*events);
                tracing::warn!(
                    endpoint = %served.endpoint.url,
                    project = %batch.project,
                    queue = %batch.queue,
                    events,
                    "a webhook queue is full: its oldest events were dropped",
                );
            }
            if batch.endpoints.contains(id) {
                served.wake.notify_one();
            }
        }
    }

    /// Makes those who deliver look at the clock.
    pub fn wake(&self) {
        self.0.endpoints.iter().for_each(|served| served.wake.notify_one());
    }

    pub fn endpoints(&self) -> &[Arc<Served>] {
        &self.0.endpoints
    }

    pub fn store(&self) -> &Store {
        &self.0.store
    }

    pub fn now_ms(&self) -> i64 {
        self.0.clock.now_ms()
    }

    pub fn limits(&self) -> &WebhookLimits {
        &self.0.limits
    }

    pub fn sender(&self) -> &Sender {
        &self.0.sender
    }

    pub fn metrics(&self) -> &WebhookMetrics {
        &self.0.metrics
    }
}

fn serve(endpoint: Endpoint, metrics: &WebhookMetrics) -> Arc<Served> {
    let metrics = metrics.of(&endpoint.url);
    Arc::new(Served { endpoint, metrics, wake: Notify::new(), is_failing: AtomicBool::new(false) })
}
