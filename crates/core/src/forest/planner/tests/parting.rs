//! Who lost a peer, and gets it back, or somebody else.

use super::{CONFIG, Life, peer};
use crate::forest::{Loss, Newcomer};
use crate::wire::tracker::{LinkReport, Role, StripeMask};

impl Life {
    fn lose(&mut self, reporter: u8, other: u8, loss: Loss) {
        self.planner.lost(peer(reporter), peer(other), loss, self.now);
        self.settle();
    }

    fn is_fed_by(&self, number: u8, other: u8) -> bool {
        self.parents(number).get(&peer(other)) == Some(&StripeMask::all(CONFIG.stripes))
    }
}

/// An origin, and one below it.
fn pair() -> Life {
    let mut life = Life::new();
    life.join(0, 4, true);
    life.join(1, 4, false);
    life
}

#[test]
fn who_lost_its_only_seeder_gets_it_back_at_once() {
    let mut life = pair();
    life.lose(1, 0, Loss::Broken);
    assert!(life.parents(1).is_empty(), "both are told that the edge is gone");
    life.epochs(2);
    assert!(life.is_fed_by(1, 0), "there is nobody else: {:?}", life.parents(1));
    // The far end noticed later, and tells of the same.
    life.lose(0, 1, Loss::Broken);
    life.epochs(2);
    assert!(life.is_fed_by(1, 0));
}

#[test]
fn who_could_not_connect_again_is_kept_apart() {
    let mut life = pair();
    life.lose(1, 0, Loss::Broken);
    life.epochs(2);
    life.lose(1, 0, Loss::Unreached);
    life.epochs(15);
    assert!(life.parents(1).is_empty());
    life.epochs(10);
    assert!(life.is_fed_by(1, 0));
}

#[test]
fn a_link_that_breaks_again_and_again_is_none() {
    let mut life = pair();
    for _ in 0..2 {
        life.lose(1, 0, Loss::Broken);
        life.epochs(2);
        assert!(life.is_fed_by(1, 0));
    }
    life.lose(1, 0, Loss::Broken);
    life.epochs(15);
    assert!(life.parents(1).is_empty());
    life.epochs(10);
    assert!(life.is_fed_by(1, 0));
}

#[test]
fn a_second_seeder_is_given_to_who_is_back_below_the_one_it_lost() {
    let mut life = pair();
    life.lose(1, 0, Loss::Broken);
    life.epochs(2);
    assert!(life.is_fed_by(1, 0));
    life.join(2, 4, true);
    assert!(life.is_fed_by(1, 2), "{:?}", life.parents(1));
    life.epochs(5);
    assert!(life.is_fed_by(1, 2), "and it stays there");
}

#[test]
fn who_lost_a_peer_is_not_put_back_while_there_is_somebody_else() {
    let mut life = pair();
    life.join(2, 4, true);
    life.lose(1, 0, Loss::Broken);
    assert!(life.is_fed_by(1, 2));
    for _ in 0..15 {
        life.epochs(1);
        assert!(life.is_fed_by(1, 2));
    }
}

#[test]
fn a_parent_that_is_waited_for_and_lost_is_replaced_at_once() {
    let mut life = Life::new();
    // The tracker was started anew; 1 has a link to 7, which has not come back.
    let links = [LinkReport { peer: peer(7), role: Role::Parent, stripes: StripeMask::all(CONFIG.stripes) }];
    let newcomer = Newcomer { offered: 4, complete: false, fetches: false, prior: None };
    life.planner.join(peer(1), newcomer, &links, life.now, &mut life.rng);
    life.settle();
    life.join(0, 4, true);
    assert!(life.parents(1).is_empty(), "its link is left alone");
    life.lose(1, 7, Loss::Broken);
    assert!(life.is_fed_by(1, 0), "{:?}", life.parents(1));
}
