//! The secret of a content, and the keys that are made of it.
//!
//! One secret of 32 bytes, fresh for each content, is in the link or comes of a password. What encrypts is derived from
//! it, one key for each purpose (BLAKE3's key derivation), so that a nonce has its meaning in its purpose only.

use core::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pleach_core::content::Argon2id;
use zeroize::Zeroizing;

use crate::error::PackingError;

/// Bytes of a key.
pub(crate) const KEY_BYTES: usize = 32;
/// Longest password, in bytes of UTF-8.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// Memory that a password's key takes, in KiB: [RFC 9106](https://www.rfc-editor.org/rfc/rfc9106#section-4)'s second
/// recommendation, which a phone's browser can do too.
const MEMORY_KIB: u32 = 64 << 10;
/// Passes over it, from the same place.
const PASSES: u32 = 3;
/// One lane: a page has one thread for it.
const LANES: u32 = 1;

/// The secret of one content. Gone from memory when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Zeroizing<[u8; KEY_BYTES]>);

impl Key {
    /// Of random bytes, which must not have been another content's.
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads what is written in links.
    pub fn parse(text: &str) -> Result<Self, PackingError> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).map_err(|_| PackingError::KeyDamaged)?);
        let bytes = <[u8; KEY_BYTES]>::try_from(&bytes[..]).map_err(|_| PackingError::KeyDamaged)?;
        Ok(Self::from_bytes(bytes))
    }

    /// As links have it: base64url without padding.
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.0[..])
    }

    /// How this version makes a key of a password, with a random salt.
    pub fn derivation(salt: [u8; 16]) -> Result<Argon2id, PackingError> {
        Ok(Argon2id::new(MEMORY_KIB, PASSES, LANES, &salt)?)
    }

    /// Makes the key of a password; takes about a second and much memory, which is what keeps others from trying many.
    pub fn of_password(password: &str, how: &Argon2id) -> Result<Self, PackingError> {
        if password.is_empty() || password.len() > PASSWORD_BYTES_MAX {
            return Err(PackingError::PasswordLength);
        }
        let params = Params::new(how.memory_kib(), how.passes(), how.lanes(), Some(KEY_BYTES));
        // The limits that the manifest was read with are narrower than those of the algorithm.
        let params =
            params.map_err(|_| PackingError::Index("what makes a key of the password is beyond the limits"))?;
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(password.as_bytes(), how.salt(), &mut key[..])
            .map_err(|_| PackingError::Memory)?;
        Ok(Self(key))
    }

    /// The key for one purpose.
    pub(crate) fn derive(&self, purpose: &str) -> Zeroizing<[u8; KEY_BYTES]> {
        Zeroizing::new(blake3::derive_key(purpose, &self.0[..]))
    }
}

impl fmt::Debug for Key {
    /// For logs: without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}
