//! The epoch's moves: fast peers up, slow ones down ([000] claims 3 and 6: heap order by measured speed).
//!
//! In each stripe the interior peers, fastest first, would fill the levels from the root down, each level as wide as the
//! one above has slots. A peer that stands deeper than that takes the place of one that stands higher than it should,
//! if it is half as fast again, or of a leaf. So many moves an epoch are made and no more, the fastest peers' first; each
//! is a move of one peer, with what is below it, and of the one that gives way.

use super::Planner;
use crate::ids::PeerId;
use crate::time::Time;

/// Moves an epoch and stripe: one for so many peers, and so many at least.
const PEERS_A_MOVE: usize = 50;
const MOVES_MIN: usize = 4;
/// How much faster one must be to take another's place, in percent.
pub(super) const FASTER_PERCENT: u64 = 150;

/// An interior peer of one stripe.
struct Interior {
    worth: u64,
    peer: PeerId,
    depth: u32,
    /// Where it would stand if all stood in order.
    due: u32,
}

impl Planner {
    /// Takes in what was measured, and moves some peers to where they should stand. Returns what a peer is taken for of
    /// which nothing is known.
    pub(super) fn put_in_order(&mut self, now: Time) -> u64 {
        let (par, mean) = self.settle_measures(now);
        self.settle_disclaimers(now);
        self.settle_slots(mean, now);
        self.settle_sparing(now);
        let moves = (self.len() / PEERS_A_MOVE).max(MOVES_MIN);
        self.relieve_roots(par, moves * usize::from(self.config.stripes), now);
        for stripe in 0..self.config.stripes {
            self.order_stripe(stripe, par, moves, now);
        }
        par
    }

    fn order_stripe(&mut self, stripe: u8, par: u64, moves: usize, now: Time) {
        let interiors = self.interiors(stripe, par);
        let rising: Vec<&Interior> = interiors.iter().filter(|one| one.depth > one.due).collect();
        let mut sinking: Vec<&Interior> = interiors.iter().filter(|one| one.depth < one.due).collect();
        // The slowest of the shallowest gives way first.
        sinking.sort_by_key(|one| (one.depth, one.worth));
        let mut sinking = sinking.into_iter().peekable();
        for one in rising.into_iter().take(moves) {
            let tree = self.tree(stripe);
            let Some(depth) = tree.depth(one.peer).filter(|depth| *depth > one.due) else { continue };
            if let Some(leaf) = tree.best_leaf(one.peer, depth, |leaf, above| !self.may_succeed(one.peer, leaf, above))
            {
                self.take_place(stripe, one.peer, leaf, now);
                continue;
            }
            let gives_way = |other: &&Interior| {
                let depth_now = tree.depth(other.peer);
                let may_succeed =
                    tree.parent(other.peer).is_none_or(|above| self.may_succeed(one.peer, other.peer, above));
                may_succeed
                    && depth_now.is_some_and(|other| other < depth)
                    && one.worth > 0
                    && one.worth * 100 >= other.worth * FASTER_PERCENT
            };
            if let Some(other) = sinking.next_if(gives_way) {
                self.take_place(stripe, one.peer, other.peer, now);
            }
        }
    }

    /// Interior peers below the roots, fastest first, with the depth that each is due.
    fn interiors(&self, stripe: u8, par: u64) -> Vec<Interior> {
        let tree = self.tree(stripe);
        let mut room = 0;
        let mut interiors = Vec::new();
        for (peer, depth) in tree.interiors() {
            if depth == 0 {
                room += self.room_in(stripe, peer);
            } else {
                interiors.push(Interior { worth: self.worth(peer, par), peer, depth, due: 0 });
            }
        }
        interiors.sort_by(|one, other| (other.worth, one.peer).cmp(&(one.worth, other.peer)));
        let (mut level, mut below) = (1, 0);
        for one in &mut interiors {
            if room == 0 {
                level += 1;
                room = core::mem::take(&mut below).max(1);
            }
            room -= 1;
            one.due = level;
            below += self.room_in(stripe, one.peer);
        }
        interiors
    }

    /// Children that a peer is given in one stripe.
    fn room_in(&self, stripe: u8, peer: PeerId) -> usize {
        let Some(member) = self.members.get(&peer) else { return 1 };
        let stripes = u16::from(self.config.stripes);
        let homes = member.home.0.count_ones() as u16;
        let shares = if member.complete { stripes } else { homes.max(1) };
        usize::from(member.slots.div_ceil(shares)).max(self.tree(stripe).child_count(peer))
    }

    /// `peer`, with what is below it, takes the place of `other`. That one goes below it, with what is below it, if it
    /// has children; else wherever there is a slot.
    fn take_place(&mut self, stripe: u8, peer: PeerId, other: PeerId, now: Time) {
        let Some(above) = self.tree(stripe).parent(other).filter(|above| *above != peer) else { return };
        if self.tree(stripe).is_below(above, peer) {
            return;
        }
        self.detach(stripe, peer);
        self.detach(stripe, other);
        if !self.attach(stripe, peer, above) {
            return self.place(stripe, other, now);
        }
        if self.tree(stripe).child_count(other) == 0 {
            return self.place(stripe, other, now);
        }
        let leaf = self.tree(stripe).children(peer).find(|child| self.tree(stripe).child_count(*child) == 0);
        let makes_room = leaf.filter(|_| !self.tree(stripe).is_open(peer));
        if let Some(leaf) = makes_room {
            self.detach(stripe, leaf);
        }
        if !self.attach(stripe, other, peer) {
            self.place(stripe, other, now);
        }
        if let Some(leaf) = makes_room {
            self.place(stripe, leaf, now);
        }
    }
}
