use proptest::prelude::*;

use super::*;

fn run(offset_bytes: u64, len_bytes: u64, count: u64, every_bytes: u64) -> DescriptorRun {
    DescriptorRun { offset_bytes, len_bytes, count, every_bytes }
}

fn of(runs: &[DescriptorRun]) -> Descriptor {
    Descriptor { name: None, runs: runs.to_vec() }
}

#[test]
fn what_is_no_part_of_the_content_is_refused() {
    let good = [of(&[run(0, 10, 3, 20), run(50, 50, 1, 0)]), of(&[run(10, 10, 1, 0)])];
    check_descriptors(&good, 100).unwrap();
    let bad = [
        of(&[]),
        of(&[run(0, 0, 1, 0)]),
        of(&[run(0, 1, 0, 0)]),
        of(&[run(0, 10, 2, 9)]),
        of(&[run(0, 10, 1, 20)]),
        of(&[run(91, 10, 1, 0)]),
        of(&[run(0, 10, 6, 20)]),
        of(&[run(50, 10, 1, 0), run(0, 10, 1, 0)]),
        of(&[run(0, 10, 2, 20), run(20, 5, 1, 0)]),
        of(&[run(u64::MAX, 1, 1, 0)]),
        of(&[run(1, 1, u64::MAX, u64::MAX)]),
        Descriptor { name: Some("a/b".into()), ..good[0].clone() },
    ];
    for descriptor in bad {
        assert!(check_descriptors(std::slice::from_ref(&descriptor), 100).is_err(), "{descriptor:?}");
    }
    assert!(check_descriptors(&vec![good[1].clone(); DESCRIPTORS_MAX + 1], 100).is_err());
    assert!(check_descriptors(&[of(&vec![run(0, 1, 1, 0); RUNS_MAX + 1])], 100).is_err());
    assert!(check_descriptors(&[of(&[run(0, 1, STRETCHES_MAX + 1, 1)])], 1 << 40).is_err());
}

#[test]
fn nothing_is_dealt_to_nobody() {
    assert!(dealt(0, 4).is_empty());
    assert!(dealt(100, 0).is_empty());
    assert_eq!(dealt(100, 4), [of(&[run(0, 100, 1, 0)])]);
}

proptest! {
    #[test]
    fn packets_are_dealt_without_rest(size_bytes in 1_u64..40 * u64::from(PACKET_BYTES), count in 1_usize..9) {
        let descriptors = dealt(size_bytes, count);
        check_descriptors(&descriptors, size_bytes).unwrap();
        prop_assert_eq!(descriptors.iter().map(Descriptor::size_bytes).sum::<u64>(), size_bytes);
        for (index, descriptor) in descriptors.iter().enumerate() {
            for range in descriptor.ranges() {
                prop_assert_eq!(range.start % u64::from(PACKET_BYTES), 0);
                prop_assert_eq!((range.start / u64::from(PACKET_BYTES)) as usize % descriptors.len(), index);
            }
        }
    }

    #[test]
    fn touching_is_sharing_a_byte(
        offset in 0_u64..50, len in 1_u64..9, count in 1_u64..6, gap in 0_u64..9, start in 0_u64..150, range_len in 0_u64..20,
    ) {
        let descriptor = of(&[run(offset, len, count, if count > 1 { len + gap } else { 0 })]);
        check_descriptors(std::slice::from_ref(&descriptor), 1_000).unwrap();
        let range = ByteRange { start, end: start + range_len };
        let shares = descriptor.ranges().any(|own| own.start < range.end && range.start < own.end && !range.is_empty());
        prop_assert_eq!(descriptor.touches(range), shares);
    }
}
