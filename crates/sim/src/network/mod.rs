//! The network between peers.
//!
//! ```text
//!  channels of A              uplink of A          the middle         downlink of B      channels of B
//!  [m m m] ─┐                one message       delay A + delay B     in order of
//!  [m]     ─┼─ fairly  ────► after another ───────────────────────► arrival ───────────► one input each
//!  [m m]   ─┘                at A's rate                            at B's rate
//! ```
//!
//! A channel holds what was sent until it has gone out; when that falls to the low-water mark the engine is told of
//! the new room, as `bufferedamountlow` does it. The downlink takes in messages in the order in which their first bytes
//! come, and a message is there when the downlink has had time for it and its last byte has come.
//!
//! Setting up a link needs an offer and an answer, which go through the tracker, and then four round trips: with those
//! of the signals about six, as measured with WebRTC. A pair may be unable to connect: then both ends hear of it after
//! a long time. When a peer is killed or a link breaks, the ends that are left notice after some seconds.
//!
//! # What the model leaves out
//!
//! * Loss and congestion control: a channel uses whatever its uplink's turns give it, from the first byte. Rates are
//!   what a data channel gets out of a line, so headers are in them already.
//! * The middle of the network is never the bottleneck.
//! * A channel has no limit of its own for bytes in flight (SCTP has, about a megabyte), only the engine's credit.
//! * A downlink's queue has no bound: what a real network would drop waits here.

mod end;
mod line;

use std::time::Duration;

use bytes::Bytes;
use pleach_core::ids::LinkId;
use pleach_core::peer::Input;
use pleach_core::time::Time;
use pleach_core::wire::link::LinkMessage;
use pleach_core::wire::signal::Signal;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::content::TrueContent;
pub(crate) use end::Item;
use end::{End, State};
use line::Line;
pub use line::LineSpec;

/// What a channel takes before the engine must wait.
pub(crate) const HIGH_WATER_BYTES: usize = 256 * 1024;
/// The engine is told of room when no more than this waits.
pub(crate) const LOW_WATER_BYTES: usize = 128 * 1024;
/// An adapter closes a link whose owner sends so much more than it may.
const BUFFERED_BYTES_MAX: usize = 2 * HIGH_WATER_BYTES + 256 * 1024;
/// Making a session description.
const DESCRIBE: Duration = Duration::from_millis(5);
/// Round trips from the answer to the open channel: ICE, DTLS, SCTP.
const HANDSHAKE_ROUND_TRIPS: u32 = 4;
/// After so long a connection that can't be made is given up.
const SETUP_MAX: Duration = Duration::from_secs(15);
/// What was sent before a close has so long to go out.
const CLOSE_MAX: Duration = Duration::from_secs(2);
/// A dead link is noticed after something between these.
const NOTICE_MS: std::ops::Range<u64> = 3_000..8_000;

/// One peer of a run; a peer that is started again gets a new number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// One end of one link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EndId(u32);

/// What happens inside the network.
#[derive(Debug)]
pub(crate) enum NetEvent {
    /// The adapter has made a signal.
    Described { end: EndId, signal: Signal },
    /// The handshakes between two ends are through.
    Established { dialler: EndId, answerer: EndId },
    /// The handshake's last message is there.
    Opened(EndId),
    /// A message has gone out.
    WentOut { node: NodeId, end: EndId, bytes: usize },
    /// The first byte of a message is there; its last comes at `last_byte`.
    Arriving { end: EndId, item: Item, last_byte: Time },
    /// All of it is there.
    Arrived { end: EndId, item: Item },
    /// What was sent before a close has had its time.
    CloseOverdue(EndId),
    /// The end notices that nobody is there.
    Noticed { end: EndId, reason: &'static str },
}

/// What comes of an event: later events, and inputs for engines, now and in order.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub(crate) later: Vec<(Time, NetEvent)>,
    pub(crate) inputs: Vec<(NodeId, Input)>,
}

/// An engine's output that no adapter could carry out.
pub(crate) type Misuse = String;

/// All lines and links.
#[derive(Debug)]
pub(crate) struct Network {
    rng: ChaCha8Rng,
    content: TrueContent,
    lines: Vec<Line>,
    ends: Vec<End>,
    /// By node: its links that are not over, in the order of their names.
    links: Vec<Vec<(LinkId, EndId)>>,
    /// So many percent of all pairs can't connect; which, is drawn from the seed.
    unreachable_percent: u64,
    unreachable_seed: u64,
    pub(crate) effects: Effects,
}

impl Network {
    pub(crate) fn new(seed: u64, content: TrueContent) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Self {
            unreachable_percent: 0,
            unreachable_seed: rng.random(),
            rng,
            content,
            lines: Vec::new(),
            ends: Vec::new(),
            links: Vec::new(),
            effects: Effects::default(),
        }
    }

    /// Adds a peer's line; peers are numbered in this order.
    pub(crate) fn add_line(&mut self, spec: LineSpec) {
        self.lines.push(Line::new(spec));
        self.links.push(Vec::new());
    }

    /// What a line can do.
    pub(crate) fn line(&self, node: NodeId) -> LineSpec {
        self.lines[node.0 as usize].spec
    }

    /// From now on a line has its full rates, or half of them. What is going out keeps its rate.
    pub(crate) fn set_full(&mut self, node: NodeId, is_full: bool) {
        self.lines[node.0 as usize].set_full(is_full);
    }

    pub(crate) fn forbid_some(&mut self, percent: u32) {
        self.unreachable_percent = u64::from(percent);
    }

    /// Drawn anew each time, from the pair: a table of all pairs would be too large.
    fn is_reachable(&self, one: NodeId, other: NodeId) -> bool {
        let pair = u64::from(one.min(other).0) << 32 | u64::from(one.max(other).0);
        let mut draw = ChaCha8Rng::seed_from_u64(self.unreachable_seed ^ pair);
        draw.random_range(0..100) >= self.unreachable_percent
    }

    fn delay(&self, one: NodeId, other: NodeId) -> Duration {
        self.line(one).delay + self.line(other).delay
    }

    fn end(&self, id: EndId) -> &End {
        &self.ends[id.0 as usize]
    }

    fn end_mut(&mut self, id: EndId) -> &mut End {
        &mut self.ends[id.0 as usize]
    }

    fn later(&mut self, at: Time, event: NetEvent) {
        self.effects.later.push((at, event));
    }

    /// Links of a peer that are open.
    pub(crate) fn open_links(&self, node: NodeId) -> Vec<LinkId> {
        let of_node = self.links[node.0 as usize].iter();
        of_node.filter(|(_, end)| self.end(*end).state == State::Open).map(|(link, _)| *link).collect()
    }

    fn end_of(&self, node: NodeId, link: LinkId) -> Option<EndId> {
        let of_node = &self.links[node.0 as usize];
        let place = of_node.binary_search_by_key(&link, |(other, _)| *other).ok()?;
        Some(of_node[place].1)
    }

    /// Who is at the other end of a link.
    pub(crate) fn far_node(&self, node: NodeId, link: LinkId) -> Option<NodeId> {
        let far = self.end(self.end_of(node, link)?).far?;
        Some(self.end(far).node)
    }

    /// The engine asks for a link.
    pub(crate) fn open_link(&mut self, node: NodeId, link: LinkId, dial: bool, now: Time) {
        let end = EndId(self.ends.len() as u32);
        self.ends.push(End::new(node, link));
        let of_node = &mut self.links[node.0 as usize];
        of_node.insert(of_node.partition_point(|(other, _)| *other < link), (link, end));
        if dial {
            self.describe(end, Signal::Offer { sdp: name(end) }, now);
        }
    }

    /// A description is made, and a candidate found.
    fn describe(&mut self, end: EndId, description: Signal, now: Time) {
        let candidate =
            Signal::Candidate { candidate: name(end), sdp_mid: Some("0".into()), sdp_m_line_index: Some(0) };
        for signal in [description, candidate] {
            self.later(now + DESCRIBE, NetEvent::Described { end, signal });
        }
    }

    /// The engine hands over what the far end signalled.
    pub(crate) fn apply_signal(&mut self, node: NodeId, link: LinkId, signal: &Signal, now: Time) {
        let Some(end) = self.end_of(node, link) else { return };
        match signal {
            Signal::Offer { sdp } if self.far_end(sdp).is_some() => {
                self.describe(end, Signal::Answer { sdp: name(end) }, now);
            }
            Signal::Answer { sdp } => {
                if let Some(answerer) = self.far_end(sdp) {
                    self.answered(end, answerer, now);
                }
            }
            Signal::Offer { .. } | Signal::Candidate { .. } => {}
        }
    }

    fn far_end(&self, name: &str) -> Option<EndId> {
        let end = name.parse().ok().filter(|end| (*end as usize) < self.ends.len())?;
        Some(EndId(end))
    }

    fn answered(&mut self, dialler: EndId, answerer: EndId, now: Time) {
        let (one, other) = (self.end(dialler), self.end(answerer));
        if one.state != State::Setup || one.far.is_some() || other.far.is_some() || one.node == other.node {
            return;
        }
        let (node, far_node) = (one.node, other.node);
        self.end_mut(dialler).far = Some(answerer);
        self.end_mut(answerer).far = Some(dialler);
        if self.is_reachable(node, far_node) {
            let takes = self.delay(node, far_node) * 2 * HANDSHAKE_ROUND_TRIPS;
            self.later(now + takes, NetEvent::Established { dialler, answerer });
        } else {
            for end in [dialler, answerer] {
                self.later(now + SETUP_MAX, NetEvent::Noticed { end, reason: "no way to it was found" });
            }
        }
    }

    /// Room in the engine's bytes.
    fn told_room(&self, room_bytes: usize) -> usize {
        room_bytes / self.content.bytes_per_byte() as usize
    }

    /// What a message takes on the lines: in a coarse run its payload stands for more than it has.
    fn wire_bytes(&self, message: &Bytes) -> usize {
        let bytes_per_byte = self.content.bytes_per_byte() as usize;
        // Shorter ones can hold neither a group nor padding, and are most.
        if bytes_per_byte == 1 || message.len() < self.content.geometry().group_bytes() as usize / 8 {
            return message.len();
        }
        match LinkMessage::decode(message, &self.content.geometry()) {
            Ok(LinkMessage::Probe { padding, .. }) => message.len() + padding.len() * (bytes_per_byte - 1),
            Ok(LinkMessage::Data(data)) => message.len() + data.payload.len() * (bytes_per_byte - 1),
            _ => message.len(),
        }
    }

    /// The engine sends.
    pub(crate) fn send(&mut self, node: NodeId, link: LinkId, message: Bytes, now: Time) -> Result<(), Misuse> {
        let wire_bytes = self.wire_bytes(&message);
        let Some(id) = self.end_of(node, link) else { return Err(format!("sends on {link:?}, which is none")) };
        let end = self.end_mut(id);
        match end.state {
            State::Open => end.buffer(message, wire_bytes),
            State::Closed => return Ok(()),
            State::Setup | State::Closing => return Err(format!("sends on {link:?}, which is not open")),
        }
        if end.buffered_bytes > BUFFERED_BYTES_MAX {
            self.fault(id, now);
            return Err(format!("sends more on {link:?} than there is room for"));
        }
        self.take_turn(id, now);
        Ok(())
    }

    /// An adapter closes a link that is misused.
    fn fault(&mut self, id: EndId, now: Time) {
        self.noticed(id, "more was sent than there was room for");
        if let Some(far) = self.end(id).far {
            let at = now + self.delay(self.end(id).node, self.end(far).node);
            self.later(at, NetEvent::Arriving { end: far, item: Item::Close, last_byte: at });
        }
    }

    /// The engine closes.
    pub(crate) fn close_link(&mut self, node: NodeId, link: LinkId, now: Time) {
        let Some(id) = self.end_of(node, link) else { return };
        let end = self.end_mut(id);
        match end.state {
            State::Setup => self.noticed(id, "closed"),
            State::Open => {
                end.state = State::Closing;
                end.waiting.push_back(Item::Close);
                self.take_turn(id, now);
                self.later(now + CLOSE_MAX, NetEvent::CloseOverdue(id));
            }
            State::Closing | State::Closed => {}
        }
    }

    /// The peer is gone without a word.
    pub(crate) fn kill(&mut self, node: NodeId, now: Time) {
        for (_, id) in std::mem::take(&mut self.links[node.0 as usize]) {
            self.end_mut(id).close();
            if let Some(far) = self.end(id).far {
                self.notice_later(far, now);
            }
        }
    }

    /// A link dies, and both ends will notice.
    pub(crate) fn break_link(&mut self, node: NodeId, link: LinkId, now: Time) {
        let Some(id) = self.end_of(node, link) else { return };
        let ends = [Some(id), self.end(id).far];
        for end in ends.into_iter().flatten() {
            self.end_mut(end).broken = true;
            self.notice_later(end, now);
        }
    }

    fn notice_later(&mut self, end: EndId, now: Time) {
        let after = Duration::from_millis(self.rng.random_range(NOTICE_MS));
        self.later(now + after, NetEvent::Noticed { end, reason: "nothing comes from it" });
    }

    /// Something that was to happen happens.
    pub(crate) fn handle(&mut self, event: NetEvent, now: Time) {
        match event {
            NetEvent::Described { end, signal } => self.described(end, signal),
            NetEvent::Established { dialler, answerer } => self.established(dialler, answerer, now),
            NetEvent::Opened(end) => self.opened(end),
            NetEvent::WentOut { node, end, bytes } => self.went_out(node, end, bytes, now),
            NetEvent::Arriving { end, item, last_byte } => {
                let line = &mut self.lines[self.ends[end.0 as usize].node.0 as usize];
                let at = line.take_in(item.wire_bytes(), last_byte, now);
                self.later(at, NetEvent::Arrived { end, item });
            }
            NetEvent::Arrived { end, item } => self.arrived(end, item),
            NetEvent::CloseOverdue(end) => self.close_overdue(end, now),
            NetEvent::Noticed { end, reason } => self.noticed(end, reason),
        }
    }

    fn described(&mut self, id: EndId, signal: Signal) {
        let end = self.end(id);
        if end.state == State::Setup {
            let input = Input::LinkSignal { link: end.link, signal };
            self.effects.inputs.push((end.node, input));
        }
    }

    fn established(&mut self, dialler: EndId, answerer: EndId, now: Time) {
        let alive = |id: EndId| self.end(id).state == State::Setup;
        match (alive(dialler), alive(answerer)) {
            (true, true) => {
                self.opened(dialler);
                let at = now + self.delay(self.end(dialler).node, self.end(answerer).node);
                self.later(at, NetEvent::Opened(answerer));
            }
            (true, false) => self.later(now + SETUP_MAX, NetEvent::Noticed { end: dialler, reason: "it fell silent" }),
            (false, true) => self.later(now + SETUP_MAX, NetEvent::Noticed { end: answerer, reason: "it fell silent" }),
            (false, false) => {}
        }
    }

    fn opened(&mut self, id: EndId) {
        let end = self.end_mut(id);
        if end.state == State::Setup {
            let room_bytes = end.open();
            let (node, link) = (end.node, end.link);
            let room_bytes = self.told_room(room_bytes);
            self.effects.inputs.push((node, Input::LinkOpen { link, room_bytes }));
        }
    }

    /// Enters an end's next message into its line's turns.
    fn take_turn(&mut self, id: EndId, now: Time) {
        self.enter_turn(id);
        self.send_next(self.end(id).node, now);
    }

    fn enter_turn(&mut self, id: EndId) {
        let end = &mut self.ends[id.0 as usize];
        let Some(item) = end.waiting.front().filter(|_| !end.has_turn) else { return };
        end.has_turn = true;
        end.share = self.lines[end.node.0 as usize].enter(id, end.share, item.wire_bytes());
    }

    /// Lets the next message go out, if the uplink is free.
    fn send_next(&mut self, node: NodeId, now: Time) {
        while !self.lines[node.0 as usize].sending {
            let ends = &self.ends;
            let bytes_of = |id: EndId| ends[id.0 as usize].waiting.front().map_or(0, Item::wire_bytes);
            let Some(id) = self.lines[node.0 as usize].next_turn(bytes_of) else { return };
            let end = self.end_mut(id);
            let item = end.waiting.pop_front();
            end.has_turn = false;
            self.enter_turn(id);
            match item {
                Some(item @ Item::Message { .. }) => self.send_out(id, item, now),
                Some(Item::Close) => self.close_went_out(id, now),
                None => {}
            }
        }
    }

    fn send_out(&mut self, id: EndId, item: Item, now: Time) {
        let (node, far) = (self.end(id).node, self.end(id).far);
        let bytes = item.wire_bytes();
        let line = &mut self.lines[node.0 as usize];
        line.sending = true;
        let gone = now + line.up_time(bytes);
        self.later(gone, NetEvent::WentOut { node, end: id, bytes });
        if let Some(far) = far.filter(|_| !self.end(id).broken) {
            let delay = self.delay(node, self.end(far).node);
            self.later(now + delay, NetEvent::Arriving { end: far, item, last_byte: gone + delay });
        }
    }

    fn went_out(&mut self, node: NodeId, id: EndId, bytes: usize, now: Time) {
        self.lines[node.0 as usize].sending = false;
        self.send_next(node, now);
        let end = self.end_mut(id);
        let link = end.link;
        if let Some(room_bytes) = end.gone_out(bytes) {
            let room_bytes = self.told_room(room_bytes);
            self.effects.inputs.push((node, Input::LinkRoom { link, room_bytes }));
        }
    }

    /// All that was sent before a close is out, or has had its time: our end is closed, the far end will hear of it.
    fn close_went_out(&mut self, id: EndId, now: Time) {
        let (node, far, broken) = (self.end(id).node, self.end(id).far, self.end(id).broken);
        self.noticed(id, "closed");
        if let Some(far) = far.filter(|_| !broken) {
            let at = now + self.delay(node, self.end(far).node);
            self.later(at, NetEvent::Arriving { end: far, item: Item::Close, last_byte: at });
        }
    }

    fn close_overdue(&mut self, id: EndId, now: Time) {
        if self.end(id).state == State::Closing {
            self.close_went_out(id, now);
        }
    }

    fn arrived(&mut self, id: EndId, item: Item) {
        let end = self.end(id);
        if end.broken {
            return;
        }
        match item {
            Item::Message { message, .. } if end.state == State::Open => {
                let input = Input::LinkMessage { link: end.link, message };
                self.effects.inputs.push((end.node, input));
            }
            Item::Message { .. } => {}
            Item::Close => self.noticed(id, "the other end closed it"),
        }
    }

    /// The end is over: the engine is told.
    fn noticed(&mut self, id: EndId, reason: &str) {
        let end = self.end_mut(id);
        if end.state == State::Closed {
            return;
        }
        end.close();
        let (node, link) = (end.node, end.link);
        self.links[node.0 as usize].retain(|(other, _)| *other != link);
        self.effects.inputs.push((node, Input::LinkClosed { link, reason: reason.to_owned() }));
    }
}

/// What an end is called in its descriptions.
fn name(end: EndId) -> String {
    end.0.to_string()
}
