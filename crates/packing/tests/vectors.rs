//! The vectors of packed content, which other implementations can check too.
#![allow(clippy::disallowed_methods, reason = "a test may read files")]

use std::fs;
use std::path::{Path, PathBuf};

use pleach_core::content::Manifest;
use pleach_packing::{Codec, Key, Packing, PackingError, Unpacker, derivation};
use serde::Deserialize;

const PAGE: &str = include_str!("../../../docs/format.md");

#[derive(Deserialize)]
struct Vector {
    file: String,
    key: Option<String>,
    password: Option<String>,
    name: String,
    files: Vec<(String, u64)>,
    /// Where each begins in the files and in the packed bytes, how long it is there, and its codec.
    segments: Vec<(u64, u64, u64, Codec)>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn read(name: &str) -> Vec<u8> {
    fs::read(folder().join(name)).unwrap()
}

fn vectors() -> Vec<(Vector, Manifest)> {
    let vectors: Vec<Vector> = serde_json::from_slice(&read("index.json")).unwrap();
    let manifest = |vector: &Vector| Manifest::parse(&read(&format!("{}.pleach", vector.file))).unwrap();
    vectors.into_iter().map(|vector| (manifest(&vector), vector)).map(|(manifest, vector)| (vector, manifest)).collect()
}

fn key(vector: &Vector, manifest: &Manifest) -> Option<Key> {
    match (&vector.password, &vector.key) {
        (Some(password), _) => Some(Key::of_password(password, derivation(manifest).unwrap()).unwrap()),
        (None, key) => key.as_ref().map(|key| Key::parse(key).unwrap()),
    }
}

#[test]
fn packed_content_is_read_as_the_vectors_say() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 4);
    for (vector, manifest) in vectors {
        println!("{}", vector.file); // told if the test fails
        let packed = read(&format!("{}.packed", vector.file));
        assert_eq!(manifest.id().as_bytes(), blake3::hash(&packed).as_bytes());
        let packing = Packing::open(&manifest, key(&vector, &manifest).as_ref()).unwrap();
        let index = packing.index();
        assert_eq!(index.listing().name(), vector.name);
        let files = index.listing().files().iter().map(|file| (file.path.clone(), file.size_bytes));
        assert_eq!(files.collect::<Vec<_>>(), vector.files);
        let places = (0..index.segments()).map(|segment| index.segment(segment).unwrap());
        let places = places.map(|place| (place.plain.start, place.packed.start, place.packed.len(), place.codec));
        assert_eq!(places.collect::<Vec<_>>(), vector.segments);

        let mut plain = Vec::new();
        let mut unpacker = Unpacker::new(packing);
        let pushed = unpacker.push(&packed, |bytes| {
            plain.extend_from_slice(bytes);
            Ok::<_, PackingError>(())
        });
        pushed.unwrap();
        assert!(unpacker.is_done());
        let size_bytes: u64 = vector.files.iter().map(|(_, size)| size).sum();
        assert!(plain == (0..size_bytes).map(|at| (at % 251) as u8).collect::<Vec<_>>());
        assert!(PAGE.contains(&format!("`{}.pleach`", vector.file)), "the page tells of it");
    }
}

#[test]
fn the_wrong_key_opens_none_of_them() {
    for (vector, manifest) in vectors() {
        let wrong = Key::from_bytes([7; 32]);
        let opened = Packing::open(&manifest, Some(&wrong));
        assert_eq!(opened.is_ok(), vector.key.is_none() && vector.password.is_none(), "{}", vector.file);
    }
}
