//! How fast one peer may speak.

use std::time::Instant;

/// A second's worth can be saved up this often.
const BURST_SECONDS: f64 = 2.0;

/// Two buckets that fill as time goes by, one of frames and one of bytes.
#[derive(Debug)]
pub struct Rate {
    frames: Bucket,
    bytes: Bucket,
    filled_at: Instant,
}

#[derive(Debug)]
struct Bucket {
    level: f64,
    max: f64,
    per_second: f64,
}

impl Rate {
    /// One message of the greatest size always fits.
    pub fn new(frames_per_second: u32, bytes_per_second: u32, message_bytes_max: usize) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a limit, far below 2^53")]
        let message_bytes_max = message_bytes_max as f64;
        Self {
            frames: Bucket::new(frames_per_second, 1.0),
            bytes: Bucket::new(bytes_per_second, message_bytes_max),
            filled_at: Instant::now(),
        }
    }

    /// Whether a frame with so much payload is within the rate.
    pub fn take(&mut self, payload_bytes: usize, now: Instant) -> bool {
        let elapsed_s = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.filled_at = now;
        #[expect(clippy::cast_precision_loss, reason = "a frame's size, far below 2^53")]
        let payload_bytes = payload_bytes as f64;
        let frame = self.frames.take(1.0, elapsed_s);
        self.bytes.take(payload_bytes, elapsed_s) && frame
    }
}

impl Bucket {
    fn new(per_second: u32, at_least: f64) -> Self {
        let per_second = f64::from(per_second);
        let max = (per_second * BURST_SECONDS).max(at_least);
        Self { level: max, max, per_second }
    }

    fn take(&mut self, amount: f64, elapsed_s: f64) -> bool {
        self.level = (self.level + elapsed_s * self.per_second).min(self.max);
        let is_enough = self.level >= amount;
        if is_enough {
            self.level -= amount;
        }
        is_enough
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LATER: Duration = Duration::from_millis(100);

    #[test]
    fn a_burst_is_allowed_and_more_is_not_until_time_has_passed() {
        let mut rate = Rate::new(10, 1_000, 100);
        let now = rate.filled_at;
        assert!((0..20).all(|_| rate.take(1, now)));
        assert!(!rate.take(1, now));
        assert!(rate.take(1, now + LATER));
        assert!(!rate.take(1, now + LATER));
    }

    #[test]
    fn bytes_count_as_well() {
        let mut rate = Rate::new(1_000, 1_000, 5_000);
        let now = rate.filled_at;
        assert!(rate.take(5_000, now), "one message of the greatest size always fits");
        assert!(!rate.take(101, now + LATER));
        assert!(rate.take(100, now + LATER));
    }
}
