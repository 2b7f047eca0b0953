//! How many messages a socket may send: a token bucket.

use crate::time::Time;

/// A bucket of whole messages that fills at a steady rate.
#[derive(Clone, Debug)]
pub(crate) struct RateLimit {
    per_s: u64,
    burst: u64,
    /// Micro-messages in the bucket: a message is a million.
    micros: u64,
    filled_at: Time,
}

impl RateLimit {
    /// A full bucket: `per_s` messages a second, and as many at once as `burst_s` seconds give.
    pub(crate) fn new(per_s: u32, burst_s: u32, now: Time) -> Self {
        let burst = u64::from(per_s) * u64::from(burst_s);
        Self { per_s: u64::from(per_s), burst, micros: burst * 1_000_000, filled_at: now }
    }

    /// Takes one message; false if there is none left.
    pub(crate) fn take(&mut self, now: Time) -> bool {
        let elapsed_micros = (now - self.filled_at).as_micros() as u64;
        self.filled_at = self.filled_at.max(now);
        let filled = self.micros.saturating_add(elapsed_micros.saturating_mul(self.per_s));
        self.micros = filled.min(self.burst * 1_000_000);
        match self.micros.checked_sub(1_000_000) {
            Some(left) => {
                self.micros = left;
                true
            }
            None => false,
        }
    }
}
