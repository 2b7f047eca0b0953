//! Peer and tracker: small JSON objects over one WebSocket a peer, version 1.
//!
//! Every message is one text frame holding an object with a `type`. A field that is not known is ignored, and so is a
//! message whose `type` is not known, so that newer ends can say more; what must be understood is a new `version`.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::order::{self, Order, OrderTerms, Word};
use super::signal::{SIGNAL_BYTES_MAX, Signal};
use crate::ids::{ContentId, PeerId, PeerKey, PeerSecret, Signature, SocketNonce};

/// The protocol's version, in `join` and `welcome`.
pub const VERSION: u16 = 1;
/// Longest message either way, in bytes; a longer one is refused and the socket closed.
pub const MESSAGE_BYTES_MAX: usize = 32 * 1024;
/// Most links that a `join` tells of.
pub const JOIN_LINKS_MAX: usize = 32;
/// Most edges in one `plan`.
pub const PLAN_EDGES_MAX: usize = 64;
/// Most senders that a `status` tells of.
pub const STATUS_RECEIVED_MAX: usize = 32;
/// Most stripes of a forest.
pub const STRIPES_MAX: u8 = 16;
/// Longest `agent`, in bytes; a longer one is cut.
pub const AGENT_BYTES_MAX: usize = 64;

/// What the far end of an edge is to the peer that is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It pushes the edge's stripes to me.
    Parent,
    /// I push the edge's stripes to it.
    Child,
    /// Neither pushes; each may ask the other for what is missing.
    Lateral,
}

/// Which stripes of the forest an edge carries: bit `i` is stripe `i`. Stripe of a packet = index mod stripes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StripeMask(pub u16);

impl StripeMask {
    /// No stripe.
    pub const NONE: Self = Self(0);

    /// The first `stripes` stripes.
    pub const fn all(stripes: u8) -> Self {
        Self(if stripes >= 16 { u16::MAX } else { (1 << stripes) - 1 })
    }

    /// One stripe.
    pub const fn one(stripe: u8) -> Self {
        Self(1 << stripe)
    }

    /// Whether the stripe is among them.
    pub const fn contains(self, stripe: u8) -> bool {
        stripe < 16 && self.0 & (1 << stripe) != 0
    }

    /// Those in either.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those in `self` and not in `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// As [`StripeMask::is_empty`], in the form that serde wants.
    const fn is_none(&self) -> bool {
        self.is_empty()
    }
}

/// One edge of the forest, as one of its two ends is told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// The far end; [`PeerId::WEB`]: no peer, but the web servers that have the content.
    pub peer: PeerId,
    /// What the far end is to me.
    pub role: Role,
    /// Stripes that flow along it; empty for a lateral.
    pub stripes: StripeMask,
    /// Whether I make the offer; the far end is told the opposite.
    pub dial: bool,
    /// Stripes that the far end pushes to me if their parent fails: it *stands by* for them.
    #[serde(default, skip_serializing_if = "StripeMask::is_none")]
    pub standby: StripeMask,
    /// Stripes for which I stand by for the far end.
    #[serde(default, skip_serializing_if = "StripeMask::is_none")]
    pub backs: StripeMask,
    /// Whether the far end's uplink is to be *spared*: it carries so little that what it sends is not worth what its own
    /// downloads lose by it. It is asked only for what nobody else about has.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub spared: bool,
}

impl Edge {
    /// An edge on which nobody stands by, to a far end that may be asked for anything.
    pub const fn new(peer: PeerId, role: Role, stripes: StripeMask, dial: bool) -> Self {
        Self { peer, role, stripes, dial, standby: StripeMask::NONE, backs: StripeMask::NONE, spared: false }
    }
}

/// A live link that a peer tells of when it joins again, so that a new tracker keeps what works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkReport {
    /// The far end.
    pub peer: PeerId,
    /// What it is to me.
    pub role: Role,
    /// Stripes that flow along it.
    pub stripes: StripeMask,
}

/// The first message of a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// [`VERSION`].
    pub version: u16,
    /// The content, which is the swarm.
    pub swarm: ContentId,
    /// Whose hash is the peer's id.
    pub key: PeerKey,
    /// That the key is its own; see [`wire::identity`](super::identity).
    pub signature: Signature,
    /// What its words are tagged with, while its socket is away.
    pub secret: PeerSecret,
    /// What program the peer is, for people: `pleach/0.1.0` or `Chrome 156`.
    pub agent: String,
    /// Packets held now.
    pub packets_held: u32,
    /// Packets in the whole.
    pub packets_total: u32,
    /// How many children it would feed at most, in all stripes together; 0: it only takes.
    pub slots: u8,
    /// Whether it can fetch from web servers: then it may be given a place below [`PeerId::WEB`].
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub fetches: bool,
    /// Links that are alive, after a broken socket or a restarted tracker; at most [`JOIN_LINKS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<LinkReport>,
}

/// How a peer fares; said at most every few seconds, and only when something changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Packets held now.
    pub packets_held: u32,
    /// Payload received lately, bytes a second.
    pub down_bytes_per_s: u64,
    /// Payload sent lately, bytes a second, as acknowledged.
    pub up_bytes_per_s: u64,
    /// Whether my uplink was at its limit most of the time since the last such message.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub limited: bool,
    /// What came from whom since the last such message; at most [`STATUS_RECEIVED_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub received: Vec<Received>,
}

/// What a peer got from another lately. What a peer is worth is judged by those who receive from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// From whom.
    pub peer: PeerId,
    /// Payload, bytes a second.
    pub bytes_per_s: u64,
    /// Whether more was wanted of it most of the time: then this is what it can do, else it can do that at least.
    pub waited: bool,
}

/// What a peer says to its tracker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToTracker {
    /// I want to be in the swarm. Answer to a hello, on every new socket.
    Join(Join),
    /// Carry this to a peer that you told me to meet.
    Signal {
        /// Whom to.
        to: PeerId,
        /// Which attempt of the two to connect; the dialling end counts.
        session: u32,
        /// What.
        signal: Signal,
    },
    /// How I fare.
    Status(Status),
    /// These probed their uplinks with me.
    Probed {
        /// How fast probes came, at most [`STATUS_RECEIVED_MAX`]. `waited`: nothing else came at the same time, so that this is
        /// what the uplink carries; else it carries that at least.
        received: Vec<Received>,
    },
    /// That peer could not be reached, or its link broke.
    Lost {
        /// Which.
        peer: PeerId,
        /// Whether the link was open: the two can connect, as was seen.
        #[serde(default, skip_serializing_if = "core::ops::Not::not")]
        was_open: bool,
    },
    /// That peer sent bytes that fail their hash; I closed its link.
    Bad {
        /// Which.
        peer: PeerId,
    },
    /// A word of a neighbour whose socket is away.
    Carried {
        /// Which neighbour.
        from: PeerId,
        /// What it says.
        #[serde(flatten)]
        word: Word,
    },
    /// Answer to a ping.
    Pong,
    /// I am going.
    Leave,
    /// A message of a later protocol; ignored.
    #[serde(other)]
    Unknown,
}

/// Why a tracker refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The message could not be understood.
    BadMessage,
    /// The version is not spoken here.
    Version,
    /// Too many messages, too fast.
    TooFast,
    /// The swarm, or the tracker, is full.
    Full,
    /// The peer was found to send bad bytes.
    Banned,
    /// It may not take part: a key or a token is not right.
    Denied,
    /// The same peer came again by another socket, which took this one's place.
    Replaced,
    /// A reason of a later protocol.
    #[serde(other)]
    Other,
}

/// What a tracker says to a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromTracker {
    /// The first message on a socket: say who you are.
    Hello {
        /// To be signed.
        nonce: SocketNonce,
    },
    /// You are in.
    Welcome {
        /// [`VERSION`].
        version: u16,
        /// Your public name.
        peer: PeerId,
        /// Stripes of this swarm's forest, 1 to [`STRIPES_MAX`].
        stripes: u8,
        /// STUN and TURN servers to use, as URLs. `stun::PORT` means the tracker's own host.
        ice_servers: Vec<String>,
        /// Whether the tracker would like the manifest uploaded, because it does not have it.
        manifest_wanted: bool,
        /// Whether plans say who fetches from web servers, by an edge to [`PeerId::WEB`] as parent: others wait.
        #[serde(default, skip_serializing_if = "core::ops::Not::not")]
        places_web: bool,
        /// Whose orders to believe that neighbours carry; absent: nobody's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        orders: Option<OrderTerms>,
    },
    /// Open these edges and close those: the tracker's half of a reorganisation ([000] claims 12 to 15).
    Plan {
        /// To open, or, where a link to that peer is alive, to change into this.
        open: Vec<Edge>,
        /// To close, once what is being sent is sent.
        close: Vec<PeerId>,
    },
    /// Carried from a peer that you were told to meet.
    Signal {
        /// From whom.
        from: PeerId,
        /// Which attempt.
        session: u32,
        /// What.
        signal: Signal,
    },
    /// Pass this on to a neighbour whose socket is away.
    Carry(Order),
    /// How large the swarm is, when it changed.
    Swarm {
        /// Peers in it, you among them.
        peers: u32,
        /// Of these, how many have everything.
        seeders: u32,
    },
    /// Are you there? Answer with a pong.
    Ping,
    /// Refused; the socket closes after it.
    Error {
        /// Why, for programs.
        code: Refusal,
        /// Why, for people.
        message: String,
        /// When it is worth trying again; absent: never.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_ms: Option<u32>,
    },
    /// A message of a later protocol; ignored.
    #[serde(other)]
    Unknown,
}

/// Why a message was refused.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Longer than [`MESSAGE_BYTES_MAX`].
    #[error("the message has {0} bytes, more than {MESSAGE_BYTES_MAX}")]
    TooLong(usize),
    /// Not the JSON that was expected.
    #[error("the message is not valid: {0}")]
    Json(#[from] serde_json::Error),
    /// A part of it is over its limit.
    #[error("the message's {0} is over its limit")]
    Limit(&'static str),
}

impl ToTracker {
    /// Parses one text frame.
    pub fn decode(text: &str) -> Result<Self, DecodeError> {
        let message: Self = decode_json(text)?;
        match &message {
            Self::Join(join) if join.links.len() > JOIN_LINKS_MAX => Err(DecodeError::Limit("links")),
            Self::Join(join) if join.agent.len() > AGENT_BYTES_MAX => Err(DecodeError::Limit("agent")),
            Self::Join(join) if join.packets_held > join.packets_total => Err(DecodeError::Limit("packets_held")),
            Self::Signal { signal, .. } => check_signal(signal).map(|()| message),
            Self::Carried { word, .. } => check_carried(&word.word).map(|()| message),
            Self::Probed { received } if received.len() > STATUS_RECEIVED_MAX => Err(DecodeError::Limit("received")),
            Self::Status(status) if status.received.len() > STATUS_RECEIVED_MAX => Err(DecodeError::Limit("received")),
            _ => Ok(message),
        }
    }

    /// One text frame.
    pub fn encode(&self) -> String {
        encode_json(self)
    }
}

impl FromTracker {
    /// Parses one text frame.
    pub fn decode(text: &str) -> Result<Self, DecodeError> {
        let message: Self = decode_json(text)?;
        match &message {
            Self::Welcome { stripes, .. } if *stripes == 0 || *stripes > STRIPES_MAX => {
                Err(DecodeError::Limit("stripes"))
            }
            Self::Welcome { ice_servers, .. } if ice_servers.len() > 8 => Err(DecodeError::Limit("ice_servers")),
            Self::Plan { open, close } if open.len() > PLAN_EDGES_MAX || close.len() > PLAN_EDGES_MAX => {
                Err(DecodeError::Limit("edges"))
            }
            Self::Signal { signal, .. } => check_signal(signal).map(|()| message),
            Self::Carry(order) => check_carried(&order.order).map(|()| message),
            _ => Ok(message),
        }
    }

    /// One text frame.
    pub fn encode(&self) -> String {
        encode_json(self)
    }
}

fn check_signal(signal: &Signal) -> Result<(), DecodeError> {
    if signal.text_bytes() > SIGNAL_BYTES_MAX {
        return Err(DecodeError::Limit("signal"));
    }
    Ok(())
}

fn check_carried(text: &str) -> Result<(), DecodeError> {
    if text.len() > order::TEXT_BYTES_MAX { Err(DecodeError::Limit("carried text")) } else { Ok(()) }
}

fn decode_json<T: DeserializeOwned>(text: &str) -> Result<T, DecodeError> {
    if text.len() > MESSAGE_BYTES_MAX {
        return Err(DecodeError::TooLong(text.len()));
    }
    Ok(serde_json::from_str(text)?)
}

fn encode_json<T: Serialize>(message: &T) -> String {
    // Only maps with keys that are no strings and failing custom serialisers can fail; there are none in this module.
    serde_json::to_string(message).expect("messages are plain data")
}
