//! The files' bytes in, packed bytes and their index out.
//!
//! Each segment is compressed if that was asked for, and kept so if it pays: it is measured, since nothing else tells.
//! A video costs the attempt, at some GB/s, and nothing when it is read.

use std::thread;

use pleach_core::content::Listing;

use crate::codec::Compressor;
use crate::error::PackingError;
use crate::index::{Codec, Index, RUNS_MAX, Run, SEGMENT_BYTES_MAX};
use crate::key::Key;
use crate::packing::Packing;
use crate::sealing::SegmentCipher;

/// Shortest segment of a content that is not shorter itself.
const SEGMENT_BYTES_MIN: u32 = 256 << 10;
/// Segments that a content is cut into before they become longer than the shortest.
const SEGMENTS_WANTED: u64 = 1_024;
/// Compression pays if it takes away at least one part in this many: less is not worth decoding.
const PAYS_ONE_IN: usize = 32;
/// Most that is compressed; beyond, the lengths of all segments would not fit into a manifest.
pub const COMPRESSED_BYTES_MAX: u64 = RUNS_MAX as u64 * SEGMENT_BYTES_MAX as u64;
/// Segments that are encoded at the same time at most; each takes its length twice.
const THREADS_MAX: usize = 16;

/// How long the segments of a content of this size are: 256 KiB up to 256 MiB, then longer, up to 4 MiB.
pub fn segment_bytes_for(size_bytes: u64) -> u32 {
    let wanted = size_bytes.div_ceil(SEGMENTS_WANTED).next_power_of_two();
    wanted.clamp(SEGMENT_BYTES_MIN.into(), SEGMENT_BYTES_MAX.into()) as u32
}

/// Packs content from its beginning to its end.
pub struct Packer {
    key: Option<Key>,
    /// One for each thread.
    compressors: Vec<Option<Compressor>>,
    cipher: Option<SegmentCipher>,
    segment_bytes: usize,
    /// What is not packed yet: less than one batch, as many segments as there are threads.
    begun: Vec<u8>,
    segments: u32,
    runs: Vec<Run>,
}

impl Packer {
    /// For content of this size: encrypted if there is a key, which must not have been another content's, and
    /// compressed if asked for and not longer than [`COMPRESSED_BYTES_MAX`]. As many segments are encoded at the same
    /// time as there are `threads`.
    pub fn new(size_bytes: u64, key: Option<Key>, compress: bool, threads: usize) -> Self {
        let compress = compress && size_bytes <= COMPRESSED_BYTES_MAX;
        let threads = threads.clamp(1, THREADS_MAX);
        let compressors = (0..threads).map(|_| compress.then(Compressor::default)).collect();
        let cipher = key.as_ref().map(SegmentCipher::new);
        let segment_bytes = segment_bytes_for(size_bytes) as usize;
        Self { key, compressors, cipher, segment_bytes, begun: Vec::new(), segments: 0, runs: Vec::new() }
    }

    /// Takes bytes of the files, and gives packed segments, in order.
    pub fn push(&mut self, mut plain: &[u8], mut take: impl FnMut(Vec<u8>)) {
        let batch_bytes = self.segment_bytes * self.compressors.len();
        while !plain.is_empty() {
            let (piece, rest) = plain.split_at(plain.len().min(batch_bytes - self.begun.len()));
            self.begun.extend_from_slice(piece);
            plain = rest;
            if self.begun.len() == batch_bytes {
                self.pack_begun(&mut take);
            }
        }
    }

    /// Packs what is left, and makes the index of files that are `listing`.
    pub fn finish(mut self, listing: Listing, mut take: impl FnMut(Vec<u8>)) -> Result<Packing, PackingError> {
        self.pack_begun(&mut take);
        let index = Index::new(listing, self.key.is_some(), self.runs)?;
        Ok(Packing::new(index, self.key.as_ref()))
    }

    fn pack_begun(&mut self, take: &mut impl FnMut(Vec<u8>)) {
        let plain = std::mem::take(&mut self.begun);
        let (cipher, first) = (self.cipher.as_ref(), self.segments);
        let works = plain.chunks(self.segment_bytes).zip(&mut self.compressors).zip(first..);
        let done: Vec<(Codec, Vec<u8>)> = thread::scope(|scope| {
            let encode = |((plain, compressor), segment): ((_, &mut Option<Compressor>), u32)| {
                encode(plain, compressor.as_mut(), cipher, segment)
            };
            let mut works = works.collect::<Vec<_>>().into_iter();
            // The first is done here: there is no need of another thread for one segment.
            let own = works.next();
            let others: Vec<_> = works.map(|work| scope.spawn(move || encode(work))).collect();
            let own = own.map(encode);
            own.into_iter()
                .chain(others.into_iter().map(|other| other.join().expect("encoding does not panic")))
                .collect()
        });
        for ((codec, packed), plain) in done.into_iter().zip(plain.chunks(self.segment_bytes)) {
            self.note(Run { len_bytes: plain.len() as u32, packed_bytes: packed.len() as u32, codec, count: 1 });
            take(packed);
        }
        self.begun = plain;
        self.begun.clear();
    }

    fn note(&mut self, run: Run) {
        self.segments += 1;
        match self.runs.last_mut() {
            Some(last) if Run { count: 1, ..*last } == run => last.count += 1,
            _ => self.runs.push(run),
        }
    }
}

fn encode(
    plain: &[u8],
    compressor: Option<&mut Compressor>,
    cipher: Option<&SegmentCipher>,
    segment: u32,
) -> (Codec, Vec<u8>) {
    let most_bytes = plain.len() - plain.len() / PAYS_ONE_IN - 1;
    let compressed = compressor.and_then(|compressor| compressor.compress(plain));
    let (codec, mut packed) = match compressed.filter(|compressed| compressed.len() <= most_bytes) {
        Some(compressed) => (Codec::Zstd, compressed),
        None => (Codec::None, plain.to_vec()),
    };
    if let Some(cipher) = cipher {
        cipher.seal(segment, &mut packed);
    }
    (codec, packed)
}
