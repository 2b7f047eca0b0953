//! What goes to whom next.
//!
//! A far end gets what it asked for packet by packet, then what it subscribed to, in the content's order from the place
//! that it named. A message is the
//! longest run of groups of one packet that is verified here and not sent there yet, so a packet that is still coming in
//! goes out group by group, and one that is whole goes out in one message. Sending stops where the far end's credit,
//! the channel's room or the upload limit ends, and goes on when one of them is renewed: there is no timer in it but the
//! upload limit's.

use core::time::Duration;

use super::limit::RateLimit;
use super::link::REQUESTED_MAX;
use super::linking::runs_of;
use super::schedule::step_of;
use super::{Life, Link, Peer, Reason};
use crate::content::{GroupSet, PROOF_NODES_MAX, PacketIndex};
use crate::ids::LinkId;
use crate::time::Time;
use crate::wire::link::{Data, LinkMessage, Partial, RUNS_MAX, Run, data_overhead_bytes};
use crate::wire::tracker::StripeMask;

/// Packets that one link may wait for to be read.
const AWAITING_MAX: usize = 4;
/// Reads under way at once, for all links.
const READS_MAX: usize = 32;
/// New packets are announced together, so late.
pub(super) const ANNOUNCE_AFTER: Duration = Duration::from_millis(250);
/// A promise that is not kept for so long is taken back.
const PROMISE: Duration = Duration::from_secs(1);
/// Consecutive groups of a packet, counted from the packet's first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    first: u32,
    count: u32,
}

/// What became of an attempt to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    /// A message went out.
    Yes,
    /// The packet is being read; others may go meanwhile.
    Later,
    /// Credit, room or the upload limit is used up.
    Blocked,
    /// There is nothing of this packet to send.
    Nothing,
}

impl Peer {
    pub(super) fn set_upload_limit(&mut self, bytes_per_s: Option<u64>, now: Time) {
        self.uplink.limit = RateLimit::new(bytes_per_s, now);
        self.timers.clear(Reason::Upload);
        self.pump_all(now);
    }

    pub(super) fn link_room(&mut self, id: LinkId, room_bytes: usize, now: Time) {
        if let Some(link) = self.links.get_mut(&id) {
            link.sending.room_bytes = room_bytes;
            self.pump(id, now);
        }
    }

    pub(super) fn far_subscribes(&mut self, id: LinkId, stripes: u8, mask: u16, from: u32, now: Time) {
        let mask = self.accept_stripes(id, stripes, StripeMask(mask), now);
        let ended = self.links.get(&id).map_or(StripeMask::NONE, |link| link.sending.subscribed.1.without(mask));
        self.doubt(id, ended, now);
        let Some(link) = self.links.get_mut(&id) else { return };
        let (is_other, is_elsewhere) = (link.sending.subscribed != (stripes, mask), link.sending.from != from);
        if is_other {
            link.sending.subscribed = (stripes, mask);
            link.sending.declined = crate::content::PacketSet::new(self.geometry);
        }
        if is_other || is_elsewhere {
            link.sending.push_from(from);
            self.pump(id, now);
        }
    }

    /// Takes in what the far end asks for. What is not here, or can't be sent soon, is refused at once: a promise that
    /// is kept late is worse than none.
    pub(super) fn far_requests(&mut self, id: LinkId, packets: &[Run], partial: &[Partial], now: Time) {
        self.note_held(id, partial);
        self.look_at_far_ends();
        let mut room = self.answers_max(id, now);
        let mut refused: Vec<u32> = Vec::new();
        for packet in packets.iter().flat_map(|run| run.first..run.first + run.count) {
            let held = self.packet(packet).filter(|packet| self.holdings.has_packet(*packet));
            let Some(link) = self.links.get_mut(&id) else { return };
            let may_upload = !self.uplink.limit.is_off();
            match held {
                Some(packet) if may_upload && room > 0 && link.sending.requested.len() < REQUESTED_MAX => {
                    room -= 1;
                    if link.sending.requested.is_empty() {
                        link.sending.answered_at = now;
                    }
                    link.sending.declined.remove(packet);
                    link.sending.requested.push_back(packet);
                }
                _ if refused.len() < REQUESTED_MAX => refused.push(packet),
                // Asking for more than can be refused in one message is no honest peer's doing.
                _ => return self.drop_link(id, "it asks for too much", now),
            }
        }
        self.refuse(id, &refused);
        self.pump(id, now);
    }

    /// Tells that packets, ascending, are not sent as they were asked for. What is pushed on that link goes in its turn.
    fn refuse(&mut self, id: LinkId, ascending: &[u32]) {
        let order = self.schedule.order();
        let Some(link) = self.links.get_mut(&id) else { return };
        let sending = &mut link.sending;
        for packet in ascending.iter().filter_map(|index| self.geometry.packet(*index)) {
            let place = order.place_of(packet);
            if sending.wants_pushed(place) {
                sending.declined.remove(packet);
                let step = step_of(place, sending.from, order.places());
                if step < sending.cursor && self.holdings.groups_of(packet) != 0 {
                    sending.fresh.insert(step);
                }
            }
        }
        for packets in runs_of(ascending).chunks(RUNS_MAX) {
            self.tell_link(id, &LinkMessage::Refuse { packets: packets.to_vec() });
        }
    }

    /// What was promised, and has not gone for a while since what is pushed takes all of the uplink or the link stands
    /// still, is taken back: whoever waits for it asks elsewhere.
    fn take_back_promises(&mut self, now: Time) {
        let is_full = self.is_spared(now) || self.is_flight_full(false, now);
        let waits = |(_, link): &(&LinkId, &Link)| {
            let waits_long = !link.sending.requested.is_empty() && now - link.sending.answered_at >= PROMISE;
            link.is_open() && waits_long && (is_full || self.is_link_full(link, now))
        };
        let waiting: Vec<LinkId> = self.links.iter().filter(waits).map(|(id, _)| *id).collect();
        for id in waiting.into_iter().filter(|id| !self.is_far_behind(*id)).collect::<Vec<_>>() {
            let Some(link) = self.links.get_mut(&id) else { continue };
            let sending = &mut link.sending;
            let is_begun = |packet: &PacketIndex| sending.sent.packet_groups(*packet) != 0;
            let (begun, left): (Vec<_>, Vec<_>) = sending.requested.drain(..).partition(is_begun);
            sending.requested.extend(begun);
            sending.answered_at = now;
            let mut left: Vec<u32> = left.into_iter().map(PacketIndex::get).collect();
            left.sort_unstable();
            self.refuse(id, &left);
        }
    }

    /// Groups that the far end holds of packets that it asks for need not go there.
    fn note_held(&mut self, id: LinkId, partial: &[Partial]) {
        let Some(link) = self.links.get_mut(&id) else { return };
        for held in partial {
            let Some(packet) = self.geometry.packet(held.packet) else { continue };
            let groups = self.geometry.groups_of(packet).enumerate().filter(|(bit, _)| held.groups & (1 << bit) != 0);
            for group in groups.filter_map(|(_, index)| self.geometry.group(index)) {
                link.sending.sent.insert(group);
            }
        }
    }

    pub(super) fn far_cancels(&mut self, id: LinkId, packets: &[Run]) {
        if let Some(link) = self.links.get_mut(&id) {
            let is_cancelled = |packet: &PacketIndex| packets.iter().any(|run| run.contains(packet.get()));
            link.sending.requested.retain(|packet| !is_cancelled(packet));
            for run in packets {
                link.sending.declined.insert_run(run.first, run.count);
            }
        }
        self.begin_elsewhere(id, packets);
    }

    /// What an origin has begun to send, and does not go on with since it was declined, may be sent to another first. At
    /// most [`REQUESTED_MAX`] packets of a message are looked at, however many it names; the rest is stolen.
    fn begin_elsewhere(&mut self, id: LinkId, packets: &[Run]) {
        let (Some(once), Some(link)) = (&self.uplink.sent_once, self.links.get(&id)) else { return };
        let is_whole = |packet| link.sending.sent.packet_groups(packet) == self.holdings.full_groups(packet);
        let indices = packets.iter().flat_map(|run| run.first..run.first + run.count).take(REQUESTED_MAX);
        let begun = indices.filter_map(|index| self.geometry.packet(index)).filter(|packet| once.contains(*packet));
        let left = begun.filter(|packet| !is_whole(*packet) && !self.is_elsewhere(link.peer, *packet));
        let left: Vec<PacketIndex> = left.collect();
        self.count_unsent(&left);
    }

    /// New groups of a packet are verified: whoever subscribed to them may have them, and all are told in a while.
    pub(super) fn offer(&mut self, packet: PacketIndex, now: Time) {
        let order = self.schedule.order();
        let (place, places) = (order.place_of(packet), order.places());
        for id in self.links.keys().copied().collect::<Vec<_>>() {
            let Some(link) = self.links.get_mut(&id) else { continue };
            let is_declined = link.sending.declined.contains(packet) || link.has.contains(packet);
            if !link.is_open() || !link.sending.wants_pushed(place) || is_declined {
                continue;
            }
            let step = step_of(place, link.sending.from, places);
            if step < link.sending.cursor {
                link.sending.fresh.insert(step);
            }
            self.pump(id, now);
        }
        self.timers.set_if_unset(Reason::Announce, now + ANNOUNCE_AFTER);
    }

    /// A packet was read: whoever waited for it gets it.
    pub(super) fn send_awaited(&mut self, packet: PacketIndex, now: Time) {
        for id in self.links.keys().copied().collect::<Vec<_>>() {
            self.pump_awaited(id, packet, now);
            self.pump(id, now);
        }
    }

    fn pump_awaited(&mut self, id: LinkId, packet: PacketIndex, now: Time) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if !link.sending.awaiting.remove(&packet) {
            return;
        }
        if !link.is_open() || link.sending.declined.contains(packet) {
            return self.not_sent(id, packet);
        }
        let order = self.schedule.order();
        let place = order.place_of(packet);
        let is_pushed = link.sending.wants_pushed(place);
        if self.send_packet(id, packet, now) != Sent::Yes && is_pushed {
            return self.not_sent(id, packet);
        }
        let Some(link) = self.links.get_mut(&id) else { return };
        // Blocked, or one run of several: the rest goes by the ordinary way.
        if self.holdings.groups_of(packet) & !link.sending.sent.packet_groups(packet) == 0 {
            return;
        }
        let order = self.schedule.order();
        if is_pushed {
            link.sending.fresh.insert(step_of(place, link.sending.from, order.places()));
        } else {
            link.sending.requested.push_front(packet);
        }
    }

    /// A packet that was read for a link did not go out on it after all: its turn comes again, here or, at an origin,
    /// elsewhere.
    fn not_sent(&mut self, id: LinkId, packet: PacketIndex) {
        let order = self.schedule.order();
        let place = order.place_of(packet);
        let is_elsewhere = self
            .links
            .values()
            .any(|link| link.sending.sent.packet_groups(packet) != 0 || link.sending.awaiting.contains(&packet));
        if let Some(once) = self.uplink.sent_once.as_mut().filter(|_| !is_elsewhere) {
            once.remove(packet);
        }
        if let Some(link) = self.links.get_mut(&id) {
            let step = step_of(place, link.sending.from, order.places());
            link.sending.first_cursor = link.sending.first_cursor.min(step);
            link.sending.cursor = link.sending.cursor.min(step);
        }
    }

    /// Sends one message on a link, if there is one to send and it may go. `only_first`: only a packet that was sent to
    /// nobody yet.
    pub(super) fn send_one(&mut self, id: LinkId, only_first: bool, now: Time) -> bool {
        let Some(link) = self.links.get(&id).filter(|link| link.is_open()) else { return false };
        if self.life != Life::Running || link.sending.awaiting.len() >= AWAITING_MAX || self.is_flight_full(true, now) {
            return false;
        }
        if self.is_far_end_frozen(link, now) {
            return self.idle(id);
        }
        if self.is_link_full(link, now) {
            return false;
        }
        let may_answer = !self.is_flight_full(false, now) || self.is_far_behind(id);
        let next = if only_first { self.next_first(id, may_answer) } else { self.next_packet(id, may_answer) };
        let Some(packet) = next else { return !only_first && self.idle(id) };
        let sent = self.send_packet(id, packet, now);
        if sent == Sent::Blocked {
            return false;
        }
        self.taken(id, packet, sent, now);
        if let Some(once) = self.uplink.sent_once.as_mut().filter(|_| sent != Sent::Nothing) {
            once.insert(packet);
        }
        true
    }

    /// Nothing goes on a link because there is nothing, or because its far end takes no more. What was asked for and may
    /// not go yet waits for its turn.
    fn idle(&mut self, id: LinkId) -> bool {
        if let Some(link) = self.links.get_mut(&id) {
            link.sending.is_idle |= link.sending.requested.is_empty();
        }
        false
    }

    /// The packet to send next of those that went to nobody yet, or were begun with here. Each link has others of them,
    /// so that none waits for another.
    pub(super) fn next_first(&mut self, id: LinkId, may_answer: bool) -> Option<PacketIndex> {
        let once = self.uplink.sent_once.as_ref()?;
        let link = self.links.get_mut(&id)?;
        let (has, sending, order) = (&link.has, &mut link.sending, self.schedule.order());
        let is_begun = |sent: &GroupSet, packet: PacketIndex| sent.packet_groups(packet) != 0;
        let asked = sending.requested.front().copied().filter(|_| may_answer);
        let asked = asked.filter(|packet| is_begun(&sending.sent, *packet) || !once.contains(*packet));
        let begun = sending.fresh.first().and_then(|step| sending.at_step(*step, order));
        let begun = begun.filter(|packet| is_begun(&sending.sent, *packet));
        if let Some(packet) = asked.or(begun.filter(|packet| !sending.declined.contains(*packet))) {
            return Some(packet);
        }
        while !sending.subscribed.1.is_empty() {
            let Some(packet) = sending.at_step(sending.first_cursor, order) else { break };
            let is_whole = sending.sent.packet_groups(packet) == self.holdings.full_groups(packet);
            let is_first = is_begun(&sending.sent, packet) || !once.contains(packet);
            let is_pushed = sending.wants_pushed(order.place_of(packet));
            let is_wanted = is_pushed && !has.contains(packet) && !sending.declined.contains(packet);
            if is_first && !is_whole && is_wanted {
                return Some(packet);
            }
            sending.first_cursor += 1;
        }
        None
    }

    /// The packet to send next: asked for, then newly arrived, then the backlog of the subscription.
    fn next_packet(&mut self, id: LinkId, may_answer: bool) -> Option<PacketIndex> {
        let link = self.links.get_mut(&id)?;
        let asked = link.sending.requested.front().copied().filter(|_| may_answer);
        if asked.is_some() {
            return asked;
        }
        let order = self.schedule.order();
        while let Some(step) = link.sending.fresh.first().copied() {
            let packet = link.sending.at_step(step, order);
            let is_wanted =
                |packet: &PacketIndex| !link.has.contains(*packet) && !link.sending.declined.contains(*packet);
            if let Some(packet) = packet.filter(is_wanted) {
                return Some(packet);
            }
            link.sending.fresh.remove(&step);
        }
        if link.sending.subscribed.1.is_empty() {
            return None;
        }
        while let Some(packet) = link.sending.at_step(link.sending.cursor, order) {
            let is_wanted = link.sending.wants_pushed(order.place_of(packet)) && !link.has.contains(packet);
            let is_wanted = is_wanted && !link.sending.declined.contains(packet);
            if is_wanted && self.holdings.groups_of(packet) & !link.sending.sent.packet_groups(packet) != 0 {
                return Some(packet);
            }
            link.sending.cursor += 1;
        }
        None
    }

    /// The packet was dealt with for now: sent as far as it is here, or waiting to be read. Groups of a packet in part
    /// that have left the cache can't be sent before the packet is whole, which is offered anew.
    fn taken(&mut self, id: LinkId, packet: PacketIndex, sent: Sent, now: Time) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let unsent = self.holdings.groups_of(packet) & !link.sending.sent.packet_groups(packet);
        let sending = &mut link.sending;
        if sent == Sent::Yes && unsent != 0 && !sending.awaiting.contains(&packet) && !link.has.contains(packet) {
            return;
        }
        if sending.requested.front() == Some(&packet) {
            sending.answered_at = now;
            sending.requested.pop_front();
        }
        let order = self.schedule.order();
        let step = step_of(order.place_of(packet), sending.from, order.places());
        sending.fresh.remove(&step);
        if step == sending.cursor {
            sending.cursor += 1;
        }
        if step == sending.first_cursor {
            sending.first_cursor += 1;
        }
    }

    /// Sends the next run of a packet's groups. What was sent on this link is never sent again: the channel loses nothing,
    /// so a request for it has crossed it on its way.
    fn send_packet(&mut self, id: LinkId, packet: PacketIndex, now: Time) -> Sent {
        let Some(link) = self.links.get_mut(&id) else { return Sent::Nothing };
        let Some(span) = longest_run(self.holdings.groups_of(packet) & !link.sending.sent.packet_groups(packet)) else {
            return Sent::Nothing;
        };
        let span = Span { count: span.count.min(self.uplink.groups_max(self.geometry.group_bytes(), now)), ..span };
        let first = self.geometry.groups_of(packet).start + span.first;
        let Some(group) = self.geometry.group(first) else { return Sent::Nothing };
        let Some(range) = self.geometry.groups_range(group, span.count) else { return Sent::Nothing };
        let payload_bytes = range.len() as usize;
        // Room for the longest proof there may be: a sibling on each level, and those inside the packet.
        let nodes = (u32::BITS - self.geometry.packets().leading_zeros()) as usize + 3;
        if !link.sending.may_send(data_overhead_bytes(nodes.min(PROOF_NODES_MAX)) + payload_bytes, payload_bytes) {
            return Sent::Blocked;
        }
        if let Err(at) = self.uplink.limit.allows(range.len(), now) {
            if let Some(at) = at {
                self.timers.set_if_unset(Reason::Upload, at);
            }
            return Sent::Blocked;
        }
        let Some(payload) = self.holdings.cached(packet, span.first, span.count) else {
            return self.await_packet(id, packet);
        };
        let whole = self.holdings.full_groups(packet);
        let all_bytes = if self.holdings.has_packet(packet) && span.count != whole.count_ones() {
            self.holdings.cached(packet, 0, whole.count_ones())
        } else {
            None
        };
        let Some(link) = self.links.get_mut(&id) else { return Sent::Nothing };
        let known = &mut link.sending.known;
        let Some(proof) = self.holdings.tree.proof(group, span.count, all_bytes.as_deref(), known) else {
            // The hashes inside the packet went with the cache: they come back with its bytes.
            return self.await_packet(id, packet);
        };
        let message = LinkMessage::Data(Data { first: group, count: span.count as u8, proof, payload }).encode();
        self.count_sent(id, first..first + span.count, payload_bytes, message.len(), now);
        self.send_link(id, message);
        Sent::Yes
    }

    fn count_sent(
        &mut self,
        id: LinkId,
        groups: core::ops::Range<u32>,
        payload_bytes: usize,
        message_bytes: usize,
        now: Time,
    ) {
        self.count_served(id, payload_bytes as u64, now);
        let Some(link) = self.links.get_mut(&id) else { return };
        for group in groups.filter_map(|index| self.geometry.group(index)) {
            link.sending.sent.insert(group);
        }
        link.sending.payload_bytes += payload_bytes as u64;
        link.sending.room_bytes = link.sending.room_bytes.saturating_sub(message_bytes);
        link.sending.meter.add(payload_bytes as u64, now);
        self.totals.sent.add(payload_bytes as u64, now);
        self.totals.control_bytes += (message_bytes - payload_bytes) as u64;
    }

    /// Puts a packet aside until it is read. Only what is whole and written can be read.
    fn await_packet(&mut self, id: LinkId, packet: PacketIndex) -> Sent {
        if !self.holdings.has_packet(packet) {
            return Sent::Nothing;
        }
        if self.holdings.reads_under_way() >= READS_MAX {
            return Sent::Blocked;
        }
        if let Some(link) = self.links.get_mut(&id) {
            link.sending.awaiting.insert(packet);
        }
        if !self.holdings.is_writing(packet) {
            self.read(packet);
        }
        Sent::Later
    }

    pub(super) fn announce_all(&mut self, now: Time) {
        self.look_at_uplink(now);
        self.take_back_promises(now);
        for id in self.links.keys().copied().collect::<Vec<_>>() {
            self.announce(id);
            self.acknowledge(id, now);
        }
        self.save_journal();
    }

    /// Tells a far end which of the packets that it has are held here too: as long as it did not feed us, that was none
    /// of its business.
    pub(super) fn announce_common(&mut self, id: LinkId) {
        let Some(link) = self.links.get(&id).filter(|link| link.is_open()) else { return };
        let common = link.has.iter().filter(|packet| self.holdings.has_packet(*packet));
        let packets: Vec<u32> = common.map(PacketIndex::get).collect();
        for packets in runs_of(&packets).chunks(RUNS_MAX) {
            self.tell_link(id, &LinkMessage::Have { packets: packets.to_vec() });
        }
    }

    /// Tells a far end which packets are held since it was told last, except what it sent itself, and except what it
    /// has, unless it feeds us and should know not to.
    pub(super) fn announce(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id).filter(|link| link.is_open()) else { return };
        let feeds = !link.receiving.subscribed.is_empty();
        let untold = &self.holdings.log()[link.sending.told..];
        link.sending.told = self.holdings.log().len();
        let news = untold.iter().filter(|held| held.from != Some(id) && (feeds || !link.has.contains(held.packet)));
        let mut packets: Vec<u32> = news.map(|held| held.packet.get()).collect();
        packets.sort_unstable();
        for packets in runs_of(&packets).chunks(RUNS_MAX) {
            self.tell_link(id, &LinkMessage::Have { packets: packets.to_vec() });
        }
    }
}

/// The first longest run of set bits among a packet's groups.
fn longest_run(groups: u8) -> Option<Span> {
    let mut best: Option<Span> = None;
    let mut first = 0;
    while first < 8 {
        let count = (groups >> first).trailing_ones();
        if count > best.map_or(0, |span| span.count) {
            best = Some(Span { first, count });
        }
        first += count + 1;
    }
    best
}
