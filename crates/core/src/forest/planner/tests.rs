//! Random lives of swarms, with the planner's invariants checked after every step.

mod measured;
mod parting;
mod picture;
mod prior;
mod probes;
mod relieving;
mod sparing;
mod web;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{Neighbour, Newcomer, Planner, PlannerConfig};
use crate::forest::Loss;
use crate::ids::PeerId;
use crate::time::Time;
use crate::wire::tracker::{LinkReport, Role, StripeMask};

const CONFIG: PlannerConfig =
    PlannerConfig { stripes: 4, fan_out: 4, laterals: 2, links_max: 24, epoch: Duration::from_secs(1) };

fn peer(number: u8) -> PeerId {
    // Spread, so that ids are not in the order of joining.
    PeerId::from_bytes([number.wrapping_mul(97), number, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
}

struct Life {
    planner: Planner,
    rng: ChaCha8Rng,
    now: Time,
    /// What each peer was told, by the changes alone.
    told: BTreeMap<(PeerId, PeerId), Neighbour>,
}

impl Life {
    fn new() -> Self {
        let rng = ChaCha8Rng::from_seed([3; 32]);
        Self { planner: Planner::new(CONFIG), rng, now: Time::from_millis(1), told: BTreeMap::new() }
    }

    fn join(&mut self, number: u8, slots: u16, complete: bool) {
        self.come(number, Newcomer { offered: slots, complete, fetches: false, prior: None });
    }

    fn come(&mut self, number: u8, newcomer: Newcomer) {
        self.planner.join(peer(number), newcomer, &[], self.now, &mut self.rng);
        self.settle();
    }

    /// Takes in the changes, and compares what peers were told with what is.
    fn settle(&mut self) {
        let mut told = Vec::new();
        for change in self.planner.take_changes() {
            told.push(change.peer);
            let key = (change.peer, change.other);
            match change.now {
                Some(now) => assert_ne!(self.told.insert(key, now), Some(now), "nobody is told what is known"),
                None => assert!(self.told.remove(&key).is_some(), "only what was told is taken back"),
            }
        }
        let told: BTreeSet<PeerId> = told.into_iter().collect();
        for named in self.planner.name_standbys(&told) {
            assert!(told.contains(&named.peer), "nobody is told for a standby's sake alone");
        }
        told.iter().for_each(|peer| self.planner.check_standbys(*peer));
        self.planner.check();
        for ((one, other), neighbour) in &self.told {
            assert_eq!(self.planner.neighbour(*one, *other), Some(*neighbour));
            let is_told = self.told.get(&(*other, *one)) == Some(&neighbour.reversed());
            assert!(is_told || *other == PeerId::WEB, "both ends are told");
        }
    }

    /// Goes on from second to second.
    fn epochs(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.pass(1);
        }
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
        if self.planner.next_retry().is_some_and(|at| at <= self.now) {
            let now = self.now;
            self.planner.retry(now, &mut self.rng);
            self.settle();
        }
    }

    fn parents(&self, number: u8) -> BTreeMap<PeerId, StripeMask> {
        let neighbours = self.planner.neighbours(peer(number)).into_iter();
        neighbours.filter(|(_, edge)| !edge.parent.is_empty()).map(|(other, edge)| (other, edge.parent)).collect()
    }

    /// Stripes in which the peer has children, and how many children in all.
    fn fed(&self, number: u8) -> (StripeMask, u32) {
        let children = self.planner.neighbours(peer(number)).into_iter().map(|(_, edge)| edge.child);
        children.fold((StripeMask::NONE, 0), |(all, count), mask| (all.union(mask), count + mask.0.count_ones()))
    }

    fn has_all_parents(&self, number: u8) -> bool {
        let masks = self.parents(number).into_values();
        masks.fold(StripeMask::NONE, StripeMask::union) == StripeMask::all(CONFIG.stripes)
    }
}

/// An origin and `count` peers that are all alike, given the time to be placed.
fn alike(count: u8) -> Life {
    let mut life = Life::new();
    life.join(0, 4, true);
    for number in 1..=count {
        life.join(number, 4, false);
    }
    life.epochs(5);
    life
}

#[test]
fn peers_stand_below_peers_and_depth_is_logarithmic() {
    let life = alike(100);
    assert!((1..=100).all(|number| life.has_all_parents(number)));
    let direct = (1..=100).filter(|number| life.parents(*number).contains_key(&peer(0))).count();
    assert!(direct <= 4, "one child in each of four stripes, not {direct}");
    // 25 peers of each stripe have four children each: 1, 4, 16, 4 and the leaves below.
    assert!(life.planner.depth_max() <= 6, "{}", life.planner.depth_max());
}

#[test]
fn who_came_while_the_origin_was_away_is_put_below_it_when_it_is_back() {
    let mut life = Life::new();
    life.join(0, 4, true);
    life.planner.set_present(peer(0), false, life.now);
    life.join(1, 4, false);
    life.epochs(3);
    assert!(!life.has_all_parents(1), "nobody is there");
    life.planner.set_present(peer(0), true, life.now);
    life.settle();
    assert!(life.has_all_parents(1), "{:?}", life.parents(1));
}

#[test]
fn nobody_feeds_more_than_its_slots_and_nearly_everybody_feeds_in_one_stripe() {
    let life = alike(60);
    let fed: Vec<(StripeMask, u32)> = (0..=60).map(|number| life.fed(number)).collect();
    assert!(fed.iter().all(|(_, children)| *children <= 4), "{fed:?}");
    let feeding = fed[1..].iter().filter(|(_, children)| *children > 0).count();
    assert!(feeding >= 57, "every uplink is in use, not only {feeding} of 60");
    let at_home = fed[1..].iter().filter(|(stripes, _)| stripes.0.count_ones() <= 1).count();
    assert!(at_home >= 48, "who is interior in one stripe is a leaf in the others: {at_home} of 60");
    for stripe in 0..CONFIG.stripes {
        let interior = fed[1..].iter().filter(|(stripes, _)| stripes.contains(stripe)).count();
        assert!((12..=22).contains(&interior), "{interior} of 60 in stripe {stripe}");
    }
}

#[test]
fn who_only_takes_feeds_nobody() {
    let mut life = Life::new();
    life.join(0, 4, true);
    for number in 1..=20 {
        life.join(number, u16::from(number % 2 == 0) * 4, false);
    }
    for number in (1..=20).filter(|number| number % 2 == 1) {
        let feeds = life.planner.neighbours(peer(number)).iter().any(|(_, edge)| !edge.child.is_empty());
        assert!(!feeds, "peer {number}");
    }
}

#[test]
fn complete_peers_feed_newcomers_when_the_seeder_is_gone() {
    let mut life = Life::new();
    for number in 0..3 {
        life.join(number, 4, number == 0);
    }
    for number in 1..3 {
        life.planner.set_complete(peer(number), life.now);
        life.settle();
    }
    life.planner.leave(peer(0), life.now);
    life.settle();
    for number in [9, 10] {
        life.join(number, 4, false);
        assert!(life.has_all_parents(number));
    }
    assert!((1..3).all(|number| life.fed(number).1 > 0), "both feed somebody");
}

#[test]
fn a_root_that_fed_one_until_it_had_all_feeds_others_then() {
    let mut life = Life::new();
    life.join(0, 4, true);
    for number in 1..=12 {
        life.join(number, 4, false);
    }
    life.epochs(3);
    assert_eq!(life.fed(0).1, 4, "one child in each of four stripes");
    let first = (1..=12).find(|number| life.parents(*number).contains_key(&peer(0))).unwrap();
    life.planner.set_complete(peer(first), life.now);
    life.settle();
    life.join(13, 4, false);
    assert_eq!(life.fed(0).1, 4, "its free slot goes to the next who comes");
}

#[test]
fn a_pair_that_cannot_connect_is_kept_apart_for_a_while() {
    let mut life = Life::new();
    life.join(0, 4, true);
    life.join(1, 4, false);
    life.planner.lost(peer(1), peer(0), Loss::Unreached, life.now);
    life.settle();
    assert!(life.parents(1).is_empty(), "there is nobody else");
    life.pass(30);
    life.pass(30);
    assert!(life.has_all_parents(1), "tried again");
}

#[test]
fn after_a_restart_links_are_kept_in_whatever_order_peers_return() {
    let below = |parent: u8| {
        vec![LinkReport { peer: peer(parent), role: Role::Parent, stripes: StripeMask::all(CONFIG.stripes) }]
    };
    for order in [[0_u8, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
        let mut life = Life::new();
        for number in order {
            let links = if number == 0 { Vec::new() } else { below(number - 1) };
            let newcomer = Newcomer { offered: 4, complete: number == 0, fetches: false, prior: None };
            life.planner.join(peer(number), newcomer, &links, life.now, &mut life.rng);
            life.settle();
        }
        for number in 1..3 {
            assert_eq!(life.parents(number).keys().next(), Some(&peer(number - 1)), "order {order:?}");
        }
    }
}

#[test]
fn a_parent_that_does_not_return_is_replaced() {
    let mut life = Life::new();
    let links = [LinkReport { peer: peer(7), role: Role::Parent, stripes: StripeMask::all(CONFIG.stripes) }];
    let newcomer = Newcomer { offered: 4, complete: false, fetches: false, prior: None };
    life.planner.join(peer(1), newcomer, &links, life.now, &mut life.rng);
    life.settle();
    life.join(0, 4, true);
    assert!(life.parents(1).is_empty(), "its link is left alone for a while");
    life.pass(60);
    assert!(life.parents(1).contains_key(&peer(0)));
}

#[test]
fn who_falls_behind_is_linked_with_somebody_who_is_ahead() {
    let mut life = alike(20);
    for second in 1..=12_u16 {
        for number in 1..=20 {
            let permille = if number == 7 { second * 10 } else { second * 50 };
            life.planner.note_held(peer(number), permille, life.now);
        }
        life.epochs(1);
    }
    let laterals = |number: u8| life.planner.neighbours(peer(number)).iter().filter(|(_, edge)| edge.lateral).count();
    let others = (1..=20).filter(|number| *number != 7).map(laterals).max();
    assert!(laterals(7) > 2 * usize::from(CONFIG.laterals), "{} laterals", laterals(7));
    assert!(others < Some(laterals(7)), "those who are not behind get no more");
}

#[derive(Clone, Debug)]
enum Step {
    Join { number: u8, slots: u16, complete: bool },
    Leave(u8),
    Complete(u8),
    Lost(u8, u8, Loss),
    Accuse(u8, u8),
    Away(u8, bool),
    Pass(u64),
    Epochs(u64),
    Received { from: u8, by: u8, bytes_per_s: u64, waited: bool },
    Limited(u8, bool),
    Held(u8, u16),
}

/// Rates as they are, and as a liar would have them.
fn rate() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0_u64..20_000_000, 1 => any::<u64>(), 1 => Just(u64::MAX)]
}

fn step() -> impl Strategy<Value = Step> {
    let number = 0_u8..24;
    prop_oneof![
        4 => (number.clone(), 0_u16..9, prop::bool::weighted(0.2))
            .prop_map(|(number, slots, complete)| Step::Join { number, slots, complete }),
        2 => number.clone().prop_map(Step::Leave),
        1 => number.clone().prop_map(Step::Complete),
        2 => (number.clone(), number.clone(), prop_oneof![Just(Loss::Unreached), Just(Loss::Broken)])
            .prop_map(|(one, other, loss)| Step::Lost(one, other, loss)),
        1 => (number.clone(), number.clone()).prop_map(|(one, other)| Step::Accuse(one, other)),
        1 => (number.clone(), any::<bool>()).prop_map(|(number, present)| Step::Away(number, present)),
        2 => (1_u64..40).prop_map(Step::Pass),
        2 => (1_u64..6).prop_map(Step::Epochs),
        6 => (number.clone(), number.clone(), rate(), any::<bool>())
            .prop_map(|(from, by, bytes_per_s, waited)| Step::Received { from, by, bytes_per_s, waited }),
        1 => (number.clone(), any::<bool>()).prop_map(|(number, limited)| Step::Limited(number, limited)),
        2 => (number, any::<u16>()).prop_map(|(number, permille)| Step::Held(number, permille)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_happens_the_forest_is_sound(steps in prop::collection::vec(step(), 1..120)) {
        let mut life = Life::new();
        for step in steps {
            let now = life.now;
            match step {
                Step::Join { number, slots, complete } => {
                    life.come(number, Newcomer { offered: slots, complete, fetches: number % 3 > 0, prior: None });
                }
                Step::Leave(number) => life.planner.leave(peer(number), now),
                Step::Complete(number) => life.planner.set_complete(peer(number), now),
                Step::Lost(one, other, loss) => life.planner.lost(peer(one), peer(other), loss, now),
                Step::Accuse(one, other) => life.planner.accuse(peer(one), peer(other), now),
                Step::Away(number, present) => life.planner.set_present(peer(number), present, life.now),
                Step::Pass(seconds) => life.pass(seconds),
                Step::Epochs(seconds) => life.epochs(seconds),
                Step::Received { from, by, bytes_per_s, waited } => {
                    life.planner.note_received(peer(from), peer(by), bytes_per_s, waited, now);
                }
                Step::Limited(number, is_limited) => life.planner.note_limited(peer(number), is_limited, u64::from(number) * 1_000),
                Step::Held(number, permille) => life.planner.note_held(peer(number), permille, now),
            }
            life.settle();
        }
    }

    #[test]
    fn once_all_is_quiet_everyone_has_a_parent_in_every_stripe(
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut life = Life::new();
        for step in steps {
            let now = life.now;
            match step {
                Step::Join { number, complete, .. } => {
                    life.come(number, Newcomer { offered: 4, complete, fetches: number % 2 > 0, prior: None });
                }
                Step::Leave(number) => life.planner.leave(peer(number), now),
                Step::Lost(one, other, loss) => life.planner.lost(peer(one), peer(other), loss, now),
                Step::Pass(seconds) | Step::Epochs(seconds) => life.pass(seconds),
                Step::Received { .. } | Step::Limited(..) | Step::Held(..) => {}
                Step::Complete(_) | Step::Accuse(..) | Step::Away(..) => {}
            }
            life.settle();
        }
        life.join(30, 4, true);
        for _ in 0..30 {
            life.pass(10);
            // Who has everything gives: else it is taken for one that does not.
            for giver in life.planner.complete.clone() {
                life.planner.note_gives(giver, life.now);
            }
            life.settle();
        }
        for number in 0..24 {
            let is_taker = life.planner.members.get(&peer(number)).is_some_and(|member| !member.complete);
            prop_assert!(!is_taker || life.has_all_parents(number), "peer {number}");
        }
    }
}
