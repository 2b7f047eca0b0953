//! What an uplink carries, found out before there is anything to send.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::lab::{GROUP_BYTES, Lab};
use super::*;
use crate::wire::tracker::{Received, Role, ToTracker};

/// A content that is large enough for trains of both lengths, in packets.
const PACKETS: usize = 512;
const PADDING_BYTES: usize = GROUP_BYTES / 8;

impl Lab {
    /// Trains that it sent since the last call: the link, the number and how many messages.
    fn take_trains(&mut self) -> Vec<(LinkId, u8, usize)> {
        let mut trains: Vec<(LinkId, u8, usize)> = Vec::new();
        for (link, message) in self.take_said() {
            let LinkMessage::Probe { train, left, .. } = message else { continue };
            match trains.last_mut() {
                Some((on, number, count)) if (*on, *number) == (link, train) => *count += 1,
                _ => trains.push((link, train, 1)),
            }
            assert!(left > 0 || trains.last().is_some_and(|(_, _, count)| [8, 32].contains(count)), "the last of it");
        }
        trains
    }

    fn probed(&mut self, link: LinkId, train: u8, bytes_per_s: u64, is_least: bool) {
        self.say(link, &LinkMessage::Probed { train, bytes_per_s, is_least });
    }

    /// A neighbour's train comes, a message every so many milliseconds; what it is told.
    fn probe(&mut self, link: LinkId, count: u8, every_ms: u64) -> Vec<(u64, bool)> {
        self.take_said();
        for left in (0..count).rev() {
            self.pass_ms(every_ms);
            self.say(link, &LinkMessage::Probe { train: 0, left, padding: Bytes::from(vec![0; PADDING_BYTES]) });
        }
        let said = self.take_said().into_iter().filter(|(on, _)| *on == link);
        let answers = said.filter_map(|(_, message)| match message {
            LinkMessage::Probed { bytes_per_s, is_least, .. } => Some((bytes_per_s, is_least)),
            _ => None,
        });
        answers.collect()
    }

    /// What it told the tracker of probes since the last call.
    fn take_told(&mut self) -> Vec<Received> {
        let told = core::mem::take(&mut self.told).into_iter();
        told.filter_map(|told| if let ToTracker::Probed { received } = told { Some(received) } else { None })
            .flatten()
            .collect()
    }
}

#[test]
fn the_first_link_that_opens_is_probed_and_a_fast_uplink_once_more() {
    let mut lab = Lab::new(PACKETS, false, 8 << 20);
    let first = lab.link(Role::Lateral, 0);
    assert_eq!(lab.take_trains(), [(first, 0, 8)]);
    let second = lab.link(Role::Lateral, 0);
    assert_eq!(lab.take_trains(), [], "one at a time");
    lab.probed(second, 0, 1, false);
    lab.probed(first, 1, 1, false);
    assert_eq!(lab.take_trains(), [], "nobody else answers, and for no other train");
    lab.probed(first, 0, 10_000_000, false);
    assert_eq!(lab.take_trains(), [(first, 1, 32)], "it took less than a clock tells apart");
    lab.probed(first, 1, u64::MAX, false);
    lab.link(Role::Lateral, 0);
    lab.pass_ms(10_000);
    assert_eq!(lab.take_trains(), [], "it is known");
}

#[test]
fn a_slow_uplink_sends_eight_messages_and_no_more() {
    let mut lab = Lab::new(PACKETS, false, 8 << 20);
    let link = lab.link(Role::Lateral, 0);
    lab.take_said();
    lab.probed(link, 0, 125_000, false);
    lab.link(Role::Lateral, 0);
    lab.pass_ms(10_000);
    assert_eq!(lab.take_trains(), []);
}

#[test]
fn where_nobody_can_tell_others_are_tried_a_few_times() {
    let mut lab = Lab::new(4 * PACKETS, false, 8 << 20);
    let links = [0; 3].map(|_| lab.link(Role::Lateral, 0));
    let (mut on, mut tried) = (links[0], 1);
    lab.take_said();
    loop {
        lab.probed(on, 0, 1_000, true);
        let trains = lab.take_trains();
        let [(other, 0, 8)] = trains[..] else { break assert_eq!(trains, []) };
        assert_ne!(other, on);
        (on, tried) = (other, tried + 1);
    }
    assert_eq!(tried, 6);
}

#[test]
fn who_does_not_answer_or_goes_is_not_waited_for() {
    let mut lab = Lab::new(4 * PACKETS, false, 8 << 20);
    let first = lab.link(Role::Lateral, 0);
    let second = lab.link(Role::Lateral, 0);
    lab.take_said();
    lab.pass_ms(4_500);
    assert_eq!(lab.take_trains(), [(second, 0, 8)]);
    lab.give(Input::LinkClosed { link: second, reason: "gone".to_owned() });
    lab.pass_ms(1_500);
    assert_eq!(lab.take_trains(), [(first, 0, 8)]);
}

#[test]
fn who_has_a_limit_or_little_to_get_does_not_probe() {
    let mut lab = Lab::new(63, false, 8 << 20);
    lab.link(Role::Lateral, 0);
    assert_eq!(lab.take_trains(), [], "it would be more than one part in 256");
    let mut lab = Lab::new(PACKETS, false, 8 << 20);
    lab.give(Input::UploadLimit { bytes_per_s: Some(1 << 20) });
    lab.link(Role::Lateral, 0);
    assert_eq!(lab.take_trains(), [], "what it may send is known");
}

#[test]
fn how_fast_a_train_came_is_told_its_sender_and_the_tracker() {
    let mut lab = Lab::new(PACKETS, false, 8 << 20);
    let link = lab.link(Role::Lateral, 0);
    let expected = PADDING_BYTES as u64 * 100;
    assert_eq!(lab.probe(link, 8, 10), [(expected, false)]);
    assert_eq!(lab.take_told(), [], "those of others may follow");
    lab.pass_ms(50);
    let peer = lab.peer.links[&link].peer;
    assert_eq!(lab.take_told(), [Received { peer, bytes_per_s: expected, waited: true }]);
    assert_eq!(lab.probe(link, 32, 1), [(PADDING_BYTES as u64 * 1_000, false)]);
    assert_eq!(lab.probe(link, 8, 0), [(PADDING_BYTES as u64 * 4 * 200, false)], "all at once: 5 ms");
}

#[test]
fn where_much_else_comes_an_uplink_may_carry_more() {
    let mut lab = Lab::new(PACKETS, false, 8 << 20);
    let (one, other) = (lab.link(Role::Lateral, 0), lab.link(Role::Lateral, 0));
    for left in (0..8).rev() {
        lab.pass_ms(10);
        for link in [one, other] {
            lab.say(link, &LinkMessage::Probe { train: 0, left, padding: Bytes::from(vec![0; PADDING_BYTES]) });
        }
    }
    lab.pass_ms(50);
    let least: Vec<bool> = lab.take_told().into_iter().map(|probed| !probed.waited).collect();
    assert_eq!(least, [true, true], "each had half of the downlink, for all that is known");
    // Five times as much has come at a time: the downlink is not what was narrow.
    lab.probe(one, 8, 1);
    lab.take_told();
    for left in (0..8).rev() {
        lab.pass_ms(10);
        for link in [one, other] {
            lab.say(link, &LinkMessage::Probe { train: 0, left, padding: Bytes::from(vec![0; PADDING_BYTES]) });
        }
    }
    lab.pass_ms(50);
    assert!(lab.take_told().into_iter().all(|probed| probed.waited));
}

#[test]
fn who_probes_without_end_is_closed_and_nonsense_does_no_harm() {
    let mut lab = Lab::new(PACKETS, false, 8 << 20);
    let link = lab.link(Role::Lateral, 0);
    let mut draws = ChaCha8Rng::from_seed([5; 32]);
    for _ in 0..240 {
        let (train, left) = (draws.next_u32() as u8, draws.next_u32() as u8);
        let padding = Bytes::from(vec![0; draws.next_u32() as usize % 4_097]);
        lab.say(link, &LinkMessage::Probe { train, left, padding });
        lab.probed(link, train, u64::from(draws.next_u32()) << 32, left % 2 == 0);
    }
    assert!(lab.peer.links[&link].is_open());
    lab.say(link, &LinkMessage::Probe { train: 0, left: 0, padding: Bytes::new() });
    assert!(!lab.peer.links.contains_key(&link));
}
