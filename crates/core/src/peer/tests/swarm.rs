//! Small swarms with a real tracker: what one sends gets to all, whoever is killed, lies or comes back.

use super::*;

#[test]
fn every_size_arrives() {
    for size in [0, 1, 1_023, 16_383, 16_384, 16_385, 65_535, 65_536, 65_537, 300_000, 1_000_003] {
        let mut world = World::new(size);
        world.seeder();
        let peer = world.add(Start::Empty, 4);
        world.run_s(3);
        assert!(world.has_all(peer), "{size} bytes");
        assert_eq!(world.phase(peer), Phase::Seeding);
    }
}

#[test]
fn what_is_said_before_the_far_end_is_open_may_be_lost() {
    let mut world = World::new(300_000);
    world.loses_early = true;
    world.seeder();
    let peers: Vec<usize> = (0..4).map(|_| world.add(Start::Empty, 4)).collect();
    world.run_s(10);
    assert!(peers.iter().all(|peer| world.has_all(*peer)));
    let downs = |peer: &usize| world.nodes[*peer].events.iter().any(|event| matches!(event, Event::PeerLied { .. }));
    assert!(!peers.iter().any(downs));
}

#[test]
fn peers_relay_and_do_not_all_hang_on_the_seeder() {
    let mut world = World::new(3_000_000);
    let tree = world.tree.clone();
    let seeder = world.add(Start::Complete(tree), 1);
    let peers: Vec<usize> = (0..8).map(|_| world.add(Start::Empty, 4)).collect();
    world.run_s(20);
    for peer in &peers {
        assert!(world.has_all(*peer), "peer {peer}: {:?}", world.nodes[*peer].peer.stats(world.now));
    }
    let direct = peers.iter().filter(|peer| world.nodes[**peer].linked.contains(&seeder)).count();
    assert!(direct < peers.len(), "some peer never met the seeder");
}

#[test]
fn a_liar_costs_its_link_and_the_rest_comes_from_others() {
    let mut world = World::new(2_000_000);
    let liar = world.seeder();
    world.nodes[liar].lies = true;
    let peer = world.add(Start::Empty, 4);
    world.run_s(5);
    let accused = |event: &Event| matches!(event, Event::PeerLied { .. });
    assert!(world.nodes[peer].events.iter().any(accused));
    assert_eq!(world.nodes[peer].peer.stats(world.now).have_bytes, 0, "nothing of the liar's is kept");
    let honest = world.seeder();
    world.run_s(20);
    assert!(world.has_all(peer));
    assert!(world.nodes[peer].linked.contains(&honest));
}

#[test]
fn two_accusers_get_a_liar_banned() {
    let mut world = World::new(500_000);
    let liar = world.seeder();
    world.nodes[liar].lies = true;
    world.seeder();
    for _ in 0..6 {
        world.add(Start::Empty, 4);
    }
    world.run_s(30);
    let stats = world.tracker.as_ref().unwrap().stats();
    assert_eq!(stats.swarms[0].peers, 7, "all but the liar are in");
    assert!((2..8).all(|peer| world.has_all(peer)));
}

#[test]
fn halves_of_two_peers_make_a_whole_without_a_seeder() {
    let mut world = World::new(2_000_000);
    let half = 15 * 65_536;
    let mut first = world.content.clone();
    first[half..].fill(0);
    let mut second = world.content.clone();
    second[..half].fill(0);
    let tree = world.tree.clone();
    let one = world.add_with_store(Start::Resume(tree.clone()), 4, first);
    let other = world.add_with_store(Start::Resume(tree), 4, second);
    world.run_s(20);
    let resumed = |event: &Event| matches!(event, Event::Resumed { bytes } if *bytes > 0);
    assert!(world.nodes[one].events.iter().any(resumed));
    for peer in [one, other] {
        assert!(world.has_all(peer), "{:?} {:?}", world.nodes[peer].peer.stats(world.now), world.nodes[peer].events);
    }
}

#[test]
fn what_was_kept_is_checked_and_only_the_rest_fetched() {
    let mut world = World::new(1_000_000);
    world.seeder();
    let peer = world.add(Start::Empty, 4);
    world.run_s(3);
    let record = world.nodes[peer].record.clone();
    let mut stored = world.content.clone();
    stored[70_000] ^= 1;
    let tree = HashTree::restore(world.tree.geometry(), world.tree.root(), &record);
    let again = world.add_with_store(Start::Resume(tree), 4, stored);
    world.run_s(5);
    assert!(world.has_all(again));
    assert_eq!(world.nodes[again].peer.stats(world.now).received_bytes, 65_536, "only the damaged packet came");
}

#[test]
fn a_killed_tracker_stops_nobody_and_is_rejoined() {
    let mut world = World::new(1_000_000);
    let seeder = world.seeder();
    world.give(seeder, Input::UploadLimit { bytes_per_s: Some(100_000) });
    let first = world.add(Start::Empty, 4);
    world.run_s(2);
    world.tracker = None;
    for node in 0..2 {
        world.nodes[node].connection = None;
        world.give(node, Input::TrackerDown { reason: "gone".to_owned() });
    }
    world.run_s(10);
    assert!(world.has_all(first), "the link went on");
    world.tracker = Some(Tracker::new(TrackerConfig::default(), [9; 32], world.now));
    world.run_s(120);
    assert_eq!(world.tracker.as_ref().unwrap().stats().swarms[0].peers, 2);
    let late = world.add(Start::Empty, 4);
    world.run_s(5);
    assert!(world.has_all(late));
}

#[test]
fn a_killed_parent_is_replaced() {
    let mut world = World::new(3_000_000);
    let tree = world.tree.clone();
    world.add(Start::Complete(tree.clone()), 1);
    let relay = world.add(Start::Empty, 4);
    let below = world.add(Start::Empty, 4);
    world.settle();
    world.kill(relay);
    world.run_s(60);
    assert!(world.has_all(below));
}

#[test]
fn a_changed_file_is_noticed_before_it_is_sent() {
    let mut world = World::new(500_000);
    let seeder = world.seeder();
    world.nodes[seeder].stored[200_000] ^= 1;
    let peer = world.add(Start::Empty, 4);
    world.run_s(5);
    let failed = Event::Failed(Failure::ContentChanged { offset_bytes: 3 * 65_536 });
    assert!(world.nodes[seeder].events.contains(&failed));
    assert!(world.nodes[seeder].events.contains(&Event::Stopped));
    assert!(!world.nodes[peer].events.iter().any(|event| matches!(event, Event::PeerLied { .. })));
}

#[test]
fn stopping_says_goodbye_and_ends() {
    let mut world = World::new(500_000);
    let seeder = world.seeder();
    let peer = world.add(Start::Empty, 4);
    world.run_s(2);
    world.give(peer, Input::Stop);
    world.run_s(1);
    assert_eq!(world.nodes[peer].events.last(), Some(&Event::Stopped));
    assert!(world.nodes[seeder].peer.stats(world.now).links.is_empty());
    assert_eq!(world.tracker.as_ref().unwrap().stats().swarms[0].peers, 1);
}

#[test]
fn an_upload_limit_of_zero_sends_nothing() {
    let mut world = World::new(500_000);
    let seeder = world.seeder();
    world.give(seeder, Input::UploadLimit { bytes_per_s: Some(0) });
    let peer = world.add(Start::Empty, 4);
    world.run_s(10);
    assert_eq!(world.nodes[seeder].peer.stats(world.now).sent_bytes, 0);
    world.give(seeder, Input::UploadLimit { bytes_per_s: Some(100_000) });
    world.run_s(3);
    let have = world.nodes[peer].peer.stats(world.now).have_bytes;
    assert!((200_000..=400_000).contains(&have), "{have} bytes in 3 s at 100 kB/s");
    world.run_s(10);
    assert!(world.has_all(peer));
}
