//! A small swarm over lines that are really slow, each peer in a network namespace of its own. What takes how long is the
//! benchmark's concern (`cargo xtask bench swarm`); here everybody must get everything, at a cost that has a bound.
//! Where the system allows no such networks the test says so and passes.
#![cfg(target_os = "linux")]

use std::env;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::AtomicBool;

use pleach_lab::line::Profile;
use pleach_lab::report::Report;
use pleach_lab::sealed;
use pleach_lab::swarm::{self, Plan};

use super::common::{Running, text};

/// The source may send everything to some, but not to all.
const SOURCE_COPIES_MAX: f64 = 4.5;
const WASTED_RATIO_MAX: f64 = 0.25;

#[test]
fn peers_over_slow_lines_get_everything_from_each_other() {
    if sealed::is_inside() {
        return small_swarm();
    }
    if let Err(reason) = sealed::check() {
        eprintln!("skipped: {reason:#}");
        return;
    }
    let mut command = sealed::command(&env::current_exe().unwrap());
    command.args(["--exact", "swarm::peers_over_slow_lines_get_everything_from_each_other", "--nocapture"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = Running::spawn(command).output();
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// Six peers, two of each kind of line and the slow ones first.
fn small_swarm() {
    let directory = tempfile::tempdir().unwrap();
    let plan = Plan {
        profile: Profile::Mixed,
        peers: 6,
        size_bytes: 6_000_000,
        scale: 1.0,
        seed: 1,
        pleach: PathBuf::from(env!("CARGO_BIN_EXE_pleach")),
        bare_end: None,
        folder: directory.path().to_owned(),
    };
    let outcome = swarm::run(&plan, &AtomicBool::new(false)).unwrap();
    let report = Report::new(&plan, &outcome);
    println!("{report}");
    assert!(report.finished, "all have it, with the right digest");
    assert!(report.source_copies <= SOURCE_COPIES_MAX, "the source sent {} copies", report.source_copies);
    assert!(report.source_copies >= 0.99, "all of it came from the source");
    assert!(report.wasted_bytes_ratio <= WASTED_RATIO_MAX, "{} of it in vain", report.wasted_bytes_ratio);
}
