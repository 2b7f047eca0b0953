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
//! When the disk takes nothing more, or is slower than what happens, that is logged once; what was not written is not known
//! after the next restart, and nothing else changes.

mod database;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

use pleach_core::fleet::{Change, Snapshot};

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

/// A ledger that is open. Dropped, it writes what waits, and closes.
#[derive(Debug)]
pub(crate) struct Ledger {
    changes: Option<SyncSender<Change>>,
    thread: Option<JoinHandle<()>>,
    /// Whether it was said that the disk is too slow.
    is_behind: AtomicBool,
}

impl Ledger {
    /// Opens or makes a ledger, and reads it.
    pub(crate) fn open(path: &Path) -> Result<(Self, Snapshot), LedgerError> {
        let (database, kept) = Database::open(path)?;
        let (changes, waiting) = sync_channel(WAITING_MAX);
        let thread = thread::Builder::new().name("ledger".into()).spawn(move || write_all(database, &waiting));
        let thread = thread.map_err(LedgerError::Thread)?;
        Ok((Self { changes: Some(changes), thread: Some(thread), is_behind: AtomicBool::new(false) }, kept))
    }

    /// Keeps a change, sooner or later. Never waits.
    pub(crate) fn keep(&self, change: Change) {
        let Some(changes) = &self.changes else { return };
        match changes.try_send(change) {
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
fn write_all(mut database: Database, waiting: &Receiver<Change>) {
    let mut is_failing = false;
    while let Ok(first) = waiting.recv() {
        let batch: Vec<Change> = std::iter::once(first).chain(waiting.try_iter()).take(BATCH_MAX).collect();
        match database.apply(&batch) {
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
