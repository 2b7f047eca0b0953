//! Packets that pass through several holders, each knowing no more of the tree than it was shown.

use super::*;

/// One receiver of the test below.
struct Holder {
    tree: HashTree,
    groups: GroupSet,
}

impl Holder {
    /// Sends some groups, if there are some to send, and checks that they arrive well.
    fn send(&self, to: &mut Holder, link: &mut KnownNodes, bytes: &[u8], rng: &mut ChaCha8Rng) {
        let geometry = self.tree.geometry();
        let Some(first) = geometry.group(rng.random_range(0..geometry.groups())) else { return };
        let count = rng.random_range(1..=GROUPS_PER_PACKET);
        let Some(range) = geometry.groups_range(first, count) else { return };
        let groups = (first.get()..first.get() + count).filter_map(|index| geometry.group(index));
        if !groups.clone().all(|group| self.groups.contains(group)) {
            return;
        }
        let packet = geometry.packet_of(first);
        let packet_bytes = self.groups.contains_packet(packet).then(|| packet_slice(bytes, &geometry, packet));
        let proof = self.tree.proof(first, count, packet_bytes, link).expect("it holds these groups");
        let part = &bytes[range.start as usize..range.end as usize];
        assert_eq!(to.tree.verify(first, part, &proof), Ok(()));
        for group in groups {
            to.groups.insert(group);
        }
        if to.groups.contains_packet(packet) {
            to.tree.forget_groups(packet);
        }
    }
}

/// A seeder and three peers, each of which is fed by all before it, in any order, with whatever they hold: over every
/// link each hash goes once at most, and every message verifies.
fn check_relays(size: usize, group_bytes: u32, seed: u64) {
    let bytes = content(size);
    let whole = build(&bytes, group_bytes);
    let geometry = whole.geometry();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut groups = GroupSet::new(geometry);
    for packet in geometry.all_packets() {
        groups.insert_packet(packet);
    }
    let mut holders = vec![Holder { tree: whole.clone(), groups }];
    holders.extend((0..3).map(|_| Holder { tree: empty_like(&whole), groups: GroupSet::new(geometry) }));
    let mut links: Vec<_> = (0..16).map(|_| KnownNodes::new(&geometry)).collect();
    let mut turns = 0;
    while !holders.iter().all(|holder| holder.groups.is_full()) {
        let to = rng.random_range(1..holders.len());
        // Mostly along the chain, sometimes past it.
        let from = if rng.random_ratio(3, 4) { to - 1 } else { rng.random_range(0..to) };
        let (before, after) = holders.split_at_mut(to);
        before[from].send(&mut after[0], &mut links[from * 4 + to], &bytes, &mut rng);
        turns += 1;
        assert!(turns < 1_000_000, "it ends");
    }
    for holder in &holders {
        assert!(holder.tree.is_complete());
        assert!(holder.tree.lower.is_empty());
        assert_eq!(known(&holder.tree), known(&whole));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn relays_with_parts_of_packets_verify_in_any_order(size in 1_usize..90_000, seed: u64) {
        check_relays(size, SMALL_GROUP, seed);
    }

    #[test]
    fn relays_verify_with_groups_of_the_standard_size(size in 1_usize..500_000, seed: u64) {
        check_relays(size, GROUP_BYTES, seed);
    }

    /// Whatever comes with whatever proof: it is believed only if it is the content's, and nothing wrong is kept.
    #[test]
    fn lies_are_not_believed(size in 1_usize..40_000, seed: u64) {
        let bytes = content(size);
        let whole = build(&bytes, SMALL_GROUP);
        let geometry = whole.geometry();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut tree = empty_like(&whole);
        for _ in 0..50 {
            let ranges = all_ranges(&geometry);
            let (first, count) = *ranges.choose(&mut rng).unwrap();
            let packet_bytes = packet_slice(&bytes, &geometry, geometry.packet_of(first));
            let mut proof = whole.proof(first, count, Some(packet_bytes), &mut KnownNodes::new(&geometry)).unwrap();
            let right = slice(&bytes, &geometry, first, count);
            let mut part = right.to_vec();
            for _ in 0..rng.random_range(0..3) {
                mutate(&mut part, &mut proof, &mut rng);
            }
            if tree.verify(first, &part, &proof).is_ok() {
                // Cut between groups, it is still the content's.
                prop_assert!(!part.is_empty() && right.starts_with(&part));
            }
            assert_known_is_right(&tree, &whole);
        }
    }
}

fn mutate(part: &mut Vec<u8>, proof: &mut Vec<ProofNode>, rng: &mut ChaCha8Rng) {
    let at = rng.random_range(0..part.len().max(1));
    match rng.random_range(0..6) {
        0 if !part.is_empty() => part[at] ^= 1 << rng.random_range(0..8),
        1 => part.truncate(at),
        2 if !proof.is_empty() => drop(proof.remove(at % proof.len())),
        3 if !proof.is_empty() => {
            let count = proof.len();
            proof[at % count].hash[at % 32] ^= 1;
        }
        4 => proof.shuffle(rng),
        _ => {
            let node = NodeId { level: rng.random_range(0..8), index: rng.random_range(0..40) };
            proof.push(ProofNode { node, hash: rng.random() });
        }
    }
}
