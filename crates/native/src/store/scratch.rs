//! Content that is only passed through: a nameless temporary file that is read in order while it grows.
//!
//! Packets arrive in any order, a pipe wants them in sequence. The file takes them as they come, and [`Prefix`] tells
//! the reader how far everything is there from the start. Memory stays small whatever the size, and the file is gone
//! with the process, however that ends.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use tokio::sync::watch;

use super::error::{StoreError, io_error};
use super::positioned::{read_full_at, write_all_at};

/// Bytes copied at once to a slow reader.
const COPY_CHUNK_BYTES: u64 = 1 << 20;

/// The writing end, which a store owns.
#[derive(Debug)]
pub struct Scratch {
    file: File,
    directory: PathBuf,
    prefix: Prefix,
    prefix_bytes: watch::Sender<u64>,
}

/// The reading end.
#[derive(Debug)]
pub struct ScratchReader {
    file: File,
    prefix_bytes: watch::Receiver<u64>,
}

impl Scratch {
    /// Makes a temporary file of the system's choice of place (`TMPDIR`).
    pub fn create(size_bytes: u64) -> Result<(Self, ScratchReader), StoreError> {
        let directory = std::env::temp_dir();
        if let Ok(free_bytes) = fs4::available_space(&directory)
            && free_bytes < size_bytes
        {
            return Err(StoreError::NoSpace { path: directory, needed_bytes: size_bytes, free_bytes });
        }
        let error = |error| io_error("create a temporary file in", &directory)(error);
        let named = tempfile::NamedTempFile::new_in(&directory).map_err(error)?;
        let reader = named.reopen().map_err(error)?;
        let file = named.into_file();
        file.set_len(size_bytes).map_err(error)?;
        let (prefix_bytes, watched) = watch::channel(0);
        let scratch = Self { file, directory, prefix: Prefix::default(), prefix_bytes };
        Ok((scratch, ScratchReader { file: reader, prefix_bytes: watched }))
    }

    pub(super) fn read(&self, offset_bytes: u64, len_bytes: u32) -> Result<Vec<u8>, StoreError> {
        let mut bytes = vec![0; len_bytes as usize];
        let read = read_full_at(&self.file, &mut bytes, offset_bytes);
        bytes.truncate(read.map_err(io_error("read", &self.directory))?);
        Ok(bytes)
    }

    pub(super) fn write(&mut self, offset_bytes: u64, bytes: &[u8]) -> Result<(), StoreError> {
        write_all_at(&self.file, bytes, offset_bytes).map_err(io_error("write", &self.directory))?;
        let end_bytes = self.prefix.add(offset_bytes, bytes.len() as u64);
        self.prefix_bytes.send_if_modified(|known| std::mem::replace(known, end_bytes) != end_bytes);
        Ok(())
    }
}

impl ScratchReader {
    /// Copies everything to `sink` in order, waiting for what is not there yet. Returns the bytes copied: fewer than
    /// `size_bytes` if the store is closed before all has come. Blocks: for `tokio::task::spawn_blocking`.
    pub fn copy_to(mut self, size_bytes: u64, sink: &mut dyn Write) -> io::Result<u64> {
        let runtime = tokio::runtime::Handle::current();
        let mut copied_bytes = 0;
        self.file.seek(SeekFrom::Start(0))?;
        while copied_bytes < size_bytes {
            let ready_bytes = *self.prefix_bytes.borrow_and_update();
            if ready_bytes == copied_bytes {
                // Fails once the store is gone: nothing more comes.
                if runtime.block_on(self.prefix_bytes.changed()).is_err() {
                    break;
                }
                continue;
            }
            let len_bytes = (ready_bytes - copied_bytes).min(COPY_CHUNK_BYTES);
            copied_bytes += io::copy(&mut (&self.file).take(len_bytes), sink)?;
            sink.flush()?;
        }
        Ok(copied_bytes)
    }
}

/// How far everything is there from the start, fed by ranges in any order.
#[derive(Debug, Default)]
struct Prefix {
    end_bytes: u64,
    /// Ranges beyond the prefix, start to end, not touching each other. At most as many as packets.
    beyond: BTreeMap<u64, u64>,
}

impl Prefix {
    fn add(&mut self, offset_bytes: u64, len_bytes: u64) -> u64 {
        let mut start = offset_bytes;
        let mut end = offset_bytes.saturating_add(len_bytes);
        // Swallow the range before, if it reaches us, and all those behind that we reach.
        if let Some((&before, &before_end)) = self.beyond.range(..=start).next_back()
            && before_end >= start
        {
            self.beyond.remove(&before);
            start = before;
            end = end.max(before_end);
        }
        while let Some((&next, &next_end)) = self.beyond.range(start..=end).next() {
            self.beyond.remove(&next);
            end = end.max(next_end);
        }
        if start <= self.end_bytes {
            self.end_bytes = self.end_bytes.max(end);
        } else {
            self.beyond.insert(start, end);
        }
        self.end_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::Prefix;

    #[test]
    fn prefix_grows_with_the_gap_filled() {
        let mut prefix = Prefix::default();
        assert_eq!(prefix.add(10, 10), 0);
        assert_eq!(prefix.add(30, 5), 0);
        assert_eq!(prefix.add(20, 10), 0);
        assert_eq!(prefix.beyond.len(), 1);
        assert_eq!(prefix.add(0, 10), 35);
        assert_eq!(prefix.beyond.len(), 0);
        assert_eq!(prefix.add(0, 10), 35);
    }

    #[test]
    fn prefix_agrees_with_a_bitmap() {
        // A fixed shuffle of 97 pieces of 7 bytes; 97 is prime, so the stride visits each once.
        let mut prefix = Prefix::default();
        let mut have = [false; 97];
        for step in 0..97_u64 {
            let piece = step * 31 % 97;
            have[piece as usize] = true;
            let whole = have.iter().take_while(|have| **have).count() as u64;
            assert_eq!(prefix.add(piece * 7, 7), whole * 7);
        }
    }
}
