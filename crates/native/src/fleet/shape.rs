//! What of a content lies in a machine's folder: the files as they are, whether they came compressed or not.

use std::path::{Path, PathBuf};

use pleach_core::content::{HashTree, Listing, Manifest, Packed, TreeBuilder};
use pleach_packing::{Packing, machine_keys};

use crate::store::SourceFiles;

/// Packed bytes that are read at once.
const READ_BYTES: u32 = 1 << 20;

/// The files of a content, and what they are packed by on the way.
pub(super) struct Shape {
    pub(super) listing: Listing,
    pub(super) packing: Option<Packing>,
}

impl Shape {
    /// Refuses what the machine of this seed can't open.
    pub(super) fn of(manifest: &Manifest, seed: &[u8; 32]) -> Result<Self, String> {
        let packing = match manifest.packed() {
            None => None,
            Some(Packed::Clear(_)) => Some(Packing::open(manifest, None).map_err(|error| error.to_string())?),
            Some(Packed::Sealed { password: None, .. }) => {
                let key = machine_keys::key_for(manifest, seed)?;
                Some(Packing::open(manifest, Some(&key)).map_err(|error| error.to_string())?)
            }
            Some(_) => return Err("it asks for a password, and there is nobody to ask".to_owned()),
        };
        let listing = packing.as_ref().map_or_else(|| manifest.listing(), |packing| packing.index().listing());
        Ok(Self { listing: listing.clone(), packing })
    }

    /// Where the files lie once it is there, in its order.
    pub(super) fn paths(&self, into: &Path) -> Vec<PathBuf> {
        let out = into.join(self.listing.saved_name());
        match self.listing.is_folder() {
            true => self.listing.saved_paths().map(|path| out.join(path)).collect(),
            false => vec![out],
        }
    }

    /// Reads and hashes what is there, as it travels; nothing if a file can't be read or is another.
    pub(super) fn hash(self, into: &Path) -> Option<(SourceFiles, HashTree)> {
        let mut source = SourceFiles::open(self.paths(into)).ok()?;
        let mut builder = TreeBuilder::new();
        match self.packing {
            None => source.read_all(|bytes| builder.push(bytes)).ok()?,
            Some(packing) => {
                let all_bytes = packing.index().packed_bytes();
                source = source.packed(packing);
                let mut at_bytes = 0;
                while at_bytes < all_bytes {
                    let bytes = source.read(at_bytes, READ_BYTES).ok().filter(|bytes| !bytes.is_empty())?;
                    builder.push(&bytes);
                    at_bytes += bytes.len() as u64;
                }
            }
        }
        let (_, tree) = builder.finish().ok()?;
        Some((source, tree))
    }
}
