//! The index of packed content: its files, and the segments that they are made of.
//!
//! ```json
//! {
//!   "name": "Talks",
//!   "files": [{ "path": "talk.mp4", "size_bytes": 700000, "media_type": "video/mp4" }],
//!   "size_bytes": 700000,
//!   "encrypted": true,
//!   "segments": [
//!     { "len_bytes": 262144, "packed_bytes": 262160, "codec": "none", "count": 2 },
//!     { "len_bytes": 175712, "packed_bytes": 90210, "codec": "zstd" }
//!   ]
//! }
//! ```
//!
//! Alike segments that follow each other are one run, so that what does not compress (videos, pictures, archives) has
//! two runs whatever its size. Names and files are read by the same rules as a manifest's.

use pleach_core::content::{ByteRange, FileEntry, Listing};
use serde::{Deserialize, Serialize};

use crate::error::PackingError;
use crate::sealing::TAG_BYTES;

/// Most runs of segments. As many segments of which each is packed to another length are 64 GiB.
pub const RUNS_MAX: usize = 16_384;
/// Longest segment, in plain bytes: what is decoded at once.
pub const SEGMENT_BYTES_MAX: u32 = 4 << 20;
/// Longest index as JSON. In a manifest it is shorter, or sealed, and then compressed.
pub const INDEX_BYTES_MAX: usize = 4 << 20;

/// How a segment is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// As it is: it would hardly have become shorter.
    #[default]
    None,
    /// Zstandard, one frame.
    Zstd,
}

/// Segments that are alike and follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Length of each in the files.
    pub len_bytes: u32,
    /// Length of each in what is transported.
    pub packed_bytes: u32,
    /// How they are compressed.
    #[serde(default)]
    pub codec: Codec,
    /// How many there are.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub count: u32,
}

fn one() -> u32 {
    1
}

fn is_one(count: &u32) -> bool {
    *count == 1
}

/// A valid index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    listing: Listing,
    size_bytes: u64,
    is_encrypted: bool,
    runs: Vec<Run>,
    /// Where each run begins.
    starts: Vec<Start>,
    /// Where the last one ends.
    end: Start,
}

/// A place between two segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Start {
    segment: u32,
    plain_bytes: u64,
    packed_bytes: u64,
}

impl Start {
    /// After a run, or some segments of one; `None` beyond all limits.
    fn after(self, run: &Run, count: u32) -> Option<Self> {
        let (len_bytes, packed_bytes) = (u64::from(run.len_bytes), u64::from(run.packed_bytes));
        Some(Self {
            segment: self.segment.checked_add(count)?,
            plain_bytes: self.plain_bytes.checked_add(len_bytes * u64::from(count))?,
            packed_bytes: self.packed_bytes.checked_add(packed_bytes * u64::from(count))?,
        })
    }
}

/// Where a segment is, in the files and in what is transported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentPlace {
    /// Its number.
    pub segment: u32,
    /// Where it is in the files' bytes.
    pub plain: ByteRange,
    /// Where it is in what is transported.
    pub packed: ByteRange,
    /// How it is compressed.
    pub codec: Codec,
}

/// The index as it is written.
#[derive(Serialize, Deserialize)]
struct Fields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    files: Vec<FileEntry>,
    size_bytes: u64,
    encrypted: bool,
    segments: Vec<Run>,
}

impl Index {
    /// Checks an index: that the files are such as can be saved, and that the segments are they, within the limits.
    pub fn new(listing: Listing, is_encrypted: bool, runs: Vec<Run>) -> Result<Self, PackingError> {
        if runs.len() > RUNS_MAX {
            return Err(PackingError::TooLong("there are more than 16,384 runs of segments"));
        }
        let tag_bytes = if is_encrypted { TAG_BYTES as u32 } else { 0 };
        let mut starts = Vec::with_capacity(runs.len());
        let mut end = Start::default();
        for run in &runs {
            check_run(run, tag_bytes)?;
            starts.push(end);
            end = end.after(run, run.count).ok_or(PackingError::Index("there are too many segments"))?;
        }
        let size_bytes = listing.layout().size_bytes();
        if end.plain_bytes != size_bytes {
            return Err(PackingError::Index("the segments are not as long as the files together"));
        }
        Ok(Self { listing, size_bytes, is_encrypted, runs, starts, end })
    }

    /// Reads an index.
    pub fn parse(json: &[u8]) -> Result<Self, PackingError> {
        if json.len() > INDEX_BYTES_MAX {
            return Err(PackingError::TooLong("it has more than 4 MiB"));
        }
        let fields: Fields = serde_json::from_slice(json).map_err(|error| PackingError::Json(error.to_string()))?;
        let listing = Listing::new(fields.name, fields.files, fields.size_bytes)?;
        Self::new(listing, fields.encrypted, fields.segments)
    }

    /// Writes the index.
    pub fn to_json(&self) -> Result<String, PackingError> {
        let fields = Fields {
            name: self.listing.given_name().map(str::to_owned),
            files: self.listing.files().to_vec(),
            size_bytes: self.size_bytes,
            encrypted: self.is_encrypted,
            segments: self.runs.clone(),
        };
        serde_json::to_string(&fields).map_err(|error| PackingError::Json(error.to_string()))
    }

    /// The files, and what they are called.
    pub fn listing(&self) -> &Listing {
        &self.listing
    }

    /// Bytes of all files.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Bytes that are transported.
    pub fn packed_bytes(&self) -> u64 {
        self.end.packed_bytes
    }

    /// Whether segments are encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    /// Whether any segment is compressed.
    pub fn is_compressed(&self) -> bool {
        self.runs.iter().any(|run| run.codec != Codec::None)
    }

    /// How many segments.
    pub fn segments(&self) -> u32 {
        self.end.segment
    }

    /// Where a segment is.
    pub fn segment(&self, segment: u32) -> Option<SegmentPlace> {
        if segment >= self.end.segment {
            return None;
        }
        let run = self.starts.partition_point(|start| start.segment <= segment).checked_sub(1)?;
        self.place_in(run, segment)
    }

    /// The segment that a byte of the files is in.
    pub fn segment_at(&self, plain_bytes: u64) -> Option<SegmentPlace> {
        if plain_bytes >= self.size_bytes {
            return None;
        }
        let run = self.starts.partition_point(|start| start.plain_bytes <= plain_bytes).checked_sub(1)?;
        let start = self.starts[run];
        let within = (plain_bytes - start.plain_bytes) / u64::from(self.runs[run].len_bytes);
        self.place_in(run, start.segment + u32::try_from(within).ok()?)
    }

    /// The segment that a byte of what is transported is in.
    pub fn segment_at_packed(&self, packed_bytes: u64) -> Option<SegmentPlace> {
        if packed_bytes >= self.end.packed_bytes {
            return None;
        }
        let run = self.starts.partition_point(|start| start.packed_bytes <= packed_bytes).checked_sub(1)?;
        let start = self.starts[run];
        let within = (packed_bytes - start.packed_bytes) / u64::from(self.runs[run].packed_bytes);
        self.place_in(run, start.segment + u32::try_from(within).ok()?)
    }

    /// What is to be had so that a stretch of the files can be read: the segments that it is in.
    pub fn packed_range(&self, plain: ByteRange) -> ByteRange {
        let around = |first: Option<SegmentPlace>, last: Option<SegmentPlace>| match (first, last) {
            (Some(first), Some(last)) => ByteRange { start: first.packed.start, end: last.packed.end },
            _ => ByteRange { start: self.end.packed_bytes, end: self.end.packed_bytes },
        };
        let plain = ByteRange { start: plain.start, end: plain.end.min(self.size_bytes) };
        if plain.is_empty() {
            return around(None, None);
        }
        around(self.segment_at(plain.start), self.segment_at(plain.end - 1))
    }

    /// What of the files a stretch of what is transported has something of.
    pub fn plain_range(&self, packed: ByteRange) -> ByteRange {
        let packed = ByteRange { start: packed.start, end: packed.end.min(self.end.packed_bytes) };
        if packed.is_empty() {
            return ByteRange { start: self.size_bytes, end: self.size_bytes };
        }
        match (self.segment_at_packed(packed.start), self.segment_at_packed(packed.end - 1)) {
            (Some(first), Some(last)) => ByteRange { start: first.plain.start, end: last.plain.end },
            _ => ByteRange { start: self.size_bytes, end: self.size_bytes },
        }
    }

    fn place_in(&self, run: usize, segment: u32) -> Option<SegmentPlace> {
        let (run, start) = (self.runs.get(run)?, self.starts.get(run)?);
        let from = start.after(run, segment - start.segment)?;
        let to = from.after(run, 1)?;
        Some(SegmentPlace {
            segment,
            plain: ByteRange { start: from.plain_bytes, end: to.plain_bytes },
            packed: ByteRange { start: from.packed_bytes, end: to.packed_bytes },
            codec: run.codec,
        })
    }
}

fn check_run(run: &Run, tag_bytes: u32) -> Result<(), PackingError> {
    let refuse = |why| Err(PackingError::Index(why));
    if run.count == 0 {
        return refuse("a run has no segments");
    }
    if run.len_bytes == 0 || run.len_bytes > SEGMENT_BYTES_MAX {
        return refuse("a segment is empty, or longer than 4 MiB");
    }
    let stored_bytes = run.len_bytes + tag_bytes;
    match run.codec {
        Codec::None if run.packed_bytes == stored_bytes => Ok(()),
        Codec::None => refuse("a segment that is not compressed has another length than its bytes"),
        Codec::Zstd if run.packed_bytes > tag_bytes && run.packed_bytes <= stored_bytes => Ok(()),
        Codec::Zstd => refuse("a compressed segment is empty, or longer than its bytes"),
    }
}
