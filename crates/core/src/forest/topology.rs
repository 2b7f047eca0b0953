//! The arrangements by name, as people choose them.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use super::layout::{Layout, Shape};
use crate::wire::tracker::STRIPES_MAX;

/// How many relays \[001\] lets a server, and each relay, serve.
const RELAYS: core::ops::RangeInclusive<u8> = 2..=5;
const RELAYS_DEFAULT: u8 = 3;
/// Nodes of a group of \[004\].
const GROUP: core::ops::RangeInclusive<u8> = 2..=STRIPES_MAX;
const GROUP_DEFAULT: u8 = 8;
/// Groups that one hands on to. \[004\] claim 15 has one, a chain, which for many groups is too long to wait for.
const GROUPS_BELOW: usize = 2;

/// How peers are arranged. Written as it is chosen: `forest`, `heap`, `relay`, `relay:5`, `replica`, `replica:4`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Topology {
    /// A tree for each stripe, and laterals: [`Planner`](super::Planner).
    #[default]
    Forest,
    /// The ordered binary tree of \[000\] (claims 3, 6 to 11): an incomplete binary heap, the source above its root.
    Heap,
    /// The relays of \[001\] (figure 4): the source serves the first of the ranked list and deals the rest to them.
    Relay {
        /// Whom the source, and each relay, serves; 2 to 5.
        fan_out: u8,
    },
    /// The groups of \[004\]: a different subfile to each node, exchanged among all; groups in a binary tree, from each
    /// node to the corresponding ones. All of it relays at once: there are no secondary trees.
    Replica {
        /// Nodes in a group, and subfiles; 2 to [`STRIPES_MAX`].
        group: u8,
    },
}

/// An arrangement that there is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no topology: forest, heap, relay (or relay:2 to relay:5), replica (or replica:2 to replica:16)")]
pub struct UnknownTopology(String);

impl Topology {
    /// Stripes that content is dealt to; `forest` of them where the arrangement does not say itself.
    pub fn stripes(self, forest: u8) -> u8 {
        match self {
            Self::Forest => forest,
            Self::Heap | Self::Relay { .. } => 1,
            Self::Replica { group } => group,
        }
    }

    /// The positions of an ordered arrangement; `None` for the forest.
    pub(super) fn shape(self) -> Option<Shape> {
        let shape = |layout, size| Some(Shape { layout, size, primary: usize::MAX });
        match self {
            Self::Forest => None,
            Self::Heap => shape(Layout::BINARY, 1),
            Self::Relay { fan_out } => shape(Layout::Stride { fan_out: usize::from(fan_out) }, 1),
            Self::Replica { group } => shape(Layout::Heap { fan_out: GROUPS_BELOW }, usize::from(group)),
        }
    }
}

impl FromStr for Topology {
    type Err = UnknownTopology;

    fn from_str(text: &str) -> Result<Self, UnknownTopology> {
        let unknown = || UnknownTopology(text.to_owned());
        let (name, number) = text.split_once(':').map_or((text, None), |(name, number)| (name, Some(number)));
        let number = |default: u8, range: core::ops::RangeInclusive<u8>| match number {
            None => Ok(default),
            Some(number) => number.parse().ok().filter(|number| range.contains(number)).ok_or_else(unknown),
        };
        match name {
            "relay" => Ok(Self::Relay { fan_out: number(RELAYS_DEFAULT, RELAYS)? }),
            "replica" => Ok(Self::Replica { group: number(GROUP_DEFAULT, GROUP)? }),
            _ if text == "forest" => Ok(Self::Forest),
            _ if text == "heap" => Ok(Self::Heap),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forest => f.write_str("forest"),
            Self::Heap => f.write_str("heap"),
            Self::Relay { fan_out } => write!(f, "relay:{fan_out}"),
            Self::Replica { group } => write!(f, "replica:{group}"),
        }
    }
}

impl TryFrom<String> for Topology {
    type Error = UnknownTopology;

    fn try_from(text: String) -> Result<Self, UnknownTopology> {
        text.parse()
    }
}

impl From<Topology> for String {
    fn from(topology: Topology) -> Self {
        topology.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let relay = |fan_out| Topology::Relay { fan_out };
        let replica = |group| Topology::Replica { group };
        for topology in [Topology::Forest, Topology::Heap, relay(2), relay(5), replica(2), replica(16)] {
            assert_eq!(topology.to_string().parse(), Ok(topology));
        }
        assert_eq!("relay".parse(), Ok(relay(3)));
        assert_eq!("replica".parse(), Ok(replica(8)));
        for wrong in ["", "tree", "heap:2", "forest:8", "relay:", "relay:1", "relay:6", "replica:17", "replica:x"] {
            let told = wrong.parse::<Topology>().unwrap_err().to_string();
            assert!(told.contains(wrong) && told.contains("replica"), "{told}");
        }
    }
}
