//! What a run came to, for programs and for people.

use std::fmt;

use pleach_core::time::Time;
use serde::Serialize;

use crate::plot;
use crate::scenario::{Built, Scenario, Size};
use crate::world::{Fate, Watched};

/// One run. Times are simulated; a peer's own times count from its start.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The scenario.
    pub scenario: String,
    /// The topology.
    pub topology: String,
    /// Peers beside the source, at the start.
    pub peers: u32,
    /// Packets of 64 KiB.
    pub packets: u32,
    /// The seed.
    pub seed: u64,
    /// From the beginning until the last original peer had everything; of those who did, if not all did.
    pub makespan_s: f64,
    /// The proven bound.
    pub fluid_bound_s: f64,
    /// The discrete reference.
    pub discrete_bound_s: f64,
    /// Makespan to fluid bound.
    pub ratio_fluid: f64,
    /// Makespan to discrete reference.
    pub ratio_discrete: f64,
    /// Half of the peers had everything so long after their start.
    pub p50_s: f64,
    /// 95 % of them.
    pub p95_s: f64,
    /// Half of the peers had their first whole packet so long after their start.
    pub first_packet_p50_s: f64,
    /// 95 % of them.
    pub first_packet_p95_s: f64,
    /// Payload that the source sent, in contents.
    pub source_copies: f64,
    /// Payload received in vain to payload received.
    pub wasted_bytes_ratio: f64,
    /// Everything that is no payload, tracker included, to payload received.
    pub control_bytes_per_payload_byte: f64,
    /// Most links that a peer had at a time, open or being opened.
    pub links_live_max: usize,
    /// Most links that a peer opened in all.
    pub links_opened_max: usize,
    /// Longest way from a root that the tracker planned, in edges.
    pub depth_max: usize,
    /// Plans that the tracker sent to a peer in a minute.
    pub reorganisations_per_peer_minute: f64,
    /// Whether everyone who was left had everything in the end.
    pub finished: bool,
    /// Honest peers that had everything.
    pub peers_finished: usize,
    /// Frames that the tracker got from a peer in a minute.
    pub tracker_frames_per_peer_minute: f64,
    /// Simulated time until the run ended.
    pub simulated_s: f64,
    /// How those who watched fared, if any did.
    #[serde(flatten)]
    pub watching: Option<Watching>,
    /// A hash over all that was said; the same seed gives the same.
    pub digest: String,
    /// What must not be, and was; at most the first few.
    pub breaches: Vec<String>,
    /// Who was left without everything, if the run failed; at most the first few.
    pub stuck: Vec<String>,
}

/// How those who watched while it came fared.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Watching {
    /// Half of them began to play so long after their start.
    pub startup_p50_s: f64,
    /// 95 % of them.
    pub startup_p95_s: f64,
    /// How often one had to wait in a minute of the film, in the mean.
    pub stalls_per_minute: f64,
    /// Part of them that never had to wait once they had begun.
    pub without_stall_ratio: f64,
    /// Time waited to time played.
    pub stalled_ratio: f64,
}

impl Watching {
    fn of(fates: &[Fate]) -> Option<Self> {
        let watched: Vec<(&Fate, Watched)> = fates.iter().filter_map(|fate| Some((fate, fate.watched?))).collect();
        let count = watched.len() as f64;
        let sum = |figure: fn(&Watched) -> f64| watched.iter().map(|(_, watched)| figure(watched)).sum::<f64>();
        let played_s = sum(|watched| watched.played_s).max(f64::MIN_POSITIVE);
        let began = watched.iter().filter_map(|(fate, watched)| Some(seconds(watched.began?) - seconds(fate.born)));
        let startup = sorted(began);
        (count > 0.0).then(|| Self {
            startup_p50_s: percentile(&startup, 50),
            startup_p95_s: percentile(&startup, 95),
            stalls_per_minute: sum(|watched| f64::from(watched.stalls)) * 60.0 / played_s,
            without_stall_ratio: sum(|watched| f64::from(u8::from(watched.stalls == 0))) / count,
            stalled_ratio: sum(|watched| watched.stalled.as_secs_f64()) / played_s,
        })
    }
}

/// Peers without everything that are told of.
const STUCK_MAX: usize = 10;

impl Report {
    /// Runs a scenario to its end.
    pub fn of(scenario: &Scenario, topology: &str, size: Size, built: Built) -> Self {
        Self::with_picture(scenario, topology, size, built).0
    }

    /// Runs a scenario to its end; with a picture, if the world was to remember what it needs.
    pub fn with_picture(scenario: &Scenario, topology: &str, size: Size, mut built: Built) -> (Self, Option<String>) {
        let finished = built.world.run(built.deadline);
        let world = &built.world;
        let fates: Vec<Fate> = built.honest.iter().filter_map(|id| world.fate(*id)).collect();
        let ends = built.originals.iter().filter_map(|id| world.fate(*id)?.finished);
        let makespan_s = ends.max().map_or(0.0, seconds);
        let (fluid_bound_s, discrete_bound_s) = (built.rates.fluid_s(), built.rates.discrete_s());
        let took = sorted(fates.iter().filter_map(|fate| Some(seconds(fate.finished?) - seconds(fate.born))));
        let first = sorted(fates.iter().filter_map(|fate| Some(seconds(fate.first_packet?) - seconds(fate.born))));
        let source = world.fate(built.source);
        let with_source: Vec<&Fate> = fates.iter().chain(&source).collect();
        let sum = |count: fn(&Fate) -> u64| with_source.iter().map(|fate| count(fate)).sum::<u64>() as f64;
        let received = sum(|fate| fate.stats.received_bytes).max(1.0);
        let totals = world.tracker_totals();
        let peer_minutes = (seconds(world.now()) / 60.0 * with_source.len() as f64).max(f64::MIN_POSITIVE);
        let report = Self {
            scenario: scenario.name.to_owned(),
            topology: topology.to_owned(),
            peers: size.peers,
            packets: size.packets,
            seed: size.seed,
            makespan_s,
            fluid_bound_s,
            discrete_bound_s,
            ratio_fluid: ratio(makespan_s, fluid_bound_s),
            ratio_discrete: ratio(makespan_s, discrete_bound_s),
            p50_s: percentile(&took, 50),
            p95_s: percentile(&took, 95),
            first_packet_p50_s: percentile(&first, 50),
            first_packet_p95_s: percentile(&first, 95),
            source_copies: {
                let sent_bytes = source.as_ref().map_or(0, |fate| fate.stats.sent_bytes);
                (sent_bytes + world.web_sent_bytes().unwrap_or(0)) as f64 / built.rates.size_bytes.max(1) as f64
            },
            wasted_bytes_ratio: sum(|fate| fate.stats.wasted_bytes) / received,
            control_bytes_per_payload_byte: (sum(|fate| fate.stats.control_bytes) + totals.bytes_out as f64) / received,
            links_live_max: with_source.iter().map(|fate| fate.links_live_max).max().unwrap_or(0),
            links_opened_max: with_source.iter().map(|fate| fate.links_opened).max().unwrap_or(0),
            depth_max: totals.depth_max,
            reorganisations_per_peer_minute: totals.plans as f64 / peer_minutes,
            finished,
            peers_finished: took.len(),
            tracker_frames_per_peer_minute: totals.frames_in as f64 / peer_minutes,
            simulated_s: seconds(world.now()),
            watching: Watching::of(&fates),
            digest: world.digest(),
            breaches: world.breaches().to_vec(),
            stuck: world.stuck().into_iter().take(STUCK_MAX).collect(),
        };
        let picture = world.record().map(|record| plot::svg(&report, record));
        (report, picture)
    }

    /// Whether everyone finished and nothing was found wrong.
    pub fn is_good(&self) -> bool {
        self.finished && self.breaches.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = if self.finished { "everyone left has everything" } else { "NOT everyone has everything" };
        writeln!(
            f,
            "{} over {}: {} peers, {} packets, seed {}",
            self.scenario, self.topology, self.peers, self.packets, self.seed
        )?;
        writeln!(f, "  {outcome}: {} peers in {:.1} s", self.peers_finished, self.makespan_s)?;
        writeln!(
            f,
            "  bounds            fluid {:.1} s (× {:.2}), discrete {:.1} s (× {:.2})",
            self.fluid_bound_s, self.ratio_fluid, self.discrete_bound_s, self.ratio_discrete
        )?;
        writeln!(f, "  a peer took       {:.1} s (half), {:.1} s (95 %)", self.p50_s, self.p95_s)?;
        writeln!(
            f,
            "  first packet      {:.2} s (half), {:.2} s (95 %)",
            self.first_packet_p50_s, self.first_packet_p95_s
        )?;
        writeln!(f, "  source sent       {:.2} copies", self.source_copies)?;
        writeln!(f, "  wasted            {:.2} % of payload", 100.0 * self.wasted_bytes_ratio)?;
        writeln!(f, "  control           {:.2} % of payload", 100.0 * self.control_bytes_per_payload_byte)?;
        writeln!(f, "  links of a peer   {} at a time, {} in all", self.links_live_max, self.links_opened_max)?;
        writeln!(
            f,
            "  forest            depth {}, {:.1} plans and {:.1} frames a peer and minute",
            self.depth_max, self.reorganisations_per_peer_minute, self.tracker_frames_per_peer_minute
        )?;
        if let Some(watching) = self.watching {
            writeln!(
                f,
                "  began to play     {:.2} s (half), {:.2} s (95 %)",
                watching.startup_p50_s, watching.startup_p95_s
            )?;
            writeln!(
                f,
                "  had to wait       {:.2} times a minute, {:.1} % of the time; {:.0} % never",
                watching.stalls_per_minute,
                100.0 * watching.stalled_ratio,
                100.0 * watching.without_stall_ratio
            )?;
        }
        writeln!(f, "  digest            {}", self.digest)?;
        self.breaches.iter().try_for_each(|breach| writeln!(f, "  BREACH  {breach}"))?;
        self.stuck.iter().try_for_each(|stuck| writeln!(f, "  STUCK   {stuck}"))
    }
}

fn seconds(at: Time) -> f64 {
    at.as_micros() as f64 / 1e6
}

fn ratio(value: f64, of: f64) -> f64 {
    if of > 0.0 { value / of } else { 0.0 }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The value that so many percent do not exceed; 0 of none.
fn percentile(ascending: &[f64], percent: usize) -> f64 {
    let rank = (ascending.len() * percent).div_ceil(100).max(1);
    ascending.get(rank - 1).copied().unwrap_or(0.0)
}
