use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn geometry(groups: u32) -> Geometry {
    // The last group is short by a byte, so that bytes are not simply groups times their size.
    Geometry::with_group_bytes(u64::from(groups) * 1024 - u64::from(groups > 0), 1024).unwrap()
}

#[derive(Clone, Debug)]
enum Operation {
    Insert(u32),
    InsertRun(u32, u32),
    Remove(u32),
}

fn operation(end: u32) -> impl Strategy<Value = Operation> {
    prop_oneof![
        (0..end).prop_map(Operation::Insert),
        (0..end + 2, 0..end + 2).prop_map(|(first, count)| Operation::InsertRun(first, count)),
        (0..end).prop_map(Operation::Remove),
    ]
}

fn reference_runs(set: &BTreeSet<u32>) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for index in set {
        match runs.last_mut() {
            Some((first, count)) if *first + *count == *index => *count += 1,
            _ => runs.push((*index, 1)),
        }
    }
    runs
}

fn check_packets(set: &PacketSet, reference: &BTreeSet<u32>, geometry: &Geometry) {
    assert_eq!(set.count() as usize, reference.len());
    for from in 0..geometry.packets() + 2 {
        let absent = (from..).find(|index| !reference.contains(index));
        assert_eq!(Some(set.next_absent(from)), absent, "from {from} of {reference:?}");
    }
    assert_eq!(set.is_full(), reference.len() == geometry.packets() as usize);
    assert!(set.iter().map(PacketIndex::get).eq(reference.iter().copied()));
    let runs: Vec<_> = set.runs().collect();
    assert_eq!(runs, reference_runs(reference));
    let missing = (0..geometry.packets()).find(|index| !reference.contains(index));
    assert_eq!(set.first_missing().map(PacketIndex::get), missing);
    assert_eq!(PacketSet::from_runs(*geometry, runs).as_ref(), Some(set));
}

fn check_groups(set: &GroupSet, reference: &BTreeSet<u32>, geometry: &Geometry) {
    assert_eq!(set.count() as usize, reference.len());
    assert_eq!(set.is_full(), reference.len() == geometry.groups() as usize);
    assert!(set.iter().map(GroupIndex::get).eq(reference.iter().copied()));
    let bytes: u64 = set.iter().map(|group| geometry.group_range(group).len()).sum();
    assert_eq!(set.bytes(), bytes);
    let (mut complete, mut partial) = (Vec::new(), Vec::new());
    for packet in geometry.all_packets() {
        let groups = geometry.groups_of(packet);
        let held = groups.clone().filter(|group| reference.contains(group)).count();
        let nibble = groups.clone().filter(|group| reference.contains(group)).map(|group| 1 << (group - groups.start));
        assert_eq!(set.packet_groups(packet), nibble.sum::<u8>());
        assert_eq!(set.contains_packet(packet), held == groups.len());
        match held {
            0 => {}
            held if held == groups.len() => complete.push(packet),
            _ => partial.push(packet),
        }
    }
    assert_eq!(set.packets_complete() as usize, complete.len());
    assert_eq!(set.complete_packets().collect::<Vec<_>>(), complete);
    assert_eq!(set.partial_packets().collect::<Vec<_>>(), partial);
}

proptest! {
    #[test]
    fn a_packet_set_is_a_set(
        (packets, operations) in (1_u32..300).prop_flat_map(|packets| {
            (Just(packets), prop::collection::vec(operation(packets), 0..20))
        })
    ) {
        let geometry = geometry(packets * GROUPS_PER_PACKET);
        let (mut set, mut reference) = (PacketSet::new(geometry), BTreeSet::new());
        for operation in operations {
            match operation {
                Operation::Insert(index) => {
                    prop_assert_eq!(set.insert(geometry.packet(index).unwrap()), reference.insert(index));
                }
                Operation::InsertRun(first, count) => {
                    let fits = first + count <= packets;
                    prop_assert_eq!(set.insert_run(first, count), fits);
                    reference.extend((first..first + count).filter(|_| fits));
                }
                Operation::Remove(index) => {
                    prop_assert_eq!(set.remove(geometry.packet(index).unwrap()), reference.remove(&index));
                }
            }
            check_packets(&set, &reference, &geometry);
        }
    }

    #[test]
    fn a_group_set_is_a_set(
        (groups, operations) in (1_u32..300).prop_flat_map(|groups| {
            (Just(groups), prop::collection::vec(operation(groups), 0..60))
        })
    ) {
        let geometry = geometry(groups);
        let (mut set, mut reference) = (GroupSet::new(geometry), BTreeSet::new());
        for operation in operations {
            match operation {
                Operation::Insert(index) => {
                    prop_assert_eq!(set.insert(geometry.group(index).unwrap()), reference.insert(index));
                }
                Operation::InsertRun(first, _) => {
                    let Some(packet) = geometry.packet(first) else { continue };
                    let before = reference.len();
                    reference.extend(geometry.groups_of(packet));
                    prop_assert_eq!(set.insert_packet(packet), reference.len() > before);
                }
                Operation::Remove(index) => {
                    let packet = geometry.packet_of(geometry.group(index).unwrap());
                    let before = reference.len();
                    reference.retain(|group| !geometry.groups_of(packet).contains(group));
                    prop_assert_eq!(set.remove_packet(packet), reference.len() < before);
                }
            }
            check_groups(&set, &reference, &geometry);
        }
    }
}

#[test]
fn sets_that_hold_the_same_are_equal_however_they_grew() {
    let geometry = geometry(4000);
    let mut grown = PacketSet::new(geometry);
    grown.insert(geometry.packet(999).unwrap());
    grown.remove(geometry.packet(999).unwrap());
    assert_eq!(grown, PacketSet::new(geometry));
    grown.insert(geometry.packet(1).unwrap());
    assert_eq!(PacketSet::from_runs(geometry, [(1, 1)]), Some(grown.clone()));
    assert_ne!(grown, PacketSet::full(geometry));
}

#[test]
fn runs_past_the_end_are_refused() {
    let geometry = geometry(40);
    for run in [(10, 1), (0, 11), (9, 2), (u32::MAX, 2), (1, u32::MAX)] {
        assert_eq!(PacketSet::from_runs(geometry, [(0, 1), run]), None, "{run:?}");
    }
    assert!(PacketSet::full(geometry).is_full());
    assert_eq!(PacketSet::full(geometry).first_missing(), None);
}

#[test]
fn indices_of_a_larger_content_are_refused() {
    let (small, large) = (geometry(4), geometry(4000));
    assert!(!PacketSet::new(small).insert(large.packet(1).unwrap()));
    assert!(!GroupSet::new(small).insert(large.group(4).unwrap()));
    assert!(!GroupSet::new(small).insert_packet(large.packet(1).unwrap()));
    assert!(!GroupSet::new(small).contains_packet(large.packet(1).unwrap()));
}

#[test]
fn the_sets_of_empty_content_are_full() {
    assert!(PacketSet::new(geometry(0)).is_full());
    assert!(GroupSet::new(geometry(0)).is_full());
    assert_eq!(PacketSet::new(geometry(0)).first_missing(), None);
}
