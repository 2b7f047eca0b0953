//! How many bytes, and how fast lately.

use core::cell::Cell;
use core::time::Duration;

use crate::time::Time;

/// Width of one bucket.
const BUCKET: Duration = Duration::from_millis(500);
/// Buckets that make up 'lately': 3 s.
const BUCKETS: usize = 6;

/// How old a value of [`Lately`] may be.
const LATELY: Duration = Duration::from_millis(20);
/// The highest rate counts for so long, if none is higher.
const BEST_AGE: Duration = Duration::from_secs(10);

/// The highest rate lately (a windowed maximum): the mean falls whenever there is little to carry.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Best {
    bytes_per_s: u64,
    at: Option<Time>,
}

impl Best {
    /// Takes in a rate, as high as those before or not.
    pub(super) fn note(&mut self, bytes_per_s: u64, now: Time) {
        if bytes_per_s >= self.bytes_per_s || self.at.is_none_or(|at| now - at > BEST_AGE) {
            *self = Self { bytes_per_s, at: Some(now) };
        }
    }

    pub(super) fn bytes_per_s(&self) -> u64 {
        self.bytes_per_s
    }
}

/// A value that is costly to find out and changes slowly: found out anew when it is older than 20 ms. Time comes from
/// outside, so the same inputs still give the same outputs.
#[derive(Debug)]
pub(super) struct Lately<T: Copy>(Cell<Option<(Time, T)>>);

impl<T: Copy> Default for Lately<T> {
    fn default() -> Self {
        Self(Cell::new(None))
    }
}

impl<T: Copy> Lately<T> {
    pub(super) fn get(&self, now: Time, find_out: impl FnOnce() -> T) -> T {
        match self.0.get() {
            Some((at, value)) if now - at < LATELY => value,
            _ => {
                let value = find_out();
                self.0.set(Some((now, value)));
                value
            }
        }
    }
}

/// Counts bytes; knows the rate over the last three seconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter {
    total_bytes: u64,
    buckets: [u64; BUCKETS],
    /// Number of the newest bucket, counted from the epoch.
    newest: u64,
    /// When the first byte came; before that there is no rate to speak of.
    since: Option<Time>,
}

impl Meter {
    /// Counts some bytes.
    pub(super) fn add(&mut self, bytes: u64, now: Time) {
        self.turn_to(now);
        self.since.get_or_insert(now);
        self.total_bytes += bytes;
        self.buckets[(self.newest % BUCKETS as u64) as usize] += bytes;
    }

    /// All bytes since the start.
    pub(super) fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// How long ago the first byte came; zero if none did.
    pub(super) fn age(&self, now: Time) -> Duration {
        self.since.map_or(Duration::ZERO, |since| now - since)
    }

    /// Bytes a second, over the last three seconds or since the first byte if that is shorter.
    pub(super) fn bytes_per_s(&self, now: Time) -> u64 {
        let Some(since) = self.since else { return 0 };
        let number = now.as_micros() / BUCKET.as_micros() as u64;
        // Buckets from the oldest that still counts to the newest.
        let counted = (BUCKETS as u64).saturating_sub(number.saturating_sub(self.newest)).min(self.newest + 1);
        let bytes: u64 = (0..counted).map(|back| self.buckets[((self.newest - back) % BUCKETS as u64) as usize]).sum();
        let window = BUCKET * BUCKETS as u32;
        let span = (now - since).clamp(BUCKET, window);
        // A window's bytes times a million fit: nothing carries terabytes in three seconds.
        bytes.saturating_mul(1_000_000) / span.as_micros() as u64
    }

    /// Empties the buckets that have gone by.
    fn turn_to(&mut self, now: Time) {
        let number = now.as_micros() / BUCKET.as_micros() as u64;
        let passed = number.saturating_sub(self.newest);
        if passed >= BUCKETS as u64 {
            self.buckets = [0; BUCKETS];
        } else {
            for step in 1..=passed {
                self.buckets[((self.newest + step) % BUCKETS as u64) as usize] = 0;
            }
        }
        self.newest = self.newest.max(number);
    }
}
