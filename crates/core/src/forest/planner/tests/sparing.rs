//! Who is to be spared, and until when.

use super::*;

/// An origin, four that were probed to be slow and five that were not.
fn with_slow_ones() -> Life {
    let mut life = Life::new();
    (0..10).for_each(|number| life.join(number, 64, number == 0));
    for number in 1..10 {
        life.planner.note_probed(peer(number), if number < 5 { 10 } else { 1_000 }, false, life.now);
    }
    life
}

/// What the neighbours of a peer are told of it.
fn is_spared(life: &Life, number: u8) -> bool {
    let neighbours = life.planner.neighbours(peer(number));
    let mut told = neighbours.iter().map(|(other, _)| life.told[&(*other, peer(number))].spared);
    let first = told.next().expect("it has neighbours");
    assert!(told.all(|other| other == first), "all are told the same");
    first
}

#[test]
fn neighbours_are_told_to_spare_who_can_do_little_and_nobody_else() {
    let mut life = with_slow_ones();
    life.epochs(2);
    let spared: Vec<u8> = (0..10).filter(|number| is_spared(&life, *number)).collect();
    assert_eq!(spared, [1, 2, 3, 4]);
}

#[test]
fn who_is_spared_may_be_asked_now_and_then_and_always_once_it_is_found_to_be_fast() {
    let mut life = with_slow_ones();
    life.epochs(2);
    let mut spans = Vec::new();
    for _ in 0..2 {
        let mut seconds = 0;
        while is_spared(&life, 1) {
            life.epochs(1);
            seconds += 1;
        }
        spans.push(seconds);
        while !is_spared(&life, 1) {
            life.epochs(1);
            seconds += 1;
        }
        assert!((4..=6).contains(&(seconds - spans[spans.len() - 1])), "{seconds}");
    }
    assert!((28..=30).contains(&spans[0]) && (58..=60).contains(&spans[1]), "{spans:?}");
    for by in 5..10 {
        life.planner.note_received(peer(1), peer(by), 400, false, life.now);
    }
    life.epochs(2);
    assert!(!is_spared(&life, 1));
}

#[test]
fn who_only_takes_by_choice_is_never_asked() {
    let mut life = with_slow_ones();
    life.join(10, 0, false);
    life.epochs(40);
    assert!(is_spared(&life, 10));
}
