//! What a run came to, for programs and for people: under the simulator's names, as far as a real process can know it.

use std::fmt;

use serde::Serialize;

use crate::cpu::BUSY_MAX;
use crate::network::Drops;
use crate::swarm::{self, Outcome, PACKET_BYTES, Participant, Plan};

/// One run. What is `null` nobody knows who is part of a real swarm.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The profile.
    pub scenario: String,
    /// How the tracker arranges peers.
    pub topology: String,
    /// Peers beside the source.
    pub peers: usize,
    /// Packets of 64 KiB.
    pub packets: u64,
    /// The seed.
    pub seed: u64,
    /// From the first peer's start until the last had everything; of those who did, if not all did.
    pub makespan_s: f64,
    /// The proven bound, for what lines carry of payload.
    pub fluid_bound_s: f64,
    /// The discrete reference.
    pub discrete_bound_s: f64,
    /// Makespan to fluid bound.
    pub ratio_fluid: f64,
    /// Makespan to discrete reference.
    pub ratio_discrete: f64,
    /// Half of the peers had everything so long after the start.
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
    /// What peers sent that is no payload, to payload received; the tracker's own is not in it.
    pub control_bytes_per_payload_byte: f64,
    /// Most links that a peer had open at a time.
    pub links_live_max: usize,
    /// Most links that a peer opened in all.
    pub links_opened_max: usize,
    /// Of the simulator only.
    pub depth_max: Option<usize>,
    /// Of the simulator only.
    pub reorganisations_per_peer_minute: Option<f64>,
    /// Whether all had everything in the end.
    pub finished: bool,
    /// Peers that had everything, with the right digest.
    pub peers_finished: usize,
    /// Of the simulator only.
    pub tracker_frames_per_peer_minute: Option<f64>,
    /// All rates were multiplied with it.
    pub scale: f64,
    /// Payload to line rate on a bare channel, the measure of the bounds; `null` if not measured.
    pub efficiency: Option<f64>,
    /// The fluid bound if every bit of the lines were payload.
    pub fluid_bound_line_s: f64,
    /// Makespan to that.
    pub ratio_fluid_line: f64,
    /// From the first signal to the open channel, on the bare channel.
    pub bare_setup_s: Option<f64>,
    /// Share of all cores that was busy, by anybody.
    pub cpu_busy: f64,
    /// The part of this that was by processes of the swarm and its network.
    pub cpu_own: f64,
    /// What part of the time for which they wanted the processor the swarm's processes waited for it.
    pub cpu_wait: f64,
    /// Whether the processor was the limit: then the run says nothing of the swarm and does not count.
    pub cpu_limited: bool,
    /// Seconds of processor for each GiB that peers received, the network's included.
    pub cpu_s_per_gib: f64,
    /// Of these, the network's.
    pub middle_cpu_s_per_gib: f64,
    /// Seconds of processor of the source, then of each peer.
    pub cpu_s: Vec<f64>,
    /// Frames that were dropped.
    pub drops: Drops,
    /// By kind of line, the source's first.
    pub kinds: Vec<Kind>,
}

/// All of one kind of line.
#[derive(Clone, Debug, Serialize)]
pub struct Kind {
    /// Which.
    pub kind: &'static str,
    /// How many.
    pub count: usize,
    /// Line rate up.
    pub up_mbit: f64,
    /// Line rate down.
    pub down_mbit: f64,
    /// Payload sent, to what their uplinks carry of payload in the makespan.
    pub uplink_use: f64,
    /// Frames that their uplinks' queues dropped.
    pub dropped_up: u64,
    /// The first of them had everything; 0 for the source.
    pub first_s: f64,
    /// The last of them.
    pub last_s: f64,
}

const MBIT: f64 = 1e6;

impl Report {
    /// Puts the figures together.
    pub fn new(plan: &Plan, outcome: &Outcome) -> Self {
        let (peers, source) = (&outcome.peers, &outcome.source);
        let everyone: Vec<&Participant> = [source].into_iter().chain(peers).collect();
        let sum = |count: fn(&Participant) -> u64| everyone.iter().map(|who| count(who)).sum::<u64>() as f64;
        let most = |count: fn(&Participant) -> usize| everyone.iter().map(|who| count(who)).max().unwrap_or(0);
        let received = sum(|who| who.totals.received_bytes).max(1.0);
        let finished = sorted(peers.iter().filter_map(|peer| peer.finished_s));
        let first = sorted(peers.iter().filter_map(|peer| peer.totals.first_packet_s));
        let (fluid_bound_s, discrete_bound_s) = (outcome.rates.fluid_s(), outcome.rates.discrete_s());
        let lines: Vec<_> = peers.iter().map(|peer| peer.line).collect();
        let fluid_bound_line_s = swarm::rates(source.line, &lines, plan.size_bytes, 1.0).fluid_s();
        let gib = received / f64::from(1 << 30);
        Self {
            scenario: plan.profile.name().to_owned(),
            topology: "forest".to_owned(),
            peers: plan.peers,
            packets: plan.size_bytes.div_ceil(PACKET_BYTES),
            seed: plan.seed,
            makespan_s: outcome.makespan_s,
            fluid_bound_s,
            discrete_bound_s,
            ratio_fluid: outcome.makespan_s / fluid_bound_s,
            ratio_discrete: outcome.makespan_s / discrete_bound_s,
            p50_s: percentile(&finished, 50),
            p95_s: percentile(&finished, 95),
            first_packet_p50_s: percentile(&first, 50),
            first_packet_p95_s: percentile(&first, 95),
            source_copies: source.totals.sent_bytes as f64 / plan.size_bytes.max(1) as f64,
            wasted_bytes_ratio: sum(|who| who.totals.wasted_bytes) / received,
            control_bytes_per_payload_byte: sum(|who| who.totals.control_bytes) / received,
            links_live_max: most(|who| who.totals.links_max),
            links_opened_max: most(|who| who.totals.links_opened),
            depth_max: None,
            reorganisations_per_peer_minute: None,
            finished: finished.len() == plan.peers,
            peers_finished: finished.len(),
            tracker_frames_per_peer_minute: None,
            scale: plan.scale,
            efficiency: outcome.bare.map(|bare| bare.efficiency),
            fluid_bound_line_s,
            ratio_fluid_line: outcome.makespan_s / fluid_bound_line_s,
            bare_setup_s: outcome.bare.map(|bare| bare.setup_s),
            cpu_busy: outcome.cpu_busy,
            cpu_own: outcome.cpu_own,
            cpu_wait: outcome.cpu_waited_s / (outcome.cpu_waited_s + outcome.cpu_s).max(f64::MIN_POSITIVE),
            cpu_limited: outcome.cpu_busy > BUSY_MAX,
            cpu_s_per_gib: outcome.cpu_s / gib,
            middle_cpu_s_per_gib: outcome.middle_cpu_s / gib,
            cpu_s: everyone.iter().map(|who| who.cpu_s).collect(),
            drops: outcome.drops,
            kinds: kinds(&everyone, outcome),
        }
    }

    /// Whether it says something of the swarm.
    pub fn counts(&self) -> bool {
        self.finished && !self.cpu_limited
    }
}

/// In the order in which kinds are first met.
fn kinds(everyone: &[&Participant], outcome: &Outcome) -> Vec<Kind> {
    let mut names: Vec<&str> = everyone.iter().map(|who| who.line.kind).collect();
    let mut seen = Vec::new();
    names.retain(|name| {
        !seen.contains(name) && {
            seen.push(*name);
            true
        }
    });
    let efficiency = outcome.bare.map_or(1.0, |bare| bare.efficiency);
    let kind = |name: &&'static str| {
        let those: Vec<&&Participant> = everyone.iter().filter(|who| who.line.kind == *name).collect();
        let line = those[0].line;
        let sent_bytes = those.iter().map(|who| who.totals.sent_bytes).sum::<u64>() as f64;
        let could_bytes = line.up_bits_per_s as f64 / 8.0 * efficiency * outcome.makespan_s * those.len() as f64;
        let ends = sorted(those.iter().filter_map(|who| who.finished_s));
        Kind {
            kind: name,
            count: those.len(),
            up_mbit: line.up_bits_per_s as f64 / MBIT,
            down_mbit: line.down_bits_per_s as f64 / MBIT,
            uplink_use: sent_bytes / could_bytes.max(1.0),
            dropped_up: those.iter().map(|who| who.dropped_up).sum(),
            first_s: ends.first().copied().unwrap_or(0.0),
            last_s: ends.last().copied().unwrap_or(0.0),
        }
    };
    names.iter().map(kind).collect()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = if self.finished { "everyone has everything" } else { "NOT everyone has everything" };
        writeln!(
            f,
            "{} over {}: {} real peers, {} packets, seed {}, rates × {}",
            self.scenario, self.topology, self.peers, self.packets, self.seed, self.scale
        )?;
        writeln!(f, "  {outcome}: {} peers in {:.1} s", self.peers_finished, self.makespan_s)?;
        writeln!(
            f,
            "  bounds            fluid {:.1} s (× {:.2}), discrete {:.1} s (× {:.2})",
            self.fluid_bound_s, self.ratio_fluid, self.discrete_bound_s, self.ratio_discrete
        )?;
        if let (Some(efficiency), Some(setup_s)) = (self.efficiency, self.bare_setup_s) {
            writeln!(f, "  a bare channel    carried {:.1} % of its line, after {setup_s:.2} s", 100.0 * efficiency)?;
        }
        writeln!(f, "  lines alone       fluid {:.1} s (× {:.2})", self.fluid_bound_line_s, self.ratio_fluid_line)?;
        writeln!(f, "  a peer took       {:.1} s (half), {:.1} s (95 %)", self.p50_s, self.p95_s)?;
        let (half_s, most_s) = (self.first_packet_p50_s, self.first_packet_p95_s);
        writeln!(f, "  first packet      {half_s:.2} s (half), {most_s:.2} s (95 %)")?;
        writeln!(f, "  source sent       {:.2} copies", self.source_copies)?;
        writeln!(f, "  wasted            {:.2} % of payload", 100.0 * self.wasted_bytes_ratio)?;
        writeln!(f, "  control           {:.2} % of payload", 100.0 * self.control_bytes_per_payload_byte)?;
        writeln!(f, "  links of a peer   {} at a time, {} in all", self.links_live_max, self.links_opened_max)?;
        let Drops { up, down, middle } = self.drops;
        writeln!(f, "  frames dropped    {up} by uplinks, {down} by downlinks, {middle} in the middle")?;
        for kind in &self.kinds {
            let Kind { kind: name, count, up_mbit, down_mbit, uplink_use, dropped_up, first_s, last_s } = kind;
            let line = format!("{up_mbit:.1}/{down_mbit:.1} Mbit/s");
            let used = 100.0 * uplink_use;
            writeln!(
                f,
                "  {count:>3} {name:<8} {line:>18}: uplink {used:3.0} % used, {dropped_up} frames dropped, done {first_s:.1} to {last_s:.1} s"
            )?;
        }
        let (busy, own, wait) = (100.0 * self.cpu_busy, 100.0 * self.cpu_own, 100.0 * self.cpu_wait);
        writeln!(
            f,
            "  processor         {busy:.0} % busy, {own:.0} % by this, which waited {wait:.0} % of its time for it"
        )?;
        let (gib, middle) = (self.cpu_s_per_gib, self.middle_cpu_s_per_gib);
        writeln!(f, "                    {gib:.1} s for each GiB received, {middle:.1} of them the network's")?;
        if self.cpu_limited {
            writeln!(f, "  THE PROCESSOR WAS THE LIMIT: this run does not count")?;
        }
        Ok(())
    }
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
