//! Reading what an earlier run left: every packet whose hash is known is read and compared before it counts.

use crate::content::PacketIndex;
use crate::ids::ReadId;
use crate::time::Time;

use super::{Event, Failure, Life, Output, Peer};

/// Reads under way at once.
const READS_MAX: usize = 8;

/// How far the check is.
#[derive(Debug, Default)]
pub(super) struct Checking {
    next: u32,
}

impl Peer {
    pub(super) fn start_checking(&mut self, now: Time) {
        self.checking = Some(Checking::default());
        self.check_more(now);
    }

    /// Starts reads up to the bound; when none is left, the swarm is joined.
    pub(super) fn check_more(&mut self, now: Time) {
        let Some(mut checking) = self.checking.take() else { return };
        while self.holdings.reads_under_way() < READS_MAX {
            let Some(packet) = self.packet(checking.next) else { break };
            checking.next += 1;
            if self.holdings.tree.knows_packet(packet) {
                self.read(packet);
            }
        }
        if self.holdings.reads_under_way() > 0 {
            self.checking = Some(checking);
            return;
        }
        self.event(Event::Resumed { bytes: self.holdings.have_bytes() });
        self.run(now);
    }

    /// Takes in a packet that was read. During the check one that does not match is just not there.
    pub(super) fn read_done(&mut self, read: ReadId, bytes: &bytes::Bytes, now: Time) {
        let Some(packet) = self.holdings.end_read(read) else { return };
        let is_good = self.holdings.tree.check_packet(packet, bytes);
        if self.life == Life::Checking {
            if is_good {
                self.holdings.insert_stored(packet);
            }
            self.check_more(now);
        } else if is_good {
            self.holdings.cache_packet(packet, bytes);
            self.send_awaited(packet, now);
            self.holdings.shrink_cache();
        } else {
            let offset_bytes = self.geometry.packet_range(packet).start;
            self.fail(Failure::ContentChanged { offset_bytes }, now);
        }
    }

    pub(super) fn read_failed(&mut self, read: ReadId, reason: String, now: Time) {
        if self.holdings.end_read(read).is_none() {
            return;
        }
        if self.life == Life::Checking {
            self.check_more(now);
        } else {
            self.fail(Failure::Store(reason), now);
        }
    }

    /// Asks the store for a whole packet, unless that is under way.
    pub(super) fn read(&mut self, packet: PacketIndex) {
        if let Some(read) = self.holdings.start_read(packet) {
            let range = self.geometry.packet_range(packet);
            let output = Output::Read { read, offset_bytes: range.start, len_bytes: range.len() as u32 };
            self.outputs.push_back(output);
        }
    }
}
