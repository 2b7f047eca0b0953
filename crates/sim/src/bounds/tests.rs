use proptest::prelude::*;

use super::*;

fn equal(peers: usize, packets: u64) -> Rates {
    Rates {
        source: Member::constant(100, 100),
        peers: vec![Member::constant(100, 1_000); peers],
        passers_by: Vec::new(),
        size_bytes: packets * 100,
        packet_bytes: 100,
    }
}

fn is_near(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-6 * one.max(other)
}

#[track_caller]
fn assert_near(one: f64, other: f64) {
    assert!(is_near(one, other), "{one} is not {other}");
}

#[test]
fn with_equal_rates_a_broadcast_doubles_each_round() {
    assert_near(equal(1, 1).discrete_s(), 1.0);
    assert_near(equal(3, 1).discrete_s(), 2.0);
    assert_near(equal(4, 1).discrete_s(), 3.0);
    assert_near(equal(100, 256).discrete_s(), 262.0);
}

#[test]
fn the_general_formula_agrees_with_the_equal_one() {
    let firsts = first_packets_s(100.0, 100.0, &[100.0; 7]);
    assert_eq!(firsts, [1.0, 2.0, 2.0, 3.0, 3.0, 3.0, 3.0]);
}

#[test]
fn each_limit_of_the_fluid_bound_counts() {
    let mut rates = equal(4, 10);
    assert_near(rates.fluid_s(), 10.0); // the source's uplink
    rates.peers = vec![Member::constant(0, 1_000); 4];
    assert_near(rates.fluid_s(), 40.0); // all uplinks together
    rates.peers[0].down = 10.0;
    assert_near(rates.fluid_s(), 100.0); // the slowest downlink
    assert!(rates.discrete_s() >= rates.fluid_s());
}

#[test]
fn a_rate_that_swings_gives_three_quarters() {
    let swing = Swing { half_period_s: 20.0, full_at_s: 7.0 };
    let member = Member { swing: Some(swing), ..Member::constant(100, 100) };
    assert_near(member.full_s(0.0, 40.0), 30.0);
    assert_near(member.full_s(7.0, 27.0), 20.0);
    assert_near(member.full_s(27.0, 47.0), 10.0);
    assert_near(member.full_s(0.0, 10.0), 3.5 + 3.0);
}

#[test]
fn who_comes_later_helps_later() {
    let mut rates = equal(4, 10);
    rates.source.up = 1_000.0;
    let at_once_s = rates.fluid_s();
    rates.peers.iter_mut().for_each(|peer| peer.from_s = 5.0);
    assert_near(rates.fluid_s(), at_once_s + 5.0);
}

#[test]
fn who_goes_helps_until_then_and_takes_a_share() {
    let mut rates = equal(10, 100);
    rates.source.up = 1_000.0;
    let without_s = rates.fluid_s(); // 10·F of 2,000 a second
    assert_near(without_s, 50.0);
    rates.passers_by = vec![Member { until_s: 1.0, ..Member::constant(0, 1_000) }];
    assert!(rates.fluid_s() > without_s, "it took something and gave nothing");
    rates.passers_by[0].up = 10_000.0;
    assert!(rates.fluid_s() < without_s, "it gave more than it took");
}

fn member() -> impl Strategy<Value = Member> {
    (0_u64..10_000, 1_u64..100_000).prop_map(|(up, down)| Member::constant(up, down))
}

fn rates() -> impl Strategy<Value = Rates> {
    (1_u64..10_000, prop::collection::vec(member(), 1..40), 1_u64..100, 1_u64..1_000).prop_map(
        |(source_up, peers, packets, packet_bytes)| Rates {
            source: Member::constant(source_up, 1),
            peers,
            passers_by: Vec::new(),
            size_bytes: packets * packet_bytes,
            packet_bytes,
        },
    )
}

fn plain_fluid_s(rates: &Rates) -> f64 {
    let size = rates.size_bytes as f64;
    let down_min = rates.peers.iter().map(|peer| peer.down).fold(f64::MAX, f64::min);
    let ups: f64 = rates.source.up + rates.peers.iter().map(|peer| peer.up).sum::<f64>();
    (size / rates.source.up).max(size / down_min).max(rates.peers.len() as f64 * size / ups)
}

fn plain_discrete_s(rates: &Rates) -> f64 {
    let size = rates.size_bytes as f64;
    let mut ups: Vec<f64> = rates.peers.iter().map(|peer| peer.up).collect();
    ups.sort_by(|a, b| b.total_cmp(a));
    let firsts = first_packets_s(rates.packet_bytes as f64, rates.source.up, &ups);
    let idle: f64 = ups.iter().zip(&firsts).map(|(up, first)| up * first).sum();
    let work = (ups.len() as f64 * size + idle) / (rates.source.up + ups.iter().sum::<f64>());
    let last = size / rates.source.up + firsts[firsts.len() - 1] - firsts[0];
    let down_min = rates.peers.iter().map(|peer| peer.down).fold(f64::MAX, f64::min);
    last.max(size / down_min).max(work)
}

proptest! {
    #[test]
    fn with_constant_rates_the_integrals_are_the_plain_formulas(rates in rates()) {
        prop_assert!(is_near(rates.fluid_s(), plain_fluid_s(&rates)));
        if !rates.is_equal() {
            // First packets are counted in whole microseconds.
            let (integrated, plain) = (rates.discrete_s(), plain_discrete_s(&rates));
            prop_assert!((integrated - plain).abs() <= 1e-6 * plain + 1e-4, "{integrated} {plain}");
        }
    }

    #[test]
    fn the_discrete_reference_is_never_below_the_fluid_bound(rates in rates()) {
        prop_assert!(rates.discrete_s() >= rates.fluid_s() * (1.0 - 1e-9) - 1e-5);
    }

    #[test]
    fn a_swing_lies_between_full_and_half(rates in rates(), full_at_s in 0.0..40.0) {
        let mut swinging = rates.clone();
        for member in swinging.peers.iter_mut().chain([&mut swinging.source]) {
            member.swing = Some(Swing { half_period_s: 20.0, full_at_s });
        }
        let (full_s, swinging_s) = (rates.fluid_s(), swinging.fluid_s());
        prop_assert!(full_s <= swinging_s * (1.0 + 1e-9) && swinging_s <= 2.0 * full_s * (1.0 + 1e-9));
    }

    #[test]
    fn more_rate_is_never_slower(rates in rates(), extra in member()) {
        let mut faster = rates.clone();
        faster.passers_by.push(extra);
        prop_assert!(faster.fluid_s() <= rates.fluid_s() * (1.0 + 1e-9));
    }

    #[test]
    fn the_pace_of_those_who_go_is_that_of_the_bound(rates in rates(), stay_s in 0.1..50.0, up in 0_u64..1_000) {
        let mut churn = rates.clone();
        churn.passers_by.push(Member { until_s: stay_s, ..Member::constant(up, u64::MAX / 2) });
        let at_s = churn.work_done_s(&vec![0.0; churn.peers.len()]);
        let ups: f64 = churn.source.up + churn.peers.iter().map(|peer| peer.up).sum::<f64>();
        let sent = ups * at_s + up as f64 * stay_s.min(at_s);
        let taken = churn.size_bytes as f64 * (churn.peers.len() as f64 + stay_s.min(at_s) / at_s);
        prop_assert!(is_near(sent, taken), "{sent} {taken}");
    }
}
