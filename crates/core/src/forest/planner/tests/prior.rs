//! What is known of peers on other days.

use super::*;

const NEWCOMER: Newcomer = Newcomer { offered: 64, complete: false, fetches: false, prior: None };

fn slots(life: &Life, number: u8) -> u16 {
    life.planner.members[&peer(number)].slots
}

/// An origin, and peers that were seen to send so much on other days.
fn swarm(priors: &[Option<u64>]) -> Life {
    let mut life = Life::new();
    life.join(0, 4, true);
    for (prior, number) in priors.iter().zip(1..) {
        life.come(number, Newcomer { prior: *prior, ..NEWCOMER });
    }
    life
}

#[test]
fn who_was_fast_begins_with_more_children() {
    let mut life = swarm(&[Some(1_000_000), Some(1_000_000), Some(4_000_000), None]);
    assert_eq!(slots(&life, 3), 8, "twice the mean, twice the usual");
    assert_eq!(slots(&life, 4), 4, "as usual without a prior");
    life.epochs(1);
    assert_eq!((slots(&life, 1), slots(&life, 2)), (2, 2), "those who came before it are held against it too");
}

#[test]
fn nobody_begins_as_a_leaf() {
    let mut life = swarm(&[Some(0), Some(1), Some(1_000_000_000), Some(u64::MAX)]);
    life.epochs(3);
    assert!((1..=4).all(|number| slots(&life, number) > 0));
}

#[test]
fn what_is_seen_takes_the_place_of_what_was_known() {
    let mut life = swarm(&[Some(1_000_000); 10]);
    life.come(11, Newcomer { prior: Some(9_000_000), ..NEWCOMER });
    let before = slots(&life, 11);
    for _ in 0..8 {
        for receiver in 2..=10 {
            life.planner.note_received(peer(1), peer(receiver), 1_000_000, true, life.now);
        }
        life.planner.note_received(peer(11), peer(2), 100_000, true, life.now);
        life.epochs(1);
    }
    assert!(slots(&life, 1) > 4, "it was seen to send nine times what was known");
    assert!(slots(&life, 11) < before / 2, "{before} children, and then {}", slots(&life, 11));
}

#[test]
fn priors_go_with_their_peers() {
    let mut life = swarm(&[Some(1_000_000), Some(7_000_000)]);
    life.planner.leave(peer(2), life.now);
    life.settle();
    life.epochs(1);
    assert_eq!(slots(&life, 1), 4, "nobody is there to compare it with");
}
