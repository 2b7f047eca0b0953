//! The fleet's state machine, [`Dispatcher`], and its ledger, as the [driver](crate::driver) has them beside the tracker's.
//!
//! Agents' sockets are sockets as all others; what comes out of the machine for them is what comes out of the tracker's.
//! Beside it there are answers to those who order deliveries, and changes for the ledger.

pub(crate) mod routes;

use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use bytes::Bytes;
use pleach_core::fleet::{Dispatcher, DispatcherConfig, DispatcherEvent, DispatcherInput, DispatcherOutput, Refused};
use pleach_core::forest::Seen;
use pleach_core::ids::{ConnectionId, ContentId, ManifestDigest, PeerId, RequestId};
use pleach_core::time::Time;
use pleach_core::tracker::{Input, Output};
use pleach_core::wire::fleet::api::{DeliveryOrder, DeliveryStatus, Report};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::ledger::{Entry, Kept, Ledger};
use crate::metrics::FleetStats;

/// What comes of an order.
pub(crate) type Answer = Result<DeliveryStatus, Refused>;

/// What the fleet is asked by those who have its token.
pub(crate) enum Ask {
    Deliver { order: DeliveryOrder, reply: oneshot::Sender<Answer> },
    Retry { request: Option<RequestId>, reply: oneshot::Sender<Answer> },
    Status { request: RequestId, reply: oneshot::Sender<Option<DeliveryStatus>> },
    Report { reply: oneshot::Sender<Report> },
}

/// What comes out of the machine that concerns others.
pub(crate) enum FleetOutput {
    /// To be done at a socket.
    Socket(Output),
    /// To be told to the tracker.
    Tracker(Input),
}

/// The machine, who waits for its answers, and where its changes go.
pub(crate) struct Fleet {
    dispatcher: Dispatcher,
    ledger: Option<Ledger>,
    sockets: HashSet<ConnectionId>,
    /// Orders that are being answered; each is, in the same turn.
    asked: HashMap<u64, oneshot::Sender<Answer>>,
    asked_count: u64,
}

/// What a server with a fleet begins with.
pub(crate) struct FleetStart {
    pub(crate) config: DispatcherConfig,
    pub(crate) kept: Kept,
    pub(crate) ledger: Option<Ledger>,
    pub(crate) seed: [u8; 32],
}

impl Fleet {
    pub(crate) fn new(start: FleetStart) -> Self {
        Self {
            dispatcher: Dispatcher::new(start.config, start.kept.fleet, start.seed, now()),
            ledger: start.ledger,
            sockets: HashSet::new(),
            asked: HashMap::new(),
            asked_count: 0,
        }
    }

    /// Whether a socket is that of an agent.
    pub(crate) fn has(&self, connection: ConnectionId) -> bool {
        self.sockets.contains(&connection)
    }

    pub(crate) fn connected(&mut self, connection: ConnectionId) {
        self.sockets.insert(connection);
        self.dispatcher.handle_input(DispatcherInput::Connected(connection), now());
    }

    pub(crate) fn message(&mut self, connection: ConnectionId, text: String) {
        self.dispatcher.handle_input(DispatcherInput::Message { connection, text }, now());
    }

    pub(crate) fn disconnected(&mut self, connection: ConnectionId) {
        self.sockets.remove(&connection);
        self.dispatcher.handle_input(DispatcherInput::Disconnected(connection), now());
    }

    pub(crate) fn ask(&mut self, ask: Ask) {
        let ticket = self.asked_count;
        match ask {
            // Whoever asked and went away wants no reply.
            Ask::Status { request, reply } => return drop(reply.send(self.dispatcher.status(request))),
            Ask::Report { reply } => return drop(reply.send(self.dispatcher.report())),
            Ask::Deliver { order, reply } => {
                self.asked.insert(ticket, reply);
                self.dispatcher.handle_input(DispatcherInput::Deliver { ticket, order }, now());
            }
            Ask::Retry { request, reply } => {
                self.asked.insert(ticket, reply);
                self.dispatcher.handle_input(DispatcherInput::Retry { ticket, request }, now());
            }
        }
        self.asked_count += 1;
    }

    /// Keeps the description of what is delivered.
    pub(crate) fn keep_manifest(&self, content: ContentId, digest: ManifestDigest, bytes: &Bytes) {
        if let Some(ledger) = self.ledger.as_ref().filter(|_| self.dispatcher.delivers(content, digest)) {
            ledger.keep(Entry::Manifest { digest, bytes: bytes.clone() });
        }
    }

    pub(crate) fn stats(&self) -> FleetStats {
        FleetStats {
            dispatcher: self.dispatcher.stats(),
            ledger_waiting: self.ledger.as_ref().map_or(0, Ledger::waiting),
        }
    }

    /// When the machine wants to be called again.
    pub(crate) fn due(&self) -> Option<Instant> {
        let (at, _) = self.dispatcher.poll_timeout()?;
        Some(Instant::now() + at.since(now()))
    }

    pub(crate) fn handle_timeout(&mut self) {
        self.dispatcher.handle_timeout(now());
    }

    /// What receivers told of a machine.
    pub(crate) fn seen(&mut self, peer: PeerId, seen: Seen) {
        self.dispatcher.handle_input(DispatcherInput::Seen { peer, seen }, now());
    }

    /// What is to be done at a socket, or told to the tracker; all else is done here.
    pub(crate) fn poll_output(&mut self) -> Option<FleetOutput> {
        loop {
            match self.dispatcher.poll_output()? {
                DispatcherOutput::Send { connection, text } => {
                    return Some(FleetOutput::Socket(Output::Send { connection, text }));
                }
                DispatcherOutput::Close { connection } => {
                    self.sockets.remove(&connection);
                    return Some(FleetOutput::Socket(Output::Close { connection }));
                }
                DispatcherOutput::Known { peer, bytes_per_s } => {
                    return Some(FleetOutput::Tracker(Input::Known { peer, bytes_per_s }));
                }
                DispatcherOutput::Forgotten(peer) => return Some(FleetOutput::Tracker(Input::Forgotten(peer))),
                DispatcherOutput::Answer { ticket, answer } => {
                    if let Some(reply) = self.asked.remove(&ticket) {
                        let _ = reply.send(answer);
                    }
                }
                DispatcherOutput::Keep(change) => {
                    if let Some(ledger) = &self.ledger {
                        ledger.keep(Entry::Change(change));
                    }
                }
                DispatcherOutput::Event(event) => log(&event),
            }
        }
    }
}

/// The machine's time counts from 1970.
fn now() -> Time {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Time::ZERO + since_1970
}

fn log(event: &DispatcherEvent) {
    match event {
        DispatcherEvent::Enlisted { agent, name, group } => tracing::info!(?agent, %name, %group, "enlisted"),
        DispatcherEvent::Left { agent, name } => tracing::info!(?agent, %name, "left the fleet"),
        DispatcherEvent::Refused { connection, reason } => tracing::info!(?connection, reason, "refused an agent"),
        DispatcherEvent::Delivering { request, targets } => tracing::info!(?request, targets, "delivering"),
        DispatcherEvent::Delivered { request, name } => tracing::info!(?request, %name, "delivered"),
        DispatcherEvent::Failed { request, name, reason } => tracing::warn!(?request, %name, reason, "not delivered"),
    }
}
