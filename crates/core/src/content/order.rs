//! The order in which an author wants packets sent ([002] claim 6): by the priority of the segments they are in, and
//! where that is the same in sequence.
//!
//! A packet's number in this order is its *place*. Packets are dealt to stripes by place, so that every stripe has its
//! share of each priority, and whoever pushes goes from place to place. Where no segment is before another, place and
//! index are the same.
//!
//! It is kept as runs of packets that stay together: as long as the list of segments, whatever the content's size.

use std::sync::Arc;

use super::geometry::{Geometry, PacketIndex};
use super::manifest::Segment;

/// Packets that stay together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    /// Index of the first.
    first: u32,
    count: u32,
    /// Place of the first.
    place: u32,
    /// How many other priorities go before theirs.
    class: u32,
}

/// The order of a content's packets; cheap to clone.
#[derive(Clone, Debug)]
pub struct PacketOrder {
    geometry: Geometry,
    /// Both empty where places are indices.
    by_place: Arc<[Stretch]>,
    by_index: Arc<[Stretch]>,
}

impl PacketOrder {
    /// The order that these segments make; they cover the content in order, or there is none. A packet of several
    /// segments goes with the most urgent of them.
    pub fn new(geometry: Geometry, segments: &[Segment]) -> Self {
        let mut runs = priority_runs(geometry, segments);
        runs.sort_by_key(|(_, _, priority)| core::cmp::Reverse(*priority));
        let mut by_place: Vec<Stretch> = Vec::new();
        let (mut place, mut class, mut class_priority) = (0, 0, None);
        for (first, count, priority) in runs {
            class += u32::from(class_priority.is_some_and(|before| before != priority));
            class_priority = Some(priority);
            match by_place.last_mut().filter(|last| last.class == class && last.first + last.count == first) {
                Some(last) => last.count += count,
                None => by_place.push(Stretch { first, count, place, class }),
            }
            place += count;
        }
        if by_place.len() <= 1 {
            by_place.clear();
        }
        let mut by_index = by_place.clone();
        by_index.sort_by_key(|stretch| stretch.first);
        Self { geometry, by_place: by_place.into(), by_index: by_index.into() }
    }

    /// How many places there are: as many as packets.
    pub fn places(&self) -> u32 {
        self.geometry.packets()
    }

    /// The packet at a place.
    pub fn at(&self, place: u32) -> Option<PacketIndex> {
        let after = self.by_place.partition_point(|stretch| stretch.place <= place);
        let index = match after.checked_sub(1).map(|at| self.by_place[at]) {
            Some(stretch) if place - stretch.place < stretch.count => stretch.first + (place - stretch.place),
            _ => place,
        };
        self.geometry.packet(index)
    }

    /// The place of a packet.
    pub fn place_of(&self, packet: PacketIndex) -> u32 {
        let index = packet.get();
        self.stretch_of(packet).map_or(index, |stretch| stretch.place + (index - stretch.first))
    }

    /// How many priorities go before that of a packet.
    pub fn class_of(&self, packet: PacketIndex) -> u32 {
        self.stretch_of(packet).map_or(0, |stretch| stretch.class)
    }

    fn stretch_of(&self, packet: PacketIndex) -> Option<&Stretch> {
        let after = self.by_index.partition_point(|stretch| stretch.first <= packet.get());
        self.by_index.get(after.checked_sub(1)?)
    }
}

/// Packets in sequence, by the priority that they have: first, count, priority. Each packet is in one.
fn priority_runs(geometry: Geometry, segments: &[Segment]) -> Vec<(u32, u32, u8)> {
    let packet_bytes = u64::from(geometry.packet_bytes());
    let mut runs: Vec<(u32, u32, u8)> = Vec::new();
    for segment in segments {
        let end_bytes = segment.offset_bytes.saturating_add(segment.len_bytes).min(geometry.size_bytes());
        let end = end_bytes.div_ceil(packet_bytes) as u32;
        let mut first = (segment.offset_bytes / packet_bytes) as u32;
        // The packet in which two segments meet goes with the more urgent.
        while let Some((run_first, count, priority)) = runs.last_mut() {
            if *run_first + *count <= first {
                break;
            }
            if *priority >= segment.priority {
                first = *run_first + *count;
                break;
            }
            *count -= 1;
            if *count == 0 {
                runs.pop();
            }
        }
        if first < end {
            runs.push((first, end - first, segment.priority));
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::content::PACKET_BYTES;

    /// What anybody would write: each packet with its priority, sorted.
    fn slow_order(geometry: Geometry, segments: &[Segment]) -> Vec<u32> {
        let priority_of = |packet: PacketIndex| {
            let range = geometry.packet_range(packet);
            let within = segments.iter().filter(|segment| {
                segment.offset_bytes < range.end && range.start < segment.offset_bytes + segment.len_bytes
            });
            within.map(|segment| segment.priority).max().unwrap_or(0)
        };
        let mut packets: Vec<PacketIndex> = geometry.all_packets().collect();
        packets.sort_by_key(|packet| core::cmp::Reverse(priority_of(*packet)));
        packets.into_iter().map(PacketIndex::get).collect()
    }

    fn segments_of(lengths: &[(u64, u8)]) -> (Geometry, Vec<Segment>) {
        let mut segments = Vec::new();
        let mut offset_bytes = 0;
        for (len_bytes, priority) in lengths {
            segments.push(Segment { offset_bytes, len_bytes: *len_bytes, priority: *priority });
            offset_bytes += len_bytes;
        }
        (Geometry::new(offset_bytes).expect("a small content"), segments)
    }

    proptest! {
        #[test]
        fn places_are_as_a_sort_by_priority_would_have_them(
            lengths in prop::collection::vec((1..4 * u64::from(PACKET_BYTES), 0..4u8), 0..24)
        ) {
            let (geometry, segments) = segments_of(&lengths);
            let order = PacketOrder::new(geometry, &segments);
            let expected = slow_order(geometry, &segments);
            let got: Vec<u32> = (0..order.places()).filter_map(|place| order.at(place)).map(PacketIndex::get).collect();
            prop_assert_eq!(&got, &expected);
            for (place, index) in expected.into_iter().enumerate() {
                let packet = geometry.packet(index).expect("it exists");
                prop_assert_eq!(order.place_of(packet), place as u32);
            }
            prop_assert!(order.at(order.places()).is_none());
        }
    }

    #[test]
    fn without_segments_places_are_indices() {
        let geometry = Geometry::new(10 * u64::from(PACKET_BYTES)).expect("a small content");
        let order = PacketOrder::new(geometry, &[]);
        assert!((0..10).all(|place| order.at(place).is_some_and(|packet| order.place_of(packet) == packet.get())));
    }
}
