//! What a manifest says of packed content: that the bytes it transports are made of other files, and how to find which.
//!
//! ```text
//! files   |    talk.mp4     |   notes.txt   |          known to who can read the index
//! plain   |  s0   |  s1   |  s2   |   s3    |          segments of equal length, across files
//! packed  | s0' | s1'     | s2' |  s3'  |              each compressed, encrypted, or both: the content, of this id
//! ```
//!
//! The engine, trackers and servers move the packed bytes and need not know what they are. The *index* tells the files
//! and the segments. It stands in the manifest, in the clear if the content is only compressed, else sealed. This module
//! knows neither codecs nor ciphers: it hands the index on as it is written, within bounds, to the crate that does.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::listing::Listing;
use super::manifest::ManifestError;

/// What the one file of packed content is called, so that its true name is told by the index only.
pub const PACKED_PATH: &str = "packed";
/// What encryption adds: the tag by which a changed text is known.
const TAG_BYTES: usize = 16;
/// Memory of the key's derivation, in KiB: at most what a page can have.
const MEMORY_KIB_MAX: u32 = 256 << 10;
/// Passes over that memory.
const PASSES_MAX: u32 = 16;
/// Lanes that the memory is divided into; each needs 8 KiB.
const LANES_MAX: u32 = 4;
/// Bytes of a salt.
const SALT_BYTES: core::ops::RangeInclusive<usize> = 8..=64;

/// Where the index of packed content is.
#[derive(Clone, PartialEq, Eq)]
pub enum Packed {
    /// In the clear: JSON. The content is compressed and not encrypted.
    Clear(String),
    /// Encrypted, as the content is.
    Sealed {
        /// The encrypted index.
        sealed: Vec<u8>,
        /// How the key comes out of a password. `None`: the key is in the link.
        password: Option<Argon2id>,
    },
}

/// How Argon2id (RFC 9106) makes a key of a password; within the limits of what a page can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argon2id {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: Vec<u8>,
}

impl Argon2id {
    /// Checks the limits: 8 KiB a lane to 256 MiB of memory, 1 to 16 passes, 1 to 4 lanes, a salt of 8 to 64 bytes.
    pub fn new(memory_kib: u32, passes: u32, lanes: u32, salt: &[u8]) -> Result<Self, ManifestError> {
        let is_good = (1..=LANES_MAX).contains(&lanes)
            && (1..=PASSES_MAX).contains(&passes)
            && (8 * lanes..=MEMORY_KIB_MAX).contains(&memory_kib)
            && SALT_BYTES.contains(&salt.len());
        if !is_good {
            return Err(ManifestError::Packed("what makes a key of the password is beyond the limits"));
        }
        Ok(Self { memory_kib, passes, lanes, salt: salt.to_owned() })
    }

    /// Memory that it takes, in KiB.
    pub fn memory_kib(&self) -> u32 {
        self.memory_kib
    }

    /// Passes over the memory.
    pub fn passes(&self) -> u32 {
        self.passes
    }

    /// Lanes that the memory is divided into.
    pub fn lanes(&self) -> u32 {
        self.lanes
    }

    /// What makes equal passwords into different keys.
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }
}

impl core::fmt::Debug for Packed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Clear(index) => write!(f, "Clear({} bytes)", index.len()),
            Self::Sealed { sealed, password } => write!(f, "Sealed({} bytes, {password:?})", sealed.len()),
        }
    }
}

/// The field as it is written.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PackedField {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    index: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kdf: Option<KdfField>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct KdfField {
    #[serde(default)]
    argon2id: Option<Argon2idField>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Argon2idField {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: String,
}

impl PackedField {
    pub(super) fn of(packed: &Packed) -> Self {
        let kdf = |password: &Argon2id| KdfField {
            argon2id: Some(Argon2idField {
                memory_kib: password.memory_kib,
                passes: password.passes,
                lanes: password.lanes,
                salt: URL_SAFE_NO_PAD.encode(&password.salt),
            }),
        };
        match packed {
            // What is no JSON is refused when the manifest is read again as everybody will.
            Packed::Clear(index) => Self { index: RawValue::from_string(index.clone()).ok(), sealed: None, kdf: None },
            Packed::Sealed { sealed, password } => {
                Self { index: None, sealed: Some(URL_SAFE_NO_PAD.encode(sealed)), kdf: password.as_ref().map(kdf) }
            }
        }
    }

    /// `listing` is the manifest's own.
    pub(super) fn check(self, listing: &Listing) -> Result<Packed, ManifestError> {
        let refuse = |why| Err(ManifestError::Packed(why));
        let is_plain = matches!(listing.files(), [file] if file.path == PACKED_PATH && file.media_type.is_none());
        if !is_plain || listing.given_name().is_some() {
            return refuse("it must be one file, called 'packed', of no other name or type");
        }
        match (self.index, self.sealed, self.kdf) {
            (Some(index), None, None) => Ok(Packed::Clear(index.get().to_owned())),
            (None, Some(sealed), kdf) => {
                let Ok(sealed) = URL_SAFE_NO_PAD.decode(sealed) else {
                    return refuse("what is sealed is not base64url");
                };
                if sealed.len() <= TAG_BYTES {
                    return refuse("what is sealed is too short");
                }
                let password = kdf.map(KdfField::check).transpose()?;
                Ok(Packed::Sealed { sealed, password })
            }
            _ => refuse("it must have an index, or a sealed one"),
        }
    }
}

impl KdfField {
    fn check(self) -> Result<Argon2id, ManifestError> {
        let Some(field) = self.argon2id else {
            return Err(ManifestError::Packed(
                "its password is made into a key in a way that this program does not know",
            ));
        };
        let salt = URL_SAFE_NO_PAD.decode(field.salt);
        let salt = salt.map_err(|_| ManifestError::Packed("the password's salt is not base64url"))?;
        Argon2id::new(field.memory_kib, field.passes, field.lanes, &salt)
    }
}

#[cfg(test)]
mod tests;
