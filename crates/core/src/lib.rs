//! The Pleach engine.
//!
//! Pleach moves content from one source to very many browsers and machines that carry it to each other.
//! This crate is everything of it that decides: what the content is and how it is verified ([`content`]), what is
//! said on the wire ([`wire`]), who has what ([`lookup`]), where each peer stands in the forest ([`forest`]), and the two state machines that do
//! the work, [`peer::Peer`] and [`tracker::Tracker`]; and two more for [`fleet`]s of machines.
//!
//! # The one contract
//!
//! The crate is sans-IO: no sockets, clock, threads, async or global randomness. All machines are driven alike:
//!
//! ```text
//! handle_input(input, now)      something happened outside
//! handle_timeout(now)           the time named by poll_timeout has come
//! poll_output() -> Option<_>    drain to None after each of the two above
//! poll_timeout() -> Option<_>   then sleep until then, or until the next input
//! ```
//!
//! They are constructed with a configuration, a 32-byte seed and `now`. The same inputs at the same times give the
//! same outputs to the byte, so a browser, a tokio loop, a server and a simulator are thin drivers of one engine.
//!
//! # Errors and bugs
//!
//! Bytes from outside never panic: they are parsed once into valid types, and what does not parse is refused with an
//! error that says why. A broken invariant inside may panic in a debug build and must not corrupt data in a release.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod content;
pub mod fleet;
pub mod forest;
pub mod ids;
pub mod lookup;
pub mod peer;
pub mod time;
pub mod tracker;
pub mod wire;
