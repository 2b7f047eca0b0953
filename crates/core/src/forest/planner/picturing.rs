//! What a planner's forest looks like to people.
//!
//! Anybody may ask for a picture, of a swarm of any size, so its cost is bounded by what it shows, not by the swarm: it
//! is grown from the roots downwards along the trees, as far as there is room.

use std::collections::BTreeSet;

use super::Planner;
use crate::forest::picture::{PEERS_MAX, Picture, Standing};
use crate::ids::PeerId;

/// Peers with everything that are looked at to find those that feed others.
const ROOTS_TRIED: usize = 1_000;
/// Roots shown while there is somebody below them to show: some room is theirs.
const ROOTS_MAX: usize = PEERS_MAX / 4;

impl Planner {
    /// A picture of the forest; `held_permille` tells how much a peer holds.
    pub fn picture(&self, held_permille: impl Fn(PeerId) -> u16) -> Picture {
        let standings = self.shown().into_iter().filter_map(|peer| self.shown_standing(peer)).collect();
        Picture::new(self.config.stripes, self.members.len(), standings, held_permille)
    }

    /// Whom a picture shows, most telling first: roots that feed others, those below who do, then the rest.
    fn shown(&self) -> Vec<PeerId> {
        let mut shown = Shown::default();
        let (feeding, idle) = self.roots();
        shown.add_all(feeding.iter().copied(), ROOTS_MAX);
        let mut leaves = Vec::new();
        let mut at = 0;
        while let Some(peer) = shown.list.get(at).copied() {
            at += 1;
            for child in self.trees.iter().flat_map(|tree| tree.children(peer)) {
                match self.members.get(&child) {
                    Some(member) if member.children > 0 => shown.add(child, PEERS_MAX),
                    _ => leaves.push(child),
                }
            }
        }
        shown.add_all(leaves.into_iter().chain(feeding).chain(idle), PEERS_MAX);
        shown.add_all(self.order.iter().copied(), PEERS_MAX);
        shown.list
    }

    /// Roots that have children, most first, and those that have none: peers with everything, and who is one because
    /// nobody is above.
    fn roots(&self) -> (Vec<PeerId>, Vec<PeerId>) {
        let provisional = self.provisional.iter().map(|(_, peer)| *peer);
        let roots: BTreeSet<PeerId> =
            self.complete.iter().copied().take(ROOTS_TRIED).chain(provisional.take(ROOTS_TRIED)).collect();
        let children = |peer: &PeerId| self.members.get(peer).map_or(0, |member| member.children);
        let (mut feeding, idle): (Vec<_>, Vec<_>) = roots.into_iter().partition(|peer| children(peer) > 0);
        feeding.sort_by_key(|peer| core::cmp::Reverse(children(peer)));
        (feeding, idle)
    }

    fn shown_standing(&self, peer: PeerId) -> Option<Standing> {
        let member = self.members.get(&peer)?;
        let rate = member.measured.bytes_per_s;
        Some(Standing {
            peer,
            origin: member.is_origin,
            complete: member.complete,
            depth: self.trees.iter().filter_map(|tree| tree.depth(peer)).min(),
            children: member.children,
            up_bytes_per_s: (rate > 0).then_some(rate),
            parents: self.trees.iter().map(|tree| tree.parent(peer)).collect(),
        })
    }
}

/// Peers without repetition, in the order in which they were added.
#[derive(Default)]
struct Shown {
    list: Vec<PeerId>,
    known: BTreeSet<PeerId>,
}

impl Shown {
    fn add(&mut self, peer: PeerId, len_max: usize) {
        if self.list.len() < len_max && self.known.insert(peer) {
            self.list.push(peer);
        }
    }

    fn add_all(&mut self, peers: impl IntoIterator<Item = PeerId>, len_max: usize) {
        for peer in peers {
            if self.list.len() >= len_max {
                return;
            }
            self.add(peer, len_max);
        }
    }
}
