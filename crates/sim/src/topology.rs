//! How peers are arranged, by name: what the real tracker plans, or a baseline of the simulator's own.
//!
//! A topology is a row of [`TOPOLOGIES`]. A shape that the planner knows is a row that sets up the tracker; a baseline is
//! one that puts a stand-in in the tracker's place (`stand_in`). Either way the peers are the real ones.

use pleach_core::forest::Topology as Arranged;

use crate::stand_in::Shape;
use crate::world::WorldConfig;

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Topology {
    /// What it is called.
    pub name: &'static str,
    /// What it is, for people.
    pub about: &'static str,
    arranged_by: ArrangedBy,
}

#[derive(Clone, Copy, Debug)]
enum ArrangedBy {
    /// The real tracker, told so.
    Tracker(Arranged),
    /// A baseline in its place.
    StandIn(Shape),
}

/// All of them.
#[rustfmt::skip]
pub const TOPOLOGIES: [Topology; 6] = [
    row("forest",  ArrangedBy::Tracker(Arranged::Forest),                 "a tree for each stripe, ordered by what peers were seen to send"),
    row("heap",    ArrangedBy::Tracker(Arranged::Heap),                   "[000]: one ordered binary heap"),
    row("relay",   ArrangedBy::Tracker(Arranged::Relay { fan_out: 3 }),   "[001]: ranked relays, dealt to 3 each"),
    row("replica", ArrangedBy::Tracker(Arranged::Replica { group: 8 }),   "[004]: groups of 8 exchange 8 subfiles"),
    row("direct",  ArrangedBy::StandIn(Shape::Direct),                    "baseline: the source serves everyone, 60 at a time"),
    row("mesh",    ArrangedBy::StandIn(Shape::Mesh),                      "baseline: everyone pulls from some 16 random neighbours"),
];

const fn row(name: &'static str, arranged_by: ArrangedBy, about: &'static str) -> Topology {
    Topology { name, about, arranged_by }
}

impl Topology {
    /// The one of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        TOPOLOGIES.iter().find(|topology| topology.name == name)
    }

    /// Sets up a world for it.
    pub fn set_up(&self, config: &mut WorldConfig) {
        match self.arranged_by {
            ArrangedBy::Tracker(topology) => config.tracker.topology = topology,
            ArrangedBy::StandIn(shape) => config.stand_in = Some(shape),
        }
    }
}
