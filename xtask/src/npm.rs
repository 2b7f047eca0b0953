//! Node.js and our npm packages.

use anyhow::{Context, Result, bail};

use crate::{
    process::{self, say},
    project::Project,
    stamp::Stamp,
};

/// What the newest of our tools (Vite) asks for.
const NODE_VERSION_MIN: (u32, u32) = (20, 19);

const WHERE_TO_GET_NODE: &str = "install Node.js 20.19 or newer with npm, from https://nodejs.org or your distribution";

/// Installs the packages of the lock file, unless they are there.
pub(crate) fn ensure(project: &Project) -> Result<()> {
    check_node(project)?;
    let installed = [project.root.join("node_modules/.package-lock.json")];
    if stamp(project)?.is_current(&installed) {
        return Ok(());
    }
    let (verb, advice) = if project.root.join("package-lock.json").is_file() {
        ("ci", "if a package.json was edited, run `npm install` once: it brings package-lock.json in line")
    } else {
        ("install", "npm could not install the packages of package.json")
    };
    say("npm", &format!("installing the packages (npm {verb})"));
    process::run(project.npm().args([verb, "--no-audit", "--no-fund"])).context(advice)?;
    // Anew, since `npm install` writes the lock file.
    stamp(project)?.save()
}

fn stamp(project: &Project) -> Result<Stamp> {
    let files = ["package.json", "package-lock.json", "web/package.json", "tests/package.json"];
    Stamp::of(project, "npm", "", &files.map(|file| project.root.join(file)))
}

fn check_node(project: &Project) -> Result<()> {
    let version = process::capture(project.node().arg("--version")).context(WHERE_TO_GET_NODE)?;
    if process::version_in(&version) < Some(NODE_VERSION_MIN) {
        bail!("Node.js {} is too old: {WHERE_TO_GET_NODE}", version.trim());
    }
    process::capture(project.npm().arg("--version")).context(WHERE_TO_GET_NODE).map(|_| ())
}
