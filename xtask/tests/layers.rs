//! The direction of imports, which `docs/architecture.md` draws: crates know only those below them, and so do the
//! modules of the core.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_owned()
}

/// What each crate of the workspace may know of the others, tests included.
fn allowed_crates() -> BTreeMap<&'static str, &'static [&'static str]> {
    BTreeMap::from([
        ("crates/core", &[][..]),
        ("crates/sim", &["pleach-core"]),
        ("crates/browser", &["pleach-core"]),
        ("crates/packing", &["pleach-core"]),
        ("crates/packing-web", &["pleach-core", "pleach-packing"]),
        ("crates/native", &["pleach-core", "pleach-packing"]),
        ("tracker", &["pleach-core"]),
        // What it makes is a content like any other: it knows how packets are dealt, and nothing else.
        ("crates/descriptors", &["pleach-core"]),
        // Of the simulator it takes the bounds; what it runs are programs.
        ("crates/lab", &["pleach-sim"]),
        ("crates/cli", &["pleach-core", "pleach-native", "pleach-packing", "pleach-tracker"]),
        ("xtask", &[]),
    ])
}

/// What each module of the core may know of the others.
fn allowed_modules() -> BTreeMap<&'static str, &'static [&'static str]> {
    BTreeMap::from([
        ("time", &[][..]),
        ("ids", &["time"]),
        ("content", &["time", "ids"]),
        ("wire", &["time", "ids", "content"]),
        ("forest", &["time", "ids", "content", "wire"]),
        ("lookup", &["time", "ids", "content", "wire"]),
        ("peer", &["time", "ids", "content", "wire", "forest", "lookup"]),
        ("tracker", &["time", "ids", "content", "wire", "forest"]),
        // Of the forest the arithmetic of shares, of the tracker how sockets are bounded and keys are kept.
        ("fleet", &["time", "ids", "content", "wire", "forest", "tracker"]),
    ])
}

#[test]
fn crates_know_only_those_below() {
    for (folder, allowed) in allowed_crates() {
        let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).expect("each crate has a manifest");
        // `pleach-native` may bring up a real tracker in its tests; what it ships does not know it.
        let shipped = manifest.split("[dev-dependencies]").next().unwrap_or_default();
        let known: BTreeSet<&str> = shipped.lines().filter_map(dependency).collect();
        for name in known {
            assert!(allowed.contains(&name), "{folder} must not depend on {name}");
        }
    }
}

/// The crate of this workspace that a line of a manifest depends on.
fn dependency(line: &str) -> Option<&str> {
    let name = line.split(['=', '.', ' ']).next()?.trim().trim_matches('"');
    name.starts_with("pleach-").then_some(name)
}

#[test]
fn modules_of_the_core_know_only_those_below() {
    let source = root().join("crates/core/src");
    for (module, allowed) in allowed_modules() {
        for file in rust_files(&source, module) {
            if file.ends_with("tests.rs") {
                continue;
            }
            let text = fs::read_to_string(&file).expect("a source file");
            for other in text.match_indices("crate::").filter_map(|(at, found)| first_word(&text[at + found.len()..])) {
                let is_module = allowed_modules().contains_key(other);
                let is_allowed = !is_module || other == module || allowed.contains(&other);
                assert!(is_allowed, "{} must not know {other}", file.display());
            }
        }
    }
}

#[test]
fn every_module_of_the_core_has_its_place() {
    let library = fs::read_to_string(root().join("crates/core/src/lib.rs")).expect("the core");
    let modules = library.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    for module in modules.filter(|module| *module != "fuzzing") {
        assert!(allowed_modules().contains_key(module), "say in this test whom `{module}` may know");
    }
}

fn first_word(text: &str) -> Option<&str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}

/// A module's file, or all files of its folder.
fn rust_files(source: &Path, module: &str) -> Vec<PathBuf> {
    let file = source.join(format!("{module}.rs"));
    if file.exists() {
        return vec![file];
    }
    let mut files = Vec::new();
    let mut folders = vec![source.join(module)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of the core").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}
