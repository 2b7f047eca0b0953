//! The ordered presets in a live swarm: one ordered structure, and who really feeds whom.
//!
//! Where a peer stands follows from its rank ([`ReplicaGroups`], which `heap` and `relay` are with groups of one), and
//! from that who should feed it. What really happens may differ:
//!
//! * *Sources.* Who has everything when it joins is an *origin*; it stands above the root and nowhere else. Places that
//!   the source feeds are dealt to the origins that are there; without any, to others who have everything. Who gets
//!   complete stays where it stands and feeds those below as before.
//! * *Detours.* Whoever cannot connect to its feeder changes places with another where that helps (\[001\]: T8 and T17;
//!   `swapping`). If nobody can take its place, or while a feeder's socket is away, somebody else feeds it: one of its
//!   group, the source (\[001\]: "reported back to the main server"), or somebody near the root. Detours make no circles
//!   and end as soon as the place's own feeder can do it.
//! * *Nobody has everything*, as the sources are gone: then the first peer feeds those whom the source would, and what it
//!   lacks it pulls from those it is linked with, which are all connected in the end.
//!
//! *Rank* is what a peer was seen to send, relative to an origin ([`keys`]); \[000\] claims 7 to 11 leave it open. A
//! newcomer is taken for as good as an origin and stands behind all such. Who offers fewer children than its place may
//! have only takes, and so does who was seen to send less than a fifth of what others were.
//!
//! There are no laterals: who misses something pulls it over the links that its places give it.

mod feeds;
mod keys;
mod lines;
mod picturing;
#[cfg(test)]
mod tests;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use super::apart::{Apart, Loss};
use super::layout::Shape;
use super::planner::Seen;
use super::planner::measuring::{Measured, forget_reports};
use super::replica::{Handover, ReplicaGroups, Rewiring};
use super::telling::{Change, Neighbour};
use crate::ids::PeerId;
use crate::time::Time;
use feeds::Feeds;
use keys::{Key, Rating};

/// One stripe of one child.
type Line = (u8, PeerId);

#[derive(Debug)]
struct Member {
    /// Most children that it offers, in all stripes together.
    offered: u16,
    /// Whether it was seen to send so little that it only takes.
    is_weak: bool,
    complete: bool,
    /// Whether it had everything when it joined: it stands above the root.
    is_origin: bool,
    /// Whether its socket is there.
    present: bool,
    apart: Apart,
    measured: Measured,
    rating: Rating,
}

/// An ordered preset at work.
#[derive(Debug)]
pub struct OrderedPlanner {
    epoch: Duration,
    groups: ReplicaGroups<Key>,
    /// Children that one who relays may have by its place, in all stripes together.
    children_max: u16,
    members: BTreeMap<PeerId, Member>,
    /// Members that have everything, origins first.
    complete: BTreeSet<(bool, PeerId)>,
    feeds: Feeds,
    /// Lines that are not fed by whom the place says.
    astray: BTreeSet<Line>,
    epoch_at: Option<Time>,
    /// How many keys were given out.
    keys: u64,
}

impl OrderedPlanner {
    /// Without peers. Keys are looked over once an epoch.
    pub(super) fn new(shape: Shape, epoch: Duration) -> Self {
        let groups = ReplicaGroups::with_shape(shape, Handover::Corresponding);
        Self {
            epoch,
            children_max: (shape.size - 1 + shape.layout.fan_out()) as u16,
            feeds: Feeds::new(groups.stripes()),
            groups,
            members: BTreeMap::new(),
            complete: BTreeSet::new(),
            astray: BTreeSet::new(),
            epoch_at: None,
            keys: 0,
        }
    }

    /// Number of peers.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is no peer.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The longest way from where data comes from, in edges.
    pub fn depth_max(&self) -> u32 {
        self.feeds.depth_max()
    }

    /// Whether the two were told to meet.
    pub fn may_signal(&self, from: PeerId, to: PeerId) -> bool {
        self.feeds.telling.is_told(from, to)
    }

    /// When [`OrderedPlanner::retry`] is to be called.
    pub fn next_retry(&self) -> Option<Time> {
        self.epoch_at
    }

    /// Adds a peer that would feed `offered` children in all stripes together: behind all that rank as high, or above
    /// the root if it has everything.
    pub fn join(&mut self, peer: PeerId, offered: u16, complete: bool, now: Time) {
        self.leave(peer, now);
        let rating = Rating::default();
        let member = Member {
            offered,
            is_weak: false,
            complete,
            is_origin: complete,
            present: true,
            apart: Apart::default(),
            measured: Measured::default(),
            rating,
        };
        self.members.insert(peer, member);
        self.epoch_at.get_or_insert(now + self.epoch);
        if complete {
            self.complete.insert((false, peer));
            return self.set_right(now);
        }
        let key = self.new_key(rating);
        let rewiring = self.groups.insert(peer, key, self.relays(peer));
        self.rewire(&rewiring, now);
    }

    /// Takes a peer out. The last takes its place; those it fed besides get another feeder.
    pub fn leave(&mut self, peer: PeerId, now: Time) {
        self.forget_received(peer);
        let Some(member) = self.members.remove(&peer) else { return };
        self.complete.remove(&(!member.is_origin, peer));
        let mut lines: BTreeSet<Line> = self.feeds.children(peer).collect();
        lines.extend((0..self.groups.stripes()).map(|stripe| (stripe, peer)));
        let rewiring = self.groups.remove(peer);
        lines.extend(lines_of(&rewiring));
        self.settle(lines, now);
        if self.is_empty() {
            self.epoch_at = None;
        }
    }

    /// The peer has everything now: nobody feeds it any longer, and it stays where it is.
    pub fn set_complete(&mut self, peer: PeerId, now: Time) {
        let Some(member) = self.members.get_mut(&peer).filter(|member| !member.complete) else { return };
        member.complete = true;
        self.complete.insert((true, peer));
        let rewiring = self.groups.complete(peer);
        self.rewire(&rewiring, now);
    }

    /// The peer's socket broke, or is back. It keeps its place and its children; who comes below it meanwhile is fed by
    /// another.
    pub fn set_present(&mut self, peer: PeerId, present: bool) {
        if let Some(member) = self.members.get_mut(&peer) {
            member.present = present;
        }
    }

    /// One of the two says that they can't connect, or no longer: they are kept apart for a while, and who was to be
    /// fed changes places or is fed by another.
    pub fn lost(&mut self, reporter: PeerId, other: PeerId, loss: Loss, now: Time) {
        if self.may_signal(reporter, other) {
            for (peer, far) in [(reporter, other), (other, reporter)] {
                if let Some(member) = self.members.get_mut(&peer) {
                    member.apart.note(far, loss, now);
                }
            }
            self.part(reporter, other, now);
        }
    }

    /// `victim` says that `liar` sends bad bytes: the two never meet again.
    pub fn accuse(&mut self, victim: PeerId, liar: PeerId, now: Time) {
        for (peer, far) in [(victim, liar), (liar, victim)] {
            if let Some(member) = self.members.get_mut(&peer) {
                member.apart.note_for_ever(far);
            }
        }
        self.part(victim, liar, now);
    }

    /// A receiver tells what it got from a sender lately.
    pub fn note_received(&mut self, from: PeerId, by: PeerId, bytes_per_s: u64, waited: bool, now: Time) {
        if let Some(member) = self.members.get_mut(&from) {
            member.measured.note_received(by, bytes_per_s, waited, now);
        }
        if let Some(member) = self.members.get_mut(&by) {
            member.measured.note_told_of(from);
        }
    }

    /// What a receiver told before of others is no longer so: it is about to tell anew, or has gone.
    pub fn forget_received(&mut self, by: PeerId) {
        forget_reports(&mut self.members, by, |member| &mut member.measured);
    }

    /// A peer says whether its uplink is at its limit.
    pub fn note_limited(&mut self, peer: PeerId, is_limited: bool, bytes_per_s: u64) {
        if let Some(member) = self.members.get_mut(&peer) {
            member.measured.note_limited(is_limited, bytes_per_s);
        }
    }

    /// What a peer was seen to send, if it was.
    pub fn seen(&self, peer: PeerId) -> Option<Seen> {
        self.members.get(&peer)?.measured.seen()
    }

    /// Puts peers in order by what was measured, and ends detours that need be no longer, when an epoch is over.
    pub fn retry(&mut self, now: Time) {
        if self.epoch_at.is_some_and(|at| at <= now) {
            self.epoch_at = Some(now + self.epoch);
            self.put_in_order(now);
            self.part_weak(now);
            self.level(now);
            self.mend(now);
            self.set_right(now);
        }
    }

    /// What has changed since the last call, for each end of each edge, ordered by whom to tell.
    pub fn take_changes(&mut self) -> Vec<Change> {
        let mut telling = core::mem::take(&mut self.feeds.telling);
        let changes = telling.take_changes(|low, high| self.feeds.neighbour(low, high));
        self.feeds.telling = telling;
        changes
    }

    /// What `other` is to `peer` by the plan.
    pub fn neighbour(&self, peer: PeerId, other: PeerId) -> Option<Neighbour> {
        self.feeds.neighbour(peer, other)
    }

    /// All neighbours of a peer by the plan, for one who has to be told all of it again.
    pub fn neighbours(&self, peer: PeerId) -> Vec<(PeerId, Neighbour)> {
        self.feeds.neighbours(peer)
    }

    /// Whether a peer feeds others by its place.
    fn relays(&self, peer: PeerId) -> bool {
        self.members.get(&peer).is_some_and(|member| member.offered >= self.children_max && !member.is_weak)
    }

    /// Some peers stand elsewhere: the lines concerned get the feeders that their places give them.
    fn rewire(&mut self, rewiring: &Rewiring, now: Time) {
        self.settle(lines_of(rewiring), now);
    }

    /// Looks again at all lines that are astray.
    fn set_right(&mut self, now: Time) {
        let lines = self.astray.clone();
        for line in lines {
            self.set_line_right(line, now);
        }
    }
}

/// Who may be fed by another than before.
fn lines_of(rewiring: &Rewiring) -> BTreeSet<Line> {
    rewiring.close.iter().chain(&rewiring.open).map(|feed| (feed.stripe, feed.child)).collect()
}

#[cfg(test)]
impl OrderedPlanner {
    /// Checks what must always hold; slow.
    fn check(&self) {
        self.groups.check();
        self.feeds.check();
        for (peer, member) in &self.members {
            assert_eq!(self.complete.contains(&(!member.is_origin, *peer)), member.complete);
            assert_eq!(self.groups.group(*peer).is_none(), member.is_origin, "origins stand above all places");
            for stripe in 0..self.groups.stripes() {
                self.check_line(stripe, *peer);
            }
            for (_, child) in self.feeds.children(*peer) {
                assert!(self.members.contains_key(&child), "nobody feeds one who is gone");
            }
        }
        assert!(self.astray.iter().all(|(stripe, child)| self.groups.parent(*stripe, *child).is_some()));
    }

    fn check_line(&self, stripe: u8, child: PeerId) {
        let feeder = self.feeds.parent(stripe, child);
        if self.astray.contains(&(stripe, child)) {
            return;
        }
        match self.groups.parent(stripe, child) {
            Some(super::Feeder::Peer(placed)) => assert_eq!(feeder, Some(placed), "as the place says"),
            Some(super::Feeder::Source) => assert!(feeder.is_some_and(|feeder| self.members[&feeder].complete)),
            None => assert_eq!(feeder, None, "who has everything is fed by nobody"),
        }
    }
}
