//! How fast one peer may speak, by whichever protocol.

use std::time::{Duration, Instant};

/// A second's worth can be saved up this often.
const BURST_SECONDS: f64 = 2.0;

/// Buckets that fill as time goes by: of frames, of the messages in them, and of bytes.
#[derive(Debug)]
pub struct Rate {
    frames: Bucket,
    messages: Bucket,
    bytes: Bucket,
}

/// What a peer may send.
#[derive(Debug, Clone, Copy)]
pub struct RateLimits {
    /// As many messages are allowed, in however few frames they come.
    pub frames_per_second: u32,
    pub bytes_per_second: u32,
    /// One frame of this size always fits.
    pub frame_bytes_max: usize,
    /// One frame of so many messages always fits.
    pub frame_messages_max: usize,
}

#[derive(Debug)]
struct Bucket {
    level: f64,
    max: f64,
    per_second: f64,
    filled_at: Instant,
}

impl Rate {
    pub fn new(limits: RateLimits, now: Instant) -> Self {
        let RateLimits { frames_per_second, bytes_per_second, .. } = limits;
        Self {
            frames: Bucket::new(frames_per_second, 1, now),
            messages: Bucket::new(frames_per_second, limits.frame_messages_max, now),
            bytes: Bucket::new(bytes_per_second, limits.frame_bytes_max, now),
        }
    }

    /// For somebody who is only told good-bye.
    pub fn none() -> Self {
        let bucket = || Bucket::new(0, 0, Instant::now());
        Self { frames: bucket(), messages: bucket(), bytes: bucket() }
    }

    /// Whether a frame with so much payload is within the rate.
    pub fn take_frame(&mut self, payload_bytes: usize, now: Instant) -> bool {
        let frame = self.frames.take(1, now);
        self.bytes.take(payload_bytes, now) && frame
    }

    /// The same, for whoever is not let go if it is not, and is to be none the worse for it.
    pub fn take_frame_if_it_fits(&mut self, payload_bytes: usize, now: Instant) -> bool {
        self.frame_wait(payload_bytes, now).is_zero() && self.take_frame(payload_bytes, now)
    }

    /// How long a frame with so much payload has to wait to be within the rate, for whoever can hold
    /// it up instead of letting its sender go.
    pub fn frame_wait(&self, payload_bytes: usize, now: Instant) -> Duration {
        self.frames.wait(1, now).max(self.bytes.wait(payload_bytes, now))
    }

    /// Whether the messages of a frame are, which is not known before it is read.
    pub fn take_messages(&mut self, messages: usize, now: Instant) -> bool {
        self.messages.take(messages, now)
    }
}

impl Bucket {
    fn new(per_second: u32, at_least: usize, now: Instant) -> Self {
        let per_second = f64::from(per_second);
        let max = (per_second * BURST_SECONDS).max(float(at_least));
        Self { level: max, max, per_second, filled_at: now }
    }

    fn level_at(&self, now: Instant) -> f64 {
        let elapsed_s = now.saturating_duration_since(self.filled_at).as_secs_f64();
        (self.level + elapsed_s * self.per_second).min(self.max)
    }

    /// For ever if it is more than can be saved up.
    fn wait(&self, amount: usize, now: Instant) -> Duration {
        let missing = float(amount) - self.level_at(now);
        match missing > 0.0 {
            true => Duration::try_from_secs_f64(missing / self.per_second).unwrap_or(Duration::MAX),
            false => Duration::ZERO,
        }
    }

    fn take(&mut self, amount: usize, now: Instant) -> bool {
        self.level = self.level_at(now);
        self.filled_at = now;
        let is_enough = self.level >= float(amount);
        if is_enough {
            self.level -= float(amount);
        }
        is_enough
    }
}

#[expect(clippy::cast_precision_loss, reason = "a limit or a frame's size, far below 2^53")]
fn float(amount: usize) -> f64 {
    amount as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LATER: Duration = Duration::from_millis(100);
    const LIMITS: RateLimits = RateLimits {
        frames_per_second: 10,
        bytes_per_second: 1_000,
        frame_bytes_max: 5_000,
        frame_messages_max: 300,
    };

    #[test]
    fn a_burst_is_allowed_and_more_is_not_until_time_has_passed() {
        let now = Instant::now();
        let mut rate = Rate::new(LIMITS, now);
        assert!((0..20).all(|_| rate.take_frame(1, now)));
        assert!(!rate.take_frame(1, now));
        assert!(rate.take_frame(1, now + LATER));
        assert!(!rate.take_frame(1, now + LATER));
    }

    #[test]
    fn bytes_count_as_well() {
        let now = Instant::now();
        let mut rate = Rate::new(LIMITS, now);
        assert!(rate.take_frame(5_000, now), "one message of the greatest size always fits");
        assert!(!rate.take_frame(101, now + LATER));
        assert!(rate.take_frame(100, now + LATER));
    }

    #[test]
    fn a_frame_that_waited_is_taken() {
        let now = Instant::now();
        let mut rate = Rate::new(LIMITS, now);
        assert_eq!(rate.frame_wait(5_000, now), Duration::ZERO);
        assert!(rate.take_frame(5_000, now));
        assert_eq!(rate.frame_wait(500, now), LATER * 5, "bytes are missing");
        assert!(!rate.take_frame(500, now + LATER * 4));
        assert!((0..19).all(|_| rate.take_frame(0, now + LATER * 4)));
        assert_eq!(rate.frame_wait(0, now + LATER * 4), LATER, "a frame is missing");
        assert!(rate.take_frame(0, now + LATER * 5));
    }

    #[test]
    fn messages_count_however_few_frames_they_come_in() {
        let now = Instant::now();
        let mut rate = Rate::new(LIMITS, now);
        assert!(rate.take_messages(300, now), "what was kept without a connection always fits");
        assert!(!rate.take_messages(2, now + LATER));
        assert!(rate.take_messages(1, now + LATER));
        assert!(
            rate.take_messages(300, now + LATER * 1_000),
            "in time all of it is saved up again"
        );
    }
}
