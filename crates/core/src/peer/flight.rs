//! How much of what this peer sends may be in flight: sent, and not acknowledged.
//!
//! Over all links it stays within what the uplink carries in 120 ms beyond the time that acknowledgements take anyway. More
//! would wait in the channels' buffers, where it can't be taken back when the far end gets it elsewhere, and where a group
//! that just came in would have to wait behind it; and in the line's queue, before the transport's own acknowledgements of
//! all that comes in, or where that is full: what a queue drops costs a channel half of its window, or a second. On each
//! link it stays within twice what was acknowledged there in that time lately: a channel that stands still, as one does for
//! a second or more after a loss, or a far end that acknowledges late would have the whole soon, and the uplink would lie
//! idle.
//!
//! What the uplink carries is the most that was acknowledged lately (a windowed maximum, as in Cardwell et al., *BBR*,
//! ACM Queue 2016): the mean falls whenever there is little to send, and would hold back what comes next. (The idea of
//! LEDBAT, RFC 6817: keep the queue that one causes short, told from a base delay that is measured anew now and then; here
//! with the acknowledgements that credit brings.) The base matters: what acknowledges us waits behind what the far end sends
//! itself, and a limit below that time would hold the rate where it happens to be.

use core::time::Duration;

use super::Peer;
use super::link::{Link, ROUND_TRIP_ASSUMED, WINDOW_STEPS};
use super::sending::ANNOUNCE_AFTER;
use super::timers::Reason;
use crate::ids::LinkId;
use crate::time::Time;

/// What the uplink carries in so long, beyond the time that acknowledgements take anyway, may be in flight.
const FLIGHT: Duration = Duration::from_millis(120);
/// A link may have so many times as much in flight as went there in that time: so it grows, and so one that is behind can be
/// served more than before.
const LINK_GAIN: u64 = 2;
/// An uplink for which everything waits so long, and that carries less than this part of what comes in, is needed for the
/// transport's acknowledgements of what comes in, a twentieth of it: nobody is promised anything for a while.
const SPARE_QUEUE: Duration = Duration::from_millis(300);
const SPARE_PARTS: u64 = 5;
const SPARE: Duration = Duration::from_secs(15);
/// Acknowledgements of so long tell that: a slow uplink gets few.
const SPARE_FRESH: Duration = Duration::from_secs(5);
/// What waits longer than this, beyond the time that acknowledgements take anyway, waits for the uplink.
const QUEUE: Duration = Duration::from_millis(100);
/// What the uplink carries in so long may be promised to those who ask.
const ANSWER: Duration = Duration::from_millis(500);
/// So many may be promised one packet each in any case: the answers tell what the uplink carries.
const ANSWERS_MIN: usize = 2;
/// Groups that may be in flight at least over all links: little enough for the slowest uplinks, whose queue
/// acknowledgements of what comes in have to pass.
const FLIGHT_GROUPS_MIN: u64 = 1;
/// Groups that may be in flight at least on each link.
const LINK_GROUPS_MIN: u64 = 2;
/// Groups that may be in flight over all links until so many were acknowledged that something is known of the uplink.
const FLIGHT_GROUPS_START: u64 = 4;
const GROUPS_START: u64 = 16;
/// A far end that has acknowledged nothing for so many times as long as all that may be in flight takes is frozen or
/// gone: what is on its way to it does not hold up the others.
const FLIGHTS_MAX: u32 = 4;

/// Bytes that a rate brings in so long.
fn carried(bytes_per_s: u64, span: Duration) -> u64 {
    bytes_per_s.saturating_mul(span.as_micros() as u64) / 1_000_000
}

/// How long acknowledgements on a link take when nothing of this peer's waits before them. Where everything that went on
/// it so far had to wait, the round trip tells, and how long a far end may wait before it acknowledges.
fn ack_time_of(link: &Link) -> Option<Duration> {
    let at_most = link.round_trip_min.map_or(Duration::MAX, |round_trip| round_trip + ANNOUNCE_AFTER);
    link.sending.ack_time.get(at_most)
}

/// What goes on a link in the time that acknowledgements take there and what may be in flight beyond, as far as was seen
/// lately.
fn link_carries(link: &Link, now: Time) -> u64 {
    link.sending.carries.get(now, || {
        let base = ack_time_of(link).unwrap_or(ROUND_TRIP_ASSUMED);
        carried(link.sending.acked.bytes_per_s(now).max(link.sending.best.bytes_per_s()), base + FLIGHT)
    })
}

/// How long what is sent on a link waits beyond what acknowledgements take anyway, by Little's law: what is in flight
/// over the rate. One link may wait for its far end; if most do, they wait for this peer's uplink.
fn wait_micros(link: &Link, now: Time) -> Option<u64> {
    let sending = &link.sending;
    let bytes_per_s = sending.meter.bytes_per_s(now);
    if !link.is_open() || bytes_per_s == 0 {
        return None;
    }
    // Acknowledgements come in steps, so that much may have arrived.
    let step_bytes = sending.credit_limit_bytes.saturating_sub(sending.acked_bytes) / WINDOW_STEPS;
    let waiting_bytes = (sending.payload_bytes - sending.acked_bytes).saturating_sub(step_bytes);
    let base = ack_time_of(link).or(link.round_trip_min).unwrap_or(ROUND_TRIP_ASSUMED);
    Some((waiting_bytes.saturating_mul(1_000_000) / bytes_per_s).saturating_sub(base.as_micros() as u64))
}

impl Peer {
    /// Whether as much is on its way as the uplink carries in a moment. What was asked for goes only while there is half
    /// of that: it has other ways, and what is pushed has not.
    pub(super) fn is_flight_full(&self, is_push: bool, now: Time) -> bool {
        let bytes_per_s = self.uplink.carries_bytes_per_s(now);
        let base = self.ack_time(now);
        let parts = if is_push { 1 } else { 2 };
        let bytes_max = carried(bytes_per_s, base + FLIGHT / parts).max(self.flight_min_bytes() / u64::from(parts));
        self.flight_bytes(bytes_per_s, base, now) >= bytes_max
    }

    /// How long what is sent waits for this peer's uplink, as far as acknowledgements lately tell: what it waits on every
    /// link, since on one it may wait for its far end. A far end that lies about its clock can make a queue seem short:
    /// how much may be in flight is bounded all the same. It can make one seem long where nothing is sent to anybody else:
    /// a peer that carries little beside what comes in then promises nothing.
    fn uplink_wait(&self, now: Time) -> Option<Duration> {
        let open = self.links.values().filter(|link| link.is_open());
        open.filter_map(|link| link.sending.ack_time.waits_there(SPARE_FRESH, now)).min()
    }

    /// Whether acknowledgements of what comes in need the uplink, so that nobody is promised anything.
    pub(super) fn is_spared(&self, now: Time) -> bool {
        now < self.uplink.spared_until
    }

    /// An uplink that is full and carries little beside what comes in is left to acknowledgements for a while.
    fn look_whether_to_spare(&mut self, now: Time) {
        let is_full = self.uplink_wait(now).is_some_and(|wait| wait > SPARE_QUEUE);
        let carries = self.uplink.carries_bytes_per_s(now);
        if is_full && carries.saturating_mul(SPARE_PARTS) < self.totals.received.bytes_per_s(now) {
            self.uplink.spared_until = now + SPARE;
        }
    }

    /// Whether a link has as much in flight, or about to be once it is read, as it may have by itself.
    pub(super) fn is_link_full(&self, link: &Link, now: Time) -> bool {
        let awaited_bytes = link.sending.awaiting.len() as u64 * u64::from(self.geometry.packet_bytes());
        link.sending.flight_bytes() + awaited_bytes >= self.link_flight_max(link, now)
    }

    fn link_flight_max(&self, link: &Link, now: Time) -> u64 {
        link_carries(link, now).saturating_mul(LINK_GAIN).max(self.link_flight_min_bytes())
    }

    /// What of a link's flight is held to be on the uplink: as much as goes there in that time, two groups at least.
    fn link_flight_counted(&self, link: &Link, now: Time) -> u64 {
        link.sending.flight_bytes().min(link_carries(link, now).max(self.link_flight_min_bytes()))
    }

    fn link_flight_min_bytes(&self) -> u64 {
        LINK_GROUPS_MIN * u64::from(self.geometry.group_bytes())
    }

    fn flight_min_bytes(&self) -> u64 {
        let group_bytes = u64::from(self.geometry.group_bytes());
        let is_known = self.uplink.acked.total_bytes() >= GROUPS_START * group_bytes;
        group_bytes * if is_known { FLIGHT_GROUPS_MIN } else { FLIGHT_GROUPS_START }
    }

    /// How long acknowledgements take when nothing of ours waits before them: the mean over the links, each by what goes
    /// on it, so that a few who acknowledge late make no room for more to the others.
    fn ack_time(&self, now: Time) -> Duration {
        self.uplink.ack_time.get(now, || self.find_ack_time(now))
    }

    fn find_ack_time(&self, now: Time) -> Duration {
        let open = self.links.values().filter(|link| link.is_open());
        let times = open.filter_map(|link| Some((ack_time_of(link)?, link.sending.meter.bytes_per_s(now))));
        let (sum, weights) = times.fold((0, 0), |(sum, weights), (time, bytes_per_s)| {
            // One more: if nothing goes anywhere, all count the same.
            let weight = u128::from(bytes_per_s) + 1;
            (sum + time.as_micros() * weight, weights + weight)
        });
        sum.checked_div(weights).map_or(ROUND_TRIP_ASSUMED, |micros: u128| Duration::from_micros(micros as u64))
    }

    /// What is in flight, but to far ends that are frozen, and of each link no more than usual: what is more waits for
    /// that far end, not for the uplink.
    fn flight_bytes(&self, bytes_per_s: u64, base: Duration, now: Time) -> u64 {
        let frozen_after = self.frozen_after(bytes_per_s, base);
        let is_up = |link: &&Link| link.is_open() && !link.sending.is_frozen(frozen_after, now);
        self.links.values().filter(is_up).map(|link| self.link_flight_counted(link, now)).sum()
    }

    /// A far end that has acknowledged nothing for so long is frozen or gone.
    fn frozen_after(&self, bytes_per_s: u64, base: Duration) -> Duration {
        let drains_micros = self.flight_min_bytes().saturating_mul(1_000_000).checked_div(bytes_per_s).unwrap_or(0);
        (base + FLIGHT * 2).max(Duration::from_micros(drains_micros.min(5_000_000))) * FLIGHTS_MAX
    }

    /// Whether a far end lets what was sent to it lie: it gets no more until it acknowledges some.
    pub(super) fn is_far_end_frozen(&self, link: &Link, now: Time) -> bool {
        let frozen_after = self.frozen_after(self.uplink.carries_bytes_per_s(now), self.ack_time(now));
        link.sending.is_frozen(frozen_after, now)
    }

    /// Looks whether the uplink is at its limit; several times a second while anything goes on.
    pub(super) fn look_at_uplink(&mut self, now: Time) {
        if self.uplink.acked.bytes_per_s(now) == 0 {
            // Nothing came back yet: what is on its way says nothing.
            return;
        }
        self.uplink.looks += 1;
        self.uplink.best.note(self.uplink.acked.bytes_per_s(now), now);
        self.look_whether_to_spare(now);
        let mut waits: Vec<u64> = self.links.values().filter_map(|link| wait_micros(link, now)).collect();
        waits.sort_unstable();
        let least = waits.get(waits.len() / 4);
        let waits = least.is_some_and(|micros| u128::from(*micros) > QUEUE.as_micros());
        // A limit that a person set is one as well.
        let is_held_back = self.timers.is_set(Reason::Upload);
        self.uplink.looks_full += u32::from(waits || is_held_back || self.is_flight_full(true, now));
    }

    /// Whether the uplink was at its limit most of the time since this was asked last.
    pub(super) fn take_uplink_report(&mut self) -> bool {
        let (looks, full) = (core::mem::take(&mut self.uplink.looks), core::mem::take(&mut self.uplink.looks_full));
        full * 2 > looks
    }

    /// How many more packets may be promised to those who ask: as many as the uplink carries in a moment, less what is
    /// promised, and none while what is pushed takes all of it.
    pub(super) fn answers_max(&self, id: LinkId, now: Time) -> usize {
        if self.is_spared(now) || self.is_flight_full(true, now) && !self.is_far_behind(id) {
            return 0;
        }
        let promised: usize = self.links.values().map(|link| link.sending.requested.len()).sum();
        let is_promised = self.links.get(&id).is_some_and(|link| !link.sending.requested.is_empty());
        let carried = carried(self.uplink.carries_bytes_per_s(now), ANSWER);
        let carried = (carried / u64::from(self.geometry.packet_bytes())) as usize;
        carried.saturating_sub(promised).max(usize::from(!is_promised && promised < ANSWERS_MIN))
    }
}
