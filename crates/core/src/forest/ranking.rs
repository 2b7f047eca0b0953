//! Peers in an array, in heap order by group.
//!
//! Each peer stands at one position; [`Shape`] says which positions form a group and which group is above which. Two
//! things always hold:
//!
//! * *Order*: nobody in a group ranks above anybody in the group that feeds it. With groups of one this is the heap of
//!   \[000\] claims 6 to 11.
//! * *Zones*: those who relay stand before those who only take. \[001\] puts terminals that do not relay "at the end of
//!   lists of target terminals", where they are leaves as long as the others suffice.
//!
//! A *rank* belongs to a position and is its peer's key until two peers are swapped by hand. They exchange their ranks
//! too, so that the swap lasts and the order holds; a peer's next key of its own ends that.
//!
//! A *move* is a peer that gets another position. Ranks rise or sink along one path, one move for each level, so with
//! `L` levels each operation costs at most `2·L` moves: `L` where all relay, and as many again where somebody who only
//! takes has to make room.

use core::cmp::Reverse;
use std::collections::BTreeMap;

use super::layout::{Above, Shape};
use crate::ids::PeerId;

/// Greater is nearer to the source; equal keys are told apart by the id, the smaller one first.
type Rank<K> = (K, Reverse<PeerId>);

#[derive(Clone, Debug)]
struct Entry<K> {
    who: Occupant,
    key: K,
    rank: Rank<K>,
}

/// Who stands at a position, as far as the edges depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Occupant {
    pub(super) peer: PeerId,
    /// Whether it passes anything on.
    pub(super) relays: bool,
    /// Whether it has everything, so that nobody needs to feed it.
    pub(super) complete: bool,
}

/// What was different before an operation.
#[derive(Clone, Debug, Default)]
pub(super) struct Journal {
    /// Who stood at the positions touched.
    pub(super) before: BTreeMap<usize, Option<Occupant>>,
    /// How many relayed.
    pub(super) relays: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Ranking<K> {
    pub(super) shape: Shape,
    entries: Vec<Entry<K>>,
    places: BTreeMap<PeerId, usize>,
    relays: usize,
    journal: Journal,
}

impl<K: Ord + Copy> Ranking<K> {
    pub(super) fn new(shape: Shape) -> Self {
        Self { shape, entries: Vec::new(), places: BTreeMap::new(), relays: 0, journal: Journal::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Those who relay have the positions up to here.
    pub(super) fn relays(&self) -> usize {
        self.relays
    }

    pub(super) fn place(&self, peer: PeerId) -> Option<usize> {
        self.places.get(&peer).copied()
    }

    pub(super) fn occupant(&self, position: usize) -> Option<Occupant> {
        self.entries.get(position).map(|entry| entry.who)
    }

    pub(super) fn key(&self, peer: PeerId) -> Option<K> {
        Some(self.entries[self.place(peer)?].key)
    }

    pub(super) fn rank(&self, position: usize) -> (bool, Rank<K>) {
        let entry = &self.entries[position];
        (entry.who.relays, entry.rank)
    }

    /// What has changed since this was last asked.
    pub(super) fn take_journal(&mut self) -> Journal {
        core::mem::replace(&mut self.journal, Journal { before: BTreeMap::new(), relays: self.relays })
    }

    /// Adds a peer that is not there yet: at the end, then up as far as its rank carries it.
    pub(super) fn insert(&mut self, peer: PeerId, key: K, relays: bool) {
        let end = self.len();
        self.touch(end);
        let who = Occupant { peer, relays: false, complete: false };
        self.entries.push(Entry { who, key, rank: (key, Reverse(peer)) });
        self.places.insert(peer, end);
        match relays {
            true => self.enter_relays(end),
            false => _ = self.sift_up(end),
        }
    }

    /// Takes the peer at a position out. The last of its zone, and after it the last of all, fill the holes.
    pub(super) fn remove(&mut self, position: usize) {
        let mut hole = position;
        if self.entries[position].who.relays {
            hole = self.last_relay_to(position);
        }
        let end = self.len() - 1;
        self.exchange(hole, end);
        self.touch(end);
        let entry = self.entries.pop().expect("the position exists, so there is a last one");
        self.places.remove(&entry.who.peer);
        if hole < end {
            self.settle(hole);
        }
        if position < hole {
            self.settle(position);
        }
    }

    /// Gives a peer a key of its own and the rank that goes with it. A key that it has already changes nothing.
    pub(super) fn set_key(&mut self, position: usize, key: K) {
        let entry = &mut self.entries[position];
        if entry.key != key {
            entry.key = key;
            entry.rank = (key, Reverse(entry.who.peer));
            self.settle(position);
        }
    }

    pub(super) fn set_relays(&mut self, position: usize, relays: bool) {
        match (self.entries[position].who.relays, relays) {
            (false, true) => self.enter_relays(position),
            (true, false) => {
                let hole = self.last_relay_to(position);
                self.settle(hole);
                if position < hole {
                    self.settle(position);
                }
            }
            _ => {}
        }
    }

    pub(super) fn set_complete(&mut self, position: usize, complete: bool) {
        self.touch(position);
        self.entries[position].who.complete = complete;
    }

    /// Two peers of one zone take each other's position and rank. False, and nothing changed, if their zones differ.
    pub(super) fn swap(&mut self, one: usize, other: usize) -> bool {
        if self.entries[one].who.relays != self.entries[other].who.relays {
            return false;
        }
        self.exchange(one, other);
        let rank = self.entries[one].rank;
        self.entries[one].rank = self.entries[other].rank;
        self.entries[other].rank = rank;
        true
    }

    /// One who stands where nobody is below, and one who stands above others and ranks lower, change places; the first
    /// then rises as far as its rank carries it. Nobody else is out of order after that: the first ranks above all that
    /// the second did, and nobody is below the second any longer.
    pub(super) fn promote(&mut self, leaf: usize, interior: usize) {
        self.exchange(leaf, interior);
        self.sift_up(interior);
    }

    /// Whether anybody stands below the group of a position.
    pub(super) fn is_interior(&self, position: usize) -> bool {
        let mut below = self.shape.below(self.shape.group(position));
        below.any(|group| self.shape.positions(group).start < self.len())
    }

    /// Somebody who only took relays from now on: it takes the first position after those who do already.
    fn enter_relays(&mut self, position: usize) {
        let first = self.relays;
        self.exchange(position, first);
        self.touch(first);
        self.entries[first].who.relays = true;
        self.relays += 1;
        if position != first {
            self.settle(position);
        }
        self.sift_up(first);
    }

    /// Somebody who relayed only takes from now on: it and the last who relays change places. Returns its new one.
    /// Neither is in order yet.
    fn last_relay_to(&mut self, position: usize) -> usize {
        let last = self.relays - 1;
        self.exchange(position, last);
        self.touch(last);
        self.entries[last].who.relays = false;
        self.relays = last;
        last
    }

    /// Brings the peer at a position, the only one out of order around there, to where it belongs.
    fn settle(&mut self, position: usize) {
        if self.sift_up(position) == position {
            self.sift_down(position);
        }
    }

    /// Changes places with the last in rank of the group above, as long as one's own rank is greater.
    fn sift_up(&mut self, mut position: usize) -> usize {
        while let Above::Group(above) | Above::Primary(above) = self.shape.above(self.shape.group(position)) {
            // The group above is full, since there are later positions.
            let worst = self.shape.positions(above).min_by_key(|other| self.rank(*other));
            let worst = worst.expect("a group has at least one position");
            if self.rank(worst) >= self.rank(position) {
                break;
            }
            self.exchange(position, worst);
            position = worst;
        }
        position
    }

    /// Changes places with the first in rank of the groups below, as long as that rank is greater.
    fn sift_down(&mut self, mut position: usize) {
        loop {
            let below = self.shape.below(self.shape.group(position)).flat_map(|group| self.shape.positions(group));
            let best = below.filter(|other| *other < self.len()).max_by_key(|other| self.rank(*other));
            let Some(best) = best.filter(|best| self.rank(*best) > self.rank(position)) else { return };
            self.exchange(position, best);
            position = best;
        }
    }

    fn exchange(&mut self, one: usize, other: usize) {
        if one == other {
            return;
        }
        self.touch(one);
        self.touch(other);
        self.entries.swap(one, other);
        for position in [one, other] {
            self.places.insert(self.entries[position].who.peer, position);
        }
    }

    /// Notes who stands at a position, before that changes for the first time.
    fn touch(&mut self, position: usize) {
        let occupant = self.occupant(position);
        self.journal.before.entry(position).or_insert(occupant);
    }

    /// Checks what must always hold; slow, for tests.
    #[cfg(test)]
    pub(super) fn check(&self) {
        assert_eq!(self.places.len(), self.len());
        for (position, entry) in self.entries.iter().enumerate() {
            assert_eq!(self.place(entry.who.peer), Some(position));
            assert_eq!(entry.who.relays, position < self.relays, "those who relay stand first");
            if let Above::Group(above) | Above::Primary(above) = self.shape.above(self.shape.group(position)) {
                let in_order = |other: usize| self.rank(other) >= self.rank(position);
                assert!(self.shape.positions(above).all(in_order), "nobody ranks above who feeds its group");
            }
        }
    }
}
