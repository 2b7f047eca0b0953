//! Orders and words carried from neighbour to neighbour, while somebody's socket is away ([000] claims 13 to 15).
//!
//! A peer whose socket is away goes on being reorganised. The tracker gives what it has to say to neighbours, which
//! pass it on; it is believed for the tracker's signature and nothing else ([`crate::wire::order`]), and then followed
//! as if it had come by the socket. What the peer has to say itself, signals of new links and losses, it gives to three
//! neighbours, first to the one that brought an order last, since that one has a socket; and a sign of life every few
//! seconds, so that it keeps its place.
//!
//! As a carrier a peer reads nothing and keeps nothing: it passes on at once, or drops. So much a second goes over one
//! link each way, and so much over all together, far below what a tracker lets a socket say: whoever floods a carrier
//! with words gets none through, and does not cost the carrier its own socket.

use core::cmp::Reverse;
use core::time::Duration;
use std::collections::BTreeMap;

use super::{Life, Link, Peer};
use crate::ids::LinkId;
use crate::time::Time;
use crate::wire::link::LinkMessage;
use crate::wire::order::{Order, OrderTerms, TEXT_BYTES_MAX, Word, WordKey};
use crate::wire::tracker::{FromTracker, MESSAGE_BYTES_MAX, ToTracker};

/// Neighbours that are given the same word: some have no socket themselves.
const CARRIERS: usize = 3;
/// A sign of life is given so often.
const ALIVE_EVERY: Duration = Duration::from_secs(3);
/// Messages of either kind over one link, and words over all: so many more each second, and so many at once.
const LINK_PER_S: u32 = 8;
const LINK_AT_ONCE: u32 = 64;
const ALL_PER_S: u32 = 16;
const ALL_AT_ONCE: u32 = 128;
/// An order that is not what it should be counts as much as so many: looking at a signature takes a while.
const REFUSED_COSTS: u32 = 4;

/// How many messages more may go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    left: u32,
}

impl Allowance {
    const OF_A_LINK: Self = Self::new(LINK_AT_ONCE);
    const OF_ALL: Self = Self::new(ALL_AT_ONCE);

    pub(super) const fn new(left: u32) -> Self {
        Self { left }
    }

    pub(super) fn take(&mut self, cost: u32) -> bool {
        let is_enough = self.left >= cost;
        self.left = self.left.saturating_sub(cost);
        is_enough
    }

    pub(super) fn refill(&mut self, per_s: u32, at_once: u32) {
        self.left = (self.left + per_s).min(at_once);
    }
}

/// What one link may carry.
#[derive(Clone, Copy, Debug)]
struct Carriage {
    /// Orders that the far end brought.
    brought: Allowance,
    /// Orders passed on to it.
    passed: Allowance,
    /// Its words.
    words: Allowance,
}

impl Default for Carriage {
    fn default() -> Self {
        Self { brought: Allowance::OF_A_LINK, passed: Allowance::OF_A_LINK, words: Allowance::OF_A_LINK }
    }
}

/// What is known of orders and words.
#[derive(Debug)]
pub(super) struct Carrying {
    /// What the last welcome said, with the key of this peer's words.
    pub(super) terms: Option<(OrderTerms, WordKey)>,
    /// Of the last order that was followed.
    order_serial: u32,
    /// Of the last word that was said.
    word_serial: u32,
    word_at: Time,
    /// Over which link the last order came.
    brought_by: Option<LinkId>,
    links: BTreeMap<LinkId, Carriage>,
    words: Allowance,
}

impl Default for Carrying {
    fn default() -> Self {
        Self {
            terms: None,
            order_serial: 0,
            word_serial: 0,
            word_at: Time::ZERO,
            brought_by: None,
            links: BTreeMap::new(),
            words: Allowance::OF_ALL,
        }
    }
}

impl Carrying {
    /// A link is gone.
    pub(super) fn forget_link(&mut self, id: LinkId) {
        self.links.remove(&id);
        self.brought_by = self.brought_by.filter(|by| *by != id);
    }

    /// The tracker wants nothing more of us.
    pub(super) fn forget_terms(&mut self) {
        self.terms = None;
    }

    fn of(&mut self, id: LinkId) -> &mut Carriage {
        self.links.entry(id).or_default()
    }
}

impl Peer {
    /// A welcome: what was signed for an earlier one is no longer good.
    pub(super) fn begin_orders(&mut self, terms: Option<OrderTerms>) {
        let key = |terms: &OrderTerms| WordKey::new(self.secret, self.config.manifest.id(), terms.session);
        self.carrying.terms = terms.map(|terms| (terms, key(&terms)));
        (self.carrying.order_serial, self.carrying.word_serial) = (0, 0);
    }

    /// The tracker asks to pass an order on.
    pub(super) fn pass_on(&mut self, order: Order) {
        let id = self.link_to(order.to).filter(|id| self.links[id].is_open());
        if let Some(id) = id.filter(|id| self.carrying.of(*id).passed.take(1)) {
            self.tell_link(id, &LinkMessage::Order(order));
        }
    }

    /// A neighbour brings an order. What is not signed for this peer, or is not new, is dropped.
    pub(super) fn far_orders(&mut self, id: LinkId, order: &Order, now: Time) {
        let Some((terms, _)) = self.carrying.terms else { return };
        let is_old = order.to != self.id || order.serial <= self.carrying.order_serial;
        let brought = &mut self.carrying.of(id).brought;
        if !brought.take(1) || is_old {
            return;
        }
        if !order.is_signed(self.config.manifest.id(), &terms) {
            self.carrying.of(id).brought.take(REFUSED_COSTS);
            return;
        }
        self.carrying.order_serial = order.serial;
        self.carrying.brought_by = Some(id);
        match FromTracker::decode(&order.order) {
            Ok(FromTracker::Plan { open, close }) => self.follow_plan(&open, &close, now),
            Ok(FromTracker::Signal { from, session, signal }) => self.carried_signal(from, session, signal, now),
            _ => {}
        }
    }

    /// The socket is away: says something to the tracker through neighbours, if it is of the kind that goes that way.
    pub(super) fn say_by_neighbours(&mut self, message: &ToTracker) {
        let is_carried = matches!(message, ToTracker::Signal { .. } | ToTracker::Lost { .. } | ToTracker::Pong);
        let Some((_, key)) = self.carrying.terms.as_ref().filter(|_| is_carried) else { return };
        let text = message.encode();
        if text.len() > TEXT_BYTES_MAX || self.carrying.word_serial == u32::MAX {
            return;
        }
        let word = key.tag(self.carrying.word_serial + 1, text);
        let carriers = self.word_carriers();
        if carriers.is_empty() || !self.carrying.words.take(1) {
            return;
        }
        self.carrying.word_serial += 1;
        for id in carriers {
            self.tell_link(id, &LinkMessage::Word(word.clone()));
        }
    }

    /// Neighbours to give a word to: one that has brought an order, then those heard of lately.
    fn word_carriers(&self) -> Vec<LinkId> {
        let is_neighbour = |link: &Link| link.is_open() && link.found.is_none() && self.feeding.is_neighbour(link.peer);
        let open = self.links.iter().filter(|(_, link)| is_neighbour(link));
        let mut ranked: Vec<(bool, Reverse<Time>, LinkId)> =
            open.map(|(id, link)| (self.carrying.brought_by != Some(*id), Reverse(link.heard), *id)).collect();
        ranked.sort_unstable();
        ranked.into_iter().map(|(_, _, id)| id).take(CARRIERS).collect()
    }

    /// A neighbour whose socket is away has a word for the tracker.
    pub(super) fn far_says(&mut self, id: LinkId, word: Word) {
        let Some(from) = self.links.get(&id).filter(|link| link.found.is_none()).map(|link| link.peer) else { return };
        if !self.session.is_up() || !self.feeding.is_neighbour(from) {
            return;
        }
        let is_allowed = self.carrying.of(id).words.take(1) && self.carrying.words.take(1);
        let carried = ToTracker::Carried { from, word };
        // Quoted, a text is longer; a tracker would close the socket of whoever says too much.
        if is_allowed && carried.encode().len() <= MESSAGE_BYTES_MAX {
            self.tell_tracker(&carried);
        }
    }

    /// Once a second: what may be carried is renewed; whoever has no socket says that it is there.
    pub(super) fn look_after_carrying(&mut self, now: Time) {
        let carriages = self.carrying.links.values_mut();
        for allowance in carriages.flat_map(|link| [&mut link.brought, &mut link.passed, &mut link.words]) {
            allowance.refill(LINK_PER_S, LINK_AT_ONCE);
        }
        self.carrying.words.refill(ALL_PER_S, ALL_AT_ONCE);
        let is_due = now - self.carrying.word_at >= ALIVE_EVERY;
        if is_due && !self.session.is_up() && self.life == Life::Running {
            self.carrying.word_at = now;
            self.say_by_neighbours(&ToTracker::Pong);
        }
    }
}
