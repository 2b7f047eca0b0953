//! The tracker's socket: joining, coming back with back-off and jitter, and following plans.
//!
//! A broken socket changes nothing for the links: transfers go on, and the peer joins again with the same key,
//! telling which links it has.

use core::time::Duration;

use rand::Rng;

use super::{Event, Failure, Life, Output, Peer, Reason};
use crate::ids::{PeerId, SocketNonce};
use crate::time::Time;
use crate::wire::tracker::{
    FromTracker, JOIN_LINKS_MAX, Join, LinkReport, Received, Refusal, Role, STATUS_RECEIVED_MAX, Status, StripeMask,
    ToTracker, VERSION,
};

/// An attempt that has not got a welcome is given up after so long.
const CONNECT_MAX: Duration = Duration::from_secs(15);
/// A tracker that said nothing for so long is taken for gone; it pings when there is nothing to say.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// Wait before the second attempt; doubled each time, and drawn between half and one and a half of it.
const RETRY_MIN_MS: u64 = 500;
/// The longest wait between attempts.
const RETRY_MAX_MS: u64 = 60_000;
/// Time between two reports of how this peer fares.
const STATUS_INTERVAL: Duration = Duration::from_secs(10);
/// The first so many come sooner: a new peer's place is found by what others measure.
const STATUS_INTERVALS: [(u32, Duration); 3] =
    [(8, Duration::from_secs(1)), (14, Duration::from_secs(2)), (20, Duration::from_secs(5))];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum State {
    /// Not reached; the timer says when to try again.
    #[default]
    Down,
    /// The socket is being opened, or the welcome is awaited.
    Connecting,
    /// Welcome.
    Up,
    /// Refused for good.
    Refused,
}

/// What is known of the tracker.
#[derive(Debug, Default)]
pub(super) struct Session {
    state: State,
    attempts: u32,
    heard: Time,
    pub(super) ice_servers: Vec<String>,
    swarm_size: (u32, u32),
    packets_told: Option<u32>,
    limited_told: bool,
    statuses: u32,
    reported_at: Time,
}

impl Session {
    pub(super) fn is_up(&self) -> bool {
        self.state == State::Up
    }

    /// Whether an attempt to reach it has failed and none has succeeded since.
    pub(super) fn is_out_of_reach(&self) -> bool {
        self.state == State::Refused || (self.state != State::Up && self.attempts > 0)
    }

    /// Whether it says that nobody else is there.
    pub(super) fn is_alone(&self) -> bool {
        self.is_up() && self.swarm_size.0 == 1
    }

    pub(super) fn swarm_size(&self) -> (u32, u32) {
        self.swarm_size
    }
}

impl Peer {
    pub(super) fn connect_tracker(&mut self, now: Time) {
        if !self.config.has_tracker {
            return;
        }
        self.session.state = State::Connecting;
        self.outputs.push_back(Output::ConnectTracker);
        self.timers.set(Reason::Tracker, now + CONNECT_MAX);
    }

    /// The socket is open: the tracker speaks first.
    pub(super) fn tracker_up(&mut self, now: Time) {
        self.session.heard = now;
    }

    fn join(&mut self, nonce: &SocketNonce) {
        let packets_held = self.packets_held();
        self.session.packets_told = Some(packets_held);
        let links = self.links.values().filter(|link| link.is_open() && link.found.is_none());
        let links = links.map(|link| {
            let role = self.role_of(link);
            let stripes = match role {
                Role::Parent => link.receiving.subscribed,
                Role::Child => link.sending.subscribed.1,
                Role::Lateral => StripeMask::NONE,
            };
            LinkReport { peer: link.peer, role, stripes }
        });
        let top_of = Some(self.feeding.top_of()).filter(|stripes| !stripes.is_empty());
        let web = top_of.map(|stripes| LinkReport { peer: PeerId::WEB, role: Role::Parent, stripes });
        let join = Join {
            version: VERSION,
            swarm: self.config.manifest.id(),
            key: self.identity.key(),
            signature: self.identity.sign(nonce, &self.config.manifest.id(), &self.secret),
            secret: self.secret,
            agent: crate::content::cut_text(&self.config.agent, crate::wire::tracker::AGENT_BYTES_MAX).to_owned(),
            packets_held,
            packets_total: self.geometry.packets(),
            slots: self.config.slots,
            fetches: self.fetching.is_possible(),
            links: web.into_iter().chain(links).take(JOIN_LINKS_MAX).collect(),
        };
        self.tell_tracker(&ToTracker::Join(join));
    }

    pub(super) fn tracker_message(&mut self, text: &str, now: Time) {
        if !matches!(self.session.state, State::Connecting | State::Up) {
            return;
        }
        self.session.heard = now;
        let message = match FromTracker::decode(text) {
            Ok(message) => message,
            Err(error) => return self.give_up_tracker(format!("it sent something else: {error}"), None, now),
        };
        match message {
            // A second one asks to join anew: another tracker behind the socket runs the swarm from now on.
            FromTracker::Hello { nonce } => self.join(&nonce),
            FromTracker::Welcome { stripes, ice_servers, manifest_wanted, places_web, orders, .. } => {
                self.begin_orders(orders);
                self.fetching.is_told = places_web;
                self.welcome(stripes, ice_servers, manifest_wanted, now);
            }
            FromTracker::Error { code, message, retry_ms } => self.refused(code, message, retry_ms, now),
            _ if self.session.state != State::Up => {}
            FromTracker::Plan { open, close } => self.follow_plan(&open, &close, now),
            FromTracker::Signal { from, session, signal } => self.carried_signal(from, session, signal, now),
            FromTracker::Carry(order) => self.pass_on(order),
            FromTracker::Swarm { peers, seeders } => {
                self.session.swarm_size = (peers, seeders);
                self.fetch_more(now);
            }
            FromTracker::Ping => self.tell_tracker(&ToTracker::Pong),
            FromTracker::Unknown => {}
        }
    }

    fn welcome(&mut self, stripes: u8, ice_servers: Vec<String>, manifest_wanted: bool, now: Time) {
        self.session.state = State::Up;
        self.session.attempts = 0;
        self.session.ice_servers = ice_servers;
        self.timers.set(Reason::Tracker, now + SILENCE_MAX);
        self.feeding.set_stripes(stripes);
        self.forget_neighbours();
        self.event(Event::TrackerUp);
        if manifest_wanted {
            self.outputs.push_back(Output::UploadManifest);
        }
        self.session.reported_at = now;
        self.tell_status(now);
    }

    pub(super) fn tracker_down(&mut self, reason: String, now: Time) {
        if matches!(self.session.state, State::Connecting | State::Up) {
            self.retry_tracker(reason, None, now);
            self.tell_tracker(&ToTracker::Pong);
        }
    }

    /// Something is due: a retry, or the end of patience.
    pub(super) fn tracker_timeout(&mut self, now: Time) {
        match self.session.state {
            State::Down => self.connect_tracker(now),
            State::Connecting => self.give_up_tracker("it does not answer".to_owned(), None, now),
            State::Up if now - self.session.heard >= SILENCE_MAX => {
                self.give_up_tracker("it has gone silent".to_owned(), None, now);
            }
            State::Up => self.timers.set(Reason::Tracker, self.session.heard + SILENCE_MAX),
            State::Refused => {}
        }
    }

    fn give_up_tracker(&mut self, reason: String, retry_ms: Option<u32>, now: Time) {
        self.outputs.push_back(Output::DisconnectTracker);
        self.retry_tracker(reason, retry_ms, now);
    }

    fn retry_tracker(&mut self, reason: String, at_least_ms: Option<u32>, now: Time) {
        self.session.state = State::Down;
        let base_ms = (RETRY_MIN_MS << self.session.attempts.min(10)).min(RETRY_MAX_MS);
        self.session.attempts = self.session.attempts.saturating_add(1);
        let base_ms = base_ms.max(u64::from(at_least_ms.unwrap_or(0)).min(10 * RETRY_MAX_MS));
        let retry_ms = base_ms / 2 + self.rng.random_range(0..=base_ms);
        self.timers.set(Reason::Tracker, now + Duration::from_millis(retry_ms));
        self.event(Event::TrackerDown { reason, retry_ms: Some(retry_ms) });
        if self.session.attempts == 1 {
            self.look_up_soon(now);
        }
        self.fetch_more(now);
    }

    fn refused(&mut self, code: Refusal, message: String, retry_ms: Option<u32>, now: Time) {
        if retry_ms.is_some() || code == Refusal::Replaced {
            return self.give_up_tracker(message, retry_ms, now);
        }
        self.outputs.push_back(Output::DisconnectTracker);
        self.carrying.forget_terms();
        self.session.state = State::Refused;
        self.timers.clear(Reason::Tracker);
        self.event(Event::TrackerDown { reason: message.clone(), retry_ms: None });
        if self.fetching.is_possible() {
            self.fetch_more(now);
        } else if self.links.is_empty() {
            self.fail(Failure::Refused(message), now);
        }
    }

    pub(super) fn leave_tracker(&mut self) {
        self.tell_tracker(&ToTracker::Leave);
        if matches!(self.session.state, State::Connecting | State::Up) {
            self.outputs.push_back(Output::DisconnectTracker);
        }
        self.session.state = State::Down;
    }

    /// Tells the tracker how this peer fares, if that has changed; again after a while.
    pub(super) fn tell_status(&mut self, now: Time) {
        if self.life != Life::Running || !self.session.is_up() {
            return;
        }
        let times = self.session.statuses;
        self.session.statuses = times.saturating_add(1);
        let interval = STATUS_INTERVALS.iter().find(|(until, _)| times < *until).map_or(STATUS_INTERVAL, |(_, at)| *at);
        self.timers.set(Reason::Status, now + interval);
        let packets_held = self.packets_held();
        let received = self.received_lately(now);
        let limited = self.take_uplink_report();
        let is_known = self.session.packets_told == Some(packets_held) && self.session.limited_told == limited;
        if is_known && received.is_empty() {
            return;
        }
        self.session.packets_told = Some(packets_held);
        self.session.limited_told = limited;
        let status = Status {
            packets_held,
            down_bytes_per_s: self.totals.received.bytes_per_s(now),
            up_bytes_per_s: self.uplink.acked.bytes_per_s(now),
            limited,
            received,
        };
        self.tell_tracker(&ToTracker::Status(status));
    }

    /// What came from whom since this was asked last, and whether more was wanted.
    fn received_lately(&mut self, now: Time) -> Vec<Received> {
        let span_ms = (now - self.session.reported_at).as_millis().max(1);
        self.session.reported_at = now;
        let open = self.links.values_mut().filter(|link| link.is_open() && link.found.is_none());
        let reports = open.filter_map(|link| {
            let (bytes, waited) = link.receiving.take_report();
            let bytes_per_s = u64::try_from(u128::from(bytes) * 1_000 / span_ms).unwrap_or(u64::MAX);
            (bytes > 0 || waited).then_some(Received { peer: link.peer, bytes_per_s, waited })
        });
        reports.take(STATUS_RECEIVED_MAX).collect()
    }

    /// Packets that count as held: all of them only when they are written as well.
    fn packets_held(&self) -> u32 {
        let held = self.holdings.log().len() as u32;
        if held == self.geometry.packets() && !self.completed { held.saturating_sub(1) } else { held }
    }
}
