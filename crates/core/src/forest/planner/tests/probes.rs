//! What uplinks carry by their probes.

use super::*;

fn slots(life: &Life, number: u8) -> u16 {
    life.planner.members[&peer(number)].slots
}

/// An origin and nine more, each of which was probed.
fn probed(rates: [u64; 9]) -> Life {
    let mut life = Life::new();
    for number in 0..10 {
        life.join(number, 64, number == 0);
    }
    for (number, rate) in (1..).zip(rates) {
        life.planner.note_probed(peer(number), rate, false, life.now);
    }
    life
}

const MIXED: [u64; 9] = [100, 100, 100, 100, 1_000, 1_000, 1_000, 5_000, 5_000];

#[test]
fn children_are_given_as_probes_tell_before_anything_flows() {
    let mut life = probed(MIXED);
    life.epochs(3);
    let all: Vec<u16> = (1..10).map(|number| slots(&life, number)).collect();
    // A mean of 1,440 with the origin, which counts as the middle one; four stripes. Those in the middle are worth 2.8, which is
    // not far enough from 4 to be believed of a probe.
    assert_eq!(all, [0, 0, 0, 0, 4, 4, 4, 14, 14]);
    assert!((1..10).all(|number| life.has_all_parents(number)));
}

#[test]
fn the_forest_is_put_in_order_as_soon_as_many_are_known() {
    let life = probed(MIXED);
    let soon = life.now + Duration::from_millis(250);
    assert!(life.planner.next_retry().is_some_and(|at| at <= soon));
    let mut life = Life::new();
    for number in 0..60 {
        life.join(number, 64, number == 0);
    }
    life.epochs(5);
    let before = life.planner.next_retry();
    life.planner.note_probed(peer(1), 1_000, false, life.now);
    life.planner.note_probed(peer(2), 1_000, false, life.now);
    assert_eq!(life.planner.next_retry(), before, "two of sixty wait for their turn");
    life.planner.note_probed(peer(3), 1_000, false, life.now);
    assert!(life.planner.next_retry() < before);
}

#[test]
fn the_best_of_several_counts_and_a_lower_bound_only_above_another_figure() {
    let mut life = probed(MIXED);
    life.planner.note_probed(peer(9), 10, false, life.now);
    life.planner.note_probed(peer(1), 2_000, true, life.now);
    life.join(10, 64, false);
    life.planner.note_probed(peer(10), 10, true, life.now);
    let of = |number| life.planner.members[&peer(number)].measured.probed_bytes_per_s;
    assert_eq!((of(9), of(1), of(10)), (Some(5_000), Some(2_000), None));
}

#[test]
fn what_is_seen_takes_the_place_of_a_probe() {
    let mut life = probed(MIXED);
    life.epochs(4);
    let before = slots(&life, 9);
    for _ in 0..6 {
        for receiver in 1..5 {
            life.planner.note_received(peer(9), peer(receiver), 100, true, life.now);
            life.planner.note_received(peer(5), peer(receiver), 1_500, false, life.now);
        }
        life.epochs(1);
    }
    assert!(slots(&life, 9) < before / 4, "{before} children, and then {}", slots(&life, 9));
    assert!(slots(&life, 5) > 8, "it sends six times what its probe told, and has {}", slots(&life, 5));
}

#[test]
fn who_is_made_out_to_be_a_giant_makes_little_of_the_others() {
    let mut life = probed([1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000, u64::MAX]);
    life.epochs(3);
    let (giant, others) = (slots(&life, 9), slots(&life, 1));
    assert!(others >= 2, "{others} children where all alike would have four");
    assert!(giant <= 4 * 8, "{giant}");
}

#[test]
fn who_is_said_to_send_more_than_anybody_can_makes_leaves_of_nobody() {
    let mut life = probed([1_000; 9]);
    life.planner.note_probed(peer(0), 2_000, false, life.now);
    for _ in 0..6 {
        life.planner.note_received(peer(9), peer(8), u64::MAX, false, life.now);
        life.epochs(1);
    }
    assert!((1..9).all(|number| slots(&life, number) >= 2), "{}", slots(&life, 1));
}

/// An origin and many that are alike, most of them probed, with probes up to a quarter too slow.
fn alike(peers: u8) -> Life {
    let mut life = Life::new();
    life.join(0, 64, true);
    (1..=peers).for_each(|number| life.join(number, 64, false));
    for number in (1..=peers).filter(|number| number % 10 != 1) {
        life.planner.note_probed(peer(number), 1_000 - 25 * u64::from(number % 9), false, life.now);
    }
    life
}

#[test]
fn who_was_not_probed_yet_keeps_its_place_among_those_who_are_alike() {
    let mut life = alike(10);
    // The first to come stands at the top of the first stripe, and was not probed.
    let top = |life: &Life| life.parents(1).get(&peer(0)).copied();
    let before = top(&life);
    assert!(before.is_some());
    life.epochs(3);
    assert_eq!(top(&life), before);
}

#[test]
fn a_swarm_whose_slots_are_just_enough_stays_as_low_as_it_can_be() {
    let mut life = alike(150);
    life.epochs(4);
    assert!(life.planner.orphans.is_empty(), "everybody has a place");
    // One below the origin, then 4, 16, 64, and the others; a few find a slot only below those.
    assert!(life.planner.depth_max() <= 6, "{}", life.planner.depth_max());
    let slots: Vec<u16> = (1..=150).map(|number| slots(&life, number)).collect();
    assert!(slots.iter().all(|slots| *slots == u16::from(CONFIG.fan_out)), "{slots:?}");
}

#[test]
fn slots_that_are_lacking_are_taken_from_many_and_not_from_one() {
    let mut life = alike(100);
    (1..=100).for_each(|number| life.planner.note_probed(peer(number), 1_000, false, life.now));
    life.epochs(1);
    // Eight were seen to be at half: they lose 16 slots in all, which others have to give.
    for number in 1..=100 {
        let (rate, waited) = if number % 12 == 3 { (500, true) } else { (1_000, false) };
        life.planner.note_received(peer(number), peer(number % 100 + 1), rate, waited, life.now);
        life.planner.note_limited(peer(number), waited, rate);
    }
    life.epochs(5);
    assert!(life.planner.orphans.is_empty(), "everybody has a place");
    let most = (1..=100).map(|number| slots(&life, number)).max();
    assert_eq!(most, Some(u16::from(CONFIG.fan_out) + 1));
}
