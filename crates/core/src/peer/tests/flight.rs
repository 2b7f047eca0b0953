//! How much a peer has in flight, and that nobody holds up the others with it.

use std::collections::VecDeque;

use super::lab::{GROUP_BYTES, Lab, refused};
use super::*;
use crate::wire::tracker::Role;

#[test]
fn what_is_in_flight_is_bounded_until_it_is_acknowledged() {
    let mut lab = Lab::new(64, true, 8 << 20);
    let links = [0; 6].map(|_| lab.link(Role::Child, 0));
    for link in links {
        lab.acknowledge(link);
        lab.subscribe(link);
    }
    let groups = lab.take_groups();
    assert_eq!(groups.len(), 4, "over all links");
    let on = |link: &LinkId| groups.iter().filter(|(to, _)| to == link).count();
    assert_eq!(links.iter().map(on).max(), Some(2), "on each link");
    links.into_iter().for_each(|link| lab.acknowledge(link));
    assert!(!lab.take_groups().is_empty());
}

/// Groups that a child with a line of four in 50 ms gets within two seconds, beside one that acknowledges for so long and
/// then stands still.
fn goes_beside_one_that_stands_still_after(still_after_ms: Option<u64>) -> usize {
    const PER_STEP: usize = 4;
    let mut lab = Lab::new(512, true, 64 << 20);
    let links = [0; 2].map(|_| lab.link(Role::Child, 0));
    links.into_iter().for_each(|link| lab.acknowledge(link));
    let (mut sent, mut acked) = ([0; 2], [0; 2]);
    let mut before = 0;
    lab.subscribe(links[0]);
    if still_after_ms.is_some() {
        lab.subscribe(links[1]);
    }
    let still_after_ms = still_after_ms.unwrap_or(0);
    for step_ms in (0..still_after_ms + 2_000).step_by(50) {
        for (link, _) in lab.take_groups() {
            sent[usize::from(link == links[1])] += 1;
        }
        before = if step_ms <= still_after_ms { acked[0] } else { before };
        lab.pass_ms(50);
        for i in 0..if step_ms < still_after_ms { 2 } else { 1 } {
            acked[i] = sent[i].min(acked[i] + PER_STEP);
            let received_bytes = (acked[i] * GROUP_BYTES) as u64;
            let clock_ms = lab.clock_ms();
            lab.say(links[i], &LinkMessage::Credit { received_bytes, limit_bytes: 1 << 40, clock_ms, held_packets: 0 });
        }
    }
    acked[0] - before
}

#[test]
fn a_channel_that_stands_still_does_not_take_what_may_be_in_flight_from_the_others() {
    let alone = goes_beside_one_that_stands_still_after(None);
    for still_after_ms in [0, 500] {
        let beside = goes_beside_one_that_stands_still_after(Some(still_after_ms));
        assert!(beside * 4 > alone * 3, "{beside} of {alone} groups, still after {still_after_ms} ms");
    }
}

/// Which of two packets that a neighbour asks for is refused, after what was sent to it before took 600 ms to get there.
fn refused_by_one_whose_uplink_is_full(packets_per_step: u32) -> Vec<u32> {
    let mut lab = Lab::new(512, false, 64 << 20);
    let feeder = lab.link(Role::Parent, 512);
    let asker = lab.link(Role::Lateral, 0);
    let mut held = 8;
    (0..held).for_each(|packet| lab.bring(feeder, packet * 4, 4));
    let pass = |lab: &mut Lab, held: &mut u32, steps: u32| {
        for _ in 0..steps {
            lab.pass_ms(50);
            (*held..*held + packets_per_step).for_each(|packet| lab.bring(feeder, packet * 4, 4));
            *held += packets_per_step;
        }
    };
    lab.acknowledge(asker);
    for (packet, steps) in [(0, 1), (1, 12)] {
        lab.request(asker, packet, 1, Vec::new());
        pass(&mut lab, &mut held, steps);
        lab.acknowledge(asker);
    }
    pass(&mut lab, &mut held, 6);
    lab.acknowledge(asker);
    lab.take_said();
    lab.request(asker, 2, 2, Vec::new());
    lab.take_packets(asker, refused)
}

#[test]
fn a_slow_uplink_that_is_full_is_left_to_acknowledgements_of_what_comes_in() {
    assert_eq!(refused_by_one_whose_uplink_is_full(4), [2, 3], "much comes in: nothing is promised");
    assert_eq!(refused_by_one_whose_uplink_is_full(0), [3], "nothing comes in: one is promised");
}

#[test]
fn a_far_end_that_has_frozen_does_not_hold_up_the_others() {
    let mut lab = Lab::new(64, true, 8 << 20);
    let frozen = lab.link(Role::Child, 0);
    lab.say(frozen, &LinkMessage::Credit { received_bytes: 0, limit_bytes: 8 << 20, clock_ms: 0, held_packets: 0 });
    lab.subscribe(frozen);
    let other = lab.link(Role::Child, 0);
    lab.acknowledge(other);
    lab.subscribe(other);
    let mut groups = lab.take_groups();
    lab.pass_ms(1_000);
    assert_eq!(lab.take_groups(), [], "what is in flight may still arrive");
    for _ in 0..200 {
        lab.pass_ms(500);
        lab.acknowledge(other);
        groups.extend(lab.take_groups());
    }
    let to = |far: LinkId| groups.iter().filter(|(link, _)| *link == far).count();
    assert_eq!(to(other), 64 * 4, "the other one gets all");
    assert!(to(frozen) < 64, "one that acknowledges nothing gets no more: {} groups", to(frozen));
}

/// Groups that each of two children gets in three seconds over an uplink that carries eight in 50 ms. The first has
/// announced 100 packets and says that it holds as many, the second has announced none and says that it holds so many.
fn shares_where_the_second_says_it_holds(second_packets: u32) -> [usize; 2] {
    const PER_STEP: usize = 8;
    let mut lab = Lab::new(512, false, 64 << 20);
    let feeder = lab.link(Role::Parent, 512);
    (0..400).for_each(|packet| lab.bring(feeder, packet * 4, 4));
    let links = [lab.link(Role::Child, 100), lab.link(Role::Child, 0)];
    let mut way = VecDeque::new();
    let mut acked = [0; 2];
    for step in 0..60 {
        for i in 0..2 {
            let credit = LinkMessage::Credit {
                received_bytes: (acked[i] * GROUP_BYTES) as u64,
                limit_bytes: 1 << 40,
                clock_ms: lab.clock_ms(),
                held_packets: [100, second_packets][i],
            };
            lab.say(links[i], &credit);
            if step == 0 {
                lab.subscribe(links[i]);
            }
        }
        way.extend(lab.take_groups().into_iter().map(|(link, _)| usize::from(link == links[1])));
        lab.pass_ms(50);
        way.extend(lab.take_groups().into_iter().map(|(link, _)| usize::from(link == links[1])));
        way.drain(..PER_STEP.min(way.len())).for_each(|i| acked[i] += 1);
    }
    acked
}

#[test]
fn who_holds_less_is_served_first_by_what_it_says_and_not_by_what_it_had_to_announce() {
    let [first, second] = shares_where_the_second_says_it_holds(100);
    assert!(second * 10 <= first * 13, "{second} groups to one that holds as much, {first} to the other");
    let [first, second] = shares_where_the_second_says_it_holds(10);
    assert!(second * 2 >= first * 3, "{second} groups to one that is behind, {first} to the other");
}

#[test]
fn who_says_that_it_holds_everything_makes_nobody_seem_behind() {
    let mut lab = Lab::new(512, false, 64 << 20);
    let links = [0; 3].map(|_| lab.link(Role::Child, 0));
    for (link, held_packets) in links.into_iter().zip([100, 100, u32::MAX]) {
        lab.say(link, &LinkMessage::Credit { received_bytes: 0, limit_bytes: 1 << 40, clock_ms: 0, held_packets });
    }
    lab.peer.look_at_far_ends();
    assert!(links.into_iter().all(|link| !lab.peer.is_far_behind(link)));
}
