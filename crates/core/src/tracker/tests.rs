//! What a tracker answers, to friend and foe.

mod cluster;
mod known;
mod orders;
mod presets;

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use super::contract::{Event, Input, Output};
use super::{Tracker, TrackerConfig};
use crate::ids::{ConnectionId, ContentId, PeerId, PeerSecret, Signature, SocketNonce};
use crate::time::Time;
use crate::wire::identity::Identity;
use crate::wire::signal::Signal;
use crate::wire::tracker::{
    FromTracker, Join, LinkReport, MESSAGE_BYTES_MAX, Received, Refusal, Role, STATUS_RECEIVED_MAX, Status, StripeMask,
    ToTracker, VERSION,
};

struct Desk {
    tracker: Tracker,
    now: Time,
    /// What came out while somebody connected, but for what is said to whom.
    outputs: VecDeque<Output>,
    nonces: BTreeMap<u64, SocketNonce>,
}

/// What came out for one socket.
#[derive(Debug, Default)]
struct Got {
    messages: Vec<FromTracker>,
    closed: bool,
}

impl Got {
    fn refusal(&self) -> Option<Refusal> {
        self.messages.iter().find_map(|message| match message {
            FromTracker::Error { code, .. } => Some(*code),
            _ => None,
        })
    }

    fn parents(&self) -> Vec<PeerId> {
        let plans = self.messages.iter().filter_map(|message| match message {
            FromTracker::Plan { open, .. } => Some(open),
            _ => None,
        });
        plans.flatten().filter(|edge| edge.role == Role::Parent).map(|edge| edge.peer).collect()
    }
}

fn secret(number: u8) -> PeerSecret {
    PeerSecret::from_bytes([number; 16])
}

fn identity(number: u8) -> Identity {
    Identity::of_peer(&[number; 32])
}

fn id(number: u8) -> PeerId {
    identity(number).peer_id()
}

fn join(number: u8, held: u32) -> ToTracker {
    ToTracker::Join(Join {
        fetches: false,
        version: VERSION,
        swarm: ContentId::from_bytes([1; 32]),
        key: identity(number).key(),
        signature: Signature::from_bytes([0; 64]),
        secret: secret(number),
        agent: "test".to_owned(),
        packets_held: held,
        packets_total: 10,
        slots: 4,
        links: Vec::new(),
    })
}

/// Signed by the peer of the number that its secret is made of.
fn signed(join: &Join, nonce: &SocketNonce) -> Join {
    let signature = identity(join.secret.as_bytes()[0]).sign(nonce, &join.swarm, &join.secret);
    Join { signature, ..join.clone() }
}

fn status(packets_held: u32, received: Vec<Received>) -> ToTracker {
    ToTracker::Status(Status { packets_held, down_bytes_per_s: 0, up_bytes_per_s: 0, limited: false, received })
}

impl Desk {
    fn new(config: TrackerConfig) -> Self {
        Self::of(Tracker::new(config, [1; 32], Time::ZERO))
    }

    fn of(tracker: Tracker) -> Self {
        Self { tracker, now: Time::from_millis(1), outputs: VecDeque::new(), nonces: BTreeMap::new() }
    }

    fn connect(&mut self, socket: u64) {
        self.tracker.handle_input(Input::Connected(ConnectionId(socket)), self.now);
        self.outputs.extend(core::iter::from_fn(|| self.tracker.poll_output()));
        let hello = self.outputs.pop_back().expect("the tracker speaks first");
        let Output::Send { text, .. } = hello else { panic!("{hello:?}") };
        let Ok(FromTracker::Hello { nonce }) = FromTracker::decode(&text) else { panic!("{text}") };
        self.nonces.insert(socket, nonce);
    }

    /// Says something; a join is signed by whom it names.
    fn say(&mut self, socket: u64, message: &ToTracker) {
        let text = match (message, self.nonces.get(&socket)) {
            (ToTracker::Join(join), Some(nonce)) => ToTracker::Join(signed(join, nonce)).encode(),
            _ => message.encode(),
        };
        self.say_text(socket, &text);
    }

    fn say_text(&mut self, socket: u64, text: &str) {
        let input = Input::Message { connection: ConnectionId(socket), text: text.to_owned() };
        self.tracker.handle_input(input, self.now);
    }

    /// A peer joins by the socket of its number.
    fn join(&mut self, number: u8, held: u32) {
        self.connect(u64::from(number));
        self.say(u64::from(number), &join(number, held));
    }

    fn pass_s(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        while let Some((at, _)) = self.tracker.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = at;
            self.tracker.handle_timeout(at);
        }
        self.now = end;
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front().or_else(|| self.tracker.poll_output())
    }

    /// All that came out since the last call, for one socket.
    fn take(&mut self, socket: u64) -> Got {
        let mut got = Got::default();
        while let Some(output) = self.poll_output() {
            match output {
                Output::Send { connection, text } if connection.0 == socket => {
                    got.messages.push(FromTracker::decode(&text).expect("its own messages are valid"));
                }
                Output::Close { connection } if connection.0 == socket => got.closed = true,
                _ => {}
            }
        }
        got
    }
}

#[test]
fn a_join_is_welcomed_and_placed() {
    let mut desk = Desk::new(TrackerConfig::default());
    desk.join(1, 10);
    let seeder = desk.take(1);
    assert!(matches!(&seeder.messages[0], FromTracker::Welcome { manifest_wanted: true, .. }));
    desk.join(2, 0);
    let peer = desk.take(2);
    assert!(matches!(&peer.messages[0], FromTracker::Welcome { peer, .. } if *peer == id(2)));
    assert_eq!(peer.parents(), [id(1)]);
}

#[test]
fn a_copied_id_gains_nothing() {
    let mut desk = Desk::new(TrackerConfig::default());
    desk.join(1, 10);
    desk.take(0);
    // All that a join of 1 says, by whoever has read it: on another socket its signature is no good.
    let ToTracker::Join(original) = join(1, 10) else { unreachable!("it is a join") };
    let read = signed(&original, &desk.nonces[&1]);
    desk.connect(2);
    desk.say_text(2, &ToTracker::Join(read).encode());
    let got = desk.take(2);
    assert!(got.closed && got.refusal() == Some(Refusal::Denied), "{got:?}");
    // Somebody's key, signed with another.
    desk.connect(3);
    let forged = Join { key: identity(1).key(), secret: secret(3), ..original };
    desk.say(3, &ToTracker::Join(forged));
    assert_eq!(desk.take(3).refusal(), Some(Refusal::Denied));
    desk.join(4, 0);
    assert_eq!(desk.take(4).parents(), [id(1)], "1 is as it was");
}

#[test]
fn a_manifest_that_is_held_is_not_wanted() {
    let mut desk = Desk::new(TrackerConfig::default());
    desk.tracker.handle_input(Input::ManifestHeld(ContentId::from_bytes([1; 32])), desk.now);
    desk.join(1, 10);
    assert!(matches!(&desk.take(1).messages[0], FromTracker::Welcome { manifest_wanted: false, .. }));
}

#[test]
fn signals_go_only_between_peers_told_to_meet() {
    let mut desk = Desk::new(TrackerConfig { laterals: 0, fan_out_max: 1, ..TrackerConfig::default() });
    for number in 1..=3 {
        desk.join(number, if number == 1 { 10 } else { 0 });
    }
    desk.take(0);
    let signal = Signal::Offer { sdp: "v=0".to_owned() };
    let to = |number| ToTracker::Signal { to: id(number), session: 1, signal: signal.clone() };
    desk.say(1, &to(3));
    assert!(desk.take(3).messages.is_empty(), "the third is below the second");
    desk.say(1, &to(2));
    let got = desk.take(2);
    assert!(matches!(&got.messages[..], [FromTracker::Signal { from, .. }] if *from == id(1)));
}

#[test]
fn nonsense_is_refused_with_a_reason_and_hurts_nobody_else() {
    let long = "x".repeat(MESSAGE_BYTES_MAX + 1);
    let other_version = join(2, 0).encode().replace("\"version\":1", "\"version\":9");
    let too_much = join(2, 0).encode().replace("\"packets_held\":0", "\"packets_held\":11");
    let cases = [
        ("", Refusal::BadMessage),
        ("{}", Refusal::BadMessage),
        ("[1,2", Refusal::BadMessage),
        ("{\"type\":\"leave\"}", Refusal::BadMessage),
        (long.as_str(), Refusal::BadMessage),
        (other_version.as_str(), Refusal::Version),
        (too_much.as_str(), Refusal::BadMessage),
    ];
    let mut desk = Desk::new(TrackerConfig::default());
    desk.join(1, 10);
    for (text, refusal) in cases {
        desk.connect(9);
        desk.say_text(9, text);
        let got = desk.take(9);
        assert_eq!(got.refusal(), Some(refusal), "{}", &text[..text.len().min(40)]);
        assert!(got.closed);
    }
    assert_eq!(desk.tracker.stats().swarms[0].peers, 1);
    assert_eq!(desk.tracker.stats().connections, 1);
}

#[test]
fn messages_of_later_protocols_are_ignored() {
    let mut desk = Desk::new(TrackerConfig::default());
    desk.join(1, 10);
    desk.take(1);
    desk.say_text(1, "{\"type\":\"dance\",\"steps\":3}");
    desk.say_text(
        1,
        "{\"type\":\"status\",\"packets_held\":10,\"down_bytes_per_s\":0,\"up_bytes_per_s\":0,\"mood\":1}",
    );
    assert!(!desk.take(1).closed);
}

#[test]
fn a_flood_is_cut_off() {
    let mut desk = Desk::new(TrackerConfig { messages_per_s_max: 5, ..TrackerConfig::default() });
    desk.join(1, 10);
    for _ in 0..60 {
        desk.say(1, &ToTracker::Pong);
    }
    let got = desk.take(1);
    assert_eq!(got.refusal(), Some(Refusal::TooFast));
    assert!(got.closed);
    assert!(desk.tracker.stats().swarms.is_empty());
}

#[test]
fn limits_of_swarms_and_peers_hold() {
    let config = TrackerConfig { swarms_max: 1, peers_per_swarm_max: 2, ..TrackerConfig::default() };
    let mut desk = Desk::new(config);
    desk.join(1, 10);
    desk.join(2, 0);
    desk.take(0);
    desk.join(3, 0);
    assert_eq!(desk.take(3).refusal(), Some(Refusal::Full));
    desk.connect(4);
    let ToTracker::Join(join) = join(4, 0) else { unreachable!("it is a join") };
    desk.say(4, &ToTracker::Join(Join { swarm: ContentId::from_bytes([2; 32]), ..join }));
    assert_eq!(desk.take(4).refusal(), Some(Refusal::Full));
}

#[test]
fn a_silent_peer_is_pinged_and_then_dropped() {
    let mut desk = Desk::new(TrackerConfig::default());
    desk.join(1, 10);
    desk.join(2, 0);
    desk.take(0);
    desk.pass_s(12);
    desk.say(1, &ToTracker::Pong);
    assert!(desk.take(2).messages.contains(&FromTracker::Ping));
    desk.pass_s(12);
    desk.say(1, &ToTracker::Pong);
    desk.pass_s(12);
    desk.say(1, &ToTracker::Pong);
    assert!(desk.take(2).closed);
    assert_eq!(desk.tracker.stats().swarms[0].peers, 1, "only the one that answered");
}

#[test]
fn a_socket_that_never_joins_is_closed() {
    let mut desk = Desk::new(TrackerConfig::default());
    desk.connect(1);
    desk.pass_s(15);
    assert!(desk.take(1).closed);
    assert_eq!(desk.tracker.poll_timeout(), None, "a tracker without peers sleeps");
}

#[test]
fn a_broken_socket_keeps_its_place_and_comes_back() {
    let mut desk = Desk::new(TrackerConfig::default());
    desk.join(1, 10);
    desk.join(2, 0);
    desk.tracker.handle_input(Input::Disconnected(ConnectionId(2)), desk.now);
    desk.pass_s(3);
    assert_eq!(desk.tracker.stats().swarms[0].peers, 2);
    desk.take(0);
    desk.connect(20);
    desk.say(20, &join(2, 3));
    assert_eq!(desk.take(20).parents(), [id(1)], "told its edges again");
    desk.tracker.handle_input(Input::Disconnected(ConnectionId(20)), desk.now);
    desk.pass_s(15);
    assert_eq!(desk.tracker.stats().swarms[0].peers, 1, "gone for good");
}

#[test]
fn the_same_peer_again_replaces_its_older_socket() {
    let mut desk = Desk::new(TrackerConfig::default());
    desk.join(1, 10);
    desk.connect(7);
    desk.say(7, &join(1, 10));
    let mut replaced = false;
    while let Some(output) = desk.poll_output() {
        replaced |= matches!(output, Output::Close { connection } if connection.0 == 1);
    }
    assert!(replaced);
    assert_eq!(desk.tracker.stats().swarms[0].peers, 1);
}

#[test]
fn a_peer_with_everything_becomes_a_parent() {
    let mut desk = Desk::new(TrackerConfig::default());
    desk.join(1, 10);
    desk.join(2, 0);
    desk.say(2, &status(10, Vec::new()));
    desk.say(1, &ToTracker::Leave);
    desk.take(0);
    desk.join(3, 0);
    assert_eq!(desk.take(3).parents(), [id(2)]);
}

#[test]
fn an_accusation_counts_only_from_a_neighbour() {
    let mut desk = Desk::new(TrackerConfig { reporters_to_ban: 1, ..TrackerConfig::default() });
    desk.join(1, 10);
    desk.join(2, 0);
    desk.say(2, &ToTracker::Bad { peer: id(9) });
    assert_eq!(desk.tracker.stats().swarms[0].peers, 2);
    desk.say(2, &ToTracker::Bad { peer: id(1) });
    let mut banned = false;
    while let Some(output) = desk.poll_output() {
        banned |= matches!(output, Output::Event(Event::Banned { .. }));
    }
    assert!(banned);
    desk.connect(11);
    desk.say(11, &join(1, 10));
    assert_eq!(desk.take(11).refusal(), Some(Refusal::Banned));
}

/// Row C3 ([002]): which transfers there are follows from what peers ask for.
#[test]
fn who_lacks_something_is_given_feeders_and_who_has_it_is_not() {
    let mut desk = Desk::new(TrackerConfig::default());
    let mut map = Map::default();
    for (number, held) in [(1, 10), (2, 0), (3, 0)] {
        desk.join(number, held);
    }
    desk.pass_s(3);
    map.follow(&mut desk);
    assert!(map.fed(2) > 0 && map.fed(3) > 0, "who asks is fed: {map:?}");
    assert_eq!((map.fed(1), map.children(1) > 0), (0, true), "who lacks nothing feeds, and is not fed");
    desk.say(2, &status(10, Vec::new()));
    desk.pass_s(3);
    map.follow(&mut desk);
    assert!(map.fed(2) == 0 && map.feeds(2, 3), "it asks for nothing more, and feeds who still does: {map:?}");
}

/// Row A4 ([000]): a peer asks the tracker to join, and is placed; peers report the dead, whose place others take.
#[test]
fn a_dead_feeder_that_is_reported_is_replaced_by_a_live_one() {
    let mut desk = Desk::new(TrackerConfig::default());
    let mut map = Map::default();
    desk.join(1, 10);
    desk.join(2, 0);
    map.follow(&mut desk);
    let stripes = map.fed(2);
    assert!(map.feeds(1, 2), "{map:?}");
    desk.join(3, 10);
    desk.say(2, &lost(1, true));
    map.follow(&mut desk);
    assert!(!map.feeds(1, 2) && map.feeds(3, 2), "{map:?}");
    assert_eq!(map.fed(2), stripes, "nothing of what it gets is missing");
}

fn lost(number: u8, was_open: bool) -> ToTracker {
    ToTracker::Lost { peer: id(number), was_open }
}

#[test]
fn who_loses_its_only_seeder_for_a_moment_is_told_of_it_again_at_once() {
    let mut desk = Desk::new(TrackerConfig::default());
    let mut map = Map::default();
    desk.join(1, 10);
    desk.join(2, 0);
    map.follow(&mut desk);
    let stripes = map.fed(2);
    desk.say(2, &lost(1, true));
    map.follow(&mut desk);
    assert_eq!(map.fed(2), 0, "what was is over, for both");
    desk.pass_s(2);
    map.follow(&mut desk);
    assert!(map.feeds(1, 2) && map.fed(2) == stripes, "{map:?}");
    // One that could not be reached is left alone for longer, but others are not.
    desk.say(2, &lost(1, false));
    desk.pass_s(10);
    map.follow(&mut desk);
    assert_eq!(map.fed(2), 0);
    desk.join(3, 10);
    map.follow(&mut desk);
    assert!(map.feeds(3, 2) && map.fed(2) == stripes, "{map:?}");
}

#[test]
fn who_loses_the_parent_it_came_back_with_is_given_another() {
    // The tracker was started anew, and 1 is gone with the old one.
    let mut desk = Desk::new(TrackerConfig::default());
    let mut map = Map::default();
    let ToTracker::Join(newcomer) = join(2, 5) else { unreachable!("it is a join") };
    let stripes = StripeMask::all(TrackerConfig::default().stripes);
    let links = vec![LinkReport { peer: id(1), role: Role::Parent, stripes }];
    desk.connect(2);
    desk.say(2, &ToTracker::Join(Join { links, ..newcomer }));
    desk.join(3, 10);
    map.follow(&mut desk);
    assert_eq!(map.fed(2), 0, "a link that works is left alone");
    desk.say(2, &lost(1, true));
    map.follow(&mut desk);
    assert!(map.feeds(3, 2), "{map:?}");
}

/// Who has which neighbours, as the plans tell it: stripes by parent, by socket.
#[derive(Debug, Default)]
struct Map(BTreeMap<u64, BTreeMap<PeerId, (u32, u32)>>);

impl Map {
    /// Takes in all that came out since the last call.
    fn follow(&mut self, desk: &mut Desk) {
        while let Some(output) = desk.poll_output() {
            let Output::Send { connection, text } = output else { continue };
            let Ok(FromTracker::Plan { open, close }) = FromTracker::decode(&text) else { continue };
            let edges = self.0.entry(connection.0).or_default();
            edges.retain(|peer, _| !close.contains(peer) && open.iter().all(|edge| edge.peer != *peer));
            for edge in open {
                let (parent, child) = edges.entry(edge.peer).or_default();
                match edge.role {
                    Role::Parent => *parent += edge.stripes.0.count_ones(),
                    Role::Child => *child += edge.stripes.0.count_ones(),
                    Role::Lateral => {}
                }
            }
        }
    }

    fn children(&self, socket: u64) -> u32 {
        self.0.get(&socket).into_iter().flatten().map(|(_, (_, child))| child).sum()
    }

    /// Stripes that are fed to it.
    fn fed(&self, socket: u64) -> u32 {
        self.0.get(&socket).into_iter().flatten().map(|(_, (parent, _))| parent).sum()
    }

    /// Whether one is told to feed another, and that one to take it.
    fn feeds(&self, number: u8, other: u8) -> bool {
        let edge = |of: u8, to: u8| self.0.get(&u64::from(of)).and_then(|edges| edges.get(&id(to)));
        edge(number, other).is_some_and(|edge| edge.1 > 0) && edge(other, number).is_some_and(|edge| edge.0 > 0)
    }

    /// Everybody tells what it gets of each parent: much, but next to nothing of `slow`, if `may_tell` of that.
    fn tell(&mut self, desk: &mut Desk, slow: PeerId, may_tell: impl Fn(bool) -> bool) {
        for (socket, edges) in self.0.clone() {
            let parents = edges.iter().filter(|(peer, (parent, _))| *parent > 0 && **peer != slow);
            let mut received: Vec<Received> = parents
                .map(|(peer, (parent, _))| Received {
                    peer: *peer,
                    bytes_per_s: 250_000 * u64::from(*parent),
                    waited: true,
                })
                .collect();
            if id(socket as u8) != slow && may_tell(edges.contains_key(&slow)) {
                received.push(Received { peer: slow, bytes_per_s: 10, waited: true });
            }
            desk.say(socket, &status(if socket == 1 { 10 } else { 0 }, received));
        }
        desk.pass_s(1);
        self.follow(desk);
    }
}

/// A source, 23 others, and the socket of one that feeds some of them.
fn with_one_that_feeds() -> (Desk, Map, u64) {
    let mut desk = Desk::new(TrackerConfig { laterals: 0, silence_ms_max: 100_000, ..TrackerConfig::default() });
    let mut map = Map::default();
    for number in 1..=24 {
        desk.connect(u64::from(number));
        let ToTracker::Join(join) = join(number, if number == 1 { 10 } else { 0 }) else { unreachable!() };
        desk.say(u64::from(number), &ToTracker::Join(Join { slots: 64, ..join }));
    }
    desk.pass_s(4);
    map.follow(&mut desk);
    let feeds = (2..=24).find(|socket| map.children(*socket) >= 4).expect("nearly all feed");
    (desk, map, feeds)
}

#[test]
fn what_came_from_a_peer_is_believed_of_its_neighbours_only() {
    let (mut desk, mut map, slow) = with_one_that_feeds();
    let slow_id = id(slow as u8);
    for _ in 0..12 {
        map.tell(&mut desk, slow_id, |is_neighbour| !is_neighbour);
    }
    assert!(map.children(slow) >= 4, "strangers have no word in it");
    for _ in 0..12 {
        map.tell(&mut desk, slow_id, |is_neighbour| is_neighbour);
    }
    assert_eq!(map.children(slow), 0, "its children know");
}

#[test]
fn how_fast_a_probe_came_is_believed_of_neighbours_only() {
    let (mut desk, mut map, slow) = with_one_that_feeds();
    for is_by_neighbours in [false, true] {
        for (socket, edges) in map.0.clone() {
            let rates = edges.keys().filter(|peer| **peer != id(slow as u8)).map(|peer| (*peer, 1_000_000));
            let tells = socket != slow && edges.contains_key(&id(slow as u8)) == is_by_neighbours;
            let rates = rates.chain(tells.then_some((id(slow as u8), 1_000)));
            let received = rates.map(|(peer, bytes_per_s)| Received { peer, bytes_per_s, waited: true }).collect();
            desk.say(socket, &ToTracker::Probed { received });
        }
        for _ in 0..6 {
            desk.pass_s(1);
            map.follow(&mut desk);
        }
        assert_eq!(map.children(slow) == 0, is_by_neighbours, "{} children", map.children(slow));
    }
    let received = vec![Received { peer: id(2), bytes_per_s: 1, waited: true }; STATUS_RECEIVED_MAX + 1];
    desk.take(0);
    desk.say(1, &ToTracker::Probed { received });
    assert_eq!(desk.take(1).refusal(), Some(Refusal::BadMessage));
}

#[test]
fn a_status_with_too_many_reports_is_refused() {
    let mut desk = Desk::new(TrackerConfig::default());
    desk.join(1, 10);
    let received = Received { peer: id(2), bytes_per_s: u64::MAX, waited: true };
    desk.say(1, &status(10, vec![received.clone(); STATUS_RECEIVED_MAX]));
    assert_eq!(desk.take(1).refusal(), None);
    desk.say(1, &status(10, vec![received; STATUS_RECEIVED_MAX + 1]));
    assert_eq!(desk.take(1).refusal(), Some(Refusal::BadMessage));
}
