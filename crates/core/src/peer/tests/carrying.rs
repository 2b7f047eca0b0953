//! Row A3: a peer whose socket is away is reorganised through its neighbours, which can make nothing up.

use super::*;
use crate::ids::{ContentId, OrderSession, Signature};
use crate::wire::order::{Order, OrderKey, TEXT_BYTES_MAX, Word};
use crate::wire::tracker::{Edge, FromTracker, Role, StripeMask};

const STRIPES: u8 = 4;
const SEED: [u8; 32] = [5; 32];

/// A source with a limited uplink and peers below it, without laterals: whoever loses a parent needs a new link.
fn swarm(peers: usize) -> (World, usize, Vec<usize>) {
    let config = TrackerConfig {
        stripes: STRIPES,
        fan_out_max: STRIPES,
        laterals: 0,
        signing_seed: Some(tracker::SigningSeed(SEED)),
        ..TrackerConfig::default()
    };
    let mut world = World::with_tracker(12_000_000, config);
    let seeder = world.seeder();
    world.give(seeder, Input::UploadLimit { bytes_per_s: Some(200_000) });
    let peers = (0..peers).map(|_| world.add(Start::Empty, 8)).collect();
    world.run_s(6);
    (world, seeder, peers)
}

fn parents(world: &World, node: usize) -> Vec<usize> {
    let planned = (0..STRIPES).filter_map(|stripe| world.nodes[node].peer.feeding.planned_parent(stripe));
    planned.filter_map(|peer| world.nodes.iter().position(|node| node.peer.id() == peer)).collect()
}

fn is_up(world: &World, node: usize) -> bool {
    world.nodes[node].peer.stats(world.now).tracker_up
}

#[test]
fn who_has_no_socket_gets_new_parents_and_finishes() {
    let (mut world, seeder, peers) = swarm(16);
    let deaf = peers[3];
    world.deafen(deaf);
    world.run_s(3);
    let linked = world.nodes[deaf].linked.len();
    let mut gone = Vec::new();
    for round in 0..3 {
        let parent = parents(&world, deaf).into_iter().find(|parent| *parent != seeder).expect("it is fed by a peer");
        if round == 1 {
            world.give(parent, Input::Stop)
        } else {
            world.kill(parent)
        }
        gone.push(parent);
        world.run_s(10);
        let parents = parents(&world, deaf);
        assert_eq!(parents.len(), usize::from(STRIPES), "a parent for every stripe");
        assert!(parents.iter().all(|parent| !gone.contains(parent)), "{parents:?} are there");
        assert!(parents.iter().all(|parent| world.nodes[deaf].peer.link_to(world.nodes[*parent].peer.id()).is_some()));
    }
    assert!(world.nodes[deaf].linked.len() > linked, "new links were made");
    assert!(!is_up(&world, deaf), "nothing of it came by a socket");
    let members = world.tracker.as_ref().unwrap().stats().swarms[0].peers;
    assert_eq!(members, 1 + 16 - gone.len(), "the tracker knows that it is there, after half a minute");
    world.give(seeder, Input::UploadLimit { bytes_per_s: None });
    world.run_s(10);
    assert!(world.has_all(deaf) && !is_up(&world, deaf));
    world.nodes[deaf].deaf = false;
    world.run_s(180);
    assert!(is_up(&world, deaf), "and it comes back");
}

#[test]
fn who_vanishes_without_a_socket_is_dropped() {
    let (mut world, _, peers) = swarm(8);
    world.deafen(peers[2]);
    world.run_s(30);
    assert_eq!(world.tracker.as_ref().unwrap().stats().swarms[0].peers, 9, "it says that it is there");
    world.kill(peers[2]);
    world.run_s(15);
    assert_eq!(world.tracker.as_ref().unwrap().stats().swarms[0].peers, 8);
}

/// A peer without a socket, one of its neighbours, and what the tracker's key would sign for it.
struct Forge {
    world: World,
    peer: usize,
    link: LinkId,
    session: OrderSession,
}

impl Forge {
    fn new() -> Self {
        let (mut world, _, peers) = swarm(4);
        let peer = peers[1];
        world.deafen(peer);
        let (link, session) = {
            let machine = &world.nodes[peer].peer;
            let link = machine.links.iter().find(|(_, link)| link.is_open()).map(|(id, _)| *id).unwrap();
            (link, machine.carrying.terms.as_ref().unwrap().0.session)
        };
        Self { world, peer, link, session }
    }

    fn plan(stranger: u8) -> String {
        let edge = Edge::new(PeerId::from_bytes([stranger; 16]), Role::Lateral, StripeMask::NONE, false);
        FromTracker::Plan { open: vec![edge], close: Vec::new() }.encode()
    }

    fn signed(&self, key: [u8; 32], swarm: ContentId, session: OrderSession, serial: u32, stranger: u8) -> Order {
        let to = self.world.nodes[self.peer].peer.id();
        OrderKey::from_seed(key).sign(swarm, session, to, serial, Self::plan(stranger))
    }

    fn order(&self, serial: u32, stranger: u8) -> Order {
        self.signed(SEED, self.world.tree.root(), self.session, serial, stranger)
    }

    /// A neighbour brings an order; whether the plan in it was followed.
    fn is_followed(&mut self, order: Order, stranger: u8) -> bool {
        let (link, message) = (self.link, LinkMessage::Order(order).encode());
        self.world.give(self.peer, Input::LinkMessage { link, message });
        self.world.settle();
        self.world.nodes[self.peer].peer.feeding.is_neighbour(PeerId::from_bytes([stranger; 16]))
    }
}

#[test]
fn what_the_tracker_signed_is_followed_once() {
    let mut forge = Forge::new();
    let order = forge.order(1_000, 0x71);
    assert!(forge.is_followed(order.clone(), 0x71));
    forge.world.nodes[forge.peer].peer.follow_plan(&[], &[PeerId::from_bytes([0x71; 16])], forge.world.now);
    assert!(!forge.is_followed(order, 0x71), "a replay");
    let older = forge.order(999, 0x72);
    assert!(!forge.is_followed(older, 0x72), "an older one");
    let newer = forge.order(1_001, 0x73);
    assert!(forge.is_followed(newer, 0x73));
}

#[test]
fn what_is_signed_otherwise_is_refused_and_harmless() {
    let mut forge = Forge::new();
    let root = forge.world.tree.root();
    let good = forge.order(1_000, 0x71);
    let bad = [
        ("another key", forge.signed([6; 32], root, forge.session, 1_000, 0x71)),
        ("another swarm", forge.signed(SEED, ContentId::from_bytes([8; 32]), forge.session, 1_000, 0x71)),
        ("another session", forge.signed(SEED, root, OrderSession::from_bytes([8; 8]), 1_000, 0x71)),
        ("another receiver", Order { to: PeerId::from_bytes([8; 16]), ..good.clone() }),
        ("another text", Order { order: good.order.replace("7171", "7170"), ..good.clone() }),
        ("another serial", Order { serial: 2_000, ..good.clone() }),
        ("no signature", Order { signature: Signature::from_bytes([0; 64]), ..good.clone() }),
    ];
    for (what, order) in bad {
        assert!(!forge.is_followed(order, 0x71), "{what}");
        let link = &forge.world.nodes[forge.peer].peer.links[&forge.link];
        assert!(link.is_open(), "{what}: its carrier may not know");
    }
    assert!(forge.is_followed(good, 0x71), "the right one still counts");
    // Signed by the right key, but nothing that goes this way.
    let text = FromTracker::Ping.encode();
    let to = forge.world.nodes[forge.peer].peer.id();
    let ping = OrderKey::from_seed(SEED).sign(root, forge.session, to, 3_000, text);
    assert!(!forge.is_followed(ping, 0x74));
}

#[test]
fn an_order_that_is_too_long_closes_the_link_as_any_message_would() {
    let mut forge = Forge::new();
    let mut message = LinkMessage::Order(forge.order(1_000, 0x71)).encode().to_vec();
    message.truncate(85);
    message.extend_from_slice(&(TEXT_BYTES_MAX as u16 + 1).to_le_bytes());
    message.resize(message.len() + TEXT_BYTES_MAX + 1, b' ');
    let link = forge.link;
    forge.world.give(forge.peer, Input::LinkMessage { link, message: message.into() });
    assert!(!forge.world.nodes[forge.peer].peer.links.contains_key(&link));
}

#[test]
fn a_flood_of_forged_orders_is_not_even_looked_at() {
    let mut forge = Forge::new();
    for serial in 0..200 {
        let order = forge.signed([6; 32], forge.world.tree.root(), forge.session, 5_000 + serial, 0x71);
        assert!(!forge.is_followed(order, 0x71));
    }
    let good = forge.order(9_000, 0x72);
    assert!(!forge.is_followed(good.clone(), 0x72), "this link has brought enough");
    forge.world.run_s(10);
    assert!(forge.is_followed(good, 0x72), "for a while");
}

#[test]
fn a_flood_of_words_costs_a_carrier_nothing() {
    let (mut world, _, peers) = swarm(4);
    let carrier = peers[1];
    let link = world.nodes[carrier].peer.links.iter().find(|(_, link)| link.is_open()).map(|(id, _)| *id).unwrap();
    let before = world.tracker.as_ref().unwrap().stats().messages_in;
    for serial in 0..2_000 {
        let word = Word { serial, word: "{}".to_owned(), tag: crate::ids::WordTag::from_bytes([0; 16]) };
        let message = LinkMessage::Word(word).encode();
        world.give(carrier, Input::LinkMessage { link, message });
    }
    world.settle();
    let carried = world.tracker.as_ref().unwrap().stats().messages_in - before;
    assert!(carried <= 64, "{carried} words passed on");
    world.run_s(1);
    assert!(is_up(&world, carrier));
}
