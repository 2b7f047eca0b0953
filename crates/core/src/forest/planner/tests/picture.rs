//! What is shown of a forest: all of a small one, the telling part of a large one, and nobody by name.

use super::{Life, peer};
use crate::forest::Newcomer;
use crate::forest::picture::{PEERS_MAX, Picture};
use crate::ids::PeerId;

fn many(number: u16) -> PeerId {
    let [high, low] = number.wrapping_mul(40_503).to_be_bytes();
    let [a, b] = number.to_be_bytes();
    PeerId::from_bytes([high, low, a, b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
}

fn swarm_of(peers: u16, origins: u16) -> Life {
    let mut life = Life::new();
    for number in 0..peers {
        let newcomer = Newcomer { offered: 4, complete: number < origins, fetches: false, prior: None };
        life.planner.join(many(number), newcomer, &[], life.now, &mut life.rng);
    }
    life.planner.take_changes();
    life
}

fn picture(life: &Life) -> Picture {
    life.planner.picture(|_| 420)
}

#[test]
fn a_small_swarm_is_shown_whole_and_as_it_is() {
    let mut life = Life::new();
    life.join(1, 4, true);
    for number in 2..12 {
        life.join(number, 4, false);
    }
    let shown = picture(&life);
    assert_eq!((shown.stripes, shown.peers_total, shown.left_out, shown.peers.len()), (4, 11, 0, 11));
    let number_of = |peer: PeerId| shown.peers.iter().position(|shown| peer.to_string().starts_with(&shown.id));
    let root = &shown.peers[0];
    assert!(root.origin && root.complete && root.depth == Some(0) && root.held_permille == 1_000);
    assert_eq!(number_of(peer(1)), Some(0), "the root comes first");
    for number in 2..12 {
        let at = number_of(peer(number)).expect("all are shown");
        let one = &shown.peers[at];
        assert_eq!((one.held_permille, one.complete), (420, false));
        for (stripe, parent) in one.parents.iter().enumerate() {
            let above = life.planner.tree(stripe as u8).parent(peer(number)).and_then(number_of);
            assert_eq!(parent.map(usize::from), above, "stripe {stripe} of peer {number}");
        }
        assert!(one.depth.is_some_and(|depth| depth >= 1));
    }
}

#[test]
fn of_a_large_swarm_roots_and_interiors_are_shown_and_the_rest_is_counted() {
    let life = swarm_of(900, 3);
    let shown = picture(&life);
    assert_eq!((shown.peers.len(), shown.left_out), (PEERS_MAX, 700));
    assert_eq!(shown.peers.iter().filter(|peer| peer.origin).count(), 3);
    assert!(shown.peers.iter().all(|peer| peer.origin || peer.children > 0), "there are that many that feed others");
    let below = shown.peers.iter().filter(|peer| peer.depth != Some(0));
    assert!(below.clone().count() > 150 && below.flat_map(|peer| peer.parents.iter().flatten()).count() > 200);
}

#[test]
fn roots_do_not_fill_a_picture_while_there_is_somebody_below() {
    let life = swarm_of(600, 300);
    let shown = picture(&life);
    let incomplete = shown.peers.iter().filter(|peer| !peer.complete).count();
    assert_eq!(shown.peers.len(), PEERS_MAX);
    assert!(incomplete >= 50, "{incomplete}");
}

#[test]
fn who_has_no_place_is_shown_and_an_empty_forest_is_a_picture_too() {
    let mut life = Life::new();
    assert_eq!(picture(&life).peers, []);
    life.join(1, 0, false);
    life.join(2, 0, false);
    let shown = picture(&life);
    assert_eq!((shown.peers.len(), shown.left_out), (2, 0));
    assert!(shown.peers.iter().all(|peer| peer.up_bytes_per_s.is_none()));
}

#[test]
fn what_is_shown_names_nobody() {
    let life = swarm_of(20, 1);
    let json = serde_json::to_string(&picture(&life)).unwrap();
    for number in 0..20 {
        assert!(!json.contains(&many(number).to_string()[..10]), "only the beginning of an id is told");
    }
    assert!(json.starts_with(r#"{"stripes":4,"peers_total":20,"left_out":0,"peers":[{"id":""#), "{json}");
}
