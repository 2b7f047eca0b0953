//! The fleet's token: a secret of 32 bytes that a tracker, its agents and who delivers have in common.
//!
//! On the socket it is never said: both ends show that they know it by a keyed hash over what the other can check. So a
//! tracker that is not the fleet's learns nothing, and is not believed. Over HTTP it is a bearer token, which wants TLS
//! where the network is not trusted.

use crate::ids::{AgentId, FleetProof, SocketNonce, TrackerKey};

const CONTEXT: &str = "pleach 2026 key of fleet proofs";

/// The secret. It is never shown by a program that was not asked to make it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FleetToken([u8; 32]);

impl core::fmt::Debug for FleetToken {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("FleetToken")
    }
}

impl FleetToken {
    /// The token with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Shows a tracker that an agent knows the token.
    pub fn agent_proof(&self, nonce: &SocketNonce, agent: &AgentId) -> FleetProof {
        self.proof(b"agent", nonce, agent.as_bytes())
    }

    /// Shows an agent that a tracker knows the token, and that the key is its.
    pub fn tracker_proof(&self, nonce: &SocketNonce, key: &TrackerKey) -> FleetProof {
        self.proof(b"tracker", nonce, key.as_bytes())
    }

    /// What goes into an `Authorization` header: `Bearer`, and the token in hexadecimal.
    pub fn bearer(&self) -> String {
        format!("Bearer {}", FleetProof::from_bytes(self.0))
    }

    /// Whether a header's value is that of this token. Takes the same time wherever they differ.
    pub fn is_bearer(&self, value: &[u8]) -> bool {
        blake3::hash(self.bearer().as_bytes()) == blake3::hash(value)
    }

    fn proof(&self, who: &[u8], nonce: &SocketNonce, key: &[u8; 32]) -> FleetProof {
        let bytes = [who, nonce.as_bytes(), key].concat();
        FleetProof::from_bytes(*blake3::keyed_hash(&blake3::derive_key(CONTEXT, &self.0), &bytes).as_bytes())
    }
}

/// Whether two proofs are the same. Takes the same time wherever they differ.
pub fn is_same_proof(one: &FleetProof, other: &FleetProof) -> bool {
    blake3::Hash::from_bytes(*one.as_bytes()) == blake3::Hash::from_bytes(*other.as_bytes())
}
