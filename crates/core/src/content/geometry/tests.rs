use proptest::prelude::*;

use super::*;

#[test]
fn empty_content_has_no_parts() {
    let geometry = Geometry::new(0).unwrap();
    assert_eq!((geometry.packets(), geometry.groups()), (0, 0));
    assert_eq!(geometry.packet(0), None);
    assert_eq!(geometry.group(0), None);
    assert_eq!(geometry.all_packets().len(), 0);
}

#[test]
fn the_last_parts_may_be_short() {
    let geometry = Geometry::new(u64::from(PACKET_BYTES) + u64::from(GROUP_BYTES) + 1).unwrap();
    assert_eq!((geometry.packets(), geometry.groups()), (2, 6));
    let last = geometry.packet(1).unwrap();
    assert_eq!(geometry.groups_of(last), 4..6);
    assert_eq!(geometry.packet_range(last), ByteRange { start: 65536, end: 65536 + 16384 + 1 });
    assert_eq!(geometry.group_range(geometry.group(5).unwrap()).len(), 1);
    assert_eq!(geometry.packet_of(geometry.group(5).unwrap()), last);
}

#[test]
fn a_range_of_groups_stays_in_its_packet() {
    let geometry = Geometry::new(6 * u64::from(GROUP_BYTES) - 1).unwrap();
    let group = |index| geometry.group(index).unwrap();
    assert_eq!(geometry.groups_range(group(0), 4), Some(ByteRange { start: 0, end: 65536 }));
    assert_eq!(geometry.groups_range(group(4), 2).unwrap().len(), 32767);
    for (first, count) in [(0, 0), (0, 5), (3, 2), (4, 3), (5, 2), (0, u32::MAX)] {
        assert_eq!(geometry.groups_range(group(first), count), None, "{count} from {first}");
    }
}

#[test]
fn the_largest_content_fits_into_indices() {
    for group_bytes in [GROUP_BYTES_MIN, GROUP_BYTES, GROUP_BYTES_MAX] {
        let geometry = Geometry::with_group_bytes(CONTENT_BYTES_MAX, group_bytes).unwrap();
        let packets = u64::from(geometry.packets());
        assert_eq!(packets * u64::from(geometry.packet_bytes()), CONTENT_BYTES_MAX);
        let last = geometry.packet(geometry.packets() - 1).unwrap();
        assert_eq!(geometry.packet_range(last).end, CONTENT_BYTES_MAX);
        assert_eq!(geometry.groups_of(last).end, geometry.groups());
    }
}

#[test]
fn what_has_no_geometry_is_refused() {
    assert_eq!(Geometry::new(CONTENT_BYTES_MAX + 1), Err(GeometryError::TooLarge(CONTENT_BYTES_MAX + 1)));
    assert_eq!(Geometry::new(u64::MAX), Err(GeometryError::TooLarge(u64::MAX)));
    for group_bytes in [0, 1, 512, 1023, 1025, 3000, 2 * GROUP_BYTES_MAX, u32::MAX] {
        assert_eq!(Geometry::with_group_bytes(1, group_bytes), Err(GeometryError::GroupBytes(group_bytes)));
    }
}

#[test]
fn an_index_of_another_geometry_does_no_harm() {
    let large = Geometry::with_group_bytes(CONTENT_BYTES_MAX, GROUP_BYTES_MIN).unwrap();
    let packet = large.packet(large.packets() - 1).unwrap();
    let group = large.group(large.groups() - 1).unwrap();
    let small = Geometry::with_group_bytes(1, GROUP_BYTES_MAX).unwrap();
    assert!(small.packet_range(packet).is_empty());
    assert!(small.group_range(group).is_empty());
    assert!(small.groups_of(packet).is_empty());
    assert_eq!(small.groups_range(group, 1), None);
}

proptest! {
    /// Groups and packets, laid side by side, are the content.
    #[test]
    fn parts_tile_the_content(size_bytes in 0_u64..300_000, shift in 10_u32..15) {
        let geometry = Geometry::with_group_bytes(size_bytes, 1 << shift).unwrap();
        let mut end = 0;
        let mut next_group = 0;
        for packet in geometry.all_packets() {
            let range = geometry.packet_range(packet);
            prop_assert_eq!(range.start, end);
            prop_assert!(!range.is_empty());
            prop_assert_eq!(geometry.groups_of(packet).start, next_group);
            for index in geometry.groups_of(packet) {
                let group = geometry.group(index).unwrap();
                prop_assert_eq!(geometry.group_range(group).start, end);
                prop_assert_eq!(geometry.packet_of(group), packet);
                end = geometry.group_range(group).end;
                next_group += 1;
            }
            prop_assert_eq!(range.end, end);
        }
        prop_assert_eq!(end, size_bytes);
        prop_assert_eq!(next_group, geometry.groups());
        prop_assert_eq!(geometry.packet(geometry.packets()), None);
        prop_assert_eq!(geometry.group(geometry.groups()), None);
    }
}
