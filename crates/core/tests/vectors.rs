//! The vectors of `docs/format.md`, which other implementations can check too.
#![allow(clippy::disallowed_methods, reason = "a test may read files; the core may not")]

use std::fs;
use std::path::{Path, PathBuf};

use pleach_core::content::{ByteRange, Descriptor, Emphasis, Manifest, Segmentation, TreeBuilder};
use pleach_core::ids::ManifestDigest;
use serde::Deserialize;

const PAGE: &str = include_str!("../../../docs/format.md");

/// A descriptor's name and stretches.
type Described = (Option<String>, Vec<(u64, u64)>);

/// What `index.json` says of a manifest.
#[derive(Deserialize)]
struct Vector {
    file: String,
    digest: ManifestDigest,
    id: String,
    size_bytes: u64,
    packets: u32,
    name: String,
    is_folder: bool,
    saved_as: String,
    files: Vec<File>,
    segments: Vec<(u64, u64, u8)>,
    trackers: Vec<String>,
    sources: Vec<String>,
    #[serde(default)]
    hashes: Vec<String>,
    active_from_ms: Option<u64>,
    active_until_ms: Option<u64>,
    /// Each with its name and its stretches, from and to.
    #[serde(default)]
    descriptors: Vec<Described>,
    /// How its segments came about.
    cut: Option<Cut>,
}

#[derive(Deserialize)]
struct File {
    path: String,
    saved_path: String,
    offset_bytes: u64,
    size_bytes: u64,
    media_type: Option<String>,
}

#[derive(Deserialize)]
struct Cut {
    kind: String,
    len_bytes: Option<u64>,
    first_bytes: Option<u64>,
    longest_bytes: Option<u64>,
    #[serde(default)]
    emphases: Vec<(u64, u64, u8)>,
}

/// One of `refused.json`.
#[derive(Deserialize)]
struct Refused {
    why: String,
    manifest: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn read<T: for<'de> Deserialize<'de>>(name: &str) -> Vec<T> {
    serde_json::from_slice(&fs::read(folder().join(name)).unwrap()).unwrap()
}

fn check(vector: &Vector, manifest: &Manifest) {
    assert_eq!(manifest.digest(), vector.digest);
    assert_eq!(manifest.id().to_string(), vector.id);
    assert_eq!((manifest.size_bytes(), manifest.geometry().packets()), (vector.size_bytes, vector.packets));
    assert_eq!((manifest.name(), manifest.saved_name()), (vector.name.as_str(), vector.saved_as.as_str()));
    assert_eq!((manifest.is_folder(), manifest.files().len()), (vector.is_folder, vector.files.len()));
    assert_eq!((manifest.trackers(), manifest.sources()), (&vector.trackers[..], &vector.sources[..]));
    assert_eq!(manifest.hashes(), &vector.hashes[..]);
    let active = (manifest.active_from_ms(), manifest.active_until_ms());
    assert_eq!(active, (vector.active_from_ms, vector.active_until_ms));
    let layout = manifest.layout();
    for (at, (saved_path, file)) in manifest.saved_paths().zip(&vector.files).enumerate() {
        let range = ByteRange { start: file.offset_bytes, end: file.offset_bytes + file.size_bytes };
        assert_eq!((layout.file_range(at), saved_path), (range, file.saved_path.as_str()));
        assert_eq!((&manifest.files()[at].path, &manifest.files()[at].media_type), (&file.path, &file.media_type));
    }
    let segments =
        manifest.segments().iter().map(|segment| (segment.offset_bytes, segment.len_bytes, segment.priority));
    assert_eq!(segments.collect::<Vec<_>>(), vector.segments);
    let stretches = |of: &Descriptor| of.ranges().map(|range| (range.start, range.end)).collect::<Vec<_>>();
    let descriptors = manifest.descriptors().iter().map(|of| (of.name.clone(), stretches(of)));
    assert_eq!(descriptors.collect::<Vec<_>>(), vector.descriptors);
}

#[test]
fn manifests_are_read_as_the_vectors_say() {
    let vectors = read::<Vector>("index.json");
    for vector in &vectors {
        println!("{}", vector.file); // told if the test fails
        let manifest = Manifest::parse(&fs::read(folder().join(&vector.file)).unwrap()).unwrap();
        check(vector, &manifest);
        assert!(PAGE.contains(&format!("`{}`", vector.file)), "the page tells of it");
    }
    let files = fs::read_dir(folder())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "pleach"));
    assert_eq!(files.count(), vectors.len(), "each is in the index");
}

#[test]
fn ids_are_those_of_the_content() {
    for vector in read::<Vector>("index.json") {
        let content: Vec<u8> = (0..vector.size_bytes).map(|at| (at % 251) as u8).collect();
        let mut builder = TreeBuilder::new();
        builder.push(&content);
        assert_eq!(builder.finish().unwrap().1.root().to_string(), vector.id, "{}", vector.file);
    }
}

#[test]
fn segments_are_cut_as_the_vectors_say() {
    let cut = |vector: &Vector, cut: &Cut| {
        let segmentation = match cut.kind.as_str() {
            "whole" | "author" => Segmentation::Whole,
            "fixed" => Segmentation::Fixed { len_bytes: cut.len_bytes },
            "ramp" => Segmentation::Ramp { first_bytes: cut.first_bytes, longest_bytes: cut.longest_bytes },
            kind => panic!("{kind}"),
        };
        let emphases = cut.emphases.iter();
        let emphases = emphases.map(|(start, end, priority)| Emphasis {
            range: ByteRange { start: *start, end: *end },
            priority: *priority,
        });
        segmentation.cut(vector.size_bytes, &emphases.collect::<Vec<_>>()).unwrap()
    };
    let vectors = read::<Vector>("index.json");
    let with_cut: Vec<_> = vectors.iter().filter_map(|vector| Some((vector, vector.cut.as_ref()?))).collect();
    assert!(with_cut.len() >= 5);
    for (vector, how) in with_cut {
        let segments = cut(vector, how);
        let segments = segments.iter().map(|segment| (segment.offset_bytes, segment.len_bytes, segment.priority));
        assert_eq!(segments.collect::<Vec<_>>(), vector.segments, "{}", vector.file);
    }
}

#[test]
fn what_is_wrong_is_refused() {
    let refused = read::<Refused>("refused.json");
    assert!(refused.len() >= 40);
    for Refused { why, manifest } in refused {
        let error = Manifest::parse(manifest.as_bytes()).expect_err(&why);
        println!("{why}: {error}");
    }
}

#[test]
fn the_page_shows_a_manifest_that_is_good() {
    let marker = "<!-- manifest -->\n```json";
    let examples: Vec<_> = PAGE.split(marker).skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(!examples.is_empty());
    for example in examples {
        Manifest::parse(example.as_bytes()).unwrap_or_else(|error| panic!("{example}: {error}"));
    }
}
