//! How fast a client's data may come by its channels: as fast as frames may.
//!
//! Whoever sends frames too fast is let go, since a WebSocket has no other way. A channel has: what
//! may be lost is dropped, and for the rest the channel itself holds its sender up while nothing is
//! read from it. So a file that goes out as fast as the network takes it arrives.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::domain::live::DataKind;
use crate::room::rate::Rate;

pub struct Intake {
    rate: Rate,
    /// The next reliable packet, as long as it comes too fast.
    held: Option<Bytes>,
}

impl Intake {
    pub fn new(rate: Rate) -> Self {
        Self { rate, held: None }
    }

    /// A packet that came, if it may go on. A reliable one is kept until then: nothing more is to come
    /// meanwhile.
    pub fn take(&mut self, kind: DataKind, packet: Bytes, now: Instant) -> Option<Bytes> {
        if self.rate.take_frame_if_it_fits(packet.len(), now) {
            return Some(packet);
        }
        match kind {
            DataKind::Reliable => self.held = Some(packet),
            DataKind::Lossy => tracing::debug!("a client's lossy data came too fast"),
        }
        None
    }

    /// How long the packet that is kept has to wait, if there is one.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        self.held.as_ref().map(|packet| self.rate.frame_wait(packet.len(), now))
    }

    /// The packet that was kept, once it may go on.
    pub fn take_held(&mut self, now: Instant) -> Option<Bytes> {
        let packet = self.held.take()?;
        self.take(DataKind::Reliable, packet, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::rate::RateLimits;

    fn intake(now: Instant) -> Intake {
        let (frames_per_second, bytes_per_second) = (1, 1_000);
        let limits = RateLimits {
            frames_per_second,
            bytes_per_second,
            frame_bytes_max: 1_000,
            frame_messages_max: 1,
        };
        Intake::new(Rate::new(limits, now))
    }

    const PACKET: Bytes = Bytes::from_static(b"packet");

    #[test]
    fn what_may_be_lost_is_dropped_and_the_rest_waits() {
        let start = Instant::now();
        let mut intake = intake(start);
        for _ in 0..2 {
            assert_eq!(intake.take(DataKind::Lossy, PACKET, start), Some(PACKET));
        }
        assert_eq!(intake.take(DataKind::Lossy, PACKET, start), None);
        assert_eq!(intake.wait(start), None, "it is gone");
        assert_eq!(intake.take(DataKind::Reliable, PACKET, start), None);
        let wait = intake.wait(start).unwrap();
        assert_eq!(wait, Duration::from_secs(1));
        assert_eq!(intake.take_held(start + wait / 2), None);
        assert_eq!(intake.take_held(start + wait), Some(PACKET));
        assert_eq!(intake.wait(start + wait), None);
    }

    /// What is dropped for its size must not take the place of what comes behind it.
    #[test]
    fn a_flood_of_what_is_dropped_holds_nothing_up() {
        let start = Instant::now();
        let mut intake = intake(start);
        assert!(intake.take(DataKind::Lossy, vec![0; 2_000].into(), start).is_some());
        for _ in 0..1_000 {
            assert_eq!(intake.take(DataKind::Lossy, PACKET, start), None);
        }
        assert_eq!(intake.take(DataKind::Reliable, PACKET, start), None);
        assert_eq!(intake.wait(start), Some(Duration::from_millis(6)));
    }
}
