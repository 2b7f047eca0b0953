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

/// What the browsers we name all have. rustc emits some of these, the rest lets wasm-opt use them.
const WASM_OPT_ARGS: [&str; 12] = [
    "-Oz",
    "--converge",
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

pub(crate) fn build(project: &Project, toolchain: WasmToolchain, profile: Profile) -> Result<()> {
    say("wasm", "compiling the engine for browsers");
    process::run(
        toolchain
            .cargo(project, "build", profile)
            .args(["-p", "pleach-browser"]),
    )?;
    let compiled = wasm_toolchain::output_folder(project, profile).join(format!("{NAME}.wasm"));

    // Cargo knows best whether to compile; what follows depends on its result and on this file alone.
    let recipe = format!("{}{}", include_str!("wasm.rs"), profile == Profile::Dev);
    let inputs = [compiled.clone(), project.root.join("package-lock.json")];
    let stamp = Stamp::of(project, "wasm", &recipe, &inputs)?;
    let outputs = ["js", "d.ts"].map(|kind| project.web_pkg().join(format!("{NAME}.{kind}")));
    if !stamp.is_current(&outputs) || !optimised_wasm(project).exists() {
        stamp.forget();
        generate_bindings(project, &compiled, profile)?;
        if profile == Profile::Release {
            optimise(project)?;
        }
        stamp.save()?;
    }
    print_sizes(project)
}

fn optimised_wasm(project: &Project) -> PathBuf {
    project.web_pkg().join(format!("{NAME}_bg.wasm"))
}

fn generate_bindings(project: &Project, compiled: &Path, profile: Profile) -> Result<()> {
    say("wasm", "generating the bindings");
    let folder = project.web_pkg();
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    let release = profile == Profile::Release;
    Bindgen::new()
        .input_path(compiled)
        .out_name(NAME)
        .web(true)?
        .typescript(true)
        .debug(!release)
        .keep_debug(!release)
        .remove_name_section(release)
        .remove_producers_section(release)
        .generate(&folder)
        .with_context(|| format!("no bindings could be made for {}", compiled.display()))
}

fn optimise(project: &Project) -> Result<()> {
    say("wasm", "optimising for size (wasm-opt)");
    let (wasm, smaller) = (
        optimised_wasm(project),
        project.target.join("wasm/optimised.wasm"),
    );
    let tool = project.npm_file("binaryen/bin/wasm-opt");
    process::run(
        project
            .node()
            .arg(tool)
            .args(WASM_OPT_ARGS)
            .arg(&wasm)
            .arg("-o")
            .arg(&smaller),
    )?;
    fs::copy(&smaller, &wasm)
        .map(|_| ())
        .with_context(|| format!("cannot write {}", wasm.display()))
}

fn print_sizes(project: &Project) -> Result<()> {
    let mut gzipped_sum = 0;
    for file in [
        optimised_wasm(project),
        project.web_pkg().join(format!("{NAME}.js")),
    ] {
        let (raw, gzipped) =
            sizes(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        say(
            "size",
            &format!("{name}: {} KiB, gzipped {} KiB", kib(raw), kib(gzipped)),
        );
        gzipped_sum += gzipped;
    }
    if gzipped_sum > GZIPPED_MAX {
        let (sum, limit) = (kib(gzipped_sum), kib(GZIPPED_MAX));
        warn(
            "size",
            &format!(
                "engine and glue are {sum} KiB gzipped, above the {limit} KiB that we want to stay below"
            ),
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
