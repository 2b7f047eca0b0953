//! Stealing: asking, packet by packet, for what the trees do not bring in time.
//!
//! A feeder pushes the packets of its stripes in sequence. Whatever it would bring late may be taken from any other
//! neighbour that has it, over the links that are there: the uplinks of neighbours that have little to do are worth as
//! much as those of parents. Stealing is *disciplined*, so that nothing comes twice:
//!
//! * A packet is worth asking for when its stripe has no live feeder; or when it has been about for a while, and the
//!   feeder lacks it or has so much to push before it that it would come late. What only those have who have everything,
//!   and nothing after it has come, is not about: it was perhaps not sent to anybody yet, and comes in its turn.
//! * It is asked for at one neighbour, which refuses if it is busy: only idle uplinks are stolen from. At the same time it is
//!   declined at the feeder, which then passes it over; a feeder that refuses what it is asked for pushes it in its turn. What a
//!   feeder has begun to send is left to it, and taken back elsewhere.
//! * It is asked only of a neighbour that would bring it three times as soon as the feeder, as far as can be told: else
//!   both bring it.
//! * Each neighbour is asked for as much as it brings in a moment and a round trip: the fast get much, the slow little,
//!   and what waits at a sender is never much. Of what a neighbour has, the rarest of the oldest missing go first; the
//!   order among equally rare ones is drawn by each peer for itself, so that neighbours differ and can trade.
//! * What is overdue may be asked for elsewhere as well. At the end, when everything is asked for, an idle neighbour
//!   that would be much sooner is asked for what a slow one still has; what comes second is cancelled.
//!
//! Design, 'STEAL'; rarest first: Legout et al., *Rarest First and Choke Algorithms Are Enough*, IMC 2006.

use core::time::Duration;
use std::collections::BTreeMap;

use rand::Rng;

use super::link::{Asked, ROUND_TRIP_ASSUMED};
use super::linking::runs_of;
use super::schedule::Missing;
use super::{Life, Link, Peer, Reason};
use crate::content::{PacketIndex, PacketSet};
use crate::ids::LinkId;
use crate::time::Time;
use crate::wire::link::{LinkMessage, PARTIAL_MAX, Partial, RUNS_MAX, Run};
use crate::wire::tracker::{STRIPES_MAX, StripeMask};

/// What is worth asking for is found out so often at most.
const PLAN_EVERY: Duration = Duration::from_millis(150);
/// A packet that was about at the last but one mark is so for long enough: its feeder should have brought it.
const MARK_EVERY: Duration = Duration::from_millis(500);
/// What a feeder brings within so long is left to it.
const SOON: Duration = Duration::from_millis(1_000);
/// One that has begun no longer ago is given the chance to show what it can do.
const BEGUN: Duration = Duration::from_millis(2_000);
/// Each plan forgets so small a part of the rate that there was: half of it in some 15 s.
const STARVING_FORGETS: u64 = 150;
/// A neighbour is asked for what it would bring so many times as soon as the feeder.
const SOONER: u32 = 3;
/// What a feeder lacks, it is taken to bring within so long.
const LACKED: Duration = Duration::from_secs(4);
/// A feeder that has more packets than this to push of a stripe is behind.
const BEHIND_PACKETS: u64 = 2;
/// What is due is to be there so long before, to allow for a second try; but a feeder has so long in any case, at least and
/// at most.
const DUE_MARGIN: Duration = Duration::from_millis(1_500);
const DUE_MIN: Duration = Duration::from_millis(250);
const DUE_MAX: Duration = Duration::from_millis(2_000);
/// A feeder that brought nothing for so long is not waited for; nor is the rest of a packet of which nothing came for so
/// long: whoever began with it may no longer feed this peer.
const STALLED: Duration = Duration::from_millis(2_500);
/// A neighbour is asked for what it brings in so long, beyond the round trip.
const QUEUE: Duration = Duration::from_millis(500);
/// Packets asked for at one neighbour at a time.
const OUTSTANDING_MIN: usize = 1;
const OUTSTANDING_MAX: usize = 128;
/// How many missing packets that a neighbour has are compared by rarity.
const LOOK_AHEAD: usize = 96;
/// How many packets beyond the first missing one are looked at.
const HORIZON: u32 = 8_192;
/// At the end, what should have been there and of which nothing came for so long is asked for elsewhere as well.
const LATE: Duration = Duration::from_millis(250);
/// No answer is overdue before this.
const OVERDUE_MIN: Duration = Duration::from_millis(2_000);
/// An answer is expected within so long of a link that has not brought anything yet.
const EXPECTED_FIRST: Duration = Duration::from_millis(2_000);
/// A request unanswered for so long, while nothing at all comes from that link, or since it was overdue, is taken back.
const LEASE: Duration = Duration::from_secs(5);
/// A link that refused is busy, and is not asked for so long; half of it is drawn.
const BUSY_MS: u64 = 1_000;
/// A link that did not bring what it was asked for is not asked for so long. It is not forgotten what it
/// has: it says so once only, and a paused or slow upload ends.
const REST: Duration = Duration::from_secs(5);
/// Neighbours that are asked for the same packet.
const ASKED_MAX: usize = 2;

/// What is known of the packets that are missing.
#[derive(Debug)]
pub(super) struct Pulling {
    /// By packet: open links whose far end has it. Grows with the highest packet that anyone told of.
    copies: Vec<u8>,
    /// Missing packets that are worth asking for.
    askable: PacketSet,
    /// In the order in which they are to come, each with how long its feeder takes to bring it; some may have come or been
    /// asked for since.
    askable_in_order: Vec<(PacketIndex, Duration)>,
    /// So many of these are due soon.
    urgent: usize,
    planned_at: Option<Time>,
    /// Missing packets that were [about](Peer::is_about) at the last mark, and at the one before.
    known: PacketSet,
    known_before: PacketSet,
    marked_at: Time,
    /// The last place of the order of which the packet came.
    front: u32,
    /// Everything that can be had is asked for.
    at_end: bool,
    /// The most that came in a second, lately.
    most_bytes_per_s: u64,
    /// Orders equally rare packets in a way of this peer's own.
    salt: u32,
}

impl Pulling {
    pub(super) fn new(geometry: crate::content::Geometry, salt: u32) -> Self {
        let none = PacketSet::new(geometry);
        Self {
            copies: Vec::new(),
            askable: none.clone(),
            askable_in_order: Vec::new(),
            urgent: 0,
            planned_at: None,
            known: none.clone(),
            known_before: none,
            marked_at: Time::ZERO,
            front: 0,
            at_end: false,
            most_bytes_per_s: 0,
            salt,
        }
    }

    /// One neighbour more, or one less, has a packet.
    fn count_copy(&mut self, packet: PacketIndex, has: bool) {
        let index = packet.get() as usize;
        if self.copies.len() <= index {
            self.copies.resize(index + 1, 0);
        }
        let copies = &mut self.copies[index];
        *copies = if has { copies.saturating_add(1) } else { copies.saturating_sub(1) };
    }

    pub(super) fn copies_of(&self, packet: PacketIndex) -> u8 {
        self.copies.get(packet.get() as usize).copied().unwrap_or(0)
    }

    /// Lower goes first among equally rare packets.
    fn draw(&self, packet: PacketIndex) -> u32 {
        // Multiplication by an odd constant and a fold: far from random, and different for each salt.
        let mixed = (packet.get() ^ self.salt).wrapping_mul(0x9e37_79b1);
        mixed ^ (mixed >> 15)
    }

    /// Who feeds whom has changed: what is worth asking for is to be found out anew.
    pub(super) fn forget_plan(&mut self) {
        self.planned_at = None;
    }
}

/// What a feeder is about to push, while a plan is made.
#[derive(Clone, Copy, Default)]
pub(super) struct Feeder {
    pub(super) link: Option<LinkId>,
    /// Bytes a second that it brings of one stripe.
    bytes_per_s: u64,
    /// Bytes that it has to push of the stripe before the packet in question.
    ahead_bytes: u64,
    /// Bytes that it may have on their way already.
    granted_bytes: u64,
    /// It brought nothing lately.
    pub(super) is_stalled: bool,
}

impl Feeder {
    /// Whether the next packet of so many bytes would come later than in so long.
    pub(super) fn is_late(&mut self, packet_bytes: u64, within: Duration) -> bool {
        self.ahead_bytes += packet_bytes;
        self.ahead_bytes > self.granted_bytes
            && u128::from(self.ahead_bytes) * 1_000 > u128::from(self.bytes_per_s) * within.as_millis()
    }

    /// How long it takes for all that was counted as before the packet in question, and that itself.
    fn takes(&self) -> Duration {
        let micros = self.ahead_bytes.saturating_mul(1_000_000).checked_div(self.bytes_per_s);
        micros.map_or(Duration::MAX, Duration::from_micros)
    }
}

impl Peer {
    /// The far end of an open link has these packets. What it said before costs next to nothing when it is said again.
    pub(super) fn note_has(&mut self, id: LinkId, packets: &[Run]) {
        for run in packets {
            let end = run.first.saturating_add(run.count);
            let mut from = run.first;
            while let Some(link) = self.links.get(&id) {
                let next = link.has.next_absent(from);
                let Some(packet) = self.packet(next).filter(|_| next < end) else { break };
                self.note_has_packet(id, packet);
                from = next + 1;
            }
        }
    }

    pub(super) fn note_has_packet(&mut self, id: LinkId, packet: PacketIndex) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if link.has.insert(packet) && !self.holdings.has_packet(packet) {
            self.pulling.count_copy(packet, true);
        }
    }

    /// A link is gone, with all that its far end has.
    pub(super) fn forget_copies(&mut self, link: &Link) {
        if !self.holdings.has_all_groups() {
            for packet in link.has.iter() {
                self.pulling.count_copy(packet, false);
            }
        }
        self.pulling.forget_plan();
    }

    /// Asks all neighbours for as much as is worth asking for.
    pub(super) fn pull(&mut self, now: Time) {
        if self.is_pulling() {
            for id in self.links.keys().copied().collect::<Vec<_>>() {
                self.pull_from(id, now);
            }
        }
    }

    fn is_pulling(&self) -> bool {
        self.life == Life::Running && !self.holdings.has_all_groups()
    }

    /// Asks one neighbour for as much as is worth asking for.
    pub(super) fn pull_from(&mut self, id: LinkId, now: Time) {
        if !self.is_pulling() {
            return;
        }
        let packet_bytes = self.geometry.packet_bytes();
        let Some(link) = self.links.get(&id) else { return };
        let is_asked = link.is_open() && link.close_by.is_none() && link.receiving.rests_until <= now;
        let room = outstanding_max(link, packet_bytes, now).saturating_sub(link.receiving.outstanding.len());
        if !is_asked || room == 0 {
            return;
        }
        if self.pulling.planned_at.is_none_or(|at| now - at >= PLAN_EVERY) {
            self.plan_pull(now);
        }
        let picks = if self.pulling.at_end { self.pick_slow(id, room, now) } else { self.pick(id, room, now) };
        if picks.is_empty() {
            // There will be something when it has been about for longer.
            self.timers.set_if_unset(Reason::Pull, now + PLAN_EVERY);
        } else {
            self.ask(id, picks, now);
        }
    }

    /// Finds out which missing packets are worth asking for.
    fn plan_pull(&mut self, now: Time) {
        self.pulling.planned_at = Some(now);
        let is_starving = self.is_starving(now);
        let asked = self.asked_elsewhere(now);
        let mut feeders = self.feeders(now);
        let mut askable = PacketSet::new(self.geometry);
        let mut known = PacketSet::new(self.geometry);
        let mut in_order = Vec::new();
        let mut urgent = 0;
        let mut is_left = false;
        let seeds = self.links.values().filter(|link| link.is_open() && link.has.is_full()).count();
        let mut is_any = false;
        let (missing, is_all) = self.schedule.missing(HORIZON, &self.holdings, now);
        for Missing { packet, due, is_apart } in missing {
            if self.pulling.copies_of(packet) == 0 {
                continue;
            }
            is_any = true;
            if self.is_about(packet, seeds) {
                known.insert(packet);
            }
            if self.fetching.is_coming(self.geometry.packet_range(packet).start, now) {
                is_left = true;
                continue;
            }
            if asked.contains(packet) {
                continue;
            }
            let mut comes_in = Duration::MAX;
            let is_late = match &mut feeders[usize::from(self.stripe_of(packet))] {
                Feeder { link: None, .. } => true,
                feeder => {
                    let link = feeder.link.and_then(|id| self.links.get(&id));
                    let will_push = link.is_some_and(|link| link.has.contains(packet));
                    let is_declined = link.is_some_and(|link| link.receiving.declined.contains(packet));
                    // What was left to the feeder before has come by then, or does not come.
                    let is_left_over =
                        is_declined && link.is_some_and(|link| now - link.receiving.subscribed_at >= STALLED);
                    let is_known = is_left_over
                        || is_starving
                        || feeder.is_stalled
                        || is_apart
                        || self.pulling.known_before.contains(packet);
                    let within = due.map_or(SOON, |due| time_left(due, now));
                    let came_at = self.holdings.came_in_part_at(packet);
                    let is_coming = came_at.is_some_and(|at| now - at < STALLED) && !feeder.is_stalled;
                    let packet_bytes = u64::from(self.geometry.packet_bytes());
                    let is_late =
                        is_known && (is_declined || !is_coming && (!will_push || feeder.is_late(packet_bytes, within)));
                    if !is_declined && !feeder.is_stalled {
                        comes_in = if will_push { feeder.takes() } else { LACKED };
                    }
                    is_late
                }
            };
            is_left |= !is_late;
            if is_late {
                askable.insert(packet);
                in_order.push((packet, comes_in));
                urgent += usize::from(due.is_some());
            }
        }
        self.pulling.at_end = askable.count() == 0 && !is_left && is_any && is_all;
        self.pulling.askable = askable;
        self.pulling.askable_in_order = in_order;
        self.pulling.urgent = urgent;
        for feeder in feeders {
            if let Some(link) = feeder.link.and_then(|id| self.links.get_mut(&id)) {
                link.receiving.is_behind =
                    feeder.ahead_bytes > BEHIND_PACKETS * u64::from(self.geometry.packet_bytes());
            }
        }
        if now - self.pulling.marked_at >= MARK_EVERY {
            self.pulling.marked_at = now;
            self.pulling.known_before = core::mem::replace(&mut self.pulling.known, known);
        }
    }

    /// Whether a missing packet is on its way down the trees: somebody got it who lacks others, or packets after it in the
    /// order have come. What only those have who have everything was perhaps not sent at all yet.
    fn is_about(&self, packet: PacketIndex, seeds: usize) -> bool {
        let is_passed = self.schedule.order().place_of(packet) <= self.pulling.front;
        is_passed || usize::from(self.pulling.copies_of(packet)) > seeds
    }

    /// Whether much less comes than did lately: then it is worth a little waste to get on, and whoever is asked is idle or
    /// refuses.
    fn is_starving(&mut self, now: Time) -> bool {
        let bytes_per_s = self.totals.received.bytes_per_s(now);
        let most = &mut self.pulling.most_bytes_per_s;
        *most = bytes_per_s.max(*most - *most / STARVING_FORGETS);
        bytes_per_s * 2 < *most
    }

    /// Packets whose answer is to be waited for, or that enough are asked for.
    pub(super) fn asked_elsewhere(&self, now: Time) -> PacketSet {
        let (mut waited, mut counts) = (PacketSet::new(self.geometry), BTreeMap::new());
        for (packet, request) in self.links.values().flat_map(|link| &link.receiving.outstanding) {
            let count: &mut usize = counts.entry(*packet).or_default();
            *count += 1;
            if request.overdue > now || *count >= ASKED_MAX {
                waited.insert(*packet);
            }
        }
        waited
    }

    /// The live feeders by stripe, with what they bring.
    pub(super) fn feeders(&self, now: Time) -> [Feeder; STRIPES_MAX as usize] {
        let mut feeders = [Feeder::default(); STRIPES_MAX as usize];
        for stripe in 0..self.feeding.stripes {
            let feeder = self.feeding.feeder(stripe);
            let Some(link) = feeder.and_then(|id| self.links.get(&id)).filter(|link| link.is_open()) else { continue };
            let stripes = u64::from(link.receiving.subscribed.0.count_ones()).max(1);
            let mut bytes_per_s = link.receiving.meter.bytes_per_s(now) / stripes;
            if now - link.receiving.subscribed_at < BEGUN {
                bytes_per_s = bytes_per_s.max(u64::from(self.geometry.packet_bytes()) * 4);
            }
            let is_alive = now - link.receiving.payload_at.max(link.receiving.subscribed_at) < STALLED;
            let granted_bytes = link.receiving.granted_bytes.saturating_sub(link.receiving.payload_bytes) / stripes;
            let granted_bytes = if is_alive { granted_bytes } else { 0 };
            feeders[usize::from(stripe)] =
                Feeder { link: feeder, bytes_per_s, ahead_bytes: 0, granted_bytes, is_stalled: !is_alive };
        }
        feeders
    }

    /// Of what is worth asking for and this neighbour has: what is due soon, in that order, then the rarest of
    /// the first of the most urgent priority.
    fn pick(&self, id: LinkId, room: usize, now: Time) -> Vec<PacketIndex> {
        let Some(link) = self.links.get(&id) else { return Vec::new() };
        let is_spared = self.feeding.is_spared(link.peer);
        let may_ask = |packet: &PacketIndex| {
            let is_open = self.pulling.askable.contains(*packet) && link.has.contains(*packet);
            let is_had_elsewhere = || is_spared && self.is_had_elsewhere(*packet);
            is_open && !is_had_elsewhere() && !link.receiving.outstanding.contains_key(packet)
        };
        let (urgent, others) = self.pulling.askable_in_order.split_at(self.pulling.urgent);
        // What its feeder would push too late it may be asked for all the same: then it goes before the rest.
        let urgent = urgent.iter().map(|(packet, _)| *packet);
        let mut picks: Vec<PacketIndex> = urgent.filter(may_ask).take(room).collect();
        let takes = expected_in(link, link.receiving.outstanding.len() + 1, self.geometry.packet_bytes(), now);
        let fed = link.receiving.subscribed;
        let may_push =
            |packet: &PacketIndex| fed.contains(self.stripe_of(*packet)) && !link.receiving.declined.contains(*packet);
        // What one can do that has brought nothing yet is found out by asking.
        let is_new = link.receiving.meter.bytes_per_s(now) == 0;
        let is_sooner = |comes_in: &Duration| is_new || takes * SOONER <= *comes_in;
        let others = others.iter().filter(|(_, comes_in)| is_sooner(comes_in)).map(|(packet, _)| *packet);
        let others = others.filter(|packet| may_ask(packet) && !may_push(packet));
        let rank = |packet| {
            (self.schedule.class_of(packet), self.pulling.copies_of(packet), self.pulling.draw(packet), packet)
        };
        let mut ranked: Vec<(u32, u8, u32, PacketIndex)> = others.take(LOOK_AHEAD.max(room)).map(rank).collect();
        ranked.sort_unstable();
        picks.extend(ranked.into_iter().map(|(_, _, _, packet)| packet).take(room - picks.len()));
        picks
    }

    /// Whether a neighbour that need not be spared has a packet.
    fn is_had_elsewhere(&self, packet: PacketIndex) -> bool {
        self.links
            .values()
            .any(|link| link.is_open() && link.has.contains(packet) && !self.feeding.is_spared(link.peer))
    }

    /// The stripe of a packet.
    pub(super) fn stripe_of(&self, packet: PacketIndex) -> u8 {
        self.feeding.stripe_of(self.schedule.order().place_of(packet))
    }

    /// At the end: what this neighbour would bring much sooner than the one that was asked for it.
    fn pick_slow(&self, id: LinkId, room: usize, now: Time) -> Vec<PacketIndex> {
        let Some(link) = self.links.get(&id).filter(|link| !self.feeding.is_spared(link.peer)) else {
            return Vec::new();
        };
        let takes = expected_in(link, link.receiving.outstanding.len() + 1, self.geometry.packet_bytes(), now);
        let mut slow: BTreeMap<PacketIndex, (usize, Time)> = BTreeMap::new();
        for other in self.links.values() {
            for (packet, request) in &other.receiving.outstanding {
                let (count, expected) = slow.entry(*packet).or_insert((0, request.expected));
                *count += 1;
                *expected = (*expected).min(request.expected);
            }
        }
        let is_slow = |(packet, (count, expected)): &(PacketIndex, (usize, Time))| {
            let came_at = self.holdings.came_in_part_at(*packet);
            let is_late = *expected < now && came_at.is_none_or(|at| now - at >= LATE);
            *count < ASKED_MAX
                && (is_late || *expected > now + takes * 2)
                && link.has.contains(*packet)
                && !link.receiving.outstanding.contains_key(packet)
        };
        slow.into_iter().filter(is_slow).map(|(packet, _)| packet).take(room.min(2)).collect()
    }

    /// Asks for packets, telling what is held of them already.
    fn ask(&mut self, id: LinkId, mut packets: Vec<PacketIndex>, now: Time) {
        packets.sort_unstable();
        let packet_bytes = self.geometry.packet_bytes();
        let Some(link) = self.links.get_mut(&id) else { return };
        if link.receiving.outstanding.is_empty() {
            // The lease runs from here; while packets come it is renewed with each.
            link.receiving.payload_at = now;
        }
        for packet in &packets {
            let takes = expected_in(link, link.receiving.outstanding.len() + 1, packet_bytes, now);
            let asked = Asked { expected: now + takes, overdue: now + (takes * 2).max(OVERDUE_MIN) };
            link.receiving.outstanding.insert(*packet, asked);
            self.pulling.askable.remove(*packet);
        }
        self.decline_asked(id, &packets);
        let indices: Vec<u32> = packets.iter().map(|packet| packet.get()).collect();
        for packets in runs_of(&indices).chunks(RUNS_MAX) {
            let partial = self.held_in_part(packets);
            self.tell_link(id, &LinkMessage::Request { packets: packets.to_vec(), partial });
        }
    }

    fn held_in_part(&self, packets: &[Run]) -> Vec<Partial> {
        let indices = packets.iter().flat_map(|run| run.first..run.first + run.count);
        self.parts_of(indices.filter_map(|index| self.packet(index)))
    }

    fn parts_of(&self, packets: impl Iterator<Item = PacketIndex>) -> Vec<Partial> {
        let partial = packets.map(|packet| Partial { packet: packet.get(), groups: self.holdings.groups_of(packet) });
        partial.filter(|partial| partial.groups != 0).take(PARTIAL_MAX).collect()
    }

    /// Tells who is to feed these stripes what is held of their packets that another began with, so that it pushes the rest
    /// only: a request for nothing, since a push was not asked for. Of more than [`PARTIAL_MAX`] packets some groups come again.
    pub(super) fn tell_begun(&mut self, id: LinkId, stripes: StripeMask) {
        let partial = self.parts_of(self.holdings.in_part().filter(|packet| stripes.contains(self.stripe_of(*packet))));
        if !partial.is_empty() {
            self.tell_link(id, &LinkMessage::Request { packets: Vec::new(), partial });
        }
    }

    /// Packets are asked for: their feeders need not push them. If the answer is no, they are asked for elsewhere, or again
    /// at the feeder, which pushes what it refuses.
    fn decline_asked(&mut self, asked: LinkId, packets: &[PacketIndex]) {
        let mut by_feeder: BTreeMap<LinkId, Vec<u32>> = BTreeMap::new();
        for packet in packets {
            let feeder = self.feeding.feeder(self.stripe_of(*packet)).filter(|feeder| *feeder != asked);
            let Some(link) = feeder.and_then(|feeder| self.links.get_mut(&feeder)).filter(|link| link.is_open()) else {
                continue;
            };
            if link.receiving.declined.insert(*packet) {
                by_feeder.entry(feeder.expect("its link was just seen")).or_default().push(packet.get());
            }
        }
        for (feeder, packets) in by_feeder {
            for packets in runs_of(&packets).chunks(RUNS_MAX) {
                self.tell_link(feeder, &LinkMessage::Cancel { packets: packets.to_vec() });
            }
        }
    }

    /// A packet has begun to come, or is there: its feeder need not push it.
    pub(super) fn decline(&mut self, from: Option<LinkId>, packet: PacketIndex) {
        let feeder = self.feeding.feeder(self.stripe_of(packet));
        let Some(id) = feeder.filter(|id| Some(*id) != from) else { return };
        let Some(link) = self.links.get_mut(&id).filter(|link| link.is_open()) else { return };
        if link.receiving.declined.insert(packet) {
            let packets = vec![Run { first: packet.get(), count: 1 }];
            self.tell_link(id, &LinkMessage::Cancel { packets });
        }
    }

    /// A feeder of these stripes begins: it need not push what others were asked for, nor what the feeder before it has
    /// on its way. So a stripe changes its feeder at a packet that both know ([000] claims 14 and 15).
    pub(super) fn decline_coming(&mut self, id: LinkId, stripes: StripeMask, before: &[LinkId]) {
        let of_stripes = |packet: &PacketIndex| stripes.contains(self.stripe_of(*packet));
        let others = self.links.iter().filter(|(other, _)| **other != id);
        let asked = others.flat_map(|(_, link)| link.receiving.outstanding.keys().copied());
        let fetched = self.fetched_packets().into_iter().filter_map(|index| self.packet(index));
        let mut coming: Vec<u32> = asked.chain(fetched).filter(of_stripes).map(PacketIndex::get).collect();
        let packet_bytes = u64::from(self.geometry.packet_bytes());
        for link in before.iter().filter_map(|before| self.links.get(before)) {
            let way = link.receiving.granted_bytes.saturating_sub(link.receiving.payload_bytes) / packet_bytes;
            let missing = self.schedule.missing_in_sequence(&self.holdings);
            let pushed = missing.filter(|packet| of_stripes(packet) && link.has.contains(*packet));
            coming.extend(pushed.take(way as usize).map(PacketIndex::get));
        }
        coming.sort_unstable();
        coming.dedup();
        let Some(link) = self.links.get_mut(&id) else { return };
        // What the new feeder itself was asked for it shall bring.
        let asked = &link.receiving.outstanding;
        coming.retain(|index| self.geometry.packet(*index).is_some_and(|packet| !asked.contains_key(&packet)));
        for packet in coming.iter().filter_map(|index| self.geometry.packet(*index)) {
            link.receiving.declined.insert(packet);
        }
        for packets in runs_of(&coming).chunks(RUNS_MAX) {
            self.tell_link(id, &LinkMessage::Cancel { packets: packets.to_vec() });
        }
    }

    /// Takes back what a link was asked for and did not bring for too long.
    pub(super) fn look_over_requests(&mut self, now: Time) {
        for id in self.links.keys().copied().collect::<Vec<_>>() {
            let Some(link) = self.links.get_mut(&id) else { continue };
            let receiving = &mut link.receiving;
            let is_silent = now - receiving.payload_at >= LEASE;
            let is_over = |asked: &Asked| is_silent || asked.overdue + LEASE <= now;
            let asked = receiving.outstanding.iter().filter(|(_, asked)| is_over(asked));
            let over: Vec<PacketIndex> = asked.map(|(packet, _)| *packet).collect();
            if over.is_empty() {
                continue;
            }
            for packet in &over {
                receiving.outstanding.remove(packet);
                // Taken back, it is not pushed either.
                receiving.declined.insert(*packet);
            }
            if is_silent {
                receiving.rests_until = now + REST;
            }
            let overdue: Vec<u32> = over.into_iter().map(PacketIndex::get).collect();
            self.pulling.forget_plan();
            for packets in runs_of(&overdue).chunks(RUNS_MAX) {
                self.tell_link(id, &LinkMessage::Cancel { packets: packets.to_vec() });
            }
        }
    }

    /// A packet is whole: nobody else need bring it.
    pub(super) fn end_requests(&mut self, packet: PacketIndex, from: Option<LinkId>) {
        self.pulling.askable.remove(packet);
        self.pulling.front = self.pulling.front.max(self.schedule.order().place_of(packet));
        if let Some(link) = from.and_then(|id| self.links.get_mut(&id)) {
            link.receiving.outstanding.remove(&packet);
        }
        self.take_back_requests(packet, from);
    }

    /// Somebody brings a packet: others who were asked for it need not.
    pub(super) fn take_back_requests(&mut self, packet: PacketIndex, from: Option<LinkId>) {
        let others = self.links.iter_mut().filter(|(id, _)| Some(**id) != from);
        let asked = others.filter_map(|(id, link)| link.receiving.outstanding.remove(&packet).map(|_| *id));
        for id in asked.collect::<Vec<_>>() {
            let packets = vec![Run { first: packet.get(), count: 1 }];
            self.tell_link(id, &LinkMessage::Cancel { packets });
        }
    }

    /// The far end will not bring these; if it feeds their stripe it pushes them in their turn.
    pub(super) fn far_refuses(&mut self, id: LinkId, packets: &[Run], now: Time) {
        let busy_ms = BUSY_MS / 2 + self.rng.random_range(0..=BUSY_MS / 2);
        let Some(link) = self.links.get_mut(&id) else { return };
        let is_refused = |packet: &PacketIndex| packets.iter().any(|run| run.contains(packet.get()));
        for packet in link.receiving.outstanding.keys().copied().filter(is_refused).collect::<Vec<_>>() {
            link.receiving.outstanding.remove(&packet);
            link.receiving.declined.remove(packet);
            link.receiving.rests_until = now + Duration::from_millis(busy_ms);
        }
        self.pulling.forget_plan();
        self.timers.set_if_unset(Reason::Pull, now + PLAN_EVERY);
    }
}

/// How long a feeder may take for what is due.
pub(super) fn time_left(due: Time, now: Time) -> Duration {
    (due.max(now) - now).saturating_sub(DUE_MARGIN).clamp(DUE_MIN, DUE_MAX)
}

/// How many packets may be asked for at a neighbour at a time.
fn outstanding_max(link: &Link, packet_bytes: u32, now: Time) -> usize {
    let span = link.round_trip_min.unwrap_or(ROUND_TRIP_ASSUMED) + QUEUE;
    let bytes = u128::from(link.receiving.meter.bytes_per_s(now)) * span.as_micros() / 1_000_000;
    ((bytes / u128::from(packet_bytes.max(1))) as usize).clamp(OUTSTANDING_MIN, OUTSTANDING_MAX)
}

/// How long a neighbour takes for so many packets, as far as can be told.
fn expected_in(link: &Link, packets: usize, packet_bytes: u32, now: Time) -> Duration {
    let bytes_per_s = link.receiving.meter.bytes_per_s(now);
    let round_trip = link.round_trip_min.unwrap_or(ROUND_TRIP_ASSUMED);
    if bytes_per_s == 0 {
        return EXPECTED_FIRST + round_trip;
    }
    let bytes = packets as u64 * u64::from(packet_bytes);
    round_trip + Duration::from_micros((bytes.saturating_mul(1_000_000) / bytes_per_s).min(60_000_000))
}
