//! Web servers as sources: what they are asked for comes in, is verified, and goes the way of all else.
//!
//! [003] has a client that finds a package nowhere get it from the web server; design, 'HTTP'. Here a server is one more
//! place that bytes come from, and the last that is asked (`choosing` says what of). What it sends are bare bytes, so the
//! content's hash list is fetched first and hashed up to the root; after that each packet can be checked as it comes.
//! From there on a packet takes the same way as one from a peer: it is written, offered to those who subscribed to it,
//! and announced.
//!
//! * A fetch is a range of neighbouring packets. A neighbour that feeds their stripes is told not to push them.
//! * What broke goes on with the packet at which it broke, after a rest. A server that sends next to nothing for ten
//!   seconds counts as broken. One that sends other bytes than the content's is never asked again; nothing of it is kept.
//! * A fetch whose rest others brought meanwhile is cancelled.
//!
//! Bounds: [`FETCHES_MAX`] fetches at a time, each of [`RANGE_PACKETS_MAX`] packets at most, and none begins while the
//! store is behind; so what may come from servers and is not written has a bound. The hash list has one of its own,
//! [`HASH_LIST_BYTES_MAX`]; a content whose list would be longer is not fetched from servers at all.

use core::time::Duration;

use bytes::{Bytes, BytesMut};
use rand::Rng;

use super::choosing::{FIRST_WAIT, GRACE};
use super::contract::{PeerConfig, SourceState, SourceStats};
use super::linking::runs_of;
use super::source::Source;
use super::{Life, Output, Peer, Reason};
use crate::content::{ByteRange, Geometry, HASH_LIST_BYTES_MAX, PacketIndex, URLS_MAX};
use crate::ids::{FetchId, PeerId};
use crate::time::Time;
use crate::wire::link::{LinkMessage, RUNS_MAX};
use crate::wire::range::FetchOutcome;
use crate::wire::tracker::{STRIPES_MAX, StripeMask, ToTracker};

/// Fetches at a time.
pub(super) const FETCHES_MAX: usize = 8;
/// Fetches of one place at a time; more, while together they are no more than so many bytes: single packets of a stripe,
/// which lie apart, are to come as fast as if they lay side by side.
const FETCHES_OF_ONE: usize = 2;
const FETCHES_OF_ONE_MAX: usize = 6;
const SMALL_FETCHES_BYTES: u64 = 512 * 1024;
/// Packets of one range: 4 MiB.
pub(super) const RANGE_PACKETS_MAX: u32 = 64;
/// Packets that are remembered until they have gone out to others.
const AHEAD_MAX: usize = 256;
/// A fetch that brings less than [`DRIP_BYTES`] in so long is given up.
const DRIP: Duration = Duration::from_secs(10);
const DRIP_BYTES: u64 = 16 * 1024;
/// What a fetch will bring later than this, at its pace, may be had elsewhere as well.
const LATE: Duration = Duration::from_secs(5);

/// What a fetch is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The content, at the source of this number.
    Source(usize),
    /// The hash list, at the place of this number.
    List(usize),
}

/// A fetch under way.
#[derive(Debug)]
struct Fetch {
    id: FetchId,
    from: Place,
    range: ByteRange,
    /// Where the next bytes belong; those from here to it are in `part`.
    part_start: u64,
    /// Of the packet that is coming in.
    part: BytesMut,
    began: Time,
    /// Since `watched`, so many bytes came.
    watched: Time,
    watched_bytes: u64,
}

impl Fetch {
    /// One past the last byte that came.
    fn came_until(&self) -> u64 {
        self.part_start + self.part.len() as u64
    }

    /// Whether the byte at this place comes soon, at the pace so far; a fetch that has just begun is trusted.
    fn brings_soon(&self, offset_bytes: u64, now: Time) -> bool {
        let took = (now - self.began).as_micros();
        if took < LATE.as_micros() {
            return true;
        }
        let came_bytes = u128::from(self.came_until() - self.range.start);
        let left_bytes = u128::from(offset_bytes.saturating_sub(self.came_until()));
        left_bytes * took <= came_bytes * LATE.as_micros()
    }
}

/// All that is known of web servers.
#[derive(Debug)]
pub(super) struct Fetching {
    pub(super) sources: Vec<Source>,
    /// Where the hash list may be.
    lists: Vec<Source>,
    /// What came of the hash list, and from which place.
    list: Vec<u8>,
    list_from: usize,
    /// Under way; no more than [`FETCHES_MAX`] and one of the hash list.
    fetches: Vec<Fetch>,
    next: u64,
    /// When the swarm was joined.
    pub(super) began: Time,
    /// Whether the tracker's plans say who fetches what.
    pub(super) is_told: bool,
    /// By stripe: when peers brought something of it last, or were given it to bring.
    left_to_peers_at: [Time; STRIPES_MAX as usize],
    /// By stripe: since when it says that this peer is to fetch it, or when it said so last.
    told_at: [Time; STRIPES_MAX as usize],
    /// Packets that were fetched for others and that nobody has been sent yet, oldest first.
    ahead: Vec<PacketIndex>,
    /// So many packets more are fetched without waiting for peers.
    pub(super) first_packets: u32,
}

impl Fetching {
    pub(super) fn new(config: &PeerConfig, geometry: Geometry, now: Time) -> Self {
        let is_possible = geometry.hash_list_bytes() <= HASH_LIST_BYTES_MAX && geometry.size_bytes() > 0;
        let urls_max = if is_possible { URLS_MAX } else { 0 };
        let sources = config.sources.iter().take(urls_max);
        let lists = config.hash_lists.iter().take(urls_max);
        Self {
            sources: sources.map(|source| Source::new(source.url.clone(), source.bytes_per_s, now)).collect(),
            lists: lists.map(|url| Source::new(url.clone(), None, now)).collect(),
            list: Vec::new(),
            list_from: 0,
            fetches: Vec::new(),
            next: 0,
            began: now,
            is_told: false,
            told_at: [now; STRIPES_MAX as usize],
            ahead: Vec::new(),
            left_to_peers_at: [now; STRIPES_MAX as usize],
            first_packets: super::choosing::FIRST_PACKETS,
        }
    }

    /// Whether a web server may be of use, now or later.
    pub(super) fn is_possible(&self) -> bool {
        self.sources.iter().any(Source::is_fit)
    }

    /// The swarm is joined now.
    pub(super) fn begin(&mut self, now: Time) {
        self.began = now;
        self.left_to_peers_at = [now; STRIPES_MAX as usize];
    }

    /// Peers bring something of these stripes, or are to bring it from now on.
    pub(super) fn leave_to_peers(&mut self, stripes: StripeMask, now: Time) {
        for (stripe, at) in (0..).zip(&mut self.left_to_peers_at) {
            if stripes.contains(stripe) {
                *at = now;
            }
        }
    }

    /// The tracker says that this peer is to fetch these stripes from now on, and no longer those.
    pub(super) fn tell(&mut self, begun: StripeMask, ended: StripeMask, now: Time) {
        for (stripe, at) in (0..).zip(&mut self.told_at) {
            if begun.contains(stripe) {
                *at = now;
            }
        }
        self.leave_to_peers(ended, now);
    }

    /// Since when the tracker says that this peer is to fetch a stripe.
    pub(super) fn told_at(&self, stripe: u8) -> Time {
        self.told_at[usize::from(stripe)]
    }

    /// A packet came: others are to get it. Of more than can be ahead, some were not fetched for others.
    fn note_ahead(&mut self, packet: PacketIndex) {
        if self.ahead.len() < AHEAD_MAX {
            self.ahead.push(packet);
        }
    }

    /// Packets that were fetched for others and that nobody has been sent; `is_out` says which have gone out.
    pub(super) fn still_ahead(&mut self, is_out: impl Fn(PacketIndex) -> bool) -> &[PacketIndex] {
        self.ahead.retain(|packet| !is_out(*packet));
        &self.ahead
    }

    /// When peers brought something of a stripe last, or were given it to bring.
    pub(super) fn left_to_peers_at(&self, stripe: u8) -> Time {
        self.left_to_peers_at[usize::from(stripe)]
    }

    /// Whether a server is about to bring this byte.
    pub(super) fn is_coming(&self, offset_bytes: u64, now: Time) -> bool {
        self.of_content().any(|fetch| {
            (fetch.part_start..fetch.range.end).contains(&offset_bytes) && fetch.brings_soon(offset_bytes, now)
        })
    }

    /// Whether a fetch is to bring this byte, soon or late.
    pub(super) fn is_fetched(&self, offset_bytes: u64) -> bool {
        self.of_content().any(|fetch| (fetch.part_start..fetch.range.end).contains(&offset_bytes))
    }

    fn of_content(&self) -> impl Iterator<Item = &Fetch> {
        self.fetches.iter().filter(|fetch| matches!(fetch.from, Place::Source(_)))
    }

    fn get_mut(&mut self, id: FetchId) -> Option<&mut Fetch> {
        self.fetches.iter_mut().find(|fetch| fetch.id == id)
    }

    fn remove(&mut self, id: FetchId) -> Option<Fetch> {
        let at = self.fetches.iter().position(|fetch| fetch.id == id)?;
        Some(self.fetches.remove(at))
    }

    fn is_listing(&self) -> bool {
        self.fetches.iter().any(|fetch| matches!(fetch.from, Place::List(_)))
    }

    /// The packets that are to come from servers, in ascending order.
    fn packets(&self, geometry: Geometry) -> Vec<u32> {
        let packet_bytes = u64::from(geometry.packet_bytes());
        let ranges = self.of_content().map(|fetch| (fetch.part_start, fetch.range.end));
        let packets = ranges.flat_map(|(start, end)| start / packet_bytes..end.div_ceil(packet_bytes));
        let mut packets: Vec<u32> = packets.map(|packet| packet as u32).collect();
        packets.sort_unstable();
        packets.dedup();
        packets
    }

    fn count_of(&self, from: Place) -> usize {
        self.fetches.iter().filter(|fetch| fetch.from == from).count()
    }

    /// The source that has least to do of those that may be asked.
    fn idlest(&self, now: Time) -> Option<usize> {
        let ready = self.sources.iter().enumerate().filter(|(_, source)| source.is_ready(now) && source.is_fit());
        let counted = ready.map(|(at, _)| (self.count_of(Place::Source(at)), at));
        let has_room = |at: usize, count: usize| {
            count < FETCHES_OF_ONE || count < FETCHES_OF_ONE_MAX && self.asked_bytes(at) < SMALL_FETCHES_BYTES
        };
        counted.filter(|(count, at)| has_room(*at, *count)).min().map(|(_, at)| at)
    }

    /// What one source is asked for, all together.
    fn asked_bytes(&self, at: usize) -> u64 {
        let its = self.fetches.iter().filter(|fetch| fetch.from == Place::Source(at));
        its.map(|fetch| fetch.range.len()).sum()
    }

    fn place_mut(&mut self, from: Place) -> &mut Source {
        match from {
            Place::Source(at) => &mut self.sources[at],
            Place::List(at) => &mut self.lists[at],
        }
    }

    /// When something is to be looked at, beyond what the peer looks at in any case.
    fn due(&self) -> Option<Time> {
        let rests = self.sources.iter().chain(&self.lists).filter_map(Source::rests_until);
        let drips = self.fetches.iter().map(|fetch| fetch.watched + DRIP);
        rests.chain(drips).min()
    }
}

impl Peer {
    /// Asks web servers for what is theirs to bring, as much as may be asked for now, and tells neighbours.
    pub(super) fn fetch_more(&mut self, now: Time) {
        self.begin_fetches(now);
        self.tell_fetches(now);
    }

    fn begin_fetches(&mut self, now: Time) {
        if self.life != Life::Running || self.holdings.has_all_groups() || !self.fetching.is_possible() {
            return;
        }
        if self.holdings.backlog_bytes() < self.config.store_backlog_bytes_max {
            self.fetch_packets(now);
        }
        let due = self.fetching.due().filter(|due| *due > now);
        let grace_ends = [FIRST_WAIT, GRACE].map(|wait| self.fetching.began + wait);
        let grace_ends = grace_ends.into_iter().find(|ends| *ends > now);
        if let Some(at) = due.into_iter().chain(grace_ends).min() {
            self.timers.set_if_sooner(Reason::Fetch, at);
        }
    }

    /// Looks for fetches that bring nothing, and for what may be asked for now.
    pub(super) fn look_at_fetches(&mut self, now: Time) {
        let watched = self.fetching.fetches.iter_mut().filter(|fetch| now - fetch.watched >= DRIP);
        let mut dripping = Vec::new();
        for fetch in watched {
            if fetch.watched_bytes < DRIP_BYTES {
                dripping.push(fetch.id);
            }
            (fetch.watched, fetch.watched_bytes) = (now, 0);
        }
        for id in dripping {
            self.outputs.push_back(Output::CancelFetch { fetch: id });
            self.fetch_ended(id, FetchOutcome::busy("it sends next to nothing"), now);
        }
        self.fetch_more(now);
    }

    /// The hash list comes first, from one place at a time.
    fn fetch_list(&mut self, now: Time) {
        if self.holdings.tree.is_complete() || self.fetching.is_listing() {
            return;
        }
        let Some(at) = self.fetching.lists.iter().position(|list| list.is_ready(now)) else { return };
        if self.fetching.list_from != at {
            // What two places sent is not mixed: it would not be known who was wrong.
            self.fetching.list_from = at;
            self.fetching.list.clear();
        }
        let range = ByteRange { start: self.fetching.list.len() as u64, end: self.geometry.hash_list_bytes() };
        self.start_fetch(Place::List(at), range, now);
    }

    fn fetch_packets(&mut self, now: Time) {
        if self.fetching.fetches.len() >= FETCHES_MAX || self.fetching.idlest(now).is_none() {
            return;
        }
        let mut choice = self.choose_packets(now);
        if choice.lacks_hashes() {
            self.fetch_list(now);
        }
        while let Some(at) = self.fetching.idlest(now).filter(|_| self.fetching.fetches.len() < FETCHES_MAX) {
            let source = &mut self.fetching.sources[at];
            let Some(range) = choice.next_range(source, self.geometry, now) else { break };
            if let Err(allowed_at) = source.limit.allows(range.len(), now) {
                if let Some(allowed_at) = allowed_at {
                    self.timers.set_if_sooner(Reason::Fetch, allowed_at);
                }
                break;
            }
            source.limit.spend(range.len());
            choice.take(range, self.geometry);
            self.start_fetch(Place::Source(at), range, now);
            self.decline_fetched(range);
            self.be_patient_again(range, now);
        }
        self.fetching.first_packets = choice.first_packets();
    }

    fn start_fetch(&mut self, from: Place, range: ByteRange, now: Time) {
        let id = FetchId(self.fetching.next);
        self.fetching.next += 1;
        let size_bytes = match from {
            Place::Source(_) => self.geometry.size_bytes(),
            Place::List(_) => self.geometry.hash_list_bytes(),
        };
        let url = self.fetching.place_mut(from).url.clone();
        let fetch = Fetch {
            id,
            from,
            range,
            part_start: range.start,
            part: BytesMut::new(),
            began: now,
            watched: now,
            watched_bytes: 0,
        };
        self.fetching.fetches.push(fetch);
        self.outputs.push_back(Output::Fetch { fetch: id, url, range, size_bytes });
    }

    /// Feeders need not push what a server is asked for.
    fn decline_fetched(&mut self, range: ByteRange) {
        let packet_bytes = u64::from(self.geometry.packet_bytes());
        let indices = range.start / packet_bytes..range.end.div_ceil(packet_bytes);
        let packets: Vec<PacketIndex> = indices.filter_map(|index| self.packet(index as u32)).collect();
        for id in self.links.keys().copied().collect::<Vec<_>>() {
            let fed = packets.iter().filter(|packet| self.feeding.feeder(self.stripe_of(**packet)) == Some(id));
            let fed: Vec<PacketIndex> = fed.copied().collect();
            let Some(link) = self.links.get_mut(&id).filter(|link| link.is_open()) else { continue };
            let declined = fed.into_iter().filter(|packet| link.receiving.declined.insert(*packet));
            let declined: Vec<u32> = declined.map(PacketIndex::get).collect();
            for packets in runs_of(&declined).chunks(RUNS_MAX) {
                self.tell_link(id, &LinkMessage::Cancel { packets: packets.to_vec() });
            }
        }
    }

    /// Packets that servers are to bring: a new feeder need not push them.
    pub(super) fn fetched_packets(&self) -> Vec<u32> {
        self.fetching.packets(self.geometry)
    }

    /// Bytes of a fetch came.
    pub(super) fn fetched(&mut self, id: FetchId, bytes: &Bytes, now: Time) {
        let Some(fetch) = self.fetching.get_mut(id) else { return };
        fetch.watched_bytes += bytes.len() as u64;
        if bytes.len() as u64 > fetch.range.end - fetch.came_until() {
            return self.drop_source(id, "it sends more than it was asked for".to_owned(), now);
        }
        fetch.part.extend_from_slice(bytes);
        match fetch.from {
            Place::List(at) => self.fetched_list(id, at, now),
            Place::Source(at) => self.fetched_packets_of(id, at, now),
        }
    }

    /// Takes what came of the hash list, and learns it once all is there.
    fn fetched_list(&mut self, id: FetchId, at: usize, now: Time) {
        let Some(fetch) = self.fetching.get_mut(id) else { return };
        let part = fetch.part.split();
        fetch.part_start += part.len() as u64;
        let is_whole = fetch.part_start == fetch.range.end;
        self.fetching.list.extend_from_slice(&part);
        self.fetching.lists[at].note_good(part.len() as u64, now);
        if !is_whole {
            return;
        }
        let list = core::mem::take(&mut self.fetching.list);
        if let Err(error) = self.holdings.tree.learn_list(&list) {
            return self.drop_source(id, error.to_string(), now);
        }
        self.fetching.remove(id);
        self.save_journal();
        self.fetch_more(now);
    }

    /// Takes whole packets out of what came.
    fn fetched_packets_of(&mut self, id: FetchId, at: usize, now: Time) {
        let packet_bytes = u64::from(self.geometry.packet_bytes());
        loop {
            let Some(fetch) = self.fetching.get_mut(id) else { return };
            let packet = self.geometry.packet((fetch.part_start / packet_bytes) as u32);
            let Some(packet) = packet.filter(|_| fetch.part_start < fetch.range.end) else { break };
            let len_bytes = self.geometry.packet_range(packet).len() as usize;
            if fetch.part.len() < len_bytes {
                return;
            }
            let bytes = fetch.part.split_to(len_bytes).freeze();
            fetch.part_start += len_bytes as u64;
            if !self.holdings.tree.check_packet(packet, &bytes) {
                self.totals.wasted_bytes += len_bytes as u64;
                return self.drop_source(id, "it has another file: its bytes fail verification".to_owned(), now);
            }
            self.fetching.sources[at].note_good(len_bytes as u64, now);
            self.fetching.note_ahead(packet);
            self.keep_fetched(packet, bytes, now);
        }
        self.fetching.remove(id);
        self.fetch_more(now);
    }

    fn keep_fetched(&mut self, packet: PacketIndex, bytes: Bytes, now: Time) {
        let first = self.geometry.groups_of(packet).start;
        match self.geometry.group(first).filter(|_| !self.holdings.has_packet(packet)) {
            Some(first) => self.keep(None, first, &bytes, now),
            None => self.totals.wasted_bytes += bytes.len() as u64,
        }
    }

    /// The server of a fetch is of no use: all that it was asked for is given up.
    fn drop_source(&mut self, id: FetchId, reason: String, now: Time) {
        let Some(from) = self.fetching.get_mut(id).map(|fetch| fetch.from) else { return };
        self.fetching.place_mut(from).drop_for(reason);
        let its = self.fetching.fetches.iter().filter(|fetch| fetch.from == from);
        for id in its.map(|fetch| fetch.id).collect::<Vec<_>>() {
            self.cancel_fetch(id);
        }
        self.fetch_failed(now);
    }

    /// A fetch is over, well or not.
    pub(super) fn fetch_ended(&mut self, id: FetchId, outcome: FetchOutcome, now: Time) {
        let Some(fetch) = self.fetching.remove(id) else { return };
        self.totals.wasted_bytes += fetch.part.len() as u64;
        let draw = self.rng.random_range(0..1_000);
        self.fetching.place_mut(fetch.from).note_failure(outcome, draw, now);
        self.fetch_failed(now);
    }

    /// What did not come may come from elsewhere.
    fn fetch_failed(&mut self, now: Time) {
        let is_ready = self.fetching.sources.iter().any(|source| source.is_ready(now));
        if !is_ready && !self.feeding.top_of().is_empty() && !self.session.is_alone() {
            // Others may have better luck.
            self.tell_tracker(&ToTracker::Lost { peer: PeerId::WEB, was_open: false });
        }
        self.pulling.forget_plan();
        self.pull(now);
        self.fetch_more(now);
    }

    /// A packet is whole: a fetch that would bring nothing but what is here is given up.
    pub(super) fn end_fetches(&mut self, packet: PacketIndex) {
        let packet_bytes = u64::from(self.geometry.packet_bytes());
        let start = self.geometry.packet_range(packet).start;
        let concerned = self.fetching.of_content();
        let concerned = concerned.filter(|fetch| (fetch.part_start..fetch.range.end).contains(&start));
        let is_here = |index: u64| self.packet(index as u32).is_none_or(|packet| self.holdings.has_packet(packet));
        let is_needless =
            |fetch: &Fetch| (fetch.part_start / packet_bytes..fetch.range.end.div_ceil(packet_bytes)).all(is_here);
        let needless = concerned.filter(|fetch| is_needless(fetch)).map(|fetch| fetch.id);
        for id in needless.collect::<Vec<_>>() {
            self.cancel_fetch(id);
        }
    }

    /// Gives up fetches that begin with one of these and of which nothing came yet.
    pub(super) fn cancel_untouched(&mut self, packets: &[PacketIndex]) {
        let geometry = self.geometry;
        let untouched = self.fetching.of_content().filter(|fetch| {
            let first = geometry.packet((fetch.range.start / u64::from(geometry.packet_bytes())) as u32);
            fetch.came_until() == fetch.range.start && first.is_some_and(|first| packets.contains(&first))
        });
        for id in untouched.map(|fetch| fetch.id).collect::<Vec<_>>() {
            self.cancel_fetch(id);
        }
    }

    fn cancel_fetch(&mut self, id: FetchId) {
        if let Some(fetch) = self.fetching.remove(id) {
            self.totals.wasted_bytes += fetch.part.len() as u64;
            self.outputs.push_back(Output::CancelFetch { fetch: id });
        }
    }

    /// Gives up all.
    pub(super) fn cancel_fetches(&mut self) {
        for id in self.fetching.fetches.iter().map(|fetch| fetch.id).collect::<Vec<_>>() {
            self.cancel_fetch(id);
        }
    }

    /// For people.
    pub(super) fn source_stats(&self, now: Time) -> Vec<SourceStats> {
        let is_listing = self.fetching.is_listing();
        let lacks_list = !self.holdings.tree.is_complete() && !self.fetching.lists.iter().any(Source::is_fit);
        let list_trouble = || {
            let trouble = self.fetching.lists.iter().find_map(|list| list.trouble.clone());
            trouble.unwrap_or_else(|| "nobody said where it is".to_owned())
        };
        let stats = self.fetching.sources.iter().enumerate().map(|(at, source)| {
            let is_fetching = is_listing || self.fetching.count_of(Place::Source(at)) > 0;
            let mut stats = source.stats(is_fetching, self.completed, now);
            if lacks_list && stats.state == SourceState::Idle && !self.completed {
                stats.state = SourceState::Unfit;
                stats.trouble = Some(format!("its hash list is missing: {}", list_trouble()));
            }
            stats
        });
        stats.collect()
    }
}
