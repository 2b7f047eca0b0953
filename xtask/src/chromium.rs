//! A Chromium for the headless tests.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{
    apt, npm,
    process::{self, say, warn},
    project::Project,
};

/// Names a browser to take instead of the first one found.
pub(crate) const VARIABLE: &str = "PLEACH_CHROMIUM";

const NAMES: [&str; 5] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

const FIXED_PLACES: [&str; 3] = [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
];

/// Finds a Chromium, or installs one. Needs the npm packages.
pub(crate) fn ensure(project: &Project) -> Result<PathBuf> {
    if let Some(named) = env::var_os(VARIABLE).map(PathBuf::from) {
        return starts(&named).with_context(|| format!("{VARIABLE} names {}", named.display())).map(|()| named);
    }
    if let Some(found) = find(project) {
        return Ok(found);
    }
    npm::ensure(project)?;
    if let Err(error) = install_by_playwright(project) {
        warn("chromium", &format!("{error:#}"));
    } else if let Some(found) = find(project) {
        return Ok(found);
    }
    if !apt::is_there() {
        bail!("no Chromium: install Chromium or Google Chrome, or name one in {VARIABLE}");
    }
    say("chromium", "installing Debian's package");
    apt::install(&["chromium"])?;
    find(project).with_context(|| format!("Chromium was installed but does not start; name another one in {VARIABLE}"))
}

fn find(project: &Project) -> Option<PathBuf> {
    let fixed = FIXED_PLACES.iter().map(PathBuf::from).filter(|place| place.exists());
    let candidates = NAMES.iter().filter_map(|name| process::find_on_path(&[name])).chain(fixed);
    candidates.chain(playwright_s_own(project)).find(|browser| starts(browser).is_ok())
}

/// A browser can be there and not start: libraries missing, or a stub that only says where to get the real one.
fn starts(browser: &Path) -> Result<()> {
    if cfg!(windows) {
        // `chrome.exe --version` opens a window instead.
        return browser.is_file().then_some(()).context("there is no such program");
    }
    process::capture(Command::new(browser).arg("--version")).map(|_| ())
}

/// Where the locked version of Playwright keeps its browser.
fn playwright_s_own(project: &Project) -> Option<PathBuf> {
    let script = "console.log(require('playwright-core').chromium.executablePath())";
    let path = PathBuf::from(process::capture(project.node().args(["-e", script])).ok()?.trim());
    path.is_file().then_some(path)
}

fn install_by_playwright(project: &Project) -> Result<()> {
    say("chromium", "none found; playwright install chromium");
    let installer = project.npm_file("playwright-core/cli.js");
    process::run(project.node().arg(installer).args(["install", "chromium"]))
}
