//! One run: peers, a tracker, the network between them, a script, and the loop that drives all of it.
//!
//! ```no_run
//! # use pleach_sim::{LineSpec, world::{Action, Condition, NodeSpec, World, WorldConfig}};
//! # use pleach_core::time::Time;
//! let mut world = World::new(WorldConfig::new(7, 1 << 20));
//! let source = world.add(NodeSpec::source(LineSpec::mbit(20, 20, 10)), Time::ZERO);
//! for _ in 0..20 {
//!     world.add(NodeSpec::new(LineSpec::mbit(10, 10, 10)), Time::ZERO);
//! }
//! world.when(Condition::OneCopyOut, Action::Kill(source));
//! assert!(world.run(Time::from_millis(120_000)));
//! assert_eq!(world.breaches(), [] as [&str; 0]);
//! ```

mod carry;
mod lives;
mod node;
mod playing;
mod script;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use pleach_core::ids::{ConnectionId, PeerId};
use pleach_core::peer::{Input, LookupConfig, Stats};
use pleach_core::time::Time;
use pleach_core::tracker::{Event as TrackerEvent, TrackerConfig};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::check::{self, Digest, Safety};
use crate::content::TrueContent;
use crate::network::{LineSpec, NetEvent, Network, NodeId};
use crate::player::Player;
use crate::queue::Queue;
use crate::record::{Look, Record, Standing};
use crate::stand_in::Shape;
use crate::tracker_host::{FromHost, HostTotals, TRACKER_DELAY, ToHost, TrackerHost};
use crate::web_server::{Later, WebEvent, WebServer};
use node::{Node, Stage};
use script::Waiting;

pub use node::{Begin, NodeSpec};
pub use script::{Action, Condition};

/// How often conditions are looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How often the forest is looked at, in looks.
const FOREST_LOOKS: u64 = 10;
/// How often a hostile peer says something of its own accord.
const TALK: Duration = Duration::from_millis(250);

/// What a run is made from.
#[derive(Clone, Debug)]
pub struct WorldConfig {
    /// Everything is drawn from it.
    pub seed: u64,
    /// Size of the content.
    pub size_bytes: u64,
    /// The tracker's shape.
    pub tracker: TrackerConfig,
    /// A baseline in the tracker's place.
    pub stand_in: Option<Shape>,
    /// How peers look others up.
    pub lookup: LookupConfig,
    /// Each engine's cache.
    pub cache_bytes: usize,
    /// Whether small groups stand for those of the standard size: much faster and smaller, and not quite exact. What it
    /// leaves out is told at [`TrueContent`].
    pub is_coarse: bool,
    /// Whether the digest has payload in it as well: twice the work.
    pub digest_payload: bool,
    /// Whether every output is checked and hashed. Without, a run is faster, its digest empty, and only its end tells
    /// whether it went well.
    pub is_checked: bool,
    /// Whether what a picture needs is remembered.
    pub is_recorded: bool,
}

impl WorldConfig {
    /// The engine's defaults.
    pub fn new(seed: u64, size_bytes: u64) -> Self {
        Self {
            seed,
            size_bytes,
            tracker: TrackerConfig::default(),
            stand_in: None,
            lookup: LookupConfig::default(),
            cache_bytes: 8 << 20,
            is_coarse: false,
            digest_payload: false,
            is_checked: true,
            is_recorded: false,
        }
    }
}

/// What happens.
#[derive(Debug)]
enum Happening {
    Net(NetEvent),
    Timer(NodeId),
    Input(NodeId, Input),
    ToTracker(ToHost),
    FromTracker(NodeId, ConnectionId, FromHost),
    Act(Action),
    Swing { id: NodeId, is_full: bool, half_period: Duration },
    Talk(NodeId),
    Play(NodeId),
    Web(WebEvent),
    Look,
}

/// How one peer fared.
#[derive(Clone, Debug)]
pub struct Fate {
    /// When it started.
    pub born: Time,
    /// When it had its first whole packet.
    pub first_packet: Option<Time>,
    /// When it had everything.
    pub finished: Option<Time>,
    /// Bytes that were found good when it started again.
    pub resumed_bytes: Option<u64>,
    /// Most links that were open at a time.
    pub links_live_max: usize,
    /// Links that it began to open.
    pub links_opened: usize,
    /// What its engine counted; payload as the bytes that it stands for.
    pub stats: Stats,
    /// How it watched, if it did.
    pub watched: Option<Watched>,
}

/// How somebody watched while it came.
#[derive(Clone, Copy, Debug)]
pub struct Watched {
    /// When it began to play.
    pub began: Option<Time>,
    /// How often it had to wait after that.
    pub stalls: u32,
    /// How long it waited in all.
    pub stalled: Duration,
    /// How much of it was played, in seconds.
    pub played_s: f64,
}

impl Watched {
    fn of(player: &Player) -> Self {
        Self { began: player.began, stalls: player.stalls, stalled: player.stalled, played_s: player.played_s() }
    }
}

/// One run.
#[derive(Debug)]
pub struct World {
    config: WorldConfig,
    content: TrueContent,
    rng: ChaCha8Rng,
    now: Time,
    queue: Queue<Happening>,
    network: Network,
    tracker: TrackerHost,
    /// A plain web server, if there is one.
    web: Option<WebServer>,
    nodes: Vec<Node>,
    names: BTreeMap<PeerId, NodeId>,
    next_connection: u64,
    /// Inputs that are due at once, in order.
    due: VecDeque<(NodeId, Input)>,
    waiting: Vec<Waiting>,
    actions_left: usize,
    looks: u64,
    /// By group: how many peers that began without it have it.
    holders: Vec<u32>,
    groups_out: u32,
    finished_count: usize,
    /// Peers that the run waits for.
    awaited: usize,
    /// Groups written by peers that began without everything, all together.
    groups_written: u64,
    record: Option<Record>,
    safety: Safety,
    digest: Digest,
}

impl World {
    /// A world with a tracker and nobody else.
    pub fn new(config: WorldConfig) -> Self {
        let content = TrueContent::new(config.size_bytes, config.seed, config.is_coarse);
        let mut rng = ChaCha8Rng::seed_from_u64(config.seed ^ 0x706c_6561_6368);
        let mut tracker = TrackerHost::new(config.tracker.clone(), config.stand_in, content.manifest().id());
        tracker.start(rng.random(), Time::ZERO);
        let mut queue = Queue::new();
        queue.push(Time::ZERO, Happening::Look);
        Self {
            network: Network::new(rng.random(), content.clone()),
            tracker,
            web: None,
            now: Time::ZERO,
            queue,
            nodes: Vec::new(),
            names: BTreeMap::new(),
            next_connection: 0,
            due: VecDeque::new(),
            waiting: Vec::new(),
            actions_left: 0,
            looks: 0,
            holders: vec![0; content.geometry().groups() as usize],
            groups_out: 0,
            finished_count: 0,
            awaited: 0,
            groups_written: 0,
            record: config.is_recorded.then(Record::default),
            safety: Safety::new(config.is_checked, content.clone()),
            digest: Digest::new(config.is_checked, config.digest_payload),
            content,
            rng,
            config,
        }
    }

    /// Adds a peer that starts at that moment.
    pub fn add(&mut self, spec: NodeSpec, starts: Time) -> NodeId {
        let id = self.add_unborn(spec);
        self.at(starts, Action::Start(id));
        id
    }

    /// Adds a peer that starts when the script says so.
    pub fn add_unborn(&mut self, spec: NodeSpec) -> NodeId {
        let id = NodeId(self.nodes.len() as u32);
        self.network.add_line(spec.line);
        let node = Node::new(spec, self.rng.random());
        self.awaited += usize::from(node.is_awaited());
        self.nodes.push(node);
        id
    }

    /// Adds somebody who never comes: a line and nothing else.
    pub fn add_absent(&mut self, spec: NodeSpec) -> NodeId {
        let id = self.add_unborn(spec);
        self.change(id, |node| node.stage = Stage::Gone);
        id
    }

    /// Adds a plain web server of which all peers know that start from now on.
    pub fn add_web_server(&mut self, up_bytes_per_s: u64) {
        self.web = Some(WebServer::new(up_bytes_per_s, self.content.clone()));
    }

    /// Bytes of the content that the web server sent.
    pub fn web_sent_bytes(&self) -> Option<u64> {
        self.web.as_ref().map(|web| web.sent_bytes)
    }

    /// Does something at a moment.
    pub fn at(&mut self, at: Time, action: Action) {
        self.actions_left += 1;
        self.queue.push(at, Happening::Act(action));
    }

    /// Does something once a condition holds.
    pub fn when(&mut self, condition: Condition, action: Action) {
        self.when_from(Time::ZERO, condition, action);
    }

    /// Does something once a condition holds, but not before a moment.
    pub fn when_from(&mut self, from: Time, condition: Condition, action: Action) {
        self.waiting.push(Waiting { condition, action, from });
    }

    /// So many percent of all pairs can't connect.
    pub fn forbid_some(&mut self, percent: u32) {
        self.network.forbid_some(percent);
    }

    /// A peer's line falls to half its rates and back for ever, each time for `half_period`; it becomes full at
    /// `full_at`.
    pub fn oscillate(&mut self, id: NodeId, half_period: Duration, full_at: Time) {
        let half_at_start = full_at < Time::ZERO + half_period;
        self.network.set_full(id, !half_at_start);
        let first = if half_at_start { full_at } else { Time::ZERO + (full_at - (Time::ZERO + half_period)) };
        self.queue.push(first, Happening::Swing { id, is_full: half_at_start, half_period });
    }

    /// What a peer's line can do.
    pub fn line(&self, id: NodeId) -> LineSpec {
        self.network.line(id)
    }

    /// The content of this run.
    pub fn content(&self) -> &TrueContent {
        &self.content
    }

    /// Simulated time so far.
    pub fn now(&self) -> Time {
        self.now
    }

    /// What was found wrong, at most the first few.
    pub fn breaches(&self) -> &[String] {
        self.safety.breaches()
    }

    /// A hash over all outputs with their times.
    pub fn digest(&self) -> String {
        self.digest.hex()
    }

    /// Number of happenings so far.
    pub fn happenings(&self) -> u64 {
        self.queue.entered()
    }

    /// Peers that the tracker knows now.
    pub fn tracker_members(&self) -> usize {
        self.tracker.members()
    }

    pub(crate) fn tracker_totals(&self) -> HostTotals {
        self.tracker.totals
    }

    /// How a peer fares, or fared when it went; `None` before it started.
    pub fn fate(&self, id: NodeId) -> Option<Fate> {
        let node = self.node(id);
        let mut stats = match &node.engine {
            Some(engine) => engine.peer.stats(self.now),
            None => node.last.clone()?,
        };
        let payload = [&mut stats.received_bytes, &mut stats.sent_bytes, &mut stats.wasted_bytes];
        for bytes in payload {
            *bytes *= u64::from(self.content.bytes_per_byte());
        }
        Some(Fate {
            born: node.born?,
            first_packet: node.first_packet,
            finished: node.finished,
            resumed_bytes: node.resumed_bytes,
            links_live_max: node.links_live_max,
            links_opened: node.links_opened,
            stats,
            watched: node.player.as_ref().map(Watched::of),
        })
    }

    /// Honest peers that are there and do not have everything, each with a word on why.
    pub fn stuck(&self) -> Vec<String> {
        check::stuck(self)
    }

    /// The same, by number.
    pub(crate) fn awaited(&self) -> Vec<NodeId> {
        let numbered = (0..).map(NodeId).zip(&self.nodes);
        numbered.filter(|(_, node)| node.is_awaited()).map(|(id, _)| id).collect()
    }

    /// Who is called this in the swarm.
    pub(crate) fn named(&self, peer: PeerId) -> Option<NodeId> {
        self.names.get(&peer).copied()
    }

    /// Whether the peer is there.
    pub fn is_alive(&self, id: NodeId) -> bool {
        matches!(self.node(id).stage, Stage::Alive | Stage::Leaving)
    }

    /// Runs until the script is done and every honest peer that is there has everything, or until the deadline. True if
    /// all of them have.
    pub fn run(&mut self, deadline: Time) -> bool {
        while !self.is_over() {
            let Some((at, what)) = self.queue.pop_until(deadline) else { return false };
            self.now = at;
            self.happen(what);
        }
        true
    }

    /// Runs on to a moment, whatever happens.
    pub fn run_until(&mut self, moment: Time) {
        while let Some((at, what)) = self.queue.pop_until(moment) {
            self.now = at;
            self.happen(what);
        }
        self.now = self.now.max(moment);
    }

    fn is_over(&self) -> bool {
        self.actions_left == 0 && self.waiting.is_empty() && self.awaited == 0
    }

    /// Changes a peer, and counts it if the run no longer waits for it.
    fn change<T>(&mut self, id: NodeId, change: impl FnOnce(&mut Node) -> T) -> T {
        let node = &mut self.nodes[id.0 as usize];
        let was_awaited = node.is_awaited();
        let result = change(node);
        self.awaited = self.awaited + usize::from(node.is_awaited()) - usize::from(was_awaited);
        result
    }

    fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.0 as usize]
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Net(event) => self.network.handle(event, self.now),
            Happening::Timer(id) => self.timer(id),
            Happening::Input(id, input) => self.due.push_back((id, input)),
            Happening::ToTracker(what) => self.give_tracker(what),
            Happening::FromTracker(id, connection, what) => self.deliver_frame(id, connection, what),
            Happening::Act(action) => {
                self.actions_left -= 1;
                self.act(action);
            }
            Happening::Swing { id, is_full, half_period } => {
                self.network.set_full(id, is_full);
                let next = Happening::Swing { id, is_full: !is_full, half_period };
                self.queue.push(self.now + half_period, next);
            }
            Happening::Talk(id) => self.talk(id),
            Happening::Play(id) => self.play(id),
            Happening::Web(event) => self.web_event(event),
            Happening::Look => self.look(),
        }
        self.settle();
    }

    /// Gives all inputs that are due at once, and enters what comes later.
    fn settle(&mut self) {
        loop {
            let effects = std::mem::take(&mut self.network.effects);
            for (at, event) in effects.later {
                self.queue.push(at, Happening::Net(event));
            }
            self.due.extend(effects.inputs);
            let Some((id, input)) = self.due.pop_front() else { return };
            self.give(id, input);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Start(id) => self.start(id),
            Action::Leave(id) => self.leave(id),
            Action::Kill(id) => self.kill(id),
            Action::BreakLinks(id) => {
                for link in self.network.open_links(id) {
                    self.network.break_link(id, link, self.now);
                }
            }
            Action::Deafen(id) => {
                self.tracker.deafen(id, self.now);
                self.send_tracker_frames();
            }
            Action::Undeafen(id) => self.tracker.undeafen(id),
            Action::KillTracker => {
                self.tracker.kill();
                self.send_tracker_frames();
            }
            Action::StartTracker => {
                let seed = self.rng.random();
                self.tracker.start(seed, self.now);
            }
        }
    }

    /// Counts a peer that has a group from now on, or no longer.
    fn count_holder(&mut self, group: u32, has: bool) {
        let holders = &mut self.holders[group as usize];
        if has {
            *holders += 1;
            self.groups_out += u32::from(*holders == 1);
        } else {
            *holders -= 1;
            self.groups_out -= u32::from(*holders == 0);
        }
    }

    fn tracker_delay(&self, id: NodeId) -> Duration {
        self.network.line(id).delay + TRACKER_DELAY
    }

    fn enter_web(&mut self, later: impl IntoIterator<Item = Later>) {
        for (at, event) in later {
            self.queue.push(at, Happening::Web(event));
        }
    }

    fn web_event(&mut self, event: WebEvent) {
        match event {
            WebEvent::Tell(id, input) => self.due.push_back((id, input)),
            WebEvent::Send => {
                let later = self.web.as_mut().map(|web| web.send(self.now)).unwrap_or_default();
                self.enter_web(later);
            }
        }
    }

    fn give_tracker(&mut self, what: ToHost) {
        self.tracker.handle(what, self.now);
        self.send_tracker_frames();
    }

    /// Sends on what the tracker said, and hears what it logged.
    fn send_tracker_frames(&mut self) {
        for (id, connection, what) in std::mem::take(&mut self.tracker.frames) {
            if let FromHost::Frame(text) = &what {
                self.digest.tracker_frame(id, text, self.now);
            }
            let at = self.now + self.tracker_delay(id);
            self.queue.push(at, Happening::FromTracker(id, connection, what));
        }
        for (event, refused) in std::mem::take(&mut self.tracker.events) {
            self.tracker_logged(&event, refused);
        }
        if let Some(at) = self.tracker.new_timer(self.now) {
            self.queue.push(at, Happening::ToTracker(ToHost::Timer));
        }
    }

    fn tracker_logged(&mut self, event: &TrackerEvent, refused: Option<NodeId>) {
        let now = self.now;
        let is_honest = |id: &NodeId| self.nodes[id.0 as usize].bender.is_honest();
        match event {
            TrackerEvent::Banned { peer, .. } => {
                if let Some(id) = self.names.get(peer).copied().filter(is_honest) {
                    self.safety.breach(Some(id), "is banned although it is honest", now);
                }
            }
            TrackerEvent::Refused { reason, .. } => {
                if let Some(id) = refused.filter(is_honest) {
                    self.safety.breach(Some(id), format!("is refused although it is honest: {reason}"), now);
                }
            }
            // There is one tracker, and it logs nothing else.
            _ => {}
        }
    }

    fn deliver_frame(&mut self, id: NodeId, connection: ConnectionId, what: FromHost) {
        let Some(engine) = &mut self.nodes[id.0 as usize].engine else { return };
        if engine.socket != Some(connection) {
            return;
        }
        let input = match what {
            FromHost::Up => Input::TrackerUp,
            FromHost::Frame(text) => Input::TrackerMessage(text),
            FromHost::Down(reason) => {
                engine.socket = None;
                Input::TrackerDown { reason: reason.to_owned() }
            }
        };
        self.due.push_back((id, input));
    }

    fn look(&mut self) {
        self.queue.push(self.now + LOOK, Happening::Look);
        if self.looks.is_multiple_of(FOREST_LOOKS) {
            self.tracker.sample();
        }
        self.looks += 1;
        self.record_look();
        let waiting = std::mem::take(&mut self.waiting);
        let (due, waiting) = waiting.into_iter().partition(|waiting: &Waiting| self.is_due(waiting));
        self.waiting = waiting;
        for Waiting { action, .. } in due {
            self.act(action);
        }
    }

    /// Remembers how far all are; and once, when half of it is there, who feeds whom.
    fn record_look(&mut self) {
        let Some(record) = &mut self.record else { return };
        record.look(Look { at: self.now, finished: self.finished_count, groups: self.groups_written });
        let takers = self.nodes.iter().filter(|node| !matches!(node.spec.begin, Begin::Everything)).count();
        let is_half = self.groups_written * 2 >= takers as u64 * self.holders.len() as u64;
        if record.moment.is_none() && is_half {
            let numbered = (0..).map(NodeId).zip(&self.nodes).filter(|(_, node)| node.engine.is_some());
            let standing = |(id, node): (NodeId, &Node)| Standing {
                node: id,
                up_bytes_per_s: node.spec.line.up_bytes_per_s,
                is_source: matches!(node.spec.begin, Begin::Everything),
            };
            record.take_moment(self.now, numbered.map(standing).collect());
        }
    }

    /// What was remembered for a picture, if it was to be.
    pub fn record(&self) -> Option<&Record> {
        self.record.as_ref()
    }

    fn is_due(&self, waiting: &Waiting) -> bool {
        let groups = self.holders.len() as u32;
        let holds = match waiting.condition {
            Condition::OneCopyOut => self.groups_out == groups,
            Condition::Has(id, percent) => {
                let has = self.node(id).engine.as_ref().map_or(0, |engine| engine.store.groups_accepted());
                u64::from(has) * 100 >= u64::from(percent) * u64::from(groups)
            }
            Condition::Finished(count) => self.finished_count >= count,
        };
        holds && waiting.from <= self.now
    }

    /// A hostile peer says something of its own accord.
    fn talk(&mut self, id: NodeId) {
        if self.node(id).engine.is_none() {
            return;
        }
        self.queue.push(self.now + TALK, Happening::Talk(id));
        for link in self.network.open_links(id) {
            for message in self.nodes[id.0 as usize].bender.talk(&self.content.geometry()) {
                // Its own adapter may have closed the link by now, which serves it right.
                let _ = self.network.send(id, link, message, self.now);
            }
        }
    }
}
