//! The list of group hashes, as seeders and web servers give it.

use super::*;

/// The list by its definition.
fn slow_list(bytes: &[u8], geometry: &Geometry) -> Vec<u8> {
    if geometry.packets() <= 1 {
        return Vec::new();
    }
    let node = |packet: PacketIndex| {
        let range = geometry.packet_range(packet);
        slow_node(&bytes[range.start as usize..range.end as usize], range.start)
    };
    geometry.all_packets().flat_map(node).collect()
}

#[test]
fn a_hash_list_teaches_all_packets_and_can_be_kept() {
    for len in [0, 1, 4_096, 4_097, 8_192, 20_000, 4_096 * 7, 4_096 * 8 + 1] {
        let bytes = content(len);
        let mut builder = TreeBuilder::with_group_bytes(SMALL_GROUP).unwrap();
        builder.push(&bytes);
        let (geometry, whole) = builder.finish().unwrap();
        let list = whole.hash_list().unwrap();
        assert_eq!((&list, list.len() as u64), (&slow_list(&bytes, &geometry), geometry.hash_list_bytes()), "{len}");
        let mut tree = HashTree::new(geometry, whole.root());
        tree.learn_list(&list).unwrap();
        assert!(tree.is_complete());
        let journal = tree.take_journal();
        tree.learn_list(&list).unwrap();
        assert!(tree.take_journal().is_empty(), "what is known is no news");
        let restored = HashTree::restore(geometry, whole.root(), &journal);
        for packet in geometry.all_packets() {
            let range = geometry.packet_range(packet);
            let bytes = &bytes[range.start as usize..range.end as usize];
            assert!(tree.check_packet(packet, bytes) && restored.check_packet(packet, bytes), "{len}");
        }
    }
}

#[test]
fn no_bit_of_a_hash_list_may_be_wrong() {
    let bytes = content(4_096 * 5 + 7);
    let mut builder = TreeBuilder::with_group_bytes(SMALL_GROUP).unwrap();
    builder.push(&bytes);
    let (geometry, whole) = builder.finish().unwrap();
    let list = whole.hash_list().unwrap();
    let mut tree = HashTree::new(geometry, whole.root());
    assert!(tree.hash_list().is_none());
    for bit in 0..list.len() * 8 {
        let mut wrong = list.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(tree.learn_list(&wrong), Err(HashListError::Mismatch));
    }
    for len in [0, 31, list.len() - 1, list.len() - 32] {
        assert!(matches!(tree.learn_list(&list[..len]), Err(HashListError::Length(..))));
    }
    let unknown = |packet| !tree.knows_packet(packet);
    assert!(geometry.all_packets().all(unknown) && tree.take_journal().is_empty(), "nothing of it was kept");
}

/// What peers proved before the list came stays, and the list adds the rest.
#[test]
fn a_hash_list_joins_what_was_proved() {
    let bytes = content(4_096 * 6);
    let mut builder = TreeBuilder::with_group_bytes(SMALL_GROUP).unwrap();
    builder.push(&bytes);
    let (geometry, whole) = builder.finish().unwrap();
    let mut tree = HashTree::new(geometry, whole.root());
    let mut known = KnownNodes::new(&geometry);
    let first = geometry.group(8).unwrap();
    let packet = &bytes[4_096 * 2..4_096 * 3];
    let proof = whole.proof(first, 4, Some(packet), &mut known).unwrap();
    tree.verify(first, packet, &proof).unwrap();
    let before = tree.take_journal();
    tree.learn_list(&whole.hash_list().unwrap()).unwrap();
    assert!(tree.is_complete());
    let journal = [before, tree.take_journal()].concat();
    assert!(HashTree::restore(geometry, whole.root(), &journal).is_complete());
}
