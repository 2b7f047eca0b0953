//! Coarse runs against fine ones.

use pleach_sim::report::Report;
use pleach_sim::scenario::{Scenario, Size};
use pleach_sim::world::WorldConfig;

fn run(name: &str, size: Size, is_coarse: bool) -> Report {
    let scenario = Scenario::named(name).expect("the scenario exists");
    let config = WorldConfig { is_coarse, ..WorldConfig::new(size.seed, 0) };
    let report = Report::of(scenario, "forest", size, scenario.build(size, config));
    assert!(report.is_good(), "{report}");
    report
}

#[test]
fn a_coarse_run_takes_as_long_as_a_fine_one() {
    let size = Size { peers: 40, packets: 48, seed: 1 };
    let (fine, coarse) = (run("equal", size, false), run("equal", size, true));
    for (what, fine, coarse) in [
        ("makespan", fine.makespan_s, coarse.makespan_s),
        ("first packet", fine.first_packet_p50_s, coarse.first_packet_p50_s),
    ] {
        assert!((coarse / fine - 1.0).abs() < 0.03, "{what}: {coarse} s coarse, {fine} s fine");
    }
    assert!((coarse.source_copies - fine.source_copies).abs() < 0.2, "{coarse}\n{fine}");
    let control = coarse.control_bytes_per_payload_byte / fine.control_bytes_per_payload_byte;
    assert!((0.8..1.25).contains(&control), "{coarse}\n{fine}");
}

#[test]
fn a_coarse_run_is_checked_as_well() {
    for name in ["churn", "liars", "tracker-restart"] {
        run(name, Size { peers: 16, packets: 16, seed: 1 }, true);
    }
}
