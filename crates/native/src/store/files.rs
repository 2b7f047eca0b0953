//! One to many files that are one content: reads and writes at positions of the whole.
//!
//! Every store lies on this, a content of one file being the one with the shortest list. How a file is opened is the
//! store's affair ([`Places`]); how many are open at once is ours.
//!
//! # Bounds
//!
//! At most [`OPEN_FILES_MAX`] files are open. The one that was not used for longest is closed for the next one.

use std::fmt::Debug;
use std::fs::File;
use std::io;
use std::path::PathBuf;

use pleach_core::content::{FilePart, Layout};

use super::error::{StoreError, io_error};
use super::positioned::{read_full_at, write_all_at};

/// Files that one store holds open. Some systems allow a process 256, and links need theirs.
pub(super) const OPEN_FILES_MAX: usize = 64;

/// Where the files of a content are.
pub(super) trait Places: Debug + Send {
    /// Opens a file.
    fn open(&self, file: usize) -> io::Result<File>;
    /// Where it is, for people.
    fn path(&self, file: usize) -> PathBuf;
}

/// The files of one content, of which the last used are open.
#[derive(Debug)]
pub(super) struct Files<P> {
    layout: Layout,
    pub(super) places: P,
    /// The one used last is last.
    open: Vec<(usize, File)>,
}

impl<P: Places> Files<P> {
    pub(super) fn new(layout: Layout, places: P) -> Self {
        Self { layout, places, open: Vec::new() }
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Reads a stretch of the content. Gives less where the content, or one of its files, ends before.
    pub(super) fn read(&mut self, offset_bytes: u64, len_bytes: u32) -> Result<Vec<u8>, StoreError> {
        let mut bytes = vec![0; len_bytes as usize];
        let filled = self.read_into(offset_bytes, &mut bytes)?;
        bytes.truncate(filled);
        Ok(bytes)
    }

    /// Fills the buffer with a stretch of the content; how much there was of it, by the same rule.
    pub(super) fn read_into(&mut self, offset_bytes: u64, bytes: &mut [u8]) -> Result<usize, StoreError> {
        let mut filled = 0;
        for part in self.parts(offset_bytes, bytes.len() as u64) {
            let piece = &mut bytes[filled..filled + part.len_bytes as usize];
            let wanted = piece.len();
            let read = self.with(part.file, "read", |file| read_full_at(file, piece, part.offset_bytes))?;
            filled += read;
            // What follows would stand where it does not belong.
            if read < wanted {
                break;
            }
        }
        Ok(filled)
    }

    /// Writes a stretch of the content; what is beyond its end is not written.
    pub(super) fn write(&mut self, offset_bytes: u64, mut bytes: &[u8]) -> Result<(), StoreError> {
        for part in self.parts(offset_bytes, bytes.len() as u64) {
            let (piece, rest) = bytes.split_at(part.len_bytes as usize);
            self.with(part.file, "write", |file| write_all_at(file, piece, part.offset_bytes))?;
            bytes = rest;
        }
        Ok(())
    }

    /// Does something with an open file.
    pub(super) fn with<T>(
        &mut self,
        file: usize,
        doing: &'static str,
        work: impl FnOnce(&File) -> io::Result<T>,
    ) -> Result<T, StoreError> {
        let done = self.open(file).and_then(work);
        done.map_err(|error| io_error(doing, &self.places.path(file))(error))
    }

    /// Closes all that is open.
    pub(super) fn close(&mut self) {
        self.open.clear();
    }

    fn parts(&self, offset_bytes: u64, len_bytes: u64) -> Vec<FilePart> {
        self.layout.parts(offset_bytes, len_bytes).collect()
    }

    fn open(&mut self, file: usize) -> io::Result<&File> {
        let held = match self.open.iter().rposition(|(held, _)| *held == file) {
            Some(at) => self.open.remove(at),
            None => (file, self.places.open(file)?),
        };
        if self.open.len() == OPEN_FILES_MAX {
            self.open.remove(0);
        }
        self.open.push(held);
        Ok(&self.open[self.open.len() - 1].1)
    }

    /// Takes another handle for a file.
    #[cfg(test)]
    pub(super) fn replace(&mut self, file: usize, handle: File) {
        self.open.retain(|(held, _)| *held != file);
        self.open.push((file, handle));
    }

    #[cfg(test)]
    pub(super) fn open_files(&self) -> usize {
        self.open.len()
    }
}
