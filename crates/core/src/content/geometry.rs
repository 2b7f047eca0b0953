//! Which bytes are in which packet and group. Holds no data.
//!
//! ```text
//! content  |0                                             size_bytes|
//! packets  |      0      |      1      |      2      |   3 (short)  |   64 KiB: what is asked for, sent and counted
//! groups   |0 |1 |2 |3 |4 |5 |6 |7 |8 |9 |10|11|12|13|14 (short)    |   16 KiB: the least that can be verified
//! ```
//!
//! An index becomes valid only through a [`Geometry`] (after rqbit's `ValidPieceIndex`), so code that holds a
//! [`PacketIndex`] need not check it again. A group is a whole number of BLAKE3's 1 KiB chunks, and a power of two of
//! them, so that it is a subtree of the hash tree ([`super::HashTree`]).

use core::ops::Range;

/// Bytes of a group: the least that can be verified and passed on.
pub const GROUP_BYTES: u32 = 16 * 1024;
/// Groups of a packet.
pub const GROUPS_PER_PACKET: u32 = 4;
/// Bytes of a packet: what is asked for, sent and counted.
pub const PACKET_BYTES: u32 = GROUP_BYTES * GROUPS_PER_PACKET;
/// Largest content: 1 TiB. With it, indices fit into 32 bits whatever the size of a group.
pub const CONTENT_BYTES_MAX: u64 = 1 << 40;
/// Smallest group: one chunk of BLAKE3.
pub const GROUP_BYTES_MIN: u32 = 1024;
/// Largest group.
pub const GROUP_BYTES_MAX: u32 = 1024 * 1024;

/// Number of a packet that exists. Made by [`Geometry`] only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketIndex(u32);

impl PacketIndex {
    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// Number of a group that exists, counted over the whole content. Made by [`Geometry`] only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupIndex(u32);

impl GroupIndex {
    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// Bytes of the content from `start` up to `end`, which is not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteRange {
    /// The first byte.
    pub start: u64,
    /// One past the last byte; not before `start`.
    pub end: u64,
}

impl ByteRange {
    /// How many bytes.
    pub const fn len(self) -> u64 {
        self.end - self.start
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.end == self.start
    }
}

/// Why there is no such geometry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GeometryError {
    /// More than [`CONTENT_BYTES_MAX`].
    #[error("the content has {0} bytes; the most that can be shared is {CONTENT_BYTES_MAX} (1 TiB)")]
    TooLarge(u64),
    /// No power of two between [`GROUP_BYTES_MIN`] and [`GROUP_BYTES_MAX`].
    #[error("a group can't have {0} bytes: it must be a power of two from {GROUP_BYTES_MIN} to {GROUP_BYTES_MAX}")]
    GroupBytes(u32),
}

/// How a content of a certain size is cut into packets and groups. Empty content has no packet and no group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Geometry {
    size_bytes: u64,
    group_bytes: u32,
}

impl Geometry {
    /// The geometry of a content of so many bytes, with groups of [`GROUP_BYTES`].
    pub const fn new(size_bytes: u64) -> Result<Self, GeometryError> {
        Self::with_group_bytes(size_bytes, GROUP_BYTES)
    }

    /// One with other groups; a packet has four of them always. For simulations and tests: what is shared between
    /// peers has the standard one.
    pub const fn with_group_bytes(size_bytes: u64, group_bytes: u32) -> Result<Self, GeometryError> {
        if size_bytes > CONTENT_BYTES_MAX {
            return Err(GeometryError::TooLarge(size_bytes));
        }
        if !group_bytes.is_power_of_two() || group_bytes < GROUP_BYTES_MIN || group_bytes > GROUP_BYTES_MAX {
            return Err(GeometryError::GroupBytes(group_bytes));
        }
        Ok(Self { size_bytes, group_bytes })
    }

    /// Bytes of the whole.
    pub const fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Bytes of every group but the last, which may be shorter.
    pub const fn group_bytes(&self) -> u32 {
        self.group_bytes
    }

    /// Bytes of every packet but the last, which may be shorter.
    pub const fn packet_bytes(&self) -> u32 {
        self.group_bytes * GROUPS_PER_PACKET
    }

    /// How many packets.
    pub const fn packets(&self) -> u32 {
        self.size_bytes.div_ceil(self.packet_bytes() as u64) as u32
    }

    /// How many groups.
    pub const fn groups(&self) -> u32 {
        self.size_bytes.div_ceil(self.group_bytes as u64) as u32
    }

    /// The packet of this number, if it exists.
    pub const fn packet(&self, index: u32) -> Option<PacketIndex> {
        if index < self.packets() { Some(PacketIndex(index)) } else { None }
    }

    /// The group of this number, if it exists.
    pub const fn group(&self, index: u32) -> Option<GroupIndex> {
        if index < self.groups() { Some(GroupIndex(index)) } else { None }
    }

    /// Every packet in order.
    pub fn all_packets(&self) -> impl DoubleEndedIterator<Item = PacketIndex> + ExactSizeIterator + use<> {
        (0..self.packets()).map(PacketIndex)
    }

    /// The packet that a group is in.
    pub const fn packet_of(&self, group: GroupIndex) -> PacketIndex {
        PacketIndex(group.0 / GROUPS_PER_PACKET)
    }

    /// Numbers of the groups of a packet: four, or fewer in the last.
    pub fn groups_of(&self, packet: PacketIndex) -> Range<u32> {
        let first = packet.0.saturating_mul(GROUPS_PER_PACKET);
        first..first.saturating_add(GROUPS_PER_PACKET).min(self.groups()).max(first)
    }

    /// The packet's bytes.
    pub fn packet_range(&self, packet: PacketIndex) -> ByteRange {
        self.clip(u64::from(packet.0), u64::from(packet.0) + 1, self.packet_bytes())
    }

    /// The group's bytes.
    pub fn group_range(&self, group: GroupIndex) -> ByteRange {
        self.clip(u64::from(group.0), u64::from(group.0) + 1, self.group_bytes)
    }

    /// The bytes of `count` groups from `first` on; `None` unless they are at least one and all of one packet.
    pub fn groups_range(&self, first: GroupIndex, count: u32) -> Option<ByteRange> {
        let last = first.0.checked_add(count.checked_sub(1)?)?;
        let one_packet = first.0 / GROUPS_PER_PACKET == last / GROUPS_PER_PACKET;
        (one_packet && last < self.groups())
            .then(|| self.clip(u64::from(first.0), u64::from(last) + 1, self.group_bytes))
    }

    /// From unit `start` to unit `end` of so many bytes each. Clipping `start` too makes an index of another geometry
    /// an empty range instead of an overflow.
    fn clip(&self, start: u64, end: u64, unit_bytes: u32) -> ByteRange {
        ByteRange {
            start: (start * u64::from(unit_bytes)).min(self.size_bytes),
            end: (end * u64::from(unit_bytes)).min(self.size_bytes),
        }
    }
}

#[cfg(test)]
mod tests;
