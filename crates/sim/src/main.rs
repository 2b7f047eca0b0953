//! Runs one scenario and tells what it came to.

use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, bail};
use clap::Parser;
use pleach_sim::crowd;
use pleach_sim::report::Report;
use pleach_sim::runs::Runs;
use pleach_sim::scenario::{SCENARIOS, Scenario, Size};
use pleach_sim::settings;
use pleach_sim::topology::{TOPOLOGIES, Topology};
use pleach_sim::world::WorldConfig;

/// Simulates a swarm: the real engine over a modelled network, replayed from a seed.
#[derive(Debug, Parser)]
#[command(version, after_help = tables())]
struct Args {
    /// What happens; see below
    #[arg(long, default_value = "equal")]
    scenario: String,
    /// How peers are arranged; see below
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
    /// So many runs, from the seed on, two at a time; prints their medians, or a line of JSON each
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,
    /// Each engine's cache, in KiB; the engine's own default is 8192, which many peers together do not have
    #[arg(long, default_value_t = 1024)]
    cache_kib: usize,
    /// One of the tracker's numbers, for sweeps
    #[arg(long, value_name = "KEY=VALUE", hide = true)]
    set: Vec<String>,
    /// Let peers look nobody up
    #[arg(long)]
    no_lookup: bool,
    /// Compare what the policies of lists ([003]) do to a crowd of --peers, instead of a scenario
    #[arg(long, conflicts_with_all = ["scenario", "topology", "plot", "runs", "no_lookup"])]
    lookup: bool,
    /// Draw the first run as an SVG: how it went on, and who fed whom in the middle
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    /// Let small groups stand for those of the standard size: for large runs
    #[arg(long)]
    coarse: bool,
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

/// What all runs share.
struct Setup {
    scenario: &'static Scenario,
    topology: &'static Topology,
    peers: u32,
    packets: u32,
    config: WorldConfig,
    plot: Option<(u64, PathBuf)>,
}

impl Setup {
    fn new(args: &Args) -> anyhow::Result<Self> {
        let scenario = Scenario::named(&args.scenario)
            .with_context(|| format!("there is no scenario {:?}\n{}", args.scenario, tables()))?;
        let topology = Topology::named(&args.topology)
            .with_context(|| format!("there is no topology {:?}\n{}", args.topology, tables()))?;
        let mut config = WorldConfig {
            cache_bytes: args.cache_kib * 1024,
            is_checked: !args.unchecked,
            is_coarse: args.coarse,
            ..WorldConfig::new(args.seed, 0)
        };
        config.lookup.is_on = !args.no_lookup;
        topology.set_up(&mut config);
        let plot = args.plot.clone().map(|path| (args.seed, path));
        for assignment in &args.set {
            settings::set(&mut config.tracker, assignment)?;
        }
        Ok(Self { scenario, topology, peers: args.peers, packets: args.packets, config, plot })
    }

    fn run(&self, seed: u64) -> anyhow::Result<Report> {
        let started = Instant::now();
        let size = Size { peers: self.peers, packets: self.packets, seed };
        let plot = self.plot.as_ref().filter(|(first, _)| *first == seed).map(|(_, path)| path);
        let config = WorldConfig { is_recorded: plot.is_some(), ..self.config.clone() };
        let built = self.scenario.build(size, config);
        let (report, picture) = Report::with_picture(self.scenario, self.topology.name, size, built);
        eprintln!("{:.1} s simulated in {:.1} s", report.simulated_s, started.elapsed().as_secs_f64());
        if let (Some(path), Some(picture)) = (plot, picture) {
            std::fs::write(path, picture).with_context(|| format!("the picture can't be written to {path:?}"))?;
        }
        Ok(report)
    }
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    eprintln!("seed {}", args.seed);
    if args.lookup {
        let told = crowd::compare(args.peers, args.seed);
        std::io::stdout().write_all(crowd::text_of(&told, args.json)?.as_bytes())?;
        return Ok(());
    }
    let setup = Setup::new(&args)?;
    let runs = Runs::of(args.seed, args.runs, |seed| setup.run(seed))?;
    std::io::stdout().write_all(text_of(&runs, args.json)?.as_bytes())?;
    if !runs.are_good() {
        bail!("a run failed: replay it with the same arguments");
    }
    Ok(())
}

fn text_of(runs: &Runs, as_json: bool) -> anyhow::Result<String> {
    Ok(match &runs.reports[..] {
        reports if as_json => reports
            .iter()
            .map(|report| Ok(serde_json::to_string(report)? + "\n"))
            .collect::<Result<_, serde_json::Error>>()?,
        [report] => report.to_string(),
        _ => runs.to_string(),
    })
}
