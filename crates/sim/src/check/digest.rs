//! One number for a whole run: a hash over every output of every engine, with its time. Two runs with one seed must
//! give the same.

use pleach_core::peer::Output;
use pleach_core::time::Time;

use crate::network::NodeId;

/// Of a long message so much of its head is hashed, unless payload is to be hashed too.
const HEAD_BYTES: usize = 256;

/// The hash so far.
#[derive(Debug)]
pub(crate) struct Digest {
    /// None: nothing is hashed, which saves a tenth of a run.
    hasher: Option<blake3::Hasher>,
    /// Whether long messages and writes are hashed whole: exact, and half as fast. Without it what may differ unnoticed
    /// is payload, which the store compares with the true content anyway.
    payload: bool,
}

impl Digest {
    pub(crate) fn new(is_on: bool, payload: bool) -> Self {
        Self { hasher: is_on.then(blake3::Hasher::new), payload }
    }

    pub(crate) fn output(&mut self, node: NodeId, output: &Output, now: Time) {
        let payload = self.payload;
        let Some(hasher) = &mut self.hasher else { return };
        hasher.update(&node.0.to_le_bytes());
        hasher.update(&now.as_micros().to_le_bytes());
        match output {
            Output::SendLink { link, message } => {
                hasher.update(&link.0.to_le_bytes());
                hash_bytes(hasher, message, payload);
            }
            Output::Write { write, offset_bytes, bytes } => {
                hasher.update(&write.0.to_le_bytes());
                hasher.update(&offset_bytes.to_le_bytes());
                hash_bytes(hasher, bytes, payload);
            }
            other => {
                hasher.update(format!("{other:?}").as_bytes());
            }
        }
    }

    pub(crate) fn tracker_frame(&mut self, node: NodeId, text: &str, now: Time) {
        let Some(hasher) = &mut self.hasher else { return };
        hasher.update(&node.0.to_le_bytes());
        hasher.update(&now.as_micros().to_le_bytes());
        hasher.update(text.as_bytes());
    }

    /// Empty if nothing was hashed.
    pub(crate) fn hex(&self) -> String {
        self.hasher.as_ref().map_or_else(String::new, |hasher| hasher.finalize().to_hex().to_string())
    }
}

fn hash_bytes(hasher: &mut blake3::Hasher, bytes: &[u8], payload: bool) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(if payload { bytes } else { &bytes[..bytes.len().min(HEAD_BYTES)] });
}
