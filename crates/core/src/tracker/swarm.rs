//! One swarm: its members, their sockets, and the plan of who feeds whom.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha8Rng;

use super::contract::{SwarmStats, TrackerConfig};
use super::orders::Post;
use crate::forest::picture::Picture;
use crate::forest::{Arrangement, Loss, Named, Neighbour, Newcomer, PlannerConfig, Seen, Standing};
use crate::ids::{ConnectionId, ContentId, PeerId};
use crate::time::Time;
use crate::wire::cluster::{LIST_BANNED_MAX, LIST_NODES_MAX, NodeList};
use crate::wire::tracker::{Edge, FromTracker, Join, LinkReport, PLAN_EDGES_MAX, Received, Role, Status};

/// Banned peers remembered; at the bound the smallest id is forgotten, which a liar can only win by chance.
const BANNED_MAX: usize = 1_024;
/// Accusers of one peer remembered; more make no difference.
const ACCUSERS_MAX: usize = 16;
/// A small swarm is told its size at once, a large one so often.
const SIZE_INTERVAL: Duration = Duration::from_secs(10);
/// Up to so many peers a swarm is small.
const SMALL_SWARM: usize = 50;

#[derive(Debug)]
struct Member {
    /// Its socket; none while it is away.
    connection: Option<ConnectionId>,
    away_since: Time,
    /// As it said last.
    packets_held: u32,
    packets_total: u32,
    complete: bool,
    accusers: BTreeSet<PeerId>,
    /// For when its socket is away.
    post: Option<Post>,
}

impl Member {
    /// What it holds, in thousandths; a peer that says more than there is has everything.
    fn held_permille(&self) -> u16 {
        let held = u64::from(self.packets_held) * 1_000;
        held.checked_div(u64::from(self.packets_total)).map_or(1_000, |permille| permille.min(1_000) as u16)
    }
}

/// One swarm.
#[derive(Debug)]
pub(super) struct Swarm {
    planner: Arrangement,
    members: BTreeMap<PeerId, Member>,
    banned: BTreeSet<PeerId>,
    /// Counts what changes the list of its nodes.
    revision: u64,
    size_told: (usize, usize),
    size_told_at: Time,
}

impl Swarm {
    /// A swarm in which nobody is yet; `banned` were found to send bad bytes before.
    pub(super) fn new(config: &TrackerConfig, banned: Vec<PeerId>) -> Self {
        let shape = PlannerConfig {
            stripes: config.stripes,
            fan_out: config.fan_out_max,
            laterals: config.laterals,
            links_max: config.links_max,
            epoch: Duration::from_millis(config.epoch_ms),
        };
        Self {
            planner: Arrangement::new(config.topology, shape),
            members: BTreeMap::new(),
            banned: banned.into_iter().collect(),
            revision: 0,
            size_told: (0, 0),
            size_told_at: Time::ZERO,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn contains(&self, peer: PeerId) -> bool {
        self.members.contains_key(&peer)
    }

    pub(super) fn is_banned(&self, peer: PeerId) -> bool {
        self.banned.contains(&peer)
    }

    pub(super) fn connection(&self, peer: PeerId) -> Option<ConnectionId> {
        self.members.get(&peer)?.connection
    }

    pub(super) fn is_away(&self, peer: PeerId) -> bool {
        self.members.get(&peer).is_some_and(|member| member.connection.is_none())
    }

    /// Peers that have been away for `away_max` or longer, and that nobody has brought a word of.
    pub(super) fn away_since(&self, now: Time, away_max: Duration) -> Vec<PeerId> {
        let away = self.members.iter().filter(|(_, member)| member.connection.is_none());
        let away = away.filter(|(_, member)| now - member.away_since >= away_max).map(|(peer, _)| *peer);
        away.filter(|peer| !self.is_heard(*peer, now, away_max)).collect()
    }

    /// Whether a neighbour brought a word of the peer within so long.
    pub(super) fn is_heard(&self, peer: PeerId, now: Time, within: Duration) -> bool {
        self.post(peer).is_some_and(|post| post.is_heard(now, within))
    }

    pub(super) fn post(&self, peer: PeerId) -> Option<&Post> {
        self.members.get(&peer)?.post.as_ref()
    }

    pub(super) fn post_mut(&mut self, peer: PeerId) -> Option<&mut Post> {
        self.members.get_mut(&peer)?.post.as_mut()
    }

    pub(super) fn set_post(&mut self, peer: PeerId, post: Post) {
        if let Some(member) = self.members.get_mut(&peer) {
            member.post = Some(post);
        }
    }

    /// Whether the two were told to meet.
    pub(super) fn may_signal(&self, from: PeerId, to: PeerId) -> bool {
        self.planner.may_signal(from, to)
    }

    /// Neighbours by the plan.
    pub(super) fn neighbours(&self, peer: PeerId) -> impl Iterator<Item = PeerId> {
        self.planner.neighbours(peer).into_iter().map(|(other, _)| other)
    }

    /// Takes a peer in, or back; `prior` as in [`Newcomer`]. Returns its older socket if that is still there.
    pub(super) fn join(
        &mut self,
        connection: ConnectionId,
        join: &Join,
        prior: Option<u64>,
        now: Time,
        rng: &mut ChaCha8Rng,
    ) -> Option<ConnectionId> {
        self.revision += 1;
        let peer = join.key.peer_id();
        let complete = join.packets_held == join.packets_total;
        if let Some(member) = self.members.get_mut(&peer) {
            let replaced = member.connection.replace(connection);
            member.packets_held = join.packets_held;
            self.planner.set_present(peer, true, now);
            if complete {
                member.complete = true;
                self.planner.set_complete(peer, now);
            }
            return replaced;
        }
        let member = Member {
            connection: Some(connection),
            away_since: now,
            packets_held: join.packets_held,
            packets_total: join.packets_total,
            complete,
            accusers: BTreeSet::new(),
            post: None,
        };
        self.members.insert(peer, member);
        let newcomer = Newcomer { offered: u16::from(join.slots), complete, fetches: join.fetches, prior };
        self.planner.join(peer, newcomer, &join.links, now, rng);
        None
    }

    /// Takes a peer out; false if it was not in.
    pub(super) fn leave(&mut self, peer: PeerId, now: Time) -> bool {
        self.revision += 1;
        self.planner.leave(peer, now);
        self.members.remove(&peer).is_some()
    }

    /// A peer's socket broke.
    pub(super) fn set_away(&mut self, connection: ConnectionId, peer: PeerId, now: Time) {
        let neighbours: Vec<PeerId> = self.neighbours(peer).collect();
        let Some(member) = self.members.get_mut(&peer) else { return };
        if member.connection == Some(connection) {
            member.connection = None;
            member.away_since = now;
            if let Some(post) = &mut member.post {
                post.begin(neighbours);
            }
            self.planner.set_present(peer, false, now);
        }
    }

    pub(super) fn status(&mut self, peer: PeerId, status: &Status, now: Time) {
        self.planner.note_limited(peer, status.limited, status.up_bytes_per_s);
        self.planner.forget_received(peer);
        for received in &status.received {
            // Only neighbours can have got anything from each other.
            if self.planner.may_signal(peer, received.peer) {
                self.planner.note_received(received.peer, peer, received.bytes_per_s, received.waited, now);
            }
        }
        let Some(member) = self.members.get_mut(&peer) else { return };
        member.packets_held = status.packets_held;
        self.planner.note_held(peer, member.held_permille(), now);
        if status.packets_held >= member.packets_total {
            self.revision += u64::from(!member.complete);
            member.complete = true;
            self.planner.set_complete(peer, now);
        }
    }

    /// A peer tells what uplinks of others carry.
    pub(super) fn probed(&mut self, by: PeerId, received: &[Received], now: Time) {
        // Only neighbours can have probed each other.
        for probed in received.iter().filter(|probed| probed.peer != by) {
            if self.planner.may_signal(by, probed.peer) {
                self.planner.note_probed(probed.peer, probed.bytes_per_s, !probed.waited, now);
            }
        }
    }

    pub(super) fn peers(&self) -> impl Iterator<Item = PeerId> {
        self.members.keys().copied()
    }

    /// What a peer was seen to send, by those who received it.
    pub(super) fn seen(&self, peer: PeerId) -> Option<Seen> {
        self.planner.seen(peer)
    }

    pub(super) fn lost(&mut self, reporter: PeerId, other: PeerId, loss: Loss, now: Time) -> bool {
        let is_neighbour = self.planner.may_signal(reporter, other);
        self.planner.lost(reporter, other, loss, now);
        is_neighbour
    }

    /// Parts the two for good. Returns how many peers have accused `liar`. Only a neighbour is believed.
    pub(super) fn accuse(&mut self, victim: PeerId, liar: PeerId, now: Time) -> usize {
        if !self.planner.may_signal(victim, liar) {
            return 0;
        }
        self.planner.accuse(victim, liar, now);
        let Some(member) = self.members.get_mut(&liar) else { return 0 };
        if member.accusers.len() < ACCUSERS_MAX {
            member.accusers.insert(victim);
        }
        member.accusers.len()
    }

    pub(super) fn ban(&mut self, peer: PeerId) {
        self.revision += 1;
        self.banned.insert(peer);
        if self.banned.len() > BANNED_MAX {
            self.banned.pop_first();
        }
    }

    /// Whether its plans say who fetches from web servers.
    pub(super) fn places_web(&self) -> bool {
        self.planner.places_web()
    }

    pub(super) fn next_retry(&self) -> Option<Time> {
        self.planner.next_retry()
    }

    pub(super) fn retry(&mut self, now: Time, rng: &mut ChaCha8Rng) {
        self.planner.retry(now, rng);
    }

    /// Plans for all whose edges changed.
    pub(super) fn take_plans(&mut self) -> Vec<(PeerId, FromTracker)> {
        let mut by_peer: BTreeMap<PeerId, (BTreeSet<PeerId>, Vec<PeerId>)> = BTreeMap::new();
        for change in self.planner.take_changes() {
            let (open, close) = by_peer.entry(change.peer).or_default();
            match change.now {
                Some(_) => drop(open.insert(change.other)),
                None => close.push(change.other),
            }
        }
        for Named { peer, other } in self.planner.name_standbys(&by_peer.keys().copied().collect()) {
            by_peer.entry(peer).or_default().0.insert(other);
        }
        let mut plans = Vec::new();
        for (peer, (open, close)) in by_peer {
            let open = open.into_iter().flat_map(|other| self.edges(peer, other)).collect();
            plans.extend(in_messages(open, close).into_iter().map(|plan| (peer, plan)));
        }
        plans
    }

    /// All edges of a peer that came back, and which of the links it has are to be closed.
    pub(super) fn whole_plan(&self, peer: PeerId, links: &[LinkReport]) -> Vec<FromTracker> {
        let neighbours = self.planner.neighbours(peer);
        let is_edge = |link: &&LinkReport| neighbours.iter().any(|(other, _)| *other == link.peer);
        let close = links.iter().filter(|link| !is_edge(link)).map(|link| link.peer).collect();
        let open = neighbours.iter().flat_map(|(other, _)| self.edges(peer, *other)).collect();
        in_messages(open, close)
    }

    /// What a peer is told of the edges to another.
    fn edges(&self, peer: PeerId, other: PeerId) -> Vec<Edge> {
        let Some(neighbour) = self.planner.neighbour(peer, other) else { return Vec::new() };
        edges(peer, other, neighbour, self.planner.standing(peer, other))
    }

    pub(super) fn size_message(&self) -> FromTracker {
        let (peers, seeders) = self.size();
        FromTracker::Swarm { peers: peers as u32, seeders: seeders as u32 }
    }

    /// Whom to tell the swarm's size now: nobody if it has not changed or was told lately.
    pub(super) fn take_size_listeners(&mut self, now: Time) -> Vec<ConnectionId> {
        let size = self.size();
        let is_lately = size.0 > SMALL_SWARM && now - self.size_told_at < SIZE_INTERVAL;
        if size == self.size_told || is_lately {
            return Vec::new();
        }
        self.size_told = size;
        self.size_told_at = now;
        self.members.values().filter_map(|member| member.connection).collect()
    }

    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    /// Who is in it, for other trackers.
    pub(super) fn list(&self, swarm: ContentId) -> NodeList {
        let (peers, seeders) = self.size();
        let nodes = |complete: bool, count_max: usize| {
            let nodes = self.members.iter().filter(move |(_, member)| member.complete == complete);
            nodes.map(|(peer, _)| *peer).take(count_max).collect::<Vec<_>>()
        };
        let complete = nodes(true, LIST_NODES_MAX);
        let partial = nodes(false, LIST_NODES_MAX - complete.len());
        let banned = self.banned.iter().copied().take(LIST_BANNED_MAX).collect();
        NodeList { swarm, peers: peers as u32, seeders: seeders as u32, complete, partial, banned }
    }

    pub(super) fn stats(&self, swarm: ContentId) -> SwarmStats {
        let (peers, seeders) = self.size();
        SwarmStats { swarm, peers, seeders, depth: self.planner.depth_max() as usize }
    }

    pub(super) fn picture(&self) -> Picture {
        self.planner.picture(|peer| self.members.get(&peer).map_or(0, Member::held_permille))
    }

    fn size(&self) -> (usize, usize) {
        (self.members.len(), self.members.values().filter(|member| member.complete).count())
    }
}

/// What `peer` is told of an edge. The smaller id dials, so both ends agree without asking.
fn edges(peer: PeerId, other: PeerId, neighbour: Neighbour, standing: Standing) -> Vec<Edge> {
    let dial = peer < other;
    let mut edges = Vec::new();
    if !neighbour.parent.is_empty() {
        edges.push(Edge::new(other, Role::Parent, neighbour.parent, dial));
    }
    if !neighbour.child.is_empty() {
        edges.push(Edge::new(other, Role::Child, neighbour.child, dial));
    }
    if edges.is_empty() {
        edges.push(Edge::new(other, Role::Lateral, neighbour.parent, dial));
    }
    (edges[0].standby, edges[0].backs) = (standing.by_other, standing.by_me);
    edges[0].spared = neighbour.spared;
    edges
}

/// Cuts a long plan into messages within the limit; edges of one peer stay together.
fn in_messages(open: Vec<Edge>, close: Vec<PeerId>) -> Vec<FromTracker> {
    let mut plans: Vec<(Vec<Edge>, Vec<PeerId>)> = Vec::new();
    for part in close.chunks(PLAN_EDGES_MAX) {
        plans.push((Vec::new(), part.to_vec()));
    }
    for same_peer in open.chunk_by(|a, b| a.peer == b.peer) {
        match plans.last_mut() {
            Some((edges, _)) if edges.len() + same_peer.len() <= PLAN_EDGES_MAX => edges.extend_from_slice(same_peer),
            _ => plans.push((same_peer.to_vec(), Vec::new())),
        }
    }
    plans.into_iter().map(|(open, close)| FromTracker::Plan { open, close }).collect()
}
