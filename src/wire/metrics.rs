//! Requests by protocol, service, method and code, and how long they took.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::status;
use super::table::MethodSpec;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    Grpc,
    GrpcWeb,
    Connect,
    Twirp,
    Rest,
    WebSocket,
}

impl Protocol {
    pub fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::GrpcWeb => "grpc-web",
            Self::Connect => "connect",
            Self::Twirp => "twirp",
            Self::Rest => "rest",
            Self::WebSocket => "websocket",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MethodLabels {
    protocol: &'static str,
    service: &'static str,
    method: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    protocol: &'static str,
    service: &'static str,
    method: &'static str,
    code: &'static str,
}

/// From half a millisecond to ten seconds; a cached read is far below, a broken disk far above.
const LATENCY_BUCKETS_SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];

/// The protocol, the address of the method's spec (0 for none), and the code.
type Key = (Protocol, usize, i32);

/// The series of one kind of answer, found once.
struct Series {
    count: Counter,
    latency: Histogram,
}

/// Cloning it is cheap and shares the series.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    requests: Family<RequestLabels, Counter>,
    latency: Family<MethodLabels, Histogram, fn() -> Histogram>,
    pool_size: Gauge,
    pool_idle: Gauge,
    pub(super) websocket: WebSocketMetrics,
    /// Spares the hot path the label sets.
    known: Arc<RwLock<HashMap<Key, Arc<Series>>>>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("roomd");
        let requests = Family::default();
        let latency = Family::new_with_constructor(histogram as fn() -> Histogram);
        let (pool_size, pool_idle) = (Gauge::default(), Gauge::default());
        registry.register("requests", "Requests that were answered", requests.clone());
        registry.register_with_unit(
            "request_duration",
            "From the head of a request to the head of its answer",
            Unit::Seconds,
            latency.clone(),
        );
        registry.register(
            "database_connections",
            "Connections to the database that are open",
            pool_size.clone(),
        );
        registry.register(
            "database_connections_idle",
            "Connections to the database that nobody uses",
            pool_idle.clone(),
        );
        let websocket = WebSocketMetrics::new(&mut registry);
        let registry = Arc::new(Mutex::new(registry));
        let known = Arc::default();
        Self { registry, requests, latency, pool_size, pool_idle, websocket, known }
    }
}

/// Connections that are no requests. Cloning it is cheap and shares the series.
#[derive(Debug, Clone, Default)]
pub struct WebSocketMetrics {
    connections: Gauge,
    received: Counter,
    sent: Counter,
}

/// A connection that counts as open until it is dropped.
#[derive(Debug)]
pub struct OpenWebSocket(Gauge);

impl WebSocketMetrics {
    fn new(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "websocket_connections",
            "WebSocket connections that are open",
            metrics.connections.clone(),
        );
        registry.register(
            "websocket_messages_received",
            "WebSocket messages that clients sent",
            metrics.received.clone(),
        );
        registry.register(
            "websocket_messages_sent",
            "WebSocket messages that clients were sent",
            metrics.sent.clone(),
        );
        metrics
    }

    pub fn open(&self) -> OpenWebSocket {
        self.connections.inc();
        OpenWebSocket(self.connections.clone())
    }

    pub fn received(&self, messages: u64) {
        self.received.inc_by(messages);
    }

    pub fn sent(&self, messages: u64) {
        self.sent.inc_by(messages);
    }
}

impl Drop for OpenWebSocket {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn histogram() -> Histogram {
    Histogram::new(LATENCY_BUCKETS_SECONDS)
}

impl Metrics {
    pub fn observe(
        &self,
        protocol: Protocol,
        method: Option<&'static MethodSpec>,
        code: tonic::Code,
        elapsed: Duration,
    ) {
        let address = method.map_or(0, |spec| std::ptr::from_ref(spec).addr());
        let key = (protocol, address, code as i32);
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let series = match known.get(&key) {
            Some(series) => series.clone(),
            None => {
                drop(known);
                self.add_series(key, method, code)
            }
        };
        series.count.inc();
        series.latency.observe(elapsed.as_secs_f64());
    }

    fn add_series(
        &self,
        key: Key,
        method: Option<&'static MethodSpec>,
        code: tonic::Code,
    ) -> Arc<Series> {
        // A path that nobody serves is not a label: anybody could make as many as they like.
        let (service, method) = method.map_or(("", ""), |spec| (spec.service, spec.method));
        let (protocol, code) = (key.0.name(), status::name_of(code));
        let count = self.requests.get_or_create(&RequestLabels { protocol, service, method, code });
        let latency = self.latency.get_or_create(&MethodLabels { protocol, service, method });
        let series = Arc::new(Series { count: count.clone(), latency: latency.clone() });
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.entry(key).or_insert(series).clone()
    }

    /// Adds series of a part that is not the wire's.
    pub fn add(&self, register: impl FnOnce(&mut Registry)) {
        register(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub fn set_pool(&self, size: u32, idle: u32) {
        self.pool_size.set(size.into());
        self.pool_idle.set(idle.into());
    }

    /// The text that Prometheus scrapes.
    pub fn render(&self) -> Result<String, fmt::Error> {
        let mut out = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        text::encode(&mut out, &registry)?;
        Ok(out)
    }
}
