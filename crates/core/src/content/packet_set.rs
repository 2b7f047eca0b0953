//! What is held: bitmaps over packets and over groups that know how many bits are set.
//!
//! They grow as far as the highest index that was put in, so a description that claims a terabyte costs nothing until
//! there is something to remember, and 8 MiB at the very most.

use core::fmt;

use super::geometry::{GROUPS_PER_PACKET, Geometry, GroupIndex, PacketIndex};

const WORD_BITS: u32 = u64::BITS;

/// A set of groups, and through them of bytes and of whole packets.
#[derive(Clone, PartialEq, Eq)]
pub struct GroupSet {
    geometry: Geometry,
    bits: Bits,
    bytes: u64,
    packets_complete: u32,
}

impl GroupSet {
    /// The empty set.
    pub fn new(geometry: Geometry) -> Self {
        Self { geometry, bits: Bits::default(), bytes: 0, packets_complete: 0 }
    }

    /// Puts a group in. `false` if it was there already (or is of a larger content than this).
    pub fn insert(&mut self, group: GroupIndex) -> bool {
        if group.get() >= self.geometry.groups() || !self.bits.insert(group.get()) {
            return false;
        }
        self.bytes += self.geometry.group_range(group).len();
        self.packets_complete += u32::from(self.contains_packet(self.geometry.packet_of(group)));
        true
    }

    /// Puts all groups of a packet in. `false` if they were all there already.
    pub fn insert_packet(&mut self, packet: PacketIndex) -> bool {
        let geometry = self.geometry;
        let groups = geometry.groups_of(packet).filter_map(|index| geometry.group(index));
        groups.filter(|group| self.insert(*group)).count() > 0
    }

    /// Takes all groups of a packet out. `false` if none was there.
    pub fn remove_packet(&mut self, packet: PacketIndex) -> bool {
        self.packets_complete -= u32::from(self.contains_packet(packet));
        let geometry = self.geometry;
        let groups = geometry.groups_of(packet).filter_map(|index| geometry.group(index));
        let removed = groups.filter(|group| self.bits.remove(group.get()));
        let bytes: u64 = removed.map(|group| geometry.group_range(group).len()).sum();
        self.bytes -= bytes;
        bytes > 0
    }

    /// Whether the group is in it.
    pub fn contains(&self, group: GroupIndex) -> bool {
        self.bits.contains(group.get())
    }

    /// Whether all groups of the packet are in it.
    pub fn contains_packet(&self, packet: PacketIndex) -> bool {
        let groups = self.geometry.groups_of(packet).len();
        groups > 0 && self.packet_groups(packet).count_ones() as usize == groups
    }

    /// Which groups of the packet are in it: bit 0 is its first group, bit 3 its last.
    pub fn packet_groups(&self, packet: PacketIndex) -> u8 {
        // Four divides 64, so a packet never lies in two words.
        let first_bit = u64::from(packet.get()) * u64::from(GROUPS_PER_PACKET);
        let word = self.bits.words.get((first_bit / u64::from(WORD_BITS)) as usize).copied().unwrap_or(0);
        (word >> (first_bit % u64::from(WORD_BITS))) as u8 & 0b1111
    }

    /// How many groups are in it.
    pub fn count(&self) -> u32 {
        self.bits.count
    }

    /// How many bytes these groups have.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many packets have all their groups in it.
    pub fn packets_complete(&self) -> u32 {
        self.packets_complete
    }

    /// Whether the whole content is in it.
    pub fn is_full(&self) -> bool {
        self.bits.count == self.geometry.groups()
    }

    /// The groups in it, ascending.
    pub fn iter(&self) -> impl Iterator<Item = GroupIndex> + '_ {
        self.bits.iter().filter_map(|index| self.geometry.group(index))
    }

    /// The packets of which all groups are in it, ascending.
    pub fn complete_packets(&self) -> impl Iterator<Item = PacketIndex> + '_ {
        self.touched_packets().filter(|packet| self.contains_packet(*packet))
    }

    /// The packets of which some but not all groups are in it, ascending.
    pub fn partial_packets(&self) -> impl Iterator<Item = PacketIndex> + '_ {
        self.touched_packets().filter(|packet| self.packet_groups(*packet) != 0 && !self.contains_packet(*packet))
    }

    /// The packets up to the highest one that has a group in it.
    fn touched_packets(&self) -> impl Iterator<Item = PacketIndex> + '_ {
        let end = self.bits.end().div_ceil(GROUPS_PER_PACKET);
        (0..end).filter_map(|index| self.geometry.packet(index))
    }
}

impl fmt::Debug for GroupSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupSet({} of {} groups)", self.count(), self.geometry.groups())
    }
}

/// A set of packets.
#[derive(Clone, PartialEq, Eq)]
pub struct PacketSet {
    geometry: Geometry,
    bits: Bits,
}

impl PacketSet {
    /// The empty set.
    pub fn new(geometry: Geometry) -> Self {
        Self { geometry, bits: Bits::default() }
    }

    /// The set of all packets.
    pub fn full(geometry: Geometry) -> Self {
        let mut set = Self::new(geometry);
        set.insert_run(0, geometry.packets());
        set
    }

    /// The set of these runs (first packet and number of packets), in any order; `None` if one reaches past the
    /// content's end.
    pub fn from_runs(geometry: Geometry, runs: impl IntoIterator<Item = (u32, u32)>) -> Option<Self> {
        let mut set = Self::new(geometry);
        runs.into_iter().all(|(first, count)| set.insert_run(first, count)).then_some(set)
    }

    /// Puts a packet in. `false` if it was there already (or is of a larger content than this).
    pub fn insert(&mut self, packet: PacketIndex) -> bool {
        packet.get() < self.geometry.packets() && self.bits.insert(packet.get())
    }

    /// Puts `count` packets from `first` on in. `false`, and nothing is put in, if they reach past the content's end.
    pub fn insert_run(&mut self, first: u32, count: u32) -> bool {
        match first.checked_add(count) {
            Some(end) if end <= self.geometry.packets() => {
                self.bits.insert_range(first, end);
                true
            }
            _ => false,
        }
    }

    /// The first index at or after `from` that is not in it; may lie past the content's end. Costs a step for every 64
    /// packets that are.
    pub fn next_absent(&self, from: u32) -> u32 {
        self.bits.next_clear(from)
    }

    /// Takes a packet out. `false` if it was not there.
    pub fn remove(&mut self, packet: PacketIndex) -> bool {
        self.bits.remove(packet.get())
    }

    /// Whether the packet is in it.
    pub fn contains(&self, packet: PacketIndex) -> bool {
        self.bits.contains(packet.get())
    }

    /// How many packets are in it.
    pub fn count(&self) -> u32 {
        self.bits.count
    }

    /// Whether all packets of the content are in it.
    pub fn is_full(&self) -> bool {
        self.bits.count == self.geometry.packets()
    }

    /// The packets in it, ascending.
    pub fn iter(&self) -> impl Iterator<Item = PacketIndex> + '_ {
        self.bits.iter().filter_map(|index| self.geometry.packet(index))
    }

    /// Its runs, ascending and apart: first packet and number of packets.
    pub fn runs(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let mut from = 0;
        core::iter::from_fn(move || {
            let first = self.bits.next_set(from)?;
            from = self.bits.next_clear(first);
            Some((first, from - first))
        })
    }

    /// The first packet that is not in it.
    pub fn first_missing(&self) -> Option<PacketIndex> {
        self.geometry.packet(self.bits.next_clear(0))
    }
}

impl fmt::Debug for PacketSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PacketSet({} of {} packets)", self.count(), self.geometry.packets())
    }
}

/// A bitmap that grows with its highest bit and counts. Callers bound the index.
///
/// The last word is never zero unless a bit was taken out, and equality ignores such words.
#[derive(Clone, Default)]
struct Bits {
    words: Vec<u64>,
    count: u32,
}

impl Bits {
    fn insert(&mut self, index: u32) -> bool {
        let (word, mask) = Self::locate(index);
        self.grow(word + 1);
        let new = self.words[word] & mask == 0;
        self.words[word] |= mask;
        self.count += u32::from(new);
        new
    }

    fn insert_range(&mut self, start: u32, end: u32) {
        self.grow(end.div_ceil(WORD_BITS) as usize);
        let mut at = start;
        while at < end {
            let (word, _) = Self::locate(at);
            let low_bit = at % WORD_BITS;
            let len = (WORD_BITS - low_bit).min(end - at);
            let mask = (u64::MAX >> (WORD_BITS - len)) << low_bit;
            self.count += (mask & !self.words[word]).count_ones();
            self.words[word] |= mask;
            at += len;
        }
    }

    fn remove(&mut self, index: u32) -> bool {
        let (word, mask) = Self::locate(index);
        let Some(word) = self.words.get_mut(word) else { return false };
        let there = *word & mask != 0;
        *word &= !mask;
        self.count -= u32::from(there);
        there
    }

    fn contains(&self, index: u32) -> bool {
        let (word, mask) = Self::locate(index);
        self.words.get(word).is_some_and(|word| word & mask != 0)
    }

    fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let mut from = 0;
        core::iter::from_fn(move || {
            let next = self.next_set(from)?;
            from = next + 1;
            Some(next)
        })
    }

    /// The first set bit at or after `from`.
    fn next_set(&self, from: u32) -> Option<u32> {
        self.find(from, |word| word)
    }

    /// The first clear bit at or after `from`; there always is one past the end.
    fn next_clear(&self, from: u32) -> u32 {
        self.find(from, |word| !word).unwrap_or_else(|| self.end().max(from))
    }

    /// The first bit at or after `from` that is set in `view` of its word, among the words there are.
    fn find(&self, from: u32, view: impl Fn(u64) -> u64) -> Option<u32> {
        let first_word = (from / WORD_BITS) as usize;
        let mut mask = u64::MAX << (from % WORD_BITS);
        for (index, word) in self.words.iter().enumerate().skip(first_word) {
            let hit = view(*word) & mask;
            if hit != 0 {
                return Some(index as u32 * WORD_BITS + hit.trailing_zeros());
            }
            mask = u64::MAX;
        }
        None
    }

    /// One past the last bit that a word has room for.
    fn end(&self) -> u32 {
        self.words.len() as u32 * WORD_BITS
    }

    fn grow(&mut self, words: usize) {
        if self.words.len() < words {
            self.words.resize(words, 0);
        }
    }

    fn locate(index: u32) -> (usize, u64) {
        ((index / WORD_BITS) as usize, 1 << (index % WORD_BITS))
    }
}

impl PartialEq for Bits {
    fn eq(&self, other: &Self) -> bool {
        let (short, long) = if self.words.len() <= other.words.len() { (self, other) } else { (other, self) };
        self.count == other.count && long.words.starts_with(&short.words)
    }
}

impl Eq for Bits {}

#[cfg(test)]
mod tests;
