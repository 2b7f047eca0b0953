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
//! Both know rates only: no delay, no handshakes, no tracker. They are computed over the peers that a scenario expects
//! to finish, so where peers come and go they are a yardstick too.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What the bounds are computed from. Rates in bytes a second.
#[derive(Clone, Debug)]
pub struct Rates {
    /// The source's uplink.
    pub source_up: u64,
    /// Up and down, of each peer that is to have everything.
    pub peers: Vec<(u64, u64)>,
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
        let size = self.size_bytes as f64;
        (size / self.source_up as f64).max(self.slowest_s()).max(self.peers.len() as f64 * size / self.up_sum())
    }

    /// The discrete reference, in seconds.
    pub fn discrete_s(&self) -> f64 {
        if self.peers.is_empty() {
            return 0.0;
        }
        let packet_bytes = self.packet_bytes.min(self.size_bytes) as f64;
        if self.peers.iter().all(|(up, _)| *up == self.source_up) {
            let packets = self.size_bytes.div_ceil(self.packet_bytes.max(1));
            let rounds = packets + u64::from(self.peers.len().ilog2());
            return (rounds as f64 * packet_bytes / self.source_up as f64).max(self.slowest_s());
        }
        let size = self.size_bytes as f64;
        let mut ups: Vec<u64> = self.peers.iter().map(|(up, _)| *up).collect();
        ups.sort_unstable_by_key(|up| Reverse(*up));
        let firsts = first_packets_s(packet_bytes, self.source_up, &ups);
        // The last packet leaves the source when all others have; by then the fastest peer is its first holder.
        let last = size / self.source_up as f64 + firsts.last().copied().unwrap_or(0.0) - firsts[0];
        let idle: f64 = ups.iter().zip(&firsts).map(|(up, first)| *up as f64 * first).sum();
        let work = (self.peers.len() as f64 * size + idle) / self.up_sum();
        last.max(self.slowest_s()).max(work)
    }

    fn slowest_s(&self) -> f64 {
        let down_min = self.peers.iter().map(|(_, down)| *down).min().unwrap_or(u64::MAX);
        self.size_bytes as f64 / down_min as f64
    }

    fn up_sum(&self) -> f64 {
        self.source_up as f64 + self.peers.iter().map(|(up, _)| *up as f64).sum::<f64>()
    }
}

/// When each peer, fastest first, can have a packet that everyone who has it keeps sending.
fn first_packets_s(packet_bytes: f64, source_up: u64, ups_descending: &[u64]) -> Vec<f64> {
    let micros = |up: u64| (packet_bytes * 1e6 / up.max(1) as f64) as u64;
    let mut next_copies = BinaryHeap::from([Reverse((micros(source_up), source_up))]);
    let mut firsts = Vec::with_capacity(ups_descending.len());
    for up in ups_descending {
        let Some(Reverse((at, sender_up))) = next_copies.pop() else { break };
        firsts.push(at as f64 / 1e6);
        next_copies.push(Reverse((at + micros(sender_up), sender_up)));
        next_copies.push(Reverse((at + micros(*up), *up)));
    }
    firsts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equal(peers: usize, packets: u64) -> Rates {
        Rates { source_up: 100, peers: vec![(100, 1_000); peers], size_bytes: packets * 100, packet_bytes: 100 }
    }

    #[test]
    fn with_equal_rates_a_broadcast_doubles_each_round() {
        assert_eq!(equal(1, 1).discrete_s(), 1.0);
        assert_eq!(equal(3, 1).discrete_s(), 2.0);
        assert_eq!(equal(4, 1).discrete_s(), 3.0);
        assert_eq!(equal(100, 256).discrete_s(), 262.0);
    }

    #[test]
    fn the_general_formula_agrees_with_the_equal_one() {
        let firsts = first_packets_s(100.0, 100, &[100; 7]);
        assert_eq!(firsts, [1.0, 2.0, 2.0, 3.0, 3.0, 3.0, 3.0]);
    }

    #[test]
    fn each_limit_of_the_fluid_bound_counts() {
        let mut rates = equal(4, 10);
        assert_eq!(rates.fluid_s(), 10.0, "the source's uplink");
        rates.peers = vec![(0, 1_000); 4];
        assert_eq!(rates.fluid_s(), 40.0, "all uplinks together");
        rates.peers[0].1 = 10;
        assert_eq!(rates.fluid_s(), 100.0, "the slowest downlink");
        assert!(rates.discrete_s() >= rates.fluid_s());
    }
}
