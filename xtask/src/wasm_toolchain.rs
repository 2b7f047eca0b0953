//! A Rust compiler that can build for `wasm32-unknown-unknown`.
//!
//! Looked for in this order, what costs nothing first:
//!
//! 1. the toolchain in use, if it has the target's standard library;
//! 2. Debian's compiler for browsers (`rustc-web` and companions), which brings the sources of the standard library
//!    instead: it is then built along with ours, by Cargo's unstable `build-std`, hence `RUSTC_BOOTSTRAP`;
//! 3. `rustup target add`;
//! 4. Debian's packages again, installed by apt-get.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{
    apt, process,
    process::say,
    project::{Profile, Project},
};

const TARGET: &str = "wasm32-unknown-unknown";

const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_LINKER: &str = "/usr/bin/rust-lld";
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm"];
/// `rust-version` of the workspace; an older compiler does not understand us.
const DEBIAN_VERSION_MIN: (u32, u32) = (1, 88);

const WHERE_TO_GET_IT: &str = "no Rust compiler for WebAssembly: install Rust by https://rustup.rs and run \
     `rustup target add wasm32-unknown-unknown`, or install your distribution's standard library for that target \
     (newer Debian and Ubuntu: libstd-rust-dev-wasm32 and lld; Fedora: rust-std-static-wasm32-unknown-unknown)";

/// Whatever fits the processors of all browsers we name: BLAKE3 is twice as fast with it.
const RUSTFLAGS: &str = "-C target-feature=+simd128";

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum WasmToolchain {
    /// The toolchain in use.
    Current,
    /// Debian's compiler, building the standard library too.
    Debian,
}

/// Finds a toolchain, or installs one.
pub(crate) fn ensure(project: &Project) -> Result<WasmToolchain> {
    if let Some(toolchain) = find(project) {
        return Ok(toolchain);
    }
    if let Err(error) = install_by_rustup(project) {
        process::warn("wasm", &format!("{error:#}"));
        install_by_apt()?;
    }
    find(project).context(WHERE_TO_GET_IT)
}

fn find(project: &Project) -> Option<WasmToolchain> {
    if current_has_target(project) {
        Some(WasmToolchain::Current)
    } else if debian_is_complete() {
        Some(WasmToolchain::Debian)
    } else {
        None
    }
}

fn current_has_target(project: &Project) -> bool {
    let mut rustc = project.command(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    let Ok(folder) = process::capture(rustc.args(["--print", "target-libdir", "--target", TARGET])) else {
        return false;
    };
    let libraries = fs::read_dir(folder.trim()).into_iter().flatten().flatten();
    libraries.map(|library| library.file_name()).any(|name| name.to_string_lossy().starts_with("libstd-"))
}

fn debian_is_complete() -> bool {
    let version = process::capture(Command::new(DEBIAN_RUSTC).arg("--version")).unwrap_or_default();
    process::version_in(&version) >= Some(DEBIAN_VERSION_MIN)
        && Path::new(DEBIAN_CARGO).exists()
        && Path::new("/usr/lib/rustlib/src/rust/library/std/Cargo.toml").exists()
        // A link to another package's program, which may be missing.
        && Path::new(DEBIAN_LINKER).exists()
}

fn install_by_rustup(project: &Project) -> Result<()> {
    say("wasm", &format!("rustup target add {TARGET}"));
    process::run(project.command("rustup").args(["target", "add", TARGET]))?;
    if !current_has_target(project) {
        bail!("rustup has the target, but the compiler in use is not rustup's");
    }
    Ok(())
}

fn install_by_apt() -> Result<()> {
    if !apt::is_there() {
        bail!(WHERE_TO_GET_IT);
    }
    say("wasm", "installing Debian's compiler for WebAssembly");
    apt::install(&DEBIAN_PACKAGES).context(WHERE_TO_GET_IT)?;
    // The linker is that of the LLVM which this compiler was made with, e.g. lld-22.
    let linker = fs::read_link(DEBIAN_LINKER).with_context(|| format!("{DEBIAN_LINKER} is missing"))?;
    let package = linker.file_name().context("the linker has a name")?.to_string_lossy();
    apt::install(&[&package])
}

impl WasmToolchain {
    /// A Cargo sub-command for the wasm target; folder of the result: [`output_folder`].
    ///
    /// The target directory is apart from that of native builds, which would otherwise be thrown away by the other
    /// compiler at each turn, and so is that of each set of features: a cdylib has one name whatever its features, so
    /// that two of them in one place would compile each other anew.
    pub(crate) fn cargo(self, project: &Project, subcommand: &str, profile: Profile, features: &str) -> Command {
        let mut cargo = match self {
            Self::Current => project.cargo(),
            Self::Debian => debian_cargo(project),
        };
        cargo.args([subcommand, "--target", TARGET, "--profile", cargo_profile(profile)]);
        cargo.arg("--target-dir").arg(target_folder(project, features));
        if self == Self::Debian {
            cargo.args(["-Z", "build-std=std,panic_abort"]);
        }
        // Flags meant for the native compiler would override ours.
        cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", RUSTFLAGS);
        cargo
    }
}

/// Called by its path: rustup, where there is one, knows nothing of it. Nor may it see the libraries of the toolchain
/// that runs us.
fn debian_cargo(project: &Project) -> Command {
    let mut cargo = project.command(DEBIAN_CARGO);
    cargo.env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1");
    for name in ["CARGO", "LD_LIBRARY_PATH", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "RUSTUP_TOOLCHAIN"] {
        cargo.env_remove(name);
    }
    cargo
}

fn cargo_profile(profile: Profile) -> &'static str {
    match profile {
        Profile::Dev => "dev",
        Profile::Release => "wasm",
    }
}

fn target_folder(project: &Project, features: &str) -> PathBuf {
    match features {
        "" => project.target.join("wasm"),
        features => project.target.join(format!("wasm-{features}")),
    }
}

/// Where [`WasmToolchain::cargo`] leaves what it compiles.
pub(crate) fn output_folder(project: &Project, profile: Profile, features: &str) -> PathBuf {
    let folder = match profile {
        Profile::Dev => "debug",
        Profile::Release => "wasm",
    };
    target_folder(project, features).join(TARGET).join(folder)
}
