//! One peer between neighbours that say exactly what a test wants: who is asked, refused, declined and sent what.

use core::time::Duration;
use std::collections::BTreeMap;

use super::*;
use crate::content::KnownNodes;
use crate::ids::{ReadId, SocketNonce, WriteId};
use crate::wire::link::{Data, Partial, Run};
use crate::wire::tracker::{Edge, FromTracker, Role, StripeMask, ToTracker, VERSION};

const PACKET_BYTES: usize = 65_536;
const GROUP_BYTES: usize = 16_384;
const STRIPES: u8 = 2;
const ALL: StripeMask = StripeMask::all(STRIPES);

/// A peer with a hand on all its inputs. Time moves when a test says so.
struct Lab {
    peer: Peer,
    content: Vec<u8>,
    tree: HashTree,
    now: Time,
    /// Whether reads and writes are done at once.
    has_store: bool,
    writes: Vec<WriteId>,
    reads: Vec<ReadId>,
    /// What it said on links, in order.
    said: Vec<(LinkId, LinkMessage)>,
    told: Vec<ToTracker>,
    opened: Vec<LinkId>,
    /// What the neighbours at the far ends were sent, and know of the tree.
    sent_bytes: BTreeMap<LinkId, u64>,
    known: BTreeMap<LinkId, KnownNodes>,
}

impl Lab {
    fn new(packets: usize, is_complete: bool, cache_bytes: usize) -> Self {
        let content = content(packets * PACKET_BYTES);
        let mut builder = TreeBuilder::new();
        builder.push(&content);
        let (_, tree) = builder.finish().expect("small enough");
        let manifest = Manifest::of_file("file.bin", None, tree.root(), content.len() as u64).expect("valid");
        let start = if is_complete { Start::Complete(tree.clone()) } else { Start::Empty };
        let config = PeerConfig { cache_bytes, ..PeerConfig::new(manifest, start) };
        let now = Time::from_millis(1);
        let mut lab = Self {
            peer: Peer::new(config, [1; 32], now),
            content,
            tree,
            now,
            has_store: true,
            writes: Vec::new(),
            reads: Vec::new(),
            said: Vec::new(),
            told: Vec::new(),
            opened: Vec::new(),
            sent_bytes: BTreeMap::new(),
            known: BTreeMap::new(),
        };
        lab.give(Input::TrackerUp);
        let hello = FromTracker::Hello { nonce: SocketNonce::from_bytes([0; 16]) };
        lab.give(Input::TrackerMessage(hello.encode()));
        let welcome = FromTracker::Welcome {
            version: VERSION,
            peer: lab.peer.id(),
            stripes: STRIPES,
            ice_servers: Vec::new(),
            manifest_wanted: false,
            places_web: false,
            orders: None,
        };
        lab.give(Input::TrackerMessage(welcome.encode()));
        lab
    }

    fn give(&mut self, input: Input) {
        self.peer.handle_input(input, self.now);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.peer.poll_output() {
            match output {
                Output::OpenLink { link, .. } => self.opened.push(link),
                Output::SendLink { link, message } => self.hear(link, &message),
                Output::SendTracker(text) => self.told.push(ToTracker::decode(&text).expect("its own")),
                Output::Write { write, .. } if self.has_store => self.give(Input::Written(write)),
                Output::Write { write, .. } => self.writes.push(write),
                Output::Read { read, offset_bytes, len_bytes } if self.has_store => {
                    let start = offset_bytes as usize;
                    let bytes = Bytes::copy_from_slice(&self.content[start..start + len_bytes as usize]);
                    self.give(Input::ReadDone { read, bytes });
                }
                Output::Read { read, .. } => self.reads.push(read),
                Output::Event(Event::Failed(failure)) => panic!("{failure:?}"),
                _ => {}
            }
        }
    }

    fn hear(&mut self, link: LinkId, message: &Bytes) {
        let message = LinkMessage::decode(message, &self.tree.geometry()).expect("its own");
        if let LinkMessage::Data(data) = &message {
            *self.sent_bytes.entry(link).or_default() += data.payload.len() as u64;
        }
        self.said.push((link, message));
        self.give(Input::LinkRoom { link, room_bytes: 1 << 30 });
    }

    /// A neighbour that the tracker planned, linked and greeted. `has`: packets below this one.
    fn link(&mut self, role: Role, has: u32) -> LinkId {
        let peer = PeerId::from_bytes([0x40 + self.opened.len() as u8; 16]);
        let stripes = if role == Role::Lateral { StripeMask::NONE } else { ALL };
        let plan = FromTracker::Plan { open: vec![Edge::new(peer, role, stripes, true)], close: Vec::new() };
        self.give(Input::TrackerMessage(plan.encode()));
        let link = *self.opened.last().expect("it dials");
        self.give(Input::LinkOpen { link, room_bytes: 1 << 30 });
        let have = if has == 0 { Vec::new() } else { vec![Run { first: 0, count: has }] };
        let agent = "test".to_owned();
        self.say(link, &LinkMessage::Hello { content: self.tree.root(), agent, have });
        link
    }

    fn say(&mut self, link: LinkId, message: &LinkMessage) {
        self.give(Input::LinkMessage { link, message: message.encode() });
    }

    /// A neighbour takes whatever comes, and acknowledges what came.
    fn acknowledge(&mut self, link: LinkId) {
        let received_bytes = self.sent_bytes.get(&link).copied().unwrap_or(0);
        self.say(link, &LinkMessage::Credit { received_bytes, limit_bytes: 1 << 40, clock_ms: 0 });
    }

    fn subscribe(&mut self, link: LinkId) {
        self.say(link, &LinkMessage::Subscribe { stripes: STRIPES, mask: ALL.0, from: 0 });
    }

    fn request(&mut self, link: LinkId, first: u32, count: u32, partial: Vec<Partial>) {
        self.say(link, &LinkMessage::Request { packets: vec![Run { first, count }], partial });
    }

    /// A neighbour brings consecutive groups.
    fn bring(&mut self, link: LinkId, first: u32, count: u32) {
        let geometry = self.tree.geometry();
        let packet = first as usize / 4;
        let all = &self.content[packet * PACKET_BYTES..][..PACKET_BYTES];
        let known = self.known.entry(link).or_insert_with(|| KnownNodes::new(&geometry));
        let group = geometry.group(first).unwrap();
        let proof = self.tree.proof(group, count, Some(all), known).unwrap();
        let start = first as usize * GROUP_BYTES;
        let payload = Bytes::copy_from_slice(&self.content[start..start + count as usize * GROUP_BYTES]);
        self.say(link, &LinkMessage::Data(Data { first: group, count: count as u8, proof, payload }));
    }

    fn pass_ms(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while let Some((at, _)) = self.peer.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.peer.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    /// Groups that were sent since the last call, in order.
    fn take_groups(&mut self) -> Vec<(LinkId, u32)> {
        let data = self.take_said().into_iter().filter_map(|(link, message)| match message {
            LinkMessage::Data(data) => Some((link, data)),
            _ => None,
        });
        data.flat_map(|(link, data)| (0..u32::from(data.count)).map(move |i| (link, data.first.get() + i))).collect()
    }

    fn take_said(&mut self) -> Vec<(LinkId, LinkMessage)> {
        core::mem::take(&mut self.said)
    }

    /// Packets in messages of one kind on a link since the last call.
    fn take_packets(&mut self, link: LinkId, of: fn(&LinkMessage) -> Option<&Vec<Run>>) -> Vec<u32> {
        let said = self.take_said();
        let runs = said.iter().filter(|(on, _)| *on == link).filter_map(|(_, message)| of(message)).flatten();
        runs.flat_map(|run| run.first..run.first + run.count).collect()
    }
}

fn refused(message: &LinkMessage) -> Option<&Vec<Run>> {
    if let LinkMessage::Refuse { packets } = message { Some(packets) } else { None }
}

fn cancelled(message: &LinkMessage) -> Option<&Vec<Run>> {
    if let LinkMessage::Cancel { packets } = message { Some(packets) } else { None }
}

fn requested(message: &LinkMessage) -> Option<&Vec<Run>> {
    if let LinkMessage::Request { packets, .. } = message { Some(packets) } else { None }
}

#[test]
fn who_asks_for_more_than_goes_out_soon_is_refused_the_rest_at_once() {
    let mut lab = Lab::new(64, true, 8 << 20);
    let link = lab.link(Role::Lateral, 0);
    lab.acknowledge(link);
    lab.take_said();
    lab.request(link, 0, 40, Vec::new());
    let said = lab.take_said();
    let refusals: Vec<u32> =
        said.iter().filter_map(|(_, message)| refused(message)).flatten().map(|run| run.count).collect();
    assert_eq!(refusals, [39], "nothing is known of the uplink: one packet is promised");
    lab.said = said;
    // What a link may have in flight goes out before anything is acknowledged; the rest of the promise follows.
    let mut groups = lab.take_groups();
    assert!((1..=4).contains(&groups.len()), "{groups:?}");
    for _ in 0..8 {
        lab.acknowledge(link);
        groups.extend(lab.take_groups());
    }
    let mut groups: Vec<u32> = groups.into_iter().map(|(_, group)| group).collect();
    groups.sort_unstable();
    assert_eq!(groups, (0..4).collect::<Vec<_>>());
}

#[test]
fn while_what_is_pushed_takes_the_uplink_nothing_is_promised() {
    let mut lab = Lab::new(64, true, 8 << 20);
    let children = [0; 4].map(|_| lab.link(Role::Child, 0));
    let other = lab.link(Role::Lateral, 0);
    lab.acknowledge(other);
    for child in children {
        lab.acknowledge(child);
        lab.subscribe(child);
    }
    lab.take_said();
    lab.request(other, 40, 2, Vec::new());
    assert_eq!(lab.take_packets(other, refused), [40, 41]);
    for child in [children, children].concat() {
        lab.acknowledge(child);
    }
    assert!(lab.take_groups().iter().all(|(link, _)| *link != other), "what was refused is not sent after all");
}

#[test]
fn what_an_origin_has_not_sent_yet_is_left_to_the_trees() {
    let mut lab = Lab::new(64, false, 8 << 20);
    let feeder = lab.link(Role::Parent, 0);
    let origin = lab.link(Role::Lateral, 64);
    for packet in 0..12 {
        lab.bring(feeder, packet * 4, 4);
        lab.pass_ms(500);
    }
    assert!(lab.take_packets(origin, requested).is_empty(), "the feeder brings what is next");
    lab.bring(feeder, 40 * 4, 4);
    for packet in 12..20 {
        lab.bring(feeder, packet * 4, 4);
        lab.pass_ms(500);
    }
    let asked = lab.take_packets(origin, requested);
    assert!(!asked.is_empty(), "it passed some over");
    assert!(asked.iter().all(|packet| *packet < 40), "{asked:?}");
}

#[test]
fn a_busy_neighbour_is_not_asked_again_at_once() {
    let mut lab = Lab::new(16, false, 8 << 20);
    let link = lab.link(Role::Lateral, 16);
    let asked = lab.take_packets(link, requested);
    assert!(!asked.is_empty());
    let packets = asked.iter().map(|packet| Run { first: *packet, count: 1 }).collect();
    lab.say(link, &LinkMessage::Refuse { packets });
    lab.pass_ms(400);
    assert!(lab.take_packets(link, requested).is_empty(), "it is busy");
    lab.pass_ms(1_500);
    assert!(!lab.take_packets(link, requested).is_empty(), "it may not be any longer");
}

#[test]
fn groups_that_the_asker_holds_are_not_sent() {
    let mut lab = Lab::new(4, true, 8 << 20);
    let link = lab.link(Role::Lateral, 0);
    lab.acknowledge(link);
    lab.take_said();
    lab.request(link, 1, 1, vec![Partial { packet: 1, groups: 0b0101 }]);
    for _ in 0..4 {
        lab.acknowledge(link);
    }
    let groups: Vec<u32> = lab.take_groups().into_iter().map(|(_, group)| group).collect();
    assert_eq!(groups, [5, 7]);
}

#[test]
fn what_is_held_in_part_is_told_when_the_rest_is_asked_for() {
    let mut lab = Lab::new(1, false, 8 << 20);
    let feeder = lab.link(Role::Parent, 1);
    lab.bring(feeder, 0, 1);
    lab.bring(feeder, 2, 1);
    lab.give(Input::LinkClosed { link: feeder, reason: "gone".to_owned() });
    lab.take_said();
    let other = lab.link(Role::Lateral, 1);
    let partial: Vec<Partial> = lab
        .take_said()
        .into_iter()
        .filter_map(|(link, message)| match message {
            LinkMessage::Request { partial, .. } if link == other => Some(partial),
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(partial, [Partial { packet: 0, groups: 0b0101 }]);
}

#[test]
fn a_feeder_is_told_not_to_push_what_has_begun_to_come_from_elsewhere() {
    let mut lab = Lab::new(16, false, 8 << 20);
    let feeder = lab.link(Role::Parent, 16);
    let other = lab.link(Role::Lateral, 16);
    lab.pass_ms(4_500);
    let said = lab.take_said();
    let asked: Vec<u32> = said
        .iter()
        .filter(|(link, _)| *link == other)
        .filter_map(|(_, message)| requested(message))
        .flatten()
        .map(|run| run.first)
        .collect();
    assert!(!asked.is_empty(), "the feeder brings nothing");
    assert!(said.iter().all(|(link, message)| *link != feeder || cancelled(message).is_none()), "not before it comes");
    lab.bring(other, asked[0] * 4, 1);
    assert_eq!(lab.take_packets(feeder, cancelled), [asked[0]]);
    lab.bring(other, asked[0] * 4 + 1, 1);
    assert!(lab.take_packets(feeder, cancelled).is_empty(), "it is told once");
}

#[test]
fn what_was_declined_is_not_pushed_unless_it_is_asked_for() {
    let mut lab = Lab::new(6, true, 8 << 20);
    let link = lab.link(Role::Child, 0);
    lab.subscribe(link);
    lab.say(link, &LinkMessage::Cancel { packets: vec![Run { first: 2, count: 3 }] });
    for _ in 0..12 {
        lab.acknowledge(link);
    }
    let mut groups: Vec<u32> = lab.take_groups().into_iter().map(|(_, group)| group).collect();
    groups.sort_unstable();
    assert_eq!(groups, [0, 1, 2, 3, 4, 5, 6, 7, 20, 21, 22, 23]);
    lab.request(link, 3, 1, Vec::new());
    for _ in 0..4 {
        lab.acknowledge(link);
    }
    assert_eq!(lab.take_groups().len(), 4);
}

#[test]
fn what_was_declined_while_it_was_being_read_is_not_sent() {
    let mut lab = Lab::new(4, true, 0);
    lab.has_store = false;
    let link = lab.link(Role::Child, 0);
    lab.acknowledge(link);
    lab.subscribe(link);
    assert!(!lab.reads.is_empty());
    lab.say(link, &LinkMessage::Cancel { packets: vec![Run { first: 0, count: 4 }] });
    for (packet, read) in core::mem::take(&mut lab.reads).into_iter().enumerate() {
        let bytes = Bytes::copy_from_slice(&lab.content[packet * PACKET_BYTES..][..PACKET_BYTES]);
        lab.give(Input::ReadDone { read, bytes });
    }
    assert_eq!(lab.take_groups(), []);
}

#[test]
fn an_origin_sends_each_packet_once_before_it_sends_any_again() {
    for cache_bytes in [64 << 20, 0] {
        let mut lab = Lab::new(32, true, cache_bytes);
        let links = [lab.link(Role::Child, 0), lab.link(Role::Child, 0), lab.link(Role::Child, 0)];
        for link in links {
            lab.acknowledge(link);
            lab.subscribe(link);
        }
        let mut groups = lab.take_groups();
        for _ in 0..200 {
            lab.now = lab.now + Duration::from_millis(50);
            links.into_iter().for_each(|link| lab.acknowledge(link));
            groups.extend(lab.take_groups());
        }
        let mut out = std::collections::BTreeSet::new();
        let again = groups.iter().position(|(_, group)| !out.insert(*group)).expect("all get all");
        // At the end the others need not wait for the rest of what one has begun with, or waits for to be read.
        assert!(again >= 24 * 4, "everything is on its way before anything goes again: {:?}", &groups[..again]);
        let first: Vec<usize> =
            links.iter().map(|link| groups[..again].iter().filter(|(to, _)| to == link).count()).collect();
        assert!(first.iter().all(|count| *count >= 4 * 4), "each gets others of them: {first:?}");
        assert_eq!(groups.len(), 3 * 32 * 4, "all get all");
    }
}

#[test]
fn an_origin_keeps_the_stripes_in_step() {
    let mut lab = Lab::new(256, true, 64 << 20);
    lab.give(Input::UploadLimit { bytes_per_s: Some(1_000_000) });
    let links: Vec<LinkId> = (0..STRIPES).map(|_| lab.link(Role::Child, 0)).collect();
    for (stripe, link) in links.iter().enumerate() {
        // Some have much of the other stripes already: that is no reason to let theirs wait.
        let others = (0..64 * (stripe as u32 % 2)).filter(|packet| *packet as usize % usize::from(STRIPES) != stripe);
        let packets = others.map(|first| Run { first, count: 1 }).collect();
        lab.say(*link, &LinkMessage::Have { packets });
        lab.say(*link, &LinkMessage::Subscribe { stripes: STRIPES, mask: 1 << stripe, from: 0 });
    }
    let mut sent = BTreeMap::new();
    for round in 0..100 {
        lab.now = lab.now + Duration::from_millis(50);
        links.iter().for_each(|link| lab.acknowledge(*link));
        for (link, _) in lab.take_groups() {
            *sent.entry(link).or_insert(0_u32) += 1;
        }
        let of_each = || links.iter().map(|link| sent.get(link).copied().unwrap_or(0));
        // A row may be on its way, and a message of several groups of the next.
        // Whoever may get some first gets all that may be in flight, until the others may.
        assert!(round < 10 || of_each().max() <= of_each().min().map(|least| least + 4), "{sent:?}");
    }
    assert!(sent.values().all(|groups| *groups > 40), "{sent:?}");
}

/// Channels share the uplink alike: each that has something to carry takes from the one that waits.
#[test]
fn while_what_goes_first_waits_an_origin_serves_one_other_at_a_time() {
    let mut lab = Lab::new(256, true, 64 << 20);
    lab.give(Input::UploadLimit { bytes_per_s: Some(1_000_000) });
    let first = lab.link(Role::Child, 0);
    lab.subscribe(first);
    for _ in 0..60 {
        lab.now = lab.now + Duration::from_millis(50);
        lab.acknowledge(first);
    }
    lab.take_groups();
    let others: Vec<LinkId> = (0..4).map(|_| lab.link(Role::Lateral, 0)).collect();
    for link in &others {
        lab.acknowledge(*link);
        lab.request(*link, 0, 2, Vec::new());
    }
    for _ in 0..10 {
        // It takes what was sent, and no more for now.
        lab.now = lab.now + Duration::from_millis(50);
        let received_bytes = lab.sent_bytes[&first];
        lab.say(first, &LinkMessage::Credit { received_bytes, limit_bytes: received_bytes + 1, clock_ms: 0 });
    }
    let served =
        |groups: &[(LinkId, u32)]| groups.iter().map(|(link, _)| *link).filter(|link| *link != first).collect();
    let of_one: std::collections::BTreeSet<LinkId> = served(&lab.take_groups());
    assert_eq!(of_one.len(), 1, "until it has acknowledged, others wait for their turn");
    lab.acknowledge(*of_one.first().expect("one"));
    lab.now = lab.now + Duration::from_millis(50);
    lab.acknowledge(first);
    lab.pass_ms(50);
    let of_next: std::collections::BTreeSet<LinkId> = served(&lab.take_groups());
    assert!(!of_next.is_empty(), "and then it is");
}

#[test]
fn what_is_in_flight_is_bounded_until_it_is_acknowledged() {
    let mut lab = Lab::new(64, true, 8 << 20);
    let links = [0; 6].map(|_| lab.link(Role::Child, 0));
    for link in links {
        lab.acknowledge(link);
        lab.subscribe(link);
    }
    let groups = lab.take_groups();
    assert_eq!(groups.len(), 4, "over all links");
    let on = |link: &LinkId| groups.iter().filter(|(to, _)| to == link).count();
    assert_eq!(links.iter().map(on).max(), Some(2), "on each link");
    links.into_iter().for_each(|link| lab.acknowledge(link));
    assert!(!lab.take_groups().is_empty());
}

/// Groups that a child with a line of four in 50 ms gets within two seconds, beside one that acknowledges for so long and
/// then stands still.
fn goes_beside_one_that_stands_still_after(still_after_ms: Option<u64>) -> usize {
    const PER_STEP: usize = 4;
    let mut lab = Lab::new(512, true, 64 << 20);
    let links = [0; 2].map(|_| lab.link(Role::Child, 0));
    links.into_iter().for_each(|link| lab.acknowledge(link));
    let (mut sent, mut acked) = ([0; 2], [0; 2]);
    let mut before = 0;
    lab.subscribe(links[0]);
    if still_after_ms.is_some() {
        lab.subscribe(links[1]);
    }
    let still_after_ms = still_after_ms.unwrap_or(0);
    for step_ms in (0..still_after_ms + 2_000).step_by(50) {
        for (link, _) in lab.take_groups() {
            sent[usize::from(link == links[1])] += 1;
        }
        before = if step_ms <= still_after_ms { acked[0] } else { before };
        lab.pass_ms(50);
        for i in 0..if step_ms < still_after_ms { 2 } else { 1 } {
            acked[i] = sent[i].min(acked[i] + PER_STEP);
            let received_bytes = (acked[i] * GROUP_BYTES) as u64;
            lab.say(links[i], &LinkMessage::Credit { received_bytes, limit_bytes: 1 << 40, clock_ms: 0 });
        }
    }
    acked[0] - before
}

#[test]
fn a_channel_that_stands_still_does_not_take_what_may_be_in_flight_from_the_others() {
    let alone = goes_beside_one_that_stands_still_after(None);
    for still_after_ms in [0, 500] {
        let beside = goes_beside_one_that_stands_still_after(Some(still_after_ms));
        assert!(beside * 4 > alone * 3, "{beside} of {alone} groups, still after {still_after_ms} ms");
    }
}

/// Which of two packets that a neighbour asks for is refused, after what was sent to it before took 600 ms to get there.
fn refused_by_one_whose_uplink_is_full(packets_per_step: u32) -> Vec<u32> {
    let mut lab = Lab::new(512, false, 64 << 20);
    let feeder = lab.link(Role::Parent, 512);
    let asker = lab.link(Role::Lateral, 0);
    let mut held = 8;
    (0..held).for_each(|packet| lab.bring(feeder, packet * 4, 4));
    let acknowledge = |lab: &mut Lab| {
        let received_bytes = lab.sent_bytes.get(&asker).copied().unwrap_or(0);
        let clock_ms = (lab.now.as_micros() / 1_000) as u32;
        lab.say(asker, &LinkMessage::Credit { received_bytes, limit_bytes: 1 << 40, clock_ms });
    };
    let pass = |lab: &mut Lab, held: &mut u32, steps: u32| {
        for _ in 0..steps {
            lab.pass_ms(50);
            (*held..*held + packets_per_step).for_each(|packet| lab.bring(feeder, packet * 4, 4));
            *held += packets_per_step;
        }
    };
    acknowledge(&mut lab);
    for (packet, steps) in [(0, 1), (1, 12)] {
        lab.request(asker, packet, 1, Vec::new());
        pass(&mut lab, &mut held, steps);
        acknowledge(&mut lab);
    }
    pass(&mut lab, &mut held, 6);
    acknowledge(&mut lab);
    lab.take_said();
    lab.request(asker, 2, 2, Vec::new());
    lab.take_packets(asker, refused)
}

#[test]
fn a_slow_uplink_that_is_full_is_left_to_acknowledgements_of_what_comes_in() {
    assert_eq!(refused_by_one_whose_uplink_is_full(4), [2, 3], "much comes in: nothing is promised");
    assert_eq!(refused_by_one_whose_uplink_is_full(0), [3], "nothing comes in: one is promised");
}

#[test]
fn what_was_left_to_a_feeder_before_and_does_not_come_is_asked_for_at_once() {
    let mut lab = Lab::new(64, false, 64 << 20);
    lab.link(Role::Parent, 64);
    let other = lab.link(Role::Lateral, 64);
    let feeder = lab.link(Role::Parent, 64);
    let left = lab.take_packets(feeder, cancelled);
    assert!(left.contains(&0) && !left.contains(&20), "the one before may bring these: {left:?}");
    // The one before brings nothing, and it looks as if nothing were out yet, until this comes.
    lab.pass_ms(2_400);
    lab.bring(feeder, 20 * 4, 4);
    lab.take_said();
    lab.pass_ms(600);
    let said = lab.take_said();
    let asked =
        said.iter().filter(|(on, _)| *on == other || *on == feeder).filter_map(|(_, message)| requested(message));
    assert!(asked.flatten().any(|run| left.iter().any(|packet| run.contains(*packet))), "{said:?}");
}

#[test]
fn a_promise_that_is_not_kept_is_taken_back() {
    let mut lab = Lab::new(256, false, 64 << 20);
    let feeder = lab.link(Role::Parent, 256);
    (0..160).for_each(|packet| lab.bring(feeder, packet * 4, 4));
    let asker = lab.link(Role::Child, 0);
    lab.acknowledge(asker);
    lab.subscribe(asker);
    lab.take_said();
    // As much is on its way to it as may be, so the one packet that it is promised has to wait.
    lab.request(asker, 150, 4, Vec::new());
    assert_eq!(lab.take_packets(asker, refused), [151, 152, 153]);
    let mut refused_packets = Vec::new();
    for packet in 160..170 {
        lab.pass_ms(250);
        lab.bring(feeder, packet * 4, 4);
        let said = lab.take_said();
        refused_packets.extend(said.iter().filter_map(|(_, message)| refused(message)).flatten().map(|run| run.first));
    }
    assert_eq!(refused_packets, [150]);
}

#[test]
fn a_far_end_that_has_frozen_does_not_hold_up_the_others() {
    let mut lab = Lab::new(64, true, 8 << 20);
    let frozen = lab.link(Role::Child, 0);
    lab.say(frozen, &LinkMessage::Credit { received_bytes: 0, limit_bytes: 8 << 20, clock_ms: 0 });
    lab.subscribe(frozen);
    let other = lab.link(Role::Child, 0);
    lab.acknowledge(other);
    lab.subscribe(other);
    let mut groups = lab.take_groups();
    lab.pass_ms(1_000);
    assert_eq!(lab.take_groups(), [], "what is in flight may still arrive");
    for _ in 0..200 {
        lab.pass_ms(500);
        lab.acknowledge(other);
        groups.extend(lab.take_groups());
    }
    let to = |far: LinkId| groups.iter().filter(|(link, _)| *link == far).count();
    assert_eq!(to(other), 64 * 4, "the other one gets all");
    assert!(to(frozen) < 64, "one that acknowledges nothing gets no more: {} groups", to(frozen));
}

#[test]
fn a_whole_packet_that_is_partly_being_written_is_read_after_the_write() {
    let mut lab = Lab::new(4, false, 0);
    lab.has_store = false;
    let feeder = lab.link(Role::Parent, 4);
    lab.bring(feeder, 0, 2);
    let write = lab.writes.remove(0);
    lab.give(Input::Written(write));
    // The first half has left the cache by now; the second is on its way to the store.
    lab.bring(feeder, 2, 2);
    let child = lab.link(Role::Child, 0);
    lab.acknowledge(child);
    lab.subscribe(child);
    assert!(lab.reads.is_empty(), "half of it is not in the store yet");
    let write = lab.writes.remove(0);
    lab.give(Input::Written(write));
    assert_eq!(lab.reads.len(), 1);
    let bytes = Bytes::copy_from_slice(&lab.content[..PACKET_BYTES]);
    lab.give(Input::ReadDone { read: lab.reads[0], bytes });
    for _ in 0..4 {
        lab.acknowledge(child);
    }
    assert!(!lab.take_groups().is_empty());
}

#[test]
fn a_status_tells_what_came_from_whom() {
    let mut lab = Lab::new(16, false, 8 << 20);
    let feeder = lab.link(Role::Parent, 16);
    let idle = lab.link(Role::Lateral, 0);
    for packet in 0..4 {
        lab.bring(feeder, packet * 4, 4);
    }
    lab.pass_ms(1_500);
    let received: Vec<_> = core::mem::take(&mut lab.told)
        .into_iter()
        .filter_map(|message| if let ToTracker::Status(status) = message { Some(status.received) } else { None })
        .flatten()
        .collect();
    assert_eq!(received.iter().map(|got| got.bytes_per_s).sum::<u64>(), 4 * PACKET_BYTES as u64, "{received:?}");
    assert!(received.iter().all(|got| got.peer == lab.peer.links[&feeder].peer), "nothing came from {idle:?}");
}

impl Lab {
    /// Packets that this origin counts as sent to somebody.
    fn sent_once(&self) -> Vec<u32> {
        let once = self.peer.uplink.sent_once.as_ref().expect("the first copy is not out");
        once.iter().map(crate::content::PacketIndex::get).collect()
    }
}

#[test]
fn what_an_origin_sent_to_one_that_passes_it_on_no_longer_is_sent_to_the_next() {
    let mut lab = Lab::new(64, true, 8 << 20);
    let gone = lab.link(Role::Child, 0);
    lab.acknowledge(gone);
    lab.subscribe(gone);
    let sent = lab.sent_once();
    assert!(!sent.is_empty() && sent.len() < 64, "{sent:?}");
    lab.say(gone, &LinkMessage::Subscribe { stripes: STRIPES, mask: 0, from: 0 });
    lab.acknowledge(gone);
    lab.pass_ms(1_000);
    assert_eq!(lab.sent_once(), sent, "it may have passed it on: others would tell soon");
    lab.pass_ms(2_500);
    assert_eq!(lab.sent_once(), [] as [u32; 0]);
    let next = lab.link(Role::Child, 0);
    lab.acknowledge(next);
    lab.take_said();
    lab.subscribe(next);
    assert_eq!(lab.take_groups().first(), Some(&(next, 0)));
}

#[test]
fn what_others_have_of_it_counts_as_sent() {
    let mut lab = Lab::new(64, true, 8 << 20);
    let (gone, other) = (lab.link(Role::Child, 0), lab.link(Role::Lateral, 0));
    lab.acknowledge(gone);
    lab.subscribe(gone);
    let sent = lab.sent_once();
    lab.say(other, &LinkMessage::Have { packets: vec![Run { first: 0, count: 64 }] });
    lab.say(gone, &LinkMessage::Subscribe { stripes: STRIPES, mask: 0, from: 0 });
    lab.pass_ms(4_000);
    assert_eq!(lab.sent_once(), sent);
}

#[test]
fn who_subscribes_again_and_again_costs_one_entry() {
    let mut lab = Lab::new(64, true, 8 << 20);
    let child = lab.link(Role::Child, 0);
    lab.acknowledge(child);
    for _ in 0..1_000 {
        lab.subscribe(child);
        lab.say(child, &LinkMessage::Subscribe { stripes: STRIPES, mask: 0, from: 0 });
    }
    assert_eq!(lab.peer.uplink.doubts.len(), 1);
    lab.say(child, &LinkMessage::Cancel { packets: vec![Run { first: 0, count: 64 }] });
    lab.give(Input::LinkClosed { link: child, reason: "gone".to_owned() });
    assert!(lab.peer.uplink.doubts.is_empty());
    assert_eq!(lab.sent_once(), [] as [u32; 0], "what went to it alone is nowhere");
}
