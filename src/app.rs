//! The server put together: `main`, tests and benches all start it here.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::auth::credentials::Authenticator;
use crate::config::Limits;
use crate::domain::ctx::Clock;
use crate::domain::cursor::CursorKey;
use crate::error::Error;
use crate::jobs::health;
use crate::room::registry::Rooms;
use crate::service::auth::AuthHandlers;
use crate::service::room::RoomHandlers;
use crate::store::Store;
use crate::wire::admin::{self, Probes};
use crate::wire::front::{Front, FrontParts};
use crate::wire::grpc::{GrpcLimits, Services};
use crate::wire::metrics::Metrics;
use crate::wire::services;
use crate::wire::table::Table;

/// The secret under which cursors are sealed.
const CURSOR_SECRET: &str = "cursor";

/// What a server is made of, opened by whoever starts it.
pub struct Deps {
    pub store: Store,
    pub authenticator: Authenticator,
    pub clock: Clock,
    pub limits: Limits,
}

/// Makes the service that a listener serves. `stop` ends the work that it does in the background.
pub async fn build(deps: Deps, stop: CancellationToken) -> Result<Front, Error> {
    let Deps { store, authenticator, clock, limits } = deps;
    let cursors = CursorKey::new(store.deployment_secret(CURSOR_SECRET).await?);
    let mut table = Table::default();
    let mut grpc = Services::new(GrpcLimits { message_bytes_max: limits.request_body_bytes_max });

    let rooms = RoomHandlers::new(store.clone(), cursors, Rooms);
    services::add_roomd_v1_room_service(&mut table, &mut grpc, Arc::new(rooms));
    let auth = AuthHandlers::new(store.clone(), authenticator.clone());
    services::add_roomd_v1_auth_service(&mut table, &mut grpc, Arc::new(auth));

    let metrics = Metrics::default();
    let admin = admin::router(Probes {
        ready: Arc::new({
            let store = store.clone();
            move || {
                let store = store.clone();
                Box::pin(async move { store.ping().await })
            }
        }),
        pool: Arc::new({
            let store = store.clone();
            move || {
                let stats = store.pool_stats();
                (stats.size, stats.idle)
            }
        }),
        metrics: metrics.clone(),
    });
    let (reporter, health) = tonic_health::server::health_reporter();
    let mut names: Vec<&'static str> = table.services().collect();
    names.push("");
    tokio::spawn(health::watch(store, reporter, names, stop));
    let grpc = grpc.build(health)?;
    Ok(Front::new(FrontParts { table, grpc, admin, authenticator, limits, clock, metrics }))
}
