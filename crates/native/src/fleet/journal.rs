//! What of an agent outlives its process: a file for each delivery it knows, and its description.
//!
//! ```text
//! STATE/REQUEST.json      the terms, and how it stands; written whole or not at all
//! STATE/REQUEST.pleach    the description, once it was fetched
//! ```
//!
//! What can't be read is left out, and said: the tracker tells of it again.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use pleach_core::fleet::SavedJob;
use pleach_core::ids::{ManifestDigest, RequestId};

/// Longest file that is read: terms with all their sources, or a description.
const FILE_BYTES_MAX: u64 = 2 << 20;

/// A folder of what is known.
#[derive(Clone, Debug)]
pub(super) struct Journal(PathBuf);

impl Journal {
    /// Makes the folder if need be, and reads what is in it.
    pub(super) fn open(folder: &Path) -> io::Result<(Self, Vec<SavedJob>)> {
        fs::create_dir_all(folder)?;
        let mut kept = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                match read(&path).and_then(|bytes| Ok(serde_json::from_slice(&bytes)?)) {
                    Ok(job) => kept.push(job),
                    Err(error) => tracing::warn!(path = %path.display(), %error, "not read"),
                }
            }
        }
        Ok((Self(folder.to_owned()), kept))
    }

    /// Keeps a delivery.
    pub(super) fn save(&self, job: &SavedJob) -> io::Result<()> {
        let bytes = serde_json::to_vec(job).map_err(io::Error::other)?;
        self.write(&format!("{}.json", job.terms.id), &bytes)
    }

    /// Forgets one.
    pub(super) fn forget(&self, request: RequestId) {
        for suffix in ["json", "pleach"] {
            // What is not there is forgotten already.
            let _ = fs::remove_file(self.0.join(format!("{request}.{suffix}")));
        }
    }

    /// Keeps the description of a delivery.
    pub(super) fn save_manifest(&self, request: RequestId, manifest: &[u8]) -> io::Result<()> {
        self.write(&format!("{request}.pleach"), manifest)
    }

    /// The description of a delivery, if it was kept whole.
    pub(super) fn manifest(&self, request: RequestId, digest: &ManifestDigest) -> Option<Vec<u8>> {
        let bytes = read(&self.0.join(format!("{request}.pleach"))).ok()?;
        (ManifestDigest::of(&bytes) == *digest).then_some(bytes)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(&self.0)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(self.0.join(name))?;
        Ok(())
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    if fs::metadata(path)?.len() > FILE_BYTES_MAX {
        return Err(io::Error::other("it is too long"));
    }
    fs::read(path)
}
