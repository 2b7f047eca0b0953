//! Which descriptors are there: a count of what each lacks, that is told when it comes down to nothing ([004] claim 32).

use crate::content::PacketIndex;

use super::{Event, Peer};

/// For each descriptor of the manifest, how many packets that it has bytes in are not verified and written.
#[derive(Debug, Default)]
pub(super) struct Describing {
    missing: Vec<u32>,
}

impl Peer {
    /// Counts anew, once it is known what an earlier run left; tells those that it left whole.
    pub(super) fn count_descriptors(&mut self) {
        let missing = |peer: &Self, index: usize| {
            let (mut missing, mut next) = (0, 0);
            for range in peer.config.manifest.descriptors()[index].ranges() {
                let packet_bytes = u64::from(peer.geometry.packet_bytes());
                let end = range.end.div_ceil(packet_bytes) as u32;
                // Two stretches may share a packet.
                let packets = (next.max((range.start / packet_bytes) as u32)..end).filter_map(|at| peer.packet(at));
                missing += packets.filter(|packet| !peer.is_readable(*packet)).count() as u32;
                next = end;
            }
            missing
        };
        let counts = (0..self.config.manifest.descriptors().len()).map(|index| missing(self, index));
        self.describing.missing = counts.collect();
        for index in 0..self.describing.missing.len() {
            self.tell_descriptor(index);
        }
    }

    /// A packet became readable, which it does once.
    pub(super) fn note_described(&mut self, packet: PacketIndex) {
        let range = self.geometry.packet_range(packet);
        for index in 0..self.describing.missing.len() {
            let missing = self.describing.missing[index];
            if missing > 0 && self.config.manifest.descriptors()[index].touches(range) {
                self.describing.missing[index] = missing - 1;
                self.tell_descriptor(index);
            }
        }
    }

    fn tell_descriptor(&mut self, index: usize) {
        if self.describing.missing[index] == 0 {
            // What is used at once is there after a restart too.
            self.save_journal();
            self.event(Event::Descriptor { index: index as u32 });
        }
    }

    /// Whether all of it is verified and written.
    pub(super) fn is_readable(&self, packet: PacketIndex) -> bool {
        self.holdings.has_packet(packet) && !self.holdings.is_writing(packet)
    }
}
