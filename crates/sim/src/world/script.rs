//! What is done to a swarm from outside, and when.

use pleach_core::time::Time;

use crate::network::NodeId;

/// Something that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The peer starts.
    Start(NodeId),
    /// It leaves as it should.
    Leave(NodeId),
    /// It is gone without a word.
    Kill(NodeId),
    /// All its links break, but it goes on.
    BreakLinks(NodeId),
    /// Its socket breaks, and no other can be opened.
    Deafen(NodeId),
    /// It can open a socket again.
    Undeafen(NodeId),
    /// The tracker is killed.
    KillTracker,
    /// A new tracker, which knows nothing, takes its place.
    StartTracker,
}

/// What an action may wait for instead of a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The peers that are no sources have everything between them.
    OneCopyOut,
    /// The peer has at least so many percent of the groups.
    Has(NodeId, u8),
    /// At least so many peers that began without everything have it.
    Finished(usize),
}

/// An action that waits for its condition, which is looked at ten times a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub(crate) condition: Condition,
    pub(crate) action: Action,
    /// Not before.
    pub(crate) from: Time,
}
