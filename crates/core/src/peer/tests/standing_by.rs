//! A feeder fails: whoever stands by pushes on, before the tracker has said anything.

use core::time::Duration;

use super::*;
use crate::wire::tracker::{Edge, FromTracker, Role, StripeMask};

const STRIPES: u8 = 4;

/// A source whose uplink is limited, and peers below it that get everything slowly.
fn swarm(peers: usize) -> (World, usize, Vec<usize>) {
    let config = TrackerConfig { stripes: STRIPES, fan_out_max: STRIPES, ..TrackerConfig::default() };
    let mut world = World::with_tracker(12_000_000, config);
    let seeder = world.seeder();
    world.give(seeder, Input::UploadLimit { bytes_per_s: Some(400_000) });
    let peers = (0..peers).map(|_| world.add(Start::Empty, 8)).collect();
    world.run_s(8);
    (world, seeder, peers)
}

/// The stripes that each link of a peer feeds, by the node at its far end.
fn feeders(world: &World, node: usize) -> BTreeMap<usize, StripeMask> {
    let links = world.nodes[node].peer.links.iter().filter(|(_, link)| !link.receiving.subscribed.is_empty());
    links.map(|(id, link)| (world.nodes[node].channels[id].0, link.receiving.subscribed)).collect()
}

/// Stripes of a peer that are fed by somebody.
fn fed(world: &World, node: usize) -> StripeMask {
    feeders(world, node).into_values().fold(StripeMask::NONE, StripeMask::union)
}

/// Who feeds a stripe of a peer.
fn feeder(world: &World, node: usize, stripe: u8) -> Option<usize> {
    feeders(world, node).into_iter().find(|(_, mask)| mask.contains(stripe)).map(|(feeder, _)| feeder)
}

/// A peer, a stripe of it, the peer that feeds that, and who stands by for it, which does not itself live on that feeder.
fn backed(world: &World, peers: &[usize], is_by: impl Fn(usize) -> bool) -> Option<(usize, u8, usize, usize)> {
    let stripes = peers.iter().flat_map(|peer| (0..STRIPES).map(move |stripe| (*peer, stripe)));
    stripes.into_iter().find_map(|(peer, stripe)| {
        let from = feeder(world, peer, stripe)?;
        let standby = world.nodes[peer].peer.standby_for(stripe, world.now)?;
        let standby = world.nodes[peer].channels[&standby].0;
        let mut above = core::iter::successors(Some(standby), |node| feeder(world, *node, stripe));
        let fits = peers.contains(&from) && is_by(standby) && above.all(|node| node != from);
        fits.then_some((peer, stripe, from, standby))
    })
}

#[test]
fn a_standby_is_named_for_nearly_every_stripe() {
    let (world, _, peers) = swarm(12);
    let named: usize = peers
        .iter()
        .map(|peer| {
            (0..STRIPES).filter(|stripe| world.nodes[*peer].peer.standby_for(*stripe, world.now).is_some()).count()
        })
        .sum();
    assert!(named * 10 >= peers.len() * usize::from(STRIPES) * 8, "{named} stripes");
}

#[test]
fn when_a_feeder_vanishes_its_stripe_is_pushed_by_the_standby_before_the_tracker_speaks() {
    let (mut world, seeder, peers) = swarm(12);
    let backed = backed(&world, &peers, |standby| standby == seeder);
    let (peer, stripe, feeder, standby) = backed.expect("somebody is backed by its grandparent");
    // No tracker can help.
    world.tracker = None;
    world.kill(feeder);
    world.settle();
    assert!(feeders(&world, peer).get(&standby).is_some_and(|mask| mask.contains(stripe)), "asked at once");
    let link = world.nodes[peer].peer.feeding.feeder(stripe).expect("it has a feeder");
    let is_pushed = |world: &World| {
        let packets = world.nodes[peer].peer.geometry.all_packets();
        let of_stripe = packets.filter(|packet| packet.get() % u32::from(STRIPES) == u32::from(stripe));
        let link = &world.nodes[peer].peer.links[&link];
        let got = |packet| link.receiving.got.packet_groups(packet) != 0;
        of_stripe.filter(|packet| got(*packet) && !link.receiving.outstanding.contains_key(packet)).count()
    };
    let before = is_pushed(&world);
    world.give(seeder, Input::UploadLimit { bytes_per_s: None });
    world.settle();
    assert!(is_pushed(&world) > before, "the next of the stripe came from who stands by");
}

#[test]
fn a_feeder_that_falls_silent_is_replaced_and_gets_its_stripe_back() {
    let (mut world, _, peers) = swarm(12);
    let (peer, stripe, feeder, standby) = backed(&world, &peers, |_| true).expect("somebody is backed");
    world.tracker = None;
    // Frozen: it hears nothing and says nothing, and its links stay open.
    world.nodes[feeder].alive = false;
    world.run_s(4);
    assert!(feeders(&world, peer).get(&standby).is_some_and(|mask| mask.contains(stripe)), "within four seconds");
    assert_eq!(fed(&world, peer), StripeMask::all(STRIPES));
    world.nodes[feeder].alive = true;
    world.run_s(3);
    assert!(feeders(&world, peer).get(&feeder).is_some_and(|mask| mask.contains(stripe)), "it is back");
}

#[test]
fn the_next_plan_replaces_the_standby() {
    let (mut world, _, peers) = swarm(12);
    let (peer, stripe, feeder, _) = backed(&world, &peers, |_| true).expect("somebody is backed");
    world.kill(feeder);
    world.run_s(10);
    let planned = world.nodes[peer].peer.feeding.planned_parent(stripe).expect("a new parent is planned");
    let link = world.nodes[peer].peer.feeding.feeder(stripe).expect("it is fed");
    assert_eq!(world.nodes[peer].peer.links[&link].peer, planned);
}

#[test]
fn who_feeds_two_at_its_limit_keeps_a_stranger_to_the_plan_waiting() {
    let mut world = World::new(3_000_000);
    let seeder = world.seeder();
    let peer = world.add(Start::Empty, 0);
    world.give(seeder, Input::UploadLimit { bytes_per_s: Some(100_000) });
    world.run_s(2);
    let now = world.now;
    let peer_id = world.nodes[peer].peer.id();
    let plan = |edge: Edge| Input::TrackerMessage(FromTracker::Plan { open: vec![edge], close: vec![] }.encode());
    world.give(seeder, plan(Edge::new(peer_id, Role::Lateral, StripeMask::NONE, false)));
    let link = world.nodes[seeder].peer.link_to(peer_id).expect("linked");
    let subscribed = |world: &World| world.nodes[seeder].peer.links[&link].sending.subscribed.1;
    world.nodes[seeder].peer.far_subscribes(link, STRIPES, 0, 0, now);
    world.nodes[seeder].peer.links.get_mut(&link).unwrap().sending.payload_bytes += 10_000_000;
    world.nodes[seeder].peer.links.get_mut(&link).unwrap().sending.best.note(10_000_000, now);
    // What goes on a link is found out anew by then.
    let now = now + Duration::from_millis(20);
    world.nodes[seeder].peer.links.get_mut(&link).unwrap().sending.acked_at = now;
    world.nodes[seeder].peer.far_subscribes(link, STRIPES, 3, 0, now);
    assert_eq!(subscribed(&world), StripeMask::NONE, "there is no room, and nobody said so");
    world.give(
        seeder,
        plan(Edge { backs: StripeMask(1), ..Edge::new(peer_id, Role::Lateral, StripeMask::NONE, false) }),
    );
    assert_eq!(subscribed(&world), StripeMask(1), "for one the tracker has named it");
    world.nodes[seeder].peer.links.get_mut(&link).unwrap().sending.payload_bytes -= 10_000_000;
    world.run_s(Duration::from_secs(2).as_secs());
    assert_eq!(subscribed(&world), StripeMask(3), "later there is room");
}
