//! What is brought of a member whose socket is away is believed if it is that member's, new, and of the right kind.

use super::*;
use crate::ids::OrderSession;
use crate::wire::order::{Order, OrderTerms, Word, WordKey};

const SWARM: ContentId = ContentId::from_bytes([1; 32]);

impl Got {
    fn terms(&self) -> Option<OrderTerms> {
        self.messages.iter().find_map(|message| match message {
            FromTracker::Welcome { orders, .. } => *orders,
            _ => None,
        })
    }

    fn carried(&self) -> Vec<&Order> {
        let orders = self.messages.iter().filter_map(|message| match message {
            FromTracker::Carry(order) => Some(order),
            _ => None,
        });
        orders.collect()
    }
}

/// A seeder (1), and below it 2 and 3, of whom 2 has lost its socket; and the terms of 2.
fn desk() -> (Desk, OrderTerms) {
    let mut desk = Desk::new(TrackerConfig::default());
    desk.join(1, 10);
    desk.take(1);
    desk.join(2, 0);
    let terms = desk.take(2).terms().expect("every welcome has them");
    desk.join(3, 0);
    desk.take(3);
    desk.tracker.handle_input(Input::Disconnected(ConnectionId(2)), desk.now);
    desk.take(0);
    (desk, terms)
}

fn word(session: OrderSession, serial: u32, message: &ToTracker) -> Word {
    WordKey::new(secret(2), SWARM, session).tag(serial, message.encode())
}

fn bring(desk: &mut Desk, carrier: u64, word: Word) {
    desk.say(carrier, &ToTracker::Carried { from: id(2), word });
}

fn offer() -> ToTracker {
    ToTracker::Signal { to: id(1), session: 4, signal: Signal::Offer { sdp: "v=0".to_owned() } }
}

#[test]
fn a_signal_is_carried_there_and_back_signed() {
    let (mut desk, terms) = desk();
    bring(&mut desk, 3, word(terms.session, 1, &offer()));
    let got = desk.take(1);
    let from = id(2);
    assert!(got.messages.iter().any(|message| matches!(message, FromTracker::Signal { from: by, .. } if *by == from)));
    let answer = Signal::Answer { sdp: "v=0".to_owned() };
    desk.say(1, &ToTracker::Signal { to: from, session: 4, signal: answer });
    let got = desk.take(3);
    let [order] = got.carried()[..] else { panic!("by the one that brought the word: {got:?}") };
    assert!(order.to == from && order.serial == 1 && order.is_signed(SWARM, &terms));
    assert!(!order.is_signed(ContentId::from_bytes([2; 32]), &terms));
    assert!(matches!(FromTracker::decode(&order.order), Ok(FromTracker::Signal { session: 4, .. })));
}

#[test]
fn what_is_not_the_members_is_not_believed() {
    let (mut desk, terms) = desk();
    let good = word(terms.session, 5, &offer());
    let other_key = WordKey::new(secret(3), SWARM, terms.session).tag(5, offer().encode());
    let bad = [
        other_key,
        Word { serial: 6, ..good.clone() },
        Word { word: good.word.replace("v=0", "v=1"), ..good.clone() },
        word(OrderSession::from_bytes([0; 8]), 5, &offer()),
    ];
    for word in bad {
        bring(&mut desk, 3, word);
        assert!(desk.take(1).messages.is_empty());
    }
    desk.connect(9);
    desk.say_text(9, &join(9, 0).encode().replace(&"01".repeat(32), &"02".repeat(32)));
    bring(&mut desk, 9, good.clone());
    assert!(desk.take(1).messages.is_empty(), "one of another swarm is no neighbour");
    bring(&mut desk, 3, good.clone());
    bring(&mut desk, 1, good.clone());
    assert_eq!(desk.take(1).messages.len(), 1, "the same word by two ways is one");
    bring(&mut desk, 3, word(terms.session, 4, &offer()));
    assert!(desk.take(1).messages.is_empty(), "older than the last");
}

#[test]
fn only_signals_and_losses_are_taken_from_a_neighbours_hand() {
    let (mut desk, terms) = desk();
    let liar = id(1);
    let kinds = [ToTracker::Leave, ToTracker::Bad { peer: liar }, status(10, Vec::new()), join(2, 10)];
    for (serial, message) in (1..).zip(kinds) {
        bring(&mut desk, 3, word(terms.session, serial, &message));
    }
    let inner = ToTracker::Carried { from: id(2), word: word(terms.session, 9, &offer()) };
    bring(&mut desk, 3, word(terms.session, 8, &inner));
    assert!(!desk.take(3).closed, "and it is no fault of the carrier");
    assert_eq!(desk.tracker.stats().swarms[0].peers, 3);
    bring(&mut desk, 3, word(terms.session, 20, &ToTracker::Lost { peer: liar, was_open: false }));
    let got = desk.take(3);
    let plan = got.carried().into_iter().any(|order| order.order.contains(&liar.to_string()));
    assert!(plan, "the two are parted, and 2 is told by 3: {got:?}");
}

#[test]
fn whoever_has_a_socket_speaks_for_itself() {
    let (mut desk, terms) = desk();
    desk.connect(22);
    desk.say(22, &join(2, 0));
    let again = desk.take(22).terms().expect("told again");
    assert!(again.key == terms.key && again.session != terms.session);
    bring(&mut desk, 3, word(terms.session, 1, &offer()));
    bring(&mut desk, 3, word(again.session, 1, &offer()));
    assert!(desk.take(1).messages.is_empty());
}

#[test]
fn who_is_heard_of_keeps_its_place() {
    let (mut desk, terms) = desk();
    for serial in 1..=10 {
        desk.pass_s(5);
        for carrier in [1, 3] {
            desk.say(carrier, &ToTracker::Pong);
        }
        bring(&mut desk, 3, word(terms.session, serial, &ToTracker::Pong));
        desk.say(1, &ToTracker::Lost { peer: id(2), was_open: false });
    }
    assert_eq!(desk.tracker.stats().swarms[0].peers, 3);
    desk.pass_s(12);
    assert_eq!(desk.tracker.stats().swarms[0].peers, 2);
}

#[test]
fn a_key_that_is_kept_is_the_same_after_a_restart() {
    let config = TrackerConfig { signing_seed: Some(super::super::SigningSeed([8; 32])), ..TrackerConfig::default() };
    let terms = [[1; 32], [2; 32]].map(|seed| {
        let mut desk = Desk::of(Tracker::new(config.clone(), seed, Time::ZERO));
        desk.join(1, 10);
        desk.take(1).terms().expect("told")
    });
    assert!(terms[0].key == terms[1].key && terms[0].session != terms[1].session);
    assert!(!format!("{config:?}").contains("8, 8"), "the seed is not shown");
}
