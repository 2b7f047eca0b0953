//! How fast it could be: two references for the time in which one source can give a content to N peers.
//!
//! * The *fluid* bound is proven: no scheme is faster. The source must send everything once, the slowest must receive
//!   everything, and all uplinks together must send N copies:
//!   `T ≥ max(F/u_s, F/d_min, N·F/(u_s + Σu_i))`.
//! * The *discrete* reference knows that a packet can be passed on only once it is whole. With equal rates and `k`
//!   packets it is the exact optimum, `k + floor(log2 N)` rounds of one packet each. With unequal rates it is
//!   `max(F/u_s + D(N−1), F/d_min, (N·F + Σ u_i·a_i)/(u_s + Σu_i))`, where `D(m)` is the time in which one packet is
//!   told from the fastest to `m` others, fastest first, and `a_i` the earliest moment at which peer `i` can have a
//!   packet at all. That is a yardstick, not a proof: packets need not all go fastest first.
//!
//! Both know rates only: no delay, no handshakes, no tracker.
//!
//! # Rates that change, and peers that come and go
//!
//! Where rates change, "bytes over rate" becomes the moment at which the integral of the rate reaches the bytes; with
//! constant rates that is the same. Each uplink counts from when its owner comes until it goes:
//! `T ≥ min{t : ∫₀ᵗ (u_s + Σu_i) ≥ W}`, and likewise for the source and for each downlink. What a scenario does to it:
//!
//! * `leaf-only`: who gives nothing has an uplink of 0, and is one of the N all the same.
//! * `slow-source`: nothing is special; `F/u_s` is the largest.
//! * `oscillating`: the integral follows each peer's swings.
//! * `flash`: each counts from its arrival, the source from the first arrival.
//! * `liars`: liars are neither among the N nor do their uplinks count.
//! * `churn`: the N are the *survivors*, who are there from the beginning to the end. The uplinks of those who go, and of
//!   those who come, count while they are there. `W` is N·F and what those who go had received by then: the part of the
//!   content that the bound's own even pace would have given them, `F·stay/T`, since nobody knows who will go; never
//!   more than their downlinks could take. What those who come receive is left out. Both make `W` rather too small, so
//!   that the ratio to the bound is rather too large. With the first of the two it is a yardstick: a scheme that knew
//!   who will go, and gave them nothing, might beat it.
//! * `source-leaves`, `leave-when-done`: as if all stayed, which only makes the bound smaller.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What is taken for never, in seconds.
const NEVER_S: f64 = 1e9;
/// Halvings until a moment is found: more precise than a `f64` shows.
const HALVINGS: usize = 200;

/// A rate that falls to half and back, again and again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Swing {
    /// How long it stays full, and how long at half.
    pub half_period_s: f64,
    /// A moment at which it becomes full.
    pub full_at_s: f64,
}

impl Swing {
    /// Seconds at the full rate that would give as much as the time from 0 to `at_s`, but for a constant.
    fn full_s(&self, at_s: f64) -> f64 {
        let since_s = at_s - self.full_at_s;
        let period_s = 2.0 * self.half_period_s;
        let rest_s = since_s.rem_euclid(period_s);
        let whole = (since_s / period_s).floor();
        let at_half_s = (rest_s - self.half_period_s).max(0.0);
        whole * 1.5 * self.half_period_s + rest_s - at_half_s / 2.0
    }
}

/// A line as the bounds see it. Rates in bytes a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Member {
    /// What it can send.
    pub up: f64,
    /// What it can receive.
    pub down: f64,
    /// When it comes.
    pub from_s: f64,
    /// When it goes; infinite if it stays.
    pub until_s: f64,
    /// How both rates change, if they do.
    pub swing: Option<Swing>,
}

impl Member {
    /// One that is there from the beginning to the end, with constant rates.
    pub fn constant(up: u64, down: u64) -> Self {
        Self { up: up as f64, down: down as f64, from_s: 0.0, until_s: f64::INFINITY, swing: None }
    }

    /// For how long at full rates it would have been there, from `since_s` to `at_s`, to give or get as much.
    fn full_s(&self, since_s: f64, at_s: f64) -> f64 {
        let (since_s, at_s) = (since_s.max(self.from_s), at_s.min(self.until_s));
        if at_s <= since_s {
            return 0.0;
        }
        match self.swing {
            None => at_s - since_s,
            Some(swing) => swing.full_s(at_s) - swing.full_s(since_s),
        }
    }

    fn is_plain(&self) -> bool {
        self.from_s == 0.0 && self.until_s == f64::INFINITY && self.swing.is_none()
    }
}

/// What the bounds are computed from.
#[derive(Clone, Debug)]
pub struct Rates {
    /// The source.
    pub source: Member,
    /// Each peer that is to have everything.
    pub peers: Vec<Member>,
    /// Those who help for a time, and are not among the above because they go, or came late.
    pub passers_by: Vec<Member>,
    /// The content's size in bytes.
    pub size_bytes: u64,
    /// A packet's size in bytes.
    pub packet_bytes: u64,
}

impl Rates {
    /// The fluid bound, in seconds.
    pub fn fluid_s(&self) -> f64 {
        if self.peers.is_empty() {
            return 0.0;
        }
        let work_s = self.work_done_s(&vec![0.0; self.peers.len()]);
        self.source_done_s().max(self.slowest_s()).max(work_s)
    }

    /// The discrete reference, in seconds.
    pub fn discrete_s(&self) -> f64 {
        if self.peers.is_empty() {
            return 0.0;
        }
        let packet_bytes = self.packet_bytes.min(self.size_bytes) as f64;
        if self.is_equal() {
            let packets = self.size_bytes.div_ceil(self.packet_bytes.max(1));
            let rounds = packets + u64::from(self.peers.len().ilog2());
            return (rounds as f64 * packet_bytes / self.source.up).max(self.slowest_s());
        }
        let mut fastest_first: Vec<usize> = (0..self.peers.len()).collect();
        fastest_first.sort_by(|a, b| self.peers[*b].up.total_cmp(&self.peers[*a].up));
        let ups: Vec<f64> = fastest_first.iter().map(|peer| self.peers[*peer].up).collect();
        let firsts = first_packets_s(packet_bytes, self.source.up, &ups);
        // The last packet leaves the source when all others have; by then the fastest peer is its first holder.
        let last_s = self.source_done_s() + firsts.last().copied().unwrap_or(0.0) - firsts[0];
        let mut idle_until_s = vec![0.0; self.peers.len()];
        for (peer, first_s) in fastest_first.iter().zip(&firsts) {
            idle_until_s[*peer] = self.begins_s() + first_s;
        }
        last_s.max(self.slowest_s()).max(self.work_done_s(&idle_until_s))
    }

    /// Whether the exact optimum for equal rates holds.
    fn is_equal(&self) -> bool {
        let everyone = self.peers.iter().chain([&self.source]);
        self.passers_by.is_empty() && everyone.clone().all(|member| member.is_plain() && member.up == self.source.up)
    }

    /// When there is somebody to give to.
    fn begins_s(&self) -> f64 {
        self.peers.iter().chain(&self.passers_by).map(|peer| peer.from_s).fold(f64::INFINITY, f64::min)
    }

    /// When the source can have sent everything once.
    fn source_done_s(&self) -> f64 {
        let begins_s = self.begins_s();
        moment_s(|at_s| self.source.up * self.source.full_s(begins_s, at_s) - self.size_bytes as f64)
    }

    /// When the slowest can have received everything.
    fn slowest_s(&self) -> f64 {
        let gets =
            |at_s: f64| self.peers.iter().map(|peer| peer.down * peer.full_s(0.0, at_s)).fold(f64::MAX, f64::min);
        moment_s(|at_s| gets(at_s) - self.size_bytes as f64)
    }

    /// When all uplinks together can have sent what is needed, each peer's from a moment of its own on.
    fn work_done_s(&self, idle_until_s: &[f64]) -> f64 {
        let begins_s = self.begins_s();
        let sent_bytes = |at_s: f64| {
            let by_peers =
                self.peers.iter().zip(idle_until_s).map(|(peer, idle_s)| peer.up * peer.full_s(*idle_s, at_s));
            let by_others = self.passers_by.iter().map(|peer| peer.up * peer.full_s(0.0, at_s));
            self.source.up * self.source.full_s(begins_s, at_s) + by_peers.sum::<f64>() + by_others.sum::<f64>()
        };
        moment_s(|at_s| sent_bytes(at_s) - self.needed_bytes(at_s))
    }

    /// What must have been sent if all is done at that moment.
    fn needed_bytes(&self, at_s: f64) -> f64 {
        let size_bytes = self.size_bytes as f64;
        let went = self.passers_by.iter().filter(|member| member.until_s.is_finite());
        let had_bytes = went.map(|member| {
            let stay_s = (member.until_s.min(at_s) - member.from_s).max(0.0);
            let pace_bytes = size_bytes * stay_s / at_s.max(f64::MIN_POSITIVE);
            pace_bytes.min(member.down * member.full_s(0.0, at_s))
        });
        self.peers.len() as f64 * size_bytes + had_bytes.sum::<f64>()
    }
}

/// The first moment from which on what grows is not negative.
fn moment_s(excess: impl Fn(f64) -> f64) -> f64 {
    let mut late_s = 1.0;
    while excess(late_s) < 0.0 {
        late_s *= 2.0;
        if late_s > NEVER_S {
            return NEVER_S;
        }
    }
    let mut early_s = 0.0;
    for _ in 0..HALVINGS {
        let middle_s = (early_s + late_s) / 2.0;
        if middle_s <= early_s || middle_s >= late_s {
            break;
        }
        if excess(middle_s) < 0.0 {
            early_s = middle_s;
        } else {
            late_s = middle_s;
        }
    }
    late_s
}

/// When each peer, fastest first, can have a packet that everyone who has it keeps sending.
fn first_packets_s(packet_bytes: f64, source_up: f64, ups_descending: &[f64]) -> Vec<f64> {
    // In whole microseconds, which have an order.
    let micros = |up: f64| (packet_bytes * 1e6 / up.max(1.0)) as u64;
    let mut next_copies = BinaryHeap::from([Reverse((micros(source_up), micros(source_up)))]);
    let mut firsts = Vec::with_capacity(ups_descending.len());
    for up in ups_descending {
        let Some(Reverse((at, takes))) = next_copies.pop() else { break };
        firsts.push(at as f64 / 1e6);
        next_copies.push(Reverse((at + takes, takes)));
        next_copies.push(Reverse((at + micros(*up), micros(*up))));
    }
    firsts
}

#[cfg(test)]
mod tests;
