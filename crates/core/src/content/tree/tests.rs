//! The tree against a slow one that is written down straight from the specification, and against liars.

mod list;
mod relaying;
mod restoring;

use std::collections::BTreeSet;
use std::ops::Range;

use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};
use proptest::prelude::*;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::content::geometry::{CONTENT_BYTES_MAX, GROUP_BYTES, GROUPS_PER_PACKET, PACKET_BYTES};
use crate::content::packet_set::GroupSet;

const SMALL_GROUP: u32 = 1024;

/// Bytes that repeat nowhere nearby, so that two parts of a content never are alike.
fn content(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new_keyed(&[7; 32]).update(&len.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// The chaining value of `bytes`, which begin at `offset`, after section 2.1 of the paper: chunks of 1,024 bytes; a
/// left subtree is the largest power of two of chunks that leaves at least a byte for the right one.
fn slow_node(bytes: &[u8], offset: u64) -> [u8; 32] {
    if bytes.len() <= 1024 {
        return blake3::Hasher::new().set_input_offset(offset).update(bytes).finalize_non_root();
    }
    let (left, right) = slow_children(bytes, offset);
    merge_subtrees_non_root(&left, &right, Mode::Hash)
}

fn slow_children(bytes: &[u8], offset: u64) -> ([u8; 32], [u8; 32]) {
    let mut left_len = 1024;
    while left_len * 2 < bytes.len() {
        left_len *= 2;
    }
    let (left, right) = bytes.split_at(left_len);
    (slow_node(left, offset), slow_node(right, offset + left_len as u64))
}

fn slow_root(bytes: &[u8]) -> [u8; 32] {
    if bytes.len() <= 1024 {
        return blake3::hash(bytes).into();
    }
    let (left, right) = slow_children(bytes, 0);
    merge_subtrees_root(&left, &right, Mode::Hash).into()
}

/// The node's bytes, by its definition.
fn slow_range(geometry: &Geometry, node: NodeId) -> Range<usize> {
    let groups_end = u64::from(geometry.groups());
    let first = u64::from(node.index) << node.level;
    let end = (first + (1 << node.level)).min(groups_end);
    let bytes = |group: u64| (group * u64::from(geometry.group_bytes())).min(geometry.size_bytes()) as usize;
    bytes(first)..bytes(end)
}

fn build(bytes: &[u8], group_bytes: u32) -> HashTree {
    let mut builder = TreeBuilder::with_group_bytes(group_bytes).unwrap();
    builder.push(bytes);
    let (geometry, tree) = builder.finish().unwrap();
    assert_eq!(geometry, Geometry::with_group_bytes(bytes.len() as u64, group_bytes).unwrap());
    assert_eq!(tree.geometry(), geometry);
    tree
}

fn empty_like(tree: &HashTree) -> HashTree {
    HashTree::new(tree.geometry(), tree.root())
}

/// All nodes at packet level and above that a tree knows.
fn known(tree: &HashTree) -> Vec<(u32, Hash)> {
    let places = 0..tree.upper_shape().nodes();
    places.filter_map(|place| Some((place, *tree.upper_hash(place)?))).collect()
}

fn assert_known_is_right(tree: &HashTree, right: &HashTree) {
    for (place, hash) in known(tree) {
        assert_eq!(right.upper_hash(place), Some(&hash));
    }
}

fn state(tree: &HashTree) -> impl PartialEq + core::fmt::Debug + use<> {
    (known(tree), tree.lower.clone(), tree.unwritten.clone())
}

/// Every range of groups that may come in one message.
fn all_ranges(geometry: &Geometry) -> Vec<(GroupIndex, u32)> {
    let firsts = (0..geometry.groups()).filter_map(|index| geometry.group(index));
    let counts = |first| (1..=GROUPS_PER_PACKET).map(move |count| (first, count));
    firsts.flat_map(counts).filter(|(first, count)| geometry.groups_range(*first, *count).is_some()).collect()
}

fn slice<'a>(bytes: &'a [u8], geometry: &Geometry, first: GroupIndex, count: u32) -> &'a [u8] {
    let range = geometry.groups_range(first, count).unwrap();
    &bytes[range.start as usize..range.end as usize]
}

fn packet_slice<'a>(bytes: &'a [u8], geometry: &Geometry, packet: PacketIndex) -> &'a [u8] {
    let range = geometry.packet_range(packet);
    &bytes[range.start as usize..range.end as usize]
}

/// Sizes on both sides of every boundary up to some packets.
fn boundary_sizes(group_bytes: usize) -> Vec<usize> {
    let units = [1024, group_bytes, 2 * group_bytes, 4 * group_bytes];
    let multiples = units.iter().flat_map(|unit| [1, 2, 3, 4, 5, 7, 8, 9].map(|factor| unit * factor));
    let around = multiples.flat_map(|size| [size - 1, size, size + 1]);
    let sizes: BTreeSet<usize> = [0, 1].into_iter().chain(around).collect();
    sizes.into_iter().collect()
}

fn check_against_slow(bytes: &[u8], group_bytes: u32) {
    let tree = build(bytes, group_bytes);
    let geometry = tree.geometry();
    assert_eq!(*tree.root().as_bytes(), slow_root(bytes), "{} bytes", bytes.len());
    assert_eq!(tree.root().as_bytes(), blake3::hash(bytes).as_bytes());
    assert!(tree.is_complete());
    let shape = tree.upper_shape();
    for level in 0..=shape.height() {
        for index in 0..u32::MAX {
            let Some(place) = shape.place(level, index) else { break };
            if place == shape.root() {
                continue; // checked above, and finalised in another way
            }
            let range = slow_range(&geometry, NodeId { level: level + PACKET_LEVEL, index });
            let slow = slow_node(&bytes[range.clone()], range.start as u64);
            assert_eq!(tree.upper_hash(place), Some(&slow), "level {level}, index {index}");
        }
    }
    for packet in geometry.all_packets() {
        assert!(tree.knows_packet(packet));
        assert!(tree.check_packet(packet, packet_slice(bytes, &geometry, packet)));
    }
}

#[test]
fn the_tree_is_that_of_blake3_at_every_boundary() {
    for group_bytes in [SMALL_GROUP, GROUP_BYTES] {
        for size in boundary_sizes(group_bytes as usize) {
            check_against_slow(&content(size), group_bytes);
        }
    }
}

#[test]
fn the_root_is_what_b3sum_prints() {
    let tree = build(b"", GROUP_BYTES);
    assert_eq!(tree.root().to_string(), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
    assert!(tree.is_complete());
    assert!(HashTree::new(tree.geometry(), tree.root()).is_complete());
}

#[test]
fn a_tree_of_one_packet_is_its_root() {
    for size in [1, 16384, 16385, 65536] {
        let bytes = content(size);
        let tree = empty_like(&build(&bytes, GROUP_BYTES));
        let packet = tree.geometry().packet(0).unwrap();
        assert!(tree.is_complete() && tree.knows_packet(packet));
        assert!(tree.check_packet(packet, &bytes));
        assert!(!tree.check_packet(packet, &bytes[1..]));
    }
}

#[test]
fn places_are_without_gap() {
    for leaves in 0..70 {
        let shape = Shape::new(leaves);
        let mut places = BTreeSet::new();
        for level in 0..=shape.height() {
            places.extend((0..).map_while(|index| shape.place(level, index)));
        }
        assert!(places.iter().copied().eq(0..shape.nodes()), "{leaves} leaves");
        assert_eq!(shape.place(shape.height() + 1, 0), None);
        for place in places {
            let leaves_under = shape.leaves_under(place);
            match shape.children(place) {
                None => assert_eq!(leaves_under, place / 2..place / 2 + 1),
                Some((left, right)) => {
                    let (left, right) = (shape.leaves_under(left), shape.leaves_under(right));
                    assert_eq!((left.start, left.end, right.end), (leaves_under.start, right.start, leaves_under.end));
                }
            }
        }
        for leaf in 0..leaves {
            let path: Vec<_> = shape.climb(leaf).collect();
            assert_eq!(path.last().map_or(2 * leaf, |step| step.parent), shape.root());
            for step in path {
                let pair = if step.sibling_is_left { (step.sibling, step.node) } else { (step.node, step.sibling) };
                assert_eq!(shape.children(step.parent), Some(pair));
                assert_eq!(shape.place(step.sibling_level, step.sibling_index), Some(step.sibling));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_tree_is_that_of_blake3(size in 0_usize..150_000) {
        let bytes = content(size);
        check_against_slow(&bytes, SMALL_GROUP);
        check_against_slow(&bytes, GROUP_BYTES);
    }

    #[test]
    fn the_builder_takes_pieces_of_any_size(size in 0_usize..50_000, seed: u64) {
        let bytes = content(size);
        let whole = build(&bytes, SMALL_GROUP);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut builder = TreeBuilder::with_group_bytes(SMALL_GROUP).unwrap();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let limit = *[1, 100, 4096, 4097, 20_000].choose(&mut rng).unwrap();
            let (piece, later) = rest.split_at(rng.random_range(0..=limit).min(rest.len()));
            builder.push(piece);
            rest = later;
        }
        let (_, tree) = builder.finish().unwrap();
        prop_assert_eq!(state(&tree), state(&whole));
        prop_assert_eq!(tree.root(), whole.root());
    }
}

#[test]
fn packets_hashed_elsewhere_are_as_good_as_bytes() {
    let packet = PACKET_BYTES as usize;
    for size in [2 * packet, 5 * packet, 5 * packet + 1, 6 * packet - 1] {
        let bytes: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        for (from, to) in [(0, 2), (1, 4), (2, 5), (0, 5), (3, 5)] {
            let (from, to) = (from * packet, (to * packet).min(size / packet * packet));
            if to < from + 2 * packet {
                continue;
            }
            let hashed = HashedPackets::new(from as u64, &bytes[from..to]).unwrap();
            let mut builder = TreeBuilder::new();
            builder.push(&bytes[..from]);
            assert_eq!(builder.push_hashed(hashed), Ok(()));
            builder.push(&bytes[to..]);
            let (geometry, tree) = builder.finish().unwrap();
            assert_eq!(geometry.size_bytes(), size as u64);
            assert_eq!(
                tree.root().as_bytes(),
                blake3::hash(&bytes).as_bytes(),
                "{size} bytes, {from} to {to} elsewhere"
            );
        }
    }
}

#[test]
fn packets_hashed_elsewhere_stand_where_they_belong() {
    let bytes = vec![7; 3 * PACKET_BYTES as usize];
    let packet = u64::from(PACKET_BYTES);
    assert!(HashedPackets::new(0, &bytes[1..]).is_none(), "not whole");
    assert!(HashedPackets::new(1, &bytes).is_none(), "not where a packet begins");
    assert!(HashedPackets::new(packet, &bytes[..PACKET_BYTES as usize]).is_none(), "it may be all");
    let mut builder = TreeBuilder::new();
    builder.push(&bytes[..100]);
    let hashed = HashedPackets::new(packet, &bytes).unwrap();
    assert!(builder.push_hashed(hashed).is_err(), "there is a gap");
    let mut small = TreeBuilder::with_group_bytes(SMALL_GROUP).unwrap();
    assert!(small.push_hashed(HashedPackets::new(0, &bytes).unwrap()).is_err(), "packets of another size");
    let mut full = TreeBuilder::new();
    full.size_bytes = CONTENT_BYTES_MAX;
    assert!(full.push_hashed(HashedPackets::new(CONTENT_BYTES_MAX, &bytes).unwrap()).is_ok());
    assert!(full.finish().is_err());
}

#[test]
fn the_builder_refuses_what_is_too_large() {
    let mut builder = TreeBuilder::new();
    builder.size_bytes = CONTENT_BYTES_MAX;
    builder.push(&[0]);
    assert!(builder.finish().is_err());
    assert!(TreeBuilder::with_group_bytes(1000).is_err());
}

/// A full proof of each range verifies on its own, from nothing but the root, and teaches the right nodes.
#[test]
fn every_range_verifies_alone() {
    for size in boundary_sizes(SMALL_GROUP as usize) {
        let bytes = content(size);
        let whole = build(&bytes, SMALL_GROUP);
        let geometry = whole.geometry();
        for (first, count) in all_ranges(&geometry) {
            let packet = geometry.packet_of(first);
            let mut known = KnownNodes::new(&geometry);
            let packet_bytes = packet_slice(&bytes, &geometry, packet);
            let proof = whole.proof(first, count, Some(packet_bytes), &mut known).unwrap();
            assert!(proof.len() <= PROOF_NODES_MAX);
            let mut tree = empty_like(&whole);
            let part = slice(&bytes, &geometry, first, count);
            assert_eq!(tree.verify(first, part, &proof), Ok(()), "{size} bytes, {count} from {first:?}");
            assert!(tree.knows_packet(packet));
            assert_known_is_right(&tree, &whole);
            assert_eq!(tree.verify(first, part, &proof), Ok(()), "again, with all of it known");
            assert_eq!(tree.verify(first, part, &[]), Ok(()), "again, without a proof");
            assert_eq!(whole.proof(first, count, Some(packet_bytes), &mut known).unwrap().len(), {
                proof.iter().filter(|node| node.node.level < PACKET_LEVEL).count()
            });
        }
    }
}

#[test]
fn every_flipped_bit_is_caught() {
    for size in [1, 1025, 4096, 5 * 1024, 9 * 1024 + 1] {
        let bytes = content(size);
        let whole = build(&bytes, SMALL_GROUP);
        let geometry = whole.geometry();
        let ranges = all_ranges(&geometry);
        for (first, count) in ranges.iter().step_by(1 + ranges.len() / 8).copied() {
            let packet_bytes = packet_slice(&bytes, &geometry, geometry.packet_of(first));
            let mut known = KnownNodes::new(&geometry);
            let proof = whole.proof(first, count, Some(packet_bytes), &mut known).unwrap();
            let mut tree = empty_like(&whole);
            let before = state(&tree);
            flip_data(&mut tree, first, slice(&bytes, &geometry, first, count), &proof);
            flip_proof(&mut tree, first, slice(&bytes, &geometry, first, count), &proof);
            assert_eq!(state(&tree), before, "a failure teaches nothing");
        }
    }
}

fn flip_data(tree: &mut HashTree, first: GroupIndex, part: &[u8], proof: &[ProofNode]) {
    let mut part = part.to_vec();
    for bit in 0..part.len() * 8 {
        part[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(tree.verify(first, &part, proof), Err(VerifyError::Mismatch));
        part[bit / 8] ^= 1 << (bit % 8);
    }
}

fn flip_proof(tree: &mut HashTree, first: GroupIndex, part: &[u8], proof: &[ProofNode]) {
    for which in 0..proof.len() {
        for bit in 0..37 * 8 {
            let mut proof = proof.to_vec();
            match bit {
                0..256 => proof[which].hash[bit / 8] ^= 1 << (bit % 8),
                256..288 => proof[which].node.index ^= 1 << (bit - 256),
                _ => proof[which].node.level ^= 1 << (bit - 288),
            }
            assert!(tree.verify(first, part, &proof).is_err(), "node {which}, bit {bit}");
        }
        let mut shorter = proof.to_vec();
        let node = shorter.remove(which);
        assert_eq!(tree.verify(first, part, &shorter), Err(VerifyError::Missing));
        shorter.extend([node, node]);
        assert_eq!(tree.verify(first, part, &shorter), Err(VerifyError::Twice(node.node)));
    }
}

/// What is wrong with a proof is said even where the tree needs none.
#[test]
fn a_known_node_is_not_contradicted() {
    let bytes = content(20 * 1024);
    let whole = build(&bytes, SMALL_GROUP);
    let geometry = whole.geometry();
    let first = geometry.group(5).unwrap();
    let part = slice(&bytes, &geometry, first, 1);
    let packet_bytes = packet_slice(&bytes, &geometry, geometry.packet_of(first));
    let proof = whole.proof(first, 1, Some(packet_bytes), &mut KnownNodes::new(&geometry)).unwrap();
    let mut tree = whole.clone();
    assert_eq!(tree.verify(first, part, &proof), Ok(()));
    let before = state(&tree);
    flip_proof_hashes(&mut tree, first, part, &proof);
    assert_eq!(state(&tree), before);
}

fn flip_proof_hashes(tree: &mut HashTree, first: GroupIndex, part: &[u8], proof: &[ProofNode]) {
    for which in 0..proof.len() {
        let mut proof = proof.to_vec();
        proof[which].hash[31] ^= 0x80;
        assert_eq!(tree.verify(first, part, &proof), Err(VerifyError::Mismatch));
    }
}

#[test]
fn absurd_proofs_are_refused() {
    let bytes = content(20 * 1024);
    let whole = build(&bytes, SMALL_GROUP);
    let geometry = whole.geometry();
    let first = geometry.group(4).unwrap();
    let part = slice(&bytes, &geometry, first, 4);
    let proof = whole.proof(first, 4, None, &mut KnownNodes::new(&geometry)).unwrap();
    let mut tree = empty_like(&whole);
    let absurd = [
        (0, 0),
        (0, 4),
        (0, 5),
        (1, 2),
        (0, 19),
        (2, 1),
        (2, 2),
        (3, 0),
        (5, 0),
        (5, 1),
        (6, 0),
        (255, 0),
        (30, 1),
        (2, u32::MAX),
        (1, u32::MAX),
        (0, u32::MAX),
        (31, u32::MAX),
        (32, 1),
        (34, 7),
    ];
    for (level, index) in absurd {
        let node = NodeId { level, index };
        let with = [proof.as_slice(), &[ProofNode { node, hash: [0; 32] }]].concat();
        assert_eq!(tree.verify(first, part, &with), Err(VerifyError::Unneeded(node)));
    }
    let many = vec![proof[0]; PROOF_NODES_MAX + 1];
    assert_eq!(tree.verify(first, part, &many), Err(VerifyError::TooManyNodes(PROOF_NODES_MAX + 1)));
    for len in [0, 1, 1023, 1025, 4095, 5 * 1024] {
        assert_eq!(tree.verify(first, &bytes[..len], &proof), Err(VerifyError::Length), "{len} bytes");
    }
    let far = Geometry::with_group_bytes(1 << 30, SMALL_GROUP).unwrap().group(1 << 19).unwrap();
    assert_eq!(tree.verify(far, part, &proof), Err(VerifyError::Length), "a group of another content");
    assert_eq!(known(&tree), known(&empty_like(&whole)));
    assert_eq!(tree.verify(first, part, &proof), Ok(()));
}

#[test]
fn a_proof_needs_knowledge() {
    let bytes = content(40 * 1024);
    let whole = build(&bytes, SMALL_GROUP);
    let geometry = whole.geometry();
    let group = geometry.group(6).unwrap();
    let mut known_there = KnownNodes::new(&geometry);
    assert_eq!(empty_like(&whole).proof(group, 1, None, &mut known_there), None, "the packet is not known");
    assert_eq!(whole.proof(group, 1, None, &mut known_there), None, "its groups are not known");
    assert_eq!(whole.proof(group, 1, Some(&bytes[..100]), &mut known_there), None, "these are not its bytes");
    assert_eq!(whole.proof(group, 3, None, &mut known_there), None, "no such groups");
    let other = Geometry::with_group_bytes(1 << 20, SMALL_GROUP).unwrap();
    assert_eq!(whole.proof(group, 1, Some(&bytes[4096..8192]), &mut KnownNodes::new(&other)), None);
    let packet = geometry.packet_of(group);
    assert!(!empty_like(&whole).check_packet(packet, &bytes[4096..8192]));
    let proof = whole.proof(group, 1, Some(&bytes[4096..8192]), &mut known_there).unwrap();
    assert_eq!(proof.len(), 2 + 4, "nothing was marked by the failures");
}

#[test]
fn who_holds_a_packet_needs_no_proof_of_it() {
    let bytes = content(64 * 1024);
    let whole = build(&bytes, SMALL_GROUP);
    let geometry = whole.geometry();
    let mut known_there = KnownNodes::new(&geometry);
    known_there.mark_packet(geometry.packet(3).unwrap());
    let mut proof_nodes = |packet: u32| {
        let first = geometry.group(packet * GROUPS_PER_PACKET).unwrap();
        whole.proof(first, 4, None, &mut known_there).unwrap().len()
    };
    assert_eq!(proof_nodes(2), 0, "the sibling of 3");
    assert_eq!(proof_nodes(0), 1, "under the sibling of the one above 3");
    assert_eq!(proof_nodes(15), 3);
    assert_eq!(proof_nodes(14), 0);
}
