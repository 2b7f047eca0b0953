//! Nodes in this process over a real tracker and real WebRTC.

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use pleach_core::content::{HashTree, Link, Manifest, TreeBuilder, WebPlaces};
use pleach_core::ids::TrackerId;
use pleach_core::peer::{Event, Output, Start};
use pleach_core::tracker::home_of;
use pleach_core::wire::link::LinkMessage;
use pleach_native::link::LinkConfig;
use pleach_native::node::{Events, Node, NodeConfig, NodeHandle, OutputFilter, TrackerUrls};
use pleach_native::store::{Download, DownloadConfig, SourceFiles, Store};
use pleach_tracker::{Server, ServerConfig};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::common::{SOON, file_of, sample};

/// Bytes of a group.
const GROUP_BYTES: usize = 16_384;

/// Row C2 ([002]): several trackers share and maintain node lists. Two peers at different trackers of one process find each
/// other; the tracker that runs their swarm stops in the middle, and another goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_of_two_trackers_finish_though_the_third_that_runs_their_swarm_stops() {
    const LEN: usize = 4_000_000;
    let (directory, file) = file_of("source", LEN);
    let (manifest, tree) = describe(&file);
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    let config_of_all = ServerConfig { listen: any, and_listen: vec![any; 2], ..ServerConfig::default() };
    let mut servers = Server::bind_all(config_of_all).await.unwrap();
    let id = |server: &Server| TrackerId::of_name(&server.local_addr().to_string());
    let mut run_by_hash = Vec::new();
    while let Some(home) = home_of(manifest.id(), servers.iter().map(id)) {
        let server = servers.remove(servers.iter().position(|server| id(server) == home).unwrap());
        let (stop, stopping) = oneshot::channel::<()>();
        let (base, handle) = (format!("http://{}", server.local_addr()), server.handle());
        run_by_hash.push((base, handle, stop, tokio::spawn(server.run(async { drop(stopping.await) }))));
    }
    let (_, home, stop_home, home_ends) = run_by_hash.remove(0);
    let (at_first, next_home) = (run_by_hash[0].0.clone(), run_by_hash[0].1.clone());
    let at_second = run_by_hash[1].0.clone();

    let source = Store::Source(SourceFiles::open([file.clone()]).unwrap());
    let seeding = config(&at_first, &manifest, Start::Complete(tree), source);
    let (seeder, _) = Node::start(NodeConfig { upload_bytes_per_s: Some(500_000), ..seeding }).unwrap();
    let getting =
        |name: &str| config(&at_second, &manifest, Start::Empty, download(&manifest, directory.path().join(name)));
    let (getter, mut of_getter) = Node::start(getting("out")).unwrap();
    let mut all_of_getter = of_getter.subscribe();
    let links = || getter.stats().borrow().links.iter().map(|link| link.link).collect::<Vec<_>>();
    let mut stats = getter.stats();
    soon(stats.wait_for(|stats| stats.have_bytes > LEN as u64 / 10)).await.unwrap();
    assert_eq!(home.stats().await.unwrap().tracker.remote, 2, "their frames come by way of the others");
    assert_eq!(next_home.stats().await.unwrap().peers(), 0);

    let links_before = links();
    stop_home.send(()).unwrap();
    soon(home_ends).await.unwrap();
    soon(async {
        while next_home.stats().await.unwrap().peers() < 2 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let had = getter.stats().borrow().have_bytes;
    assert!(had < LEN as u64, "it was in the middle: {had}");
    assert_eq!(links(), links_before, "the link that it comes by is the same");
    // Whoever comes now is told of both by the new home.
    let (late, mut of_late) = Node::start(getting("late")).unwrap();
    seeder.set_upload_limit(None).await;
    hear(&mut of_getter, |event| *event == Event::Complete).await;
    hear(&mut of_late, |event| *event == Event::Complete).await;
    for name in ["out", "late"] {
        assert!(std::fs::read(directory.path().join(name)).unwrap() == sample(LEN), "{name} is the same");
    }
    hear(&mut all_of_getter, |event| {
        assert!(!matches!(event, Event::TrackerDown { .. }), "the socket was kept: {event:?}");
        *event == Event::Complete
    })
    .await;
    for node in [getter, late, seeder] {
        soon(node.stop()).await.unwrap();
    }
}

/// A tracker in this process.
struct Tracker {
    base: String,
    _running: JoinHandle<()>,
}

impl Tracker {
    async fn start(manifest: &Manifest) -> Self {
        let config = ServerConfig { listen: ([127, 0, 0, 1], 0).into(), ..ServerConfig::default() };
        let server = Server::bind(config).await.unwrap();
        server.handle().publish_manifest(manifest.as_bytes()).await.unwrap();
        let base = format!("http://{}", server.local_addr());
        Self { base, _running: tokio::spawn(server.run(std::future::pending())) }
    }
}

pub(super) fn describe(file: &Path) -> (Manifest, HashTree) {
    let bytes = std::fs::read(file).unwrap();
    let mut builder = TreeBuilder::new();
    builder.push(&bytes);
    let (_, tree) = builder.finish().unwrap();
    assert_eq!(tree.root().to_string(), blake3::hash(&bytes).to_hex().as_str());
    (Manifest::of_file("sample.bin", None, tree.root(), bytes.len() as u64).unwrap(), tree)
}

fn node(
    tracker: &Tracker,
    manifest: &Manifest,
    start: Start,
    store: Store,
    output_filter: Option<OutputFilter>,
) -> (NodeHandle, Events) {
    Node::start(NodeConfig { output_filter, ..config(&tracker.base, manifest, start, store) }).unwrap()
}

/// A node that meets others at the tracker at this address.
pub(super) fn config(base: &str, manifest: &Manifest, start: Start, store: Store) -> NodeConfig {
    let link = Link::new(base, manifest.id(), Some(manifest.digest())).unwrap();
    NodeConfig {
        manifest: manifest.clone(),
        start,
        store,
        tracker: Some(TrackerUrls {
            socket: link.tracker_url().parse().unwrap(),
            manifest: link.manifest_url().parse().unwrap(),
        }),
        web: WebPlaces::default(),
        source_bytes_per_s: None,
        identity: None,
        slots: 4,
        upload_bytes_per_s: None,
        beside: None,
        link: LinkConfig::default(),
        output_filter: None,
    }
}

pub(super) fn download(manifest: &Manifest, out: PathBuf) -> Store {
    let config = DownloadConfig { out, manifest: manifest.clone(), unpack: None, overwrite: false };
    Store::Download(Download::open(&config).unwrap().0)
}

pub(super) async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(SOON, what).await.expect("it happens soon")
}

/// Waits for an event.
pub(super) async fn hear(events: &mut Events, wanted: impl Fn(&Event) -> bool) {
    soon(async {
        loop {
            let event = events.next().await.expect("the node goes on until then");
            assert!(!matches!(event, Event::Failed(_)), "{event:?}");
            if wanted(&event) {
                return;
            }
        }
    })
    .await;
}

async fn one_to_one(len: usize) {
    let (directory, file) = file_of("source", len);
    let (manifest, tree) = describe(&file);
    let tracker = Tracker::start(&manifest).await;
    let source = Store::Source(SourceFiles::open([file.clone()]).unwrap());
    let (seeder, _) = node(&tracker, &manifest, Start::Complete(tree), source, None);
    let out = directory.path().join("out");
    let (getter, mut events) = node(&tracker, &manifest, Start::Empty, download(&manifest, out.clone()), None);
    hear(&mut events, |event| *event == Event::Complete).await;
    let stats = getter.stats().borrow().clone();
    assert_eq!(stats.have_bytes, len as u64);
    assert!(std::fs::read(&out).unwrap() == sample(len), "{len} bytes arrive as they are");
    soon(getter.stop()).await.unwrap();
    soon(seeder.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sizes_arrive_as_they_are() {
    for len in [0, 1, 16 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, 1_000_003] {
        one_to_one(len).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_two_mebibytes_arrive_as_they_are() {
    one_to_one(32 << 20).await;
}

/// A peer that lies: a byte in the middle of every long message is another.
fn liar() -> OutputFilter {
    Box::new(|output| match output {
        Output::SendLink { link, message } if message.len() > 8 * 1024 => {
            let mut bytes = message.to_vec();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            Some(Output::SendLink { link, message: Bytes::from(bytes) })
        }
        other => Some(other),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_liar_is_dropped_and_the_file_arrives_from_another() {
    let (directory, file) = file_of("source", 3_000_000);
    let (manifest, tree) = describe(&file);
    let tracker = Tracker::start(&manifest).await;
    let source = || Store::Source(SourceFiles::open([file.clone()]).unwrap());
    let (lying, _) = node(&tracker, &manifest, Start::Complete(tree.clone()), source(), Some(liar()));
    let out = directory.path().join("out");
    let (getter, mut events) = node(&tracker, &manifest, Start::Empty, download(&manifest, out.clone()), None);
    hear(&mut events, |event| matches!(event, Event::PeerLied { .. })).await;
    assert_eq!(getter.stats().borrow().have_bytes, 0, "nothing of it was kept");

    let (honest, _) = node(&tracker, &manifest, Start::Complete(tree), source(), None);
    hear(&mut events, |event| *event == Event::Complete).await;
    assert!(std::fs::read(&out).unwrap() == sample(3_000_000), "the bytes are the same");
    for node in [getter, lying, honest] {
        soon(node.stop()).await.unwrap();
    }
}

/// Groups that a node sent, in order, and how many of them went before the message that it spoilt.
#[derive(Default)]
pub(super) struct Sent {
    groups: Vec<u32>,
    good: Option<usize>,
}

impl Sent {
    /// Notes what goes out, and turns a bit of the message of this number.
    pub(super) fn noting(sent: &Arc<Mutex<Self>>, manifest: &Manifest, bad: Option<usize>) -> OutputFilter {
        let (sent, geometry, mut number) = (Arc::clone(sent), manifest.geometry(), 0);
        Box::new(move |output| {
            let Output::SendLink { link, message } = output else { return Some(output) };
            let Ok(LinkMessage::Data(data)) = LinkMessage::decode(&message, &geometry) else {
                return Some(Output::SendLink { link, message });
            };
            number += 1;
            let mut sent = sent.lock().unwrap();
            let mut bytes = message.to_vec();
            if bad == Some(number) {
                sent.good = Some(sent.groups.len());
                *bytes.last_mut().unwrap() ^= 1;
            }
            sent.groups.extend(data.first.get()..data.first.get() + u32::from(data.count));
            Some(Output::SendLink { link, message: bytes.into() })
        })
    }

    /// One receiver had `bad`, which lied once, and then `next`: nothing comes again that was verified, and no more in vain
    /// than may have been on its way.
    pub(super) fn assert_only_what_failed(
        bad: &Mutex<Self>,
        next: &Mutex<Self>,
        len_bytes: usize,
        in_flight_bytes: usize,
    ) {
        let (bad, next) = (bad.lock().unwrap(), next.lock().unwrap());
        let (verified, lost) = bad.groups.split_at(bad.good.expect("it lied"));
        let again: Vec<&u32> = next.groups.iter().filter(|group| verified.contains(group)).collect();
        assert!(again.is_empty(), "verified and sent again: {again:?}");
        let groups = len_bytes.div_ceil(GROUP_BYTES);
        assert_eq!(verified.len() + next.groups.len(), groups, "each of the others comes once");
        let lost_bytes = lost.len() * GROUP_BYTES;
        assert!(lost_bytes <= in_flight_bytes, "{lost_bytes} bytes in vain");
    }
}

/// Row B4 ([001]): packets are checked one by one. What is sent again for one bad message is that one, and what was on its way
/// behind it on the same link; of what came before it, nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn for_one_bad_packet_no_more_is_sent_again_than_was_on_its_way() {
    const LEN: usize = 6_000_000;
    const RATE: u64 = 2_000_000;
    /// What is sent and not acknowledged: half a second's worth, and a message.
    const IN_FLIGHT: usize = RATE as usize / 2 + 65_536;
    let (directory, file) = file_of("source", LEN);
    let (manifest, tree) = describe(&file);
    let tracker = Tracker::start(&manifest).await;
    let seeder = |sent, bad| {
        let store = Store::Source(SourceFiles::open([file.clone()]).unwrap());
        let config = config(&tracker.base, &manifest, Start::Complete(tree.clone()), store);
        let output_filter = Some(Sent::noting(sent, &manifest, bad));
        Node::start(NodeConfig { output_filter, upload_bytes_per_s: Some(RATE), ..config }).unwrap()
    };
    let (sent_once, sent_then) = (Arc::default(), Arc::default());
    let (once, _) = seeder(&sent_once, Some(60));
    let out = directory.path().join("out");
    let (getter, mut events) = node(&tracker, &manifest, Start::Empty, download(&manifest, out.clone()), None);
    hear(&mut events, |event| matches!(event, Event::PeerLied { .. })).await;
    assert!(getter.stats().borrow().have_bytes > 0, "what was verified stays");
    soon(once.stop()).await.unwrap();
    let (honest, _) = seeder(&sent_then, None);
    hear(&mut events, |event| *event == Event::Complete).await;
    assert!(std::fs::read(&out).unwrap() == sample(LEN), "the bytes are the same");
    Sent::assert_only_what_failed(&sent_once, &sent_then, LEN, IN_FLIGHT);
    let stats = getter.stats().borrow().clone();
    assert_eq!(stats.received_bytes, LEN as u64);
    assert!(stats.wasted_bytes <= 65_536, "the bad message: {} bytes", stats.wasted_bytes);
    for node in [getter, honest] {
        soon(node.stop()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_dropped_leaves_by_itself() {
    let (_directory, file) = file_of("source", 100_000);
    let (manifest, tree) = describe(&file);
    let tracker = Tracker::start(&manifest).await;
    let source = Store::Source(SourceFiles::open([file.clone()]).unwrap());
    let (seeder, mut events) = node(&tracker, &manifest, Start::Complete(tree), source, None);
    hear(&mut events, |event| *event == Event::TrackerUp).await;
    drop(seeder);
    soon(async { while events.next().await.is_some() {} }).await;
}
