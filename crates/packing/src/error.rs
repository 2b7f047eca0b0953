//! Why packed content can't be read, for people.

use pleach_core::content::ManifestError;

/// Why packed content can't be read, or made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackingError {
    /// The manifest describes content that is not packed.
    #[error("the content is neither compressed nor encrypted")]
    NotPacked,
    /// It is encrypted, and there is no key.
    #[error("the content is encrypted, and the link has no key: was it copied whole?")]
    KeyMissing,
    /// A text that is no key.
    #[error("the key is damaged: was the link copied whole?")]
    KeyDamaged,
    /// The key is another content's, or the sealed index was changed.
    #[error("the key does not open this content: is it that of another link?")]
    KeyWrong,
    /// It is encrypted with a password, and there is none.
    #[error("the content asks for a password")]
    PasswordMissing,
    /// The password is another.
    #[error("the password is wrong")]
    PasswordWrong,
    /// Empty, or longer than a password may be.
    #[error("a password has at least one character, and at most 1024 bytes")]
    PasswordLength,
    /// There is no memory to make the key.
    #[error("there is not enough memory to make a key of the password")]
    Memory,
    /// The index is too long.
    #[error("the list of files and segments is too long: {0}")]
    TooLong(&'static str),
    /// The index is no JSON, or lacks a field.
    #[error("the list of files and segments can't be read: {0}")]
    Json(String),
    /// The index contradicts itself or what it is an index of.
    #[error("the list of files and segments is wrong: {0}")]
    Index(&'static str),
    /// The files in the index are not such as can be saved.
    #[error("{0}")]
    Files(#[from] ManifestError),
    /// A segment does not come out as its author said.
    #[error("segment {0} can't be unpacked: its author packed it wrongly, or it was changed")]
    Segment(u32),
    /// The bytes to be packed are more or fewer than was said.
    #[error("the files changed while they were packed")]
    Changed,
}
