//! The ledger: what is known of machines and deliveries, in a file that outlives the process ([001]: the network
//! information database; failures are recorded, and repeated in the next transfer).
//!
//! SQLite on a thread of its own. The state machine has everything in memory and never waits: it says each change, which
//! waits in a bounded channel, and the thread writes what has gathered in one transaction. The file is read once, at the
//! start. With a write-ahead log a process may be killed at any moment: what was written is there, whole.
//!
//! ```text
//! driver ──Change, WAITING_MAX──► thread ──one transaction for all that waits──► FILE
//! ```
//!
//! Descriptions of what is delivered are kept too, so that a machine can have one from a tracker that was killed, when nobody
//! else is there. Only those: anybody may leave descriptions at a tracker, and would fill the disk.
//!
//! When the disk takes nothing more, or is slower than what happens, that is logged once; what was not written is not known
//! after the next restart, and nothing else changes.

mod database;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use pleach_core::fleet::{Change, Snapshot};
use pleach_core::ids::ManifestDigest;

use database::Database;

/// Most changes that wait for the disk, some 500 bytes each. At the bound further ones are not kept.
const WAITING_MAX: usize = 65_536;
/// Most changes written in one transaction.
const BATCH_MAX: usize = 4_096;

/// Why a ledger could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file can't be opened, or the disk does not work.
    #[error("cannot open {}: {reason}", path.display())]
    Open {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Another process has it open.
    #[error("{} is in use by another tracker", path.display())]
    InUse {
        /// Which.
        path: PathBuf,
    },
    /// It is a file of another kind.
    #[error("{} is no ledger of Pleach", path.display())]
    Other {
        /// Which.
        path: PathBuf,
    },
    /// A newer program made it.
    #[error("{} is of version {found}, but this program knows ledgers up to version {known}: is there a newer one?", path.display())]
    Newer {
        /// Which.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// What is in it makes no sense.
    #[error("{} is damaged ({reason}): move it away, and a new one is made", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// How.
        reason: String,
    },
    /// The system gives no thread.
    #[error("the system gives no thread: {0}")]
    Thread(std::io::Error),
}

/// What is kept.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    /// Of the fleet.
    Change(Change),
    /// The description of what is delivered.
    Manifest { digest: ManifestDigest, bytes: Bytes },
}

/// What was kept.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) fleet: Snapshot,
    /// Descriptions of what is delivered, the oldest first; nobody has looked at them.
    pub(crate) manifests: Vec<Vec<u8>>,
}

/// A ledger that is open. Dropped, it writes what waits, and closes.
#[derive(Debug)]
pub(crate) struct Ledger {
    changes: Option<SyncSender<Entry>>,
    /// How many wait.
    waiting: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
    /// Whether it was said that the disk is too slow.
    is_behind: AtomicBool,
}

impl Ledger {
    /// Opens or makes a ledger, and reads it.
    pub(crate) fn open(path: &Path) -> Result<(Self, Kept), LedgerError> {
        let (database, kept) = Database::open(path)?;
        let (changes, queue) = sync_channel(WAITING_MAX);
        let waiting = Arc::new(AtomicUsize::new(0));
        let written = Arc::clone(&waiting);
        let thread = thread::Builder::new().name("ledger".into()).spawn(move || write_all(database, &queue, &written));
        let thread = thread.map_err(LedgerError::Thread)?;
        Ok((Self { changes: Some(changes), waiting, thread: Some(thread), is_behind: AtomicBool::new(false) }, kept))
    }

    /// Keeps a change, sooner or later. Never waits.
    pub(crate) fn keep(&self, entry: Entry) {
        let Some(changes) = &self.changes else { return };
        // Before it is sent, or it could be taken out first.
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let sent = changes.try_send(entry);
        if sent.is_err() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        match sent {
            Ok(()) => self.is_behind.store(false, Ordering::Relaxed),
            Err(TrySendError::Full(_)) => {
                if !self.is_behind.swap(true, Ordering::Relaxed) {
                    tracing::error!("the ledger's disk is too slow: some of what happens is not kept");
                }
            }
            // The thread ends with the last sender, or broke, which was told.
            Err(TrySendError::Disconnected(_)) => {}
        }
    }

    /// How many changes wait for the disk.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.changes = None;
        if let Some(thread) = self.thread.take() {
            // It wrote what waited. If it panicked, that was told.
            let _ = thread.join();
        }
    }
}

/// Writes what comes until nobody says anything any more.
fn write_all(mut database: Database, queue: &Receiver<Entry>, waiting: &AtomicUsize) {
    let mut is_failing = false;
    while let Ok(first) = queue.recv() {
        let batch: Vec<Entry> = std::iter::once(first).chain(queue.try_iter()).take(BATCH_MAX).collect();
        let applied = database.apply(&batch);
        waiting.fetch_sub(batch.len(), Ordering::Relaxed);
        match applied {
            Ok(()) => is_failing = false,
            Err(error) => {
                if !is_failing {
                    tracing::error!(%error, "the ledger can't be written: what happens is not kept");
                }
                is_failing = true;
            }
        }
    }
}

#[cfg(test)]
mod tests;
