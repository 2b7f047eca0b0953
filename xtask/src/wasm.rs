//! The engine for browsers: Cargo, then the bindings, then wasm-opt. The result is the package `web/pkg`.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use flate2::{Compression, write::GzEncoder};
use wasm_bindgen_cli_support::Bindgen;

use crate::{
    process::{self, say, warn},
    project::{Profile, Project},
    stamp::Stamp,
    wasm_toolchain::{self, WasmToolchain},
};

const NAME: &str = "pleach_browser";

/// What a page may load before anything happens; above it, somebody should look.
const GZIPPED_MAX: u64 = 300 * 1024;

/// -O3, -Os and -Oz make the file smaller, but 14 KiB larger gzipped. The features are what the browsers we name all have:
/// rustc emits some of these, the rest lets wasm-opt use them.
const WASM_OPT_ARGS: [&str; 11] = [
    "-O1",
    "--strip-debug",
    "--strip-producers",
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
    "--enable-simd",
];

/// The package that is shipped.
pub(crate) fn build(project: &Project, toolchain: WasmToolchain, profile: Profile) -> Result<()> {
    let release = profile == Profile::Release;
    let recipe = Recipe { step: "wasm", features: "", profile, folder: project.web_pkg(), small: release };
    recipe.make(project, toolchain)?;
    print_sizes(&recipe)
}

/// A package with the exports that only tests call; returns its folder.
pub(crate) fn build_for_tests(project: &Project, toolchain: WasmToolchain) -> Result<PathBuf> {
    let folder = project.target.join("wasm-testing/pkg");
    let recipe = Recipe { step: "wasm-testing", features: "testing", profile: Profile::Release, folder, small: false };
    recipe.make(project, toolchain)?;
    Ok(recipe.folder)
}

struct Recipe {
    /// Names the stamp.
    step: &'static str,
    /// Cargo features of the crate.
    features: &'static str,
    profile: Profile,
    /// Where the package goes.
    folder: PathBuf,
    /// Whether names are dropped and wasm-opt is run.
    small: bool,
}

impl Recipe {
    fn make(&self, project: &Project, toolchain: WasmToolchain) -> Result<()> {
        say("wasm", "compiling the engine for browsers");
        let mut cargo = toolchain.cargo(project, "build", self.profile, self.features);
        process::run(cargo.args(["-p", "pleach-browser", "--features", self.features]))?;
        let compiled = wasm_toolchain::output_folder(project, self.profile, self.features).join(format!("{NAME}.wasm"));

        // Cargo knows best whether to compile; what follows depends on its result and on this file alone.
        let recipe = format!("{}{}", include_str!("wasm.rs"), self.small);
        let inputs = [compiled.clone(), project.root.join("package-lock.json")];
        let stamp = Stamp::of(project, self.step, &recipe, &inputs)?;
        if stamp.is_current(&[self.wasm(), self.glue()]) {
            return Ok(());
        }
        stamp.forget();
        self.generate_bindings(&compiled)?;
        if self.small {
            self.optimise(project)?;
        }
        stamp.save()
    }

    fn wasm(&self) -> PathBuf {
        self.folder.join(format!("{NAME}_bg.wasm"))
    }

    fn glue(&self) -> PathBuf {
        self.folder.join(format!("{NAME}.js"))
    }

    fn generate_bindings(&self, compiled: &Path) -> Result<()> {
        say("wasm", "generating the bindings");
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder).with_context(|| format!("cannot empty {}", self.folder.display()))?;
        }
        Bindgen::new()
            .input_path(compiled)
            .out_name(NAME)
            .web(true)?
            .typescript(true)
            .debug(self.profile == Profile::Dev)
            .keep_debug(!self.small)
            .remove_name_section(self.small)
            .remove_producers_section(self.small)
            .generate(&self.folder)
            .with_context(|| format!("no bindings could be made for {}", compiled.display()))
    }

    fn optimise(&self, project: &Project) -> Result<()> {
        say("wasm", "optimising (wasm-opt)");
        let (wasm, smaller) = (self.wasm(), project.target.join("wasm/optimised.wasm"));
        let tool = project.npm_file("binaryen/bin/wasm-opt");
        process::run(project.node().arg(tool).args(WASM_OPT_ARGS).arg(&wasm).arg("-o").arg(&smaller))?;
        fs::copy(&smaller, &wasm).map(|_| ()).with_context(|| format!("cannot write {}", wasm.display()))
    }
}

fn print_sizes(recipe: &Recipe) -> Result<()> {
    let mut gzipped_sum = 0;
    for file in [recipe.wasm(), recipe.glue()] {
        let (raw, gzipped) = sizes(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        say("size", &format!("{name}: {} KiB, gzipped {} KiB", kib(raw), kib(gzipped)));
        gzipped_sum += gzipped;
    }
    if gzipped_sum > GZIPPED_MAX {
        let (sum, limit) = (kib(gzipped_sum), kib(GZIPPED_MAX));
        warn(
            "size",
            &format!("engine and glue are {sum} KiB gzipped, above the {limit} KiB that we want to stay below"),
        );
    }
    Ok(())
}

fn kib(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1024.0)
}

fn sizes(file: &Path) -> io::Result<(u64, u64)> {
    let mut gzip = GzEncoder::new(Counter(0), Compression::best());
    let raw = io::copy(&mut File::open(file)?, &mut gzip)?;
    Ok((raw, gzip.finish()?.0))
}

/// Counts what is written to it.
struct Counter(u64);

impl Write for Counter {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0 += data.len() as u64;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
