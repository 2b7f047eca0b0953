//! Random lives of swarms in every ordered preset, with the planner's invariants checked after every step.

use core::time::Duration;
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::OrderedPlanner;
use crate::forest::{Loss, Neighbour, Topology};
use crate::ids::PeerId;
use crate::time::Time;
use crate::wire::tracker::StripeMask;

const PRESETS: [Topology; 6] = [
    Topology::Heap,
    Topology::Relay { fan_out: 2 },
    Topology::Relay { fan_out: 3 },
    Topology::Relay { fan_out: 5 },
    Topology::Replica { group: 2 },
    Topology::Replica { group: 4 },
];
const SOURCE: u8 = 0;

fn peer(number: u8) -> PeerId {
    // Spread, so that ids are not in the order of joining.
    PeerId::from_bytes([number.wrapping_mul(97), number, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
}

struct Life {
    planner: OrderedPlanner,
    topology: Topology,
    now: Time,
    /// What each peer was told, by the changes alone.
    told: BTreeMap<(PeerId, PeerId), Neighbour>,
}

impl Life {
    fn new(topology: Topology) -> Self {
        let shape = topology.shape().expect("it is an ordered one");
        let planner = OrderedPlanner::new(shape, Duration::from_secs(1));
        Self { planner, topology, now: Time::from_millis(1), told: BTreeMap::new() }
    }

    /// A source and so many peers that are all alike.
    fn alike(topology: Topology, count: u8) -> Self {
        let mut life = Self::new(topology);
        life.join(SOURCE, 64, true);
        for number in 1..=count {
            life.join(number, 64, false);
        }
        life
    }

    fn join(&mut self, number: u8, offered: u16, complete: bool) {
        self.planner.join(peer(number), offered, complete, self.now);
        self.settle();
    }

    fn lost(&mut self, reporter: u8, other: u8) {
        self.planner.lost(peer(reporter), peer(other), Loss::Unreached, self.now);
        self.settle();
    }

    /// Takes in the changes, and compares what peers were told with what is.
    fn settle(&mut self) {
        for change in self.planner.take_changes() {
            let key = (change.peer, change.other);
            match change.now {
                Some(now) => assert_ne!(self.told.insert(key, now), Some(now), "nobody is told what is known"),
                None => assert!(self.told.remove(&key).is_some(), "only what was told is taken back"),
            }
        }
        self.planner.check();
        for ((one, other), neighbour) in &self.told {
            assert_eq!(self.planner.neighbour(*one, *other), Some(*neighbour));
            assert_eq!(self.told.get(&(*other, *one)), Some(&neighbour.reversed()), "both ends are told");
        }
        let edges: usize = self.planner.members.keys().map(|peer| self.planner.neighbours(*peer).len()).sum();
        assert_eq!(edges, self.told.len(), "all edges are told");
    }

    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now = self.now + Duration::from_secs(1);
            if self.planner.next_retry().is_some_and(|at| at <= self.now) {
                self.planner.retry(self.now);
                self.settle();
            }
        }
    }

    fn children(&self, number: u8) -> Vec<u8> {
        let edges = self.planner.neighbours(peer(number)).into_iter();
        let below = edges.filter(|(_, edge)| !edge.child.is_empty()).map(|(other, _)| other.as_bytes()[1]);
        let mut below: Vec<u8> = below.collect();
        below.sort_unstable();
        below
    }

    fn has_all_parents(&self, number: u8) -> bool {
        let edges = self.planner.neighbours(peer(number)).into_iter().map(|(_, edge)| edge.parent);
        edges.fold(StripeMask::NONE, StripeMask::union) == StripeMask::all(self.topology.stripes(0))
    }

    fn takers(&self) -> Vec<u8> {
        let takers = self.planner.members.iter().filter(|(_, member)| !member.complete);
        takers.map(|(peer, _)| peer.as_bytes()[1]).collect()
    }

    fn places(&self) -> BTreeMap<PeerId, (usize, usize)> {
        self.planner.groups.iter().filter_map(|peer| Some((peer, self.planner.groups.group(peer)?))).collect()
    }

    /// Peers that stand elsewhere than before; newcomers are not counted.
    fn moves_since(&self, before: &BTreeMap<PeerId, (usize, usize)>) -> usize {
        let now = self.places();
        before.iter().filter(|(peer, place)| now.get(peer).is_some_and(|now| now != *place)).count()
    }

    fn levels(&self) -> usize {
        let shape = self.topology.shape().expect("it is an ordered one");
        self.planner.groups.len().checked_sub(1).map_or(0, |last| shape.layout.level(shape.group(last)))
    }

    /// Everybody who is fed tells of its feeders: of each what it would send by `rate`, shared among its children.
    fn tell(&mut self, rate: impl Fn(u8) -> u64) {
        for number in 0..=u8::MAX {
            let children = self.children(number);
            for child in &children {
                let share = rate(number) / children.len() as u64;
                self.planner.note_received(peer(number), peer(*child), share, true, self.now);
            }
        }
        self.pass(1);
    }
}

#[test]
fn the_second_relay_that_cannot_reach_t8_gets_t17_which_feeds_t8() {
    let mut life = Life::alike(Topology::Relay { fan_out: 3 }, 39);
    assert_eq!((life.children(SOURCE), life.children(2)), (vec![1, 2, 3], vec![5, 8, 11]));
    assert_eq!(life.children(8), [17, 26, 35]);
    life.lost(2, 8);
    assert_eq!((life.children(2), life.children(17)), (vec![5, 11, 17], vec![8, 26, 35]));
    life.lost(8, 2);
    assert_eq!(life.children(17), [8, 26, 35], "the other end says the same, which changes nothing");
    life.lost(17, 2);
    assert_eq!((life.children(2), life.children(26)), (vec![5, 11, 26], vec![8, 17, 35]));
    life.lost(2, 26);
    life.lost(2, 35);
    // "If all available options fail then this is reported back to the main server."
    assert_eq!((life.children(2), life.children(SOURCE)), (vec![5, 11], vec![1, 2, 3, 35]));
    life.pass(30);
    assert_eq!(life.children(2), [5, 11, 35], "after a while it is tried again");
}

#[test]
fn one_whom_the_source_cannot_reach_goes_below_one_whom_it_can() {
    for topology in PRESETS {
        let mut life = Life::alike(topology, 30);
        for first in life.children(SOURCE) {
            let before = life.places();
            life.lost(first, SOURCE);
            assert!(life.moves_since(&before) == 2 && life.has_all_parents(first), "{topology}: peer {first}");
        }
        assert!(life.planner.astray.is_empty(), "{topology}");
    }
}

#[test]
fn the_fast_rise_the_slow_sink_and_who_is_alike_stays() {
    for topology in PRESETS {
        let mut life = Life::alike(topology, 40);
        let before = life.places();
        for round in 0..20 {
            // What is measured is never quite the same.
            life.tell(|number| 1_000_000 + u64::from(number) * 5_000 + round % 3 * 40_000);
        }
        assert_eq!(life.moves_since(&before), 0, "{topology}: all are alike");
        let slow = |number: u8| number != SOURCE && number % 2 == 1;
        for _ in 0..60 {
            life.tell(|number| if slow(number) { 100_000 } else { 1_000_000 });
        }
        let ranking = life.planner.groups.ranking();
        let interior = (0..40).filter(|position| ranking.is_interior(*position));
        let interior = interior.filter_map(|position| Some(ranking.occupant(position)?.peer.as_bytes()[1]));
        let (slow_ones, fast_ones): (Vec<u8>, Vec<u8>) = interior.partition(|number| slow(*number));
        assert!(slow_ones.is_empty() || fast_ones.len() == 20, "{topology}: {slow_ones:?} stand above others");
    }
}

#[test]
fn who_sends_next_to_nothing_only_takes() {
    for topology in PRESETS {
        let mut life = Life::alike(topology, 20);
        let weak = |number: u8| number != SOURCE && number % 5 == 1;
        for _ in 0..20 {
            life.tell(|number| if weak(number) { 20_000 } else { 1_000_000 });
        }
        let feeding: Vec<u8> = (1..=20).filter(|number| weak(*number) && !life.children(*number).is_empty()).collect();
        assert!(feeding.is_empty(), "{topology}: {feeding:?}");
        assert!((1..=20).all(|number| life.has_all_parents(number)), "{topology}");
    }
}

#[test]
fn who_offers_less_than_a_place_takes_feeds_nobody() {
    for topology in PRESETS {
        let mut life = Life::new(topology);
        life.join(SOURCE, 64, true);
        for number in 1..=30 {
            life.join(number, u16::from(number % 3 != 0) * 64 + 1, false);
        }
        let leaves = (1..=30).filter(|number| number % 3 == 0);
        assert!(leaves.into_iter().all(|number| life.children(number).is_empty()), "{topology}");
        assert!((1..=30).all(|number| life.has_all_parents(number)), "{topology}");
    }
}

#[test]
fn who_has_everything_stays_where_it_is_and_feeds_when_no_source_is_left() {
    for topology in PRESETS {
        let mut life = Life::alike(topology, 20);
        let before = life.places();
        life.planner.set_complete(peer(9), life.now);
        life.settle();
        assert_eq!(life.moves_since(&before), 0, "{topology}");
        life.planner.leave(peer(SOURCE), life.now);
        life.settle();
        assert!(life.takers().into_iter().all(|number| life.has_all_parents(number)), "{topology}");
        life.join(SOURCE, 64, true);
        life.planner.leave(peer(9), life.now);
        life.settle();
        assert!(life.takers().into_iter().all(|number| life.has_all_parents(number)), "{topology}");
    }
}

#[test]
fn without_anybody_who_has_everything_all_stay_connected() {
    for topology in PRESETS {
        let mut life = Life::alike(topology, 30);
        life.planner.leave(peer(SOURCE), life.now);
        life.settle();
        let mut reached = vec![1];
        let mut at = 0;
        while let Some(number) = reached.get(at).copied() {
            let others = life.planner.neighbours(peer(number)).into_iter().map(|(other, _)| other.as_bytes()[1]);
            let new: Vec<u8> = others.filter(|other| !reached.contains(other)).collect();
            reached.extend(new);
            at += 1;
        }
        assert_eq!(reached.len(), 30, "{topology}");
    }
}

#[test]
fn while_a_feeder_is_away_newcomers_are_fed_by_another() {
    let mut life = Life::alike(Topology::Heap, 2);
    life.planner.set_present(peer(2), false);
    (3..=6).for_each(|number| life.join(number, 64, false));
    assert_eq!((life.children(SOURCE), life.children(2)), (vec![1, 4, 5], vec![]), "4 and 5 are fed by the source");
    life.planner.set_present(peer(2), true);
    life.pass(1);
    assert_eq!((life.children(SOURCE), life.children(2)), (vec![1], vec![4, 5]));
}

#[derive(Clone, Debug)]
enum Step {
    Join { number: u8, offered: u16, complete: bool },
    Leave(u8),
    Complete(u8),
    Lost(u8, u8),
    LostFeeder(u8, u8),
    Accuse(u8, u8),
    Away(u8, bool),
    Pass(u64),
    Received { from: u8, by: u8, bytes_per_s: u64, waited: bool },
    Limited(u8, bool),
}

/// Rates as they are, and as a liar would have them.
fn rate() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0_u64..20_000_000, 1 => any::<u64>(), 1 => Just(u64::MAX)]
}

fn step() -> impl Strategy<Value = Step> {
    let number = 0_u8..40;
    prop_oneof![
        8 => (number.clone(), prop_oneof![Just(0_u16), 1_u16..9, Just(64)], prop::bool::weighted(0.1))
            .prop_map(|(number, offered, complete)| Step::Join { number, offered, complete }),
        2 => number.clone().prop_map(Step::Leave),
        1 => number.clone().prop_map(Step::Complete),
        1 => (number.clone(), number.clone()).prop_map(|(one, other)| Step::Lost(one, other)),
        3 => (number.clone(), 0_u8..16).prop_map(|(child, stripe)| Step::LostFeeder(child, stripe)),
        1 => (number.clone(), number.clone()).prop_map(|(one, other)| Step::Accuse(one, other)),
        1 => (number.clone(), any::<bool>()).prop_map(|(number, present)| Step::Away(number, present)),
        3 => (1_u64..15).prop_map(Step::Pass),
        6 => (number.clone(), number.clone(), rate(), any::<bool>())
            .prop_map(|(from, by, bytes_per_s, waited)| Step::Received { from, by, bytes_per_s, waited }),
        1 => (number, any::<bool>()).prop_map(|(number, limited)| Step::Limited(number, limited)),
    ]
}

fn topology() -> impl Strategy<Value = Topology> {
    prop::sample::select(PRESETS.to_vec())
}

/// Does it; returns the most peers that may have another place after it.
fn take(step: &Step, life: &mut Life) -> usize {
    let (now, levels) = (life.now, life.levels());
    match *step {
        Step::Join { number, offered, complete } => {
            let was_there = life.places().contains_key(&peer(number));
            life.join(number, offered, complete);
            return 2 * levels.max(life.levels()) * (1 + usize::from(was_there));
        }
        Step::Leave(number) => life.planner.leave(peer(number), now),
        Step::Complete(number) => {
            life.planner.set_complete(peer(number), now);
            return 0;
        }
        Step::Lost(one, other) => {
            life.planner.lost(peer(one), peer(other), Loss::Unreached, now);
            return 2 * usize::from(life.topology.stripes(0).min(2));
        }
        Step::LostFeeder(number, stripe) => {
            let stripe = stripe % life.topology.stripes(0);
            let Some(feeder) = life.planner.feeds.parent(stripe, peer(number)) else { return 0 };
            life.planner.lost(peer(number), feeder, Loss::Broken, now);
            return 2 * usize::from(life.topology.stripes(0).min(2));
        }
        Step::Accuse(one, other) => life.planner.accuse(peer(one), peer(other), now),
        Step::Away(number, present) => life.planner.set_present(peer(number), present),
        Step::Pass(seconds) => {
            life.pass(seconds);
            return usize::MAX;
        }
        Step::Received { from, by, bytes_per_s, waited } => {
            life.planner.note_received(peer(from), peer(by), bytes_per_s, waited, now);
            return 0;
        }
        Step::Limited(number, is_limited) => life.planner.note_limited(peer(number), is_limited, 1_000),
    }
    2 * levels.max(2)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_happens_the_arrangement_is_sound(
        topology in topology(),
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut life = Life::new(topology);
        for step in steps {
            let before = life.places();
            let moves_max = take(&step, &mut life);
            life.settle();
            let moves = life.moves_since(&before);
            prop_assert!(moves <= moves_max, "{step:?}: {moves} moves, more than {moves_max}");
        }
    }

    #[test]
    fn once_all_is_quiet_everyone_is_fed_in_every_stripe_and_by_its_place(
        topology in topology(),
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut life = Life::new(topology);
        for step in steps.iter().filter(|step| !matches!(step, Step::Accuse(..))) {
            take(step, &mut life);
            life.settle();
        }
        life.join(SOURCE, 64, true);
        (0..40).for_each(|number| life.planner.set_present(peer(number), true));
        for _ in 0..30 {
            life.now = life.now + Duration::from_secs(60);
            life.pass(1);
        }
        for number in life.takers() {
            prop_assert!(life.has_all_parents(number), "peer {number}");
        }
        prop_assert!(life.planner.astray.is_empty());
    }
}

#[test]
fn a_picture_shows_the_source_first_and_each_peer_with_its_feeders() {
    let life = Life::alike(Topology::Heap, 6);
    let picture = life.planner.picture(|_| 7);
    assert_eq!((picture.stripes, picture.peers_total, picture.left_out), (1, 7, 0));
    let depths: Vec<Option<u32>> = picture.peers.iter().map(|peer| peer.depth).collect();
    assert_eq!(depths, [0, 1, 2, 2, 3, 3, 3].map(Some));
    assert!(picture.peers[0].origin && picture.peers[1].parents == [Some(0)]);
}
