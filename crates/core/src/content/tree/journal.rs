//! Known nodes on disk.
//!
//! The journal is a sequence of entries of equal length: the place of a node (four bytes, little-endian) and the hashes
//! of its two children. An entry proves itself: it is believed if its hashes merge to that node's, once the node is
//! known. So a journal may be torn, corrupt, shuffled or of another content, and needs neither checksum nor version;
//! and since a believed entry can't be found by accident, reading goes on behind damage wherever entries begin again.

use super::{HashTree, Pair, hash};
use crate::content::geometry::Geometry;
use crate::ids::ContentId;

/// Bytes of an entry.
pub(super) const ENTRY_BYTES: usize = 4 + 32 + 32;

impl HashTree {
    /// The nodes at packet level and above that were learnt since the last call, to be appended to what earlier calls
    /// gave. The order is such that reading needs one pass.
    pub fn take_journal(&mut self) -> Vec<u8> {
        let parents = core::mem::take(&mut self.unwritten);
        let mut journal = Vec::with_capacity(parents.len() * ENTRY_BYTES);
        for parent in parents {
            let Some((left, right)) = self.upper_shape().children(parent) else { continue };
            let (Some(left), Some(right)) = (self.upper.get(left), self.upper.get(right)) else { continue };
            journal.extend_from_slice(&parent.to_le_bytes());
            journal.extend_from_slice(left);
            journal.extend_from_slice(right);
        }
        journal
    }

    /// The tree as a journal knows it. Believes only what hashes up to the root and passes over the rest. What it
    /// restores is not given by [`HashTree::take_journal`] again.
    pub fn restore(geometry: Geometry, root: ContentId, journal: &[u8]) -> Self {
        let mut tree = Self::new(geometry, root);
        // Each pass over a shuffled journal believes at least one more level; one in order takes one pass and one look.
        while tree.restore_pass(journal) {
            tree.unwritten.clear();
        }
        tree
    }

    /// Believes the entries whose nodes are known by now. Returns whether there was a new one.
    fn restore_pass(&mut self, journal: &[u8]) -> bool {
        let mut rest = journal;
        while let Some((entry, behind)) = rest.split_first_chunk::<ENTRY_BYTES>() {
            rest = if self.restore_entry(entry) { behind } else { &rest[1..] };
        }
        !self.unwritten.is_empty()
    }

    /// Whether the entry is good, now or before.
    fn restore_entry(&mut self, entry: &[u8; ENTRY_BYTES]) -> bool {
        let (place, hashes) = entry.split_first_chunk::<4>().expect("an entry begins with a place");
        let (left, right) = hashes.split_at(32);
        let (left, right) = (left.try_into().expect("32 bytes"), right.try_into().expect("32 bytes"));
        let parent = u32::from_le_bytes(*place);
        let shape = self.upper_shape();
        let Some((left_place, right_place)) = shape.children(parent) else { return false };
        let Some(known) = self.upper_hash(parent) else { return false };
        if let (Some(known_left), Some(known_right)) = (self.upper.get(left_place), self.upper.get(right_place)) {
            return *known_left == left && *known_right == right;
        }
        let good = hash::parent(&left, &right, parent == shape.root()) == *known;
        if good {
            self.learn_pair(Pair { parent, left: (left_place, left), right: (right_place, right) });
        }
        good
    }
}
