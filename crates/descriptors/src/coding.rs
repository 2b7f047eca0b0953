//! Layers into shards, shards into descriptors, and back from any of them.
//!
//! A descriptor begins with 20 bytes: `PLMD`, the version 1, how many descriptors there are, which one it is (from 0), a
//! zero, then width and height as 4 bytes each, little-endian, and 4 zeros. Behind them is one shard of each layer, the
//! coarsest first. Shard lengths follow from the rest. Zeros fill it up to whole packets.

use core::ops::RangeInclusive;

use pleach_core::content::{PACKET_BYTES, dealt};

use crate::layers::{layer_bytes, put_together, take_layer};
use crate::picture::{PIXELS_MAX, Picture};

/// How many descriptors a picture may have; it has as many layers.
pub const DESCRIPTORS: RangeInclusive<usize> = 2..=8;

const MAGIC: &[u8; 4] = b"PLMD";
const VERSION: u8 = 1;
const HEAD_BYTES: usize = 20;

/// What came out of some descriptors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The picture, of full size.
    pub picture: Picture,
    /// How many layers of it there were, which is how many descriptors.
    pub layers: usize,
    /// Of how many.
    pub of: usize,
}

/// Why there is no picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not one.
    #[error("there is no descriptor")]
    Nothing,
    /// Something that is none.
    #[error("this is not a descriptor of a picture")]
    Format,
    /// Of several pictures.
    #[error("these are descriptors of several pictures")]
    Mixed,
    /// It ends early.
    #[error("a descriptor is not whole")]
    Length,
}

/// What a descriptor says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    descriptors: usize,
    index: usize,
    width: usize,
    height: usize,
}

impl Head {
    fn write(self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend([VERSION, self.descriptors as u8, self.index as u8, 0]);
        bytes.extend((self.width as u32).to_le_bytes());
        bytes.extend((self.height as u32).to_le_bytes());
        bytes.resize(HEAD_BYTES, 0);
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        let head = bytes.get(..HEAD_BYTES).ok_or(DecodeError::Format)?;
        let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize;
        let read = Self { descriptors: head[5].into(), index: head[6].into(), width: number(8), height: number(12) };
        let pixels = read.width.checked_mul(read.height);
        let is_good = head.starts_with(MAGIC)
            && head[4] == VERSION
            && DESCRIPTORS.contains(&read.descriptors)
            && read.index < read.descriptors
            && pixels.is_some_and(|pixels| (1..=PIXELS_MAX).contains(&pixels));
        if is_good { Ok(read) } else { Err(DecodeError::Format) }
    }

    /// Bytes of a shard of a layer: what it is cut into has even lengths.
    fn shard_bytes(self, layer: usize) -> usize {
        layer_bytes(self.width, self.height, layer, self.descriptors).div_ceil(layer).next_multiple_of(2)
    }

    /// Where the shard of a layer is in a descriptor.
    fn shard_at(self, layer: usize) -> core::ops::Range<usize> {
        let start = HEAD_BYTES + (1..layer).map(|before| self.shard_bytes(before)).sum::<usize>();
        start..start + self.shard_bytes(layer)
    }
}

/// The content that a picture's descriptors make together, dealt packet by packet. `descriptors` is in [`DESCRIPTORS`].
pub fn encode(picture: &Picture, descriptors: usize) -> Vec<u8> {
    let (width, height) = (picture.width(), picture.height());
    let head = |index| Head { descriptors, index, width, height };
    let mut made: Vec<Vec<u8>> = (0..descriptors).map(|index| head(index).write()).collect();
    for layer in 1..=descriptors {
        let bytes = take_layer(picture, layer, descriptors);
        let shards = shards_of(bytes, layer, descriptors, head(0).shard_bytes(layer));
        made.iter_mut().zip(shards).for_each(|(descriptor, shard)| descriptor.extend(shard));
    }
    let packet_bytes = PACKET_BYTES as usize;
    made.iter_mut().for_each(|descriptor| descriptor.resize(descriptor.len().next_multiple_of(packet_bytes), 0));
    let packets = made[0].len() / packet_bytes;
    let by_turns = (0..packets).flat_map(|packet| made.iter().map(move |descriptor| (packet, descriptor)));
    by_turns.flat_map(|(packet, descriptor)| &descriptor[packet * packet_bytes..][..packet_bytes]).copied().collect()
}

/// `n` shards of a layer, of which any `layer` give it back: the first ones are its bytes.
fn shards_of(mut bytes: Vec<u8>, layer: usize, descriptors: usize, shard_bytes: usize) -> Vec<Vec<u8>> {
    if shard_bytes == 0 {
        return vec![Vec::new(); descriptors];
    }
    bytes.resize(layer * shard_bytes, 0);
    let own: Vec<Vec<u8>> = bytes.chunks_exact(shard_bytes).map(<[u8]>::to_vec).collect();
    if layer == descriptors {
        return own;
    }
    let more = reed_solomon_simd::encode(layer, descriptors - layer, &own);
    own.into_iter().chain(more.expect("a few shards of equal, even length can be encoded")).collect()
}

/// The descriptors of a content that [`encode`] made, each put together; `count` of them.
pub fn descriptors_of(content: &[u8], count: usize) -> Vec<Vec<u8>> {
    let bytes_of = |range: pleach_core::content::ByteRange| &content[range.start as usize..range.end as usize];
    let dealt = dealt(content.len() as u64, count);
    dealt.iter().map(|descriptor| descriptor.ranges().flat_map(bytes_of).copied().collect()).collect()
}

/// The picture that some descriptors show, whichever they are. The same one twice counts once.
pub fn decode(descriptors: &[&[u8]]) -> Result<Decoded, DecodeError> {
    let mut given: Vec<(Head, &[u8])> = Vec::new();
    for bytes in descriptors {
        let head = Head::read(bytes)?;
        if let Some((first, _)) = given.first()
            && (Head { index: head.index, ..*first }) != head
        {
            return Err(DecodeError::Mixed);
        }
        if bytes.len() < head.shard_at(head.descriptors).end {
            return Err(DecodeError::Length);
        }
        if given.iter().all(|(other, _)| other.index != head.index) {
            given.push((head, bytes));
        }
    }
    let Some((head, _)) = given.first().copied() else { return Err(DecodeError::Nothing) };
    let layers = given.len();
    let bytes = (1..=layers).map(|layer| layer_of(&given, head, layer)).collect::<Result<Vec<_>, _>>()?;
    let rgb = put_together(head.width, head.height, &bytes, head.descriptors);
    let picture = Picture::new(head.width, head.height, rgb).map_err(|_| DecodeError::Format)?;
    Ok(Decoded { picture, layers, of: head.descriptors })
}

/// A layer out of at least as many descriptors as it takes.
fn layer_of(given: &[(Head, &[u8])], head: Head, layer: usize) -> Result<Vec<u8>, DecodeError> {
    let (own, more) = (layer, head.descriptors - layer);
    let shards = given.iter().map(|(head, bytes)| (head.index, &bytes[head.shard_at(layer)]));
    let (originals, recovery): (Vec<_>, Vec<_>) = shards.partition(|(index, _)| *index < own);
    let mut found: Vec<Option<Vec<u8>>> = vec![None; own];
    for (index, shard) in &originals {
        found[*index] = Some(shard.to_vec());
    }
    if head.shard_bytes(layer) > 0 && originals.len() < own {
        let recovery = recovery.into_iter().map(|(index, shard)| (index - own, shard));
        let restored = reed_solomon_simd::decode(own, more, originals, recovery);
        for (index, shard) in restored.map_err(|_| DecodeError::Length)? {
            found[index] = Some(shard);
        }
    }
    let mut bytes: Vec<u8> = found.into_iter().flatten().flatten().collect();
    bytes.truncate(layer_bytes(head.width, head.height, layer, head.descriptors));
    Ok(bytes)
}
