//! A stand-in for the tracker, for baselines: it speaks the tracker's protocol with real peers, but arranges them in a
//! fixed simple way instead of planning a forest.
//!
//! * `Direct`: a client and a server. Everyone is a child of the source in all stripes. An engine has 64 links at most,
//!   so so many are served at a time, in the order in which they came; whoever has everything makes room for the next.
//! * `Mesh`: no trees. Everyone draws neighbours at random and has laterals only, so that all packets are pulled. A
//!   neighbour that goes, or can't be reached, is replaced by a new draw.
//!
//! It trusts what peers say and bans nobody. Swarm sizes are told to those who join only: telling everyone each time is
//! traffic that no arrangement is to be judged by.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use pleach_core::ids::{ConnectionId, PeerId, SocketNonce};
use pleach_core::time::Time;
use pleach_core::tracker::{Event, Input, Output, SwarmStats, TrackerStats};
use pleach_core::wire::signal::Signal;
use pleach_core::wire::tracker::{Edge, FromTracker, Join, PLAN_EDGES_MAX, Role, StripeMask, ToTracker, VERSION};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What arrangement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The source serves everyone.
    Direct,
    /// A random graph.
    Mesh,
}

/// Children of one source at a time; some of an engine's links are left for those that are being closed.
const CHILDREN_MAX: usize = 60;
/// Neighbours that a peer draws when it comes; as many draw it, so that it has twice as many.
const DRAWN: usize = 8;
/// One that lost a neighbour draws another if it has fewer.
const NEIGHBOURS_WANTED: usize = 16;
/// One that has so many is drawn by nobody.
const NEIGHBOURS_MAX: usize = 20;
/// Draws for one neighbour, before none is taken.
const DRAWS_MAX: usize = 20;
/// How often everyone is asked whether it is there: a peer takes a tracker that says nothing for half a minute for gone.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// A peer that has too few neighbours, or waits for a source, is looked at so often.
const MEND: Duration = Duration::from_secs(2);

#[derive(Debug)]
struct Member {
    connection: ConnectionId,
    packets_total: u32,
    /// Whether it had everything when it came.
    is_source: bool,
    neighbours: BTreeSet<PeerId>,
    /// Those it could not reach: not tried again.
    avoid: BTreeSet<PeerId>,
    /// Its place in `StandIn::order`.
    order: usize,
}

/// The stand-in.
#[derive(Debug)]
pub(crate) struct StandIn {
    shape: Shape,
    rng: ChaCha8Rng,
    connections: BTreeMap<ConnectionId, Option<PeerId>>,
    members: BTreeMap<PeerId, Member>,
    /// Members that had everything when they came: few, where members may be many.
    sources: BTreeSet<PeerId>,
    /// Members in an order that allows a draw.
    order: Vec<PeerId>,
    /// Of a direct arrangement: those who wait for their turn.
    queue: VecDeque<PeerId>,
    outputs: VecDeque<Output>,
    heartbeat_at: Time,
    mend_at: Time,
    totals: (u64, u64),
}

impl StandIn {
    pub(crate) fn new(shape: Shape, seed: [u8; 32], now: Time) -> Self {
        Self {
            shape,
            rng: ChaCha8Rng::from_seed(seed),
            connections: BTreeMap::new(),
            members: BTreeMap::new(),
            sources: BTreeSet::new(),
            order: Vec::new(),
            queue: VecDeque::new(),
            outputs: VecDeque::new(),
            heartbeat_at: now + HEARTBEAT,
            mend_at: now + MEND,
            totals: (0, 0),
        }
    }

    pub(crate) fn handle_input(&mut self, input: Input, now: Time) {
        match input {
            Input::Connected(connection) => {
                self.send(connection, &FromTracker::Hello { nonce: SocketNonce::from_bytes([0; 16]) });
                self.connections.insert(connection, None);
            }
            Input::Message { connection, text } => self.message(connection, &text, now),
            Input::Disconnected(connection) => self.gone(connection, now),
            Input::ManifestHeld(_) | Input::ManifestDropped(_) | Input::Known { .. } | Input::Forgotten(_) => {}
            // It has no others, and tells nobody when it ends.
            Input::Heard { .. } | Input::Stopping => {}
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Time) {
        if self.heartbeat_at <= now {
            self.heartbeat_at = now + HEARTBEAT;
            for connection in self.connections.keys().copied().collect::<Vec<_>>() {
                self.send(connection, &FromTracker::Ping);
            }
        }
        if self.mend_at <= now {
            self.mend_at = now + MEND;
            self.mend();
        }
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        Some(self.heartbeat_at.min(self.mend_at))
    }

    pub(crate) fn stats(&self) -> TrackerStats {
        let swarm = SwarmStats {
            swarm: pleach_core::ids::ContentId::from_bytes([0; 32]),
            peers: self.members.len(),
            seeders: self.sources.len(),
            depth: usize::from(self.shape == Shape::Direct && self.members.len() > 1),
        };
        TrackerStats {
            connections: self.connections.len(),
            swarms: vec![swarm],
            messages_in: self.totals.0,
            messages_out: self.totals.1,
            refused: 0,
            ..TrackerStats::default()
        }
    }

    fn message(&mut self, connection: ConnectionId, text: &str, now: Time) {
        self.totals.0 += 1;
        let Some(joined) = self.connections.get(&connection).copied() else { return };
        let message = match ToTracker::decode(text) {
            Ok(message) => message,
            Err(error) => {
                self.outputs.push_back(Output::Event(Event::Refused { connection, reason: error.to_string() }));
                self.outputs.push_back(Output::Close { connection });
                return self.gone(connection, now);
            }
        };
        match (message, joined) {
            (ToTracker::Join(join), None) => self.join(connection, &join),
            (ToTracker::Signal { to, session, signal }, Some(from)) => self.carry(from, to, session, signal),
            (ToTracker::Status(status), Some(peer)) => self.status(peer, status.packets_held),
            (ToTracker::Lost { peer: other, .. } | ToTracker::Bad { peer: other }, Some(peer)) => {
                self.lost(peer, other)
            }
            (ToTracker::Leave, Some(_)) => {
                self.outputs.push_back(Output::Close { connection });
                self.gone(connection, now);
            }
            _ => {}
        }
    }

    fn join(&mut self, connection: ConnectionId, join: &Join) {
        let peer = join.key.peer_id();
        if let Some(before) = self.members.get(&peer).map(|member| member.connection) {
            self.outputs.push_back(Output::Close { connection: before });
            self.connections.remove(&before);
            self.take_out(peer);
        }
        self.connections.insert(connection, Some(peer));
        let member = Member {
            connection,
            packets_total: join.packets_total,
            is_source: join.packets_held == join.packets_total,
            neighbours: BTreeSet::new(),
            avoid: BTreeSet::new(),
            order: self.order.len(),
        };
        if member.is_source {
            self.sources.insert(peer);
        }
        self.members.insert(peer, member);
        self.order.push(peer);
        let welcome = FromTracker::Welcome {
            version: VERSION,
            peer,
            stripes: 1,
            ice_servers: Vec::new(),
            places_web: false,
            manifest_wanted: false,
            orders: None,
        };
        self.send(connection, &welcome);
        self.send(
            connection,
            &FromTracker::Swarm { peers: self.members.len() as u32, seeders: self.sources.len() as u32 },
        );
        self.arrange(peer, join);
    }

    /// Finds a new member its neighbours; what it is linked with already, after a restart, comes first.
    fn arrange(&mut self, peer: PeerId, join: &Join) {
        match self.shape {
            Shape::Direct => {
                if !self.members[&peer].is_source {
                    self.queue.push_back(peer);
                }
                self.serve_next();
            }
            Shape::Mesh => {
                for link in &join.links {
                    if self.may_meet(peer, link.peer) {
                        self.connect(peer, link.peer);
                    }
                }
                for _ in self.members[&peer].neighbours.len()..DRAWN {
                    self.draw_neighbour(peer);
                }
            }
        }
    }

    /// Gives those who wait to sources that have room; who can reach none of these goes on waiting.
    fn serve_next(&mut self) {
        let room_of = |source: &PeerId| CHILDREN_MAX.saturating_sub(self.members[source].neighbours.len());
        let mut room: BTreeMap<PeerId, usize> =
            self.sources.iter().map(|source| (*source, room_of(source))).filter(|(_, room)| *room > 0).collect();
        let mut unserved = VecDeque::new();
        while !room.is_empty() {
            let Some(peer) = self.queue.pop_front() else { break };
            let Some(member) = self.members.get(&peer) else { continue };
            let able = room.iter().filter(|(source, _)| !member.avoid.contains(source));
            let Some(source) = able.max_by_key(|(_, room)| **room).map(|(source, _)| *source) else {
                unserved.push_back(peer);
                continue;
            };
            self.connect(peer, source);
            room.entry(source).and_modify(|room| *room -= 1);
            room.retain(|_, room| *room > 0);
        }
        unserved.append(&mut self.queue);
        self.queue = unserved;
    }

    fn draw_neighbour(&mut self, peer: PeerId) {
        for _ in 0..DRAWS_MAX {
            let other = self.order[self.rng.random_range(0..self.order.len())];
            if self.may_meet(peer, other) && self.members[&other].neighbours.len() < NEIGHBOURS_MAX {
                return self.connect(peer, other);
            }
        }
    }

    fn may_meet(&self, peer: PeerId, other: PeerId) -> bool {
        let member = &self.members[&peer];
        let are_apart = !member.neighbours.contains(&other) && !member.avoid.contains(&other);
        peer != other && are_apart && self.members.contains_key(&other)
    }

    /// Puts two together, and tells both. In a direct arrangement the second is the source.
    fn connect(&mut self, peer: PeerId, other: PeerId) {
        let (roles, stripes) = match self.shape {
            Shape::Direct => ((Role::Parent, Role::Child), StripeMask::one(0)),
            Shape::Mesh => ((Role::Lateral, Role::Lateral), StripeMask::NONE),
        };
        for (one, two, role) in [(peer, other, roles.0), (other, peer, roles.1)] {
            let Some(member) = self.members.get_mut(&one) else { continue };
            member.neighbours.insert(two);
            let connection = member.connection;
            let edge = Edge::new(two, role, stripes, one < two);
            self.send(connection, &FromTracker::Plan { open: vec![edge], close: Vec::new() });
        }
    }

    /// Parts two, and tells both, so far as they are there.
    fn part(&mut self, peer: PeerId, other: PeerId) {
        for (one, two) in [(peer, other), (other, peer)] {
            let Some(member) = self.members.get_mut(&one) else { continue };
            if member.neighbours.remove(&two) {
                let connection = member.connection;
                self.send(connection, &FromTracker::Plan { open: Vec::new(), close: vec![two] });
            }
        }
    }

    fn carry(&mut self, from: PeerId, to: PeerId, session: u32, signal: Signal) {
        let are_neighbours = self.members.get(&from).is_some_and(|member| member.neighbours.contains(&to));
        if let Some(member) = self.members.get(&to).filter(|_| are_neighbours) {
            let connection = member.connection;
            self.send(connection, &FromTracker::Signal { from, session, signal });
        }
    }

    /// Whoever has everything leaves the source to others.
    fn status(&mut self, peer: PeerId, packets_held: u32) {
        let Some(member) = self.members.get(&peer) else { return };
        let is_served = self.shape == Shape::Direct && !member.is_source && packets_held >= member.packets_total;
        if is_served {
            for source in member.neighbours.clone() {
                self.part(peer, source);
            }
            self.serve_next();
        }
    }

    /// The two could not reach each other, or their link broke.
    fn lost(&mut self, peer: PeerId, other: PeerId) {
        if !self.members.get(&peer).is_some_and(|member| member.neighbours.contains(&other)) {
            return;
        }
        self.part(peer, other);
        match self.shape {
            Shape::Mesh => {
                for (one, two) in [(peer, other), (other, peer)] {
                    if let Some(member) = self.members.get_mut(&one) {
                        member.avoid.insert(two);
                    }
                    self.replace(one);
                }
            }
            // There is nobody else: it waits for another turn.
            Shape::Direct => {
                let taker = if self.members[&peer].is_source { other } else { peer };
                if self.members.contains_key(&taker) && !self.queue.contains(&taker) {
                    self.queue.push_back(taker);
                }
            }
        }
    }

    fn replace(&mut self, peer: PeerId) {
        if self.members.get(&peer).is_some_and(|member| member.neighbours.len() < NEIGHBOURS_WANTED) {
            self.draw_neighbour(peer);
        }
    }

    /// Looks after those who have too little.
    fn mend(&mut self) {
        match self.shape {
            Shape::Direct => self.serve_next(),
            Shape::Mesh => {
                let poor = self.members.iter().filter(|(_, member)| member.neighbours.len() < DRAWN);
                for peer in poor.map(|(peer, _)| *peer).collect::<Vec<_>>() {
                    self.draw_neighbour(peer);
                }
            }
        }
    }

    fn gone(&mut self, connection: ConnectionId, _now: Time) {
        if let Some(Some(peer)) = self.connections.remove(&connection) {
            for neighbour in self.take_out(peer) {
                if self.shape == Shape::Mesh {
                    self.replace(neighbour);
                }
            }
        }
        if self.shape == Shape::Direct {
            self.serve_next();
        }
    }

    /// Takes a member out; those who were its neighbours.
    fn take_out(&mut self, peer: PeerId) -> BTreeSet<PeerId> {
        let Some(member) = self.members.remove(&peer) else { return BTreeSet::new() };
        self.sources.remove(&peer);
        self.order.swap_remove(member.order);
        if let Some(moved) = self.order.get(member.order).and_then(|moved| self.members.get_mut(moved)) {
            moved.order = member.order;
        }
        for neighbour in &member.neighbours {
            self.part(peer, *neighbour);
            if member.is_source && self.shape == Shape::Direct {
                self.queue.push_back(*neighbour);
            }
        }
        member.neighbours
    }

    fn send(&mut self, connection: ConnectionId, message: &FromTracker) {
        debug_assert!(!matches!(message, FromTracker::Plan { open, .. } if open.len() > PLAN_EDGES_MAX));
        self.totals.1 += 1;
        self.outputs.push_back(Output::Send { connection, text: message.encode() });
    }
}
