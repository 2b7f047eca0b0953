//! One ordered tree: the connection structure of \[000\] and the relays of \[001\].
//!
//! *\[000\].* Clients are nodes of an ordered binary tree and what connections they have follows from where they are
//! (claims 3 and 6). The tree is an incomplete binary heap, ordered by network connection speed or any other
//! characteristic (claims 7 to 11): a newcomer takes the position after the last and rises, the last fills the hole of
//! one who goes and sinks or rises. [`Layout::BINARY`]; the claims place clients only, so the source is above the root.
//!
//! *\[001\].* A main server serves the `N` fastest terminals, 2 to 5, and each relay the `N` fastest of its share; the
//! ranked list is dealt to them in turn (figure 4: 39 terminals, `N = 3`). [`Layout::Stride`]; built from the ranked
//! list the tree is figure 4 itself, and kept in heap order afterwards, as who is faster must be earlier in its branch.
//! Where a transfer fails, the terminal "is moved down the target list" and the next fastest of its subset promoted:
//! [`OrderedTree::demote`]. Terminals that do not relay are leaves, as \[001\] has it, while the others suffice.
//!
//! Both are groups of one in the terms of [`ReplicaGroups`], and this is a thin face of it for the tests of the two: one
//! stripe, number 0. A live swarm has the groups themselves ([`OrderedPlanner`](super::OrderedPlanner)).

use super::layout::{Layout, Shape};
use super::replica::{Feeder, Handover, ReplicaGroups, Rewiring};
use crate::ids::PeerId;

/// A tree in heap order by key, the greatest key nearest to the source.
///
/// Equal keys are told apart by the peer's id. With `L` levels, the logarithm of how many there are to the base of the
/// fan-out `f`, an operation moves at most `L` peers where all relay, else `2·L` (a swap: two), and closes and
/// opens at most `f + 1` edges for each, and as many for the place of one who goes.
#[derive(Clone, Debug)]
pub(super) struct OrderedTree<K> {
    nodes: ReplicaGroups<K>,
}

impl<K: Ord + Copy> OrderedTree<K> {
    /// Without peers.
    pub(super) fn new(layout: Layout) -> Self {
        let shape = Shape { layout, size: 1, primary: usize::MAX };
        Self { nodes: ReplicaGroups::with_shape(shape, Handover::Corresponding) }
    }

    /// With these peers, who all relay, put to their places at once: the ranked list of \[001\].
    pub(super) fn build(layout: Layout, peers: impl IntoIterator<Item = (PeerId, K)>) -> Self {
        let mut tree = Self::new(layout);
        tree.nodes.insert_ranked(peers);
        tree
    }

    /// How many peers there are.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The peers in the order of their positions: level by level.
    pub(super) fn iter(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.nodes.iter()
    }

    /// Levels below the source.
    pub(super) fn levels(&self) -> usize {
        self.len().checked_sub(1).map_or(0, |last| self.layout().level(last))
    }

    /// The peer's own key, whatever place it has been swapped to.
    pub(super) fn key(&self, peer: PeerId) -> Option<K> {
        self.nodes.key(peer)
    }

    /// Who feeds the peer; nobody if it has everything or is not there. Where the one above only takes, the source.
    pub(super) fn parent(&self, peer: PeerId) -> Option<Feeder> {
        self.nodes.parent(0, peer)
    }

    /// Whom the peer feeds, at most as many as the fan-out.
    pub(super) fn children(&self, peer: PeerId) -> Vec<PeerId> {
        self.nodes.children(peer).into_iter().map(|feed| feed.child).collect()
    }

    /// Steps from the source, or from the nearest one above who has everything.
    pub(super) fn depth(&self, peer: PeerId) -> usize {
        self.nodes.depth(0, peer)
    }

    /// Adds a peer, with whether it passes on what it gets. For one who is there already this is
    /// [`set_key`](Self::set_key) and [`set_relays`](Self::set_relays) in one.
    pub(super) fn insert(&mut self, peer: PeerId, key: K, relays: bool) -> Rewiring {
        self.nodes.insert(peer, key, relays)
    }

    /// Takes a peer out, if it is there.
    pub(super) fn remove(&mut self, peer: PeerId) -> Rewiring {
        self.nodes.remove(peer)
    }

    /// Gives a peer another key, which ends what a swap did to its rank. The key that it has changes nothing.
    pub(super) fn set_key(&mut self, peer: PeerId, key: K) -> Rewiring {
        self.nodes.set_key(peer, key)
    }

    /// Says whether a peer passes on what it gets.
    pub(super) fn set_relays(&mut self, peer: PeerId, relays: bool) -> Rewiring {
        self.nodes.set_relays(peer, relays)
    }

    /// The peer has everything: nobody feeds it from now on, and it goes on feeding those below.
    pub(super) fn complete(&mut self, peer: PeerId) -> Rewiring {
        self.nodes.complete(peer)
    }

    /// Two peers take each other's place, until either gets another key. Nothing changes unless both relay or both
    /// only take.
    pub(super) fn swap(&mut self, one: PeerId, other: PeerId) -> Rewiring {
        self.nodes.swap(one, other)
    }

    /// The peer's parent cannot reach it: it is swapped with the best of its children that `may_rise`, so that another
    /// tries to reach it; a leaf is swapped with a later, else an earlier, leaf of another parent. `None`, and nothing
    /// changed, if there is nobody: then the source has to feed it ("reported back to the main server", \[001\]).
    ///
    /// The caller knows which pairs have failed before, so `may_rise` is what makes the next call try the next option.
    pub(super) fn demote(&mut self, peer: PeerId, may_rise: impl Fn(PeerId) -> bool) -> Option<Rewiring> {
        let chosen = self.nodes.substitutes(peer).find(|other| may_rise(*other))?;
        Some(self.nodes.swap(peer, chosen))
    }

    fn layout(&self) -> Layout {
        self.nodes.ranking().shape.layout
    }

    /// Checks what must always hold; slow, for tests.
    fn check(&self) {
        self.nodes.check();
    }
}

mod tests;
