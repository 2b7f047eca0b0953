//! Pairs that are parted, and for how long.
//!
//! A pair that could not connect most likely can't in a moment either, because of the networks that it is in: it is left
//! alone for a while. A pair whose link was open can connect, as was seen; perhaps one of the two was asleep. It is
//! avoided as long, but only while there is somebody else: who finds nobody is put *back* below the peer that it lost,
//! and goes on to the first other that has room. A link that breaks again and again is as good as none.

use core::time::Duration;

use super::{AVOID_MAX, Planner};
use crate::forest::apart::Loss;
use crate::ids::PeerId;
use crate::time::Time;

/// How long a pair that could not connect, or no longer, is avoided.
pub(super) const AVOID: Duration = Duration::from_secs(20);
/// A pair whose link broke so often, never longer than [`AVOID`] apart, can't connect. Both ends tell of a break, and one
/// of them may do so late.
const BREAKS_MAX: u8 = 3;

/// What is remembered of a pair that was parted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Parted {
    /// Not put together before, unless there is nobody else.
    pub(super) until: Time,
    /// Not put together before at all.
    strictly_until: Time,
    /// How often its link broke, never longer than [`AVOID`] apart.
    breaks: u8,
}

impl Planner {
    /// One of the two says that they can't connect, or no longer: the edge goes, and they are kept apart for a while.
    pub fn lost(&mut self, reporter: PeerId, other: PeerId, loss: Loss, now: Time) {
        // A parent that is waited for since a restart is not known here, so nobody was told of it.
        for (stripe, peer) in self.take_expectations(reporter, |parent, _| parent == other) {
            self.provisional.remove(&(stripe, peer));
            self.place(stripe, peer, now);
        }
        if self.may_signal(reporter, other) {
            for (peer, far) in [(reporter, other), (other, reporter)] {
                self.note_loss(peer, far, loss, now);
            }
            self.part(reporter, other, now);
        }
        self.schedule_retry(now);
    }

    /// `victim` says that `liar` sends bad bytes: the two never meet again.
    pub fn accuse(&mut self, victim: PeerId, liar: PeerId, now: Time) {
        self.keep_apart(victim, liar, Time::from_micros(u64::MAX));
        self.part(victim, liar, now);
    }

    /// One of a pair is not put below the other until then, whoever else there is.
    pub(super) fn keep_apart(&mut self, peer: PeerId, other: PeerId, until: Time) {
        self.remember(peer, other, |before| Parted {
            until: until.max(before.until),
            strictly_until: until.max(before.strictly_until),
            ..before
        });
    }

    fn note_loss(&mut self, peer: PeerId, other: PeerId, loss: Loss, now: Time) {
        if loss == Loss::Broken {
            let mut breaks = 0;
            self.remember(peer, other, |before| {
                breaks = if before.until > now { before.breaks.saturating_add(1) } else { 1 };
                Parted { until: before.until.max(now + AVOID), breaks, ..before }
            });
            if breaks < BREAKS_MAX {
                return;
            }
        }
        self.keep_apart(peer, other, now + AVOID);
    }

    fn remember(&mut self, peer: PeerId, other: PeerId, change: impl FnOnce(Parted) -> Parted) {
        let Some(member) = self.members.get_mut(&peer) else { return };
        let before = member.avoid.get(&other).copied().unwrap_or_default();
        member.avoid.insert(other, change(before));
        if member.avoid.len() > AVOID_MAX {
            let soonest = member.avoid.iter().min_by_key(|(_, parted)| parted.until).map(|(other, _)| *other);
            member.avoid.remove(&soonest.expect("it is over its limit, so not empty"));
        }
    }

    /// Whether somebody else is better.
    pub(super) fn is_avoided(&self, peer: PeerId, other: PeerId, now: Time) -> bool {
        self.members.get(&peer).and_then(|member| member.avoid.get(&other)).is_some_and(|parted| parted.until > now)
    }

    /// Ends every edge between two peers and places the lower end of each again.
    pub(super) fn part(&mut self, one: PeerId, other: PeerId, now: Time) {
        self.end_laterals(one, other);
        self.touch(one, other);
        for stripe in 0..self.config.stripes {
            for (child, parent) in [(one, other), (other, one)] {
                if self.tree(stripe).parent(child) == Some(parent) {
                    self.detach(stripe, child);
                    self.place(stripe, child, now);
                }
            }
        }
        self.settle_provisional(now);
        self.schedule_retry(now);
    }

    /// For one that finds nobody else: back below a peer whose link it lost, if that has room.
    pub(super) fn put_back(&mut self, stripe: u8, peer: PeerId, now: Time) {
        let Some(member) = self.members.get(&peer) else { return };
        let tree = self.tree(stripe);
        let lost = member.avoid.iter().filter(|(_, parted)| parted.strictly_until <= now).map(|(other, _)| *other);
        let open = lost.filter(|other| tree.is_open(*other) && !tree.is_below(*other, peer));
        let Some(parent) = open.min_by_key(|other| tree.depth(*other)) else { return };
        if self.attach(stripe, peer, parent) {
            self.put_back.insert((stripe, peer));
        }
    }

    /// Those who were put back go to somebody else if there is one now.
    pub(super) fn move_on(&mut self, now: Time) {
        for (stripe, peer) in core::mem::take(&mut self.put_back) {
            let parent = self.tree(stripe).parent(peer);
            if !parent.is_some_and(|parent| self.is_avoided(peer, parent, now)) {
                continue;
            }
            if self.find_slot(stripe, peer, now).is_some() {
                self.place(stripe, peer, now);
            } else {
                self.put_back.insert((stripe, peer));
            }
        }
    }
}
