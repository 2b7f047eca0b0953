//! What the engine says, as JavaScript has it: plain objects in camel case, numbers, `null` for what is not there. The
//! types are told in `types.d.ts`.

use pleach_core::content::{Descriptor, DescriptorRun, FileEntry, Link, Manifest, Packed};
use pleach_core::peer::contract::{Event, Failure, LinkStats, Phase, SourceState, SourceStats, Stats};
use pleach_core::wire::tracker::Role;
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::JsValue;

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum PeerEvent<'a> {
    Resumed { bytes: f64 },
    Came { start: f64, end: f64 },
    Descriptor { index: u32 },
    Complete,
    LinkUp { link: u32, peer: String },
    LinkDown { link: u32, peer: String, reason: &'a str },
    PeerLied { peer: String },
    TrackerUp,
    TrackerDown { reason: &'a str, retry_ms: Option<f64> },
    Failed { failure: &'static str, message: String },
    Stopped,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PeerStats {
    content: String,
    peer: String,
    phase: &'static str,
    have_bytes: f64,
    size_bytes: f64,
    received_bytes: f64,
    sent_bytes: f64,
    wasted_bytes: f64,
    control_bytes: f64,
    down_bytes_per_s: f64,
    up_bytes_per_s: f64,
    tracker_up: bool,
    swarm_peers: u32,
    swarm_seeders: u32,
    links: Vec<PeerLinkStats>,
    sources: Vec<PeerSourceStats>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PeerSourceStats {
    url: String,
    state: &'static str,
    received_bytes: f64,
    down_bytes_per_s: f64,
    trouble: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PeerLinkStats {
    link: u32,
    peer: String,
    agent: String,
    role: &'static str,
    stripes_down: u32,
    stripes_up: u32,
    packets_held: u32,
    received_bytes: f64,
    sent_bytes: f64,
    down_bytes_per_s: f64,
    up_bytes_per_s: f64,
    round_trip_ms: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ManifestInfo<'a> {
    id: String,
    digest: String,
    name: &'a str,
    size_bytes: f64,
    media_type: Option<&'a str>,
    files: Vec<FileInfo<'a>>,
    packed: Option<&'static str>,
    descriptors: Vec<DescriptorInfo<'a>>,
    active_from_ms: Option<f64>,
    active_until_ms: Option<f64>,
    trackers: &'a [String],
    sources: &'a [String],
    hashes: &'a [String],
}

#[derive(Serialize)]
struct DescriptorInfo<'a> {
    name: Option<&'a str>,
    runs: Vec<RunInfo>,
}

#[derive(Serialize)]
struct RunInfo {
    start: f64,
    length: f64,
    count: f64,
    every: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FileInfo<'a> {
    path: &'a str,
    size_bytes: f64,
    media_type: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LinkInfo<'a> {
    id: String,
    manifest_url: String,
    tracker_url: String,
    manifest_digest: Option<String>,
    key: Option<&'a str>,
}

/// A manifest as a `ManifestInfo`.
pub(crate) fn manifest(manifest: &Manifest) -> Result<JsValue, JsValue> {
    object(&ManifestInfo {
        id: manifest.id().to_string(),
        digest: manifest.digest().to_string(),
        name: manifest.name(),
        size_bytes: manifest.size_bytes() as f64,
        media_type: manifest.media_type(),
        files: manifest.files().iter().map(file).collect(),
        packed: manifest.packed().map(packed),
        descriptors: manifest.descriptors().iter().map(descriptor).collect(),
        active_from_ms: manifest.active_from_ms().map(|moment_ms| moment_ms as f64),
        active_until_ms: manifest.active_until_ms().map(|moment_ms| moment_ms as f64),
        trackers: manifest.trackers(),
        sources: manifest.sources(),
        hashes: manifest.hashes(),
    })
}

fn descriptor(descriptor: &Descriptor) -> DescriptorInfo<'_> {
    let run = |run: &DescriptorRun| RunInfo {
        start: run.offset_bytes as f64,
        length: run.len_bytes as f64,
        count: run.count as f64,
        every: run.every_bytes as f64,
    };
    DescriptorInfo { name: descriptor.name.as_deref(), runs: descriptor.runs.iter().map(run).collect() }
}

fn packed(packed: &Packed) -> &'static str {
    match packed {
        Packed::Clear(_) => "open",
        Packed::Sealed { password: None, .. } => "key",
        Packed::Sealed { password: Some(_), .. } => "password",
    }
}

fn file(entry: &FileEntry) -> FileInfo<'_> {
    FileInfo { path: &entry.path, size_bytes: entry.size_bytes as f64, media_type: entry.media_type.as_deref() }
}

/// A link as a `LinkInfo`.
pub(crate) fn link(link: &Link) -> Result<JsValue, JsValue> {
    object(&LinkInfo {
        id: link.id().to_string(),
        manifest_url: link.manifest_url(),
        tracker_url: link.tracker_url(),
        manifest_digest: link.manifest().map(|digest| digest.to_string()),
        key: link.key(),
    })
}

/// A plain object.
fn object(value: &impl Serialize) -> Result<JsValue, JsValue> {
    Ok(value.serialize(&Serializer::new().serialize_missing_as_null(true))?)
}

/// An event as a `PeerEvent`.
pub(crate) fn event(event: &Event) -> Result<JsValue, JsValue> {
    object(&match event {
        Event::Resumed { bytes } => PeerEvent::Resumed { bytes: *bytes as f64 },
        Event::Came { range } => PeerEvent::Came { start: range.start as f64, end: range.end as f64 },
        Event::Descriptor { index } => PeerEvent::Descriptor { index: *index },
        Event::Complete => PeerEvent::Complete,
        Event::LinkUp { link, peer } => PeerEvent::LinkUp { link: link.0, peer: peer.to_string() },
        Event::LinkDown { link, peer, reason } => PeerEvent::LinkDown { link: link.0, peer: peer.to_string(), reason },
        Event::PeerLied { peer } => PeerEvent::PeerLied { peer: peer.to_string() },
        Event::TrackerUp => PeerEvent::TrackerUp,
        Event::TrackerDown { reason, retry_ms } => {
            PeerEvent::TrackerDown { reason, retry_ms: retry_ms.map(|retry_ms| retry_ms as f64) }
        }
        Event::Failed(failure) => PeerEvent::Failed { failure: failure_kind(failure), message: failure.to_string() },
        Event::Stopped => PeerEvent::Stopped,
    })
}

/// A snapshot as `PeerStats`.
pub(crate) fn stats(stats: Stats) -> Result<JsValue, JsValue> {
    object(&PeerStats {
        content: stats.content.to_string(),
        peer: stats.peer.to_string(),
        phase: phase(stats.phase),
        have_bytes: stats.have_bytes as f64,
        size_bytes: stats.size_bytes as f64,
        received_bytes: stats.received_bytes as f64,
        sent_bytes: stats.sent_bytes as f64,
        wasted_bytes: stats.wasted_bytes as f64,
        control_bytes: stats.control_bytes as f64,
        down_bytes_per_s: stats.down_bytes_per_s as f64,
        up_bytes_per_s: stats.up_bytes_per_s as f64,
        tracker_up: stats.tracker_up,
        swarm_peers: stats.swarm_peers,
        swarm_seeders: stats.swarm_seeders,
        links: stats.links.into_iter().map(link_stats).collect(),
        sources: stats.sources.into_iter().map(source_stats).collect(),
    })
}

fn source_stats(stats: SourceStats) -> PeerSourceStats {
    PeerSourceStats {
        url: stats.url,
        state: match stats.state {
            SourceState::Idle => "idle",
            SourceState::Fetching => "fetching",
            SourceState::Resting => "resting",
            SourceState::Unfit => "unfit",
        },
        received_bytes: stats.received_bytes as f64,
        down_bytes_per_s: stats.down_bytes_per_s as f64,
        trouble: stats.trouble,
    }
}

fn link_stats(stats: LinkStats) -> PeerLinkStats {
    PeerLinkStats {
        link: stats.link.0,
        peer: stats.peer.to_string(),
        agent: stats.agent,
        role: role(stats.role),
        stripes_down: stats.stripes_down.0.count_ones(),
        stripes_up: stats.stripes_up.0.count_ones(),
        packets_held: stats.packets_held,
        received_bytes: stats.received_bytes as f64,
        sent_bytes: stats.sent_bytes as f64,
        down_bytes_per_s: stats.down_bytes_per_s as f64,
        up_bytes_per_s: stats.up_bytes_per_s as f64,
        round_trip_ms: stats.round_trip_ms,
    }
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Checking => "checking",
        Phase::Searching => "searching",
        Phase::Downloading => "downloading",
        Phase::Seeding => "seeding",
        Phase::Stopped => "stopped",
    }
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Parent => "parent",
        Role::Child => "child",
        Role::Lateral => "lateral",
    }
}

fn failure_kind(failure: &Failure) -> &'static str {
    match failure {
        Failure::Store(_) => "store",
        Failure::ContentChanged { .. } => "contentChanged",
        Failure::Refused(_) => "refused",
    }
}
