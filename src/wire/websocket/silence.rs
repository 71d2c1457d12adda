//! Peers that are not there any more, and of which no connection says so.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Silence is noticed this many looks later, so that a busy connection pays for no timer.
const SILENT_LOOKS: u32 = 4;

/// Returns once nothing at all has come for `idle_ms`. Whoever does not poll it for a while loses one
/// look at most, so nobody is silent whom nobody listened to.
pub async fn silence(arrivals: &AtomicU64, idle_ms: u64) {
    let look = Duration::from_millis(idle_ms.div_ceil(SILENT_LOOKS.into()));
    let (mut before, mut silent_looks) = (0, 0);
    // One more look, since what came before the first one may have come right behind the last.
    while silent_looks <= SILENT_LOOKS {
        tokio::time::sleep(look).await;
        let now = arrivals.load(Ordering::Relaxed);
        silent_looks = if now == before { silent_looks + 1 } else { 0 };
        before = now;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const IDLE_MS: u64 = 20;

    #[tokio::test]
    async fn whoever_was_not_listened_to_is_not_silent() {
        let arrivals = AtomicU64::new(0);
        let mut silent = Box::pin(silence(&arrivals, IDLE_MS));
        for _ in 0..3 {
            for _ in 0..SILENT_LOOKS {
                // All of the time allowed goes by between two looks.
                assert_eq!((&mut silent).now_or_never(), None);
                tokio::time::sleep(Duration::from_millis(IDLE_MS * 2)).await;
            }
            arrivals.fetch_add(1, Ordering::Relaxed);
        }
        silent.await;
    }
}
