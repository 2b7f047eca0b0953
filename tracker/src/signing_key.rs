//! The file of the secret that signs orders: 64 hexadecimal digits, for its owner's eyes only.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use pleach_core::ids::TrackerKey;
use pleach_core::tracker::SigningSeed;
use rand::TryRngCore;
use rand::rngs::OsRng;

/// Reads the secret; makes one where there is no file. What is wrong is told for people.
pub(crate) fn load_or_make(path: &Path) -> Result<SigningSeed, String> {
    let in_file = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    match fs::read_to_string(path) {
        Ok(text) => parse(&text).ok_or_else(|| in_file(&"is not 64 hexadecimal digits")),
        Err(error) if error.kind() == ErrorKind::NotFound => make(path).map_err(|error| in_file(&error)),
        Err(error) => Err(in_file(&error)),
    }
}

fn parse(text: &str) -> Option<SigningSeed> {
    // A key of as many bytes knows how to read them.
    let bytes: TrackerKey = text.trim().parse().ok()?;
    Some(SigningSeed(*bytes.as_bytes()))
}

fn make(path: &Path) -> std::io::Result<SigningSeed> {
    let mut seed = [0; 32];
    OsRng.try_fill_bytes(&mut seed).map_err(std::io::Error::other)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(format!("{}\n", TrackerKey::from_bytes(seed)).as_bytes())?;
    Ok(SigningSeed(seed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_was_made_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let made = load_or_make(&path).unwrap();
        assert_eq!(load_or_make(&path).unwrap(), made);
        assert_eq!(fs::read_to_string(&path).unwrap().trim().len(), 64);
    }

    #[test]
    fn what_is_no_key_is_refused_with_its_path() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "12345").unwrap();
        let error = load_or_make(file.path()).unwrap_err();
        assert!(error.contains("hexadecimal") && error.contains(&file.path().display().to_string()), "{error}");
    }
}
