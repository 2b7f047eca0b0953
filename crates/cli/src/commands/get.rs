//! `pleach get LINK`: fetch, verify, write, resume; and pass on meanwhile.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::HumanBytes;
use pleach_core::content::{HashTree, Listing, Manifest};
use pleach_core::peer::{Event, Phase, SourceState, Start, Stats};
use pleach_native::link::LinkConfig;
use pleach_native::node::{Events, Node, NodeConfig, NodeHandle};
use pleach_native::store::{Download, DownloadConfig, Scratch, ScratchReader, SourceFiles, Store, Unpack};
use pleach_packing::{Packing, PackingError, Unpacker};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use crate::args::{GetArgs, SLOTS};
use crate::describing;
use crate::exit::{Code, Error, Result};
use crate::interrupt::Interrupt;
use crate::moment::{self, Moment};
use crate::secrets;
use crate::source::{Source, Target};
use crate::telling::Telling;
use crate::ui::{self, Ui};

/// How often what is shown is renewed, and patience looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// Patience of `--timeout 0`: no end that anybody lives to see.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

pub(crate) async fn run(args: GetArgs, ui: &Ui, mut interrupt: Interrupt) -> Result {
    let telling = Telling::new(args.json);
    let source = Source::parse(&args.link)?;
    let patience = if args.timeout.is_zero() { FOR_EVER } else { args.timeout };
    let target = tokio::select! {
        target = source.resolve(args.tracker.as_deref(), |web| args.web.choose(web), patience, ui) => target?,
        error = interrupt.error() => return Err(error),
    };
    // A wrong key is told before anything is waited for or fetched.
    let packing = secrets::open(&target.manifest, source.key(), &args.unlock, ui, &mut interrupt).await?;
    tokio::select! {
        waited = moment::wait_until_active(&target.manifest, patience, ui) => waited?,
        error = interrupt.error() => return Err(error),
    }
    let unpack = packing.map(Unpack::new);
    let Some(place) = Place::choose(&args, &target.manifest, unpack, ui, &mut interrupt).await? else { return Ok(()) };
    let transfer = Transfer::start(&args, target, place, patience, telling)?;
    transfer.run(ui, interrupt).await
}

/// Where the content goes.
enum Place {
    Disk { store: Store, start: Start, out: PathBuf, unpack: Option<Unpack> },
    Stdout { store: Store, reader: ScratchReader, packing: Option<Packing> },
}

/// A content, and what is in it if it is packed.
struct Wanted<'a> {
    manifest: &'a Manifest,
    packing: Option<&'a Packing>,
}

impl Wanted<'_> {
    /// The files that the person gets.
    fn listing(&self) -> &Listing {
        self.packing.map_or_else(|| self.manifest.listing(), |packing| packing.index().listing())
    }
}

impl Place {
    /// Prepares the place; `None` if the whole content is there already.
    async fn choose(
        args: &GetArgs,
        manifest: &Manifest,
        unpack: Option<Unpack>,
        ui: &Ui,
        interrupt: &mut Interrupt,
    ) -> Result<Option<Self>> {
        let wanted = Wanted { manifest, packing: unpack.as_ref().map(|unpack| &*unpack.packing) };
        if args.stdout || args.out.as_deref() == Some(Path::new("-")) {
            if args.json {
                return Err(Error::usage("--json and the content cannot both be on stdout"));
            }
            return to_stdout(&wanted).map(Some);
        }
        let (out, is_there) = tokio::select! {
            found = find_out(args.out.as_deref(), &wanted, ui) => found,
            error = interrupt.error() => return Err(error),
        };
        let config = DownloadConfig {
            out: out.clone(),
            manifest: manifest.clone(),
            unpack: unpack.clone(),
            overwrite: args.force,
        };
        if is_there {
            if let Err(error) = Download::tidy(&config) {
                tracing::debug!(%error, "a record of it is left");
            }
            ui.say(format_args!("{} is there already, whole and verified", out.display()));
            if !args.seed {
                return Ok(None);
            }
            return Err(
                Error::usage("--seed: it is there already").hint("pass it on with: pleach seed FILE --tracker URL")
            );
        }
        let (download, journal) = Download::open(&config)?;
        let start = if journal.is_empty() {
            Start::Empty
        } else {
            Start::Resume(HashTree::restore(manifest.geometry(), manifest.id(), &journal))
        };
        Ok(Some(Self::Disk { store: Store::Download(download), start, out, unpack }))
    }
}

fn to_stdout(wanted: &Wanted<'_>) -> Result<Place> {
    if wanted.listing().is_folder() {
        let name = wanted.listing().saved_name();
        return Err(Error::usage(format!("{name} is a folder, which can't be written to stdout"))
            .hint("-o DIR writes it to a folder"));
    }
    if io::stdout().is_terminal() {
        return Err(Error::usage("stdout is a terminal").hint("redirect it, or write to a file with -o NAME"));
    }
    let (scratch, reader) = Scratch::create(wanted.manifest.size_bytes())?;
    Ok(Place::Stdout { store: Store::Scratch(scratch), reader, packing: wanted.packing.cloned() })
}

/// Where to write, and whether the whole content is there already. A directory that was named is one to put it in, unless
/// it is the content itself: then the same command made it.
async fn find_out(out: Option<&Path>, wanted: &Wanted<'_>, ui: &Ui) -> (PathBuf, bool) {
    match out {
        Some(out) if wanted.listing().is_folder() && is_whole(out, wanted, ui).await => (out.to_owned(), true),
        _ => {
            let out = out_path(out, wanted.listing().saved_name());
            let is_there = is_whole(&out, wanted, ui).await;
            (out, is_there)
        }
    }
}

/// The name in the current directory, below a directory, or the name that was asked for.
fn out_path(out: Option<&Path>, name: &str) -> PathBuf {
    match out {
        None => PathBuf::from(name),
        Some(out) if out.is_dir() || out.as_os_str().to_string_lossy().ends_with(['/', std::path::MAIN_SEPARATOR]) => {
            out.join(name)
        }
        Some(out) => out.to_owned(),
    }
}

/// Whether the file, or the folder with all files, is there and is the whole content. A folder may hold more. Packed
/// content is known by packing the files again, which another version of the compressor may do in another way: then they
/// are taken for others.
async fn is_whole(out: &Path, wanted: &Wanted<'_>, ui: &Ui) -> bool {
    let listing = wanted.listing();
    let places: Vec<PathBuf> = match listing.is_folder() {
        true => listing.saved_paths().map(|path| out.join(path)).collect(),
        false => vec![out.to_owned()],
    };
    match SourceFiles::open(places) {
        Ok(files) if *files.layout() == listing.layout() => {
            let id = describing::id_of(files, wanted.packing.cloned(), listing.name(), ui).await;
            id.is_ok_and(|id| id == wanted.manifest.id())
        }
        _ => false,
    }
}

/// A download under way.
struct Transfer {
    node: NodeHandle,
    events: Events,
    stats: watch::Receiver<Stats>,
    out: Option<PathBuf>,
    copying: Option<JoinHandle<io::Result<u64>>>,
    size_bytes: u64,
    unpack: Option<Unpack>,
    /// Their names, where they have some.
    descriptors: Vec<Option<String>>,
    patience: Duration,
    seed: bool,
    linger: Duration,
    until: Option<Moment>,
    telling: Telling,
    /// What the tracker's socket last broke of, if it is broken.
    tracker_trouble: Option<String>,
    has_tracker: bool,
    /// Web servers of which it was said that they are of no use.
    unfit: BTreeSet<String>,
}

impl Transfer {
    fn start(args: &GetArgs, target: Target, place: Place, patience: Duration, telling: Telling) -> Result<Self> {
        let size_bytes = target.manifest.size_bytes();
        let until = moment::end_of(&target.manifest);
        let descriptors = target.manifest.descriptors().iter().map(|descriptor| descriptor.name.clone()).collect();
        let (store, start, out, unpack, copying) = match place {
            Place::Disk { store, start, out, unpack } => (store, start, Some(out), unpack, None),
            Place::Stdout { store, reader, packing } => {
                let copying = tokio::task::spawn_blocking(move || copy_to_stdout(reader, size_bytes, packing));
                (store, Start::Empty, None, None, Some(copying))
            }
        };
        let upload_bytes_per_s = args.upload_limit.map(|limit| limit.as_u64());
        let has_tracker = target.tracker.is_some();
        let (node, events) = Node::start(NodeConfig {
            tracker: target.tracker,
            web: target.web,
            source_bytes_per_s: args.web.source_limit.map(|limit| limit.as_u64()),
            manifest: target.manifest,
            start,
            store,
            identity: None,
            slots: if upload_bytes_per_s == Some(0) { 0 } else { SLOTS },
            upload_bytes_per_s,
            beside: None,
            link: LinkConfig::default(),
            output_filter: None,
        })?;
        let stats = node.stats();
        let (seed, linger) = (args.seed, args.linger);
        let tracker_trouble = None;
        Ok(Self {
            node,
            events,
            stats,
            out,
            copying,
            size_bytes,
            unpack,
            descriptors,
            patience,
            seed,
            linger,
            until,
            telling,
            tracker_trouble,
            has_tracker,
            unfit: BTreeSet::new(),
        })
    }

    async fn run(mut self, ui: &Ui, mut interrupt: Interrupt) -> Result {
        let begin = Instant::now();
        let mut fetched = self.fetch(ui, &mut interrupt).await;
        if fetched.is_ok() {
            fetched = self.finish_copy(&mut interrupt).await;
        }
        if fetched.is_ok() {
            self.telling.tell("complete", &self.stats.borrow(), self.node.first_packet());
            self.tell_done(ui, begin.elapsed());
            self.pass_on(ui, &mut interrupt).await;
        } else if self.out.is_some() && self.stats.borrow().have_bytes > 0 {
            ui.say("what is verified is kept; the same command goes on from there");
        }
        let first_packet = self.node.first_packet();
        let stopped = self.node.stop().await;
        self.telling.tell("end", &self.stats.borrow(), first_packet);
        // What the node says of its end is the cause of what was seen before it.
        stopped.map_err(Error::from).and(fetched)
    }

    /// Until everything is verified and written.
    async fn fetch(&mut self, ui: &Ui, interrupt: &mut Interrupt) -> Result {
        let mut bar = ui.bar(self.size_bytes);
        let mut tick = ticks();
        let (mut best_bytes, mut grown_at) = (0, Instant::now());
        loop {
            tokio::select! {
                biased;
                error = interrupt.error() => return Err(error),
                over = moment::wait_until_over(self.until) => return Err(over),
                event = self.events.next() => match event {
                    Some(Event::Complete) => return Ok(()),
                    Some(event) => self.note(event, ui),
                    None => return Err(Error::new(Code::Failure, "the transfer ended before everything was there")),
                },
                copied = copy_end(&mut self.copying) => match copied {
                    // The last byte was there before the news of it.
                    Ok(copied_bytes) if copied_bytes == self.size_bytes => {}
                    other => return Err(stdout_error(other)),
                },
                _ = tick.tick() => {
                    let stats = self.stats.borrow_and_update().clone();
                    let unpacking = self.unpack.as_ref().filter(|_| stats.have_bytes == self.size_bytes);
                    match unpacking {
                        Some(unpack) => bar.show(stats.have_bytes, describe_unpacking(unpack)),
                        None => bar.show(stats.have_bytes, ui::describe_download(&stats)),
                    }
                    let is_unpacking = unpacking.is_some();
                    self.tell_unfit(&stats, ui);
                    self.telling.progress(&stats, self.node.first_packet());
                    // While an earlier run's data is read, the disk sets the pace and nobody else.
                    if stats.have_bytes > best_bytes || stats.phase == Phase::Checking || is_unpacking {
                        (best_bytes, grown_at) = (stats.have_bytes, Instant::now());
                    }
                    if grown_at.elapsed() >= self.patience {
                        return Err(self.nobody(&stats));
                    }
                }
            }
        }
    }

    fn note(&mut self, event: Event, ui: &Ui) {
        self.telling.note(&event);
        match event {
            Event::Resumed { bytes } if bytes > 0 => {
                self.telling.tell("resumed", &self.stats.borrow(), None);
                ui.say(format_args!("going on: {} of {} are there", HumanBytes(bytes), HumanBytes(self.size_bytes)));
            }
            Event::Descriptor { index } => self.tell_descriptor(index, ui),
            Event::TrackerUp => self.tracker_trouble = None,
            Event::TrackerDown { reason, retry_ms } => {
                match retry_ms {
                    Some(_) => tracing::info!(reason, "the tracker is not reached; trying again"),
                    None => ui.say(format_args!("the tracker refused: {reason}")),
                }
                self.tracker_trouble = Some(reason);
            }
            Event::PeerLied { .. } => ui.say("a peer sent bytes that are not the author's; it was dropped"),
            _ => {}
        }
    }

    /// One more part that is of use without the others.
    fn tell_descriptor(&self, index: u32, ui: &Ui) {
        let Some(name) = self.descriptors.get(index as usize) else { return };
        self.telling.descriptor(index, name.as_deref());
        let own = name.as_ref().map(|name| format!(", {name}")).unwrap_or_default();
        ui.say(format_args!("descriptor {index}{own}: all of it is there"));
    }

    /// Says once of each web server that it is of no use, and why.
    fn tell_unfit(&mut self, stats: &Stats, ui: &Ui) {
        for source in stats.sources.iter().filter(|source| source.state == SourceState::Unfit) {
            if self.unfit.insert(source.url.clone()) {
                let reason = source.trouble.as_deref().unwrap_or("nothing may be taken from it");
                ui.say(format_args!("{} is not used: {reason}", source.url));
            }
        }
    }

    /// Why patience ended, as far as it can be told.
    fn nobody(&self, stats: &Stats) -> Error {
        let waited = ui::duration(self.patience);
        let web = stats.sources.iter().find_map(|source| Some((&source.url, source.trouble.as_ref()?)));
        let web = web.map(|(url, trouble)| format!("; {url}: {trouble}")).unwrap_or_default();
        let reason = match &self.tracker_trouble {
            None if !self.has_tracker => "there is no tracker, and the web server gives nothing".into(),
            Some(reason) => format!("the tracker is not reached: {reason}"),
            None if stats.swarm_peers <= 1 => "nobody else is there who has it".into(),
            None if stats.links.is_empty() => {
                let others = ui::peers(stats.swarm_peers as usize - 1);
                format!("{others} known, but no connection could be made")
            }
            None if stats.swarm_seeders == 0 => "nobody there has all of it".into(),
            None => "the peers there send nothing".into(),
        };
        Error::new(Code::NotFound, format!("nothing came for {waited}: {reason}{web}"))
            .hint("--timeout SECONDS waits longer, --timeout 0 for ever")
    }

    /// Until the last byte is in the pipe.
    async fn finish_copy(&mut self, interrupt: &mut Interrupt) -> Result {
        if self.copying.is_none() {
            return Ok(());
        }
        tokio::select! {
            copied = copy_end(&mut self.copying) => match copied {
                Ok(copied_bytes) if copied_bytes == self.size_bytes => Ok(()),
                other => Err(stdout_error(other)),
            },
            error = interrupt.error() => Err(error),
        }
    }

    fn tell_done(&self, ui: &Ui, time: Duration) {
        let stats = self.stats.borrow();
        let speed = ui::speed((stats.received_bytes as f64 / time.as_secs_f64().max(0.001)) as u64);
        let unpacked = self.unpack.as_ref().map(|unpack| format!(", {} unpacked", HumanBytes(unpack.done_bytes())));
        let size = format!("{}{}", HumanBytes(self.size_bytes), unpacked.unwrap_or_default());
        let time = ui::duration(time);
        let carriers = ui::describe_carriers(&stats);
        match &self.out {
            Some(out) => ui.say(format_args!("{}: {size}, verified, in {time} ({speed}){carriers}", out.display())),
            None => ui.say(format_args!("{size} written, verified, in {time} ({speed}){carriers}")),
        }
    }

    /// After completion: for ever if asked to, else while somebody takes, but not for long.
    async fn pass_on(&mut self, ui: &Ui, interrupt: &mut Interrupt) {
        let begin = Instant::now();
        let mut line = ui.line();
        let mut tick = ticks();
        loop {
            tokio::select! {
                _ = interrupt.wait() => return,
                _ = moment::wait_until_over(self.until) => return,
                event = self.events.next() => match event {
                    Some(event) => self.telling.note(&event),
                    None => return,
                },
                _ = tick.tick() => {
                    let stats = self.stats.borrow_and_update().clone();
                    if !self.seed && (stats.up_bytes_per_s == 0 || begin.elapsed() >= self.linger) {
                        return;
                    }
                    self.telling.progress(&stats, self.node.first_packet());
                    line.show(0, format_args!("passing on · {} · Ctrl-C ends it", ui::describe_upload(&stats)));
                }
            }
        }
    }
}

fn ticks() -> Interval {
    let mut tick = interval(LOOK_INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick
}

/// How far it is with making files of packed content.
fn describe_unpacking(unpack: &Unpack) -> String {
    let all = HumanBytes(unpack.packing.index().size_bytes());
    format!("unpacking · {} of {all}", HumanBytes(unpack.done_bytes()))
}

fn copy_to_stdout(reader: ScratchReader, size_bytes: u64, packing: Option<Packing>) -> io::Result<u64> {
    let mut stdout = io::stdout().lock();
    let copied_bytes = match packing {
        Some(packing) => reader.copy_to(size_bytes, &mut UnpackTo(Unpacker::new(packing), &mut stdout))?,
        None => reader.copy_to(size_bytes, &mut stdout)?,
    };
    stdout.flush()?;
    Ok(copied_bytes)
}

/// Takes packed bytes and writes what they were made of.
struct UnpackTo<'a, W>(Unpacker, &'a mut W);

impl<W: Write> Write for UnpackTo<'_, W> {
    fn write(&mut self, packed: &[u8]) -> io::Result<usize> {
        let Self(unpacker, out) = self;
        let mut written = Ok(());
        let pushed = unpacker.push(packed, |plain| {
            if written.is_ok() {
                written = out.write_all(plain);
            }
            Ok::<(), PackingError>(())
        });
        pushed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        written.map(|()| packed.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.1.flush()
    }
}

/// Waits for the end of copying; for ever if there is none.
async fn copy_end(copying: &mut Option<JoinHandle<io::Result<u64>>>) -> io::Result<u64> {
    let Some(task) = copying else { return std::future::pending().await };
    let copied = task.await.unwrap_or_else(|error| Err(io::Error::other(error)));
    *copying = None;
    copied
}

fn stdout_error(copied: io::Result<u64>) -> Error {
    match copied {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            Error::new(Code::Failure, "stdout was closed by its reader")
        }
        // What was packed wrongly says so itself.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Error::new(Code::Failure, error.to_string()),
        Err(error) => Error::new(Code::Storage, format!("cannot write to stdout: {error}")),
        Ok(copied_bytes) => Error::new(Code::Failure, format!("stdout took only {copied_bytes} bytes")),
    }
}
