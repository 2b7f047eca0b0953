//! What stalled once: each of these failed before its fix.

use super::*;
use crate::wire::tracker::{Edge, FromTracker, Role, StripeMask};

fn plan(open: Vec<Edge>, close: Vec<PeerId>) -> Input {
    Input::TrackerMessage(FromTracker::Plan { open, close }.encode())
}

/// A seeder that gives 100 kB/s and a peer that it feeds.
fn fed_slowly() -> (World, usize, usize) {
    let mut world = World::new(3_000_000);
    let seeder = world.seeder();
    world.give(seeder, Input::UploadLimit { bytes_per_s: Some(100_000) });
    let peer = world.add(Start::Empty, 4);
    world.run_s(2);
    (world, seeder, peer)
}

#[test]
fn a_steady_download_keeps_its_tracker() {
    let mut world = World::new(5_000_000);
    let seeder = world.seeder();
    world.give(seeder, Input::UploadLimit { bytes_per_s: Some(20_000) });
    world.settle();
    world.now = Time::from_millis(500);
    let peer = world.add(Start::Empty, 4);
    world.run_s(200);
    let is_down = |event: &Event| matches!(event, Event::TrackerDown { .. });
    assert!(!world.nodes[peer].events.iter().any(is_down), "{:?}", world.nodes[peer].events);
}

/// Three peers have a third each; what they may upload is limited, or paused for a while.
fn thirds(limit_bytes_per_s: u64) {
    let mut world = World::new(30 * 65_536);
    let tree = world.tree.clone();
    for third in 0..3 {
        let mut stored = vec![0; world.content.len()];
        let part = third * 10 * 65_536..(third + 1) * 10 * 65_536;
        stored[part.clone()].copy_from_slice(&world.content[part]);
        let peer = world.add_with_store(Start::Resume(tree.clone()), 4, stored);
        world.give(peer, Input::UploadLimit { bytes_per_s: Some(limit_bytes_per_s) });
    }
    world.run_s(30);
    if limit_bytes_per_s == 0 {
        for peer in 0..3 {
            world.give(peer, Input::UploadLimit { bytes_per_s: None });
        }
    }
    world.run_s(1_500);
    for peer in 0..3 {
        assert!(world.has_all(peer), "{peer}: {:?}", world.nodes[peer].peer.stats(world.now));
    }
}

#[test]
fn what_was_refused_in_a_pause_is_asked_for_again() {
    thirds(0);
}

#[test]
fn uplinks_slower_than_a_lease_still_finish() {
    thirds(10_000);
}

/// A peer whose only seeder has fallen asleep, and was given up as silent.
fn asleep() -> (World, usize, usize, u64) {
    let (mut world, seeder, peer) = fed_slowly();
    world.nodes[seeder].alive = false;
    world.run_s(15);
    let stats = world.nodes[peer].peer.stats(world.now);
    assert!(stats.links.is_empty() && stats.have_bytes > 0, "{stats:?}");
    (world, seeder, peer, stats.have_bytes)
}

#[test]
fn a_seeder_that_was_asleep_for_a_moment_feeds_again_within_seconds() {
    let (mut world, seeder, peer, before) = asleep();
    world.nodes[seeder].alive = true;
    world.run_s(6);
    assert!(world.nodes[peer].peer.stats(world.now).have_bytes > before);
}

#[test]
fn a_second_seeder_feeds_who_waits_for_the_first_to_wake_up() {
    let (mut world, _, peer, before) = asleep();
    let second = world.seeder();
    world.give(second, Input::UploadLimit { bytes_per_s: Some(100_000) });
    world.run_s(4);
    assert!(world.nodes[peer].peer.stats(world.now).have_bytes > before);
}

#[test]
fn the_old_parent_feeds_until_the_new_one_is_open() {
    let (mut world, seeder, peer) = fed_slowly();
    let (seeder_id, peer_id) = (world.nodes[seeder].peer.id(), world.nodes[peer].peer.id());
    let stranger = PeerId::from_bytes([5; 16]);
    let edge = Edge::new(stranger, Role::Parent, StripeMask(15), false);
    world.give(seeder, plan(vec![], vec![peer_id]));
    world.give(peer, plan(vec![edge], vec![seeder_id]));
    world.settle();
    assert_eq!(world.nodes[peer].peer.stats(world.now).links.len(), 1);
}

#[test]
fn a_goodbye_that_crosses_a_plan_is_made_good() {
    let (mut world, seeder, peer) = fed_slowly();
    let peer_id = world.nodes[peer].peer.id();
    world.give(seeder, plan(vec![], vec![peer_id]));
    world.run_s(1);
    let again = Edge::new(peer_id, Role::Child, StripeMask(15), false);
    world.give(seeder, plan(vec![again], vec![]));
    world.run_s(120);
    assert!(world.has_all(peer), "{:?}", world.nodes[peer].events);
}

#[test]
fn a_seeder_outlives_many_trackers() {
    let mut world = World::new(1_000_000);
    let seeder = world.seeder();
    for round in 0..70_u8 {
        world.give(seeder, Input::UploadLimit { bytes_per_s: Some(1_000) });
        let peers: Vec<usize> = (0..3).map(|_| world.add(Start::Empty, 0)).collect();
        world.run_s(5);
        world.tracker = None;
        for node in 0..world.nodes.len() {
            world.nodes[node].connection = None;
            world.give(node, Input::TrackerDown { reason: "gone".to_owned() });
        }
        peers.into_iter().for_each(|peer| world.kill(peer));
        world.run_s(5);
        world.tracker = Some(Tracker::new(TrackerConfig::default(), [round; 32], world.now));
        world.run_s(90);
    }
    world.give(seeder, Input::UploadLimit { bytes_per_s: None });
    let late = world.add(Start::Empty, 4);
    world.run_s(60);
    assert!(world.has_all(late), "{:?}", world.nodes[late].peer.stats(world.now));
}

#[test]
fn a_tight_upload_limit_is_shared_by_all_children() {
    let mut world = World::with_tracker(4_000_000, TrackerConfig { laterals: 0, ..TrackerConfig::default() });
    let seeder = world.seeder();
    world.give(seeder, Input::UploadLimit { bytes_per_s: Some(100_000) });
    let children = [world.add(Start::Empty, 0), world.add(Start::Empty, 0)];
    world.run_s(40);
    let [one, other] = children.map(|child| world.nodes[child].peer.stats(world.now).have_bytes);
    assert!(one.min(other) * 2 > one.max(other), "{one} and {other} bytes");
}

#[test]
fn a_seeder_that_comes_late_is_used_where_the_first_is_slow() {
    for receivers in [1, 3] {
        let mut world = World::new(8_000_000);
        let whole = || Start::Complete(world.tree.clone());
        let (early, late) = (whole(), whole());
        let slow = world.add(early, 64);
        world.give(slow, Input::UploadLimit { bytes_per_s: Some(60_000) });
        let receivers: Vec<usize> = (0..receivers).map(|_| world.add(Start::Empty, 0)).collect();
        world.run_s(6);
        world.add(late, 64);
        // From the first alone, this would take more than two minutes.
        world.run_s(30);
        assert!(
            receivers.iter().all(|one| world.has_all(*one)),
            "{:?}",
            world.nodes[receivers[0]].peer.stats(world.now)
        );
    }
}
