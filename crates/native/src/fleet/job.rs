//! One delivery at a machine: its description is fetched, its content got through the swarm as every download is, and then
//! given to others for a while.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pleach_core::content::{HashTree, Link, Manifest, WebPlaces};
use pleach_core::fleet::Finish;
use pleach_core::peer::contract::{Event, Start, Stats};
use pleach_core::wire::fleet::request::Terms;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};
use url::Url;

use super::journal::Journal;
use super::lent::{Lent, Loan};
use super::shape::Shape;
use crate::beside::Beside;
use crate::http::{self, HttpError};
use crate::link::LinkConfig;
use crate::node::{Events, Node, NodeConfig, NodeHandle, TrackerUrls};
use crate::store::{Download, DownloadConfig, SourceFiles, Store, Unpack};

/// Wait before the tracker is asked for a description again.
const MANIFEST_RETRY: Duration = Duration::from_secs(1);
/// How often it is looked how far it is.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// Children that a machine would feed, in all stripes together.
const SLOTS: u8 = 64;

/// What all deliveries of a machine have in common.
pub(super) struct Places {
    /// Address of the tracker, without a path.
    pub(super) base: String,
    pub(super) into: PathBuf,
    pub(super) state: PathBuf,
    pub(super) journal: Journal,
    /// Whether what has the name already may be replaced.
    pub(super) replace: bool,
    /// When nothing came for so long, it has failed.
    pub(super) patience: Duration,
    pub(super) upload_bytes_per_s: Option<u64>,
    /// What its key is made of, which opens what is encrypted for it.
    pub(super) seed: [u8; 32],
    /// Who the machine is, in swarms too.
    pub(super) identity: Arc<Lent>,
    /// Deliveries that go on side by side look their contents up for each other.
    pub(super) beside: Beside,
}

/// What the service wants of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    pub(super) stop: bool,
    /// Give what is complete to others until then.
    pub(super) feed_until: Option<Instant>,
}

/// What it tells.
#[derive(Debug)]
pub(super) enum JobEvent {
    Progress { have_bytes: u64 },
    Finished { result: Result<Finish, String>, path: PathBuf },
}

/// A node that runs, with what is seen of it.
struct Running {
    /// Given back when the node has ended.
    _loan: Option<Loan>,
    node: NodeHandle,
    events: Events,
    stats: watch::Receiver<Stats>,
}

/// One delivery.
pub(super) struct Job {
    pub(super) places: Arc<Places>,
    pub(super) terms: Terms,
    pub(super) events: mpsc::Sender<JobEvent>,
    pub(super) orders: watch::Receiver<Order>,
}

impl Job {
    /// Gets it, says how that ended, and gives it to others for as long as is wanted.
    pub(super) async fn get(mut self, linger: Duration) {
        let begin = Instant::now();
        let mut path = self.places.into.join("?");
        let got = tokio::select! {
            got = self.try_get(&mut path) => got,
            () = stopped(self.orders.clone()) => return,
            () = until(self.terms.active_until_ms) => Err("the delivery's time is over".to_owned()),
        };
        let mut running = match got {
            Ok(running) => running,
            Err(reason) => return self.tell(JobEvent::Finished { result: Err(reason), path }).await,
        };
        let fetched = match &mut running {
            Some(running) => self.fetch(running).await,
            None => Ok(()),
        };
        let result = match (fetched, &running) {
            (Ok(()), running) => {
                let received_bytes = running.as_ref().map_or(0, |running| running.stats.borrow().received_bytes);
                let time_ms = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
                Ok(Finish { received_bytes, time_ms })
            }
            (Err(Some(reason)), _) => Err(reason),
            // It was stopped: what is there is kept, and nothing is said.
            (Err(None), _) => return end(running).await.map_or((), |reason| tracing::debug!(reason, "stopped")),
        };
        if let Err(reason) = result {
            // What the node says of its end is the cause of what was seen before it.
            let cause = end(running).await.unwrap_or(reason);
            return self.tell(JobEvent::Finished { result: Err(cause), path }).await;
        }
        self.tell(JobEvent::Finished { result, path }).await;
        let Some(running) = running else { return };
        self.give(running, Instant::now() + linger).await;
    }

    /// Gives what is there to others, once it is seen to be what it was.
    pub(super) async fn feed(mut self, until: Instant) {
        let Ok(manifest) = self.manifest().await else { return };
        let Ok(shape) = Shape::of(&manifest, &self.places.seed) else { return };
        let (into, id) = (self.places.into.clone(), manifest.id());
        let hashed = tokio::task::spawn_blocking(move || shape.hash(&into)).await;
        match hashed {
            Ok(Some((source, tree))) if tree.root() == id => {
                match self.start(manifest, Store::Source(source), Start::Complete(tree)) {
                    Ok(running) => self.give(running, until).await,
                    Err(reason) => tracing::warn!(reason, "not given to others"),
                }
            }
            _ => tracing::info!(title = self.terms.title, "it is not what it was: not given to others"),
        }
    }

    async fn try_get(&self, path: &mut PathBuf) -> Result<Option<Running>, String> {
        let manifest = self.manifest().await?;
        let shape = Shape::of(&manifest, &self.places.seed)?;
        *path = self.places.into.join(shape.listing.saved_name());
        if *path == self.places.state {
            return Err("it has the name of the folder in which this machine keeps what it knows".to_owned());
        }
        let is_there = {
            let (shape, into, id) = (Shape::of(&manifest, &self.places.seed)?, self.places.into.clone(), manifest.id());
            let is_whole = move || {
                let files = SourceFiles::open(shape.paths(&into));
                let sizes_fit = files.is_ok_and(|files| *files.layout() == shape.listing.layout());
                sizes_fit && shape.hash(&into).is_some_and(|(_, tree)| tree.root() == id)
            };
            tokio::task::spawn_blocking(is_whole).await.unwrap_or(false)
        };
        if is_there {
            return Ok(None);
        }
        let config = DownloadConfig {
            out: path.clone(),
            manifest: manifest.clone(),
            unpack: shape.packing.map(Unpack::new),
            overwrite: self.places.replace,
        };
        let opened = tokio::task::spawn_blocking(move || Download::open(&config)).await;
        let opened = opened.map_err(|error| error.to_string())?;
        let (download, journal) = opened.map_err(|error| error.to_string())?;
        let start = if journal.is_empty() {
            Start::Empty
        } else {
            Start::Resume(HashTree::restore(manifest.geometry(), manifest.id(), &journal))
        };
        self.start(manifest, Store::Download(download), start).map(Some)
    }

    /// The description: what was kept, or the tracker's, which may have to get it from a peer first.
    async fn manifest(&self) -> Result<Manifest, String> {
        let (request, digest) = (self.terms.id, self.terms.manifest);
        if let Some(bytes) = self.places.journal.manifest(request, &digest) {
            return Manifest::parse(&bytes).map_err(|error| error.to_string());
        }
        let link = self.link()?;
        let url = Url::parse(&link.manifest_url()).map_err(|error| error.to_string())?;
        let begin = Instant::now();
        let bytes = loop {
            match http::get_manifest(&url, Some(&digest)).await {
                Ok(bytes) => break bytes,
                Err(error) => {
                    let may_come = error.is_temporary() || matches!(error, HttpError::NotFound { .. });
                    if !may_come || begin.elapsed() >= self.places.patience {
                        return Err(format!("its description can't be had: {error}"));
                    }
                    sleep(MANIFEST_RETRY).await;
                }
            }
        };
        let manifest = Manifest::parse(&bytes).map_err(|error| error.to_string())?;
        if manifest.id() != self.terms.content {
            return Err("its description is that of another content".to_owned());
        }
        let kept = self.places.journal.save_manifest(request, &bytes);
        kept.map_err(|error| format!("its description can't be kept: {error}"))?;
        Ok(manifest)
    }

    fn link(&self) -> Result<Link, String> {
        Link::new(&self.places.base, self.terms.content, Some(self.terms.manifest)).map_err(|error| error.to_string())
    }

    fn start(&self, manifest: Manifest, store: Store, start: Start) -> Result<Running, String> {
        let link = self.link()?;
        let url = |text: &str| Url::parse(text).map_err(|error| error.to_string());
        let tracker = TrackerUrls { socket: url(&link.tracker_url())?, manifest: url(&link.manifest_url())? };
        let web = WebPlaces::of(&manifest, None);
        let web = match &self.terms.sources[..] {
            [] => web,
            sources => {
                let more = sources.iter().filter(|source| !web.sources.contains(source)).cloned();
                let all = web.sources.iter().cloned().chain(more).collect();
                web.with_sources(all)
            }
        };
        let loan = Lent::lend(&self.places.identity, manifest.id());
        let config = NodeConfig {
            identity: loan.as_ref().map(Loan::identity),
            manifest,
            start,
            store,
            tracker: Some(tracker),
            web,
            source_bytes_per_s: None,
            slots: if self.places.upload_bytes_per_s == Some(0) { 0 } else { SLOTS },
            upload_bytes_per_s: self.places.upload_bytes_per_s,
            beside: Some(self.places.beside.clone()),
            link: LinkConfig::default(),
            output_filter: None,
        };
        let (node, events) = Node::start(config).map_err(|error| error.to_string())?;
        let stats = node.stats();
        Ok(Running { _loan: loan, node, events, stats })
    }

    /// Until everything is verified and written. `None`: it was stopped.
    async fn fetch(&mut self, running: &mut Running) -> Result<(), Option<String>> {
        let mut tick = interval(LOOK_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut best_bytes, mut grown_at) = (0, Instant::now());
        loop {
            tokio::select! {
                biased;
                () = stopped(self.orders.clone()) => return Err(None),
                () = until(self.terms.active_until_ms) => return Err(Some("the delivery's time is over".to_owned())),
                event = running.events.next() => match event {
                    Some(Event::Complete) => return Ok(()),
                    Some(_) => {}
                    None => return Err(Some("the transfer ended before everything was there".to_owned())),
                },
                _ = tick.tick() => {
                    let (have_bytes, is_at_work) = {
                        let stats = running.stats.borrow_and_update();
                        // What is all here and not complete is being unpacked.
                        let is_here = stats.have_bytes == stats.size_bytes;
                        (stats.have_bytes, is_here || stats.phase == pleach_core::peer::contract::Phase::Checking)
                    };
                    if have_bytes > best_bytes || is_at_work {
                        (best_bytes, grown_at) = (have_bytes, Instant::now());
                    }
                    // How far it is may be told later; that it is complete may not.
                    let _ = self.events.try_send(JobEvent::Progress { have_bytes });
                    if grown_at.elapsed() >= self.places.patience {
                        return Err(Some(nobody(&running.stats.borrow(), self.places.patience)));
                    }
                }
            }
        }
    }

    async fn give(&mut self, running: Running, least: Instant) {
        loop {
            let feed_until = self.orders.borrow_and_update().feed_until.map_or(least, |until| until.max(least));
            tokio::select! {
                () = stopped(self.orders.clone()) => break,
                () = sleep_until(feed_until) => break,
                () = until(self.terms.active_until_ms) => break,
                changed = self.orders.changed() => if changed.is_err() { break },
            }
        }
        end(Some(running)).await;
    }

    async fn tell(&self, event: JobEvent) {
        // The service may have ended meanwhile.
        let _ = self.events.send(event).await;
    }
}

/// Ends a node; why it could not go on, if it could not.
async fn end(running: Option<Running>) -> Option<String> {
    running?.node.stop().await.err().map(|failure| failure.to_string())
}

/// Ends when the service wants it, or is gone.
async fn stopped(mut orders: watch::Receiver<Order>) {
    let _ = orders.wait_for(|order| order.stop).await;
}

/// Ends at a moment of the calendar, which is looked at again and again: clocks are set, and machines sleep.
async fn until(since_1970_ms: u64) {
    const LOOK_MAX: Duration = Duration::from_secs(5);
    loop {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        match Duration::from_millis(since_1970_ms).checked_sub(now).filter(|left| !left.is_zero()) {
            Some(left) => sleep(left.min(LOOK_MAX)).await,
            None => return,
        }
    }
}

fn nobody(stats: &Stats, patience: Duration) -> String {
    let why = match () {
        () if !stats.tracker_up => "the tracker is not reached",
        () if stats.swarm_peers <= 1 => "nobody else is there who has it",
        () if stats.links.is_empty() => "others are there, but no connection could be made",
        () => "those who are there send nothing",
    };
    format!("nothing came for {} s: {why}", patience.as_secs())
}
