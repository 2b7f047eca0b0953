//! Laterals: links beside the trees, to steal over.
//!
//! Each peer has some, drawn at random, so that what one part of the trees is late with can be had from another. Trees and
//! chance are not fair to all: a peer whose feeders are all overloaded and whose laterals are all slow falls behind, and
//! in the end all wait for it. So who is behind the others is given one more lateral now and then, to somebody fast: one
//! that serves it before others, as it has less (see `peer/uplink`).

use core::time::Duration;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::Planner;
use crate::ids::PeerId;
use crate::time::Time;
use crate::wire::tracker::{LinkReport, Role};

/// Random draws to find a lateral.
const LATERAL_DRAWS: usize = 8;
/// Who holds so many thousandths of the whole less than others in the mean is behind.
const BEHIND_PERMILLE: u64 = 12;
/// Whoever is behind is given a lateral so often at most.
const HELP_EVERY: Duration = Duration::from_secs(3);
/// Of so many peers one is helped in an epoch, and so many at least.
const PEERS_A_HELP: usize = 50;
const HELPS_MIN: usize = 4;
/// Laterals of a peer that is helped, and links that a helper has beyond those that are planned for.
const HELPED_LATERALS_MAX: usize = 12;
const HELPER_LINKS_BEYOND: usize = 12;
/// Random draws to find a helper: the best of them.
const HELPER_DRAWS: usize = 24;

/// How far a peer is.
#[derive(Debug)]
pub(super) struct Progress {
    joined_at: Time,
    /// What it held when it told last, in thousandths of the whole.
    held_permille: u16,
    told_at: Time,
    /// When it was given a lateral because it was behind.
    helped_at: Option<Time>,
}

impl Progress {
    pub(super) fn new(now: Time) -> Self {
        Self { joined_at: now, held_permille: 0, told_at: now, helped_at: None }
    }

    /// What it held when it told last, in thousandths of the whole.
    pub(super) fn held_permille(&self) -> u16 {
        self.held_permille
    }

    /// What it holds now if it goes on as it did since it came; peers tell only now and then.
    fn expected_permille(&self, now: Time) -> u64 {
        let (told, passed) =
            ((self.told_at - self.joined_at).as_millis() as u64, (now - self.joined_at).as_millis() as u64);
        (u64::from(self.held_permille) * passed).checked_div(told).unwrap_or(0).min(1_000)
    }
}

impl Planner {
    pub(super) fn keep_laterals(&mut self, peer: PeerId, links: &[LinkReport]) {
        for link in links.iter().filter(|link| link.role == Role::Lateral) {
            self.make_laterals(peer, link.peer);
        }
    }

    pub(super) fn wants_laterals(&self, peer: PeerId) -> bool {
        let wanted = usize::from(self.config.laterals);
        self.members.get(&peer).is_some_and(|member| !member.complete && member.laterals.len() < wanted)
    }

    /// Draws laterals for a peer among the others that are incomplete and no neighbours of it yet.
    pub(super) fn draw_laterals(&mut self, peer: PeerId, rng: &mut ChaCha8Rng) {
        for _ in 0..LATERAL_DRAWS {
            if !self.wants_laterals(peer) || self.order.len() < 2 {
                break;
            }
            let member = &self.members[&peer];
            let other = self.order[rng.random_range(0..self.order.len())];
            let candidate = &self.members[&other];
            let has_room = candidate.laterals.len() < 2 * usize::from(self.config.laterals)
                && self.has_room_for_link(candidate)
                && self.has_room_for_link(member);
            let fits = candidate.present && !candidate.complete && has_room && !member.avoid.contains_key(&other);
            if fits && !member.links.contains_key(&other) {
                self.make_laterals(peer, other);
            }
        }
        if self.wants_laterals(peer) {
            self.lonely.insert(peer);
        } else {
            self.lonely.remove(&peer);
        }
    }

    fn make_laterals(&mut self, one: PeerId, other: PeerId) {
        if one == other || !self.members.contains_key(&one) {
            return;
        }
        let Some(far) = self.members.get_mut(&other) else { return };
        if far.laterals.len() < 2 * usize::from(self.config.laterals) && far.laterals.insert(one) {
            self.members.get_mut(&one).expect("it was just seen").laterals.insert(other);
            self.count_edge(one, other, true);
        }
    }

    pub(super) fn end_laterals(&mut self, one: PeerId, other: PeerId) {
        let mut ended = false;
        for (peer, far) in [(one, other), (other, one)] {
            if let Some(member) = self.members.get_mut(&peer) {
                ended |= member.laterals.remove(&far);
            }
        }
        if ended {
            self.count_edge(one, other, false);
            for peer in [one, other].into_iter().filter(|peer| self.wants_laterals(*peer)).collect::<Vec<_>>() {
                self.lonely.insert(peer);
            }
        }
    }

    /// A peer tells what it holds, in thousandths of the whole.
    pub fn note_held(&mut self, peer: PeerId, permille: u16, now: Time) {
        if let Some(member) = self.members.get_mut(&peer) {
            member.progress.held_permille = permille.min(1_000);
            member.progress.told_at = now;
        }
    }

    /// Gives those who are furthest behind the others one more lateral each.
    pub(super) fn help_those_behind(&mut self, par: u64, now: Time, rng: &mut ChaCha8Rng) {
        let lacking = self.members.iter().filter(|(_, member)| !member.complete && member.present);
        let mut lacking: Vec<(u64, PeerId)> =
            lacking.map(|(peer, member)| (member.progress.expected_permille(now), *peer)).collect();
        let sum: u64 = lacking.iter().map(|(held, _)| *held).sum();
        let Some(mean) = sum.checked_div(lacking.len() as u64) else { return };
        lacking.retain(|(held, peer)| {
            let member = &self.members[peer];
            let is_helped = member.progress.helped_at.is_some_and(|at| now - at < HELP_EVERY);
            *held + BEHIND_PERMILLE < mean && !is_helped && member.laterals.len() < HELPED_LATERALS_MAX
        });
        lacking.sort_unstable();
        for (_, peer) in lacking.into_iter().take((self.len() / PEERS_A_HELP).max(HELPS_MIN)) {
            if let Some(helper) = self.find_helper(peer, par, rng) {
                let member = self.members.get_mut(&peer).expect("it was just seen");
                member.progress.helped_at = Some(now);
                member.laterals.insert(helper);
                self.members.get_mut(&helper).expect("it was just found").laterals.insert(peer);
                self.count_edge(peer, helper, true);
            }
        }
    }

    /// The fastest of some that are drawn, which holds more and has room for a link.
    fn find_helper(&self, peer: PeerId, par: u64, rng: &mut ChaCha8Rng) -> Option<PeerId> {
        let member = &self.members[&peer];
        let links_max = usize::from(self.config.links_max) + HELPER_LINKS_BEYOND;
        let drawn = (0..HELPER_DRAWS).map(|_| self.order[rng.random_range(0..self.order.len())]);
        let fit = drawn.filter(|other| {
            let far = &self.members[other];
            let is_strange = *other != peer && !member.links.contains_key(other) && !member.avoid.contains_key(other);
            let has_more = far.complete || far.progress.held_permille > member.progress.held_permille;
            is_strange && has_more && far.present && far.slots > 0 && far.links.len() < links_max
        });
        fit.max_by_key(|other| (self.worth(*other, par), *other))
    }
}
