//! Fleets: machines that take deliveries into a folder ([001]: terminals, registered with a main server).
//!
//! * This module: an *agent* and its tracker over one WebSocket, small JSON objects with a `type`, version 1, as peers and
//!   trackers speak ([`wire::tracker`](super::tracker)). A field or a `type` that is not known is ignored.
//! * [`request`]: transport requests, which the tracker signs and agents pass on to each other.
//! * [`token`]: who may take part.
//! * [`api`]: what who orders a delivery says to the tracker over HTTP, and is told.

pub mod api;
pub mod request;
#[cfg(test)]
mod tests;
pub mod token;

use core::net::SocketAddr;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::tracker::{MESSAGE_BYTES_MAX, Refusal};
use crate::ids::{AgentId, FleetProof, RequestId, SocketNonce, TrackerKey};
use request::{Signed, Terms, TransportRequest};

/// The protocol's version, in `hello` and in an agent's card.
pub const VERSION: u16 = 1;
/// Longest message of a tracker to an agent, and longest transport request between agents, in bytes. It has room for
/// [`TARGETS_MAX`](request::TARGETS_MAX) targets.
pub const REQUEST_BYTES_MAX: usize = 1 << 20;
/// Longest name of a machine or a group, in bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// Longest reason of a failure, in bytes; a longer one is cut by who says it.
pub const REASON_BYTES_MAX: usize = 400;
/// Most machines in one `unreached`; of more, several are said.
pub const UNREACHED_MAX: usize = 256;

/// The name of a machine or a group: 1 to [`NAME_BYTES_MAX`] bytes of text without control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FleetName(String);

/// A text that can't be a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to {NAME_BYTES_MAX} bytes and no control characters")]
pub struct NameError;

impl FleetName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl core::fmt::Display for FleetName {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for FleetName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        let fits = (1..=NAME_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
        if fits && text.trim() == text { Ok(Self(text)) } else { Err(NameError) }
    }
}

impl core::str::FromStr for FleetName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        text.to_owned().try_into()
    }
}

impl From<FleetName> for String {
    fn from(name: FleetName) -> Self {
        name.0
    }
}

/// What an agent says of itself when it enlists, signed with its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// [`VERSION`].
    pub version: u16,
    /// That of the tracker's `hello`, so that a card can't be used again.
    pub nonce: SocketNonce,
    /// Who.
    pub agent: AgentId,
    /// For people.
    pub name: FleetName,
    /// Which deliveries it takes.
    pub group: FleetName,
    /// Where it takes transport requests from other agents; absent: only from the tracker, by its socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<SocketAddr>,
    /// What program it is, for people; at most [`NAME_BYTES_MAX`] bytes.
    pub program: String,
}

/// The first message of an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enlist {
    /// Who it is, signed with its own key.
    pub card: Signed<Card>,
    /// That it knows the fleet's token; see [`token::FleetToken::agent_proof`].
    pub proof: FleetProof,
}

/// What an agent says to its tracker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromAgent {
    /// I want to be in the fleet. Answer to a hello.
    Enlist(Enlist),
    /// I have a request: the acknowledgement of connection of [001].
    Got {
        /// Which.
        request: RequestId,
        /// Of which round.
        round: u32,
    },
    /// How far I am.
    Progress {
        /// With which request.
        request: RequestId,
        /// Verified bytes.
        have_bytes: u64,
    },
    /// Everything is verified and in its place: the acknowledgement of the last packet of [001].
    Done {
        /// Which request.
        request: RequestId,
        /// What was received for it in this run, bytes; 0 if it was there already.
        received_bytes: u64,
        /// How long that took.
        time_ms: u64,
    },
    /// It can't be had here.
    Failed {
        /// Which request.
        request: RequestId,
        /// Of which round.
        round: u32,
        /// For people; at most [`REASON_BYTES_MAX`].
        reason: String,
    },
    /// These could not be reached to pass a request on: tell them yourself.
    Unreached {
        /// Which request.
        request: RequestId,
        /// Whom; at most [`UNREACHED_MAX`].
        agents: Vec<AgentId>,
    },
    /// Answer to a ping.
    Pong,
    /// I am going.
    Leave,
    /// A message of a later protocol; ignored.
    #[serde(other)]
    Unknown,
}

/// What a tracker says to an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToAgent {
    /// The first message on a socket: say who you are.
    Hello {
        /// [`VERSION`].
        version: u16,
        /// To be signed.
        nonce: SocketNonce,
    },
    /// You are in.
    Enlisted {
        /// With which transport requests are signed from now on.
        key: TrackerKey,
        /// That the tracker knows the fleet's token too; see [`token::FleetToken::tracker_proof`].
        proof: FleetProof,
    },
    /// Get this, and pass it on to those named in it.
    Request {
        /// What, and to whom.
        request: TransportRequest,
    },
    /// You have this: give it to others again for a while.
    Feed {
        /// What.
        terms: Signed<Terms>,
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

/// Why a message or a request was refused.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// Longer than it may be.
    #[error("the message has {0} bytes, more than it may have")]
    TooLong(usize),
    /// Not the JSON that was expected.
    #[error("the message is not valid: {0}")]
    Json(#[from] serde_json::Error),
    /// A part of it is over its limit.
    #[error("the message's {0} is over its limit")]
    Limit(&'static str),
    /// It was altered, or is another's.
    #[error("the signature of the {0} is not right")]
    Signature(&'static str),
    /// Parts of different requests.
    #[error("a target belongs to another request")]
    Mixed,
}

impl FromAgent {
    /// Parses one text frame.
    pub fn decode(text: &str) -> Result<Self, FleetError> {
        let message: Self = decode_json(text, MESSAGE_BYTES_MAX)?;
        match &message {
            Self::Failed { reason, .. } if reason.len() > REASON_BYTES_MAX => Err(FleetError::Limit("reason")),
            Self::Unreached { agents, .. } if agents.len() > UNREACHED_MAX => Err(FleetError::Limit("agents")),
            _ => Ok(message),
        }
    }

    /// One text frame.
    pub fn encode(&self) -> String {
        encode_json(self)
    }
}

impl ToAgent {
    /// Parses one text frame. What a request holds is looked at when it is opened.
    pub fn decode(text: &str) -> Result<Self, FleetError> {
        decode_json(text, REQUEST_BYTES_MAX)
    }

    /// One text frame.
    pub fn encode(&self) -> String {
        encode_json(self)
    }
}

pub(crate) fn decode_json<T: DeserializeOwned>(text: &str, bytes_max: usize) -> Result<T, FleetError> {
    if text.len() > bytes_max {
        return Err(FleetError::TooLong(text.len()));
    }
    Ok(serde_json::from_str(text)?)
}

pub(crate) fn encode_json<T: Serialize>(message: &T) -> String {
    // Only maps with keys that are no strings and failing custom serialisers can fail; there are none in this module.
    serde_json::to_string(message).expect("messages are plain data")
}

/// A reason as it is told: what is too long is cut between two characters, and what could move a terminal's cursor is a
/// space.
pub fn cut_reason(reason: &str) -> String {
    let end = (0..=reason.len().min(REASON_BYTES_MAX)).rev().find(|end| reason.is_char_boundary(*end));
    reason[..end.unwrap_or(0)].chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Whether a text can be the name of what is delivered.
fn is_title(text: &str) -> bool {
    text.len() <= request::TITLE_BYTES_MAX && !text.chars().any(char::is_control)
}
