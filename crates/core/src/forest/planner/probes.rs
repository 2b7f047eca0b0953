//! What uplinks carried when they were probed, before anything was passed on.
//!
//! The receiver of a probe tells, as of all that a peer is worth. It counts until the peer is seen at its limit, or to send more.

use super::Planner;
use crate::ids::PeerId;
use crate::time::Time;

/// A probe, and what a peer adds to the mean of all, counts for so many times the median at most: who makes a friend out to
/// be a giant makes little of the others.
const MEDIANS_MAX: u64 = 8;
/// Where one in so many was probed lately, the forest is put in order soon: after this part of an epoch.
const NEWS_PARTS: usize = 20;
const NEWS_EPOCHS: u32 = 4;

impl Planner {
    /// A receiver tells how fast a peer's probe came, and whether it may carry more than that since other things came at the
    /// same time. The best figure counts.
    pub fn note_probed(&mut self, peer: PeerId, bytes_per_s: u64, is_least: bool, now: Time) {
        let Some(member) = self.members.get_mut(&peer) else { return };
        let measured = &mut member.measured;
        let before = measured.probed_bytes_per_s;
        if before.is_none() && is_least || before.is_some_and(|before| before >= bytes_per_s) {
            return;
        }
        measured.probed_bytes_per_s = Some(bytes_per_s);
        self.newly_probed += usize::from(before.is_none());
        if self.newly_probed * NEWS_PARTS >= self.members.len() {
            self.epoch_at = self.epoch_at.map(|at| at.min(now + self.config.epoch / NEWS_EPOCHS));
        }
    }

    /// Finds out the most that a probe counts for.
    pub(super) fn settle_probes(&mut self) {
        self.newly_probed = 0;
        let all = self.members.values().filter_map(|member| member.measured.probed_bytes_per_s);
        let median = median(all.collect());
        self.probe_median_bytes_per_s = median.unwrap_or(0);
        self.probe_max_bytes_per_s = median.map_or(u64::MAX, |median| median.saturating_mul(MEDIANS_MAX));
    }
}

/// The most that one of `rates` counts for.
pub(super) fn medians(rates: Vec<u64>) -> u64 {
    median(rates).map_or(u64::MAX, |median| median.saturating_mul(MEDIANS_MAX))
}

fn median(mut rates: Vec<u64>) -> Option<u64> {
    let middle = rates.len() / 2;
    (!rates.is_empty()).then(|| *rates.select_nth_unstable(middle).1)
}
