//! What people point at when they share, files and folders, becomes the list of a content's files.
//!
//! Folders are gone through to the bottom. The files are sorted by path, so the same files give the same content
//! whatever the order in which the disk, or the person, names them. Left out below a folder, and counted, are:
//!
//! * what is hidden (its name begins with a dot), unless asked for: it is mostly not meant for others (`.git`, `.env`);
//! * symbolic links, which may lead out of the folder or in a circle;
//! * what is neither file nor folder: pipes, sockets, devices;
//! * downloads that are not done yet;
//! * folders in which nothing is: a content consists of files.
//!
//! What is named itself is taken whatever it is called, and a link that is named is followed.
//!
//! # Bounds
//!
//! At most [`FILES_MAX`] files, the most that a content can have, and [`ENTRIES_MAX`] names looked at to find them.

use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};

use pleach_core::content::FILES_MAX;

use crate::store::{PARTIAL_SUFFIXES, StoreError, io_error};

/// Names that are looked at, skipped ones included: far more than a content has files.
const ENTRIES_MAX: usize = 1_000_000;

/// What was found.
#[derive(Debug, Default)]
pub struct Gathered {
    /// Sorted by path; not empty.
    pub files: Vec<Found>,
    /// What the whole is called: as the folder if one was named, as the file if one was, else as the first and how many
    /// more. `None` if the name is not valid Unicode, or there is none, as of the root folder.
    pub name: Option<String>,
    /// Whether it comes out as a folder.
    pub is_folder: bool,
    /// What was left out.
    pub skipped: Skipped,
}

/// A file of the content.
#[derive(Debug)]
pub struct Found {
    /// Where it is.
    pub place: PathBuf,
    /// Its path in the content, components joined by `/`.
    pub path: String,
}

/// What was left out below folders, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Hidden files, and hidden folders with all that is in them.
    pub hidden: usize,
    /// Symbolic links.
    pub links: usize,
    /// Neither files nor folders.
    pub special: usize,
    /// Files and folders of downloads that are not done.
    pub unfinished: usize,
    /// Folders without anything in them.
    pub empty_folders: usize,
}

/// Why there is nothing to share.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    /// A file or folder can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no file in what was named.
    #[error("there is no file in {}", .0.display())]
    NoFile(PathBuf),
    /// More than [`FILES_MAX`].
    #[error("there are more than {FILES_MAX} files in {}", .0.display())]
    TooManyFiles(PathBuf),
    /// More than [`ENTRIES_MAX`].
    #[error("there are more than {ENTRIES_MAX} names in {}, most of which would be left out", .0.display())]
    TooManyEntries(PathBuf),
    /// A name that can't be told to others.
    #[error("{}: the name is not valid Unicode", .0.display())]
    NotUnicode(PathBuf),
}

/// Finds the files of `inputs`, of which there is at least one; with what is hidden if `hidden`.
pub fn gather(inputs: &[PathBuf], hidden: bool) -> Result<Gathered, GatherError> {
    let mut walk = Walk { hidden, entries: 0, gathered: Gathered::default() };
    if let [input] = inputs {
        walk.gathered.name = own_name(input);
        walk.gathered.is_folder = is_folder(input)?;
        walk.input(input, None)?;
    } else {
        let first = inputs.first().and_then(|input| own_name(input));
        walk.gathered.name = first.map(|first| format!("{first} and {} more", inputs.len() - 1));
        walk.gathered.is_folder = true;
        for input in inputs {
            let name = own_name(input).ok_or_else(|| GatherError::NotUnicode(input.clone()))?;
            walk.input(input, Some(name))?;
        }
    }
    let mut gathered = walk.gathered;
    if gathered.files.is_empty() {
        return Err(GatherError::NoFile(inputs.first().cloned().unwrap_or_default()));
    }
    gathered.files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(gathered)
}

fn is_folder(input: &Path) -> Result<bool, StoreError> {
    Ok(fs::metadata(input).map_err(io_error("read", input))?.is_dir())
}

/// The last component of a path; of `.` and the like that of what they mean.
fn own_name(input: &Path) -> Option<String> {
    let absolute = if input.file_name().is_none() || input.ends_with(".") { input.canonicalize().ok() } else { None };
    absolute.as_deref().unwrap_or(input).file_name()?.to_str().map(str::to_owned)
}

struct Walk {
    hidden: bool,
    entries: usize,
    gathered: Gathered,
}

impl Walk {
    /// Takes what was named. Its files' paths begin with `name`, if there is one.
    fn input(&mut self, input: &Path, name: Option<String>) -> Result<(), GatherError> {
        if !is_folder(input)? {
            // One file alone may be given a name, whatever its own is.
            let own = || own_name(input).unwrap_or_default();
            return self.file(input, input.to_owned(), name.unwrap_or_else(own));
        }
        let mut folders = vec![(input.to_owned(), name.unwrap_or_default())];
        while let Some((folder, path)) = folders.pop() {
            self.folder(input, &folder, &path, &mut folders)?;
        }
        Ok(())
    }

    /// Takes the files of one folder, and notes the folders in it.
    fn folder(
        &mut self,
        input: &Path,
        folder: &Path,
        path: &str,
        folders: &mut Vec<(PathBuf, String)>,
    ) -> Result<(), GatherError> {
        let mut is_empty = true;
        for entry in fs::read_dir(folder).map_err(io_error("read", folder))? {
            let entry = entry.map_err(io_error("read", folder))?;
            is_empty = false;
            self.entries += 1;
            if self.entries > ENTRIES_MAX {
                return Err(GatherError::TooManyEntries(input.to_owned()));
            }
            self.entry(input, &entry, path, folders)?;
        }
        self.gathered.skipped.empty_folders += usize::from(is_empty);
        Ok(())
    }

    fn entry(
        &mut self,
        input: &Path,
        entry: &DirEntry,
        path: &str,
        folders: &mut Vec<(PathBuf, String)>,
    ) -> Result<(), GatherError> {
        let (place, name) = (entry.path(), entry.file_name());
        let skipped = &mut self.gathered.skipped;
        let bytes = name.as_encoded_bytes();
        if bytes.starts_with(b".") && !self.hidden {
            skipped.hidden += 1;
            return Ok(());
        }
        if PARTIAL_SUFFIXES.iter().any(|suffix| bytes.ends_with(suffix.as_bytes())) {
            skipped.unfinished += 1;
            return Ok(());
        }
        // Of the entry itself, not of what a link leads to.
        let kind = entry.file_type().map_err(io_error("read", &place))?;
        if kind.is_symlink() {
            skipped.links += 1;
            return Ok(());
        }
        if !kind.is_dir() && !kind.is_file() {
            skipped.special += 1;
            return Ok(());
        }
        let name = name.to_str().ok_or_else(|| GatherError::NotUnicode(place.clone()))?;
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
        if kind.is_dir() {
            folders.push((place, path));
            return Ok(());
        }
        self.file(input, place, path)
    }

    fn file(&mut self, input: &Path, place: PathBuf, path: String) -> Result<(), GatherError> {
        if self.gathered.files.len() == FILES_MAX {
            return Err(GatherError::TooManyFiles(input.to_owned()));
        }
        self.gathered.files.push(Found { place, path });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(place: &Path) {
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, "x").unwrap();
    }

    fn paths(gathered: &Gathered) -> Vec<&str> {
        gathered.files.iter().map(|file| file.path.as_str()).collect()
    }

    #[test]
    fn a_folder_is_gone_through_and_sorted() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("Talks");
        for path in ["b", "a/2", "a/1/deep", "a.b", "z/.hidden/x", ".env", "a/.git/HEAD", "c.pleach-part/x"] {
            write(&folder.join(path));
        }
        fs::create_dir(folder.join("nothing")).unwrap();
        let gathered = gather(std::slice::from_ref(&folder), false).unwrap();
        assert_eq!(paths(&gathered), ["a.b", "a/1/deep", "a/2", "b"]);
        assert_eq!((gathered.name.as_deref(), gathered.is_folder), (Some("Talks"), true));
        let skipped = Skipped { hidden: 3, unfinished: 1, empty_folders: 1, ..Skipped::default() };
        assert_eq!(gathered.skipped, skipped);
        assert_eq!(fs::read(&gathered.files[1].place).unwrap(), b"x");

        let gathered = gather(&[folder.join("a").join("..").join("a").join(".")], true).unwrap();
        assert_eq!((paths(&gathered), gathered.name.as_deref()), (vec![".git/HEAD", "1/deep", "2"], Some("a")));
    }

    #[test]
    fn several_keep_their_names() {
        let directory = tempfile::tempdir().unwrap();
        let place = |path: &str| directory.path().join(path);
        for path in ["b/2", "b/1", "a.txt", ".hidden"] {
            write(&place(path));
        }
        let gathered = gather(&[place("b"), place(".hidden"), place("a.txt")], false).unwrap();
        assert_eq!(
            paths(&gathered),
            [".hidden", "a.txt", "b/1", "b/2"],
            "what is named is taken, and the order is one"
        );
        assert_eq!((gathered.name.as_deref(), gathered.is_folder), (Some("b and 2 more"), true));
        let gathered = gather(&[place("a.txt")], false).unwrap();
        assert_eq!(
            (paths(&gathered), gathered.name.as_deref(), gathered.is_folder),
            (vec!["a.txt"], Some("a.txt"), false)
        );
    }

    #[test]
    fn what_has_no_files_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(gather(&[directory.path().to_owned()], false), Err(GatherError::NoFile(_))));
        assert!(matches!(gather(&[directory.path().join("missing")], false), Err(GatherError::Store(_))));
    }

    #[cfg(unix)]
    #[test]
    fn links_and_special_files_are_left_out() {
        use std::os::unix::ffi::OsStrExt;
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("folder");
        write(&folder.join("file"));
        std::os::unix::fs::symlink(&folder, folder.join("circle")).unwrap();
        std::os::unix::fs::symlink("file", folder.join("link")).unwrap();
        std::os::unix::net::UnixListener::bind(folder.join("socket")).unwrap();
        let gathered = gather(std::slice::from_ref(&folder), false).unwrap();
        assert_eq!(paths(&gathered), ["file"]);
        assert_eq!(gathered.skipped, Skipped { links: 2, special: 1, ..Skipped::default() });
        // One that is named is followed, and has its own name.
        std::os::unix::fs::symlink(&folder, directory.path().join("other")).unwrap();
        let gathered = gather(&[directory.path().join("other")], false).unwrap();
        assert_eq!((paths(&gathered), gathered.name.as_deref()), (vec!["file"], Some("other")));

        write(&folder.join(std::ffi::OsStr::from_bytes(b"\xff")));
        assert!(matches!(gather(&[folder], false), Err(GatherError::NotUnicode(_))));
    }
}
