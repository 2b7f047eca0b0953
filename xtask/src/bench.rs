//! Benchmarks: scripts of `tests/bench`, run against the release binary.

use std::fs;

use anyhow::{Result, bail};
use clap::Args;

use crate::{
    build, chromium,
    process::{self, describe},
    project::{Profile, Project},
};

#[derive(Args)]
pub(crate) struct Options {
    /// A script of tests/bench, without its ending, e.g. `links`
    name: String,
    /// Passed to the script, e.g. `--json`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    let folder = project.root.join("tests/bench");
    let script = folder.join(format!("{}.mjs", options.name));
    if !script.is_file() {
        bail!("there is no {}; tests/bench has: {}", script.display(), names(&folder).join(", "));
    }
    let pleach = build::all(project, Profile::Release)?;
    build::examples(project, Profile::Release)?;
    let chromium = chromium::ensure(project)?;
    let mut node = project.node();
    node.arg(script).args(&options.args).env("PLEACH_BIN", pleach).env(chromium::VARIABLE, chromium);
    process::say("bench", &describe(&node));
    process::run_shown(&mut node)
}

fn names(folder: &std::path::Path) -> Vec<String> {
    let scripts = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let scripts = scripts.filter(|path| path.extension().is_some_and(|extension| extension == "mjs"));
    let mut names: Vec<_> = scripts.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    names
}
