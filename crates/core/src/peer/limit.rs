//! How much may pass in a second where a person set a limit, to uploads or to what a web server gives: a token bucket.

use core::time::Duration;

use crate::time::Time;

/// The bucket holds what passes in so long, and never less than what is to pass at once.
const BURST_MS: u64 = 250;

/// A limit in bytes a second.
#[derive(Debug, Default)]
pub(super) struct RateLimit {
    bytes_per_s: Option<u64>,
    tokens_bytes: u64,
    filled_at: Time,
}

impl RateLimit {
    pub(super) fn new(bytes_per_s: Option<u64>, now: Time) -> Self {
        Self { bytes_per_s, tokens_bytes: 0, filled_at: now }
    }

    /// Whether there is a limit.
    pub(super) fn is_limited(&self) -> bool {
        self.bytes_per_s.is_some()
    }

    /// Whether nothing may pass at all.
    pub(super) fn is_off(&self) -> bool {
        self.bytes_per_s == Some(0)
    }

    /// Whether so many bytes may go now; if not, when. `None`: never.
    pub(super) fn allows(&mut self, bytes: u64, now: Time) -> Result<(), Option<Time>> {
        let Some(rate) = self.bytes_per_s else { return Ok(()) };
        if rate == 0 {
            return Err(None);
        }
        let burst = (rate.saturating_mul(BURST_MS) / 1_000).max(bytes);
        let filled = (now - self.filled_at).as_micros() * u128::from(rate) / 1_000_000;
        let filled = u64::try_from(filled).unwrap_or(u64::MAX);
        self.tokens_bytes = self.tokens_bytes.saturating_add(filled).min(burst);
        // Only the time of whole bytes is used up, or frequent calls would never fill the bucket of a low limit.
        let used_micros = u128::from(filled) * 1_000_000 / u128::from(rate);
        self.filled_at = self.filled_at + Duration::from_micros(u64::try_from(used_micros).unwrap_or(u64::MAX));
        match bytes.checked_sub(self.tokens_bytes) {
            None | Some(0) => Ok(()),
            Some(lacking) => {
                let wait_micros = u128::from(lacking) * 1_000_000 / u128::from(rate) + 1;
                Err(Some(now + Duration::from_micros(u64::try_from(wait_micros).unwrap_or(u64::MAX))))
            }
        }
    }

    pub(super) fn spend(&mut self, bytes: u64) {
        if self.bytes_per_s.is_some() {
            self.tokens_bytes = self.tokens_bytes.saturating_sub(bytes);
        }
    }
}
