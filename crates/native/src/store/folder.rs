//! A folder below which files are made and opened without ever following a link.
//!
//! The paths come from a stranger's manifest, and what lies on the disk may be anybody's. The manifest's rules keep `..`
//! and the like out; this keeps to the folder whatever lies in it: each component is opened from the handle of the one
//! before it, and one that is a symbolic link is refused. So nothing that is put in the way, even meanwhile, leads out.
//! Where the system has no such handles, each component is looked at before it is used.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Whether a file is expected to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expect {
    /// It is there.
    There,
    /// It is not, and is made, with the folders that it lies in.
    New,
}

/// A folder of ours.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    #[cfg(unix)]
    handle: std::os::fd::OwnedFd,
}

fn link_in_the_way() -> io::Error {
    io::Error::other("a symbolic link lies in the way and is not followed")
}

impl Folder {
    /// Makes the folder, which must not be there.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        std::fs::create_dir(path)?;
        Self::open(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Notes that the folder was renamed.
    pub(super) fn renamed(&mut self, path: &Path) {
        self.path = path.to_owned();
    }
}

#[cfg(unix)]
mod system {
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

    use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, mkdirat, openat, statat};
    use rustix::io::Errno;

    use super::{Expect, File, Folder, Path, io, link_in_the_way};

    const OPEN: OFlags = OFlags::RDWR.union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW);
    const OPEN_FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW);

    impl Folder {
        /// Opens the folder, which must be there, and no link.
        pub(in super::super) fn open(path: &Path) -> io::Result<Self> {
            let handle = openat(CWD, path, OPEN_FOLDER, Mode::empty()).map_err(|errno| explain(errno, CWD, path))?;
            Ok(Self { path: path.to_owned(), handle })
        }

        /// Opens a file below the folder for reading and writing. Its path is relative, and without `..`.
        pub(in super::super) fn open_file(&self, path: &str, expect: Expect) -> io::Result<File> {
            let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
            let below = self.walk(folders, expect)?;
            open_at(below.as_ref().map_or(self.handle.as_fd(), OwnedFd::as_fd), name.as_ref(), expect)
        }

        /// Makes the names in a folder below this one last through a power cut.
        pub(in super::super) fn sync(&self, folders: &str) -> io::Result<()> {
            let below = self.walk(folders, Expect::There)?;
            Ok(rustix::fs::fsync(below.as_ref().map_or(self.handle.as_fd(), OwnedFd::as_fd))?)
        }

        /// The handle of a folder below this one; none for the folder itself.
        fn walk(&self, folders: &str, expect: Expect) -> io::Result<Option<OwnedFd>> {
            let mut below: Option<OwnedFd> = None;
            for name in folders.split('/').filter(|name| !name.is_empty()) {
                let above = below.as_ref().map_or(self.handle.as_fd(), OwnedFd::as_fd);
                if expect == Expect::New {
                    match mkdirat(above, name, Mode::from_raw_mode(0o777)) {
                        Ok(()) | Err(Errno::EXIST) => {}
                        Err(errno) => return Err(errno.into()),
                    }
                }
                let opened = openat(above, name, OPEN_FOLDER, Mode::empty());
                below = Some(opened.map_err(|errno| explain(errno, above, name.as_ref()))?);
            }
            Ok(below)
        }
    }

    /// Opens a file that must not be a link.
    pub(in super::super) fn open_file(path: &Path, expect: Expect) -> io::Result<File> {
        open_at(CWD, path, expect)
    }

    fn open_at(folder: BorrowedFd<'_>, name: &Path, expect: Expect) -> io::Result<File> {
        let flags = match expect {
            Expect::There => OPEN,
            Expect::New => OPEN.union(OFlags::CREATE).union(OFlags::EXCL),
        };
        let opened = openat(folder, name, flags, Mode::from_raw_mode(0o666));
        Ok(File::from(opened.map_err(|errno| explain(errno, folder, name))?))
    }

    /// Systems differ in how they refuse a link.
    fn explain(errno: Errno, folder: BorrowedFd<'_>, name: &Path) -> io::Error {
        let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW);
        let is_link = stat.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink);
        if is_link { link_in_the_way() } else { errno.into() }
    }
}

#[cfg(not(unix))]
mod system {
    use std::fs::OpenOptions;

    use super::{Expect, File, Folder, Path, io, link_in_the_way};

    impl Folder {
        /// Opens the folder, which must be there, and no link.
        pub(in super::super) fn open(path: &Path) -> io::Result<Self> {
            refuse_link(path)?;
            if !path.metadata()?.is_dir() {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            Ok(Self { path: path.to_owned() })
        }

        /// Opens a file below the folder for reading and writing. Its path is relative, and without `..`.
        pub(in super::super) fn open_file(&self, path: &str, expect: Expect) -> io::Result<File> {
            let mut place = self.path.clone();
            let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
            for folder in folders.split('/').filter(|name| !name.is_empty()) {
                place.push(folder);
                if expect == Expect::New && !place.exists() {
                    std::fs::create_dir(&place)?;
                }
                refuse_link(&place)?;
            }
            open_file(&place.join(name), expect)
        }

        /// Directories cannot be flushed here; the file system's journal orders what happens to names.
        pub(in super::super) fn sync(&self, _folders: &str) -> io::Result<()> {
            Ok(())
        }
    }

    /// Opens a file that must not be a link.
    pub(in super::super) fn open_file(path: &Path, expect: Expect) -> io::Result<File> {
        if expect == Expect::There {
            refuse_link(path)?;
        }
        OpenOptions::new().read(true).write(true).create_new(expect == Expect::New).open(path)
    }

    fn refuse_link(path: &Path) -> io::Result<()> {
        if path.symlink_metadata()?.is_symlink() { Err(link_in_the_way()) } else { Ok(()) }
    }
}

pub(super) use system::open_file;
