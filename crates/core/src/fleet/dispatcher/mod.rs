//! The dispatcher: the tracker's side of a fleet. See the [module above](super).
//!
//! This file has the sockets: who enlists and who is refused, heartbeats, and what comes from whom. `delivering` has the
//! deliveries, `following` what becomes of them.

mod contract;
mod delivering;
mod following;
mod telling;

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub use contract::{
    DispatcherConfig, DispatcherEvent, DispatcherInput, DispatcherOutput, DispatcherReason, DispatcherStats, Refused,
    RefusedWhy,
};
use delivering::Delivery;

use super::records::{Change, FAILURES_MAX, Snapshot};
use crate::forest::Seen;
use crate::ids::{AgentId, ConnectionId, PeerId, RequestId, SocketNonce};
use crate::time::Time;
use crate::tracker::rate_limit::RateLimit;
use crate::wire::fleet::api::{AgentRecord, FailureRecord};
use crate::wire::fleet::token::is_same_proof;
use crate::wire::fleet::{Card, Enlist, FromAgent, ToAgent, VERSION};
use crate::wire::order::OrderKey;
use crate::wire::tracker::Refusal;

/// How often sockets and deliveries are looked over.
const SWEEP: Duration = Duration::from_secs(1);
/// A burst may have as many messages as so many seconds of the sustained rate.
const BURST_S: u32 = 10;

/// Milliseconds since 1970.
fn ms(now: Time) -> u64 {
    now.as_micros() / 1_000
}

/// A quarter of what is new, three of what was known.
fn blend(known: Option<u64>, new: u64) -> u64 {
    known.map_or(new, |known| known - known / 4 + new / 4)
}

/// One socket.
#[derive(Debug)]
struct Session {
    since: Time,
    heard: Time,
    /// When the question was put that is not answered yet: hello, or ping.
    asked: Option<Time>,
    rate: RateLimit,
    nonce: SocketNonce,
    agent: Option<AgentId>,
    address: Option<SocketAddr>,
}

/// The tracker's side of a fleet.
#[derive(Debug)]
pub struct Dispatcher {
    config: DispatcherConfig,
    key: OrderKey,
    rng: ChaCha8Rng,
    sessions: BTreeMap<ConnectionId, Session>,
    agents: BTreeMap<AgentId, AgentRecord>,
    /// What they are called in swarms.
    peers: BTreeMap<PeerId, AgentId>,
    online: BTreeMap<AgentId, ConnectionId>,
    deliveries: BTreeMap<RequestId, Delivery>,
    /// Those of which somebody is waited for.
    open: BTreeSet<RequestId>,
    failures: VecDeque<FailureRecord>,
    outputs: VecDeque<DispatcherOutput>,
    sweep_at: Option<Time>,
    requests_sent: u64,
}

impl Dispatcher {
    /// A dispatcher that knows what was kept. The seed decides every draw.
    pub fn new(config: DispatcherConfig, kept: Snapshot, seed: [u8; 32], now: Time) -> Self {
        let key = OrderKey::from_seed(config.signing_seed.0);
        let mut dispatcher = Self {
            key,
            rng: ChaCha8Rng::from_seed(seed),
            sessions: BTreeMap::new(),
            agents: kept.agents.into_iter().map(|record| (record.agent, record)).collect(),
            peers: BTreeMap::new(),
            online: BTreeMap::new(),
            deliveries: BTreeMap::new(),
            open: BTreeSet::new(),
            failures: kept.failures.into(),
            outputs: VecDeque::new(),
            sweep_at: None,
            requests_sent: 0,
            config,
        };
        dispatcher
            .agents
            .keys()
            .copied()
            .collect::<Vec<_>>()
            .into_iter()
            .for_each(|agent| dispatcher.tell_known(agent));
        dispatcher.restore(kept.deliveries, now);
        dispatcher
    }

    /// Something happened outside.
    pub fn handle_input(&mut self, input: DispatcherInput, now: Time) {
        match input {
            DispatcherInput::Connected(connection) => self.connected(connection, now),
            DispatcherInput::Message { connection, text } => self.message(connection, &text, now),
            DispatcherInput::Disconnected(connection) => self.disconnected(connection, now),
            DispatcherInput::Seen { peer, seen } => self.seen(peer, seen),
            DispatcherInput::Deliver { ticket, order } => {
                let answer = self.deliver(order, now);
                self.outputs.push_back(DispatcherOutput::Answer { ticket, answer });
            }
            DispatcherInput::Retry { ticket, request } => {
                let answer = self.retry(request, now);
                self.outputs.push_back(DispatcherOutput::Answer { ticket, answer });
            }
        }
        self.plan_sweep(now);
    }

    /// The time named by [`Dispatcher::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.sweep_at.is_some_and(|at| at <= now) {
            self.sweep_at = None;
            self.sweep_sessions(now);
            self.sweep_deliveries(now);
            self.plan_sweep(now);
        }
    }

    /// What to do next; `None` when there is nothing.
    pub fn poll_output(&mut self) -> Option<DispatcherOutput> {
        self.outputs.pop_front()
    }

    /// When to call again, and why; `None`: only when something happens.
    pub fn poll_timeout(&self) -> Option<(Time, DispatcherReason)> {
        self.sweep_at.map(|at| (at, DispatcherReason::Sweep))
    }

    fn plan_sweep(&mut self, now: Time) {
        if self.sweep_at.is_none() && !(self.sessions.is_empty() && self.open.is_empty()) {
            self.sweep_at = Some(now + SWEEP);
        }
    }

    fn connected(&mut self, connection: ConnectionId, now: Time) {
        let mut nonce = [0; SocketNonce::LEN_BYTES];
        self.rng.fill_bytes(&mut nonce);
        let nonce = SocketNonce::from_bytes(nonce);
        let rate = RateLimit::new(self.config.messages_per_s_max, BURST_S, now);
        let session = Session { since: now, heard: now, asked: Some(now), rate, nonce, agent: None, address: None };
        self.sessions.insert(connection, session);
        self.send(connection, &ToAgent::Hello { version: VERSION, nonce });
    }

    fn disconnected(&mut self, connection: ConnectionId, now: Time) {
        let Some(session) = self.sessions.remove(&connection) else { return };
        let Some(agent) = session.agent.filter(|agent| self.online.get(agent) == Some(&connection)) else { return };
        self.online.remove(&agent);
        if let Some(record) = self.agents.get_mut(&agent) {
            record.last_seen_ms = ms(now);
            let name = record.name.clone();
            self.keep_agent(agent);
            self.outputs.push_back(DispatcherOutput::Event(DispatcherEvent::Left { agent, name }));
        }
        self.went_away(agent, now);
    }

    fn message(&mut self, connection: ConnectionId, text: &str, now: Time) {
        let Some(session) = self.sessions.get_mut(&connection) else { return };
        session.heard = now;
        if !session.rate.take(now) {
            return self.refuse(connection, Refusal::TooFast, "too many messages", Some(1_000), now);
        }
        let message = match FromAgent::decode(text) {
            Ok(message) => message,
            Err(error) => return self.refuse(connection, Refusal::BadMessage, &error.to_string(), None, now),
        };
        match (session.agent, message) {
            (_, FromAgent::Unknown) => {}
            (None, FromAgent::Enlist(enlist)) => self.enlist(connection, &enlist, now),
            (None, _) => self.refuse(connection, Refusal::BadMessage, "enlist first", None, now),
            (Some(_), FromAgent::Enlist(_)) => {
                self.refuse(connection, Refusal::BadMessage, "enlisted already", None, now);
            }
            (Some(agent), FromAgent::Pong) => self.answered(connection, agent, now),
            (Some(_), FromAgent::Leave) => {
                self.disconnected(connection, now);
                self.outputs.push_back(DispatcherOutput::Close { connection });
            }
            (Some(agent), FromAgent::Got { request, round }) => self.got(request, round, agent),
            (Some(agent), FromAgent::Progress { request, have_bytes }) => self.progress(request, agent, have_bytes),
            (Some(agent), FromAgent::Done { request, .. }) => self.done(request, agent),
            (Some(agent), FromAgent::Failed { request, round, reason }) => {
                self.failed(request, Some(round), agent, reason, now);
            }
            (Some(_), FromAgent::Unreached { request, agents }) => self.unreached(request, &agents, now),
        }
    }

    /// Lets an agent in that is who it says, and knows the token.
    fn enlist(&mut self, connection: ConnectionId, enlist: &Enlist, now: Time) {
        let card = match self.check(connection, enlist) {
            Ok(card) => card,
            Err((code, why)) => return self.refuse(connection, code, why, None, now),
        };
        if !self.make_room_for(&card) {
            return self.refuse(
                connection,
                Refusal::Full,
                "the tracker knows as many machines as it can",
                Some(60_000),
                now,
            );
        }
        if let Some(older) = self.online.remove(&card.agent) {
            self.refuse(older, Refusal::Replaced, "the same machine came by another socket", None, now);
        }
        let response = self.sessions.get_mut(&connection).and_then(|session| {
            session.agent = Some(card.agent);
            session.address = card.address;
            Some(now - session.asked.take()?)
        });
        self.online.insert(card.agent, connection);
        self.note_agent(&card, response, now);
        let (key, nonce) = (self.key.public(), card.nonce);
        self.send(connection, &ToAgent::Enlisted { key, proof: self.config.token.tracker_proof(&nonce, &key) });
        self.outputs.push_back(DispatcherOutput::Event(DispatcherEvent::Enlisted {
            agent: card.agent,
            name: card.name.clone(),
            group: card.group.clone(),
        }));
        self.catch_up(&card, now);
    }

    fn check(&self, connection: ConnectionId, enlist: &Enlist) -> Result<Card, (Refusal, &'static str)> {
        let card = enlist.card.peek().map_err(|_| (Refusal::BadMessage, "the card can't be read"))?;
        if card.version != VERSION {
            return Err((Refusal::Version, "this version is not spoken here"));
        }
        let nonce = self.sessions.get(&connection).map(|session| session.nonce);
        if nonce != Some(card.nonce) || enlist.card.open(card.agent.as_bytes()).is_err() {
            return Err((Refusal::Denied, "the card is not signed by the machine that it names, for this socket"));
        }
        if !is_same_proof(&self.config.token.agent_proof(&card.nonce, &card.agent), &enlist.proof) {
            return Err((Refusal::Denied, "the token is not that of this tracker's fleet"));
        }
        Ok(card)
    }

    /// Forgets the machine that was away longest for a new one; false if all are here.
    fn make_room_for(&mut self, card: &Card) -> bool {
        if self.agents.len() < self.config.agents_max || self.agents.contains_key(&card.agent) {
            return true;
        }
        let away = self.agents.values().filter(|record| !self.online.contains_key(&record.agent));
        let Some(oldest) = away.min_by_key(|record| record.last_seen_ms).map(|record| record.agent) else {
            return false;
        };
        self.agents.remove(&oldest);
        self.peers.remove(&oldest.peer_id());
        self.outputs.push_back(DispatcherOutput::Forgotten(oldest.peer_id()));
        self.keep(Change::ForgetAgent(oldest));
        true
    }

    fn note_agent(&mut self, card: &Card, response: Option<Duration>, now: Time) {
        let now_ms = ms(now);
        let record = self.agents.entry(card.agent).or_insert_with(|| AgentRecord {
            agent: card.agent,
            name: card.name.clone(),
            group: card.group.clone(),
            first_seen_ms: now_ms,
            last_seen_ms: now_ms,
            response_us: None,
            bytes_per_s: None,
            done: 0,
            failed: 0,
        });
        record.name = card.name.clone();
        record.group = card.group.clone();
        record.last_seen_ms = now_ms;
        if let Some(response) = response {
            record.response_us = Some(blend(record.response_us, micros(response)));
        }
        self.tell_known(card.agent);
        self.keep_agent(card.agent);
    }

    /// Tells what a machine is called in swarms, and what is known of it.
    fn tell_known(&mut self, agent: AgentId) {
        let Some(record) = self.agents.get(&agent) else { return };
        let peer = agent.peer_id();
        self.peers.insert(peer, agent);
        self.outputs.push_back(DispatcherOutput::Known { peer, bytes_per_s: record.bytes_per_s });
    }

    /// What others received of a machine. Where it could do more than was asked of it, that is no reason to think less of it.
    fn seen(&mut self, peer: PeerId, seen: Seen) {
        let Some(agent) = self.peers.get(&peer).copied() else { return };
        let Some(record) = self.agents.get_mut(&agent) else { return };
        let is_less = !seen.is_limit && record.bytes_per_s.is_some_and(|known| known >= seen.bytes_per_s);
        if !is_less {
            record.bytes_per_s = Some(blend(record.bytes_per_s, seen.bytes_per_s));
            self.tell_known(agent);
            self.keep_agent(agent);
        }
    }

    fn answered(&mut self, connection: ConnectionId, agent: AgentId, now: Time) {
        let asked = self.sessions.get_mut(&connection).and_then(|session| session.asked.take());
        if let (Some(asked), Some(record)) = (asked, self.agents.get_mut(&agent)) {
            record.response_us = Some(blend(record.response_us, micros(now - asked)));
            record.last_seen_ms = ms(now);
        }
    }

    /// Asks the silent, drops the dead, and closes what never said who it is.
    fn sweep_sessions(&mut self, now: Time) {
        let limit = Duration::from_millis;
        let (mut silent, mut dead) = (Vec::new(), Vec::new());
        for (connection, session) in &mut self.sessions {
            let is_late = session.agent.is_none() && now - session.since >= limit(self.config.enlist_ms_max);
            if is_late || now - session.heard >= limit(self.config.silence_ms_max) {
                dead.push(*connection);
            } else if session.agent.is_some()
                && session.asked.is_none()
                && now - session.heard >= limit(self.config.heartbeat_ms)
            {
                session.asked = Some(now);
                silent.push(*connection);
            }
        }
        for connection in silent {
            self.send(connection, &ToAgent::Ping);
        }
        for connection in dead {
            self.refuse(connection, Refusal::BadMessage, "nothing was heard for too long", Some(1_000), now);
        }
    }

    fn refuse(&mut self, connection: ConnectionId, code: Refusal, why: &str, retry_ms: Option<u32>, now: Time) {
        self.send(connection, &ToAgent::Error { code, message: why.to_owned(), retry_ms });
        self.disconnected(connection, now);
        self.outputs.push_back(DispatcherOutput::Close { connection });
        self.outputs
            .push_back(DispatcherOutput::Event(DispatcherEvent::Refused { connection, reason: why.to_owned() }));
    }

    fn send(&mut self, connection: ConnectionId, message: &ToAgent) {
        self.outputs.push_back(DispatcherOutput::Send { connection, text: message.encode() });
    }

    fn keep(&mut self, change: Change) {
        self.outputs.push_back(DispatcherOutput::Keep(change));
    }

    fn keep_agent(&mut self, agent: AgentId) {
        if let Some(record) = self.agents.get(&agent).cloned() {
            self.keep(Change::Agent(record));
        }
    }

    fn keep_failure(&mut self, failure: FailureRecord) {
        if self.failures.len() >= FAILURES_MAX {
            self.failures.pop_front();
        }
        self.failures.push_back(failure.clone());
        self.keep(Change::Failure(failure));
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
