//! Runs by name: who takes part, with what lines, and what goes wrong.
//!
//! A scenario is a row of [`SCENARIOS`]. [`Scenario::build`] makes a world of it; everything drawn on the way comes from
//! the seed. The *originals* are the peers that are there from the beginning and are not taken out by the script: the
//! time for which the bounds are computed is the time until the last of them has everything.

use std::time::Duration;

use pleach_core::content::PACKET_BYTES;
use pleach_core::time::Time;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::bounds::{Member, Rates, Swing};
use crate::hostile::Conduct;
use crate::network::{LineSpec, NodeId};
use crate::world::{Action, Condition, NodeSpec, World, WorldConfig};

/// What lines the peers have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// 10 Mbit/s both ways for everyone, source included, 10 ms to the middle.
    Equal,
    /// 40 % with 1/16, 40 % with 10/100, 20 % with 50/200 Mbit/s up/down; the source with 20 up. Round trips of 10 to
    /// 120 ms.
    Mixed,
    /// As [`Lines::Mixed`], but the source has a quarter of the peers' mean uplink.
    SlowSource,
    /// As [`Lines::Mixed`], but the only source is a plain web server with 100 Mbit/s up.
    WebServer,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// So many percent leave a minute, half of them without a word, and as many come.
    Churn(u32),
    /// The source is killed once the others have one copy between them.
    SourceKilled,
    /// The tracker is killed in the middle and comes back after five seconds, knowing nothing.
    TrackerRestart,
    /// The tracker is killed early on and stays away, and so many percent leave after it.
    TrackerAway(u32),
    /// So many percent of the sockets break and can't be opened again for half a minute, while others leave.
    Deaf(u32),
    /// So many percent of all pairs can't connect.
    Unreachable(u32),
    /// So many percent bend what they send.
    Liars(u32),
    /// Whoever has everything leaves at once; only the source stays.
    LeaveWhenDone,
    /// So many percent give nothing: they join with no slots, and their upload is off.
    LeafOnly(u32),
    /// Each peer's rates, both ways, fall to half and back again and again.
    Oscillating,
}

/// When the peers come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// With the source.
    AtOnce,
    /// All within one second, when the source has been there a little.
    Flash,
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// What it is called.
    pub name: &'static str,
    /// What it is, for people.
    pub about: &'static str,
    lines: Lines,
    arrival: Arrival,
    fault: Fault,
    /// Whether everybody watches while it comes.
    plays: bool,
}

/// All of them.
#[rustfmt::skip]
pub const SCENARIOS: [Scenario; 17] = [
    row("equal",           Lines::Equal, Arrival::AtOnce, Fault::None,            "10 Mbit/s both ways for everyone"),
    row("mixed",           Lines::Mixed, Arrival::AtOnce, Fault::None,            "40 % 1/16, 40 % 10/100, 20 % 50/200 Mbit/s; source 20 up"),
    row("leaf-only",       Lines::Mixed, Arrival::AtOnce, Fault::LeafOnly(30),    "mixed; 30 % give nothing"),
    row("slow-source",     Lines::SlowSource, Arrival::AtOnce, Fault::None,       "mixed; the source has a quarter of the mean uplink"),
    row("oscillating",     Lines::Mixed, Arrival::AtOnce, Fault::Oscillating,     "mixed; each peer's rates halve and double every 20 s"),
    row("churn",           Lines::Mixed, Arrival::AtOnce, Fault::Churn(10),       "mixed; 10 % leave a minute and as many come"),
    row("flash",           Lines::Mixed, Arrival::Flash,  Fault::None,            "mixed; all come within one second"),
    row("flash-web",       Lines::WebServer, Arrival::Flash, Fault::None,         "flash; the only source is a plain web server, 100 Mbit/s"),
    row("source-leaves",   Lines::Mixed, Arrival::AtOnce, Fault::SourceKilled,    "mixed; the source is killed after one copy"),
    row("leave-when-done", Lines::Mixed, Arrival::AtOnce, Fault::LeaveWhenDone,   "mixed; whoever has everything leaves"),
    row("liars",           Lines::Mixed, Arrival::AtOnce, Fault::Liars(5),        "mixed; 5 % send bad groups"),
    row("tracker-restart", Lines::Mixed, Arrival::AtOnce, Fault::TrackerRestart,  "mixed; the tracker is killed and starts again"),
    row("tracker-away",    Lines::Mixed, Arrival::AtOnce, Fault::TrackerAway(70), "mixed; the tracker is gone for good, and then 70 % of the peers"),
    row("deaf",            Lines::Mixed, Arrival::AtOnce, Fault::Deaf(20),        "mixed; 20 % have no tracker for 30 s, while 5 % leave"),
    row("unreachable",     Lines::Mixed, Arrival::AtOnce, Fault::Unreachable(20), "mixed; 20 % of pairs can't connect"),
    Scenario { plays: true, ..row("stream",       Lines::Mixed, Arrival::AtOnce, Fault::None,      "mixed; all watch while it comes, at 12 Mbit/s") },
    Scenario { plays: true, ..row("stream-churn", Lines::Mixed, Arrival::AtOnce, Fault::Churn(10), "churn; all watch while it comes, at 12 Mbit/s") },
];

const fn row(name: &'static str, lines: Lines, arrival: Arrival, fault: Fault, about: &'static str) -> Scenario {
    Scenario { name, about, lines, arrival, fault, plays: false }
}

/// Lines of [`Lines::Mixed`], up and down, in a fixed round, so that shares are exact; who is placed where is left to the
/// engine's ids.
const MIXED_MBIT: [(u64, u64); 5] = [(1, 16), (10, 100), (50, 200), (10, 100), (1, 16)];
const MBIT_BYTES_PER_S: u64 = 1_000_000 / 8;
/// What who watches uses up: the mean of all uplinks of [`Lines::Mixed`] is 1.2 times that.
const PLAY_BYTES_PER_S: u64 = 12 * MBIT_BYTES_PER_S;
/// Peers that come at once come within so much, so that not all say the same at the same microsecond.
const AT_ONCE_MS: u64 = 100;
/// When the crowd of [`Arrival::Flash`] begins to come, and within what time all of it is there.
const FLASH_MS: u64 = 1_000;
const FLASH_SPREAD_MS: u64 = 1_000;
/// How long a peer of [`Fault::Oscillating`] has its full rates, and how long half of them.
const SWING: Duration = Duration::from_secs(20);
/// How long the tracker is away.
const TRACKER_AWAY: Duration = Duration::from_secs(5);
/// So long after the tracker has gone for good the first peer leaves.
const ALONE: Duration = Duration::from_secs(5);
/// How long sockets are cut, and how many percent leave meanwhile.
const DEAF: Duration = Duration::from_secs(30);
const DEAF_LEAVE_PERCENT: u32 = 5;
/// Liveness: after the last fault everyone must have finished within so much, and so many times the reference.
const PATIENCE: Duration = Duration::from_secs(120);
const PATIENCE_RATIO: f64 = 10.0;

/// How large.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Peers beside the source.
    pub peers: u32,
    /// Packets of 64 KiB.
    pub packets: u32,
    /// The seed.
    pub seed: u64,
}

/// A scenario that is ready to run.
#[derive(Debug)]
pub struct Built {
    /// The world with its script.
    pub world: World,
    /// The source.
    pub source: NodeId,
    /// Peers that are there from the beginning to the end, and honest.
    pub originals: Vec<NodeId>,
    /// All honest peers beside the source.
    pub honest: Vec<NodeId>,
    /// What the bounds are computed from.
    pub rates: Rates,
    /// When the run has failed.
    pub deadline: Time,
}

impl Scenario {
    /// The one of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        SCENARIOS.iter().find(|scenario| scenario.name == name)
    }

    /// Makes the world. `config` has all but seed and size.
    pub fn build(&self, size: Size, config: WorldConfig) -> Built {
        let size_bytes = u64::from(size.packets) * u64::from(PACKET_BYTES);
        let is_baseline = config.stand_in.is_some();
        let world = World::new(WorldConfig { seed: size.seed, size_bytes, ..config });
        let rng = ChaCha8Rng::seed_from_u64(size.seed ^ 0x7363_656e);
        let (members, passers_by, honest) = (Vec::new(), Vec::new(), Vec::new());
        let mut builder = Builder { scenario: self, is_baseline, rng, world, members, passers_by, honest };
        let source = builder.add_source();
        for number in 0..size.peers {
            builder.add_peer(number);
        }
        builder.world_with_faults(source, size_bytes)
    }
}

/// One who is there, and not scheduled to leave.
#[derive(Clone, Copy, Debug)]
struct Present {
    id: NodeId,
    line: Member,
}

/// A world in the making.
struct Builder<'a> {
    scenario: &'a Scenario,
    is_baseline: bool,
    rng: ChaCha8Rng,
    world: World,
    members: Vec<Present>,
    passers_by: Vec<Member>,
    honest: Vec<NodeId>,
}

impl Builder<'_> {
    fn add_source(&mut self) -> NodeId {
        let line = match self.scenario.lines {
            Lines::Equal => LineSpec::mbit(10, 10, 10),
            Lines::Mixed => LineSpec::mbit(20, 200, 10),
            Lines::SlowSource => {
                let mean_up = MIXED_MBIT.iter().map(|(up, _)| up * MBIT_BYTES_PER_S).sum::<u64>() / 5;
                LineSpec { up_bytes_per_s: mean_up / 4, ..LineSpec::mbit(20, 200, 10) }
            }
            Lines::WebServer => {
                let line = LineSpec::mbit(100, 200, 10);
                self.world.add_web_server(line.up_bytes_per_s);
                return self.world.add_absent(NodeSpec::source(line));
            }
        };
        self.world.add(NodeSpec::source(line), Time::ZERO)
    }

    fn draw_line(&mut self, number: u32) -> LineSpec {
        match self.scenario.lines {
            Lines::Equal => LineSpec::mbit(10, 10, 10),
            Lines::Mixed | Lines::SlowSource | Lines::WebServer => {
                let (up, down) = MIXED_MBIT[number as usize % MIXED_MBIT.len()];
                let delay_us = self.rng.random_range(2_500..30_000);
                LineSpec { delay: Duration::from_micros(delay_us), ..LineSpec::mbit(up, down, 0) }
            }
        }
    }

    /// An honest peer on this line.
    fn spec(&self, line: LineSpec) -> NodeSpec {
        NodeSpec { plays_bytes_per_s: self.scenario.plays.then_some(PLAY_BYTES_PER_S), ..NodeSpec::new(line) }
    }

    fn add_peer(&mut self, number: u32) {
        let line = self.draw_line(number);
        let mut spec = self.spec(line);
        let mut member = member_of(line);
        let starts_ms = match self.scenario.arrival {
            Arrival::Flash => FLASH_MS + self.rng.random_range(0..FLASH_SPREAD_MS),
            Arrival::AtOnce => self.rng.random_range(0..AT_ONCE_MS),
        };
        if self.scenario.arrival == Arrival::Flash {
            member.from_s = starts_ms as f64 / 1e3;
        }
        match self.scenario.fault {
            // One in so many, so that a small swarm has one too.
            Fault::Liars(percent) if number % (100 / percent) == 2 => spec.conduct = Conduct::Liar,
            Fault::LeaveWhenDone => spec.leaves_after = Some(Duration::ZERO),
            // Whole rounds of all lines, so that as many of each kind give nothing.
            Fault::LeafOnly(percent) if number / MIXED_MBIT.len() as u32 * 7 % 10 < percent / 10 => {
                spec.slots = Some(0);
                spec.upload_bytes_per_s_max = Some(0);
                member.up = 0.0;
            }
            _ => {}
        }
        let is_honest = spec.conduct == Conduct::Honest;
        let id = self.world.add(spec, Time::from_millis(starts_ms));
        if self.scenario.fault == Fault::Oscillating {
            member.swing = Some(self.let_swing(id));
        }
        if is_honest {
            self.honest.push(id);
            self.members.push(Present { id, line: member });
        }
    }

    fn let_swing(&mut self, id: NodeId) -> Swing {
        let full_at = Time::from_micros(self.rng.random_range(0..2 * SWING.as_micros() as u64));
        self.world.oscillate(id, SWING, full_at);
        Swing { half_period_s: SWING.as_secs_f64(), full_at_s: seconds(full_at) }
    }

    /// The rates of those who are there to the end, and of those who are not.
    fn rates(&self, source: NodeId, size_bytes: u64) -> Rates {
        Rates {
            source: member_of(self.world.line(source)),
            peers: self.members.iter().map(|present| present.line).collect(),
            passers_by: self.passers_by.clone(),
            size_bytes,
            packet_bytes: u64::from(PACKET_BYTES),
        }
    }

    fn world_with_faults(mut self, source: NodeId, size_bytes: u64) -> Built {
        let expected_s = self.rates(source, size_bytes).discrete_s();
        let faults_end = self.add_faults(source, expected_s);
        let rates = self.rates(source, size_bytes);
        let patience = PATIENCE + Duration::from_secs_f64(self.patience_s(&rates));
        Built {
            originals: self.members.iter().map(|present| present.id).collect(),
            world: self.world,
            source,
            honest: self.honest,
            rates,
            deadline: faults_end + patience,
        }
    }

    /// A baseline may take as long as the source would alone.
    fn patience_s(&self, rates: &Rates) -> f64 {
        let alone_s = rates.peers.len() as f64 * rates.size_bytes as f64 / rates.source.up;
        let patience_s = PATIENCE_RATIO * rates.discrete_s();
        if self.is_baseline { patience_s.max(2.0 * alone_s) } else { patience_s }
    }

    /// Enters what goes wrong; returns when the last of it, or of the arrivals, is over.
    fn add_faults(&mut self, source: NodeId, expected_s: f64) -> Time {
        match self.scenario.fault {
            // Rates go on changing, but that is no fault that must end: the bound knows of it.
            Fault::None | Fault::Liars(_) | Fault::LeaveWhenDone | Fault::LeafOnly(_) | Fault::Oscillating => {
                Time::from_millis(FLASH_MS + FLASH_SPREAD_MS)
            }
            Fault::Churn(percent) => self.add_churn(percent, expected_s),
            Fault::SourceKilled => {
                self.world.when(Condition::OneCopyOut, Action::Kill(source));
                // When that will be is not known; the whole reference is granted for it.
                Time::ZERO + Duration::from_secs_f64(2.0 * expected_s)
            }
            Fault::TrackerRestart => {
                let at = Time::ZERO + Duration::from_secs_f64(0.4 * expected_s + 1.0);
                self.world.at(at, Action::KillTracker);
                self.world.at(at + TRACKER_AWAY, Action::StartTracker);
                at + TRACKER_AWAY
            }
            Fault::TrackerAway(percent) => self.add_loss_of_tracker(percent, expected_s),
            Fault::Deaf(percent) => self.add_deafness(percent, expected_s),
            Fault::Unreachable(percent) => {
                self.world.forbid_some(percent);
                Time::ZERO
            }
        }
    }

    /// Lets peers go and come for twice the expected time, at least a minute.
    fn add_churn(&mut self, percent: u32, expected_s: f64) -> Time {
        let lasts_s = (2.0 * expected_s).max(60.0);
        let count = (self.members.len() as f64 * f64::from(percent) / 100.0 * lasts_s / 60.0).round() as u32;
        self.members.shuffle(&mut self.rng);
        for number in 0..count {
            let at = Time::from_micros((self.rng.random_range(0.02..1.0) * lasts_s * 1e6) as u64);
            self.let_one_go(at, number);
            let line = self.draw_line(number);
            let id = self.world.add(self.spec(line), at);
            self.honest.push(id);
            self.passers_by.push(Member { from_s: seconds(at), ..member_of(line) });
        }
        Time::from_micros((lasts_s * 1e6) as u64)
    }

    /// Takes the tracker away for good when some of it has come, and most of the peers while the rest comes.
    fn add_loss_of_tracker(&mut self, percent: u32, expected_s: f64) -> Time {
        let at = Time::ZERO + Duration::from_secs_f64(0.2 * expected_s + 1.0);
        self.world.at(at, Action::KillTracker);
        self.members.shuffle(&mut self.rng);
        let leaving = (self.members.len() * percent as usize).div_ceil(100);
        let at = at + ALONE;
        let lasts_s = 1.5 * expected_s;
        for number in 0..leaving as u32 {
            let after_s = lasts_s * f64::from(number) / leaving as f64;
            self.let_one_go(at + Duration::from_secs_f64(after_s), number);
        }
        at + Duration::from_secs_f64(lasts_s)
    }

    /// Cuts some from the tracker early on, and lets some of the others leave while it lasts.
    fn add_deafness(&mut self, percent: u32, expected_s: f64) -> Time {
        let at = Time::ZERO + Duration::from_secs_f64(0.1 * expected_s + 1.0);
        self.members.shuffle(&mut self.rng);
        let count_of = |percent: u32| (self.members.len() * percent as usize).div_ceil(100);
        let (deaf, leaving) = (count_of(percent), count_of(DEAF_LEAVE_PERCENT));
        for present in &self.members[..deaf] {
            self.world.at(at, Action::Deafen(present.id));
            self.world.at(at + DEAF, Action::Undeafen(present.id));
        }
        let lasts_s = expected_s.min(DEAF.as_secs_f64());
        for number in 0..leaving as u32 {
            let after_s = self.rng.random_range(0.0..lasts_s);
            self.let_one_go(at + Duration::from_secs_f64(after_s), number);
        }
        at + DEAF
    }

    fn let_one_go(&mut self, at: Time, number: u32) {
        if let Some(Present { id, line }) = self.members.pop() {
            self.world.at(at, if number.is_multiple_of(2) { Action::Kill(id) } else { Action::Leave(id) });
            self.passers_by.push(Member { until_s: seconds(at), ..line });
        }
    }
}

/// A line as the bounds see it.
fn member_of(line: LineSpec) -> Member {
    Member::constant(line.up_bytes_per_s, line.down_bytes_per_s)
}

fn seconds(at: Time) -> f64 {
    at.as_micros() as f64 / 1e6
}
