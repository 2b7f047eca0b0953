//! An opened index with its key: what turns segments into what is transported, and back.

use pleach_core::content::{Argon2id, Manifest, Packed};
#[cfg(feature = "native")]
use pleach_core::ids::ContentId;

use crate::codec;
use crate::error::PackingError;
use crate::index::{Codec, INDEX_BYTES_MAX, Index};
use crate::key::Key;
use crate::sealing::{self, SegmentCipher};

/// How one content is packed.
#[derive(Clone, Debug)]
pub struct Packing {
    index: Index,
    cipher: Option<SegmentCipher>,
}

impl Packing {
    /// Opens the index of a manifest, with the key if it is encrypted; one that it has no need of is not looked at. If
    /// the key came of a password, [`PackingError::PasswordWrong`] says that it is the wrong one.
    pub fn open(manifest: &Manifest, key: Option<&Key>) -> Result<Self, PackingError> {
        let packing = match (manifest.packed(), key) {
            (None, _) => return Err(PackingError::NotPacked),
            (Some(Packed::Clear(index)), _) => Self { index: Index::parse(index.as_bytes())?, cipher: None },
            (Some(Packed::Sealed { password: None, .. }), None) => return Err(PackingError::KeyMissing),
            (Some(Packed::Sealed { .. }), None) => return Err(PackingError::PasswordMissing),
            (Some(Packed::Sealed { sealed, password }), Some(key)) => {
                let wrong = if password.is_some() { PackingError::PasswordWrong } else { PackingError::KeyWrong };
                let index = sealing::open_index(key, manifest.id(), sealed).ok_or(wrong)?;
                let index = codec::decompress_up_to(&index, INDEX_BYTES_MAX);
                let index = index.ok_or(PackingError::Index("it can't be decompressed"))?;
                Self { index: Index::parse(&index)?, cipher: Some(SegmentCipher::new(key)) }
            }
        };
        if packing.index.is_encrypted() != packing.cipher.is_some() {
            return Err(PackingError::Index("it does not say truly whether it is encrypted"));
        }
        if packing.index.packed_bytes() != manifest.size_bytes() {
            return Err(PackingError::Index("the segments are not as long as the content"));
        }
        Ok(packing)
    }

    /// Of an index that was just made.
    #[cfg(feature = "native")]
    pub(crate) fn new(index: Index, key: Option<&Key>) -> Self {
        Self { index, cipher: key.map(SegmentCipher::new) }
    }

    /// The files and segments.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// What a manifest says of it. The index is sealed with `key`, which is that of the content; `password` tells how it
    /// was made, if it is one's.
    #[cfg(feature = "native")]
    pub fn describe(
        &self,
        id: ContentId,
        key: Option<&Key>,
        password: Option<Argon2id>,
    ) -> Result<Packed, PackingError> {
        let index = self.index.to_json()?;
        let Some(key) = key else { return Ok(Packed::Clear(index)) };
        if index.len() > INDEX_BYTES_MAX {
            return Err(PackingError::TooLong("it has more than 4 MiB"));
        }
        let compressed = codec::Compressor::default().compress(index.as_bytes()).ok_or(PackingError::Memory)?;
        Ok(Packed::Sealed { sealed: sealing::seal_index(key, id, compressed), password })
    }

    /// Turns a segment into what is transported: the same as when the index was made, if the bytes are. `None` if they
    /// are not of that length, or don't compress as they did: then they are certainly others.
    #[cfg(feature = "native")]
    pub fn encode_segment(&self, segment: u32, plain: &[u8]) -> Option<Vec<u8>> {
        let place = self.index.segment(segment)?;
        if plain.len() as u64 != place.plain.len() {
            return None;
        }
        let mut packed = match place.codec {
            Codec::None => plain.to_vec(),
            Codec::Zstd => codec::Compressor::default().compress(plain)?,
        };
        if let Some(cipher) = &self.cipher {
            cipher.seal(segment, &mut packed);
        }
        (packed.len() as u64 == place.packed.len()).then_some(packed)
    }

    /// Turns what was transported into the segment that it was made of.
    pub fn decode_segment(&self, segment: u32, packed: Vec<u8>) -> Result<Vec<u8>, PackingError> {
        let refuse = PackingError::Segment(segment);
        let place = self.index.segment(segment).ok_or(refuse.clone())?;
        if packed.len() as u64 != place.packed.len() {
            return Err(refuse);
        }
        let mut bytes = packed;
        if let Some(cipher) = &self.cipher {
            cipher.open(segment, &mut bytes).ok_or(refuse.clone())?;
        }
        match place.codec {
            Codec::None => Ok(bytes),
            // A valid index has segments of a few MiB at most.
            Codec::Zstd => codec::decompress(&bytes, place.plain.len() as usize).ok_or(refuse),
        }
    }
}

/// How the key of a content is made of a password, if it is.
pub fn derivation(manifest: &Manifest) -> Option<&Argon2id> {
    match manifest.packed() {
        Some(Packed::Sealed { password, .. }) => password.as_ref(),
        Some(Packed::Clear(_)) | None => None,
    }
}
