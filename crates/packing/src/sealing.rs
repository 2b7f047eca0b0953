//! Authenticated encryption: XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha; ChaCha20 and Poly1305 of RFC 8439).
//!
//! A nonce must never come twice under one key. A content's secret is never another's, and each derived key has one
//! purpose: the index is sealed once, under a key of its own, so its nonce may be zero; a segment's nonce is its number,
//! and a number's bytes are always the same, because the id in the link is the hash of all of them.

use core::fmt;

use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use pleach_core::ids::ContentId;

use crate::key::Key;

/// What encryption adds to an index, and to each segment.
pub const TAG_BYTES: usize = 16;

const INDEX_PURPOSE: &str = "pleach 2026 sealed index";
const SEGMENTS_PURPOSE: &str = "pleach 2026 sealed segments";
/// What a sealed index is bound to, before the content's id.
const INDEX_BOUND_TO: &[u8] = b"pleach sealed index 1";

/// Encrypts the index of a content.
#[cfg(feature = "native")]
pub(crate) fn seal_index(key: &Key, id: ContentId, mut index: Vec<u8>) -> Vec<u8> {
    seal(&cipher(key, INDEX_PURPOSE), &XNonce::default(), &bound_to(id), &mut index);
    index
}

/// Decrypts the index of a content; `None` if the key is another, or anything was changed.
pub(crate) fn open_index(key: &Key, id: ContentId, sealed: &[u8]) -> Option<Vec<u8>> {
    let mut index = sealed.to_vec();
    open(&cipher(key, INDEX_PURPOSE), &XNonce::default(), &bound_to(id), &mut index)?;
    Some(index)
}

fn bound_to(id: ContentId) -> Vec<u8> {
    [INDEX_BOUND_TO, id.as_bytes()].concat()
}

fn cipher(key: &Key, purpose: &str) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new((&*key.derive(purpose)).into())
}

/// Encrypts and decrypts the segments of one content.
#[derive(Clone)]
pub(crate) struct SegmentCipher(XChaCha20Poly1305);

impl SegmentCipher {
    pub(crate) fn new(key: &Key) -> Self {
        Self(cipher(key, SEGMENTS_PURPOSE))
    }

    /// Encrypts in place; [`TAG_BYTES`] are added.
    #[cfg(feature = "native")]
    pub(crate) fn seal(&self, segment: u32, bytes: &mut Vec<u8>) {
        seal(&self.0, &nonce(segment), &[], bytes);
    }

    /// Decrypts in place; `None` if anything was changed.
    pub(crate) fn open(&self, segment: u32, bytes: &mut Vec<u8>) -> Option<()> {
        open(&self.0, &nonce(segment), &[], bytes)
    }
}

impl fmt::Debug for SegmentCipher {
    /// For logs: without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SegmentCipher(…)")
    }
}

/// The segment's number, little-endian, and zeros.
fn nonce(segment: u32) -> XNonce {
    let mut nonce = XNonce::default();
    nonce[..4].copy_from_slice(&segment.to_le_bytes());
    nonce
}

#[cfg(feature = "native")]
fn seal(cipher: &XChaCha20Poly1305, nonce: &XNonce, bound_to: &[u8], bytes: &mut Vec<u8>) {
    // Fails for texts beyond 256 GiB only, which an index and a segment are far below.
    let tag = cipher.encrypt_inout_detached(nonce, bound_to, InOutBuf::from(&mut bytes[..]));
    bytes.extend_from_slice(&tag.expect("a text of a few MiB can be encrypted"));
}

fn open(cipher: &XChaCha20Poly1305, nonce: &XNonce, bound_to: &[u8], bytes: &mut Vec<u8>) -> Option<()> {
    let len = bytes.len().checked_sub(TAG_BYTES)?;
    let tag = Tag::try_from(&bytes[len..]).ok()?;
    bytes.truncate(len);
    cipher.decrypt_inout_detached(nonce, bound_to, InOutBuf::from(&mut bytes[..]), &tag).ok()
}
