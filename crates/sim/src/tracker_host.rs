//! The tracker's side of the sockets: the real tracker, or a baseline's stand-in, which may be killed and started again.
//!
//! Frames take the peer's delay and a little more, in order. They are small and do not compete with what flows between
//! peers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pleach_core::ids::ConnectionId;
use pleach_core::time::Time;
use pleach_core::tracker::{Event, Input, Output, Tracker, TrackerConfig, TrackerStats};

use crate::network::NodeId;
use crate::stand_in::{Shape, StandIn};

/// One way from the middle of the network to the tracker.
pub(crate) const TRACKER_DELAY: Duration = Duration::from_millis(2);
/// TCP, TLS and the WebSocket's greeting, in one-way delays, until the tracker has the socket.
pub(crate) const CONNECT_DELAYS: u32 = 7;

/// What comes to the tracker.
#[derive(Debug)]
pub(crate) enum ToHost {
    Open { connection: ConnectionId, node: NodeId },
    Frame { connection: ConnectionId, text: String },
    Gone { connection: ConnectionId },
    ManifestUploaded,
    Timer,
}

/// What comes from it.
#[derive(Debug)]
pub(crate) enum FromHost {
    Up,
    Frame(String),
    Down(&'static str),
}

/// Sums over all trackers of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HostTotals {
    pub(crate) frames_in: u64,
    pub(crate) frames_out: u64,
    pub(crate) bytes_out: u64,
    pub(crate) plans: u64,
    pub(crate) depth_max: usize,
}

/// Who arranges the peers.
#[derive(Debug)]
enum Arranger {
    Tracker(Box<Tracker>),
    StandIn(Box<StandIn>),
}

impl Arranger {
    fn handle_input(&mut self, input: Input, now: Time) {
        match self {
            Self::Tracker(tracker) => tracker.handle_input(input, now),
            Self::StandIn(stand_in) => stand_in.handle_input(input, now),
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        match self {
            Self::Tracker(tracker) => tracker.handle_timeout(now),
            Self::StandIn(stand_in) => stand_in.handle_timeout(now),
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        match self {
            Self::Tracker(tracker) => tracker.poll_output(),
            Self::StandIn(stand_in) => stand_in.poll_output(),
        }
    }

    fn poll_timeout(&self) -> Option<Time> {
        match self {
            Self::Tracker(tracker) => tracker.poll_timeout().map(|(at, _)| at),
            Self::StandIn(stand_in) => stand_in.poll_timeout(),
        }
    }

    fn stats(&self) -> TrackerStats {
        match self {
            Self::Tracker(tracker) => tracker.stats(),
            Self::StandIn(stand_in) => stand_in.stats(),
        }
    }
}

/// The tracker, if it runs, and its sockets.
#[derive(Debug)]
pub(crate) struct TrackerHost {
    config: TrackerConfig,
    stand_in: Option<Shape>,
    content: pleach_core::ids::ContentId,
    tracker: Option<Arranger>,
    sockets: BTreeMap<ConnectionId, NodeId>,
    /// Peers that reach no tracker.
    deaf: BTreeSet<NodeId>,
    timer_at: Option<Time>,
    pub(crate) totals: HostTotals,
    /// To be delivered, in order.
    pub(crate) frames: Vec<(NodeId, ConnectionId, FromHost)>,
    /// What its log would hear of, with the peer that a refused socket belongs to.
    pub(crate) events: Vec<(Event, Option<NodeId>)>,
}

impl TrackerHost {
    pub(crate) fn new(config: TrackerConfig, stand_in: Option<Shape>, content: pleach_core::ids::ContentId) -> Self {
        Self {
            // Simulated peers sign nothing: 100,000 signatures take longer than their transfer.
            config: TrackerConfig { checks_joins: false, ..config },
            stand_in,
            content,
            tracker: None,
            sockets: BTreeMap::new(),
            deaf: BTreeSet::new(),
            timer_at: None,
            totals: HostTotals::default(),
            frames: Vec::new(),
            events: Vec::new(),
        }
    }

    pub(crate) fn start(&mut self, seed: [u8; 32], now: Time) {
        self.tracker = Some(match self.stand_in {
            Some(shape) => Arranger::StandIn(Box::new(StandIn::new(shape, seed, now))),
            None => Arranger::Tracker(Box::new(Tracker::new(self.config.clone(), seed, now))),
        });
    }

    pub(crate) fn kill(&mut self) {
        self.tracker = None;
        self.timer_at = None;
        for (connection, node) in std::mem::take(&mut self.sockets) {
            self.frames.push((node, connection, FromHost::Down("the tracker is gone")));
        }
    }

    /// A peer's socket breaks, and it can open no other.
    pub(crate) fn deafen(&mut self, node: NodeId, now: Time) {
        self.deaf.insert(node);
        let of_node: Vec<ConnectionId> =
            self.sockets.iter().filter(|(_, of)| **of == node).map(|(connection, _)| *connection).collect();
        for connection in of_node {
            self.frames.push((node, connection, FromHost::Down("the way to the tracker is cut")));
            self.handle(ToHost::Gone { connection }, now);
        }
    }

    pub(crate) fn undeafen(&mut self, node: NodeId) {
        self.deaf.remove(&node);
    }

    pub(crate) fn handle(&mut self, what: ToHost, now: Time) {
        let Some(tracker) = &mut self.tracker else {
            if let ToHost::Open { connection, node } = what {
                self.frames.push((node, connection, FromHost::Down("nobody answers")));
            }
            return;
        };
        match what {
            ToHost::Open { connection, node } if self.deaf.contains(&node) => {
                self.frames.push((node, connection, FromHost::Down("the way to the tracker is cut")));
            }
            ToHost::Open { connection, node } => {
                self.sockets.insert(connection, node);
                self.frames.push((node, connection, FromHost::Up));
                tracker.handle_input(Input::Connected(connection), now);
            }
            ToHost::Frame { connection, text } if self.sockets.contains_key(&connection) => {
                self.totals.frames_in += 1;
                tracker.handle_input(Input::Message { connection, text }, now);
            }
            ToHost::Gone { connection } if self.sockets.remove(&connection).is_some() => {
                tracker.handle_input(Input::Disconnected(connection), now);
            }
            ToHost::Frame { .. } | ToHost::Gone { .. } => {}
            ToHost::ManifestUploaded => tracker.handle_input(Input::ManifestHeld(self.content), now),
            ToHost::Timer => {
                self.timer_at = None;
                if tracker.poll_timeout().is_some_and(|at| at <= now) {
                    tracker.handle_timeout(now);
                }
            }
        }
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.tracker.as_mut().and_then(Arranger::poll_output) {
            match output {
                Output::Send { connection, text } => self.send(connection, text),
                Output::Close { connection } => {
                    if let Some(node) = self.sockets.remove(&connection) {
                        self.frames.push((node, connection, FromHost::Down("the tracker closed the socket")));
                    }
                }
                // Nobody here is known from another day, and there is no other tracker.
                Output::Seen { .. } | Output::Tell { .. } => {}
                Output::Event(event) => {
                    let node = match &event {
                        Event::Refused { connection, .. } => self.sockets.get(connection).copied(),
                        _ => None,
                    };
                    self.events.push((event, node));
                }
            }
        }
    }

    fn send(&mut self, connection: ConnectionId, text: String) {
        let Some(node) = self.sockets.get(&connection) else { return };
        self.totals.frames_out += 1;
        self.totals.bytes_out += text.len() as u64;
        self.totals.plans += u64::from(text.starts_with("{\"type\":\"plan\""));
        self.frames.push((*node, connection, FromHost::Frame(text)));
    }

    /// When to come again, if that has not been entered yet.
    pub(crate) fn new_timer(&mut self, now: Time) -> Option<Time> {
        let at = self.tracker.as_ref()?.poll_timeout()?;
        let at = at.max(now);
        if self.timer_at.is_some_and(|entered| entered <= at) {
            return None;
        }
        self.timer_at = Some(at);
        Some(at)
    }

    /// Looks at the forest.
    pub(crate) fn sample(&mut self) {
        let stats = self.tracker.as_ref().map(Arranger::stats).unwrap_or_default();
        let depth = stats.swarms.iter().map(|swarm| swarm.depth).max().unwrap_or(0);
        self.totals.depth_max = self.totals.depth_max.max(depth);
    }

    /// Peers that the tracker knows.
    pub(crate) fn members(&self) -> usize {
        let stats = self.tracker.as_ref().map(Arranger::stats).unwrap_or_default();
        stats.swarms.iter().map(|swarm| swarm.peers).sum()
    }
}
