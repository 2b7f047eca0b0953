//! The tracker: knows who is in which swarm, keeps each swarm's forest, and carries signals between peers that it told
//! to meet. A sans-IO state machine; a server drives it (see the crate's front page for the contract).
//!
//! A peer joins with its first message and is told its edges. Whatever changes the forest (a peer comes, goes, has
//! everything, cannot reach another) comes out as plans to the peers concerned and to nobody else ([000] claims 12 to
//! 15). A peer whose socket breaks keeps its place for a short while, since its links still work; it comes back with
//! the same key. A tracker that has lost everything rebuilds its forests from the links that joining peers tell of.
//!
//! `cluster`: several trackers that run swarms together. `known`: peers of which something is known from other days, and what is seen of them now. `orders`: how a member is told, and heard, while its socket is away.
//!
//! Nothing in here trusts a message: each is parsed once, counted against the socket's rate, and refused with a reason.

mod cluster;
pub mod contract;
mod known;
mod orders;
pub(crate) mod rate_limit;
mod swarm;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

pub use cluster::home_of;
pub use contract::{
    ClusterConfig, Event, Input, Output, SigningSeed, SwarmStats, TrackerConfig, TrackerSeen, TrackerStats,
};

use crate::forest::Loss;
use crate::forest::picture::Picture;
use crate::ids::{ConnectionId, ContentId, PeerId, SocketNonce, TrackerId};
use crate::time::Time;
use crate::wire::tracker::{FromTracker, Join, MESSAGE_BYTES_MAX, Refusal, ToTracker, VERSION};
use cluster::Cluster;
use known::Known;
use orders::Signing;
use rate_limit::RateLimit;
use swarm::Swarm;

/// How often sockets and swarms are looked over.
const SWEEP: Duration = Duration::from_secs(1);
/// A burst may have as many messages as so many seconds of the sustained rate.
const BURST_S: u32 = 10;

/// Why a tracker wants to be called again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Sockets and swarms are to be looked over: heartbeats, silence, peers that did not come back.
    Sweep,
    /// A swarm has peers without a place.
    Retry,
    /// The other trackers are to be told that this one lives.
    Beat,
}

#[derive(Debug)]
struct Connection {
    since: Time,
    heard: Time,
    /// When something was said to it last: a peer takes a tracker that says nothing for gone.
    told: Time,
    pinged: bool,
    rate: RateLimit,
    nonce: SocketNonce,
    joined: Option<(ContentId, PeerId)>,
    /// Its peer joined a swarm that another tracker runs.
    home: Option<(TrackerId, ContentId)>,
    /// It was asked to join anew: what it said before it heard of that may still come.
    joins_again: bool,
}

/// The state machine.
#[derive(Debug)]
pub struct Tracker {
    config: TrackerConfig,
    rng: ChaCha8Rng,
    signing: Signing,
    connections: BTreeMap<ConnectionId, Connection>,
    swarms: BTreeMap<ContentId, Swarm>,
    manifests: BTreeSet<ContentId>,
    known: Known,
    cluster: Cluster,
    outputs: VecDeque<Output>,
    sweep_at: Option<Time>,
    messages_in: u64,
    messages_out: u64,
    refused: u64,
}

/// A socket is to be refused: why, for programs and people, and when to come again.
struct Refused {
    code: Refusal,
    message: String,
    retry_ms: Option<u32>,
}

impl Refused {
    fn new(code: Refusal, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_ms: None }
    }

    fn retry(mut self, retry_ms: u32) -> Self {
        self.retry_ms = Some(retry_ms);
        self
    }
}

impl Tracker {
    /// A tracker without peers. The seed decides every draw.
    pub fn new(config: TrackerConfig, seed: [u8; 32], now: Time) -> Self {
        let run = blake3::derive_key("pleach 2026 run of a tracker among others", &seed);
        let run = u64::from_le_bytes(*run.first_chunk().expect("a hash is longer"));
        Self {
            cluster: Cluster::new(config.cluster.as_ref(), run, now),
            signing: Signing::new(config.signing_seed.as_ref(), &seed),
            config,
            rng: ChaCha8Rng::from_seed(seed),
            connections: BTreeMap::new(),
            swarms: BTreeMap::new(),
            manifests: BTreeSet::new(),
            known: Known::default(),
            outputs: VecDeque::new(),
            sweep_at: None,
            messages_in: 0,
            messages_out: 0,
            refused: 0,
        }
    }

    /// Something happened outside.
    pub fn handle_input(&mut self, input: Input, now: Time) {
        match input {
            Input::Connected(connection) => self.connected(connection, now),
            Input::Message { connection, text } => self.message(connection, &text, now),
            Input::Disconnected(connection) if connection.is_remote() => self.lose_remote(connection, now),
            Input::Disconnected(connection) => self.disconnected(connection, now),
            Input::ManifestHeld(content) => {
                self.manifests.insert(content);
            }
            Input::ManifestDropped(content) => {
                self.manifests.remove(&content);
            }
            Input::Known { peer, bytes_per_s } => self.known.learn(peer, bytes_per_s),
            Input::Forgotten(peer) => self.known.forget(peer),
            Input::Heard { text } => self.heard(&text, now),
            Input::Stopping => self.say_bye(),
        }
    }

    /// The time named by [`Tracker::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.sweep_at.is_some_and(|at| at <= now) {
            self.sweep(now);
        }
        if self.cluster.next_beat().is_some_and(|at| at <= now) {
            self.beat(now);
        }
        let due = self.swarms.iter().filter(|(_, swarm)| swarm.next_retry().is_some_and(|at| at <= now));
        for content in due.map(|(content, _)| *content).collect::<Vec<_>>() {
            let swarm = self.swarms.get_mut(&content).expect("it was just seen");
            swarm.retry(now, &mut self.rng);
            self.tell_plans(content, now);
        }
    }

    /// What to do next; `None` when there is nothing.
    pub fn poll_output(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front()?;
        Some(self.cluster.route(output))
    }

    /// When to call [`Tracker::handle_timeout`], and why.
    pub fn poll_timeout(&self) -> Option<(Time, Reason)> {
        let retries = self.swarms.values().filter_map(|swarm| Some((swarm.next_retry()?, Reason::Retry)));
        let sweep = self.sweep_at.map(|at| (at, Reason::Sweep));
        let beat = self.cluster.next_beat().map(|at| (at, Reason::Beat));
        retries.chain(sweep).chain(beat).min_by_key(|(at, _)| *at)
    }

    /// A snapshot for people.
    pub fn stats(&self) -> TrackerStats {
        TrackerStats {
            connections: self.connections.len().saturating_sub(self.cluster.remote_count()),
            swarms: self.swarms.iter().map(|(content, swarm)| swarm.stats(*content)).collect(),
            remote: self.cluster.remote_count(),
            trackers: self.cluster.seen(),
            messages_in: self.messages_in,
            messages_out: self.messages_out,
            refused: self.refused,
        }
    }

    /// Who feeds whom in a swarm, for people; `None` if nobody is there. It costs as much as it shows, which is bounded.
    pub fn picture(&self, content: ContentId) -> Option<Picture> {
        self.swarms.get(&content).map(Swarm::picture)
    }

    fn connected(&mut self, connection: ConnectionId, now: Time) {
        let nonce = self.signing.next_nonce();
        let entry = self.new_connection(nonce, now);
        self.connections.insert(connection, entry);
        self.send(connection, &FromTracker::Hello { nonce });
        self.sweep_soon(now);
    }

    fn new_connection(&self, nonce: SocketNonce, now: Time) -> Connection {
        let rate = RateLimit::new(self.config.messages_per_s_max, BURST_S, now);
        let (pinged, joined, home, joins_again) = (false, None, None, false);
        Connection { since: now, heard: now, told: now, pinged, rate, nonce, joined, home, joins_again }
    }

    fn sweep_soon(&mut self, now: Time) {
        self.sweep_at.get_or_insert(now + SWEEP);
    }

    fn message(&mut self, connection: ConnectionId, text: &str, now: Time) {
        let Some(entry) = self.connections.get_mut(&connection) else { return };
        self.messages_in += 1;
        entry.heard = now;
        entry.pinged = false;
        let handled = if !entry.rate.take(now) {
            Err(Refused::new(Refusal::TooFast, "too many messages").retry(10_000))
        } else if text.len() <= MESSAGE_BYTES_MAX && self.pass_on(connection, text) {
            Ok(())
        } else {
            ToTracker::decode(text)
                .map_err(|error| Refused::new(Refusal::BadMessage, error.to_string()))
                .and_then(|message| self.understood(connection, message, text, now))
        };
        if let Err(refused) = handled {
            self.refuse(connection, refused, now);
        }
    }

    fn understood(
        &mut self,
        connection: ConnectionId,
        message: ToTracker,
        text: &str,
        now: Time,
    ) -> Result<(), Refused> {
        let entry = self.connections.get(&connection);
        let (joined, joins_again) = entry.map_or((None, false), |entry| (entry.joined, entry.joins_again));
        let content = match (message, joined) {
            (ToTracker::Join(join), None) => match self.cluster.home_elsewhere(join.swarm) {
                Some(home) => {
                    self.hand_over(connection, join.swarm, home, text);
                    return Ok(());
                }
                None => return self.join(connection, &join, now),
            },
            (ToTracker::Join(_), Some(_)) => {
                return Err(Refused::new(Refusal::BadMessage, "this socket has joined already"));
            }
            (ToTracker::Unknown | ToTracker::Pong, _) => return Ok(()),
            (_, None) if joins_again => return Ok(()),
            (_, None) => return Err(Refused::new(Refusal::BadMessage, "the first message must be a join")),
            (message, Some((content, peer))) => {
                self.member_says(content, peer, message, now);
                content
            }
        };
        self.tell_plans(content, now);
        Ok(())
    }

    fn member_says(&mut self, content: ContentId, peer: PeerId, message: ToTracker, now: Time) {
        let away_max = Duration::from_millis(self.config.away_ms_max);
        let Some(swarm) = self.swarms.get_mut(&content) else { return };
        match message {
            ToTracker::Signal { to, session, signal } => {
                let message = FromTracker::Signal { from: peer, session, signal };
                // `from` is longer than `to`: what just fitted coming in may not going out.
                if swarm.may_signal(peer, to) && message.encode().len() <= MESSAGE_BYTES_MAX {
                    self.tell_member(content, to, &message, now);
                }
            }
            ToTracker::Status(status) => swarm.status(peer, &status, now),
            ToTracker::Probed { received } => swarm.probed(peer, &received, now),
            ToTracker::Lost { peer: other, was_open } => {
                let loss = if was_open { Loss::Broken } else { Loss::Unreached };
                let is_neighbour = swarm.lost(peer, other, loss, now);
                if is_neighbour && swarm.is_away(other) && !swarm.is_heard(other, now, away_max) {
                    self.drop_peer(content, other, "gone, and its links are broken", now);
                }
            }
            ToTracker::Carried { from, word } => self.carried(content, peer, from, &word, now),
            ToTracker::Bad { peer: liar } => self.accused(content, peer, liar, now),
            ToTracker::Leave => {
                if let Some(connection) = swarm.connection(peer) {
                    self.connections.remove(&connection);
                    self.outputs.push_back(Output::Close { connection });
                }
                self.drop_peer(content, peer, "left", now);
            }
            ToTracker::Join(_) | ToTracker::Pong | ToTracker::Unknown => {}
        }
    }

    fn join(&mut self, connection: ConnectionId, join: &Join, now: Time) -> Result<(), Refused> {
        if join.version != VERSION {
            let message = format!("this tracker speaks version {VERSION}, not {}", join.version);
            return Err(Refused::new(Refusal::Version, message));
        }
        let nonce = self.connections.get(&connection).map(|entry| entry.nonce);
        if self.config.checks_joins && !nonce.is_some_and(|nonce| join.is_signed(&nonce)) {
            let message = "the join is not signed by the peer that it names, for this socket";
            return Err(Refused::new(Refusal::Denied, message));
        }
        let (content, peer) = (join.swarm, join.key.peer_id());
        self.check_room(content, peer)?;
        let swarm = self.swarms.entry(content).or_insert_with(|| {
            let banned = self.cluster.lists.inherit(content).map(|list| list.banned);
            Swarm::new(&self.config, banned.unwrap_or_default())
        });
        let (is_back, places_web) = (swarm.contains(peer), swarm.places_web());
        if let Some(replaced) = swarm.join(connection, join, self.known.prior(peer), now, &mut self.rng) {
            let refused = Refused::new(Refusal::Replaced, "the same peer came again by another socket");
            self.close(replaced, refused);
        }
        if let Some(entry) = self.connections.get_mut(&connection) {
            (entry.joined, entry.joins_again) = (Some((content, peer)), false);
        }
        let orders = self.begin_session(content, join, now);
        let manifest_wanted = join.packets_held == join.packets_total && !self.manifests.contains(&content);
        let welcome = FromTracker::Welcome {
            version: VERSION,
            peer,
            stripes: self.config.topology.stripes(self.config.stripes),
            ice_servers: self.config.ice_servers.clone(),
            manifest_wanted,
            places_web,
            orders,
        };
        self.send(connection, &welcome);
        self.tell_swarm_size(content, Some(peer), now);
        if is_back {
            self.tell_whole_plan(content, peer, join);
        } else {
            let agent = join.agent.clone();
            self.outputs.push_back(Output::Event(Event::Joined { swarm: content, peer, agent }));
        }
        self.tell_plans(content, now);
        Ok(())
    }

    /// Refuses banned peers, and new ones over a limit.
    fn check_room(&self, content: ContentId, peer: PeerId) -> Result<(), Refused> {
        let full = |what: &str| Err(Refused::new(Refusal::Full, format!("{what} is full")).retry(30_000));
        let banned = || Err(Refused::new(Refusal::Banned, "this peer was found to send bad data"));
        match self.swarms.get(&content) {
            Some(swarm) if swarm.is_banned(peer) => banned(),
            None if self.cluster.lists.is_banned(content, peer) => banned(),
            Some(swarm) if !swarm.contains(peer) && swarm.len() >= self.config.peers_per_swarm_max => full("the swarm"),
            None if self.swarms.len() >= self.config.swarms_max => full("the tracker"),
            _ => Ok(()),
        }
    }

    fn accused(&mut self, content: ContentId, victim: PeerId, liar: PeerId, now: Time) {
        let Some(swarm) = self.swarms.get_mut(&content) else { return };
        let reporters = swarm.accuse(victim, liar, now);
        if reporters < usize::from(self.config.reporters_to_ban) {
            return;
        }
        swarm.ban(liar);
        self.outputs.push_back(Output::Event(Event::Banned { swarm: content, peer: liar }));
        if let Some(connection) = swarm.connection(liar) {
            self.close(connection, Refused::new(Refusal::Banned, "several peers received bad data from this one"));
        }
        self.drop_peer(content, liar, "banned", now);
    }

    fn disconnected(&mut self, connection: ConnectionId, now: Time) {
        let Some(entry) = self.forget_connection(connection) else { return };
        let Some((content, peer)) = entry.joined else { return };
        if let Some(swarm) = self.swarms.get_mut(&content) {
            swarm.set_away(connection, peer, now);
            self.tell_plans(content, now);
        }
    }

    fn drop_peer(&mut self, content: ContentId, peer: PeerId, reason: &'static str, now: Time) {
        self.tell_seen(content, peer);
        let Some(swarm) = self.swarms.get_mut(&content) else { return };
        if !swarm.leave(peer, now) {
            return;
        }
        self.outputs.push_back(Output::Event(Event::Left { swarm: content, peer, reason }));
        self.tell_plans(content, now);
        if self.swarms.get(&content).is_some_and(Swarm::is_empty) {
            self.swarms.remove(&content);
        }
    }

    /// Looks over all sockets and swarms.
    fn sweep(&mut self, now: Time) {
        self.sweep_sockets(now);
        let away_max = Duration::from_millis(self.config.away_ms_max);
        for content in self.swarms.keys().copied().collect::<Vec<_>>() {
            let away = self.swarms.get(&content).map(|swarm| swarm.away_since(now, away_max)).unwrap_or_default();
            for peer in away {
                self.drop_peer(content, peer, "gone", now);
            }
            self.tell_swarm_size(content, None, now);
        }
        self.tell_all_seen(now);
        let is_idle = self.connections.is_empty() && self.swarms.is_empty();
        self.sweep_at = (!is_idle).then_some(now + SWEEP);
    }

    fn sweep_sockets(&mut self, now: Time) {
        let silence_max = Duration::from_millis(self.config.silence_ms_max);
        let heartbeat = Duration::from_millis(self.config.heartbeat_ms);
        let join_max = Duration::from_millis(self.config.join_ms_max);
        let mut silent = Vec::new();
        let mut pinged = Vec::new();
        for (connection, entry) in &mut self.connections {
            let quiet = now - entry.heard;
            let has_not_joined = entry.joined.is_none() && entry.home.is_none();
            if quiet >= silence_max || (has_not_joined && now - entry.since >= join_max) {
                silent.push(*connection);
            } else if entry.joined.is_some() && ((quiet >= heartbeat && !entry.pinged) || now - entry.told >= heartbeat)
            {
                entry.pinged = true;
                entry.told = now;
                pinged.push(*connection);
            }
        }
        for connection in pinged {
            self.send(connection, &FromTracker::Ping);
        }
        for connection in silent {
            self.outputs.push_back(Output::Close { connection });
            self.disconnected(connection, now);
        }
    }

    /// Tells each peer whose edges changed.
    fn tell_plans(&mut self, content: ContentId, now: Time) {
        let Some(swarm) = self.swarms.get_mut(&content) else { return };
        for (peer, plan) in swarm.take_plans() {
            self.tell_member(content, peer, &plan, now);
        }
    }

    /// Tells a peer that came back all of its edges, and which of the links it has are none.
    fn tell_whole_plan(&mut self, content: ContentId, peer: PeerId, join: &Join) {
        let Some(swarm) = self.swarms.get(&content) else { return };
        let Some(connection) = swarm.connection(peer) else { return };
        for plan in swarm.whole_plan(peer, &join.links) {
            self.send(connection, &plan);
        }
    }

    /// Tells the size of a swarm to one peer, or to all if it changed and was not told lately.
    fn tell_swarm_size(&mut self, content: ContentId, only: Option<PeerId>, now: Time) {
        let Some(swarm) = self.swarms.get_mut(&content) else { return };
        let connections = match only {
            Some(peer) => swarm.connection(peer).into_iter().collect(),
            None => swarm.take_size_listeners(now),
        };
        let message = swarm.size_message();
        for connection in connections {
            self.send(connection, &message);
        }
    }

    fn send(&mut self, connection: ConnectionId, message: &FromTracker) {
        self.messages_out += 1;
        self.outputs.push_back(Output::Send { connection, text: message.encode() });
    }

    /// Tells a socket why, closes it, and takes its peer out of the swarm.
    fn refuse(&mut self, connection: ConnectionId, refused: Refused, now: Time) {
        let joined = self.connections.get(&connection).and_then(|entry| entry.joined);
        let reason = refused.message.clone();
        self.outputs.push_back(Output::Event(Event::Refused { connection, reason }));
        self.close(connection, refused);
        if let Some((content, peer)) = joined {
            self.drop_peer(content, peer, "refused", now);
        }
    }

    fn close(&mut self, connection: ConnectionId, refused: Refused) {
        self.refused += 1;
        let Refused { code, message, retry_ms } = refused;
        self.send(connection, &FromTracker::Error { code, message, retry_ms });
        self.outputs.push_back(Output::Close { connection });
        self.forget_connection(connection);
    }
}

#[cfg(test)]
mod tests;
