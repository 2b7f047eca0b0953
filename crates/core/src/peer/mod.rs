//! The peer: gets one content, verifies it, keeps it, and passes it on. A sans-IO state machine; a browser page, a
//! native process and the simulator drive it (see the crate's front page for the contract).
//!
//! **Push down, pull to repair.** The tracker says who feeds whom ([`crate::forest`]). A peer subscribes to its
//! parent's stripes; the parent pushes each packet of them that the child does not have, group by group as they are
//! verified, in sequence ([000] claim 5, [004] claim 1: before the whole is there). What no live parent brings (a
//! parent that is gone, silent or lacks it) is asked for, packet by packet, from any neighbour that has it.
//!
//! **Nothing unverified.** Groups are hashed up to the content's root before they are written or passed on. One bad
//! group closes the link it came by and is reported; all else stays.
//!
//! **Nothing unbounded.** A receiver grants each sender credit, and less when the store is behind; a sender stays within
//! its credit and within the room that the channel reports. What is read ahead, cached and under way has a bound.
//!
//! * `session`: the tracker's socket: joining, coming back with back-off, plans
//! * `carrying`: what it hears and says through neighbours while that is away, and carries for them
//! * `linking`: links: dialling, signals, hello, silence, closing
//! * `feeding`: which neighbour feeds which stripe (subscriptions)
//! * `standby`: who feeds it when that one fails
//! * `sending`: what goes to whom next
//! * `receiving`: verify, keep, grant credit
//! * `uplink`: how much may be in flight, and whose turn it is
//! * `schedule`: what is to come first
//! * `pulling`: stealing what no feeder brings in time
//! * `fetching`: web servers as sources: what comes from them
//! * `choosing`: what they are asked for, and what is left to peers
//! * `claiming`: telling neighbours what is fetched, and leaving them what they fetch
//! * `looking`: looking others up while the tracker is away, and answering who does
//! * `meeting`: links to those that were found, with signals carried by who told of them
//! * `checking`: reading what an earlier run left
//! * `holdings`, `limit`, `link`, `meter`, `source`, `timers`: the state these work on

mod ack_time;
mod carrying;
mod checking;
mod choosing;
mod claiming;
pub mod contract;
mod describing;
mod feeding;
mod fetching;
mod flight;
mod holdings;
mod limit;
mod link;
mod linking;
mod looking;
mod meeting;
mod meter;
mod probing;
mod pulling;
mod receiving;
mod schedule;
mod sending;
mod session;
mod source;
mod standby;
mod timers;
mod uplink;

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub use contract::{
    Event, Failure, Input, LinkStats, LookupConfig, Output, PeerConfig, Phase, SourceState, SourceStats, Start, Stats,
    WebSource,
};
pub use schedule::{WANTS_MAX, Want};
pub use timers::Reason;

use crate::content::{Geometry, HashTree, PacketIndex, PacketOrder, PacketSet};
use crate::ids::{LinkId, PeerId, PeerSecret};
use crate::time::Time;
use crate::wire::identity::Identity;
use crate::wire::link::LinkMessage;
use crate::wire::tracker::{Role, ToTracker};
use carrying::Carrying;
use checking::Checking;
use claiming::Told;
use describing::Describing;
use feeding::Feeding;
use fetching::Fetching;
use holdings::Holdings;
use link::Link;
use looking::Looking;
use meter::Meter;
use probing::Probing;
use pulling::Pulling;
use schedule::Schedule;
use session::Session;
use standby::Standby;
use timers::Timers;
use uplink::Uplink;

/// How often links are looked over.
const MAINTAIN: Duration = Duration::from_secs(1);
/// Closing takes no longer than this.
const STOP: Duration = Duration::from_secs(4);
/// Without payload for so long, an unfinished peer counts as searching.
const SEARCHING: Duration = Duration::from_secs(5);

/// Where the peer is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Checking,
    Running,
    Stopping,
    Stopped,
}

/// Sums for people.
#[derive(Debug, Default)]
struct Totals {
    received: Meter,
    sent: Meter,
    wasted_bytes: u64,
    control_bytes: u64,
}

/// The state machine.
#[derive(Debug)]
pub struct Peer {
    config: PeerConfig,
    geometry: Geometry,
    rng: ChaCha8Rng,
    secret: PeerSecret,
    identity: Identity,
    id: PeerId,
    life: Life,
    outputs: VecDeque<Output>,
    timers: Timers,
    session: Session,
    links: BTreeMap<LinkId, Link>,
    next_link: u32,
    feeding: Feeding,
    standby: Standby,
    carrying: Carrying,
    looking: Looking,
    holdings: Holdings,
    checking: Option<Checking>,
    describing: Describing,
    /// Whether everything was announced as complete.
    completed: bool,
    schedule: Schedule,
    pulling: Pulling,
    fetching: Fetching,
    told_fetches: Told,
    uplink: Uplink,
    probing: Probing,
    totals: Totals,
    payload_at: Option<Time>,
}

impl Peer {
    /// A peer of one content. The seed decides every draw, and who it is unless the configuration does; never use one twice.
    pub fn new(mut config: PeerConfig, seed: [u8; 32], now: Time) -> Self {
        let geometry = config.manifest.geometry();
        let root = config.manifest.id();
        let mut rng = ChaCha8Rng::from_seed(seed);
        let mut secret = [0; PeerSecret::LEN_BYTES];
        rng.fill_bytes(&mut secret);
        let secret = PeerSecret::from_bytes(secret);
        let identity = config.identity.take().unwrap_or_else(|| Identity::of_peer(&seed));
        let salt = rng.next_u32();
        let tree = match &config.start {
            Start::Empty => HashTree::new(geometry, root),
            Start::Resume(tree) | Start::Complete(tree) => tree.clone(),
        };
        let holdings = Holdings::new(geometry, tree, config.cache_bytes);
        let mut peer = Self {
            geometry,
            rng,
            secret,
            id: identity.peer_id(),
            identity,
            life: Life::Checking,
            outputs: VecDeque::new(),
            timers: Timers::default(),
            session: Session::default(),
            links: BTreeMap::new(),
            next_link: 0,
            feeding: Feeding::default(),
            standby: Standby::default(),
            carrying: Carrying::default(),
            looking: Looking::new(config.lookup.policy),
            holdings,
            checking: None,
            describing: Describing::default(),
            completed: false,
            schedule: Schedule::new(geometry, PacketOrder::new(geometry, config.manifest.segments())),
            pulling: Pulling::new(geometry, salt),
            fetching: Fetching::new(&config, geometry, now),
            told_fetches: Told::default(),
            uplink: Uplink::default(),
            probing: Probing::default(),
            totals: Totals::default(),
            payload_at: None,
            config,
        };
        peer.begin(now);
        peer
    }

    /// Something happened outside.
    pub fn handle_input(&mut self, input: Input, now: Time) {
        if self.life == Life::Stopped {
            return;
        }
        match input {
            Input::TrackerUp => self.tracker_up(now),
            Input::TrackerMessage(text) => self.tracker_message(&text, now),
            Input::TrackerDown { reason } => self.tracker_down(reason, now),
            Input::LinkSignal { link, signal } => self.link_signal(link, signal),
            Input::LinkOpen { link, room_bytes } => self.link_open(link, room_bytes, now),
            Input::LinkMessage { link, message } => self.link_message(link, &message, now),
            Input::LinkRoom { link, room_bytes } => self.link_room(link, room_bytes, now),
            Input::LinkClosed { link, reason } => self.link_closed(link, reason, now),
            Input::Written(write) => self.written(write, now),
            Input::WriteFailed { reason, .. } => self.fail(Failure::Store(reason), now),
            Input::ReadDone { read, bytes } => self.read_done(read, &bytes, now),
            Input::ReadFailed { read, reason } => self.read_failed(read, reason, now),
            Input::Fetched { fetch, bytes } => self.fetched(fetch, &bytes, now),
            Input::FetchEnded { fetch, outcome } => self.fetch_ended(fetch, outcome, now),
            Input::Beside(message) => self.told_beside(&message, now),
            Input::UploadLimit { bytes_per_s } => self.set_upload_limit(bytes_per_s, now),
            Input::Want { wants } => self.want(&wants, now),
            Input::Stop => self.stop(now),
        }
    }

    /// The time named by [`Peer::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some(reason) = self.timers.take_due(now) {
            match reason {
                Reason::Tracker => self.tracker_timeout(now),
                Reason::Status => self.tell_status(now),
                Reason::Probed => self.tell_probed(),
                Reason::Announce => self.announce_all(now),
                Reason::Maintain => self.maintain(now),
                Reason::Pull => self.pull(now),
                Reason::Fetch => self.look_at_fetches(now),
                Reason::Upload => self.pump_all(now),
                Reason::LookUp => self.look_up(now),
                Reason::Stop => self.stopped(),
            }
        }
    }

    /// What to do next; `None` when there is nothing.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Peer::handle_timeout`], and why.
    pub fn poll_timeout(&self) -> Option<(Time, Reason)> {
        self.timers.next()
    }

    /// What the peer is called in the swarm.
    pub fn id(&self) -> PeerId {
        self.id
    }

    /// A snapshot for people.
    pub fn stats(&self, now: Time) -> Stats {
        let (swarm_peers, swarm_seeders) = self.session.swarm_size();
        Stats {
            content: self.config.manifest.id(),
            peer: self.id,
            phase: self.phase(now),
            have_bytes: self.holdings.have_bytes(),
            size_bytes: self.geometry.size_bytes(),
            received_bytes: self.totals.received.total_bytes(),
            sent_bytes: self.totals.sent.total_bytes(),
            wasted_bytes: self.totals.wasted_bytes,
            control_bytes: self.totals.control_bytes,
            down_bytes_per_s: self.totals.received.bytes_per_s(now),
            up_bytes_per_s: self.totals.sent.bytes_per_s(now),
            tracker_up: self.session.is_up(),
            swarm_peers,
            swarm_seeders,
            links: self
                .links
                .iter()
                .filter(|(_, link)| link.is_open())
                .map(|(id, _)| self.link_stats(*id, now))
                .collect(),
            sources: self.source_stats(now),
        }
    }

    fn link_stats(&self, id: LinkId, now: Time) -> LinkStats {
        let link = &self.links[&id];
        LinkStats {
            link: id,
            peer: link.peer,
            agent: link.agent.clone(),
            role: self.role_of(link),
            is_found: link.found.is_some(),
            stripes_down: link.receiving.subscribed,
            stripes_up: link.sending.subscribed.1,
            packets_held: link.has.count().max(link.holds_packets.unwrap_or(0)),
            received_bytes: link.receiving.meter.total_bytes(),
            sent_bytes: link.sending.meter.total_bytes(),
            down_bytes_per_s: link.receiving.meter.bytes_per_s(now),
            up_bytes_per_s: link.sending.meter.bytes_per_s(now),
            round_trip_ms: link.round_trip.map(|time| time.as_millis() as u32),
        }
    }

    /// What the far end of a link is to this peer, as it works now: a link that feeds counts before one that is fed.
    fn role_of(&self, link: &Link) -> Role {
        if !link.receiving.subscribed.is_empty() {
            Role::Parent
        } else if !link.sending.subscribed.1.is_empty() {
            Role::Child
        } else {
            Role::Lateral
        }
    }

    fn phase(&self, now: Time) -> Phase {
        match self.life {
            Life::Checking => Phase::Checking,
            Life::Stopping | Life::Stopped => Phase::Stopped,
            Life::Running if self.completed => Phase::Seeding,
            Life::Running if self.payload_at.is_some_and(|at| now - at < SEARCHING) => Phase::Downloading,
            Life::Running => Phase::Searching,
        }
    }

    /// Starts with what the configuration says is there.
    fn begin(&mut self, now: Time) {
        match self.config.start {
            Start::Empty => self.run(now),
            Start::Resume(_) => self.start_checking(now),
            Start::Complete(_) => {
                for packet in self.geometry.all_packets() {
                    self.holdings.insert_stored(packet);
                }
                self.completed = true;
                self.uplink.sent_once = Some(PacketSet::new(self.geometry));
                // What the builder learnt is no news: a seeder's record would only repeat its file.
                self.holdings.tree.take_journal();
                self.run(now);
            }
        }
    }

    /// Everything that was kept is known: join the swarm.
    fn run(&mut self, now: Time) {
        self.life = Life::Running;
        self.timers.set(Reason::Maintain, now + MAINTAIN);
        if !self.completed {
            self.count_descriptors();
        }
        self.note_if_complete(now);
        self.connect_tracker(now);
        self.fetching.begin(now);
        self.fetch_more(now);
    }

    /// Says so, once, when everything is verified and written.
    fn note_if_complete(&mut self, now: Time) {
        if self.completed || self.life != Life::Running || !self.holdings.is_complete() {
            return;
        }
        self.completed = true;
        self.event(Event::Complete);
        self.announce_all(now);
        self.tell_status(now);
        self.resubscribe(now);
    }

    /// Looks over everything that can go stale without a sound.
    fn maintain(&mut self, now: Time) {
        if self.life != Life::Running {
            return;
        }
        self.timers.set(Reason::Maintain, now + MAINTAIN);
        self.look_after_carrying(now);
        self.look_over_links(now);
        self.resubscribe(now);
        self.look_at_waiting(now);
        self.look_over_requests(now);
        self.look_at_uplink(now);
        self.look_at_doubts(now);
        self.look_at_probe(now);
        for link in self.links.values_mut() {
            link.receiving.look();
        }
        self.pull(now);
        self.look_at_claims(now);
        self.look_after_lookup(now);
        self.look_at_fetches(now);
        // What was in flight to a far end that is gone no longer counts.
        self.pump_all(now);
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    /// Sends a message without payload. Only open links can be told anything.
    fn tell_link(&mut self, id: LinkId, message: &LinkMessage) {
        let bytes = message.encode();
        self.totals.control_bytes += bytes.len() as u64;
        self.send_link(id, bytes);
    }

    fn send_link(&mut self, id: LinkId, message: Bytes) {
        self.outputs.push_back(Output::SendLink { link: id, message });
    }

    fn tell_tracker(&mut self, message: &ToTracker) {
        if self.session.is_up() || matches!(message, ToTracker::Join(_)) {
            let text = message.encode();
            self.totals.control_bytes += text.len() as u64;
            self.outputs.push_back(Output::SendTracker(text));
        } else {
            self.say_by_neighbours(message);
        }
    }

    /// What the hash tree learnt goes to the record, so that a later run need not fetch it again.
    fn save_journal(&mut self) {
        let journal = self.holdings.tree.take_journal();
        if !journal.is_empty() {
            self.outputs.push_back(Output::AppendRecord(journal.into()));
        }
    }

    /// The peer can't go on.
    fn fail(&mut self, failure: Failure, now: Time) {
        if matches!(self.life, Life::Stopping | Life::Stopped) {
            return;
        }
        self.event(Event::Failed(failure));
        self.stop(now);
    }

    /// Leaves the swarm and closes all.
    fn stop(&mut self, now: Time) {
        if matches!(self.life, Life::Stopping | Life::Stopped) {
            return;
        }
        self.save_journal();
        self.life = Life::Stopping;
        self.timers.clear_all();
        self.timers.set(Reason::Stop, now + STOP);
        self.leave_tracker();
        self.cancel_fetches();
        for id in self.links.keys().copied().collect::<Vec<_>>() {
            self.close_link(id);
        }
        self.stop_if_closed();
    }

    fn stop_if_closed(&mut self) {
        if self.life == Life::Stopping && self.links.is_empty() && self.holdings.backlog_bytes() == 0 {
            self.stopped();
        }
    }

    fn stopped(&mut self) {
        if self.life != Life::Stopped {
            self.life = Life::Stopped;
            self.timers.clear_all();
            self.event(Event::Stopped);
        }
    }

    fn packet(&self, index: u32) -> Option<PacketIndex> {
        self.geometry.packet(index)
    }
}

#[cfg(test)]
mod tests;
