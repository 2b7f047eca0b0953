//! One place on the web: whether it may be asked, and what came of it.

use core::time::Duration;

use super::contract::{SourceState, SourceStats};
use super::limit::RateLimit;
use super::meter::Meter;
use crate::time::Time;
use crate::wire::range::FetchOutcome;

/// Rest after a failure; doubled with each that follows without a byte between, and drawn between half and one and a
/// half of it.
const REST_MIN_MS: u64 = 500;
/// The longest rest, unless the server itself names a longer one.
const REST_MAX_MS: u64 = 60_000;

/// What a server of which nothing came yet is taken for.
const UNTRIED_BYTES_PER_S: u64 = 1_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Good,
    /// It failed, and is asked again then.
    Resting(Time),
    /// It is never asked again.
    Unfit,
}

/// A place that may be fetched from.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) url: String,
    state: State,
    /// Since something came last.
    failures: u32,
    /// What went wrong last.
    pub(super) trouble: Option<String>,
    pub(super) limit: RateLimit,
    /// Most bytes a second, if there is a limit.
    pub(super) limit_bytes_per_s: Option<u64>,
    /// Verified bytes.
    pub(super) meter: Meter,
    /// The most that it brought in a second.
    pub(super) most_bytes_per_s: u64,
}

impl Source {
    pub(super) fn new(url: String, limit_bytes_per_s: Option<u64>, now: Time) -> Self {
        Self {
            url,
            state: State::Good,
            failures: 0,
            trouble: None,
            limit: RateLimit::new(limit_bytes_per_s, now),
            limit_bytes_per_s,
            meter: Meter::default(),
            most_bytes_per_s: 0,
        }
    }

    /// What it can bring in a second: the most that it brought so far.
    pub(super) fn expected_bytes_per_s(&self) -> u64 {
        if self.most_bytes_per_s > 0 { self.most_bytes_per_s } else { UNTRIED_BYTES_PER_S }
    }

    /// Whether it may be asked now.
    pub(super) fn is_ready(&self, now: Time) -> bool {
        match self.state {
            State::Good => true,
            State::Resting(until) => until <= now,
            State::Unfit => false,
        }
    }

    /// Whether it may be of use, now or later.
    pub(super) fn is_fit(&self) -> bool {
        self.state != State::Unfit && !self.limit.is_off()
    }

    /// When it may be asked again, if it rests.
    pub(super) fn rests_until(&self) -> Option<Time> {
        match self.state {
            State::Resting(until) => Some(until),
            State::Good | State::Unfit => None,
        }
    }

    /// Something good came.
    pub(super) fn note_good(&mut self, bytes: u64, now: Time) {
        self.meter.add(bytes, now);
        self.most_bytes_per_s = self.most_bytes_per_s.max(self.meter.bytes_per_s(now));
        (self.failures, self.trouble) = (0, None);
    }

    /// A fetch ended without all that was asked for. `draw` is at least 0 and less than 1,000.
    pub(super) fn note_failure(&mut self, outcome: FetchOutcome, draw: u64, now: Time) {
        if self.state == State::Unfit {
            return;
        }
        let (reason, at_least) = match outcome {
            FetchOutcome::Done => ("it sent less than it was asked for".to_owned(), None),
            FetchOutcome::Busy { reason, retry_after } => (reason, retry_after),
            FetchOutcome::Unreachable { reason } => (reason, None),
            FetchOutcome::Unfit { reason } => return self.drop_for(reason),
        };
        let base_ms = (REST_MIN_MS << self.failures.min(10)).min(REST_MAX_MS);
        self.failures = self.failures.saturating_add(1);
        let rest = Duration::from_millis(base_ms / 2 + base_ms * draw / 1_000);
        let until = now + rest.max(at_least.unwrap_or_default());
        // Of two fetches that fail together the longer rest counts.
        self.state = State::Resting(self.rests_until().map_or(until, |before| before.max(until)));
        self.trouble = Some(reason);
    }

    /// It is of no use.
    pub(super) fn drop_for(&mut self, reason: String) {
        self.state = State::Unfit;
        self.trouble = Some(reason);
    }

    /// For people.
    pub(super) fn stats(&self, is_fetching: bool, is_done: bool, now: Time) -> SourceStats {
        let state = match self.state {
            _ if !self.is_fit() => SourceState::Unfit,
            _ if is_fetching => SourceState::Fetching,
            State::Resting(until) if now < until && !is_done => SourceState::Resting,
            _ => SourceState::Idle,
        };
        SourceStats {
            url: self.url.clone(),
            state,
            received_bytes: self.meter.total_bytes(),
            down_bytes_per_s: self.meter.bytes_per_s(now),
            trouble: self.trouble.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> Source {
        Source::new("https://site.example/file".into(), None, Time::ZERO)
    }

    fn rest_ms(source: &Source, now: Time) -> u128 {
        (source.rests_until().expect("it rests") - now).as_millis()
    }

    #[test]
    fn rests_double_up_to_a_minute_and_begin_anew_when_something_came() {
        let mut source = source();
        let mut now = Time::ZERO;
        for expected_ms in [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000] {
            source.note_failure(FetchOutcome::busy("it answers 503"), 500, now);
            assert_eq!(rest_ms(&source, now), expected_ms);
            assert!(!source.is_ready(now) && source.is_fit());
            now = source.rests_until().expect("it rests");
            assert!(source.is_ready(now));
        }
        source.note_good(1, now);
        source.note_failure(FetchOutcome::busy("it answers 503"), 0, now);
        assert_eq!(rest_ms(&source, now), 250, "the least that is drawn");
    }

    #[test]
    fn what_the_server_says_is_waited_for() {
        let mut source = source();
        let retry_after = Some(Duration::from_secs(90));
        source.note_failure(FetchOutcome::Busy { reason: "it answers 429".into(), retry_after }, 999, Time::ZERO);
        source.note_failure(FetchOutcome::busy("it broke off"), 0, Time::ZERO);
        assert_eq!(rest_ms(&source, Time::ZERO), 90_000);
    }

    #[test]
    fn what_is_unfit_stays_so() {
        let mut source = source();
        source.note_failure(FetchOutcome::unfit("it does not have it (404)"), 0, Time::ZERO);
        assert!(!source.is_ready(Time::from_millis(1 << 40)) && !source.is_fit());
        assert_eq!(source.stats(false, false, Time::ZERO).state, SourceState::Unfit);
        let off = Source::new(String::new(), Some(0), Time::ZERO);
        assert!(!off.is_fit(), "a limit of nothing");
    }
}
