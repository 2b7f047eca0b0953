//! A file that is shared: opened read-only, hashed once, and watched for changes from then on.
//!
//! The engine checks every packet it reads against the tree that was built here, so a changed file can never be passed
//! on as the old one. What this module adds is to say so early: a file whose size or time of change moved while it was
//! hashed is refused, and [`SourceWatch`] tells when they move later, before any peer asks for what is gone.

use std::fs::{File, Metadata};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::error::{StoreError, io_error};
use super::positioned::read_full_at;

/// Bytes read at once while hashing: large enough that system calls cost nothing beside the hash.
const HASH_CHUNK_BYTES: usize = 1 << 20;

/// A regular file, open for reading.
#[derive(Debug)]
pub struct SourceFile {
    pub(super) file: File,
    pub(super) path: PathBuf,
    stamp: Stamp,
}

/// What tells a changed file without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    size_bytes: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self { size_bytes: metadata.len(), modified: metadata.modified().ok() }
    }
}

impl SourceFile {
    /// Opens the file and notes its size and time of change.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        // Asked before opening: to open a pipe would wait for its writer.
        let metadata = std::fs::metadata(path).map_err(io_error("read", path))?;
        if metadata.is_dir() {
            return Err(StoreError::Directory { path: path.to_owned() });
        }
        if !metadata.is_file() {
            return Err(StoreError::NotRegular { path: path.to_owned() });
        }
        let file = File::open(path).map_err(io_error("read", path))?;
        let metadata = file.metadata().map_err(io_error("read", path))?;
        Ok(Self { file, path: path.to_owned(), stamp: Stamp::of(&metadata) })
    }

    /// Its size when it was opened.
    pub fn size_bytes(&self) -> u64 {
        self.stamp.size_bytes
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file once, in order, giving each piece to `take`. Fails if the file is not the
    /// same size and of the same time of change when the end is reached.
    pub fn read_all(&self, take: impl FnMut(&[u8])) -> Result<(), StoreError> {
        read_unchanged(&self.file, &self.path, self.stamp, take)
    }

    /// A second handle that notices changes while the first belongs to a store.
    pub fn watch(&self) -> Result<SourceWatch, StoreError> {
        let file = self.file.try_clone().map_err(io_error("watch", &self.path))?;
        Ok(SourceWatch { file, path: self.path.clone(), stamp: self.stamp })
    }
}

fn read_unchanged(file: &File, path: &Path, stamp: Stamp, mut take: impl FnMut(&[u8])) -> Result<(), StoreError> {
    let mut buffer = vec![0; HASH_CHUNK_BYTES];
    let mut read_bytes: u64 = 0;
    loop {
        let len = read_full_at(file, &mut buffer, read_bytes).map_err(io_error("read", path))?;
        read_bytes += len as u64;
        if len == 0 || read_bytes > stamp.size_bytes {
            break;
        }
        take(&buffer[..len]);
    }
    let now = Stamp::of(&file.metadata().map_err(io_error("read", path))?);
    if read_bytes != stamp.size_bytes || now != stamp {
        return Err(StoreError::Changed { path: path.to_owned() });
    }
    Ok(())
}

/// Notices that a shared file changed; see [`SourceFile::watch`].
#[derive(Debug)]
pub struct SourceWatch {
    file: File,
    path: PathBuf,
    stamp: Stamp,
}

/// How a shared file changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It has another size: it is certainly not what it was.
    Size,
    /// It was written to, or only touched: read it again to know.
    Touched,
}

impl SourceWatch {
    /// What changed since the file was opened, or last read again.
    pub fn change(&self) -> Option<Change> {
        let now = Stamp::of(&self.file.metadata().ok()?);
        if now.size_bytes != self.stamp.size_bytes {
            Some(Change::Size)
        } else if now != self.stamp {
            Some(Change::Touched)
        } else {
            None
        }
    }

    /// Another that compares with the same moment.
    pub fn duplicate(&self) -> Result<Self, StoreError> {
        let file = self.file.try_clone().map_err(io_error("watch", &self.path))?;
        Ok(Self { file, path: self.path.clone(), stamp: self.stamp })
    }

    /// Reads the file again after it was touched. Its time of change becomes the one to compare with from now on.
    pub fn read_again(&mut self, take: impl FnMut(&[u8])) -> Result<(), StoreError> {
        let now = Stamp::of(&self.file.metadata().map_err(io_error("read", &self.path))?);
        self.stamp = Stamp { size_bytes: self.stamp.size_bytes, ..now };
        read_unchanged(&self.file, &self.path, self.stamp, take)
    }
}
