//! The command line, and the rounds.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use pleach_lab::line::Profile;
use pleach_lab::report::Report;
use pleach_lab::sealed;
use pleach_lab::swarm::{self, Plan};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

const AFTER_HELP: &str = "\
One tracker, one source and the peers run as processes, each in a network namespace of its own whose one line is \
shaped both ways; round trips are 10 to 120 ms. All peers start at once and stay to the end. First a bare WebRTC \
channel runs through one pair of lines: the bounds are for what that carried of its line.

A run in which more than 85 % of all cores were busy, by whomever, says so and does not count: choose a smaller \
--scale, or a quieter hour. It needs Linux with iproute2 and util-linux, and root or a system that lets users make \
namespaces. When it ends, however it does, nothing is left of its networks and processes.

Examples:
  cargo xtask bench swarm --peers 16 --profile mixed
  cargo xtask bench swarm --profile equal --mib 64 --rounds 3 --json > swarm.jsonl";

/// Measures a swarm of real processes over shaped lines.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench swarm", after_help = AFTER_HELP)]
struct Args {
    /// Peers beside the source
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=200))]
    peers: u16,
    /// Who has what line
    #[arg(long, value_enum, default_value_t = Profile::Mixed)]
    profile: Profile,
    /// Size of the content; larger ones weigh the beginning less [default: what takes some 150 s at the bound]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=16384))]
    mib: Option<u64>,
    /// So many runs, one after another, from the seed on
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Print one JSON object for each round, a line each
    #[arg(long)]
    json: bool,
    /// Multiply all rates with it, so that the whole is what this machine's processor carries
    #[arg(long, default_value_t = 0.25, value_parser = scale)]
    scale: f64,
    /// Content and distances are drawn from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Leave the folder with what each process said
    #[arg(long)]
    keep: bool,
}

fn scale(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(scale) if (0.01..=10.0).contains(&scale) => Ok(scale),
        _ => Err("expected a number from 0.01 to 10".to_owned()),
    }
}

pub(crate) fn main() -> Result<()> {
    let args = Args::parse();
    if !sealed::is_inside() {
        sealed::check()?;
        let error = sealed::command(&env::current_exe()?).args(env::args_os().skip(1)).exec();
        return Err(error).context("`unshare` does not start");
    }
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed)).context("Ctrl-C cannot be caught")?;
    let folder = tempfile::Builder::new().prefix("pleach-swarm-").tempdir()?;
    let result = rounds(&args, folder.path());
    if args.keep {
        eprintln!("what each process said is in {}", folder.keep().display());
    }
    result
}

fn rounds(args: &Args, folder: &Path) -> Result<()> {
    let mut reports = Vec::new();
    for round in 0..args.rounds {
        let folder = folder.join(format!("round-{}", round + 1));
        fs::create_dir(&folder)?;
        let plan = plan(args, round, folder)?;
        eprintln!(
            "round {} of {}: {} peers, {} MiB, seed {}",
            round + 1,
            args.rounds,
            plan.peers,
            plan.size_bytes >> 20,
            plan.seed
        );
        let report = Report::new(&plan, &swarm::run(&plan, &INTERRUPTED)?);
        let text = if args.json { serde_json::to_string(&report)? + "\n" } else { report.to_string() };
        std::io::stdout().write_all(text.as_bytes())?;
        reports.push(report);
    }
    if !args.json && reports.len() > 1 {
        println!("{}", medians(&reports));
    }
    if let Some(unfinished) = reports.iter().find(|report| !report.finished) {
        bail!("only {} of {} peers had everything in the end", unfinished.peers_finished, unfinished.peers);
    }
    Ok(())
}

fn plan(args: &Args, round: u64, folder: PathBuf) -> Result<Plan> {
    let pleach = program("PLEACH_BIN")?;
    let bare_end = Some(program("PLEACH_BARE_END")?);
    let mib = args.mib.unwrap_or_else(|| default_mib(args));
    let (peers, profile, scale) = (usize::from(args.peers), args.profile, args.scale);
    Ok(Plan { profile, peers, size_bytes: mib << 20, scale, seed: args.seed + round, pleach, bare_end, folder })
}

/// What takes some 150 s at the bound, in whole 16 MiB.
fn default_mib(args: &Args) -> u64 {
    const TARGET_S: f64 = 150.0;
    const PROBE_BYTES: u64 = 1 << 30;
    let lines = args.profile.peers(usize::from(args.peers), args.scale, args.seed);
    let probe_s = swarm::rates(args.profile.source(args.scale), &lines, PROBE_BYTES, 0.9).fluid_s();
    ((TARGET_S / probe_s * 1024.0 / 16.0).round() as u64).max(1) * 16
}

/// A program that `cargo xtask` has built.
fn program(variable: &str) -> Result<PathBuf> {
    let path = env::var_os(variable).map(PathBuf::from);
    let path = path.with_context(|| format!("{variable} is not set: start this with `cargo xtask bench swarm`"))?;
    ensure!(path.is_file(), "there is no {}", path.display());
    Ok(path)
}

/// Of the runs that count.
fn medians(reports: &[Report]) -> String {
    let counted: Vec<&Report> = reports.iter().filter(|report| report.counts()).collect();
    if counted.is_empty() {
        return format!("none of {} rounds counts", reports.len());
    }
    let median = |value: fn(&Report) -> f64| {
        let mut values: Vec<f64> = counted.iter().map(|report| value(report)).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    format!(
        "{} of {} rounds count; medians: fluid × {:.2}, source {:.2} copies, first packet {:.2} s",
        counted.len(),
        reports.len(),
        median(|report| report.ratio_fluid),
        median(|report| report.source_copies),
        median(|report| report.first_packet_p50_s)
    )
}
