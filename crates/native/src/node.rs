//! A node: one engine ([`Peer`]) driven by tokio.
//!
//! The engine decides everything; this module only carries. Whatever happens outside becomes an `Input`, whatever the
//! engine wants becomes a call on a link, the tracker's socket or the store:
//!
//! ```text
//!   commands ──┐                       ┌── tracker socket (a task)
//!   timer ─────┤   ┌───────────────┐   ├── links (WebRTC, tasks of their own)
//!   store ─────┼──▶│ Driver · Peer │──▶┼── store (a thread)
//!   tracker ───┤   └───────────────┘   ├── events (broadcast), stats (watch)
//!   web ───────┤    one loop, a task   ├── fetches from web servers (a task each)
//!   beside ────┤                       ├── manifest upload (a task)
//!   links ─────┘                       └── nodes beside (broadcast)
//! ```
//!
//! # The loop
//!
//! One turn is: wait for the first source in the order of the comments in [`Driver::next`], hand **one** input to the
//! engine, carry out all it asks for. So the work of a turn is bounded by what one input can cause, and a source that
//! never rests is still interleaved with those above it.
//!
//! # Bounds
//!
//! Every queue into the loop is bounded ([`LINK_EVENTS_MAX`], [`TRACKER_EVENTS_MAX`], the store's) and its writers wait
//! when it is full: links then read no more, which SCTP and the engine's credits turn into a slower sender. The loop
//! itself never waits for a queue: frames that a tracker does not read break the socket, requests that the store does
//! not take stay in [`Driver::store_waiting`], whose bytes the engine bounds. Listeners that are too slow for
//! [`EVENTS_MAX`] events miss the oldest, never the end.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use pleach_core::content::{Manifest, WebPlaces};
use pleach_core::ids::{FetchId, LinkId};
use pleach_core::peer::Peer;
use pleach_core::peer::contract::{Event, Failure, Input, Output, PeerConfig, Start, Stats, WebSource};
use pleach_core::time::Time;
use pleach_core::wire::identity::Identity;
use pleach_core::wire::tracker::MESSAGE_BYTES_MAX as TRACKER_BYTES_MAX;
use rand::TryRngCore;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until, timeout};
use url::Url;

use crate::beside::{Beside, Ears, Mouth};
use crate::first_packet::FirstPacket;
use crate::link::{IceServer, Link, LinkConfig, LinkEvent, LinkFactory};
use crate::store::{Reply, Request, Store};
use crate::tracker_socket::{TrackerEvent, TrackerSocket, fill_in_host};
use crate::web::{Web, WebEvent};

/// Events of all links that wait for the loop. A message has at most 256 KiB, but the engine's credits keep what is
/// really on the way far below the product.
const LINK_EVENTS_MAX: usize = 256;
/// Longest message of the engine with room to spare: a packet, its proof, and as much again. Larger limits ask for
/// larger socket buffers than many systems grant.
const MESSAGE_BYTES_MAX: usize = 128 * 1024;
/// Frames of the tracker that wait for the loop.
const TRACKER_EVENTS_MAX: usize = 64;
/// Pieces that came from web servers and wait for the loop; each has some 64 KiB at most.
const WEB_EVENTS_MAX: usize = 32;
/// Commands of the application that wait for the loop.
const COMMANDS_MAX: usize = 16;
/// Events that a listener may be behind; older ones are lost to it.
const EVENTS_MAX: usize = 256;
/// How often the snapshot for people is made, if anybody holds a receiver.
const STATS_INTERVAL: Duration = Duration::from_millis(250);
/// Longest that an engine may take to close its links after it was asked to stop: longer than its own patience.
const STOP_WAIT_MAX: Duration = Duration::from_secs(6);
/// Longest wait for the tracker's socket to say good-bye.
const TRACKER_CLOSE_WAIT_MAX: Duration = Duration::from_secs(2);

/// Looks at each output before it is carried out, and may change or drop it.
pub type OutputFilter = Box<dyn FnMut(Output) -> Option<Output> + Send>;

/// How a node is set up.
pub struct NodeConfig {
    /// What is to be had or given.
    pub manifest: Manifest,
    /// What is known of the content, as the store holds it.
    pub start: Start,
    /// Where the bytes are or go.
    pub store: Store,
    /// Where peers meet; `None`: all comes from the web.
    pub tracker: Option<TrackerUrls>,
    /// Where on the web the bytes are.
    pub web: WebPlaces,
    /// Most bytes a second to take from each source of them; `None` is no limit.
    pub source_bytes_per_s: Option<u64>,
    /// Who it is in the swarm; none: somebody new. No two nodes in one swarm may be the same.
    pub identity: Option<Identity>,
    /// How many children to feed at most, in all stripes together; 0 only takes.
    pub slots: u8,
    /// Most payload bytes a second to send; 0 sends nothing, `None` is no limit.
    pub upload_bytes_per_s: Option<u64>,
    /// What joins it with the nodes of other packages in this process; `None`: it stands alone.
    pub beside: Option<Beside>,
    /// How links are made.
    pub link: LinkConfig,
    /// For tests and measurements: makes a node that lies, is slow or drops messages out of an honest one. `None` in
    /// all other use.
    pub output_filter: Option<OutputFilter>,
}

/// Where a tracker is.
#[derive(Clone, Debug)]
pub struct TrackerUrls {
    /// Its socket, `ws` or `wss`.
    pub socket: Url,
    /// Where to leave the manifest if it asks for it: an address that takes `PUT`.
    pub manifest: Url,
}

/// Why a node could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The system refused a thread, or gave no random bytes.
    #[error("the system refuses a resource: {0}")]
    System(String),
}

/// A running node. Dropped without [`NodeHandle::stop`], the node leaves the swarm by itself.
#[derive(Debug)]
pub struct NodeHandle {
    commands: mpsc::Sender<Command>,
    stats: watch::Receiver<Stats>,
    first_packet: Arc<OnceLock<Instant>>,
    task: JoinHandle<Result<(), Failure>>,
}

#[derive(Debug)]
enum Command {
    UploadLimit(Option<u64>),
    Stop,
}

/// What a node tells its application, in order. Ends when the node has ended.
#[derive(Debug)]
pub struct Events(broadcast::Receiver<Event>);

impl Events {
    /// The next event; `None` when the node has ended and [`NodeHandle::stop`] knows how. A listener that was too slow
    /// goes on with the oldest event that is left.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            match self.0.recv().await {
                Ok(event) => return Some(event),
                Err(broadcast::error::RecvError::Closed) => return None,
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    tracing::debug!(missed, "a listener was too slow for the node's events");
                }
            }
        }
    }

    /// Another listener, from the next event on.
    pub fn subscribe(&self) -> Self {
        Self(self.0.resubscribe())
    }
}

impl NodeHandle {
    /// A snapshot that is renewed a few times a second.
    pub fn stats(&self) -> watch::Receiver<Stats> {
        self.stats.clone()
    }

    /// When the first whole packet was verified, if it was. One who has them all from the start never gets one.
    pub fn first_packet(&self) -> Option<Instant> {
        self.first_packet.get().copied()
    }

    /// Changes what may be uploaded, in payload bytes a second: 0 stops it, `None` lifts the limit.
    pub async fn set_upload_limit(&self, bytes_per_s: Option<u64>) {
        // A node that has ended uploads nothing anyway.
        let _ = self.commands.send(Command::UploadLimit(bytes_per_s)).await;
    }

    /// Leaves the swarm, closes everything, writes what waits to be written, and tells how the node ended. Also for a
    /// node that has ended by itself.
    pub async fn stop(self) -> Result<(), Failure> {
        let _ = self.commands.send(Command::Stop).await;
        self.task.await.unwrap_or_else(|error| Err(Failure::Store(format!("the node broke: {error}"))))
    }
}

/// A peer on tokio; see the module.
#[derive(Debug)]
pub struct Node;

impl Node {
    /// Starts a node on the current runtime. The events begin with the first; the handle ends it.
    pub fn start(config: NodeConfig) -> Result<(NodeHandle, Events), StartError> {
        let mut seed = [0; 32];
        rand::rngs::OsRng.try_fill_bytes(&mut seed).map_err(|error| StartError::System(error.to_string()))?;
        let (command_sender, commands) = mpsc::channel(COMMANDS_MAX);
        let (driver, queues, events, stats) = Driver::new(config, seed, commands)?;
        let first_packet = driver.first_packet.moment();
        let task = tokio::spawn(driver.run(queues));
        Ok((NodeHandle { commands: command_sender, stats, first_packet, task }, Events(events)))
    }
}

/// Everything that the engine is connected to.
struct Driver {
    peer: Peer,
    epoch: Instant,
    filter: Option<OutputFilter>,

    factory: LinkFactory,
    links: BTreeMap<LinkId, Link>,
    link_events: mpsc::Sender<(u32, LinkEvent)>,

    tracker_urls: Option<TrackerUrls>,
    tracker: Option<TrackerSocket>,
    /// A socket that is sending its last frames.
    tracker_closing: Option<JoinHandle<()>>,
    tracker_generation: u64,
    tracker_events: mpsc::Sender<(u64, TrackerEvent)>,

    manifest: Manifest,
    web: Web,
    beside: Mouth,

    store: mpsc::Sender<Request>,
    store_waiting: VecDeque<Request>,

    events: broadcast::Sender<Event>,
    stats: watch::Sender<Stats>,
    first_packet: FirstPacket,

    stop_deadline: Option<Instant>,
    stopped: bool,
    outcome: Result<(), Failure>,
}

/// What comes into the loop.
struct Queues {
    commands: mpsc::Receiver<Command>,
    store: mpsc::Receiver<Reply>,
    tracker: mpsc::Receiver<(u64, TrackerEvent)>,
    web: mpsc::Receiver<(FetchId, WebEvent)>,
    beside: Ears,
    links: mpsc::Receiver<(u32, LinkEvent)>,
}

/// One thing that happened outside.
enum Happened {
    Command(Command),
    Timer,
    StatsTick,
    StoreRoom,
    Store(Reply),
    Tracker(u64, TrackerEvent),
    Web(FetchId, WebEvent),
    Beside(Bytes),
    Link(LinkId, LinkEvent),
}

type DriverParts = (Driver, Queues, broadcast::Receiver<Event>, watch::Receiver<Stats>);

impl Driver {
    fn new(config: NodeConfig, seed: [u8; 32], commands: mpsc::Receiver<Command>) -> Result<DriverParts, StartError> {
        let mut peer_config = PeerConfig::new(config.manifest.clone(), config.start);
        peer_config.identity = config.identity;
        peer_config.agent = crate::AGENT.into();
        peer_config.slots = config.slots;
        peer_config.has_tracker = config.tracker.is_some();
        let bytes_per_s = config.source_bytes_per_s;
        peer_config.sources = config.web.sources.into_iter().map(|url| WebSource { url, bytes_per_s }).collect();
        peer_config.hash_lists = config.web.hashes;
        let peer = Peer::new(peer_config, seed, Time::ZERO);
        let system = |error: std::io::Error| StartError::System(error.to_string());
        let store = config.store.spawn().map_err(system)?;
        let (events, event_receiver) = broadcast::channel(EVENTS_MAX);
        let (stats, stats_receiver) = watch::channel(peer.stats(Time::ZERO));
        let (link_events, links) = mpsc::channel(LINK_EVENTS_MAX);
        let (tracker_events, tracker) = mpsc::channel(TRACKER_EVENTS_MAX);
        let (web_events, web) = mpsc::channel(WEB_EVENTS_MAX);
        // Alone it says everything to nobody.
        let (mouth, ears) = config.beside.unwrap_or_default().sit_down();
        let first_packet = FirstPacket::new(config.manifest.size_bytes());
        let mut driver = Self {
            peer,
            epoch: Instant::now(),
            filter: config.output_filter,
            factory: LinkFactory::new(LinkConfig { max_message_bytes: MESSAGE_BYTES_MAX, ..config.link })
                .map_err(system)?,
            links: BTreeMap::new(),
            link_events,
            tracker_urls: config.tracker,
            tracker: None,
            tracker_closing: None,
            tracker_generation: 0,
            tracker_events,
            manifest: config.manifest,
            web: Web::new(web_events),
            beside: mouth,
            store: store.requests,
            store_waiting: VecDeque::new(),
            events,
            stats,
            first_packet,
            stop_deadline: None,
            stopped: false,
            outcome: Ok(()),
        };
        if config.upload_bytes_per_s.is_some() {
            driver.input(Input::UploadLimit { bytes_per_s: config.upload_bytes_per_s });
        }
        let queues = Queues { commands, store: store.replies, tracker, web, beside: ears, links };
        Ok((driver, queues, event_receiver, stats_receiver))
    }

    async fn run(mut self, mut queues: Queues) -> Result<(), Failure> {
        let mut stats_tick = interval(STATS_INTERVAL);
        stats_tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.carry_out_all();
        while !self.stopped {
            self.turn(&mut queues, &mut stats_tick).await;
            self.carry_out_all();
        }
        self.close(queues).await
    }

    /// Tells the engine of one thing that happened.
    async fn turn(&mut self, queues: &mut Queues, stats_tick: &mut Interval) {
        match self.next(queues, stats_tick).await {
            Happened::Command(command) => self.on_command(command),
            Happened::Timer => self.on_timer(),
            Happened::StatsTick => self.renew_stats(),
            Happened::StoreRoom => self.flush_store(),
            Happened::Store(reply) => self.on_store(reply),
            Happened::Tracker(generation, event) => self.on_tracker(generation, event),
            Happened::Web(fetch, event) => self.on_web(fetch, event),
            Happened::Beside(message) => self.input(Input::Beside(message)),
            Happened::Link(link, event) => self.on_link(link, event),
        }
    }

    /// Waits for the first of the sources, in this order.
    async fn next(&mut self, queues: &mut Queues, stats_tick: &mut Interval) -> Happened {
        let timer = self.next_timer();
        tokio::select! {
            biased;
            // 1. The person at it: rare, and they wait. A handle that was dropped means stop.
            command = queues.commands.recv(), if self.stop_deadline.is_none() => {
                Happened::Command(command.unwrap_or(Command::Stop))
            }
            // 2. Time: what is due is due, and the engine's timers free what would otherwise be stuck.
            () = sleep_until(timer.unwrap_or_else(Instant::now)), if timer.is_some() => Happened::Timer,
            // 3. A snapshot: four times a second at most.
            _ = stats_tick.tick() => Happened::StatsTick,
            // 4. Room in the store's queue, before anything that could ask more of it.
            Ok(_) = self.store.reserve(), if !self.store_waiting.is_empty() => Happened::StoreRoom,
            // 5. The store: what is written frees memory, what is read is waited for by a child.
            Some(reply) = queues.store.recv() => Happened::Store(reply),
            // 6. The tracker: small and seldom, and may be about to mend a gap.
            Some((generation, event)) = queues.tracker.recv() => Happened::Tracker(generation, event),
            // 7. Web servers: no more than they were asked for.
            Some((fetch, event)) = queues.web.recv() => Happened::Web(fetch, event),
            // 8. Nodes beside: seldom, and bounded by what comes over links.
            message = queues.beside.hear() => Happened::Beside(message),
            // 9. Links: nearly all of the work, and what slows down when there is too much.
            Some((key, event)) = queues.links.recv() => Happened::Link(LinkId(key), event),
        }
    }

    fn now(&self) -> Time {
        Time::from_micros(u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// When to wake at the latest: the engine's timer or the end of patience with a stopping engine.
    fn next_timer(&self) -> Option<Instant> {
        let engine = self.peer.poll_timeout().map(|(time, _reason)| self.epoch + time.since(Time::ZERO));
        [engine, self.stop_deadline].into_iter().flatten().min()
    }

    fn input(&mut self, input: Input) {
        self.peer.handle_input(input, self.now());
    }

    fn on_timer(&mut self) {
        if self.stop_deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            tracing::debug!("the links did not close in time");
            self.stopped = true;
            return;
        }
        self.peer.handle_timeout(self.now());
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::UploadLimit(bytes_per_s) => self.input(Input::UploadLimit { bytes_per_s }),
            Command::Stop => self.begin_stop(),
        }
    }

    fn begin_stop(&mut self) {
        if self.stop_deadline.is_none() {
            self.stop_deadline = Some(Instant::now() + STOP_WAIT_MAX);
            self.input(Input::Stop);
        }
    }

    fn on_store(&mut self, reply: Reply) {
        match reply {
            Reply::Written(write) => self.input(Input::Written(write)),
            Reply::WriteFailed { write, reason } => self.input(Input::WriteFailed { write, reason }),
            Reply::ReadDone { read, bytes } => self.input(Input::ReadDone { read, bytes }),
            Reply::ReadFailed { read, reason } => self.input(Input::ReadFailed { read, reason }),
            Reply::Finished(Ok(())) => self.tell(Event::Complete),
            Reply::Finished(Err(error)) => {
                self.fail(Failure::Store(error.to_string()));
                self.begin_stop();
            }
        }
    }

    fn on_tracker(&mut self, generation: u64, event: TrackerEvent) {
        // A socket that was given up may still have had something to say.
        if self.tracker.as_ref().is_none_or(|tracker| tracker.generation() != generation) {
            return;
        }
        match event {
            TrackerEvent::Up => self.input(Input::TrackerUp),
            TrackerEvent::Message(text) => self.input(Input::TrackerMessage(text)),
            TrackerEvent::Down(reason) => {
                self.tracker = None;
                self.input(Input::TrackerDown { reason });
            }
        }
    }

    fn on_web(&mut self, fetch: FetchId, event: WebEvent) {
        match event {
            WebEvent::Came(bytes) => self.input(Input::Fetched { fetch, bytes }),
            WebEvent::Ended(outcome) => {
                self.web.end(fetch);
                self.input(Input::FetchEnded { fetch, outcome });
            }
        }
    }

    fn on_link(&mut self, link: LinkId, event: LinkEvent) {
        // A link that has told of its end has nothing more to say.
        let Some(room_bytes) = self.links.get(&link).map(Link::room) else { return };
        match event {
            LinkEvent::Signal(signal) => self.input(Input::LinkSignal { link, signal }),
            LinkEvent::Open => self.input(Input::LinkOpen { link, room_bytes }),
            LinkEvent::Message(message) => self.input(Input::LinkMessage { link, message }),
            // What the event says may be overtaken by what was sent since.
            LinkEvent::Room(_) => self.input(Input::LinkRoom { link, room_bytes }),
            LinkEvent::Closed(reason) => {
                self.links.remove(&link);
                self.input(Input::LinkClosed { link, reason });
            }
        }
    }

    fn carry_out_all(&mut self) {
        while let Some(output) = self.peer.poll_output() {
            let output = match &mut self.filter {
                Some(filter) => filter(output),
                None => Some(output),
            };
            if let Some(output) = output {
                self.carry_out(output);
            }
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::ConnectTracker => self.connect_tracker(),
            Output::DisconnectTracker => self.disconnect_tracker(),
            Output::SendTracker(frame) => self.send_tracker(frame),
            Output::UploadManifest => self.upload_manifest(),
            Output::OpenLink { link, dial, ice_servers } => self.open_link(link, dial, &ice_servers),
            Output::ApplySignal { link, signal } => {
                if let Some(link) = self.links.get(&link) {
                    link.apply(signal);
                }
            }
            Output::SendLink { link, message } => {
                if let Some(link) = self.links.get(&link) {
                    link.send(message);
                }
            }
            Output::CloseLink { link } => {
                if let Some(link) = self.links.get(&link) {
                    link.close();
                }
            }
            Output::Beside(message) => self.beside.say(message),
            Output::Write { write, offset_bytes, bytes } => {
                self.first_packet.note(offset_bytes, bytes.len());
                self.ask_store(Request::Write { write, offset_bytes, bytes });
            }
            Output::AppendRecord(bytes) => self.ask_store(Request::AppendRecord(bytes)),
            Output::Read { read, offset_bytes, len_bytes } => {
                self.ask_store(Request::Read { read, offset_bytes, len_bytes });
            }
            Output::Fetch { fetch, url, range, size_bytes } => self.web.fetch(fetch, url, range, size_bytes),
            Output::CancelFetch { fetch } => self.web.end(fetch),
            Output::Event(event) => self.on_event(event),
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            // Told once the store has flushed it and given it its name.
            Event::Complete => self.ask_store(Request::Finish),
            Event::Failed(failure) => self.fail(failure),
            Event::Stopped => {
                self.stopped = true;
                self.tell(Event::Stopped);
            }
            other => self.tell(other),
        }
    }

    /// Notes why the node ends; the first reason counts.
    fn fail(&mut self, failure: Failure) {
        if self.outcome.is_ok() {
            self.outcome = Err(failure.clone());
        }
        self.tell(Event::Failed(failure));
    }

    fn tell(&self, event: Event) {
        log(&event);
        // Who hears of it looks at the numbers next.
        self.renew_stats();
        // Fails when nobody listens.
        let _ = self.events.send(event);
    }

    fn ask_store(&mut self, request: Request) {
        self.store_waiting.push_back(request);
        self.flush_store();
    }

    /// Hands over as many requests as the store's queue takes. None can be lost by its end: its thread lives as long
    /// as this sender.
    fn flush_store(&mut self) {
        while let Ok(permit) = self.store.try_reserve() {
            let Some(request) = self.store_waiting.pop_front() else { return };
            permit.send(request);
        }
    }

    fn connect_tracker(&mut self) {
        self.disconnect_tracker();
        let Some(urls) = &self.tracker_urls else { return };
        self.tracker_generation += 1;
        let events = self.tracker_events.clone();
        self.tracker =
            Some(TrackerSocket::open(urls.socket.clone(), self.tracker_generation, TRACKER_BYTES_MAX, events));
    }

    fn disconnect_tracker(&mut self) {
        if let Some(tracker) = self.tracker.take() {
            self.tracker_closing = Some(tracker.close());
        }
    }

    fn send_tracker(&mut self, frame: String) {
        if self.tracker.as_ref().is_some_and(|tracker| tracker.send(frame).is_err()) {
            self.tracker = None;
            self.input(Input::TrackerDown { reason: "the tracker does not read".into() });
        }
    }

    fn upload_manifest(&self) {
        let Some(url) = self.tracker_urls.as_ref().map(|urls| urls.manifest.clone()) else { return };
        let bytes = self.manifest.as_bytes().to_vec();
        tokio::spawn(async move {
            if let Err(error) = crate::http::put_manifest(&url, bytes).await {
                tracing::warn!(%error, "the tracker did not take the manifest");
            }
        });
    }

    fn open_link(&mut self, link: LinkId, dial: bool, ice_servers: &[String]) {
        let Some(urls) = &self.tracker_urls else { return };
        let with_host = |url: &String| IceServer { url: fill_in_host(url, &urls.socket), ..IceServer::default() };
        let ice_servers = ice_servers.iter().map(with_host).collect();
        let opened = self.factory.open(link.0, dial, ice_servers, self.link_events.clone());
        self.links.insert(link, opened);
    }

    fn renew_stats(&self) {
        if self.stats.receiver_count() > 0 {
            self.stats.send_replace(self.peer.stats(self.now()));
        }
    }

    /// After the engine's end: a last snapshot, then everything outside is let go in an orderly way.
    async fn close(mut self, mut queues: Queues) -> Result<(), Failure> {
        self.stats.send_replace(self.peer.stats(self.now()));
        drop(queues.links);
        drop(queues.web);
        drop(queues.tracker);
        self.links.clear();
        self.disconnect_tracker();
        if let Some(closing) = self.tracker_closing.take() {
            // A tracker that does not answer is left behind.
            let _ = timeout(TRACKER_CLOSE_WAIT_MAX, closing).await;
        }
        while !self.store_waiting.is_empty() {
            self.flush_store();
            if queues.store.recv().await.is_none() {
                break;
            }
        }
        drop(self.store);
        // Ends when the store's thread has served all and let go of its files.
        while queues.store.recv().await.is_some() {}
        self.outcome
    }
}

/// What an operator wants to see of the swarm at a glance; the rest at a closer look.
fn log(event: &Event) {
    match event {
        Event::LinkUp { peer, .. } => tracing::info!(%peer, "connected to peer"),
        Event::LinkDown { peer, reason, .. } => tracing::info!(%peer, reason, "peer is gone"),
        Event::PeerLied { peer } => tracing::warn!(%peer, "a peer sent bytes that fail verification"),
        event => tracing::debug!(?event),
    }
}
