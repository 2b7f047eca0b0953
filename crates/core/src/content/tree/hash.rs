//! BLAKE3 below the waterline: hashes of subtrees and how two make their parent.

use blake3::Hasher;
use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};

/// A chaining value, or at the top the hash itself.
pub(super) type Hash = [u8; 32];

/// The hash of the whole content, when it is no larger than one subtree.
pub(super) fn whole(bytes: &[u8]) -> Hash {
    blake3::hash(bytes).into()
}

/// The node over a subtree that is not the whole. `bytes` begin `offset_bytes` into the content, which must be where a
/// subtree of their length begins, and are not empty.
pub(super) fn subtree(offset_bytes: u64, bytes: &[u8]) -> Hash {
    Hasher::new().set_input_offset(offset_bytes).update(bytes).finalize_non_root()
}

/// The node above two.
pub(super) fn parent(left: &Hash, right: &Hash, is_root: bool) -> Hash {
    if is_root {
        merge_subtrees_root(left, right, Mode::Hash).into()
    } else {
        merge_subtrees_non_root(left, right, Mode::Hash)
    }
}
