//! Packed content: compressed, encrypted, or both, segment by segment.
//!
//! ```text
//! plain   |  s0   |  s1   |  s2   |   s3  |      the files' bytes one after the other, cut at equal lengths
//!            zstd    none    zstd    none        what pays, decided for each segment
//!            +tag    +tag    +tag    +tag        XChaCha20-Poly1305, if encrypted
//! packed  | s0'+| s1'    +| s2' +| s3'   +|      the content that is transported, of which the id is the hash
//! ```
//!
//! Everything that moves content knows the packed bytes alone. Who has the key (from the link's fragment, which goes to
//! nobody, or from a password) opens the [`Index`], which tells the files and each segment's place, and from then on
//! any stretch of the files can be had from the segments that it is in, so a video plays while it loads.
//! `docs/format.md` tells the format, and what it hides and does not.
//!
//! * [`Key`]: 32 secret bytes, random or made of a password.
//! * [`machine_keys`]: the key for machines of a fleet, each alone.
//! * [`Index`]: the files, and which segments they are made of.
//! * [`Packing`]: an opened index with its key: encodes and decodes segments.
//! * [`Unpacker`]: packed bytes in, the files' bytes out, in order.
//! * [`Packer`], where the native library compresses: the files' bytes in, packed bytes and an index out.
//!
//! Nothing here does I/O, or reads a clock or randomness. What is read may be hostile: every number has a limit, and
//! decoding ends at the length that the index tells, which has a limit too.
#![forbid(unsafe_code)]

#[cfg(not(any(feature = "native", feature = "pure")))]
compile_error!("one of the features `native` and `pure` is needed: something must read zstd");

#[cfg(any(feature = "native", feature = "pure"))]
mod codec;
mod error;
mod index;
mod key;
pub mod machine_keys;
#[cfg(feature = "native")]
mod packer;
#[cfg(any(feature = "native", feature = "pure"))]
mod packing;
mod sealing;
#[cfg(all(test, feature = "native", feature = "pure"))]
mod tests;
#[cfg(any(feature = "native", feature = "pure"))]
mod unpacker;

pub use error::PackingError;
pub use index::{Codec, INDEX_BYTES_MAX, Index, RUNS_MAX, Run, SEGMENT_BYTES_MAX, SegmentPlace};
pub use key::{Key, PASSWORD_BYTES_MAX};
#[cfg(feature = "native")]
pub use packer::{COMPRESSED_BYTES_MAX, Packer, segment_bytes_for};
#[cfg(any(feature = "native", feature = "pure"))]
pub use packing::{Packing, derivation};
pub use sealing::TAG_BYTES;
#[cfg(any(feature = "native", feature = "pure"))]
pub use unpacker::Unpacker;
