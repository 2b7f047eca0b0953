//! The whole tree, from bytes that one trusts: what a seeder does with its file.

use super::HashTree;
use super::hash::{self, Hash};
use super::list::pairs_over;
use crate::content::geometry::{
    CONTENT_BYTES_MAX, GROUP_BYTES, GROUPS_PER_PACKET, Geometry, GeometryError, PACKET_BYTES,
};
use crate::ids::ContentId;

/// Neighbouring packets that were hashed by themselves, on another thread for instance, for [`TreeBuilder::push_hashed`].
/// 32 bytes for each packet.
#[derive(Debug, PartialEq, Eq)]
pub struct HashedPackets {
    offset_bytes: u64,
    packets: Vec<Hash>,
}

impl HashedPackets {
    /// Hashes whole packets (of 64 KiB) that begin so many bytes into the content. `None` if they are not whole, do not
    /// begin where a packet does, or are fewer than two: one alone may be the whole content, which is hashed in another
    /// way.
    pub fn new(offset_bytes: u64, bytes: &[u8]) -> Option<Self> {
        let packet_bytes = PACKET_BYTES as usize;
        let are_whole = bytes.len().is_multiple_of(packet_bytes) && offset_bytes.is_multiple_of(PACKET_BYTES.into());
        if !are_whole || bytes.len() < 2 * packet_bytes {
            return None;
        }
        let offsets = (0..).map(|packet| offset_bytes + packet * u64::from(PACKET_BYTES));
        let packets = bytes.chunks_exact(packet_bytes).zip(offsets);
        let packets = packets.map(|(packet, offset)| hash::subtree(offset, packet)).collect();
        Some(Self { offset_bytes, packets })
    }
}

/// Hashes a content as it streams by. Keeps 32 bytes for each packet, and at most one packet's bytes.
pub struct TreeBuilder {
    group_bytes: u32,
    pub(super) size_bytes: u64,
    /// The nodes of all packets but the one that is being filled.
    packets: Vec<Hash>,
    /// Bytes of the packet that is being filled. It stays here when it is full, until more bytes come: only then is it
    /// sure that it is not the whole content, which is hashed in another way.
    packet: Vec<u8>,
}

impl TreeBuilder {
    /// One for groups of [`GROUP_BYTES`].
    pub fn new() -> Self {
        Self { group_bytes: GROUP_BYTES, size_bytes: 0, packets: Vec::new(), packet: Vec::new() }
    }

    /// One for groups of another size: [`Geometry::with_group_bytes`].
    pub fn with_group_bytes(group_bytes: u32) -> Result<Self, GeometryError> {
        Geometry::with_group_bytes(0, group_bytes)?;
        Ok(Self { group_bytes, ..Self::new() })
    }

    /// Takes the content's next bytes, any number of them; best many packets at once, which are hashed where they lie.
    pub fn push(&mut self, mut bytes: &[u8]) {
        self.size_bytes = self.size_bytes.saturating_add(bytes.len() as u64);
        if self.size_bytes > CONTENT_BYTES_MAX {
            return; // `finish` says so
        }
        let packet_bytes = (self.group_bytes * GROUPS_PER_PACKET) as usize;
        while !bytes.is_empty() {
            if self.packet.len() == packet_bytes {
                let packet = core::mem::take(&mut self.packet);
                self.push_packet(&packet);
                self.packet = packet;
                self.packet.clear();
            }
            while self.packet.is_empty() && bytes.len() > packet_bytes {
                let (packet, rest) = bytes.split_at(packet_bytes);
                self.push_packet(packet);
                bytes = rest;
            }
            let (now, later) = bytes.split_at(bytes.len().min(packet_bytes - self.packet.len()));
            self.packet.extend_from_slice(now);
            bytes = later;
        }
    }

    /// Takes the content's next packets, hashed already. They are given back if they are not those: they begin elsewhere,
    /// or the groups are of another size than [`GROUP_BYTES`].
    pub fn push_hashed(&mut self, hashed: HashedPackets) -> Result<(), HashedPackets> {
        if hashed.offset_bytes != self.size_bytes || self.group_bytes != GROUP_BYTES {
            return Err(hashed);
        }
        let len_bytes = hashed.packets.len() as u64 * u64::from(PACKET_BYTES);
        self.size_bytes = self.size_bytes.saturating_add(len_bytes);
        if self.size_bytes > CONTENT_BYTES_MAX {
            return Ok(()); // `finish` says so
        }
        if !self.packet.is_empty() {
            let packet = core::mem::take(&mut self.packet);
            self.push_packet(&packet);
        }
        self.packets.extend(hashed.packets);
        Ok(())
    }

    /// How the content is cut, and its tree, which is complete; its root is the content's id. The whole tree is new to
    /// its journal. Fails if there were more than [`CONTENT_BYTES_MAX`] bytes.
    pub fn finish(mut self) -> Result<(Geometry, HashTree), GeometryError> {
        let geometry = Geometry::with_group_bytes(self.size_bytes, self.group_bytes)?;
        if self.packets.is_empty() {
            let root = ContentId::from_bytes(hash::whole(&self.packet));
            return Ok((geometry, HashTree::new(geometry, root)));
        }
        let last = core::mem::take(&mut self.packet);
        if !last.is_empty() {
            self.push_packet(&last);
        }
        Ok((geometry, tree_over(geometry, self.packets)))
    }

    /// Takes a packet that is not the whole content.
    fn push_packet(&mut self, packet: &[u8]) {
        let offset = self.packets.len() as u64 * u64::from(self.group_bytes * GROUPS_PER_PACKET);
        self.packets.push(hash::subtree(offset, packet));
    }
}

impl Default for TreeBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for TreeBuilder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "TreeBuilder({} bytes)", self.size_bytes)
    }
}

/// Builds the levels above two packets or more.
fn tree_over(geometry: Geometry, packets: Vec<Hash>) -> HashTree {
    let mut tree = HashTree::new(geometry, ContentId::from_bytes([0; 32]));
    let (pairs, root) = pairs_over(tree.upper_shape(), packets);
    tree.root = ContentId::from_bytes(root);
    for pair in pairs.into_iter().rev() {
        tree.learn_pair(pair); // the root's children first, as a journal is read
    }
    tree
}
