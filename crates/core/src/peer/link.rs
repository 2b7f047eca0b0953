//! One link: what is known of its far end, what flows each way, and how much may.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::ack_time::AckTime;
use super::claiming::Claim;
use super::meeting::Found;
use super::meter::{Best, Lately, Meter};
use super::probing::Train;
use super::schedule::place_at;
use crate::content::{Geometry, GroupSet, KnownNodes, PacketIndex, PacketOrder, PacketSet};
use crate::ids::PeerId;
use crate::time::Time;
use crate::wire::tracker::StripeMask;

/// Credit that a fresh link gets, in packets: enough for a few groups on their way.
const WINDOW_PACKETS_START: u32 = 4;
/// A window that is used up in less than so many round trips is doubled.
const WINDOW_ROUND_TRIPS: u32 = 2;
/// Steps in which a window is renewed, and what came is acknowledged.
pub(super) const WINDOW_STEPS: u64 = 16;
/// A window that takes so long to be used up is halved: what is under way on a slow link can't be had elsewhere.
const WINDOW_SLOW: Duration = Duration::from_secs(2);
/// Round trip that is assumed before one is measured.
pub(super) const ROUND_TRIP_ASSUMED: Duration = Duration::from_millis(100);
/// Packets that the far end may have asked for and not got; more are refused.
pub(super) const REQUESTED_MAX: usize = 512;

/// Where a link is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Being set up; given up at the deadline.
    Opening {
        /// When.
        deadline: Time,
    },
    /// The channel is open; the far end's hello has not come.
    Greeting {
        /// When it is given up.
        deadline: Time,
    },
    /// Both said hello.
    Open,
    /// We asked the adapter to close it.
    Closing,
}

/// What the far end wants and has, and what was sent to it.
#[derive(Debug)]
pub(super) struct Sending {
    /// Bytes the channel takes before it says that there is room again.
    pub(super) room_bytes: usize,
    /// Sum of payload that may be sent on this link.
    pub(super) credit_limit_bytes: u64,
    /// Sum of payload that was sent.
    pub(super) payload_bytes: u64,
    /// Of it, what the far end has acknowledged.
    pub(super) acked_bytes: u64,
    /// When it acknowledged something last, or when something was sent after all had been acknowledged.
    pub(super) acked_at: Time,
    /// How long acknowledgements take at the quickest.
    pub(super) ack_time: AckTime,
    /// Payload as the far end acknowledges it.
    pub(super) acked: Meter,
    /// The most that was acknowledged in a second lately.
    pub(super) best: Best,
    /// What goes there in the time that may be in flight.
    pub(super) carries: Lately<u64>,
    /// Fair service: the link that has least of it sends next.
    pub(super) served_bytes: u64,
    /// When something that was asked for went last, or the first of what waits was asked for.
    pub(super) answered_at: Time,
    /// It had nothing to send, or the far end takes no more, since it sent last: it joins in where the others are.
    pub(super) is_idle: bool,
    /// Packets that the far end will get elsewhere: they are not pushed.
    pub(super) declined: PacketSet,
    /// Stripes that the far end asked to be pushed, as it counts them.
    pub(super) subscribed: (u8, StripeMask),
    /// The place from which it wants to be pushed; steps are counted from there (`schedule`).
    pub(super) from: u32,
    /// Every step below was looked at for the push; what comes later below it is in `fresh`.
    pub(super) cursor: u32,
    /// Every step below was looked at for what was sent to nobody yet; at an origin.
    pub(super) first_cursor: u32,
    /// Steps below the cursor at whose packets something new is there to push.
    pub(super) fresh: BTreeSet<u32>,
    /// Packets that the far end asked for one by one.
    pub(super) requested: VecDeque<PacketIndex>,
    /// Packets that are to be sent as soon as they are read.
    pub(super) awaiting: BTreeSet<PacketIndex>,
    /// Groups that were sent.
    pub(super) sent: GroupSet,
    /// Nodes of the hash tree that the far end knows.
    pub(super) known: KnownNodes,
    /// Entries of the log of held packets that the far end was told of.
    pub(super) told: usize,
    pub(super) meter: Meter,
}

/// A packet that was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// When it should be there.
    pub(super) expected: Time,
    /// When it may be asked for elsewhere as well.
    pub(super) overdue: Time,
}

/// What the far end may send, and what came.
#[derive(Debug)]
pub(super) struct Receiving {
    /// Sum of payload that came.
    pub(super) payload_bytes: u64,
    /// Sum of payload that it may send.
    pub(super) granted_bytes: u64,
    window_bytes: u32,
    window_bytes_min: u32,
    window_bytes_max: u32,
    round_started: Time,
    round_bytes: u64,
    /// Stripes that we asked it to push, and from which place.
    pub(super) subscribed: StripeMask,
    pub(super) from: u32,
    pub(super) subscribed_at: Time,
    /// When payload came last.
    pub(super) payload_at: Time,
    /// Packets that we asked for one by one and did not get yet.
    pub(super) outstanding: BTreeMap<PacketIndex, Asked>,
    /// Packets that we told it not to push, since we asked another for them.
    pub(super) declined: PacketSet,
    /// What was acknowledged last.
    pub(super) acked_bytes: u64,
    /// What had come when the tracker was told last.
    reported_bytes: u64,
    /// Of the looks since then, those at which more was wanted.
    looks: u32,
    looks_waiting: u32,
    /// Whether it feeds us and has more to push than comes at once.
    pub(super) is_behind: bool,
    /// It did not bring, or refused, what it was asked for: it is not asked before.
    pub(super) rests_until: Time,
    /// Groups that it sent. An honest sender sends none twice on one link.
    pub(super) got: GroupSet,
    pub(super) meter: Meter,
}

/// One link to one peer.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) peer: PeerId,
    /// Which attempt of the two to connect; the dialling end counts.
    pub(super) session: u32,
    pub(super) dialled: bool,
    /// How it came about, if it was looked up: then nobody vouches for `peer`.
    pub(super) found: Option<Found>,
    pub(super) state: State,
    pub(super) agent: String,
    /// How often the far end said hello.
    pub(super) hellos: u8,
    /// Packets that the far end has, as far as it had to tell: who has a packet already is not told of it.
    pub(super) has: PacketSet,
    /// How many it has in all, as it said last.
    pub(super) holds_packets: Option<u32>,
    /// When anything came last.
    pub(super) heard: Time,
    /// The ping that is not answered yet.
    pub(super) pinged: Option<(u32, Time)>,
    pub(super) round_trip: Option<Duration>,
    /// The shortest round trip that was measured: what is left when nothing waits in buffers on the way.
    pub(super) round_trip_min: Option<Duration>,
    /// The plan says to close it; it stays until what it brings comes from elsewhere, at most until then.
    pub(super) close_by: Option<Time>,
    /// The far end said good-bye: its going is no loss to report.
    pub(super) said_goodbye: bool,
    /// What it says that it is fetching from web servers.
    pub(super) claim: Claim,
    /// What it probes its uplink with.
    pub(super) train: Train,
    pub(super) sending: Sending,
    pub(super) receiving: Receiving,
}

impl Link {
    pub(super) fn new(
        peer: PeerId,
        session: u32,
        dialled: bool,
        deadline: Time,
        geometry: Geometry,
        window_bytes_max: u32,
        now: Time,
    ) -> Self {
        Self {
            peer,
            session,
            dialled,
            found: None,
            state: State::Opening { deadline },
            agent: String::new(),
            hellos: 0,
            has: PacketSet::new(geometry),
            holds_packets: None,
            heard: now,
            pinged: None,
            round_trip: None,
            round_trip_min: None,
            close_by: None,
            said_goodbye: false,
            claim: Claim::default(),
            train: Train::default(),
            sending: Sending::new(geometry),
            receiving: Receiving::new(geometry, window_bytes_max, now),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Takes in a measured round trip; the latest counts for a quarter, but a shorter one is believed at once.
    pub(super) fn measured(&mut self, round_trip: Duration) {
        self.round_trip = Some(match self.round_trip {
            Some(before) if before < round_trip => (before * 3 + round_trip) / 4,
            _ => round_trip,
        });
        self.round_trip_min = Some(self.round_trip_min.map_or(round_trip, |least| least.min(round_trip)));
    }
}

impl Sending {
    fn new(geometry: Geometry) -> Self {
        Self {
            room_bytes: 0,
            credit_limit_bytes: 0,
            payload_bytes: 0,
            acked_bytes: 0,
            acked_at: Time::ZERO,
            ack_time: AckTime::default(),
            acked: Meter::default(),
            best: Best::default(),
            carries: Lately::default(),
            served_bytes: 0,
            is_idle: true,
            answered_at: Time::ZERO,
            declined: PacketSet::new(geometry),
            subscribed: (1, StripeMask::NONE),
            from: 0,
            cursor: 0,
            first_cursor: 0,
            fresh: BTreeSet::new(),
            requested: VecDeque::new(),
            awaiting: BTreeSet::new(),
            sent: GroupSet::new(geometry),
            known: KnownNodes::new(&geometry),
            told: 0,
            meter: Meter::default(),
        }
    }

    /// Payload that is sent and not acknowledged.
    pub(super) fn flight_bytes(&self) -> u64 {
        self.payload_bytes - self.acked_bytes
    }

    /// Whether nothing of what is in flight was acknowledged for so long.
    pub(super) fn is_frozen(&self, after: Duration, now: Time) -> bool {
        self.flight_bytes() > 0 && now - self.acked_at >= after
    }

    /// Whether the far end wants to be pushed the packet at this place.
    pub(super) fn wants_pushed(&self, place: u32) -> bool {
        let (stripes, mask) = self.subscribed;
        mask.contains((place % u32::from(stripes)) as u8)
    }

    /// The packet at a step of the push.
    pub(super) fn at_step(&self, step: u32, order: &PacketOrder) -> Option<PacketIndex> {
        place_at(step, self.from, order.places()).and_then(|place| order.at(place))
    }

    /// Begins with the push anew, at another place or with other stripes. What was sent is not sent again.
    pub(super) fn push_from(&mut self, from: u32) {
        self.from = from;
        self.cursor = 0;
        self.first_cursor = 0;
        self.fresh.clear();
    }

    /// Whether so much payload may be sent now. A message never has to wait for more room than the channel ever has,
    /// since the room after draining is larger than the largest message.
    pub(super) fn may_send(&self, message_bytes: usize, payload_bytes: usize) -> bool {
        message_bytes <= self.room_bytes && self.payload_bytes + payload_bytes as u64 <= self.credit_limit_bytes
    }
}

impl Receiving {
    fn new(geometry: Geometry, window_bytes_max: u32, now: Time) -> Self {
        let window_bytes_min = (WINDOW_PACKETS_START * geometry.packet_bytes()).min(window_bytes_max);
        Self {
            payload_bytes: 0,
            granted_bytes: 0,
            window_bytes: window_bytes_min,
            window_bytes_min,
            window_bytes_max,
            round_started: now,
            round_bytes: 0,
            subscribed: StripeMask::NONE,
            from: 0,
            subscribed_at: now,
            payload_at: now,
            outstanding: BTreeMap::new(),
            declined: PacketSet::new(geometry),
            acked_bytes: 0,
            reported_bytes: 0,
            looks: 0,
            looks_waiting: 0,
            is_behind: false,
            rests_until: Time::ZERO,
            got: GroupSet::new(geometry),
            meter: Meter::default(),
        }
    }

    /// Counts payload that came; false if it was more than was granted.
    pub(super) fn count(&mut self, payload_bytes: u64, round_trip: Option<Duration>, now: Time) -> bool {
        self.payload_bytes += payload_bytes;
        self.payload_at = now;
        self.meter.add(payload_bytes, now);
        self.round_bytes += payload_bytes;
        if self.round_bytes >= u64::from(self.window_bytes) {
            let fast = now - self.round_started < round_trip.unwrap_or(ROUND_TRIP_ASSUMED) * WINDOW_ROUND_TRIPS;
            if fast {
                self.window_bytes = self.window_bytes.saturating_mul(2).min(self.window_bytes_max);
            } else if now - self.round_started > WINDOW_SLOW {
                self.window_bytes = (self.window_bytes / 2).max(self.window_bytes_min);
            }
            self.round_started = now;
            self.round_bytes = 0;
        }
        self.payload_bytes <= self.granted_bytes
    }

    /// The next limit to tell, if it is worth a message: a step of the window is used up.
    pub(super) fn next_grant(&mut self) -> Option<u64> {
        let limit = self.payload_bytes + u64::from(self.window_bytes);
        if limit < self.granted_bytes + u64::from(self.window_bytes) / WINDOW_STEPS {
            return None;
        }
        self.granted_bytes = limit;
        self.acked_bytes = self.payload_bytes;
        Some(limit)
    }

    /// Looks whether more is wanted than comes; once a second.
    pub(super) fn look(&mut self) {
        self.looks += 1;
        self.looks_waiting += u32::from(self.is_behind || !self.outstanding.is_empty());
    }

    /// Payload that came since this was asked last, and whether more was wanted most of the time.
    pub(super) fn take_report(&mut self) -> (u64, bool) {
        let bytes = self.payload_bytes - self.reported_bytes;
        let waited = self.looks > 0 && self.looks_waiting * 2 > self.looks;
        (self.reported_bytes, self.looks, self.looks_waiting) = (self.payload_bytes, 0, 0);
        (bytes, waited)
    }

    /// Whether something came that was not acknowledged.
    pub(super) fn owes_ack(&self) -> bool {
        self.payload_bytes > self.acked_bytes
    }
}
