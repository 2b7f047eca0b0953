//! What web servers are asked for, and what is left to peers.
//!
//! Bytes from peers cost a site nothing, so a server is asked for what no peer brings (design, 'HTTP' and 'JOIN'):
//!
//! * *The first packets* at once, before anybody is met: something is there to begin with.
//! * Then peers have a *grace* to show up. It ends early where it can't help: there is no tracker, it can't be reached, or
//!   it says that nobody else is there.
//! * After that, whatever is missing and nobody brings: no live feeder for its stripe, nobody asked for it, and no
//!   neighbour that has it while neighbours bring anything at all.
//! * Nothing that a neighbour says it is fetching itself (`claiming`), unless it is due.
//! * What is *due* soon and would come late from peers; and, where peers are so slow that the rest would take long and the
//!   server is much faster, what they would bring last.
//!
//! All in the schedule's order (`schedule`). Packets that lie side by side are asked for in one range.

use core::time::Duration;
use std::collections::BTreeMap;

use super::Peer;
use super::fetching::RANGE_PACKETS_MAX;
use super::link::State;
use super::pulling::{Feeder, time_left};
use super::schedule::Missing;
use super::source::Source;
use crate::content::{ByteRange, Geometry, PacketIndex, PacketSet};
use crate::time::Time;
use crate::wire::tracker::STRIPES_MAX;

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

    /// How many packets more may be fetched without waiting for peers.
    pub(super) fn first_packets(&self) -> u32 {
        self.first_left
    }
}

/// What is known of peers while a choice is made.
struct View {
    is_grace: bool,
    /// Neighbours bring something.
    is_brought: bool,
    /// They bring so little that a server should help.
    is_slow: bool,
    feeders: [Feeder; STRIPES_MAX as usize],
    asked: BTreeMap<PacketIndex, bool>,
}

impl Peer {
    /// Finds out what servers may be asked for now.
    pub(super) fn choose_packets(&mut self, now: Time) -> Choice {
        let mut view = self.view_of_peers(now);
        let (missing, _) = self.schedule.missing(HORIZON, &self.holdings, now);
        let mut open = PacketSet::new(self.geometry);
        let mut in_order = Vec::new();
        for missing in missing {
            if self.is_for_servers(missing, &mut view, now) {
                open.insert(missing.packet);
                in_order.push(missing.packet);
            }
        }
        let first_left = self.fetching.first_packets;
        Choice { in_order, open, first_packets: view.is_grace.then_some(first_left), first_left }
    }

    fn is_for_servers(&self, Missing { packet, due }: Missing, view: &mut View, now: Time) -> bool {
        let start = self.geometry.packet_range(packet).start;
        if !self.holdings.tree.knows_packet(packet) || self.fetching.is_fetched(start) {
            return false;
        }
        let feeder = &mut view.feeders[usize::from(self.stripe_of(packet))];
        let packet_bytes = u64::from(self.geometry.packet_bytes());
        let urgent = due.filter(|due| *due <= now + DUE_SOON);
        let within = urgent.map_or(HELP_AFTER, |due| time_left(due, now));
        let link = feeder.link.and_then(|id| self.links.get(&id));
        let will_push = link.is_some_and(|link| {
            let is_pushed = !link.receiving.declined.contains(packet);
            is_pushed && (link.has.contains(packet) || link.receiving.payload_bytes > 0)
        });
        let is_fed = will_push && !feeder.is_stalled;
        let is_late = !is_fed || feeder.is_late(packet_bytes, within);
        if urgent.is_none() && self.is_claimed(packet, now) {
            return false;
        }
        if view.asked.get(&packet).copied().unwrap_or(false) {
            return false;
        }
        if view.is_grace {
            return true;
        }
        let is_coming = self.holdings.came_in_part_at(packet).is_some_and(|at| now - at < SILENT);
        if !view.is_brought {
            return !is_coming;
        }
        let is_left_to_peers = is_fed || is_coming || self.pulling.copies_of(packet) > 0;
        !is_left_to_peers || (is_late && !is_coming && (urgent.is_some() || view.is_slow))
    }

    fn view_of_peers(&self, now: Time) -> View {
        let open = || self.links.values().filter(|link| link.is_open());
        let is_brought = open().any(|link| now - link.receiving.payload_at < SILENT);
        let bytes_per_s: u64 = open().map(|link| link.receiving.meter.bytes_per_s(now)).sum();
        let fastest = self.fetching.sources.iter().filter(|source| source.is_ready(now));
        let fastest = fastest.map(|source| source.most_bytes_per_s).max().unwrap_or(0);
        let left_bytes = self.geometry.size_bytes() - self.holdings.have_bytes();
        let is_judged = open().any(|link| link.receiving.meter.age(now) >= JUDGED_AFTER);
        let is_long = left_bytes > bytes_per_s.saturating_mul(SLOW.as_secs());
        View {
            is_grace: self.is_grace(now),
            is_brought,
            is_slow: is_judged && is_long && bytes_per_s.saturating_mul(SLOW_TIMES) < fastest,
            feeders: self.feeders(now),
            asked: self.asked_elsewhere(now),
        }
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
