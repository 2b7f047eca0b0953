//! Files that are given packed: segments are encoded when somebody asks for them.
//!
//! The same segment gives the same bytes each time (see [`Packing::encode_segment`]), so nothing but the index has to be
//! kept of what was hashed. A file that changed meanwhile gives other bytes, or fewer, and the engine, which checks what
//! it reads, says so.
//!
//! # Bounds
//!
//! The last encoded segments are kept, [`RECENT_BYTES_MAX`] of them: packets are much smaller, and several children read
//! at several places. Beyond, the one that was not used for longest goes, and is encoded again when it is asked for.

use std::collections::VecDeque;
use std::sync::Arc;

use pleach_core::content::ByteRange;
use pleach_packing::Packing;

use super::error::StoreError;
use super::files::{Files, Places};

/// Encoded bytes that are kept: eight of the longest segments.
const RECENT_BYTES_MAX: usize = 32 << 20;

/// Reads packed content out of plain files.
#[derive(Debug)]
pub(super) struct PackedReader {
    packing: Arc<Packing>,
    /// The one used last is last.
    recent: VecDeque<(u32, Vec<u8>)>,
}

impl PackedReader {
    pub(super) fn new(packing: Packing) -> Self {
        Self::sharing(Arc::new(packing))
    }

    pub(super) fn sharing(packing: Arc<Packing>) -> Self {
        Self { packing, recent: VecDeque::new() }
    }

    pub(super) fn packing(&self) -> &Arc<Packing> {
        &self.packing
    }

    /// Reads a stretch of the packed content. Gives less where it ends, or where the files are not what they were.
    pub(super) fn read<P: Places>(
        &mut self,
        files: &mut Files<P>,
        offset_bytes: u64,
        len_bytes: u32,
    ) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::with_capacity(len_bytes as usize);
        let end_bytes = offset_bytes.saturating_add(u64::from(len_bytes));
        while let Some(place) = self.packing.index().segment_at_packed(offset_bytes + bytes.len() as u64) {
            let at_bytes = offset_bytes + bytes.len() as u64;
            if at_bytes >= end_bytes {
                break;
            }
            let Some(segment) = self.segment(files, place.segment, place.plain)? else { break };
            let from = (at_bytes - place.packed.start) as usize;
            let to = (end_bytes.min(place.packed.end) - place.packed.start) as usize;
            bytes.extend_from_slice(&segment[from..to]);
        }
        Ok(bytes)
    }

    /// An encoded segment; `None` if the files are not what they were.
    fn segment<P: Places>(
        &mut self,
        files: &mut Files<P>,
        segment: u32,
        plain: ByteRange,
    ) -> Result<Option<&[u8]>, StoreError> {
        let held = match self.recent.iter().rposition(|(held, _)| *held == segment) {
            Some(at) => self.recent.remove(at),
            None => {
                // An index has no segment beyond 4 MiB.
                let bytes = files.read(plain.start, plain.len() as u32)?;
                self.packing.encode_segment(segment, &bytes).map(|packed| (segment, packed))
            }
        };
        let Some(held) = held else { return Ok(None) };
        let mut kept_bytes = held.1.len() + self.recent.iter().map(|(_, packed)| packed.len()).sum::<usize>();
        while kept_bytes > RECENT_BYTES_MAX
            && let Some((_, oldest)) = self.recent.pop_front()
        {
            kept_bytes -= oldest.len();
        }
        self.recent.push_back(held);
        Ok(self.recent.back().map(|(_, packed)| &packed[..]))
    }
}
