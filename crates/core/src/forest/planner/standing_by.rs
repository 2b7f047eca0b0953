//! Standbys: for each stripe of a peer, a neighbour that feeds it if its parent fails (design, 'LOSS').
//!
//! A peer whose parent is gone would have nothing pushed until the tracker has heard of it and a new link is open. So
//! one of the neighbours that it has a link to anyway is named beforehand: its grandparent, an uncle, a lateral, or its
//! parent in another stripe. It must not stand below the peer in that stripe, or the two would feed each other; one
//! that does not stand below the parent either is better, since that one loses the same.
//!
//! Names are meant to cost next to nothing. They are looked at only for a peer that is told of edges anyway, and stay as
//! they are while they will do. The peer is told at once, in that plan; the one that stands by when it is told something
//! for its own sake: until then it accepts as long as it has uplink to spare.

use std::collections::{BTreeMap, BTreeSet};

use super::Planner;
use crate::ids::PeerId;
use crate::wire::tracker::StripeMask;

/// Children that one peer stands by for, in all stripes together, for each that it could have.
const WARDS_A_SLOT: usize = 2;

/// What two neighbours are to each other if a parent fails, as one of them sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Stripes for which the other stands by for me.
    pub by_other: StripeMask,
    /// Stripes for which I stand by for the other.
    pub by_me: StripeMask,
}

/// A peer that is to be told of a standby, and the neighbour that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    /// Whom to tell.
    pub peer: PeerId,
    /// The far end.
    pub other: PeerId,
}

/// Who stands by for whom.
#[derive(Debug, Default)]
pub(super) struct StandingBy {
    /// By peer: for each stripe, who stands by for it.
    of: BTreeMap<PeerId, BTreeMap<u8, PeerId>>,
    /// By peer: for whom it stands by, and in how many stripes.
    wards: BTreeMap<PeerId, BTreeMap<PeerId, u8>>,
    /// Peers that stand by, or no longer do, and have not been told: for whom.
    untold: BTreeMap<PeerId, BTreeSet<PeerId>>,
}

impl StandingBy {
    /// A peer is gone: it stands by for nobody, and nobody for it.
    pub(super) fn forget(&mut self, peer: PeerId) {
        for (stripe, other) in self.of.remove(&peer).unwrap_or_default() {
            debug_assert!(stripe < 16);
            self.uncount(other, peer);
        }
        for ward in self.wards.remove(&peer).unwrap_or_default().into_keys() {
            if let Some(of_ward) = self.of.get_mut(&ward) {
                of_ward.retain(|_, other| *other != peer);
            }
        }
        self.untold.remove(&peer);
    }

    fn set(&mut self, peer: PeerId, stripe: u8, other: Option<PeerId>) {
        let of_peer = self.of.entry(peer).or_default();
        let before = match other {
            Some(other) => of_peer.insert(stripe, other),
            None => of_peer.remove(&stripe),
        };
        if of_peer.is_empty() {
            self.of.remove(&peer);
        }
        if let Some(before) = before {
            self.uncount(before, peer);
        }
        if let Some(other) = other {
            *self.wards.entry(other).or_default().entry(peer).or_default() += 1;
        }
    }

    fn uncount(&mut self, other: PeerId, ward: PeerId) {
        let Some(wards) = self.wards.get_mut(&other) else { return };
        if let Some(stripes) = wards.get_mut(&ward) {
            *stripes -= 1;
            if *stripes == 0 {
                wards.remove(&ward);
            }
        }
        if wards.is_empty() {
            self.wards.remove(&other);
        }
    }

    fn stripes_by(&self, other: PeerId, peer: PeerId) -> StripeMask {
        let named = self.of.get(&peer).into_iter().flatten().filter(|(_, by)| **by == other);
        named.fold(StripeMask::NONE, |mask, (stripe, _)| mask.union(StripeMask::one(*stripe)))
    }

    fn count_of(&self, other: PeerId) -> usize {
        self.wards.get(&other).map_or(0, |wards| wards.values().map(|stripes| usize::from(*stripes)).sum())
    }
}

impl Planner {
    /// What `other` and `peer` are to each other if a parent fails.
    pub fn standing(&self, peer: PeerId, other: PeerId) -> Standing {
        Standing { by_other: self.standing_by.stripes_by(other, peer), by_me: self.standing_by.stripes_by(peer, other) }
    }

    /// Looks at the standbys of those who are told something anyway. Returns what each of them is to be told beside, by
    /// peer.
    pub fn name_standbys(&mut self, told: &BTreeSet<PeerId>) -> BTreeSet<Named> {
        let mut named = BTreeSet::new();
        for peer in told {
            for other in self.review_standbys(*peer) {
                named.insert(Named { peer: *peer, other });
                self.standing_by.untold.entry(other).or_default().insert(*peer);
            }
        }
        for peer in told {
            let wards = self.standing_by.untold.remove(peer).unwrap_or_default();
            named.extend(wards.into_iter().map(|ward| Named { peer: *peer, other: ward }));
        }
        // Whoever is no neighbour any longer is told so, or was.
        named.retain(|named| self.neighbour(named.peer, named.other).is_some());
        named
    }

    /// Finds a standby for each stripe whose standby will not do, and returns whoever is one now or was one.
    fn review_standbys(&mut self, peer: PeerId) -> BTreeSet<PeerId> {
        let mut changed = BTreeSet::new();
        for stripe in 0..self.config.stripes {
            let before = self.standing_by.of.get(&peer).and_then(|of| of.get(&stripe)).copied();
            if before.is_some_and(|other| self.may_stand_by(stripe, peer, other)) {
                continue;
            }
            let now = self.find_standby(stripe, peer);
            if now != before {
                self.standing_by.set(peer, stripe, now);
                changed.extend(before);
                changed.extend(now);
            }
        }
        changed
    }

    /// Whether a peer could feed another, which it has a link to, if its parent in the stripe fails.
    fn may_stand_by(&self, stripe: u8, peer: PeerId, other: PeerId) -> bool {
        let tree = self.tree(stripe);
        let (Some(parent), Some(above)) = (tree.parent(peer), self.members.get(&other)) else { return false };
        let is_fit = other != parent && above.present && above.slots > 0 && above.links.contains_key(&peer);
        is_fit && tree.is_anchored(other) && !tree.is_below(other, peer)
    }

    /// The best of a peer's neighbours: one that keeps its own parent when the peer loses its, with children to spare,
    /// that stands by for few, and is near the root.
    fn find_standby(&self, stripe: u8, peer: PeerId) -> Option<PeerId> {
        let tree = self.tree(stripe);
        let parent = tree.parent(peer)?;
        let others = self.members.get(&peer)?.links.keys().copied();
        let fit = others.filter(|other| self.may_stand_by(stripe, peer, *other)).filter_map(|other| {
            let member = &self.members[&other];
            let wards = self.standing_by.count_of(other);
            let is_free = wards < WARDS_A_SLOT * usize::from(member.slots);
            let spare = usize::from(member.slots.saturating_sub(member.children));
            let rank = (tree.is_below(other, parent), wards.saturating_sub(spare), tree.depth(other), other);
            is_free.then_some((rank, other))
        });
        fit.min().map(|(_, other)| other)
    }
}

#[cfg(test)]
impl Planner {
    /// Checks what must hold of a peer that was just told of its standbys, and of the sums.
    pub(super) fn check_standbys(&self, peer: PeerId) {
        for (stripe, other) in self.standing_by.of.get(&peer).into_iter().flatten() {
            assert!(self.neighbour(peer, *other).is_some(), "a standby is a neighbour");
            assert_ne!(self.tree(*stripe).parent(peer), Some(*other), "and not the parent itself");
            assert!(!self.tree(*stripe).is_below(*other, peer), "and does not live on the peer");
            assert!(self.standing(*other, peer).by_me.contains(*stripe) && self.members[other].present);
        }
        let pairs = self.standing_by.of.iter().flat_map(|(peer, of)| of.values().map(move |other| (*other, *peer)));
        let mut wards: BTreeMap<PeerId, BTreeMap<PeerId, u8>> = BTreeMap::new();
        for (other, ward) in pairs {
            *wards.entry(other).or_default().entry(ward).or_default() += 1;
        }
        assert_eq!(wards, self.standing_by.wards, "both sides are counted");
    }
}
