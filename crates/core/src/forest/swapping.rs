//! Who may take the place of one who cannot be reached there.
//!
//! \[001\]: a terminal that its relay cannot reach "is moved down the target list" and the next fastest of its subset
//! promoted (T8 and T17 in figure 4); another is tried if that fails too.

use super::replica::ReplicaGroups;
use crate::ids::PeerId;

/// Leaves that are tried, each way, as another place for a leaf.
const LEAVES_TRIED: usize = 64;

impl<K: Ord + Copy> ReplicaGroups<K> {
    /// Those with whom a peer can be swapped so that somebody else tries to reach it, best first: others of its group;
    /// who stands below, the best rank first; for a leaf without group, leaves of other parents, later ones first.
    /// All relay if it does, and only take if it only takes.
    pub(super) fn substitutes(&self, peer: PeerId) -> impl Iterator<Item = PeerId> + '_ {
        let position = self.ranking().place(peer);
        let candidates = position.map(|position| self.places_to_swap(position)).unwrap_or_default();
        let relays = position.map(|position| self.ranking().rank(position).0);
        let fitting = candidates.into_iter().filter(move |other| Some(self.ranking().rank(*other).0) == relays);
        fitting.filter_map(|other| self.ranking().occupant(other)).map(|who| who.peer)
    }

    fn places_to_swap(&self, position: usize) -> Vec<usize> {
        let shape = self.ranking().shape;
        let group = shape.group(position);
        let mates = shape.positions(group).filter(|other| *other != position && *other < self.len());
        let mut below: Vec<usize> = shape.below(group).flat_map(|group| shape.positions(group)).collect();
        below.retain(|other| *other < self.len());
        below.sort_by_key(|other| core::cmp::Reverse(self.ranking().rank(*other)));
        let mut places: Vec<usize> = mates.chain(below).collect();
        if places.is_empty() {
            places = self.other_leaves(position);
        }
        places
    }

    /// Leaves that another one feeds, those after the position first.
    fn other_leaves(&self, position: usize) -> Vec<usize> {
        let shape = self.ranking().shape;
        let above = |other: usize| shape.above(shape.group(other));
        let is_leaf =
            |other: &usize| shape.below(shape.group(*other)).all(|group| shape.positions(group).start >= self.len());
        let after = (position + 1..self.len()).take(LEAVES_TRIED);
        let before = (0..position).rev().take(LEAVES_TRIED).filter(is_leaf);
        after.chain(before).filter(|other| above(*other) != above(position)).collect()
    }
}
