//! All stripes of one swarm, the laterals, and which edges a change opens and closes.
//!
//! * `placing`: where a peer goes in a stripe
//! * `lacking`: slots beyond what peers are worth, so that everybody has a place
//! * `laterals`: who is linked beside the trees, and more of it for those who are behind
//! * `measuring`: what a peer is worth, as others tell it, and how many children that makes
//! * `ordering`: the epoch's moves: fast peers up, slow ones down
//! * `parting`: pairs that can't connect, or no longer
//! * `picturing`: what is shown to people
//! * `prior`: what was seen of a peer on other days
//! * `probes`: what uplinks carried before there was anything to pass on
//! * `relieving`: sources that give children to each other
//! * `sparing`: uplinks that carry so little that nobody is to ask them for anything
//! * `standing_by`: who feeds a peer if its parent fails
//! * `web`: the place of web servers that have the content

mod lacking;
mod laterals;
pub(super) mod measuring;
mod ordering;
mod parting;
mod picturing;
mod placing;
mod prior;
mod probes;
mod relieving;
mod sparing;
mod standing_by;
mod web;

use core::cmp::Reverse;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha8Rng;

use super::telling::{Change, Neighbour, Telling};
use super::tree::StripeTree;
use crate::ids::PeerId;
use crate::time::Time;
use crate::wire::tracker::{LinkReport, Role, StripeMask};
use measuring::Measured;
pub use measuring::Seen;
use parting::Parted;
use prior::Priors;
use standing_by::StandingBy;
pub use standing_by::{Named, Standing};
use web::Web;

/// Pairs remembered as parted, for each peer; the one that ends soonest goes first.
const AVOID_MAX: usize = 16;
/// How long a peer that comes with live links is left below a parent that has not come back itself, after a restart.
const KEEP: Duration = Duration::from_secs(20);
/// How often a peer without a place is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// Children of a root in one stripe when no slot is free anywhere: better slow than never.
const OVERFLOW_MAX: usize = 16;

/// The shape of a forest.
#[derive(Clone, Copy, Debug)]
pub struct PlannerConfig {
    /// Trees, 1 to [`STRIPES_MAX`](crate::wire::tracker::STRIPES_MAX).
    pub stripes: u8,
    /// Children of a peer of which nothing is known yet, in all stripes together. As many as there are stripes is one
    /// whole copy: what everyone must give if all are alike.
    pub fan_out: u8,
    /// Laterals wanted for each peer. One has at most twice as many.
    pub laterals: u8,
    /// Most neighbours of a peer that the plan fills up to.
    pub links_max: u8,
    /// How often the forest is put in order.
    pub epoch: Duration,
}

/// What a peer says of itself when it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Newcomer {
    /// Most children that it would feed, in all stripes together; 0: it only takes.
    pub offered: u16,
    /// Whether it has everything.
    pub complete: bool,
    /// Whether it can fetch from web servers.
    pub fetches: bool,
    /// What it was seen to send on other days, in bytes a second, if that is known ([001]: the network information
    /// database). Held against that of the others only: the days may have been better or worse.
    pub prior: Option<u64>,
}

#[derive(Debug)]
struct Member {
    /// Most children that it offers, in all stripes together; 0: a leaf by choice.
    offered: u16,
    /// Whether it can fetch from web servers.
    fetches: bool,
    /// What it was seen to send on other days, in bytes a second.
    prior: Option<u64>,
    /// Children that it is given, in all stripes together.
    slots: u16,
    /// Stripes in which it is interior; a leaf in all others, so that the uplinks of all are in use.
    home: StripeMask,
    /// Children that it has, in all stripes together.
    children: u16,
    /// Neighbours, with the number of edges to each.
    links: BTreeMap<PeerId, u8>,
    measured: Measured,
    sparing: sparing::Sparing,
    complete: bool,
    /// Whether it had everything when it joined: what it has, others may not have.
    is_origin: bool,
    /// Whether what it says that it has comes to others.
    giving: web::Giving,
    /// Whether its socket is there.
    present: bool,
    /// Its place in `Planner::order`.
    order: usize,
    avoid: BTreeMap<PeerId, Parted>,
    laterals: BTreeSet<PeerId>,
    progress: laterals::Progress,
    /// Parents, by stripe, that it still has a link to and that have not come back after a restart of the tracker.
    expected: BTreeMap<u8, (PeerId, Time)>,
}

/// The forest of one swarm.
#[derive(Debug)]
pub struct Planner {
    config: PlannerConfig,
    trees: Vec<StripeTree>,
    members: BTreeMap<PeerId, Member>,
    /// Members in an order that allows a draw.
    order: Vec<PeerId>,
    /// Members that have everything: few, where members may be many.
    complete: BTreeSet<PeerId>,
    /// Roots that do not have everything: there was nobody to put them below.
    provisional: BTreeSet<(u8, PeerId)>,
    /// Peers without a place in a stripe.
    orphans: BTreeSet<(u8, PeerId)>,
    /// Peers that are below one they lost, for want of anybody else; looked at anew each time.
    put_back: BTreeSet<(u8, PeerId)>,
    /// Peers that could have more children than they have, most first.
    spare: BTreeSet<(Reverse<u16>, PeerId)>,
    /// Peers that wait for a parent to come back.
    expecting: BTreeSet<PeerId>,
    /// Peers that would like more laterals.
    lonely: BTreeSet<PeerId>,
    /// Children that peers at home in each stripe are given there.
    supply: Vec<u32>,
    /// Of all members.
    priors: Priors,
    /// The most that a probe counts for, in bytes a second.
    probe_max_bytes_per_s: u64,
    /// The middle one of all probes, in bytes a second; 0: there is none.
    probe_median_bytes_per_s: u64,
    /// Members that were probed for the first time since the last epoch.
    newly_probed: usize,
    epoch_at: Option<Time>,
    telling: Telling,
    standing_by: StandingBy,
    web: Web,
    retry_at: Option<Time>,
}

impl Planner {
    /// An empty forest.
    pub fn new(config: PlannerConfig) -> Self {
        let mut planner = Self {
            config,
            trees: vec![StripeTree::default(); usize::from(config.stripes)],
            members: BTreeMap::new(),
            order: Vec::new(),
            complete: BTreeSet::new(),
            provisional: BTreeSet::new(),
            orphans: BTreeSet::new(),
            put_back: BTreeSet::new(),
            spare: BTreeSet::new(),
            expecting: BTreeSet::new(),
            lonely: BTreeSet::new(),
            supply: vec![0; usize::from(config.stripes)],
            priors: Priors::default(),
            probe_max_bytes_per_s: u64::MAX,
            probe_median_bytes_per_s: 0,
            newly_probed: 0,
            epoch_at: None,
            telling: Telling::default(),
            standing_by: StandingBy::default(),
            web: Web::default(),
            retry_at: None,
        };
        planner.plant_web();
        planner
    }

    /// Number of peers.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is no peer.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Number of peers that have everything.
    pub fn complete_count(&self) -> usize {
        self.complete.len()
    }

    /// The longest way from a root, in edges.
    pub fn depth_max(&self) -> u32 {
        self.trees.iter().map(StripeTree::depth_max).max().unwrap_or(0)
    }

    /// Whether the peer is in the swarm.
    pub fn contains(&self, peer: PeerId) -> bool {
        self.members.contains_key(&peer)
    }

    /// Whether the two were told to meet.
    pub fn may_signal(&self, from: PeerId, to: PeerId) -> bool {
        self.telling.is_told(from, to)
    }

    /// When [`Planner::retry`] is to be called.
    pub fn next_retry(&self) -> Option<Time> {
        self.retry_at.into_iter().chain(self.epoch_at).min()
    }

    /// Adds a peer and gives it a place in every stripe. `links` are those it already has; they are kept where that makes
    /// a tree.
    pub fn join(&mut self, peer: PeerId, newcomer: Newcomer, links: &[LinkReport], now: Time, rng: &mut ChaCha8Rng) {
        self.leave(peer, now);
        let Newcomer { offered, complete, fetches, prior } = newcomer;
        self.priors.add(prior);
        let member = Member {
            offered,
            fetches,
            prior,
            slots: 0,
            home: StripeMask::NONE,
            children: 0,
            links: BTreeMap::new(),
            measured: Measured::default(),
            sparing: sparing::Sparing::default(),
            complete,
            is_origin: complete,
            giving: web::Giving::default(),
            present: true,
            order: self.order.len(),
            avoid: BTreeMap::new(),
            laterals: BTreeSet::new(),
            progress: laterals::Progress::new(now),
            expected: BTreeMap::new(),
        };
        self.order.push(peer);
        self.members.insert(peer, member);
        if complete {
            self.complete.insert(peer);
        }
        for tree in &mut self.trees {
            tree.insert(peer);
        }
        self.count_giver(peer);
        if !complete {
            self.settle_web(now);
        }
        let slots = self.slots_at_first(peer);
        self.set_slots(peer, slots, now);
        for stripe in 0..self.config.stripes {
            if complete || !self.keep_parent(stripe, peer, links, now) {
                self.place(stripe, peer, now);
            }
        }
        self.take_back_children(peer, now);
        self.keep_laterals(peer, links);
        if complete {
            self.settle_web(now);
            self.place_below_new_root(now);
        }
        self.settle_provisional(now);
        self.draw_laterals(peer, rng);
        self.schedule_retry(now);
        self.epoch_at.get_or_insert(now + self.config.epoch);
    }

    /// Takes a peer out and places its children again.
    pub fn leave(&mut self, peer: PeerId, now: Time) {
        let Some(member) = self.members.get(&peer) else { return };
        self.priors.remove(member.prior);
        self.forget_received(peer);
        self.complete.remove(&peer);
        // Before its children look for other places: the servers may have some now.
        self.forget_giver(peer);
        self.settle_web(now);
        for stripe in 0..self.config.stripes {
            self.provisional.remove(&(stripe, peer));
            self.orphans.remove(&(stripe, peer));
            self.put_back.remove(&(stripe, peer));
            self.detach(stripe, peer);
        }
        // Its children go elsewhere, all of them.
        self.set_slots(peer, 0, now);
        let laterals = self.members[&peer].laterals.clone();
        for other in laterals {
            self.end_laterals(peer, other);
        }
        for tree in &mut self.trees {
            tree.remove(peer);
        }
        let Some(member) = self.members.remove(&peer) else { return };
        self.standing_by.forget(peer);
        self.expecting.remove(&peer);
        self.lonely.remove(&peer);
        self.forget_order(member.order);
        self.schedule_retry(now);
    }

    /// The peer has everything now: it becomes a root of every stripe.
    pub fn set_complete(&mut self, peer: PeerId, now: Time) {
        let Some(member) = self.members.get_mut(&peer) else { return };
        if member.complete {
            return;
        }
        member.complete = true;
        member.expected.clear();
        self.expecting.remove(&peer);
        self.lonely.remove(&peer);
        self.complete.insert(peer);
        self.count_giver(peer);
        for stripe in 0..self.config.stripes {
            self.place(stripe, peer, now);
        }
        self.update(peer);
        self.settle_web(now);
        self.place_below_new_root(now);
        self.schedule_retry(now);
    }

    /// The peer's socket broke, or is back. While it is away it keeps its place, but nobody new is put below it.
    pub fn set_present(&mut self, peer: PeerId, present: bool, now: Time) {
        let Some(member) = self.members.get_mut(&peer) else { return };
        let is_back = core::mem::replace(&mut member.present, present) != present && present && member.complete;
        self.update(peer);
        self.count_giver(peer);
        self.settle_web(now);
        if is_back {
            // Who came meanwhile found nobody to be put below.
            self.place_below_new_root(now);
            self.schedule_retry(now);
        }
    }

    /// Tries again to place those without a place, and puts the forest in order when an epoch is over.
    pub fn retry(&mut self, now: Time, rng: &mut ChaCha8Rng) {
        if self.epoch_at.is_some_and(|at| at <= now) {
            self.epoch_at = (!self.is_empty()).then_some(now + self.config.epoch);
            self.part_idle(now);
            let par = self.put_in_order(now);
            self.help_those_behind(par, now, rng);
        }
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
            for waiting in self.expecting.clone() {
                for (stripe, peer) in self.take_expectations(waiting, |_, until| until <= now) {
                    self.provisional.remove(&(stripe, peer));
                    self.place(stripe, peer, now);
                }
            }
            self.move_on(now);
            for (stripe, peer) in core::mem::take(&mut self.orphans) {
                self.place(stripe, peer, now);
                if self.orphans.contains(&(stripe, peer)) {
                    self.spill(stripe, peer, now);
                }
                if self.orphans.contains(&(stripe, peer)) {
                    self.put_back(stripe, peer, now);
                }
            }
            for peer in self.lonely.iter().copied().collect::<Vec<_>>() {
                self.draw_laterals(peer, rng);
            }
        }
        self.schedule_retry(now);
    }

    /// What has changed since the last call, for each end of each edge, ordered by whom to tell.
    pub fn take_changes(&mut self) -> Vec<Change> {
        let mut telling = core::mem::take(&mut self.telling);
        let mut changes = telling.take_changes(|low, high| self.neighbour(low, high));
        changes.retain(|change| change.peer != PeerId::WEB);
        self.telling = telling;
        changes
    }

    /// What `other` is to `peer` by the plan.
    pub fn neighbour(&self, peer: PeerId, other: PeerId) -> Option<Neighbour> {
        let lateral = self.members.get(&peer).is_some_and(|member| member.laterals.contains(&other));
        let is_spared = |peer: PeerId| self.members.get(&peer).is_some_and(|member| member.sparing.is_spared);
        let (spared, spares_me) = (is_spared(other), is_spared(peer));
        let mut neighbour = Neighbour { lateral, spared, spares_me, ..Neighbour::default() };
        for stripe in 0..self.config.stripes {
            let tree = self.tree(stripe);
            if tree.parent(peer) == Some(other) {
                neighbour.parent = neighbour.parent.union(StripeMask::one(stripe));
            }
            if tree.parent(other) == Some(peer) {
                neighbour.child = neighbour.child.union(StripeMask::one(stripe));
            }
        }
        let is_any = lateral || !neighbour.parent.is_empty() || !neighbour.child.is_empty();
        is_any.then_some(neighbour)
    }

    /// All neighbours of a peer by the plan, for one who has to be told all of it again.
    pub fn neighbours(&self, peer: PeerId) -> Vec<(PeerId, Neighbour)> {
        let Some(member) = self.members.get(&peer) else { return Vec::new() };
        let mut others = member.laterals.clone();
        for tree in &self.trees {
            others.extend(tree.parent(peer));
            others.extend(tree.children(peer));
        }
        others.into_iter().filter_map(|other| Some((other, self.neighbour(peer, other)?))).collect()
    }

    fn tree(&self, stripe: u8) -> &StripeTree {
        &self.trees[usize::from(stripe)]
    }

    fn touch(&mut self, one: PeerId, other: PeerId) {
        self.telling.touch(one, other);
    }

    /// Keeps a peer below the parent that it has a link to. If that one is not back yet, it is waited for.
    fn keep_parent(&mut self, stripe: u8, peer: PeerId, links: &[LinkReport], now: Time) -> bool {
        let is_parent = |link: &&LinkReport| link.role == Role::Parent && link.stripes.contains(stripe);
        let Some(parent) = links.iter().find(is_parent).map(|link| link.peer) else { return false };
        if parent == peer {
            return false;
        }
        if parent == PeerId::WEB {
            let is_free = self.tree(stripe).is_open(parent) && !self.is_barred(peer, parent);
            return is_free && self.attach(stripe, peer, parent);
        }
        if let Some(above) = self.members.get(&parent) {
            // Whoever names a parent must not get more of it than a place would give: the links are not proven.
            let has_room = above.slots > 0 && self.tree(stripe).child_count(parent) < OVERFLOW_MAX;
            return has_room && !self.is_avoided(parent, peer, now) && self.attach(stripe, peer, parent);
        }
        let member = self.members.get_mut(&peer).expect("it has just joined");
        member.expected.insert(stripe, (parent, now + KEEP));
        self.expecting.insert(peer);
        self.make_provisional(stripe, peer);
        true
    }

    /// Puts those who waited for `parent` back below it.
    fn take_back_children(&mut self, parent: PeerId, now: Time) {
        for waiting in self.expecting.clone() {
            for (stripe, peer) in self.take_expectations(waiting, |expected, _| expected == parent) {
                self.provisional.remove(&(stripe, peer));
                if !self.attach(stripe, peer, parent) {
                    self.place(stripe, peer, now);
                }
            }
        }
    }

    /// A peer no longer waits for those parents of which, with the end of waiting, this is so. Returns in which stripes.
    fn take_expectations(&mut self, peer: PeerId, is_over: impl Fn(PeerId, Time) -> bool) -> Vec<(u8, PeerId)> {
        let Some(member) = self.members.get_mut(&peer) else { return Vec::new() };
        let over = member.expected.iter().filter(|(_, (parent, until))| is_over(*parent, *until));
        let over: Vec<(u8, PeerId)> = over.map(|(stripe, _)| (*stripe, peer)).collect();
        member.expected.retain(|stripe, _| !over.contains(&(*stripe, peer)));
        if member.expected.is_empty() {
            self.expecting.remove(&peer);
        }
        over
    }

    fn has_room_for_link(&self, member: &Member) -> bool {
        member.links.len() < usize::from(self.config.links_max)
    }

    /// Counts an edge between two that is new or gone.
    fn count_edge(&mut self, one: PeerId, other: PeerId, is_new: bool) {
        for (peer, far) in [(one, other), (other, one)] {
            let Some(member) = self.members.get_mut(&peer) else { continue };
            let edges = member.links.entry(far).or_default();
            *edges = if is_new { *edges + 1 } else { edges.saturating_sub(1) };
            if *edges == 0 {
                member.links.remove(&far);
            }
            self.update(peer);
        }
        self.touch(one, other);
    }

    fn forget_order(&mut self, order: usize) {
        self.order.swap_remove(order);
        if let Some(moved) = self.order.get(order) {
            self.members.get_mut(moved).expect("the order lists members").order = order;
        }
    }

    fn schedule_retry(&mut self, now: Time) {
        let alone = self.order.len() < 2;
        let is_unsettled = !self.orphans.is_empty() || !self.put_back.is_empty();
        let is_waiting = is_unsettled || !self.expecting.is_empty() || !self.lonely.is_empty();
        if self.retry_at.is_none() && !alone && is_waiting {
            self.retry_at = Some(now + RETRY);
        }
    }

    /// Checks what must always hold; slow, for tests.
    #[cfg(test)]
    pub(super) fn check(&self) {
        for (stripe, tree) in self.trees.iter().enumerate() {
            tree.check();
            for (peer, member) in &self.members {
                let key = (stripe as u8, *peer);
                let placed = tree.is_anchored(*peer) || tree.parent(*peer).is_some();
                assert!(placed || self.orphans.contains(&key), "each peer has a place or waits for one");
                assert!(!member.complete || tree.parent(*peer).is_none(), "who has everything needs no parent");
            }
        }
        self.check_web();
        self.check_counts();
        for (peer, member) in &self.members {
            assert_eq!(self.order[member.order], *peer);
            for other in &member.laterals {
                assert!(self.members[other].laterals.contains(peer), "laterals are mutual");
            }
        }
    }
}

#[cfg(test)]
impl Planner {
    fn check_counts(&self) {
        let mut supply = vec![0; self.trees.len()];
        for (peer, member) in &self.members {
            let children: usize = self.trees.iter().map(|tree| tree.child_count(*peer)).sum();
            assert_eq!(children, usize::from(member.children), "children are counted");
            let others = self.neighbours(*peer);
            let linked: Vec<PeerId> = member.links.keys().copied().collect();
            assert_eq!(others.into_iter().map(|(other, _)| other).collect::<Vec<_>>(), linked, "links are counted");
            assert_eq!(self.expecting.contains(peer), !member.expected.is_empty());
            for (stripe, share) in member.supply(self.config.stripes) {
                supply[usize::from(stripe)] += share;
            }
            assert!(member.slots <= member.offered.max(1), "nobody is given more than it offers");
        }
        assert_eq!(supply, self.supply);
        assert!(self.put_back.iter().all(|(_, peer)| self.members.contains_key(peer)));
        for (Reverse(free), peer) in &self.spare {
            assert_eq!(*free, self.members[peer].slots - self.members[peer].children);
        }
    }
}

#[cfg(test)]
mod tests;
