//! `pleach inspect`: what a link or a `.pleach` file is about.

use std::fmt::Write as _;
use std::time::Duration;

use indicatif::HumanBytes;
use pleach_core::content::{Link, Manifest, PACKET_BYTES, Segment};
use serde_json::{Value, json};

use crate::args::InspectArgs;
use crate::exit::Result;
use crate::moment::Moment;
use crate::source::Source;
use crate::telling::write_line;
use crate::ui::Ui;

pub(crate) async fn run(args: InspectArgs, ui: &Ui) -> Result {
    let source = Source::parse(&args.link)?;
    let manifest = source.manifest(Duration::ZERO, ui).await?;
    let link = match &source {
        Source::Link(link) => Some(link),
        Source::File(_) | Source::Web(_) => None,
    };
    if args.json {
        write_line(as_json(&manifest, link));
    } else {
        write_line(as_text(&manifest, link).trim_end());
    }
    Ok(())
}

fn as_json(manifest: &Manifest, link: Option<&Link>) -> Value {
    let files: Vec<Value> = manifest
        .files()
        .iter()
        .map(|file| json!({ "path": file.path, "size_bytes": file.size_bytes, "media_type": file.media_type }))
        .collect();
    json!({
        "name": manifest.name(),
        "saved_as": manifest.saved_name(),
        "is_folder": manifest.is_folder(),
        "size_bytes": manifest.size_bytes(),
        "id": manifest.id(),
        "digest": manifest.digest(),
        "media_type": manifest.media_type(),
        "packets": manifest.geometry().packets(),
        "packet_bytes": PACKET_BYTES,
        "files": files,
        "segments": manifest.segments(),
        "trackers": trackers(manifest, link),
        "sources": manifest.sources(),
        "hashes": manifest.hashes(),
        "active_from_ms": manifest.active_from_ms(),
        "active_until_ms": manifest.active_until_ms(),
    })
}

fn as_text(manifest: &Manifest, link: Option<&Link>) -> String {
    let mut text = String::new();
    let mut row = |key: &str, value: &str| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{key:<10} {value}");
    };
    row("name", manifest.saved_name());
    row("size", &format!("{} ({} bytes)", HumanBytes(manifest.size_bytes()), manifest.size_bytes()));
    if !manifest.is_folder() {
        row("type", manifest.media_type().unwrap_or("not told"));
    }
    row("id", &manifest.id().to_string());
    row("digest", &manifest.digest().to_string());
    row("packets", &format!("{} of {}", manifest.geometry().packets(), HumanBytes(u64::from(PACKET_BYTES))));
    for (key, moment_ms) in [("from", manifest.active_from_ms()), ("until", manifest.active_until_ms())] {
        if let Some(moment_ms) = moment_ms {
            row(key, &Moment::new(moment_ms).to_string());
        }
    }
    for tracker in trackers(manifest, link) {
        row("tracker", &tracker);
    }
    for source in manifest.sources() {
        row("source", source);
    }
    for hashes in manifest.hashes() {
        row("hashes", hashes);
    }
    text.push_str(&segments_as_text(manifest));
    text.push_str(&files_as_text(manifest));
    text
}

/// Where segments begin and end, and their priorities; neighbours of one length and priority in one line.
fn segments_as_text(manifest: &Manifest) -> String {
    let mut text = String::new();
    let alike = |one: &Segment, other: &Segment| one.len_bytes == other.len_bytes && one.priority == other.priority;
    for run in manifest.segments().chunk_by(alike) {
        let [first, ..] = run else { continue };
        let (len, priority) = (HumanBytes(first.len_bytes), first.priority);
        let many = if run.len() == 1 { String::new() } else { format!("{} of ", run.len()) };
        let from = first.offset_bytes;
        let _ = writeln!(text, "{:<10} {many}{len} from byte {from} on, priority {priority}", "segment");
    }
    text
}

/// The files of a folder, with sizes in a column.
fn files_as_text(manifest: &Manifest) -> String {
    let mut text = String::new();
    if !manifest.is_folder() {
        return text;
    }
    let sizes: Vec<String> = manifest.files().iter().map(|file| HumanBytes(file.size_bytes).to_string()).collect();
    let width = sizes.iter().map(String::len).max().unwrap_or(0);
    let _ = writeln!(text, "{:<10} {}, saved in {}", "files", sizes.len(), manifest.saved_name());
    for (path, size) in manifest.saved_paths().zip(sizes) {
        let _ = writeln!(text, "  {size:>width$}  {path}");
    }
    text
}

/// That of the link first, then those of the description.
fn trackers(manifest: &Manifest, link: Option<&Link>) -> Vec<String> {
    let mut trackers: Vec<String> = link.map(Link::tracker_url).into_iter().collect();
    trackers.extend(manifest.trackers().iter().filter(|url| !trackers.contains(url)).cloned().collect::<Vec<_>>());
    trackers
}
