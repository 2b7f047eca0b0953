//! Pleach on an operating system: everything that the engine leaves to its adapter.
//!
//! * [`node`]: drives one engine with tokio; this is what an application starts.
//! * [`beside`]: nodes of one process that look packages up for each other.
//! * [`link`]: WebRTC data channels to other peers, native or browsers.
//! * [`store`]: the disk.
//! * [`gather`]: the files that people share.
//! * [`media`]: where films and sound can be cut.
//! * [`http`]: manifests over HTTP.
//! * [`fleet`]: a machine that takes deliveries, and ordering them.
//!
//! The socket to the tracker and TLS are inside.

pub mod beside;
mod first_packet;
pub mod fleet;
pub mod gather;
pub mod http;
pub mod link;
pub mod media;
pub mod node;
pub mod store;
mod tls;
mod tracker_socket;
mod web;

/// What this program calls itself, to peers, trackers and web servers.
pub const AGENT: &str = concat!("pleach/", env!("CARGO_PKG_VERSION"));
