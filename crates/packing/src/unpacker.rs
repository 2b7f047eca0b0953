//! Packed bytes in, the files' bytes out, in order, with one segment in memory.

use crate::error::PackingError;
use crate::packing::Packing;

/// Decodes content from its beginning to its end.
#[derive(Debug)]
pub struct Unpacker {
    packing: Packing,
    segment: u32,
    /// What has come of the segment that is next: less than all of it, so at most 4 MiB.
    begun: Vec<u8>,
}

impl Unpacker {
    /// From the beginning.
    pub fn new(packing: Packing) -> Self {
        Self { packing, segment: 0, begun: Vec::new() }
    }

    /// Takes packed bytes, and gives each segment that is whole.
    pub fn push<E: From<PackingError>>(
        &mut self,
        mut packed: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(place) = self.packing.index().segment(self.segment).filter(|_| !packed.is_empty()) {
            let missing = place.packed.len() as usize - self.begun.len();
            let (piece, rest) = packed.split_at(missing.min(packed.len()));
            self.begun.extend_from_slice(piece);
            packed = rest;
            if self.begun.len() as u64 == place.packed.len() {
                let plain = self.packing.decode_segment(self.segment, std::mem::take(&mut self.begun))?;
                take(&plain)?;
                self.segment += 1;
            }
        }
        Ok(())
    }

    /// Whether everything has come.
    pub fn is_done(&self) -> bool {
        self.segment == self.packing.index().segments()
    }
}
