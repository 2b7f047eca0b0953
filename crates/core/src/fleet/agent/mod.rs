//! The agent: a machine's side of a fleet. See the [module above](super).
//!
//! This file has the tracker's socket; `jobs` has what is to be got, and `relaying` what is passed on.

mod contract;
mod jobs;
mod relaying;

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub use contract::{
    AgentConfig, AgentEvent, AgentInput, AgentOutput, AgentReason, Finish, JobState, PostAnswer, PostId, SavedJob,
    TicketId,
};
use jobs::Job;
use relaying::Post;

use crate::ids::{AgentId, RequestId, SocketNonce, TrackerKey};
use crate::time::Time;
use crate::wire::fleet::request::{Signed, TransportRequest};
use crate::wire::fleet::token::is_same_proof;
use crate::wire::fleet::{Card, Enlist, FromAgent, ToAgent, VERSION};
use crate::wire::order::OrderKey;
use crate::wire::tracker::Refusal;

/// First wait before the tracker is tried again, and longest; twice as long each time, of which a part is drawn.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// A tracker that says nothing for so long is gone: it asks every ten seconds.
const SILENCE: Duration = Duration::from_secs(30);

/// Milliseconds since 1970.
fn ms(now: Time) -> u64 {
    now.as_micros() / 1_000
}

/// The way to the tracker.
#[derive(Debug)]
enum Socket {
    /// To be tried at this time.
    Down { retry_at: Time },
    /// Being opened.
    Opening,
    /// Open; the nonce once it said hello.
    Up { heard: Time, nonce: Option<SocketNonce>, is_enlisted: bool },
    /// It wants nothing of this machine.
    Refused,
}

/// A machine's side of a fleet.
#[derive(Debug)]
pub struct Agent {
    config: AgentConfig,
    key: OrderKey,
    rng: ChaCha8Rng,
    socket: Socket,
    tries: u32,
    address: Option<core::net::SocketAddr>,
    /// Whose requests are believed: that of the tracker that let it in last.
    tracker: Option<TrackerKey>,
    jobs: BTreeMap<RequestId, Job>,
    posts: BTreeMap<PostId, Post>,
    posts_named: u64,
    outputs: VecDeque<AgentOutput>,
}

impl Agent {
    /// An agent that goes on with what an earlier process kept. The seed decides every draw.
    pub fn new(config: AgentConfig, kept: Vec<SavedJob>, seed: [u8; 32], now: Time) -> Self {
        let mut agent = Self {
            key: OrderKey::from_seed(config.identity),
            config,
            rng: ChaCha8Rng::from_seed(seed),
            socket: Socket::Down { retry_at: now },
            tries: 0,
            address: None,
            tracker: None,
            jobs: BTreeMap::new(),
            posts: BTreeMap::new(),
            posts_named: 0,
            outputs: VecDeque::new(),
        };
        agent.restore(kept, now);
        agent
    }

    /// Who it is.
    pub fn id(&self) -> AgentId {
        AgentId::from_bytes(*self.key.public().as_bytes())
    }

    /// Something happened outside.
    pub fn handle_input(&mut self, input: AgentInput, now: Time) {
        match input {
            AgentInput::SocketUp { address } => {
                self.address = address;
                self.socket = Socket::Up { heard: now, nonce: None, is_enlisted: false };
            }
            AgentInput::SocketDown { reason } => self.down(reason, None, now),
            AgentInput::Message(text) => self.message(&text, now),
            AgentInput::Posted { ticket, text } => self.posted(ticket, &text, now),
            AgentInput::PostEnded { post, is_there } => self.post_ended(post, is_there),
            AgentInput::Progress { request, have_bytes } => self.progress(request, have_bytes, now),
            AgentInput::Finished { request, result } => self.finished(request, result, now),
        }
    }

    /// The time named by [`Agent::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Time) {
        match self.socket {
            Socket::Down { retry_at } if retry_at <= now => {
                self.socket = Socket::Opening;
                self.outputs.push_back(AgentOutput::Connect);
            }
            Socket::Up { heard, .. } if heard + SILENCE <= now => {
                self.outputs.push_back(AgentOutput::Disconnect);
                self.down("it says nothing any more".to_owned(), None, now);
            }
            _ => {}
        }
        self.look_at_jobs(now);
    }

    /// What to do next; `None` when there is nothing.
    pub fn poll_output(&mut self) -> Option<AgentOutput> {
        self.outputs.pop_front()
    }

    /// When to call again, and why; `None`: only when something happens.
    pub fn poll_timeout(&self) -> Option<(Time, AgentReason)> {
        let socket = match self.socket {
            Socket::Down { retry_at } => Some((retry_at, AgentReason::Connect)),
            Socket::Up { heard, .. } => Some((heard + SILENCE, AgentReason::Silence)),
            Socket::Opening | Socket::Refused => None,
        };
        let jobs = self.next_job().map(|at| (at, AgentReason::Jobs));
        socket.into_iter().chain(jobs).min_by_key(|(at, _)| *at)
    }

    fn message(&mut self, text: &str, now: Time) {
        let Socket::Up { heard, .. } = &mut self.socket else { return };
        *heard = now;
        match ToAgent::decode(text) {
            Ok(ToAgent::Hello { version, nonce }) => self.hello(version, nonce),
            Ok(ToAgent::Enlisted { key, proof }) => {
                let Socket::Up { nonce: Some(nonce), is_enlisted, .. } = &mut self.socket else { return };
                if !is_same_proof(&self.config.token.tracker_proof(nonce, &key), &proof) {
                    return self.give_up("this tracker does not know the fleet's token");
                }
                *is_enlisted = true;
                (self.tracker, self.tries) = (Some(key), 0);
                self.outputs.push_back(AgentOutput::Event(AgentEvent::Enlisted));
            }
            Ok(ToAgent::Request { request }) => self.requested(request, now),
            Ok(ToAgent::Feed { terms }) => self.feed(&terms),
            Ok(ToAgent::Ping) => self.say(&FromAgent::Pong),
            Ok(ToAgent::Error { code: Refusal::Denied | Refusal::Version, message, retry_ms: None }) => {
                self.give_up(&message);
            }
            Ok(ToAgent::Error { message, retry_ms, .. }) => {
                self.outputs.push_back(AgentOutput::Disconnect);
                self.down(message, retry_ms.map(u64::from), now);
            }
            Ok(ToAgent::Unknown) => {}
            Err(error) => {
                self.outputs.push_back(AgentOutput::Disconnect);
                self.down(format!("it says what can't be understood: {error}"), None, now);
            }
        }
    }

    fn hello(&mut self, version: u16, nonce: SocketNonce) {
        if version != VERSION {
            return self.give_up("this tracker speaks another version");
        }
        if let Socket::Up { nonce: drawn, .. } = &mut self.socket {
            *drawn = Some(nonce);
        }
        let agent = self.id();
        let card = Card {
            version: VERSION,
            nonce,
            agent,
            name: self.config.name.clone(),
            group: self.config.group.clone(),
            address: self.address,
            program: self.config.program.clone(),
        };
        let proof = self.config.token.agent_proof(&nonce, &agent);
        self.say(&FromAgent::Enlist(Enlist { card: Signed::new(&card, &self.key), proof }));
    }

    /// A request that came by the socket: it is the tracker's own word.
    fn requested(&mut self, request: TransportRequest, now: Time) {
        let Some(key) = self.tracker else { return };
        let Ok(open) = request.open(&key) else { return };
        if open.to.agent == self.id() && open.terms.active_until_ms > ms(now) {
            self.take(open, now);
        }
    }

    fn give_up(&mut self, reason: &str) {
        self.socket = Socket::Refused;
        self.outputs.push_back(AgentOutput::Disconnect);
        self.outputs.push_back(AgentOutput::Event(AgentEvent::Refused { reason: reason.to_owned() }));
    }

    fn down(&mut self, reason: String, wait_ms: Option<u64>, now: Time) {
        if matches!(self.socket, Socket::Refused) {
            return;
        }
        let longest = RETRY.0.saturating_mul(1 << self.tries.min(10)).min(RETRY.1);
        // Half of it at least, so that a fleet does not come back in one moment.
        let drawn = self.rng.random_range(longest.as_millis() as u64 / 2..=longest.as_millis() as u64);
        let retry_ms = wait_ms.map_or(drawn, |wait_ms| wait_ms + drawn);
        self.tries += 1;
        self.socket = Socket::Down { retry_at: now + Duration::from_millis(retry_ms) };
        self.outputs.push_back(AgentOutput::Event(AgentEvent::Down { reason, retry_ms }));
    }

    /// Says something to the tracker, if it has let this machine in or is about to. What it misses it asks for again.
    fn say(&mut self, message: &FromAgent) {
        if matches!(self.socket, Socket::Up { .. }) {
            self.outputs.push_back(AgentOutput::Send(message.encode()));
        }
    }
}
