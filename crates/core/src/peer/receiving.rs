//! What comes in: verified, kept, passed on at once, and acknowledged with new credit.

use bytes::Bytes;

use super::sending::ANNOUNCE_AFTER;
use super::{Event, Life, Output, Peer, Reason};
use crate::content::GroupIndex;
use crate::ids::{LinkId, WriteId};
use crate::time::Time;
use crate::wire::link::{Data, LinkMessage};
use crate::wire::tracker::{StripeMask, ToTracker};

/// This peer's clock, as it is told to who sends.
fn clock_ms(now: Time) -> u32 {
    (now.as_micros() / 1_000) as u32
}

impl Peer {
    pub(super) fn receive(&mut self, id: LinkId, data: &Data, now: Time) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let payload_bytes = data.payload.len() as u64;
        if !link.receiving.count(payload_bytes, link.round_trip_min, now) {
            self.totals.wasted_bytes += payload_bytes;
            return self.drop_link(id, "it sends more than it may", now);
        }
        if !self.note_groups(id, data) {
            self.totals.wasted_bytes += payload_bytes;
            return self.drop_link(id, "it sends the same data again", now);
        }
        let packet = self.geometry.packet_of(data.first);
        let offered = groups_mask(data.first.get() - self.geometry.groups_of(packet).start, data.count);
        let is_new = self.holdings.groups_of(packet) & offered != offered;
        // A proof is learnt even where the groups are known: the sender will not repeat it.
        let is_to_verify = is_new || !data.proof.is_empty();
        if is_to_verify && self.holdings.tree.verify(data.first, &data.payload, &data.proof).is_err() {
            return self.lied(id, payload_bytes, now);
        }
        if is_new {
            self.keep(Some(id), data.first, &data.payload, now);
        } else {
            self.totals.wasted_bytes += payload_bytes;
            if self.holdings.has_packet(packet) {
                self.holdings.tree.forget_groups(packet);
            }
        }
        self.grant(id, now);
        if self.links.get(&id).is_some_and(|link| link.receiving.owes_ack()) {
            self.timers.set_if_unset(Reason::Announce, now + ANNOUNCE_AFTER);
        }
        self.pull_from(id, now);
    }

    /// Tells a sender what came, if that was not told yet: with what is under way it would not know its own speed.
    pub(super) fn acknowledge(&mut self, id: LinkId, now: Time) {
        let Some(link) = self.links.get_mut(&id).filter(|link| link.is_open() && link.receiving.owes_ack()) else {
            return;
        };
        let receiving = &mut link.receiving;
        receiving.acked_bytes = receiving.payload_bytes;
        let (received_bytes, limit_bytes) = (receiving.payload_bytes, receiving.granted_bytes);
        self.tell_credit(id, received_bytes, limit_bytes, now);
    }

    fn tell_credit(&mut self, id: LinkId, received_bytes: u64, limit_bytes: u64, now: Time) {
        let held_packets = self.holdings.packets();
        self.tell_link(id, &LinkMessage::Credit { received_bytes, limit_bytes, clock_ms: clock_ms(now), held_packets });
    }

    /// Notes what a link brought; false if it brought all of it before.
    fn note_groups(&mut self, id: LinkId, data: &Data) -> bool {
        let Some(link) = self.links.get_mut(&id) else { return false };
        let first = data.first.get();
        let groups = (first..first + u32::from(data.count)).filter_map(|index| self.geometry.group(index));
        groups.filter(|group| link.receiving.got.insert(*group)).count() > 0
    }

    /// A group failed its hash: nothing of it is kept, the link closes, the tracker hears of it.
    fn lied(&mut self, id: LinkId, payload_bytes: u64, now: Time) {
        self.totals.wasted_bytes += payload_bytes;
        let Some(link) = self.links.get(&id) else { return };
        let (peer, is_found) = (link.peer, link.found.is_some());
        self.event(Event::PeerLied { peer });
        // Nobody vouches for what one is called that was looked up.
        if !is_found {
            self.tell_tracker(&ToTracker::Bad { peer });
        }
        self.drop_link(id, "it sent data that fails verification", now);
    }

    /// Takes verified groups of one packet in, from a link or a web server: to the store, to those who subscribed, to the
    /// counters.
    pub(super) fn keep(&mut self, from: Option<LinkId>, first: GroupIndex, payload: &Bytes, now: Time) {
        let packet = self.geometry.packet_of(first);
        let is_begun = self.holdings.groups_of(packet) != 0;
        let (write, offset_bytes, completed) = self.holdings.insert(first, payload, from, now);
        self.outputs.push_back(Output::Write { write, offset_bytes, bytes: payload.clone() });
        self.totals.received.add(payload.len() as u64, now);
        self.payload_at = Some(now);
        if from.is_some() {
            let stripe = self.stripe_of(packet);
            self.fetching.leave_to_peers(StripeMask::one(stripe), now);
        }
        let link = from.and_then(|id| self.links.get(&id));
        if completed || link.is_some_and(|link| link.receiving.outstanding.contains_key(&packet)) {
            self.decline(from, packet);
        }
        if !is_begun && from.is_some() && from == self.feeding.feeder(self.stripe_of(packet)) {
            self.take_back_requests(packet, from);
        }
        if completed {
            if let Some(id) = from {
                self.note_has_packet(id, packet);
                self.end_fetches(packet);
            }
            self.end_requests(packet, from);
        }
        self.offer(packet, now);
        if self.holdings.has_all_groups() {
            self.save_journal();
            self.resubscribe(now);
        }
    }

    /// Renews a sender's credit, unless the store is behind: then it is renewed when the store has caught up.
    pub(super) fn grant(&mut self, id: LinkId, now: Time) {
        if self.life != Life::Running || self.holdings.backlog_bytes() >= self.config.store_backlog_bytes_max {
            return;
        }
        let Some(link) = self.links.get_mut(&id).filter(|link| link.is_open()) else { return };
        let received_bytes = link.receiving.payload_bytes;
        if let Some(limit_bytes) = link.receiving.next_grant() {
            self.tell_credit(id, received_bytes, limit_bytes, now);
        }
    }

    pub(super) fn written(&mut self, write: WriteId, now: Time) {
        let was_behind = self.holdings.backlog_bytes() >= self.config.store_backlog_bytes_max;
        let Some(packet) = self.holdings.written(write) else { return };
        let is_awaited = || self.links.values().any(|link| link.sending.awaiting.contains(&packet));
        if !self.holdings.is_writing(packet) && is_awaited() {
            self.read(packet);
        }
        self.note_came(packet);
        if was_behind {
            for id in self.links.keys().copied().collect::<Vec<_>>() {
                self.grant(id, now);
            }
            self.fetch_more(now);
        }
        self.note_if_complete(now);
        self.stop_if_closed();
    }
}

/// Bits of `count` groups from `first` on.
fn groups_mask(first: u32, count: u8) -> u8 {
    (((1_u16 << count) - 1) << first) as u8
}
