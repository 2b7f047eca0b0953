//! Sources that give children to each other.

use super::*;

const RECEIVER: u8 = 2;
const STRIPES: u16 = CONFIG.stripes as u16;

/// In how many stripes each of two sources feeds the receiver.
fn children(life: &Life) -> [u16; 2] {
    [0, 1].map(|number| life.planner.members[&peer(number)].children)
}

/// A source with a receiver, and a second one that comes a while later.
fn with_a_late_source() -> Life {
    let mut life = Life::new();
    life.join(0, 64, true);
    life.join(RECEIVER, 0, false);
    life.epochs(3);
    life.join(1, 64, true);
    assert_eq!(children(&life), [STRIPES, 0]);
    life
}

/// So many epochs in which those who feed the receiver send so much, bytes a second.
fn receive(life: &mut Life, rates: [u64; 2], waited: bool, epochs: u32) {
    for _ in 0..epochs {
        for (source, rate) in (0..).zip(rates) {
            if children(life)[usize::from(source)] == 0 {
                continue;
            }
            life.planner.note_received(peer(source), peer(RECEIVER), rate, waited, life.now);
        }
        life.epochs(1);
    }
}

#[test]
fn a_source_that_comes_late_relieves_one_that_is_at_its_limit() {
    let mut life = with_a_late_source();
    receive(&mut life, [60_000, 60_000], true, 5);
    assert_eq!(children(&life), [STRIPES / 2; 2], "of the late one nothing else is known");
    receive(&mut life, [60_000, 6_000_000], true, 5);
    assert_eq!(children(&life), [0, STRIPES]);
}

#[test]
fn who_says_that_it_has_everything_and_sends_nothing_does_not_keep_children() {
    let mut life = with_a_late_source();
    receive(&mut life, [60_000, 0], true, 8);
    assert_eq!(children(&life), [STRIPES, 0]);
}

#[test]
fn a_source_that_has_more_to_give_keeps_its_children() {
    let mut life = with_a_late_source();
    receive(&mut life, [60_000, 0], false, 5);
    assert_eq!(children(&life), [STRIPES, 0]);
}
