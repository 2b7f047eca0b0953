//! What is said, and how much of it: messages, codecs and limits. No logic lives here.
//!
//! * [`tracker`]: peer and tracker over a WebSocket, small JSON messages of a documented version.
//! * [`link`]: peer and peer over a data channel, binary.
//! * [`signal`]: what two ends of a WebRTC connection tell each other to set it up; opaque to the engine.
//! * [`range`]: what a web server answers when it is asked for bytes.
//! * [`fleet`]: agents and their tracker, and the transport requests that agents pass on to each other.
//! * [`cluster`]: trackers among themselves.
//! * [`identity`]: who a peer is, and how it shows that.
//! * [`lookup`]: who has which package, asked from peer to peer.
//! * [`order`]: what a tracker and a peer without a socket tell each other through a neighbour, signed.
//!
//! `docs/protocol.md` tells every message with its limits and an example.

pub mod cluster;
pub mod fleet;
pub mod identity;
pub mod link;
pub mod lookup;
pub mod order;
pub mod range;
pub mod signal;
pub mod tracker;
