//! One peer of a run: what it is, and how it fares.

use std::time::Duration;

use pleach_core::ids::ConnectionId;
use pleach_core::peer::{Peer, Stats};
use pleach_core::time::Time;

use crate::hostile::{Bender, Conduct};
use crate::network::{LineSpec, NodeId};
use crate::player::Player;
use crate::store::{Kept, Store};

/// What a peer has when it starts.
#[derive(Clone, Debug)]
pub enum Begin {
    /// Nothing.
    Empty,
    /// Everything: a source.
    Everything,
    /// What is in a store, with its record.
    Kept(Kept),
    /// What another peer's store keeps when it is gone: the same person starts again.
    Again(NodeId),
}

/// A peer to be.
#[derive(Clone, Debug)]
pub struct NodeSpec {
    /// Its line.
    pub line: LineSpec,
    /// What it has.
    pub begin: Begin,
    /// How it behaves.
    pub conduct: Conduct,
    /// Children it would feed in each stripe; `None`: the engine's default.
    pub slots: Option<u8>,
    /// What the person at it lets it upload; 0: nothing, `None`: as much as goes.
    pub upload_bytes_per_s_max: Option<u64>,
    /// How fast it is used up by somebody who watches while it comes; `None`: nobody does.
    pub plays_bytes_per_s: Option<u64>,
    /// When it has everything it leaves, so much later.
    pub leaves_after: Option<Duration>,
}

impl NodeSpec {
    /// An honest peer that has nothing and stays.
    pub fn new(line: LineSpec) -> Self {
        Self {
            line,
            begin: Begin::Empty,
            conduct: Conduct::Honest,
            slots: None,
            upload_bytes_per_s_max: None,
            plays_bytes_per_s: None,
            leaves_after: None,
        }
    }

    /// One that has everything.
    pub fn source(line: LineSpec) -> Self {
        Self { begin: Begin::Everything, ..Self::new(line) }
    }
}

/// Where a peer is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Unborn,
    Alive,
    Leaving,
    Gone,
}

/// A peer.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) spec: NodeSpec,
    pub(crate) stage: Stage,
    pub(crate) engine: Option<Engine>,
    pub(crate) bender: Bender,
    pub(crate) player: Option<Player>,
    pub(crate) born: Option<Time>,
    pub(crate) first_packet: Option<Time>,
    pub(crate) finished: Option<Time>,
    pub(crate) resumed_bytes: Option<u64>,
    pub(crate) links_live: usize,
    pub(crate) links_live_max: usize,
    pub(crate) links_opened: usize,
    /// How it stood when it went.
    pub(crate) last: Option<Stats>,
    pub(crate) kept: Option<Kept>,
}

/// The engine with what an adapter holds for it.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) peer: Peer,
    pub(crate) store: Store,
    /// The socket that is open or being opened.
    pub(crate) socket: Option<ConnectionId>,
    /// When the queue will wake it.
    pub(crate) timer_at: Option<Time>,
}

impl Node {
    pub(crate) fn new(spec: NodeSpec, seed: u64) -> Self {
        let bender = Bender::new(spec.conduct, seed);
        Self {
            spec,
            stage: Stage::Unborn,
            engine: None,
            bender,
            player: None,
            born: None,
            first_packet: None,
            finished: None,
            resumed_bytes: None,
            links_live: 0,
            links_live_max: 0,
            links_opened: 0,
            last: None,
            kept: None,
        }
    }

    /// Whether the run waits for it.
    pub(crate) fn is_awaited(&self) -> bool {
        let is_there = matches!(self.stage, Stage::Unborn | Stage::Alive);
        is_there && self.bender.is_honest() && self.finished.is_none()
    }
}
