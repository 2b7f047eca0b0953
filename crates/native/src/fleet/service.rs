//! An agent as a service: the engine's [`Agent`] driven by tokio.
//!
//! ```text
//!   stop ─────────┐                       ┌── tracker socket (a task)
//!   timer ────────┤   ┌───────────────┐   ├── requests to other agents (a task each)
//!   tracker ──────┼──▶│ Driver · Agent│──▶┼── deliveries (a task and a node each)
//!   other agents ─┤   └───────────────┘   ├── journal (files, written before what follows from them)
//!   deliveries ───┘    one loop           └── events for people
//! ```
//!
//! # Bounds
//!
//! The machine bounds deliveries that run and requests that are on their way. Of those who were complete and feed others,
//! [`FEEDING_MAX`] do; the one that began first ends for a further one. Every queue into the loop is bounded, and its
//! writers wait.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pleach_core::fleet::{Agent, AgentEvent, AgentInput, AgentOutput, PostAnswer, PostId, SavedJob, TicketId};
use pleach_core::ids::RequestId;
use pleach_core::time::Time;
use pleach_core::wire::fleet::REQUEST_BYTES_MAX;
use pleach_core::wire::fleet::request::Terms;
use pleach_core::wire::identity::Identity;
use rand::TryRngCore;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use url::Url;

pub use super::contract::{ServiceConfig, ServiceError, ServiceEvent};
use super::job::{Job, JobEvent, Order, Places};
use super::journal::Journal;
use super::lent::Lent;
use super::listener::{self, Posted};
use crate::beside::Beside;
use crate::http;
use crate::tracker_socket::{TrackerEvent, TrackerSocket};

/// Most deliveries that are complete and still given to others.
const FEEDING_MAX: usize = 8;
/// Events that wait for the loop, of each kind.
const WAITING_MAX: usize = 64;
/// Longest wait at the end for deliveries to write what they have.
const STOP_WAIT_MAX: Duration = Duration::from_secs(8);

/// A delivery's task.
struct Task {
    terms: Terms,
    orders: watch::Sender<Order>,
    handle: JoinHandle<()>,
    /// When it was complete, if it is.
    complete: Option<Instant>,
}

/// Everything that the engine is connected to.
struct Driver {
    agent: Agent,
    socket_url: Url,
    socket: Option<TrackerSocket>,
    generation: u64,
    socket_events: mpsc::Sender<(u64, TrackerEvent)>,
    listening: Option<SocketAddr>,
    reached_at: Option<SocketAddr>,
    answers: BTreeMap<TicketId, oneshot::Sender<PostAnswer>>,
    tickets: u64,
    post_ends: mpsc::Sender<(PostId, bool)>,
    places: Arc<Places>,
    linger: Duration,
    tasks: BTreeMap<RequestId, Task>,
    job_events: mpsc::Sender<(RequestId, JobEvent)>,
    told: mpsc::Sender<ServiceEvent>,
    refused: Option<String>,
}

/// What comes into the loop.
struct Queues {
    socket: mpsc::Receiver<(u64, TrackerEvent)>,
    posted: mpsc::Receiver<Posted>,
    post_ends: mpsc::Receiver<(PostId, bool)>,
    jobs: mpsc::Receiver<(RequestId, JobEvent)>,
}

/// Runs an agent until `stop`, which is a good end, or until it can't go on. `told` hears of what happens.
pub async fn run(
    config: ServiceConfig,
    told: mpsc::Sender<ServiceEvent>,
    stop: impl Future<Output = ()>,
) -> Result<(), ServiceError> {
    let folder = |path: &PathBuf| {
        let path = path.clone();
        move |source| ServiceError::Folder { path, source }
    };
    std::fs::create_dir_all(&config.into).map_err(folder(&config.into))?;
    let (journal, kept) = Journal::open(&config.state).map_err(folder(&config.state))?;
    let (posted_sender, posted) = mpsc::channel(WAITING_MAX);
    let listening = match config.listen {
        None => None,
        Some(address) => Some(listen(address, posted_sender).await?),
    };
    if let Some(address) = listening {
        let _ = told.send(ServiceEvent::Listening(address)).await;
    }
    let (mut driver, queues) = Driver::new(config, journal, kept, listening, posted, told)?;
    let result = driver.drive(queues, stop).await;
    driver.end().await;
    result
}

async fn listen(address: SocketAddr, posted: mpsc::Sender<Posted>) -> Result<SocketAddr, ServiceError> {
    let failed = |source| ServiceError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let listening = listener.local_addr().map_err(failed)?;
    tokio::spawn(listener::serve(listener, posted));
    Ok(listening)
}

impl Driver {
    fn new(
        config: ServiceConfig,
        journal: Journal,
        kept: Vec<SavedJob>,
        listening: Option<SocketAddr>,
        posted: mpsc::Receiver<Posted>,
        told: mpsc::Sender<ServiceEvent>,
    ) -> Result<(Self, Queues), ServiceError> {
        let mut seed = [0; 32];
        let system = |error: String| ServiceError::System(error);
        rand::rngs::OsRng.try_fill_bytes(&mut seed).map_err(|error| system(error.to_string()))?;
        let socket_url = config.base.replacen("http", "ws", 1) + "/fleet";
        let socket_url = Url::parse(&socket_url).map_err(|error| system(format!("{socket_url}: {error}")))?;
        let (socket_events, socket) = mpsc::channel(WAITING_MAX);
        let (post_end_sender, post_ends) = mpsc::channel(WAITING_MAX);
        let (job_events, jobs) = mpsc::channel(WAITING_MAX);
        let places = Places {
            base: config.base,
            into: config.into,
            state: config.state,
            journal,
            replace: config.replace,
            patience: config.patience,
            upload_bytes_per_s: config.upload_bytes_per_s,
            seed: config.agent.identity,
            identity: Lent::new(Identity::from_seed(config.agent.identity)),
            beside: Beside::default(),
        };
        let driver = Self {
            agent: Agent::new(config.agent, kept, seed, now()),
            socket_url,
            socket: None,
            generation: 0,
            socket_events,
            listening,
            reached_at: config.reached_at,
            answers: BTreeMap::new(),
            tickets: 0,
            post_ends: post_end_sender,
            places: Arc::new(places),
            linger: config.linger,
            tasks: BTreeMap::new(),
            job_events,
            told,
            refused: None,
        };
        Ok((driver, Queues { socket, posted, post_ends, jobs }))
    }

    async fn drive(&mut self, mut queues: Queues, stop: impl Future<Output = ()>) -> Result<(), ServiceError> {
        let mut stop = std::pin::pin!(stop);
        loop {
            self.carry_out().await;
            if let Some(reason) = self.refused.take() {
                return Err(ServiceError::Refused(reason));
            }
            let due = self.agent.poll_timeout().map(|(at, _)| Instant::now() + at.since(now()));
            tokio::select! {
                biased;
                () = &mut stop => return Ok(()),
                () = sleep_to(due) => self.agent.handle_timeout(now()),
                Some((generation, event)) = queues.socket.recv() => self.heard(generation, event).await,
                Some((post, is_there)) = queues.post_ends.recv() => self.input(AgentInput::PostEnded { post, is_there }),
                Some((request, event)) = queues.jobs.recv() => self.job_event(request, event).await,
                Some((text, answer)) = queues.posted.recv() => {
                    let ticket = TicketId(self.tickets);
                    self.tickets += 1;
                    self.answers.insert(ticket, answer);
                    self.input(AgentInput::Posted { ticket, text });
                }
            }
        }
    }

    fn input(&mut self, input: AgentInput) {
        self.agent.handle_input(input, now());
    }

    async fn heard(&mut self, generation: u64, event: TrackerEvent) {
        if generation != self.generation {
            return;
        }
        match event {
            TrackerEvent::Up => {
                let address = self.address().await;
                self.input(AgentInput::SocketUp { address });
            }
            TrackerEvent::Message(text) => self.input(AgentInput::Message(text)),
            TrackerEvent::Down(reason) => {
                self.socket = None;
                self.input(AgentInput::SocketDown { reason });
            }
        }
    }

    /// Where others reach this machine: by the address from which it reaches the tracker, unless another was said.
    async fn address(&self) -> Option<SocketAddr> {
        let listening = self.listening?;
        if let Some(address) = self.reached_at {
            return Some(address);
        }
        if !listening.ip().is_unspecified() {
            return Some(listening);
        }
        let host = self.socket_url.host_str()?.trim_start_matches('[').trim_end_matches(']');
        let port = self.socket_url.port_or_known_default()?;
        let own: IpAddr = if listening.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        // Connecting a UDP socket asks the system for the route, and sends nothing.
        let socket = UdpSocket::bind((own, 0)).await.ok()?;
        socket.connect((host, port)).await.ok()?;
        Some(SocketAddr::new(socket.local_addr().ok()?.ip(), listening.port()))
    }

    async fn job_event(&mut self, request: RequestId, event: JobEvent) {
        match event {
            JobEvent::Progress { have_bytes } => self.input(AgentInput::Progress { request, have_bytes }),
            JobEvent::Finished { result, path } => {
                if let Some(task) = self.tasks.get_mut(&request) {
                    let terms = task.terms.clone();
                    task.complete = result.is_ok().then(Instant::now);
                    let event = match &result {
                        Ok(finish) => ServiceEvent::Done {
                            terms,
                            path,
                            received_bytes: finish.received_bytes,
                            time: Duration::from_millis(finish.time_ms),
                        },
                        Err(reason) => ServiceEvent::Failed { terms, reason: reason.clone() },
                    };
                    let _ = self.told.send(event).await;
                }
                self.input(AgentInput::Finished { request, result });
            }
        }
    }

    /// Does what the machine wants done.
    async fn carry_out(&mut self) {
        while let Some(output) = self.agent.poll_output() {
            match output {
                AgentOutput::Connect => {
                    self.generation += 1;
                    let (url, events) = (self.socket_url.clone(), self.socket_events.clone());
                    self.socket = Some(TrackerSocket::open(url, self.generation, REQUEST_BYTES_MAX, events));
                }
                AgentOutput::Disconnect => {
                    self.generation += 1;
                    self.socket = None;
                }
                AgentOutput::Send(text) => self.send(text),
                AgentOutput::Answer { ticket, answer } => {
                    if let Some(asked) = self.answers.remove(&ticket) {
                        let _ = asked.send(answer);
                    }
                }
                AgentOutput::Post { post, address, text } => self.post(post, address, text),
                AgentOutput::Start(terms) => self.start(terms).await,
                AgentOutput::Feed(terms) => self.feed(terms).await,
                AgentOutput::Save(job) => {
                    if let Err(error) = self.places.journal.save(&job) {
                        tracing::error!(%error, "what is to be got can't be kept: after a restart the tracker must tell again");
                    }
                }
                AgentOutput::Forget(request) => self.places.journal.forget(request),
                AgentOutput::Event(event) => {
                    if let AgentEvent::Refused { reason } = &event {
                        self.refused = Some(reason.clone());
                    }
                    let _ = self.told.send(ServiceEvent::Agent(event)).await;
                }
            }
        }
    }

    fn send(&mut self, text: String) {
        let is_stuck = self.socket.as_ref().is_some_and(|socket| socket.send(text).is_err());
        if is_stuck {
            self.socket = None;
            self.generation += 1;
            self.input(AgentInput::SocketDown { reason: "the tracker does not read".into() });
        }
    }

    fn post(&self, post: PostId, address: SocketAddr, text: String) {
        let ends = self.post_ends.clone();
        tokio::spawn(async move {
            let sent = http::post_to_agent(address, listener::PATH, text).await;
            if let Err(error) = &sent {
                tracing::info!(%address, %error, "could not pass a request on");
            }
            let _ = ends.send((post, sent.is_ok())).await;
        });
    }

    /// Begins a delivery, in place of what is left of an earlier try.
    async fn start(&mut self, terms: Terms) {
        self.stop_task(terms.id).await;
        let linger = self.linger;
        self.spawn(terms, None, move |job| job.get(linger));
        self.make_room().await;
    }

    /// Gives something to others again, or for longer.
    async fn feed(&mut self, terms: Terms) {
        let until = Instant::now() + self.linger;
        if let Some(task) = self.tasks.get(&terms.id).filter(|task| !task.handle.is_finished()) {
            task.orders.send_modify(|order| order.feed_until = Some(until));
            return;
        }
        self.spawn(terms, Some(Instant::now()), move |job| job.feed(until));
        self.make_room().await;
    }

    fn spawn<F>(&mut self, terms: Terms, complete: Option<Instant>, work: impl FnOnce(Job) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (orders, order_receiver) = watch::channel(Order { stop: false, feed_until: None });
        let (events, mut job_events) = mpsc::channel(WAITING_MAX);
        let (request, to_loop) = (terms.id, self.job_events.clone());
        tokio::spawn(async move {
            while let Some(event) = job_events.recv().await {
                if to_loop.send((request, event)).await.is_err() {
                    return;
                }
            }
        });
        let job = Job { places: Arc::clone(&self.places), terms: terms.clone(), events, orders: order_receiver };
        let handle = tokio::spawn(work(job));
        self.tasks.insert(request, Task { terms, orders, handle, complete });
    }

    /// Ends those that feed others and are too many, the first first.
    async fn make_room(&mut self) {
        self.tasks.retain(|_, task| !task.handle.is_finished());
        let mut feeding: Vec<(Instant, RequestId)> =
            self.tasks.iter().filter_map(|(request, task)| Some((task.complete?, *request))).collect();
        feeding.sort();
        for (_, request) in feeding.iter().take(feeding.len().saturating_sub(FEEDING_MAX)) {
            self.stop_task(*request).await;
        }
    }

    async fn stop_task(&mut self, request: RequestId) {
        if let Some(task) = self.tasks.remove(&request) {
            task.orders.send_modify(|order| order.stop = true);
            let _ = timeout(STOP_WAIT_MAX, task.handle).await;
        }
    }

    /// Ends all that runs: what is there of it is kept, and the tracker is told good-bye.
    async fn end(mut self) {
        for task in self.tasks.values() {
            task.orders.send_modify(|order| order.stop = true);
        }
        if let Some(socket) = self.socket.take() {
            let _ = socket.send(pleach_core::wire::fleet::FromAgent::Leave.encode());
            let _ = timeout(STOP_WAIT_MAX, socket.close()).await;
        }
        let deadline = Instant::now() + STOP_WAIT_MAX;
        for (_, task) in self.tasks {
            let _ = tokio::time::timeout_at(deadline, task.handle).await;
        }
    }
}

/// The machine's time counts from 1970.
fn now() -> Time {
    Time::ZERO + SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

async fn sleep_to(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}
