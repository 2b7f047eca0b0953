//! What is kept of a tree, and read again.

use super::*;

#[test]
fn the_journal_restores_what_was_learnt() {
    for size in boundary_sizes(SMALL_GROUP as usize) {
        let bytes = content(size);
        let mut whole = build(&bytes, SMALL_GROUP);
        let journal = whole.take_journal();
        assert!(whole.take_journal().is_empty(), "nothing is new any more");
        let mut restored = HashTree::restore(whole.geometry(), whole.root(), &journal);
        assert_eq!(known(&restored), known(&whole));
        assert!(restored.is_complete());
        assert!(restored.take_journal().is_empty(), "what the journal told is not told again");
    }
}

#[test]
fn a_journal_grows_while_groups_come_in_any_order() {
    let bytes = content(77 * 1024);
    let whole = build(&bytes, SMALL_GROUP);
    let geometry = whole.geometry();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut packets: Vec<_> = geometry.all_packets().collect();
    packets.shuffle(&mut rng);
    let (mut tree, mut known_here, mut journal) = (empty_like(&whole), KnownNodes::new(&geometry), Vec::new());
    for packet in packets {
        let first = geometry.group(geometry.groups_of(packet).start).unwrap();
        let count = geometry.groups_of(packet).len() as u32;
        let proof = whole.proof(first, count, None, &mut known_here).unwrap();
        tree.verify(first, packet_slice(&bytes, &geometry, packet), &proof).unwrap();
        journal.extend(tree.take_journal());
        let restored = HashTree::restore(geometry, whole.root(), &journal);
        assert_eq!(known(&restored), known(&tree));
        assert!(restored.knows_packet(packet));
    }
    assert_eq!(journal.len(), (geometry.packets() as usize - 1) * journal::ENTRY_BYTES, "each pair once");
}

/// Which places a journal must restore: those of entries that are intact and whose parents are restored.
fn restorable(shape: Shape, intact: &BTreeSet<u32>) -> BTreeSet<u32> {
    let mut restored = BTreeSet::from([shape.root()]);
    let mut pending = vec![shape.root()];
    while let Some(place) = pending.pop() {
        if let Some((left, right)) = shape.children(place).filter(|_| intact.contains(&place)) {
            restored.extend([left, right]);
            pending.extend([left, right]);
        }
    }
    restored
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Entries lost, corrupt, twice, out of order, with rubbish between them, and a torn end in the middle.
    #[test]
    fn a_damaged_journal_restores_all_that_is_right_in_it(packets in 1_usize..60, seed: u64) {
        let mut whole = build(&content(packets * 4096), SMALL_GROUP);
        let shape = whole.upper_shape();
        let journal = whole.take_journal();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut entries: Vec<_> = journal.chunks(journal::ENTRY_BYTES).collect();
        if rng.random() {
            entries.shuffle(&mut rng);
        }
        let (mut damaged, mut intact) = (Vec::new(), BTreeSet::new());
        for entry in entries {
            let place = u32::from_le_bytes(entry[..4].try_into().unwrap());
            let damage = rng.random_range(0..20);
            if !matches!(damage, 0..3) {
                intact.insert(place);
            }
            match damage {
                0 => {}
                1 => damaged.extend(&entry[..rng.random_range(1..entry.len())]),
                2 => {
                    let mut wrong = entry.to_vec();
                    wrong[rng.random_range(0..entry.len())] ^= 1 << rng.random_range(0..8);
                    damaged.extend(wrong);
                }
                3 => damaged.extend([entry, entry].concat()),
                4 => {
                    damaged.extend((0..rng.random_range(1..200)).map(|_| rng.random::<u8>()));
                    damaged.extend(entry);
                }
                _ => damaged.extend(entry),
            }
        }
        let restored = HashTree::restore(whole.geometry(), whole.root(), &damaged);
        assert_known_is_right(&restored, &whole);
        let places: BTreeSet<_> = known(&restored).into_iter().map(|(place, _)| place).collect();
        prop_assert_eq!(places, restorable(shape, &intact));
    }

    #[test]
    fn rubbish_is_no_journal(size in 0_usize..100_000, rubbish in prop::collection::vec(any::<u8>(), 0..1000)) {
        let whole = build(&content(size), SMALL_GROUP);
        let restored = HashTree::restore(whole.geometry(), whole.root(), &rubbish);
        prop_assert_eq!(known(&restored), known(&empty_like(&whole)));
    }
}

#[test]
fn the_journal_of_another_content_is_worth_nothing() {
    let mut other = build(&content(50_000), SMALL_GROUP);
    let whole = build(&content(50_001), SMALL_GROUP);
    let restored = HashTree::restore(whole.geometry(), whole.root(), &other.take_journal());
    assert_eq!(known(&restored), known(&empty_like(&whole)));
}

#[test]
fn a_huge_claim_costs_nothing() {
    let geometry = Geometry::with_group_bytes(CONTENT_BYTES_MAX, SMALL_GROUP).unwrap();
    let mut tree = HashTree::new(geometry, ContentId::from_bytes([9; 32]));
    let last = geometry.group(geometry.groups() - 1).unwrap();
    let node = |level, index| ProofNode { node: NodeId { level, index }, hash: [1; 32] };
    let above = (2..30).map(|level| node(level, (last.get() >> level) ^ 1));
    let proof: Vec<_> = [node(0, last.get() - 1), node(1, (last.get() >> 1) - 1)].into_iter().chain(above).collect();
    assert_eq!(proof.len(), 30);
    assert_eq!(tree.verify(last, &[0; 1024], &proof[1..]), Err(VerifyError::Missing));
    assert_eq!(tree.verify(last, &[0; 1024], &proof), Err(VerifyError::Mismatch));
    assert!(!tree.is_complete());
    assert_eq!(known(&HashTree::new(Geometry::new(0).unwrap(), tree.root())), [(0, [9; 32])][..0]);
}
