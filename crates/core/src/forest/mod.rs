//! The forest: who feeds whom.
//!
//! Packets are dealt to stripes, packet `p` to stripe `p mod s`. Each stripe flows down a tree of its own, from peers
//! that have everything (the roots) to all others. The trees together are the forest; since a peer stands at another
//! place in each, the uplinks of many work at once ([000] claims 3 and 6; [004] claims 1 and 12).
//!
//! A peer is interior in the stripes of its home and a leaf in all others. It has as many children as its uplink can
//! feed, as others measure it, and the fast move up. A peer that has everything becomes a root, which frees the slot it
//! took; when one goes, its children are placed again. Beside the trees, each peer has a few *lateral* links to others
//! that are still incomplete, to take from when its parents are late. `docs/forest.md` tells all of it.
//!
//! This is the default of several arrangements that a tracker can be told to make:
//!
//! * [`Topology`]: their names; [`Arrangement`]: one of them at work, all asked alike.
//! * [`Planner`]: the forest: all stripes of one swarm, and laterals. `tree`: one stripe: parents, children, depths, free
//!   slots.
//! * [`OrderedPlanner`]: the ordered presets. Below it [`ReplicaGroups`], groups in heap order by a key that exchange
//!   subfiles (\[004\]), of one each for \[000\] and \[001\]; [`Layout`]: how their positions form a tree.
//! * `telling`: which edges a change opens and closes, of either.
//! * [`picture`]: what of it is shown to people.

mod apart;
mod arrangement;
#[cfg(test)]
pub(crate) mod figure_4;
mod layout;
#[cfg(test)]
mod ordered;
mod ordered_planner;
pub mod picture;
mod planner;
mod ranking;
mod replica;
mod swapping;
mod telling;
mod topology;
mod tree;

pub use apart::Loss;
pub use arrangement::Arrangement;
pub use layout::{FAN_OUT_MAX, Layout};
pub use ordered_planner::OrderedPlanner;
pub use planner::{Named, Newcomer, Planner, PlannerConfig, Seen, Standing};
pub use replica::{Feed, Feeder, Handover, ReplicaConfig, ReplicaGroups, Rewiring};
pub use telling::{Change, Neighbour};
pub use topology::{Topology, UnknownTopology};
