//! MP4 (ISO/IEC 14496-12): boxes one after the other; `moov` is the index, `moof` begins a fragment.

use std::io::{Read, Seek, SeekFrom};

use mp4_atom::{FourCC, Header, Moov, ReadFrom, Stbl, StszSamples};
use pleach_core::content::ByteRange;

use super::{INDEX_BYTES_MAX, PARTS_MAX, Parts};

/// What is needed before anything can be shown.
const INDEX: [&[u8; 4]; 5] = [b"ftyp", b"moov", b"sidx", b"mfra", b"meta"];
/// What a fragment begins with; `styp` comes before its `moof`.
const FRAGMENT: [&[u8; 4]; 2] = [b"styp", b"moof"];

/// A box, in bytes of the file.
struct Part {
    kind: FourCC,
    range: ByteRange,
}

pub(super) fn parts(reader: &mut (impl Read + Seek), len_bytes: u64) -> Option<Parts> {
    let boxes = boxes(reader, len_bytes)?;
    let is_one_of = |part: &Part, kinds: &[&[u8; 4]]| kinds.iter().any(|kind| part.kind == FourCC::new(kind));
    let mut found = Parts::default();
    let mut is_in_fragment = false;
    for part in &boxes {
        if is_one_of(part, &INDEX) {
            found.index.push(part.range);
        }
        let begins = is_one_of(part, &FRAGMENT);
        if begins && !is_in_fragment {
            found.cuts.push(part.range.start);
        }
        is_in_fragment = begins;
    }
    if found.cuts.is_empty() {
        let moov = boxes.iter().find(|part| part.kind == FourCC::new(b"moov"));
        found.cuts = moov.and_then(|part| key_frames(reader, part.range)).unwrap_or_default();
        found.cuts.retain(|cut| *cut < len_bytes);
    }
    Some(found)
}

fn boxes(reader: &mut (impl Read + Seek), len_bytes: u64) -> Option<Vec<Part>> {
    let (mut boxes, mut start) = (Vec::new(), 0);
    while start < len_bytes && boxes.len() < PARTS_MAX {
        reader.seek(SeekFrom::Start(start)).ok()?;
        // A file that was cut off has its boxes up to there.
        let Ok(header) = Header::read_from(reader) else { break };
        let body = reader.stream_position().ok()?;
        let end = header.size.map_or(Some(len_bytes), |size| body.checked_add(size as u64))?;
        boxes.push(Part { kind: header.kind, range: ByteRange { start, end: end.min(len_bytes) } });
        start = end;
    }
    Some(boxes)
}

/// Where the key frames of the first video begin, or nothing if there is none or each frame is one, as in sound.
fn key_frames(reader: &mut (impl Read + Seek), moov: ByteRange) -> Option<Vec<u64>> {
    if moov.len() > INDEX_BYTES_MAX {
        return None;
    }
    reader.seek(SeekFrom::Start(moov.start)).ok()?;
    let mut bytes = Vec::new();
    reader.take(moov.len()).read_to_end(&mut bytes).ok()?;
    let moov = Moov::read_from(&mut bytes.as_slice()).ok()?;
    let mut videos = moov.trak.iter().filter(|track| track.mdia.hdlr.handler == FourCC::new(b"vide"));
    let table = &videos.next()?.mdia.minf.stbl;
    let numbers = &table.stss.as_ref()?.entries;
    let offsets = sample_offsets(table)?;
    // They count from 1.
    let mut cuts: Vec<u64> =
        numbers.iter().filter_map(|number| offsets.get(number.checked_sub(1)? as usize)).copied().collect();
    cuts.sort_unstable();
    cuts.dedup();
    Some(cuts)
}

/// Where each sample of a track begins: chunk by chunk, as `stsc` says how many samples each has.
fn sample_offsets(table: &Stbl) -> Option<Vec<u64>> {
    let (count, size_of): (usize, Box<dyn Fn(usize) -> u64 + '_>) = match &table.stsz.samples {
        StszSamples::Identical { count, size } => (*count as usize, Box::new(|_| u64::from(*size))),
        StszSamples::Different { sizes } => (sizes.len(), Box::new(|at| u64::from(sizes[at]))),
    };
    if count > PARTS_MAX * 16 {
        return None;
    }
    let chunks: Vec<u64> = match (&table.stco, &table.co64) {
        (Some(short), _) => short.entries.iter().map(|offset| u64::from(*offset)).collect(),
        (None, Some(long)) => long.entries.clone(),
        (None, None) => return None,
    };
    let mut runs = table.stsc.entries.iter().peekable();
    let (mut offsets, mut samples_per_chunk) = (Vec::with_capacity(count), 0);
    for (number, chunk) in (1..).zip(&chunks) {
        while let Some(run) = runs.next_if(|run| run.first_chunk <= number) {
            samples_per_chunk = run.samples_per_chunk;
        }
        let mut offset = *chunk;
        for _ in 0..samples_per_chunk {
            if offsets.len() == count {
                return Some(offsets);
            }
            let size_bytes = size_of(offsets.len());
            offsets.push(offset);
            offset = offset.checked_add(size_bytes)?;
        }
    }
    Some(offsets)
}
