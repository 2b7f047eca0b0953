//! A peer's store: remembers what was written, hands it back, and notices whoever writes what is not true or reads what
//! is not there.
//!
//! Bytes are not kept: a write that is not the true content is a fault of the engine, so afterwards the true content
//! *is* what was written. A write takes a while before it can be read; one that is under way when the peer is killed
//! is lost.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use pleach_core::content::{GROUPS_PER_PACKET, HashTree};
use pleach_core::ids::WriteId;

use crate::bits::Bits;
use crate::content::TrueContent;

/// A write takes so long, and as long as its bytes take at [`WRITE_BYTES_PER_S`].
const WRITE_LATENCY: Duration = Duration::from_millis(3);
const WRITE_BYTES_PER_S: u64 = 200_000_000;
/// A read takes so long.
pub(crate) const READ_LATENCY: Duration = Duration::from_millis(1);

/// What is kept when a peer goes: enough to start it again.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// By group: whether its bytes are in the store.
    pub groups: Vec<bool>,
    /// The record of hashes, as the engine gave it to be appended.
    pub record: Vec<u8>,
}

/// One store.
#[derive(Debug)]
pub(crate) struct Store {
    content: TrueContent,
    /// Groups verified by the engine, which has asked to write them.
    accepted: Bits,
    /// Groups that are written.
    written: Bits,
    /// Whether each write is compared with the true content.
    is_checked: bool,
    under_way: BTreeMap<WriteId, (std::ops::Range<u32>, usize)>,
    pub(crate) backlog_bytes: usize,
    pub(crate) record: Vec<u8>,
}

/// What a write came to.
pub(crate) struct Accepted {
    pub(crate) takes: Duration,
    /// Groups that were not there before.
    pub(crate) news: Vec<u32>,
    /// Whether the packet is whole now and was not before.
    pub(crate) completed_packet: bool,
}

impl Store {
    pub(crate) fn new(content: TrueContent, kept: Kept, is_checked: bool) -> Self {
        let groups = content.geometry().groups();
        let mut written = Bits::none(groups);
        for (group, _) in (0..).zip(kept.groups).filter(|(_, is)| *is) {
            written.insert(group);
        }
        Self {
            content,
            accepted: Bits::none(groups),
            written,
            is_checked,
            under_way: BTreeMap::new(),
            backlog_bytes: 0,
            record: kept.record,
        }
    }

    /// The engine knows all of it to be here: it is the source.
    pub(crate) fn accept_all(&mut self) {
        self.written = Bits::all(self.written.len());
        self.accepted.clone_from(&self.written);
    }

    /// The engine has checked what lies here: every packet that is whole and whose hash the record knows counts. Returns
    /// the groups and how many bytes they have.
    pub(crate) fn accept_checked(&mut self, tree: &HashTree) -> (Vec<u32>, u64) {
        let geometry = self.content.geometry();
        let mut bytes = 0;
        let mut groups = Vec::new();
        for packet in geometry.all_packets().filter(|packet| tree.knows_packet(*packet)) {
            let of_packet = geometry.groups_of(packet);
            if of_packet.clone().all(|group| self.written.contains(group)) {
                bytes += geometry.packet_range(packet).len();
                groups.extend(of_packet);
            }
        }
        for group in &groups {
            self.accepted.insert(*group);
        }
        (groups, bytes)
    }

    pub(crate) fn has_accepted(&self, group: u32) -> bool {
        self.accepted.contains(group)
    }

    pub(crate) fn groups_accepted(&self) -> u32 {
        self.accepted.count()
    }

    pub(crate) fn accepted(&self) -> &Bits {
        &self.accepted
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.written.is_all()
    }

    /// Starts a write; an error says what is wrong with it.
    pub(crate) fn write(&mut self, write: WriteId, offset_bytes: u64, bytes: &Bytes) -> Result<Accepted, String> {
        let is_true = || self.content.slice(offset_bytes, bytes.len()).as_ref() == Some(bytes);
        if bytes.is_empty() || (self.is_checked && !is_true()) {
            return Err(format!("writes {} bytes at {offset_bytes} that are not the content's", bytes.len()));
        }
        let geometry = self.content.geometry();
        let group_bytes = u64::from(geometry.group_bytes());
        let end_bytes = offset_bytes + bytes.len() as u64;
        let whole = offset_bytes.is_multiple_of(group_bytes)
            && (end_bytes.is_multiple_of(group_bytes) || end_bytes == geometry.size_bytes());
        if !whole {
            return Err(format!("writes part of a group at {offset_bytes}"));
        }
        let groups = (offset_bytes / group_bytes) as u32..end_bytes.div_ceil(group_bytes) as u32;
        let news: Vec<u32> = groups.clone().filter(|group| !self.has_accepted(*group)).collect();
        if news.is_empty() {
            return Err(format!("writes again what it has, at {offset_bytes}"));
        }
        for group in &news {
            self.accepted.insert(*group);
        }
        self.under_way.insert(write, (groups.clone(), bytes.len()));
        self.backlog_bytes += bytes.len();
        let true_bytes = bytes.len() as u64 * u64::from(self.content.bytes_per_byte());
        let takes = WRITE_LATENCY + Duration::from_micros(true_bytes * 1_000_000 / WRITE_BYTES_PER_S);
        Ok(Accepted { takes, news, completed_packet: self.has_packet_of(groups.start) })
    }

    fn has_packet_of(&self, group: u32) -> bool {
        let first = group / GROUPS_PER_PACKET * GROUPS_PER_PACKET;
        let end = (first + GROUPS_PER_PACKET).min(self.accepted.len());
        (first..end).all(|group| self.has_accepted(group))
    }

    /// A write is done.
    pub(crate) fn written(&mut self, write: WriteId) {
        let Some((groups, len_bytes)) = self.under_way.remove(&write) else { return };
        self.backlog_bytes -= len_bytes;
        for group in groups {
            self.written.insert(group);
        }
    }

    /// What a read finds: zeros where nothing was written, as in a file with holes. The second value tells whether all
    /// of it had been written.
    pub(crate) fn read(&self, offset_bytes: u64, len_bytes: u32) -> Option<(Bytes, bool)> {
        let bytes = self.content.slice(offset_bytes, len_bytes as usize)?;
        let group_bytes = u64::from(self.content.geometry().group_bytes());
        let end_bytes = offset_bytes + u64::from(len_bytes);
        let groups = (offset_bytes / group_bytes) as u32..end_bytes.div_ceil(group_bytes) as u32;
        if groups.clone().all(|group| self.written.contains(group)) {
            return Some((bytes, true));
        }
        let mut holed = BytesMut::from(&bytes[..]);
        for group in groups.filter(|group| !self.written.contains(*group)) {
            let start = (u64::from(group) * group_bytes).saturating_sub(offset_bytes) as usize;
            let end = ((u64::from(group) + 1) * group_bytes - offset_bytes).min(bytes.len() as u64) as usize;
            holed[start..end].fill(0);
        }
        Some((holed.freeze(), false))
    }

    /// What stays when the peer is gone.
    pub(crate) fn keep(&self) -> Kept {
        let groups = (0..self.written.len()).map(|group| self.written.contains(group)).collect();
        Kept { groups, record: self.record.clone() }
    }
}
