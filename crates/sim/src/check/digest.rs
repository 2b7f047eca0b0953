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
    hasher: blake3::Hasher,
    /// Whether long messages and writes are hashed whole: exact, and half as fast. Without it what may differ unnoticed
    /// is payload, which the store compares with the true content anyway.
    payload: bool,
}

impl Digest {
    pub(crate) fn new(payload: bool) -> Self {
        Self { hasher: blake3::Hasher::new(), payload }
    }

    pub(crate) fn output(&mut self, node: NodeId, output: &Output, now: Time) {
        self.hasher.update(&node.0.to_le_bytes());
        self.hasher.update(&now.as_micros().to_le_bytes());
        match output {
            Output::SendLink { link, message } => {
                self.hasher.update(&link.0.to_le_bytes());
                self.bytes(message);
            }
            Output::Write { write, offset_bytes, bytes } => {
                self.hasher.update(&write.0.to_le_bytes());
                self.hasher.update(&offset_bytes.to_le_bytes());
                self.bytes(bytes);
            }
            other => {
                self.hasher.update(format!("{other:?}").as_bytes());
            }
        }
    }

    pub(crate) fn tracker_frame(&mut self, node: NodeId, text: &str, now: Time) {
        self.hasher.update(&node.0.to_le_bytes());
        self.hasher.update(&now.as_micros().to_le_bytes());
        self.hasher.update(text.as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.hasher.update(&(bytes.len() as u64).to_le_bytes());
        let head = if self.payload { bytes } else { &bytes[..bytes.len().min(HEAD_BYTES)] };
        self.hasher.update(head);
    }

    pub(crate) fn hex(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }
}
