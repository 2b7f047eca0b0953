//! Groups that exchange subfiles: the structure of \[004\].
//!
//! The content is dealt to `n` stripes, the equal subfiles of \[004\] claims 1 to 4; `n` is how many connections can
//! work at once (claims 5 and 6). Peers stand in groups of `n`. Stripe `i` comes to a group through its node `i`, the
//! stripe's *carrier* there, which passes it on to all others of the group while it is still receiving (claims 1, 7
//! and 8). From group to group a stripe goes in one of two ways, [`Handover`].
//!
//! Groups form a *primary* multicast tree of fan-out `g`, all of which relays at once (claim 15, which for `g = 1` is
//! the literal "next sequential group"), and *secondary* trees: tree `t` hangs below group `t` of the primary tree and
//! is fed once this group has everything (claim 16). Before, its links can be made already.
//!
//! Who is nearer to the source is decided by a key: nobody ranks above anybody in the group that feeds its own. With
//! groups of one, and so one stripe, what remains is an ordered tree: the heap of \[000\], the relays of \[001\].
//!
//! What the document does not say, and is so here:
//!
//! * *An unfinished last group* of `m < n` carries the missing stripes too: stripe `i` through node `i mod p`, `p` the
//!   power of two next above `m`, or `i mod p/2` where that one is missing. A newcomer then takes over only what is its
//!   own, the others keep their feeders. Such a group has no group below it.
//! * *Who only takes* stands after all who relay and carries nothing. A group without any carrier is fed by those of
//!   the group above, and by the source if that has none either; so where less than about 1 of `g + 1` relays, the
//!   source has to do what nobody else would.
//! * *Who has everything* needs no feeder and keeps its place and its children.
//! * A secondary tree once fed stays so, even if somebody who has not everything takes a place in the group above: what
//!   flows is worth more than the wait.

use std::collections::BTreeSet;

use super::layout::{Above, Layout, Shape};
use super::ranking::{Journal, Occupant, Ranking};
use crate::ids::PeerId;
use crate::wire::tracker::STRIPES_MAX;

/// Who feeds a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feeder {
    /// Whoever has everything from the start; a planner says which one, or that it is the web server.
    Source,
    /// Another peer.
    Peer(PeerId),
}

/// One edge: a stripe flows from `parent` to `child`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Feed {
    /// The stripe.
    pub stripe: u8,
    /// The upper end.
    pub parent: Feeder,
    /// The lower end.
    pub child: PeerId,
}

/// What an operation changed: exactly the edges that were and are no more, and those that were not and are. Both are in
/// order, and no edge is in both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewiring {
    /// Edges to close.
    pub close: Vec<Feed>,
    /// Edges to open.
    pub open: Vec<Feed>,
    /// How many peers have another position than before, the newcomer included.
    pub moves: usize,
}

/// How a stripe goes from a group to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handover {
    /// From node `i` to node `i`, which passes it on in its group (\[004\] claims 13 and 14). Costs a node one upload
    /// of its stripe for each group below.
    Corresponding,
    /// From node `i` to every node (\[004\] claim 12). One step shorter below the first group, `n` times the uploads.
    Every,
}

/// The numbers of a [`ReplicaGroups`]; out of range, the nearest that is in it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaConfig {
    /// Nodes in a group, which is also how many stripes there are; 1 to [`STRIPES_MAX`].
    pub size: usize,
    /// Groups below each group; 1 to [`FAN_OUT_MAX`](super::FAN_OUT_MAX).
    pub fan_out: usize,
    /// How many groups the primary tree has, at least 1; `usize::MAX` for no secondary trees.
    pub primary: usize,
    /// The way from group to group.
    pub handover: Handover,
}

/// Peers in groups, groups in multicast trees.
///
/// With `L` levels of groups an operation moves at most `2·L` peers, and `L` where all relay (a swap: two). An edge is
/// touched only if its child moved, or the one who carries its stripe in the child's group or in the group above did:
/// `n` edges by which a peer is fed, and those by which it feeds, for each that moved. The last of a group of the
/// primary tree to [`complete`](Self::complete) opens up to `n²` more, those from that group to its secondary tree.
#[derive(Clone, Debug)]
pub struct ReplicaGroups<K> {
    ranking: Ranking<K>,
    handover: Handover,
    /// Groups of the primary tree that have, or had, everything and feed a secondary tree.
    started: BTreeSet<usize>,
}

/// What edges are computed from: how things are, or how they were before the operation.
struct View<'a, K> {
    groups: &'a ReplicaGroups<K>,
    past: Option<&'a Past>,
}

struct Past {
    journal: Journal,
    /// Groups whose entry in `started` was the opposite.
    flipped: BTreeSet<usize>,
}

impl<K: Ord + Copy> ReplicaGroups<K> {
    /// Without peers.
    pub fn new(config: ReplicaConfig) -> Self {
        let layout = Layout::Heap { fan_out: config.fan_out };
        let size = config.size.clamp(1, usize::from(STRIPES_MAX));
        Self::with_shape(Shape { layout, size, primary: config.primary.max(1) }, config.handover)
    }

    pub(super) fn with_shape(shape: Shape, handover: Handover) -> Self {
        Self { ranking: Ranking::new(shape), handover, started: BTreeSet::new() }
    }

    /// With these peers, who all relay, put to their places at once: ranked by key, the first `n` in the first group.
    pub fn build(config: ReplicaConfig, peers: impl IntoIterator<Item = (PeerId, K)>) -> Self {
        let mut groups = Self::new(config);
        groups.insert_ranked(peers);
        groups
    }

    pub(super) fn insert_ranked(&mut self, peers: impl IntoIterator<Item = (PeerId, K)>) {
        let mut ranked: Vec<_> = peers.into_iter().collect();
        ranked.sort_by_key(|(peer, key)| (core::cmp::Reverse(*key), *peer));
        for (peer, key) in ranked {
            // Nobody before ranks lower, so each stays where it is put: nothing moves.
            self.insert(peer, key, true);
        }
    }

    /// How many peers there are.
    pub fn len(&self) -> usize {
        self.ranking.len()
    }

    /// Whether nobody is there.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Stripes, which is also how many nodes a full group has.
    pub fn stripes(&self) -> u8 {
        self.shape().size as u8
    }

    /// The peers, those near the source first: group by group, in each node by node.
    pub fn iter(&self) -> impl Iterator<Item = PeerId> + '_ {
        (0..self.len()).filter_map(|position| self.ranking.occupant(position)).map(|who| who.peer)
    }

    /// The peer's own key, whatever place it has been swapped to.
    pub fn key(&self, peer: PeerId) -> Option<K> {
        self.ranking.key(peer)
    }

    /// The peer's group, and which node of it the peer is.
    pub fn group(&self, peer: PeerId) -> Option<(usize, usize)> {
        let position = self.ranking.place(peer)?;
        Some((self.shape().group(position), position % self.shape().size))
    }

    /// The others of the peer's group.
    pub(super) fn mates(&self, peer: PeerId) -> Vec<PeerId> {
        let Some(position) = self.ranking.place(peer) else { return Vec::new() };
        let mates = self.shape().positions(self.shape().group(position)).filter(|mate| *mate != position);
        mates.filter_map(|mate| self.ranking.occupant(mate)).map(|who| who.peer).collect()
    }

    /// Who feeds the peer in the stripe of which it is the carrier in a full group.
    pub(super) fn feeder_from_above(&self, peer: PeerId) -> Option<Feeder> {
        let position = self.ranking.place(peer)?;
        self.parent((position % self.shape().size) as u8, peer)
    }

    /// Who feeds the peer in a stripe: nobody if it has everything, or if its secondary tree still waits.
    pub fn parent(&self, stripe: u8, peer: PeerId) -> Option<Feeder> {
        let position = self.ranking.place(peer)?;
        Some(self.now().feed(stripe, position)?.parent)
    }

    /// Whom the peer feeds, by stripe.
    pub fn children(&self, peer: PeerId) -> Vec<Feed> {
        let Some(position) = self.ranking.place(peer) else { return Vec::new() };
        let mut pairs = BTreeSet::new();
        self.add_fed_by(position, self.ranking.relays(), &mut pairs);
        let feeds = pairs.into_iter().filter_map(|(stripe, child)| self.now().feed(stripe, child));
        let mut feeds: Vec<Feed> = feeds.filter(|feed| feed.parent == Feeder::Peer(peer)).collect();
        feeds.sort_unstable();
        feeds
    }

    /// All edges.
    pub fn feeds(&self) -> impl Iterator<Item = Feed> + '_ {
        let pairs = (0..self.len()).flat_map(|position| (0..self.stripes()).map(move |stripe| (stripe, position)));
        pairs.filter_map(|(stripe, position)| self.now().feed(stripe, position))
    }

    /// Steps from whoever has what the peer gets in this stripe: 1 below the source or below who has everything, 0 for
    /// who is not fed.
    pub fn depth(&self, stripe: u8, peer: PeerId) -> usize {
        let mut steps = 0;
        let mut at = peer;
        while let Some(feeder) = self.parent(stripe, at) {
            steps += 1;
            let Feeder::Peer(above) = feeder else { break };
            at = above;
        }
        steps
    }

    /// Adds a peer, with whether it passes on what it gets. For one who is there already this is
    /// [`set_key`](Self::set_key) and [`set_relays`](Self::set_relays) in one.
    pub fn insert(&mut self, peer: PeerId, key: K, relays: bool) -> Rewiring {
        self.change(|ranking| match ranking.place(peer) {
            None => ranking.insert(peer, key, relays),
            Some(position) => {
                ranking.set_key(position, key);
                let position = ranking.place(peer).expect("a new key takes nobody out");
                ranking.set_relays(position, relays);
            }
        })
    }

    /// Takes a peer out, if it is there. The last one of all fills its place, then ranks are put right.
    pub fn remove(&mut self, peer: PeerId) -> Rewiring {
        self.change_at(peer, |ranking, position| ranking.remove(position))
    }

    /// Gives a peer another key, which ends what a swap did to its rank. The key that it has changes nothing.
    pub fn set_key(&mut self, peer: PeerId, key: K) -> Rewiring {
        self.change_at(peer, |ranking, position| ranking.set_key(position, key))
    }

    /// Says whether a peer passes on what it gets.
    pub fn set_relays(&mut self, peer: PeerId, relays: bool) -> Rewiring {
        self.change_at(peer, |ranking, position| ranking.set_relays(position, relays))
    }

    /// The peer has everything: nobody feeds it from now on. Where it was the last of its group, the group's secondary
    /// tree is fed. Nobody moves.
    pub fn complete(&mut self, peer: PeerId) -> Rewiring {
        self.change_at(peer, |ranking, position| ranking.set_complete(position, true))
    }

    /// A peer of a group without groups below takes the place of one who ranks lower and stands above others. Nothing
    /// changes unless they are such.
    pub(super) fn promote(&mut self, leaf: PeerId, interior: PeerId) -> Rewiring {
        let ranking = &self.ranking;
        let (Some(low), Some(high)) = (ranking.place(leaf), ranking.place(interior)) else {
            return Rewiring::default();
        };
        let is_due = ranking.rank(low) > ranking.rank(high) && ranking.rank(high).0;
        if !is_due || ranking.is_interior(low) || !ranking.is_interior(high) {
            return Rewiring::default();
        }
        self.change(|ranking| ranking.promote(low, high))
    }

    /// Two peers take each other's place, until either gets another key. Nothing changes unless both relay or both
    /// only take.
    pub fn swap(&mut self, one: PeerId, other: PeerId) -> Rewiring {
        let Some(far) = self.ranking.place(other) else { return Rewiring::default() };
        self.change_at(one, |ranking, position| _ = ranking.swap(position, far))
    }

    pub(super) fn ranking(&self) -> &Ranking<K> {
        &self.ranking
    }

    fn shape(&self) -> Shape {
        self.ranking.shape
    }

    fn now(&self) -> View<'_, K> {
        View { groups: self, past: None }
    }

    fn change_at(&mut self, peer: PeerId, operation: impl FnOnce(&mut Ranking<K>, usize)) -> Rewiring {
        let Some(position) = self.ranking.place(peer) else { return Rewiring::default() };
        self.change(|ranking| operation(ranking, position))
    }

    /// Does something to the ranking and says what became of the edges, looking only where it touched something.
    fn change(&mut self, operation: impl FnOnce(&mut Ranking<K>)) -> Rewiring {
        operation(&mut self.ranking);
        let journal = self.ranking.take_journal();
        let flipped = self.start_secondaries(&journal);
        let past = Past { journal, flipped };
        let (mut close, mut open) = (Vec::new(), Vec::new());
        for (stripe, position) in self.affected(&past) {
            let was = View { groups: self, past: Some(&past) }.feed(stripe, position);
            let is = self.now().feed(stripe, position);
            close.extend(was);
            open.extend(is);
        }
        let (closed, opened): (BTreeSet<Feed>, BTreeSet<Feed>) =
            (close.into_iter().collect(), open.into_iter().collect());
        let has_moved = |(position, before): &(&usize, &Option<Occupant>)| {
            let now = self.ranking.occupant(**position).map(|who| who.peer);
            now.is_some() && now != before.map(|who| who.peer)
        };
        Rewiring {
            close: closed.difference(&opened).copied().collect(),
            open: opened.difference(&closed).copied().collect(),
            moves: past.journal.before.iter().filter(has_moved).count(),
        }
    }

    /// Sees to which groups of the primary tree feed their secondary tree; returns those for which that changed.
    fn start_secondaries(&mut self, journal: &Journal) -> BTreeSet<usize> {
        let groups: BTreeSet<usize> = journal.before.keys().map(|position| self.shape().group(*position)).collect();
        let as_primary = groups.iter().copied().filter(|group| *group < self.shape().primary);
        let as_secondary = groups.iter().filter_map(|group| self.shape().feeds_secondary(*group));
        let trees: BTreeSet<usize> = as_primary.chain(as_secondary).collect();
        trees.into_iter().filter(|tree| self.start_secondary(*tree)).collect()
    }

    /// Whether the tree's state changed.
    fn start_secondary(&mut self, tree: usize) -> bool {
        let shape = self.shape();
        let mut group = shape.positions(tree).map(|position| self.ranking.occupant(position));
        let has_all = group.all(|who| who.is_some_and(|who| who.complete));
        let is_there = shape.positions(shape.first_secondary(tree)).start < self.len();
        match has_all || (is_there && self.started.contains(&tree)) {
            true => self.started.insert(tree),
            false => self.started.remove(&tree),
        }
    }

    /// The places, by stripe, whose feeder may be another than before.
    fn affected(&self, past: &Past) -> BTreeSet<(u8, usize)> {
        let mut pairs = BTreeSet::new();
        let mut add_all = |position: usize| pairs.extend((0..self.stripes()).map(|stripe| (stripe, position)));
        past.journal.before.keys().copied().for_each(&mut add_all);
        for tree in &past.flipped {
            self.shape().positions(self.shape().first_secondary(*tree)).for_each(&mut add_all);
        }
        for position in past.journal.before.keys() {
            self.add_fed_by(*position, past.journal.relays, &mut pairs);
            self.add_fed_by(*position, self.ranking.relays(), &mut pairs);
        }
        pairs
    }

    /// Adds the places that the one at a position may feed while so many relay.
    fn add_fed_by(&self, position: usize, relays: usize, pairs: &mut BTreeSet<(u8, usize)>) {
        let shape = self.shape();
        let group = shape.group(position);
        let carries = |stripe: &u8| carrier(shape, group, relays, *stripe).is_none_or(|carrier| carrier == position);
        let stripes: Vec<u8> = (0..self.stripes()).filter(carries).collect();
        let groups = core::iter::once(group).chain(shape.below(group));
        let fed = groups.flat_map(|group| shape.positions(group)).filter(|fed| *fed < self.len());
        for fed in fed {
            pairs.extend(stripes.iter().map(|stripe| (*stripe, fed)));
        }
    }

    /// Checks what must always hold; slow, for tests.
    #[cfg(test)]
    pub(super) fn check(&self) {
        self.ranking.check();
    }
}

/// Where the one stands through whom a stripe comes to a group, if anybody there relays.
///
/// As in linear hashing, the next to relay takes over part of what one other carries, and nothing else changes.
fn carrier(shape: Shape, group: usize, relays: usize, stripe: u8) -> Option<usize> {
    let first = shape.positions(group).start;
    let carriers = relays.saturating_sub(first).min(shape.size);
    if carriers == 0 {
        return None;
    }
    let modulus = carriers.next_power_of_two();
    let node = usize::from(stripe) % modulus;
    Some(first + if node < carriers { node } else { node % (modulus / 2) })
}

impl<K: Ord + Copy> View<'_, K> {
    /// The edge that brings a stripe to a position.
    fn feed(&self, stripe: u8, position: usize) -> Option<Feed> {
        let who = self.occupant(position).filter(|who| !who.complete)?;
        Some(Feed { stripe, parent: self.feeder(stripe, position)?, child: who.peer })
    }

    fn feeder(&self, stripe: u8, position: usize) -> Option<Feeder> {
        let shape = self.groups.shape();
        let group = shape.group(position);
        let above = shape.above(group);
        let is_exchanged = above == Above::Source || self.groups.handover == Handover::Corresponding;
        if let Some(carrier) = self.carrier(group, stripe).filter(|carrier| is_exchanged && *carrier != position) {
            return self.peer(carrier);
        }
        match above {
            Above::Primary(tree) if !self.is_started(tree) => None,
            Above::Source => Some(Feeder::Source),
            Above::Group(above) | Above::Primary(above) => match self.carrier(above, stripe) {
                Some(carrier) => self.peer(carrier),
                None => Some(Feeder::Source),
            },
        }
    }

    fn carrier(&self, group: usize, stripe: u8) -> Option<usize> {
        let relays = self.past.map_or(self.groups.ranking.relays(), |past| past.journal.relays);
        carrier(self.groups.shape(), group, relays, stripe)
    }

    fn peer(&self, position: usize) -> Option<Feeder> {
        self.occupant(position).map(|who| Feeder::Peer(who.peer))
    }

    fn occupant(&self, position: usize) -> Option<Occupant> {
        let before = self.past.and_then(|past| past.journal.before.get(&position).copied());
        before.unwrap_or_else(|| self.groups.ranking.occupant(position))
    }

    fn is_started(&self, tree: usize) -> bool {
        let was_other = self.past.is_some_and(|past| past.flipped.contains(&tree));
        self.groups.started.contains(&tree) != was_other
    }
}

#[cfg(test)]
mod tests;
