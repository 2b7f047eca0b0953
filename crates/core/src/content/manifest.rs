//! The manifest: a content's description as its author publishes it, `FILE.pleach`.
//!
//! JSON, version 1:
//!
//! ```json
//! {
//!   "pleach": 1,
//!   "id": "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
//!   "size_bytes": 1048576,
//!   "name": "Talks",
//!   "files": [{ "path": "2031/talk.mp4", "size_bytes": 1048576, "media_type": "video/mp4" }],
//!   "segments": [{ "offset_bytes": 0, "len_bytes": 1048576, "priority": 0 }],
//!   "descriptors": [{ "name": "coarse", "runs": [{ "offset_bytes": 0, "len_bytes": 1048576 }] }],
//!   "trackers": ["wss://example.org/ws"],
//!   "sources": ["https://example.org/talk.mp4"],
//!   "hashes": ["https://example.org/talk.mp4.pleach-hashes"],
//!   "active_from_ms": 1924992000000,
//!   "active_until_ms": 1956528000000,
//!   "packed": { "sealed": "…" },
//!   "required": []
//! }
//! ```
//!
//! The content is the files' bytes one after the other; `packed` says that it is one file made of others, see
//! [`Packed`]. `pleach`, `id`, `size_bytes` and `files` must be there.
//! Segments, if given, cover the content in order. Fields that are not known are passed over, but stay in the bytes
//! that are kept and passed on; a field that a reader *must* understand is named in `required`, and a reader who does
//! not know it refuses.
//!
//! A manifest may come from anyone: the link holds the digest of its bytes, so what the author wrote is what is read.
//! The author may be hostile too. Every number has a limit, paths can't leave the folder they are saved in or pretend
//! to be something else, and each refusal says why in words for people.

use core::mem;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::descriptor::{Descriptor, check_descriptors};
use super::geometry::{Geometry, GeometryError};
use super::layout::Layout;
use super::listing::{FileEntry, Listing};
use super::packed::{Packed, PackedField};
use super::text;
use crate::ids::{ContentId, ManifestDigest};

pub use super::text::URL_BYTES_MAX;

/// The version that is read and written.
const VERSION: u64 = 1;
/// Largest manifest, in bytes.
pub const MANIFEST_BYTES_MAX: usize = 1 << 20;
/// Most files in one content.
pub const FILES_MAX: usize = 10_000;
/// Most segments in one content.
pub const SEGMENTS_MAX: usize = 16_384;
/// Most trackers, most sources, and most addresses of the hash list.
pub const URLS_MAX: usize = 16;
/// Most names in `required`.
const REQUIRED_MAX: usize = 64;
/// Longest name in `required`, in bytes.
const REQUIRED_BYTES_MAX: usize = 64;
/// The last moment that a JavaScript `Date` can tell, in milliseconds since 1970.
const MOMENT_MS_MAX: u64 = 8_640_000_000_000_000;
/// What this version acts upon, and may therefore be required.
const UNDERSTOOD: [&str; 9] =
    ["id", "size_bytes", "name", "files", "descriptors", "trackers", "sources", "hashes", "packed"];

/// A parsed and valid manifest, with the bytes it was parsed from.
#[derive(Clone)]
pub struct Manifest {
    bytes: Bytes,
    digest: ManifestDigest,
    geometry: Geometry,
    listing: Listing,
    packed: Option<Packed>,
    /// What the above was not made of.
    fields: Fields,
}

/// A stretch of the content with a priority of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Where it begins in the content.
    pub offset_bytes: u64,
    /// Its length, at least 1.
    pub len_bytes: u64,
    /// The higher, the earlier it is wanted (claim 6 of 002); 0 is ordinary.
    #[serde(default)]
    pub priority: u8,
}

/// The fields as they are written.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Fields {
    pleach: u64,
    id: ContentId,
    size_bytes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    files: Vec<FileEntry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    segments: Vec<Segment>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    descriptors: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    trackers: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sources: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hashes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    active_from_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    active_until_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    packed: Option<PackedField>,
    /// Read as a part of the [`Head`].
    #[serde(default, skip_deserializing, skip_serializing_if = "Vec::is_empty")]
    required: Vec<String>,
}

/// What must be understood before anything else is looked at.
#[derive(Deserialize)]
struct Head {
    pleach: Option<u64>,
    #[serde(default)]
    required: Vec<String>,
}

/// Why a manifest was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// More than [`MANIFEST_BYTES_MAX`].
    #[error("the manifest has {0} bytes; the most is {MANIFEST_BYTES_MAX}")]
    TooLong(usize),
    /// Not JSON, or a field is missing or of the wrong kind.
    #[error("the manifest can't be read: {0}")]
    Json(String),
    /// JSON, but not of ours.
    #[error("this is not a Pleach manifest: it has no version number \"pleach\"")]
    NotPleach,
    /// Of a later version.
    #[error("the manifest is of version {0}, but this program knows version {VERSION} only: is there a newer one?")]
    Version(u64),
    /// It requires what is not known.
    #[error("the manifest requires '{0}', which this program does not know: is there a newer one?")]
    Required(String),
    /// Too many of something.
    #[error("the manifest has {count} {what}; the most is {max}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// The content is too large.
    #[error("{0}")]
    Size(#[from] GeometryError),
    /// There is no file.
    #[error("the manifest names no file")]
    NoFile,
    /// A name or path that can't be used everywhere.
    #[error("the name {name:?} can't be used: {reason}")]
    Path {
        /// Which; shortened if it is long.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Two files with one path, or a file where another's folder is.
    #[error(
        "two files can't both be saved, because their names differ at most in upper and lower case, or one is a folder of the other: {0:?}"
    )]
    SamePath(String),
    /// The sizes of the files are not the size of the content.
    #[error("the files have {files_bytes} bytes together, but the content has {size_bytes}")]
    Sum {
        /// Of all files.
        files_bytes: u64,
        /// Of the content.
        size_bytes: u64,
    },
    /// The content is empty but its id is not that of nothing.
    #[error("the content is empty, but its id is that of something else")]
    EmptyId,
    /// A media type that is none.
    #[error("{0:?} is not a media type such as video/mp4")]
    MediaType(String),
    /// A segment that is not where the one before it ends.
    #[error("segment {0} is empty or does not begin where the one before it ends")]
    Segment(usize),
    /// The segments do not cover the content.
    #[error("the segments end at byte {end_bytes}, but the content has {size_bytes}")]
    SegmentsEnd {
        /// Where the last one ends.
        end_bytes: u64,
        /// Of the content.
        size_bytes: u64,
    },
    /// A descriptor that is none.
    #[error("descriptor {index} can't be used: {reason}")]
    Descriptor {
        /// Which, counted from 0.
        index: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A tracker's or source's URL that can't be used.
    #[error("the address {url:?} can't be used: {reason}")]
    Url {
        /// Which; shortened if it is long.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// What is said of how it is packed contradicts itself.
    #[error("the manifest does not say properly how the content is packed: {0}")]
    Packed(&'static str),
    /// It ends before it begins, or in another age.
    #[error("the time at which the content becomes active is not before the one at which it ends, or either is absurd")]
    Active,
}

impl Manifest {
    /// Parses and checks a manifest.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MANIFEST_BYTES_MAX {
            return Err(ManifestError::TooLong(bytes.len()));
        }
        let head: Head = parse_json(bytes)?;
        head.check()?;
        let mut fields: Fields = parse_json(bytes)?;
        let geometry = Geometry::new(fields.size_bytes)?;
        fields.check()?;
        let listing = Listing::new(fields.name.take(), mem::take(&mut fields.files), fields.size_bytes)?;
        let packed = fields.packed.take().map(|packed| packed.check(&listing)).transpose()?;
        let (bytes, digest) = (Bytes::copy_from_slice(bytes), ManifestDigest::of(bytes));
        Ok(Self { bytes, digest, geometry, listing, packed, fields })
    }

    /// The manifest of one file, without trackers and sources.
    pub fn of_file(
        name: &str,
        media_type: Option<&str>,
        id: ContentId,
        size_bytes: u64,
    ) -> Result<Self, ManifestError> {
        ManifestBuilder::new(id).file(name, size_bytes, media_type).build()
    }

    /// The content's id, which also is the root of its hash tree.
    pub fn id(&self) -> ContentId {
        self.fields.id
    }

    /// The same content cut into other groups: for simulations. What is shared between peers has the standard ones.
    pub fn with_group_bytes(mut self, group_bytes: u32) -> Result<Self, GeometryError> {
        self.geometry = Geometry::with_group_bytes(self.geometry.size_bytes(), group_bytes)?;
        Ok(self)
    }

    /// How the content is cut.
    pub fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// Bytes of the content.
    pub fn size_bytes(&self) -> u64 {
        self.fields.size_bytes
    }

    /// Its files as people see them. Of packed content that is the one file that is transported; what is in it the
    /// index tells, see [`Manifest::packed`].
    pub fn listing(&self) -> &Listing {
        &self.listing
    }

    /// See [`Listing::name`].
    pub fn name(&self) -> &str {
        self.listing.name()
    }

    /// See [`Listing::is_folder`].
    pub fn is_folder(&self) -> bool {
        self.listing.is_folder()
    }

    /// See [`Listing::saved_name`].
    pub fn saved_name(&self) -> &str {
        self.listing.saved_name()
    }

    /// See [`Listing::saved_paths`].
    pub fn saved_paths(&self) -> impl ExactSizeIterator<Item = &str> {
        self.listing.saved_paths()
    }

    /// See [`Listing::media_type`].
    pub fn media_type(&self) -> Option<&str> {
        self.listing.media_type()
    }

    /// The files, in the order in which their bytes make up the content; at least one.
    pub fn files(&self) -> &[FileEntry] {
        self.listing.files()
    }

    /// Where each file lies in the content.
    pub fn layout(&self) -> Layout {
        self.listing.layout()
    }

    /// How the content is packed: compressed, encrypted, or both; `None` if its bytes are the files'.
    pub fn packed(&self) -> Option<&Packed> {
        self.packed.as_ref()
    }

    /// The segments, which cover the content in order. Empty if the author gave none: then the whole is one.
    pub fn segments(&self) -> &[Segment] {
        &self.fields.segments
    }

    /// Parts of the content of which any subset is useful; mostly none.
    pub fn descriptors(&self) -> &[Descriptor] {
        &self.fields.descriptors
    }

    /// The trackers' URLs, `ws:` or `wss:`.
    pub fn trackers(&self) -> &[String] {
        &self.fields.trackers
    }

    /// URLs, `http:` or `https:`, at which the content's bytes can be had.
    pub fn sources(&self) -> &[String] {
        &self.fields.sources
    }

    /// URLs, `http:` or `https:`, at which the content's hash list can be had ([`super::HashTree::learn_list`]).
    pub fn hashes(&self) -> &[String] {
        &self.fields.hashes
    }

    /// From when on the content is to be had, in milliseconds since 1970.
    pub fn active_from_ms(&self) -> Option<u64> {
        self.fields.active_from_ms
    }

    /// Until when the content is to be had, in milliseconds since 1970.
    pub fn active_until_ms(&self) -> Option<u64> {
        self.fields.active_until_ms
    }

    /// The digest of its bytes, for the link.
    pub fn digest(&self) -> ManifestDigest {
        self.digest
    }

    /// The bytes it was parsed from, with all that was not understood.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl core::fmt::Debug for Manifest {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Manifest({:?}, {} bytes, {:?})", self.id(), self.size_bytes(), self.name())
    }
}

/// Makes a manifest.
#[derive(Clone, Debug)]
pub struct ManifestBuilder {
    fields: Fields,
}

impl ManifestBuilder {
    /// A manifest of the content with this id, without files yet.
    pub fn new(id: ContentId) -> Self {
        let fields = Fields {
            pleach: VERSION,
            id,
            size_bytes: 0,
            name: None,
            files: Vec::new(),
            segments: Vec::new(),
            descriptors: Vec::new(),
            trackers: Vec::new(),
            sources: Vec::new(),
            hashes: Vec::new(),
            active_from_ms: None,
            active_until_ms: None,
            packed: None,
            required: Vec::new(),
        };
        Self { fields }
    }

    /// Gives the whole a name; without it, [`Manifest::name`] finds one.
    pub fn name(mut self, name: &str) -> Self {
        self.fields.name = Some(name.to_owned());
        self
    }

    /// Adds the next file. The content's size grows by its size.
    pub fn file(mut self, path: &str, size_bytes: u64, media_type: Option<&str>) -> Self {
        let media_type = media_type.map(str::to_owned);
        self.fields.files.push(FileEntry { path: path.to_owned(), size_bytes, media_type });
        self.fields.size_bytes = self.fields.size_bytes.saturating_add(size_bytes);
        self
    }

    /// Adds a segment.
    pub fn segment(mut self, segment: Segment) -> Self {
        self.fields.segments.push(segment);
        self
    }

    /// Adds a descriptor.
    pub fn descriptor(mut self, descriptor: Descriptor) -> Self {
        self.fields.descriptors.push(descriptor);
        self
    }

    /// Adds a tracker.
    pub fn tracker(mut self, url: &str) -> Self {
        self.fields.trackers.push(url.to_owned());
        self
    }

    /// Adds a source.
    pub fn source(mut self, url: &str) -> Self {
        self.fields.sources.push(url.to_owned());
        self
    }

    /// Adds an address of the hash list.
    pub fn hashes(mut self, url: &str) -> Self {
        self.fields.hashes.push(url.to_owned());
        self
    }

    /// Says from when on the content is to be had, in milliseconds since 1970.
    pub fn active_from_ms(mut self, moment_ms: Option<u64>) -> Self {
        self.fields.active_from_ms = moment_ms;
        self
    }

    /// Says until when the content is to be had, in milliseconds since 1970.
    pub fn active_until_ms(mut self, moment_ms: Option<u64>) -> Self {
        self.fields.active_until_ms = moment_ms;
        self
    }

    /// Says that the content is packed. Who does not know of that must not take it for what it is not.
    pub fn packed(mut self, packed: &Packed) -> Self {
        self.fields.packed = Some(PackedField::of(packed));
        self.fields.required.push("packed".to_owned());
        self
    }

    /// Writes the manifest, and reads it as everybody will. One that is too long to be written for people is written
    /// without spaces.
    pub fn build(self) -> Result<Manifest, ManifestError> {
        let written = |json: serde_json::Result<Vec<u8>>| match json {
            Ok(mut json) => {
                json.push(b'\n');
                Ok(json)
            }
            Err(error) => Err(ManifestError::Json(error.to_string())),
        };
        let mut json = written(serde_json::to_vec_pretty(&self.fields))?;
        if json.len() > MANIFEST_BYTES_MAX {
            json = written(serde_json::to_vec(&self.fields))?;
        }
        Manifest::parse(&json)
    }
}

impl Head {
    fn check(self) -> Result<(), ManifestError> {
        match self.pleach {
            Some(VERSION) => {}
            Some(version) => return Err(ManifestError::Version(version)),
            None => return Err(ManifestError::NotPleach),
        }
        check_count("names that are required", self.required.len(), REQUIRED_MAX)?;
        match self.required.into_iter().find(|name| !UNDERSTOOD.contains(&name.as_str())) {
            Some(name) => Err(ManifestError::Required(shorten(&name, REQUIRED_BYTES_MAX))),
            None => Ok(()),
        }
    }
}

impl Fields {
    fn check(&self) -> Result<(), ManifestError> {
        self.check_segments()?;
        check_descriptors(&self.descriptors, self.size_bytes)?;
        check_urls("trackers", &self.trackers, &["ws", "wss"])?;
        check_urls("sources", &self.sources, &["http", "https"])?;
        check_urls("addresses of the hash list", &self.hashes, &["http", "https"])?;
        let (from, until) = (self.active_from_ms, self.active_until_ms);
        let absurd = from.max(until).is_some_and(|moment| moment > MOMENT_MS_MAX);
        if absurd || from.zip(until).is_some_and(|(from, until)| from >= until) {
            return Err(ManifestError::Active);
        }
        if self.size_bytes == 0 && self.id.as_bytes() != blake3::hash(b"").as_bytes() {
            return Err(ManifestError::EmptyId);
        }
        Ok(())
    }

    fn check_segments(&self) -> Result<(), ManifestError> {
        check_count("segments", self.segments.len(), SEGMENTS_MAX)?;
        let mut end_bytes = 0_u64;
        for (index, segment) in self.segments.iter().enumerate() {
            if segment.len_bytes == 0 || segment.offset_bytes != end_bytes {
                return Err(ManifestError::Segment(index));
            }
            end_bytes = end_bytes.saturating_add(segment.len_bytes);
        }
        if !self.segments.is_empty() && end_bytes != self.size_bytes {
            return Err(ManifestError::SegmentsEnd { end_bytes, size_bytes: self.size_bytes });
        }
        Ok(())
    }
}

fn check_urls(what: &'static str, urls: &[String], schemes: &[&str]) -> Result<(), ManifestError> {
    check_count(what, urls.len(), URLS_MAX)?;
    urls.iter().try_for_each(|url| {
        text::check_url(url, schemes).map_err(|reason| ManifestError::Url { url: shorten(url, 100), reason })
    })
}

pub(super) fn check_count(what: &'static str, count: usize, max: usize) -> Result<(), ManifestError> {
    if count > max { Err(ManifestError::TooMany { what, count, max }) } else { Ok(()) }
}

/// The beginning of a text that may be too long to show.
pub(super) fn shorten(text: &str, bytes_max: usize) -> String {
    let cut = crate::content::cut_text(text, bytes_max);
    if cut.len() < text.len() { format!("{cut}…") } else { text.to_owned() }
}

fn parse_json<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, ManifestError> {
    serde_json::from_slice(bytes).map_err(|error| ManifestError::Json(error.to_string()))
}

#[cfg(test)]
mod tests;
