//! What this peer has: which groups are verified, the hashes that verify them, a bounded cache of recent bytes, and the
//! reads and writes of the store that are under way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::{Bytes, BytesMut};

use crate::content::{GROUPS_PER_PACKET, Geometry, GroupIndex, GroupSet, HashTree, PacketIndex};
use crate::ids::{LinkId, ReadId, WriteId};
use crate::time::Time;

/// Where a packet came from: the link that completed it, or none for what was there at the start or
/// came from a web server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) packet: PacketIndex,
    pub(super) from: Option<LinkId>,
}

/// Groups of one packet that are in memory.
#[derive(Clone, Debug, Default)]
struct Cached {
    groups: [Option<Bytes>; GROUPS_PER_PACKET as usize],
    /// All groups in one piece, where they came so: they need not be joined again to be passed on.
    whole: Option<Bytes>,
    bytes: usize,
}

/// Everything verified.
#[derive(Debug)]
pub(super) struct Holdings {
    geometry: Geometry,
    pub(super) tree: HashTree,
    groups: GroupSet,
    /// Packets that are here in part, and when the last of each came. No more than there are packets.
    in_part: BTreeMap<PacketIndex, Time>,
    /// Whole packets in the order in which they were completed; neighbours are told from here.
    log: Vec<Held>,
    cache: BTreeMap<PacketIndex, Cached>,
    /// Packets of the cache, oldest first.
    cache_order: VecDeque<PacketIndex>,
    cache_bytes: usize,
    cache_bytes_max: usize,
    /// Writes under way, and packets they belong to: what is being written stays in memory.
    writes: BTreeMap<WriteId, (PacketIndex, usize)>,
    writing: BTreeMap<PacketIndex, u32>,
    backlog_bytes: usize,
    next_write: u64,
    reads: BTreeMap<ReadId, PacketIndex>,
    reading: BTreeSet<PacketIndex>,
    next_read: u64,
}

impl Holdings {
    pub(super) fn new(geometry: Geometry, tree: HashTree, cache_bytes_max: usize) -> Self {
        Self {
            geometry,
            tree,
            groups: GroupSet::new(geometry),
            in_part: BTreeMap::new(),
            log: Vec::new(),
            cache: BTreeMap::new(),
            cache_order: VecDeque::new(),
            cache_bytes: 0,
            cache_bytes_max,
            writes: BTreeMap::new(),
            writing: BTreeMap::new(),
            backlog_bytes: 0,
            next_write: 0,
            reads: BTreeMap::new(),
            reading: BTreeSet::new(),
            next_read: 0,
        }
    }

    /// Which groups of a packet are verified: bit `i` is its group `i`.
    pub(super) fn groups_of(&self, packet: PacketIndex) -> u8 {
        self.groups.packet_groups(packet)
    }

    /// All groups that a packet has.
    pub(super) fn full_groups(&self, packet: PacketIndex) -> u8 {
        (1 << self.geometry.groups_of(packet).len()) - 1
    }

    pub(super) fn has_packet(&self, packet: PacketIndex) -> bool {
        self.groups_of(packet) == self.full_groups(packet)
    }

    /// When the last came of a packet that is here in part.
    pub(super) fn came_in_part_at(&self, packet: PacketIndex) -> Option<Time> {
        self.in_part.get(&packet).copied()
    }

    /// Packets that are here in part.
    pub(super) fn in_part(&self) -> impl Iterator<Item = PacketIndex> {
        self.in_part.keys().copied()
    }

    pub(super) fn has_all_groups(&self) -> bool {
        self.packets() == self.geometry.packets()
    }

    /// How many packets are whole.
    pub(super) fn packets(&self) -> u32 {
        self.log.len() as u32
    }

    /// Whether everything is verified and written.
    pub(super) fn is_complete(&self) -> bool {
        self.has_all_groups() && self.writes.is_empty()
    }

    pub(super) fn have_bytes(&self) -> u64 {
        self.groups.bytes()
    }

    /// Whole packets in the order in which they were completed.
    pub(super) fn log(&self) -> &[Held] {
        &self.log
    }

    /// Takes in a whole packet that is in the store already.
    pub(super) fn insert_stored(&mut self, packet: PacketIndex) {
        for group in self.geometry.groups_of(packet) {
            self.insert_group(group);
        }
        self.packet_completed(packet, None);
    }

    /// Takes in verified groups of one packet that are new, at least in part. Returns the write to make and whether the
    /// packet is whole now.
    pub(super) fn insert(
        &mut self,
        first: GroupIndex,
        payload: &Bytes,
        from: Option<LinkId>,
        now: Time,
    ) -> (WriteId, u64, bool) {
        let packet = self.geometry.packet_of(first);
        let offset_bytes = self.geometry.group_range(first).start;
        let was_whole = self.has_packet(packet);
        self.cache_whole(packet, payload);
        for (i, bytes) in self.split_groups(first, payload) {
            if self.insert_group(i) {
                self.cache_group(packet, i, bytes);
            }
        }
        let write = WriteId(self.next_write);
        self.next_write += 1;
        self.writes.insert(write, (packet, payload.len()));
        *self.writing.entry(packet).or_default() += 1;
        self.backlog_bytes += payload.len();
        self.shrink_cache();
        let completed = !was_whole && self.has_packet(packet);
        if self.has_packet(packet) {
            self.in_part.remove(&packet);
        } else {
            self.in_part.insert(packet, now);
        }
        if completed {
            self.tree.forget_groups(packet);
            self.packet_completed(packet, from);
        }
        (write, offset_bytes, completed)
    }

    /// A write is done; which packet it belonged to. `None` if there is no such write.
    pub(super) fn written(&mut self, write: WriteId) -> Option<PacketIndex> {
        let (packet, bytes) = self.writes.remove(&write)?;
        self.backlog_bytes -= bytes;
        if let Some(count) = self.writing.get_mut(&packet) {
            *count -= 1;
            if *count == 0 {
                self.writing.remove(&packet);
            }
        }
        self.shrink_cache();
        Some(packet)
    }

    /// Whether a part of the packet is being written: it can't be read yet.
    pub(super) fn is_writing(&self, packet: PacketIndex) -> bool {
        self.writing.contains_key(&packet)
    }

    /// Bytes that wait for the store.
    pub(super) fn backlog_bytes(&self) -> usize {
        self.backlog_bytes
    }

    /// The bytes of consecutive groups of one packet, if they are in memory.
    pub(super) fn cached(&self, packet: PacketIndex, first: u32, count: u32) -> Option<Bytes> {
        let cached = self.cache.get(&packet)?;
        if let Some(whole) = cached.whole.as_ref().filter(|_| count as usize == self.geometry.groups_of(packet).len()) {
            return Some(whole.clone());
        }
        let groups = cached.groups.get(first as usize..(first + count) as usize)?;
        if let [Some(one)] = groups {
            return Some(one.clone());
        }
        let mut joined = BytesMut::with_capacity((self.geometry.group_bytes() * count) as usize);
        for group in groups {
            joined.extend_from_slice(group.as_ref()?);
        }
        Some(joined.freeze())
    }

    /// Starts the read of a whole packet unless one is under way.
    pub(super) fn start_read(&mut self, packet: PacketIndex) -> Option<ReadId> {
        if !self.reading.insert(packet) {
            return None;
        }
        let read = ReadId(self.next_read);
        self.next_read += 1;
        self.reads.insert(read, packet);
        Some(read)
    }

    /// Ends a read; the packet it was of.
    pub(super) fn end_read(&mut self, read: ReadId) -> Option<PacketIndex> {
        let packet = self.reads.remove(&read)?;
        self.reading.remove(&packet);
        Some(packet)
    }

    pub(super) fn reads_under_way(&self) -> usize {
        self.reads.len()
    }

    /// Keeps a packet that was read and checked in memory, at least until [`Holdings::shrink_cache`]: whoever waited
    /// for it is served before.
    pub(super) fn cache_packet(&mut self, packet: PacketIndex, bytes: &Bytes) {
        let first = self.geometry.groups_of(packet).start;
        let Some(first) = self.geometry.group(first) else { return };
        self.cache_whole(packet, bytes);
        for (group, bytes) in self.split_groups(first, bytes) {
            self.cache_group(packet, group, bytes);
        }
    }

    /// Keeps a payload that is all of its packet in one piece. Not beside groups that are there already: it would be
    /// kept twice. To be called before its groups are cached, which share its memory.
    fn cache_whole(&mut self, packet: PacketIndex, payload: &Bytes) {
        let is_whole = payload.len() as u64 == self.geometry.packet_range(packet).len();
        if is_whole && !self.cache.contains_key(&packet) {
            self.cache_order.push_back(packet);
            self.cache.insert(packet, Cached { whole: Some(payload.clone()), ..Cached::default() });
        }
    }

    fn split_groups(&self, first: GroupIndex, payload: &Bytes) -> Vec<(u32, Bytes)> {
        let step = self.geometry.group_bytes() as usize;
        let starts = (0..payload.len()).step_by(step);
        let slices = starts.map(|start| payload.slice(start..payload.len().min(start + step)));
        slices.enumerate().map(|(i, bytes)| (first.get() + i as u32, bytes)).collect()
    }

    fn insert_group(&mut self, group: u32) -> bool {
        let group = self.geometry.group(group).expect("groups of a packet are groups of the content");
        self.groups.insert(group)
    }

    fn packet_completed(&mut self, packet: PacketIndex, from: Option<LinkId>) {
        self.log.push(Held { packet, from });
    }

    fn cache_group(&mut self, packet: PacketIndex, group: u32, bytes: Bytes) {
        let first = self.geometry.groups_of(packet).start;
        if !self.cache.contains_key(&packet) {
            self.cache_order.push_back(packet);
        }
        let cached = self.cache.entry(packet).or_default();
        let slot = &mut cached.groups[(group - first) as usize];
        if slot.is_none() {
            cached.bytes += bytes.len();
            self.cache_bytes += bytes.len();
            *slot = Some(bytes);
        }
    }

    /// Drops the oldest packets until the cache is within its bound. What is being written stays: it cannot be read
    /// yet, and the store's backlog bounds it.
    pub(super) fn shrink_cache(&mut self) {
        let mut kept = 0;
        while self.cache_bytes > self.cache_bytes_max && kept < self.cache_order.len() {
            let Some(oldest) = self.cache_order.pop_front() else { return };
            if self.writing.contains_key(&oldest) {
                self.cache_order.push_back(oldest);
                kept += 1;
            } else if let Some(cached) = self.cache.remove(&oldest) {
                self.cache_bytes -= cached.bytes;
            }
        }
    }
}
