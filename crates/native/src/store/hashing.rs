//! Shared files, hashed by all processors at once.
//!
//! A hash of BLAKE3 is a tree, so stretches of a content are hashed by themselves and joined in the end (BLAKE3 paper,
//! section 5.3). Each thread takes the next stretch, reads it into its own buffer, which stays in the processor's cache,
//! and hashes it there: what copies the bytes out of the system's cache is spread over the processors too, and fast, see [`AlignedBuffer`].
//!
//! # Bounds
//!
//! At most [`THREADS_MAX`] threads with a buffer of [`PIECE_BYTES`] each; 32 bytes for each packet of the content.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

use pleach_core::content::{HashedPackets, TreeBuilder};

use super::aligned::AlignedBuffer;
use super::error::StoreError;
use super::source::SourceFiles;

/// What a thread takes at once: large enough that handing it over costs nothing beside the hash.
const STRETCH_BYTES: u64 = 4 << 20;
/// What it reads at once of that: large enough for a system call, small enough for the cache of one processor.
const PIECE_BYTES: u64 = 256 << 10;
/// More than this no disk keeps busy.
const THREADS_MAX: usize = 16;

impl SourceFiles {
    /// Reads the files once and hashes them, telling the bytes of each stretch that is done. Fails like
    /// [`SourceFiles::read_all`], which it is quicker than, where the files are to be hashed and nothing else.
    pub fn hash_all(&self, done: impl Fn(u64) + Sync) -> Result<TreeBuilder, StoreError> {
        let size_bytes = self.layout().size_bytes();
        // What is left of the last stretch is pushed as it is.
        let stretches = size_bytes / STRETCH_BYTES;
        let processors = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = processors.min(THREADS_MAX).min(stretches as usize);
        let next = AtomicU64::new(0);
        let (hashed, incoming) = mpsc::channel();
        let mut builder = thread::scope(|scope| {
            for _ in 0..threads {
                let (hashed, next, done) = (hashed.clone(), &next, &done);
                scope.spawn(move || {
                    let outcome = self.hash_stretches(stretches, next, |packets| {
                        done(STRETCH_BYTES);
                        hashed.send(Ok(packets)).is_ok()
                    });
                    if let Err(error) = outcome {
                        // Nobody listens any more if another failed before.
                        hashed.send(Err(error)).ok();
                    }
                });
            }
            drop(hashed);
            let builder = join(&incoming);
            if builder.is_err() {
                next.store(stretches, Ordering::Relaxed);
            }
            builder
        })?;
        let at_bytes = stretches * STRETCH_BYTES;
        let mut rest = vec![0; (size_bytes - at_bytes) as usize];
        self.read_stretch(&mut self.own_files(), at_bytes, &mut rest)?;
        builder.push(&rest);
        done(rest.len() as u64);
        self.expect_unchanged()?;
        Ok(builder)
    }

    /// Takes stretches until there are none left, or `take` wants no more.
    fn hash_stretches(
        &self,
        stretches: u64,
        next: &AtomicU64,
        take: impl Fn((u64, Vec<HashedPackets>)) -> bool,
    ) -> Result<(), StoreError> {
        let mut files = self.own_files();
        let mut buffer = AlignedBuffer::new(PIECE_BYTES as usize);
        loop {
            let stretch = next.fetch_add(1, Ordering::Relaxed);
            if stretch >= stretches {
                return Ok(());
            }
            let pieces = (0..STRETCH_BYTES / PIECE_BYTES).map(|piece| stretch * STRETCH_BYTES + piece * PIECE_BYTES);
            let hashed = pieces.map(|offset_bytes| {
                self.read_stretch(&mut files, offset_bytes, &mut buffer)?;
                Ok(HashedPackets::new(offset_bytes, &buffer).expect("a piece is 4 packets"))
            });
            if !take((stretch, hashed.collect::<Result<_, StoreError>>()?)) {
                return Ok(());
            }
        }
    }
}

/// Puts the stretches in order.
fn join(incoming: &mpsc::Receiver<Result<(u64, Vec<HashedPackets>), StoreError>>) -> Result<TreeBuilder, StoreError> {
    let mut builder = TreeBuilder::new();
    let mut early = BTreeMap::new();
    let mut next = 0;
    for hashed in incoming {
        let (stretch, packets) = hashed?;
        early.insert(stretch, packets);
        while let Some(pieces) = early.remove(&next) {
            for packets in pieces {
                builder.push_hashed(packets).expect("pieces follow one another");
            }
            next += 1;
        }
    }
    Ok(builder)
}
