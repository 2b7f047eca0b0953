//! What this peer's uplink carries, found out before there is anything to send.
//!
//! Who stands where in the forest depends on uplinks, and nothing is seen of them before something was passed on: what goes to
//! a slow peer at the top of a stripe meanwhile goes nowhere. So a newcomer sends a *train* of messages back to back over the
//! first link that opens, and the receiver sees how fast they come: as fast as the narrowest line on the way, which is mostly
//! the sender's uplink, takes them (Keshav, *A control-theoretic approach to flow control*, 1991: packet pairs; Dovrolis,
//! Ramanathan, Moore, *Packet-dispersion techniques and a capacity-estimation methodology*, 2004: trains). The receiver tells the
//! sender, and the tracker, which believes receivers only.
//!
//! Only the second half of a train counts: a transport begins slowly, and lines let a first few kilobytes pass at once. If
//! that half came quickly, a train four times as long follows. Where other things came at the same time, and no less in all
//! than ever came, the receiver's downlink may have been the narrowest: then another link is tried.
//!
//! Bounds: trains of 8 and 32 messages of an eighth of a group, 0.4 % of the content at most (none at all below 4 MiB); six
//! are sent by tries on other links. A link on which more comes is closed. Who has an upload limit, or feeds nobody, sends
//! none.

use core::time::Duration;

use bytes::Bytes;
use rand::Rng;

use super::{Life, Peer, Reason};
use crate::ids::LinkId;
use crate::time::Time;
use crate::wire::link::LinkMessage;
use crate::wire::tracker::{Received, STATUS_RECEIVED_MAX, ToTracker};

/// Messages in each train.
const TRAINS: [u8; 2] = [8, 32];
/// A group has so many messages' bytes.
const PARTS: u32 = 8;
/// Whoever takes less than this for the second half of a train is sent a longer one.
const QUICK: Duration = Duration::from_millis(20);
/// What took less took so long: clocks and schedulers are no better, and how many times an uplink of 50 Mbit/s others are is
/// seen soon enough. So where all are fast, all count the same.
const CLOCK: Duration = Duration::from_millis(5);
/// An answer comes within so long, or not at all.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// What came of trains is told the tracker so late, all together.
const TELL_AFTER: Duration = Duration::from_millis(50);
/// So many links are tried.
const TRIES: u8 = 6;
/// If what else came is more than this part of what is looked at, the receiver's downlink may have been the narrowest.
const OTHERS_PARTS: u64 = 4;
/// Of the content, one part in so many may go as padding.
const CONTENT_PARTS: u64 = 256;
/// Messages that one link may bring: all trains of as many tries.
const MESSAGES_MAX: u32 = 6 * (8 + 32);

/// How this peer probes.
#[derive(Debug, Default)]
pub(super) struct Probing {
    /// Where, which train and since when.
    under_way: Option<(LinkId, u8, Time)>,
    tries: u8,
    /// Padding that was sent, and that came.
    sent_bytes: u64,
    came_bytes: u64,
    /// The most that came in a second while a train came.
    came_best: u64,
    is_done: bool,
}

/// What a train told of the uplink that it came from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Carries {
    pub(super) bytes_per_s: u64,
    /// Whether so much else came at the same time that it may carry more.
    pub(super) is_least: bool,
}

/// A train that comes in.
#[derive(Debug, Default)]
pub(super) struct Train {
    number: u8,
    /// Messages of it; 0: none is coming.
    count: u8,
    /// When its first half was there, and what had come to this peer by then, from all.
    half: Option<(Time, u64)>,
    bytes: u64,
    /// Of all trains.
    messages: u32,
    /// What the far end's uplink carries by this, if that was not told yet.
    pub(super) untold: Option<Carries>,
}

/// The second half of a train.
struct Half {
    bytes: u64,
    /// What came from all meanwhile.
    all_bytes: u64,
    took: Duration,
}

impl Train {
    /// Takes in a message; `came_bytes`: what came to this peer so far, from all.
    fn take(&mut self, number: u8, left: u8, bytes: u64, came_bytes: u64, now: Time) -> Option<Half> {
        if self.count == 0 || self.number != number || left >= self.count {
            (self.number, self.count, self.half, self.bytes) = (number, left.saturating_add(1), None, 0);
        }
        let Some((half_at, came_before)) = self.half else {
            self.half = (left <= self.count / 2).then_some((now, came_bytes));
            return None;
        };
        self.bytes += bytes;
        if left > 0 {
            return None;
        }
        self.count = 0;
        Some(Half { bytes: self.bytes, all_bytes: came_bytes - came_before, took: (now - half_at).max(CLOCK) })
    }
}

impl Half {
    fn per_s(&self, bytes: u64) -> u64 {
        u64::try_from(u128::from(bytes) * 1_000_000 / self.took.as_micros()).unwrap_or(u64::MAX)
    }
}

impl Peer {
    /// A link is open: the first one is tried.
    pub(super) fn probe(&mut self, id: LinkId, now: Time) {
        let may_probe = self.life == Life::Running && self.config.slots > 0 && !self.uplink.limit.is_limited();
        let is_planned = self.links.get(&id).is_some_and(|link| link.is_open() && link.found.is_none());
        let probing = &mut self.probing;
        if may_probe && is_planned && !probing.is_done && probing.under_way.is_none() && probing.tries < TRIES {
            probing.tries += 1;
            self.send_train(id, 0, now);
        }
    }

    fn send_train(&mut self, id: LinkId, train: u8, now: Time) {
        let padding_bytes = self.geometry.group_bytes() / PARTS;
        let count = TRAINS[usize::from(train)];
        let bytes = u64::from(padding_bytes) * u64::from(count);
        let is_little = (self.probing.sent_bytes + bytes) * CONTENT_PARTS <= self.geometry.size_bytes();
        let room_bytes = self.links.get(&id).map_or(0, |link| link.sending.room_bytes);
        if !is_little || bytes * 2 > room_bytes as u64 {
            self.probing.is_done = true;
            return;
        }
        self.probing.sent_bytes += bytes;
        self.probing.under_way = Some((id, train, now));
        let padding = Bytes::from(vec![0; padding_bytes as usize]);
        for left in (0..count).rev() {
            self.tell_link(id, &LinkMessage::Probe { train, left, padding: padding.clone() });
        }
        // Unlike other messages without payload, these fill the channel.
        if let Some(link) = self.links.get_mut(&id) {
            link.sending.room_bytes = link.sending.room_bytes.saturating_sub(bytes as usize + 8 * usize::from(count));
        }
    }

    /// A message of a far end's train.
    pub(super) fn far_probes(&mut self, id: LinkId, number: u8, left: u8, padding: &Bytes, now: Time) {
        let bytes = padding.len() as u64;
        self.probing.came_bytes += bytes;
        let came_bytes = self.totals.received.total_bytes() + self.probing.came_bytes;
        let Some(link) = self.links.get_mut(&id) else { return };
        link.train.messages += 1;
        if link.train.messages > MESSAGES_MAX {
            return self.drop_link(id, "it probes without end", now);
        }
        let Some(half) = link.train.take(number, left, bytes, came_bytes, now) else { return };
        let (bytes_per_s, all_per_s) = (half.per_s(half.bytes), half.per_s(half.all_bytes));
        self.probing.came_best = self.probing.came_best.max(all_per_s);
        let is_beside = (half.all_bytes - half.bytes) * OTHERS_PARTS > half.bytes;
        let is_least = is_beside && all_per_s / 4 >= self.probing.came_best / 5;
        link.train.untold = Some(Carries { bytes_per_s, is_least });
        self.timers.set_if_unset(Reason::Probed, now + TELL_AFTER);
        self.tell_link(id, &LinkMessage::Probed { train: number, bytes_per_s, is_least });
    }

    /// The far end tells how fast a train came.
    pub(super) fn far_probed(&mut self, id: LinkId, train: u8, bytes_per_s: u64, is_least: bool, now: Time) {
        if self.probing.under_way.is_none_or(|(link, number, _)| (link, number) != (id, train)) {
            return;
        }
        self.probing.under_way = None;
        let half_bytes = u64::from(self.geometry.group_bytes() / PARTS) * u64::from(TRAINS[usize::from(train)] / 2);
        let is_quick = bytes_per_s.saturating_mul(QUICK.as_millis() as u64) / 1_000 > half_bytes;
        if is_least {
            self.probe_another(id, train, now);
        } else if is_quick && usize::from(train) + 1 < TRAINS.len() {
            self.send_train(id, train + 1, now);
        } else {
            self.probing.is_done = true;
        }
    }

    /// Tells the tracker what uplinks of others carry.
    pub(super) fn tell_probed(&mut self) {
        let links = self.links.values_mut().filter(|link| link.found.is_none());
        let probes = links.filter_map(|link| {
            let Carries { bytes_per_s, is_least } = link.train.untold.take()?;
            Some(Received { peer: link.peer, bytes_per_s, waited: !is_least })
        });
        let received: Vec<Received> = probes.take(STATUS_RECEIVED_MAX).collect();
        if !received.is_empty() {
            self.tell_tracker(&ToTracker::Probed { received });
        }
    }

    /// Who was to answer and did not, or has gone: another is tried.
    pub(super) fn look_at_probe(&mut self, now: Time) {
        let Some((id, train, since)) = self.probing.under_way else { return };
        if !self.links.contains_key(&id) || now - since >= ANSWER_MAX {
            self.probing.under_way = None;
            self.probe_another(id, train, now);
        }
    }

    /// Sends a train over another link, drawn at random.
    fn probe_another(&mut self, id: LinkId, train: u8, now: Time) {
        let others = self.links.iter().filter(|(other, link)| **other != id && link.is_open() && link.found.is_none());
        let others: Vec<LinkId> = others.map(|(id, _)| *id).collect();
        if !others.is_empty() && self.probing.tries < TRIES {
            self.probing.tries += 1;
            let other = others[self.rng.random_range(0..others.len())];
            self.send_train(other, train, now);
        }
    }
}
