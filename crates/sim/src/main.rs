//! Runs one scenario and tells what it came to.

use std::io::Write;
use std::time::Instant;

use anyhow::{Context, bail};
use clap::Parser;
use pleach_sim::report::Report;
use pleach_sim::scenario::{SCENARIOS, Scenario, Size};
use pleach_sim::topology::{TOPOLOGIES, Topology};
use pleach_sim::world::WorldConfig;

/// Simulates a swarm: the real engine over a modelled network, replayed from a seed.
#[derive(Debug, Parser)]
#[command(version, after_help = tables())]
struct Args {
    /// What happens; see below
    #[arg(long, default_value = "equal")]
    scenario: String,
    /// How peers are arranged
    #[arg(long, default_value = "forest")]
    topology: String,
    /// Peers beside the source
    #[arg(long, default_value_t = 100)]
    peers: u32,
    /// Size of the content, in packets of 64 KiB
    #[arg(long, default_value_t = 256)]
    packets: u32,
    /// Everything is drawn from it; the same seed gives the same run
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Each engine's cache, in KiB; the engine's own default is 8192, which many peers together do not have
    #[arg(long, default_value_t = 1024)]
    cache_kib: usize,
    /// Check and hash no outputs: for large runs
    #[arg(long)]
    unchecked: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn tables() -> String {
    let row = |name: &str, about: &str| format!("  {name:<16} {about}\n");
    let scenarios: String = SCENARIOS.iter().map(|scenario| row(scenario.name, scenario.about)).collect();
    let topologies: String = TOPOLOGIES.iter().map(|topology| row(topology.name, topology.about)).collect();
    format!("Scenarios:\n{scenarios}\nTopologies:\n{topologies}")
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    eprintln!("seed {}", args.seed);
    let scenario = Scenario::named(&args.scenario)
        .with_context(|| format!("there is no scenario {:?}\n{}", args.scenario, tables()))?;
    let topology = Topology::named(&args.topology)
        .with_context(|| format!("there is no topology {:?}\n{}", args.topology, tables()))?;
    let size = Size { peers: args.peers, packets: args.packets, seed: args.seed };
    let mut config = WorldConfig {
        cache_bytes: args.cache_kib * 1024,
        is_checked: !args.unchecked,
        ..WorldConfig::new(args.seed, 0)
    };
    topology.set_up(&mut config);
    let started = Instant::now();
    let report = Report::of(scenario, topology.name, size, scenario.build(size, config));
    let wall_s = started.elapsed().as_secs_f64();
    eprintln!("{:.1} s simulated in {wall_s:.1} s", report.simulated_s);
    let text = if args.json { serde_json::to_string(&report)? + "\n" } else { report.to_string() };
    std::io::stdout().write_all(text.as_bytes())?;
    if !report.is_good() {
        bail!("the run failed: replay it with the same arguments");
    }
    Ok(())
}
