//! The ordered presets as peers are told of them.

use super::*;
use crate::forest::Topology;
use crate::forest::figure_4::FIGURE_4;

/// The source's socket; terminals have those of their numbers.
const SOURCE: u8 = 100;

/// What everyone believes, from the plans alone.
struct Terminals {
    desk: Desk,
    map: Map,
}

impl Terminals {
    /// A source and so many terminals, that come one after the other.
    fn new(topology: Topology, count: u8) -> Self {
        let mut desk = Desk::new(TrackerConfig { topology, silence_ms_max: 100_000, ..TrackerConfig::default() });
        desk.join(SOURCE, 10);
        let mut terminals = Self { desk, map: Map::default() };
        (1..=count).for_each(|number| terminals.join(number));
        terminals
    }

    /// A terminal comes that would feed as many as any place has below it.
    fn join(&mut self, number: u8) {
        let ToTracker::Join(join) = join(number, 0) else { unreachable!() };
        self.desk.connect(u64::from(number));
        self.desk.say(u64::from(number), &ToTracker::Join(Join { slots: 64, ..join }));
        self.follow();
    }

    fn follow(&mut self) {
        self.map.follow(&mut self.desk);
    }

    fn says_lost(&mut self, reporter: u8, other: u8) {
        self.desk.say(u64::from(reporter), &ToTracker::Lost { peer: id(other), was_open: false });
        self.follow();
    }

    fn children(&self, of: u8) -> Vec<u8> {
        let edges = self.map.0.get(&u64::from(of)).into_iter().flatten();
        let below = edges.filter(|(_, (_, child))| *child > 0).map(|(peer, _)| *peer);
        let mut below: Vec<u8> = below.filter_map(|peer| (1..=SOURCE).find(|n| id(*n) == peer)).collect();
        below.sort_unstable();
        below
    }
}

#[test]
fn thirty_nine_terminals_are_told_figure_4_of_001() {
    let mut terminals = Terminals::new(Topology::Relay { fan_out: 3 }, 39);
    let table = [&[(SOURCE, [1, 2, 3])], FIGURE_4.as_slice()].concat();
    for (relay, below) in table.iter().copied() {
        assert_eq!(terminals.children(relay), below, "below T{relay}");
    }
    assert!((13..=39).all(|leaf| terminals.children(leaf).is_empty()));

    terminals.says_lost(2, 8);
    assert_eq!(terminals.children(2), [5, 11, 17], "T17 is promoted");
    assert_eq!(terminals.children(17), [8, 26, 35], "T8 is moved down");
    assert!(terminals.children(8).is_empty());
    let rest = table.into_iter().filter(|(relay, _)| ![2, 8].contains(relay));
    assert!(rest.into_iter().all(|(relay, below)| terminals.children(relay) == below), "nobody else is told anything");
}

#[test]
fn a_heap_halves_at_each_level_and_the_last_takes_the_place_of_one_who_goes() {
    let mut terminals = Terminals::new(Topology::Heap, 10);
    let table = [(SOURCE, vec![1]), (1, vec![2, 3]), (2, vec![4, 5]), (3, vec![6, 7]), (4, vec![8, 9]), (5, vec![10])];
    for (peer, below) in table {
        assert_eq!(terminals.children(peer), below, "below {peer}");
    }
    terminals.desk.say(2, &ToTracker::Leave);
    terminals.follow();
    // 10 came last, so it sinks: 4 rises, and 8 in its place.
    assert_eq!((terminals.children(1), terminals.children(4)), (vec![3, 4], vec![5, 8]));
    assert_eq!((terminals.children(8), terminals.children(5)), (vec![9, 10], vec![]));
}

#[test]
fn each_node_of_a_group_has_a_subfile_of_its_own_from_the_source_and_all_others_from_the_others() {
    let mut terminals = Terminals::new(Topology::Replica { group: 4 }, 4);
    assert_eq!(terminals.children(SOURCE), [1, 2, 3, 4]);
    for node in 1..=4 {
        let others: Vec<u8> = (1..=4).filter(|other| *other != node).collect();
        assert_eq!(terminals.children(node), others);
        let from = &terminals.map.0[&u64::from(node)];
        assert!(from.values().all(|(parent, _)| *parent == 1), "one subfile of each");
    }
    // Another group: node i of the first feeds node i of the second.
    (5..=8).for_each(|number| terminals.join(number));
    assert!((1..=4).all(|node| terminals.children(node).contains(&(node + 4))));
    assert_eq!(terminals.children(SOURCE), [1, 2, 3, 4]);
}

#[test]
fn peers_are_told_the_stripes_of_the_preset() {
    for (topology, expected) in [
        (Topology::Forest, TrackerConfig::default().stripes),
        (Topology::Heap, 1),
        (Topology::Relay { fan_out: 5 }, 1),
        (Topology::Replica { group: 3 }, 3),
    ] {
        let mut desk = Desk::new(TrackerConfig { topology, ..TrackerConfig::default() });
        desk.join(1, 10);
        let welcomed = desk.take(1).messages.into_iter().find_map(|message| match message {
            FromTracker::Welcome { stripes, .. } => Some(stripes),
            _ => None,
        });
        assert_eq!(welcomed, Some(expected), "{topology}");
    }
}

#[test]
fn with_a_preset_what_a_slow_relay_sends_moves_it_down() {
    let mut terminals = Terminals::new(Topology::Relay { fan_out: 3 }, 12);
    let slow = id(1);
    for _ in 0..8 {
        for (socket, edges) in terminals.map.0.clone() {
            let told = edges.iter().filter(|(_, (parent, _))| *parent > 0).map(|(peer, _)| Received {
                peer: *peer,
                bytes_per_s: if *peer == slow { 10_000 } else { 400_000 },
                waited: true,
            });
            let held = if socket == u64::from(SOURCE) { 10 } else { 0 };
            terminals.desk.say(socket, &status(held, told.collect()));
        }
        terminals.desk.pass_s(1);
        terminals.follow();
    }
    assert!(terminals.children(1).is_empty(), "it is a leaf now");
    assert_eq!(terminals.children(SOURCE), [2, 3, 4], "its place has the next of its share");
}
