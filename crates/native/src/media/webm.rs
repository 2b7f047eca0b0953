//! WebM and Matroska (RFC 9559): elements in a segment, of which clusters are what is shown.

use std::io::{Read, Seek, SeekFrom};

use mkv_element::io::blocking_impl::ReadFrom;
use mkv_element::prelude::{Cluster, Ebml, Element, Header, Segment};
use pleach_core::content::ByteRange;

use super::{PARTS_MAX, Parts};

/// What a file begins with.
pub(super) const MAGIC: [u8; 4] = [0x1a, 0x45, 0xdf, 0xa3];

pub(super) fn parts(reader: &mut (impl Read + Seek), len_bytes: u64) -> Option<Parts> {
    let (ebml, ebml_end) = header_at(reader, 0, len_bytes)?;
    let (segment, segment_end) = header_at(reader, ebml_end, len_bytes)?;
    if ebml.id != Ebml::ID || segment.id != Segment::ID {
        return None;
    }
    let mut found = Parts::default();
    let mut start = reader.stream_position().ok()?;
    found.index.push(ByteRange { start: 0, end: start });
    for _ in 0..PARTS_MAX {
        if start >= segment_end {
            break;
        }
        // A live recording does not say how long its clusters are: it is cut where they begin as far as they are known.
        let Some((header, end)) = header_at(reader, start, segment_end) else { break };
        match found.index.last_mut() {
            _ if header.id == Cluster::ID => found.cuts.push(start),
            Some(last) if last.end == start => last.end = end,
            _ => found.index.push(ByteRange { start, end }),
        }
        start = end;
    }
    Some(found)
}

/// The header of the element that begins at `start`, and where the element ends, at most at `limit`. What follows the
/// header is to be read next.
fn header_at(reader: &mut (impl Read + Seek), start: u64, limit: u64) -> Option<(Header, u64)> {
    reader.seek(SeekFrom::Start(start)).ok()?;
    let header = Header::read_from(reader).ok()?;
    let body = reader.stream_position().ok()?;
    let end = if header.size.is_unknown { limit } else { body.saturating_add(header.size.value).min(limit) };
    (body <= limit).then_some((header, end))
}
