//! Engine, web bundle, binary: each embeds the one before.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::{
    npm,
    process::{self, say},
    project::{Profile, Project},
    stamp::Stamp,
    wasm, wasm_toolchain,
};

/// Builds everything; returns the `pleach` binary.
pub(crate) fn all(project: &Project, profile: Profile) -> Result<PathBuf> {
    page(project, profile)?;
    pleach(project, profile)
}

/// As [`all`], with the programs that only tests and benchmarks run.
pub(crate) fn all_with_examples(project: &Project, profile: Profile) -> Result<PathBuf> {
    page(project, profile)?;
    pleach_with_examples(project, profile)
}

/// The engine and the bundle.
fn page(project: &Project, profile: Profile) -> Result<()> {
    let toolchain = wasm_toolchain::ensure(project)?;
    npm::ensure(project)?;
    wasm::build(project, toolchain, profile)?;
    web(project)
}

/// The bundle `web/dist`, from the sources of `web/` and the engine in `web/pkg`.
pub(crate) fn web(project: &Project) -> Result<()> {
    let inputs = ["web", "web/pkg", "web/pkg-packing", "package-lock.json"].map(|path| project.root.join(path));
    let stamp = Stamp::of(project, "web", include_str!("build.rs"), &inputs)?;
    let outputs = [project.web_dist()];
    if stamp.is_current(&outputs) {
        return Ok(());
    }
    stamp.forget();
    say("web", "bundling the page and the custom elements");
    process::run(&mut project.web_script("build")).context("the web bundle could not be built")?;
    stamp.save()
}

/// The program that runs swarms over shaped lines.
pub(crate) fn lab(project: &Project) -> Result<PathBuf> {
    say("lab", "compiling what runs swarms");
    process::run(project.cargo().args(["build", "--release", "-p", "pleach-lab"]))?;
    Ok(project.target.join("release").join(format!("pleach-lab{}", std::env::consts::EXE_SUFFIX)))
}

/// The command line with the bundle inside.
pub(crate) fn pleach(project: &Project, profile: Profile) -> Result<PathBuf> {
    compile(project, profile, &["-p", "pleach-cli"])
}

/// As [`pleach`], with what only tests and benchmarks run: a lying peer, one end of a bare channel, what makes
/// descriptors. All at once: one after the other, each has libraries compiled anew, with the features that it needs.
pub(crate) fn pleach_with_examples(project: &Project, profile: Profile) -> Result<PathBuf> {
    let packages = ["-p", "pleach-cli", "-p", "pleach-native", "-p", "pleach-descriptors"];
    compile(project, profile, &[&packages[..], &["--bins", "--examples"]].concat())
}

fn compile(project: &Project, profile: Profile, what: &[&str]) -> Result<PathBuf> {
    let mut cargo = project.cargo();
    cargo.arg("build").args(what);
    if profile == Profile::Release {
        cargo.arg("--release");
    }
    say("pleach", "compiling the binary");
    process::run(&mut cargo)?;
    let binary = project.pleach(profile);
    say("pleach", &format!("{} is ready", binary.display()));
    Ok(binary)
}
