//! What a room does by the clock.

use std::time::Duration;

use super::{Actor, Flow};
use crate::room::close::CloseReason;
use crate::room::effects::Effects;

/// How long frames that may wait do so, if nothing takes them along. When many come at once, most of
/// the work would be telling each of the others about each of them on its own.
const ANNOUNCE_WITHIN_MS: i64 = 100;

impl Actor {
    /// Until something is due.
    pub(super) fn next_wake(&self) -> Duration {
        let now_ms = self.rooms.clock.now_ms();
        let idle = self.idle_since_ms.unwrap_or(now_ms);
        let unload_ms = idle.saturating_add(self.room_idle_ms());
        let expiry_ms = self.state.people.next_expiry_ms().unwrap_or(i64::MAX);
        let version_ms = self.version_due_ms().unwrap_or(i64::MAX);
        let announce_ms = self.announce_at_ms.unwrap_or(i64::MAX);
        let live_ms = self.live.retry_at_ms().unwrap_or(i64::MAX);
        let due_ms = unload_ms.min(expiry_ms).min(version_ms).min(announce_ms).min(live_ms);
        let wait_ms = due_ms.saturating_sub(now_ms);
        Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0).max(1))
    }

    fn room_idle_ms(&self) -> i64 {
        i64::try_from(self.rooms.limits.room_idle_ms).unwrap_or(i64::MAX)
    }

    /// Nothing came for a while: what is due, and the end of a room that has been idle long enough.
    pub(super) async fn wake(&mut self, mailbox_is_empty: bool) -> Flow {
        self.do_what_is_due().await;
        let is_idle = self.state.people.is_empty() && self.commit.is_idle() && mailbox_is_empty;
        let is_idle = is_idle && self.feeds.is_idle() && self.live.is_idle();
        // Who is shown here is listed for as long as the room lives, which memory alone can answer.
        let is_idle = is_idle && !self.state.live.has_guests();
        if !is_idle {
            self.idle_since_ms = None;
            return Flow::On;
        }
        let now_ms = self.rooms.clock.now_ms();
        let since = *self.idle_since_ms.get_or_insert(now_ms);
        match now_ms - since >= self.room_idle_ms() {
            true => Flow::End(CloseReason::ShuttingDown),
            false => Flow::On,
        }
    }

    /// A room that is never at rest comes here after every batch of commands.
    pub(super) async fn do_what_is_due(&mut self) {
        let now_ms = self.rooms.clock.now_ms();
        let mut effects = Effects::default();
        self.state.people.expire(now_ms, &mut effects);
        self.carry_out(effects);
        self.announce(now_ms);
        if self.version_due_ms().is_some_and(|due_ms| due_ms <= now_ms) {
            self.create_automatic_version().await;
        }
    }

    /// Frames that may wait are there, and are let go in time.
    pub(super) fn announce_soon(&mut self) {
        if self.announce_at_ms.is_none() {
            self.announce_at_ms = Some(self.rooms.clock.now_ms() + ANNOUNCE_WITHIN_MS);
        }
    }

    fn announce(&mut self, now_ms: i64) {
        if self.announce_at_ms.is_some_and(|at_ms| at_ms <= now_ms) {
            self.announce_at_ms = None;
            for connection in self.connections.values() {
                connection.outbox.hurry();
            }
        }
    }
}
