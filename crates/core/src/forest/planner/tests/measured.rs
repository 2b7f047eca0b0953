//! What peers tell of each other, and where that puts whom.

use super::*;

/// What a peer sends to each child in each stripe, in bytes a second, and whether its children wait for more.
type Rate = (u64, bool);

impl Life {
    /// Everybody tells what it gets from its parents, for so many epochs.
    fn tell(&mut self, seconds: u64, peers: u8, rate: impl Fn(u8) -> Rate) {
        for _ in 0..seconds {
            for by in 1..=peers {
                for (parent, stripes) in self.parents(by) {
                    let (bytes_per_s, waited) = rate(parent.as_bytes()[1]);
                    let bytes_per_s = bytes_per_s * u64::from(stripes.0.count_ones());
                    self.planner.note_received(parent, peer(by), bytes_per_s, waited, self.now);
                }
            }
            self.pass(1);
        }
    }

    fn depth(&self, number: u8) -> Option<u32> {
        let home = self.planner.members[&peer(number)].home;
        let homes = (0..CONFIG.stripes).filter(|stripe| home.contains(*stripe));
        homes.filter_map(|stripe| self.planner.tree(stripe).depth(peer(number))).min()
    }
}

/// An origin and peers that offer so many children, of which four are given to each.
fn offering(peers: u8, offered: u16) -> Life {
    let mut life = Life::new();
    life.join(0, 4, true);
    for number in 1..=peers {
        life.join(number, offered, false);
    }
    life.epochs(5);
    life
}

/// What all do that have more to give than they are asked for.
const AMPLE: Rate = (250_000, false);

#[test]
fn a_slow_peer_loses_its_children_and_they_get_others() {
    let mut life = offering(40, 8);
    assert!(life.fed(7).1 >= 3, "{:?}", life.fed(7));
    life.tell(12, 40, |number| if number == 7 { (10_000, true) } else { AMPLE });
    assert_eq!(life.fed(7).1, 0);
    assert!((1..=40).all(|number| life.has_all_parents(number)));
}

#[test]
fn a_fast_peer_gets_more_children_and_a_place_near_the_origin() {
    let mut life = offering(60, 64);
    let deep = (1..=60).max_by_key(|number| life.depth(*number)).unwrap();
    assert!(life.depth(deep) >= Some(3), "{:?}", life.depth(deep));
    life.tell(12, 60, |number| if number == deep { (1_000_000, true) } else { (250_000, true) });
    assert!(life.fed(deep).1 >= 8, "{:?}", life.fed(deep));
    assert_eq!(life.depth(deep), Some(1), "right below the origin");
}

#[test]
fn where_everybody_has_a_place_nobody_is_tried_with_more_children() {
    let mut life = offering(40, 64);
    let slots = |life: &Life| life.planner.members.values().map(|member| member.slots).collect::<Vec<_>>();
    let before = slots(&life);
    assert!((1..=40).all(|number| life.has_all_parents(number)), "nothing lacks");
    life.tell(12, 40, |_| AMPLE);
    assert_eq!(slots(&life), before);
}

#[test]
fn what_a_receiver_got_counts_until_it_tells_anew_or_goes() {
    let mut life = offering(40, 8);
    life.tell(5, 40, |_| (250_000, true));
    let rate = |life: &Life| life.planner.members[&peer(0)].measured.bytes_per_s;
    let before = rate(&life);
    // All move to other parents, tell of those, and the origin is told of by others: the old words do not add up with the new.
    for by in 1..=40 {
        life.planner.forget_received(peer(by));
        life.planner.note_received(peer(0), peer(by), before / 40, true, life.now);
    }
    life.pass(1);
    assert!(rate(&life) <= before, "{} after {before}", rate(&life));
    (1..=40).for_each(|by| life.planner.leave(peer(by), life.now));
    life.planner.note_received(peer(0), peer(41), 1, true, life.now);
    assert_eq!(life.planner.members[&peer(0)].measured.reports.len(), 1);
}

#[test]
fn nobody_is_given_more_children_than_it_offers_however_fast_it_is() {
    let mut life = offering(40, 6);
    life.tell(12, 40, |number| if number == 7 { (u64::MAX / 64, false) } else { AMPLE });
    assert!((1..=40).all(|number| life.fed(number).1 <= 6));
}

#[test]
fn who_was_fast_and_delivers_no_longer_sinks_whatever_it_says() {
    let mut life = offering(40, 64);
    let liar = 7;
    life.tell(12, 40, |number| if number == liar { (1_000_000, true) } else { AMPLE });
    let before = life.fed(liar).1;
    assert!(before >= 8, "{before}");
    for _ in 0..30 {
        life.planner.note_limited(peer(liar), false, 1 << 20);
        life.tell(1, 40, |number| if number == liar { (1_000, true) } else { AMPLE });
    }
    assert_eq!(life.fed(liar).1, 0);
    assert!((1..=40).all(|number| life.has_all_parents(number)));
}

#[test]
fn who_says_that_its_uplink_is_at_its_limit_is_not_given_more() {
    let mut life = offering(40, 64);
    for _ in 0..12 {
        life.planner.note_limited(peer(7), true, 1 << 20);
        // Some can do next to nothing, so that places lack.
        life.tell(1, 40, |number| if number > 30 { (10_000, true) } else { AMPLE });
    }
    let slots = |number: u8| life.planner.members[&peer(number)].slots;
    let most = (1..=30).map(slots).max().unwrap_or(0);
    assert!(slots(7) < most, "{} of {most}: others with more to give are tried with more", slots(7));
    assert!(slots(7) <= 8, "{}: as its rate is, and no more", slots(7));
}

#[test]
fn an_epoch_moves_few_and_at_last_nobody() {
    let mut life = offering(200, 4);
    // Rates that differ twofold, and no more children than there were: what moves is moved to be in order.
    let rate = |number: u8| (250_000 + 1_000 * u64::from(number), true);
    life.tell(4, 200, rate);
    let mut moved = Vec::new();
    for _ in 0..80 {
        let parents = |life: &Life, stripe: u8| -> Vec<Option<PeerId>> {
            (1..=200).map(|number| life.planner.tree(stripe).parent(peer(number))).collect()
        };
        let before: Vec<_> = (0..CONFIG.stripes).map(|stripe| parents(&life, stripe)).collect();
        life.pass(1);
        for (stripe, before) in before.iter().enumerate() {
            let after = parents(&life, stripe as u8);
            moved.push(before.iter().zip(&after).filter(|(before, after)| before != after).count());
        }
    }
    // Four peers in each stripe rise; each makes another give way, and that one perhaps a third.
    assert!(moved.iter().all(|moved| *moved <= 12), "{moved:?}");
    assert!(moved[..8].iter().any(|moved| *moved > 0), "there was something to put in order: {moved:?}");
    assert!(moved[moved.len() - 4..].iter().all(|moved| *moved == 0), "{moved:?}");
}

#[test]
fn who_says_itself_that_it_can_do_little_is_a_leaf_before_others_can_tell() {
    let mut life = offering(40, 8);
    let slots = |life: &Life, number: u8| life.planner.members[&peer(number)].slots;
    life.planner.note_limited(peer(0), true, 2_500_000);
    life.planner.note_limited(peer(7), true, 125_000);
    life.planner.note_limited(peer(8), true, 600_000);
    life.planner.note_limited(peer(9), false, 0);
    life.pass(2);
    assert_eq!(slots(&life, 7), 0);
    assert!(slots(&life, 8) > 0 && slots(&life, 9) > 0);
    life.planner.note_limited(peer(7), true, 1_250_000);
    life.pass(2);
    assert!(slots(&life, 7) > 0, "it can do more than it said");
}

#[test]
fn a_false_origin_that_claims_much_makes_leaves_of_nobody() {
    let mut life = offering(40, 8);
    life.join(50, 8, true);
    life.planner.note_limited(peer(0), true, 1_250_000);
    life.planner.note_limited(peer(50), false, u64::MAX);
    for number in 1..=40 {
        life.planner.note_limited(peer(number), true, 1_250_000);
    }
    life.pass(3);
    assert!((1..=40).all(|number| life.planner.members[&peer(number)].slots > 0));
}
