//! Keeps `grpc.health.v1` true to what `/readyz` would say.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::store::Store;

const INTERVAL: Duration = Duration::from_secs(2);

/// `services` are the names that clients may ask for; the empty one stands for the whole server.
pub async fn watch(
    store: Store,
    reporter: HealthReporter,
    services: Vec<&'static str>,
    stop: CancellationToken,
) {
    let mut interval = tokio::time::interval(INTERVAL);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = interval.tick() => {}
        }
        let status = match store.ping().await {
            Ok(()) => ServingStatus::Serving,
            Err(_) => ServingStatus::NotServing,
        };
        set_all(&reporter, &services, status).await;
    }
    // Load balancers that watch stop sending before the listener closes.
    set_all(&reporter, &services, ServingStatus::NotServing).await;
}

async fn set_all(reporter: &HealthReporter, services: &[&'static str], status: ServingStatus) {
    for service in services {
        reporter.set_service_status(*service, status).await;
    }
}
