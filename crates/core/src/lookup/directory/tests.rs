//! Rows D1, D2 and D5: the list against a slow one that remembers all it ever heard.

use core::time::Duration;
use std::collections::BTreeMap;

use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::ids::LinkId;

fn package(number: u16) -> ContentId {
    let mut bytes = [0; 32];
    bytes[..2].copy_from_slice(&number.to_le_bytes());
    ContentId::from_bytes(bytes)
}

fn peer(number: u16) -> PeerId {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&number.to_le_bytes());
    PeerId::from_bytes(bytes)
}

fn word(number: u16, heard: Time) -> Word {
    Word { peer: peer(number), way: Way::Beside, hands: 0, heard, busy_until: None }
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Learn { package: u16, peer: u16, way: u32, age_s: u64, busy_s: u64 },
    Rest { package: u16, peer: u16, s: u64 },
    Failed { package: u16, peer: u16 },
    ForgetWay(u32),
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0_u16..4, 0_u16..12, 0_u32..4, 0_u64..400, prop_oneof![Just(0), 0_u64..200]).prop_map(
            |(package, peer, way, age_s, busy_s)| Act::Learn { package, peer, way, age_s, busy_s }
        ),
        1 => (0_u16..4, 0_u16..12, 0_u64..400).prop_map(|(package, peer, s)| Act::Rest { package, peer, s }),
        1 => (0_u16..4, 0_u16..12).prop_map(|(package, peer)| Act::Failed { package, peer }),
        1 => (0_u32..4).prop_map(Act::ForgetWay),
        2 => (0_u64..100).prop_map(Act::Wait),
    ]
}

/// All that was ever heard: when last, until when it rests, and by which way.
#[derive(Clone, Copy, Debug)]
struct Known {
    heard: Time,
    rests_until: Time,
    way: u32,
}

#[derive(Debug, Default)]
struct Slow(BTreeMap<(u16, u16), Known>);

impl Slow {
    fn is_free(&self, package: u16, peer: u16, now: Time) -> bool {
        let known = self.0.get(&(package, peer));
        known.is_some_and(|known| now - known.heard < AGE_MAX && known.rests_until <= now)
    }

    fn free(&self, package: u16, now: Time) -> Vec<u16> {
        (0..12).filter(|peer| self.is_free(package, *peer, now)).collect()
    }

    fn count(&self, package: u16) -> usize {
        self.0.keys().filter(|(known, _)| *known == package).count()
    }
}

fn number_of(peer: PeerId) -> u16 {
    u16::from_le_bytes([peer.as_bytes()[0], peer.as_bytes()[1]])
}

proptest! {
    /// D1, D2: what is drawn and told was heard, not too long ago, by a way that is there, and does not rest; what was
    /// heard is there while there is room; and the list is never longer than it may be.
    #[test]
    fn the_list_agrees_with_one_that_forgets_nothing(
        acts in prop::collection::vec(act(), 1..120),
        policy in prop::sample::select(Policy::NAMED.map(|(_, policy)| policy).to_vec()),
        seed in any::<u64>(),
    ) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut list = Directory::new(policy);
        let mut slow = Slow::default();
        let mut now = Time::from_millis(1_000_000);
        for act in acts {
            match act {
                Act::Learn { package: p, peer: q, way, age_s, busy_s } => {
                    let heard = Time::from_micros(now.as_micros() - age_s * 1_000_000);
                    let busy_until = (busy_s > 0).then_some(now + Duration::from_secs(busy_s));
                    let new = Word { way: Way::Link(LinkId(way)), busy_until, ..word(q, heard) };
                    let is_in = list.learn(package(p), new, now, &mut rng);
                    let is_news = now - heard < AGE_MAX;
                    prop_assert!(is_news || !is_in, "what is too old is not taken in");
                    let replaces = !slow.0.contains_key(&(p, q)) && slow.count(p) >= policy.kept();
                    prop_assert!(!is_news || replaces || is_in || policy.kept() == 1, "there was room");
                    prop_assert!(!is_news || policy != Policy::Newest || is_in, "the latest is always kept");
                    if is_news && is_in {
                        let rests_until = busy_until.unwrap_or(Time::ZERO).min(now + REST_MAX);
                        let known = slow.0.entry((p, q)).or_insert(Known { heard, rests_until, way });
                        known.heard = known.heard.max(heard);
                        known.rests_until = known.rests_until.max(rests_until);
                        known.way = way;
                        if policy.kept() == 1 {
                            slow.0.retain(|(other, peer), _| *other != p || *peer == q);
                        }
                    }
                }
                Act::Rest { package: p, peer: q, s } => {
                    let until = now + Duration::from_secs(s);
                    list.rest(package(p), peer(q), until, now);
                    if let Some(known) = slow.0.get_mut(&(p, q)) {
                        known.rests_until = until.min(now + REST_MAX);
                    }
                }
                Act::Failed { package: p, peer: q } => {
                    list.failed(package(p), peer(q), now);
                    if let Some(known) = slow.0.get_mut(&(p, q)) {
                        known.rests_until = now + FAILED_REST;
                    }
                }
                Act::ForgetWay(way) => {
                    list.forget_way(Way::Link(LinkId(way)));
                    slow.0.retain(|_, known| known.way != way);
                }
                Act::Wait(s) => now = now + Duration::from_secs(s),
            }
            for p in 0..4 {
                // Where places ran out, others are known to the slow list alone.
                let kept: Vec<u16> = list.locations(package(p)).map(|known| number_of(known.word.peer)).collect();
                slow.0.retain(|(other, peer), _| *other != p || kept.contains(peer));
                prop_assert!(kept.len() <= policy.kept());
                let free = slow.free(p, now);
                let drawn = list.draw(package(p), now, &mut rng, |_| true).map(|word| number_of(word.peer));
                prop_assert_eq!(drawn.is_some(), !free.is_empty(), "{:?} of {:?}", drawn, free);
                prop_assert!(drawn.is_none_or(|drawn| free.contains(&drawn)));
                let mut told: Vec<u16> =
                    list.tell(package(p), now, 99, |_| true).iter().map(|word| number_of(word.peer)).collect();
                told.sort_unstable();
                prop_assert_eq!(told, free);
            }
        }
    }
}

/// D5: a known location is replaced with probability 1 − 1/(generation + 1).
#[test]
fn the_older_a_location_the_likelier_it_is_replaced() {
    const TRIES: u32 = 4_000;
    let now = Time::from_millis(1);
    for generation in 1_u16..6 {
        let mut rng = ChaCha8Rng::seed_from_u64(u64::from(generation));
        let mut kept = 0;
        for _ in 0..TRIES {
            let mut list = Directory::new(Policy::Generation);
            // Words are heard until the location has been changed so often.
            let mut next = 0;
            while list.packages.first().is_none_or(|known| known.generation < u32::from(generation)) {
                list.learn(package(1), word(next, now), now, &mut rng);
                next += 1;
            }
            kept += u32::from(!list.learn(package(1), word(9_999, now), now, &mut rng));
        }
        let expected = f64::from(TRIES) / f64::from(generation + 1);
        let off = (f64::from(kept) - expected).abs() / f64::from(TRIES).sqrt();
        assert!(off < 2.5, "generation {generation}: {kept} of {TRIES} were kept");
    }
}

/// `uniform` keeps each of those it heard of with the same chance.
#[test]
fn nobody_is_likelier_to_be_kept_for_having_come_late() {
    const HEARD: u16 = WORDS_COUNTED as u16;
    let now = Time::from_millis(1);
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut kept = [0_u32; 2];
    for _ in 0..2_000 {
        let mut list = Directory::new(Policy::Uniform);
        for number in 0..HEARD {
            list.learn(package(1), word(number, now), now, &mut rng);
        }
        for location in list.locations(package(1)) {
            kept[usize::from(number_of(location.word.peer) >= HEARD / 2)] += 1;
        }
    }
    let share = f64::from(kept[0]) / f64::from(kept[0] + kept[1]);
    assert!((share - 0.5).abs() < 0.02, "{kept:?}");
}

#[test]
fn the_list_stays_bounded_and_the_package_not_heard_of_for_longest_goes() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut list = Directory::new(Policy::Uniform);
    for number in 0..PACKAGES_MAX as u16 + 10 {
        let now = Time::from_millis(u64::from(number));
        list.learn(package(number), word(1, now), now, &mut rng);
        // Somebody speaks of the first again and again.
        list.learn(package(0), word(2, now), now, &mut rng);
    }
    assert_eq!(list.packages().count(), PACKAGES_MAX);
    assert!(list.packages().any(|known| known == package(0)));
    assert!(!list.packages().any(|known| known == package(1)));
}

/// What it must stand: false answers. Whoever told of holders that are none is believed less.
#[test]
fn a_teller_of_falsehoods_counts_for_less() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut now = Time::from_millis(1);
    let mut list = Directory::new(Policy::Uniform);
    let by = |number, way, now| Word { way: Way::Link(LinkId(way)), ..word(number, now) };
    for number in 0..8 {
        list.learn(package(1), by(number, 1, now), now, &mut rng);
        list.failed(package(1), peer(number), now);
    }
    assert!(list.draw(package(1), now, &mut rng, |_| true).is_none(), "all rest");
    assert!(list.tell(package(1), now, 8, |_| true).is_empty(), "and are not told on");
    now = now + FAILED_REST;
    list.learn(package(1), by(100, 2, now), now, &mut rng);
    let mut drawn = [0; 2];
    for _ in 0..1_000 {
        let word = list.draw(package(1), now, &mut rng, |_| true).expect("somebody is free");
        drawn[usize::from(word.peer == peer(100))] += 1;
    }
    assert!(drawn[1] > 2 * drawn[0] / 7 * 3, "one of another teller counts as much as several of this: {drawn:?}");
    list.forget_way(Way::Link(LinkId(1)));
    assert_eq!(list.locations(package(1)).count(), 1, "who told is gone, and nobody leads to those it told of");
}
