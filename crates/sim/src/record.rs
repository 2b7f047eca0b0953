//! What a picture needs of a run: how it went on over time, and who fed whom at one moment in the middle.
//!
//! Who feeds whom is taken from what really arrives, not from plans: of each stripe, the neighbour that brought a peer
//! most within the last second or two. So it is the same for every arrangement, and shows what was stolen too. The
//! moment is when half of all bytes are there.

use std::collections::BTreeMap;

use pleach_core::time::Time;

use crate::network::NodeId;

/// What arrives is counted over so many looks, and the span before.
const SPAN_LOOKS: u64 = 10;

/// One look at the whole swarm.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// When.
    pub at: Time,
    /// Peers that began without everything and have it.
    pub finished: usize,
    /// Groups that those peers have got, all together.
    pub groups: u64,
}

/// A peer at the moment of the picture.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// Which.
    pub node: NodeId,
    /// Its uplink, full.
    pub up_bytes_per_s: u64,
    /// Whether it is a source.
    pub is_source: bool,
}

/// Who feeds whom at one moment.
#[derive(Clone, Debug)]
pub struct Moment {
    /// When.
    pub at: Time,
    /// Those who are there.
    pub standings: Vec<Standing>,
    /// By stripe: the feeder of each peer that has one.
    pub feeders: Vec<BTreeMap<NodeId, NodeId>>,
}

/// All that is remembered.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Ten a second.
    pub looks: Vec<Look>,
    /// The moment of the picture, if the run came so far.
    pub moment: Option<Moment>,
    stripes: u8,
    /// Groups that came from one to another, by packet modulo the stripes that were known then.
    span: BTreeMap<(NodeId, u8, NodeId), u64>,
    span_before: BTreeMap<(NodeId, u8, NodeId), u64>,
}

impl Record {
    /// A peer subscribed: how many stripes there are.
    pub(crate) fn subscribed(&mut self, stripes: u8) {
        self.stripes = self.stripes.max(stripes);
    }

    /// Groups of a packet came.
    pub(crate) fn came(&mut self, from: NodeId, to: NodeId, packet: u32, groups: u8) {
        if self.moment.is_none() {
            let stripe = (packet % u32::from(self.stripes.max(1))) as u8;
            *self.span.entry((to, stripe, from)).or_default() += u64::from(groups);
        }
    }

    pub(crate) fn look(&mut self, look: Look) {
        self.looks.push(look);
        if (self.looks.len() as u64).is_multiple_of(SPAN_LOOKS) {
            self.span_before = std::mem::take(&mut self.span);
        }
    }

    /// This is the moment.
    pub(crate) fn take_moment(&mut self, at: Time, standings: Vec<Standing>) {
        let mut most: BTreeMap<(NodeId, u8), (u64, NodeId)> = BTreeMap::new();
        let spans = std::mem::take(&mut self.span_before).into_iter().chain(std::mem::take(&mut self.span));
        let mut sums: BTreeMap<(NodeId, u8, NodeId), u64> = BTreeMap::new();
        for (flow, groups) in spans {
            *sums.entry(flow).or_default() += groups;
        }
        for ((to, stripe, from), groups) in sums {
            let best = most.entry((to, stripe)).or_insert((groups, from));
            *best = (*best).max((groups, from));
        }
        let mut feeders = vec![BTreeMap::new(); usize::from(self.stripes.max(1))];
        for ((to, stripe), (_, from)) in most {
            feeders[usize::from(stripe)].insert(to, from);
        }
        self.moment = Some(Moment { at, standings, feeders });
    }
}
