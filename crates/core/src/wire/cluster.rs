//! Tracker and tracker: small JSON objects over a bounded channel, version 1. In one process it is a queue; between processes it
//! may be whatever carries texts in order.
//!
//! Every message stands in an [`Envelope`] that tells who speaks, so the channel needs to know nobody. What is lost on it is
//! mended: beats and lists are said again, and who hears of a socket that it does not know says so.

use serde::{Deserialize, Serialize};

use crate::ids::{ContentId, PeerId, SocketNonce, TrackerId};

/// The protocol's version. A tracker of another is as one that is not there.
pub const VERSION: u16 = 1;
/// Longest message in bytes: a peer's longest one, each byte of which may take six as a part of a text. A longer one is ignored.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// Most nodes that one list names, those with everything first; beyond it they are counted only.
pub const LIST_NODES_MAX: usize = 400;
/// Most banned peers that one list names; beyond it the largest ids are left out.
pub const LIST_BANNED_MAX: usize = 64;

/// What one tracker says to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// [`VERSION`].
    pub version: u16,
    /// Who says it.
    pub from: TrackerId,
    /// Another with each of its starts, so that nothing of an earlier one is taken for its own.
    pub run: u64,
    /// What.
    pub message: ClusterMessage,
}

/// Nodes of a swarm, as its home knows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeList {
    /// Which swarm.
    pub swarm: ContentId,
    /// How many are in it; 0: nobody is there any more.
    pub peers: u32,
    /// Of these, how many have everything.
    pub seeders: u32,
    /// Those that have everything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub complete: Vec<PeerId>,
    /// The others. Both together at most [`LIST_NODES_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partial: Vec<PeerId>,
    /// Those that were found to send bad bytes; at most [`LIST_BANNED_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub banned: Vec<PeerId>,
}

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClusterMessage {
    /// I live.
    Beat,
    /// I stop, now.
    Bye,
    /// A peer of one of your swarms is at a socket of mine. Its frames follow.
    Open {
        /// My number of the socket.
        socket: u64,
        /// What the peer was told to sign there.
        nonce: SocketNonce,
        /// Its join.
        text: String,
    },
    /// What that peer says.
    Frame {
        /// Which socket.
        socket: u64,
        /// The frame.
        text: String,
    },
    /// That socket is gone, or I know none such.
    Gone {
        /// Which.
        socket: u64,
    },
    /// Say this to the peer at your socket.
    Say {
        /// Which.
        socket: u64,
        /// The frame.
        text: String,
    },
    /// Close that socket of yours, or I know none such.
    Close {
        /// Which.
        socket: u64,
    },
    /// Who is in a swarm of mine.
    List(NodeList),
    /// A message of a later protocol; ignored.
    #[serde(other)]
    Unknown,
}

/// Why a message was not understood.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Longer than [`MESSAGE_BYTES_MAX`].
    #[error("the message has {0} bytes, more than {MESSAGE_BYTES_MAX}")]
    TooLong(usize),
    /// Of another version.
    #[error("the message is of version {0}, not {VERSION}")]
    Version(u16),
    /// Not the JSON that was expected.
    #[error("the message is not valid: {0}")]
    Json(#[from] serde_json::Error),
    /// A part of it is over its limit.
    #[error("the message's {0} is over its limit")]
    Limit(&'static str),
}

impl Envelope {
    /// Parses one message.
    pub fn decode(text: &str) -> Result<Self, DecodeError> {
        /// What all versions have.
        #[derive(Deserialize)]
        struct Head {
            version: u16,
        }
        if text.len() > MESSAGE_BYTES_MAX {
            return Err(DecodeError::TooLong(text.len()));
        }
        let envelope = match serde_json::from_str::<Self>(text) {
            Ok(envelope) if envelope.version != VERSION => return Err(DecodeError::Version(envelope.version)),
            Ok(envelope) => envelope,
            // What another version has beyond its number is its own affair.
            Err(error) => match serde_json::from_str(text) {
                Ok(Head { version }) if version != VERSION => return Err(DecodeError::Version(version)),
                _ => return Err(error.into()),
            },
        };
        match &envelope.message {
            ClusterMessage::List(list) if list.complete.len() + list.partial.len() > LIST_NODES_MAX => {
                Err(DecodeError::Limit("nodes"))
            }
            ClusterMessage::List(list) if list.banned.len() > LIST_BANNED_MAX => Err(DecodeError::Limit("banned")),
            _ => Ok(envelope),
        }
    }

    /// One message.
    pub fn encode(&self) -> String {
        serde_json::to_string(self).expect("messages are plain data")
    }
}

#[cfg(test)]
mod tests;
