//! Zstandard (RFC 8878): one frame a segment. Natively the reference library, in WebAssembly one in Rust.
//!
//! What decodes knows the length that must come out, and gives up at the first byte more. A frame's window is at most
//! [`WINDOW_BYTES_MAX`], so memory is bounded before anything is decoded.

/// Largest window that a frame may ask for: what a segment of the largest length takes, and twice that.
#[cfg(feature = "pure")]
const WINDOW_BYTES_MAX: u64 = 8 << 20;
/// The library's own default: level 3 packs some 300 MB/s a core.
#[cfg(feature = "native")]
const LEVEL: i32 = 3;

/// Decodes what must be exactly `len_bytes`.
pub(crate) fn decompress(packed: &[u8], len_bytes: usize) -> Option<Vec<u8>> {
    let plain = decompress_up_to(packed, len_bytes)?;
    (plain.len() == len_bytes).then_some(plain)
}

/// Decodes what may be up to `max_bytes`; `None` if it is more, or damaged.
#[cfg(feature = "native")]
pub(crate) fn decompress_up_to(packed: &[u8], max_bytes: usize) -> Option<Vec<u8>> {
    let mut plain = vec![0; max_bytes];
    let len_bytes = zstd::bulk::Decompressor::new().ok()?.decompress_to_buffer(packed, &mut plain[..]).ok()?;
    plain.truncate(len_bytes);
    Some(plain)
}

/// Decodes what may be up to `max_bytes`; `None` if it is more, or damaged.
#[cfg(all(feature = "pure", not(feature = "native")))]
pub(crate) fn decompress_up_to(packed: &[u8], max_bytes: usize) -> Option<Vec<u8>> {
    decompress_in_rust(packed, max_bytes)
}

/// What pages do.
#[cfg(feature = "pure")]
#[cfg_attr(feature = "native", allow(dead_code, reason = "with both, this is for tests that compare the two"))]
pub(crate) fn decompress_in_rust(packed: &[u8], max_bytes: usize) -> Option<Vec<u8>> {
    let mut decoder = ruzstd::decoding::FrameDecoder::new();
    decoder.set_max_window_size(WINDOW_BYTES_MAX);
    let mut plain = vec![0; max_bytes];
    let len_bytes = decoder.decode_all(packed, &mut plain).ok()?;
    plain.truncate(len_bytes);
    Some(plain)
}

/// Compresses; the same library gives the same bytes for the same ones.
#[cfg(feature = "native")]
#[derive(Default)]
pub(crate) struct Compressor(Option<zstd::bulk::Compressor<'static>>);

#[cfg(feature = "native")]
impl Compressor {
    /// `None` if there is no memory for it.
    pub(crate) fn compress(&mut self, plain: &[u8]) -> Option<Vec<u8>> {
        if self.0.is_none() {
            self.0 = zstd::bulk::Compressor::new(LEVEL).ok();
        }
        self.0.as_mut()?.compress(plain).ok()
    }
}
