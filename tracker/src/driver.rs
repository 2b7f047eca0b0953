//! The driver: the one task that owns the state machines, [`Tracker`] and that of the [fleet](crate::fleet), and the
//! manifests that the first is told of.
//!
//! Sockets and requests speak to it by one bounded channel of [`Command`]s, and it to each socket by a bounded queue;
//! nobody shares a lock on the tracker. It never waits for a socket: what does not fit into a socket's queue closes
//! that socket. They do wait for it: when the channel is full, sockets stop reading and TCP slows their peers.
//!
//! ```text
//! socket ──┐  Command, COMMANDS_MAX    ┌────────┐  text, QUEUE_MESSAGES_MAX   ┌── socket
//! socket ──┼──────────────────────────►│ Driver ├────────────────────────────►┼── socket
//! request ─┘                           └──▲──┬──┘                             └── reply to a request
//!                                         └──▼  Said, see crate::cluster
//!                                       other drivers
//! ```

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pleach_core::content::Manifest;
use pleach_core::ids::{ConnectionId, ContentId, ManifestDigest};
use pleach_core::time::Time;
use pleach_core::tracker::{Event, Input, Output, Tracker};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::cluster::{Links, Said};
use crate::fleet::{Ask, Fleet, FleetOutput};
use crate::manifests::{Inserted, Manifests, ManifestsFull};
use crate::metrics::{Counters, Stats, count};
use crate::pictures::Pictures;

/// Most commands that wait. At the bound whoever has one more waits for room; 32 MiB if all were longest messages.
const COMMANDS_MAX: usize = 1024;
/// Most commands handled before timers are looked at again.
const COMMANDS_PER_TURN_MAX: usize = 64;
/// Most messages that wait in the queue of one socket. At the bound the socket is closed: its peer takes too little. A
/// few times what one turn can bring, or a crowd that comes at once would cut off the seeder that it comes for.
pub(crate) const QUEUE_MESSAGES_MAX: usize = 4 * COMMANDS_PER_TURN_MAX;
/// How old a snapshot for `/stats.json` may be: making one walks all swarms, and anybody may ask.
const STATS_AGE_MAX: Duration = Duration::from_secs(1);

/// What the driver is told and asked.
pub(crate) enum Command {
    /// A socket is open; its messages go into the queue, and the queue's end closes it.
    Connected { connection: ConnectionId, line: Line, queue: mpsc::Sender<String> },
    /// A text frame came.
    Message { connection: ConnectionId, text: String },
    /// A socket is gone.
    Disconnected { connection: ConnectionId },
    /// Keep a manifest.
    Publish { manifest: Upload, pinned: bool, reply: oneshot::Sender<Result<Published, ManifestsFull>> },
    /// Give a manifest.
    Fetch {
        content: ContentId,
        digest: Option<ManifestDigest>,
        reply: oneshot::Sender<Option<(ManifestDigest, Bytes)>>,
    },
    /// Give the picture of a swarm's forest, as JSON; nothing if nobody is there.
    Picture { content: ContentId, reply: oneshot::Sender<Option<Bytes>> },
    /// Whatever concerns the fleet. Dropped without an answer where there is none.
    Fleet(Ask),
    /// Give a snapshot.
    Stats { reply: oneshot::Sender<Arc<Stats>> },
}

/// Who is at the far end of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A peer of a swarm.
    Peer,
    /// A machine of the fleet.
    Agent,
}

/// What is kept of a valid manifest.
pub(crate) struct Upload {
    content: ContentId,
    digest: ManifestDigest,
    bytes: Bytes,
}

impl From<&Manifest> for Upload {
    fn from(manifest: &Manifest) -> Self {
        let bytes = Bytes::copy_from_slice(manifest.as_bytes());
        Self { content: manifest.id(), digest: manifest.digest(), bytes }
    }
}

/// A manifest that the server holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its content.
    pub content: ContentId,
    /// Its own name.
    pub digest: ManifestDigest,
    /// Whether it was not held before.
    pub new: bool,
}

/// The driver has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server has stopped")]
pub struct Stopped;

/// How all others reach the driver.
#[derive(Clone)]
pub(crate) struct DriverHandle(mpsc::Sender<Command>);

impl DriverHandle {
    /// Says something; waits while the channel is full.
    pub(crate) async fn tell(&self, command: Command) -> Result<(), Stopped> {
        self.0.send(command).await.map_err(|_| Stopped)
    }

    /// Asks something and waits for the reply.
    pub(crate) async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.tell(command(reply)).await?;
        answer.await.map_err(|_| Stopped)
    }
}

/// Owner of the state machine; see the [module](self).
pub(crate) struct Driver {
    tracker: Tracker,
    fleet: Option<Fleet>,
    manifests: Manifests,
    /// Sockets that are open as the tracker knows them; dropping a queue closes its socket.
    queues: HashMap<ConnectionId, mpsc::Sender<String>>,
    commands: mpsc::Receiver<Command>,
    links: Links,
    counters: Arc<Counters>,
    pictures: Pictures,
    snapshot: Option<(Instant, Arc<Stats>)>,
    epoch: Instant,
}

impl Driver {
    /// `new_tracker` makes the state machine, given the time.
    pub(crate) fn new(
        new_tracker: impl FnOnce(Time) -> Tracker,
        fleet: Option<Fleet>,
        links: Links,
        manifests_bytes_max: usize,
        counters: Arc<Counters>,
    ) -> (Self, DriverHandle) {
        let (handle, commands) = mpsc::channel(COMMANDS_MAX);
        let driver = Self {
            tracker: new_tracker(Time::ZERO),
            fleet,
            manifests: Manifests::new(manifests_bytes_max),
            queues: HashMap::new(),
            commands,
            links,
            counters,
            pictures: Pictures::default(),
            snapshot: None,
            epoch: Instant::now(),
        };
        (driver, DriverHandle(handle))
    }

    /// Drives until the stop; then all queues end, which closes all sockets.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut batch = Vec::with_capacity(COMMANDS_PER_TURN_MAX);
        let mut said = Vec::with_capacity(COMMANDS_PER_TURN_MAX);
        loop {
            let due = self.tracker.poll_timeout().map(|(time, _)| self.instant(time));
            let fleet_due = self.fleet.as_ref().and_then(Fleet::due);
            tokio::select! {
                biased;
                // 1. A stop.
                () = stop.cancelled() => return self.input(Input::Stopping),
                // 2. What other trackers say, for sockets are lost with what finds no room; a bounded number.
                () = self.links.hear(&mut said, COMMANDS_PER_TURN_MAX) => {}
                // 3. What is said and asked; a bounded number.
                count = self.commands.recv_many(&mut batch, COMMANDS_PER_TURN_MAX) => if count == 0 { return },
                // 4. The next timer.
                () = sleep_until(due.into_iter().chain(fleet_due).min()) => {}
            }
            // Whatever woke it, a timer that is due goes first, so that a flood of commands cannot starve it.
            if due.is_some_and(|due| due <= Instant::now()) {
                self.tracker.handle_timeout(self.now());
                self.drain();
            }
            if let Some(fleet) = self.fleet.as_mut().filter(|_| fleet_due.is_some_and(|due| due <= Instant::now())) {
                fleet.handle_timeout();
                self.drain();
            }
            for said in said.drain(..) {
                self.hear(said);
            }
            for command in batch.drain(..) {
                self.handle(command);
            }
        }
    }

    fn handle(&mut self, command: Command) {
        match command {
            Command::Connected { connection, line, queue } => {
                self.queues.insert(connection, queue);
                match self.fleet.as_mut().filter(|_| line == Line::Agent) {
                    Some(fleet) => fleet.connected(connection),
                    None => self.tracker.handle_input(Input::Connected(connection), self.now()),
                }
                self.drain();
            }
            // Of a socket that was closed from here, more may be on its way.
            Command::Message { connection, text } => {
                if self.queues.contains_key(&connection) {
                    match self.fleet_of(connection) {
                        Some(fleet) => fleet.message(connection, text),
                        None => self.tracker.handle_input(Input::Message { connection, text }, self.now()),
                    }
                    self.drain();
                }
            }
            Command::Disconnected { connection } => {
                self.lose(connection);
                self.drain();
            }
            Command::Fleet(ask) => self.ask_fleet(ask),
            // Whoever asked and went away wants no reply.
            Command::Publish { manifest, pinned, reply } => drop(reply.send(self.publish(manifest, pinned))),
            Command::Fetch { content, digest, reply } => drop(reply.send(self.manifests.get(content, digest))),
            Command::Picture { content, reply } => drop(reply.send(self.pictures.get(content, &self.tracker))),
            Command::Stats { reply } => drop(reply.send(self.stats())),
        }
    }

    fn ask_fleet(&mut self, ask: Ask) {
        let Some(fleet) = &mut self.fleet else { return };
        let ordered = match &ask {
            Ask::Deliver { order, .. } => Some((order.content, order.manifest)),
            _ => None,
        };
        fleet.ask(ask);
        // What is delivered is known only now to be worth keeping.
        if let Some((content, digest)) = ordered
            && let Some((_, bytes)) = self.manifests.get(content, Some(digest))
        {
            fleet.keep_manifest(content, digest, &bytes);
        }
        self.drain();
    }

    /// Takes in what a ledger kept. What is none any more, or finds no room, is left out.
    pub(crate) fn restore(&mut self, manifests: &[Vec<u8>]) {
        for bytes in manifests {
            match Manifest::parse(bytes) {
                Ok(manifest) => {
                    let Upload { content, digest, bytes } = Upload::from(&manifest);
                    let _ = self.hold(content, digest, bytes, false);
                }
                Err(error) => tracing::warn!(%error, "a description in the ledger can't be read"),
            }
        }
    }

    /// Another tracker of the cluster says something.
    fn hear(&mut self, said: Said) {
        match said {
            Said::Message(text) => self.input(Input::Heard { text }),
            // Checked there, and again here: what comes over a channel may be anything. Without room it is left out.
            Said::Manifest(bytes) => match Manifest::parse(&bytes) {
                Ok(manifest) => drop(self.hold(manifest.id(), manifest.digest(), bytes, false)),
                Err(error) => tracing::warn!(%error, "another tracker sent a description that can't be read"),
            },
        }
    }

    fn publish(&mut self, manifest: Upload, pinned: bool) -> Result<Published, ManifestsFull> {
        let Upload { content, digest, bytes } = manifest;
        let published = self.hold(content, digest, bytes.clone(), pinned)?;
        if published.new {
            self.links.tell_all(&Said::Manifest(bytes.clone()));
        }
        if let Some(fleet) = self.fleet.as_ref().filter(|_| published.new) {
            fleet.keep_manifest(content, digest, &bytes);
        }
        Ok(published)
    }

    fn hold(
        &mut self,
        content: ContentId,
        digest: ManifestDigest,
        bytes: Bytes,
        pinned: bool,
    ) -> Result<Published, ManifestsFull> {
        let Inserted { new, lost } = self.manifests.insert(content, digest, bytes, pinned)?;
        for content in lost {
            self.input(Input::ManifestDropped(content));
        }
        if new {
            self.input(Input::ManifestHeld(content));
        }
        Ok(Published { content, digest, new })
    }

    fn stats(&mut self) -> Arc<Stats> {
        match &self.snapshot {
            Some((made, stats)) if made.elapsed() < STATS_AGE_MAX => Arc::clone(stats),
            _ => {
                let stats = Arc::new(Stats {
                    tracker: self.tracker.stats(),
                    manifests: self.manifests.count(),
                    manifests_bytes: self.manifests.bytes_held(),
                    fleet: self.fleet.as_ref().map(Fleet::stats),
                });
                self.snapshot = Some((Instant::now(), Arc::clone(&stats)));
                stats
            }
        }
    }

    /// The fleet, if the socket is one of it.
    fn fleet_of(&mut self, connection: ConnectionId) -> Option<&mut Fleet> {
        self.fleet.as_mut().filter(|fleet| fleet.has(connection))
    }

    /// A socket is gone; says so to whose it is.
    fn lose(&mut self, connection: ConnectionId) {
        // Sockets that other trackers hold have no queue here.
        if self.queues.remove(&connection).is_none() && !connection.is_remote() {
            return;
        }
        match self.fleet_of(connection) {
            Some(fleet) => fleet.disconnected(connection),
            None => self.tracker.handle_input(Input::Disconnected(connection), self.now()),
        }
    }

    /// One input, and all that follows from it.
    fn input(&mut self, input: Input) {
        self.tracker.handle_input(input, self.now());
        self.drain();
    }

    /// What a machine wants done next.
    fn next_output(&mut self) -> Option<Output> {
        loop {
            if let Some(output) = self.tracker.poll_output() {
                return Some(output);
            }
            match self.fleet.as_mut()?.poll_output()? {
                FleetOutput::Socket(output) => return Some(output),
                FleetOutput::Tracker(input) => self.tracker.handle_input(input, self.now()),
            }
        }
    }

    /// Does what the machines want done. Sockets that could not take their message are gone afterwards.
    fn drain(&mut self) {
        let mut too_slow = Vec::new();
        loop {
            while let Some(output) = self.next_output() {
                match output {
                    Output::Send { connection, text } => {
                        if !self.send(connection, text) {
                            too_slow.push(connection);
                        }
                    }
                    Output::Close { connection } => drop(self.queues.remove(&connection)),
                    Output::Tell { to, about, text } => {
                        if !self.links.tell(to, Said::Message(text)) {
                            count(&self.counters.cluster_dropped);
                            too_slow.extend(about);
                        }
                    }
                    Output::Seen { peer, seen } => {
                        if let Some(fleet) = &mut self.fleet {
                            fleet.seen(peer, seen);
                        }
                    }
                    Output::Event(event) => log(&event),
                }
            }
            // A machine hears of a loss only between two drains, as its contract has it. A loss can lead to another
            // message and that to another loss; each takes one socket away, so this ends.
            let Some(connection) = too_slow.pop() else {
                return;
            };
            tracing::debug!(?connection, "closed: takes no messages");
            count(&self.counters.sockets_slow);
            self.lose(connection);
        }
    }

    /// Queues a message; false if the socket's queue is full. One that just went is told by its own task.
    fn send(&self, connection: ConnectionId, text: String) -> bool {
        let Some(queue) = self.queues.get(&connection) else {
            return true;
        };
        !matches!(queue.try_send(text), Err(TrySendError::Full(_)))
    }

    fn now(&self) -> Time {
        Time::from_micros(u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn instant(&self, time: Time) -> Instant {
        self.epoch + time.since(Time::ZERO)
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn log(event: &Event) {
    match event {
        Event::Joined { swarm, peer, agent } => tracing::info!(?swarm, ?peer, ?agent, "joined"),
        Event::Left { swarm, peer, reason } => tracing::info!(?swarm, ?peer, reason, "left"),
        Event::Banned { swarm, peer } => tracing::warn!(?swarm, ?peer, "banned"),
        Event::Refused { connection, reason } => tracing::debug!(?connection, ?reason, "refused"),
        Event::TrackerCame { tracker } => tracing::info!(?tracker, "another tracker is there"),
        Event::TrackerGone { tracker } => tracing::warn!(?tracker, "another tracker is gone"),
        Event::Moved { swarm } => tracing::info!(?swarm, "runs at another tracker now"),
        Event::NotUnderstood { reason } => tracing::warn!(reason, "another tracker said something else"),
    }
}
