//! Who really feeds whom: the edges as they are told, where places say only as they should be.

use std::collections::{BTreeMap, BTreeSet};

use crate::forest::telling::{Neighbour, Telling};
use crate::ids::PeerId;
use crate::wire::tracker::StripeMask;

/// Edges by their lower end, and by their upper end. There is never a circle.
#[derive(Debug)]
pub(super) struct Feeds {
    stripes: u8,
    parents: BTreeMap<(u8, PeerId), PeerId>,
    children: BTreeMap<PeerId, BTreeSet<(u8, PeerId)>>,
    pub(super) telling: Telling,
}

impl Feeds {
    pub(super) fn new(stripes: u8) -> Self {
        Self { stripes, parents: BTreeMap::new(), children: BTreeMap::new(), telling: Telling::default() }
    }

    pub(super) fn parent(&self, stripe: u8, child: PeerId) -> Option<PeerId> {
        self.parents.get(&(stripe, child)).copied()
    }

    /// What a peer feeds, by stripe.
    pub(super) fn children(&self, peer: PeerId) -> impl Iterator<Item = (u8, PeerId)> + '_ {
        self.children.get(&peer).into_iter().flatten().copied()
    }

    pub(super) fn child_count(&self, peer: PeerId) -> usize {
        self.children.get(&peer).map_or(0, BTreeSet::len)
    }

    /// Whether a peer gets the stripe from `top`, directly or not, or is it.
    pub(super) fn is_below(&self, stripe: u8, peer: PeerId, top: PeerId) -> bool {
        self.way_up(stripe, peer).any(|above| above == top)
    }

    /// The peer, who feeds it, who feeds that one, and so on.
    pub(super) fn way_up(&self, stripe: u8, peer: PeerId) -> impl Iterator<Item = PeerId> + '_ {
        core::iter::successors(Some(peer), move |at| self.parent(stripe, *at))
    }

    pub(super) fn set(&mut self, stripe: u8, child: PeerId, parent: PeerId) {
        debug_assert!(!self.is_below(stripe, parent, child), "no circles");
        self.unset(stripe, child);
        self.parents.insert((stripe, child), parent);
        self.children.entry(parent).or_default().insert((stripe, child));
        self.telling.touch(parent, child);
    }

    pub(super) fn unset(&mut self, stripe: u8, child: PeerId) {
        let Some(parent) = self.parents.remove(&(stripe, child)) else { return };
        if let Some(children) = self.children.get_mut(&parent) {
            children.remove(&(stripe, child));
            if children.is_empty() {
                self.children.remove(&parent);
            }
        }
        self.telling.touch(parent, child);
    }

    /// What `other` is to `peer`.
    pub(super) fn neighbour(&self, peer: PeerId, other: PeerId) -> Option<Neighbour> {
        let stripes_of = |child, parent| {
            let fed = (0..self.stripes).filter(|stripe| self.parent(*stripe, child) == Some(parent));
            fed.fold(StripeMask::NONE, |mask, stripe| mask.union(StripeMask::one(stripe)))
        };
        let neighbour =
            Neighbour { parent: stripes_of(peer, other), child: stripes_of(other, peer), ..Neighbour::default() };
        (!neighbour.parent.is_empty() || !neighbour.child.is_empty()).then_some(neighbour)
    }

    pub(super) fn neighbours(&self, peer: PeerId) -> Vec<(PeerId, Neighbour)> {
        let parents = (0..self.stripes).filter_map(|stripe| self.parent(stripe, peer));
        let others: BTreeSet<PeerId> = parents.chain(self.children(peer).map(|(_, child)| child)).collect();
        others.into_iter().filter_map(|other| Some((other, self.neighbour(peer, other)?))).collect()
    }

    /// The longest way, in edges.
    pub(super) fn depth_max(&self) -> u32 {
        let mut depths: BTreeMap<(u8, PeerId), u32> = BTreeMap::new();
        for (stripe, child) in self.parents.keys() {
            let is_new = |peer: &PeerId| !depths.contains_key(&(*stripe, *peer));
            let way: Vec<PeerId> = self.way_up(*stripe, *child).take_while(is_new).collect();
            for peer in way.into_iter().rev() {
                let above = self.parent(*stripe, peer).map(|parent| depths[&(*stripe, parent)]);
                depths.insert((*stripe, peer), above.map_or(0, |above| above + 1));
            }
        }
        depths.into_values().max().unwrap_or(0)
    }

    /// Checks what must always hold; slow, for tests.
    #[cfg(test)]
    pub(super) fn check(&self) {
        let listed: usize = self.children.values().map(BTreeSet::len).sum();
        assert_eq!(listed, self.parents.len());
        for ((stripe, child), parent) in &self.parents {
            assert!(self.children[parent].contains(&(*stripe, *child)));
            assert!(self.way_up(*stripe, *parent).all(|above| above != *child), "no circles");
        }
    }
}
