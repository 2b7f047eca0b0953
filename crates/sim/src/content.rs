//! The true content of a run: what every write is compared with.
//!
//! # Coarse runs
//!
//! A swarm of 100,000 would hash and copy terabytes, and hold what is on its way. A coarse run keeps all engines, and all
//! their messages, but lets a group of 1 KiB stand for one of 16: the content is a sixteenth as long, in as many packets
//! and groups. The network counts each payload byte as 16, so that lines are as busy as they would be, and engines are
//! told a sixteenth of the room that a channel has and are given a sixteenth of their bounds in bytes.
//!
//! What it leaves out:
//!
//! * Constants in bytes inside the engine are not scaled, and the credit that a fresh link gets is one. A sixteenth of
//!   the bound for credit would be all of it at once: a slow peer would be asked for 4 MiB on the first go, and the last
//!   peers would wait for that. So every link has a fixed credit of 512 KiB (what it stands for), where a fine run begins
//!   with 256 KiB and lets fast links have up to 4 MiB.
//! * An engine counts its messages' heads and proofs against the room it was told, where they weigh 16 times as much as
//!   they should: 1 to 2 % of a whole packet, up to 7 % of a single group.
//! * Rates that engines measure, and tell the tracker, are a sixteenth of the true ones; all alike.

use bytes::Bytes;
use pleach_core::content::{GROUP_BYTES, Geometry, HashTree, Manifest, PacketIndex, TreeBuilder};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How many bytes one of a coarse run stands for.
pub(crate) const COARSE: u32 = 16;

/// Random bytes, their hash tree and manifest.
#[derive(Clone, Debug)]
pub struct TrueContent {
    bytes: Bytes,
    tree: HashTree,
    manifest: Manifest,
    bytes_per_byte: u32,
}

impl TrueContent {
    /// A content that has, or stands for, so many bytes.
    ///
    /// # Panics
    ///
    /// If it is larger than any content may be.
    pub fn new(size_bytes: u64, seed: u64, is_coarse: bool) -> Self {
        let bytes_per_byte = if is_coarse { COARSE } else { 1 };
        let size_bytes = size_bytes / u64::from(bytes_per_byte);
        let group_bytes = GROUP_BYTES / bytes_per_byte;
        let mut bytes = vec![0; usize::try_from(size_bytes).expect("a content fits into memory")];
        ChaCha8Rng::seed_from_u64(seed).fill_bytes(&mut bytes);
        let mut builder = TreeBuilder::with_group_bytes(group_bytes).expect("it is a power of two");
        builder.push(&bytes);
        let (_, tree) = builder.finish().expect("the size is within the limit");
        let manifest = Manifest::of_file("simulated.bin", None, tree.root(), size_bytes).expect("the name is valid");
        let manifest = if is_coarse { cut(manifest, group_bytes) } else { manifest };
        Self { bytes: bytes.into(), tree, manifest, bytes_per_byte }
    }

    /// How many bytes each of its bytes stands for.
    pub fn bytes_per_byte(&self) -> u32 {
        self.bytes_per_byte
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

fn cut(manifest: Manifest, group_bytes: u32) -> Manifest {
    manifest.with_group_bytes(group_bytes).expect("it is a power of two")
}
