//! An author's own list of segments ([002] claim 6): a text file, one range a line, each with its priority.
//!
//! ```text
//! # the index, then the first minute
//! -64KiB=255
//! 0-4MiB=200
//! 4MiB-20MiB       # a segment of its own, in no hurry
//! ```
//!
//! What no line names is segments too, between those that are named.
//!
//! # Bounds
//!
//! A file of up to [`LIST_BYTES_MAX`], with as many ranges as a manifest has segments.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use pleach_core::content::{ByteRange, Emphasis, SEGMENTS_MAX};
use pleach_native::store::plain;

use crate::args::{self, Priority};
use crate::exit::{Code, Error, Result};

/// Longest list: 64 bytes for each segment that there can be.
const LIST_BYTES_MAX: u64 = 64 * SEGMENTS_MAX as u64;

/// The ranges that an author listed, of a content whose size is not known yet.
#[derive(Debug)]
pub(crate) struct SegmentList {
    file: PathBuf,
    /// Each with the number of its line.
    ranges: Vec<(usize, Priority)>,
}

impl SegmentList {
    /// Fails with the line that can't be read.
    pub(crate) fn read(file: &Path) -> Result<Self> {
        let refuse =
            |why: &str| Error::new(Code::Storage, format!("cannot read the segments in {}: {why}", file.display()));
        let mut text = String::new();
        let opened = File::open(file).map_err(|error| refuse(&plain(&error).to_string()))?;
        let read = opened.take(LIST_BYTES_MAX + 1).read_to_string(&mut text);
        read.map_err(|error| refuse(&plain(&error).to_string()))?;
        if text.len() as u64 > LIST_BYTES_MAX {
            return Err(refuse("it has more than 1 MiB"));
        }
        let list = Self { file: file.to_owned(), ranges: Vec::new() };
        list.parse(&text)
    }

    fn parse(mut self, text: &str) -> Result<Self> {
        for (line, text) in (1..).zip(text.lines()) {
            let range = text.split('#').next().unwrap_or_default().trim();
            if range.is_empty() {
                continue;
            }
            if self.ranges.len() == SEGMENTS_MAX {
                return Err(self.wrong(line, &format!("there can be {SEGMENTS_MAX} segments at most")));
            }
            let range = args::listed_range(range).map_err(|why| self.wrong(line, &why))?;
            self.ranges.push((line, range));
        }
        if self.ranges.is_empty() {
            return Err(Error::usage(format!("{}: there is no range in it", self.file.display())));
        }
        Ok(self)
    }

    /// The ranges in a content of this size. Fails with the first line whose range is not in it, or has bytes of one
    /// before it.
    pub(crate) fn in_content(&self, size_bytes: u64) -> Result<Vec<Emphasis>> {
        let mut taken: Vec<(ByteRange, usize)> = Vec::with_capacity(self.ranges.len());
        for (line, Priority { range, .. }) in &self.ranges {
            let range = range.in_content(size_bytes);
            if range.start >= range.end {
                return Err(
                    self.wrong(*line, &format!("none of these bytes are in the content, which has {size_bytes}"))
                );
            }
            taken.push((range, *line));
        }
        let mut sorted = taken.clone();
        sorted.sort_unstable_by_key(|(range, line)| (range.start, *line));
        let overlaps = sorted.windows(2).filter(|pair| pair[1].0.start < pair[0].0.end);
        let first = overlaps.map(|pair| (pair[0].1.max(pair[1].1), pair[0].1.min(pair[1].1))).min();
        if let Some((line, before)) = first {
            return Err(self.wrong(line, &format!("it has bytes that line {before} has too")));
        }
        let priorities = self.ranges.iter().map(|(_, Priority { priority, .. })| *priority);
        Ok(taken.into_iter().zip(priorities).map(|((range, _), priority)| Emphasis { range, priority }).collect())
    }

    fn wrong(&self, line: usize, why: &str) -> Error {
        Error::usage(format!("{}, line {line}: {why}", self.file.display()))
    }
}
