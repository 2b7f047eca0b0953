//! What web servers are asked for, and what is left to peers.
//!
//! Bytes from peers cost a site nothing, so a server is asked for what no peer brings (design, 'HTTP' and 'JOIN'). A
//! tracker that plans who fetches what (`forest/planner/web`) is given a moment to say so, and then:
//!
//! * *What it was told to bring* this peer brings, at once.
//!   It stays a few packets ahead of what it passes on, so that little is fetched twice when another takes its place; and
//!   who takes it waits a moment for what must be about already.
//! * Every other stripe is left to who was told to bring it, with *patience*: until nothing of it came for long. How long
//!   differs from peer to peer, so that not all go to the server together.
//!
//! Where no tracker says so:
//!
//! * *The first packets* at once, before anybody is met: something is there to begin with.
//! * Then peers have a *grace* to show up. It ends early where it can't help: there is no tracker, it can't be reached, or
//!   it says that nobody else is there.
//!
//! And with either:
//!
//! * After that, whatever is missing and nobody brings: no live feeder for its stripe, nobody asked for it, and no
//!   neighbour that has it while neighbours bring anything at all.
//! * Nothing that a neighbour says it is fetching itself (`claiming`), unless it is due.
//! * What is *due* soon and would come late from peers; and, where peers are so slow that the rest would take long and the
//!   server is much faster, even if all who lack something went to it, what they would bring last.
//!
//! All in the schedule's order (`schedule`). Packets that lie side by side are asked for in one range.

use core::time::Duration;

use super::Peer;
use super::fetching::RANGE_PACKETS_MAX;
use super::link::State;
use super::pulling::{Feeder, time_left};
use super::schedule::Missing;
use super::source::Source;
use crate::content::{ByteRange, Geometry, PacketIndex, PacketSet};
use crate::time::Time;
use crate::wire::tracker::{STRIPES_MAX, StripeMask};

/// How long a tracker has to say who fetches what, before anything is fetched.
pub(super) const FIRST_WAIT: Duration = Duration::from_millis(1_000);
/// How long nothing may come of a stripe that was left to others, and what a peer's own number adds to it.
const PATIENCE: Duration = Duration::from_secs(8);
const PATIENCE_STEP: Duration = Duration::from_millis(31);
/// A peer that fetches for others has so many packets of a stripe that it has not begun to pass on, and no more.
const AHEAD_PACKETS: u16 = 6;
/// Who takes a place over waits so long, to meet the one that had it and hear what that one fetched; and so long for
/// packets that come before one that others have.
const MEET: Duration = Duration::from_millis(2_000);
const TAKE_OVER: Duration = Duration::from_secs(4);
/// In a swarm of so many that lack something, or more, of a stripe that others should have brought so few packets a second
/// are fetched, while they bring anything.
const CROWD: u64 = 8;
const IMPATIENT_PACKETS: u16 = 2;
const IMPATIENT_AGAIN: Duration = Duration::from_secs(1);
/// Packets that are fetched at the start without waiting for peers.
pub(super) const FIRST_PACKETS: u32 = 8;
/// How long peers have to show up.
pub(super) const GRACE: Duration = Duration::from_secs(2);
/// How long if others are there and a link to one of them is being set up.
const GRACE_LINKING: Duration = Duration::from_secs(6);
/// Neighbours that brought nothing for so long are not waited for.
const SILENT: Duration = Duration::from_secs(3);
/// What is due within so long is urgent.
const DUE_SOON: Duration = Duration::from_millis(1_500);
/// Peers are slow if the rest would take longer than this at their pace, and a server is so many times as fast.
const SLOW: Duration = Duration::from_secs(30);
const SLOW_TIMES: u64 = 4;
/// They are judged once one has brought something for so long: every link begins slowly.
const JUDGED_AFTER: Duration = Duration::from_secs(5);
/// Slow peers are left what they bring within so long.
const HELP_AFTER: Duration = Duration::from_secs(10);
/// How many packets beyond the first missing one are looked at.
const HORIZON: u32 = 8_192;
/// A range is what a source brings in so long, and no fewer packets than this.
const RANGE_SPAN: Duration = Duration::from_secs(2);
const RANGE_PACKETS_MIN: u32 = 4;

/// Packets that servers may be asked for now.
#[derive(Debug)]
pub(super) struct Choice {
    in_order: Vec<PacketIndex>,
    open: PacketSet,
    /// Of these, only so many may be asked for, since peers may yet show up.
    first_packets: Option<u32>,
    /// What is left of the first packets beyond this choice.
    first_left: u32,
    /// Something else is for servers, but could not be checked.
    lacks_hashes: bool,
}

impl Choice {
    /// The range to ask a source for next, if there is one.
    pub(super) fn next_range(&mut self, source: &Source, geometry: Geometry, now: Time) -> Option<ByteRange> {
        let first = self.in_order.iter().copied().find(|packet| self.open.contains(*packet))?;
        let most = packets_max(source, geometry, now).min(self.first_packets.unwrap_or(u32::MAX));
        let mut last = first;
        while let Some(next) = geometry.packet(last.get() + 1) {
            if !self.open.contains(next) || next.get() - first.get() >= most {
                break;
            }
            last = next;
        }
        let range = ByteRange { start: geometry.packet_range(first).start, end: geometry.packet_range(last).end };
        (most > 0).then_some(range)
    }

    /// These are asked for.
    pub(super) fn take(&mut self, range: ByteRange, geometry: Geometry) {
        let packet_bytes = u64::from(geometry.packet_bytes());
        for index in range.start / packet_bytes..range.end.div_ceil(packet_bytes) {
            if let Some(packet) = geometry.packet(index as u32) {
                self.open.remove(packet);
            }
        }
        let packets = range.len().div_ceil(packet_bytes) as u32;
        self.first_left = self.first_left.saturating_sub(packets);
        if let Some(first_packets) = &mut self.first_packets {
            *first_packets = first_packets.saturating_sub(packets);
        }
    }

    /// Whether the hash list is needed.
    pub(super) fn lacks_hashes(&self) -> bool {
        self.lacks_hashes
    }

    /// How many packets more may be fetched without waiting for peers.
    pub(super) fn first_packets(&self) -> u32 {
        self.first_left
    }
}

/// What is known of peers while a choice is made.
struct View {
    is_grace: bool,
    /// Stripes that are left to others.
    left: StripeMask,
    /// Neighbours bring something.
    is_brought: bool,
    /// They bring so little that a server should help.
    is_slow: bool,
    /// By stripe: packets before this one are waited for.
    about: [u32; STRIPES_MAX as usize],
    /// By stripe: how many packets more may be fetched for others.
    room: [u16; STRIPES_MAX as usize],
    feeders: [Feeder; STRIPES_MAX as usize],
    asked: PacketSet,
}

impl Peer {
    /// Finds out what servers may be asked for now.
    pub(super) fn choose_packets(&mut self, now: Time) -> Choice {
        let mut view = self.view_of_peers(now);
        let (missing, _) = self.schedule.missing(HORIZON, &self.holdings, now);
        let mut open = PacketSet::new(self.geometry);
        let mut in_order = Vec::new();
        let mut lacks_hashes = false;
        let is_early = self.awaits_tracker(now);
        for missing in missing {
            let room = &mut view.room[usize::from(self.stripe_of(missing.packet))];
            if is_early || *room == 0 {
                continue;
            }
            let room_after = *room - 1;
            if !self.is_for_servers(missing, &mut view, now) {
                continue;
            }
            view.room[usize::from(self.stripe_of(missing.packet))] = room_after;
            if self.holdings.tree.knows_packet(missing.packet) {
                open.insert(missing.packet);
                in_order.push(missing.packet);
            } else {
                lacks_hashes = true;
            }
        }
        let first_left = self.fetching.first_packets;
        Choice { in_order, open, first_packets: view.is_grace.then_some(first_left), first_left, lacks_hashes }
    }

    fn is_for_servers(&self, Missing { packet, due, .. }: Missing, view: &mut View, now: Time) -> bool {
        let start = self.geometry.packet_range(packet).start;
        if self.fetching.is_fetched(start) {
            return false;
        }
        let stripe = self.stripe_of(packet);
        let feeder = &mut view.feeders[usize::from(stripe)];
        let packet_bytes = u64::from(self.geometry.packet_bytes());
        let urgent = due.filter(|due| *due <= now + DUE_SOON);
        let within = urgent.map_or(HELP_AFTER, |due| time_left(due, now));
        let is_top = self.feeding.top_of().contains(stripe);
        let link = feeder.link.and_then(|id| self.links.get(&id));
        let will_push = link.is_some_and(|link| {
            let is_pushed = !link.receiving.declined.contains(packet);
            is_pushed && (link.has.contains(packet) || !is_top && link.receiving.payload_bytes > 0)
        });
        let is_fed = will_push && !feeder.is_stalled;
        let is_late = !is_fed || feeder.is_late(packet_bytes, within);
        if urgent.is_none() && self.is_claimed(packet, now) {
            return false;
        }
        if view.asked.contains(packet) {
            return false;
        }
        if view.is_grace {
            return true;
        }
        let is_coming = self.holdings.came_in_part_at(packet).is_some_and(|at| now - at < SILENT);
        if view.left.contains(stripe) {
            return is_late && !is_coming && (urgent.is_some() || view.is_slow);
        }
        if !view.is_brought {
            return !is_coming;
        }
        let is_about = packet.get() < view.about[usize::from(stripe)];
        let is_left_to_peers = is_fed || is_coming || is_about || self.pulling.copies_of(packet) > 0;
        !is_left_to_peers || (is_late && !is_coming && (urgent.is_some() || view.is_slow))
    }

    fn view_of_peers(&mut self, now: Time) -> View {
        let open = || self.links.values().filter(|link| link.is_open());
        let is_brought = open().any(|link| now - link.receiving.payload_at < SILENT);
        let bytes_per_s: u64 = open().map(|link| link.receiving.meter.bytes_per_s(now)).sum();
        let fastest = self.fetching.sources.iter().filter(|source| source.is_ready(now));
        let fastest = fastest.map(Source::expected_bytes_per_s).max().unwrap_or(0);
        let left_bytes = self.geometry.size_bytes() - self.holdings.have_bytes();
        let is_judged = open().any(|link| link.receiving.meter.age(now) >= JUDGED_AFTER);
        let (peers, seeders) = self.session.swarm_size();
        let takers = u64::from(peers.saturating_sub(seeders)).max(1);
        let is_long = left_bytes > bytes_per_s.saturating_mul(SLOW.as_secs());
        let is_slow = is_judged && is_long && bytes_per_s.saturating_mul(SLOW_TIMES) < fastest / takers;
        View {
            is_grace: !self.fetching.is_told && self.is_grace(now),
            left: self.left_to_others(now),
            is_brought,
            is_slow,
            about: self.packets_about(now),
            room: self.room_ahead(is_slow, is_brought && takers >= CROWD, now),
            feeders: self.feeders(now),
            asked: self.asked_elsewhere(now),
        }
    }

    /// By stripe that is to be fetched since a moment ago: the last packet of it that is here or at a neighbour.
    fn packets_about(&self, now: Time) -> [u32; STRIPES_MAX as usize] {
        let mut about = [0; STRIPES_MAX as usize];
        let top_of = self.feeding.top_of();
        for stripe in (0..self.feeding.stripes).filter(|stripe| top_of.contains(*stripe)) {
            if now - self.fetching.told_at(stripe) >= TAKE_OVER {
                continue;
            }
            let is_about = |packet: &PacketIndex| {
                self.stripe_of(*packet) == stripe
                    && (self.holdings.has_packet(*packet) || self.pulling.copies_of(*packet) > 0)
            };
            let last = (0..self.geometry.packets().min(HORIZON)).rev();
            let last = last.filter_map(|index| self.packet(index)).find(is_about);
            let is_linking = now - self.fetching.told_at(stripe) < MEET;
            about[usize::from(stripe)] = last.map_or(0, |last| if is_linking { u32::MAX } else { last.get() });
        }
        about
    }

    /// By stripe: how many packets more may be fetched.
    fn room_ahead(&mut self, is_slow: bool, is_patient: bool, now: Time) -> [u16; STRIPES_MAX as usize] {
        let mut room = [u16::MAX; STRIPES_MAX as usize];
        let top_of = self.feeding.top_of();
        let is_alone = self.links.is_empty() && top_of == StripeMask::all(self.feeding.stripes);
        if is_slow || is_alone || !self.fetching.is_told {
            return room;
        }
        let is_fed = |stripe| self.links.values().any(|link| link.sending.subscribed.1.contains(stripe));
        let is_new = |stripe| now - self.fetching.told_at(stripe) < GRACE_LINKING;
        for stripe in 0..self.feeding.stripes {
            room[usize::from(stripe)] = match top_of.contains(stripe) {
                true if is_new(stripe) || is_fed(stripe) => AHEAD_PACKETS,
                true => u16::MAX,
                false if is_patient => IMPATIENT_PACKETS,
                false => u16::MAX,
            };
        }
        let (geometry, links) = (self.geometry, &self.links);
        let is_out = |packet| {
            let first = geometry.group(geometry.groups_of(packet).start);
            let is_sent = |link: &super::Link| first.is_some_and(|first| link.sending.sent.contains(first));
            links.values().any(|link| link.has.contains(packet) || is_sent(link))
        };
        let ahead = self.fetching.still_ahead(is_out).to_vec();
        let coming = self.fetched_packets();
        let coming = coming.into_iter().filter_map(|packet| self.packet(packet));
        for stripe in ahead.into_iter().chain(coming).map(|packet| self.stripe_of(packet)) {
            let room = &mut room[usize::from(stripe)];
            *room = room.saturating_sub(u16::from(*room < u16::MAX));
        }
        room
    }

    /// Whether the tracker may yet say who fetches what.
    fn awaits_tracker(&self, now: Time) -> bool {
        let may_answer = self.config.has_tracker && !self.session.is_up() && !self.session.is_out_of_reach();
        may_answer && now - self.fetching.began < FIRST_WAIT
    }

    /// Stripes that a plan gives others to bring, and that they may yet bring.
    fn left_to_others(&self, now: Time) -> StripeMask {
        if !self.fetching.is_told {
            return StripeMask::NONE;
        }
        let patience = self.patience();
        let stripes =
            (0..self.feeding.stripes).filter(|stripe| now - self.fetching.left_to_peers_at(*stripe) < patience);
        let left = stripes.fold(StripeMask::NONE, |mask, stripe| mask.union(StripeMask::one(stripe)));
        left.without(self.feeding.top_of())
    }

    fn patience(&self) -> Duration {
        match self.links.values().any(super::Link::is_open) {
            true => PATIENCE + PATIENCE_STEP * u32::from(self.id.as_bytes()[0]),
            false => GRACE_LINKING,
        }
    }

    /// Something is fetched that others should have brought: they get another moment for the rest.
    pub(super) fn be_patient_again(&mut self, range: ByteRange, now: Time) {
        if !self.fetching.is_told || self.session.swarm_size().0 < CROWD as u32 {
            return;
        }
        let Some(packet) = self.packet((range.start / u64::from(self.geometry.packet_bytes())) as u32) else { return };
        let stripes = StripeMask::one(self.stripe_of(packet)).without(self.feeding.top_of());
        let since = (now + IMPATIENT_AGAIN).since(Time::ZERO).saturating_sub(self.patience());
        self.fetching.leave_to_peers(stripes, Time::ZERO + since);
    }

    /// Whether peers may yet show up, so that servers wait.
    fn is_grace(&self, now: Time) -> bool {
        let passed = now - self.fetching.began;
        let is_linking =
            self.links.values().any(|link| matches!(link.state, State::Opening { .. } | State::Greeting { .. }));
        if !self.links.is_empty() && !is_linking {
            return passed < GRACE && self.links.values().any(super::Link::is_open);
        }
        if !self.config.has_tracker || self.session.is_out_of_reach() || self.session.is_alone() {
            return false;
        }
        passed < if is_linking { GRACE_LINKING } else { GRACE }
    }
}

/// Packets of one range: what the source brings in a while, or may bring in a second.
fn packets_max(source: &Source, geometry: Geometry, now: Time) -> u32 {
    let packet_bytes = u64::from(geometry.packet_bytes());
    let brought = source.meter.bytes_per_s(now).saturating_mul(RANGE_SPAN.as_secs()) / packet_bytes;
    let packets = (brought as u32).clamp(RANGE_PACKETS_MIN, RANGE_PACKETS_MAX);
    match source.limit_bytes_per_s {
        Some(limit) => u64::from(packets).min((limit / packet_bytes).max(1)) as u32,
        None => packets,
    }
}
