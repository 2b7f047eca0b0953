//! Descriptors: parts of a content of which any subset is useful ([004] claim 32, multiple description coding).
//!
//! An encoder makes a picture, say, into `n` descriptions. One of them shows it coarsely, each further one makes it
//! finer, whichever they are. Here a descriptor is a name and a list of stretches; the engine tells when all bytes of one
//! are there (the event `Descriptor`). What they mean is the affair of who encodes and decodes.
//!
//! ```text
//! packets     | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 |      dealt to 4
//! descriptor  | a | b | c | d | a | b | c | d | a |
//! stripe of 8 | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 0 |      a flows as stripes 0 and 4
//! ```
//!
//! A content that is [`dealt`] so, packet by packet, has descriptors that are stripe sets of their own where their
//! number divides that of the stripes, because packets are dealt to stripes in the same way: each flows down trees of its
//! own, and a tree that breaks costs one descriptor for a while and not a bit of each.

use serde::{Deserialize, Serialize};

use super::geometry::{ByteRange, PACKET_BYTES};
use super::manifest::{ManifestError, check_count};
use super::text;

/// Most descriptors of one content.
pub const DESCRIPTORS_MAX: usize = 64;
/// Most runs of one content's descriptors together.
const RUNS_MAX: usize = 1_024;
/// Most stretches of one content's descriptors together: 64 GiB dealt by packets.
const STRETCHES_MAX: u64 = 1 << 20;

/// A part of a content that is of use without the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptor {
    /// What people know it by, if the author tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Which bytes it is, in order; at least one.
    pub runs: Vec<DescriptorRun>,
}

/// Stretches of equal length at equal distances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescriptorRun {
    /// Where the first begins in the content.
    pub offset_bytes: u64,
    /// Length of each, at least 1.
    pub len_bytes: u64,
    /// How many there are, at least 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub count: u64,
    /// From the beginning of one to that of the next, at least their length; 0 where there is one only.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub every_bytes: u64,
}

impl Descriptor {
    /// Its bytes, in the order in which they are put together; no two overlap.
    pub fn ranges(&self) -> impl Iterator<Item = ByteRange> + '_ {
        self.runs.iter().flat_map(|run| (0..run.count).map(|index| run.stretch(index)))
    }

    /// How many bytes it has.
    pub fn size_bytes(&self) -> u64 {
        self.runs.iter().map(|run| run.len_bytes * run.count).sum()
    }

    /// Whether any of its bytes is in a range.
    pub fn touches(&self, range: ByteRange) -> bool {
        self.runs.iter().any(|run| run.touches(range))
    }
}

impl DescriptorRun {
    fn stretch(&self, index: u64) -> ByteRange {
        let start = self.offset_bytes + index * self.every_bytes;
        ByteRange { start, end: start + self.len_bytes }
    }

    fn touches(&self, range: ByteRange) -> bool {
        // The last stretch that begins before the range ends.
        let Some(from) = range.end.checked_sub(self.offset_bytes).filter(|from| *from > 0) else { return false };
        let last = ((from - 1).checked_div(self.every_bytes).unwrap_or(0)).min(self.count - 1);
        !range.is_empty() && self.stretch(last).end > range.start
    }

    /// Where it ends; `None` if it is not one, or ends beyond all contents.
    fn end(&self) -> Option<u64> {
        let is_one = self.count == 1 && self.every_bytes == 0;
        let are_apart = self.count > 1 && self.every_bytes >= self.len_bytes;
        if self.len_bytes == 0 || !(is_one || are_apart) {
            return None;
        }
        let last = self.offset_bytes.checked_add(self.every_bytes.checked_mul(self.count - 1)?)?;
        last.checked_add(self.len_bytes)
    }
}

/// Descriptors of which each has every so-manieth packet, the first beginning with the first. There are no more than
/// packets, nor than [`DESCRIPTORS_MAX`].
pub fn dealt(size_bytes: u64, descriptors: usize) -> Vec<Descriptor> {
    let packet_bytes = u64::from(PACKET_BYTES);
    let packets = size_bytes.div_ceil(packet_bytes);
    let dealt_to = (descriptors.min(DESCRIPTORS_MAX) as u64).min(packets);
    let every_bytes = dealt_to * packet_bytes;
    let run = |offset_bytes, len_bytes, count: u64| DescriptorRun {
        offset_bytes,
        len_bytes,
        count,
        every_bytes: if count > 1 { every_bytes } else { 0 },
    };
    let deal = |index: u64| {
        let offset_bytes = index * packet_bytes;
        let count = (packets - index).div_ceil(dealt_to);
        let last_bytes = offset_bytes + (count - 1) * every_bytes;
        let left_bytes = (size_bytes - last_bytes).min(packet_bytes);
        let whole = if left_bytes == packet_bytes { count } else { count - 1 };
        let mut runs = Vec::new();
        if whole > 0 {
            runs.push(run(offset_bytes, packet_bytes, whole));
        }
        if whole < count {
            runs.push(run(last_bytes, left_bytes, 1));
        }
        Descriptor { name: None, runs }
    };
    (0..dealt_to).map(deal).collect()
}

/// Checks what a manifest says.
pub(super) fn check_descriptors(descriptors: &[Descriptor], size_bytes: u64) -> Result<(), ManifestError> {
    check_count("descriptors", descriptors.len(), DESCRIPTORS_MAX)?;
    let runs = descriptors.iter().map(|descriptor| descriptor.runs.len()).sum();
    check_count("runs of descriptors", runs, RUNS_MAX)?;
    let mut stretches = 0_u64;
    for (index, descriptor) in descriptors.iter().enumerate() {
        let refuse = |reason| ManifestError::Descriptor { index, reason };
        if let Some(name) = &descriptor.name {
            text::check_component(name).map_err(refuse)?;
        }
        if descriptor.runs.is_empty() {
            return Err(refuse("it has no bytes"));
        }
        let mut end_bytes = 0;
        for run in &descriptor.runs {
            let end = run.end().ok_or(refuse("a run is empty, or its stretches overlap"))?;
            if run.offset_bytes < end_bytes || end > size_bytes {
                return Err(refuse("a run is not in order, or not in the content"));
            }
            end_bytes = end;
            stretches = stretches.saturating_add(run.count);
        }
    }
    check_count("stretches of descriptors", usize::try_from(stretches).unwrap_or(usize::MAX), STRETCHES_MAX as usize)
}

const fn one() -> u64 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
const fn is_one(count: &u64) -> bool {
    *count == 1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
const fn is_zero(bytes: &u64) -> bool {
    *bytes == 0
}

#[cfg(test)]
mod tests;
