//! Links: dialling, carrying signals, saying hello, noticing silence, closing.
//!
//! Only peers that the tracker told to meet are linked here; those that are looked up, in `meeting`. The end that dials counts the attempts, so that a signal of an
//! attempt that was given up is not taken for one of the next.

use core::time::Duration;

use bytes::Bytes;

use super::link::{Link, State};
use super::standby::PING_FEEDER_AFTER;
use super::{Event, Life, Output, Peer};
use crate::ids::{ContentId, LinkId, PeerId};
use crate::lookup::Way;
use crate::time::Time;
use crate::wire::link::{LinkMessage, RUNS_MAX, Run};
use crate::wire::signal::Signal;
use crate::wire::tracker::ToTracker;

/// Links, open or being opened; a plan beyond it is not followed, an offer beyond it not answered.
const LINKS_MAX: usize = 64;
/// A link that is not open after so long is given up.
const OPEN_MAX: Duration = Duration::from_secs(20);
/// An open link whose far end does not say hello within so long is closed.
const HELLO_MAX: Duration = Duration::from_secs(10);
/// Hellos of one end: when its channel opens, and in answer to ours.
const HELLOS_MAX: u8 = 2;
/// A link on which nothing came for so long is pinged.
const PING_AFTER: Duration = Duration::from_secs(2);
/// A round trip is measured at least so often.
const MEASURE_EVERY: Duration = Duration::from_secs(5);
/// A link on which nothing came for so long, although it was pinged, is dead.
const SILENCE_MAX: Duration = Duration::from_secs(12);

impl Peer {
    /// The link to a peer that the tracker told to meet, if it is not being closed.
    pub(super) fn link_to(&self, peer: PeerId) -> Option<LinkId> {
        let to_peer = |link: &Link| link.peer == peer && link.found.is_none() && link.state != State::Closing;
        self.links.iter().find(|(_, link)| to_peer(link)).map(|(id, _)| *id)
    }

    /// The plan has an edge where a link is: it is not to be closed.
    pub(super) fn keep_link(&mut self, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id) {
            link.close_by = None;
        }
    }

    pub(super) fn dial(&mut self, peer: PeerId, now: Time) {
        let session = self.next_session(peer);
        if self.open_link(peer, session, true, now).is_none() {
            // The far end waits for an offer that will not come, and has no clock for it.
            self.tell_tracker(&ToTracker::Lost { peer, was_open: false });
        }
    }

    /// The number of another attempt to connect.
    pub(super) fn next_session(&self, peer: PeerId) -> u32 {
        let session = self.links.values().filter(|link| link.peer == peer).map(|link| link.session).max();
        session.map_or_else(|| self.next_link, |last| last.max(self.next_link)).wrapping_add(1)
    }

    pub(super) fn open_link(&mut self, peer: PeerId, session: u32, dial: bool, now: Time) -> Option<LinkId> {
        if self.links.len() >= LINKS_MAX || self.life != Life::Running {
            return None;
        }
        let id = LinkId(self.next_link);
        self.next_link += 1;
        let window_bytes_max = self.config.window_bytes_max;
        let link = Link::new(peer, session, dial, now + OPEN_MAX, self.geometry, window_bytes_max, now);
        self.links.insert(id, link);
        let ice_servers = self.session.ice_servers.clone();
        self.outputs.push_back(Output::OpenLink { link: id, dial, ice_servers });
        Some(id)
    }

    /// Our end made a signal: the tracker carries it, or whoever told of the far end.
    pub(super) fn link_signal(&mut self, id: LinkId, signal: Signal) {
        let Some(link) = self.links.get(&id).filter(|link| link.state != State::Closing) else { return };
        if link.found.is_some() {
            return self.say_found_signal(id, signal);
        }
        let message = ToTracker::Signal { to: link.peer, session: link.session, signal };
        self.tell_tracker(&message);
    }

    /// The far end made a signal.
    pub(super) fn carried_signal(&mut self, from: PeerId, session: u32, signal: Signal, now: Time) {
        if !self.feeding.is_neighbour(from) {
            return;
        }
        let current = self.link_to(from);
        let is_offer = matches!(signal, Signal::Offer { .. });
        let id = match current {
            Some(id) if self.links[&id].session == session && self.links[&id].dialled != is_offer => id,
            Some(id) if is_offer && !self.links[&id].dialled && self.links[&id].session != session => {
                // It has given up the attempt, or lost the link, that we still hold.
                self.close_link(id);
                match self.open_link(from, session, false, now) {
                    Some(id) => id,
                    None => return,
                }
            }
            None if is_offer => match self.open_link(from, session, false, now) {
                Some(id) => id,
                None => return,
            },
            Some(id) if self.links[&id].session == session => id,
            _ => return,
        };
        self.outputs.push_back(Output::ApplySignal { link: id, signal });
    }

    pub(super) fn link_open(&mut self, id: LinkId, room_bytes: usize, now: Time) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if !matches!(link.state, State::Opening { .. }) {
            return;
        }
        link.state = State::Greeting { deadline: now + HELLO_MAX };
        link.heard = now;
        link.sending.room_bytes = room_bytes;
        self.say_hello(id);
    }

    /// Says who we are and what we hold: when the channel opens, and once more in answer to the first hello. An end
    /// whose channel is open may not know that the other's is not yet, and what comes before that can be lost there; a
    /// hello that comes is a sign that the answer will arrive.
    fn say_hello(&mut self, id: LinkId) {
        let mut runs = self.held_runs().into_iter();
        let have: Vec<Run> = runs.by_ref().take(RUNS_MAX).collect();
        let more: Vec<Run> = runs.collect();
        let hello = LinkMessage::Hello { content: self.config.manifest.id(), agent: self.config.agent.clone(), have };
        self.tell_link(id, &hello);
        for packets in more.chunks(RUNS_MAX) {
            self.tell_link(id, &LinkMessage::Have { packets: packets.to_vec() });
        }
        let told = self.holdings.log().len();
        if let Some(link) = self.links.get_mut(&id) {
            link.sending.told = told;
        }
    }

    /// Whole packets as runs.
    fn held_runs(&self) -> Vec<Run> {
        if self.holdings.has_all_groups() {
            let count = self.geometry.packets();
            return if count == 0 { Vec::new() } else { vec![Run { first: 0, count }] };
        }
        let mut packets: Vec<u32> = self.holdings.log().iter().map(|held| held.packet.get()).collect();
        packets.sort_unstable();
        runs_of(&packets)
    }

    pub(super) fn link_message(&mut self, id: LinkId, message: &Bytes, now: Time) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if !matches!(link.state, State::Greeting { .. } | State::Open) {
            return;
        }
        link.heard = now;
        let greeted = link.is_open();
        match LinkMessage::decode(message, &self.geometry) {
            Ok(LinkMessage::Hello { content, agent, have }) if !greeted => {
                if content != self.config.manifest.id() {
                    return self.drop_link(id, "it shares something else", now);
                }
                self.greeted(id, agent, &have, now);
            }
            Ok(LinkMessage::Hello { content, have, .. }) => self.greeted_again(id, content, &have, now),
            Ok(_) if !greeted => self.drop_link(id, "it did not say hello first", now),
            Ok(message) => self.understood(id, message, now),
            Err(error) => self.drop_link(id, &error.to_string(), now),
        }
    }

    fn greeted(&mut self, id: LinkId, agent: String, have: &[Run], now: Time) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.state = State::Open;
        link.hellos = 1;
        link.agent = agent;
        link.receiving.payload_at = now;
        let (peer, is_found) = (link.peer, link.found.is_some());
        self.note_has(id, have);
        self.pulling.forget_plan();
        self.event(Event::LinkUp { link: id, peer });
        self.say_hello(id);
        self.grant(id, now);
        if self.has_told_fetches() {
            self.tell_fetches_to(id);
        }
        self.ping(id, now);
        self.probe(id, now);
        self.resubscribe(now);
        self.pull(now);
        if is_found { self.found_opened(peer) } else { self.close_found(peer) }
    }

    /// The answer to our hello: it may hold more by now.
    fn greeted_again(&mut self, id: LinkId, content: ContentId, have: &[Run], now: Time) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.hellos += 1;
        if link.hellos > HELLOS_MAX || content != self.config.manifest.id() {
            return self.drop_link(id, "it says hello again and again", now);
        }
        self.far_has(id, have, now);
    }

    fn understood(&mut self, id: LinkId, message: LinkMessage, now: Time) {
        match message {
            LinkMessage::Have { packets } => self.far_has(id, &packets, now),
            LinkMessage::Subscribe { stripes, mask, from } => self.far_subscribes(id, stripes, mask, from, now),
            LinkMessage::Credit { received_bytes, limit_bytes, clock_ms, held_packets } => {
                if let Some(link) = self.links.get_mut(&id) {
                    link.holds_packets = Some(held_packets.min(self.geometry.packets()));
                }
                self.far_credits(id, received_bytes, limit_bytes, clock_ms, now);
            }
            LinkMessage::Request { packets, partial } => self.far_requests(id, &packets, &partial, now),
            LinkMessage::Cancel { packets } => self.far_cancels(id, &packets),
            LinkMessage::Refuse { packets } => self.far_refuses(id, &packets, now),
            LinkMessage::Data(data) => self.receive(id, &data, now),
            LinkMessage::Ping { nonce } => self.tell_link(id, &LinkMessage::Pong { nonce }),
            LinkMessage::Pong { nonce } => self.ponged(id, nonce, now),
            LinkMessage::Goodbye => self.far_leaves(id),
            LinkMessage::Order(order) => self.far_orders(id, &order, now),
            LinkMessage::Word(word) => self.far_says(id, word),
            LinkMessage::Fetching { packets } => self.far_fetches(id, &packets, now),
            LinkMessage::Lookup(message) => self.far_looks_up(Way::Link(id), message, now),
            LinkMessage::Probe { train, left, padding } => self.far_probes(id, train, left, &padding, now),
            LinkMessage::Probed { train, bytes_per_s, is_least } => {
                self.far_probed(id, train, bytes_per_s, is_least, now)
            }
            LinkMessage::Hello { .. } | LinkMessage::Unknown => {}
        }
    }

    fn far_has(&mut self, id: LinkId, packets: &[Run], now: Time) {
        self.note_has(id, packets);
        self.pull_from(id, now);
    }

    fn ping(&mut self, id: LinkId, now: Time) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let nonce = now.as_micros() as u32;
        link.pinged = Some((nonce, now));
        self.tell_link(id, &LinkMessage::Ping { nonce });
    }

    fn ponged(&mut self, id: LinkId, nonce: u32, now: Time) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if let Some((_, sent_at)) = link.pinged.filter(|(sent, _)| *sent == nonce) {
            link.pinged = None;
            link.measured(now - sent_at);
        }
    }

    /// The far end closes on purpose: our end closes too.
    fn far_leaves(&mut self, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id) {
            link.said_goodbye = true;
            self.close_link(id);
        }
    }

    /// Notices what is overdue on any link.
    pub(super) fn look_over_links(&mut self, now: Time) {
        for id in self.links.keys().copied().collect::<Vec<_>>() {
            // One that is closed may take others with it.
            let Some(link) = self.links.get(&id) else { continue };
            let quiet = now - link.heard;
            match link.state {
                State::Opening { deadline } if deadline <= now => self.drop_link(id, "it could not be reached", now),
                State::Greeting { deadline } if deadline <= now => self.drop_link(id, "it said nothing", now),
                State::Open if quiet >= SILENCE_MAX => self.drop_link(id, "it has gone silent", now),
                State::Open => {
                    let overdue = match link.pinged {
                        Some((_, sent_at)) => now - sent_at >= MEASURE_EVERY,
                        None if !link.receiving.subscribed.is_empty() && quiet >= PING_FEEDER_AFTER => true,
                        None => quiet >= PING_AFTER || link.round_trip.is_none(),
                    };
                    if overdue {
                        self.ping(id, now);
                    }
                }
                _ => {}
            }
        }
    }

    /// Closes a link that failed, and reports it if the plan has it.
    pub(super) fn drop_link(&mut self, id: LinkId, reason: &str, now: Time) {
        self.outputs.push_back(Output::CloseLink { link: id });
        self.link_gone(id, reason.to_owned(), now);
    }

    /// Closes a link on purpose. It counts until the adapter says that it is closed.
    pub(super) fn close_link(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if link.state == State::Closing {
            return;
        }
        let was_open = matches!(link.state, State::Greeting { .. } | State::Open);
        let (peer, greeted) = (link.peer, link.is_open());
        link.state = State::Closing;
        // What it was asked for may be asked for elsewhere, and need not be taken back.
        link.receiving.outstanding.clear();
        self.pulling.forget_plan();
        if was_open && !link.said_goodbye {
            self.tell_link(id, &LinkMessage::Goodbye);
        }
        self.outputs.push_back(Output::CloseLink { link: id });
        if greeted {
            self.event(Event::LinkDown { link: id, peer, reason: "closed".to_owned() });
        }
    }

    /// The adapter says that a link is closed.
    pub(super) fn link_closed(&mut self, id: LinkId, reason: String, now: Time) {
        self.link_gone(id, reason, now);
        self.stop_if_closed();
    }

    fn link_gone(&mut self, id: LinkId, reason: String, now: Time) {
        let Some(link) = self.links.remove(&id) else { return };
        self.forget_copies(&link);
        self.forget_sent(id, &link, now);
        self.standby.forget_link(id);
        self.carrying.forget_link(id);
        self.forget_way(id, now);
        if link.is_open() {
            self.event(Event::LinkDown { link: id, peer: link.peer, reason });
        }
        if self.life != Life::Running {
            return;
        }
        self.note_found_gone(&link, now);
        // A good-bye is a loss as well where the plan has the edge: nobody else would mend it.
        let is_loss = link.state != State::Closing || link.said_goodbye;
        let is_planned = link.found.is_none() && self.feeding.is_neighbour(link.peer);
        if is_loss && is_planned && self.link_to(link.peer).is_none() {
            let was_open = link.is_open() || link.said_goodbye;
            self.tell_tracker(&ToTracker::Lost { peer: link.peer, was_open });
        }
        self.resubscribe(now);
        self.pull(now);
        self.fetch_more(now);
        if link.is_open() || link.said_goodbye {
            self.look_up_soon(now);
        }
    }
}

/// Ascending packets as runs.
pub(super) fn runs_of(ascending: &[u32]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for &packet in ascending {
        match runs.last_mut() {
            Some(run) if run.first + run.count == packet => run.count += 1,
            _ => runs.push(Run { first: packet, count: 1 }),
        }
    }
    runs
}
