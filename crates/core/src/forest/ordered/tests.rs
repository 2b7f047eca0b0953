//! Rows A1 and B3, heap order and the swap in figure 4: the examples of \[000\] and \[001\], and random lives against a slow and obvious reference.

use core::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::figure_4::FIGURE_4;
use super::super::layout::tests::deal;
use super::super::replica::Feed;
use super::*;

fn id(number: usize) -> PeerId {
    PeerId::from_bytes([0, number as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
}

fn number(peer: PeerId) -> usize {
    usize::from(peer.as_bytes()[1])
}

fn children(tree: &OrderedTree<impl Ord + Copy>, of: usize) -> Vec<usize> {
    tree.children(id(of)).into_iter().map(number).collect()
}

/// Edges by number, 0 for the source.
fn edges(feeds: &[Feed]) -> Vec<(usize, usize)> {
    let above = |feed: &Feed| match feed.parent {
        Feeder::Source => 0,
        Feeder::Peer(peer) => number(peer),
    };
    feeds.iter().map(|feed| (above(feed), number(feed.child))).collect()
}

/// T1 to T39, the first the fastest.
fn figure_4() -> OrderedTree<Reverse<usize>> {
    OrderedTree::build(Layout::Stride { fan_out: 3 }, (1..=39).map(|terminal| (id(terminal), Reverse(terminal))))
}

#[test]
fn figure_4_of_001_39_terminals_with_n_3() {
    let tree = figure_4();
    let roots: Vec<_> = (1..=39).filter(|terminal| tree.parent(id(*terminal)) == Some(Feeder::Source)).collect();
    assert_eq!(roots, [1, 2, 3], "the main server serves N");
    for (relay, below) in FIGURE_4 {
        assert_eq!(children(&tree, relay.into()), below.map(usize::from), "below T{relay}");
    }
    for leaf in 13..=39 {
        assert_eq!(tree.children(id(leaf)), []);
        assert_eq!(tree.depth(id(leaf)), 3);
    }
    // The request sent to T1 has every third address.
    let mut below = BTreeSet::from([1]);
    while let Some(more) =
        (1..=39).find(|t| !below.contains(t) && below.iter().any(|b| children(&tree, *b).contains(t)))
    {
        below.insert(more);
    }
    assert!(below.into_iter().eq((1..=37).step_by(3)));
}

#[test]
fn figure_4_of_001_t8_that_cannot_be_reached_is_swapped_with_t17() {
    let mut tree = figure_4();
    let change = tree.demote(id(8), |_| true).unwrap();
    assert_eq!(edges(&change.close), [(2, 8), (8, 17), (8, 26), (8, 35)]);
    assert_eq!(edges(&change.open), [(2, 17), (17, 8), (17, 26), (17, 35)]);
    assert_eq!(change.moves, 2);
    tree.check();
    // "If the new connection also failed then other options would be tried": those that have not failed yet.
    tree.demote(id(17), |other| other != id(8)).unwrap();
    assert_eq!(tree.parent(id(26)), Some(Feeder::Peer(id(2))));
    assert_eq!(children(&tree, 26), [8, 17, 35]);
    tree.demote(id(26), |other| ![id(8), id(17)].contains(&other)).unwrap();
    assert_eq!(children(&tree, 35), [8, 17, 26]);
    // "If all available options fail then this is reported back to the main server."
    assert_eq!(tree.demote(id(35), |other| ![id(8), id(17), id(26)].contains(&other)), None);
    tree.check();
    // What was measured before the swap does not undo it; a new measurement does.
    assert_eq!(tree.set_key(id(8), Reverse(8)), Rewiring::default());
    tree.set_key(id(8), Reverse(7));
    assert_eq!(tree.parent(id(8)), Some(Feeder::Peer(id(2))));
    tree.check();
}

#[test]
fn a_leaf_that_cannot_be_reached_is_tried_by_another_parent() {
    let mut tree = figure_4();
    tree.demote(id(13), |_| true).unwrap();
    assert_eq!(tree.parent(id(13)), Some(Feeder::Peer(id(5))));
    assert_eq!(tree.parent(id(14)), Some(Feeder::Peer(id(4))));
    tree.demote(id(39), |_| true).unwrap();
    assert_eq!(tree.parent(id(39)), Some(Feeder::Peer(id(11))), "nobody is after it, so one before");
    tree.check();
    let mut heap = OrderedTree::build(Layout::BINARY, (1..=7).map(|terminal| (id(terminal), Reverse(terminal))));
    heap.demote(id(4), |_| true).unwrap();
    assert_eq!((children(&heap, 2), children(&heap, 3)), (vec![5, 6], vec![4, 7]), "5 has the same parent, so 6");
}

#[test]
fn two_to_five_relays_below_the_source_and_single_targets_work() {
    for fan_out in 2..=5 {
        let layout = Layout::Stride { fan_out };
        let tree = OrderedTree::build(layout, (1..=100).map(|terminal| (id(terminal), Reverse(terminal))));
        let direct: Vec<_> = (1..=100).filter(|t| tree.parent(id(*t)) == Some(Feeder::Source)).collect();
        assert!(direct.into_iter().eq(1..=fan_out));
        let single = OrderedTree::build(layout, [(id(1), 7)]);
        assert_eq!((single.parent(id(1)), single.levels()), (Some(Feeder::Source), 1));
    }
}

#[test]
fn terminals_that_do_not_relay_are_leaves_at_the_end_however_fast() {
    let mut tree = OrderedTree::new(Layout::Stride { fan_out: 3 });
    for terminal in 1..=40 {
        tree.insert(id(terminal), Reverse(terminal), terminal % 3 == 0);
    }
    for terminal in (1..=40).filter(|terminal| terminal % 3 != 0) {
        assert_eq!(tree.children(id(terminal)), [], "T{terminal}");
        assert_ne!(tree.parent(id(terminal)), Some(Feeder::Source), "13 relays feed 39");
    }
}

#[test]
fn the_heap_of_000_by_connection_speed() {
    let mut tree = OrderedTree::new(Layout::BINARY);
    for speed in [50, 40, 30, 20, 10] {
        tree.insert(id(speed), speed, true);
    }
    assert!(tree.iter().map(number).eq([50, 40, 30, 20, 10]));
    // The fastest so far is added last (claim 9) and rises past 30 and 50.
    let change = tree.insert(id(60), 60, true);
    assert!(tree.iter().map(number).eq([60, 40, 50, 20, 10, 30]));
    // 30 moved as well, and is below 50 as before.
    assert_eq!(edges(&change.close), [(0, 50), (50, 40)]);
    assert_eq!(edges(&change.open), [(0, 60), (60, 40), (60, 50)]);
    assert_eq!(change.moves, 3);
    // It goes again (claim 6): the last, 30, takes its place and sinks below 50.
    let change = tree.remove(id(60));
    assert!(tree.iter().map(number).eq([50, 40, 30, 20, 10]));
    assert_eq!(edges(&change.open), [(0, 50), (50, 40)]);
    assert_eq!(edges(&change.close), [(0, 60), (60, 40), (60, 50)]);
    assert_eq!(change.moves, 2);
}

#[test]
fn equal_keys_are_told_apart_by_id_and_who_has_everything_keeps_its_children() {
    let mut tree = OrderedTree::new(Layout::BINARY);
    for peer in [3, 1, 2] {
        tree.insert(id(peer), 0, true);
    }
    assert!(tree.iter().map(number).eq([1, 3, 2]));
    let change = tree.complete(id(1));
    assert_eq!((edges(&change.close), change.open, change.moves), (vec![(0, 1)], vec![], 0));
    assert_eq!((tree.parent(id(1)), children(&tree, 1)), (None, vec![2, 3]));
    assert_eq!(tree.remove(id(9)), Rewiring::default(), "nobody there, nothing done");
}

#[test]
fn thousands_come_and_go_in_logarithmic_moves() {
    let wide = |number: u32| {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        PeerId::from_bytes(bytes)
    };
    // Multiplying by an odd number deals keys out as if by chance.
    let key = |number: u32| number.wrapping_mul(2_654_435_761);
    for (layout, levels) in [(Layout::BINARY, 12), (Layout::Stride { fan_out: 3 }, 7)] {
        let mut tree = OrderedTree::new(layout);
        let mut moves_max = 0;
        for number in 0..3000 {
            moves_max = moves_max.max(tree.insert(wide(number), key(number), true).moves);
        }
        tree.check();
        assert_eq!(tree.levels(), levels);
        for number in (0..3000).filter(|number| number % 3 != 0) {
            moves_max = moves_max.max(tree.remove(wide(number)).moves);
        }
        tree.check();
        assert!(moves_max <= levels, "{moves_max} moves");
    }
}

/// What the test itself knows.
#[derive(Default)]
struct Model {
    keys: BTreeMap<PeerId, u8>,
    relays: BTreeSet<PeerId>,
    complete: BTreeSet<PeerId>,
}

/// Numbers the list's places as \[001\] deals them, or as an array of a heap does; no arithmetic of levels.
fn parents(layout: Layout, len: usize) -> Vec<Option<usize>> {
    let mut parents = vec![None; len];
    match layout {
        Layout::Stride { fan_out } => deal(&(0..len).collect::<Vec<_>>(), fan_out, None, &mut parents),
        Layout::Heap { fan_out } => (1..len).for_each(|place| parents[place] = Some((place - 1) / fan_out)),
    }
    parents
}

impl Model {
    fn edges(&self, tree: &OrderedTree<u8>) -> BTreeSet<Feed> {
        let order: Vec<PeerId> = tree.iter().collect();
        let parents = parents(tree.layout(), order.len()).into_iter();
        let with_child = order.iter().copied().zip(parents).filter(|(child, _)| !self.complete.contains(child));
        let feeds = with_child.map(|(child, parent)| {
            let above = parent.map(|place| order[place]).filter(|above| self.relays.contains(above));
            Feed { stripe: 0, parent: above.map_or(Feeder::Source, Feeder::Peer), child }
        });
        feeds.collect()
    }

    fn all_relay(&self) -> bool {
        self.relays.len() == self.keys.len()
    }

    /// Compares a change and the tree with what the test knows.
    fn check(&self, tree: &OrderedTree<u8>, before: &BTreeSet<Feed>, change: &Rewiring, moves_max: usize) {
        tree.check();
        assert!(tree.iter().collect::<BTreeSet<_>>().into_iter().eq(self.keys.keys().copied()), "each peer once");
        assert_eq!(tree.len(), self.keys.len());
        let after = self.edges(tree);
        assert!(change.close.iter().eq(before.difference(&after)), "closed are those that are no more");
        assert!(change.open.iter().eq(after.difference(before)), "opened are those that were not");
        assert!(change.moves <= moves_max, "{} moves, more than {moves_max}", change.moves);
        let edges_max = (tree.layout().fan_out() + 1) * (change.moves + 1);
        assert!(change.close.len().max(change.open.len()) <= edges_max, "{} moves: {change:?}", change.moves);
        for feed in &after {
            assert_eq!(tree.parent(feed.child), Some(feed.parent));
            assert!(tree.depth(feed.child) <= tree.levels(), "no cycles, and no way longer than the levels");
        }
        for peer in tree.iter() {
            let below: Vec<_> = tree.children(peer);
            let expected = after.iter().filter(|feed| feed.parent == Feeder::Peer(peer)).map(|feed| feed.child);
            assert!(below.iter().copied().eq(expected.collect::<BTreeSet<_>>()));
            assert!(below.len() <= tree.layout().fan_out() && (below.is_empty() || self.relays.contains(&peer)));
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Insert(usize, u8, bool),
    Remove(usize),
    SetKey(usize, u8),
    SetRelays(usize, bool),
    Complete(usize),
    Swap(usize, usize),
    Demote(usize, usize),
}

fn step(relaying: f64) -> impl Strategy<Value = Step> {
    let peer = 0..60_usize;
    prop_oneof![
        6 => (peer.clone(), 0..12_u8, prop::bool::weighted(relaying)).prop_map(|(p, key, r)| Step::Insert(p, key, r)),
        2 => peer.clone().prop_map(Step::Remove),
        3 => (peer.clone(), 0..12_u8).prop_map(|(p, key)| Step::SetKey(p, key)),
        1 => (peer.clone(), prop::bool::weighted(relaying)).prop_map(|(p, relays)| Step::SetRelays(p, relays)),
        1 => peer.clone().prop_map(Step::Complete),
        1 => (peer.clone(), peer.clone()).prop_map(|(one, other)| Step::Swap(one, other)),
        1 => (peer.clone(), peer).prop_map(|(one, other)| Step::Demote(one, other)),
    ]
}

fn lives(relaying: f64) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(relaying), 1..100)
}

fn layout() -> impl Strategy<Value = Layout> {
    let heap = (1..=5_usize).prop_map(|fan_out| Layout::Heap { fan_out });
    prop_oneof![heap, (1..=5_usize).prop_map(|fan_out| Layout::Stride { fan_out })]
}

fn take(step: &Step, tree: &mut OrderedTree<u8>, model: &mut Model) -> Rewiring {
    match *step {
        // Of one who is there, key and relaying are changed one by one, since the bound is for one operation.
        Step::Insert(peer, ..) if model.keys.contains_key(&id(peer)) => Rewiring::default(),
        Step::Insert(peer, key, relays) => {
            model.keys.insert(id(peer), key);
            _ = relays && model.relays.insert(id(peer));
            tree.insert(id(peer), key, relays)
        }
        Step::Remove(peer) => {
            model.keys.remove(&id(peer));
            model.relays.remove(&id(peer));
            model.complete.remove(&id(peer));
            tree.remove(id(peer))
        }
        Step::SetKey(peer, key) => {
            model.keys.entry(id(peer)).and_modify(|of| *of = key);
            tree.set_key(id(peer), key)
        }
        Step::SetRelays(peer, relays) => {
            let is_there = model.keys.contains_key(&id(peer));
            _ = if relays { is_there && model.relays.insert(id(peer)) } else { model.relays.remove(&id(peer)) };
            tree.set_relays(id(peer), relays)
        }
        Step::Complete(peer) => {
            _ = model.keys.contains_key(&id(peer)) && model.complete.insert(id(peer));
            tree.complete(id(peer))
        }
        Step::Swap(one, other) => tree.swap(id(one), id(other)),
        Step::Demote(peer, failed) => tree.demote(id(peer), |other| other != id(failed)).unwrap_or_default(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn after_anything_the_tree_and_the_changes_are_those_of_the_reference(
        layout in layout(),
        steps in prop_oneof![lives(1.0), lives(0.4)],
    ) {
        let (mut tree, mut model) = (OrderedTree::new(layout), Model::default());
        for step in &steps {
            let (before, levels, all_relayed) = (model.edges(&tree), tree.levels(), model.all_relay());
            let change = take(step, &mut tree, &mut model);
            let levels = levels.max(tree.levels());
            let moves_max = match step {
                Step::Complete(_) => 0,
                Step::Swap(..) | Step::Demote(..) => 2,
                _ if all_relayed && model.all_relay() => levels,
                _ => 2 * levels,
            };
            model.check(&tree, &before, &change, moves_max);
        }
    }

    #[test]
    fn without_swaps_nobody_stands_above_a_greater_key(layout in layout(), steps in lives(1.0)) {
        let (mut tree, mut model) = (OrderedTree::new(layout), Model::default());
        for step in steps.iter().filter(|step| !matches!(step, Step::Swap(..) | Step::Demote(..))) {
            take(step, &mut tree, &mut model);
            for peer in tree.iter() {
                prop_assert!(tree.children(peer).iter().all(|child| model.keys[child] <= model.keys[&peer]));
            }
        }
    }

    #[test]
    fn however_many_come_levels_are_the_logarithm_and_built_is_as_inserted_in_order(
        layout in layout().prop_filter("a chain has no logarithm", |layout| layout.fan_out() > 1),
        keys in prop::collection::vec(any::<u8>(), 1..200),
    ) {
        let peers = || keys.iter().enumerate().map(|(peer, key)| (id(peer), *key));
        let built = OrderedTree::build(layout, peers());
        // The fewest levels L for which 1 + f + … + f^(L−1), or f + f² + … + f^L, is as many as there are.
        let width = |level: usize| match layout {
            Layout::Heap { fan_out } => fan_out.pow(level as u32),
            Layout::Stride { fan_out } => fan_out.pow(level as u32 + 1),
        };
        let least = (1..).find(|levels| (0..*levels).map(width).sum::<usize>() >= keys.len());
        prop_assert_eq!(Some(built.levels()), least);
        prop_assert!(built.iter().map(|peer| Reverse(built.key(peer))).is_sorted());
        let mut inserted = OrderedTree::new(layout);
        for (peer, key) in peers() {
            inserted.insert(peer, key, true);
        }
        inserted.check();
        prop_assert_eq!(inserted.levels(), built.levels());
    }
}
