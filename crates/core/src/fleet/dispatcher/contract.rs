//! What goes into a [`Dispatcher`](super::Dispatcher) and what comes out.

use serde::Serialize;

use crate::fleet::records::Change;
use crate::forest::Seen;
use crate::ids::{AgentId, ConnectionId, PeerId, RequestId};
use crate::tracker::SigningSeed;
use crate::wire::fleet::FleetName;
use crate::wire::fleet::api::{DeliveryOrder, DeliveryStatus};
use crate::wire::fleet::token::FleetToken;

/// How a dispatcher is set up.
#[derive(Clone, Debug)]
pub struct DispatcherConfig {
    /// What machines and who delivers must know.
    pub token: FleetToken,
    /// What the key is made from that signs transport requests.
    pub signing_seed: SigningSeed,
    /// How many machines each relay tells, the tracker included; 1 to 8.
    pub fan_out: u8,
    /// Most machines that are known. At the bound the one that was away longest is forgotten for a new one.
    pub agents_max: usize,
    /// Most deliveries that are known. At the bound the oldest that nobody waits for is forgotten; if there is none, a new
    /// one is refused.
    pub deliveries_max: usize,
    /// A machine that was not seen for so long is not a target, unless it is named.
    pub seen_ms_max: u64,
    /// A target that has not acknowledged a request within this time is told by another way.
    pub acknowledge_ms_max: u64,
    /// A machine is pinged when it said nothing for so long.
    pub heartbeat_ms: u64,
    /// A machine that said nothing for so long is dropped.
    pub silence_ms_max: u64,
    /// Sockets on which nobody has enlisted within this time are closed.
    pub enlist_ms_max: u64,
    /// Messages a second that a socket may send, sustained; ten times as many in a burst. Beyond it: `too_fast`.
    pub messages_per_s_max: u32,
}

impl DispatcherConfig {
    /// The usual settings.
    pub const fn new(token: FleetToken, signing_seed: SigningSeed) -> Self {
        Self {
            token,
            signing_seed,
            fan_out: 4,
            agents_max: 10_000,
            deliveries_max: 1_000,
            seen_ms_max: 7 * 24 * 3600 * 1_000,
            acknowledge_ms_max: 8_000,
            heartbeat_ms: 10_000,
            silence_ms_max: 25_000,
            enlist_ms_max: 10_000,
            messages_per_s_max: 50,
        }
    }
}

/// What happens outside.
#[derive(Clone, Debug)]
pub enum DispatcherInput {
    /// A socket is open.
    Connected(ConnectionId),
    /// A text frame came; may be anything.
    Message {
        /// Which socket.
        connection: ConnectionId,
        /// The frame.
        text: String,
    },
    /// A socket is gone. Not expected after [`DispatcherOutput::Close`].
    Disconnected(ConnectionId),
    /// A machine was seen to send so much, by those who received it.
    Seen {
        /// What it is called in swarms.
        peer: PeerId,
        /// What.
        seen: Seen,
    },
    /// Somebody who has the token orders a delivery.
    Deliver {
        /// Comes back with the answer.
        ticket: u64,
        /// What.
        order: DeliveryOrder,
    },
    /// Somebody who has the token wants repeated what failed.
    Retry {
        /// Comes back with the answer.
        ticket: u64,
        /// Of which delivery; `None`: the last of which something failed.
        request: Option<RequestId>,
    },
}

/// What the server is to do, at once and in order.
#[derive(Clone, Debug)]
pub enum DispatcherOutput {
    /// Send a text frame. If the socket's bounded queue is full, close it and give [`DispatcherInput::Disconnected`].
    Send {
        /// Which socket.
        connection: ConnectionId,
        /// The frame.
        text: String,
    },
    /// Close the socket after what was sent.
    Close {
        /// Which socket.
        connection: ConnectionId,
    },
    /// Answer who ordered.
    Answer {
        /// Which order.
        ticket: u64,
        /// How it stands, or why not.
        answer: Result<DeliveryStatus, Refused>,
    },
    /// A machine joins swarms by this name, and was seen to send so much on other days, in bytes a second.
    Known {
        /// What it is called in swarms.
        peer: PeerId,
        /// What it was seen to send.
        bytes_per_s: Option<u64>,
    },
    /// The machine of that name is forgotten.
    Forgotten(PeerId),
    /// Write this down, so that it outlives the process. What can't be written is lost then, and only then.
    Keep(Change),
    /// Tell the log.
    Event(DispatcherEvent),
}

/// Why a dispatcher wants to be called again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DispatcherReason {
    /// Sockets and deliveries are to be looked over.
    Sweep,
}

/// Why an order is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// For programs.
    pub why: RefusedWhy,
    /// For people.
    pub message: String,
}

/// The kinds of refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedWhy {
    /// No such group, machine or delivery.
    NotFound,
    /// It makes no sense, or its time is over.
    Invalid,
    /// There is no room.
    Full,
}

impl Refused {
    pub(super) fn new(why: RefusedWhy, message: impl Into<String>) -> Self {
        Self { why, message: message.into() }
    }
}

/// A snapshot for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DispatcherStats {
    /// Machines that are known.
    pub machines: usize,
    /// Of these, how many are connected.
    pub machines_connected: usize,
    /// Deliveries that are known.
    pub deliveries: usize,
    /// Of these, how many wait for somebody.
    pub deliveries_open: usize,
    /// Failures that are known.
    pub failures: usize,
    /// Transport requests sent since the start.
    pub requests_sent: u64,
}

/// What a log wants to hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DispatcherEvent {
    /// A machine is there.
    Enlisted {
        /// Who.
        agent: AgentId,
        /// For people.
        name: FleetName,
        /// Which deliveries it takes.
        group: FleetName,
    },
    /// A machine is gone.
    Left {
        /// Who.
        agent: AgentId,
        /// For people.
        name: FleetName,
    },
    /// A socket was refused.
    Refused {
        /// Which socket.
        connection: ConnectionId,
        /// For people.
        reason: String,
    },
    /// A delivery begins, or is repeated.
    Delivering {
        /// Which.
        request: RequestId,
        /// To how many.
        targets: usize,
    },
    /// A machine has everything.
    Delivered {
        /// Of which delivery.
        request: RequestId,
        /// For people.
        name: FleetName,
    },
    /// A machine did not get it.
    Failed {
        /// Of which delivery.
        request: RequestId,
        /// For people.
        name: FleetName,
        /// For people.
        reason: String,
    },
}
