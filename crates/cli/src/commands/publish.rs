//! `pleach publish FILE|DIR…`: the description of a content, to be put beside it on a web server.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use pleach_core::content::{HASH_LIST_BYTES_MAX, HashTree, Link, Manifest};
use pleach_native::store::plain;
use serde_json::json;

use crate::args::PublishArgs;
use crate::describing::{self, describe_size};
use crate::exit::{Code, Error, Result};
use crate::interrupt::Interrupt;
use crate::source::{tracker_base, tracker_socket};
use crate::telling::write_line;
use crate::ui::Ui;

pub(crate) async fn run(args: PublishArgs, ui: &Ui, mut interrupt: Interrupt) -> Result {
    let bases = args.trackers.iter().map(|url| tracker_base(url)).collect::<Result<Vec<_>>>()?;
    let sockets = bases.iter().map(|base| tracker_socket(base)).collect::<Result<Vec<_>>>()?;
    let prepared = describing::prepare(&args.content, &args.describe, &sockets, ui, &mut interrupt).await?;
    let manifest = prepared.manifest;
    if args.out.as_deref() == Some(Path::new("-")) {
        let mut stdout = std::io::stdout().lock();
        let written = stdout.write_all(manifest.as_bytes()).and_then(|()| stdout.flush());
        return written.map_err(|error| Error::new(Code::Storage, format!("cannot write to stdout: {error}")));
    }
    let out = args.out.clone().unwrap_or_else(|| place_of(&args.content.files, manifest.saved_name()));
    let hashes = hash_list(&prepared.tree, &manifest).map(|list| (list_place(&out), list));
    let files = hashes.iter().map(|(place, list)| (place, &list[..])).chain([(&out, manifest.as_bytes())]);
    let files: Vec<_> = files.collect();
    if !args.force {
        files.iter().rev().try_for_each(|(place, _)| refuse_existing(place))?;
    }
    // The description last: whoever finds it finds the rest.
    files.iter().try_for_each(|(place, bytes)| write(place, bytes))?;
    let link = |base: &String| Link::new(base, manifest.id(), Some(manifest.digest())).map(|link| link.to_string());
    let links = bases.iter().map(link).collect::<std::result::Result<Vec<_>, _>>()?;
    let hashes = hashes.map(|(place, _)| place);
    tell(&out, hashes.as_deref(), &manifest, &links, args.json, ui);
    Ok(())
}

/// Beside the one thing that is described, else here.
fn place_of(inputs: &[PathBuf], name: &str) -> PathBuf {
    let beside = match inputs {
        [input] => input.file_name().and(input.parent()).unwrap_or(Path::new("")),
        _ => Path::new(""),
    };
    let mut name = OsString::from(name);
    name.push(".pleach");
    beside.join(name)
}

/// The hash list of one file, with which readers can take its bytes from a web server; none where it would be empty or
/// longer than they read.
fn hash_list(tree: &HashTree, manifest: &Manifest) -> Option<Vec<u8>> {
    let list_bytes = manifest.geometry().hash_list_bytes();
    let is_of_use = manifest.files().len() == 1 && (1..=HASH_LIST_BYTES_MAX).contains(&list_bytes);
    tree.hash_list().filter(|_| is_of_use)
}

/// Where the hash list goes: beside the description, as readers look for it.
fn list_place(out: &Path) -> PathBuf {
    let mut place = out.as_os_str().to_owned();
    place.push("-hashes");
    place.into()
}

fn refuse_existing(out: &Path) -> Result {
    if out.symlink_metadata().is_err() {
        return Ok(());
    }
    Err(Error::new(Code::Storage, format!("{} exists already", out.display()))
        .hint("--force replaces it, -o NAME writes elsewhere"))
}

/// Writes it whole or not at all: a web server may be about to read it.
fn write(out: &Path, bytes: &[u8]) -> Result {
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = tempfile::Builder::new().prefix(".pleach-").make_in(folder, create_new).and_then(|mut file| {
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        Ok(file.persist(out)?)
    });
    written
        .map(drop)
        .map_err(|error| Error::new(Code::Storage, format!("cannot write {}: {}", out.display(), plain(&error))))
}

/// With the rights that a new file has: a temporary file is for nobody else, this is for a web server.
fn create_new(path: &Path) -> std::io::Result<std::fs::File> {
    std::fs::File::create_new(path)
}

/// Where it is, alone on its line, or an object with what pages name too.
fn tell(out: &Path, hashes: Option<&Path>, manifest: &Manifest, links: &[String], is_json: bool, ui: &Ui) {
    let size = describe_size(manifest.files().len(), manifest.size_bytes());
    ui.say(format_args!("{}, {size}: described in {}", manifest.saved_name(), out.display()));
    if let Some(hashes) = hashes {
        ui.say(format_args!("its hash list, to be put beside it: {}", hashes.display()));
    }
    for link in links {
        ui.say(format_args!("while somebody seeds it: {link}"));
    }
    if is_json {
        let object = json!({
            "path": out.to_string_lossy(),
            "hashes_path": hashes.map(Path::to_string_lossy),
            "id": manifest.id(),
            "digest": manifest.digest(),
            "size_bytes": manifest.size_bytes(),
            "links": links,
        });
        write_line(object);
    } else {
        write_line(out.display());
    }
}
