//! Files as people see them: what they are called, and under which names they are saved.
//!
//! A manifest lists the files that it transports, the index of packed content those that are in it. Both are a stranger's
//! words about what is to be written to somebody's disk, so both are read by the rules that stand here.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::layout::Layout;
use super::manifest::{FILES_MAX, ManifestError, check_count, shorten};
use super::text;

/// Longest media type, in bytes.
const MEDIA_TYPE_BYTES_MAX: usize = 127;

/// One file of a content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Where it goes, relative to the folder the content is saved in: components joined by `/`, valid on any system.
    pub path: String,
    /// Its size.
    pub size_bytes: u64,
    /// Its media type (RFC 6838), if the author tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
}

/// A valid list of files, and what the whole is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    name: Option<String>,
    files: Vec<FileEntry>,
}

impl Listing {
    /// Checks names, paths and media types, and that the files have `size_bytes` together. At most [`FILES_MAX`] files.
    pub fn new(name: Option<String>, files: Vec<FileEntry>, size_bytes: u64) -> Result<Self, ManifestError> {
        check_count("files", files.len(), FILES_MAX)?;
        if files.is_empty() {
            return Err(ManifestError::NoFile);
        }
        for file in &files {
            text::check_path(&file.path).map_err(|reason| path_error(&file.path, reason))?;
            if let Some(media_type) = file.media_type.as_ref().filter(|media_type| !is_media_type(media_type)) {
                return Err(ManifestError::MediaType(shorten(media_type, MEDIA_TYPE_BYTES_MAX)));
            }
        }
        check_apart(&files)?;
        let files_bytes = files.iter().fold(0, |sum: u64, file| sum.saturating_add(file.size_bytes));
        if files_bytes != size_bytes {
            return Err(ManifestError::Sum { files_bytes, size_bytes });
        }
        if let Some(name) = &name {
            text::check_component(name).map_err(|reason| path_error(name, reason))?;
        }
        Ok(Self { name, files })
    }

    /// The name that the author gave the whole, if any: what is written, where [`Listing::name`] is what is shown.
    pub fn given_name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What to call it: the name its author gave, else the file's, else that of the folder that all files are in, else
    /// that of the first file.
    pub fn name(&self) -> &str {
        let first = self.files().first().map_or("", |file| file.path.as_str());
        let file_name = first.rsplit('/').next().unwrap_or(first);
        match (&self.name, self.files()) {
            (Some(name), _) => name,
            (None, [_]) => file_name,
            (None, _) => self.top_folder().unwrap_or(file_name),
        }
    }

    /// Whether it is to be saved as a folder: it has several files, or one that lies in a folder.
    pub fn is_folder(&self) -> bool {
        !matches!(self.files(), [file] if !file.path.contains('/'))
    }

    /// What to save it as: a file, or a folder, of this name. A folder without a name of its own is called as the one
    /// that all its files are in.
    pub fn saved_name(&self) -> &str {
        let top = self.top_folder().filter(|_| self.name.is_none());
        top.unwrap_or_else(|| self.name())
    }

    /// Where the files go below the folder that [`Listing::saved_name`] names, in order: their paths, without the
    /// folder that all are in if it gave the whole its name.
    pub fn saved_paths(&self) -> impl ExactSizeIterator<Item = &str> {
        let top = self.top_folder().filter(|_| self.name.is_none());
        let cut_bytes = top.map_or(0, |top| top.len() + 1);
        self.files().iter().map(move |file| &file.path[cut_bytes..])
    }

    /// The folder that all files are in, if they are in one.
    fn top_folder(&self) -> Option<&str> {
        let (top, _) = self.files().first()?.path.split_once('/')?;
        let is_in = |path: &str| path.strip_prefix(top).is_some_and(|rest| rest.starts_with('/'));
        self.files().iter().all(|file| is_in(&file.path)).then_some(top)
    }

    /// The media type, if the content is one file and its author told.
    pub fn media_type(&self) -> Option<&str> {
        match self.files() {
            [file] => file.media_type.as_deref(),
            _ => None,
        }
    }

    /// The files, in the order in which their bytes make up the content; at least one.
    pub fn files(&self) -> &[FileEntry] {
        &self.files
    }

    /// Where each file lies in the content.
    pub fn layout(&self) -> Layout {
        Layout::new(self.files().iter().map(|file| file.size_bytes))
    }
}

/// No two files may meet in one place, not even on a system that takes upper and lower case for the same.
fn check_apart(files: &[FileEntry]) -> Result<(), ManifestError> {
    let mut paths = BTreeSet::new();
    for file in files {
        if !paths.insert(file.path.to_lowercase()) {
            return Err(ManifestError::SamePath(file.path.clone()));
        }
    }
    for path in &paths {
        let mut folders = path.match_indices('/').map(|(end, _)| &path[..end]);
        if let Some(folder) = folders.find(|folder| paths.contains(*folder)) {
            return Err(ManifestError::SamePath(folder.to_owned()));
        }
    }
    Ok(())
}

/// `type/subtype`, and perhaps parameters, in printable ASCII: it goes into HTTP headers.
fn is_media_type(text: &str) -> bool {
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b));
    let essence = text.split(';').next().unwrap_or(text).trim_end_matches(' ');
    text.len() <= MEDIA_TYPE_BYTES_MAX
        && text.bytes().all(|b| (b' '..=b'~').contains(&b))
        && essence.split_once('/').is_some_and(|(kind, subtype)| is_name(kind) && is_name(subtype))
}

fn path_error(name: &str, reason: &'static str) -> ManifestError {
    ManifestError::Path { name: shorten(name, 100), reason }
}
