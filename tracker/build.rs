//! Puts the built page, `web/dist`, into the server: every file with its type, its tag for caches and, where it pays,
//! a gzipped copy, so that serving costs a look-up and no compression.
//!
//! Without `web/dist/index.html` (nobody ran `cargo xtask build` yet) a page that says so is put in instead, so that
//! `cargo build` and `cargo test` work in a fresh checkout.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// A smaller file gains nothing from compression.
const GZIP_BYTES_MIN: usize = 512;

fn main() -> io::Result<()> {
    let crate_dir = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let (folder, built) = choose_folder(&crate_dir);

    let mut files = Vec::new();
    collect(&folder, &mut files)?;
    // By text, as the table is searched; paths compare by component.
    files.sort_by_key(|file| file.to_string_lossy().replace('\\', "/"));

    let mut table = format!("pub(super) const BUILT: bool = {built};\npub(super) static ASSETS: &[Asset] = &[\n");
    for (index, file) in files.iter().enumerate() {
        let path = file.strip_prefix(&folder).expect("collected below it");
        let path = path.to_str().ok_or_else(|| io::Error::other(format!("{path:?} is not UTF-8")))?;
        write_entry(&mut table, &path.replace('\\', "/"), &fs::read(file)?, &out_dir, index)?;
    }
    table.push_str("];\n");
    fs::write(out_dir.join("assets.rs"), table)
}

/// The folder to put in, and whether it is the built page; tells cargo what to watch.
fn choose_folder(crate_dir: &Path) -> (PathBuf, bool) {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=placeholder");
    let web = crate_dir.join("../web");
    let dist = web.join("dist");
    if dist.join("index.html").is_file() {
        println!("cargo:rerun-if-changed=../web/dist");
        return (dist, true);
    }
    // Watching a path that does not exist would rebuild the server each time; its parent changes when it appears.
    if web.is_dir() {
        println!("cargo:rerun-if-changed=../web");
    }
    (crate_dir.join("placeholder"), false)
}

/// All files below a folder, without hidden ones.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if entry.path().is_dir() {
            collect(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

fn write_entry(table: &mut String, path: &str, bytes: &[u8], out_dir: &Path, index: usize) -> io::Result<()> {
    let plain = out_dir.join(format!("{index}.asset"));
    fs::write(&plain, bytes)?;
    let mut gzip_expression = "None".to_owned();
    if let Some(gzip) = gzip_where_it_pays(path, bytes)? {
        let file = out_dir.join(format!("{index}.asset.gz"));
        fs::write(&file, gzip)?;
        gzip_expression = format!("Some(include_bytes!({file:?}))");
    }
    writeln!(
        table,
        "    Asset {{ path: {path:?}, content_type: {:?}, etag: {:?}, immutable: {}, \
         bytes: include_bytes!({plain:?}), gzip: {gzip_expression} }},",
        content_type(path),
        &blake3::hash(bytes).to_hex()[..32],
        names_its_content(path),
    )
    .map_err(io::Error::other)
}

/// A gzipped copy, if it is smaller by a tenth at least.
fn gzip_where_it_pays(path: &str, bytes: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let compressed_already = [".png", ".jpg", ".webp", ".avif", ".woff2", ".mp4", ".gz", ".br"];
    if bytes.len() < GZIP_BYTES_MIN || compressed_already.iter().any(|end| path.ends_with(end)) {
        return Ok(None);
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes)?;
    let gzip = encoder.finish()?;
    Ok((gzip.len() < bytes.len() / 10 * 9).then_some(gzip))
}

fn content_type(path: &str) -> String {
    // What mime_guess knows as `.ts` is an MPEG transport stream.
    if path.ends_with(".ts") {
        return "text/plain; charset=utf-8".to_owned();
    }
    let mime = mime_guess::from_path(path).first_or_octet_stream();
    match mime.type_().as_str() {
        "text" => format!("{mime}; charset=utf-8"),
        _ => mime.to_string(),
    }
}

/// Whether a file's name holds a hash of its content, so that it may be kept for ever: `assets/NAME-HASH.EXT`, where
/// HASH has eight characters of base64url, as Vite names its output. To tell it from a word, one must be a digit or a
/// capital. A hash taken for a word costs a question to the server now and then.
fn names_its_content(path: &str) -> bool {
    let Some((stem, _)) = path.strip_prefix("assets/").and_then(|name| name.rsplit_once('.')) else { return false };
    let Some((b'-', hash)) = stem.as_bytes().last_chunk::<9>().and_then(|end| end.split_first()).map(|(c, h)| (*c, h))
    else {
        return false;
    };
    hash.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        && hash.iter().any(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
}
