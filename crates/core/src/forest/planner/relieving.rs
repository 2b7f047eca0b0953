//! Sources relieve each other.
//!
//! Who has everything is a root of every stripe, and is given children as they come. One that comes late finds all of them
//! placed already, below another that may be slow and keeps them: an origin sends everything once, whatever it can. So a
//! root whose uplink is at its limit gives children to one that would serve each of them half as fast again, a few an epoch.

use super::ordering::FASTER_PERCENT;
use super::{Member, Planner};
use crate::ids::PeerId;
use crate::time::Time;

/// Roots with children to spare that are looked at, those that could have most first.
const SPARE_TRIED: usize = 8;

impl Planner {
    /// Moves up to `moves` children from roots that are at their limit to others.
    pub(super) fn relieve_roots(&mut self, par: u64, mut moves: usize, now: Time) {
        if self.complete.len() < 2 {
            return;
        }
        let spare = self.spare.iter().map(|(_, other)| *other).filter(|other| self.complete.contains(other));
        let spare: Vec<PeerId> = spare.take(SPARE_TRIED).collect();
        for root in self.complete.iter().copied().collect::<Vec<_>>() {
            while moves > 0 && self.relieve(root, &spare, par, now) {
                moves -= 1;
            }
        }
    }

    /// Moves one child of a root to one of those with children to spare that would serve it faster; false if there is none.
    fn relieve(&mut self, root: PeerId, spare: &[PeerId], par: u64, now: Time) -> bool {
        let member = &self.members[&root];
        // Also who sends nothing at all.
        if member.children == 0 || !member.measured.is_earned || member.measured.has_more {
            return false;
        }
        let share_of = |peer: PeerId, children: u16| u128::from(self.worth(peer, par)) / u128::from(children.max(1));
        let share = share_of(root, member.children);
        let faster = spare.iter().filter(|other| **other != root).filter_map(|other| {
            let far = &self.members[other];
            let share_there = share_of(*other, far.children + 1);
            let is_faster = share_there > 0 && share_there * 100 >= share * u128::from(FASTER_PERCENT);
            (far.present && far.slots > far.children && is_faster).then_some((share_there, *other))
        });
        let Some((_, other)) = faster.max() else { return false };
        let Some((stripe, child)) = self.child_for(root, other, now) else { return false };
        self.attach(stripe, child, other)
    }

    /// A child of one root that another can have.
    fn child_for(&self, root: PeerId, other: PeerId, now: Time) -> Option<(u8, PeerId)> {
        let far = &self.members[&other];
        let edges = (0..self.config.stripes)
            .flat_map(|stripe| self.tree(stripe).children(root).map(move |child| (stripe, child)));
        let mut fit = edges.filter(|(_, child)| {
            let has_room = |member: &Member| self.has_room_for_link(member);
            let may_link =
                far.links.contains_key(child) || has_room(far) && self.members.get(child).is_some_and(has_room);
            may_link && !self.is_avoided(*child, other, now)
        });
        fit.next()
    }
}
