//! What a peer that has had everything from the start sends first, and what it sends again.

use core::time::Duration;
use std::collections::BTreeMap;

use super::lab::{Lab, STRIPES, requested};
use super::*;
use crate::wire::link::Run;
use crate::wire::tracker::Role;

#[test]
fn what_an_origin_has_not_sent_yet_is_left_to_the_trees() {
    let mut lab = Lab::new(64, false, 8 << 20);
    let feeder = lab.link(Role::Parent, 0);
    let origin = lab.link(Role::Lateral, 64);
    for packet in 0..12 {
        lab.bring(feeder, packet * 4, 4);
        lab.pass_ms(500);
    }
    assert!(lab.take_packets(origin, requested).is_empty(), "the feeder brings what is next");
    lab.bring(feeder, 40 * 4, 4);
    for packet in 12..20 {
        lab.bring(feeder, packet * 4, 4);
        lab.pass_ms(500);
    }
    let asked = lab.take_packets(origin, requested);
    assert!(!asked.is_empty(), "it passed some over");
    assert!(asked.iter().all(|packet| *packet < 40), "{asked:?}");
}

#[test]
fn an_origin_sends_each_packet_once_before_it_sends_any_again() {
    for cache_bytes in [64 << 20, 0] {
        let mut lab = Lab::new(32, true, cache_bytes);
        let links = [lab.link(Role::Child, 0), lab.link(Role::Child, 0), lab.link(Role::Child, 0)];
        for link in links {
            lab.acknowledge(link);
            lab.subscribe(link);
        }
        let mut groups = lab.take_groups();
        for _ in 0..200 {
            lab.now = lab.now + Duration::from_millis(50);
            links.into_iter().for_each(|link| lab.acknowledge(link));
            groups.extend(lab.take_groups());
        }
        let mut out = std::collections::BTreeSet::new();
        let again = groups.iter().position(|(_, group)| !out.insert(*group)).expect("all get all");
        // At the end the others need not wait for the rest of what one has begun with, or waits for to be read.
        assert!(again >= 24 * 4, "everything is on its way before anything goes again: {:?}", &groups[..again]);
        let first: Vec<usize> =
            links.iter().map(|link| groups[..again].iter().filter(|(to, _)| to == link).count()).collect();
        assert!(first.iter().all(|count| *count >= 4 * 4), "each gets others of them: {first:?}");
        assert_eq!(groups.len(), 3 * 32 * 4, "all get all");
    }
}

#[test]
fn an_origin_keeps_the_stripes_in_step() {
    let mut lab = Lab::new(256, true, 64 << 20);
    lab.give(Input::UploadLimit { bytes_per_s: Some(1_000_000) });
    let links: Vec<LinkId> = (0..STRIPES).map(|_| lab.link(Role::Child, 0)).collect();
    for (stripe, link) in links.iter().enumerate() {
        // Some have much of the other stripes already: that is no reason to let theirs wait.
        let others = (0..64 * (stripe as u32 % 2)).filter(|packet| *packet as usize % usize::from(STRIPES) != stripe);
        let packets = others.map(|first| Run { first, count: 1 }).collect();
        lab.say(*link, &LinkMessage::Have { packets });
        lab.say(*link, &LinkMessage::Subscribe { stripes: STRIPES, mask: 1 << stripe, from: 0 });
    }
    let mut sent = BTreeMap::new();
    for round in 0..100 {
        lab.now = lab.now + Duration::from_millis(50);
        links.iter().for_each(|link| lab.acknowledge(*link));
        for (link, _) in lab.take_groups() {
            *sent.entry(link).or_insert(0_u32) += 1;
        }
        let of_each = || links.iter().map(|link| sent.get(link).copied().unwrap_or(0));
        // A row may be on its way, and a message of several groups of the next.
        // Whoever may get some first gets all that may be in flight, until the others may.
        assert!(round < 10 || of_each().max() <= of_each().min().map(|least| least + 4), "{sent:?}");
    }
    assert!(sent.values().all(|groups| *groups > 40), "{sent:?}");
}

/// Channels share the uplink alike: each that has something to carry takes from the one that waits.
#[test]
fn while_what_goes_first_waits_an_origin_serves_one_other_at_a_time() {
    let mut lab = Lab::new(256, true, 64 << 20);
    lab.give(Input::UploadLimit { bytes_per_s: Some(1_000_000) });
    let first = lab.link(Role::Child, 0);
    lab.subscribe(first);
    for _ in 0..60 {
        lab.now = lab.now + Duration::from_millis(50);
        lab.acknowledge(first);
    }
    lab.take_groups();
    let others: Vec<LinkId> = (0..4).map(|_| lab.link(Role::Lateral, 0)).collect();
    for link in &others {
        lab.acknowledge(*link);
        lab.request(*link, 0, 2, Vec::new());
    }
    for _ in 0..10 {
        // It takes what was sent, and no more for now.
        lab.now = lab.now + Duration::from_millis(50);
        let received_bytes = lab.sent_bytes[&first];
        lab.say(
            first,
            &LinkMessage::Credit { received_bytes, limit_bytes: received_bytes + 1, clock_ms: 0, held_packets: 0 },
        );
    }
    let served =
        |groups: &[(LinkId, u32)]| groups.iter().map(|(link, _)| *link).filter(|link| *link != first).collect();
    let of_one: std::collections::BTreeSet<LinkId> = served(&lab.take_groups());
    assert_eq!(of_one.len(), 1, "until it has acknowledged, others wait for their turn");
    lab.acknowledge(*of_one.first().expect("one"));
    lab.now = lab.now + Duration::from_millis(50);
    lab.acknowledge(first);
    lab.pass_ms(50);
    let of_next: std::collections::BTreeSet<LinkId> = served(&lab.take_groups());
    assert!(!of_next.is_empty(), "and then it is");
}

#[test]
fn what_an_origin_sent_to_one_that_passes_it_on_no_longer_is_sent_to_the_next() {
    let mut lab = Lab::new(64, true, 8 << 20);
    let gone = lab.link(Role::Child, 0);
    lab.acknowledge(gone);
    lab.subscribe(gone);
    let sent = lab.sent_once();
    assert!(!sent.is_empty() && sent.len() < 64, "{sent:?}");
    lab.say(gone, &LinkMessage::Subscribe { stripes: STRIPES, mask: 0, from: 0 });
    lab.acknowledge(gone);
    lab.pass_ms(1_000);
    assert_eq!(lab.sent_once(), sent, "it may have passed it on: others would tell soon");
    lab.pass_ms(2_500);
    assert_eq!(lab.sent_once(), [] as [u32; 0]);
    let next = lab.link(Role::Child, 0);
    lab.acknowledge(next);
    lab.take_said();
    lab.subscribe(next);
    assert_eq!(lab.take_groups().first(), Some(&(next, 0)));
}

#[test]
fn what_others_have_of_it_counts_as_sent() {
    let mut lab = Lab::new(64, true, 8 << 20);
    let (gone, other) = (lab.link(Role::Child, 0), lab.link(Role::Lateral, 0));
    lab.acknowledge(gone);
    lab.subscribe(gone);
    let sent = lab.sent_once();
    lab.say(other, &LinkMessage::Have { packets: vec![Run { first: 0, count: 64 }] });
    lab.say(gone, &LinkMessage::Subscribe { stripes: STRIPES, mask: 0, from: 0 });
    lab.pass_ms(4_000);
    assert_eq!(lab.sent_once(), sent);
}

#[test]
fn what_went_over_a_link_that_is_closed_may_be_passed_on_over_others_for_a_while() {
    for tells in [true, false] {
        let mut lab = Lab::new(64, true, 8 << 20);
        let (gone, other) = (lab.link(Role::Child, 0), lab.link(Role::Lateral, 0));
        lab.acknowledge(gone);
        lab.subscribe(gone);
        let sent = lab.sent_once();
        assert!(!sent.is_empty());
        lab.give(Input::LinkClosed { link: gone, reason: "another feeds it".to_owned() });
        lab.pass_ms(1_000);
        assert_eq!(lab.sent_once(), sent, "who got it may be passing it on");
        if tells {
            lab.say(other, &LinkMessage::Have { packets: vec![Run { first: 0, count: 64 }] });
        }
        lab.pass_ms(3_500);
        assert_eq!(lab.sent_once(), if tells { sent } else { Vec::new() });
    }
}

#[test]
fn who_subscribes_again_and_again_costs_one_entry() {
    let mut lab = Lab::new(64, true, 8 << 20);
    let child = lab.link(Role::Child, 0);
    lab.acknowledge(child);
    for _ in 0..1_000 {
        lab.subscribe(child);
        lab.say(child, &LinkMessage::Subscribe { stripes: STRIPES, mask: 0, from: 0 });
    }
    assert_eq!(lab.peer.uplink.doubts.len(), 1);
    lab.say(child, &LinkMessage::Cancel { packets: vec![Run { first: 0, count: 64 }] });
    lab.give(Input::LinkClosed { link: child, reason: "gone".to_owned() });
    assert!(lab.peer.uplink.doubts.is_empty());
    assert_eq!(lab.sent_once(), [] as [u32; 0], "what went to it alone is nowhere");
}
