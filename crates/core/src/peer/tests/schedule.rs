//! Rows A2, C5 and C6: what comes first.

use super::World;
use crate::content::{ByteRange, ManifestBuilder, Segment};
use crate::peer::{Event, Input, Start, Want};

const PACKET: u64 = 65_536;
const PACKETS: u64 = 40;

fn packets(first: u64, end: u64) -> ByteRange {
    ByteRange { start: first * PACKET, end: end * PACKET }
}

/// Packets in the order in which the last of each was written.
fn order_of(world: &World, node: usize) -> Vec<u64> {
    let mut order: Vec<u64> = Vec::new();
    for offset_bytes in &world.nodes[node].written {
        let packet = offset_bytes / PACKET;
        order.retain(|before| *before != packet);
        order.push(packet);
    }
    order
}

/// A seeder with slots for all stripes.
fn seeder(world: &mut World) -> usize {
    let tree = world.tree.clone();
    world.add(Start::Complete(tree), 64)
}

/// Where these packets are in an order, in the mean.
fn mean_place(order: &[u64], packets: core::ops::Range<u64>) -> f64 {
    let place = |packet: u64| order.iter().position(|other| *other == packet).expect("it came");
    packets.clone().map(|packet| place(packet) as f64).sum::<f64>() / (packets.end - packets.start) as f64
}

fn came(world: &World, node: usize) -> Vec<u64> {
    let ranges = world.nodes[node].events.iter().filter_map(|event| match event {
        Event::Came { range } => Some(range.start / PACKET),
        _ => None,
    });
    ranges.collect()
}

/// Row A2 ([000]): packets flow in sequence, over a connection that stays open.
#[test]
fn where_nobody_wants_anything_first_packets_flow_in_sequence_over_one_open_link() {
    let mut world = World::new((PACKETS * PACKET) as usize);
    seeder(&mut world);
    let peer = world.add(Start::Empty, 4);
    world.run_s(10);
    let order = order_of(&world, peer);
    assert_eq!(order.len() as u64, PACKETS);
    // Stripes flow side by side, and what is asked for beside what is pushed: a packet is a few places off at most.
    let off = order.iter().zip(0..).map(|(packet, place)| packet.abs_diff(place)).max();
    assert!(off < Some(10), "{order:?}");
    let events = &world.nodes[peer].events;
    let place = |is: fn(&Event) -> bool| {
        events.iter().enumerate().filter(|(_, event)| is(event)).map(|(at, _)| at).collect::<Vec<_>>()
    };
    let (up, down) =
        (place(|event| matches!(event, Event::LinkUp { .. })), place(|event| matches!(event, Event::LinkDown { .. })));
    let complete = place(|event| *event == Event::Complete);
    assert!(up.len() == 1 && down.iter().all(|at| *at > complete[0]), "{events:?}");
}

#[test]
fn what_its_author_wants_first_comes_first() {
    let mut world = World::new((PACKETS * PACKET) as usize);
    let mut manifest = ManifestBuilder::new(world.manifest.id()).file("film.mp4", PACKETS * PACKET, None);
    for (first, end, priority) in [(0, 4, 5), (4, 30, 0), (30, 40, 9)] {
        let (offset_bytes, len_bytes) = (first * PACKET, (end - first) * PACKET);
        manifest = manifest.segment(Segment { offset_bytes, len_bytes, priority });
    }
    world.manifest = manifest.build().expect("valid");
    seeder(&mut world);
    let peer = world.add(Start::Empty, 4);
    world.run_s(10);
    assert!(world.has_all(peer));
    // What is asked for comes beside what is pushed, so the order is not strict.
    let order = order_of(&world, peer);
    let places = [30..40, 0..4, 4..30].map(|packets| mean_place(&order, packets));
    assert!(places[0] + 4.0 < places[1] && places[1] + 4.0 < places[2], "{places:?} of {order:?}");
    assert!(came(&world, peer).is_empty(), "nobody waits for anything");
}

#[test]
fn what_is_wanted_comes_first_and_is_told() {
    let mut world = World::new((PACKETS * PACKET) as usize);
    seeder(&mut world);
    let peer = world.add(Start::Empty, 4);
    let want = Want { range: packets(20, 26), bytes_per_s: Some(100_000) };
    world.give(peer, Input::Want { wants: vec![want] });
    assert_eq!(world.nodes[peer].peer.held_until(20 * PACKET + 5), 20 * PACKET + 5, "nothing is there yet");
    world.run_s(10);
    assert!(world.has_all(peer));
    let order = order_of(&world, peer);
    assert!(mean_place(&order, 20..26) < 8.0, "{order:?}");
    let mut came = came(&world, peer);
    came.sort_unstable();
    assert_eq!(came, [20, 21, 22, 23, 24, 25]);
    assert_eq!(world.nodes[peer].peer.held_until(20 * PACKET + 5), PACKETS * PACKET);
}

#[test]
fn relays_push_from_where_it_is_wanted_too() {
    let mut world = World::new((PACKETS * PACKET) as usize);
    let seeder = seeder(&mut world);
    let relay = world.add(Start::Empty, 64);
    world.run_s(10);
    assert!(world.has_all(relay));
    world.kill(seeder);
    let peer = world.add(Start::Empty, 4);
    let playing = Want { range: packets(10, PACKETS), bytes_per_s: Some(4 * PACKET) };
    world.give(peer, Input::Want { wants: vec![playing] });
    world.run_s(10);
    assert!(world.has_all(peer));
    let order = order_of(&world, peer);
    assert!(mean_place(&order, 0..10) > 30.0, "{order:?}");
}

#[test]
fn wants_out_of_bounds_do_no_harm() {
    let mut world = World::new(100_000);
    seeder(&mut world);
    let peer = world.add(Start::Empty, 4);
    let far = Want { range: ByteRange { start: u64::MAX - 5, end: u64::MAX }, bytes_per_s: Some(0) };
    let all = Want { range: ByteRange { start: 0, end: u64::MAX }, bytes_per_s: Some(0) };
    world.give(peer, Input::Want { wants: [vec![far; 20], vec![all; 20]].concat() });
    world.give(peer, Input::Want { wants: vec![all] });
    world.run_s(10);
    assert!(world.has_all(peer));
    assert_eq!(world.nodes[peer].peer.held_until(u64::MAX), u64::MAX);
}
