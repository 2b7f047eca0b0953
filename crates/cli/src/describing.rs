//! What `share`, `seed` and `publish` have in common: finding files, hashing them, and describing them.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use indicatif::HumanBytes;
use pleach_core::content::{
    ByteRange, Emphasis, FileEntry, HashTree, Link, Listing, Manifest, ManifestBuilder, ManifestError, PACKED_PATH,
    Segmentation, TreeBuilder, cut_at, dealt,
};
use pleach_core::ids::ContentId;
use pleach_native::gather::{GatherError, Gathered, Skipped, gather};
use pleach_native::media::{self, MediaCuts, MediaFile};
use pleach_native::store::{SourceFiles, StoreError, plain};
use pleach_packing::{COMPRESSED_BYTES_MAX, Packer, Packing};
use tokio::time::interval;

use crate::args::{ContentArgs, DescribeArgs, Segments};
use crate::exit::{Code, Error, Result};
use crate::interrupt::Interrupt;
use crate::secrets::{self, Secret};
use crate::segment_list::SegmentList;
use crate::ui::Ui;

/// How often what is shown is renewed.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Bytes read at once from what is hashed a second time.
const CHUNK_BYTES: u32 = 1 << 20;

/// Packed segments that wait to be hashed and written; each has 4 MiB at most. When there are more, packing waits.
const SEGMENTS_WAITING_MAX: usize = 4;

/// Files that were hashed and can be given.
pub(crate) struct Prepared {
    pub(crate) manifest: Manifest,
    /// The files, which the manifest of packed content does not tell.
    pub(crate) listing: Listing,
    pub(crate) tree: HashTree,
    pub(crate) source: SourceFiles,
    /// The key of encrypted content as links have it; `None` also if it comes of a password.
    pub(crate) key: Option<String>,
}

impl Prepared {
    /// The link that people get: with the key, if there is one, which nothing else is told.
    pub(crate) fn with_key(&self, link: Link) -> Result<Link> {
        Ok(match &self.key {
            Some(key) => link.with_key(key)?,
            None => link,
        })
    }
}

/// What becomes of the bytes that are read.
struct Plan {
    secret: Option<Secret>,
    compress: bool,
    listing: Listing,
    /// Where the packed bytes go besides.
    copy: Option<File>,
}

/// What came of it.
struct Hashed {
    source: SourceFiles,
    tree: HashTree,
    packed: Option<(Packing, Option<Secret>)>,
}

/// Finds and hashes the files, showing how far it is, and describes them. `trackers` go into the description; the bytes
/// that packed files become also go to `copy`.
pub(crate) async fn prepare(
    content: &ContentArgs,
    describe: &DescribeArgs,
    trackers: &[String],
    copy: Option<File>,
    ui: &Ui,
    interrupt: &mut Interrupt,
) -> Result<Prepared> {
    let gathered = gather(&content.files, content.hidden).map_err(explain_gather)?;
    // Before hours of hashing.
    let list = match &describe.segments {
        Some(Segments::Author(file)) => Some(SegmentList::read(file)?),
        _ => None,
    };
    if gathered.is_folder && !describe.sources.is_empty() && !content.packing.is_packed() {
        return Err(Error::usage("--source is for one file: there is no address at which the bytes of a folder are"));
    }
    tell_skipped(gathered.skipped, ui);
    let name = name_of(&gathered, content)?;
    let source = SourceFiles::open(gathered.files.iter().map(|file| file.place.clone())).map_err(explain_source)?;
    let refuse = |error: ManifestError| match gathered.is_folder {
        true => Error::usage(format!("{name}: {error}")).hint("rename it, or leave it out"),
        false => Error::usage(format!("{name}: {error}")).hint("--name gives it another name for those who get it"),
    };
    let listing = listing_of(&gathered, &name, &source).map_err(refuse)?;
    let listed = list.map(|list| list.in_content(listing.layout().size_bytes())).transpose()?.unwrap_or_default();
    let plan = plan(content, &listing, copy, ui, interrupt).await?;
    let Hashed { source, tree, packed } = tokio::select! {
        hashed = hash(source, plan, &name, ui) => hashed?,
        error = interrupt.error() => return Err(error),
    };
    let builder = trackers.iter().fold(ManifestBuilder::new(tree.root()), |builder, url| builder.tracker(url));
    let (packing, secret) = packed.map_or((None, None), |(packing, secret)| (Some(packing), secret));
    let builder = describe_with(builder, describe, &listed, &gathered, &listing, packing.as_ref())?;
    let builder = match &packing {
        Some(packing) => with_packed(builder, packing, tree.root(), secret.as_ref())?,
        None => with_files(builder, &listing),
    };
    let manifest = builder.build().map_err(refuse)?;
    let key = secret.filter(|secret| secret.password.is_none()).map(|secret| secret.key.to_text());
    let source = match packing {
        Some(packing) => source.packed(packing),
        None => source,
    };
    Ok(Prepared { manifest, listing, tree, source, key })
}

/// How the bytes are to be packed, if they are.
async fn plan(
    content: &ContentArgs,
    listing: &Listing,
    copy: Option<File>,
    ui: &Ui,
    interrupt: &mut Interrupt,
) -> Result<Option<Plan>> {
    if !content.packing.is_packed() {
        return Ok(None);
    }
    let compress = content.packing.compress;
    if compress && listing.layout().size_bytes() > COMPRESSED_BYTES_MAX {
        ui.say(format_args!("more than {} are not compressed", HumanBytes(COMPRESSED_BYTES_MAX)));
    }
    let secret = secrets::make(&content.packing, ui, interrupt).await?;
    Ok(Some(Plan { secret, compress, listing: listing.clone(), copy }))
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
fn listing_of(gathered: &Gathered, name: &str, source: &SourceFiles) -> std::result::Result<Listing, ManifestError> {
    let entry = |at: usize, path: &str| FileEntry {
        path: path.to_owned(),
        size_bytes: source.layout().file_range(at).len(),
        media_type: mime_guess::from_path(path).first_raw().map(str::to_owned),
    };
    let size_bytes = source.layout().size_bytes();
    match (&gathered.files[..], gathered.is_folder) {
        ([_], false) => Listing::new(None, vec![entry(0, name)], size_bytes),
        // With a name beside it the only file would be taken for one of that name.
        ([file], true) => Listing::new(None, vec![entry(0, &format!("{name}/{}", file.path))], size_bytes),
        (files, _) => {
            let files = files.iter().enumerate().map(|(at, file)| entry(at, &file.path)).collect();
            Listing::new(Some(name.to_owned()), files, size_bytes)
        }
    }
}

fn with_files(builder: ManifestBuilder, listing: &Listing) -> ManifestBuilder {
    let builder = listing.given_name().into_iter().fold(builder, ManifestBuilder::name);
    listing
        .files()
        .iter()
        .fold(builder, |builder, file| builder.file(&file.path, file.size_bytes, file.media_type.as_deref()))
}

/// One file of packed bytes, and what tells the files that are in it.
fn with_packed(
    builder: ManifestBuilder,
    packing: &Packing,
    id: ContentId,
    secret: Option<&Secret>,
) -> Result<ManifestBuilder> {
    let password = secret.and_then(|secret| secret.password.clone());
    let packed = packing.describe(id, secret.map(|secret| &secret.key), password)?;
    Ok(builder.file(PACKED_PATH, packing.index().packed_bytes(), None).packed(&packed))
}

/// Adds what the author says beyond the files.
fn describe_with(
    builder: ManifestBuilder,
    describe: &DescribeArgs,
    listed: &[Emphasis],
    gathered: &Gathered,
    listing: &Listing,
    packing: Option<&Packing>,
) -> Result<ManifestBuilder> {
    let plain_bytes = listing.layout().size_bytes();
    let size_bytes = packing.map_or(plain_bytes, |packing| packing.index().packed_bytes());
    // People name bytes of their files; what is urgent is what these are packed in.
    let packed = |range: ByteRange| packing.map_or(range, |packing| packing.index().packed_range(range));
    let builder = describe.sources.iter().fold(builder, |builder, url| builder.source(url));
    let builder = describe.hashes.iter().fold(builder, |builder, url| builder.hashes(url));
    let emphases = describe
        .priorities
        .iter()
        .map(|priority| (priority.range.in_content(plain_bytes), priority.priority))
        .map(|(range, priority)| Emphasis { range: packed(range), priority });
    let emphases: Vec<Emphasis> = emphases.collect();
    let segments = match &describe.segments {
        None => Segmentation::Whole.cut(size_bytes, &emphases),
        Some(Segments::ByLength(segmentation)) => segmentation.cut(size_bytes, &emphases),
        Some(Segments::Author(_)) => {
            let listed = listed.iter().map(|one| Emphasis { range: packed(one.range), ..*one });
            Segmentation::Whole.cut(size_bytes, &listed.chain(emphases).collect::<Vec<_>>())
        }
        Some(Segments::Media) => {
            let found = media_cuts(gathered, listing);
            let at = |cut: u64| packed(ByteRange { start: cut, end: (cut + 1).min(plain_bytes) }).start;
            let cuts: Vec<u64> = found.cuts.into_iter().map(at).collect();
            let of_media = found.emphases.into_iter().map(|one| Emphasis { range: packed(one.range), ..one });
            cut_at(&cuts, size_bytes, &of_media.chain(emphases).collect::<Vec<_>>())
        }
    };
    let segments = segments.map_err(|error| Error::usage(error.to_string()))?;
    let builder = segments.into_iter().fold(builder, ManifestBuilder::segment);
    let descriptors = describe.descriptors.map(|count| dealt(size_bytes, count.into())).unwrap_or_default();
    let builder = descriptors.into_iter().fold(builder, ManifestBuilder::descriptor);
    Ok(builder
        .active_from_ms(describe.active_from.map(|moment| moment.as_ms()))
        .active_until_ms(describe.active_until.map(|moment| moment.as_ms())))
}

/// Where the films among the files can be cut.
fn media_cuts(gathered: &Gathered, listing: &Listing) -> MediaCuts {
    let files = gathered.files.iter().enumerate().map(|(at, file)| MediaFile {
        place: &file.place,
        path: &file.path,
        range: listing.layout().file_range(at),
    });
    media::cuts_of(&files.collect::<Vec<_>>())
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
    pub(crate) fn in_content(self, size_bytes: u64) -> ByteRange {
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
async fn hash(source: SourceFiles, plan: Option<Plan>, name: &str, ui: &Ui) -> Result<Hashed> {
    let size_bytes = source.layout().size_bytes();
    let what = format!("reading {name}, {}", describe_size(source.layout().files(), size_bytes));
    let mut progress = ui.bar(size_bytes);
    let hashed_bytes = Arc::new(AtomicU64::new(0));
    let counter = hashed_bytes.clone();
    let mut work = tokio::task::spawn_blocking(move || match plan {
        Some(plan) => pack_blocking(source, plan, &counter),
        None => Ok(Hashed { tree: hash_blocking(&source, &counter)?, source, packed: None }),
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
    let builder = source.hash_all(|bytes| {
        hashed_bytes.fetch_add(bytes, Ordering::Relaxed);
    })?;
    let (_geometry, tree) = builder.finish().map_err(|error| Error::new(Code::Failure, error.to_string()))?;
    Ok(tree)
}

/// Packs the files and hashes what they become, counting bytes of the files.
fn pack_blocking(source: SourceFiles, plan: Plan, read_bytes: &AtomicU64) -> Result<Hashed> {
    let Plan { secret, compress, listing, mut copy } = plan;
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let key = secret.as_ref().map(|secret| secret.key.clone());
    let mut packer = Packer::new(source.layout().size_bytes(), key, compress, threads);
    let (segments, coming) = mpsc::sync_channel::<Vec<u8>>(SEGMENTS_WAITING_MAX);
    // Hashing and writing go on while the next segments are read and packed.
    let (packing, taken) = thread::scope(|scope| {
        let taking = scope.spawn(|| take_packed(coming, copy.as_mut()));
        let mut give = |packed| {
            // Nobody listens only after a panic, which `join` tells of.
            segments.send(packed).ok();
        };
        let read = source.read_all(|piece| {
            packer.push(piece, &mut give);
            read_bytes.fetch_add(piece.len() as u64, Ordering::Relaxed);
        });
        let packing = read.map_err(Error::from).and_then(|()| Ok(packer.finish(listing, &mut give)?));
        drop(segments);
        (packing, taking.join().expect("hashing does not panic"))
    });
    let (builder, copied) = taken;
    let packing = packing?;
    copied.map_err(|error| Error::new(Code::Storage, format!("cannot write the packed bytes: {}", plain(&error))))?;
    let (_geometry, tree) = builder.finish().map_err(|error| Error::new(Code::Failure, error.to_string()))?;
    Ok(Hashed { source, tree, packed: Some((packing, secret)) })
}

/// Hashes packed segments, and writes them where they are wanted.
fn take_packed(coming: mpsc::Receiver<Vec<u8>>, mut copy: Option<&mut File>) -> (TreeBuilder, io::Result<()>) {
    let mut builder = TreeBuilder::new();
    let mut copied = Ok(());
    for packed in coming {
        builder.push(&packed);
        if let (Some(copy), Ok(())) = (&mut copy, &copied) {
            copied = copy.write_all(&packed);
        }
    }
    (builder, copied)
}

/// The content's id of files on disk, if they can be read to the end: as they are, or packed as `packing` says.
pub(crate) async fn id_of(source: SourceFiles, packing: Option<Packing>, name: &str, ui: &Ui) -> Result<ContentId> {
    let Some(packing) = packing else { return Ok(hash(source, None, name, ui).await?.tree.root()) };
    let mut source = source.packed(packing);
    let work = tokio::task::spawn_blocking(move || {
        let mut builder = TreeBuilder::new();
        let mut read_bytes = 0;
        while read_bytes < source.size_bytes() {
            let bytes = source.read(read_bytes, CHUNK_BYTES)?;
            if bytes.is_empty() {
                break;
            }
            read_bytes += bytes.len() as u64;
            builder.push(&bytes);
        }
        Ok::<_, Error>(builder.finish().map_err(|error| Error::new(Code::Failure, error.to_string()))?.1.root())
    });
    work.await.map_err(|error| Error::new(Code::Failure, error.to_string()))?
}

/// `12 MiB`, or `7 files, 12 MiB`.
pub(crate) fn describe_size(files: usize, size_bytes: u64) -> impl Display {
    let size = HumanBytes(size_bytes);
    if files == 1 { size.to_string() } else { format!("{files} files, {size}") }
}
