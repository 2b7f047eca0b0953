//! What was seen of a peer on other days ([001]: relays are chosen by the performance that the network information database
//! has of them).
//!
//! A prior says how peers compare, and no more: it is held against the mean of all who have one. Who has twice the mean
//! begins with twice the children, and is taken for twice what one is taken for of which nothing is known. What receivers
//! tell takes its place as soon as the peer is seen at its limit. Nobody begins as a leaf: nothing would ever be seen of it.

use super::Planner;
use crate::ids::PeerId;

/// More than any link carries, in bytes a second; who is said to have more counts as having this.
const RATE_BYTES_PER_S_MAX: u64 = 1 << 36;

/// The priors of all members.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Priors {
    sum_bytes_per_s: u64,
    count: u32,
}

impl Priors {
    pub(super) fn add(&mut self, prior: Option<u64>) {
        let Some(prior) = prior else { return };
        self.sum_bytes_per_s += prior.min(RATE_BYTES_PER_S_MAX);
        self.count += 1;
    }

    pub(super) fn remove(&mut self, prior: Option<u64>) {
        let Some(prior) = prior else { return };
        self.sum_bytes_per_s -= prior.min(RATE_BYTES_PER_S_MAX);
        self.count -= 1;
    }

    fn mean(self) -> u64 {
        self.sum_bytes_per_s.checked_div(u64::from(self.count)).unwrap_or(0)
    }

    /// What a peer is taken for that was not seen yet, where one of which nothing is known is taken for `par`.
    pub(super) fn par(self, prior: Option<u64>, par: u64) -> u64 {
        prior.map_or(par, |prior| scale(if par == 0 { self.mean() } else { par }, prior, self.mean()))
    }
}

/// `what` times `prior / mean`.
fn scale(what: u64, prior: u64, mean: u64) -> u64 {
    let scaled = u128::from(what) * u128::from(prior.min(RATE_BYTES_PER_S_MAX)) / u128::from(mean.max(1));
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

impl Planner {
    /// Children that a peer is given before anything was seen of it.
    pub(super) fn slots_at_first(&self, peer: PeerId) -> u16 {
        let Some(member) = self.members.get(&peer) else { return 0 };
        let usual = u64::from(self.config.fan_out);
        let slots = match member.prior {
            Some(prior) if !member.is_origin => scale(usual, prior, self.priors.mean()).max(1),
            _ => usual,
        };
        u16::try_from(slots).unwrap_or(u16::MAX).min(member.offered)
    }
}
