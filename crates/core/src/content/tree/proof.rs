//! From known nodes to the proof that somebody else needs.

use super::hash;
use super::{HashTree, NodeId, PACKET_LEVEL, ProofNode, Shape};
use crate::content::geometry::{Geometry, GroupIndex, PacketIndex};

/// What the far end of one link knows of the hash tree at packet level and above, so that no hash crosses the link
/// twice. Taken in order, a packet then costs one or two hashes on average instead of the whole path.
///
/// Like the known nodes of a tree, the marked ones are its top: with a node, its sibling and all above are marked.
/// One bit a node, as far as the highest that was marked.
#[derive(Clone)]
pub struct KnownNodes {
    shape: Shape,
    bits: Vec<u64>,
}

impl KnownNodes {
    /// Of somebody who knows nothing but the root.
    pub fn new(geometry: &Geometry) -> Self {
        Self { shape: Shape::new(geometry.packets()), bits: Vec::new() }
    }

    /// Marks what somebody knows who holds this packet: for one who says so, or who sent it to us.
    ///
    /// Who lies about it gets proofs that are too short, and can use nothing of what is sent.
    pub fn mark_packet(&mut self, packet: PacketIndex) {
        for step in self.shape.climb(packet.get()) {
            if self.contains(step.node) {
                break;
            }
            self.mark(step.node);
            self.mark(step.sibling);
        }
    }

    fn contains(&self, place: u32) -> bool {
        let known = |word: &u64| word & (1 << (place % 64)) != 0;
        place == self.shape.root() || self.bits.get((place / 64) as usize).is_some_and(known)
    }

    fn mark(&mut self, place: u32) {
        let word = (place / 64) as usize;
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        self.bits[word] |= 1 << (place % 64);
    }
}

impl core::fmt::Debug for KnownNodes {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let known: u32 = self.bits.iter().map(|word| word.count_ones()).sum();
        write!(f, "KnownNodes({known} of {})", self.shape.nodes())
    }
}

impl HashTree {
    /// The nodes that a receiver needs to verify `count` groups of one packet from `first` on, without those it knows
    /// according to `known`; marks there what it knows once it has verified them. Lowest first.
    ///
    /// `packet_bytes` are the whole packet's bytes, which [`HashTree::check_packet`] has accepted. They are needed only
    /// for a part of a packet of which the groups' hashes are not kept: [`HashTree::forget_groups`].
    ///
    /// `None`, and nothing is marked, if the tree does not know enough, or there are no such groups.
    pub fn proof(
        &self,
        first: GroupIndex,
        count: u32,
        packet_bytes: Option<&[u8]>,
        known: &mut KnownNodes,
    ) -> Option<Vec<ProofNode>> {
        self.geometry.groups_range(first, count)?;
        let packet = self.geometry.packet_of(first);
        if !self.knows_packet(packet) || known.shape != self.upper_shape() {
            return None;
        }
        let mut proof = self.proof_in_packet(first, count, packet_bytes)?;
        for step in self.upper_shape().climb(packet.get()) {
            if known.contains(step.node) {
                break;
            }
            let node = NodeId { level: step.sibling_level + PACKET_LEVEL, index: step.sibling_index };
            proof.push(ProofNode { node, hash: *self.upper_hash(step.sibling)? });
        }
        known.mark_packet(packet);
        Some(proof)
    }

    /// The part of a proof that lies below the packet's node: the largest subtrees that hold none of the groups.
    fn proof_in_packet(&self, first: GroupIndex, count: u32, packet_bytes: Option<&[u8]>) -> Option<Vec<ProofNode>> {
        let packet = self.geometry.packet_of(first);
        let range = self.geometry.packet_range(packet);
        let packet_bytes = packet_bytes.filter(|bytes| bytes.len() as u64 == range.len());
        let shape = self.lower_shape(packet);
        let start = self.group_in_packet(first);
        let groups = start..start + count;
        let mut proof = Vec::new();
        let mut pending = vec![shape.root()];
        while let Some(place) = pending.pop() {
            let leaves = shape.leaves_under(place);
            let apart = leaves.end <= groups.start || groups.end <= leaves.start;
            if apart {
                let level = place.trailing_ones() as u8;
                let index = (self.geometry.groups_of(packet).start + leaves.start) >> level;
                let offset = range.start + u64::from(leaves.start) * u64::from(self.geometry.group_bytes());
                let computed = || Some(hash::subtree(offset, self.groups_of_packet(packet_bytes?, leaves)));
                let hash = self.lower_hash(packet, place).copied().or_else(computed)?;
                proof.push(ProofNode { node: NodeId { level, index }, hash });
            } else if let Some((left, right)) = shape.children(place) {
                pending.extend([left, right]);
            }
        }
        proof.sort_by_key(|proof| proof.node);
        Some(proof)
    }
}
