//! What `share`, `seed` and `publish` have in common: finding files, hashing them, and describing them.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::HumanBytes;
use pleach_core::content::{
    ByteRange, Emphasis, HashTree, Manifest, ManifestBuilder, Segmentation, TreeBuilder, cut_at,
};
use pleach_core::ids::ContentId;
use pleach_native::gather::{GatherError, Gathered, Skipped, gather};
use pleach_native::media::{self, MediaFile};
use pleach_native::store::{SourceFiles, StoreError, plain};
use tokio::time::interval;

use crate::args::{ContentArgs, DescribeArgs, Segments};
use crate::exit::{Code, Error, Result};
use crate::interrupt::Interrupt;
use crate::ui::Ui;

/// How often what is shown is renewed.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Files that were hashed and can be given.
pub(crate) struct Prepared {
    pub(crate) manifest: Manifest,
    pub(crate) tree: HashTree,
    pub(crate) source: SourceFiles,
}

/// Finds and hashes the files, showing how far it is, and describes them. `trackers` go into the description.
pub(crate) async fn prepare(
    content: &ContentArgs,
    describe: &DescribeArgs,
    trackers: &[String],
    ui: &Ui,
    interrupt: &mut Interrupt,
) -> Result<Prepared> {
    let gathered = gather(&content.files, content.hidden).map_err(explain_gather)?;
    if gathered.is_folder && !describe.sources.is_empty() {
        return Err(Error::usage("--source is for one file: there is no address at which the bytes of a folder are"));
    }
    tell_skipped(gathered.skipped, ui);
    let name = name_of(&gathered, content)?;
    let source = SourceFiles::open(gathered.files.iter().map(|file| file.place.clone())).map_err(explain_source)?;
    let (source, tree) = tokio::select! {
        hashed = hash(source, &name, ui) => hashed?,
        error = interrupt.error() => return Err(error),
    };
    let builder = with_files(ManifestBuilder::new(tree.root()), &gathered, &name, &source);
    let builder = trackers.iter().fold(builder, |builder, url| builder.tracker(url));
    let builder = describe_with(builder, describe, &gathered, &source)?;
    let manifest = builder.build().map_err(|error| match gathered.is_folder {
        true => Error::usage(format!("{name}: {error}")).hint("rename it, or leave it out"),
        false => Error::usage(format!("{name}: {error}")).hint("--name gives it another name for those who get it"),
    })?;
    Ok(Prepared { manifest, tree, source })
}

/// What recipients see, and the whole is saved as.
fn name_of(gathered: &Gathered, content: &ContentArgs) -> Result<String> {
    content.name.clone().or_else(|| gathered.name.clone()).ok_or_else(|| {
        let place = content.files.first().map(|place| place.display().to_string()).unwrap_or_default();
        Error::usage(format!("{place}: the name is not valid Unicode, or there is none"))
            .hint("--name gives it one for those who get it")
    })
}

/// A file under the content's name, or the files of a folder of that name.
fn with_files(builder: ManifestBuilder, gathered: &Gathered, name: &str, source: &SourceFiles) -> ManifestBuilder {
    let add = |builder: ManifestBuilder, (at, path): (usize, &str)| {
        let media_type = mime_guess::from_path(path).first_raw();
        builder.file(path, source.layout().file_range(at).len(), media_type)
    };
    match (&gathered.files[..], gathered.is_folder) {
        ([_], false) => add(builder, (0, name)),
        // With a name beside it the only file would be taken for one of that name.
        ([file], true) => add(builder, (0, &format!("{name}/{}", file.path))),
        (files, _) => files.iter().map(|file| file.path.as_str()).enumerate().fold(builder.name(name), add),
    }
}

/// Adds what the author says beyond the files.
fn describe_with(
    builder: ManifestBuilder,
    describe: &DescribeArgs,
    gathered: &Gathered,
    source: &SourceFiles,
) -> Result<ManifestBuilder> {
    let size_bytes = source.layout().size_bytes();
    let builder = describe.sources.iter().fold(builder, |builder, url| builder.source(url));
    let builder = describe.hashes.iter().fold(builder, |builder, url| builder.hashes(url));
    let emphases = describe
        .priorities
        .iter()
        .map(|priority| Emphasis { range: priority.range.in_content(size_bytes), priority: priority.priority });
    let emphases: Vec<Emphasis> = emphases.collect();
    let segments = match describe.segments {
        None => Segmentation::Whole.cut(size_bytes, &emphases),
        Some(Segments::ByLength(segmentation)) => segmentation.cut(size_bytes, &emphases),
        Some(Segments::Media) => {
            let files = gathered.files.iter().enumerate();
            let files = files.map(|(at, file)| MediaFile {
                place: &file.place,
                path: &file.path,
                range: source.layout().file_range(at),
            });
            let found = media::cuts_of(&files.collect::<Vec<_>>());
            cut_at(&found.cuts, size_bytes, &[found.emphases, emphases].concat())
        }
    };
    let segments = segments.map_err(|error| Error::usage(error.to_string()))?;
    let builder = segments.into_iter().fold(builder, ManifestBuilder::segment);
    Ok(builder
        .active_from_ms(describe.active_from.map(|moment| moment.as_ms()))
        .active_until_ms(describe.active_until.map(|moment| moment.as_ms())))
}

/// A stretch of a content whose size is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stretch {
    /// From one byte up to another, or to the end.
    FromTo(u64, Option<u64>),
    /// So many last bytes.
    Last(u64),
}

impl Stretch {
    /// What is beyond the end is not meant.
    fn in_content(self, size_bytes: u64) -> ByteRange {
        match self {
            Self::FromTo(start, end) => ByteRange { start, end: end.unwrap_or(size_bytes).min(size_bytes) },
            Self::Last(len_bytes) => ByteRange { start: size_bytes.saturating_sub(len_bytes), end: size_bytes },
        }
    }
}

fn explain_gather(error: GatherError) -> Error {
    let message = error.to_string();
    match error {
        GatherError::Store(error) => explain_source(error),
        GatherError::NotUnicode(_) => Error::usage(message).hint("rename it, or leave it out"),
        GatherError::TooManyFiles(_) => Error::usage(message).hint("tar or zip makes one file of many"),
        GatherError::NoFile(_) => Error::usage(message).hint("hidden files are left out, unless --hidden is given"),
        GatherError::TooManyEntries(_) => Error::usage(message),
    }
}

fn explain_source(error: StoreError) -> Error {
    match error {
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

/// Whoever shares a folder should know what others will not get.
fn tell_skipped(skipped: Skipped, ui: &Ui) {
    let Skipped { hidden, links, special, unfinished, empty_folders } = skipped;
    let kinds = [
        (hidden, "hidden (--hidden takes it)", "hidden (--hidden takes them)"),
        (links, "symbolic link", "symbolic links"),
        (special, "that is neither file nor folder", "that are neither files nor folders"),
        (unfinished, "of an unfinished download", "of unfinished downloads"),
        (empty_folders, "empty folder", "empty folders"),
    ];
    let told: Vec<String> = kinds
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many }))
        .collect();
    if !told.is_empty() {
        ui.say(format_args!("left out: {}", told.join(", ")));
    }
}

/// Hashes on a thread of its own, so that the bar moves and Ctrl-C works.
async fn hash(source: SourceFiles, name: &str, ui: &Ui) -> Result<(SourceFiles, HashTree)> {
    let size_bytes = source.layout().size_bytes();
    let what = format!("reading {name}, {}", describe_size(source.layout().files(), size_bytes));
    let mut progress = ui.bar(size_bytes);
    let hashed_bytes = Arc::new(AtomicU64::new(0));
    let counter = hashed_bytes.clone();
    let mut work = tokio::task::spawn_blocking(move || {
        let tree = hash_blocking(&source, &counter)?;
        Ok::<_, Error>((source, tree))
    });
    let mut tick = interval(LOOK_INTERVAL);
    loop {
        tokio::select! {
            done = &mut work => return done.map_err(|error| Error::new(Code::Failure, error.to_string()))?,
            _ = tick.tick() => progress.show(hashed_bytes.load(Ordering::Relaxed), &what),
        }
    }
}

/// Hashes the files, counting bytes.
fn hash_blocking(source: &SourceFiles, hashed_bytes: &AtomicU64) -> Result<HashTree> {
    let mut builder = TreeBuilder::new();
    source.read_all(|piece| {
        builder.push(piece);
        hashed_bytes.fetch_add(piece.len() as u64, Ordering::Relaxed);
    })?;
    let (_geometry, tree) = builder.finish().map_err(|error| Error::new(Code::Failure, error.to_string()))?;
    Ok(tree)
}

/// The content's id of files on disk, if they can be read to the end.
pub(crate) async fn id_of(source: SourceFiles, name: &str, ui: &Ui) -> Result<ContentId> {
    hash(source, name, ui).await.map(|(_source, tree)| tree.root())
}

/// `12 MiB`, or `7 files, 12 MiB`.
pub(crate) fn describe_size(files: usize, size_bytes: u64) -> impl Display {
    let size = HumanBytes(size_bytes);
    if files == 1 { size.to_string() } else { format!("{files} files, {size}") }
}
