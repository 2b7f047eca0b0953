//! Telling a member whose socket is away, and hearing it, through its neighbours ([000] claims 13 to 15).
//!
//! What such a member must be told (plans and signals) is signed and given to two neighbours that have a socket, to
//! pass on over their links to it. The best carriers are those that brought its words last; then those that were its
//! neighbours when its socket broke, since their links were open; then any. What it has to say itself (signals, losses,
//! and now and then that it is there) comes the same way back. It is believed if it bears the member's tag, is newer
//! than what came before, and was brought by a neighbour, while the socket is away; and then counts as if it had come
//! by the socket.
//!
//! A carrier that does not carry costs a message; the other may. Whoever is back is told all of its edges, as ever.

use core::time::Duration;

use super::rate_limit::RateLimit;
use super::swarm::Swarm;
use super::{SigningSeed, Tracker};
use crate::ids::{ConnectionId, ContentId, OrderSession, PeerId, PeerSecret, SocketNonce};
use crate::time::Time;
use crate::wire::order::{Order, OrderKey, OrderTerms, TEXT_BYTES_MAX, Word, WordKey};
use crate::wire::tracker::{FromTracker, Join, MESSAGE_BYTES_MAX, ToTracker};

/// Neighbours that are given the same order.
const CARRIERS: usize = 2;
/// Neighbours remembered from when the socket broke.
const NEIGHBOURS_MAX: usize = 32;
/// Orders a second to one member, sustained; a burst may have ten times as many. More are not sent: they cost a
/// signature each, and whoever is back is told all.
const ORDERS_PER_S: u32 = 10;
const BURST_S: u32 = 10;
/// Words a second of one member, likewise.
const WORDS_PER_S: u32 = 10;

/// The tracker's key, and the sessions that it draws.
#[derive(Debug)]
pub(super) struct Signing {
    key: OrderKey,
    session_key: [u8; 32],
    sessions: u64,
    nonces: u64,
}

impl Signing {
    /// The key is the configuration's, or comes from the seed. Sessions always come from the seed, which no other run has.
    pub(super) fn new(configured: Option<&SigningSeed>, seed: &[u8; 32]) -> Self {
        let derived = || blake3::derive_key("pleach 2026 signing seed of a tracker", seed);
        let key = OrderKey::from_seed(configured.map_or_else(derived, |seed| seed.0));
        Self { key, session_key: blake3::derive_key("pleach 2026 sessions of a tracker", seed), sessions: 0, nonces: 0 }
    }

    /// For the next socket. Never the same twice, and nobody can tell it before.
    pub(super) fn next_nonce(&mut self) -> SocketNonce {
        self.nonces += 1;
        let hash = blake3::keyed_hash(&self.session_key, &[b"nonce".as_slice(), &self.nonces.to_le_bytes()].concat());
        let mut nonce = [0; SocketNonce::LEN_BYTES];
        nonce.copy_from_slice(&hash.as_bytes()[..SocketNonce::LEN_BYTES]);
        SocketNonce::from_bytes(nonce)
    }

    fn next_terms(&mut self) -> OrderTerms {
        self.sessions += 1;
        let hash = blake3::keyed_hash(&self.session_key, &self.sessions.to_le_bytes());
        let mut session = [0; OrderSession::LEN_BYTES];
        session.copy_from_slice(&hash.as_bytes()[..OrderSession::LEN_BYTES]);
        OrderTerms { key: self.key.public(), session: OrderSession::from_bytes(session) }
    }
}

/// What a tracker keeps of one member for the time when its socket is away.
#[derive(Debug)]
pub(super) struct Post {
    session: OrderSession,
    word_key: WordKey,
    /// Of the last order that was signed.
    serial: u32,
    /// Of the last word that was believed.
    word_serial: u32,
    heard: Option<Time>,
    /// Who brought the last words, the latest first.
    brought_by: Vec<PeerId>,
    /// Its neighbours when its socket broke.
    neighbours: Vec<PeerId>,
    orders: RateLimit,
    words: RateLimit,
}

impl Post {
    fn new(session: OrderSession, secret: PeerSecret, swarm: ContentId, now: Time) -> Self {
        Self {
            session,
            word_key: WordKey::new(secret, swarm, session),
            serial: 0,
            word_serial: 0,
            heard: None,
            brought_by: Vec::new(),
            neighbours: Vec::new(),
            orders: RateLimit::new(ORDERS_PER_S, BURST_S, now),
            words: RateLimit::new(WORDS_PER_S, BURST_S, now),
        }
    }

    /// The socket broke: those who are neighbours now have open links.
    pub(super) fn begin(&mut self, neighbours: Vec<PeerId>) {
        self.neighbours = neighbours;
        self.neighbours.truncate(NEIGHBOURS_MAX);
        self.brought_by.clear();
        self.heard = None;
    }

    /// Whether a word came within so long.
    pub(super) fn is_heard(&self, now: Time, within: Duration) -> bool {
        self.heard.is_some_and(|at| now - at < within)
    }

    /// The next order, if there may be one more now.
    fn sign(&mut self, key: &OrderKey, swarm: ContentId, to: PeerId, text: String, now: Time) -> Option<Order> {
        if text.len() > TEXT_BYTES_MAX || self.serial == u32::MAX || !self.orders.take(now) {
            return None;
        }
        self.serial += 1;
        Some(key.sign(swarm, self.session, to, self.serial, text))
    }

    /// Takes in a word that a neighbour brought; false if it is not to be believed.
    fn believe(&mut self, word: &Word, carrier: PeerId, now: Time) -> bool {
        if word.serial < self.word_serial || !self.word_key.is_tagged(word) {
            return false;
        }
        self.brought_by.retain(|other| *other != carrier);
        self.brought_by.insert(0, carrier);
        self.brought_by.truncate(CARRIERS);
        // The same word comes by several ways: only the first is news, but all show a way.
        let is_new = word.serial > self.word_serial && self.words.take(now);
        self.word_serial = word.serial;
        if is_new {
            self.heard = Some(now);
        }
        is_new
    }
}

impl Swarm {
    /// Neighbours with a socket that may pass something on to a member, best first.
    fn carriers(&self, peer: PeerId) -> Vec<ConnectionId> {
        let Some(post) = self.post(peer) else { return Vec::new() };
        let told = post.brought_by.iter().chain(&post.neighbours).copied();
        let mut carriers = Vec::new();
        for other in told.chain(self.neighbours(peer)).filter(|other| self.may_signal(*other, peer)) {
            if let Some(connection) = self.connection(other).filter(|connection| !carriers.contains(connection)) {
                carriers.push(connection);
            }
            if carriers.len() == CARRIERS {
                break;
            }
        }
        carriers
    }
}

impl Tracker {
    /// A member is in, or back: a new session begins.
    pub(super) fn begin_session(&mut self, content: ContentId, join: &Join, now: Time) -> Option<OrderTerms> {
        let terms = self.signing.next_terms();
        let post = Post::new(terms.session, join.secret, content, now);
        self.swarms.get_mut(&content)?.set_post(join.key.peer_id(), post);
        Some(terms)
    }

    /// Tells a member something: by its socket, or, while that is away, through neighbours.
    pub(super) fn tell_member(&mut self, content: ContentId, peer: PeerId, message: &FromTracker, now: Time) {
        let Some(swarm) = self.swarms.get_mut(&content) else { return };
        if let Some(connection) = swarm.connection(peer) {
            return self.send(connection, message);
        }
        let carriers = swarm.carriers(peer);
        if carriers.is_empty() {
            return;
        }
        let Some(post) = swarm.post_mut(peer) else { return };
        let Some(order) = post.sign(&self.signing.key, content, peer, message.encode(), now) else { return };
        let carry = FromTracker::Carry(order);
        // Its text is quoted in a text: what was short enough may not be.
        if carry.encode().len() <= MESSAGE_BYTES_MAX {
            carriers.into_iter().for_each(|connection| self.send(connection, &carry));
        }
    }

    /// A neighbour brings a word of a member whose socket is away. Whatever is wrong with it is no fault of the carrier.
    pub(super) fn carried(&mut self, content: ContentId, carrier: PeerId, from: PeerId, word: &Word, now: Time) {
        let Some(swarm) = self.swarms.get_mut(&content) else { return };
        if !swarm.is_away(from) || !swarm.may_signal(carrier, from) {
            return;
        }
        let is_believed = swarm.post_mut(from).is_some_and(|post| post.believe(word, carrier, now));
        let Ok(message) = ToTracker::decode(&word.word) else { return };
        if is_believed && matches!(message, ToTracker::Signal { .. } | ToTracker::Lost { .. }) {
            self.member_says(content, from, message, now);
        }
    }
}
