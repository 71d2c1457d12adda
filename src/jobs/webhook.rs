//! Delivers webhooks, until its token is cancelled.
//!
//! Each endpoint has a loop and a number of deliveries of its own, so that one that is dead or slow
//! holds up no other. With several nodes on one database all of them deliver; a queue belongs to who
//! claimed it.

mod courier;
mod turn;

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::courier::Courier;
use crate::webhooks::Webhooks;

/// Ends when the attempts that run when it is stopped have ended, or their grace has. To be awaited
/// before the store is closed.
pub async fn run(webhooks: Webhooks, stop: CancellationToken) {
    let mut couriers = JoinSet::new();
    for served in webhooks.endpoints() {
        let courier = Courier::new(webhooks.clone(), Arc::clone(served), stop.clone());
        couriers.spawn(courier.run());
    }
    while let Some(ended) = couriers.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "webhooks of an endpoint are not delivered any more");
        }
    }
}
