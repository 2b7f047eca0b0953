//! Files that are shared: read once to be hashed, and watched for changes from then on.
//!
//! The engine checks every packet it reads against the tree that was built here, so a changed file can never be passed
//! on as the old one. What this module adds is to say so early, and of which file: one whose size or time of change
//! moved while it was hashed is refused, and [`SourceWatch`] tells when they move later, before any peer asks for what
//! is gone.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use pleach_core::content::{ByteRange, HashTree, Layout, PACKET_BYTES};
use pleach_packing::Packing;

use super::aligned::AlignedBuffer;
use super::error::{StoreError, io_error};
use super::files::{Files, Places};
use super::packed::PackedReader;
use super::positioned::read_full_at;

/// Bytes read at once while hashing: large enough that system calls cost nothing beside the hash.
const HASH_CHUNK_BYTES: usize = 1 << 20;
/// Files looked at in one look: what takes no time even on a slow disk. A folder of 10,000 is seen in 157 looks.
const LOOK_FILES_MAX: usize = 64;

/// Regular files, one or many, that are one content, as they are or packed.
#[derive(Debug)]
pub struct SourceFiles {
    pub(super) files: Files<SourcePlaces>,
    stamps: Vec<Stamp>,
    packed: Option<PackedReader>,
}

/// Where shared files are.
#[derive(Clone, Debug)]
pub(super) struct SourcePlaces(Arc<[PathBuf]>);

impl Places for SourcePlaces {
    fn open(&self, file: usize) -> io::Result<File> {
        File::open(&self.0[file])
    }

    fn path(&self, file: usize) -> PathBuf {
        self.0[file].clone()
    }
}

/// What tells a changed file without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    size_bytes: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self { size_bytes: metadata.len(), modified: metadata.modified().ok() }
    }

    fn read(path: &Path) -> Result<Self, StoreError> {
        let metadata = std::fs::metadata(path).map_err(io_error("read", path))?;
        if metadata.is_dir() {
            return Err(StoreError::Directory { path: path.to_owned() });
        }
        // To open a pipe would wait for its writer.
        if !metadata.is_file() {
            return Err(StoreError::NotRegular { path: path.to_owned() });
        }
        Ok(Self::of(&metadata))
    }
}

impl SourceFiles {
    /// Notes sizes and times of change of the files, which are the content in this order.
    pub fn open(paths: impl IntoIterator<Item = PathBuf>) -> Result<Self, StoreError> {
        let paths: Arc<[PathBuf]> = paths.into_iter().collect();
        let stamps = paths.iter().map(|path| Stamp::read(path)).collect::<Result<Vec<_>, _>>()?;
        let layout = Layout::new(stamps.iter().map(|stamp| stamp.size_bytes));
        Ok(Self { files: Files::new(layout, SourcePlaces(paths)), stamps, packed: None })
    }

    /// The same files, given packed: what is read is encoded when it is asked for, and no second copy is on the disk.
    pub fn packed(self, packing: Packing) -> Self {
        Self { packed: Some(PackedReader::new(packing)), ..self }
    }

    /// Bytes of the content: of the files, or of what they are packed to.
    pub fn size_bytes(&self) -> u64 {
        let packed = self.packed.as_ref();
        packed.map_or_else(|| self.layout().size_bytes(), |packed| packed.packing().index().packed_bytes())
    }

    /// Reads a stretch of the content. Gives less where it ends before, or a file is not what it was.
    pub fn read(&mut self, offset_bytes: u64, len_bytes: u32) -> Result<Vec<u8>, StoreError> {
        match &mut self.packed {
            Some(packed) => packed.read(&mut self.files, offset_bytes, len_bytes),
            None => self.files.read(offset_bytes, len_bytes),
        }
    }

    /// Where each file lies among the files, by the sizes they had when they were opened.
    pub fn layout(&self) -> &Layout {
        self.files.layout()
    }

    /// Reads the files once, in order, giving each piece to `take`. Fails if one of them is not the same size and of
    /// the same time of change when its end is reached, or when all are read.
    pub fn read_all(&self, mut take: impl FnMut(&[u8])) -> Result<(), StoreError> {
        let paths = &self.files.places.0;
        let mut buffer = AlignedBuffer::new(HASH_CHUNK_BYTES);
        for (path, stamp) in paths.iter().zip(&self.stamps) {
            read_unchanged(path, *stamp, &mut buffer, &mut take)?;
        }
        self.expect_unchanged()
    }

    /// Fails if a file is not of the size and time of change that it was opened with.
    pub(super) fn expect_unchanged(&self) -> Result<(), StoreError> {
        let paths = &self.files.places.0;
        match paths.iter().zip(&self.stamps).find(|(path, stamp)| Stamp::read(path).ok() != Some(**stamp)) {
            Some((path, _)) => Err(StoreError::Changed { path: path.clone() }),
            None => Ok(()),
        }
    }

    /// The same files, opened by whoever asks: for another thread.
    pub(super) fn own_files(&self) -> Files<SourcePlaces> {
        Files::new(self.layout().clone(), self.files.places.clone())
    }

    /// Fills the buffer with a stretch of the files; fails if a file has become shorter.
    pub(super) fn read_stretch(
        &self,
        files: &mut Files<SourcePlaces>,
        offset_bytes: u64,
        bytes: &mut [u8],
    ) -> Result<(), StoreError> {
        let filled = files.read_into(offset_bytes, bytes)?;
        if filled == bytes.len() {
            return Ok(());
        }
        let short = self.layout().parts(offset_bytes + filled as u64, 1).next().map_or(0, |part| part.file);
        Err(StoreError::Changed { path: self.files.places.0[short].clone() })
    }

    /// Nobody writes to what is shared.
    pub(super) fn refuse_write(&self) -> StoreError {
        let path = self.files.places.0.first().cloned().unwrap_or_default();
        io_error("write", &path)(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    /// What notices changes while the files belong to a store. `tree` is the content's, to tell a file that was only
    /// touched from one that was changed.
    pub fn watch(&self, tree: HashTree) -> SourceWatch {
        let (layout, places) = (self.layout().clone(), self.files.places.clone());
        let packing = self.packed.as_ref().map(PackedReader::packing).cloned();
        SourceWatch { layout, places, stamps: self.stamps.clone(), packing, tree, next: 0 }
    }
}

fn read_unchanged(
    path: &Path,
    stamp: Stamp,
    buffer: &mut [u8],
    take: &mut impl FnMut(&[u8]),
) -> Result<(), StoreError> {
    let file = File::open(path).map_err(io_error("read", path))?;
    let mut read_bytes: u64 = 0;
    loop {
        let len = read_full_at(&file, buffer, read_bytes).map_err(io_error("read", path))?;
        read_bytes += len as u64;
        if len == 0 || read_bytes > stamp.size_bytes {
            break;
        }
        take(&buffer[..len]);
    }
    let now = Stamp::of(&file.metadata().map_err(io_error("read", path))?);
    if read_bytes == stamp.size_bytes && now == stamp {
        Ok(())
    } else {
        Err(StoreError::Changed { path: path.to_owned() })
    }
}

/// Notices that shared files changed; see [`SourceFiles::watch`]. Copies go on by themselves.
#[derive(Clone, Debug)]
pub struct SourceWatch {
    layout: Layout,
    places: SourcePlaces,
    stamps: Vec<Stamp>,
    packing: Option<Arc<Packing>>,
    tree: HashTree,
    /// The file that the next look begins with.
    next: usize,
}

/// How a shared file changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is not there any more.
    Gone,
    /// It has another size: it is certainly not what it was.
    Size,
    /// It was written to, or only touched: [`SourceWatch::read_again`] finds out.
    Touched,
}

impl SourceWatch {
    /// Looks at some files, after those of the last look. Gives the first of them that changed since it was opened, or
    /// last read again.
    pub fn look(&mut self) -> Option<(usize, Change)> {
        let files = self.stamps.len();
        let looks = files.min(LOOK_FILES_MAX);
        let first = self.next;
        self.next = (first + looks) % files.max(1);
        (first..first + looks).find_map(|at| self.look_at(at % files))
    }

    /// Looks at all files.
    pub fn look_at_all(&self) -> Option<(usize, Change)> {
        (0..self.stamps.len()).find_map(|file| self.look_at(file))
    }

    fn look_at(&self, file: usize) -> Option<(usize, Change)> {
        let change = match std::fs::metadata(self.path(file)) {
            Ok(metadata) => {
                let now = Stamp::of(&metadata);
                match self.stamps[file] {
                    known if known == now => return None,
                    known if known.size_bytes == now.size_bytes => Change::Touched,
                    _ => Change::Size,
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Change::Gone,
            // Who can't look knows nothing; a read that fails is told by itself.
            Err(_) => return None,
        };
        Some((file, change))
    }

    /// Where a file is.
    pub fn path(&self, file: usize) -> &Path {
        &self.places.0[file]
    }

    /// The files of which the packet that begins at this byte has something.
    pub fn files_at(&self, offset_bytes: u64) -> Vec<usize> {
        let packet = ByteRange { start: offset_bytes, end: offset_bytes.saturating_add(u64::from(PACKET_BYTES)) };
        let plain = self.packing.as_ref().map_or(packet, |packing| packing.index().plain_range(packet));
        self.layout.parts(plain.start, plain.len()).map(|part| part.file).collect()
    }

    /// Reads the packets that a touched file is in. Whether they are what they were; if so, the file's time of change
    /// becomes the one to compare with from now on. An error if the file moves on meanwhile.
    pub fn read_again(&mut self, file: usize) -> Result<bool, StoreError> {
        let before = Stamp::read(self.path(file))?;
        let is_same = self.is_same(file)?;
        if Stamp::read(self.path(file))? != before {
            return Err(StoreError::Changed { path: self.path(file).to_owned() });
        }
        if is_same {
            self.stamps[file] = before;
        }
        Ok(is_same)
    }

    fn is_same(&self, file: usize) -> Result<bool, StoreError> {
        let file_range = self.layout.file_range(file);
        if file_range.is_empty() {
            return Ok(true);
        }
        let range = self.packing.as_ref().map_or(file_range, |packing| packing.index().packed_range(file_range));
        let files = Files::new(self.layout.clone(), self.places.clone());
        let packed = self.packing.clone().map(PackedReader::sharing);
        let mut source = SourceFiles { files, stamps: self.stamps.clone(), packed };
        let geometry = self.tree.geometry();
        let index = |offset_bytes: u64| (offset_bytes / u64::from(geometry.packet_bytes())) as u32;
        for packet in (index(range.start)..=index(range.end - 1)).filter_map(|index| geometry.packet(index)) {
            let place = geometry.packet_range(packet);
            let bytes = source.read(place.start, place.len() as u32)?;
            if !self.tree.check_packet(packet, &bytes) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
