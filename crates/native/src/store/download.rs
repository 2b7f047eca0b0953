//! A file or folder that is being made: data beside its final name until all of it is verified, then one rename.
//!
//! ```text
//! OUT.pleach-part     the bytes, sparse, of the final length from the start: a file, or a folder of files
//! OUT.pleach-record   which content this is, then the engine's journal of verified hashes; append-only; locked
//! OUT                 appears only when everything is verified, written and flushed
//! OUT.pleach-unpacked what packed content is made into before it has its name, see `unpacking`
//! OUT.pleach-old      what was there before, if it was to be replaced and could not be by a rename alone
//! ```
//!
//! A process that dies at any moment leaves the first two, and the next one goes on from them: the engine reads and
//! checks each packet that the journal names, so nothing depends on the order in which the disk wrote things. The
//! record carries the lock, not the data, because the data is renamed: a process that waited with an open handle would
//! otherwise take the finished file for a partial one.
//!
//! A folder is made beside its name as a file is, and gets it whole by the same rename; what people find under the name
//! is never half a folder. No folder is ever merged into another, and none is deleted that is not a partial download:
//! one that is to be replaced is set aside, since it may hold more than this content.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use fs4::FileExt;
use pleach_core::content::{Geometry, Listing, Manifest};
use pleach_core::ids::ContentId;

use super::error::{StoreError, io_error};
use super::files::Files;
use super::folder::{Expect, open_file};
use super::part::{Part, remove};
use super::unpacking::{Unpack, Unpacking};

/// What a record begins with. The content's id and the digest of its files' places follow, 32 bytes each, then the
/// journal.
const RECORD_MAGIC: &[u8; 16] = b"pleach record 2\n";
/// Length of what comes before the journal.
const RECORD_HEADER_BYTES: usize = RECORD_MAGIC.len() + 2 * ContentId::LEN_BYTES;
/// Longest file name that common file systems take, in bytes.
const FILE_NAME_BYTES_MAX: usize = 255;

const PART_SUFFIX: &str = ".pleach-part";
const RECORD_SUFFIX: &str = ".pleach-record";
const UNPACKED_SUFFIX: &str = ".pleach-unpacked";
const OLD_SUFFIX: &str = ".pleach-old";
/// What the names of partial downloads end with.
pub(crate) const PARTIAL_SUFFIXES: [&str; 3] = [PART_SUFFIX, RECORD_SUFFIX, UNPACKED_SUFFIX];

/// What is to be made.
#[derive(Clone, Debug)]
pub struct DownloadConfig {
    /// The final name.
    pub out: PathBuf,
    /// The content, and the files that it is.
    pub manifest: Manifest,
    /// Of packed content: how the files that get the final name are made of it.
    pub unpack: Option<Unpack>,
    /// Whether what has the final name, or a partial download of another content, may be replaced.
    pub overwrite: bool,
}

impl DownloadConfig {
    /// What gets the final name.
    fn listing(&self) -> &Listing {
        self.unpack.as_ref().map_or_else(|| self.manifest.listing(), |unpack| unpack.packing.index().listing())
    }
}

/// A partial download, locked by this process.
#[derive(Debug)]
pub struct Download {
    pub(super) files: Files<Part>,
    record: File,
    paths: Paths,
    unpack: Option<Unpack>,
    is_folder: bool,
    overwrite: bool,
    /// Made by this process and never written to: nothing is lost when it is removed again.
    untouched: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Paths {
    pub(super) out: PathBuf,
    pub(super) part: PathBuf,
    pub(super) record: PathBuf,
    pub(super) unpacked: PathBuf,
    old: PathBuf,
}

impl Paths {
    fn of(out: &Path, content: &ContentId) -> Result<Self, StoreError> {
        let Some(name) = out.file_name() else {
            return Err(StoreError::Directory { path: out.to_owned() });
        };
        let beside = |suffix| out.with_file_name(partial_name(name, suffix, content));
        Ok(Self {
            out: out.to_owned(),
            part: beside(PART_SUFFIX),
            record: beside(RECORD_SUFFIX),
            unpacked: beside(UNPACKED_SUFFIX),
            old: beside(OLD_SUFFIX),
        })
    }
}

/// `NAME.pleach-part`, or, where the name is too long to carry a suffix, `ID.pleach-part`.
fn partial_name(name: &OsStr, suffix: &str, content: &ContentId) -> OsString {
    let mut partial = if name.len() + UNPACKED_SUFFIX.len() > FILE_NAME_BYTES_MAX {
        OsString::from(content.to_string())
    } else {
        name.to_owned()
    };
    partial.push(suffix);
    partial
}

impl Download {
    /// Opens or makes the partial download of `config.out`, and returns the journal of an earlier run, if there is one.
    pub fn open(config: &DownloadConfig) -> Result<(Self, Vec<u8>), StoreError> {
        let paths = Paths::of(&config.out, &config.manifest.id())?;
        check_out(&paths, config)?;
        check_space(&paths, config)?;
        let fresh = !is_there(&paths.record) && !is_there(&paths.part);
        let record = open_record(&paths.record).map_err(io_error("create", &paths.record))?;
        let opened = Self::open_locked(config, &paths, &record);
        if opened.is_err() && fresh {
            // Best effort: the error that is being reported matters more than what is left behind.
            let _ = remove(&paths.part);
            let _ = fs::remove_file(&paths.record);
        }
        let (files, journal) = opened?;
        let (is_folder, overwrite) = (config.listing().is_folder(), config.overwrite);
        let unpack = config.unpack.clone();
        Ok((Self { files, record, paths, unpack, is_folder, overwrite, untouched: fresh }, journal))
    }

    fn open_locked(
        config: &DownloadConfig,
        paths: &Paths,
        record: &File,
    ) -> Result<(Files<Part>, Vec<u8>), StoreError> {
        lock(record, &paths.part)?;
        // Once more, now that nobody else can be about to rename.
        check_out(paths, config)?;
        let journal = match read_record(record, &config.manifest).map_err(io_error("read", &paths.record))? {
            // Nothing is lost with it, and whatever an attempt that broke off has made so far goes.
            Found::Journal(journal) if journal.is_empty() => None,
            Found::Journal(journal) => Some(journal),
            Found::Nothing => None,
            Found::OtherContent(_) | Found::OtherFiles if config.overwrite => None,
            Found::OtherContent(other) => {
                return Err(StoreError::OtherContent { path: paths.part.clone(), other });
            }
            Found::OtherFiles => return Err(StoreError::OtherFiles { path: paths.part.clone() }),
        };
        if let Some(journal) = journal {
            return Ok((Files::resume(&paths.part, config.manifest.listing())?, journal));
        }
        // Files first: a record without its files would only be begun again, files of another record be believed in.
        begin_record(record, None).map_err(io_error("write", &paths.record))?;
        let files = Files::begin(&paths.part, config.manifest.listing())?;
        begin_record(record, Some(&config.manifest)).map_err(io_error("write", &paths.record))?;
        Ok((files, Vec::new()))
    }

    /// Removes the record of a download that has its final name already: what is left when a process ends between the
    /// two, and of packed content perhaps the part too. One that somebody works with, or that has a partial download,
    /// stays.
    pub fn tidy(config: &DownloadConfig) -> Result<(), StoreError> {
        let paths = Paths::of(&config.out, &config.manifest.id())?;
        if is_there(&paths.part) && config.unpack.is_none() || !is_there(&paths.record) {
            return Ok(());
        }
        let record = open_file(&paths.record, Expect::There).map_err(io_error("open", &paths.record))?;
        lock(&record, &paths.part)?;
        match read_record(&record, &config.manifest).map_err(io_error("read", &paths.record))? {
            Found::Journal(_) => {
                for path in [&paths.part, &paths.unpacked, &paths.record] {
                    remove(path).map_err(io_error("remove", path))?;
                }
                Ok(())
            }
            Found::Nothing | Found::OtherContent(_) | Found::OtherFiles => Ok(()),
        }
    }

    /// The final name.
    pub fn out(&self) -> &Path {
        &self.paths.out
    }

    /// Where the bytes lie until all are there.
    pub fn part_path(&self) -> &Path {
        &self.paths.part
    }

    pub(super) fn write(&mut self, offset_bytes: u64, bytes: &[u8]) -> Result<(), StoreError> {
        self.untouched = false;
        self.files.write(offset_bytes, bytes)
    }

    pub(super) fn append_record(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.untouched = false;
        self.record.write_all(bytes)
    }

    /// Of packed content, what makes its files; a thread's work, beside which others are fed.
    pub(super) fn unpacking(&mut self) -> Result<Option<Unpacking>, StoreError> {
        let Some(unpack) = self.unpack.clone() else { return Ok(None) };
        let part_bytes = self.files.layout().size_bytes();
        let part = self.files.with(0, "open", File::try_clone)?;
        let (paths, overwrite) = (self.paths.clone(), self.overwrite);
        Ok(Some(Unpacking { unpack, part, part_bytes, paths, overwrite }))
    }

    /// Asks the thread that unpacks to end.
    pub(super) fn cancel_unpacking(&self) {
        if let Some(unpack) = &self.unpack {
            unpack.cancel();
        }
    }

    /// Flushes the data, gives it its final name and removes the record. The open handles go on reading it.
    pub(super) fn finish(&mut self) -> Result<(), StoreError> {
        if let Some(unpacking) = self.unpacking()? {
            // Nobody can cancel what the store's own thread does.
            return unpacking.run().unwrap_or(Ok(()));
        }
        self.files.sync()?;
        self.make_way()?;
        let Paths { out, part, record, .. } = &self.paths;
        self.files.rename(part, out).map_err(io_error("create", out))?;
        sync_directory(out).map_err(io_error("flush the directory of", out))?;
        if let Err(error) = fs::remove_file(record) {
            tracing::warn!(path = %record.display(), %error, "could not remove the record of a finished download");
        }
        self.untouched = false;
        Ok(())
    }

    /// Sets aside what is to be replaced. A file is replaced by the rename itself, unless by a folder.
    fn make_way(&self) -> Result<(), StoreError> {
        check_names(&self.paths, self.is_folder, self.overwrite)?;
        set_aside(&self.paths, self.is_folder)
    }

    /// Removes what was made and never used, so that a failed attempt leaves no litter.
    pub(super) fn close(mut self) {
        let is_unpacked = self.unpack.is_some() && is_there(&self.paths.out) && !is_there(&self.paths.record);
        if self.untouched || is_unpacked {
            self.files.close();
            let _ = remove(&self.paths.part);
            let _ = fs::remove_file(&self.paths.record);
        }
    }
}

/// Gives what a folder is to replace another name.
pub(super) fn set_aside(paths: &Paths, is_folder: bool) -> Result<(), StoreError> {
    let Paths { out, old, .. } = paths;
    if is_folder && is_there(out) {
        fs::rename(out, old).map_err(io_error("set aside", out))?;
        tracing::info!(old = %old.display(), "what was there was set aside");
    }
    Ok(())
}

/// Whether there is anything of this name, be it a link that leads nowhere.
fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn open_record(path: &Path) -> io::Result<File> {
    match open_file(path, Expect::New) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => open_file(path, Expect::There),
        opened => opened,
    }
}

fn check_out(paths: &Paths, config: &DownloadConfig) -> Result<(), StoreError> {
    check_names(paths, config.listing().is_folder(), config.overwrite)
}

/// Whether the final name is free, or may be made so.
pub(super) fn check_names(paths: &Paths, is_folder: bool, overwrite: bool) -> Result<(), StoreError> {
    match fs::symlink_metadata(&paths.out) {
        Ok(metadata) if metadata.is_dir() && !is_folder => Err(StoreError::Directory { path: paths.out.clone() }),
        Ok(_) if !overwrite => Err(StoreError::Exists { path: paths.out.clone() }),
        Ok(_) if is_folder && is_there(&paths.old) => Err(StoreError::Exists { path: paths.old.clone() }),
        _ => Ok(()),
    }
}

/// Compares what is still to be written with what the disk has; says nothing where that can't be found out.
fn check_space(paths: &Paths, config: &DownloadConfig) -> Result<(), StoreError> {
    let directory = match paths.out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let held_bytes = Files::<Part>::allocated_bytes(&paths.part, config.manifest.listing());
    let unpacked_bytes = config.unpack.as_ref().map_or(0, |unpack| unpack.packing.index().size_bytes());
    let needed_bytes = config.manifest.size_bytes().saturating_sub(held_bytes).saturating_add(unpacked_bytes);
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
    OtherContent(ContentId),
    OtherFiles,
}

/// Tells apart manifests that cut the same bytes into other files. A single file is called as its receiver likes.
fn places_digest(manifest: &Manifest) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    if manifest.is_folder() {
        for (file, path) in manifest.files().iter().zip(manifest.saved_paths()) {
            // A path has no line feed.
            hasher.update(format!("{} {path}\n", file.size_bytes).as_bytes());
        }
    }
    *hasher.finalize().as_bytes()
}

fn read_record(record: &File, manifest: &Manifest) -> io::Result<Found> {
    let mut header = Vec::with_capacity(RECORD_HEADER_BYTES);
    record.take(RECORD_HEADER_BYTES as u64).read_to_end(&mut header)?;
    let fields = header.strip_prefix(RECORD_MAGIC).and_then(|fields| fields.split_at_checked(ContentId::LEN_BYTES));
    let Some((id, digest)) = fields else { return Ok(Found::Nothing) };
    let Ok(id) = <[u8; ContentId::LEN_BYTES]>::try_from(id).map(ContentId::from_bytes) else {
        return Ok(Found::Nothing);
    };
    if digest.len() != ContentId::LEN_BYTES {
        return Ok(Found::Nothing);
    }
    if id != manifest.id() {
        return Ok(Found::OtherContent(id));
    }
    if digest != places_digest(manifest) {
        return Ok(Found::OtherFiles);
    }
    let mut journal = Vec::new();
    let journal_bytes_max = journal_bytes_max(&manifest.geometry());
    record.take(journal_bytes_max + 1).read_to_end(&mut journal)?;
    if journal.len() as u64 > journal_bytes_max {
        return Ok(Found::Nothing);
    }
    Ok(Found::Journal(journal))
}

/// Writes what a record begins with; that of nothing is empty.
fn begin_record(mut record: &File, manifest: Option<&Manifest>) -> io::Result<()> {
    record.set_len(0)?;
    record.seek(SeekFrom::Start(0))?;
    if let Some(manifest) = manifest {
        let header = [&RECORD_MAGIC[..], manifest.id().as_bytes(), &places_digest(manifest)].concat();
        record.write_all(&header)?;
    }
    Ok(())
}

/// Makes a rename last through a power cut.
#[cfg(unix)]
pub(super) fn sync_directory(of: &Path) -> io::Result<()> {
    let directory = match of.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)?.sync_all()
}

/// Directories cannot be flushed here; the file system's journal orders the rename.
#[cfg(not(unix))]
pub(super) fn sync_directory(_of: &Path) -> io::Result<()> {
    Ok(())
}
