//! Asking, packet by packet, for what no feeder brings.
//!
//! A packet is asked for when no live feeder has its stripe, or when its feeder has passed it over: then it went by
//! another way and never reached the feeder, or was lost with a link. The lowest missing packets go first, each to the
//! neighbour that has it and has least to do. A request that is not answered in time goes to another.

use core::time::Duration;
use std::collections::BTreeMap;

use super::linking::runs_of;
use super::{Life, Link, Peer};
use crate::content::PacketIndex;
use crate::ids::LinkId;
use crate::time::Time;
use crate::wire::link::{LinkMessage, RUNS_MAX, Run};
use crate::wire::tracker::StripeMask;

/// A request unanswered for so long, while nothing at all comes from that link, goes to another.
const LEASE: Duration = Duration::from_secs(5);
/// A link that did not bring, or refused, what it was asked for is not asked for so long. It is not forgotten what it
/// has: it says so once only, and a paused or slow upload ends.
const REST: Duration = Duration::from_secs(5);
/// How many packets beyond the first missing one are looked at in one go.
const LOOK_AHEAD: u32 = 4_096;
/// A feeder has passed a packet over when it pushed one so many packets later in the same stripe.
const PASSED_OVER: u32 = 4;

impl Peer {
    /// Asks for as much as links and their windows allow.
    pub(super) fn pull(&mut self, now: Time) {
        if self.life != Life::Running || self.holdings.has_all_groups() {
            return;
        }
        let uncovered = self.uncovered(now);
        let frontier = self.passed_over_below();
        if uncovered.is_empty() && frontier.iter().all(Option::is_none) {
            return;
        }
        let packet_bytes = self.geometry.packet_bytes();
        let room_of =
            |link: &Link| link.receiving.requests_max(packet_bytes).saturating_sub(link.receiving.outstanding.len());
        let open = self
            .links
            .iter()
            .filter(|(_, link)| link.is_open() && link.close_by.is_none() && link.receiving.rests_until <= now);
        let mut room: BTreeMap<LinkId, usize> =
            open.map(|(id, link)| (*id, room_of(link))).filter(|(_, room)| *room > 0).collect();
        let mut asked: BTreeMap<LinkId, Vec<u32>> = BTreeMap::new();
        let first = self.holdings.first_missing();
        for index in first..first.saturating_add(LOOK_AHEAD).min(self.geometry.packets()) {
            if room.is_empty() {
                break;
            }
            let Some(packet) = self.packet(index) else { break };
            if !self.is_to_be_pulled(packet, uncovered, &frontier) {
                continue;
            }
            if let Some(id) = self.best_source(packet, &room) {
                asked.entry(id).or_default().push(index);
                take_one(&mut room, id);
            }
        }
        for (id, packets) in asked {
            self.request(id, &packets, now);
        }
    }

    /// For each stripe, the packet below which a live feeder has passed over what is missing.
    fn passed_over_below(&self) -> Vec<Option<u32>> {
        let stripes = self.feeding.stripes;
        let below = |stripe: u8| {
            let link = self.links.get(&self.feeding.feeder(stripe)?)?;
            let highest = (*link.receiving.pushed.get(usize::from(stripe))?)?;
            let below = highest.checked_sub(PASSED_OVER * u32::from(stripes))?;
            (below > self.holdings.first_missing()).then_some(below)
        };
        (0..stripes).map(below).collect()
    }

    fn is_to_be_pulled(&self, packet: PacketIndex, uncovered: StripeMask, frontier: &[Option<u32>]) -> bool {
        let stripe = self.feeding.stripe_of(packet.get());
        let passed_over =
            frontier.get(usize::from(stripe)).copied().flatten().is_some_and(|below| packet.get() < below);
        (uncovered.contains(stripe) || passed_over)
            && !self.holdings.has_packet(packet)
            && !self.links.values().any(|link| link.receiving.outstanding.contains(&packet))
    }

    /// Of the links with room that have the packet, the one with least outstanding.
    fn best_source(&self, packet: PacketIndex, room: &BTreeMap<LinkId, usize>) -> Option<LinkId> {
        let able = room.iter().filter(|(id, _)| self.links.get(id).is_some_and(|link| link.has.contains(packet)));
        able.max_by_key(|(_, room)| **room).map(|(id, _)| *id)
    }

    fn request(&mut self, id: LinkId, ascending: &[u32], now: Time) {
        let packets: Vec<PacketIndex> = ascending.iter().filter_map(|index| self.packet(*index)).collect();
        let Some(link) = self.links.get_mut(&id) else { return };
        if link.receiving.outstanding.is_empty() {
            // The lease runs from here; while packets come it is renewed with each.
            link.receiving.payload_at = now;
        }
        link.receiving.outstanding.extend(packets);
        for packets in runs_of(ascending).chunks(RUNS_MAX) {
            self.tell_link(id, &LinkMessage::Request { packets: packets.to_vec() });
        }
    }

    /// Takes back what a link was asked for and did not bring for too long.
    pub(super) fn look_over_requests(&mut self, now: Time) {
        for id in self.links.keys().copied().collect::<Vec<_>>() {
            let Some(link) = self.links.get_mut(&id) else { continue };
            let receiving = &mut link.receiving;
            if receiving.outstanding.is_empty() || now - receiving.payload_at < LEASE {
                continue;
            }
            let overdue: Vec<u32> =
                core::mem::take(&mut receiving.outstanding).into_iter().map(PacketIndex::get).collect();
            receiving.rests_until = now + REST;
            for packets in runs_of(&overdue).chunks(RUNS_MAX) {
                self.tell_link(id, &LinkMessage::Cancel { packets: packets.to_vec() });
            }
        }
    }

    /// A packet is whole: nobody else need bring it.
    pub(super) fn end_requests(&mut self, packet: PacketIndex, from: LinkId) {
        let mut others = Vec::new();
        for (id, link) in &mut self.links {
            if link.receiving.outstanding.remove(&packet) && *id != from {
                others.push(*id);
            }
        }
        for id in others {
            let packets = vec![Run { first: packet.get(), count: 1 }];
            self.tell_link(id, &LinkMessage::Cancel { packets });
        }
    }

    /// The far end will not bring these.
    pub(super) fn far_refuses(&mut self, id: LinkId, packets: &[Run], now: Time) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let is_refused = |packet: &PacketIndex| packets.iter().any(|run| run.contains(packet.get()));
        for packet in link.receiving.outstanding.iter().copied().filter(is_refused).collect::<Vec<_>>() {
            link.receiving.outstanding.remove(&packet);
            link.receiving.rests_until = now + REST;
        }
        self.pull(now);
    }
}

fn take_one(room: &mut BTreeMap<LinkId, usize>, id: LinkId) {
    if let Some(left) = room.get_mut(&id) {
        *left -= 1;
        if *left == 0 {
            room.remove(&id);
        }
    }
}
