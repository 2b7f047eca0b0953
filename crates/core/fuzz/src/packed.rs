//! What must hold of packed content whatever bytes come. Apart from the other targets, because the engine knows nothing
//! of this; `tests/corpus.rs` of the packing crate replays it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pleach_core::content::{ByteRange, FileEntry, Listing, Manifest, ManifestBuilder, PACKED_PATH, Packed};
use pleach_core::ids::ContentId;
use pleach_packing::{Codec, Index, Key, Packing, Run, SEGMENT_BYTES_MAX, machine_keys};
use serde_json::{Map, Value, json};

/// `data` is an index.
pub fn packed_index(data: &[u8]) {
    let index = match Index::parse(data) {
        Ok(index) => index,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let again = index.to_json().expect("what was read can be written");
    assert_eq!(Index::parse(again.as_bytes()).as_ref(), Ok(&index));
    assert_eq!(index.listing().layout().size_bytes(), index.size_bytes());
    let (mut plain_bytes, mut packed_bytes) = (0, 0);
    // A run may be long; its first segments are like all others.
    for segment in 0..index.segments().min(64) {
        let place = index.segment(segment).expect("it has it");
        assert_eq!((place.plain.start, place.packed.start), (plain_bytes, packed_bytes));
        assert!(!place.plain.is_empty() && !place.packed.is_empty() && place.plain.len() <= SEGMENT_BYTES_MAX.into());
        assert_eq!(index.segment_at(place.plain.end - 1), Some(place));
        assert_eq!(index.segment_at_packed(place.packed.start), Some(place));
        (plain_bytes, packed_bytes) = (place.plain.end, place.packed.end);
    }
    let last = index.segments().checked_sub(1).and_then(|last| index.segment(last));
    let ends = last.map_or((0, 0), |last| (last.plain.end, last.packed.end));
    assert_eq!(ends, (index.size_bytes(), index.packed_bytes()));
    assert!(index.packed_range(ByteRange { start: 0, end: u64::MAX }).end <= index.packed_bytes());
}

/// `data` is a compressed segment, which says of itself that it has 1000 bytes.
pub fn packed_segment(data: &[u8]) {
    const LEN_BYTES: u32 = 1000;
    let Some(manifest) = manifest_of(data, LEN_BYTES) else { return };
    let packing = Packing::open(&manifest, None).expect("the index is good");
    if let Ok(plain) = packing.decode_segment(0, data.to_vec()) {
        assert_eq!(plain.len(), LEN_BYTES as usize);
    }
}

/// `data` is what a description has in the place of keys for machines, as JSON; and the key sealed to one machine, as bytes.
pub fn machine_keys(data: &[u8]) {
    if let Ok(keys) = serde_json::from_slice(data) {
        open(keys);
    }
    open(json!({ MACHINE: URL_SAFE_NO_PAD.encode(data) }));
}

/// The machine whose seed is 32 times 1.
const MACHINE: &str = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c";

/// Only who sealed a key can have made one that opens, so that it is this one: the corpus has it.
fn open(keys: Value) {
    let manifest = ManifestBuilder::new(ContentId::from_bytes([7; 32])).file("a", 5, None).build().expect("it is good");
    let mut fields: Map<String, Value> = serde_json::from_slice(manifest.as_bytes()).expect("it is JSON");
    fields.insert("keys".to_owned(), keys);
    let Ok(manifest) = Manifest::parse(&serde_json::to_vec(&fields).expect("it was JSON")) else { return };
    match machine_keys::key_for(&manifest, &[1; 32]) {
        Ok(key) => assert!(key == Key::from_bytes([5; 32])),
        Err(reason) => assert!(!reason.is_empty()),
    }
    assert!(machine_keys::key_for(&manifest, &[2; 32]).is_err(), "it is another machine's");
}

/// `None` where no index may say that of it.
fn manifest_of(packed: &[u8], len_bytes: u32) -> Option<Manifest> {
    let run = Run { len_bytes, packed_bytes: u32::try_from(packed.len()).ok()?, codec: Codec::Zstd, count: 1 };
    let file = FileEntry { path: "a".into(), size_bytes: len_bytes.into(), media_type: None };
    let listing = Listing::new(None, vec![file], len_bytes.into()).ok()?;
    let index = Index::new(listing, false, vec![run]).ok()?.to_json().ok()?;
    let builder = ManifestBuilder::new(ContentId::from_bytes([1; 32])).file(PACKED_PATH, packed.len() as u64, None);
    builder.packed(&Packed::Clear(index)).build().ok()
}
