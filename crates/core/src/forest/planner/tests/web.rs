//! Row D3: who goes to the web server, and that the others wait for it.

use core::time::Duration;

use super::{CONFIG, Life, peer};
use crate::forest::{Loss, Newcomer};
use crate::ids::PeerId;
use crate::time::Time;
use crate::wire::tracker::StripeMask;

const FETCHES: Newcomer = Newcomer { offered: 4, complete: false, fetches: true, prior: None };
const ORIGIN: Newcomer = Newcomer { offered: 4, complete: true, fetches: true, prior: None };
const ALL: StripeMask = StripeMask::all(CONFIG.stripes);

impl Life {
    fn top_of(&self, number: u8) -> StripeMask {
        self.parents(number).get(&PeerId::WEB).copied().unwrap_or_default()
    }

    fn tops(&self) -> usize {
        self.planner.members.keys().filter(|peer| self.planner.neighbour(**peer, PeerId::WEB).is_some()).count()
    }
}

#[test]
fn the_first_fetches_all_and_the_next_take_their_share() {
    let mut life = Life::new();
    life.come(1, FETCHES);
    assert_eq!(life.top_of(1), ALL);
    for number in 2..=20 {
        life.come(number, FETCHES);
    }
    let tops: Vec<StripeMask> = (1..=20).map(|number| life.top_of(number)).filter(|mask| !mask.is_empty()).collect();
    let all = tops.iter().copied().fold(StripeMask::NONE, StripeMask::union);
    assert_eq!((all, tops.len()), (ALL, usize::from(CONFIG.stripes)), "each stripe has a top of its own");
    life.epochs(3);
    assert!((1..=20).all(|number| life.has_all_parents(number)));
}

#[test]
fn while_an_origin_is_there_nobody_fetches() {
    let mut life = Life::new();
    for number in 1..=6 {
        life.come(number, FETCHES);
    }
    life.come(7, ORIGIN);
    assert_eq!(life.tops(), 0);
    life.epochs(3);
    assert!((1..=6).all(|number| life.has_all_parents(number)));
    life.planner.leave(peer(7), life.now);
    life.settle();
    let all = (1..=6).map(|number| life.top_of(number)).fold(StripeMask::NONE, StripeMask::union);
    assert_eq!(all, ALL, "the servers are the source again");
}

#[test]
fn where_enough_have_everything_newcomers_are_fed_by_them() {
    let mut life = Life::new();
    for number in 1..=3 {
        life.come(number, FETCHES);
    }
    for number in 1..=3 {
        life.planner.set_complete(peer(number), life.now);
    }
    life.settle();
    life.come(4, FETCHES);
    assert_eq!(life.tops(), 0);
    assert!(life.has_all_parents(4));
}

#[test]
fn who_cannot_fetch_stands_below_who_can() {
    let mut life = Life::new();
    life.come(1, Newcomer { fetches: false, ..FETCHES });
    assert_eq!(life.top_of(1), StripeMask::NONE);
    life.come(2, FETCHES);
    assert_eq!(life.top_of(2), ALL);
    life.epochs(3);
    assert!(life.has_all_parents(1), "it was a root that had nothing: {:?}", life.parents(1));
}

#[test]
fn who_does_not_get_through_gives_its_place_to_others() {
    let mut life = Life::new();
    life.come(1, FETCHES);
    life.come(2, FETCHES);
    let before = life.top_of(1);
    assert!(!before.is_empty());
    life.planner.lost(peer(1), PeerId::WEB, Loss::Unreached, life.now);
    life.settle();
    assert_eq!((life.top_of(1), life.top_of(2)), (StripeMask::NONE, ALL));
}

#[test]
fn a_newcomer_that_lacks_what_others_have_fetched_does_not_fetch_it_again() {
    let mut life = Life::new();
    life.come(1, FETCHES);
    life.now = Time::from_millis(5_000);
    life.planner.note_held(peer(1), 400, life.now);
    for number in 2..=12 {
        life.come(number, FETCHES);
    }
    assert_eq!(life.top_of(1), ALL);
    // One that can feed nobody gives way to anybody.
    life.planner.set_slots(peer(1), 0, life.now);
    life.epochs(5);
    let left = life.top_of(1);
    assert!((2..=12).any(|number| !life.top_of(number).is_empty()), "it still fetches {left:?}");
}

/// Seconds after which one that gives nothing no longer counts, and some for the forest to be put in order.
const BOUND_S: u64 = 28;

#[test]
fn who_says_that_it_has_everything_and_gives_nothing_keeps_nobody_from_the_web_for_long() {
    let mut life = Life::new();
    life.come(0, ORIGIN);
    for number in 1..=12 {
        life.come(number, FETCHES);
    }
    assert_eq!(life.tops(), 0, "it is believed at first");
    life.epochs(BOUND_S);
    let all = (1..=12).map(|number| life.top_of(number)).fold(StripeMask::NONE, StripeMask::union);
    assert_eq!(all, ALL, "each stripe is fetched by somebody");
    assert!((1..=12).all(|number| !life.parents(number).contains_key(&peer(0))), "nobody waits for it");
    // What comes from others than it changes nothing; a byte of it does.
    life.planner.note_received(peer(1), peer(2), 1_000_000, false, life.now);
    life.settle();
    assert_ne!(life.tops(), 0);
    life.planner.note_received(peer(0), peer(1), 1, false, life.now);
    life.settle();
    assert_eq!(life.tops(), 0, "it gives after all");
}

#[test]
fn who_is_told_of_as_seldom_as_receivers_tell_is_taken_to_give() {
    let mut life = Life::new();
    life.come(0, ORIGIN);
    life.come(1, FETCHES);
    for _ in 0..10 {
        // After the first half minute receivers tell every ten seconds; once one was not heard.
        for seconds in [10, 20] {
            life.epochs(seconds);
            assert_eq!(life.tops(), 0, "it gives, and is told of");
            life.planner.note_received(peer(0), peer(1), 1_000, false, life.now);
            life.settle();
        }
    }
}

#[test]
fn who_was_given_children_just_now_is_not_idle_however_seldom_it_is_looked() {
    let mut life = Life::new();
    life.planner.config.epoch = Duration::from_secs(600);
    life.come(0, ORIGIN);
    life.epochs(599);
    life.come(1, FETCHES);
    life.epochs(5);
    assert_eq!(life.tops(), 0);
}

#[test]
fn who_gives_is_left_alone_and_so_is_who_has_nobody_to_give_to() {
    let mut life = Life::new();
    life.come(0, ORIGIN);
    life.epochs(60);
    for number in 1..=12 {
        life.come(number, FETCHES);
    }
    for _ in 0..20 {
        life.epochs(5);
        life.planner.note_received(peer(0), peer(1), 1_000_000, false, life.now);
        assert_eq!(life.tops(), 0);
    }
    (1..=12).for_each(|number| life.planner.set_complete(peer(number), life.now));
    life.settle();
    life.epochs(60);
    life.come(13, FETCHES);
    assert_eq!(life.tops(), 0, "all have everything, so nobody waited");
}

#[test]
fn many_who_say_so_and_one_who_feeds_nobody_by_choice_keep_nobody_from_the_web() {
    let mut life = Life::new();
    (0..6).for_each(|number| life.come(number, ORIGIN));
    life.come(6, Newcomer { offered: 0, ..ORIGIN });
    (10..30).for_each(|number| life.come(number, FETCHES));
    // One of them after the other has somebody below it; who is idle is no longer counted on.
    life.epochs(6 * BOUND_S);
    let all = (10..30).map(|number| life.top_of(number)).fold(StripeMask::NONE, StripeMask::union);
    assert_eq!(all, ALL);
}

#[test]
fn where_nobody_can_fetch_nobody_is_parted_from_a_slow_origin() {
    let mut life = Life::new();
    life.come(0, ORIGIN);
    (1..=3).for_each(|number| life.come(number, Newcomer { fetches: false, ..FETCHES }));
    life.epochs(5);
    let before: Vec<_> = (1..=3).map(|number| life.parents(number)).collect();
    assert!(before.iter().any(|parents| parents.contains_key(&peer(0))), "{before:?}");
    life.epochs(3 * BOUND_S);
    let after: Vec<_> = (1..=3).map(|number| life.parents(number)).collect();
    assert!(after.iter().any(|parents| parents.contains_key(&peer(0))), "{after:?}");
    assert!((1..=3).all(|number| life.has_all_parents(number)));
}
