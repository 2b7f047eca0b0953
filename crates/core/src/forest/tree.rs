//! The tree of one stripe.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::PeerId;

/// Where a peer stands in one stripe.
#[derive(Clone, Debug, Default)]
struct Node {
    parent: Option<PeerId>,
    children: BTreeSet<PeerId>,
    /// Edges to the root above; only right while `anchored`.
    depth: u32,
    /// Whether the node's root is one that data comes from; others are orphans that wait for a place.
    anchored: bool,
    /// Whether a new child may be placed here.
    open: bool,
    /// Whether it is meant to have children in this stripe. Who is not gives way to who is.
    interior: bool,
    /// What it has to do in all stripes; orders peers of equal depth.
    load: u32,
}

impl Node {
    fn is_leaf(&self) -> bool {
        !self.interior && self.parent.is_some() && self.children.is_empty()
    }
}

/// Leaves looked at to find one that gives way.
const LEAVES_TRIED: usize = 16;

/// A place where a child may go, best first: shallow, then idle, then by id.
type Slot = (u32, u32, PeerId);

/// Parents, children and free slots of one stripe. Every walk is bounded by the tree's depth or by the moved subtree.
#[derive(Clone, Debug, Default)]
pub(super) struct StripeTree {
    nodes: BTreeMap<PeerId, Node>,
    slots: BTreeSet<Slot>,
    /// Peers below a root that are not meant to have children here and have none, by depth.
    leaves: BTreeSet<(u32, PeerId)>,
}

impl StripeTree {
    /// Adds a peer without parent or children, as an orphan.
    pub(super) fn insert(&mut self, peer: PeerId) {
        debug_assert!(!self.nodes.contains_key(&peer));
        self.nodes.insert(peer, Node::default());
    }

    /// Takes a peer out. Its children, which are returned, become orphans.
    pub(super) fn remove(&mut self, peer: PeerId) -> Vec<PeerId> {
        self.detach(peer);
        self.unlist(peer);
        let Some(node) = self.nodes.remove(&peer) else { return Vec::new() };
        for child in &node.children {
            self.node_mut(*child).parent = None;
            self.set_anchored(*child, false, 0);
        }
        node.children.into_iter().collect()
    }

    /// The peer above, if any.
    pub(super) fn parent(&self, peer: PeerId) -> Option<PeerId> {
        self.nodes.get(&peer)?.parent
    }

    /// The peers below.
    pub(super) fn children(&self, peer: PeerId) -> impl Iterator<Item = PeerId> + '_ {
        self.nodes.get(&peer).into_iter().flat_map(|node| node.children.iter().copied())
    }

    /// How many peers are below.
    pub(super) fn child_count(&self, peer: PeerId) -> usize {
        self.nodes.get(&peer).map_or(0, |node| node.children.len())
    }

    /// Whether data can reach the peer: its root is one.
    pub(super) fn is_anchored(&self, peer: PeerId) -> bool {
        self.nodes.get(&peer).is_some_and(|node| node.anchored)
    }

    /// Edges to the root above, if data can reach the peer.
    pub(super) fn depth(&self, peer: PeerId) -> Option<u32> {
        self.nodes.get(&peer).filter(|node| node.anchored).map(|node| node.depth)
    }

    /// Whether a new child may be placed below the peer.
    pub(super) fn is_open(&self, peer: PeerId) -> bool {
        self.nodes.get(&peer).is_some_and(|node| node.anchored && node.open)
    }

    /// Peers that are meant to have children here, each with its depth, by id.
    pub(super) fn interiors(&self) -> impl Iterator<Item = (PeerId, u32)> + '_ {
        let interiors = self.nodes.iter().filter(|(_, node)| node.interior && node.anchored);
        interiors.map(|(peer, node)| (*peer, node.depth))
    }

    /// The longest way from a root, in edges.
    pub(super) fn depth_max(&self) -> u32 {
        self.nodes.values().filter(|node| node.anchored).map(|node| node.depth).max().unwrap_or(0)
    }

    /// Makes a peer a root: detaches it and anchors what is below.
    pub(super) fn make_root(&mut self, peer: PeerId) {
        self.detach(peer);
        self.set_anchored(peer, true, 0);
    }

    /// Takes a peer, with all below it, from its parent; it becomes an orphan.
    pub(super) fn detach(&mut self, peer: PeerId) {
        if let Some(parent) = self.nodes.get_mut(&peer).and_then(|node| node.parent.take()) {
            self.unlist(parent);
            self.node_mut(parent).children.remove(&peer);
            self.list(parent);
        }
        if self.nodes.contains_key(&peer) {
            self.set_anchored(peer, false, 0);
        }
    }

    /// Puts an orphan or a root below `parent`, whether or not a slot is free there. False, and nothing changed, if
    /// that would make a cycle.
    pub(super) fn attach(&mut self, peer: PeerId, parent: PeerId) -> bool {
        if self.is_below(parent, peer) || !self.nodes.contains_key(&parent) {
            return false;
        }
        self.detach(peer);
        self.unlist(parent);
        let above = self.node_mut(parent);
        above.children.insert(peer);
        let (anchored, depth) = (above.anchored, above.depth);
        self.list(parent);
        self.node_mut(peer).parent = Some(parent);
        self.set_anchored(peer, anchored, depth + 1);
        true
    }

    /// The best free slot for an orphan: shallowest, then idlest, not below itself and not among `avoid`.
    pub(super) fn best_slot(&self, peer: PeerId, avoid: impl Fn(PeerId) -> bool) -> Option<PeerId> {
        let candidates = self.slots.iter().map(|&(_, _, parent)| parent);
        candidates.filter(|&parent| !avoid(parent)).find(|&parent| !self.is_below(parent, peer))
    }

    /// The shallowest leaf at less than `depth` that would give way to an orphan: it and its parent are not what `avoid`
    /// says.
    pub(super) fn best_leaf(&self, peer: PeerId, depth: u32, avoid: impl Fn(PeerId, PeerId) -> bool) -> Option<PeerId> {
        let above = self
            .leaves
            .range(..(depth, PeerId::from_bytes([0; 16])))
            .map(|(_, leaf)| *leaf)
            .filter(|leaf| *leaf != peer);
        above.take(LEAVES_TRIED).find(|leaf| self.parent(*leaf).is_some_and(|parent| !avoid(*leaf, parent)))
    }

    /// Says whether new children may be placed below the peer, whether it is meant to have some, and how busy it is.
    pub(super) fn set_slot(&mut self, peer: PeerId, open: bool, interior: bool, load: u32) {
        let is_same = |node: &Node| (node.open, node.interior, node.load) == (open, interior, load);
        if self.nodes.get(&peer).is_none_or(is_same) {
            return;
        }
        self.unlist(peer);
        let node = self.node_mut(peer);
        (node.open, node.interior, node.load) = (open, interior, load);
        self.list(peer);
    }

    /// Whether `peer` is `top` or somewhere below it.
    pub(super) fn is_below(&self, peer: PeerId, top: PeerId) -> bool {
        let mut at = Some(peer);
        while let Some(here) = at {
            if here == top {
                return true;
            }
            at = self.parent(here);
        }
        false
    }

    /// Sets a subtree's depths and whether it is anchored.
    fn set_anchored(&mut self, top: PeerId, anchored: bool, depth: u32) {
        let mut waiting = vec![(top, depth)];
        while let Some((peer, depth)) = waiting.pop() {
            self.unlist(peer);
            let node = self.node_mut(peer);
            node.anchored = anchored;
            node.depth = depth;
            waiting.extend(node.children.iter().map(|child| (*child, depth + 1)));
            self.list(peer);
        }
    }

    /// Enters the peer's slot into the list if it has one free, and the peer into that of leaves if it is one.
    fn list(&mut self, peer: PeerId) {
        let Some(node) = self.nodes.get(&peer).filter(|node| node.anchored) else { return };
        if node.open {
            self.slots.insert((node.depth, node.load, peer));
        }
        if node.is_leaf() {
            self.leaves.insert((node.depth, peer));
        }
    }

    /// Takes the peer from the lists; to be called before anything that its place depends on changes.
    fn unlist(&mut self, peer: PeerId) {
        if let Some(node) = self.nodes.get(&peer) {
            self.slots.remove(&(node.depth, node.load, peer));
            self.leaves.remove(&(node.depth, peer));
        }
    }

    fn node_mut(&mut self, peer: PeerId) -> &mut Node {
        self.nodes.get_mut(&peer).expect("every parent and child is a node of the tree")
    }

    /// Checks what must always hold; slow, for tests.
    #[cfg(test)]
    pub(super) fn check(&self) {
        for (peer, node) in &self.nodes {
            for child in &node.children {
                assert_eq!(self.nodes[child].parent, Some(*peer), "child and parent agree");
                assert_eq!(self.nodes[child].anchored, node.anchored);
                assert!(!node.anchored || self.nodes[child].depth == node.depth + 1);
            }
            if let Some(parent) = node.parent {
                assert!(self.nodes[&parent].children.contains(peer), "parent and child agree");
                assert!(!self.is_below(parent, *peer), "no cycles");
            }
            let listed = self.slots.contains(&(node.depth, node.load, *peer));
            assert_eq!(listed, node.anchored && node.open, "free slots are listed");
            let listed = self.leaves.contains(&(node.depth, *peer));
            assert_eq!(listed, node.anchored && node.is_leaf(), "leaves are listed");
        }
        assert!(self.slots.len() <= self.nodes.len(), "each slot is listed once");
    }
}
