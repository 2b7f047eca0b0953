//! What `share` and `seed` have in common: hashing a file, giving it, and noticing that it changed.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::HumanBytes;
use pleach_core::content::{HashTree, Manifest, ManifestBuilder, TreeBuilder};
use pleach_core::ids::ContentId;
use pleach_core::peer::{Event, Start};
use pleach_native::link::LinkConfig;
use pleach_native::node::{Events, Node, NodeConfig, NodeHandle};
use pleach_native::store::{Change, SourceFile, SourceWatch, Store, StoreError, plain};
use tokio::time::{Instant, MissedTickBehavior, interval};
use url::Url;

use crate::args::SeedingArgs;
use crate::exit::{Code, Error, Result};
use crate::interrupt::Interrupt;
use crate::telling::Telling;
use crate::ui::{self, Progress, Ui};

/// How often what is shown is renewed, and a shared file looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// A file that was hashed and can be given.
pub(crate) struct Prepared {
    pub(crate) manifest: Manifest,
    tree: HashTree,
    source: SourceFile,
    watch: SourceWatch,
}

/// Opens and hashes the file, showing how far it is, and describes it. `tracker` goes into the description.
pub(crate) async fn prepare(
    file: &Path,
    args: &SeedingArgs,
    tracker: Option<&str>,
    ui: &Ui,
    interrupt: &mut Interrupt,
) -> Result<Prepared> {
    let source = SourceFile::open(file).map_err(explain_source)?;
    let name = name_of(file, args)?;
    let (source, tree) = tokio::select! {
        hashed = hash(source, &name, ui) => hashed?,
        error = interrupt.error() => return Err(error),
    };
    let media_type = mime_guess::from_path(&name).first_raw();
    let builder = ManifestBuilder::new(tree.root()).file(&name, source.size_bytes(), media_type);
    let builder = tracker.into_iter().fold(builder, ManifestBuilder::tracker);
    let manifest = builder.build().map_err(|error| {
        Error::usage(format!("{name}: {error}")).hint("--name gives it another name for those who get it")
    })?;
    let watch = source.watch()?;
    Ok(Prepared { manifest, tree, source, watch })
}

fn explain_source(error: StoreError) -> Error {
    match error {
        StoreError::Directory { path } => {
            Error::usage(format!("{} is a directory: sharing directories is not there yet", path.display()))
                .hint("share one file; tar or zip makes one of many")
        }
        StoreError::NotRegular { path } => {
            Error::usage(format!("{} is not a regular file: its size must be known", path.display()))
        }
        StoreError::Io { doing, path, source } => {
            let code = if source.kind() == std::io::ErrorKind::NotFound { Code::NotFound } else { Code::Storage };
            Error::new(code, format!("cannot {doing} {}: {}", path.display(), plain(&source)))
        }
        other => other.into(),
    }
}

/// What recipients see.
fn name_of(file: &Path, args: &SeedingArgs) -> Result<String> {
    if let Some(name) = &args.name {
        return Ok(name.clone());
    }
    // `share ..` is a directory and refused before; `share x/.` has the name of x.
    let name = file.file_name().unwrap_or_default();
    name.to_str().map(str::to_owned).ok_or_else(|| {
        Error::usage(format!("{}: the file's name is not valid Unicode", file.display()))
            .hint("--name gives it another name for those who get it")
    })
}

/// Hashes on a thread of its own, so that the bar moves and Ctrl-C works.
async fn hash(source: SourceFile, name: &str, ui: &Ui) -> Result<(SourceFile, HashTree)> {
    let size_bytes = source.size_bytes();
    let mut progress = ui.bar(size_bytes);
    let hashed_bytes = Arc::new(AtomicU64::new(0));
    let counter = hashed_bytes.clone();
    let mut work = tokio::task::spawn_blocking(move || {
        let tree = hash_blocking(|take| source.read_all(take), &counter)?;
        Ok::<_, Error>((source, tree))
    });
    let mut tick = interval(LOOK_INTERVAL);
    loop {
        tokio::select! {
            done = &mut work => return done.map_err(|error| Error::new(Code::Failure, error.to_string()))?,
            _ = tick.tick() => {
                let what = format_args!("reading {name}, {}", HumanBytes(size_bytes));
                progress.show(hashed_bytes.load(Ordering::Relaxed), what);
            }
        }
    }
}

/// Hashes what `read` gives, piece by piece, counting bytes.
fn hash_blocking(
    read: impl FnOnce(&mut dyn FnMut(&[u8])) -> std::result::Result<(), StoreError>,
    hashed_bytes: &AtomicU64,
) -> Result<HashTree> {
    let mut builder = TreeBuilder::new();
    read(&mut |piece| {
        builder.push(piece);
        hashed_bytes.fetch_add(piece.len() as u64, Ordering::Relaxed);
    })?;
    let (_geometry, tree) = builder.finish().map_err(|error| Error::new(Code::Failure, error.to_string()))?;
    Ok(tree)
}

/// The content's id of a file on disk, if it can be read to the end.
pub(crate) async fn id_of(source: SourceFile, name: &str, ui: &Ui) -> Result<ContentId> {
    hash(source, name, ui).await.map(|(_source, tree)| tree.root())
}

/// A node that gives the whole of a file.
pub(crate) struct Seeder {
    node: NodeHandle,
    events: Events,
    watch: SourceWatch,
    name: String,
    telling: Telling,
}

impl Seeder {
    /// Starts to give.
    pub(crate) fn start(prepared: Prepared, args: &SeedingArgs, tracker_url: Url, manifest_url: Url) -> Result<Self> {
        let name = prepared.manifest.name().to_owned();
        let (node, events) = Node::start(NodeConfig {
            manifest: prepared.manifest,
            manifest_url,
            start: Start::Complete(prepared.tree),
            store: Store::Source(prepared.source),
            tracker_url,
            slots: args.slots,
            upload_bytes_per_s: args.upload_limit.map(|limit| limit.as_u64()),
            link: LinkConfig::default(),
            output_filter: None,
        })?;
        Ok(Self { node, events, watch: prepared.watch, name, telling: Telling::new(args.json) })
    }

    /// Gives until interrupted, which is a good end, or until it can't go on. Tells what was done.
    pub(crate) async fn serve(mut self, ui: &Ui, mut interrupt: Interrupt) -> Result {
        let begin = Instant::now();
        let mut seen = Seen::default();
        let ended = self.serve_until_end(ui, &mut interrupt, &mut seen).await;
        ui.say("stopping …");
        let stats = self.node.stats();
        let stopped = self.node.stop().await;
        self.telling.tell("end", &stats.borrow(), None);
        let sent_bytes = HumanBytes(stats.borrow().sent_bytes);
        let (time, peers) = (ui::duration(begin.elapsed()), ui::peers(seen.peers.len()));
        ui.say(format_args!("shared {} for {time}: {sent_bytes} sent to {peers}", self.name));
        ended.and(stopped.map_err(Error::from))
    }

    async fn serve_until_end(&mut self, ui: &Ui, interrupt: &mut Interrupt, seen: &mut Seen) -> Result {
        let stats = self.node.stats();
        let mut line = ui.line();
        let mut tick = interval(LOOK_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = interrupt.wait() => return Ok(()),
                event = self.events.next() => match event {
                    Some(event) => {
                        self.telling.note(&event);
                        seen.note(&event, ui);
                    }
                    None => return Ok(()),
                },
                _ = tick.tick() => {
                    show(&mut line, &stats.borrow());
                    self.telling.progress(&stats.borrow(), None);
                    tokio::select! {
                        looked = self.look_at_file() => looked?,
                        _ = interrupt.wait() => return Ok(()),
                    }
                }
            }
        }
    }

    /// Ends the sharing of a file that is not what it was. One that was only touched is read again to know.
    async fn look_at_file(&mut self) -> Result {
        match self.watch.change() {
            None => Ok(()),
            Some(Change::Size) => Err(self.changed()),
            Some(Change::Touched) => self.read_again().await,
        }
    }

    async fn read_again(&mut self) -> Result {
        tracing::info!("the file was touched; reading it again");
        let mut watch = self.watch.duplicate()?;
        let reread = tokio::task::spawn_blocking(move || {
            hash_blocking(|take| watch.read_again(take), &AtomicU64::new(0)).map(|tree| (watch, tree.root()))
        });
        let (watch, id) = match reread.await.map_err(|error| Error::new(Code::Failure, error.to_string()))? {
            Ok(read) => read,
            // Still being written: look again at the next tick.
            Err(_) => return Ok(()),
        };
        self.watch = watch;
        if id == self.node.stats().borrow().content { Ok(()) } else { Err(self.changed()) }
    }

    fn changed(&self) -> Error {
        Error::new(Code::Changed, format!("{} changed while it was being shared; the link is void", self.name))
            .hint("share it again for a new link")
    }
}

fn show(line: &mut Progress, stats: &pleach_core::peer::Stats) {
    line.show(0, format_args!("{} · Ctrl-C ends it", ui::describe_upload(stats)));
}

/// What was seen of others, for the summary.
#[derive(Default)]
struct Seen {
    peers: BTreeSet<pleach_core::ids::PeerId>,
}

impl Seen {
    fn note(&mut self, event: &Event, ui: &Ui) {
        match event {
            Event::LinkUp { peer, .. } => {
                self.peers.insert(*peer);
            }
            Event::TrackerDown { reason, retry_ms: Some(_) } => {
                ui.say(format_args!("the tracker is not reached ({reason}); trying again"));
            }
            Event::TrackerDown { reason, retry_ms: None } => ui.say(format_args!("the tracker refused: {reason}")),
            _ => {}
        }
    }
}
