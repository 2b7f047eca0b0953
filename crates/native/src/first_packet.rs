//! Notices when the first whole packet is there, from the writes that the engine asks for.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use pleach_core::content::{GROUP_BYTES, PACKET_BYTES};
use tokio::time::Instant;

/// Counts groups until one packet has all of its. What it keeps until then is a byte for each packet that was begun.
#[derive(Debug)]
pub(crate) struct FirstPacket {
    size_bytes: u64,
    groups: BTreeMap<u64, u8>,
    at: Arc<OnceLock<Instant>>,
}

impl FirstPacket {
    pub(crate) fn new(size_bytes: u64) -> Self {
        Self { size_bytes, groups: BTreeMap::new(), at: Arc::default() }
    }

    /// Where the moment will be found.
    pub(crate) fn moment(&self) -> Arc<OnceLock<Instant>> {
        self.at.clone()
    }

    /// Groups of one packet are verified.
    pub(crate) fn note(&mut self, offset_bytes: u64, len_bytes: usize) {
        if self.at.get().is_some() {
            return;
        }
        let packet = offset_bytes / u64::from(PACKET_BYTES);
        let begin_bytes = packet * u64::from(PACKET_BYTES);
        let first = (offset_bytes - begin_bytes) / u64::from(GROUP_BYTES);
        let groups = self.groups.entry(packet).or_default();
        *groups |= mask(len_bytes as u64) << first;
        if *groups == mask((self.size_bytes - begin_bytes).min(u64::from(PACKET_BYTES))) {
            self.groups.clear();
            self.at.get_or_init(Instant::now);
        }
    }
}

/// As many bits as there are groups in so many bytes of a packet.
fn mask(len_bytes: u64) -> u8 {
    ((1_u16 << len_bytes.div_ceil(u64::from(GROUP_BYTES))) - 1) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_counts_when_all_its_groups_are_there() {
        let mut first = FirstPacket::new(200_000);
        let moment = first.moment();
        let group = GROUP_BYTES as usize;
        for offset in [0, 1, 2, 5, 6, 7] {
            first.note(offset * u64::from(GROUP_BYTES), group);
        }
        first.note(u64::from(GROUP_BYTES), 2 * group);
        assert!(moment.get().is_none());
        // The last packet is a short one.
        first.note(3 * u64::from(PACKET_BYTES), 200_000 - 3 * PACKET_BYTES as usize);
        assert!(moment.get().is_some());
    }
}
