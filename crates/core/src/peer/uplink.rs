//! Whose turn it is on this peer's uplink. How much may be on its way at a time: [`flight`](super::flight).
//!
//! * *Turns*: the link that has been served least goes next (start-time fair queueing), so that one that asks for much
//!   does not starve the others. What goes to a far end that has less than the others counts less, and it is answered
//!   even while the uplink is full: all get the whole at about the same time. How much it has it says with its credit: what
//!   it has announced is less, since nobody tells of what the other has. One that makes itself out to be behind
//!   gains four times a share at most.
//! * *Origin*: a peer that has had everything from the start sends each packet once before it sends any a second time:
//!   others can pass on what is out, nobody else can bring what is not. It does so in step: a stripe whose packets come
//!   later than those of the others is late for all who are below it, at the end too. Channels share the uplink alike,
//!   whatever was put into them first; so while what is to go first waits for room in its channel, few others are served.
//! * *Upload limit*: a person's limit, a token bucket of bytes.

use core::time::Duration;
use std::collections::BTreeMap;

use super::limit::RateLimit;
use super::link::Link;
use super::meter::{Best, Lately, Meter};
use super::schedule::step_of;
use super::{Life, Peer};
use crate::content::{PacketIndex, PacketSet};
use crate::ids::{LinkId, PeerId};
use crate::time::Time;
use crate::wire::tracker::StripeMask;

/// A message takes so long on the uplink at most, and never has less than a group: a peer that feeds several sends to
/// each in turn, and whoever comes last waits for all before it. Large messages cost less, so fast uplinks send them.
const MESSAGE: Duration = Duration::from_millis(20);
/// One that ceases to pass on what an origin sent to it alone may have done so already, and one whose link is closed may
/// do so over others: others tell within so long.
const DOUBT: Duration = Duration::from_secs(3);
/// Links that are gone whose far ends may still pass on what they were sent; what went over further ones counts as not sent
/// at once.
const LEFT_MAX: usize = 64;
/// So many far ends are served at a time while what an origin is to send first waits, as long as the uplink carries this
/// part of what it can, in percent: who waits may have a slow downlink.
const BESIDE_FIRST: usize = 1;
const BESIDE_FIRST_PERCENT: u64 = 80;
/// One far end is served up to so many times as fast as the mean, or as slow.
const FAVOUR_MAX: u64 = 4;
/// Who is behind or ahead by this part of the content is served twice as fast, or half as fast; more is more so.
const LAG_PARTS: u32 = 64;
const LAG_PACKETS_MIN: u32 = 16;

/// The state of the uplink.
#[derive(Debug, Default)]
pub(super) struct Uplink {
    pub(super) limit: RateLimit,
    /// Payload as far ends acknowledge it.
    pub(super) acked: Meter,
    /// The most that was acknowledged in a second lately.
    pub(super) best: Best,
    /// How long acknowledgements take.
    pub(super) ack_time: Lately<Duration>,
    /// Service that the link which sent last had before: where a link that was idle joins in.
    served_bytes: u64,
    /// Packets that far ends have which lack some, in the mean of those who said so: who has fewer is behind.
    held_mean: u32,
    /// Until then it is left to acknowledgements of what comes in.
    pub(super) spared_until: Time,
    /// Looks since the tracker was told last, and those at which as much was in flight as may be.
    pub(super) looks: u32,
    pub(super) looks_full: u32,
    /// Packets that were sent to somebody, if each is to be sent once before any is sent again.
    pub(super) sent_once: Option<PacketSet>,
    /// Stripes that far ends ceased to pass on, and when it is looked what became of them: one entry a link.
    pub(super) doubts: BTreeMap<LinkId, (Time, StripeMask)>,
    /// What was sent over links that are gone and to nobody else, to whom, and when it is looked what became of it: one entry
    /// a link, [`LEFT_MAX`] at most, each as large as what an open link remembers of what was sent there.
    left: Vec<(Time, PeerId, PacketSet)>,
}

impl Uplink {
    /// What it carries, in bytes a second, as far as was seen lately.
    pub(super) fn carries_bytes_per_s(&self, now: Time) -> u64 {
        self.acked.bytes_per_s(now).max(self.best.bytes_per_s())
    }

    /// Groups that one message may carry.
    pub(super) fn groups_max(&self, group_bytes: u32, now: Time) -> u32 {
        let bytes = u128::from(self.acked.bytes_per_s(now)) * MESSAGE.as_millis() / 1_000;
        u32::try_from(bytes / u128::from(group_bytes)).unwrap_or(u32::MAX).max(1)
    }
}

impl Peer {
    /// The far end tells what it got, and what it will take.
    pub(super) fn far_credits(&mut self, id: LinkId, received_bytes: u64, limit_bytes: u64, clock_ms: u32, now: Time) {
        let was_full = self.is_flight_full(false, now);
        let Some(link) = self.links.get_mut(&id) else { return };
        let sending = &mut link.sending;
        sending.credit_limit_bytes = sending.credit_limit_bytes.max(limit_bytes);
        let received_bytes = received_bytes.min(sending.payload_bytes);
        let acked = received_bytes.saturating_sub(sending.acked_bytes);
        if acked > 0 {
            sending.acked_bytes = received_bytes;
            sending.acked_at = now;
            sending.ack_time.acked(received_bytes, clock_ms, now);
            sending.acked.add(acked, now);
            sending.best.note(sending.acked.bytes_per_s(now), now);
            self.uplink.acked.add(acked, now);
        }
        if was_full { self.pump_all(now) } else { self.pump(id, now) }
    }

    /// Sends on all links, in turns, until each is blocked or has nothing.
    pub(super) fn pump_all(&mut self, now: Time) {
        if self.life != Life::Running {
            return;
        }
        self.look_at_far_ends();
        if self.uplink.sent_once.as_ref().is_some_and(PacketSet::is_full) {
            self.uplink.sent_once = None;
        }
        if self.uplink.sent_once.is_some() {
            self.take_first_turns(now);
        }
        self.take_turns(now);
    }

    /// A far end no longer passes these stripes on. What an origin sent to it alone is looked at again in a moment: it may
    /// have passed it on already, and others will tell.
    pub(super) fn doubt(&mut self, id: LinkId, stripes: StripeMask, now: Time) {
        if self.uplink.sent_once.is_some() && !stripes.is_empty() {
            let (_, doubted) = self.uplink.doubts.entry(id).or_insert((now + DOUBT, StripeMask::NONE));
            *doubted = doubted.union(stripes);
        }
    }

    /// Looks at what was doubted long enough ago.
    pub(super) fn look_at_doubts(&mut self, now: Time) {
        let ripe = self.uplink.left.extract_if(.., |(at, ..)| *at <= now).collect::<Vec<_>>();
        for (_, peer, left) in ripe {
            let left: Vec<PacketIndex> = left.iter().filter(|packet| !self.is_elsewhere(peer, *packet)).collect();
            self.count_unsent(&left);
        }
        let ripe = |(id, (at, stripes)): (&LinkId, &(Time, StripeMask))| (*at <= now).then_some((*id, *stripes));
        let due = self.uplink.doubts.iter().filter_map(ripe).collect::<Vec<_>>();
        for (id, stripes) in due {
            self.uplink.doubts.remove(&id);
            let Some(link) = self.links.get(&id) else { continue };
            let left = self.sent_in_vain(link, stripes.without(link.sending.subscribed.1));
            self.count_unsent(&left);
        }
    }

    /// A link is gone. What an origin sent to its far end alone is looked at again in a moment: it may pass it on over others.
    pub(super) fn forget_sent(&mut self, id: LinkId, link: &Link, now: Time) {
        self.uplink.doubts.remove(&id);
        let left = self.sent_in_vain(link, StripeMask(u16::MAX));
        if left.is_empty() || self.uplink.left.len() >= LEFT_MAX {
            return self.count_unsent(&left);
        }
        let mut doubted = PacketSet::new(self.geometry);
        for packet in left {
            doubted.insert(packet);
        }
        self.uplink.left.push((now + DOUBT, link.peer, doubted));
    }

    /// What an origin sent to one that does not pass these stripes on, and nobody else is known to have: whoever comes in
    /// its place needs it, and one that was too slow gives it to few.
    fn sent_in_vain(&self, link: &Link, stripes: StripeMask) -> Vec<PacketIndex> {
        let Some(once) = self.uplink.sent_once.as_ref().filter(|_| !stripes.is_empty()) else { return Vec::new() };
        let (order, sending) = (self.schedule.order(), &link.sending);
        let of_stripes = once.iter().filter(|packet| stripes.contains(self.feeding.stripe_of(order.place_of(*packet))));
        let sent =
            of_stripes.filter(|packet| sending.sent.packet_groups(*packet) != 0 || sending.awaiting.contains(packet));
        sent.filter(|packet| !self.is_elsewhere(link.peer, *packet)).collect()
    }

    /// An origin has these to send for the first time, once more.
    pub(super) fn count_unsent(&mut self, packets: &[PacketIndex]) {
        let Some(once) = self.uplink.sent_once.as_mut().filter(|_| !packets.is_empty()) else { return };
        for packet in packets {
            once.remove(*packet);
        }
        let order = self.schedule.order();
        for sending in self.links.values_mut().map(|link| &mut link.sending) {
            let steps = packets.iter().map(|packet| step_of(order.place_of(*packet), sending.from, order.places()));
            sending.first_cursor = steps.fold(sending.first_cursor, u32::min);
        }
    }

    /// Whether a packet went, or goes, to somebody else than this peer, or somebody else has it.
    pub(super) fn is_elsewhere(&self, peer: PeerId, packet: PacketIndex) -> bool {
        let place = self.schedule.order().place_of(packet);
        let whole = self.holdings.full_groups(packet);
        let mut others = self.links.values().filter(|other| other.peer != peer);
        others.any(|other| {
            let (sending, sent) = (&other.sending, other.sending.sent.packet_groups(packet));
            let goes_on = sending.wants_pushed(place) && !sending.declined.contains(packet);
            other.has.contains(packet) || sent == whole || sent != 0 && goes_on
        })
    }

    /// Who has so many packets less than the mean is served twice as fast.
    fn lag_unit(&self) -> u32 {
        (self.geometry.packets() / LAG_PARTS).max(LAG_PACKETS_MIN)
    }

    /// Whether a far end has so much less than the others that it goes before what is pushed to them.
    pub(super) fn is_far_behind(&self, id: LinkId) -> bool {
        let unit = self.lag_unit();
        self.links.get(&id).and_then(|link| link.holds_packets).is_some_and(|held| held + unit < self.uplink.held_mean)
    }

    /// Looks how many packets far ends have that lack some: who has everything, or says so, is nobody to be level with.
    pub(super) fn look_at_far_ends(&mut self) {
        let open = self.links.values().filter(|link| link.is_open() && !link.has.is_full());
        let all = self.geometry.packets();
        let held = open.filter_map(|link| link.holds_packets).filter(|held| *held < all);
        let (sum, count) = held.fold((0, 0), |(sum, count), held| (sum + u64::from(held), count + 1));
        self.uplink.held_mean = sum.checked_div(count).map_or(0, |mean| mean as u32);
    }

    fn take_turns(&mut self, now: Time) {
        let open = self.links.iter().filter(|(_, link)| link.is_open());
        let mut turns: Vec<(u64, LinkId)> = open.map(|(id, link)| (link.sending.served_bytes, *id)).collect();
        let first = self.waiting_to_go_first(now);
        while let Some(next) = (0..turns.len()).min_by_key(|turn| turns[*turn]) {
            let (served_bytes, id) = &mut turns[next];
            if self.may_go_beside(*id, &first) && self.send_one(*id, false, now) {
                *served_bytes = self.links.get(id).map_or(u64::MAX, |link| link.sending.served_bytes);
            } else {
                turns.swap_remove(next);
            }
        }
    }

    /// Links on which an origin has something to send for the first time, and can't just now, if that is for lack of
    /// uplink.
    fn waiting_to_go_first(&mut self, now: Time) -> Vec<LinkId> {
        let carried = self.uplink.acked.bytes_per_s(now).saturating_mul(100);
        let is_used = carried >= self.uplink.carries_bytes_per_s(now).saturating_mul(BESIDE_FIRST_PERCENT);
        if self.uplink.sent_once.is_none() || !is_used {
            return Vec::new();
        }
        let is_up = |link: &Link| link.is_open() && !self.is_far_end_frozen(link, now);
        let up: Vec<LinkId> = self.links.iter().filter(|(_, link)| is_up(link)).map(|(id, _)| *id).collect();
        up.into_iter().filter(|id| self.next_first(*id, false).is_some()).collect()
    }

    /// Whether a link may be served while these wait.
    fn may_go_beside(&self, id: LinkId, first: &[LinkId]) -> bool {
        let is_busy = |(other, link): &(&LinkId, &Link)| {
            **other != id && !first.contains(other) && link.is_open() && link.sending.flight_bytes() > 0
        };
        first.is_empty() || first.contains(&id) || self.links.iter().filter(is_busy).count() < BESIDE_FIRST
    }

    /// Sends what went to nobody yet, all stripes in step: a stripe that is behind holds up all who are below it. Of a row
    /// of packets, one in each stripe, each has its first group sent before any has its second.
    fn take_first_turns(&mut self, now: Time) {
        while !self.is_flight_full(true, now) {
            let may_answer = !self.is_flight_full(false, now);
            let open: Vec<LinkId> = self.links.iter().filter(|(_, link)| link.is_open()).map(|(id, _)| *id).collect();
            let mut turns: Vec<_> =
                open.into_iter().filter_map(|id| Some((self.first_turn(id, may_answer)?, id))).collect();
            turns.sort_unstable();
            if !turns.into_iter().any(|(_, id)| self.send_one(id, true, now)) {
                return;
            }
        }
    }

    /// When a link's next packet that went to nobody yet is due: its row, and how much of it has gone.
    fn first_turn(&mut self, id: LinkId, may_answer: bool) -> Option<(u32, u32, u64)> {
        let packet = self.next_first(id, may_answer || self.is_far_behind(id))?;
        let order = self.schedule.order();
        let sending = &self.links.get(&id)?.sending;
        let step = step_of(order.place_of(packet), sending.from, order.places());
        let row = step / u32::from(sending.subscribed.0).max(1);
        Some((row, sending.sent.packet_groups(packet).count_ones(), sending.served_bytes))
    }

    /// Sends on one link, or, where others may come first, on all.
    pub(super) fn pump(&mut self, id: LinkId, now: Time) {
        if self.uplink.sent_once.is_some() {
            return self.pump_all(now);
        }
        while self.send_one(id, false, now) {}
    }

    /// Counts what a link was served.
    pub(super) fn count_served(&mut self, id: LinkId, bytes: u64, now: Time) {
        self.uplink.limit.spend(bytes);
        let sent_bytes = bytes;
        let unit = u64::from(self.lag_unit());
        let held_mean = self.uplink.held_mean;
        let Some(link) = self.links.get_mut(&id) else { return };
        let held = link.holds_packets.unwrap_or(held_mean);
        let off = u64::from(held.abs_diff(held_mean)).min((FAVOUR_MAX - 1) * unit);
        let bytes = if held > held_mean { bytes * (unit + off) / unit } else { bytes * unit / (unit + off) };
        let sending = &mut link.sending;
        if sending.payload_bytes == sending.acked_bytes {
            sending.acked_at = now;
        }
        sending.ack_time.sent(sending.payload_bytes + sent_bytes, now);
        // What waited for its turn keeps its claim; what had nothing to send has none.
        if core::mem::take(&mut sending.is_idle) {
            sending.served_bytes = sending.served_bytes.max(self.uplink.served_bytes);
        }
        self.uplink.served_bytes = sending.served_bytes;
        sending.served_bytes += bytes;
    }
}
