//! Signals: what the two ends of a WebRTC connection tell each other through the tracker.
//!
//! Session descriptions and ICE candidates are opaque to the engine, which decides *who* connects; adapters decide
//! *how*. Field names follow the browser's `RTCSessionDescription` and `RTCIceCandidate`, in snake case.

use serde::{Deserialize, Serialize};

/// Longest signal text that is carried, in bytes. A browser's offer of one data channel has about 600.
pub const SIGNAL_BYTES_MAX: usize = 8 * 1024;

/// One signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Signal {
    /// The dialling end's session description.
    Offer {
        /// RFC 8866 text.
        sdp: String,
    },
    /// The answering end's session description.
    Answer {
        /// RFC 8866 text.
        sdp: String,
    },
    /// One ICE candidate as it was found (RFC 8838, trickle ICE).
    Candidate {
        /// The candidate line, or empty for 'no more'.
        candidate: String,
        /// The media section it belongs to, by name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sdp_mid: Option<String>,
        /// The media section it belongs to, by number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sdp_m_line_index: Option<u16>,
    },
}

impl Signal {
    /// Bytes of text in it, for the limit.
    pub fn text_bytes(&self) -> usize {
        match self {
            Self::Offer { sdp } | Self::Answer { sdp } => sdp.len(),
            Self::Candidate { candidate, sdp_mid, .. } => candidate.len() + sdp_mid.as_ref().map_or(0, String::len),
        }
    }
}
