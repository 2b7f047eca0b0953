//! The forest: who feeds whom.
//!
//! Packets are dealt to stripes, packet `p` to stripe `p mod s`. Each stripe flows down a tree of its own, from peers
//! that have everything (the roots) to all others. The trees together are the forest; since a peer stands at another
//! place in each, the uplinks of many work at once ([000] claims 3 and 6; [004] claims 1 and 12).
//!
//! This first planner places a peer, in every stripe, at the shallowest free slot, and among equals under the peer
//! with the least to do. A peer that has everything becomes a root, which frees the slot it took. When a peer goes,
//! its children are placed again the same way. Beside the trees, each peer has a few *lateral* links to others that
//! are still incomplete: with them it repairs what its parents do not bring.
//!
//! * `tree`: one stripe: parents, children, depths, free slots.
//! * [`OrderedTree`]: one tree in heap order by a key (\[000\], \[001\]); [`Layout`]: how its positions form a tree.
//! * [`ReplicaGroups`]: groups that exchange subfiles, in multicast trees (\[004\]).
//! * [`Planner`]: all stripes of one swarm, laterals, and which edges a change opens and closes.

mod layout;
mod ordered;
mod planner;
mod ranking;
mod replica;
mod tree;

pub use layout::{FAN_OUT_MAX, Layout};
pub use ordered::OrderedTree;
pub use planner::{Change, Neighbour, Planner, PlannerConfig};
pub use replica::{Feed, Feeder, Handover, ReplicaConfig, ReplicaGroups, Rewiring};
