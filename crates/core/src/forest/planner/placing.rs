//! Where a peer goes in a stripe.
//!
//! A peer is *interior* in the stripes of its home and a leaf in all others. It gets the shallowest free slot; once it
//! has many links, one below a peer that it is linked with where that is no deeper. An interior peer takes the place of
//! a shallower leaf, which goes below: so the trees stay as low as the slots allow (\[000\]: the fast near the source).
//! Where no slot is free, a peer that could have more children is given a second home (*spill*); where there is nobody,
//! the stripe waits and its packets are stolen.

use super::{OVERFLOW_MAX, Planner};
use crate::ids::PeerId;
use crate::time::Time;
use crate::wire::tracker::StripeMask;

/// Roots looked at for one that takes more children than it should.
const ROOTS_TRIED: usize = 64;
/// Peers with children to spare that are looked at.
const SPARE_TRIED: usize = 8;
/// Peers looked at for one that could take an orphan if another took one of its children.
const MEMBERS_TRIED: usize = 32;
/// Children of each that are looked at.
const CHILDREN_TRIED: usize = 16;

impl Planner {
    /// Gives a peer its place in a stripe: a root if it has everything, else the best free slot; with nobody else there
    /// it becomes a provisional root.
    pub(super) fn place(&mut self, stripe: u8, peer: PeerId, now: Time) {
        let Some(member) = self.members.get(&peer) else { return };
        let (is_complete, is_interior) = (member.complete, member.slots > 0 && member.home.contains(stripe));
        self.detach(stripe, peer);
        self.orphans.remove(&(stripe, peer));
        self.provisional.remove(&(stripe, peer));
        if is_complete {
            return self.trees[usize::from(stripe)].make_root(peer);
        }
        let parent = self.find_slot(stripe, peer, now);
        if is_interior && (self.displace_stranger(stripe, peer, now) || self.displace_leaf(stripe, peer, parent, now)) {
            return;
        }
        match parent.or_else(|| self.overflow_slot(stripe, peer, now)) {
            Some(parent) if self.attach(stripe, peer, parent) => {}
            None if !self.has_root(stripe, peer) => self.make_provisional(stripe, peer),
            _ => {
                self.orphans.insert((stripe, peer));
            }
        }
    }

    pub(super) fn make_provisional(&mut self, stripe: u8, peer: PeerId) {
        self.trees[usize::from(stripe)].make_root(peer);
        self.provisional.insert((stripe, peer));
        self.update(peer);
    }

    /// The best free slot. For one that has many links already, a slot below one of those is as good as any at the same
    /// depth.
    pub(super) fn find_slot(&self, stripe: u8, peer: PeerId, now: Time) -> Option<PeerId> {
        let tree = self.tree(stripe);
        let is_unfit = |other| self.is_avoided(peer, other, now) || self.is_barred(peer, other);
        let best = tree.best_slot(peer, is_unfit)?;
        let depth = tree.depth(best)?;
        if self.members[&peer].links.len() * 2 < usize::from(self.config.links_max) {
            // Several connections carry more than one, as long as there are not too many.
            return Some(best);
        }
        let linked = self.members[&peer].links.keys().copied();
        let linked = linked.filter(|other| {
            let is_near = tree.depth(*other).is_some_and(|other| other <= depth);
            self.takes_more(stripe, *other)
                && is_near
                && !self.is_avoided(peer, *other, now)
                && !tree.is_below(*other, peer)
        });
        linked.min_by_key(|other| tree.depth(*other)).or(Some(best))
    }

    /// Whether a peer would have one child more in a stripe if a link is there already.
    fn takes_more(&self, stripe: u8, peer: PeerId) -> bool {
        let Some(member) = self.members.get(&peer).filter(|member| member.present) else { return false };
        let is_here = member.home.contains(stripe) && !member.complete;
        self.tree(stripe).is_open(peer) || is_here && member.slots > member.children
    }

    /// An interior peer takes the place of a leaf that is shallower than the slot it would get.
    fn displace_leaf(&mut self, stripe: u8, peer: PeerId, slot: Option<PeerId>, now: Time) -> bool {
        let tree = self.tree(stripe);
        let depth = slot.and_then(|slot| tree.depth(slot)).map_or(u32::MAX, |depth| depth + 1);
        let leaf = tree.best_leaf(peer, depth, |leaf, parent| {
            self.is_avoided(peer, parent, now) || !self.may_succeed(peer, leaf, parent)
        });
        let Some((leaf, parent)) = leaf.and_then(|leaf| Some((leaf, tree.parent(leaf)?))) else { return false };
        self.detach(stripe, leaf);
        let is_placed = self.attach(stripe, peer, parent);
        debug_assert!(is_placed, "an orphan is not above an anchored peer");
        self.place(stripe, leaf, now);
        is_placed
    }

    /// For a peer that nobody feeds in any stripe: the complete peer with fewest children that would take one more
    /// although its slots are taken.
    fn overflow_slot(&self, stripe: u8, peer: PeerId, now: Time) -> Option<PeerId> {
        if self.trees.iter().any(|tree| tree.parent(peer).is_some()) {
            return None;
        }
        let roots = self.complete.iter().take(ROOTS_TRIED).filter(|other| {
            let member = &self.members[*other];
            member.present && member.offered > 0 && **other != peer && !self.is_avoided(peer, **other, now)
        });
        let loads = roots.map(|other| (self.tree(stripe).child_count(*other), *other));
        loads.filter(|(children, _)| *children < OVERFLOW_MAX).min().map(|(_, other)| other)
    }

    /// Whether the stripe has a root other than the peer itself.
    fn has_root(&self, stripe: u8, peer: PeerId) -> bool {
        let of_stripe = (stripe, PeerId::from_bytes([0; 16]))..=(stripe, PeerId::from_bytes([u8::MAX; 16]));
        self.tree(stripe).child_count(PeerId::WEB) > 0
            || self.complete.iter().any(|other| self.members[other].present && *other != peer)
            || self.provisional.range(of_stripe).any(|(_, other)| *other != peer)
    }

    /// Gives the peer that could have most children more a home in this stripe as well, and the orphan a place there.
    pub(super) fn spill(&mut self, stripe: u8, peer: PeerId, now: Time) {
        match self.find_spare(stripe, peer, now) {
            Some(parent) => self.adopt(stripe, peer, parent),
            None => self.make_room(stripe, peer, now),
        }
    }

    /// The peer that could have most children more and may be the parent of this one: one with a link to it first.
    fn find_spare(&self, stripe: u8, peer: PeerId, now: Time) -> Option<PeerId> {
        let spare_of = |other: &PeerId| self.members.get(other).map_or(0, |member| member.measured.listed_spare);
        let linked = self.members[&peer].links.keys().copied().filter(|other| spare_of(other) > 0);
        let linked = linked.max_by_key(|other| spare_of(other)).into_iter();
        let mut candidates = linked.chain(self.spare.iter().map(|(_, other)| *other).take(SPARE_TRIED));
        candidates.find(|other| self.may_adopt(stripe, peer, *other, now))
    }

    /// Whether `parent`, if it had a slot, could feed a peer this stripe.
    fn may_adopt(&self, stripe: u8, peer: PeerId, parent: PeerId, now: Time) -> bool {
        let (tree, Some(above)) = (self.tree(stripe), self.members.get(&parent)) else { return false };
        let has_room = above.links.contains_key(&peer) || self.has_room_for_link(above);
        let is_fit = parent != peer && above.present && has_room && !self.is_avoided(peer, parent, now);
        is_fit && tree.is_anchored(parent) && !tree.is_below(parent, peer)
    }

    /// Whoever could have more children waits for a parent in this stripe itself: it takes a child over, in another
    /// stripe, from one who does not wait, and that one takes the orphan.
    fn make_room(&mut self, stripe: u8, peer: PeerId, now: Time) {
        if self.spare.is_empty() {
            return;
        }
        let linked = self.members[&peer].links.keys().copied();
        let others: Vec<PeerId> = linked.chain(self.order.iter().copied().take(MEMBERS_TRIED)).collect();
        for parent in others {
            if !self.may_adopt(stripe, peer, parent, now) {
                continue;
            }
            if let Some((other_stripe, child, spare)) = self.movable_child(parent, stripe, now) {
                self.adopt(other_stripe, child, spare);
                return self.adopt(stripe, peer, parent);
            }
        }
    }

    /// A child of a peer, in another stripe than this one, and who could have it instead.
    fn movable_child(&self, parent: PeerId, stripe: u8, now: Time) -> Option<(u8, PeerId, PeerId)> {
        let others = (0..self.config.stripes).filter(|other| *other != stripe);
        let children = others.flat_map(|other| self.tree(other).children(parent).map(move |child| (other, child)));
        // With who has children, or is to have some, all below it would move, most likely down: leaves go first.
        let mut children: Vec<(u8, PeerId)> = children.take(CHILDREN_TRIED).collect();
        children.sort_by_key(|(other, child)| !self.is_leaf_in(*other, *child));
        let mut spares = children.into_iter().filter_map(|(other, child)| {
            let spare = self.find_spare(other, child, now).filter(|spare| *spare != parent)?;
            Some((other, child, spare))
        });
        spares.next()
    }

    /// Whether nobody is below a peer in a stripe, nor is to be.
    fn is_leaf_in(&self, stripe: u8, peer: PeerId) -> bool {
        let is_at_home = self.members.get(&peer).is_some_and(|member| member.slots > 0 && member.home.contains(stripe));
        !is_at_home && self.tree(stripe).child_count(peer) == 0
    }

    /// Puts a peer below another, which is at home in the stripe from now on.
    fn adopt(&mut self, stripe: u8, peer: PeerId, parent: PeerId) {
        self.add_home(parent, StripeMask::one(stripe));
        self.attach(stripe, peer, parent);
    }

    /// Puts a peer below another; false, and nothing changed but that it is an orphan, if that would make a cycle.
    pub(super) fn attach(&mut self, stripe: u8, peer: PeerId, parent: PeerId) -> bool {
        self.detach(stripe, peer);
        if !self.trees[usize::from(stripe)].attach(peer, parent) {
            self.orphans.insert((stripe, peer));
            return false;
        }
        self.provisional.remove(&(stripe, peer));
        self.orphans.remove(&(stripe, peer));
        if let Some(above) = self.members.get_mut(&parent) {
            above.children += 1;
        }
        self.count_edge(peer, parent, true);
        if parent == PeerId::WEB {
            self.update_web(stripe);
        }
        true
    }

    pub(super) fn detach(&mut self, stripe: u8, peer: PeerId) {
        let parent = self.tree(stripe).parent(peer);
        self.trees[usize::from(stripe)].detach(peer);
        if let Some(parent) = parent {
            if let Some(above) = self.members.get_mut(&parent) {
                above.children -= 1;
            }
            self.count_edge(peer, parent, false);
            if parent == PeerId::WEB {
                self.update_web(stripe);
            }
        }
    }

    /// Enters what a peer can take into the lists of free slots.
    pub(super) fn update(&mut self, peer: PeerId) {
        let Some(member) = self.members.get(&peer) else { return };
        let free = if member.present { member.slots.saturating_sub(member.children) } else { 0 };
        let is_open = free > 0 && self.has_room_for_link(member);
        let (home, complete, load) = (member.home, member.complete, u32::from(member.children));
        let per_stripe = usize::from(member.slots.div_ceil(u16::from(self.config.stripes)));
        let listed = member.measured.listed_spare;
        for stripe in 0..self.config.stripes {
            let tree = &self.trees[usize::from(stripe)];
            let is_here = match complete {
                true => tree.child_count(peer) < per_stripe,
                false => {
                    let is_top = tree.parent(peer) == Some(PeerId::WEB) || self.provisional.contains(&(stripe, peer));
                    home.contains(stripe) || is_top
                }
            };
            let is_interior = member.slots > 0 && (complete || home.contains(stripe));
            self.trees[usize::from(stripe)].set_slot(peer, is_open && is_here, is_interior, load);
        }
        if listed != free {
            self.spare.remove(&(core::cmp::Reverse(listed), peer));
            if free > 0 {
                self.spare.insert((core::cmp::Reverse(free), peer));
            }
            self.members.get_mut(&peer).expect("it was just seen").measured.listed_spare = free;
        }
    }

    /// A root that has everything is there: provisional roots and orphans go below it, unless a link keeps them up.
    pub(super) fn place_below_new_root(&mut self, now: Time) {
        let waiting: Vec<(u8, PeerId)> = self.provisional.union(&self.orphans).copied().collect();
        for (stripe, peer) in waiting {
            let expects = self.members.get(&peer).is_some_and(|member| member.expected.contains_key(&stripe));
            if !expects {
                self.place(stripe, peer, now);
                self.update(peer);
            }
        }
        self.move_on(now);
    }
}
