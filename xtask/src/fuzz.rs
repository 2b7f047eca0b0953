//! Fuzzing, by cargo-fuzz, of the targets in `crates/core/fuzz`.
//!
//! The corpora found are committed and replayed by the ordinary tests; this command is for finding more.

use std::fs;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{
    process::{self, say},
    project::Project,
};

const FOLDER: &str = "crates/core/fuzz";

#[derive(Args)]
pub(crate) struct Options {
    /// A target of crates/core/fuzz/fuzz_targets [default: each in turn]
    target: Option<String>,
    /// How long each target runs
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u32,
}

pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    process::capture(project.cargo().args(["fuzz", "--version"]))
        .context("cargo-fuzz is missing: install it with `cargo install --locked cargo-fuzz`")?;
    let targets = match &options.target {
        Some(target) => vec![target.clone()],
        None => all_targets(project)?,
    };
    targets.iter().try_for_each(|target| fuzz(project, target, options.seconds))
}

fn all_targets(project: &Project) -> Result<Vec<String>> {
    let folder = project.root.join(FOLDER).join("fuzz_targets");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut targets: Vec<_> =
        entries.flatten().filter_map(|entry| Some(entry.path().file_stem()?.to_str()?.to_owned())).collect();
    targets.sort();
    if targets.is_empty() {
        bail!("{} holds no target", folder.display());
    }
    Ok(targets)
}

/// Safe Rust has no need of the address sanitizer. Coverage asks for unstable flags of the compiler, which the stable
/// one accepts by `RUSTC_BOOTSTRAP`: no nightly to install.
fn fuzz(project: &Project, target: &str, seconds: u32) -> Result<()> {
    say("fuzz", &format!("{target}, {seconds} s"));
    let mut cargo = project.cargo();
    cargo.env("RUSTC_BOOTSTRAP", "1");
    cargo.args(["fuzz", "run", "--sanitizer", "none", "--fuzz-dir", FOLDER, target, "--"]);
    process::run(cargo.arg(format!("-max_total_time={seconds}")))
        .with_context(|| format!("target {target}: the input that failed is in {FOLDER}/artifacts/{target}"))
}
