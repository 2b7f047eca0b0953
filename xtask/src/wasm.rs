//! What browsers run: Cargo, then the bindings, then wasm-opt. The results are the packages `web/pkg`, the engine, and
//! `web/pkg-packing`, which opens compressed and encrypted content and is loaded only for that.

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

const ENGINE: &str = "pleach-browser";
const PACKING: &str = "pleach-packing-web";

/// What a page may load before anything happens; above it, somebody should look.
const GZIPPED_MAX: u64 = 300 * 1024;

/// -O3, -Os and -Oz make the file smaller, but 14 KiB larger gzipped. In order of their names the functions are 16 KiB
/// smaller gzipped: what a generic function was made into for many types lies side by side, within what gzip looks back.
/// So names are dropped here, after that, and not before. The features are what the browsers we name all have:
/// rustc emits some of these, the rest lets wasm-opt use them.
const WASM_OPT_ARGS: [&str; 12] = [
    "-O1",
    "--reorder-functions-by-name",
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
    let packing = Recipe {
        package: PACKING,
        step: "wasm-packing",
        features: "",
        profile,
        folder: project.web_packing_pkg(),
        small: release,
    };
    packing.make(project, toolchain)?;
    print_sizes(&packing)?;
    let engine =
        Recipe { package: ENGINE, step: "wasm", features: "", profile, folder: project.web_pkg(), small: release };
    engine.make(project, toolchain)?;
    let gzipped = print_sizes(&engine)?;
    if gzipped > GZIPPED_MAX {
        let (sum, limit) = (kib(gzipped), kib(GZIPPED_MAX));
        warn(
            "size",
            &format!("engine and glue are {sum} KiB gzipped, above the {limit} KiB that we want to stay below"),
        );
    }
    Ok(())
}

/// A package with the exports that only tests call; returns its folder.
pub(crate) fn build_for_tests(project: &Project, toolchain: WasmToolchain) -> Result<PathBuf> {
    let folder = project.target.join("wasm-testing/pkg");
    let (package, profile) = (ENGINE, Profile::Release);
    let recipe = Recipe { package, step: "wasm-testing", features: "testing", profile, folder, small: false };
    recipe.make(project, toolchain)?;
    Ok(recipe.folder)
}

struct Recipe {
    /// The crate.
    package: &'static str,
    /// Names the stamp.
    step: &'static str,
    /// Cargo features of the crate.
    features: &'static str,
    profile: Profile,
    /// Where the package goes.
    folder: PathBuf,
    /// Whether wasm-opt is run, which drops names too.
    small: bool,
}

impl Recipe {
    fn make(&self, project: &Project, toolchain: WasmToolchain) -> Result<()> {
        say("wasm", &format!("compiling {} for browsers", self.package));
        let mut cargo = toolchain.cargo(project, "build", self.profile, self.features);
        process::run(cargo.args(["-p", self.package, "--features", self.features]))?;
        let compiled =
            wasm_toolchain::output_folder(project, self.profile, self.features).join(format!("{}.wasm", self.name()));

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

    /// What files are called.
    fn name(&self) -> String {
        self.package.replace('-', "_")
    }

    fn wasm(&self) -> PathBuf {
        self.folder.join(format!("{}_bg.wasm", self.name()))
    }

    fn glue(&self) -> PathBuf {
        self.folder.join(format!("{}.js", self.name()))
    }

    fn generate_bindings(&self, compiled: &Path) -> Result<()> {
        say("wasm", "generating the bindings");
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder).with_context(|| format!("cannot empty {}", self.folder.display()))?;
        }
        Bindgen::new()
            .input_path(compiled)
            .out_name(&self.name())
            .web(true)?
            .typescript(true)
            .debug(self.profile == Profile::Dev)
            .keep_debug(!self.small)
            .remove_producers_section(self.small)
            .generate(&self.folder)
            .with_context(|| format!("no bindings could be made for {}", compiled.display()))
    }

    fn optimise(&self, project: &Project) -> Result<()> {
        say("wasm", "optimising (wasm-opt)");
        let (wasm, smaller) = (self.wasm(), project.target.join(format!("wasm/{}.optimised.wasm", self.step)));
        let tool = project.npm_file("binaryen/bin/wasm-opt");
        process::run(project.node().arg(tool).args(WASM_OPT_ARGS).arg(&wasm).arg("-o").arg(&smaller))?;
        fs::copy(&smaller, &wasm).map(|_| ()).with_context(|| format!("cannot write {}", wasm.display()))
    }
}

/// Says how large it is; returns how much a page loads.
fn print_sizes(recipe: &Recipe) -> Result<u64> {
    let mut gzipped_sum = 0;
    for file in [recipe.wasm(), recipe.glue()] {
        let (raw, gzipped) = sizes(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        say("size", &format!("{name}: {} KiB, gzipped {} KiB", kib(raw), kib(gzipped)));
        gzipped_sum += gzipped;
    }
    Ok(gzipped_sum)
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
