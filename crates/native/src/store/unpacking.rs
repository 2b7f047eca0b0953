//! The end of a download of packed content: its files are made of what was transported.
//!
//! ```text
//! OUT.pleach-part        what was transported, all of it, verified
//! OUT.pleach-unpacked    the files, while they are made, in order, a segment at a time
//! OUT                    appears when all are made and flushed, by one rename; then the part goes
//! ```
//!
//! This has a thread of its own, so that others are fed meanwhile. One that is interrupted leaves the part and its
//! record, and the next run unpacks again. Who goes on feeding others after it does so from the open handle of the part,
//! which has no name any more, or where that can't be, loses its name at the end.

use std::fs::{self, File};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use pleach_packing::{Packing, PackingError, Unpacker};

use super::download::{Paths, check_names, set_aside, sync_directory};
use super::error::{StoreError, io_error};
use super::files::Files;
use super::part::{Part, remove};
use super::positioned::read_full_at;

/// Bytes read at once, between two looks at whether to end.
const CHUNK_BYTES: usize = 1 << 20;

/// How packed content is to be unpacked, and how far that is.
#[derive(Clone, Debug)]
pub struct Unpack {
    /// The opened index.
    pub packing: Arc<Packing>,
    progress: Arc<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    done_bytes: AtomicU64,
    is_cancelled: AtomicBool,
}

impl Unpack {
    /// Nothing is unpacked yet.
    pub fn new(packing: Packing) -> Self {
        Self { packing: Arc::new(packing), progress: Arc::default() }
    }

    /// Bytes of the files that are made.
    pub fn done_bytes(&self) -> u64 {
        self.progress.done_bytes.load(Ordering::Relaxed)
    }

    /// Asks it to end without result.
    pub(super) fn cancel(&self) {
        self.progress.is_cancelled.store(true, Ordering::Relaxed);
    }
}

/// What a thread does.
#[derive(Debug)]
pub(super) struct Unpacking {
    pub(super) unpack: Unpack,
    /// What was transported.
    pub(super) part: File,
    pub(super) part_bytes: u64,
    pub(super) paths: Paths,
    pub(super) overwrite: bool,
}

/// Why a piece could not be taken.
enum Refusal {
    Packing(PackingError),
    Store(StoreError),
}

impl From<PackingError> for Refusal {
    fn from(error: PackingError) -> Self {
        Self::Packing(error)
    }
}

impl Unpacking {
    /// Makes the files and gives them their name; `None` if it was cancelled.
    pub(super) fn run(self) -> Option<Result<(), StoreError>> {
        let done = self.make_files().and_then(|made| made.map(|files| self.give_name(files)).transpose());
        if !matches!(done, Ok(Some(()))) {
            // Best effort: what is told matters more than what is left behind, which the next run removes.
            let _ = remove(&self.paths.unpacked);
        }
        done.transpose()
    }

    fn make_files(&self) -> Result<Option<Files<Part>>, StoreError> {
        let progress = &self.unpack.progress;
        let mut files = Files::begin(&self.paths.unpacked, self.unpack.packing.index().listing())?;
        let mut unpacker = Unpacker::new(Packing::clone(&self.unpack.packing));
        let mut chunk = vec![0; CHUNK_BYTES];
        let (mut read_bytes, mut made_bytes) = (0, 0);
        while read_bytes < self.part_bytes {
            if progress.is_cancelled.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let len = read_full_at(&self.part, &mut chunk, read_bytes).map_err(io_error("read", &self.paths.part))?;
            if len == 0 {
                break;
            }
            read_bytes += len as u64;
            let pushed = unpacker.push(&chunk[..len], |plain| {
                files.write(made_bytes, plain).map_err(Refusal::Store)?;
                made_bytes += plain.len() as u64;
                progress.done_bytes.store(made_bytes, Ordering::Relaxed);
                Ok(())
            });
            pushed.map_err(|refusal| match refusal {
                Refusal::Store(error) => error,
                Refusal::Packing(error) => StoreError::Unpack { path: self.paths.out.clone(), error },
            })?;
        }
        if unpacker.is_done() { Ok(Some(files)) } else { Err(StoreError::Changed { path: self.paths.part.clone() }) }
    }

    fn give_name(&self, mut files: Files<Part>) -> Result<(), StoreError> {
        files.sync()?;
        let Paths { out, part, record, unpacked, .. } = &self.paths;
        let is_folder = self.unpack.packing.index().listing().is_folder();
        check_names(&self.paths, is_folder, self.overwrite)?;
        set_aside(&self.paths, is_folder)?;
        files.rename(unpacked, out).map_err(io_error("create", out))?;
        sync_directory(out).map_err(io_error("flush the directory of", out))?;
        // Where an open file can't be removed, it goes when the store is closed.
        for left in [part, record] {
            if let Err(error) = fs::remove_file(left) {
                tracing::debug!(path = %left.display(), %error, "could not remove it yet");
            }
        }
        Ok(())
    }
}
