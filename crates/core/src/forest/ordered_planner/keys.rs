//! What ranks peers: what each was seen to send, relative to an origin.
//!
//! Rates are told in steps of one half, and a peer is rated anew only when it is off by such a step; so peers that are
//! alike never change places for noise. Who is rated anew stands behind all who are rated the same.

use core::cmp::Reverse;
use core::time::Duration;

use super::{Member, OrderedPlanner};
use crate::forest::planner::measuring::settle_all;
use crate::ids::PeerId;
use crate::time::Time;

/// Peers rated anew, and pairs exchanged, in an epoch: one for so many, and so many at least. Each costs moves on all
/// levels.
const PEERS_A_MOVE: usize = 50;
const MOVES_MIN: usize = 4;
/// Who was rated is not rated again before this: what it does in its new place is to be seen first.
const RATED_FOR: Duration = Duration::from_secs(5);

/// Who was seen to send less than this share of the mean of all who were seen at their limit only takes; who does relays
/// again from the second share on. In percent.
const WEAK_PERCENT: u64 = 20;
const STRONG_PERCENT: u64 = 30;
/// In a smaller swarm nobody is taken for weak: those who could do its work are too few.
const JUDGED_MIN: usize = 8;

/// Nobody is rated higher: so many thousandths of an origin.
const RATING_MAX: u64 = 1_000_000_000;

/// Greater is nearer to the source: a rating, then who had it first.
pub(super) type Key = (u64, Reverse<u64>);

/// What a peer counts as, in thousandths of an origin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rating {
    thousandths: u64,
    /// When it was rated; `None`: nothing is known.
    at: Option<Time>,
}

impl Default for Rating {
    /// Nothing is known: as good as an origin.
    fn default() -> Self {
        Self { thousandths: 1_000, at: None }
    }
}

impl OrderedPlanner {
    /// Takes in what was told and rates those anew who are off most.
    pub(super) fn put_in_order(&mut self, now: Time) {
        let all = self.members.values_mut().map(|member| (&mut member.measured, member.is_origin));
        let (_, par) = settle_all(all, now);
        if par == 0 {
            return;
        }
        let mut off: Vec<(Reverse<u64>, PeerId, u64)> = Vec::new();
        for (peer, member) in self.members.iter().filter(|(_, member)| !member.is_origin && member.offered > 0) {
            let is_settled = member.rating.at.is_some_and(|at| now - at < RATED_FOR);
            let seen = u128::from(member.measured.seen_or(par)) * 1_000 / u128::from(par);
            let seen = seen.min(u128::from(RATING_MAX)) as u64;
            if let Some(factor) = off_by(member.rating.thousandths, seen).filter(|_| !is_settled) {
                off.push((Reverse(factor), *peer, in_steps(seen)));
            }
        }
        off.sort_unstable();
        for (_, peer, thousandths) in off.into_iter().take(self.moves_max()) {
            self.rate(peer, Rating { thousandths, at: Some(now) }, now);
        }
    }

    /// Lets those only take who send next to nothing: what comes through them comes late to all below, and in a group to
    /// all others.
    pub(super) fn part_weak(&mut self, now: Time) {
        let seen = self.members.values().filter_map(|member| member.measured.earned());
        let (sum, count) = seen.fold((0_u128, 0_u128), |(sum, count), rate| (sum + u128::from(rate), count + 1));
        let Some(mean) = sum.checked_div(count).filter(|_| self.len() >= JUDGED_MIN) else { return };
        let differs = |(peer, member): (&PeerId, &Member)| {
            let percent = if member.is_weak { STRONG_PERCENT } else { WEAK_PERCENT };
            let is_weak = u128::from(member.measured.earned()?) * 100 < mean * u128::from(percent);
            (is_weak != member.is_weak && !member.is_origin).then_some(*peer)
        };
        let differing: Vec<PeerId> = self.members.iter().filter_map(differs).take(self.moves_max()).collect();
        for peer in differing {
            self.members.entry(peer).and_modify(|member| member.is_weak = !member.is_weak);
            let relays = self.relays(peer);
            let rewiring = self.groups.set_relays(peer, relays);
            self.rewire(&rewiring, now);
        }
    }

    /// Heap order says who is above whom along each way only; so one branch may have its best at its ends while another
    /// has its worst on top. The best of those who stand above nobody change places with the worst of those who do, as
    /// if all were ranked anew (\[001\]).
    pub(super) fn level(&mut self, now: Time) {
        let ranking = self.groups.ranking();
        let relaying = (0..ranking.relays()).filter_map(|position| Some((position, ranking.occupant(position)?.peer)));
        let rated =
            relaying.filter_map(|(position, peer)| Some((ranking.key(peer)?, peer, ranking.is_interior(position))));
        let (mut interiors, mut leaves): (Vec<_>, Vec<_>) = rated.partition(|(_, _, is_interior)| *is_interior);
        interiors.sort_unstable();
        leaves.sort_unstable_by(|one, other| other.cmp(one));
        let pairs = leaves.into_iter().zip(interiors).take_while(|(leaf, interior)| leaf.0.0 > interior.0.0);
        for ((_, leaf, _), (_, interior, _)) in pairs.take(self.moves_max()) {
            if self.may_exchange(leaf, interior, now) {
                let rewiring = self.groups.promote(leaf, interior);
                self.rewire(&rewiring, now);
            }
        }
    }

    fn moves_max(&self) -> usize {
        (self.len() / PEERS_A_MOVE).max(MOVES_MIN)
    }

    fn rate(&mut self, peer: PeerId, rating: Rating, now: Time) {
        let key = self.new_key(rating);
        let Some(member) = self.members.get_mut(&peer) else { return };
        member.rating = rating;
        let rewiring = self.groups.set_key(peer, key);
        self.rewire(&rewiring, now);
    }

    /// The last of all who are rated the same.
    pub(super) fn new_key(&mut self, rating: Rating) -> Key {
        self.keys += 1;
        (rating.thousandths, Reverse(self.keys))
    }
}

/// By what factor, in percent, one is off the other, if by half or more.
fn off_by(rated: u64, seen: u64) -> Option<u64> {
    let (less, more) = (rated.min(seen).max(1), rated.max(seen));
    let percent = more.saturating_mul(100) / less;
    (percent >= 150).then_some(percent)
}

/// The nearest of 1,000 and what is half as much again, and again, or two thirds, and so on.
fn in_steps(thousandths: u64) -> u64 {
    // A step ends in the middle of the next, by ratio: √1.5.
    let middle = |step: u64| step * 12_247 / 10_000;
    let thousandths = thousandths.min(RATING_MAX);
    let mut step: u64 = 1_000;
    while thousandths > middle(step) {
        step = step * 3 / 2;
    }
    while step > 1 && middle(thousandths) < step {
        step = step * 2 / 3;
    }
    step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_the_same_is_the_same_step() {
        assert_eq!([850, 1_000, 1_200].map(in_steps), [1_000; 3]);
        assert_eq!([1_400, 1_500, 1_800].map(in_steps), [1_500; 3]);
        assert_eq!([600, 666, 800].map(in_steps), [666; 3]);
        assert_eq!([0, 1].map(in_steps), [1; 2]);
        assert_eq!(in_steps(u64::MAX), in_steps(RATING_MAX));
    }

    #[test]
    fn only_half_more_or_less_counts_as_another_rate() {
        assert_eq!(off_by(1_000, 700), None);
        assert_eq!(off_by(1_000, 1_499), None);
        assert_eq!(off_by(1_000, 1_500), Some(150));
        assert_eq!(off_by(666, 1_000), Some(150));
        assert_eq!(off_by(1, 0), None);
    }
}
