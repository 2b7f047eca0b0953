//! One peer between neighbours that say exactly what a test wants.

use core::time::Duration;
use std::collections::BTreeMap;

use super::*;
use crate::content::KnownNodes;
use crate::ids::{ReadId, SocketNonce, WriteId};
use crate::wire::link::{Data, Partial, Run};
use crate::wire::tracker::{Edge, FromTracker, Role, StripeMask, ToTracker, VERSION};

pub(super) const PACKET_BYTES: usize = 65_536;
pub(super) const GROUP_BYTES: usize = 16_384;
pub(super) const STRIPES: u8 = 2;
pub(super) const ALL: StripeMask = StripeMask::all(STRIPES);

/// A peer with a hand on all its inputs. Time moves when a test says so.
pub(super) struct Lab {
    pub(super) peer: Peer,
    pub(super) content: Vec<u8>,
    pub(super) tree: HashTree,
    pub(super) now: Time,
    /// Whether reads and writes are done at once.
    pub(super) has_store: bool,
    pub(super) writes: Vec<WriteId>,
    pub(super) reads: Vec<ReadId>,
    /// What it said on links, in order.
    pub(super) said: Vec<(LinkId, LinkMessage)>,
    pub(super) told: Vec<ToTracker>,
    pub(super) opened: Vec<LinkId>,
    /// What the neighbours at the far ends were sent, and know of the tree.
    pub(super) sent_bytes: BTreeMap<LinkId, u64>,
    pub(super) known: BTreeMap<LinkId, KnownNodes>,
}

impl Lab {
    pub(super) fn new(packets: usize, is_complete: bool, cache_bytes: usize) -> Self {
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

    pub(super) fn give(&mut self, input: Input) {
        self.peer.handle_input(input, self.now);
        self.drain();
    }

    pub(super) fn drain(&mut self) {
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

    pub(super) fn hear(&mut self, link: LinkId, message: &Bytes) {
        let message = LinkMessage::decode(message, &self.tree.geometry()).expect("its own");
        if let LinkMessage::Data(data) = &message {
            *self.sent_bytes.entry(link).or_default() += data.payload.len() as u64;
        }
        self.said.push((link, message));
        self.give(Input::LinkRoom { link, room_bytes: 1 << 30 });
    }

    /// A neighbour that the tracker planned, linked and greeted. `has`: packets below this one.
    pub(super) fn link(&mut self, role: Role, has: u32) -> LinkId {
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

    pub(super) fn say(&mut self, link: LinkId, message: &LinkMessage) {
        self.give(Input::LinkMessage { link, message: message.encode() });
    }

    /// A neighbour takes whatever comes, and acknowledges what came.
    pub(super) fn acknowledge(&mut self, link: LinkId) {
        let received_bytes = self.sent_bytes.get(&link).copied().unwrap_or(0);
        let clock_ms = self.clock_ms();
        self.say(link, &LinkMessage::Credit { received_bytes, limit_bytes: 1 << 40, clock_ms, held_packets: 0 });
    }

    /// What a neighbour's clock says.
    pub(super) fn clock_ms(&self) -> u32 {
        (self.now.as_micros() / 1_000) as u32
    }

    pub(super) fn subscribe(&mut self, link: LinkId) {
        self.say(link, &LinkMessage::Subscribe { stripes: STRIPES, mask: ALL.0, from: 0 });
    }

    pub(super) fn request(&mut self, link: LinkId, first: u32, count: u32, partial: Vec<Partial>) {
        self.say(link, &LinkMessage::Request { packets: vec![Run { first, count }], partial });
    }

    /// A neighbour brings consecutive groups.
    pub(super) fn bring(&mut self, link: LinkId, first: u32, count: u32) {
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

    pub(super) fn pass_ms(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while let Some((at, _)) = self.peer.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.peer.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    /// Groups that were sent since the last call, in order.
    pub(super) fn take_groups(&mut self) -> Vec<(LinkId, u32)> {
        let data = self.take_said().into_iter().filter_map(|(link, message)| match message {
            LinkMessage::Data(data) => Some((link, data)),
            _ => None,
        });
        data.flat_map(|(link, data)| (0..u32::from(data.count)).map(move |i| (link, data.first.get() + i))).collect()
    }

    pub(super) fn take_said(&mut self) -> Vec<(LinkId, LinkMessage)> {
        core::mem::take(&mut self.said)
    }

    /// Packets in messages of one kind on a link since the last call.
    pub(super) fn take_packets(&mut self, link: LinkId, of: fn(&LinkMessage) -> Option<&Vec<Run>>) -> Vec<u32> {
        let said = self.take_said();
        let runs = said.iter().filter(|(on, _)| *on == link).filter_map(|(_, message)| of(message)).flatten();
        runs.flat_map(|run| run.first..run.first + run.count).collect()
    }
}

pub(super) fn refused(message: &LinkMessage) -> Option<&Vec<Run>> {
    if let LinkMessage::Refuse { packets } = message { Some(packets) } else { None }
}

pub(super) fn cancelled(message: &LinkMessage) -> Option<&Vec<Run>> {
    if let LinkMessage::Cancel { packets } = message { Some(packets) } else { None }
}

pub(super) fn requested(message: &LinkMessage) -> Option<&Vec<Run>> {
    if let LinkMessage::Request { packets, .. } = message { Some(packets) } else { None }
}

impl Lab {
    /// Packets that this origin counts as sent to somebody.
    pub(super) fn sent_once(&self) -> Vec<u32> {
        let once = self.peer.uplink.sent_once.as_ref().expect("the first copy is not out");
        once.iter().map(crate::content::PacketIndex::get).collect()
    }
}
