//! Packing and unpacking against each other, and against those who lie.

use pleach_core::content::{ByteRange, FileEntry, Listing, Manifest, ManifestBuilder, PACKED_PATH, Packed};
use pleach_core::ids::ContentId;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::codec;
use crate::index::{Codec, Index, Run};
use crate::key::Key;
use crate::packer::{Packer, segment_bytes_for};
use crate::packing::Packing;
use crate::sealing::TAG_BYTES;
use crate::{PackingError, Unpacker};

/// Bytes of which some stretches compress and some don't.
fn content(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    for chunk in bytes.chunks_mut(200_000).step_by(2) {
        chunk.iter_mut().enumerate().for_each(|(at, byte)| *byte = (at / 100) as u8);
    }
    bytes
}

fn listing(sizes: &[u64]) -> Listing {
    let entry = |(at, size_bytes): (usize, &u64)| FileEntry {
        path: format!("{at}.bin"),
        size_bytes: *size_bytes,
        media_type: None,
    };
    let files = sizes.iter().enumerate().map(entry).collect();
    Listing::new(Some("Secret plans".into()), files, sizes.iter().sum()).unwrap()
}

fn key(byte: u8) -> Key {
    Key::from_bytes([byte; 32])
}

struct Made {
    manifest: Manifest,
    packing: Packing,
    packed: Vec<u8>,
}

fn pack(plain: &[u8], key: Option<&Key>, compress: bool, threads: usize) -> Made {
    let mut packer = Packer::new(plain.len() as u64, key.cloned(), compress, threads);
    let mut packed = Vec::new();
    for piece in plain.chunks(100_000) {
        packer.push(piece, |bytes| packed.extend(bytes));
    }
    let packing = packer.finish(listing(&[plain.len() as u64]), |bytes| packed.extend(bytes)).unwrap();
    let id = ContentId::from_bytes(*blake3::hash(&packed).as_bytes());
    let described = packing.describe(id, key, None).unwrap();
    let builder = ManifestBuilder::new(id).file(PACKED_PATH, packed.len() as u64, None).packed(&described);
    Made { manifest: builder.build().unwrap(), packing, packed }
}

fn unpack(packing: &Packing, packed: &[u8], step: usize) -> Result<Vec<u8>, PackingError> {
    let mut unpacker = Unpacker::new(packing.clone());
    let mut plain = Vec::new();
    for piece in packed.chunks(step) {
        unpacker.push(piece, |bytes| {
            plain.extend_from_slice(bytes);
            Ok::<_, PackingError>(())
        })?;
    }
    assert!(unpacker.is_done());
    Ok(plain)
}

#[test]
fn what_is_packed_comes_out_as_it_was() {
    for len in [0, 1, 65_536, (256 << 10) - 1, 256 << 10, 1_300_001] {
        let plain = content(len);
        for key in [None, Some(key(1))] {
            for compress in [false, true] {
                let made = pack(&plain, key.as_ref(), compress, 3);
                let opened = Packing::open(&made.manifest, key.as_ref()).unwrap();
                assert_eq!(opened.index(), made.packing.index());
                assert_eq!(opened.index().packed_bytes(), made.packed.len() as u64);
                assert!(unpack(&opened, &made.packed, 70_001).unwrap() == plain);
            }
        }
    }
}

#[test]
fn only_what_pays_is_compressed() {
    let made = pack(&content(2 << 20), None, true, 1);
    let codecs: Vec<_> =
        (0..made.packing.index().segments()).map(|at| made.packing.index().segment(at).unwrap().codec).collect();
    assert!(codecs.contains(&Codec::Zstd), "{codecs:?}");
    let mut noise = vec![0; 1 << 20];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    let made = pack(&noise, None, true, 1);
    assert!(!made.packing.index().is_compressed() && made.packed == noise);
}

/// Somebody who seeds reads segments again, alone and in any order.
#[test]
fn a_segment_is_encoded_as_it_was() {
    let plain = content(1_300_001);
    for threads in [1, 4] {
        let made = pack(&plain, Some(&key(1)), true, threads);
        for segment in (0..made.packing.index().segments()).rev() {
            let place = made.packing.index().segment(segment).unwrap();
            let again = &plain[place.plain.start as usize..place.plain.end as usize];
            let packed = &made.packed[place.packed.start as usize..place.packed.end as usize];
            assert!(made.packing.encode_segment(segment, again).unwrap() == packed, "segment {segment}");
            assert_eq!(made.packing.encode_segment(segment, &again[1..]), None);
        }
    }
}

#[test]
fn neither_names_nor_bytes_are_in_what_is_sealed() {
    let plain = b"the plans are secret".repeat(1_000);
    let made = pack(&plain, Some(&key(1)), true, 1);
    for place in [made.manifest.as_bytes(), &made.packed] {
        for secret in [&b"Secret"[..], b"0.bin", b"secret", key(1).to_text().as_bytes(), &[1; 32]] {
            assert!(!place.windows(secret.len()).any(|window| window == secret));
        }
    }
    assert_eq!(format!("{:?}", key(1)), "Key(…)");
    assert!(!format!("{:?}", made.packing).contains("1, 1, 1"));
}

#[test]
fn another_key_opens_nothing() {
    let made = pack(&content(10_000), Some(&key(1)), false, 1);
    assert_eq!(Packing::open(&made.manifest, None).unwrap_err(), PackingError::KeyMissing);
    assert_eq!(Packing::open(&made.manifest, Some(&key(2))).unwrap_err(), PackingError::KeyWrong);
    let other = ContentId::from_bytes([7; 32]);
    let described = made.packing.describe(made.manifest.id(), Some(&key(1)), None).unwrap();
    let moved = ManifestBuilder::new(other).file(PACKED_PATH, made.packed.len() as u64, None).packed(&described);
    let error = Packing::open(&moved.build().unwrap(), Some(&key(1))).unwrap_err();
    assert_eq!(error, PackingError::KeyWrong, "an index is bound to its content");
    let plain = Manifest::of_file("a", None, other, 5).unwrap();
    assert_eq!(Packing::open(&plain, Some(&key(1))).unwrap_err(), PackingError::NotPacked);
}

#[test]
fn a_password_makes_a_key() {
    let how = pleach_core::content::Argon2id::new(64, 1, 1, &[3; 16]).unwrap();
    let right = Key::of_password("correct horse", &how).unwrap();
    assert_eq!(right, Key::of_password("correct horse", &how).unwrap());
    let made = pack(&content(10_000), Some(&right), false, 1);
    let described = made.packing.describe(made.manifest.id(), Some(&right), Some(how.clone())).unwrap();
    let manifest = ManifestBuilder::new(made.manifest.id()).file(PACKED_PATH, made.packed.len() as u64, None);
    let manifest = manifest.packed(&described).build().unwrap();
    assert_eq!(crate::derivation(&manifest), Some(&how));
    assert_eq!(Packing::open(&manifest, None).unwrap_err(), PackingError::PasswordMissing);
    let wrong = Key::of_password("incorrect horse", &how).unwrap();
    assert_eq!(Packing::open(&manifest, Some(&wrong)).unwrap_err(), PackingError::PasswordWrong);
    assert!(Packing::open(&manifest, Some(&right)).is_ok());
    assert_eq!(Key::of_password("", &how).unwrap_err(), PackingError::PasswordLength);
    assert_eq!(Key::of_password(&"x".repeat(1025), &how).unwrap_err(), PackingError::PasswordLength);
}

/// The reference implementation's own vector (argon2's test.c), so that others make the same keys.
#[test]
fn keys_of_passwords_are_those_of_argon2id() {
    let how = pleach_core::content::Argon2id::new(65_536, 2, 1, b"somesalt").unwrap();
    let key = Key::of_password("password", &how).unwrap();
    let expected = [
        0x09, 0x31, 0x61, 0x15, 0xd5, 0xcf, 0x24, 0xed, 0x5a, 0x15, 0xa3, 0x1a, 0x3b, 0xa3, 0x26, 0xe5, 0xcf, 0x32,
        0xed, 0xc2, 0x47, 0x02, 0x98, 0x7c, 0x02, 0xb6, 0x56, 0x6f, 0x61, 0x91, 0x3c, 0xf7,
    ];
    assert!(key == Key::from_bytes(expected));
}

#[test]
fn keys_are_read_as_they_are_written() {
    assert_eq!(Key::parse(&key(9).to_text()).unwrap(), key(9));
    for text in ["", "AAAA", "no key!", &"A".repeat(44)] {
        assert_eq!(Key::parse(text).unwrap_err(), PackingError::KeyDamaged);
    }
}

#[test]
fn a_changed_segment_is_refused() {
    let made = pack(&content(300_000), Some(&key(1)), true, 1);
    for at in [0, made.packed.len() / 2, made.packed.len() - 1] {
        let mut packed = made.packed.clone();
        packed[at] ^= 1;
        assert!(matches!(unpack(&made.packing, &packed, 1 << 20), Err(PackingError::Segment(_))));
    }
    let place = made.packing.index().segment(0).unwrap();
    let first = made.packed[..place.packed.len() as usize].to_vec();
    assert!(made.packing.decode_segment(1, first.clone()).is_err(), "one is not another");
    assert!(made.packing.decode_segment(99, first).is_err());
}

fn index(value: &Value) -> Result<Index, PackingError> {
    Index::parse(value.to_string().as_bytes())
}

fn good() -> Value {
    json!({
        "files": [{ "path": "a", "size_bytes": 700 }, { "path": "b", "size_bytes": 0 }],
        "name": "Talks", "size_bytes": 700, "encrypted": true,
        "segments": [
            { "len_bytes": 300, "packed_bytes": 316, "codec": "none", "count": 2 },
            { "len_bytes": 100, "packed_bytes": 40, "codec": "zstd" },
        ],
    })
}

#[test]
fn places_are_told_both_ways() {
    let index = index(&good()).unwrap();
    assert_eq!((index.segments(), index.size_bytes(), index.packed_bytes()), (3, 700, 672));
    let place = index.segment(1).unwrap();
    assert_eq!((place.plain, place.packed), (ByteRange { start: 300, end: 600 }, ByteRange { start: 316, end: 632 }));
    assert_eq!(index.segment_at(599).unwrap(), place);
    assert_eq!(index.segment_at_packed(316).unwrap(), place);
    assert_eq!(index.packed_range(ByteRange { start: 299, end: 301 }), ByteRange { start: 0, end: 632 });
    assert_eq!(index.packed_range(ByteRange { start: 650, end: 9_999 }), ByteRange { start: 632, end: 672 });
    assert_eq!(index.plain_range(ByteRange { start: 320, end: 640 }), ByteRange { start: 300, end: 700 });
    assert!(index.packed_range(ByteRange { start: 5, end: 5 }).is_empty() && index.segment_at(700).is_none());
    assert!(index.segment(3).is_none() && index.segment_at_packed(672).is_none());
}

#[test]
fn a_lying_index_is_refused() {
    let refuse = |pointer: &str, value: Value, why: &str| {
        let mut spoilt = good();
        *spoilt.pointer_mut(pointer).unwrap() = value;
        let error = index(&spoilt).expect_err(why).to_string();
        assert!(error.contains(why), "{error:?} should say {why:?}");
    };
    refuse("/size_bytes", json!(701), "701");
    refuse("/files/0/path", json!("../a"), "..");
    refuse("/name", json!("a/b"), "slash");
    refuse("/segments/0/count", json!(0), "has no segments");
    refuse("/segments/0/count", json!(3), "not as long as the files");
    refuse("/segments/0/count", json!(u32::MAX), "too many segments");
    refuse("/segments/0/len_bytes", json!(0), "empty, or longer than 4 MiB");
    refuse("/segments/0/len_bytes", json!((4 << 20) + 1), "empty, or longer than 4 MiB");
    refuse("/segments/0/packed_bytes", json!(300), "another length");
    refuse("/segments/1/packed_bytes", json!(16), "compressed segment is empty");
    refuse("/segments/1/packed_bytes", json!(117), "or longer than its bytes");
    refuse("/segments/1/codec", json!("brotli"), "can't be read");
    refuse("/segments", json!([]), "not as long");
    let many: Vec<_> = (0..16_385).map(|_| json!({ "len_bytes": 1, "packed_bytes": 17 })).collect();
    refuse("/segments", json!(many), "16,384");
    assert!(matches!(Index::parse(&vec![b' '; (4 << 20) + 1]), Err(PackingError::TooLong(_))));
}

/// What says of itself that it is encrypted or not must be so, and be as long as the content.
#[test]
fn an_index_must_fit_its_manifest() {
    let id = ContentId::from_bytes([1; 32]);
    let manifest = |index: &str, size_bytes| {
        let builder = ManifestBuilder::new(id).file(PACKED_PATH, size_bytes, None);
        builder.packed(&Packed::Clear(index.to_owned())).build().unwrap()
    };
    let open = |index: &str, size_bytes| Packing::open(&manifest(index, size_bytes), None).unwrap_err();
    assert!(open(&good().to_string(), 672).to_string().contains("truly"));
    let listing = listing(&[10]);
    let run = Run { len_bytes: 10, packed_bytes: 10, codec: Codec::None, count: 1 };
    let clear = Index::new(listing, false, vec![run]).unwrap().to_json().unwrap();
    assert!(open(&clear, 11).to_string().contains("not as long as the content"));
    assert!(matches!(open("[]", 11), PackingError::Json(_)));
}

/// A frame that would become much longer than its index says is given up, in both libraries.
#[test]
fn a_bomb_ends_at_the_length_that_was_said() {
    let bomb = codec::Compressor::default().compress(&vec![0; 64 << 20]).unwrap();
    assert!(bomb.len() < 10_000);
    for decompress in [codec::decompress_up_to, codec::decompress_in_rust] {
        assert!(decompress(&bomb, 4 << 20).is_none());
    }
    assert!(codec::decompress(&codec::Compressor::default().compress(&[0; 10]).unwrap(), 11).is_none());
}

#[test]
fn large_contents_have_long_segments_and_small_manifests() {
    assert_eq!(segment_bytes_for(0), 256 << 10);
    assert_eq!(segment_bytes_for(256 << 20), 256 << 10);
    assert_eq!(segment_bytes_for((256 << 20) + 1), 512 << 10);
    assert_eq!(segment_bytes_for(1 << 40), 4 << 20);
    let len_bytes = 4 << 20;
    let run = Run { len_bytes, packed_bytes: len_bytes + TAG_BYTES as u32, codec: Codec::None, count: 262_000 };
    let index = Index::new(listing(&[262_000 * u64::from(len_bytes)]), true, vec![run]).unwrap();
    assert!(index.to_json().unwrap().len() < 300);
}

proptest! {
    #[test]
    fn no_bytes_make_an_index_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Index::parse(&bytes);
    }

    #[test]
    fn no_runs_make_an_index_panic(
        runs in prop::collection::vec((any::<u32>(), any::<u32>(), any::<bool>(), any::<u32>()), 0..5),
        size in any::<u64>(), at in any::<u64>(),
    ) {
        let run = |(len_bytes, packed_bytes, zstd, count)| Run {
            len_bytes, packed_bytes, codec: if zstd { Codec::Zstd } else { Codec::None }, count,
        };
        let sizes = [size >> 1];
        if let Ok(index) = Index::new(listing(&sizes), false, runs.into_iter().map(run).collect()) {
            let _ = (index.segment_at(at), index.segment_at_packed(at), index.packed_range(ByteRange { start: at, end: u64::MAX }));
        }
    }

    /// Any stretch of the files is in the segments that it is said to be in.
    #[test]
    fn ranges_agree_with_counting(
        runs in prop::collection::vec((1..50_u32, 1..4_u32), 1..6), at in 0..400_u64, len in 0..100_u64,
    ) {
        let runs: Vec<_> = runs.into_iter().map(|(len_bytes, count)| Run {
            len_bytes, packed_bytes: len_bytes + TAG_BYTES as u32, codec: Codec::None, count,
        }).collect();
        let mut owners = Vec::new();
        for run in &runs {
            for _ in 0..run.count {
                let segment = owners.last().map_or(0, |last| last + 1);
                owners.extend((0..run.len_bytes).map(|_| segment));
            }
        }
        let index = Index::new(listing(&[owners.len() as u64]), true, runs).unwrap();
        prop_assert_eq!(index.segment_at(at).map(|place| place.segment), owners.get(at as usize).copied());
        let end = (at + len).min(owners.len() as u64);
        let packed = index.packed_range(ByteRange { start: at, end });
        if at < end {
            prop_assert_eq!(packed.start, index.segment(owners[at as usize]).unwrap().packed.start);
            prop_assert_eq!(packed.end, index.segment(owners[end as usize - 1]).unwrap().packed.end);
            prop_assert!(index.plain_range(packed).start <= at && index.plain_range(packed).end >= end);
        } else {
            prop_assert!(packed.is_empty());
        }
    }

    /// What the native library packs a page unpacks; and damaged frames panic in neither.
    #[test]
    fn both_libraries_read_the_same(
        plain in prop::collection::vec(0..4_u8, 0..2_000), flip in any::<prop::sample::Index>(), bit in 0..8_u32,
    ) {
        let mut packed = codec::Compressor::default().compress(&plain).unwrap();
        let unpacked = codec::decompress_in_rust(&packed, plain.len());
        prop_assert_eq!(unpacked, Some(plain));
        let at = flip.index(packed.len());
        packed[at] ^= 1_u8 << bit;
        let _ = (codec::decompress_in_rust(&packed, 2_000), codec::decompress_up_to(&packed, 2_000));
    }
}
