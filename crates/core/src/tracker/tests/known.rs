//! Peers that are known from other days.

use super::*;
use crate::tracker::contract::KNOWN_MAX;

/// What the tracker tells of peers that are known.
fn seen(desk: &mut Desk) -> Vec<(PeerId, u64)> {
    let outputs: Vec<_> = core::iter::from_fn(|| desk.poll_output()).collect();
    let seen = outputs.into_iter().filter_map(|output| match output {
        Output::Seen { peer, seen } => Some((peer, seen.bytes_per_s)),
        _ => None,
    });
    seen.collect()
}

/// Everybody of 2 to 4 says that so much came from 1.
fn receive(desk: &mut Desk, bytes_per_s: u64) {
    for number in 2..=4 {
        desk.say(number, &status(1, vec![Received { peer: id(1), bytes_per_s, waited: true }]));
    }
    for number in 1..=4 {
        desk.say(number, &ToTracker::Pong);
    }
    desk.pass_s(1);
}

#[test]
fn what_receivers_tell_of_a_known_peer_is_told() {
    let mut desk = Desk::new(TrackerConfig { laterals: 0, ..TrackerConfig::default() });
    desk.tracker.handle_input(Input::Known { peer: id(1), bytes_per_s: None }, desk.now);
    desk.join(1, 10);
    (2..=4).for_each(|number| desk.join(number, 0));
    for _ in 0..12 {
        receive(&mut desk, 1_000_000);
    }
    let told = seen(&mut desk);
    assert!(told.iter().all(|(peer, _)| *peer == id(1)), "of nobody else: {told:?}");
    let (_, bytes_per_s) = told.last().expect("it was seen");
    assert!((1_000_000..=3_000_000).contains(bytes_per_s), "{told:?}");
    receive(&mut desk, 1_000_000);
    assert_eq!(seen(&mut desk), [], "no news");
    desk.tracker.handle_input(Input::Forgotten(id(1)), desk.now);
    for _ in 0..12 {
        receive(&mut desk, 2_000_000);
    }
    assert_eq!(seen(&mut desk), []);
}

#[test]
fn a_known_peer_begins_with_what_is_known_of_it() {
    let mut desk = Desk::new(TrackerConfig { laterals: 0, ..TrackerConfig::default() });
    // The slow one is 2, the fast one 3; all others are unknown.
    for (number, bytes_per_s) in [(2, 100_000), (3, 10_000_000)] {
        desk.tracker.handle_input(Input::Known { peer: id(number), bytes_per_s: Some(bytes_per_s) }, desk.now);
    }
    for number in 1..=24 {
        desk.connect(u64::from(number));
        let ToTracker::Join(join) = join(number, if number == 1 { 10 } else { 0 }) else { unreachable!() };
        desk.say(u64::from(number), &ToTracker::Join(Join { slots: 64, ..join }));
    }
    desk.pass_s(3);
    let mut map = Map::default();
    map.follow(&mut desk);
    let (slow, fast) = (map.children(2), map.children(3));
    assert!(slow <= 1 && fast > 8, "{slow} children, and {fast}");
}

#[test]
fn no_more_are_known_than_may_be() {
    let mut desk = Desk::new(TrackerConfig::default());
    let peer = |n: usize| PeerId::from_bytes((n as u128).to_le_bytes());
    for n in 0..=KNOWN_MAX {
        desk.tracker.handle_input(Input::Known { peer: peer(n), bytes_per_s: Some(1) }, desk.now);
    }
    assert_eq!(desk.tracker.known.prior(peer(KNOWN_MAX)), None);
    desk.tracker.handle_input(Input::Forgotten(peer(0)), desk.now);
    desk.tracker.handle_input(Input::Known { peer: peer(KNOWN_MAX), bytes_per_s: Some(1) }, desk.now);
    assert_eq!(desk.tracker.known.prior(peer(KNOWN_MAX)), Some(1));
}
