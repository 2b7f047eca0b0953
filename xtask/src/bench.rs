//! Benchmarks against the release binary: scripts of `tests/bench`, and swarms of real processes in `crates/lab`.

use std::{
    env, fs,
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{
    build, chromium,
    process::{self, describe},
    project::{Profile, Project},
};

/// The benchmark that is a program of ours and no script.
const SWARM: &str = "swarm";

#[derive(Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Options {
    /// `links`: one link beside a bare data channel; `memory`: what a page takes for 2 GiB; `publish`: hashing,
    /// compressing and encrypting beside b3sum, zstd and rage; `swarm`: a swarm of processes over shaped lines
    name: String,
    /// Passed on, e.g. `--json` or `--help`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    if options.name == SWARM {
        return swarm(project, &options.args);
    }
    let folder = project.root.join("tests/bench");
    let script = folder.join(format!("{}.mjs", options.name));
    if !script.is_file() {
        bail!("there is no {}; the benchmarks are: {}", script.display(), names(&folder).join(", "));
    }
    let pleach = build::all_with_examples(project, Profile::Release)?;
    let chromium = chromium::ensure(project)?;
    let mut node = project.node();
    node.arg(script).args(&options.args).env("PLEACH_BIN", pleach).env(chromium::VARIABLE, chromium);
    process::say("bench", &describe(&node));
    process::run_shown(&mut node)
}

fn swarm(project: &Project, args: &[String]) -> Result<()> {
    let lab = build::lab(project)?;
    let mut command = project.command(lab);
    command.args(args);
    if !args.iter().any(|arg| arg == "--help" || arg == "-h") {
        let pleach = build::all_with_examples(project, Profile::Release)?;
        let bare_end = project.target.join("release/examples").join(format!("bare_end{}", env::consts::EXE_SUFFIX));
        command.env("PLEACH_BIN", pleach).env("PLEACH_BARE_END", bare_end);
    }
    process::say("bench", &describe(&command));
    run_interruptible(&mut command)
}

/// Runs a program in a process group of its own. Ctrl-C asks all of it to end, a second one insists; we end when it has.
fn run_interruptible(command: &mut Command) -> Result<()> {
    static INTERRUPTED: AtomicBool = AtomicBool::new(false);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    let mut child = command.spawn().with_context(|| format!("`{}` does not start", describe(command)))?;
    let group = format!("-{}", child.id());
    ctrlc::set_handler(move || {
        let signal = if INTERRUPTED.swap(true, Ordering::Relaxed) { "-KILL" } else { "-INT" };
        let sent = process::capture(Command::new("kill").args([signal, "--", &group]));
        sent.err().iter().for_each(|error| process::warn("bench", &error.to_string()));
    })
    .context("Ctrl-C cannot be caught")?;
    let status = child.wait().context("the benchmark was lost")?;
    if !status.success() {
        bail!("the benchmark failed ({status}); what it said is above");
    }
    Ok(())
}

fn names(folder: &Path) -> Vec<String> {
    let scripts = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let scripts = scripts.filter(|path| path.extension().is_some_and(|extension| extension == "mjs"));
    let mut names: Vec<_> = scripts.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    names.push(SWARM.to_owned());
    names.sort();
    names
}
