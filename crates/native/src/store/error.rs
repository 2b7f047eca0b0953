//! Why a store could not be opened, in words that name the path and what can be done.

use std::io;
use std::path::{Path, PathBuf};

use pleach_core::ids::ContentId;
use pleach_packing::PackingError;

/// Why a store could not be opened or finished.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file that is to be made is there already.
    #[error("{} exists already", path.display())]
    Exists {
        /// Which.
        path: PathBuf,
    },
    /// A partial file lies there that belongs to another content.
    #[error("{} is a partial download of another content ({other})", path.display())]
    OtherContent {
        /// The partial file.
        path: PathBuf,
        /// What it is part of.
        other: ContentId,
    },
    /// What lies there is part of the same content, but of other files: its author described it anew.
    #[error("{} is a partial download of the same content under other file names", path.display())]
    OtherFiles {
        /// The partial folder.
        path: PathBuf,
    },
    /// The disk takes two names of the content for one.
    #[error("{} can't be made: this disk takes its name for that of another file of the same content", path.display())]
    Clash {
        /// The second of them.
        path: PathBuf,
    },
    /// Another process works on the same partial file.
    #[error("another process is downloading to {}", path.display())]
    InUse {
        /// The partial file.
        path: PathBuf,
    },
    /// The disk has less room than is needed.
    #[error(
        "not enough space for {}: needs {} more, {} free",
        path.display(), mebibytes(*needed_bytes), mebibytes(*free_bytes)
    )]
    NoSpace {
        /// What was to be made.
        path: PathBuf,
        /// Bytes still to be written.
        needed_bytes: u64,
        /// Bytes that the disk can take.
        free_bytes: u64,
    },
    /// Where a file is expected there is a directory.
    #[error("{} is a directory", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
    },
    /// What is to be shared is no file with a size: a pipe, a socket, a device.
    #[error("{} is not a regular file", path.display())]
    NotRegular {
        /// Which.
        path: PathBuf,
    },
    /// What is to be shared was changed or removed while it was being read.
    #[error("{} changed while it was being read", path.display())]
    Changed {
        /// Which.
        path: PathBuf,
    },
    /// What was transported is what its author published, but can't be unpacked.
    #[error("cannot unpack {}: {error}", path.display())]
    Unpack {
        /// What was to be made.
        path: PathBuf,
        /// Why not.
        error: PackingError,
    },
    /// Anything else the operating system says.
    #[error("cannot {doing} {}: {}", path.display(), plain(source))]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What came of it.
        source: io::Error,
    },
}

/// Makes a [`StoreError::Io`] of a failed operation: `file.sync_all().map_err(io_error("flush", path))`.
pub(crate) fn io_error<'a>(doing: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> StoreError + 'a {
    move |source| StoreError::Io { doing, path: path.to_owned(), source }
}

/// What the operating system said, for people: without numbers where the kind says it all.
pub fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        io::ErrorKind::StorageFull => "no space left on the disk".into(),
        io::ErrorKind::QuotaExceeded => "the disk quota is used up".into(),
        io::ErrorKind::FileTooLarge => "the file system or a limit does not allow a file of this size".into(),
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only".into(),
        io::ErrorKind::NotADirectory => "a part of the path is not a directory".into(),
        io::ErrorKind::IsADirectory => "it is a directory".into(),
        _ => error.to_string(),
    }
}

/// A size for people who must make room: exact below a mebibyte, else with one decimal.
fn mebibytes(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    if bytes < MIB { format!("{bytes} bytes") } else { format!("{:.1} MiB", bytes as f64 / MIB as f64) }
}
