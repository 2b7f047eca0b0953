//! The true content of a run: what every write is compared with.

use bytes::Bytes;
use pleach_core::content::{Geometry, HashTree, Manifest, PacketIndex, TreeBuilder};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Random bytes, their hash tree and manifest.
#[derive(Clone, Debug)]
pub struct TrueContent {
    bytes: Bytes,
    tree: HashTree,
    manifest: Manifest,
}

impl TrueContent {
    /// A content of so many bytes.
    ///
    /// # Panics
    ///
    /// If it is larger than any content may be.
    pub fn new(size_bytes: u64, seed: u64) -> Self {
        let mut bytes = vec![0; usize::try_from(size_bytes).expect("a content fits into memory")];
        ChaCha8Rng::seed_from_u64(seed).fill_bytes(&mut bytes);
        let mut builder = TreeBuilder::new();
        builder.push(&bytes);
        let (_, tree) = builder.finish().expect("the size is within the limit");
        let manifest = Manifest::of_file("simulated.bin", None, tree.root(), size_bytes).expect("the name is valid");
        Self { bytes: bytes.into(), tree, manifest }
    }

    /// How it is cut.
    pub fn geometry(&self) -> Geometry {
        self.tree.geometry()
    }

    /// Its description.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Its whole tree.
    pub fn tree(&self) -> &HashTree {
        &self.tree
    }

    /// Some of its bytes; `None` beyond its end.
    pub fn slice(&self, offset_bytes: u64, len_bytes: usize) -> Option<Bytes> {
        let start = usize::try_from(offset_bytes).ok()?;
        let end = start.checked_add(len_bytes)?;
        (end <= self.bytes.len()).then(|| self.bytes.slice(start..end))
    }

    /// A packet by number.
    ///
    /// # Panics
    ///
    /// If there is no such packet.
    pub fn packet(&self, index: u32) -> PacketIndex {
        self.geometry().packet(index).expect("the packet exists")
    }
}
