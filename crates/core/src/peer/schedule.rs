//! What is to come first: the schedule of [002], author's priority (claim 6), playback deadlines (claim 5), then sequence.
//!
//! *Order.* All peers of a content have the same order of its packets ([`PacketOrder`]), in which feeders push.
//!
//! *Wants.* The application may want some bytes before others: what a film is about to show, a file picked out of a
//! folder. It names ranges, the most urgent first, and how fast each will be used up; so each packet of them has a
//! *deadline*. Feeders are told to push from the place where most of what is wanted begins; they go round, so that all
//! else follows. What is due soon and would come late that way is asked for, in the order of deadlines, at whoever has
//! it (`pulling`).

use core::time::Duration;

use super::holdings::Holdings;
use super::{Event, Peer};
use crate::content::{ByteRange, Geometry, PacketIndex, PacketOrder, PacketSet};
use crate::time::Time;

/// Ranges that may be wanted at a time; more are left out.
pub const WANTS_MAX: usize = 16;
/// Packets that are due within so long are urgent. More would do harm: who waits asks for all of it everywhere, and what
/// is brought so is not brought down the trees. With 6 s, swarms that watch took half as long again.
const LOOK_AHEAD: Duration = Duration::from_secs(2);
/// So many packets of what is wanted at once are urgent at a time.
const AT_ONCE_PACKETS: u32 = 64;
/// Packets that may be urgent at a time.
const URGENT_MAX: usize = 512;

/// Bytes that the application wants before others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// Which.
    pub range: ByteRange,
    /// How fast they will be used up, from the first on, beginning now; `None`: all at once.
    pub bytes_per_s: Option<u64>,
}

/// A missing packet that is looked at, and by when it is wanted if that is soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) packet: PacketIndex,
    pub(super) due: Option<Time>,
    /// Feeders push something else first.
    pub(super) is_apart: bool,
}

#[derive(Debug)]
pub(super) struct Schedule {
    geometry: Geometry,
    order: PacketOrder,
    wants: Vec<Want>,
    /// Which of these feeders push first.
    pushed: usize,
    wanted_at: Time,
    /// The place from which feeders push; places are counted from there, round and round, in *steps*.
    from: u32,
    /// No packet below this step is missing.
    missing_step: u32,
}

impl Schedule {
    pub(super) fn new(geometry: Geometry, order: PacketOrder) -> Self {
        Self { geometry, order, wants: Vec::new(), pushed: 0, wanted_at: Time::ZERO, from: 0, missing_step: 0 }
    }

    pub(super) fn order(&self) -> &PacketOrder {
        &self.order
    }

    /// The place from which feeders are to push.
    pub(super) fn from(&self) -> u32 {
        self.from
    }

    /// Takes in what is wanted from now on.
    fn want(&mut self, wants: &[Want], holdings: &Holdings, now: Time) {
        let size_bytes = self.geometry.size_bytes();
        let clipped = wants.iter().map(|want| {
            let end = want.range.end.min(size_bytes);
            Want { range: ByteRange { start: want.range.start.min(end), end }, ..*want }
        });
        self.wants = clipped.filter(|want| !want.range.is_empty()).take(WANTS_MAX).collect();
        self.wanted_at = now;
        let missing_of = |want: &Want| self.packets_of(want).filter(|packet| !holdings.has_packet(*packet));
        // Where two lack as much the first one counts.
        let most = self.wants.iter().enumerate().rev().max_by_key(|(_, want)| missing_of(want).count());
        let first = most.and_then(|(_, want)| missing_of(want).next());
        self.pushed = most.map_or(0, |(at, _)| at);
        if let Some(first) = first {
            let place = self.order.place_of(first);
            if place != self.from {
                (self.from, self.missing_step) = (place, 0);
            }
        }
    }

    fn packets_of(&self, want: &Want) -> impl Iterator<Item = PacketIndex> + use<> {
        let geometry = self.geometry;
        let packet_bytes = u64::from(geometry.packet_bytes());
        let (first, end) = (want.range.start / packet_bytes, want.range.end.div_ceil(packet_bytes));
        (first as u32..end as u32).filter_map(move |index| geometry.packet(index))
    }

    /// Whether the application waits to hear of this packet.
    pub(super) fn is_wanted(&self, packet: PacketIndex) -> bool {
        let range = self.geometry.packet_range(packet);
        self.wants.iter().any(|want| want.range.start < range.end && range.start < want.range.end)
    }

    /// What is wanted goes before all else, then the author's priorities.
    pub(super) fn class_of(&self, packet: PacketIndex) -> u32 {
        if self.is_wanted(packet) { 0 } else { 1 + self.order.class_of(packet) }
    }

    /// Missing packets that are due soon, with their deadlines, the earliest first.
    fn urgent(&self, holdings: &Holdings, now: Time) -> Vec<Missing> {
        let mut urgent = Vec::new();
        for (at, want) in self.wants.iter().enumerate() {
            let is_apart = at != self.pushed;
            let missing = self.packets_of(want).filter(|packet| !holdings.has_packet(*packet));
            match want.bytes_per_s {
                None => {
                    let due = Some(self.wanted_at);
                    let soon = missing.map(|packet| Missing { packet, due, is_apart });
                    urgent.extend(soon.take(AT_ONCE_PACKETS as usize));
                }
                Some(bytes_per_s) => {
                    let due = |packet| self.due(want, bytes_per_s, packet);
                    let soon = missing.map(|packet| Missing { packet, due: Some(due(packet)), is_apart });
                    urgent.extend(soon.take_while(|missing| missing.due <= Some(now + LOOK_AHEAD)).take(URGENT_MAX));
                }
            }
        }
        urgent.sort_by_key(|missing| missing.due);
        let mut seen = PacketSet::new(self.geometry);
        urgent.retain(|missing| seen.insert(missing.packet));
        urgent.truncate(URGENT_MAX);
        urgent
    }

    /// When a packet's first byte will be used.
    fn due(&self, want: &Want, bytes_per_s: u64, packet: PacketIndex) -> Time {
        let before_bytes = self.geometry.packet_range(packet).start.saturating_sub(want.range.start);
        let micros = u128::from(before_bytes) * 1_000_000 / u128::from(bytes_per_s.max(1));
        self.wanted_at + Duration::from_micros(micros.min(u128::from(u32::MAX) * 1_000_000) as u64)
    }

    /// Missing packets in the order in which they are to come: what is due soon, then at most `horizon` places from the
    /// first missing one on. And whether that is all that is missing.
    pub(super) fn missing(&mut self, horizon: u32, holdings: &Holdings, now: Time) -> (Vec<Missing>, bool) {
        let packets = self.order.places();
        while self.at_step(self.missing_step).is_some_and(|packet| holdings.has_packet(packet)) {
            self.missing_step += 1;
        }
        let mut missing = self.urgent(holdings, now);
        let mut is_urgent = PacketSet::new(self.geometry);
        for urgent in &missing {
            is_urgent.insert(urgent.packet);
        }
        let end = self.missing_step.saturating_add(horizon).min(packets);
        let steps = (self.missing_step..end).filter_map(|step| self.at_step(step));
        let others = steps.filter(|packet| !is_urgent.contains(*packet) && !holdings.has_packet(*packet));
        missing.extend(others.map(|packet| Missing { packet, due: None, is_apart: false }));
        (missing, end == packets)
    }

    /// All missing packets in the order in which feeders push.
    pub(super) fn missing_in_sequence<'a>(&'a self, holdings: &'a Holdings) -> impl Iterator<Item = PacketIndex> + 'a {
        let steps = (self.missing_step..self.order.places()).filter_map(|step| self.at_step(step));
        steps.filter(|packet| !holdings.has_packet(*packet))
    }

    fn at_step(&self, step: u32) -> Option<PacketIndex> {
        place_at(step, self.from, self.order.places()).and_then(|place| self.order.at(place))
    }
}

/// The place at a step from `from` on; `None` when all have been gone through.
pub(super) fn place_at(step: u32, from: u32, places: u32) -> Option<u32> {
    let place = from.checked_add(step)?;
    (step < places).then(|| if place < places { place } else { place - places })
}

/// How many steps a place is from `from`, both less than `places`.
pub(super) fn step_of(place: u32, from: u32, places: u32) -> u32 {
    if place >= from { place - from } else { place + places - from }
}

impl Peer {
    /// The application wants these bytes first, instead of what it wanted before.
    pub(super) fn want(&mut self, wants: &[Want], now: Time) {
        self.schedule.want(wants, &self.holdings, now);
        self.pulling.forget_plan();
        self.resubscribe(now);
        self.pull(now);
        self.fetch_more(now);
    }

    /// A packet can be read: whoever waits for it is told.
    pub(super) fn note_came(&mut self, packet: PacketIndex) {
        if !self.is_readable(packet) {
            return;
        }
        self.note_described(packet);
        if self.schedule.is_wanted(packet) {
            // What is used at once, a file that is saved, is there after a restart too.
            self.save_journal();
            self.event(Event::Came { range: self.geometry.packet_range(packet) });
        }
    }

    /// Up to where the content is there without a gap from `start_bytes` on, verified and written; `start_bytes` itself
    /// if it is not there.
    pub fn held_until(&self, start_bytes: u64) -> u64 {
        let packet_bytes = u64::from(self.geometry.packet_bytes());
        let mut until = start_bytes;
        while until < self.geometry.size_bytes() {
            let packet = u32::try_from(until / packet_bytes).ok().and_then(|index| self.packet(index));
            let Some(packet) = packet.filter(|packet| self.can_be_read(*packet)) else { break };
            until = self.geometry.packet_range(packet).end;
        }
        until
    }

    fn can_be_read(&self, packet: PacketIndex) -> bool {
        self.holdings.has_packet(packet) && !self.holdings.is_writing(packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{HashTree, PACKET_BYTES};
    use crate::ids::ContentId;

    const PACKET: u64 = PACKET_BYTES as u64;

    fn schedule(packets: u64) -> (Schedule, Holdings) {
        let geometry = Geometry::new(packets * PACKET).expect("small");
        let holdings = Holdings::new(geometry, HashTree::new(geometry, ContentId::from_bytes([0; 32])), 0);
        (Schedule::new(geometry, PacketOrder::new(geometry, &[])), holdings)
    }

    fn want(first: u64, end: u64, bytes_per_s: Option<u64>) -> Want {
        Want { range: ByteRange { start: first * PACKET, end: end * PACKET }, bytes_per_s }
    }

    fn indices(missing: &[Missing]) -> Vec<u32> {
        missing.iter().map(|missing| missing.packet.get()).collect()
    }

    #[test]
    fn what_is_due_soon_goes_first_by_deadline_and_the_rest_in_a_round() {
        let (mut schedule, holdings) = schedule(40);
        let now = Time::from_millis(5_000);
        // An index at the end at once, and a film at two packets a second: 12 s of it are 24 packets.
        schedule.want(&[want(38, 40, None), want(10, 38, Some(2 * PACKET))], &holdings, now);
        let (missing, is_all) = schedule.missing(100, &holdings, now);
        assert!(is_all);
        let expected: Vec<u32> = [38, 39].into_iter().chain(10..38).chain(0..10).collect();
        assert_eq!(indices(&missing), expected);
        let urgent = missing.iter().filter(|missing| missing.due.is_some()).count();
        assert_eq!(urgent, 2 + 2 * LOOK_AHEAD.as_secs() as usize + 1);
        assert_eq!(missing[4].due, Some(now + Duration::from_secs(1)));
        assert_eq!((schedule.from(), schedule.class_of(missing[0].packet)), (10, 0));
        let apart = missing.iter().filter(|missing| missing.is_apart).map(|missing| missing.packet.get());
        assert_eq!(apart.collect::<Vec<_>>(), [38, 39], "feeders push the film first");
    }

    #[test]
    fn where_ranges_meet_a_packet_is_due_once_at_its_earliest() {
        let (mut schedule, holdings) = schedule(8);
        let now = Time::from_millis(1_000);
        schedule.want(&[want(0, 8, Some(PACKET)), want(3, 5, None)], &holdings, now);
        let (missing, _) = schedule.missing(100, &holdings, now);
        assert_eq!(indices(&missing), [0, 3, 4, 1, 2, 5, 6, 7]);
    }

    #[test]
    fn with_nothing_wanted_feeders_go_on_where_they_are() {
        let (mut schedule, mut holdings) = schedule(8);
        schedule.want(&[want(5, 8, None)], &holdings, Time::ZERO);
        schedule.want(&[], &holdings, Time::ZERO);
        holdings.insert_stored(schedule.geometry.packet(5).expect("it exists"));
        let (missing, is_all) = schedule.missing(3, &holdings, Time::ZERO);
        assert_eq!((indices(&missing), is_all), (vec![6, 7, 0], false));
    }

    #[test]
    fn steps_and_places_are_inverse() {
        for from in 0..7 {
            for step in 0..7 {
                let place = place_at(step, from, 7).expect("within");
                assert_eq!(step_of(place, from, 7), step);
            }
            assert_eq!(place_at(7, from, 7), None);
        }
    }
}
