//! The content: how it is cut, named, verified and described.
//!
//! Nothing here does I/O or trusts anybody. Bytes and hashes come in from files, trackers and peers; what leaves as a
//! valid type has been checked against the one thing that a person was given, the link.
//!
//! * [`Geometry`]: which bytes are in which packet (64 KiB) and which group (16 KiB). The only maker of valid indices.
//! * [`HashTree`]: BLAKE3's own tree over the content, as far as it is known; verifies groups as they come, in any
//!   order, and makes the proofs that the next peer needs.
//! * [`GroupSet`], [`PacketSet`]: what is held.
//! * [`Manifest`]: the description that an author publishes (`FILE.pleach`).
//! * [`Listing`]: its files, and under which names they are saved.
//! * [`Packed`]: how its bytes are made of compressed or encrypted files.
//! * [`Descriptor`]: a part of it that is of use without the others.
//! * [`WebPlaces`]: where on the web its bytes are.
//! * [`PacketOrder`]: which packets its author wants first.
//! * [`Layout`]: which bytes of the content are in which of its files.
//! * [`Segmentation`]: how an author cuts the content into segments, and which of them come first.
//! * [`Link`]: what people pass on.

mod descriptor;
mod geometry;
mod layout;
mod link;
mod listing;
mod manifest;
mod order;
mod packed;
mod packet_set;
mod segmentation;
mod text;
mod tree;
mod web;

pub use descriptor::{DESCRIPTORS_MAX, Descriptor, DescriptorRun, dealt};
pub use geometry::{
    ByteRange, CONTENT_BYTES_MAX, GROUP_BYTES, GROUP_BYTES_MAX, GROUP_BYTES_MIN, GROUPS_PER_PACKET, Geometry,
    GeometryError, GroupIndex, PACKET_BYTES, PacketIndex,
};
pub use layout::{FilePart, Layout};
pub use link::{LINK_BYTES_MAX, Link, LinkError};
pub use listing::{FileEntry, Listing};
pub use manifest::{
    FILES_MAX, MANIFEST_BYTES_MAX, Manifest, ManifestBuilder, ManifestError, SEGMENTS_MAX, Segment, URL_BYTES_MAX,
    URLS_MAX,
};
pub use order::PacketOrder;
pub use packed::{Argon2id, PACKED_PATH, Packed};
pub use packet_set::{GroupSet, PacketSet};
pub use segmentation::{Emphasis, Segmentation, SegmentationError, cut_at};
pub use text::cut_text;
pub use tree::{
    HASH_LIST_BYTES_MAX, HashListError, HashTree, HashedPackets, KnownNodes, NodeId, PROOF_NODES_MAX, ProofNode,
    TreeBuilder, VerifyError,
};
pub use web::WebPlaces;
