//! A buffer that files are read into, where the system copies fast.
//!
//! Linux copies out of its cache by `rep movsb`. Some processors (AMD's, Zen 3 at least) do that four times as slowly to a
//! place that begins a few bytes into a page, which is where allocators put large buffers: behind 16 bytes of their own
//! (Xuanwo, "Rust std fs slower than Python!? No, it's hardware!", 2023).

use std::ops::{Deref, DerefMut};

/// Pages have this length, or a multiple of it.
const PAGE_BYTES: usize = 4096;

/// So many bytes from the beginning of a page on, all zero at first; a page more is allocated.
#[derive(Debug)]
pub(super) struct AlignedBuffer {
    bytes: Vec<u8>,
    start: usize,
    len_bytes: usize,
}

impl AlignedBuffer {
    pub(super) fn new(len_bytes: usize) -> Self {
        let bytes = vec![0; len_bytes + PAGE_BYTES];
        // It may say that it can't tell: then the beginning does as well.
        let start = Some(bytes.as_ptr().align_offset(PAGE_BYTES)).filter(|start| *start < PAGE_BYTES).unwrap_or(0);
        Self { bytes, start, len_bytes }
    }
}

impl Deref for AlignedBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.len_bytes]
    }
}

impl DerefMut for AlignedBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + self.len_bytes]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_where_a_page_does() {
        for len_bytes in [0, 1, 16 << 10, 1 << 20] {
            let buffer = AlignedBuffer::new(len_bytes);
            assert_eq!((buffer.len(), buffer.as_ptr().addr() % PAGE_BYTES), (len_bytes, 0));
        }
    }
}
