//! The server put together: `main`, tests and benches all start it here.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::auth::credentials::Authenticator;
use crate::config::Limits;
use crate::domain::ctx::Clock;
use crate::domain::cursor::CursorKey;
use crate::domain::file_url::FileUrlKey;
use crate::error::Error;
use crate::jobs::{health, sweep};
use crate::room::registry::Rooms;
use crate::service::auth::AuthHandlers;
use crate::service::contents::Contents;
use crate::service::feed::FeedHandlers;
use crate::service::realtime::RealtimeHandlers;
use crate::service::room::RoomHandlers;
use crate::service::schema::SchemaHandlers;
use crate::service::storage::StorageHandlers;
use crate::service::version::VersionHandlers;
use crate::service::yjs::YjsHandlers;
use crate::store::Store;
use crate::wire::admin::{self, Probes};
use crate::wire::front::{Front, FrontParts};
use crate::wire::grpc::{GrpcLimits, Services};
use crate::wire::metrics::Metrics;
use crate::wire::services;
use crate::wire::table::Table;
use crate::wire::websocket::WebSockets;

/// The secret under which cursors are sealed.
const CURSOR_SECRET: &str = "cursor";
/// The secret with which addresses of files are signed.
const FILE_URL_SECRET: &str = "file_url";

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
}

/// A server that is ready to listen.
pub struct App {
    pub front: Front,
    /// To be closed when the listener has ended.
    pub rooms: Rooms,
}

/// Makes the service that a listener serves. `stop` ends the work that it does in the background.
pub async fn build(deps: Deps, stop: CancellationToken) -> Result<App, Error> {
    let Deps { store, authenticator, clock, limits, shutdown, serves_tls } = deps;
    let cursors = CursorKey::new(store.deployment_secret(CURSOR_SECRET).await?);
    let mut table = Table::default();
    let mut grpc = Services::new(GrpcLimits { message_bytes_max: limits.request_body_bytes_max });

    let rooms = Rooms::new(store.clone(), clock.clone(), limits.clone());
    let handlers = RoomHandlers::new(store.clone(), cursors, rooms.clone());
    services::add_roomd_v1_room_service(&mut table, &mut grpc, Arc::new(handlers));
    let auth = AuthHandlers::new(store.clone(), authenticator.clone());
    services::add_roomd_v1_auth_service(&mut table, &mut grpc, Arc::new(auth));
    let contents = Contents { store: store.clone(), rooms: rooms.clone() };
    let urls = FileUrlKey::new(store.deployment_secret(FILE_URL_SECRET).await?);
    let storage = StorageHandlers::new(contents.clone(), urls);
    services::add_roomd_v1_storage_service(&mut table, &mut grpc, Arc::new(storage));
    let yjs = YjsHandlers::new(contents.clone());
    services::add_roomd_v1_yjs_service(&mut table, &mut grpc, Arc::new(yjs));
    let versions = VersionHandlers::new(contents.clone());
    services::add_roomd_v1_version_service(&mut table, &mut grpc, Arc::new(versions));
    let feeds = FeedHandlers::new(contents.clone());
    services::add_roomd_v1_feed_service(&mut table, &mut grpc, Arc::new(feeds));
    let schemas = SchemaHandlers::new(contents);
    services::add_roomd_v1_schema_service(&mut table, &mut grpc, Arc::new(schemas));
    let realtime = RealtimeHandlers::new(rooms.clone(), &limits);
    services::add_roomd_v1_realtime_service(&mut table, &mut grpc, Arc::new(realtime));

    let metrics = Metrics::default();
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
    Ok(App { front: Front::new(front), rooms })
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
