//! Coarse runs against fine ones.

use pleach_sim::report::Report;
use pleach_sim::runs::Runs;
use pleach_sim::scenario::{Scenario, Size};
use pleach_sim::world::WorldConfig;

fn run(name: &str, size: Size, is_coarse: bool) -> Report {
    let scenario = Scenario::named(name).expect("the scenario exists");
    let config = WorldConfig { is_coarse, ..WorldConfig::new(size.seed, 0) };
    let report = Report::of(scenario, "forest", size, scenario.build(size, config));
    assert!(report.is_good(), "{report}");
    report
}

/// Seeds over which runs are compared: who meets whom is settled by microseconds, so two single runs may differ by
/// some per cent though neither mode is wrong.
const SEEDS: u64 = 6;

/// Reports of all seeds, for the mean of a figure.
fn runs(size: Size, is_coarse: bool) -> Runs {
    Runs::of(1, SEEDS, |seed| Ok::<_, String>(run("equal", Size { seed, ..size }, is_coarse))).expect("they all run")
}

fn mean(runs: &Runs, figure: fn(&Report) -> f64) -> f64 {
    runs.reports.iter().map(figure).sum::<f64>() / runs.reports.len() as f64
}

#[test]
fn coarse_runs_take_as_long_as_fine_ones() {
    let size = Size { peers: 40, packets: 48, seed: 0 };
    let (fine, coarse) = (runs(size, false), runs(size, true));
    let ratio = |figure| mean(&coarse, figure) / mean(&fine, figure);
    let makespan = ratio(|report| report.makespan_s);
    assert!((makespan - 1.0).abs() < 0.03, "makespan, coarse to fine: {makespan}");
    let first = ratio(|report| report.first_packet_p50_s);
    assert!((first - 1.0).abs() < 0.03, "first packet, coarse to fine: {first}");
    let copies = ratio(|report| report.source_copies);
    assert!((copies - 1.0).abs() < 0.1, "source copies, coarse to fine: {copies}");
    let control = ratio(|report| report.control_bytes_per_payload_byte);
    assert!((0.8..1.25).contains(&control), "control bytes, coarse to fine: {control}");
}

#[test]
fn a_coarse_run_is_checked_as_well() {
    for name in ["churn", "liars", "tracker-restart"] {
        run(name, Size { peers: 16, packets: 16, seed: 1 }, true);
    }
}
