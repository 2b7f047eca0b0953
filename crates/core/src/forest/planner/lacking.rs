//! Slots that are lacking so that everybody has a place in each stripe.
//!
//! What peers are worth is rounded, estimated, and lost with those who go, so the sum of slots may fall short of what is
//! needed. One peer that is tried with twice as many holds up all below it until that is seen; many that have one more each
//! are hardly slower. So what is lacking is dealt out one by one (the idea of the largest remainder, as seats are
//! apportioned).

use core::cmp::Reverse;
use std::collections::BTreeMap;

use super::{Member, Planner};
use crate::ids::PeerId;
use crate::time::Time;

/// Who has fewer slots is not given one beyond what it is worth.
const ROUNDED_MIN: u16 = 4;

impl Planner {
    /// Gives slots that are lacking: first to those who feed all that they are given and have more, twice as many as they had
    /// at most; then one each to those whose worth was rounded down most.
    pub(super) fn give_lacking_slots(&mut self, mean: u64, now: Time) {
        let lacking = self.lacking_slots();
        if lacking == 0 {
            return;
        }
        let mut given = self.trials(lacking);
        let left = lacking - given.values().map(|more| u64::from(*more)).sum::<u64>();
        for peer in self.rounded_down(mean).into_iter().take(left as usize) {
            *given.entry(peer).or_default() += 1;
        }
        for (peer, more) in given {
            let slots = self.members[&peer].slots.saturating_add(more);
            self.set_slots(peer, slots, now);
        }
        if !self.orphans.is_empty() {
            self.retry_at = Some(now);
        }
    }

    /// Slots that must be added so that everybody has a place in each stripe.
    fn lacking_slots(&self) -> u64 {
        let takers = self.members.len() - self.complete.len();
        let wanted = takers as u64 * u64::from(self.config.stripes);
        let given: u64 = self.members.values().map(|member| u64::from(member.slots)).sum();
        // Who waits for a place gets one that is free already, if there are.
        let free: u64 = self.spare.iter().map(|(Reverse(free), _)| u64::from(*free)).sum();
        wanted.saturating_sub(given).max((self.orphans.len() as u64).saturating_sub(free))
    }

    /// How many more slots those are tried with who feed all that they are given and have more: one each, by turns.
    fn trials(&self, mut lacking: u64) -> BTreeMap<PeerId, u16> {
        let tried = self.members.iter().filter(|(_, member)| takes_more(member) && member.is_to_be_tried());
        let tried: Vec<(PeerId, u16)> =
            tried.map(|(peer, member)| (*peer, member.slots.min(member.offered - member.slots))).collect();
        let rounds = tried.iter().map(|(_, most)| *most).max().unwrap_or(0);
        let mut given = BTreeMap::new();
        for round in 1..=rounds {
            for (peer, most) in &tried {
                if lacking > 0 && round <= *most {
                    given.insert(*peer, round);
                    lacking -= 1;
                }
            }
        }
        given
    }

    /// The others, those first whose worth is most beyond their slots.
    fn rounded_down(&self, mean: u64) -> Vec<PeerId> {
        let stripes = u128::from(self.config.stripes);
        let others = self
            .members
            .iter()
            .filter(|(_, member)| takes_more(member) && !member.is_to_be_tried() && member.slots >= ROUNDED_MIN);
        let remainder = |(peer, member): (&PeerId, &Member)| {
            let exact_permille = u128::from(self.worth(*peer, mean)) * stripes * 1_000 / u128::from(mean.max(1));
            let exact_permille = i64::try_from(exact_permille).unwrap_or(i64::MAX);
            (i64::from(member.slots) * 1_000 - exact_permille.min(i64::MAX / 2), *peer)
        };
        let mut rounded: Vec<(i64, PeerId)> = others.map(remainder).collect();
        rounded.sort_unstable();
        rounded.into_iter().map(|(_, peer)| peer).collect()
    }
}

/// Whether somebody may be given more children than it is worth by all that is known.
fn takes_more(member: &Member) -> bool {
    !member.is_origin && !member.complete && member.slots < member.offered
}
