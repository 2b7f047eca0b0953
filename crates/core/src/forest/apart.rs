//! Whom a peer could not connect to, or lost.

use core::time::Duration;
use std::collections::BTreeMap;

use crate::ids::PeerId;
use crate::time::Time;

/// How long a pair that could not connect is kept apart; twice as long each further time.
const UNREACHED: Duration = Duration::from_secs(20);
/// How long a pair whose link broke is; likewise.
const BROKEN: Duration = Duration::from_secs(2);
/// How often those double.
const DOUBLINGS_MAX: u32 = 5;
/// Pairs remembered for each peer; the one that ends soonest goes first.
const PAIRS_MAX: usize = 32;

/// How a link was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It did not come about: most likely it does not in a moment either.
    Unreached,
    /// It was open, so the two can connect.
    Broken,
}

/// One peer's memory of failed connections (\[001\]: failures are recorded).
#[derive(Debug, Default)]
pub(super) struct Apart(BTreeMap<PeerId, Failed>);

#[derive(Clone, Copy, Debug)]
struct Failed {
    until: Time,
    times: u32,
}

impl Apart {
    /// Whether the two are not to be put together.
    pub(super) fn contains(&self, other: PeerId, now: Time) -> bool {
        self.0.get(&other).is_some_and(|failed| failed.until > now)
    }

    /// The two could not connect, or no longer.
    pub(super) fn note(&mut self, other: PeerId, loss: Loss, now: Time) {
        let times = self.0.get(&other).map_or(0, |failed| failed.times);
        let first = match loss {
            Loss::Unreached => UNREACHED,
            Loss::Broken => BROKEN,
        };
        let until = now + first * 2_u32.pow(times.min(DOUBLINGS_MAX));
        self.insert(other, Failed { until, times: times.saturating_add(1) });
    }

    /// The two never meet again.
    pub(super) fn note_for_ever(&mut self, other: PeerId) {
        self.insert(other, Failed { until: Time::from_micros(u64::MAX), times: u32::MAX });
    }

    fn insert(&mut self, other: PeerId, failed: Failed) {
        let before = self.0.get(&other).map_or(Time::ZERO, |failed| failed.until);
        self.0.insert(other, Failed { until: failed.until.max(before), ..failed });
        if self.0.len() > PAIRS_MAX {
            let soonest = self.0.iter().min_by_key(|(_, failed)| failed.until).map(|(other, _)| *other);
            self.0.remove(&soonest.expect("it is over its limit, so not empty"));
        }
    }
}
