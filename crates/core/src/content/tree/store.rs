//! Where known nodes lie: blocks of neighbouring places, made when the first node of a block comes.
//!
//! In-order places keep a leaf, its sibling and the nodes close above them in one block, so that a content taken in
//! order fills blocks one after the other, and one that is claimed to be huge costs nothing until it is delivered.
//! Copies share their blocks until they differ: who gives a content and who watches its files need one tree.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::hash::Hash;

/// Places in a block: 1 KiB of hashes.
const BLOCK_PLACES: u32 = 32;

#[derive(Clone)]
struct Block {
    /// Which places are filled.
    known: u32,
    hashes: [Hash; BLOCK_PLACES as usize],
}

/// Hashes by place.
#[derive(Clone, Default)]
pub(super) struct NodeStore {
    blocks: BTreeMap<u32, Arc<Block>>,
    leaves: u32,
}

impl NodeStore {
    /// The hash at a place.
    pub(super) fn get(&self, place: u32) -> Option<&Hash> {
        let block = self.blocks.get(&(place / BLOCK_PLACES))?;
        let slot = place % BLOCK_PLACES;
        (block.known & (1 << slot) != 0).then(|| &block.hashes[slot as usize])
    }

    /// Puts a hash at a place. `false`, and nothing changes, if there is one already.
    pub(super) fn insert(&mut self, place: u32, hash: Hash) -> bool {
        if self.get(place).is_some() {
            return false;
        }
        let empty = || Arc::new(Block { known: 0, hashes: [[0; 32]; BLOCK_PLACES as usize] });
        let block = Arc::make_mut(self.blocks.entry(place / BLOCK_PLACES).or_insert_with(empty));
        let slot = place % BLOCK_PLACES;
        block.known |= 1 << slot;
        block.hashes[slot as usize] = hash;
        self.leaves += u32::from(place.is_multiple_of(2));
        true
    }

    /// How many of the filled places are leaves.
    pub(super) fn leaves(&self) -> u32 {
        self.leaves
    }
}
