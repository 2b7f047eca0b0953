//! What a peer is worth, as others tell it.
//!
//! A peer's rate is what its receivers say they got from it ([001]: performance information; design: 'reports of
//! performance are believed from the receiving side'). While at least half of it went to receivers that waited for
//! more, its uplink was the limit, and the rate is taken as what it can do; otherwise it can do that much at least. A
//! peer that claims much and delivers little so sinks when its receivers say that they wait, whatever it says itself.
//!
//! Of the rate `û` comes how many children a peer is given: `R` is what everyone can get if all uplinks work, so one
//! stripe flows at `r = R/s`, and a peer can feed `û/r` children. Below a fifth of `R` it is a leaf.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use super::probes::medians;
use super::{Member, Planner, Priors};
use crate::ids::PeerId;
use crate::time::Time;
use crate::wire::tracker::StripeMask;

/// Receivers whose word on one sender is kept; at the bound the others' are not heard.
const REPORTS_MAX: usize = 64;
/// So long after it came, a peer is not judged: its links are being made.
const YOUNG: Duration = Duration::from_millis(2_500);
/// So long after it came, a peer's own word that it can do little is believed.
const HEARD: Duration = Duration::from_millis(1_000);
/// A peer does not lose slots again before this.
const SETTLE: Duration = Duration::from_secs(2);
/// More than any link carries: who tells of more counts as telling of this, so that no sum of reports overflows.
const RATE_BYTES_PER_S_MAX: u64 = 1 << 36;
/// A report counts for so long.
const REPORT_AGE_S: u64 = 12;
/// The share of the mean rate below which a peer is a leaf, in percent.
const LEAF_PERCENT: u64 = 20;
/// In a smaller swarm nobody is made a leaf: those who could take its place are too few.
const JUDGED_MIN: usize = 8;
/// More slots than this are spread over several stripes.
const HOME_SLOTS: u16 = 16;
/// Slots change when they are off by more than a tenth; who has so many or more neither gains nor loses a single one. A
/// small change is not worth moving somebody.
const HYSTERESIS_PERCENT: u64 = 10;
const SINGLE_STEPS_BELOW: u64 = 8;
/// Who was probed only loses slots when they are off by more than a quarter: what else comes makes probes slower, never faster.
const DOUBTED_PERCENT: u64 = 25;

/// What one receiver told of a sender.
#[derive(Clone, Copy, Debug)]
pub(super) struct Report {
    bytes_per_s: u64,
    /// Whether it waited for more.
    waited: bool,
    at: Time,
}

/// What a peer was seen to send, by those who received it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// All together, bytes a second.
    pub bytes_per_s: u64,
    /// Whether that is all that it can do; else it can do that much at least.
    pub is_limit: bool,
}

/// What is known of a peer's uplink. Shared with the ordered presets.
#[derive(Debug, Default)]
pub(in crate::forest) struct Measured {
    pub(super) reports: BTreeMap<PeerId, Report>,
    /// Whom it told of itself, as a receiver, the last time.
    told_of: BTreeSet<PeerId>,
    /// When it was looked at first.
    since: Option<Time>,
    /// Whether it says that its uplink is at its limit.
    is_limited: bool,
    /// What it says that it sends, in bytes a second.
    claimed_bytes_per_s: u64,
    /// Whether something was told since the last epoch.
    is_new: bool,
    /// What its uplink carried when it probed it, in bytes a second.
    pub(super) probed_bytes_per_s: Option<u64>,
    /// Bytes a second that it can send; 0: not known.
    pub(super) bytes_per_s: u64,
    /// Whether its uplink was ever seen at its limit.
    pub(super) is_earned: bool,
    /// Whether it was not at its limit when others told last.
    pub(super) has_more: bool,
    /// When its slots were changed last.
    judged_at: Option<Time>,
    /// Whether it was made a leaf on its own word.
    has_disclaimed: bool,
    /// What `Planner::spare` has it under.
    pub(super) listed_spare: u16,
}

impl Measured {
    /// A receiver tells what it got lately.
    pub(in crate::forest) fn note_received(&mut self, by: PeerId, bytes_per_s: u64, waited: bool, now: Time) {
        let bytes_per_s = bytes_per_s.min(RATE_BYTES_PER_S_MAX);
        if self.reports.len() < REPORTS_MAX || self.reports.contains_key(&by) {
            self.reports.insert(by, Report { bytes_per_s, waited, at: now });
            self.is_new = true;
        }
    }

    /// It told of another, as a receiver.
    pub(in crate::forest) fn note_told_of(&mut self, other: PeerId) {
        if self.told_of.len() < REPORTS_MAX {
            self.told_of.insert(other);
        }
    }

    /// The peer says what it sends, in bytes a second, and whether its uplink is at its limit.
    pub(in crate::forest) fn note_limited(&mut self, is_limited: bool, bytes_per_s: u64) {
        self.is_limited = is_limited;
        self.claimed_bytes_per_s = bytes_per_s;
    }

    /// Whether a peer that others have not judged yet says itself that it can do little, where an origin does so much.
    fn disclaims(&self, origin_bytes_per_s: u64, now: Time) -> bool {
        let is_heard = self.since.is_some_and(|since| now - since >= HEARD);
        let is_little =
            u128::from(self.claimed_bytes_per_s) * 100 < u128::from(origin_bytes_per_s) * u128::from(LEAF_PERCENT);
        is_heard && !self.is_earned && self.probed_bytes_per_s.is_none() && self.is_limited && is_little
    }

    /// Whether its probe was faster than what it was seen to send, or about as fast: then that needs no trial.
    fn is_probe_ahead(&self) -> bool {
        self.probed_bytes_per_s.is_some_and(|probed| self.bytes_per_s <= probed.saturating_add(probed / 4))
    }

    /// What it was seen to send at its limit, in bytes a second; before that `par`, or what it was seen to send if that
    /// is more.
    pub(in crate::forest) fn seen_or(&self, par: u64) -> u64 {
        self.earned().unwrap_or(self.bytes_per_s.max(par))
    }

    /// What it was seen to send at its limit, in bytes a second.
    pub(in crate::forest) fn earned(&self) -> Option<u64> {
        self.is_earned.then_some(self.bytes_per_s)
    }

    /// What it was seen to send, if it was.
    pub(in crate::forest) fn seen(&self) -> Option<Seen> {
        let seen = Seen { bytes_per_s: self.bytes_per_s, is_limit: self.is_earned && !self.has_more };
        (self.bytes_per_s > 0).then_some(seen)
    }

    /// Takes in what was told since the last epoch.
    fn settle(&mut self, now: Time) {
        self.has_more = false;
        let since = *self.since.get_or_insert(now);
        if now - since < YOUNG || !core::mem::take(&mut self.is_new) {
            return;
        }
        self.reports.retain(|_, report| (now - report.at).as_secs() < REPORT_AGE_S);
        let all: u64 = self.reports.values().map(|report| report.bytes_per_s).sum();
        let waiting = self.reports.values().filter(|report| report.waited);
        let (waited_bytes, waited) = waiting.fold((0, 0), |(sum, n), report| (sum + report.bytes_per_s, n + 1));
        let is_saturated =
            self.is_limited || waited > 0 && (waited_bytes * 2 >= all || waited * 2 >= self.reports.len());
        if is_saturated {
            // What it could do lately it can do still; what it could do long ago is forgotten by and by.
            self.bytes_per_s = if self.is_earned { all.max(self.bytes_per_s - self.bytes_per_s / 5) } else { all };
            self.is_earned = true;
        } else {
            self.bytes_per_s = self.bytes_per_s.max(all);
            self.has_more = all > 0;
        }
    }
}

/// What a receiver told of others is no longer so.
pub(in crate::forest) fn forget_reports<M>(
    members: &mut BTreeMap<PeerId, M>,
    by: PeerId,
    measured: impl Fn(&mut M) -> &mut Measured,
) {
    let told_of = members.get_mut(&by).map(|member| core::mem::take(&mut measured(member).told_of)).unwrap_or_default();
    for other in told_of {
        if let Some(member) = members.get_mut(&other) {
            measured(member).reports.remove(&by);
        }
    }
}

/// Takes in what was told of all, each with whether it is an origin. Returns the most that an origin was seen to send,
/// and what a peer of which nothing is known is taken for: as much, or as the best where no origin was measured.
pub(in crate::forest) fn settle_all<'a>(all: impl Iterator<Item = (&'a mut Measured, bool)>, now: Time) -> (u64, u64) {
    let (mut origin, mut most) = (0, 0);
    for (measured, is_origin) in all {
        measured.settle(now);
        most = most.max(measured.bytes_per_s);
        if is_origin {
            origin = origin.max(measured.bytes_per_s);
        }
    }
    (origin, if origin > 0 { origin } else { most })
}

impl Member {
    /// See [`Planner::worth`].
    fn worth(&self, par: u64, priors: Priors, probe_max: u64) -> u64 {
        let measured = &self.measured;
        match measured.probed_bytes_per_s {
            _ if self.offered == 0 => 0,
            _ if measured.is_earned && !measured.has_more => measured.bytes_per_s,
            Some(probed) => measured.bytes_per_s.max(probed.min(probe_max)),
            None => measured.bytes_per_s.max(priors.par(self.prior, par)),
        }
    }

    /// Whether it feeds all that it is given and has more.
    pub(super) fn is_to_be_tried(&self) -> bool {
        self.measured.has_more && self.children >= self.slots && !self.measured.is_probe_ahead()
    }

    /// How many children it is given in each stripe of its home.
    pub(super) fn supply(&self, stripes: u8) -> impl Iterator<Item = (u8, u32)> + use<> {
        let home = self.home;
        let share = u32::from(self.slots) / home.0.count_ones().max(1);
        (0..stripes).filter(move |stripe| home.contains(*stripe)).map(move |stripe| (stripe, share))
    }
}

impl Planner {
    /// A receiver tells what it got from a sender lately.
    pub fn note_received(&mut self, from: PeerId, by: PeerId, bytes_per_s: u64, waited: bool, now: Time) {
        if let Some(member) = self.members.get_mut(&from) {
            member.measured.note_received(by, bytes_per_s, waited, now);
        }
        if bytes_per_s > 0 {
            self.note_gives(from, now);
        }
        if let Some(member) = self.members.get_mut(&by) {
            member.measured.note_told_of(from);
        }
    }

    /// What a peer was seen to send, if it was.
    pub fn seen(&self, peer: PeerId) -> Option<Seen> {
        self.members.get(&peer)?.measured.seen()
    }

    /// What a receiver told before of others is no longer so: it is about to tell anew, or has gone.
    pub fn forget_received(&mut self, by: PeerId) {
        forget_reports(&mut self.members, by, |member| &mut member.measured);
    }

    /// A peer says what it sends, in bytes a second, and whether its uplink is at its limit. To say so is believed: it
    /// makes less of it. Who denies it counts as much as an origin, until most of its receivers say that they wait.
    pub fn note_limited(&mut self, peer: PeerId, is_limited: bool, bytes_per_s: u64) {
        if let Some(member) = self.members.get_mut(&peer) {
            member.measured.note_limited(is_limited, bytes_per_s);
        }
    }

    /// Makes leaves of those who say themselves that they can do little, before others could tell: below a slow peer at
    /// the top of a stripe nothing comes, and so nobody is measured.
    pub(super) fn settle_disclaimers(&mut self, now: Time) {
        if self.len() < JUDGED_MIN {
            return;
        }
        // Anybody may call itself an origin. The least claim counts, so that one who claims much can't make leaves of all,
        // and who claims little only leaves the judgement to those who receive.
        let claimed = |member: &Member| Some(member.measured.claimed_bytes_per_s).filter(|claimed| *claimed > 0);
        let origins = self.members.values().filter(|member| member.is_origin);
        let origin = origins.filter_map(claimed).min().unwrap_or_else(|| {
            // Where web servers are the origin, what a quarter of those who send say, or more.
            let mut claims: Vec<u64> = self.members.values().filter_map(claimed).collect();
            claims.sort_unstable();
            claims.get(claims.len() * 3 / 4).copied().unwrap_or(0)
        });
        for peer in self.members.keys().copied().collect::<Vec<_>>() {
            let member = &self.members[&peer];
            let disclaims = member.measured.disclaims(origin, now);
            if disclaims && member.slots > 0 && !member.is_origin && !member.complete {
                self.members.get_mut(&peer).expect("it was just seen").measured.has_disclaimed = true;
                self.set_slots(peer, 0, now);
            } else if !disclaims && member.measured.has_disclaimed && !member.measured.is_earned {
                let slots = self.slots_at_first(peer);
                self.members.get_mut(&peer).expect("it was just seen").measured.has_disclaimed = false;
                self.set_slots(peer, slots, now);
            }
        }
    }

    /// What a peer's uplink is taken to carry, in bytes a second: what was seen at its limit; else that much at least,
    /// and as much as its probe or, without one, as an origin until the contrary is seen.
    pub(super) fn worth(&self, peer: PeerId, par: u64) -> u64 {
        self.members.get(&peer).map_or(0, |member| member.worth(par, self.priors, self.probe_max_bytes_per_s))
    }

    /// Takes in what was told. Returns what a peer of which nothing is known is taken for, and the mean of all: what
    /// everyone can get if all uplinks work. 0: nothing was measured.
    pub(super) fn settle_measures(&mut self, now: Time) -> (u64, u64) {
        self.settle_probes();
        let all = self.members.values_mut().map(|member| (&mut member.measured, member.is_origin));
        let (origin, par) = settle_all(all, now);
        // Before anything was passed on, probes are all there is: who was not probed counts as those who were.
        let par = if par == 0 { self.probe_median_bytes_per_s } else { par };
        let worth = |member: &Member| member.worth(par, self.priors, self.probe_max_bytes_per_s);
        let most = medians(self.members.values().map(worth).filter(|worth| *worth > 0).collect());
        let counts = |member: &Member| worth(member).min(if member.is_origin { u64::MAX } else { most });
        let sum: u128 = self.members.values().map(|member| u128::from(counts(member))).sum();
        let mean = sum.checked_div(self.members.len() as u128).and_then(|mean| u64::try_from(mean).ok()).unwrap_or(0);
        // Nobody gets more than an origin sends; what it can do is not known before it was seen at its limit.
        let is_known = self.members.values().any(|member| member.is_origin && member.measured.is_earned);
        (par, if is_known { mean.min(origin) } else { mean })
    }

    /// Gives each measured peer as many children as it can feed.
    pub(super) fn settle_slots(&mut self, mean: u64, now: Time) {
        if mean == 0 {
            return;
        }
        for peer in self.members.keys().copied().collect::<Vec<_>>() {
            let Some(slots) = self.slots_worth(peer, mean) else { continue };
            let before = u64::from(self.members[&peer].slots);
            let off_by = slots.abs_diff(before);
            let measured = &mut self.members.get_mut(&peer).expect("it is a member").measured;
            let is_doubted = slots < before && !measured.is_earned;
            let percent = if is_doubted { DOUBTED_PERCENT } else { HYSTERESIS_PERCENT };
            let is_near = off_by * 100 <= before * percent || off_by == 1 && before >= SINGLE_STEPS_BELOW;
            let is_settled = slots <= before && measured.judged_at.is_some_and(|at| now - at < SETTLE);
            if slots != before && !is_settled && !(is_near && slots > 0) {
                measured.judged_at = Some(now);
                self.set_slots(peer, slots as u16, now);
            }
        }
        self.give_lacking_slots(mean, now);
    }

    /// How many children a peer should have; `None`: as many as it has.
    fn slots_worth(&self, peer: PeerId, mean: u64) -> Option<u64> {
        let member = &self.members[&peer];
        let measured = &member.measured;
        if member.is_to_be_tried() && !member.is_origin {
            // It may be given more, of what is lacking.
            return None;
        }
        let rate = match measured.probed_bytes_per_s {
            Some(_) if !member.is_origin => self.worth(peer, 0),
            _ if measured.is_earned && !measured.has_more => measured.bytes_per_s,
            // Until it is seen, what is known of other days counts.
            _ if measured.is_earned || member.is_origin || measured.has_disclaimed => return None,
            _ => return member.prior.map(|_| u64::from(self.slots_at_first(peer))),
        };
        let stripes = u64::from(self.config.stripes);
        let slots = if member.is_origin {
            // An origin sends everything once before it sends anything twice.
            (rate / mean).max(1) * stripes
        } else if u128::from(rate) * 100 < u128::from(mean) * u128::from(LEAF_PERCENT) && self.len() >= JUDGED_MIN {
            u64::from(member.complete)
        } else {
            (rate.saturating_mul(stripes).saturating_add(mean / 2)) / mean
        };
        Some(slots.min(u64::from(member.offered)))
    }

    /// Gives a peer so many children; those over it are placed elsewhere.
    pub(super) fn set_slots(&mut self, peer: PeerId, slots: u16, now: Time) {
        let stripes = self.config.stripes;
        let Some(member) = self.members.get_mut(&peer) else { return };
        for (stripe, share) in member.supply(stripes) {
            self.supply[usize::from(stripe)] -= share;
        }
        member.slots = slots;
        if slots == 0 || member.is_origin {
            member.home = StripeMask::NONE;
        }
        let is_at_home = member.is_origin || slots == 0;
        let homes = u32::from(slots.div_ceil(HOME_SLOTS)).min(u32::from(stripes));
        while !is_at_home && self.members[&peer].home.0.count_ones() < homes {
            let member = &self.members[&peer];
            let strange = (0..stripes).filter(|stripe| !member.home.contains(*stripe));
            let Some(stripe) = strange.min_by_key(|stripe| self.supply[usize::from(*stripe)]) else { break };
            let member = self.members.get_mut(&peer).expect("it was just seen");
            member.home = member.home.union(StripeMask::one(stripe));
        }
        for (stripe, share) in self.members[&peer].supply(stripes) {
            self.supply[usize::from(stripe)] += share;
        }
        self.update(peer);
        self.shed(peer, now);
    }

    pub(super) fn add_home(&mut self, peer: PeerId, stripes: StripeMask) {
        let Some(member) = self.members.get_mut(&peer) else { return };
        for (stripe, share) in member.supply(self.config.stripes) {
            self.supply[usize::from(stripe)] -= share;
        }
        if !member.is_origin {
            member.home = member.home.union(stripes);
        }
        for (stripe, share) in member.supply(self.config.stripes) {
            self.supply[usize::from(stripe)] += share;
        }
        self.update(peer);
    }

    /// Places children elsewhere that a peer has beyond its slots: leaves first, since nothing moves with them.
    fn shed(&mut self, peer: PeerId, now: Time) {
        let member = &self.members[&peer];
        let excess = usize::from(member.children.saturating_sub(member.slots));
        if excess == 0 {
            return;
        }
        let mut children: Vec<(usize, u8, PeerId)> = Vec::new();
        for stripe in 0..self.config.stripes {
            let tree = self.tree(stripe);
            children.extend(tree.children(peer).map(|child| (tree.child_count(child), stripe, child)));
        }
        children.sort_unstable();
        for (_, stripe, child) in children.into_iter().take(excess) {
            self.place(stripe, child, now);
        }
    }
}
