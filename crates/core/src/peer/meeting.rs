//! Links to those that were looked up. Their signals go along the way that the answer came; each on it passes on what
//! belongs to asks that it answered, and nothing else.
//!
//! **Who is at the far end?** A tracker vouches that signals come from the peer that it names. Here nobody does: whoever
//! is on the way can put itself at the end of it. So what a found peer is called counts for nothing: no plan's edge is
//! taken for fulfilled by such a link, its far end feeds and backs nobody by plan, and nothing that it does is told to the
//! tracker under that name. It can do what any stranger in the swarm can: send bytes, which are verified, and ask for
//! some.
//!
//! | what | bound | at the bound |
//! |---|---|---|
//! | found links, met by asking | [`FOUND_MAX`] | nobody more is met |
//! | found links, met by being asked | [`SERVED_MAX`], and [`LINKS_MAX`] of all kinds | 'busy', with a time to come back ([003] claim 15) |
//! | signals carried for others | those of [`Relays`](crate::lookup::Relays) | dropped |

use core::time::Duration;

use rand::Rng;

use super::link::State;
use super::{Link, Output, Peer};
use crate::ids::{LinkId, PeerId};
use crate::lookup::{IS_BUILT, Way, Word};
use crate::time::Time;
use crate::wire::lookup::{LookupMessage, Meeting};
use crate::wire::signal::Signal;

/// Found links that this peer asked for.
const FOUND_MAX: usize = 8;
/// Found links that others asked for.
const SERVED_MAX: usize = 8;
/// Links of all kinds beyond which none is made with whom was found.
const LINKS_MAX: usize = 32;
/// What is told of itself by who is busy.
const BUSY_S: u16 = 10;
/// Who was found busy may come back after so long; as much again is drawn.
const BUSY_MS: u64 = 5_000;
/// Who is not met after so long is not counted on, and others are tried beside.
const PATIENCE: Duration = Duration::from_secs(5);
/// Who was found must have shown something by then.
const HAS_NOTHING_AFTER: Duration = Duration::from_secs(10);
/// A found link on which no payload went for so long is closed once the tracker is there again.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// How a link was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Where its signals go.
    pub(super) way: Way,
    /// Whether this end asked.
    pub(super) is_asker: bool,
    /// When.
    since: Time,
}

impl Peer {
    /// Meets so many of those that the list knows. How many are likely to be met soon.
    pub(super) fn meet_found(&mut self, wanted: usize, now: Time) -> usize {
        let is_coming = |link: &&Link| {
            let is_fresh = link.found.is_some_and(|found| now - found.since < PATIENCE);
            is_fresh && matches!(link.state, State::Opening { .. } | State::Greeting { .. })
        };
        let mut coming = self.found_links(true).filter(is_coming).count();
        while coming < wanted && self.found_links(true).count() < FOUND_MAX && self.links.len() < LINKS_MAX {
            let package = self.package();
            let (links, me) = (&self.links, self.id);
            let is_new = |word: &Word| word.peer != me && !links.values().any(|link| link.peer == word.peer);
            let drawn = self.looking.directory.draw(package, now, &mut self.rng, is_new);
            let Some(word) = drawn else { break };
            let session = self.next_session(word.peer);
            let found = Found { way: word.way, is_asker: true, since: now };
            if self.open_found(word.peer, session, found, now).is_none() {
                break;
            }
            coming += 1;
        }
        coming
    }

    fn found_links(&self, is_asker: bool) -> impl Iterator<Item = &Link> {
        self.links.values().filter(move |link| link.found.is_some_and(|found| found.is_asker == is_asker))
    }

    fn open_found(&mut self, peer: PeerId, session: u32, found: Found, now: Time) -> Option<LinkId> {
        let id = self.open_link(peer, session, found.is_asker, now)?;
        if let Some(link) = self.links.get_mut(&id) {
            link.found = Some(found);
        }
        Some(id)
    }

    /// The link with that end of a meeting, if it is not being closed.
    fn found_link(&self, peer: PeerId, is_asker: bool) -> Option<LinkId> {
        let is_it = |link: &Link| {
            let found = link.found.is_some_and(|found| found.is_asker == is_asker);
            found && link.peer == peer && link.state != State::Closing
        };
        self.links.iter().find(|(_, link)| is_it(link)).map(|(id, _)| *id)
    }

    /// For so many seconds nobody more is taken; 0: somebody may come.
    pub(super) fn busy_s(&self) -> u16 {
        let is_busy = self.links.len() >= LINKS_MAX || self.found_links(false).count() >= SERVED_MAX;
        if is_busy { BUSY_S } else { 0 }
    }

    /// Our end of a found link made a signal.
    pub(super) fn say_found_signal(&mut self, id: LinkId, signal: Signal) {
        let Some(link) = self.links.get(&id).filter(|_| IS_BUILT) else { return };
        let Some(Found { way, is_asker, .. }) = link.found else { return };
        let meeting = self.meeting_with(link.peer, is_asker);
        let session = link.session;
        self.tell_way(way, &LookupMessage::Signal { meeting, to_holder: is_asker, session, signal });
    }

    fn meeting_with(&self, peer: PeerId, is_asker: bool) -> Meeting {
        let (holder, asker) = if is_asker { (peer, self.id) } else { (self.id, peer) };
        Meeting { package: self.package(), holder, asker }
    }

    /// A signal came: for this peer, or to be passed on.
    pub(super) fn far_signals(
        &mut self,
        way: Way,
        meeting: Meeting,
        to_holder: bool,
        session: u32,
        signal: Signal,
        now: Time,
    ) {
        let is_ours = meeting.package == self.package();
        if is_ours && to_holder && meeting.holder == self.id {
            self.asked_to_meet(way, meeting, session, signal, now);
        } else if is_ours && !to_holder && meeting.asker == self.id {
            self.apply_found(self.found_link(meeting.holder, true), way, session, signal);
        } else {
            let message = LookupMessage::Signal { meeting, to_holder, session, signal };
            self.carry_signal(way, meeting, to_holder, &message, now);
        }
    }

    /// Passes on what belongs to an ask that came from there, or that is on its way back.
    fn carry_signal(&mut self, way: Way, meeting: Meeting, to_holder: bool, message: &LookupMessage, now: Time) {
        let is_asked = to_holder && self.looking.asks.has_asked(meeting.package, way);
        if let Some(to) = self.way_to(&meeting, now).filter(|_| is_asked) {
            self.looking.relays.begin(meeting, way, to, now);
        }
        let bytes = message.encode().len();
        if let Some(to) = self.looking.relays.carry(&meeting, way, to_holder, bytes, now) {
            self.tell_way(to, message);
        }
    }

    /// The way to a holder: the link to it, or where it was told of.
    fn way_to(&self, meeting: &Meeting, now: Time) -> Option<Way> {
        let is_holder = |link: &Link| link.peer == meeting.holder && link.is_open();
        let is_ours = meeting.package == self.package();
        let link = self.links.iter().find(|(_, link)| is_ours && is_holder(link)).map(|(id, _)| Way::Link(*id));
        link.or_else(|| self.looking.directory.way_to(meeting.package, meeting.holder, now))
    }

    /// Somebody wants to meet this peer.
    fn asked_to_meet(&mut self, way: Way, meeting: Meeting, session: u32, signal: Signal, now: Time) {
        let asker = meeting.asker;
        let current = self.found_link(asker, false);
        let is_new = current.is_none_or(|id| self.links.get(&id).is_some_and(|link| link.session != session));
        if !matches!(signal, Signal::Offer { .. }) || !is_new {
            // An offer that came before, perhaps by another way, is not taken twice.
            let is_offer = matches!(signal, Signal::Offer { .. });
            return self.apply_found(current.filter(|_| !is_offer), way, session, signal);
        }
        if !self.looking.served.take(1) {
            return self.say_busy(way, meeting);
        }
        // It has given up the attempt, or lost the link, that is still held here.
        current.into_iter().for_each(|id| self.close_link(id));
        match self.found_link(asker, true) {
            // Both ask at once: the attempt of the lesser goes on.
            Some(id) if asker < self.id && !self.links.get(&id).is_some_and(Link::is_open) => self.close_link(id),
            Some(_) => return,
            None => {}
        }
        let found = Found { way, is_asker: false, since: now };
        let is_free = self.busy_s() == 0 && self.link_to(asker).is_none();
        match is_free.then(|| self.open_found(asker, session, found, now)).flatten() {
            Some(link) => self.outputs.push_back(Output::ApplySignal { link, signal }),
            None => self.say_busy(way, meeting),
        }
    }

    fn say_busy(&mut self, way: Way, meeting: Meeting) {
        let after_ms = BUSY_MS + self.rng.random_range(0..BUSY_MS);
        self.tell_way(way, &LookupMessage::Busy { meeting, after_ms: after_ms as u32 });
    }

    fn apply_found(&mut self, id: Option<LinkId>, way: Way, session: u32, signal: Signal) {
        let is_its = |link: &&Link| link.session == session && link.found.is_some_and(|found| found.way == way);
        if let Some(link) = id.filter(|id| self.links.get(id).filter(is_its).is_some()) {
            self.outputs.push_back(Output::ApplySignal { link, signal });
        }
    }

    /// A holder takes nobody now.
    pub(super) fn far_is_busy(&mut self, way: Way, meeting: Meeting, after_ms: u32, now: Time) {
        if meeting.package != self.package() || meeting.asker != self.id {
            return self.carry_signal(way, meeting, false, &LookupMessage::Busy { meeting, after_ms }, now);
        }
        let Some(id) = self.found_link(meeting.holder, true) else { return };
        let is_its = |link: &Link| !link.is_open() && link.found.is_some_and(|found| found.way == way);
        if self.links.get(&id).is_some_and(is_its) {
            let until = now + Duration::from_millis(u64::from(after_ms));
            self.looking.directory.rest(meeting.package, meeting.holder, until, now);
            self.close_link(id);
        }
    }

    /// A found link is open: it was told right.
    pub(super) fn found_opened(&mut self, peer: PeerId) {
        if !IS_BUILT {
            return;
        }
        let package = self.package();
        self.looking.directory.proved(package, peer);
    }

    /// The tracker's own link to a peer is open: one that only bears its name is not needed any more.
    pub(super) fn close_found(&mut self, peer: PeerId) {
        if !IS_BUILT {
            return;
        }
        for is_asker in [false, true] {
            self.found_link(peer, is_asker).into_iter().for_each(|id| self.close_link(id));
        }
    }

    /// A found link is gone. One that never opened was told wrong.
    pub(super) fn note_found_gone(&mut self, link: &Link, now: Time) {
        let is_failure = IS_BUILT && matches!(link.state, State::Opening { .. } | State::Greeting { .. });
        if is_failure && link.found.is_some_and(|found| found.is_asker) {
            let package = self.package();
            self.looking.directory.failed(package, link.peer, now);
        }
    }

    /// A way is gone: who is being met along it can't be met.
    pub(super) fn give_up_meetings(&mut self, way: Way, now: Time) {
        let is_along = |link: &Link| {
            matches!(link.state, State::Opening { .. }) && link.found.is_some_and(|found| found.way == way)
        };
        for id in self.links.keys().copied().collect::<Vec<_>>() {
            if self.links.get(&id).is_some_and(is_along) {
                self.drop_link(id, "who told of it is gone", now);
            }
        }
    }

    /// Closes found links that bring nothing.
    pub(super) fn look_over_found(&mut self, now: Time) {
        for id in self.links.keys().copied().collect::<Vec<_>>() {
            let Some(link) = self.links.get(&id).filter(|link| link.is_open()) else { continue };
            let Some(found) = link.found else { continue };
            let has_nothing = found.is_asker && link.has.count() == 0 && now - found.since >= HAS_NOTHING_AFTER;
            let used = link.receiving.payload_at.max(link.sending.acked_at).max(found.since);
            if has_nothing {
                let (package, peer) = (self.package(), link.peer);
                self.looking.directory.failed(package, peer, now);
                self.close_link(id);
            } else if self.session.is_up() && now - used >= IDLE_MAX {
                self.close_link(id);
            }
        }
    }
}
