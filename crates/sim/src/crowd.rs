//! What the policies of lists do to a crowd ([003] claims 11 to 13; `docs/lookup.md`).
//!
//! One package, one source, and peers that come to want it one after the other. All of them hear of each that has it, and
//! each keeps a list of its own: the engine's [`Directory`]. Whoever wants it draws from its list; who is drawn takes it on,
//! or says *busy* with a time to come back, or is gone, which is noticed after a while. Who finds nobody goes to the
//! source. So a tree grows of who got it from whom: the deeper it is the later the last bytes come where packets are passed
//! on as they arrive, and the more hang on each that leaves.
//!
//! It is a model of lists and nothing else: transfers all take as long, words are heard at once.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::time::Duration;

use pleach_core::ids::{ContentId, PeerId};
use pleach_core::lookup::{Directory, Policy, Way, Word};
use pleach_core::time::Time;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// While one gets it two others come: with the latest always drawn, the tree is half as deep as all are many.
const TRANSFER: Duration = Duration::from_millis(1_500);
/// Whoever serves so many says that it is busy.
const SERVED_MAX: usize = 4;
/// A busy peer says to come back after so long.
const BUSY: Duration = Duration::from_millis(5_000);
/// A holder that is gone is noticed after so long.
const GONE_NOTICED: Duration = Duration::from_millis(5_000);
/// One who draws nobody looks again after so long.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// After so long without anybody it is taken from the source, which is never busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a crowd comes and goes.
#[derive(Clone, Copy, Debug)]
struct Manner {
    name: &'static str,
    /// Between two that come to want it.
    comes_every: Duration,
    /// How long who has it stays; `None`: for ever.
    stays: Option<Duration>,
}

/// One a second, and all stay; the same, and each leaves after a minute; twenty a second.
const MANNERS: [Manner; 3] = [
    Manner { name: "stay", comes_every: Duration::from_secs(1), stays: None },
    Manner { name: "leave", comes_every: Duration::from_secs(1), stays: Some(Duration::from_secs(60)) },
    Manner { name: "rush", comes_every: Duration::from_millis(50), stays: None },
];

/// How a crowd fared with one policy.
#[derive(Clone, Debug, Serialize)]
pub struct Fared {
    /// The policy.
    pub policy: &'static str,
    /// How the crowd comes and goes.
    pub crowd: &'static str,
    /// Peers beside the source.
    pub peers: u32,
    /// The seed.
    pub seed: u64,
    /// Longest way from the source in the tree of who got it from whom.
    pub depth_max: u32,
    /// The mean of all ways.
    pub depth_mean: f64,
    /// Most that got it from one peer.
    pub degree_max: u32,
    /// Half found somebody who takes them in so long after they came to want it.
    pub find_p50_ms: u64,
    /// 95 % did.
    pub find_p95_ms: u64,
    /// How often somebody said that it is busy.
    pub busy_answers: u64,
    /// How often somebody was drawn who was gone.
    pub gone_drawn: u64,
    /// Peers that went to the source since they found nobody.
    pub from_source: u32,
}

/// All policies, with crowds of all manners.
pub fn compare(peers: u32, seed: u64) -> Vec<Fared> {
    let crowds = MANNERS.into_iter().flat_map(|manner| Policy::NAMED.map(|(name, policy)| (manner, name, policy)));
    crowds.map(|(manner, name, policy)| Crowd::new(policy, manner, peers, seed).run(name, seed)).collect()
}

/// For people, or a line of JSON each.
pub fn text_of(all: &[Fared], as_json: bool) -> Result<String, serde_json::Error> {
    if as_json {
        return all.iter().map(|fared| Ok(serde_json::to_string(fared)? + "\n")).collect();
    }
    let mut text = String::from(
        "policy      crowd    depth (mean)    degree  time to find: half, 95 %     busy     gone  source\n",
    );
    for fared in all {
        // Writing to a string can't fail.
        let _ = writeln!(
            text,
            "{:<12}{:<7}{:>6} {:>8}{:>10}{:>15} ms{:>7} ms{:>9}{:>9}{:>8}",
            fared.policy,
            fared.crowd,
            fared.depth_max,
            format!("({:.1})", fared.depth_mean),
            fared.degree_max,
            fared.find_p50_ms,
            fared.find_p95_ms,
            fared.busy_answers,
            fared.gone_drawn,
            fared.from_source,
        );
    }
    Ok(text)
}

/// One who may have it.
#[derive(Clone, Debug)]
struct Member {
    list: Directory,
    wants_at: Time,
    depth: u32,
    degree: u32,
    serving: usize,
    has_it: bool,
    gone: bool,
}

#[derive(Clone, Copy, Debug)]
enum Happening {
    /// It looks for somebody.
    Looks(u32),
    /// It has it, from that one.
    Has(u32, u32),
    Leaves(u32),
}

/// The crowd; number 0 is the source.
struct Crowd {
    manner: Manner,
    rng: ChaCha8Rng,
    members: Vec<Member>,
    queue: BTreeMap<(Time, u64), Happening>,
    entered: u64,
    took_ms: VecDeque<u64>,
    busy_answers: u64,
    gone_drawn: u64,
    from_source: u32,
}

const PACKAGE: ContentId = ContentId::from_bytes([0; 32]);

impl Crowd {
    fn new(policy: Policy, manner: Manner, peers: u32, seed: u64) -> Self {
        let member = Member {
            list: Directory::new(policy),
            wants_at: Time::ZERO,
            depth: 0,
            degree: 0,
            serving: 0,
            has_it: false,
            gone: false,
        };
        let mut crowd = Self {
            manner,
            rng: ChaCha8Rng::seed_from_u64(seed),
            members: vec![member; peers as usize + 1],
            queue: BTreeMap::new(),
            entered: 0,
            took_ms: VecDeque::new(),
            busy_answers: 0,
            gone_drawn: 0,
            from_source: 0,
        };
        crowd.members[0].has_it = true;
        crowd.tell_all(0, Time::ZERO);
        for number in 1..=peers {
            let at = Time::ZERO + manner.comes_every * number;
            crowd.members[number as usize].wants_at = at;
            crowd.enter(at, Happening::Looks(number));
        }
        crowd
    }

    fn enter(&mut self, at: Time, what: Happening) {
        self.entered += 1;
        self.queue.insert((at, self.entered), what);
    }

    fn run(mut self, policy: &'static str, seed: u64) -> Fared {
        while let Some(((now, _), what)) = self.queue.pop_first() {
            match what {
                Happening::Looks(who) => self.look(who, now),
                Happening::Has(who, from) => self.has(who, from, now),
                Happening::Leaves(who) => self.members[who as usize].gone = true,
            }
        }
        let peers = &self.members[1..];
        let took_ms = self.took_ms.make_contiguous();
        took_ms.sort_unstable();
        let percentile = |percent: usize| took_ms.get((took_ms.len() * percent).div_ceil(100).max(1) - 1).copied();
        Fared {
            policy,
            crowd: self.manner.name,
            peers: peers.len() as u32,
            seed,
            depth_max: peers.iter().map(|peer| peer.depth).max().unwrap_or(0),
            depth_mean: peers.iter().map(|peer| f64::from(peer.depth)).sum::<f64>() / (peers.len() as f64).max(1.0),
            degree_max: self.members.iter().map(|member| member.degree).max().unwrap_or(0),
            find_p50_ms: percentile(50).unwrap_or(0),
            find_p95_ms: percentile(95).unwrap_or(0),
            busy_answers: self.busy_answers,
            gone_drawn: self.gone_drawn,
            from_source: self.from_source,
        }
    }

    fn tell_all(&mut self, who: u32, now: Time) {
        let word = Word { peer: name_of(who), way: Way::Beside, hands: 0, heard: now, busy_until: None };
        for member in self.members.iter_mut().filter(|member| !member.has_it) {
            member.list.learn(PACKAGE, word, now, &mut self.rng);
        }
    }

    fn look(&mut self, who: u32, now: Time) {
        if now - self.members[who as usize].wants_at >= PATIENCE {
            self.from_source += 1;
            return self.begin(who, 0, now);
        }
        let drawn = self.members[who as usize].list.draw(PACKAGE, now, &mut self.rng, |_| true);
        let Some(holder) = drawn.map(|word| number_of(word.peer)) else {
            return self.enter(now + LOOK_AGAIN, Happening::Looks(who));
        };
        let (is_gone, serving) = (self.members[holder as usize].gone, self.members[holder as usize].serving);
        let list = &mut self.members[who as usize].list;
        if is_gone {
            self.gone_drawn += 1;
            list.failed(PACKAGE, name_of(holder), now);
            self.enter(now + GONE_NOTICED, Happening::Looks(who));
        } else if serving >= SERVED_MAX {
            self.busy_answers += 1;
            list.rest(PACKAGE, name_of(holder), now + BUSY, now);
            self.enter(now, Happening::Looks(who));
        } else {
            self.begin(who, holder, now);
        }
    }

    fn begin(&mut self, who: u32, from: u32, now: Time) {
        self.members[from as usize].serving += 1;
        self.members[from as usize].degree += 1;
        self.members[who as usize].depth = self.members[from as usize].depth + 1;
        self.took_ms.push_back((now - self.members[who as usize].wants_at).as_millis() as u64);
        self.enter(now + TRANSFER, Happening::Has(who, from));
    }

    fn has(&mut self, who: u32, from: u32, now: Time) {
        self.members[from as usize].serving -= 1;
        self.members[who as usize].has_it = true;
        self.tell_all(who, now);
        if let Some(stays) = self.manner.stays {
            self.enter(now + stays, Happening::Leaves(who));
        }
    }
}

fn name_of(number: u32) -> PeerId {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    PeerId::from_bytes(bytes)
}

fn number_of(peer: PeerId) -> u32 {
    let [a, b, c, d, ..] = *peer.as_bytes();
    u32::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fared(policy: &str, crowd: &str) -> Fared {
        let all = compare(1_000, 1);
        all.into_iter().find(|fared| fared.policy == policy && fared.crowd == crowd).expect("it is compared")
    }

    /// D5: as it is written it makes a chain, hardly shorter than that of the latest location; a draw makes a tree.
    #[test]
    fn d5_replacing_by_generation_makes_a_chain_and_a_draw_a_tree() {
        let [newest, generation, uniform] = ["newest", "generation", "uniform"].map(|policy| fared(policy, "stay"));
        assert!(newest.depth_max >= 490 && generation.depth_max >= 490, "{newest:?} {generation:?}");
        assert!(uniform.depth_max <= 40, "{uniform:?}");
        assert!(uniform.degree_max <= 60, "{uniform:?}");
    }

    /// D6: the limit holds, and nobody who is told to come back is left with nothing.
    #[test]
    fn d6_who_is_told_busy_finds_another() {
        for fared in compare(300, 2) {
            assert!(fared.find_p95_ms <= PATIENCE.as_millis() as u64, "{fared:?}");
        }
    }
}
