//! What peers were told of their edges, and what there is to tell them now.
//!
//! Whoever arranges peers notes which pairs something was done to. Asked for the changes, it tells of those pairs whose
//! edge is another than the two were told, both ends the same; what changed and changed back is not told. So plans come
//! out as few edges as can be (\[000\] claims 12 to 15), however many steps a rearrangement took.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::PeerId;
use crate::wire::tracker::StripeMask;

/// What a peer is to another; nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Neighbour {
    /// Stripes in which the other is my parent.
    pub parent: StripeMask,
    /// Stripes in which the other is my child.
    pub child: StripeMask,
    /// Whether the two are laterals.
    pub lateral: bool,
    /// Whether the other's uplink is to be spared.
    pub spared: bool,
    /// Whether mine is.
    pub spares_me: bool,
}

impl Neighbour {
    /// The same edge seen from its other end.
    pub fn reversed(self) -> Self {
        Self {
            parent: self.child,
            child: self.parent,
            lateral: self.lateral,
            spared: self.spares_me,
            spares_me: self.spared,
        }
    }
}

/// A changed edge, as one end of it is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whom to tell.
    pub peer: PeerId,
    /// The far end.
    pub other: PeerId,
    /// What the far end is from now on; `None`: nothing, close the link.
    pub now: Option<Neighbour>,
}

/// What was told, and whose edges may differ from that.
#[derive(Debug, Default)]
pub(super) struct Telling {
    /// Pairs, smaller id first.
    touched: BTreeSet<(PeerId, PeerId)>,
    /// What the smaller of a pair was told of the larger.
    told: BTreeMap<(PeerId, PeerId), Neighbour>,
}

impl Telling {
    /// The edge between the two may be another than before.
    pub(super) fn touch(&mut self, one: PeerId, other: PeerId) {
        self.touched.insert(pair(one, other));
    }

    /// Whether the two were told of each other.
    pub(super) fn is_told(&self, one: PeerId, other: PeerId) -> bool {
        self.told.contains_key(&pair(one, other))
    }

    /// What has changed since the last call, for each end of each edge, ordered by whom to tell. `neighbour` says what
    /// the second is to the first.
    pub(super) fn take_changes(&mut self, neighbour: impl Fn(PeerId, PeerId) -> Option<Neighbour>) -> Vec<Change> {
        let mut changes = Vec::new();
        for (low, high) in core::mem::take(&mut self.touched) {
            let now = neighbour(low, high);
            let before = match now {
                Some(now) => self.told.insert((low, high), now),
                None => self.told.remove(&(low, high)),
            };
            if before == now {
                continue;
            }
            changes.push(Change { peer: low, other: high, now });
            changes.push(Change { peer: high, other: low, now: now.map(Neighbour::reversed) });
        }
        changes.sort_by_key(|change| (change.peer, change.other));
        changes
    }
}

fn pair(one: PeerId, other: PeerId) -> (PeerId, PeerId) {
    if one < other { (one, other) } else { (other, one) }
}
