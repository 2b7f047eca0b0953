//! Nodes of several packages in one process, which look packages up for each other ([003]; `docs/lookup.md`).
//!
//! What the engine of one says beside is heard by all others. One that is too slow for [`WAITING_MAX`] of it misses the
//! oldest, which costs a look-up that is repeated.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::broadcast::{self, error::RecvError};

/// Messages that wait for one node; each has 12 KiB at most.
const WAITING_MAX: usize = 128;

/// What joins nodes of one process. All that are given the same look packages up for each other.
#[derive(Clone, Debug)]
pub struct Beside {
    said: broadcast::Sender<(u64, Bytes)>,
    next_seat: Arc<AtomicU64>,
}

impl Default for Beside {
    fn default() -> Self {
        Self { said: broadcast::channel(WAITING_MAX).0, next_seat: Arc::default() }
    }
}

impl Beside {
    /// A node's place among the others: what it says by, and what it hears by.
    pub(crate) fn sit_down(&self) -> (Mouth, Ears) {
        let seat = self.next_seat.fetch_add(1, Ordering::Relaxed);
        (Mouth { seat, said: self.said.clone() }, Ears { seat, heard: self.said.subscribe() })
    }
}

/// Says what others hear.
#[derive(Debug)]
pub(crate) struct Mouth {
    seat: u64,
    said: broadcast::Sender<(u64, Bytes)>,
}

impl Mouth {
    pub(crate) fn say(&self, message: Bytes) {
        // Never fails while somebody has ears, this node among them.
        let _ = self.said.send((self.seat, message));
    }
}

/// Hears what others say.
#[derive(Debug)]
pub(crate) struct Ears {
    seat: u64,
    heard: broadcast::Receiver<(u64, Bytes)>,
}

impl Ears {
    /// The next of it; waits for ever where nobody can say anything.
    pub(crate) async fn hear(&mut self) -> Bytes {
        loop {
            match self.heard.recv().await {
                Ok((seat, message)) if seat != self.seat => return message,
                Ok(_) => {}
                Err(RecvError::Lagged(missed)) => tracing::debug!(missed, "too slow for what is said beside"),
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}
