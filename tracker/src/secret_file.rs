//! Files of secrets of 32 bytes: 64 hexadecimal digits, for their owner's eyes only. The key that signs orders and
//! transport requests is in one, the token of a fleet in another, and at a machine of a fleet its identity.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use pleach_core::ids::TrackerKey;
use rand::TryRngCore;
use rand::rngs::OsRng;

/// Reads the secret; makes one where there is no file. What is wrong is told for people.
pub fn load_or_make(path: &Path) -> Result<[u8; 32], String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => make(path).map_err(|error| in_file(path, &error)),
        read => parse(path, read),
    }
}

/// Reads the secret. What is wrong is told for people.
pub fn load(path: &Path) -> Result<[u8; 32], String> {
    parse(path, fs::read_to_string(path))
}

fn in_file(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}

fn parse(path: &Path, read: std::io::Result<String>) -> Result<[u8; 32], String> {
    let text = read.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    // A key of as many bytes knows how to read them.
    let bytes: Option<TrackerKey> = text.trim().parse().ok();
    bytes.map(|bytes| *bytes.as_bytes()).ok_or_else(|| in_file(path, &"is not 64 hexadecimal digits"))
}

/// A file that is there is never replaced.
fn make(path: &Path) -> std::io::Result<[u8; 32]> {
    let mut secret = [0; 32];
    OsRng.try_fill_bytes(&mut secret).map_err(std::io::Error::other)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(format!("{}\n", TrackerKey::from_bytes(secret)).as_bytes())?;
    file.sync_all()?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_was_made_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert!(load(&path).is_err());
        let made = load_or_make(&path).unwrap();
        assert_eq!((load_or_make(&path), load(&path)), (Ok(made), Ok(made)));
        assert_eq!(fs::read_to_string(&path).unwrap().trim().len(), 64);
    }

    #[test]
    fn what_is_no_secret_is_refused_with_its_path() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "12345").unwrap();
        let error = load_or_make(file.path()).unwrap_err();
        assert!(error.contains("hexadecimal") && error.contains(&file.path().display().to_string()), "{error}");
    }
}
