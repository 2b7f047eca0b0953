//! Web servers that have the content, as a place in the forest.
//!
//! \[003\] has whoever fetches a package from the web server say so first, so that the others wait for it. A forest can do
//! better than that: where nobody has the content, the servers together are a root of every stripe, with *one* place
//! below it in each. Who stands there brings that stripe's packets from them, and they flow on down the tree, so the
//! servers send about one copy, however many come at once. The order of the trees does the rest: a peer that is at home
//! in a stripe takes the place of one that is not, a fast one that of a slow one.
//!
//! An edge to the root is told as any other ([`PeerId::WEB`]); it opens no link. The root is a node of the trees and no
//! member of the swarm.
//!
//! * While somebody is there who had everything when it came, and gives, there are no such places.
//! * While a quarter of the swarm has everything and gives, or four do, nobody new is given one.
//! * Anybody can say that it has everything. Whoever has children that lack something, and for 25 seconds of that no
//!   receiver tells of a single byte, is *idle*: it counts for neither of the two above until somebody does, and where
//!   somebody can fetch its children are parted from it for a while. One that feeds nobody by choice never counts.
//! * Who lacks much more of the content than the one that it would replace does not replace it: it would fetch again what
//!   others have. But one that can feed nobody gives way to anybody.

use core::time::Duration;

use super::ordering::FASTER_PERCENT;
use super::parting::AVOID;
use super::{Member, Planner};
use crate::ids::PeerId;
use crate::time::Time;

/// The swarm needs the servers while those who have everything are fewer than one of so many, and fewer than so many.
const SERVED_BY_ONE: usize = 4;
const SERVED_BY: usize = 4;
/// Who holds so many thousandths less than another does not take its place at the top.
const BEHIND_PERMILLE: u16 = 150;

/// Peers looked at for one that may fetch.
const TOPS_TRIED: usize = 64;

/// So long somebody who has everything may have children that lack something, and give nothing. Receivers tell every ten
/// seconds; one report may be missed.
const GIVES_WITHIN: Duration = Duration::from_secs(25);

/// Whether what a peer says that it has comes to others.
#[derive(Debug, Default)]
pub(super) struct Giving {
    /// Since when it was seen to have children that lack something, and nobody told that it got something from it.
    owes_since: Option<Time>,
    /// Whether that was too long.
    is_idle: bool,
    /// What it is counted as in [`Web`].
    counted: (bool, bool),
}

impl Member {
    /// Whether it counts as an origin that is there, and as one who has everything and gives.
    fn gives(&self) -> (bool, bool) {
        let gives = self.offered > 0 && !self.giving.is_idle;
        (gives && self.is_origin && self.present, gives && self.complete)
    }
}

/// What the planner knows of web servers.
#[derive(Debug, Default)]
pub(super) struct Web {
    /// Peers that had everything when they came, whose sockets are there, and who give.
    origins_present: usize,
    /// Peers that have everything, and give.
    givers: usize,
    /// Whether somebody new may have a place below the root.
    is_open: bool,
}

impl Planner {
    /// A root of every stripe, with no place below it yet.
    pub(super) fn plant_web(&mut self) {
        for tree in &mut self.trees {
            tree.insert(PeerId::WEB);
            tree.make_root(PeerId::WEB);
        }
    }

    /// Counts a peer as what it is now.
    pub(super) fn count_giver(&mut self, peer: PeerId) {
        if let Some(member) = self.members.get_mut(&peer) {
            let now = member.gives();
            let before = core::mem::replace(&mut member.giving.counted, now);
            self.web.recount(before, now);
        }
    }

    /// It goes, or is about to.
    pub(super) fn forget_giver(&mut self, peer: PeerId) {
        if let Some(member) = self.members.get_mut(&peer) {
            let before = core::mem::take(&mut member.giving.counted);
            self.web.recount(before, (false, false));
        }
    }

    /// Somebody got something from it.
    pub(super) fn note_gives(&mut self, peer: PeerId, now: Time) {
        let Some(member) = self.members.get_mut(&peer) else { return };
        member.giving.owes_since = None;
        if core::mem::take(&mut member.giving.is_idle) {
            self.count_giver(peer);
            self.settle_web(now);
            self.schedule_retry(now);
        }
    }

    /// Once an epoch: who has everything, is to give it, and does not, is parted from those who wait for it.
    pub(super) fn part_idle(&mut self, now: Time) {
        let mut idle = Vec::new();
        for peer in self.complete.iter().copied().collect::<Vec<_>>() {
            let waiting = self.waiting_for(peer);
            let Some(member) = self.members.get_mut(&peer) else { continue };
            if waiting.is_empty() {
                member.giving.owes_since = None;
            } else if now - *member.giving.owes_since.get_or_insert(now) >= GIVES_WITHIN {
                (member.giving.owes_since, member.giving.is_idle) = (None, true);
                self.count_giver(peer);
                idle.push((peer, waiting));
            }
        }
        if idle.is_empty() {
            return;
        }
        // First, so that there are places for them.
        self.settle_web(now);
        // Where there are none, a slow origin is better than none.
        let may_fetch = |member: &Member| member.fetches && member.present && !member.complete;
        if !self.web.is_open || !self.members.values().any(may_fetch) {
            return;
        }
        for (peer, child) in idle.into_iter().flat_map(|(peer, all)| all.into_iter().map(move |child| (peer, child))) {
            self.keep_apart(child, peer, now + AVOID);
            self.part(child, peer, now);
        }
    }

    /// Children of a peer that lack something.
    fn waiting_for(&self, peer: PeerId) -> Vec<PeerId> {
        let children = self.trees.iter().flat_map(|tree| tree.children(peer));
        let mut waiting: Vec<PeerId> = children.filter(|child| !self.complete.contains(child)).collect();
        waiting.sort_unstable();
        waiting.dedup();
        waiting
    }

    /// Opens or closes the places below the root, as the swarm is now.
    pub(super) fn settle_web(&mut self, now: Time) {
        let is_alone = self.web.origins_present == 0;
        let enough = self.members.len().div_ceil(SERVED_BY_ONE).min(SERVED_BY);
        self.web.is_open = is_alone && self.web.givers < enough;
        for stripe in 0..self.config.stripes {
            self.update_web(stripe);
        }
        if !is_alone {
            for (stripe, top) in self.tops() {
                self.place(stripe, top, now);
                self.update(top);
            }
        }
    }

    /// Where somebody is a root for want of anybody else, and somebody may fetch, that one does: the root goes below it.
    pub(super) fn settle_provisional(&mut self, now: Time) {
        for (stripe, peer) in self.provisional.iter().copied().collect::<Vec<_>>() {
            if self.tree(stripe).is_open(PeerId::WEB)
                && let Some(top) = self.find_top(stripe, now)
            {
                self.attach(stripe, top, PeerId::WEB);
            }
            let expects = self.members.get(&peer).is_some_and(|member| member.expected.contains_key(&stripe));
            if self.tree(stripe).child_count(PeerId::WEB) > 0 && !expects && self.provisional.contains(&(stripe, peer))
            {
                self.place(stripe, peer, now);
            }
        }
    }

    /// Of some who may fetch a stripe, the one that holds most.
    fn find_top(&self, stripe: u8, now: Time) -> Option<PeerId> {
        let fit = self.order.iter().take(TOPS_TRIED).filter(|peer| {
            let member = &self.members[*peer];
            member.present && !self.is_barred(**peer, PeerId::WEB) && !self.is_avoided(**peer, PeerId::WEB, now)
        });
        let ranked =
            fit.map(|peer| (self.members[peer].progress.held_permille(), self.tree(stripe).child_count(*peer), *peer));
        ranked.max().map(|(.., peer)| peer)
    }

    /// Who stands below the root, in which stripe.
    fn tops(&self) -> Vec<(u8, PeerId)> {
        let stripes = 0..self.config.stripes;
        stripes.flat_map(|stripe| self.tree(stripe).children(PeerId::WEB).map(move |top| (stripe, top))).collect()
    }

    /// There is one place in each stripe.
    pub(super) fn update_web(&mut self, stripe: u8) {
        let tree = &mut self.trees[usize::from(stripe)];
        let is_taken = tree.child_count(PeerId::WEB) > 0;
        tree.set_slot(PeerId::WEB, self.web.is_open && !is_taken, self.web.is_open || is_taken, 0);
    }

    /// Whether a peer may not stand below another because that is the root and it can't fetch.
    pub(super) fn is_barred(&self, peer: PeerId, parent: PeerId) -> bool {
        parent == PeerId::WEB && self.members.get(&peer).is_none_or(|member| !member.fetches)
    }

    /// Whether a peer may take the place of another below `above`.
    pub(super) fn may_succeed(&self, peer: PeerId, other: PeerId, above: PeerId) -> bool {
        let (Some(next), Some(top)) = (self.members.get(&peer), self.members.get(&other)) else { return false };
        if above != PeerId::WEB || self.is_barred(peer, above) {
            return above != PeerId::WEB;
        }
        let is_near = next.progress.held_permille() + BEHIND_PERMILLE >= top.progress.held_permille();
        // What is known counts, not what a newcomer is taken for: it was seen to pass on as much.
        let (next_rate, top_rate) = (next.measured.bytes_per_s, top.measured.earned().unwrap_or(0));
        top.slots == 0 || is_near && next_rate.saturating_mul(100) >= top_rate.saturating_mul(FASTER_PERCENT)
    }

    /// A peer that is at home in a stripe takes the place of one below the root that is not. That one, and what was below
    /// it, go elsewhere.
    pub(super) fn displace_stranger(&mut self, stripe: u8, peer: PeerId, now: Time) -> bool {
        let strange = |top: &PeerId| self.members.get(top).is_some_and(|member| !member.home.contains(stripe));
        let stranger = self.tree(stripe).children(PeerId::WEB).find(strange);
        let Some(stranger) = stranger.filter(|other| self.may_succeed(peer, *other, PeerId::WEB)) else { return false };
        if self.is_avoided(peer, PeerId::WEB, now) || self.tree(stripe).is_below(peer, stranger) {
            return false;
        }
        self.detach(stripe, stranger);
        let is_placed = self.attach(stripe, peer, PeerId::WEB);
        debug_assert!(is_placed, "an orphan is not above a root");
        for child in self.tree(stripe).children(stranger).collect::<Vec<_>>() {
            self.place(stripe, child, now);
        }
        self.place(stripe, stranger, now);
        is_placed
    }
}

impl Web {
    fn recount(&mut self, before: (bool, bool), now: (bool, bool)) {
        self.origins_present = self.origins_present + usize::from(now.0) - usize::from(before.0);
        self.givers = self.givers + usize::from(now.1) - usize::from(before.1);
    }
}

#[cfg(test)]
impl Planner {
    /// Checks what must always hold; slow, for tests.
    pub(super) fn check_web(&self) {
        let origins = self.members.values().filter(|member| member.gives().0).count();
        let givers = self.members.values().filter(|member| member.gives().1).count();
        assert_eq!((self.web.origins_present, self.web.givers), (origins, givers));
        for (stripe, top) in self.tops() {
            assert!(self.members[&top].fetches, "who can't fetch does not stand at the top");
            assert_eq!(self.tree(stripe).child_count(PeerId::WEB), 1, "one stands at the top of a stripe");
            assert_eq!(origins, 0, "nobody fetches while an origin is there");
        }
    }
}
