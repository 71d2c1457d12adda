//! How many webhooks were sent, failed, were dropped, and wait.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::url::WebhookUrl;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndpointLabels {
    endpoint: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DroppedLabels {
    endpoint: String,
    reason: &'static str,
}

/// Cloning it is cheap and shares the series.
#[derive(Debug, Clone, Default)]
pub struct WebhookMetrics {
    delivered: Family<EndpointLabels, Counter>,
    failed: Family<EndpointLabels, Counter>,
    dropped: Family<DroppedLabels, Counter>,
    waiting: Family<EndpointLabels, Gauge>,
}

/// The series of one endpoint.
#[derive(Debug, Clone)]
pub struct EndpointMetrics {
    delivered: Counter,
    failed: Counter,
    dropped_full: Counter,
    dropped_old: Counter,
    waiting: Gauge,
}

impl WebhookMetrics {
    pub fn register(&self, registry: &mut Registry) {
        let (delivered, failed) = (self.delivered.clone(), self.failed.clone());
        registry.register("webhooks_delivered", "Webhooks that an endpoint took", delivered);
        registry.register(
            "webhook_attempts_failed",
            "Webhooks that an endpoint did not take",
            failed,
        );
        registry.register(
            "webhooks_dropped",
            "Webhooks that were given up, since their queue was full or they were too old",
            self.dropped.clone(),
        );
        registry.register("webhooks_waiting", "Webhooks that wait", self.waiting.clone());
    }

    /// The series are there from the beginning, at 0.
    pub(super) fn of(&self, url: &WebhookUrl) -> EndpointMetrics {
        let endpoint = EndpointLabels { endpoint: url.to_string() };
        let dropped = |reason| {
            let labels = DroppedLabels { endpoint: url.to_string(), reason };
            self.dropped.get_or_create(&labels).clone()
        };
        EndpointMetrics {
            delivered: self.delivered.get_or_create(&endpoint).clone(),
            failed: self.failed.get_or_create(&endpoint).clone(),
            dropped_full: dropped("full"),
            dropped_old: dropped("old"),
            waiting: self.waiting.get_or_create(&endpoint).clone(),
        }
    }
}

impl EndpointMetrics {
    pub fn delivered(&self) {
        self.delivered.inc();
    }

    pub fn failed(&self) {
        self.failed.inc();
    }

    pub fn dropped_full(&self, events: u64) {
        self.dropped_full.inc_by(events);
    }

    pub fn dropped_old(&self) {
        self.dropped_old.inc();
    }

    pub fn waiting(&self, events: i64) {
        self.waiting.set(events);
    }
}
