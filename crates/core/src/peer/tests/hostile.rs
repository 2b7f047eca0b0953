//! What a far end says that it should not.

use super::*;

#[test]
fn nonsense_on_a_link_closes_it_and_nothing_else() {
    for nonsense in [&b""[..], b"\x08", b"\x02\xff\xff", &[8; 70_000], &[2; 20_000], b"\x01\x01"] {
        let mut world = World::new(500_000);
        let seeder = world.seeder();
        world.give(seeder, Input::UploadLimit { bytes_per_s: Some(100_000) });
        let peer = world.add(Start::Empty, 4);
        world.settle();
        let link = *world.nodes[peer].channels.keys().next().expect("linked");
        world.give(peer, Input::LinkMessage { link, message: Bytes::copy_from_slice(nonsense) });
        world.settle();
        assert!(world.nodes[peer].events.iter().any(|event| matches!(event, Event::LinkDown { .. })));
        world.run_s(60);
        assert!(world.has_all(peer), "{:?} {:?}", &nonsense[..nonsense.len().min(4)], world.nodes[peer].events);
    }
}

/// What `peer` is asked to do after the same link brought these packets, with the store taking no write meanwhile.
fn after_packets(world: &mut World, packets: impl Iterator<Item = u32>) -> Vec<Output> {
    let seeder = world.seeder();
    world.give(seeder, Input::UploadLimit { bytes_per_s: Some(0) });
    let peer = world.add(Start::Empty, 4);
    world.settle();
    let link = *world.nodes[peer].channels.keys().next().expect("linked");
    let geometry = world.tree.geometry();
    let mut known = crate::content::KnownNodes::new(&geometry);
    let mut outputs = Vec::new();
    for packet in packets {
        let first = geometry.group(packet * 4).unwrap();
        let start = packet as usize * 65_536;
        let bytes = &world.content[start..start + 65_536];
        let proof = world.tree.proof(first, 4, Some(bytes), &mut known).unwrap();
        let payload = Bytes::copy_from_slice(bytes);
        let message = LinkMessage::Data(crate::wire::link::Data { first, count: 4, proof, payload }).encode();
        world.nodes[peer].peer.handle_input(Input::LinkMessage { link, message }, world.now);
        outputs.extend(core::iter::from_fn(|| world.nodes[peer].peer.poll_output()));
    }
    outputs
}

#[test]
fn data_beyond_the_credit_closes_the_link() {
    let mut world = World::new(16 << 20);
    let outputs = after_packets(&mut world, 0..256);
    assert!(outputs.iter().any(|output| matches!(output, Output::CloseLink { .. })));
    let written = outputs.iter().filter(|output| matches!(output, Output::Write { .. })).count();
    assert!(written * 65_536 < 14 << 20, "memory for what the store has not taken is bounded: {written} packets");
}

#[test]
fn the_same_data_twice_on_one_link_closes_it() {
    let mut world = World::new(1 << 20);
    let outputs = after_packets(&mut world, [0, 1, 0].into_iter());
    assert!(outputs.iter().any(|output| matches!(output, Output::CloseLink { .. })));
}

/// Row B4 ([001]): packets are checked one by one, and only what failed is sent again. Whichever message is bad, its groups
/// come again, from another, and no group that was verified does.
#[test]
fn after_a_bad_group_nothing_that_was_verified_comes_again() {
    for bad in 0..24 {
        let mut world = World::new(6 * 65_536);
        let seeder = world.seeder();
        world.nodes[seeder].lies_after = Some(bad);
        // So slow that each group goes by itself, and what is bad lies anywhere in its packet.
        world.give(seeder, Input::UploadLimit { bytes_per_s: Some(100_000) });
        let peer = world.add(Start::Empty, 4);
        world.run_s(10);
        assert!(!world.has_all(peer));
        let have_bytes = world.nodes[peer].peer.stats(world.now).have_bytes;
        let came = world.nodes[peer].came.len();
        let failed = *world.nodes[peer].came.last().expect("it was bad");
        assert_eq!(have_bytes, u64::from(bad) * 16_384, "what came before is kept, and nothing after it");
        assert_eq!(came as u32, bad + 1);

        let honest = world.seeder();
        world.give(honest, Input::UploadLimit { bytes_per_s: Some(100_000) });
        world.run_s(20);
        assert!(world.has_all(peer));
        let mut groups = world.nodes[peer].came.clone();
        let again: Vec<u32> = groups.split_off(came).into_iter().filter(|group| groups.contains(group)).collect();
        assert_eq!(again, [failed], "message {bad} was bad");
        assert_eq!(world.nodes[peer].peer.stats(world.now).wasted_bytes, 16_384);
    }
}

/// A hostile sender gives single groups; the relay's cache is too small to keep them.
#[test]
fn a_part_that_left_the_cache_waits_until_its_packet_is_whole() {
    let mut world = World::new(1 << 20);
    world.cache_bytes = 0;
    let seeder = world.seeder();
    world.give(seeder, Input::UploadLimit { bytes_per_s: Some(0) });
    let relay = world.add(Start::Empty, 4);
    world.settle();
    let link = *world.nodes[relay].channels.keys().next().expect("linked");
    let geometry = world.tree.geometry();
    let first = geometry.group(0).unwrap();
    let mut known = crate::content::KnownNodes::new(&geometry);
    let proof = world.tree.proof(first, 1, Some(&world.content[..65_536]), &mut known).unwrap();
    let payload = Bytes::copy_from_slice(&world.content[..16_384]);
    let message = LinkMessage::Data(crate::wire::link::Data { first, count: 1, proof, payload }).encode();
    world.give(relay, Input::LinkMessage { link, message });
    world.settle();
    let others: Vec<usize> = (0..4).map(|_| world.add(Start::Empty, 4)).collect();
    world.run_s(3);
    world.give(seeder, Input::UploadLimit { bytes_per_s: None });
    world.run_s(30);
    assert!(others.iter().all(|other| world.has_all(*other)));
}

#[test]
fn only_planned_peers_are_answered() {
    let mut world = World::new(1_000);
    let peer = world.seeder();
    world.settle();
    let stranger = PeerId::from_bytes([5; 16]);
    let message = crate::wire::tracker::FromTracker::Signal {
        from: stranger,
        session: 1,
        signal: Signal::Offer { sdp: "x".to_owned() },
    };
    world.nodes[peer].peer.handle_input(Input::TrackerMessage(message.encode()), world.now);
    assert!(world.nodes[peer].peer.poll_output().is_none());
}
