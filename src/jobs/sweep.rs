//! Deletes what nobody needs any more, a little at a time: the contents of deleted rooms, files that
//! storage never had, uploads that nobody completed, and webhooks for addresses that are no more.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::ctx::Clock;
use crate::error::{Error, chain};
use crate::store::Store;
use crate::webhooks::WEBHOOK_AGE_MS_MAX;

const INTERVAL: Duration = Duration::from_secs(30);
/// Rows deleted in one transaction: the writes of others wait no longer than that takes.
const ROWS_MAX: u32 = 100;
/// Contents whose objects are deleted before the next are looked for.
const CONTENTS_MAX: u32 = 100;
/// How long a client may take to put a file into storage, and to complete an upload.
const STALE_AFTER_MS: i64 = 24 * 60 * 60 * 1_000;

pub async fn run(store: Store, clock: Clock, stop: CancellationToken) {
    let mut interval = tokio::time::interval(INTERVAL);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = interval.tick() => {}
        }
        if let Err(error) = sweep_all(&store, &clock, &stop).await {
            tracing::warn!(error = %chain(&error), "failed to sweep");
        }
    }
}

async fn sweep_all(store: &Store, clock: &Clock, stop: &CancellationToken) -> Result<(), Error> {
    let before_ms = clock.now_ms().saturating_sub(STALE_AFTER_MS);
    while !stop.is_cancelled() && store.sweep_stale_files(before_ms, ROWS_MAX).await? > 0 {}
    let before_ms = clock.now_ms().saturating_sub(WEBHOOK_AGE_MS_MAX);
    while !stop.is_cancelled() && store.sweep_webhooks(before_ms, ROWS_MAX).await? > 0 {}
    while !stop.is_cancelled() && store.sweep_garbage(ROWS_MAX).await? > 0 {}
    while !stop.is_cancelled() && store.sweep_objects(clock.now_ms(), CONTENTS_MAX).await? > 0 {}
    Ok(())
}
