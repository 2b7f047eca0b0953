//! Peers that are the same from day to day, such as machines of a fleet: what is known of them gives a forest its prior, and
//! what their receivers tell of them is told to whoever keeps it ([001]: the network information database).
//!
//! A peer's id is a hash of its key, so nobody has another's name here. What is seen is told when the peer leaves a swarm and
//! every few seconds, if it has changed.

use core::time::Duration;
use std::collections::BTreeMap;

use super::Tracker;
use super::contract::{KNOWN_MAX, Output};
use crate::forest::Seen;
use crate::ids::{ContentId, PeerId};
use crate::time::Time;

/// How often what is seen is told.
const TELL_EVERY: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
struct Entry {
    bytes_per_s: Option<u64>,
    told: Option<Seen>,
}

/// Peers of which something is known from other days, or is to be.
#[derive(Debug, Default)]
pub(super) struct Known {
    peers: BTreeMap<PeerId, Entry>,
    told_at: Time,
}

impl Known {
    pub(super) fn learn(&mut self, peer: PeerId, bytes_per_s: Option<u64>) {
        if self.peers.len() < KNOWN_MAX || self.peers.contains_key(&peer) {
            self.peers.entry(peer).or_default().bytes_per_s = bytes_per_s;
        }
    }

    pub(super) fn forget(&mut self, peer: PeerId) {
        self.peers.remove(&peer);
    }

    pub(super) fn prior(&self, peer: PeerId) -> Option<u64> {
        self.peers.get(&peer)?.bytes_per_s
    }
}

impl Tracker {
    /// Tells what was seen of a peer in a swarm, if it is one of those and that is news.
    pub(super) fn tell_seen(&mut self, content: ContentId, peer: PeerId) {
        let Some(entry) = self.known.peers.get_mut(&peer) else { return };
        let Some(seen) = self.swarms.get(&content).and_then(|swarm| swarm.seen(peer)) else { return };
        if entry.told.replace(seen) != Some(seen) {
            self.outputs.push_back(Output::Seen { peer, seen });
        }
    }

    pub(super) fn tell_all_seen(&mut self, now: Time) {
        if self.known.peers.is_empty() || now - self.known.told_at < TELL_EVERY {
            return;
        }
        self.known.told_at = now;
        let known = &self.known.peers;
        let members = |(content, swarm): (&ContentId, &super::Swarm)| {
            let (content, peers) = (*content, swarm.peers().filter(|peer| known.contains_key(peer)));
            peers.map(|peer| (content, peer)).collect::<Vec<_>>()
        };
        for (content, peer) in self.swarms.iter().flat_map(members).collect::<Vec<_>>() {
            self.tell_seen(content, peer);
        }
    }
}
