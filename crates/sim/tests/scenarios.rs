//! Every scenario at a small size, with the checkers on.

use pleach_sim::report::Report;
use pleach_sim::scenario::{SCENARIOS, Scenario, Size};
use pleach_sim::topology::Topology;
use pleach_sim::world::WorldConfig;

fn run(name: &str, size: Size, config: WorldConfig) -> Report {
    run_over("forest", name, size, config)
}

fn run_over(topology: &str, name: &str, size: Size, mut config: WorldConfig) -> Report {
    let scenario = Scenario::named(name).expect("the scenario exists");
    let topology = Topology::named(topology).expect("the topology exists");
    topology.set_up(&mut config);
    Report::of(scenario, topology.name, size, scenario.build(size, config))
}

fn assert_good(report: &Report) {
    assert!(report.is_good(), "{report}");
}

#[test]
fn a_swarm_of_100_replays_to_the_byte_from_its_seed() {
    let with_seed = |seed| {
        let size = Size { peers: 100, packets: 12, seed };
        let config = WorldConfig { digest_payload: true, ..WorldConfig::new(seed, 0) };
        run("mixed", size, config)
    };
    let (first, again, other) = (with_seed(1), with_seed(1), with_seed(2));
    assert_good(&first);
    assert_eq!(first.digest, again.digest, "the same seed");
    assert_eq!(serde_json::to_string(&first).unwrap(), serde_json::to_string(&again).unwrap());
    assert_ne!(first.digest, other.digest, "another seed");
}

#[test]
fn every_scenario_ends_well() {
    for scenario in &SCENARIOS {
        for seed in [1, 2] {
            let size = Size { peers: 24, packets: 24, seed };
            let report = run(scenario.name, size, WorldConfig::new(seed, 0));
            assert_good(&report);
            assert!(report.control_bytes_per_payload_byte < 0.05, "{report}");
        }
    }
}

/// Who watches is to have what comes next sooner, and not all of it later.
#[test]
fn a_swarm_that_watches_takes_hardly_longer_than_one_that_does_not() {
    let makespan_s = |name: &str| -> f64 {
        let run_of = |seed| {
            let config = WorldConfig { is_coarse: true, ..WorldConfig::new(seed, 0) };
            run(name, Size { peers: 30, packets: 256, seed }, config)
        };
        [1, 2].map(run_of).iter().map(|report| report.makespan_s).sum()
    };
    let ratio = makespan_s("stream") / makespan_s("mixed");
    assert!(ratio <= 1.15, "{ratio}");
}

#[test]
fn baselines_end_well_too() {
    // Without its source, or a way to it, nobody is served directly.
    let is_hopeless = |scenario: &&Scenario| ["source-leaves", "unreachable"].contains(&scenario.name);
    for topology in ["direct", "mesh"] {
        for scenario in SCENARIOS.iter().filter(|scenario| topology == "mesh" || !is_hopeless(scenario)) {
            let size = Size { peers: 24, packets: 12, seed: 1 };
            assert_good(&run_over(topology, scenario.name, size, WorldConfig::new(1, 0)));
        }
    }
}

/// The checkers are on: nobody keeps or passes on what is not verified, and everyone who is left has everything.
#[test]
fn ordered_presets_end_well_whatever_goes_wrong() {
    for topology in ["heap", "relay", "replica"] {
        for (name, packets) in [
            ("equal", 64),
            ("churn", 64),
            ("unreachable", 64),
            ("liars", 64),
            ("source-leaves", 16),
            ("tracker-restart", 16),
            ("leaf-only", 16),
            ("leave-when-done", 16),
        ] {
            let size = Size { peers: 16, packets, seed: 1 };
            assert_good(&run_over(topology, name, size, WorldConfig::new(1, 0)));
        }
    }
}

/// What a tree costs when all are alike: the source sends one copy to each that it feeds, and nobody moves.
#[test]
fn ordered_presets_send_what_their_shape_says() {
    for (topology, copies, depth) in [("heap", 1.0, 5), ("relay", 3.0, 3)] {
        let report = run_over(topology, "equal", Size { peers: 30, packets: 64, seed: 1 }, WorldConfig::new(1, 0));
        assert_good(&report);
        assert!((report.source_copies - copies).abs() < 0.02 && report.depth_max == depth, "{report}");
        assert!(report.wasted_bytes_ratio < 0.01 && report.links_opened_max <= 4, "{report}");
    }
    let report = run_over("replica", "equal", Size { peers: 30, packets: 64, seed: 1 }, WorldConfig::new(1, 0));
    assert_good(&report);
    assert!(report.source_copies < 1.3 && report.ratio_fluid < 2.0, "{report}");
}

/// E2: everyone exchanges with everyone, forwarding while still receiving. Who first waited for its whole subfile would be
/// done after 1.75 times the bound: all from the source, then three quarters from each other.
#[test]
fn a_group_passes_on_while_it_still_receives() {
    let report = run_over("replica", "equal", Size { peers: 4, packets: 256, seed: 1 }, WorldConfig::new(1, 0));
    assert_good(&report);
    assert!(report.ratio_fluid < 1.4 && report.source_copies < 1.1, "{report}");
}

/// E3: group to group. The last of four groups has its first packets long before the first group has everything, from
/// peers: the source sends no more than to one group.
#[test]
fn groups_feed_the_groups_below_before_they_have_everything() {
    let report = run_over("replica", "equal", Size { peers: 16, packets: 256, seed: 1 }, WorldConfig::new(1, 0));
    assert_good(&report);
    assert!(report.first_packet_p95_s < report.fluid_bound_s / 4.0, "{report}");
    assert!(report.source_copies < 1.5 && report.ratio_fluid < 2.0, "{report}");
}

#[test]
fn ordered_presets_replay_to_the_byte_from_their_seed() {
    for topology in ["heap", "relay", "replica"] {
        let with_seed = |seed| {
            let size = Size { peers: 16, packets: 12, seed };
            let config = WorldConfig { digest_payload: true, ..WorldConfig::new(seed, 0) };
            run_over(topology, "mixed", size, config).digest
        };
        let (first, again, other) = (with_seed(1), with_seed(1), with_seed(2));
        assert_eq!(first, again, "{topology}: the same seed");
        assert_ne!(first, other, "{topology}: another seed");
    }
}

#[test]
fn a_source_serves_more_than_it_has_links_for_in_turns() {
    let size = Size { peers: 70, packets: 4, seed: 1 };
    let report = run_over("direct", "equal", size, WorldConfig::new(1, 0));
    assert_good(&report);
    assert!(report.source_copies >= 70.0, "nobody else gave anything: {report}");
    assert!(report.links_live_max <= 64, "{report}");
}

#[test]
fn a_small_cache_costs_reads_only() {
    let size = Size { peers: 12, packets: 48, seed: 5 };
    let config = WorldConfig { cache_bytes: 64 * 1024, ..WorldConfig::new(5, 0) };
    assert_good(&run("mixed", size, config));
}

/// A picture changes nothing, and says of each peer who it is.
#[test]
fn a_picture_is_whole_and_costs_nothing() {
    let size = Size { peers: 30, packets: 24, seed: 3 };
    let scenario = Scenario::named("mixed").expect("the scenario exists");
    let config = WorldConfig { is_recorded: true, ..WorldConfig::new(3, 0) };
    let (report, picture) = Report::with_picture(scenario, "forest", size, scenario.build(size, config));
    assert_eq!(report.digest, run("mixed", size, WorldConfig::new(3, 0)).digest);
    let picture = picture.expect("it was asked for");
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
    for part in ["fluid bound", "discrete", "stripe 3", "source", "peer 30,", "prefers-color-scheme: dark"] {
        assert!(picture.contains(part), "{part} is missing");
    }
    assert!(!picture.contains("NaN") && !picture.contains("inf"), "all numbers are numbers");
}

#[test]
fn without_checks_a_run_is_the_same() {
    let size = Size { peers: 30, packets: 24, seed: 3 };
    let unchecked = WorldConfig { is_checked: false, ..WorldConfig::new(3, 0) };
    let (checked, unchecked) = (run("mixed", size, WorldConfig::new(3, 0)), run("mixed", size, unchecked));
    let without_digest = |report: Report| Report { digest: String::new(), ..report };
    let json = |report: Report| serde_json::to_string(&without_digest(report)).expect("a report is plain data");
    assert_eq!(json(checked), json(unchecked));
}

#[test]
fn the_report_has_all_fields_of_its_format() {
    let report = run("equal", Size { peers: 3, packets: 4, seed: 1 }, WorldConfig::new(1, 0));
    let json = serde_json::to_value(&report).expect("a report is plain data");
    for field in [
        "scenario",
        "topology",
        "peers",
        "packets",
        "seed",
        "makespan_s",
        "fluid_bound_s",
        "discrete_bound_s",
        "ratio_fluid",
        "ratio_discrete",
        "p50_s",
        "p95_s",
        "first_packet_p50_s",
        "first_packet_p95_s",
        "source_copies",
        "wasted_bytes_ratio",
        "control_bytes_per_payload_byte",
        "links_live_max",
        "links_opened_max",
        "depth_max",
        "reorganisations_per_peer_minute",
        "finished",
        "peers_finished",
    ] {
        assert!(json.get(field).is_some(), "{field} is missing");
    }
    assert!(report.ratio_fluid >= 1.0, "nothing is faster than the proven bound");
}
