//! `cargo xtask`: what a person does with a checkout, one command each.
//!
//! A fresh machine has Rust and Node.js and nothing else. Everything beyond these (the wasm target, npm packages, a
//! Chromium) is looked for first, then installed where that is possible, and otherwise named in the error together
//! with the command that brings it. Each command does the set-up it needs by itself.
//!
//! The order of a build is fixed by who embeds whom: the engine in wasm goes into the web bundle, and the bundle into
//! the `pleach` binary.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

mod apt;
mod bench;
mod build;
mod chromium;
mod demo;
mod fuzz;
mod npm;
mod process;
mod project;
mod stamp;
mod test;
mod wasm;
mod wasm_toolchain;

use project::{Profile, Project};

/// Set up, build, try, test and measure Pleach.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Make the machine ready: wasm target, npm packages, a Chromium (the other commands do this by themselves)
    Setup,
    /// Build the engine for browsers, the web bundle, and the `pleach` binary that embeds it
    Build {
        /// Faster to build, slower to run: no optimisation of our own crates, no wasm-opt
        #[arg(long)]
        dev: bool,
    },
    /// Share a 256 MiB sample file with the release binary and open its link; Ctrl-C ends
    Demo {
        /// Print the link only
        #[arg(long)]
        no_open: bool,
    },
    /// Run all checks and tests, those in a headless browser included
    Test(test::Options),
    /// Run a benchmark against the release binary: `bench links` or `bench swarm`; each has a --help of its own
    Bench(bench::Options),
    /// Fuzz the decoders of the core with cargo-fuzz
    Fuzz(fuzz::Options),
}

fn main() {
    if let Err(error) = run(Cli::parse().command) {
        process::say_error(&error);
        std::process::exit(1);
    }
}

fn run(task: Task) -> Result<()> {
    let project = Project::locate()?;
    match task {
        Task::Setup => set_up(&project).map(|_| ()),
        Task::Build { dev } => {
            let profile = if dev { Profile::Dev } else { Profile::Release };
            build::all(&project, profile).map(|_| ())
        }
        Task::Demo { no_open } => demo::run(&project, no_open),
        Task::Test(options) => test::run(&project, &options),
        Task::Bench(options) => bench::run(&project, &options),
        Task::Fuzz(options) => fuzz::run(&project, &options),
    }
}

/// Everything at once, for who wants the long steps behind them; returns the Chromium found.
fn set_up(project: &Project) -> Result<PathBuf> {
    wasm_toolchain::ensure(project)?;
    npm::ensure(project)?;
    let chromium = chromium::ensure(project)?;
    process::say("setup", &format!("ready; the browser for tests is {}", chromium.display()));
    Ok(chromium)
}
