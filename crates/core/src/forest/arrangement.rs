//! One swarm's arrangement, whichever was chosen: what a tracker asks of it is the same.

use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;

use super::picture::Picture;
use super::{
    Change, Loss, Named, Neighbour, Newcomer, OrderedPlanner, Planner, PlannerConfig, Seen, Standing, Topology,
};
use crate::ids::PeerId;
use crate::time::Time;
use crate::wire::tracker::LinkReport;

/// Who feeds whom in one swarm.
#[derive(Debug)]
pub enum Arrangement {
    /// The default.
    Forest(Box<Planner>),
    /// One of the ordered presets.
    Ordered(Box<OrderedPlanner>),
}

/// Calls the same method of whichever it is.
macro_rules! of_either {
    ($arrangement:expr, $planner:ident => $call:expr) => {
        match $arrangement {
            Arrangement::Forest($planner) => $call,
            Arrangement::Ordered($planner) => $call,
        }
    };
}

impl Arrangement {
    /// Without peers. Of the config, an ordered preset takes the epoch; its numbers are those of the topology.
    pub fn new(topology: Topology, config: PlannerConfig) -> Self {
        match topology.shape() {
            None => Self::Forest(Box::new(Planner::new(config))),
            Some(shape) => Self::Ordered(Box::new(OrderedPlanner::new(shape, config.epoch))),
        }
    }

    /// Number of peers.
    pub fn len(&self) -> usize {
        of_either!(self, planner => planner.len())
    }

    /// Whether there is no peer.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The longest way from a root, in edges.
    pub fn depth_max(&self) -> u32 {
        of_either!(self, planner => planner.depth_max())
    }

    /// Whether the two were told to meet.
    pub fn may_signal(&self, from: PeerId, to: PeerId) -> bool {
        of_either!(self, planner => planner.may_signal(from, to))
    }

    /// When [`Arrangement::retry`] is to be called.
    pub fn next_retry(&self) -> Option<Time> {
        of_either!(self, planner => planner.next_retry())
    }

    /// Adds a peer. `links` are those it has already; the forest keeps them where it can, an ordered preset has a place
    /// for each that does not depend on them, nor on web servers.
    pub fn join(&mut self, peer: PeerId, newcomer: Newcomer, links: &[LinkReport], now: Time, rng: &mut ChaCha8Rng) {
        match self {
            Self::Forest(planner) => planner.join(peer, newcomer, links, now, rng),
            Self::Ordered(planner) => planner.join(peer, newcomer.offered, newcomer.complete, now),
        }
    }

    /// Takes a peer out.
    pub fn leave(&mut self, peer: PeerId, now: Time) {
        of_either!(self, planner => planner.leave(peer, now));
    }

    /// The peer has everything now.
    pub fn set_complete(&mut self, peer: PeerId, now: Time) {
        of_either!(self, planner => planner.set_complete(peer, now));
    }

    /// The peer's socket broke, or is back. While it is away it keeps its place, but nobody new is put below it.
    pub fn set_present(&mut self, peer: PeerId, present: bool, now: Time) {
        match self {
            Self::Forest(planner) => planner.set_present(peer, present, now),
            Self::Ordered(planner) => planner.set_present(peer, present),
        }
    }

    /// Whether it tells peers what to fetch from web servers.
    pub fn places_web(&self) -> bool {
        matches!(self, Self::Forest(_))
    }

    /// One of the two says that they can't connect, or no longer.
    pub fn lost(&mut self, reporter: PeerId, other: PeerId, loss: Loss, now: Time) {
        of_either!(self, planner => planner.lost(reporter, other, loss, now));
    }

    /// `victim` says that `liar` sends bad bytes: the two never meet again.
    pub fn accuse(&mut self, victim: PeerId, liar: PeerId, now: Time) {
        of_either!(self, planner => planner.accuse(victim, liar, now));
    }

    /// A receiver tells what it got from a sender lately.
    pub fn note_received(&mut self, from: PeerId, by: PeerId, bytes_per_s: u64, waited: bool, now: Time) {
        of_either!(self, planner => planner.note_received(from, by, bytes_per_s, waited, now));
    }

    /// A receiver tells how fast a peer's probe came. The ordered presets go by what is sent.
    pub fn note_probed(&mut self, peer: PeerId, bytes_per_s: u64, is_least: bool, now: Time) {
        if let Self::Forest(planner) = self {
            planner.note_probed(peer, bytes_per_s, is_least, now);
        }
    }

    /// What a peer was seen to send, by those who received it.
    pub fn seen(&self, peer: PeerId) -> Option<Seen> {
        of_either!(self, planner => planner.seen(peer))
    }

    /// What a receiver told before of others is no longer so.
    pub fn forget_received(&mut self, by: PeerId) {
        of_either!(self, planner => planner.forget_received(by));
    }

    /// A peer says whether its uplink is at its limit.
    pub fn note_limited(&mut self, peer: PeerId, is_limited: bool, bytes_per_s: u64) {
        of_either!(self, planner => planner.note_limited(peer, is_limited, bytes_per_s));
    }

    /// A peer tells what it holds, in thousandths of the whole. The ordered presets have no use for it.
    pub fn note_held(&mut self, peer: PeerId, permille: u16, now: Time) {
        if let Self::Forest(planner) = self {
            planner.note_held(peer, permille, now);
        }
    }

    /// Tries again to place those without a place, and puts all in order when an epoch is over.
    pub fn retry(&mut self, now: Time, rng: &mut ChaCha8Rng) {
        match self {
            Self::Forest(planner) => planner.retry(now, rng),
            Self::Ordered(planner) => planner.retry(now),
        }
    }

    /// What has changed since the last call, for each end of each edge, ordered by whom to tell.
    pub fn take_changes(&mut self) -> Vec<Change> {
        of_either!(self, planner => planner.take_changes())
    }

    /// Who feeds whom, for people; `held_permille` tells how much a peer holds.
    pub fn picture(&self, held_permille: impl Fn(PeerId) -> u16) -> Picture {
        of_either!(self, planner => planner.picture(held_permille))
    }

    /// What `other` is to `peer` by the plan.
    pub fn neighbour(&self, peer: PeerId, other: PeerId) -> Option<Neighbour> {
        of_either!(self, planner => planner.neighbour(peer, other))
    }

    /// What `other` and `peer` are to each other if a parent fails. An ordered preset names no standbys.
    pub fn standing(&self, peer: PeerId, other: PeerId) -> Standing {
        match self {
            Self::Forest(planner) => planner.standing(peer, other),
            Self::Ordered(_) => Standing::default(),
        }
    }

    /// Looks at the standbys of those who are told something anyway, and returns what each is to be told beside.
    pub fn name_standbys(&mut self, told: &BTreeSet<PeerId>) -> BTreeSet<Named> {
        match self {
            Self::Forest(planner) => planner.name_standbys(told),
            Self::Ordered(_) => BTreeSet::new(),
        }
    }

    /// All neighbours of a peer by the plan, for one who has to be told all of it again.
    pub fn neighbours(&self, peer: PeerId) -> Vec<(PeerId, Neighbour)> {
        of_either!(self, planner => planner.neighbours(peer))
    }
}
