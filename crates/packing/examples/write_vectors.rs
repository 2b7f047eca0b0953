//! Writes the vectors of packed content anew: `cargo run -p pleach-packing --example write_vectors`. Another version of
//! the compressor may give other bytes, which readers read all the same.
#![allow(clippy::disallowed_methods, reason = "it writes files")]

use std::fs;
use std::path::Path;

use pleach_core::content::{Argon2id, FileEntry, Listing, ManifestBuilder, PACKED_PATH};
use pleach_core::ids::ContentId;
use pleach_packing::{Key, Packer, PackingError};
use serde_json::{Value, json};

const PASSWORD: &str = "correct horse battery staple";

struct Vector {
    file: &'static str,
    name: Option<&'static str>,
    files: &'static [(&'static str, u64)],
    compress: bool,
    key: Option<Key>,
    password: Option<Argon2id>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let how = Argon2id::new(64, 1, 1, b"0123456789abcdef")?;
    let key = Key::from_bytes(std::array::from_fn(|at| at as u8));
    let one: &[_] = &[("talk.mp4", 300_000)];
    let several: &[_] = &[("2031/notes.txt", 10), ("2031/talk.mp4", 270_000), ("empty.txt", 0), ("木.txt", 1_000)];
    let vectors = [
        Vector { file: "compressed", name: None, files: one, compress: true, key: None, password: None },
        Vector { file: "encrypted", name: None, files: one, compress: false, key: Some(key.clone()), password: None },
        Vector { file: "several", name: Some("Talks"), files: several, compress: true, key: Some(key), password: None },
        Vector {
            file: "password",
            name: None,
            files: &[("plans.txt", 1_000)],
            compress: false,
            key: Some(Key::of_password(PASSWORD, &how)?),
            password: Some(how),
        },
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let told = vectors.iter().map(|vector| write(&folder, vector)).collect::<Result<Vec<_>, _>>()?;
    fs::write(folder.join("index.json"), serde_json::to_string_pretty(&told)? + "\n")?;
    Ok(())
}

fn write(folder: &Path, vector: &Vector) -> Result<Value, Box<dyn std::error::Error>> {
    let size_bytes = vector.files.iter().map(|(_, size)| size).sum();
    let plain: Vec<u8> = (0..size_bytes).map(|at: u64| (at % 251) as u8).collect();
    let entry = |(path, size_bytes): &(&str, u64)| FileEntry {
        path: (*path).to_owned(),
        size_bytes: *size_bytes,
        media_type: None,
    };
    let files: Vec<_> = vector.files.iter().map(entry).collect();
    let listing = Listing::new(vector.name.map(str::to_owned), files, size_bytes)?;
    let mut packer = Packer::new(size_bytes, vector.key.clone(), vector.compress, 1);
    let mut packed = Vec::new();
    packer.push(&plain, |bytes| packed.extend(bytes));
    let packing = packer.finish(listing, |bytes| packed.extend(bytes))?;
    let id = ContentId::from_bytes(*blake3::hash(&packed).as_bytes());
    let described = packing.describe(id, vector.key.as_ref(), vector.password.clone())?;
    let builder = ManifestBuilder::new(id).file(PACKED_PATH, packed.len() as u64, None).packed(&described);
    let manifest = builder.build()?;
    fs::write(folder.join(format!("{}.pleach", vector.file)), manifest.as_bytes())?;
    fs::write(folder.join(format!("{}.packed", vector.file)), &packed)?;
    let index = packing.index();
    let runs = (0..index.segments()).map(|segment| {
        let place = index.segment(segment).ok_or(PackingError::Segment(segment))?;
        Ok(json!([place.plain.start, place.packed.start, place.packed.len(), place.codec]))
    });
    Ok(json!({
        "file": vector.file,
        "key": vector.key.as_ref().filter(|_| vector.password.is_none()).map(Key::to_text),
        "password": vector.password.as_ref().map(|_| PASSWORD),
        "name": packing.index().listing().name(),
        "files": vector.files,
        "segments": runs.collect::<Result<Vec<_>, PackingError>>()?,
    }))
}
