//! Debian packages, where we may install them.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, bail};

use crate::process;

/// Older package lists name files that the mirrors may have dropped.
const LISTS_AGE_MAX: Duration = Duration::from_secs(24 * 3600);

pub(crate) fn is_there() -> bool {
    process::find_on_path(&["apt-get"]).is_some()
}

/// Installs packages as root (or by a sudo that asks nothing), else says which command does.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    let names = packages.join(" ");
    if !(is_root() || sudo_asks_nothing()) {
        bail!("this needs root; run: sudo apt-get update && sudo apt-get install -y --no-install-recommends {names}");
    }
    let fresh = !lists_are_stale();
    if !fresh {
        update()?;
    }
    process::say("apt", &format!("installing {names}"));
    let mut result = process::run(&mut install_command(packages));
    if result.is_err() && fresh {
        update()?;
        result = process::run(&mut install_command(packages));
    }
    result.with_context(|| format!("Debian's packages {names} could not be installed"))
}

fn update() -> Result<()> {
    process::say("apt", "updating the package lists");
    process::run(apt_get().arg("update"))
}

fn install_command(packages: &[&str]) -> Command {
    let mut command = apt_get();
    // --no-remove: the packages conflict with some of other Rust installations, which are not ours to take away.
    command.args(["install", "-y", "--no-install-recommends", "--no-remove"]).args(packages);
    command
}

fn apt_get() -> Command {
    let mut command = if is_root() {
        Command::new("env")
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "env"]);
        sudo
    };
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    command.args(["-o", "Acquire::Retries=3", "-o", "DPkg::Lock::Timeout=300"]);
    command
}

fn is_root() -> bool {
    process::capture(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

fn sudo_asks_nothing() -> bool {
    process::capture(Command::new("sudo").args(["-n", "true"])).is_ok()
}

fn lists_are_stale() -> bool {
    let newest = fs::read_dir(Path::new("/var/lib/apt/lists"))
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().contains("_Packages"))
        .filter_map(|entry| entry.metadata().ok()?.modified().ok())
        .max();
    let age = newest.and_then(|newest| SystemTime::now().duration_since(newest).ok());
    age.is_none_or(|age| age > LISTS_AGE_MAX)
}
