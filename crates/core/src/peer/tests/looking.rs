//! Rows D1, D2 and D6: peers find each other while the tracker is away, and liars on the way gain nothing.

use super::*;
use crate::ids::{AskId, ContentId};
use crate::lookup::Policy;
use crate::peer::LookupConfig;
use crate::wire::lookup::{Answer, Ask, HOLDERS_MAX, Holder, LookupMessage, Meeting, Reach};
use crate::wire::tracker::ToTracker;

const SIZE: usize = 8_000_000;
/// Types of messages.
const ASK: u8 = 15;
const BUSY: u8 = 17;

fn add_with_lookup(world: &mut World, start: Start, lookup: LookupConfig) -> usize {
    let stored = if matches!(start, Start::Complete(_)) { world.content.clone() } else { vec![0; world.content.len()] };
    world.add_with(start, 8, stored, |config| config.lookup = lookup)
}

fn found(world: &World, node: usize) -> usize {
    world.nodes[node].peer.stats(world.now).links.iter().filter(|link| link.is_found).count()
}

/// Messages of a type that went along links.
fn said(world: &World, kind: u8) -> usize {
    world.looked_up.iter().filter(|(_, message)| message[0] == kind).count()
}

fn neighbours(world: &World, node: usize) -> Vec<usize> {
    world.nodes[node].channels.values().map(|(far, _)| *far).collect()
}

fn limit(world: &mut World, node: usize, bytes_per_s: u64) {
    world.give(node, Input::UploadLimit { bytes_per_s: Some(bytes_per_s) });
}

/// A swarm without laterals in which everybody has a part, and then no tracker.
fn lost_swarm(lookup: &LookupConfig) -> (World, Vec<usize>) {
    let config = TrackerConfig { stripes: 4, fan_out_max: 4, laterals: 0, ..TrackerConfig::default() };
    let mut world = World::with_tracker(SIZE, config);
    let tree = world.tree.clone();
    let source = add_with_lookup(&mut world, Start::Complete(tree), lookup.clone());
    limit(&mut world, source, 400_000);
    let peers: Vec<usize> = (0..12).map(|_| add_with_lookup(&mut world, Start::Empty, lookup.clone())).collect();
    world.run_s(8);
    world.lose_tracker();
    world.run_s(2);
    (world, [vec![source], peers].concat())
}

/// Takes a peer's neighbours away, all but one at a time, so often. Whether it found others each time.
fn loses_neighbours(world: &mut World, peer: usize, keep: usize, rounds: usize) -> bool {
    for _ in 0..rounds {
        let gone: Vec<usize> = neighbours(world, peer).into_iter().filter(|other| *other != keep).collect();
        let last = gone.len().saturating_sub(1);
        gone.iter().take(last).for_each(|other| world.kill(*other));
        world.run_s(12);
        if neighbours(world, peer).len() < 2 {
            return false;
        }
    }
    true
}

#[test]
fn d1_d2_who_loses_its_neighbours_finds_others_through_those_that_are_left() {
    let (mut world, nodes) = lost_swarm(&LookupConfig::default());
    let (source, peer) = (nodes[0], nodes[5]);
    let first: Vec<usize> = neighbours(&world, peer);
    assert!(loses_neighbours(&mut world, peer, source, 2), "there were others each time");
    assert!(found(&world, peer) > 0, "they were looked up");
    let known = world.nodes[peer].peer.looking.directory.locations(world.tree.root()).count();
    assert!(known > 0, "answers are in the list");
    // Those it began with go too, down to the last.
    for gone in first.into_iter().filter(|gone| *gone != source) {
        world.kill(gone);
    }
    limit(&mut world, source, 4_000_000);
    world.run_s(60);
    assert!(world.has_all(peer));
}

#[test]
fn without_looking_up_they_would_be_lost() {
    let off = LookupConfig { is_on: false, ..LookupConfig::default() };
    let (mut world, nodes) = lost_swarm(&off);
    let peer = nodes[5];
    for other in neighbours(&world, peer) {
        if world.nodes[other].alive && neighbours(&world, peer).len() > 1 {
            world.kill(other);
        }
    }
    world.run_s(40);
    assert_eq!(neighbours(&world, peer).len(), 1, "nobody new is met");
    assert_eq!(said(&world, ASK), 0);
}

#[test]
fn d2_asking_can_be_broadcast_or_in_the_group_or_one_by_one() {
    for reach in [Reach::BROADCAST, Reach::GROUP, Reach::POLL] {
        let lookup = LookupConfig { reaches: vec![reach], ..LookupConfig::default() };
        let (mut world, nodes) = lost_swarm(&lookup);
        assert!(loses_neighbours(&mut world, nodes[5], nodes[0], 1), "{reach:?}");
        assert!(found(&world, nodes[5]) > 0, "{reach:?}");
    }
}

#[test]
fn every_policy_finds_somebody() {
    for (name, policy) in Policy::NAMED {
        let (mut world, nodes) = lost_swarm(&LookupConfig { policy, ..LookupConfig::default() });
        // With the source beside it, somebody is left who knows others, whoever goes.
        let peer = nodes[1..].iter().copied().find(|peer| neighbours(&world, *peer).contains(&nodes[0]));
        let peer = peer.expect("the source feeds somebody");
        assert!(loses_neighbours(&mut world, peer, nodes[0], 1), "{name}");
        assert!(found(&world, peer) > 0, "{name}");
    }
}

/// Two processes that share one package, and a third that has another; then no tracker.
struct TwoPackages {
    world: World,
    /// The process that will want the other package.
    mine: usize,
    /// The other's engine for the other package.
    other: usize,
}

impl TwoPackages {
    /// `other_gives`: whether the neighbour's own engine of the other package gives; else it only knows who does.
    fn new(other_gives: bool) -> Self {
        let mut world = World::new(SIZE);
        let neighbour = world.seeder();
        // While it is not done the two stay linked.
        limit(&mut world, neighbour, 20_000);
        let mine = world.add(Start::Empty, 4);
        world.run_s(5);
        world.share_other(content(700_001).into_iter().map(|byte| byte ^ 0x55).collect());
        let other = if other_gives {
            world.seeder()
        } else {
            let source = world.seeder();
            limit(&mut world, source, 20_000);
            world.add(Start::Empty, 0)
        };
        world.nodes[other].process = neighbour;
        world.run_s(5);
        world.lose_tracker();
        Self { world, mine, other }
    }

    fn begin(&mut self) -> usize {
        let wants = self.world.add(Start::Empty, 4);
        self.world.nodes[wants].process = self.mine;
        self.world.run_s(20);
        wants
    }
}

/// [003]: what it wants is with the neighbour itself, in another engine there.
#[test]
fn d1_two_that_met_through_one_package_exchange_another() {
    let mut two = TwoPackages::new(true);
    let wants = two.begin();
    assert!(two.world.has_all(wants));
    assert_eq!(found(&two.world, wants), 1);
    assert_eq!(two.world.nodes[wants].linked, [two.other]);
    let asked = &two.world.nodes[two.mine].peer.looking;
    assert!(asked.directory.packages().any(|package| package == two.world.tree.root()), "both engines learn of it");
}

/// [003]: the neighbour does not give it, and knows who does.
#[test]
fn d1_two_that_met_through_one_package_find_a_third_by_what_they_know() {
    let mut two = TwoPackages::new(false);
    let wants = two.begin();
    let source = neighbours(&two.world, wants)[0];
    two.world.give(source, Input::UploadLimit { bytes_per_s: None });
    two.world.run_s(20);
    assert!(two.world.has_all(wants));
    assert_ne!(two.world.nodes[wants].linked[0], two.other, "it gives nothing, and tells of who does");
}

/// D6: who is asked by more than it serves says when to come back, and they come back.
#[test]
fn d6_a_holder_above_its_limit_says_busy_and_when_to_come_back() {
    let mut world = World::new(SIZE);
    let hub = world.seeder();
    limit(&mut world, hub, 20_000);
    let mine: Vec<usize> = (0..14).map(|_| world.add(Start::Empty, 0)).collect();
    world.run_s(8);
    world.share_other(content(900_001).into_iter().map(|byte| byte ^ 0x33).collect());
    let source = world.seeder();
    world.nodes[source].process = hub;
    world.run_s(2);
    world.lose_tracker();
    let wants: Vec<usize> = mine
        .iter()
        .map(|process| {
            let wants = world.add(Start::Empty, 0);
            world.nodes[wants].process = *process;
            wants
        })
        .collect();
    world.run_s(3);
    let served = neighbours(&world, source).len();
    assert!((1..=8).contains(&served), "{served} are served");
    assert!(said(&world, BUSY) > 0, "the others are told");
    // They come back when there is room.
    for done in wants.iter().filter(|node| world.has_all(**node)).copied().collect::<Vec<_>>() {
        world.give(done, Input::Stop);
    }
    world.run_s(60);
    let served = wants.iter().filter(|node| world.has_all(**node)).count();
    assert!(served > 8, "{served} have it");
}

/// A peer whose one neighbour lies to it, in a swarm without a tracker.
struct Lied {
    world: World,
    peer: usize,
    link: LinkId,
}

impl Lied {
    fn new() -> Self {
        let mut world = World::new(SIZE);
        let source = world.seeder();
        limit(&mut world, source, 50_000);
        let peer = world.add(Start::Empty, 8);
        world.run_s(3);
        world.lose_tracker();
        let link = *world.nodes[peer].channels.keys().next().expect("they are linked");
        Self { world, peer, link }
    }

    fn bring(&mut self, message: &LookupMessage) {
        let (link, message) = (self.link, message.encode());
        self.world.give(self.peer, Input::LinkMessage { link, message });
    }

    /// What the peer asked of its neighbour, or passed on to it.
    fn take_said(&mut self) -> Vec<LookupMessage> {
        let (peer, link) = (self.peer, self.link);
        let mut said = Vec::new();
        self.world.work.retain(|(node, output)| match output {
            Output::SendLink { link: over, message } if *node == peer && *over == link => {
                let message = LookupMessage::decode(message);
                let is_lookup = message.is_ok();
                said.extend(message);
                !is_lookup
            }
            _ => true,
        });
        said
    }

    /// Goes on until it asks.
    fn next_ask(&mut self) -> AskId {
        let heard = self.world.looked_up.len();
        for _ in 0..120 {
            self.world.run_s(1);
            let said = self.world.looked_up[heard..].iter().filter(|(from, _)| *from == self.peer);
            let asked = said.filter_map(|(_, message)| match LookupMessage::decode(message) {
                Ok(LookupMessage::Ask(ask)) => Some(ask.id),
                _ => None,
            });
            if let Some(id) = asked.last() {
                return id;
            }
        }
        panic!("it asks");
    }
}

fn invented(number: u8) -> Holder {
    Holder { peer: PeerId::from_bytes([number; 16]), hands: 0, age_s: 0, busy_s: 0 }
}

/// What it must stand: false answers to look-ups. They cost a few attempts, and not the swarm.
#[test]
fn false_answers_cost_a_few_attempts_and_the_teller_its_credit() {
    let mut lied = Lied::new();
    let opened = lied.world.nodes[lied.peer].peer.next_link;
    for round in 0..6_u8 {
        let id = lied.next_ask();
        // A flood of them, and answers that nobody asked for.
        for wave in 0..40_u8 {
            let first = round.wrapping_mul(64).wrapping_add(wave);
            let holders = (0..HOLDERS_MAX as u8).map(|number| invented(first.wrapping_add(number))).collect();
            lied.bring(&LookupMessage::Answer(Answer { id, holders }));
            lied.bring(&LookupMessage::Answer(Answer { id: AskId(u64::from(wave)), holders: vec![invented(wave)] }));
        }
        lied.world.settle();
    }
    let opened = lied.world.nodes[lied.peer].peer.next_link - opened;
    let links = lied.world.nodes[lied.peer].peer.links.len();
    assert!(links <= 1 + 8, "{links} links are open or tried at a time");
    assert!((1..=40).contains(&opened), "{opened} attempts");
    let known = lied.world.nodes[lied.peer].peer.looking.directory.locations(lied.world.tree.root()).count();
    assert!(known <= 8, "{known} are in the list");
    lied.world.run_s(200);
    assert!(lied.world.has_all(lied.peer), "what there is still comes");
}

#[test]
fn a_flood_of_asks_is_neither_answered_nor_passed_on_without_bound() {
    let mut lied = Lied::new();
    lied.take_said();
    for number in 0..10_000 {
        let ask = Ask { id: AskId(number), package: ContentId::from_bytes([9; 32]), reach: Reach::BROADCAST };
        lied.bring(&LookupMessage::Ask(ask));
    }
    let beside = lied.world.work.iter().filter(|(_, output)| matches!(output, Output::Beside(_))).count();
    assert!((1..=64).contains(&beside), "{beside} were passed on");
    assert!(lied.world.nodes[lied.peer].peer.looking.asks.len() <= 64);
}

/// Who can put itself on the way can call itself what it likes. That must not make it anybody's neighbour by plan, nor
/// speak to the tracker for or against whom it calls itself.
#[test]
fn an_impostor_gains_no_more_than_a_stranger() {
    let mut lied = Lied::new();
    let source = lied.world.nodes[0].peer.id();
    let me = lied.world.nodes[lied.peer].peer.id();
    let meeting = Meeting { package: lied.world.tree.root(), holder: me, asker: source };
    // The link to the source is there by plan: who calls itself the source is sent away.
    let offer = Signal::Offer { sdp: "0/99".to_owned() };
    lied.take_said();
    lied.bring(&LookupMessage::Signal { meeting, to_holder: true, session: 1, signal: offer.clone() });
    assert!(lied.take_said().iter().any(|said| matches!(said, LookupMessage::Busy { .. })));
    // Once that link is gone, a stranger comes by another way, under the same name.
    let (peer, link) = (lied.peer, lied.link);
    lied.world.close(peer, link);
    let message = LookupMessage::Signal { meeting, to_holder: true, session: 2, signal: offer }.encode();
    lied.world.give(peer, Input::Beside(message));
    let machine = &lied.world.nodes[peer].peer;
    let (id, _) = machine.links.iter().next_back().expect("it is a link like any stranger's");
    assert_eq!(machine.link_to(source), None, "but not the link that was planned");
    let id = *id;
    lied.world.work.clear();
    lied.world.give(peer, Input::LinkOpen { link: id, room_bytes: ROOM_BYTES });
    let hello = LinkMessage::Hello { content: lied.world.tree.root(), agent: String::new(), have: Vec::new() };
    lied.world.give(peer, Input::LinkMessage { link: id, message: hello.encode() });
    lied.world.nodes[peer].peer.drop_link(id, "it lied", lied.world.now);
    lied.world.drain(peer);
    let told = lied.world.work.iter().any(|(_, output)| match output {
        Output::SendTracker(text) => {
            matches!(ToTracker::decode(text), Ok(ToTracker::Bad { .. } | ToTracker::Lost { .. }))
        }
        _ => false,
    });
    assert!(!told, "the tracker hears nothing of it");
}

/// Signals are passed on for asks that were answered, and for nobody else.
#[test]
fn nobody_carries_signals_for_who_did_not_ask() {
    let mut lied = Lied::new();
    let package = lied.world.tree.root();
    let meeting = Meeting { package, holder: PeerId::from_bytes([7; 16]), asker: PeerId::from_bytes([8; 16]) };
    let signal = Signal::Offer { sdp: "0/1".to_owned() };
    let message = LookupMessage::Signal { meeting, to_holder: true, session: 1, signal };
    lied.bring(&message);
    let is_carried = |lied: &Lied| {
        let messages = lied.world.work.iter().filter_map(|(_, output)| match output {
            Output::Beside(message) => LookupMessage::decode(message).ok(),
            _ => None,
        });
        messages.into_iter().any(|said| matches!(said, LookupMessage::Signal { .. }))
    };
    assert!(!is_carried(&lied));
    // The same, once it has asked and somebody beside is known to have it.
    let id = lied.next_ask();
    lied.world.work.clear();
    let holders = vec![Holder { peer: meeting.holder, hands: 0, age_s: 0, busy_s: 0 }];
    lied.world.give(lied.peer, Input::Beside(LookupMessage::Answer(Answer { id, holders }).encode()));
    lied.world.work.clear();
    lied.bring(&LookupMessage::Ask(Ask { id: AskId(77), package, reach: Reach::BROADCAST }));
    lied.bring(&message);
    assert!(is_carried(&lied));
}
