//! A file that is being made: data beside its final name until all of it is verified, then one rename.
//!
//! ```text
//! OUT.pleach-part     the bytes, sparse, of the final length from the start
//! OUT.pleach-record   which content this is, then the engine's journal of verified hashes; append-only; locked
//! OUT                 appears only when everything is verified, written and flushed
//! ```
//!
//! A process that dies at any moment leaves the first two, and the next one goes on from them: the engine reads and
//! checks each packet that the journal names, so nothing depends on the order in which the disk wrote things. The
//! record carries the lock, not the data, because the data is renamed: a process that waited with an open handle would
//! otherwise take the finished file for a partial one.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use fs4::FileExt;
use pleach_core::content::Geometry;
use pleach_core::ids::ContentId;

use super::error::{StoreError, io_error};

/// What a record begins with; the content's id follows in 32 bytes, then the journal.
const RECORD_MAGIC: &[u8; 16] = b"pleach record 1\n";
/// Length of what comes before the journal.
const RECORD_HEADER_BYTES: usize = RECORD_MAGIC.len() + ContentId::LEN_BYTES;
/// Longest file name that common file systems take, in bytes.
const FILE_NAME_BYTES_MAX: usize = 255;

const PART_SUFFIX: &str = ".pleach-part";
const RECORD_SUFFIX: &str = ".pleach-record";

/// What is to be made.
#[derive(Clone, Debug)]
pub struct DownloadConfig {
    /// The final name.
    pub out: PathBuf,
    /// The content.
    pub content: ContentId,
    /// How it is cut, which bounds data and record.
    pub geometry: Geometry,
    /// Whether a file with the final name, or a partial file of another content, may be replaced.
    pub overwrite: bool,
}

/// A partial file, locked by this process.
#[derive(Debug)]
pub struct Download {
    pub(super) part: File,
    record: File,
    paths: Paths,
    overwrite: bool,
    /// Made by this process and never written to: nothing is lost when it is removed again.
    untouched: bool,
}

#[derive(Debug)]
struct Paths {
    out: PathBuf,
    part: PathBuf,
    record: PathBuf,
}

impl Paths {
    fn of(out: &Path, content: &ContentId) -> Result<Self, StoreError> {
        let Some(name) = out.file_name() else {
            return Err(StoreError::Directory { path: out.to_owned() });
        };
        let beside = |suffix| out.with_file_name(partial_name(name, suffix, content));
        Ok(Self { out: out.to_owned(), part: beside(PART_SUFFIX), record: beside(RECORD_SUFFIX) })
    }
}

/// `NAME.pleach-part`, or, where the name is too long to carry a suffix, `ID.pleach-part`.
fn partial_name(name: &OsStr, suffix: &str, content: &ContentId) -> OsString {
    let mut partial = if name.len() + RECORD_SUFFIX.len() > FILE_NAME_BYTES_MAX {
        OsString::from(content.to_string())
    } else {
        name.to_owned()
    };
    partial.push(suffix);
    partial
}

impl Download {
    /// Opens or makes the partial file of `config.out`, and returns the journal of an earlier run, if there is one.
    pub fn open(config: &DownloadConfig) -> Result<(Self, Vec<u8>), StoreError> {
        let paths = Paths::of(&config.out, &config.content)?;
        check_out(&paths.out, config.overwrite)?;
        check_space(&paths, config.geometry.size_bytes())?;
        let fresh = !paths.record.exists() && !paths.part.exists();
        let record = open_read_write(&paths.record)?;
        let opened = Self::open_locked(config, &paths, record);
        if opened.is_err() && fresh {
            // Best effort: the error that is being reported matters more than what is left behind.
            let _ = fs::remove_file(&paths.part);
            let _ = fs::remove_file(&paths.record);
        }
        let (part, record, journal) = opened?;
        Ok((Self { part, record, paths, overwrite: config.overwrite, untouched: fresh }, journal))
    }

    fn open_locked(config: &DownloadConfig, paths: &Paths, record: File) -> Result<(File, File, Vec<u8>), StoreError> {
        lock(&record, &paths.part)?;
        // Once more, now that nobody else can be about to rename.
        check_out(&paths.out, config.overwrite)?;
        let journal = match read_record(&record, config).map_err(io_error("read", &paths.record))? {
            Found::Journal(journal) => Some(journal),
            Found::Nothing => None,
            Found::Other(_) if config.overwrite => None,
            Found::Other(other) => return Err(StoreError::OtherContent { path: paths.part.clone(), other }),
        };
        if journal.is_none() {
            begin_record(&record, &config.content).map_err(io_error("write", &paths.record))?;
        }
        let part = open_read_write(&paths.part)?;
        if journal.is_none() {
            part.set_len(0).map_err(io_error("write", &paths.part))?;
        }
        part.set_len(config.geometry.size_bytes()).map_err(io_error("make room in", &paths.part))?;
        Ok((part, record, journal.unwrap_or_default()))
    }

    /// The final name.
    pub fn out(&self) -> &Path {
        &self.paths.out
    }

    /// Where the bytes lie until all are there.
    pub fn part_path(&self) -> &Path {
        &self.paths.part
    }

    pub(super) fn note_write(&mut self) {
        self.untouched = false;
    }

    pub(super) fn append_record(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.untouched = false;
        self.record.write_all(bytes)
    }

    /// Flushes the data, gives it its final name and removes the record. The open handle goes on reading it.
    pub(super) fn finish(&mut self) -> Result<(), StoreError> {
        let Paths { out, part, record } = &self.paths;
        self.part.sync_all().map_err(io_error("flush", part))?;
        check_out(out, self.overwrite)?;
        fs::rename(part, out).map_err(io_error("create", out))?;
        sync_directory(out).map_err(io_error("flush the directory of", out))?;
        if let Err(error) = fs::remove_file(record) {
            tracing::warn!(path = %record.display(), %error, "could not remove the record of a finished download");
        }
        self.untouched = false;
        Ok(())
    }

    /// Removes what was made and never used, so that a failed attempt leaves no litter.
    pub(super) fn close(self) {
        if self.untouched {
            let _ = fs::remove_file(&self.paths.part);
            let _ = fs::remove_file(&self.paths.record);
        }
    }
}

fn open_read_write(path: &Path) -> Result<File, StoreError> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(io_error("create", path))
}

fn check_out(out: &Path, overwrite: bool) -> Result<(), StoreError> {
    match fs::symlink_metadata(out) {
        Ok(metadata) if metadata.is_dir() => Err(StoreError::Directory { path: out.to_owned() }),
        Ok(_) if !overwrite => Err(StoreError::Exists { path: out.to_owned() }),
        _ => Ok(()),
    }
}

/// Compares what is still to be written with what the disk has; says nothing where that can't be found out.
fn check_space(paths: &Paths, size_bytes: u64) -> Result<(), StoreError> {
    let directory = match paths.out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let written_bytes = File::open(&paths.part).and_then(|part| part.allocated_size()).unwrap_or(0);
    let needed_bytes = size_bytes.saturating_sub(written_bytes);
    match fs4::available_space(directory) {
        Ok(free_bytes) if free_bytes < needed_bytes => {
            Err(StoreError::NoSpace { path: paths.out.clone(), needed_bytes, free_bytes })
        }
        _ => Ok(()),
    }
}

fn lock(record: &File, part_path: &Path) -> Result<(), StoreError> {
    match FileExt::try_lock(record) {
        Ok(()) => Ok(()),
        Err(fs4::TryLockError::WouldBlock) => Err(StoreError::InUse { path: part_path.to_owned() }),
        Err(fs4::TryLockError::Error(error)) => {
            // Some network file systems have no locks. Two writers would both write verified bytes.
            tracing::debug!(path = %part_path.display(), %error, "the file system has no locks; going on without");
            Ok(())
        }
    }
}

/// Longest journal that is believed; a longer one can't come from honest runs, and is begun anew. The engine writes
/// 68 bytes a packet once; the rest is for what many torn ends may have made it write again.
fn journal_bytes_max(geometry: &Geometry) -> u64 {
    (64 << 10) + 4 * 68 * u64::from(geometry.packets())
}

enum Found {
    Nothing,
    Journal(Vec<u8>),
    Other(ContentId),
}

fn read_record(record: &File, config: &DownloadConfig) -> io::Result<Found> {
    let mut header = Vec::with_capacity(RECORD_HEADER_BYTES);
    record.take(RECORD_HEADER_BYTES as u64).read_to_end(&mut header)?;
    let Some(id) = header.strip_prefix(RECORD_MAGIC).and_then(|id| <[u8; 32]>::try_from(id).ok()) else {
        return Ok(Found::Nothing);
    };
    let id = ContentId::from_bytes(id);
    if id != config.content {
        return Ok(Found::Other(id));
    }
    let mut journal = Vec::new();
    let journal_bytes_max = journal_bytes_max(&config.geometry);
    record.take(journal_bytes_max + 1).read_to_end(&mut journal)?;
    if journal.len() as u64 > journal_bytes_max {
        return Ok(Found::Nothing);
    }
    Ok(Found::Journal(journal))
}

fn begin_record(mut record: &File, content: &ContentId) -> io::Result<()> {
    record.set_len(0)?;
    record.seek(SeekFrom::Start(0))?;
    record.write_all(RECORD_MAGIC)?;
    record.write_all(content.as_bytes())
}

/// Makes a rename last through a power cut.
#[cfg(unix)]
fn sync_directory(of: &Path) -> io::Result<()> {
    let directory = match of.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)?.sync_all()
}

/// Directories cannot be flushed here; the file system's journal orders the rename.
#[cfg(not(unix))]
fn sync_directory(_of: &Path) -> io::Result<()> {
    Ok(())
}
