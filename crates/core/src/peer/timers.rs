//! Timers of all subsystems, merged with a reason.

use std::collections::BTreeMap;

use crate::time::Time;

/// Why a peer wants to be called again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The tracker: try again, give up an attempt, or notice its silence.
    Tracker,
    /// Tell the tracker how this peer fares.
    Status,
    /// Tell the tracker how fast probes came.
    Probed,
    /// Tell neighbours what is held since they were told last.
    Announce,
    /// Look over the links: pings, dead ends, stalled feeders, overdue requests.
    Maintain,
    /// What is worth asking for may have changed.
    Pull,
    /// Web servers: one may be asked (again), or takes too long.
    Fetch,
    /// The upload limit allows the next message.
    Upload,
    /// Look others up, or try those that were found.
    LookUp,
    /// Closing takes too long: stop without it.
    Stop,
}

/// One deadline a reason.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers(BTreeMap<Reason, Time>);

impl Timers {
    /// Sets, or moves, a deadline.
    pub(super) fn set(&mut self, reason: Reason, at: Time) {
        self.0.insert(reason, at);
    }

    /// Sets a deadline unless one is set already.
    pub(super) fn set_if_unset(&mut self, reason: Reason, at: Time) {
        self.0.entry(reason).or_insert(at);
    }

    /// Sets a deadline, or moves it if this one is sooner.
    pub(super) fn set_if_sooner(&mut self, reason: Reason, at: Time) {
        self.0.entry(reason).and_modify(|set| *set = at.min(*set)).or_insert(at);
    }

    /// Whether a deadline is set.
    pub(super) fn is_set(&self, reason: Reason) -> bool {
        self.0.contains_key(&reason)
    }

    /// Takes a deadline away.
    pub(super) fn clear(&mut self, reason: Reason) {
        self.0.remove(&reason);
    }

    /// Takes all away.
    pub(super) fn clear_all(&mut self) {
        self.0.clear();
    }

    /// The soonest.
    pub(super) fn next(&self) -> Option<(Time, Reason)> {
        self.0.iter().map(|(reason, at)| (*at, *reason)).min()
    }

    /// Takes out one that is due.
    pub(super) fn take_due(&mut self, now: Time) -> Option<Reason> {
        let (_, reason) = self.next().filter(|(at, _)| *at <= now)?;
        self.0.remove(&reason);
        Some(reason)
    }
}
