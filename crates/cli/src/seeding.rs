//! What `share` and `seed` have in common: giving files, and noticing that they changed.

use std::collections::BTreeSet;
use std::time::Duration;

use indicatif::HumanBytes;
use pleach_core::content::{Link, WebPlaces};
use pleach_core::peer::{Event, Failure, Start};
use pleach_native::link::LinkConfig;
use pleach_native::node::{Events, Node, NodeConfig, NodeHandle, TrackerUrls};
use pleach_native::store::{Change, SourceWatch, Store};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::args::SeedingArgs;
use crate::describing::{self, Prepared};
use crate::exit::{Code, Error, Result};
use crate::interrupt::Interrupt;
use crate::moment::{self, Moment};
use crate::source::{read_manifest, tracker_urls};
use crate::telling::Telling;
use crate::ui::{self, Progress, Ui};

/// How often what is shown is renewed, and shared files are looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Finds and hashes the files. The description is that of `--manifest`, or one that is made here, in which `tracker` is
/// named.
pub(crate) async fn prepare(
    args: &SeedingArgs,
    tracker: Option<String>,
    ui: &Ui,
    interrupt: &mut Interrupt,
) -> Result<Prepared> {
    let published = args.manifest.as_deref().map(read_manifest).transpose()?;
    if let Some(published) = &published {
        moment::check_not_over(published)?;
    }
    let trackers: Vec<String> = tracker.into_iter().collect();
    let mut prepared = describing::prepare(&args.content, &args.describe, &trackers, None, ui, interrupt).await?;
    if let Some(published) = published {
        if published.id() != prepared.tree.root() || published.layout() != *prepared.source.layout() {
            return Err(Error::usage("--manifest describes other files than these")
                .hint("they must be the same bytes in the same order: publish them again, or name the right ones"));
        }
        prepared.manifest = published;
    }
    moment::check_not_over(&prepared.manifest)?;
    Ok(prepared)
}

/// Gives the content from the moment on at which it is to be had, as [`Seeder::serve`] says. Who opens the link before
/// waits at the tracker.
pub(crate) async fn give(
    prepared: Prepared,
    args: &SeedingArgs,
    link: &Link,
    ui: &Ui,
    mut interrupt: Interrupt,
) -> Result {
    tokio::select! {
        waited = moment::wait_until_active(&prepared.manifest, Duration::MAX, ui) => waited?,
        _ = interrupt.wait() => return Ok(()),
    }
    let seeding = Seeding {
        slots: args.slots,
        upload_bytes_per_s: args.upload_limit.map(|limit| limit.as_u64()),
        telling: Telling::new(args.json),
    };
    Seeder::start(prepared, seeding, tracker_urls(link)?)?.serve(ui, interrupt).await
}

/// How a content is given.
pub(crate) struct Seeding {
    pub(crate) slots: u8,
    pub(crate) upload_bytes_per_s: Option<u64>,
    pub(crate) telling: Telling,
}

/// A node that gives the whole of a content.
pub(crate) struct Seeder {
    node: NodeHandle,
    events: Events,
    watch: SourceWatch,
    name: String,
    until: Option<Moment>,
    telling: Telling,
}

impl Seeder {
    /// Starts to give.
    pub(crate) fn start(prepared: Prepared, seeding: Seeding, tracker: TrackerUrls) -> Result<Self> {
        let name = prepared.listing.saved_name().to_owned();
        let until = moment::end_of(&prepared.manifest);
        let watch = prepared.source.watch(prepared.tree.clone());
        let (node, events) = Node::start(NodeConfig {
            manifest: prepared.manifest,
            start: Start::Complete(prepared.tree),
            store: Store::Source(prepared.source),
            tracker: Some(tracker),
            web: WebPlaces::default(),
            source_bytes_per_s: None,
            identity: None,
            slots: seeding.slots,
            upload_bytes_per_s: seeding.upload_bytes_per_s,
            beside: None,
            link: LinkConfig::default(),
            output_filter: None,
        })?;
        Ok(Self { node, events, watch, name, until, telling: seeding.telling })
    }

    /// Until it can't go on giving, and why.
    pub(crate) async fn trouble(&mut self) -> Error {
        let mut tick = interval(LOOK_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                over = moment::wait_until_over(self.until) => return over,
                event = self.events.next() => if event.is_none() {
                    return Error::new(Code::Failure, "the files can't be given any more");
                },
                _ = tick.tick() => if let Err(error) = self.look_at_files().await { return error },
            }
        }
    }

    /// Ends giving; tells why it could not go on, if it could not.
    pub(crate) async fn stop(self) -> Result {
        self.node.stop().await.map_err(|failure| why(&self.watch, failure))
    }

    /// Gives until interrupted or the content's time is over, which are good ends, or until it can't go on. Tells what was done.
    async fn serve(mut self, ui: &Ui, mut interrupt: Interrupt) -> Result {
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
        match stopped {
            Ok(()) => ended,
            // What was seen of a file says more than what the engine read.
            Err(failure) => ended.and(Err(why(&self.watch, failure))),
        }
    }

    async fn serve_until_end(&mut self, ui: &Ui, interrupt: &mut Interrupt, seen: &mut Seen) -> Result {
        let stats = self.node.stats();
        let mut line = ui.line();
        let mut tick = interval(LOOK_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = interrupt.wait() => return Ok(()),
                over = moment::wait_until_over(self.until) => {
                    ui.say(over.message());
                    return Ok(());
                }
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
                        looked = self.look_at_files() => looked?,
                        _ = interrupt.wait() => return Ok(()),
                    }
                }
            }
        }
    }

    /// Ends the sharing of files that are not what they were. One that was only touched is read again to know.
    async fn look_at_files(&mut self) -> Result {
        match self.watch.look() {
            None => Ok(()),
            Some((file, Change::Touched)) => self.read_again(file).await,
            Some((file, change)) => Err(changed(&self.watch, file, change)),
        }
    }

    async fn read_again(&mut self, file: usize) -> Result {
        tracing::info!(path = %self.watch.path(file).display(), "the file was touched; reading it again");
        let mut watch = self.watch.clone();
        let reread = tokio::task::spawn_blocking(move || watch.read_again(file).map(|is_same| (watch, is_same)));
        match reread.await.map_err(|error| Error::new(Code::Failure, error.to_string()))? {
            Ok((watch, true)) => {
                self.watch = watch;
                Ok(())
            }
            Ok((watch, false)) => Err(changed(&watch, file, Change::Touched)),
            // Still being written: look again at the next tick.
            Err(_) => Ok(()),
        }
    }
}

fn changed(watch: &SourceWatch, file: usize, change: Change) -> Error {
    let what = match change {
        Change::Gone => "is not there any more",
        Change::Size | Change::Touched => "changed while it was being shared",
    };
    Error::new(Code::Changed, format!("{} {what}; the link is void", watch.path(file).display()))
        .hint("share it again for a new link")
}

/// Why the engine could not go on: it may have read a changed file before that was looked at.
fn why(watch: &SourceWatch, failure: Failure) -> Error {
    let file = match (watch.look_at_all(), &failure) {
        (Some((file, change)), _) => return changed(watch, file, change),
        (None, Failure::ContentChanged { offset_bytes }) => watch.files_at(*offset_bytes).first().copied(),
        (None, _) => None,
    };
    file.map_or_else(|| failure.into(), |file| changed(watch, file, Change::Touched))
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
