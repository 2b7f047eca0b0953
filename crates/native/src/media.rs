//! Where films and sound can be cut, and which bytes of them a player needs first ([002] claim 1: segments of varied
//! length; claim 6: priorities that the author gives).
//!
//! A player reads a container's index before anything else, wherever it lies, then from one point on at which decoding can
//! begin. So the index is to come first, and segments begin at such points:
//!
//! ```text
//! MP4            | ftyp moov |  mdat: from one key frame to the next   |        the index may be at the end
//! MP4, fragments | ftyp moov | moof mdat | moof mdat | moof mdat |     |
//! WebM           | EBML Info Tracks | Cluster | Cluster | Cluster | Cues |
//! HLS            | playlist, init | part | part | part |                       files of a folder, or parts of one
//! ```
//!
//! The containers are read by parsers of others; here is only which of their parts matter. A file that no parser knows,
//! or that is damaged, is one that can't be cut: nobody is kept from publishing it.
//!
//! # Bounds
//!
//! At most [`PARTS_MAX`] parts of a container are looked at, and what is decoded has at most [`INDEX_BYTES_MAX`]; beyond
//! these a file is not cut, or no further.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use pleach_core::content::{ByteRange, Emphasis};

mod hls;
mod mp4;
mod webm;

/// Parts of a container that are looked at.
const PARTS_MAX: usize = 1_000_000;
/// Longest index that is decoded: that of a film of days.
const INDEX_BYTES_MAX: u64 = 64 << 20;
/// Files with an index, and stretches of indices, that are given a priority; what is beyond comes in its order.
const EMPHASES_MAX: usize = 2_048;
/// Of what a player needs before all else.
const INDEX_PRIORITY: u8 = u8::MAX;
/// Of what it shows first.
const BEGINNING_PRIORITY: u8 = 128;

/// One file of a content.
#[derive(Clone, Copy, Debug)]
pub struct MediaFile<'a> {
    /// Where it is on the disk.
    pub place: &'a Path,
    /// Its path in the content.
    pub path: &'a str,
    /// Its bytes in the content.
    pub range: ByteRange,
}

/// How a content is cut by what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaCuts {
    /// Where segments begin, in bytes of the content; in no order, and there may be more than a content can have.
    pub cuts: Vec<u64>,
    /// What is to come first.
    pub emphases: Vec<Emphasis>,
}

/// What one file has, in bytes of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Parts {
    /// Where decoding can begin, ascending.
    cuts: Vec<u64>,
    /// What is needed before that.
    index: Vec<ByteRange>,
}

/// Looks into all files of a content. What can't be read is not cut; whoever hashes it will say so.
pub fn cuts_of(files: &[MediaFile<'_>]) -> MediaCuts {
    let mut parts: BTreeMap<&str, Parts> = BTreeMap::new();
    let mut playlists = Vec::new();
    for file in files {
        match look_into(file) {
            Some(Found::Parts(found)) => drop(parts.insert(file.path, found)),
            Some(Found::Playlist(text)) => playlists.push((file.path, text)),
            None => {}
        }
    }
    for (path, text) in playlists {
        let whole = |path: &str| files.iter().find(|file| file.path == path).map(|file| file.range.len());
        let playlist = ByteRange { start: 0, end: text.len() as u64 };
        parts.entry(path).or_default().index.push(playlist);
        for (path, found) in hls::parts(path, &text) {
            let Some((file, len_bytes)) = files.iter().find(|file| file.path == path).zip(whole(&path)) else {
                continue;
            };
            let known = parts.entry(file.path).or_default();
            known.cuts.extend(found.cuts.iter().filter(|cut| **cut < len_bytes));
            let to_the_end = |range: &ByteRange| ByteRange { end: range.end.min(len_bytes), ..*range };
            known.index.extend(found.index.iter().map(to_the_end));
        }
    }
    in_content(files, &parts)
}

/// What a file turned out to be.
enum Found {
    Parts(Parts),
    Playlist(Vec<u8>),
}

fn look_into(file: &MediaFile<'_>) -> Option<Found> {
    let mut reader = BufReader::new(File::open(file.place).ok()?);
    let mut head = [0; 12];
    reader.read_exact(&mut head).ok()?;
    reader.seek(SeekFrom::Start(0)).ok()?;
    let len_bytes = file.range.len();
    if head.starts_with(b"#EXTM3U") && len_bytes <= INDEX_BYTES_MAX {
        let mut text = Vec::new();
        reader.take(INDEX_BYTES_MAX).read_to_end(&mut text).ok()?;
        return Some(Found::Playlist(text));
    }
    let is_mp4 = [&b"ftyp"[..], b"styp", b"moov"].contains(&&head[4..8]);
    if is_mp4 {
        mp4::parts(&mut reader, len_bytes).map(Found::Parts)
    } else if head.starts_with(&webm::MAGIC) {
        webm::parts(&mut reader, len_bytes).map(Found::Parts)
    } else {
        None
    }
}

/// All files' parts, where they are in the content. Each file begins a segment.
fn in_content(files: &[MediaFile<'_>], parts: &BTreeMap<&str, Parts>) -> MediaCuts {
    let mut all = MediaCuts::default();
    for file in files {
        let at = file.range.start;
        all.cuts.push(at);
        let Some(parts) = parts.get(file.path) else { continue };
        all.cuts.extend(parts.cuts.iter().map(|cut| at + cut));
        let mut emphasise = |range: ByteRange, priority| {
            let range = ByteRange { start: at + range.start, end: at + range.end };
            if !range.is_empty() && range.end <= file.range.end && all.emphases.len() < EMPHASES_MAX {
                all.emphases.push(Emphasis { range, priority });
            }
        };
        if let Some(first) = parts.cuts.first() {
            let end = parts.cuts.get(1).copied().unwrap_or(file.range.len());
            emphasise(ByteRange { start: *first, end }, BEGINNING_PRIORITY);
        }
        for range in &parts.index {
            emphasise(*range, INDEX_PRIORITY);
        }
    }
    all
}

#[cfg(test)]
mod tests;
