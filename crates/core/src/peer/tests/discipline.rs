//! Who is asked, refused, declined and sent what.

use super::lab::{ALL, Lab, PACKET_BYTES, cancelled, refused, requested};
use super::*;
use crate::wire::link::{Partial, Run};
use crate::wire::tracker::{Edge, FromTracker, Role, StripeMask, ToTracker};

#[test]
fn who_asks_for_more_than_goes_out_soon_is_refused_the_rest_at_once() {
    let mut lab = Lab::new(64, true, 8 << 20);
    let link = lab.link(Role::Lateral, 0);
    lab.acknowledge(link);
    lab.take_said();
    lab.request(link, 0, 40, Vec::new());
    let said = lab.take_said();
    let refusals: Vec<u32> =
        said.iter().filter_map(|(_, message)| refused(message)).flatten().map(|run| run.count).collect();
    assert_eq!(refusals, [39], "nothing is known of the uplink: one packet is promised");
    lab.said = said;
    // What a link may have in flight goes out before anything is acknowledged; the rest of the promise follows.
    let mut groups = lab.take_groups();
    assert!((1..=4).contains(&groups.len()), "{groups:?}");
    for _ in 0..8 {
        lab.acknowledge(link);
        groups.extend(lab.take_groups());
    }
    let mut groups: Vec<u32> = groups.into_iter().map(|(_, group)| group).collect();
    groups.sort_unstable();
    assert_eq!(groups, (0..4).collect::<Vec<_>>());
}

#[test]
fn while_what_is_pushed_takes_the_uplink_nothing_is_promised() {
    let mut lab = Lab::new(64, true, 8 << 20);
    let children = [0; 4].map(|_| lab.link(Role::Child, 0));
    let other = lab.link(Role::Lateral, 0);
    lab.acknowledge(other);
    for child in children {
        lab.acknowledge(child);
        lab.subscribe(child);
    }
    lab.take_said();
    lab.request(other, 40, 2, Vec::new());
    assert_eq!(lab.take_packets(other, refused), [40, 41]);
    for child in [children, children].concat() {
        lab.acknowledge(child);
    }
    assert!(lab.take_groups().iter().all(|(link, _)| *link != other), "what was refused is not sent after all");
}

#[test]
fn a_busy_neighbour_is_not_asked_again_at_once() {
    let mut lab = Lab::new(16, false, 8 << 20);
    let link = lab.link(Role::Lateral, 16);
    let asked = lab.take_packets(link, requested);
    assert!(!asked.is_empty());
    let packets = asked.iter().map(|packet| Run { first: *packet, count: 1 }).collect();
    lab.say(link, &LinkMessage::Refuse { packets });
    lab.pass_ms(400);
    assert!(lab.take_packets(link, requested).is_empty(), "it is busy");
    lab.pass_ms(1_500);
    assert!(!lab.take_packets(link, requested).is_empty(), "it may not be any longer");
}

#[test]
fn groups_that_the_asker_holds_are_not_sent() {
    let mut lab = Lab::new(4, true, 8 << 20);
    let link = lab.link(Role::Lateral, 0);
    lab.acknowledge(link);
    lab.take_said();
    lab.request(link, 1, 1, vec![Partial { packet: 1, groups: 0b0101 }]);
    for _ in 0..4 {
        lab.acknowledge(link);
    }
    let groups: Vec<u32> = lab.take_groups().into_iter().map(|(_, group)| group).collect();
    assert_eq!(groups, [5, 7]);
}

#[test]
fn what_is_held_in_part_is_told_when_the_rest_is_asked_for() {
    let mut lab = Lab::new(1, false, 8 << 20);
    let feeder = lab.link(Role::Parent, 1);
    lab.bring(feeder, 0, 1);
    lab.bring(feeder, 2, 1);
    lab.give(Input::LinkClosed { link: feeder, reason: "gone".to_owned() });
    lab.take_said();
    let other = lab.link(Role::Lateral, 1);
    let partial: Vec<Partial> = lab
        .take_said()
        .into_iter()
        .filter_map(|(link, message)| match message {
            LinkMessage::Request { partial, .. } if link == other => Some(partial),
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(partial, [Partial { packet: 0, groups: 0b0101 }]);
}

#[test]
fn a_feeder_is_told_not_to_push_what_another_is_asked_for() {
    let mut lab = Lab::new(16, false, 8 << 20);
    let feeder = lab.link(Role::Parent, 16);
    let other = lab.link(Role::Lateral, 16);
    lab.pass_ms(4_500);
    let said = lab.take_said();
    let packets_of = |on: LinkId, of: fn(&LinkMessage) -> Option<&Vec<Run>>| -> Vec<u32> {
        let said = said.iter().filter(|(link, _)| *link == on).filter_map(|(_, message)| of(message)).flatten();
        said.flat_map(|run| run.first..run.first + run.count).collect()
    };
    let asked = packets_of(other, requested);
    assert!(!asked.is_empty(), "the feeder brings nothing");
    assert_eq!(packets_of(feeder, cancelled), asked);
    lab.bring(other, asked[0] * 4, 1);
    assert!(lab.take_packets(feeder, cancelled).is_empty(), "it is told once");
}

#[test]
fn what_a_feeder_begins_with_is_taken_back_elsewhere() {
    let mut lab = Lab::new(16, false, 8 << 20);
    let feeder = lab.link(Role::Parent, 16);
    let other = lab.link(Role::Lateral, 16);
    lab.pass_ms(4_500);
    let asked = lab.take_packets(other, requested);
    // What was on its way when it was told not to push it.
    lab.bring(feeder, asked[0] * 4, 1);
    assert_eq!(lab.take_packets(other, cancelled), [asked[0]]);
}

#[test]
fn a_feeder_pushes_in_its_turn_what_it_refuses() {
    let mut lab = Lab::new(6, true, 8 << 20);
    let child = lab.link(Role::Child, 0);
    lab.subscribe(child);
    lab.say(child, &LinkMessage::Cancel { packets: vec![Run { first: 2, count: 3 }] });
    for _ in 0..12 {
        lab.acknowledge(child);
    }
    lab.take_said();
    lab.give(Input::UploadLimit { bytes_per_s: Some(0) });
    lab.request(child, 3, 1, Vec::new());
    assert_eq!(lab.take_packets(child, refused), [3]);
    lab.give(Input::UploadLimit { bytes_per_s: None });
    for _ in 0..4 {
        lab.acknowledge(child);
    }
    let groups: Vec<u32> = lab.take_groups().into_iter().map(|(_, group)| group).collect();
    assert_eq!(groups, [12, 13, 14, 15], "and nothing else that was declined");
}

#[test]
fn what_a_feeder_refuses_is_left_to_it() {
    let mut lab = Lab::new(1, false, 8 << 20);
    let feeder = lab.link(Role::Parent, 1);
    let other = lab.link(Role::Lateral, 1);
    lab.pass_ms(4_500);
    let packets = vec![Run { first: 0, count: 1 }];
    let declined = |lab: &Lab| lab.peer.links[&feeder].receiving.declined.count();
    assert_eq!((lab.take_packets(other, requested), declined(&lab)), (vec![0], 1));
    lab.say(other, &LinkMessage::Refuse { packets: packets.clone() });
    lab.pass_ms(400);
    assert_eq!(lab.take_packets(feeder, requested), [0], "nobody else is left");
    lab.say(feeder, &LinkMessage::Refuse { packets });
    assert_eq!(declined(&lab), 0);
}

#[test]
fn what_was_declined_is_not_pushed_unless_it_is_asked_for() {
    let mut lab = Lab::new(6, true, 8 << 20);
    let link = lab.link(Role::Child, 0);
    lab.subscribe(link);
    lab.say(link, &LinkMessage::Cancel { packets: vec![Run { first: 2, count: 3 }] });
    for _ in 0..12 {
        lab.acknowledge(link);
    }
    let mut groups: Vec<u32> = lab.take_groups().into_iter().map(|(_, group)| group).collect();
    groups.sort_unstable();
    assert_eq!(groups, [0, 1, 2, 3, 4, 5, 6, 7, 20, 21, 22, 23]);
    lab.request(link, 3, 1, Vec::new());
    for _ in 0..4 {
        lab.acknowledge(link);
    }
    assert_eq!(lab.take_groups().len(), 4);
}

#[test]
fn what_was_declined_while_it_was_being_read_is_not_sent() {
    let mut lab = Lab::new(4, true, 0);
    lab.has_store = false;
    let link = lab.link(Role::Child, 0);
    lab.acknowledge(link);
    lab.subscribe(link);
    assert!(!lab.reads.is_empty());
    lab.say(link, &LinkMessage::Cancel { packets: vec![Run { first: 0, count: 4 }] });
    for (packet, read) in core::mem::take(&mut lab.reads).into_iter().enumerate() {
        let bytes = Bytes::copy_from_slice(&lab.content[packet * PACKET_BYTES..][..PACKET_BYTES]);
        lab.give(Input::ReadDone { read, bytes });
    }
    assert_eq!(lab.take_groups(), []);
}

#[test]
fn what_was_left_to_a_feeder_before_and_does_not_come_is_asked_for_at_once() {
    let mut lab = Lab::new(64, false, 64 << 20);
    lab.link(Role::Parent, 64);
    let other = lab.link(Role::Lateral, 64);
    let feeder = lab.link(Role::Parent, 64);
    let left = lab.take_packets(feeder, cancelled);
    assert!(left.contains(&0) && !left.contains(&20), "the one before may bring these: {left:?}");
    // The one before brings nothing, and it looks as if nothing were out yet, until this comes.
    lab.pass_ms(2_400);
    lab.bring(feeder, 20 * 4, 4);
    lab.take_said();
    lab.pass_ms(600);
    let said = lab.take_said();
    let asked =
        said.iter().filter(|(on, _)| *on == other || *on == feeder).filter_map(|(_, message)| requested(message));
    assert!(asked.flatten().any(|run| left.iter().any(|packet| run.contains(*packet))), "{said:?}");
}

#[test]
fn what_a_new_feeder_was_asked_for_is_not_declined_there() {
    let mut lab = Lab::new(4, false, 8 << 20);
    let feeder = lab.link(Role::Parent, 4);
    let other = lab.link(Role::Lateral, 4);
    // Both are there, and bring nothing.
    for packet in 0..4 {
        lab.pass_ms(1_000);
        for link in [feeder, other] {
            lab.say(link, &LinkMessage::Have { packets: vec![Run { first: packet, count: 1 }] });
        }
    }
    let asked: Vec<u32> = lab.peer.links[&other].receiving.outstanding.keys().map(|packet| packet.get()).collect();
    assert!(!asked.is_empty());
    lab.take_said();
    let to_feed = Edge::new(lab.peer.links[&other].peer, Role::Parent, ALL, true);
    lab.give(Input::TrackerMessage(FromTracker::Plan { open: vec![to_feed], close: Vec::new() }.encode()));
    assert!(lab.said.iter().any(|(link, message)| *link == other && matches!(message, LinkMessage::Subscribe { .. })));
    let declined = lab.take_packets(other, cancelled);
    assert!(!declined.is_empty(), "what the one before may have on its way");
    assert!(asked.iter().all(|packet| !declined.contains(packet)), "{asked:?} were asked for, {declined:?} declined");
}

#[test]
fn at_the_end_what_is_late_is_asked_for_elsewhere_as_well() {
    let mut lab = Lab::new(1, false, 8 << 20);
    let one = lab.link(Role::Lateral, 1);
    assert_eq!(lab.take_packets(one, requested), [0]);
    let other = lab.link(Role::Lateral, 1);
    lab.pass_ms(1_500);
    assert!(lab.take_packets(other, requested).is_empty(), "it may come yet");
    lab.pass_ms(1_500);
    assert_eq!(lab.take_packets(other, requested), [0]);
}

#[test]
fn a_promise_that_is_not_kept_is_taken_back() {
    let mut lab = Lab::new(256, false, 64 << 20);
    let feeder = lab.link(Role::Parent, 256);
    (0..160).for_each(|packet| lab.bring(feeder, packet * 4, 4));
    let asker = lab.link(Role::Child, 0);
    lab.acknowledge(asker);
    lab.subscribe(asker);
    lab.take_said();
    // As much is on its way to it as may be, so the one packet that it is promised has to wait.
    lab.request(asker, 150, 4, Vec::new());
    assert_eq!(lab.take_packets(asker, refused), [151, 152, 153]);
    let mut refused_packets = Vec::new();
    for packet in 160..170 {
        lab.pass_ms(250);
        lab.bring(feeder, packet * 4, 4);
        let said = lab.take_said();
        refused_packets.extend(said.iter().filter_map(|(_, message)| refused(message)).flatten().map(|run| run.first));
    }
    assert_eq!(refused_packets, [150]);
}

#[test]
fn a_whole_packet_that_is_partly_being_written_is_read_after_the_write() {
    let mut lab = Lab::new(4, false, 0);
    lab.has_store = false;
    let feeder = lab.link(Role::Parent, 4);
    lab.bring(feeder, 0, 2);
    let write = lab.writes.remove(0);
    lab.give(Input::Written(write));
    // The first half has left the cache by now; the second is on its way to the store.
    lab.bring(feeder, 2, 2);
    let child = lab.link(Role::Child, 0);
    lab.acknowledge(child);
    lab.subscribe(child);
    assert!(lab.reads.is_empty(), "half of it is not in the store yet");
    let write = lab.writes.remove(0);
    lab.give(Input::Written(write));
    assert_eq!(lab.reads.len(), 1);
    let bytes = Bytes::copy_from_slice(&lab.content[..PACKET_BYTES]);
    lab.give(Input::ReadDone { read: lab.reads[0], bytes });
    for _ in 0..4 {
        lab.acknowledge(child);
    }
    assert!(!lab.take_groups().is_empty());
}

#[test]
fn a_status_tells_what_came_from_whom() {
    let mut lab = Lab::new(16, false, 8 << 20);
    let feeder = lab.link(Role::Parent, 16);
    let idle = lab.link(Role::Lateral, 0);
    for packet in 0..4 {
        lab.bring(feeder, packet * 4, 4);
    }
    lab.pass_ms(1_500);
    let received: Vec<_> = core::mem::take(&mut lab.told)
        .into_iter()
        .filter_map(|message| if let ToTracker::Status(status) = message { Some(status.received) } else { None })
        .flatten()
        .collect();
    assert_eq!(received.iter().map(|got| got.bytes_per_s).sum::<u64>(), 4 * PACKET_BYTES as u64, "{received:?}");
    assert!(received.iter().all(|got| got.peer == lab.peer.links[&feeder].peer), "nothing came from {idle:?}");
}

#[test]
fn who_is_to_be_spared_is_asked_only_for_what_nobody_else_about_has() {
    let mut lab = Lab::new(16, false, 8 << 20);
    let slow = lab.link(Role::Lateral, 0);
    let edge = Edge::new(lab.peer.links[&slow].peer, Role::Lateral, StripeMask::NONE, true);
    let plan = |edge| Input::TrackerMessage(FromTracker::Plan { open: vec![edge], close: Vec::new() }.encode());
    lab.give(plan(Edge { spared: true, ..edge.clone() }));
    let other = lab.link(Role::Lateral, 8);
    lab.say(slow, &LinkMessage::Have { packets: vec![Run { first: 0, count: 16 }] });
    lab.take_said();
    let mut asked = std::collections::BTreeSet::new();
    for _ in 0..20 {
        lab.pass_ms(500);
        let said = lab.take_said();
        let of = |on| said.iter().filter(move |(link, _)| *link == on).filter_map(|(_, message)| requested(message));
        asked.extend(of(slow).flatten().flat_map(|run| run.first..run.first + run.count));
        for run in of(other).flatten().chain(of(slow).flatten()).copied().collect::<Vec<_>>() {
            let on = if run.first < 8 { other } else { slow };
            (run.first..run.first + run.count).for_each(|packet| lab.bring(on, packet * 4, 4));
        }
    }
    assert_eq!(asked.into_iter().collect::<Vec<_>>(), (8..16).collect::<Vec<_>>());
}
