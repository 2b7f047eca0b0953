//! The hash list: the nodes of all packets, for those who get bytes from a place that knows nothing of hashes.
//!
//! Peers send the nodes that a receiver lacks along with the bytes. A web server sends bare bytes, so the author puts
//! beside them a list of the packets' nodes: 32 bytes each, in order, and nothing for a content of at most one packet,
//! whose node the root is. A reader hashes the list up to the root before it believes any of it, so the list may come
//! from anyone; what it teaches is as good as what peers prove.

use super::hash::{self, Hash};
use super::shape::Shape;
use super::{HashTree, Pair};
use crate::content::geometry::Geometry;

/// Largest hash list that is read, in bytes: of a content of 128 GiB. A larger content has no use for a web server.
pub const HASH_LIST_BYTES_MAX: u64 = 64 << 20;

/// Bytes of a packet's node.
const HASH_BYTES: usize = 32;

/// Why a hash list was not believed. Nothing of it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashListError {
    /// Not one hash a packet.
    #[error("the hash list has {0} bytes, but the content's has {1}")]
    Length(usize, u64),
    /// It does not hash up to the root.
    #[error("the hash list is that of another file")]
    Mismatch,
}

impl Geometry {
    /// How many bytes the hash list of such a content has.
    pub const fn hash_list_bytes(&self) -> u64 {
        if self.packets() <= 1 { 0 } else { self.packets() as u64 * HASH_BYTES as u64 }
    }
}

impl HashTree {
    /// The hash list; `None` unless all packets' nodes are known.
    pub fn hash_list(&self) -> Option<Vec<u8>> {
        let mut list = Vec::with_capacity(self.geometry.hash_list_bytes() as usize);
        if self.geometry.packets() > 1 {
            for packet in self.geometry.all_packets() {
                list.extend_from_slice(self.packet_hash(packet)?);
            }
        }
        Some(list)
    }

    /// Learns the nodes of all packets, and all above them, from a hash list. On failure nothing changes.
    pub fn learn_list(&mut self, list: &[u8]) -> Result<(), HashListError> {
        let list_bytes = self.geometry.hash_list_bytes();
        if list.len() as u64 != list_bytes {
            return Err(HashListError::Length(list.len(), list_bytes));
        }
        if list.is_empty() {
            return Ok(());
        }
        let hashes = list.chunks_exact(HASH_BYTES).map(|hash| hash.try_into().expect("32 bytes"));
        let (pairs, root) = pairs_over(self.upper_shape(), hashes.collect());
        if root != *self.root.as_bytes() {
            return Err(HashListError::Mismatch);
        }
        // The root's children first, as a journal is read.
        for pair in pairs.into_iter().rev() {
            self.learn_pair(pair);
        }
        Ok(())
    }
}

/// All pairs of siblings over two packets or more, the lowest first, and the root.
pub(super) fn pairs_over(shape: Shape, packets: Vec<Hash>) -> (Vec<Pair>, Hash) {
    let place = |level, index| shape.place(level, index).expect("the tree has this node");
    let mut pairs = Vec::with_capacity(packets.len());
    let mut nodes = packets;
    for level in 0..shape.height() {
        let mut above = Vec::with_capacity(nodes.len().div_ceil(2));
        for (index, pair) in (0..).zip(nodes.chunks(2)) {
            let [left, right] = pair else {
                above.push(pair[0]);
                continue;
            };
            let parent = place(level + 1, index);
            let (left_place, right_place) = (place(level, 2 * index), place(level, 2 * index + 1));
            pairs.push(Pair { parent, left: (left_place, *left), right: (right_place, *right) });
            above.push(hash::parent(left, right, parent == shape.root()));
        }
        nodes = above;
    }
    (pairs, nodes[0])
}
