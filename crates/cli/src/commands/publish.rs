//! `pleach publish FILE|DIR…`: the description of a content, to be put beside it on a web server.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use pleach_core::content::{HASH_LIST_BYTES_MAX, HashTree, Link, Manifest};
use pleach_native::store::plain;
use serde_json::json;
use tempfile::NamedTempFile;

use crate::args::PublishArgs;
use crate::describing::{self, Prepared, describe_size};
use crate::exit::{Code, Error, Result};
use crate::interrupt::Interrupt;
use crate::source::{tracker_base, tracker_socket};
use crate::telling::write_line;
use crate::ui::Ui;

pub(crate) async fn run(args: PublishArgs, ui: &Ui, mut interrupt: Interrupt) -> Result {
    let bases = args.trackers.iter().map(|url| tracker_base(url)).collect::<Result<Vec<_>>>()?;
    let sockets = bases.iter().map(|base| tracker_socket(base)).collect::<Result<Vec<_>>>()?;
    let to_stdout = args.out.as_deref() == Some(Path::new("-"));
    let packed = if args.content.packing.is_packed() { Some(begin_packed(&args, to_stdout)?) } else { None };
    let copy = packed.as_ref().map(|packed| packed.as_file().try_clone()).transpose();
    let copy = copy.map_err(|error| Error::new(Code::Storage, format!("cannot write: {}", plain(&error))))?;
    let prepared = describing::prepare(&args.content, &args.describe, &sockets, copy, ui, &mut interrupt).await?;
    let manifest = &prepared.manifest;
    if to_stdout {
        let mut stdout = std::io::stdout().lock();
        let written = stdout.write_all(manifest.as_bytes()).and_then(|()| stdout.flush());
        return written.map_err(|error| Error::new(Code::Storage, format!("cannot write to stdout: {error}")));
    }
    let out = args.out.clone().unwrap_or_else(|| place_of(&args.content.files, prepared.listing.saved_name()));
    let packed_out = packed.is_some().then(|| out.with_extension("packed"));
    if packed_out.as_ref() == Some(&out) {
        return Err(Error::usage("the description can't have the name of the packed bytes").hint("-o NAME.pleach"));
    }
    let hashes = hash_list(&prepared.tree, manifest).map(|list| (list_place(&out), list));
    let hashes_out = hashes.as_ref().map(|(place, _)| place);
    for place in packed_out.iter().chain([&out]).chain(hashes_out) {
        check_free(place, args.force)?;
    }
    // The description last: whoever finds it finds the rest.
    if let (Some(packed), Some(packed_out)) = (packed, &packed_out) {
        keep(packed, packed_out)?;
    }
    if let Some((place, list)) = &hashes {
        write(place, list)?;
    }
    write(&out, manifest.as_bytes())?;
    let link = |base: &String| {
        let link = prepared.with_key(Link::new(base, manifest.id(), Some(manifest.digest()))?)?;
        Ok(link.to_string())
    };
    let links = bases.iter().map(link).collect::<Result<Vec<_>>>()?;
    let (packed, hashes) = (packed_out.as_deref(), hashes_out.map(PathBuf::as_path));
    let told = Told { out: &out, packed, hashes, prepared: &prepared, links: &links };
    told.tell(args.json, ui);
    Ok(())
}

/// Begins the file of packed bytes, in the folder that it will be in.
fn begin_packed(args: &PublishArgs, to_stdout: bool) -> Result<NamedTempFile<File>> {
    if to_stdout {
        return Err(Error::usage("packed bytes go beside their description, which has no place on stdout")
            .hint("-o FILE.pleach says where both go"));
    }
    let out = args.out.clone().unwrap_or_else(|| place_of(&args.content.files, "packed"));
    let folder = folder_of(&out);
    let made = tempfile::Builder::new().prefix(".pleach-").make_in(folder, create_new);
    made.map_err(|error| Error::new(Code::Storage, format!("cannot write to {}: {}", folder.display(), plain(&error))))
}

fn folder_of(out: &Path) -> &Path {
    out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Gives what was written its name, once it is on the disk.
fn keep(file: NamedTempFile<File>, out: &Path) -> Result {
    let kept = file.as_file().sync_all().and_then(|()| Ok(file.persist(out)?));
    let explain = |error| Error::new(Code::Storage, format!("cannot write {}: {}", out.display(), plain(&error)));
    kept.map(drop).map_err(explain)
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

fn check_free(out: &Path, force: bool) -> Result {
    if !force && out.symlink_metadata().is_ok() {
        return Err(Error::new(Code::Storage, format!("{} exists already", out.display()))
            .hint("--force replaces it, -o NAME writes elsewhere"));
    }
    Ok(())
}

/// Writes it whole or not at all: a web server may be about to read it.
fn write(out: &Path, bytes: &[u8]) -> Result {
    let made = tempfile::Builder::new().prefix(".pleach-").make_in(folder_of(out), create_new);
    let written = made.and_then(|mut file| file.write_all(bytes).map(|()| file));
    let explain = |error| Error::new(Code::Storage, format!("cannot write {}: {}", out.display(), plain(&error)));
    keep(written.map_err(explain)?, out)
}

/// With the rights that a new file has: a temporary file is for nobody else, this is for a web server.
fn create_new(path: &Path) -> std::io::Result<File> {
    File::create_new(path)
}

/// What is told in the end.
struct Told<'a> {
    out: &'a Path,
    packed: Option<&'a Path>,
    hashes: Option<&'a Path>,
    prepared: &'a Prepared,
    links: &'a [String],
}

impl Told<'_> {
    /// Where it is, alone on its line, or an object with what pages name too.
    fn tell(&self, is_json: bool, ui: &Ui) {
        let Self { out, packed, hashes, prepared, links } = self;
        let listing = &prepared.listing;
        let size = describe_size(listing.files().len(), listing.layout().size_bytes());
        ui.say(format_args!("{}, {size}: described in {}", listing.saved_name(), out.display()));
        if let Some(packed) = packed {
            ui.say(format_args!("packed in {}, which is what is to be seeded", packed.display()));
        }
        if let Some(hashes) = hashes {
            ui.say(format_args!("its hash list, to be put beside it: {}", hashes.display()));
        }
        for link in *links {
            ui.say(format_args!("while somebody seeds it: {link}"));
        }
        if let Some(key) = prepared.key.as_ref().filter(|_| links.is_empty()) {
            ui.say(format_args!("the key, for those who get it: {key}"));
        }
        if is_json {
            let object = json!({
                "path": out.to_string_lossy(),
                "packed": packed.map(|packed| packed.to_string_lossy()),
                "hashes_path": hashes.map(Path::to_string_lossy),
                "key": prepared.key,
                "id": prepared.manifest.id(),
                "digest": prepared.manifest.digest(),
                "size_bytes": prepared.manifest.size_bytes(),
                "links": links,
            });
            write_line(object);
        } else {
            write_line(out.display());
        }
    }
}
