//! Replays what fuzzing keeps of packed content, and damaged copies of it, with the very functions that are fuzzed.
//!
//! To fuzz: `cargo xtask fuzz packed_index`. What it finds goes into the corpus, under a name that tells why.
#![allow(clippy::disallowed_methods, reason = "a test may read files")]

use std::fs;
use std::path::Path;

#[allow(unreachable_pub, reason = "elsewhere it is a part of another crate")]
#[path = "../../core/fuzz/src/packed.rs"]
mod targets;

/// Runs a target on all files of its corpus, on each cut short at some places, and on each with some bits flipped.
fn replay(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/fuzz/corpus").join(name);
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 5, "the corpus of {name} is missing");
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
fn packed_index() {
    replay("packed_index", targets::packed_index);
}

#[test]
fn packed_segment() {
    replay("packed_segment", targets::packed_segment);
}

#[test]
fn machine_keys() {
    replay("machine_keys", targets::machine_keys);
}
