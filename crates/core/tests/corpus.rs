//! Replays what fuzzing keeps in `fuzz/corpus`, and damaged copies of it, with the very functions that are fuzzed.
//!
//! To fuzz: `cargo fuzz run TARGET`, in `crates/core`. What it finds goes into the corpus, under a name that tells why.
#![allow(clippy::disallowed_methods, reason = "a test may read files; the core may not")]

use std::fs;
use std::path::Path;

#[allow(unreachable_pub, reason = "elsewhere it is a crate of its own")]
#[path = "../fuzz/src/lib.rs"]
mod targets;

/// Runs a target on all files of its corpus, on each cut short at some places, and on each with some bits flipped.
fn replay(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 6, "the corpus of {name} is missing");
    for file in files {
        let seed = fs::read(&file).unwrap();
        println!("{}", file.display()); // told if the test fails
        target(&seed);
        let step = seed.len() / 24 + 1;
        for at in (0..seed.len()).step_by(step) {
            target(&seed[..at]);
            let mut flipped = seed.clone();
            flipped[at] ^= 1 << (at / step % 8);
            target(&flipped);
        }
    }
}

#[test]
fn manifest() {
    replay("manifest", targets::manifest);
}

#[test]
fn link() {
    replay("link", targets::link);
}

#[test]
fn tracker_messages() {
    replay("tracker_messages", targets::tracker_messages);
}

#[test]
fn cluster_messages() {
    replay("cluster_messages", targets::cluster_messages);
}

#[test]
fn fleet_messages() {
    replay("fleet_messages", targets::fleet_messages);
}

#[test]
fn link_messages() {
    replay("link_messages", targets::link_messages);
}

#[test]
fn tree_journal() {
    replay("tree_journal", targets::tree_journal);
}

#[test]
fn tree_verify() {
    replay("tree_verify", targets::tree_verify);
}
