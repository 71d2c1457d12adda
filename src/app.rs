//! The server put together: `main`, tests and benches all start it here.

mod services;

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::services::Parts;
use crate::auth::credentials::Authenticator;
use crate::config::Limits;
use crate::domain::ctx::Clock;
use crate::error::Error;
use crate::jobs::{health, sweep, webhook};
use crate::pages::{Networks, Pages};
use crate::room::live::hooks::LiveHooks;
use crate::room::registry::Rooms;
use crate::rtc::Rtc;
use crate::store::Store;
use crate::webhooks::{Endpoint, WebhookLimits, Webhooks};
use crate::wire::admin::{self, Probes};
use crate::wire::front::{Front, FrontParts};
use crate::wire::livekit::event_body;
use crate::wire::metrics::Metrics;
use crate::wire::websocket::{Signalling, WebSockets};

/// What a server is made of, opened by whoever starts it.
pub struct Deps {
    pub store: Store,
    pub authenticator: Authenticator,
    pub clock: Clock,
    pub limits: Limits,
    /// Cancelled when what is being served has to come to its end.
    pub shutdown: CancellationToken,
    /// Whether callers reach the listener over TLS.
    pub serves_tls: bool,
    /// Where pages that people link to may be fetched from.
    pub page_networks: Networks,
    pub live: LiveDeps,
}

/// What rooms that are alive need.
pub struct LiveDeps {
    /// Who is told of what happens in them.
    pub endpoints: Vec<Endpoint>,
    /// Whether back ends may unmute people.
    pub may_unmute: bool,
    /// Absent where clients of LiveKit are only told things by signalling.
    pub rtc: Option<Rtc>,
    /// Whether whoever enters a room first, by signalling, brings it to life.
    pub auto_create: bool,
}

impl Default for LiveDeps {
    fn default() -> Self {
        Self { endpoints: Vec::new(), may_unmute: false, rtc: None, auto_create: true }
    }
}

/// A server that is ready to listen.
pub struct App {
    pub front: Front,
    /// To be closed when the listener has ended.
    pub rooms: Rooms,
    /// Ends by itself soon after `stop`, and needs the store until then.
    pub telling: JoinHandle<()>,
}

/// Makes the service that a listener serves. `stop` ends the work that it does in the background.
pub async fn build(deps: Deps, stop: CancellationToken) -> Result<App, Error> {
    let Deps { store, authenticator, clock, limits, shutdown, serves_tls, page_networks, live } =
        deps;
    let LiveDeps { endpoints, may_unmute, rtc, auto_create } = live;
    let webhooks =
        Webhooks::new(store.clone(), clock.clone(), endpoints, WebhookLimits::PRODUCTION)?;
    let hooks = LiveHooks { webhooks: webhooks.clone(), write: event_body };
    let rooms = Rooms::telling(store.clone(), clock.clone(), limits.clone(), Some(hooks));
    rooms.resume_live().await?;
    let pages = Pages::new(page_networks);
    let parts = Parts {
        store: &store,
        authenticator: &authenticator,
        limits: &limits,
        rooms: &rooms,
        pages: &pages,
        may_unmute,
    };
    let (table, grpc) = services::add_all(parts).await?;

    let metrics = Metrics::default();
    metrics.add(|registry| webhooks.metrics().register(registry));
    let telling = tokio::spawn(webhook::run(webhooks, stop.clone()));
    let admin = admin::router(probes(&store, &metrics));
    let (reporter, health) = tonic_health::server::health_reporter();
    let mut names: Vec<&'static str> = table.services().collect();
    names.push("");
    tokio::spawn(sweep::run(store.clone(), clock.clone(), stop.clone()));
    tokio::spawn(health::watch(store, reporter, names, stop));
    let grpc = grpc.build(health)?;
    let websockets = WebSockets::new(
        rooms.clone(),
        authenticator.clone(),
        limits.clone(),
        clock.clone(),
        &metrics,
        Signalling { rtc, auto_create },
    );
    let front = FrontParts {
        table,
        grpc,
        admin,
        authenticator,
        limits,
        clock,
        metrics,
        websockets,
        shutdown,
        serves_tls,
    };
    Ok(App { front: Front::new(front), rooms, telling })
}

/// What an operator asks the server about itself.
fn probes(store: &Store, metrics: &Metrics) -> Probes {
    let (ready, pool) = (store.clone(), store.clone());
    Probes {
        ready: Arc::new(move || {
            let store = ready.clone();
            Box::pin(async move { store.ping().await })
        }),
        pool: Arc::new(move || {
            let stats = pool.pool_stats();
            (stats.size, stats.idle)
        }),
        metrics: metrics.clone(),
    }
}
