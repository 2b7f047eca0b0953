//! The hash tree of a content, as far as it is known, and the proofs that make it known elsewhere.
//!
//! # The idea
//!
//! BLAKE3 is itself a hash tree: an input is cut into chunks of 1 KiB, chunks are paired into parents, parents into
//! their parents, and the last pair gives the hash (BLAKE3 paper, sections 2.1 and 2.4). Bao showed that the inner
//! nodes of this tree make any part of the input verifiable on its own, and bao-tree that it is enough to keep the
//! nodes above groups of 16 KiB. We do the same, so the id of a content is what `b3sum` prints, and a peer can verify
//! and pass on a group long before it has the rest ([000] claim 9, [004] claim 2: forwarding while still receiving).
//!
//! A node `(level, index)` covers the groups from `index << level` up to `(index + 1) << level`, or up to the last:
//!
//! ```text
//! level 4             (4,0) = the content id
//!               ┌────────┴────────┐
//! level 3     (3,0)             (3,1)
//!           ┌───┴───┐             │      no right child: (3,1) is (2,2)
//! level 2 (2,0)   (2,1)         (2,2)    packets
//!         ┌─┴─┐   ┌─┴─┐         ┌─┴─┐
//! level 1 .   .   .   .         .   │
//!        ┌┴┐ ┌┴┐ ┌┴┐ ┌┴┐       ┌┴┐  │
//! level 0 0 1 2 3 4 5 6 7       8 9  10  groups
//! ```
//!
//! A node without a right child *is* its left child. That is exactly BLAKE3's rule, by which the left subtree is the
//! largest power of two of chunks that leaves something for the right one.
//!
//! # What is believed
//!
//! A hash is believed only once it was hashed up, together with its sibling, to a node that was believed before; the
//! first of these is the root, which came with the link. So the known nodes always are the top of the tree: with a
//! node, its sibling and everything above are known too. Three things rest on this: a proof is the siblings on the
//! path up to the first known node and nothing else; what the far end of a link knows ([`KnownNodes`]) is found by
//! walking up until a node is marked; and a record on disk ([`HashTree::take_journal`]) proves itself when it is read.
//!
//! Nodes at packet level and above are kept, two for each packet (64 bytes for 64 KiB). Those below are kept only for
//! packets that came in part, until [`HashTree::forget_groups`].

use std::collections::BTreeMap;

use super::geometry::{ByteRange, Geometry, GroupIndex, PacketIndex};
use crate::ids::ContentId;
use store::NodeStore;

mod builder;
mod hash;
mod journal;
mod list;
mod proof;
mod shape;
mod store;
mod verify;

pub use builder::{HashedPackets, TreeBuilder};
pub use list::{HASH_LIST_BYTES_MAX, HashListError};
pub use proof::KnownNodes;
pub use verify::VerifyError;

use hash::Hash;
use shape::Shape;

/// Most nodes in one proof. The longest that is ever needed has 30: two inside a packet and 28 above it.
pub const PROOF_NODES_MAX: usize = 64;

/// The level at which a node is a packet.
const PACKET_LEVEL: u8 = 2;
/// Nodes of a packet's own small tree: four groups, two pairs, the packet itself.
const PACKET_NODES: usize = 7;

/// Name of a node of the hash tree, which covers the groups from `index << level` up to `(index + 1) << level`, or up to
/// the last one. May name a node that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    /// 0 for a group, 2 for a packet.
    pub level: u8,
    /// Number within the level.
    pub index: u32,
}

/// A node's hash as somebody claims it; worth nothing until it is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProofNode {
    /// Which node.
    pub node: NodeId,
    /// Its chaining value (BLAKE3 paper, section 2.1).
    pub hash: [u8; 32],
}

/// Two siblings at packet level or above, each with its place, and the place of the node over them.
struct Pair {
    parent: u32,
    left: (u32, Hash),
    right: (u32, Hash),
}

/// What is known of a content's hash tree. Every hash in it is verified against the root.
#[derive(Clone)]
pub struct HashTree {
    geometry: Geometry,
    root: ContentId,
    /// Nodes at packet level and above, but for the root.
    upper: NodeStore,
    /// Nodes below packet level, by packet, at their places in the packet's own tree.
    lower: BTreeMap<u32, [Option<Hash>; PACKET_NODES]>,
    /// Nodes whose children were learnt and are not in the journal yet.
    unwritten: Vec<u32>,
}

impl HashTree {
    /// A tree of which only the root is known.
    pub fn new(geometry: Geometry, root: ContentId) -> Self {
        Self { geometry, root, upper: NodeStore::default(), lower: BTreeMap::new(), unwritten: Vec::new() }
    }

    /// How the content is cut.
    pub fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// The content's id.
    pub fn root(&self) -> ContentId {
        self.root
    }

    /// Whether all packets' nodes are known, so that whole packets need no proof any more.
    pub fn is_complete(&self) -> bool {
        self.geometry.packets() <= 1 || self.upper.leaves() == self.geometry.packets()
    }

    /// Whether the packet's node is known.
    pub fn knows_packet(&self, packet: PacketIndex) -> bool {
        self.packet_hash(packet).is_some()
    }

    /// Whether these bytes are the whole packet. `false` too if the packet's node is not known.
    pub fn check_packet(&self, packet: PacketIndex, bytes: &[u8]) -> bool {
        let range = self.geometry.packet_range(packet);
        match self.packet_hash(packet) {
            Some(known) if bytes.len() as u64 == range.len() => self.hash_packet(range, bytes) == *known,
            _ => false,
        }
    }

    /// Drops what is known below the packet's node. To be called once the packet is complete.
    pub fn forget_groups(&mut self, packet: PacketIndex) {
        self.lower.remove(&packet.get());
    }

    /// The tree over packets.
    fn upper_shape(&self) -> Shape {
        Shape::new(self.geometry.packets())
    }

    /// The small tree inside a packet.
    fn lower_shape(&self, packet: PacketIndex) -> Shape {
        Shape::new(self.geometry.groups_of(packet).len() as u32)
    }

    /// Whether the packet's node is the root, which BLAKE3 finalises in another way.
    fn is_one_packet(&self) -> bool {
        self.geometry.packets() == 1
    }

    fn packet_hash(&self, packet: PacketIndex) -> Option<&Hash> {
        self.upper_hash(self.upper_shape().place(0, packet.get())?)
    }

    /// The known hash of a node at packet level or above.
    fn upper_hash(&self, place: u32) -> Option<&Hash> {
        if place == self.upper_shape().root() { Some(self.root.as_bytes()) } else { self.upper.get(place) }
    }

    /// The known hash of a node below packet level.
    fn lower_hash(&self, packet: PacketIndex, place: u32) -> Option<&Hash> {
        self.lower.get(&packet.get())?.get(place as usize)?.as_ref()
    }

    /// The hash that the packet's node must have.
    fn hash_packet(&self, range: ByteRange, bytes: &[u8]) -> Hash {
        if self.is_one_packet() { hash::whole(bytes) } else { hash::subtree(range.start, bytes) }
    }

    /// Remembers two nodes that hash to a known one.
    fn learn_pair(&mut self, Pair { parent, left, right }: Pair) {
        let new_left = self.upper.insert(left.0, left.1);
        let new_right = self.upper.insert(right.0, right.1);
        debug_assert_eq!(new_left, new_right, "siblings become known together");
        if new_left {
            self.unwritten.push(parent);
        }
    }

    /// The bytes of some leaves of a packet's own tree, out of the packet's bytes.
    fn groups_of_packet<'a>(&self, packet_bytes: &'a [u8], groups: core::ops::Range<u32>) -> &'a [u8] {
        let group_bytes = self.geometry.group_bytes() as usize;
        let end = (groups.end as usize * group_bytes).min(packet_bytes.len());
        &packet_bytes[(groups.start as usize * group_bytes).min(end)..end]
    }

    /// The group's number within its packet.
    fn group_in_packet(&self, group: GroupIndex) -> u32 {
        group.get() - self.geometry.groups_of(self.geometry.packet_of(group)).start
    }
}

impl core::fmt::Debug for HashTree {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let packets = self.geometry.packets();
        let known = if packets == 1 { 1 } else { self.upper.leaves() };
        write!(f, "HashTree({:?}, {known} of {packets} packets known)", self.root)
    }
}

#[cfg(test)]
mod tests;
