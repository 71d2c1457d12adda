//! Every limit of webhooks, each with its unit in its name.

/// 24 hours; what nobody has tried to send for so long is for nobody.
pub const WEBHOOK_AGE_MS_MAX: i64 = 24 * 60 * 60 * 1_000;

/// Tests run with [`WebhookLimits::TINY`], so that what lies behind a limit runs there first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookLimits {
    /// Events that wait in one queue of one endpoint; beyond it the oldest are dropped.
    pub events_per_queue_max: u32,
    /// The same in all queues of one endpoint; beyond it the oldest of the longest queues are dropped,
    /// when they are counted.
    pub events_per_endpoint_max: u32,
    pub body_bytes_max: usize,
    /// An event that nobody took for so long is given up.
    pub event_age_ms_max: i64,
    /// The pause after the first failed attempt; each further one takes twice as long.
    pub backoff_first_ms: u64,
    pub backoff_ms_max: u64,
    pub connect_timeout_ms: u64,
    /// From the first byte to the last of the answer.
    pub request_timeout_ms: u64,
    /// What is read of an answer, only so that its connection can be used again.
    pub response_bytes_max: usize,
    /// Queues that one endpoint is sent at once.
    pub deliveries_max: usize,
    /// Events that are sent of one queue before it is the turn of others.
    pub turn_events_max: u32,
    /// How long the attempts that run at the end of the server may take.
    pub stop_grace_ms: u64,
}

impl WebhookLimits {
    pub const PRODUCTION: Self = Self {
        events_per_queue_max: 10_000,
        // Some 2 GB, as large as most events are.
        events_per_endpoint_max: 1_000_000,
        // A room and a participant with all the metadata that they may have.
        body_bytes_max: 8 << 20,
        event_age_ms_max: WEBHOOK_AGE_MS_MAX,
        backoff_first_ms: 500,
        backoff_ms_max: 10 * 60 * 1_000,
        connect_timeout_ms: 5_000,
        request_timeout_ms: 10_000,
        response_bytes_max: 64 << 10,
        deliveries_max: 16,
        turn_events_max: 64,
        stop_grace_ms: 5_000,
    };

    pub const TINY: Self = Self {
        events_per_queue_max: 5,
        events_per_endpoint_max: 12,
        body_bytes_max: 1_024,
        backoff_first_ms: 2,
        backoff_ms_max: 8,
        response_bytes_max: 1_024,
        deliveries_max: 2,
        turn_events_max: 2,
        ..Self::PRODUCTION
    };

    /// How long a queue is claimed: an attempt, and the time to store how it ended. Clocks of nodes may
    /// differ by less than the latter.
    pub fn claim_ms(&self) -> i64 {
        const STORING_MS: u64 = 20_000;
        i64::try_from(self.request_timeout_ms.saturating_add(STORING_MS)).unwrap_or(i64::MAX)
    }

    /// The pause after so many failed attempts: at least half of what it could be, so that those who
    /// failed together do not come back together.
    pub fn backoff_ms(&self, attempts: u32, random: u64) -> i64 {
        let doublings = attempts.saturating_sub(1).min(32);
        let longest = self.backoff_first_ms.saturating_mul(1 << doublings).min(self.backoff_ms_max);
        let pause = longest / 2 + random % (longest - longest / 2 + 1);
        i64::try_from(pause).unwrap_or(i64::MAX)
    }
}

const _: () = assert!(
    WebhookLimits::PRODUCTION.connect_timeout_ms < WebhookLimits::PRODUCTION.request_timeout_ms
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_are_never_in_step() {
        let limits = WebhookLimits::PRODUCTION;
        let range = |attempts| {
            let pauses = (0..10_000).map(|n| limits.backoff_ms(attempts, n * 7_919));
            let (pauses, again) = (pauses.clone(), pauses);
            (pauses.min().unwrap(), again.max().unwrap())
        };
        assert_eq!(range(1), (250, 500));
        assert_eq!(range(2), (500, 1_000));
        assert_eq!(range(5), (4_000, 8_000));
        for attempts in [12, 50, u32::MAX] {
            let (shortest, longest) = range(attempts);
            assert!((300_000..310_000).contains(&shortest), "{shortest}");
            assert!((590_000..=600_000).contains(&longest), "{longest}");
        }
    }

    #[test]
    fn a_claim_outlasts_an_attempt() {
        for limits in [WebhookLimits::PRODUCTION, WebhookLimits::TINY] {
            let attempt = i64::try_from(limits.request_timeout_ms).unwrap();
            assert!(limits.claim_ms() >= attempt + 20_000);
        }
    }
}
