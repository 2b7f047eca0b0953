//! `pleach inspect`: what a link or a `.pleach` file is about.

use std::fmt::Write as _;
use std::time::Duration;

use indicatif::HumanBytes;
use pleach_core::content::{Link, Manifest, PACKET_BYTES};
use serde_json::{Value, json};

use crate::args::InspectArgs;
use crate::exit::Result;
use crate::source::Source;
use crate::ui::Ui;

pub(crate) async fn run(args: InspectArgs, ui: &Ui) -> Result {
    let source = Source::parse(&args.link)?;
    let manifest = source.manifest(Duration::ZERO, ui).await?;
    let link = match &source {
        Source::Link(link) => Some(link),
        Source::File(_) | Source::Web(_) => None,
    };
    if args.json {
        println!("{}", as_json(&manifest, link));
    } else {
        print!("{}", as_text(&manifest, link));
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
        "size_bytes": manifest.size_bytes(),
        "id": manifest.id(),
        "digest": manifest.digest(),
        "media_type": manifest.media_type(),
        "packets": manifest.geometry().packets(),
        "packet_bytes": PACKET_BYTES,
        "files": files,
        "segments": manifest.segments().len().max(1),
        "trackers": trackers(manifest, link),
        "sources": manifest.sources(),
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
    row("name", manifest.name());
    row("size", &format!("{} ({} bytes)", HumanBytes(manifest.size_bytes()), manifest.size_bytes()));
    row("type", manifest.media_type().unwrap_or("not told"));
    row("id", &manifest.id().to_string());
    row("digest", &manifest.digest().to_string());
    row("packets", &format!("{} of {}", manifest.geometry().packets(), HumanBytes(u64::from(PACKET_BYTES))));
    if manifest.files().len() > 1 {
        for file in manifest.files() {
            row("file", &format!("{}, {}", file.path, HumanBytes(file.size_bytes)));
        }
    }
    for tracker in trackers(manifest, link) {
        row("tracker", &tracker);
    }
    for source in manifest.sources() {
        row("source", source);
    }
    text
}

/// That of the link first, then those of the description.
fn trackers(manifest: &Manifest, link: Option<&Link>) -> Vec<String> {
    let mut trackers: Vec<String> = link.map(Link::tracker_url).into_iter().collect();
    trackers.extend(manifest.trackers().iter().filter(|url| !trackers.contains(url)).cloned().collect::<Vec<_>>());
    trackers
}
