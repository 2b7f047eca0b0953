//! Where things are in the checkout, and the commands that run inside it.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::process;

/// How the `pleach` binary and the engine are compiled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    Dev,
    Release,
}

pub(crate) struct Project {
    pub(crate) root: PathBuf,
    /// Cargo's target directory, wherever the person has put it.
    pub(crate) target: PathBuf,
}

impl Project {
    pub(crate) fn locate() -> Result<Self> {
        // Cargo sets the variable when it runs us; the compiled-in path serves a binary that is started by hand.
        let manifest_dir = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&manifest_dir).parent().context("xtask lies at the top of the file system")?.to_path_buf();
        let mut project = Self { root, target: PathBuf::new() };
        project.target = project.target_directory()?;
        Ok(project)
    }

    fn target_directory(&self) -> Result<PathBuf> {
        let output = process::capture(self.cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
        let metadata: serde_json::Value = serde_json::from_str(&output).context("`cargo metadata` printed no JSON")?;
        let directory = metadata["target_directory"].as_str().context("`cargo metadata` names no target directory")?;
        Ok(directory.into())
    }

    /// The Cargo that runs us, for native builds.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = self.command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // What Cargo told us of our own package is no concern of the builds that we start. The build script of `ring`
        // looks at it: left there, a build by us and one by hand would compile each other's TLS and WebRTC anew.
        for (name, _) in env::vars_os() {
            let of_our_package =
                ["CARGO_MANIFEST_", "CARGO_PKG_"].iter().any(|start| name.to_string_lossy().starts_with(start));
            if of_our_package {
                cargo.env_remove(name);
            }
        }
        cargo
    }

    pub(crate) fn node(&self) -> Command {
        self.command("node")
    }

    pub(crate) fn npm(&self) -> Command {
        self.command(if cfg!(windows) { "npm.cmd" } else { "npm" })
    }

    /// `npm run SCRIPT` of web/package.json.
    pub(crate) fn web_script(&self, script: &str) -> Command {
        let mut npm = self.npm();
        npm.args(["run", "--workspace", "web", script]);
        npm
    }

    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }

    /// The generated JavaScript package of the engine.
    pub(crate) fn web_packing_pkg(&self) -> PathBuf {
        self.root.join("web/pkg-packing")
    }

    pub(crate) fn web_pkg(&self) -> PathBuf {
        self.root.join("web/pkg")
    }

    /// The bundle that the tracker embeds.
    pub(crate) fn web_dist(&self) -> PathBuf {
        self.root.join("web/dist")
    }

    /// A file of an npm package of ours.
    pub(crate) fn npm_file(&self, path: &str) -> PathBuf {
        self.root.join("node_modules").join(path)
    }

    pub(crate) fn pleach(&self, profile: Profile) -> PathBuf {
        let folder = match profile {
            Profile::Dev => "debug",
            Profile::Release => "release",
        };
        self.target.join(folder).join(format!("pleach{}", env::consts::EXE_SUFFIX))
    }
}
