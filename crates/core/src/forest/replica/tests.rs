//! Rows E1 to E4: the claims of \[004\] by example, and random lives against a slow and obvious reference.

use core::cmp::Reverse;
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn id(number: usize) -> PeerId {
    PeerId::from_bytes([0, number as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
}

fn number(peer: PeerId) -> usize {
    usize::from(peer.as_bytes()[1])
}

const CHAIN: ReplicaConfig =
    ReplicaConfig { size: 4, fan_out: 1, primary: usize::MAX, handover: Handover::Corresponding };

/// Nodes 0, 1, 2, … in this order, so that node `k` is node `k mod n` of group `k / n`.
fn groups(config: ReplicaConfig, nodes: usize) -> ReplicaGroups<Reverse<usize>> {
    ReplicaGroups::build(config, (0..nodes).map(|node| (id(node), Reverse(node))))
}

/// Who feeds whom in a stripe: `(parent, child)` by number.
fn edges(groups: &ReplicaGroups<Reverse<usize>>, stripe: u8) -> BTreeSet<(Option<usize>, usize)> {
    let of_stripe = groups.feeds().filter(|feed| feed.stripe == stripe);
    let pairs = of_stripe.map(|feed| match feed.parent {
        Feeder::Source => (None, number(feed.child)),
        Feeder::Peer(peer) => (Some(number(peer)), number(feed.child)),
    });
    pairs.collect()
}

/// E1, and of E2 who feeds whom; that it is passed on meanwhile shows the simulator.
#[test]
fn claims_1_to_8_each_node_gets_another_subfile_and_all_exchange_with_all() {
    let groups = groups(CHAIN, 4);
    for stripe in 0..4 {
        let node = usize::from(stripe);
        let others = (0..4).filter(|other| *other != node).map(|other| (Some(node), other));
        assert_eq!(edges(&groups, stripe), others.chain([(None, node)]).collect());
    }
}

/// E3, to the corresponding node.
#[test]
fn claims_11_and_13_the_corresponding_node_of_the_second_group_is_fed_and_passes_on() {
    let groups = groups(CHAIN, 8);
    for stripe in 0..4 {
        let node = usize::from(stripe);
        let first = (0..4).filter(|other| *other != node).map(|other| (Some(node), other));
        let second = (4..8).filter(|other| *other != node + 4).map(|other| (Some(node + 4), other));
        let links = [(None, node), (Some(node), node + 4)];
        assert_eq!(edges(&groups, stripe), first.chain(second).chain(links).collect());
    }
}

/// E3, to every node.
#[test]
fn claim_12_each_node_sends_its_subfile_to_every_node_of_the_second_group() {
    let groups = groups(ReplicaConfig { handover: Handover::Every, ..CHAIN }, 8);
    for stripe in 0..4 {
        let node = usize::from(stripe);
        let others = (0..8).filter(|other| *other != node).map(|other| (Some(node), other));
        assert_eq!(edges(&groups, stripe), others.chain([(None, node)]).collect());
    }
}

#[test]
fn claim_15_groups_of_the_primary_tree_follow_one_another() {
    let chain = groups(CHAIN, 40);
    assert!((4..40).all(|node| chain.parent((node % 4) as u8, id(node)) == Some(Feeder::Peer(id(node - 4)))));
    let wide = groups(ReplicaConfig { fan_out: 3, ..CHAIN }, 52);
    assert!((0..52).all(|node| (0..4).all(|stripe| wide.depth(stripe, id(node)) <= 4)), "13 groups are 3 levels");
}

#[test]
fn claim_16_a_secondary_tree_is_fed_once_the_group_above_has_everything() {
    let config = ReplicaConfig { primary: 2, ..CHAIN };
    let mut groups = groups(config, 24);
    // Groups 0 and 1 are primary, 2 and 4 the tree below group 0, 3 and 5 the tree below group 1.
    let is_fed = |groups: &ReplicaGroups<_>, node: usize| groups.parent((node % 4) as u8, id(node)).is_some();
    assert!((8..16).all(|node| !is_fed(&groups, node)), "they wait");
    assert!((16..24).all(|node| groups.parent((node % 4) as u8, id(node)) == Some(Feeder::Peer(id(node - 8)))));
    for node in 0..3 {
        let change = groups.complete(id(node));
        assert!(change.open.is_empty() && change.close.len() == 4 && change.moves == 0);
    }
    let change = groups.complete(id(3));
    let opened: Vec<_> = change.open.iter().map(|feed| (feed.stripe, feed.parent, number(feed.child))).collect();
    let expected: Vec<_> = (0..4).map(|node| (node as u8, Feeder::Peer(id(node)), node + 8)).collect();
    assert_eq!(opened, expected);
    assert!((8..12).all(|node| is_fed(&groups, node)) && (12..16).all(|node| !is_fed(&groups, node)));
    // One of the group goes and somebody with nothing takes its place: what flows goes on.
    groups.remove(id(0));
    assert!(groups.iter().skip(8).take(4).all(|peer| (0..4).all(|stripe| groups.parent(stripe, peer).is_some())));
    groups.check();
}

#[test]
fn a_secondary_tree_that_emptied_waits_again_unless_the_group_above_still_has_everything() {
    for group_breaks in [false, true] {
        let mut groups = groups(ReplicaConfig { primary: 1, ..CHAIN }, 8);
        for node in 0..4 {
            groups.complete(id(node));
        }
        if group_breaks {
            // Node 7, which has nothing, takes the place.
            groups.remove(id(0));
        }
        let below: Vec<_> = groups.iter().skip(4).collect();
        assert!(below.iter().all(|peer| groups.parent(1, *peer).is_some()));
        below.into_iter().rev().for_each(|peer| _ = groups.remove(peer));
        groups.insert(id(9), Reverse(99), true);
        assert_eq!(groups.parent(1, id(9)).is_none(), group_breaks);
        groups.check();
    }
}

#[test]
fn an_unfinished_last_group_shares_out_the_subfiles_that_lack_a_node() {
    let config = ReplicaConfig { size: 8, ..CHAIN };
    for nodes in 1..8 {
        let groups = groups(config, 8 + nodes);
        let mut carried = vec![0; nodes];
        for stripe in 0..8 {
            let from_above: Vec<_> = edges(&groups, stripe)
                .into_iter()
                .filter(|edge| edge.0 == Some(usize::from(stripe)) && edge.1 >= 8)
                .collect();
            assert_eq!(from_above.len(), 1, "it comes to the group once");
            carried[from_above[0].1 - 8] += 1;
        }
        let (least, most) = (carried.iter().min().unwrap(), carried.iter().max().unwrap());
        assert!(*least >= 1 && *most <= 2 * least, "{carried:?}");
    }
}

#[test]
fn a_newcomer_of_the_last_group_takes_over_only_its_own() {
    let mut groups = groups(ReplicaConfig { size: 8, ..CHAIN }, 13);
    let change = groups.insert(id(13), Reverse(13), true);
    // It is node 5: stripe 5 was node 1's. It gets eight stripes; in stripe 5 the five others change their feeder.
    assert_eq!((change.open.len(), change.close.len(), change.moves), (8 + 5, 5, 1));
    assert!(change.close.iter().all(|feed| feed.stripe == 5));
}

#[test]
fn the_fastest_form_the_group_below_the_source() {
    let mut groups = ReplicaGroups::new(ReplicaConfig { fan_out: 2, ..CHAIN });
    for node in 0..28 {
        groups.insert(id(node), node, true);
    }
    let first: BTreeSet<_> = groups.iter().take(4).map(number).collect();
    assert!(first.into_iter().eq(24..28));
    groups.set_key(id(27), 0);
    assert_eq!(groups.group(id(27)).map(|(group, _)| group >= 3), Some(true), "it sank to the last level");
    groups.check();
}

/// What the test itself knows.
struct Model {
    config: ReplicaConfig,
    relays: BTreeMap<PeerId, bool>,
    complete: BTreeSet<PeerId>,
    started: BTreeSet<usize>,
}

/// What feeds a group, counted out rather than computed: `(group above, whether once it has everything)`.
fn groups_above(config: ReplicaConfig, count: usize) -> Vec<Option<(usize, bool)>> {
    let mut trees: Vec<Vec<usize>> = vec![Vec::new(); config.primary.min(count) + 1];
    let mut above = Vec::new();
    for group in 0..count {
        let (tree, root) = match group < config.primary {
            true => (0, None),
            false => (1 + (group - config.primary) % config.primary, Some((group - config.primary) % config.primary)),
        };
        let place = trees[tree].len();
        trees[tree].push(group);
        above.push(if place == 0 {
            root.map(|root| (root, true))
        } else {
            Some((trees[tree][(place - 1) / config.fan_out], false))
        });
    }
    above
}

impl Model {
    /// The node of a group through which a stripe comes, by taking off the highest bit until there is such a node.
    fn carrier(&self, group: &[PeerId], stripe: u8) -> Option<PeerId> {
        let carriers: Vec<_> = group.iter().filter(|peer| self.relays[peer]).collect();
        let mut node = usize::from(stripe);
        while node > 0 && node >= carriers.len() {
            node -= 1 << node.ilog2();
        }
        carriers.get(node).map(|peer| **peer)
    }

    fn edges(&self, order: &[PeerId]) -> BTreeSet<Feed> {
        let groups: Vec<&[PeerId]> = order.chunks(self.config.size).collect();
        let above = groups_above(self.config, groups.len());
        let mut edges = BTreeSet::new();
        for (group, above) in groups.iter().zip(above) {
            for (child, stripe) in group.iter().flat_map(|child| (0..self.config.size as u8).map(move |s| (*child, s)))
            {
                let carrier = self.carrier(group, stripe);
                let exchanges = above.is_none() || self.config.handover == Handover::Corresponding;
                let parent = match (carrier, above) {
                    (Some(carrier), _) if exchanges && carrier != child => Feeder::Peer(carrier),
                    (_, Some((above, true))) if !self.started.contains(&above) => continue,
                    (_, None) => Feeder::Source,
                    (_, Some((above, _))) => self.carrier(groups[above], stripe).map_or(Feeder::Source, Feeder::Peer),
                };
                if !self.complete.contains(&child) {
                    edges.insert(Feed { stripe, parent, child });
                }
            }
        }
        edges
    }

    fn update_started(&mut self, order: &[PeerId]) {
        let groups: Vec<&[PeerId]> = order.chunks(self.config.size).collect();
        for tree in 0..self.config.primary.min(1000) {
            let group = groups.get(tree).filter(|group| group.len() == self.config.size);
            let has_all = group.is_some_and(|group| group.iter().all(|peer| self.complete.contains(peer)));
            let is_there = self.config.primary.checked_add(tree).is_some_and(|first| first < groups.len());
            match has_all || (is_there && self.started.contains(&tree)) {
                true => self.started.insert(tree),
                false => self.started.remove(&tree),
            };
        }
    }

    fn levels(&self, peers: usize) -> usize {
        let above = groups_above(self.config, peers.div_ceil(self.config.size));
        let mut levels: Vec<usize> = Vec::new();
        for above in above {
            levels.push(above.map_or(1, |(above, _)| levels[above] + 1));
        }
        levels.into_iter().max().unwrap_or(0)
    }

    fn all_relay(&self) -> bool {
        self.relays.values().all(|relays| *relays)
    }

    /// Most children of one peer in one stripe where all relay.
    fn fan_out_max(&self) -> usize {
        let (size, groups) = (self.config.size, self.config.fan_out + 1);
        match self.config.handover {
            Handover::Corresponding => size - 1 + groups,
            Handover::Every => size - 1 + size * groups,
        }
    }

    fn check(&self, groups: &ReplicaGroups<u8>, before: &BTreeSet<Feed>, change: &Rewiring, moves_max: usize) {
        groups.check();
        let order: Vec<PeerId> = groups.iter().collect();
        assert!(order.iter().copied().collect::<BTreeSet<_>>().into_iter().eq(self.relays.keys().copied()));
        let after = self.edges(&order);
        assert!(change.close.iter().eq(before.difference(&after)), "closed are those that are no more");
        assert!(change.open.iter().eq(after.difference(before)), "opened are those that were not");
        if self.all_relay() {
            // One who carries for an unfinished group of m carries at most 2·⌈n/m⌉ stripes to m − 1 others.
            let size = self.config.size;
            let edges_max = (change.moves + 1) * (size + self.fan_out_max().max(4 * size)) + size * size;
            assert!(change.close.len().max(change.open.len()) <= edges_max, "{} moves: {change:?}", change.moves);
        }
        assert!(groups.feeds().collect::<BTreeSet<_>>() == after);
        let all_relay = self.all_relay();
        let levels_now = self.levels(order.len());
        assert!(change.moves <= moves_max, "{} moves, more than {moves_max}", change.moves);
        self.check_ways(groups, &after, levels_now);
        for peer in order {
            let below = groups.children(peer);
            assert!(below.iter().copied().eq(after.iter().filter(|feed| feed.parent == Feeder::Peer(peer)).copied()));
            for stripe in 0..groups.stripes() {
                let children = below.iter().filter(|feed| feed.stripe == stripe).count();
                assert!(!all_relay || children <= self.fan_out_max());
            }
        }
    }

    /// Each way up ends, and after as many steps as there are levels, and one more within a group.
    fn check_ways(&self, groups: &ReplicaGroups<u8>, edges: &BTreeSet<Feed>, levels: usize) {
        let above: BTreeMap<_, _> = edges.iter().map(|feed| ((feed.stripe, feed.child), feed.parent)).collect();
        assert_eq!(above.len(), edges.len(), "one feeder in each stripe");
        for (stripe, child) in above.keys() {
            let (mut at, mut steps) = (*child, 0);
            while let Some(feeder) = above.get(&(*stripe, at)) {
                steps += 1;
                assert!(steps <= levels + 1, "no cycle and no longer way");
                let Feeder::Peer(parent) = feeder else { break };
                at = *parent;
            }
            assert_eq!(groups.depth(*stripe, *child), steps);
            if self.config.handover == Handover::Every {
                assert!(steps <= levels.max(2));
            }
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
}

fn step(relaying: f64) -> impl Strategy<Value = Step> {
    let peer = 0..50_usize;
    prop_oneof![
        6 => (peer.clone(), 0..12_u8, prop::bool::weighted(relaying)).prop_map(|(p, key, r)| Step::Insert(p, key, r)),
        1 => peer.clone().prop_map(Step::Remove),
        2 => (peer.clone(), 0..12_u8).prop_map(|(p, key)| Step::SetKey(p, key)),
        1 => (peer.clone(), prop::bool::weighted(relaying)).prop_map(|(p, relays)| Step::SetRelays(p, relays)),
        3 => peer.clone().prop_map(Step::Complete),
        1 => (peer.clone(), peer).prop_map(|(one, other)| Step::Swap(one, other)),
    ]
}

fn config() -> impl Strategy<Value = ReplicaConfig> {
    let handover = prop_oneof![Just(Handover::Corresponding), Just(Handover::Every)];
    let primary = prop_oneof![Just(usize::MAX), 1..5_usize];
    (1..=8_usize, 1..=3_usize, primary, handover).prop_map(|(size, fan_out, primary, handover)| ReplicaConfig {
        size,
        fan_out,
        primary,
        handover,
    })
}

fn take(step: &Step, groups: &mut ReplicaGroups<u8>, model: &mut Model) -> Rewiring {
    match *step {
        // Of one who is there, key and relaying are changed one by one, since the bound is for one operation.
        Step::Insert(peer, ..) if model.relays.contains_key(&id(peer)) => Rewiring::default(),
        Step::Insert(peer, key, relays) => {
            model.relays.insert(id(peer), relays);
            groups.insert(id(peer), key, relays)
        }
        Step::Remove(peer) => {
            model.relays.remove(&id(peer));
            model.complete.remove(&id(peer));
            groups.remove(id(peer))
        }
        Step::SetKey(peer, key) => groups.set_key(id(peer), key),
        Step::SetRelays(peer, relays) => {
            model.relays.entry(id(peer)).and_modify(|of| *of = relays);
            groups.set_relays(id(peer), relays)
        }
        Step::Complete(peer) => {
            _ = model.relays.contains_key(&id(peer)) && model.complete.insert(id(peer));
            groups.complete(id(peer))
        }
        Step::Swap(one, other) => groups.swap(id(one), id(other)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn after_anything_the_groups_and_the_changes_are_those_of_the_reference(
        config in config(),
        steps in prop_oneof![prop::collection::vec(step(1.0), 1..80), prop::collection::vec(step(0.5), 1..80)],
    ) {
        let mut groups = ReplicaGroups::new(config);
        let (relays, complete, started) = Default::default();
        let mut model = Model { config, relays, complete, started };
        for step in &steps {
            let before = model.edges(&groups.iter().collect::<Vec<_>>());
            let (levels, all_relayed) = (model.levels(groups.len()), model.all_relay());
            let change = take(step, &mut groups, &mut model);
            model.update_started(&groups.iter().collect::<Vec<_>>());
            let levels = levels.max(model.levels(groups.len()));
            let moves_max = match step {
                Step::Complete(_) => 0,
                Step::Swap(..) => 2,
                _ if all_relayed && model.all_relay() => levels,
                _ => 2 * levels,
            };
            model.check(&groups, &before, &change, moves_max);
        }
    }

    #[test]
    fn without_swaps_nobody_has_a_greater_key_than_the_group_above(
        config in config(),
        steps in prop::collection::vec(step(1.0), 1..100),
    ) {
        let mut groups = ReplicaGroups::new(config);
        for step in &steps {
            match *step {
                Step::Insert(peer, key, _) => _ = groups.insert(id(peer), key, true),
                Step::Remove(peer) => _ = groups.remove(id(peer)),
                Step::SetKey(peer, key) => _ = groups.set_key(id(peer), key),
                Step::Complete(peer) => _ = groups.complete(id(peer)),
                Step::SetRelays(..) | Step::Swap(..) => {}
            }
        }
        let keys: Vec<_> = groups.iter().map(|peer| groups.key(peer).unwrap()).collect();
        let keys: Vec<_> = keys.chunks(config.size).collect();
        for (group, above) in groups_above(config, keys.len()).into_iter().enumerate() {
            let Some((above, _)) = above else { continue };
            prop_assert!(keys[above].iter().min() >= keys[group].iter().max(), "group {group} below {above}");
        }
    }
}
