//! `pleach inspect`: what a link or a `.pleach` file is about.

use std::fmt::Write as _;
use std::time::Duration;

use indicatif::HumanBytes;
use pleach_core::content::{FileEntry, Link, Listing, Manifest, PACKET_BYTES, Packed, Segment};
use pleach_packing::{Packing, derivation};
use serde_json::{Value, json};

use crate::args::InspectArgs;
use crate::exit::Result;
use crate::moment::Moment;
use crate::secrets;
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
    let has_key = source.key().or(args.unlock.key.as_deref()).is_some();
    let packing = match manifest.packed() {
        // What can't be opened is told about all the same.
        Some(Packed::Sealed { password: None, .. }) if !has_key => None,
        _ => secrets::open_unasked(&manifest, source.key(), &args.unlock).await?,
    };
    let about = About { manifest: &manifest, packing: packing.as_ref(), link };
    if args.json {
        write_line(about.as_json());
    } else {
        write_line(about.as_text().trim_end());
    }
    Ok(())
}

/// What is known of a content.
struct About<'a> {
    manifest: &'a Manifest,
    /// How it is packed, if it is and the index can be read.
    packing: Option<&'a Packing>,
    link: Option<&'a Link>,
}

impl About<'_> {
    /// The files; `None` if only who has the key can know.
    fn listing(&self) -> Option<&Listing> {
        match (self.manifest.packed(), self.packing) {
            (None, _) => Some(self.manifest.listing()),
            (Some(_), packing) => packing.map(|packing| packing.index().listing()),
        }
    }

    /// How the bytes are packed, for people.
    fn packed(&self) -> Option<&'static str> {
        let is_compressed = self.packing.is_some_and(|packing| packing.index().is_compressed());
        match self.manifest.packed()? {
            Packed::Clear(_) => Some("compressed"),
            Packed::Sealed { .. } if is_compressed => Some("compressed and encrypted"),
            Packed::Sealed { .. } if self.packing.is_some() => Some("encrypted"),
            Packed::Sealed { .. } if derivation(self.manifest).is_some() => {
                Some("encrypted: what it is can only be told with the password")
            }
            Packed::Sealed { .. } => Some("encrypted: what it is can only be told with the key, and the link has none"),
        }
    }

    fn as_json(&self) -> Value {
        let Self { manifest, link, .. } = self;
        let listing = self.listing();
        let entry = |file: &FileEntry| json!({ "path": file.path, "size_bytes": file.size_bytes, "media_type": file.media_type });
        let files = listing.map(|listing| listing.files().iter().map(entry).collect::<Vec<_>>());
        json!({
            "name": listing.map(Listing::name),
            "saved_as": listing.map(Listing::saved_name),
            "is_folder": listing.map(Listing::is_folder),
            "size_bytes": manifest.size_bytes(),
            "id": manifest.id(),
            "digest": manifest.digest(),
            "media_type": listing.and_then(Listing::media_type),
            "packets": manifest.geometry().packets(),
            "packet_bytes": PACKET_BYTES,
            "files": files,
            "is_packed": manifest.packed().is_some(),
            "is_encrypted": matches!(manifest.packed(), Some(Packed::Sealed { .. })),
            "asks_password": derivation(manifest).is_some(),
            "files_bytes": listing.map(|listing| listing.layout().size_bytes()),
            "segments": manifest.segments(),
            "descriptors": manifest.descriptors(),
            "trackers": trackers(manifest, *link),
            "sources": manifest.sources(),
            "hashes": manifest.hashes(),
            "active_from_ms": manifest.active_from_ms(),
            "active_until_ms": manifest.active_until_ms(),
        })
    }

    fn as_text(&self) -> String {
        let Self { manifest, link, .. } = self;
        let listing = self.listing();
        let mut text = String::new();
        let mut row = |key: &str, value: &str| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{key:<10} {value}");
        };
        if let Some(listing) = listing {
            row("name", listing.saved_name());
        }
        if let Some(packed) = self.packed() {
            row("packed", packed);
        }
        row("size", &format!("{} ({} bytes)", HumanBytes(manifest.size_bytes()), manifest.size_bytes()));
        if let (Some(listing), Some(_)) = (listing, self.packing) {
            let files_bytes = listing.layout().size_bytes();
            row("unpacked", &format!("{} ({files_bytes} bytes)", HumanBytes(files_bytes)));
        }
        if let Some(listing) = listing.filter(|listing| !listing.is_folder()) {
            row("type", listing.media_type().unwrap_or("not told"));
        }
        row("id", &manifest.id().to_string());
        row("digest", &manifest.digest().to_string());
        row("packets", &format!("{} of {}", manifest.geometry().packets(), HumanBytes(u64::from(PACKET_BYTES))));
        for (key, moment_ms) in [("from", manifest.active_from_ms()), ("until", manifest.active_until_ms())] {
            if let Some(moment_ms) = moment_ms {
                row(key, &Moment::new(moment_ms).to_string());
            }
        }
        for tracker in trackers(manifest, *link) {
            row("tracker", &tracker);
        }
        for source in manifest.sources() {
            row("source", source);
        }
        for hashes in manifest.hashes() {
            row("hashes", hashes);
        }
        for (index, descriptor) in manifest.descriptors().iter().enumerate() {
            let name = descriptor.name.as_ref().map(|name| format!(", {name}")).unwrap_or_default();
            let _ = writeln!(text, "{:<10} {index}{name}, {}", "descriptor", HumanBytes(descriptor.size_bytes()));
        }
        text.push_str(&segments_as_text(manifest));
        text.push_str(&listing.map(files_as_text).unwrap_or_default());
        text
    }
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
fn files_as_text(listing: &Listing) -> String {
    let mut text = String::new();
    if !listing.is_folder() {
        return text;
    }
    let sizes: Vec<String> = listing.files().iter().map(|file| HumanBytes(file.size_bytes).to_string()).collect();
    let width = sizes.iter().map(String::len).max().unwrap_or(0);
    let _ = writeln!(text, "{:<10} {}, saved in {}", "files", sizes.len(), listing.saved_name());
    for (path, size) in listing.saved_paths().zip(sizes) {
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
