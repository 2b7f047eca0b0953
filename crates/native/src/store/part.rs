//! What a download makes, before it has its final name: a file, or a folder of files.
//!
//! All files are there from the start, sparse and of their final lengths, empty ones included. So a name that the disk
//! does not take, or takes for another's (upper and lower case, forms of Unicode), is found before anything is fetched.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use fs4::FileExt;
use pleach_core::content::Listing;

use super::error::{StoreError, io_error};
use super::files::{Files, Places};
use super::folder::{Expect, Folder, open_file};

/// Where the files of a download are.
#[derive(Debug)]
pub(super) enum Part {
    /// The content is one file.
    File(PathBuf),
    /// It is these below a folder, in the content's order.
    Folder { folder: Folder, paths: Vec<String> },
}

impl Places for Part {
    fn open(&self, file: usize) -> io::Result<File> {
        match self {
            Self::File(path) => open_file(path, Expect::There),
            Self::Folder { folder, paths } => folder.open_file(&paths[file], Expect::There),
        }
    }

    fn path(&self, file: usize) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Folder { folder, paths } => folder.path().join(&paths[file]),
        }
    }
}

impl Files<Part> {
    /// Makes all files anew, in place of whatever is there.
    pub(super) fn begin(path: &Path, listing: &Listing) -> Result<Self, StoreError> {
        remove(path).map_err(io_error("remove", path))?;
        let part = if listing.is_folder() {
            Part::folder(Folder::create(path).map_err(io_error("create", path))?, listing)
        } else {
            Part::File(path.to_owned())
        };
        let mut files = Self::new(listing.layout(), part);
        (0..listing.files().len()).try_for_each(|file| files.make(file))?;
        Ok(files)
    }

    /// Goes on with what an earlier run left. What is missing is made again, and found to be wrong when it is checked.
    pub(super) fn resume(path: &Path, listing: &Listing) -> Result<Self, StoreError> {
        let part = match listing.is_folder().then(|| Folder::open(path)) {
            Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => return Self::begin(path, listing),
            Some(folder) => Part::folder(folder.map_err(io_error("open", path))?, listing),
            None => Part::File(path.to_owned()),
        };
        let mut files = Self::new(listing.layout(), part);
        (0..listing.files().len()).try_for_each(|file| files.find(file))?;
        Ok(files)
    }

    /// Makes a file; one that is there is another file of this content, which the disk takes for the same.
    fn make(&mut self, file: usize) -> Result<(), StoreError> {
        let made = match &self.places {
            Part::File(path) => open_file(path, Expect::New),
            Part::Folder { folder, paths } => folder.open_file(&paths[file], Expect::New),
        };
        let path = self.places.path(file);
        match made {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(StoreError::Clash { path }),
            Err(error) => Err(io_error("create", &path)(error)),
            Ok(made) => made.set_len(self.layout().file_range(file).len()).map_err(io_error("make room in", &path)),
        }
    }

    fn find(&mut self, file: usize) -> Result<(), StoreError> {
        let size_bytes = self.layout().file_range(file).len();
        let found = self.with(file, "open", |file| {
            if file.metadata()?.len() == size_bytes { Ok(()) } else { file.set_len(size_bytes) }
        });
        match found {
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => self.make(file),
            found => found,
        }
    }

    /// Bytes that the files take up on the disk.
    pub(super) fn allocated_bytes(path: &Path, listing: &Listing) -> u64 {
        let allocated = |path: &Path| File::open(path).and_then(|file| file.allocated_size()).unwrap_or(0);
        if listing.is_folder() {
            listing.saved_paths().map(|name| allocated(&path.join(name))).sum()
        } else {
            allocated(path)
        }
    }

    /// Makes everything last through a power cut.
    pub(super) fn sync(&mut self) -> Result<(), StoreError> {
        for file in 0..self.layout().files() {
            self.with(file, "flush", File::sync_all)?;
        }
        if let Part::Folder { folder, paths } = &self.places {
            let mut folders: BTreeSet<&str> = BTreeSet::from([""]);
            for path in paths {
                folders.extend(path.match_indices('/').map(|(end, _)| &path[..end]));
            }
            for below in folders {
                folder.sync(below).map_err(io_error("flush", &folder.path().join(below)))?;
            }
        }
        Ok(())
    }

    /// Gives the whole another name. What is open goes on being read.
    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        if cfg!(windows) && matches!(self.places, Part::Folder { .. }) {
            // A folder in which something is open can't be renamed there.
            self.close();
        }
        fs::rename(from, to)?;
        match &mut self.places {
            Part::File(path) => *path = to.to_owned(),
            Part::Folder { folder, .. } => folder.renamed(to),
        }
        Ok(())
    }
}

impl Part {
    fn folder(folder: Folder, listing: &Listing) -> Self {
        Self::Folder { folder, paths: listing.saved_paths().map(str::to_owned).collect() }
    }
}

/// Removes a file, a folder with all in it, or a link, which is not followed. What is not there is removed already.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
