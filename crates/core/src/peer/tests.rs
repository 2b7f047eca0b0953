//! Peers and a tracker in one world without delays: every output is carried out at once, time moves only from timeout to
//! timeout. What depends on rates and delays is the simulator's.

mod carrying;
mod describing;
mod discipline;
mod fetching;
mod flight;
mod hostile;
mod lab;
mod looking;
mod origin;
mod probing;
mod recovery;
mod schedule;
mod standing_by;
mod swarm;

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use bytes::Bytes;

use super::{Event, Failure, Input, Output, Peer, PeerConfig, Phase, Start};
use crate::content::{ByteRange, HashTree, Manifest, PACKET_BYTES, TreeBuilder};
use crate::ids::{ConnectionId, FetchId, LinkId, PeerId};
use crate::time::Time;
use crate::tracker::{self, Tracker, TrackerConfig};
use crate::wire::link::LinkMessage;
use crate::wire::range::FetchOutcome;
use crate::wire::signal::Signal;

/// Room of a simulated channel, as an adapter would report it.
const ROOM_BYTES: usize = 256 * 1024;

struct Node {
    peer: Peer,
    connection: Option<ConnectionId>,
    /// For each open link: the node and link at its far end.
    channels: BTreeMap<LinkId, (usize, LinkId)>,
    /// The store: what was written.
    stored: Vec<u8>,
    /// Where writes began, in order.
    written: Vec<u64>,
    record: Vec<u8>,
    events: Vec<Event>,
    linked: Vec<usize>,
    alive: bool,
    /// Groups that came over links, in order, whatever became of them.
    came: Vec<u32>,
    /// Flips a bit in every data message that it sends.
    lies: bool,
    /// Flips a bit in the data message before which it sends so many more, and in no other.
    lies_after: Option<u32>,
    /// Its socket can't be opened.
    deaf: bool,
    /// What it gets and gives; engines of several packages may be in one process.
    content: Rc<Vec<u8>>,
    process: usize,
}

/// A web server without delays, which has the content and its hash list.
struct Web {
    /// What was asked for, by whom.
    asked: Vec<(usize, ByteRange)>,
    /// What it has at the content's address; as long as the content.
    content: Vec<u8>,
    is_down: bool,
    /// How much of each answer it sends every 100 ms; `None`: all at once.
    bytes_per_tick: Option<u64>,
    /// Answers that are being sent: to whom, and what is left of them.
    pending: BTreeMap<(usize, FetchId), (bool, ByteRange)>,
    /// Bytes of the content that were sent.
    sent_bytes: u64,
    ticked: Time,
}

impl Web {
    const TICK: core::time::Duration = core::time::Duration::from_millis(100);

    fn new(content: Vec<u8>) -> Self {
        Self {
            asked: Vec::new(),
            content,
            is_down: false,
            bytes_per_tick: None,
            pending: BTreeMap::new(),
            sent_bytes: 0,
            ticked: Time::ZERO,
        }
    }

    fn next_tick(&self) -> Option<Time> {
        (!self.pending.is_empty()).then(|| self.ticked + Self::TICK)
    }
}

struct World {
    content: Vec<u8>,
    manifest: Manifest,
    tree: HashTree,
    tracker: Option<Tracker>,
    web: Web,
    nodes: Vec<Node>,
    /// Whether what is said before the far end's channel is open is lost, as some stacks have it.
    loses_early: bool,
    /// For peers that are added.
    cache_bytes: usize,
    next_connection: u64,
    now: Time,
    work: VecDeque<(usize, Output)>,
    /// Messages of looking up that went along links, with who sent them.
    looked_up: Vec<(usize, Bytes)>,
}

fn content(size: usize) -> Vec<u8> {
    (0..size).map(|i| (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()[5]).collect()
}

impl World {
    fn new(size: usize) -> Self {
        Self::with_tracker(size, TrackerConfig::default())
    }

    fn with_tracker(size: usize, config: TrackerConfig) -> Self {
        let content = content(size);
        let mut builder = TreeBuilder::new();
        builder.push(&content);
        let (_, tree) = builder.finish().expect("small enough");
        let manifest = Manifest::of_file("file.bin", None, tree.root(), size as u64).expect("valid");
        let tracker = Some(Tracker::new(config, [7; 32], Time::ZERO));
        Self {
            web: Web::new(content.clone()),
            content,
            manifest,
            tree,
            tracker,
            nodes: Vec::new(),
            loses_early: false,
            cache_bytes: 8 << 20,
            next_connection: 0,
            now: Time::ZERO,
            work: VecDeque::new(),
            looked_up: Vec::new(),
        }
    }

    fn add(&mut self, start: Start, slots: u8) -> usize {
        let stored = match start {
            Start::Complete(_) => self.content.clone(),
            _ => vec![0; self.content.len()],
        };
        self.add_with_store(start, slots, stored)
    }

    fn add_with_store(&mut self, start: Start, slots: u8, stored: Vec<u8>) -> usize {
        self.add_with(start, slots, stored, |_| {})
    }

    fn add_with(&mut self, start: Start, slots: u8, stored: Vec<u8>, configure: impl FnOnce(&mut PeerConfig)) -> usize {
        let mut config = PeerConfig::new(self.manifest.clone(), start);
        config.slots = slots;
        config.cache_bytes = self.cache_bytes;
        config.agent = "test".to_owned();
        configure(&mut config);
        let number = self.nodes.len();
        let peer = Peer::new(config, [number as u8 + 1; 32], self.now);
        self.nodes.push(Node {
            peer,
            connection: None,
            channels: BTreeMap::new(),
            stored,
            written: Vec::new(),
            record: Vec::new(),
            events: Vec::new(),
            linked: Vec::new(),
            alive: true,
            came: Vec::new(),
            lies: false,
            lies_after: None,
            deaf: false,
            content: Rc::new(self.content.clone()),
            process: number,
        });
        self.drain(number);
        number
    }

    fn seeder(&mut self) -> usize {
        let tree = self.tree.clone();
        self.add(Start::Complete(tree), 4)
    }

    fn give(&mut self, node: usize, input: Input) {
        if self.nodes[node].alive {
            self.nodes[node].peer.handle_input(input, self.now);
            self.drain(node);
        }
    }

    fn drain(&mut self, node: usize) {
        while let Some(output) = self.nodes[node].peer.poll_output() {
            self.work.push_back((node, output));
        }
    }

    /// Carries out everything that is to be done now.
    fn settle(&mut self) {
        let mut steps = 0;
        loop {
            self.drain_tracker();
            let Some((node, output)) = self.work.pop_front() else { return };
            if self.nodes[node].alive {
                self.carry_out(node, output);
            }
            steps += 1;
            assert!(steps < 2_000_000, "the machines talk for ever");
        }
    }

    fn drain_tracker(&mut self) {
        while let Some(output) = self.tracker.as_mut().and_then(Tracker::poll_output) {
            match output {
                tracker::Output::Send { connection, text } => {
                    if let Some(node) = self.node_of(connection) {
                        self.give(node, Input::TrackerMessage(text));
                    }
                }
                tracker::Output::Close { connection } => {
                    if let Some(node) = self.node_of(connection) {
                        self.nodes[node].connection = None;
                        self.give(node, Input::TrackerDown { reason: "closed".to_owned() });
                    }
                }
                tracker::Output::Seen { .. } | tracker::Output::Tell { .. } | tracker::Output::Event(_) => {}
            }
        }
    }

    fn node_of(&self, connection: ConnectionId) -> Option<usize> {
        self.nodes.iter().position(|node| node.connection == Some(connection))
    }

    fn tell_tracker(&mut self, input: tracker::Input) {
        let now = self.now;
        if let Some(tracker) = &mut self.tracker {
            tracker.handle_input(input, now);
        }
    }

    /// What the application was told of is there after a restart too.
    fn assert_recorded(&self, node: usize, offset_bytes: u64) {
        let restored = HashTree::restore(self.tree.geometry(), self.tree.root(), &self.nodes[node].record);
        let packet = self.tree.geometry().packet((offset_bytes / u64::from(PACKET_BYTES)) as u32).expect("it came");
        assert!(restored.knows_packet(packet), "{packet:?} came and is not recorded");
    }

    fn carry_out(&mut self, node: usize, output: Output) {
        match output {
            Output::ConnectTracker if self.tracker.is_some() && !self.nodes[node].deaf => {
                let connection = ConnectionId(self.next_connection);
                self.next_connection += 1;
                self.nodes[node].connection = Some(connection);
                self.tell_tracker(tracker::Input::Connected(connection));
                self.give(node, Input::TrackerUp);
            }
            Output::ConnectTracker => self.give(node, Input::TrackerDown { reason: "nobody answers".to_owned() }),
            Output::DisconnectTracker => {
                if let Some(connection) = self.nodes[node].connection.take() {
                    self.tell_tracker(tracker::Input::Disconnected(connection));
                }
            }
            Output::SendTracker(text) => {
                if let Some(connection) = self.nodes[node].connection {
                    self.tell_tracker(tracker::Input::Message { connection, text });
                }
            }
            Output::OpenLink { link, dial: true, .. } => {
                let signal = Signal::Offer { sdp: format!("{node}/{}", link.0) };
                self.give(node, Input::LinkSignal { link, signal });
            }
            Output::ApplySignal { link, signal } => self.apply(node, link, &signal),
            Output::SendLink { link, message } => self.send(node, link, message),
            Output::CloseLink { link } => self.close(node, link),
            Output::Write { write, offset_bytes, bytes } => {
                let start = offset_bytes as usize;
                let content = Rc::clone(&self.nodes[node].content);
                assert_eq!(&content[start..start + bytes.len()], &bytes[..], "only verified bytes are written");
                self.nodes[node].stored[start..start + bytes.len()].copy_from_slice(&bytes);
                self.nodes[node].written.push(offset_bytes);
                self.give(node, Input::Written(write));
            }
            Output::Read { read, offset_bytes, len_bytes } => {
                let start = offset_bytes as usize;
                let bytes = Bytes::copy_from_slice(&self.nodes[node].stored[start..start + len_bytes as usize]);
                self.give(node, Input::ReadDone { read, bytes });
            }
            Output::AppendRecord(bytes) => self.nodes[node].record.extend_from_slice(&bytes),
            Output::Event(event) => {
                if let Event::Came { range } = &event {
                    self.assert_recorded(node, range.start);
                }
                self.nodes[node].events.push(event);
            }
            Output::Beside(message) => {
                let process = self.nodes[node].process;
                for other in (0..self.nodes.len()).filter(|other| *other != node) {
                    if self.nodes[other].process == process {
                        self.give(other, Input::Beside(message.clone()));
                    }
                }
            }
            Output::OpenLink { .. } | Output::UploadManifest => {}
            Output::Fetch { fetch, url, range, .. } => self.serve(node, fetch, &url, range),
            Output::CancelFetch { fetch } => drop(self.web.pending.remove(&(node, fetch))),
        }
    }

    /// The web server answers, in pieces that fit nothing.
    fn serve(&mut self, node: usize, fetch: FetchId, url: &str, range: ByteRange) {
        self.web.asked.push((node, range));
        if self.web.is_down {
            let outcome = FetchOutcome::Unreachable { reason: "connection refused".to_owned() };
            return self.give(node, Input::FetchEnded { fetch, outcome });
        }
        if self.web.pending.is_empty() {
            self.web.ticked = self.now;
        }
        self.web.pending.insert((node, fetch), (url.ends_with("-hashes"), range));
        if self.web.bytes_per_tick.is_none() {
            self.send_piece(node, fetch, u64::MAX);
        }
    }

    /// Sends the next of all answers that are being sent slowly.
    fn tick_web(&mut self) {
        self.web.ticked = self.now;
        for (node, fetch) in self.web.pending.keys().copied().collect::<Vec<_>>() {
            self.send_piece(node, fetch, self.web.bytes_per_tick.unwrap_or(u64::MAX));
        }
    }

    fn send_piece(&mut self, node: usize, fetch: FetchId, most_bytes: u64) {
        let Some((is_list, range)) = self.web.pending.remove(&(node, fetch)) else { return };
        let bytes = if is_list { self.tree.hash_list().unwrap() } else { self.web.content.clone() };
        let end = range.start.saturating_add(most_bytes).min(range.end);
        if end < range.end {
            self.web.pending.insert((node, fetch), (is_list, ByteRange { start: end, ..range }));
        }
        for piece in bytes[range.start as usize..end as usize].chunks(40_000) {
            self.web.sent_bytes += if is_list { 0 } else { piece.len() as u64 };
            self.give(node, Input::Fetched { fetch, bytes: Bytes::copy_from_slice(piece) });
        }
        if end == range.end {
            self.give(node, Input::FetchEnded { fetch, outcome: FetchOutcome::Done });
        }
    }

    /// An offer is answered and both ends are open at once.
    fn apply(&mut self, node: usize, link: LinkId, signal: &Signal) {
        let Signal::Offer { sdp } = signal else { return };
        let (far, far_link) = sdp.split_once('/').expect("made by this world");
        let (far, far_link) = (far.parse::<usize>().unwrap(), LinkId(far_link.parse().unwrap()));
        self.nodes[node].channels.insert(link, (far, far_link));
        self.nodes[far].channels.insert(far_link, (node, link));
        self.nodes[node].linked.push(far);
        self.nodes[far].linked.push(node);
        self.give(far, Input::LinkOpen { link: far_link, room_bytes: ROOM_BYTES });
        if self.loses_early {
            self.work.retain(|(at, output)| *at != far || !matches!(output, Output::SendLink { .. }));
        }
        self.give(node, Input::LinkOpen { link, room_bytes: ROOM_BYTES });
    }

    fn send(&mut self, node: usize, link: LinkId, message: Bytes) {
        let Some(&(far, far_link)) = self.nodes[node].channels.get(&link) else { return };
        if (15..=18).contains(&message[0]) {
            self.looked_up.push((node, message.clone()));
        }
        let mut message = message;
        if let Ok(LinkMessage::Data(data)) = LinkMessage::decode(&message, &self.tree.geometry()) {
            let groups = data.first.get()..data.first.get() + u32::from(data.count);
            self.nodes[far].came.extend(groups);
            message = self.bend(node, message);
        }
        self.give(far, Input::LinkMessage { link: far_link, message });
        self.give(node, Input::LinkRoom { link, room_bytes: ROOM_BYTES });
    }

    /// A data message as it leaves a node that may lie.
    fn bend(&mut self, node: usize, message: Bytes) -> Bytes {
        let node = &mut self.nodes[node];
        let is_bad = node.lies || node.lies_after == Some(0);
        node.lies_after = node.lies_after.and_then(|more| more.checked_sub(1));
        if !is_bad {
            return message;
        }
        let mut bytes = message.to_vec();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        bytes.into()
    }

    fn close(&mut self, node: usize, link: LinkId) {
        let far = self.nodes[node].channels.remove(&link);
        self.give(node, Input::LinkClosed { link, reason: "closed".to_owned() });
        if let Some((far, far_link)) = far {
            self.nodes[far].channels.remove(&far_link);
            self.give(far, Input::LinkClosed { link: far_link, reason: "closed by the far end".to_owned() });
        }
    }

    /// A peer vanishes without a word.
    fn kill(&mut self, node: usize) {
        self.nodes[node].alive = false;
        if let Some(connection) = self.nodes[node].connection.take() {
            self.tell_tracker(tracker::Input::Disconnected(connection));
        }
        for (_, (far, far_link)) in core::mem::take(&mut self.nodes[node].channels) {
            self.nodes[far].channels.remove(&far_link);
            self.give(far, Input::LinkClosed { link: far_link, reason: "gone".to_owned() });
        }
    }

    /// From here on peers are added that share something else.
    fn share_other(&mut self, content: Vec<u8>) {
        let mut builder = TreeBuilder::new();
        builder.push(&content);
        let (_, tree) = builder.finish().expect("small enough");
        self.manifest = Manifest::of_file("other.bin", None, tree.root(), content.len() as u64).expect("valid");
        (self.content, self.tree) = (content, tree);
    }

    /// The tracker is gone for good.
    fn lose_tracker(&mut self) {
        self.tracker = None;
        for node in 0..self.nodes.len() {
            self.deafen(node);
        }
    }

    /// A peer's socket breaks, and can't be opened again.
    fn deafen(&mut self, node: usize) {
        self.nodes[node].deaf = true;
        if let Some(connection) = self.nodes[node].connection.take() {
            self.tell_tracker(tracker::Input::Disconnected(connection));
            self.give(node, Input::TrackerDown { reason: "cut".to_owned() });
        }
    }

    /// Goes on for so many seconds.
    fn run_s(&mut self, seconds: u64) {
        let end = self.now + core::time::Duration::from_secs(seconds);
        self.settle();
        loop {
            let peers = self.nodes.iter().filter(|node| node.alive).filter_map(|node| node.peer.poll_timeout());
            let tracker = self.tracker.as_ref().and_then(Tracker::poll_timeout);
            let next = peers.map(|(at, _)| at).chain(tracker.map(|(at, _)| at)).chain(self.web.next_tick()).min();
            let Some(at) = next.filter(|at| *at <= end) else { break };
            self.now = self.now.max(at);
            for number in 0..self.nodes.len() {
                if self.nodes[number].alive {
                    self.nodes[number].peer.handle_timeout(self.now);
                    self.drain(number);
                }
            }
            if let Some(tracker) = &mut self.tracker {
                tracker.handle_timeout(self.now);
            }
            if self.web.next_tick().is_some_and(|at| at <= self.now) {
                self.tick_web();
            }
            self.settle();
        }
        self.now = end;
    }

    fn has_all(&self, node: usize) -> bool {
        self.nodes[node].stored == *self.nodes[node].content && self.nodes[node].events.contains(&Event::Complete)
    }

    fn phase(&self, node: usize) -> Phase {
        self.nodes[node].peer.stats(self.now).phase
    }
}
