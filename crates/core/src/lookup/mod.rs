//! Looking packages up ([003]): who has what, as far as one peer has heard, and what it passes on for others.
//!
//! * [`directory`]: the list of packages and their locations, with its policies (rows D1, D2, D5)
//! * `asks`: asks that were heard, so that each is passed on once and answers find their way back
//! * `relays`: signals that are carried for two that found each other
//!
//! All of it is bookkeeping: who is asked when, what is answered, and which links are made is decided by
//! the peer. A *way* is where a word came from and signals go: nobody is reached but by those who told of them.
//!
//! `docs/lookup.md` tells the idea with its bounds, and what the policies do to a swarm.

mod asks;
pub mod directory;
mod relays;

pub use asks::Asks;
pub use directory::{Directory, Location, Policy, Word};
pub use relays::Relays;

use crate::ids::LinkId;

/// Whether this is built in.
pub(crate) const IS_BUILT: bool = cfg!(feature = "lookup");

/// Where a word came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// From the far end of a link.
    Link(LinkId),
    /// From the engine of another package in this process, or by one of its links.
    Beside,
}
