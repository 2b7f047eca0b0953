//! All checks and tests, as a list of steps that stops at the first failure.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::{
    build, chromium, npm,
    process::{self, run_shown, say},
    project::{Profile, Project},
    wasm,
    wasm_toolchain::{self, WasmToolchain},
};

#[derive(Args)]
pub(crate) struct Options {
    /// What to test [default: everything]
    groups: Vec<Group>,
    /// Go on after a step that failed, and fail at the end
    #[arg(long)]
    keep_going: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Group {
    /// Format, lints and tests of the native crates, lints of the engine for browsers
    Rust,
    /// Types and unit tests of web/
    Web,
    /// Real trackers and peers with pages in a headless Chromium: tests/*.test.mjs
    Browser,
}

/// What the set-up found.
struct Tools {
    wasm: WasmToolchain,
    chromium: Option<PathBuf>,
}

struct Step {
    name: &'static str,
    groups: &'static [Group],
    run: fn(&Project, &Tools) -> Result<Outcome>,
}

enum Outcome {
    Passed,
    /// Why it was.
    Skipped(&'static str),
}

/// Each step finds what it needs made by those before it that share a group with it. The bundle comes before what embeds it,
/// so that nothing is compiled twice.
const STEPS: [Step; 10] = [
    Step { name: "format", groups: &[Group::Rust], run: format },
    Step { name: "lints", groups: &[Group::Rust], run: lints },
    Step { name: "dependencies", groups: &[Group::Rust], run: dependencies },
    Step { name: "engine for browsers", groups: &[Group::Web, Group::Browser], run: engine },
    Step { name: "types", groups: &[Group::Web], run: |project, _| passes(project.web_script("typecheck")) },
    Step { name: "web tests", groups: &[Group::Web], run: |project, _| passes(project.web_script("test")) },
    Step { name: "web bundle", groups: &[Group::Web, Group::Browser], run: web_bundle },
    Step { name: "native programs", groups: &[Group::Rust, Group::Browser], run: native_programs },
    Step { name: "rust tests", groups: &[Group::Rust], run: rust_tests },
    Step { name: "browser tests", groups: &[Group::Browser], run: browser_tests },
];

/// All crates but those for browsers and this one.
const NATIVE: [&str; 5] = ["--workspace", "--exclude", "pleach-browser", "--exclude", "xtask"];

pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    let wanted = |group: &Group| options.groups.is_empty() || options.groups.contains(group);
    let start = Instant::now();
    let tools = set_up(project, wanted(&Group::Web), wanted(&Group::Browser))?;
    let mut report = Report::default();
    for step in STEPS.iter().filter(|step| step.groups.iter().any(wanted)) {
        say("test", step.name);
        let step_start = Instant::now();
        let result = (step.run)(project, &tools);
        report.add(step.name, step_start.elapsed(), result);
        if report.failed > 0 && !options.keep_going {
            break;
        }
    }
    report.print(start.elapsed())
}

fn set_up(project: &Project, web: bool, browser: bool) -> Result<Tools> {
    let wasm = wasm_toolchain::ensure(project)?;
    if web || browser {
        npm::ensure(project)?;
    }
    let chromium = browser.then(|| chromium::ensure(project)).transpose()?;
    Ok(Tools { wasm, chromium })
}

fn format(project: &Project, _: &Tools) -> Result<Outcome> {
    if !has_component(project, "fmt", "rustfmt") {
        return Ok(Outcome::Skipped("rustfmt is not installed"));
    }
    let mut cargo = project.cargo();
    cargo.args(["fmt", "--all", "--check"]);
    passes(cargo)
}

fn lints(project: &Project, tools: &Tools) -> Result<Outcome> {
    if !has_component(project, "clippy", "clippy") {
        return Ok(Outcome::Skipped("clippy is not installed"));
    }
    let mut native = project.cargo();
    native.args(["clippy", "--workspace", "--exclude", "pleach-browser", "--all-targets", "--", "-D", "warnings"]);
    run_shown(&mut native)?;
    if tools.wasm == WasmToolchain::Current {
        // Debian's compiler for WebAssembly comes without a clippy.
        let mut browser = tools.wasm.cargo(project, "clippy", Profile::Release, "");
        run_shown(browser.args(["-p", "pleach-browser", "-p", "pleach-packing-web", "--", "-D", "warnings"]))?;
    }
    Ok(Outcome::Passed)
}

/// Licences, advisories and sources, as `deny.toml` has them.
fn dependencies(project: &Project, _: &Tools) -> Result<Outcome> {
    if !has_subcommand(project, "deny") {
        return Ok(Outcome::Skipped("cargo-deny is not installed: cargo install --locked cargo-deny"));
    }
    let mut cargo = project.cargo();
    cargo.args(["deny", "--workspace", "check"]);
    passes(cargo)
}

fn rust_tests(project: &Project, _: &Tools) -> Result<Outcome> {
    if has_subcommand(project, "nextest") {
        run_shown(project.cargo().args(["nextest", "run"]).args(NATIVE))?;
        // What nextest leaves out.
        run_shown(project.cargo().args(["test", "--doc"]).args(NATIVE))?;
    } else {
        run_shown(project.cargo().arg("test").args(NATIVE))?;
    }
    // In the profile that it runs in, for which everything is compiled already.
    let mut cargo = project.cargo();
    cargo.args(["test", "--package", "xtask", "--profile", "xtask"]);
    passes(cargo)
}

fn engine(project: &Project, tools: &Tools) -> Result<Outcome> {
    wasm::build(project, tools.wasm, Profile::Release).map(|()| Outcome::Passed)
}

fn web_bundle(project: &Project, _: &Tools) -> Result<Outcome> {
    build::web(project).map(|()| Outcome::Passed)
}

/// The binary, what only tests run, and the tests: together, since libraries are compiled with what all of them need. Browser
/// tests run the same binary as Rust tests, with its checks of overflow.
fn native_programs(project: &Project, _: &Tools) -> Result<Outcome> {
    let mut cargo = project.cargo();
    cargo.arg("build").args(NATIVE).arg("--all-targets");
    passes(cargo)
}

/// One file at a time: a Chromium keeps two processors busy by itself.
fn browser_tests(project: &Project, tools: &Tools) -> Result<Outcome> {
    let folder = project.root.join("tests");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.to_string_lossy().ends_with(".test.mjs"));
    files.sort();
    if files.is_empty() {
        bail!("there is no test in {}", folder.display());
    }
    let chromium = tools.chromium.as_ref().context("the set-up finds a browser for this step")?;
    let bindings = wasm::build_for_tests(project, tools.wasm)?;
    let mut node = project.node();
    node.args(["--test", "--test-concurrency=1", "--test-reporter=spec"]).args(files);
    node.env("PLEACH_BIN", project.pleach(Profile::Dev));
    node.env("PLEACH_TESTING_PKG", bindings).env(chromium::VARIABLE, chromium);
    passes(node)
}

fn passes(mut command: std::process::Command) -> Result<Outcome> {
    run_shown(&mut command).map(|()| Outcome::Passed)
}

fn has_subcommand(project: &Project, name: &str) -> bool {
    process::capture(project.cargo().args([name, "--version"])).is_ok()
}

/// A part of the Rust distribution that small installations leave out.
fn has_component(project: &Project, subcommand: &str, component: &str) -> bool {
    has_subcommand(project, subcommand)
        || (process::run(project.command("rustup").args(["component", "add", component])).is_ok()
            && has_subcommand(project, subcommand))
}

/// How the steps went.
#[derive(Default)]
struct Report {
    lines: Vec<String>,
    failed: usize,
}

impl Report {
    fn add(&mut self, name: &str, took: Duration, result: Result<Outcome>) {
        let took = in_words(took);
        self.lines.push(match result {
            Ok(Outcome::Passed) => format!("passed   {name:<20} {took:>12}"),
            Ok(Outcome::Skipped(reason)) => format!("skipped  {name:<20} {reason}"),
            Err(error) => {
                process::say_error(&error);
                self.failed += 1;
                format!("FAILED   {name:<20} {took:>12}  {error}")
            }
        });
    }

    fn print(self, took: Duration) -> Result<()> {
        println!("\nSteps of `cargo xtask test`:");
        self.lines.iter().for_each(|line| println!("  {line}"));
        println!("  {} in {}", if self.failed == 0 { "all passed" } else { "failed" }, in_words(took));
        match self.failed {
            0 => Ok(()),
            1 => bail!("one step failed"),
            failed => bail!("{failed} steps failed"),
        }
    }
}

fn in_words(time: Duration) -> String {
    match (time.as_secs() / 60, time.as_secs_f32() % 60.0) {
        (0, seconds) => format!("{seconds:.1} s"),
        (minutes, seconds) => format!("{minutes} min {seconds:.0} s"),
    }
}
