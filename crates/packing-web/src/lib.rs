//! Compressed and encrypted content in a page: a module of its own, which is loaded when a link leads to such content.
//!
//! It runs in a worker: the key of a password takes a second, a segment some milliseconds, and the page's thread moves
//! packets. What it is given and gives is in `web/src/packing`.
#![forbid(unsafe_code)]

use pleach_core::content::{ByteRange, FileEntry, Manifest};
use pleach_packing::{Key, Packing, PackingError, derivation};
use serde_json::json;
use wasm_bindgen::prelude::*;

/// An opened content.
#[wasm_bindgen]
pub struct PackedContent(Packing);

/// Where a segment is, in bytes of the files and of what is transported.
#[wasm_bindgen]
pub struct SegmentPlace {
    /// Its number.
    pub segment: u32,
    /// The first byte of the files that is in it.
    pub start: f64,
    /// One past the last.
    pub end: f64,
    /// Where it begins in what is transported.
    #[wasm_bindgen(js_name = packedStart)]
    pub packed_start: f64,
    /// And where it ends.
    #[wasm_bindgen(js_name = packedEnd)]
    pub packed_end: f64,
}

#[wasm_bindgen]
impl PackedContent {
    /// Opens the index of a manifest with what its content asks for. Throws an `Error` that says what is wrong, which is
    /// called `WrongPassword` if another password may help.
    pub fn open(
        manifest: &[u8],
        #[wasm_bindgen(unchecked_param_type = "string | null")] key: Option<String>,
        #[wasm_bindgen(unchecked_param_type = "string | null")] password: Option<String>,
    ) -> Result<Self, js_sys::Error> {
        open(manifest, key, password).map(Self)
    }

    /// What is in it: an object as JSON, `PackedInfo` in `web/src/packing/protocol.ts`.
    pub fn info(&self) -> String {
        let index = self.0.index();
        let (listing, layout) = (index.listing(), index.listing().layout());
        let file = |(at, file): (usize, &FileEntry)| {
            let plain = layout.file_range(at);
            let packed = index.packed_range(plain);
            json!({
                "path": file.path, "mediaType": file.media_type.as_deref().unwrap_or_default(),
                "start": plain.start, "end": plain.end, "packedStart": packed.start, "packedEnd": packed.end,
            })
        };
        let files: Vec<_> = listing.files().iter().enumerate().map(file).collect();
        json!({
            "name": listing.name(), "mediaType": listing.media_type().unwrap_or_default(), "files": files,
            "sizeBytes": index.size_bytes(), "packedBytes": index.packed_bytes(), "isEncrypted": index.is_encrypted(),
        })
        .to_string()
    }

    /// The segment that a byte of the files is in; nothing beyond their end.
    #[wasm_bindgen(js_name = segmentAt)]
    pub fn segment_at(&self, offset: f64) -> Option<SegmentPlace> {
        let place = self.0.index().segment_at(offset as u64)?;
        let numbers = |range: ByteRange| (range.start as f64, range.end as f64);
        let ((start, end), (packed_start, packed_end)) = (numbers(place.plain), numbers(place.packed));
        Some(SegmentPlace { segment: place.segment, start, end, packed_start, packed_end })
    }

    /// The bytes of the files that a segment was made of, in `room` if they fit, which may be where `packed` lies: a new
    /// buffer for each segment is garbage of as many bytes as the content has. Throws an `Error` if they are not what the
    /// author said.
    pub fn decode(
        &self,
        segment: u32,
        packed: Vec<u8>,
        room: &js_sys::Uint8Array,
    ) -> Result<js_sys::Uint8Array, js_sys::Error> {
        let plain = self.0.decode_segment(segment, packed).map_err(explain)?;
        let len_bytes = u32::try_from(plain.len()).unwrap_or(u32::MAX);
        if room.length() < len_bytes {
            return Ok(js_sys::Uint8Array::from(&plain[..]));
        }
        let part = room.subarray(0, len_bytes);
        part.copy_from(&plain);
        Ok(part)
    }
}

fn open(manifest: &[u8], key: Option<String>, password: Option<String>) -> Result<Packing, js_sys::Error> {
    let manifest = Manifest::parse(manifest).map_err(|error| js_sys::Error::new(&error.to_string()))?;
    let key = match (derivation(&manifest), key, password) {
        (Some(how), _, Some(password)) => Some(Key::of_password(&password, how).map_err(explain)?),
        (Some(_), _, None) => None,
        (None, key, _) => key.map(|key| Key::parse(&key)).transpose().map_err(explain)?,
    };
    Packing::open(&manifest, key.as_ref()).map_err(explain)
}

fn explain(error: PackingError) -> js_sys::Error {
    let thrown = js_sys::Error::new(&error.to_string());
    match error {
        PackingError::PasswordWrong | PackingError::PasswordMissing | PackingError::PasswordLength => {
            thrown.set_name("WrongPassword");
        }
        PackingError::KeyMissing | PackingError::KeyDamaged | PackingError::KeyWrong => thrown.set_name("WrongKey"),
        _ => {}
    }
    thrown
}
