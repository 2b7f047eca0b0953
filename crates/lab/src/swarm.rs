//! One run: a tracker, a source and peers, until everyone has everything, as in the simulator's scenarios without faults:
//! all come at once and stay to the end.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use pleach_sim::bounds::{Member, Rates};
use serde::Deserialize;

use crate::bare::{self, Bare};
use crate::cpu::{self, Meter};
use crate::line::{Line, Profile};
use crate::network::{Drops, Network};
use crate::process::{Hearing, Process};

/// Who is who in the network.
const TRACKER: usize = 0;
const SOURCE: usize = 1;
const FIRST_PEER: usize = 2;
/// Bytes of a packet, as everywhere in Pleach.
pub(crate) const PACKET_BYTES: u64 = 64 * 1024;
/// What is written and hashed at once.
const PIECE_BYTES: usize = 1 << 20;
/// How long what should happen at once may take on a busy machine.
const SOON: Duration = Duration::from_secs(60);
/// How long all peers have to leave.
const LEAVE_MAX: Duration = Duration::from_secs(15);
/// A run has failed after so many times the bound, and so long.
const PATIENCE_RATIO: f64 = 10.0;
const PATIENCE: Duration = Duration::from_secs(120);

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Who has what line.
    pub profile: Profile,
    /// Peers beside the source.
    pub peers: usize,
    /// Size of the content.
    pub size_bytes: u64,
    /// All rates are multiplied with it.
    pub scale: f64,
    /// Content and distances are drawn from it.
    pub seed: u64,
    /// The program.
    pub pleach: PathBuf,
    /// One end of a bare channel; without it the bounds are those of the lines' full rates.
    pub bare_end: Option<PathBuf>,
    /// Where files go.
    pub folder: PathBuf,
}

/// What a process told last.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Totals {
    /// When its first whole packet was there, from its start.
    pub first_packet_s: Option<f64>,
    /// Verified payload.
    pub received_bytes: u64,
    /// Payload in vain.
    pub wasted_bytes: u64,
    /// Payload sent.
    pub sent_bytes: u64,
    /// What it sent that is no payload.
    pub control_bytes: u64,
    /// Most links at a time.
    pub links_max: usize,
    /// Links in all.
    pub links_opened: usize,
}

/// One participant.
#[derive(Clone, Debug)]
pub struct Participant {
    /// Its line.
    pub line: Line,
    /// Its numbers.
    pub totals: Totals,
    /// From its start until it had everything, with the right digest.
    pub finished_s: Option<f64>,
    /// Its processor time.
    pub cpu_s: f64,
    /// Frames that its uplink's queue dropped.
    pub dropped_up: u64,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The source.
    pub source: Participant,
    /// The peers.
    pub peers: Vec<Participant>,
    /// From the first peer's start until the last had everything; of those who did, if not all did.
    pub makespan_s: f64,
    /// What the bounds are computed from: what the lines carry of payload.
    pub rates: Rates,
    /// What a bare channel carried, if it was measured.
    pub bare: Option<Bare>,
    /// What queues dropped in the run.
    pub drops: Drops,
    /// Share of all cores that was busy, by anybody.
    pub cpu_busy: f64,
    /// The part of this that was by our processes.
    pub cpu_own: f64,
    /// Seconds that the swarm's processes were ready to run and had to wait for the processor.
    pub cpu_waited_s: f64,
    /// Seconds of processor that our processes took.
    pub cpu_s: f64,
    /// Of these, the network's.
    pub middle_cpu_s: f64,
}

/// Runs it. Must run [inside](crate::sealed).
pub fn run(plan: &Plan, interrupted: &AtomicBool) -> Result<Outcome> {
    let content = plan.folder.join("content.bin");
    let digest = write_content(&content, plan.size_bytes, plan.seed)?;
    let source = plan.profile.source(plan.scale);
    let peers = plan.profile.peers(plan.peers, plan.scale, plan.seed);
    let shaped = [source].into_iter().chain(peers.iter().copied());
    // The tracker's line is no part of what is looked at.
    let network = Network::new(&[None].into_iter().chain(shaped.map(Some)).collect::<Vec<_>>())?;
    let bare = plan.bare_end.as_ref().map(|program| {
        let fastest = (FIRST_PEER..).zip(&peers).max_by_key(|(_, line)| line.down_bits_per_s);
        let to = fastest.map_or(SOURCE, |(node, _)| node);
        bare::measure(&network, (SOURCE, to), program, &plan.folder, &Hearing::new(interrupted))
    });
    let bare = bare.transpose()?;
    let rates = rates(source, &peers, plan.size_bytes, bare.map_or(1.0, |bare| bare.efficiency));
    let mut swarm = Swarm::start(plan, &network, &content, interrupted)?;
    let makespan_s = swarm.wait(rates.fluid_s())?;
    let outcome = swarm.measured(makespan_s, rates, bare)?;
    swarm.leave()?;
    swarm.checked(outcome, digest)
}

/// What the bounds know of lines that carry so much payload.
pub fn rates(source: Line, peers: &[Line], size_bytes: u64, efficiency: f64) -> Rates {
    let payload = |bits_per_s: u64| (bits_per_s as f64 / 8.0 * efficiency) as u64;
    let member = |line: &Line| Member::constant(payload(line.up_bits_per_s), payload(line.down_bits_per_s));
    Rates {
        source: member(&source),
        peers: peers.iter().map(member).collect(),
        passers_by: Vec::new(),
        size_bytes,
        packet_bytes: PACKET_BYTES,
    }
}

/// Bytes that compress badly; their digest.
fn write_content(path: &Path, size_bytes: u64, seed: u64) -> Result<blake3::Hash> {
    let mut bytes = blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof();
    let mut file = File::create(path)?;
    let mut piece = vec![0; PIECE_BYTES];
    let mut left_bytes = size_bytes;
    while left_bytes > 0 {
        let len = left_bytes.min(PIECE_BYTES as u64);
        bytes.fill(&mut piece[..len as usize]);
        file.write_all(&piece[..len as usize]).context("the content could not be written")?;
        left_bytes -= len;
    }
    digest_of(path)
}

fn digest_of(path: &Path) -> Result<blake3::Hash> {
    let mut file = File::open(path)?;
    let (mut hasher, mut piece) = (blake3::Hasher::new(), vec![0; PIECE_BYTES]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hasher.finalize()),
            len => hasher.update(&piece[..len]),
        };
    }
}

/// A swarm at work.
struct Swarm<'a> {
    folder: &'a Path,
    network: &'a Network,
    hearing: Hearing<'a>,
    /// The tracker, the source, then the peers.
    processes: Vec<Process>,
    begin: Instant,
    meter: Meter,
    middle_cpu_before_s: f64,
    drops_before: Drops,
    totals: Vec<Totals>,
    finished: Vec<Option<Duration>>,
}

impl<'a> Swarm<'a> {
    fn start(plan: &'a Plan, network: &'a Network, content: &Path, interrupted: &'a AtomicBool) -> Result<Self> {
        let hearing = Hearing::new(interrupted);
        let folder = &plan.folder;
        let start = |node: usize, name: &str, args: &[&str]| {
            let mut command = network.command(node, &plan.pleach);
            command.args(args);
            Process::start(command, name, node, folder, &hearing)
        };
        let listen = format!("{}:8080", network.nodes()[TRACKER].ip);
        let tracker = start(TRACKER, "tracker", &["tracker", "--listen", &listen])?;
        let address = hearing.line_of(&tracker, SOON)?;
        let content = content.to_str().context("the folder's name is not Unicode")?;
        let source = start(SOURCE, "source", &["seed", content, "--tracker", &address, "--json"])?;
        let told: serde_json::Value = serde_json::from_str(&hearing.line_of(&source, SOON)?)?;
        let link = told["link"].as_str().context("the source tells no link")?;
        let mut processes = vec![tracker, source];
        let (begin, meter) = (Instant::now(), Meter::start());
        let (middle_cpu_before_s, drops_before) = (cpu::own_s(), network.drops()?);
        for node in (FIRST_PEER..).take(plan.peers) {
            let out = out_file(folder, node);
            let args = ["get", link, "-o", out.to_str().unwrap_or_default(), "--seed", "--json", "--timeout", "0"];
            processes.push(start(node, &format!("peer-{node:03}"), &args)?);
        }
        let (totals, finished) = (vec![Totals::default(); processes.len()], vec![None; processes.len()]);
        Ok(Self {
            folder,
            network,
            hearing,
            processes,
            begin,
            meter,
            middle_cpu_before_s,
            drops_before,
            totals,
            finished,
        })
    }

    /// Until everyone has everything, or patience ends; how long it took.
    fn wait(&mut self, bound_s: f64) -> Result<f64> {
        let patience = PATIENCE + Duration::from_secs_f64(PATIENCE_RATIO * bound_s);
        while self.finished[FIRST_PEER..].iter().any(Option::is_none) && self.begin.elapsed() < patience {
            let Some(said) = self.hearing.next(Duration::from_secs(1))? else { continue };
            let Some(line) = said.line else {
                let process = &self.processes[said.who];
                bail!("a process of the swarm has ended: {}", process.last_words());
            };
            self.take(said.who, &line, said.at);
        }
        let ends = self.finished.iter().flatten().max().copied().unwrap_or_default();
        Ok(ends.as_secs_f64())
    }

    fn take(&mut self, who: usize, line: &str, at: Instant) {
        // The tracker says things too, which are for people.
        let Ok(told) = serde_json::from_str::<Told>(line) else { return };
        self.totals[who] = told.totals;
        if told.event == "complete" {
            self.finished[who] = Some(at - self.begin);
        }
    }

    /// The figures that must be taken while all are still there.
    fn measured(&self, makespan_s: f64, rates: Rates, bare: Option<Bare>) -> Result<Outcome> {
        let participant = |node: usize| {
            let finished_s = self.finished[node].map(|finished| finished.as_secs_f64());
            let line = self.network.nodes()[node].line.context("all but the tracker have a line")?;
            Ok(Participant {
                line,
                totals: self.totals[node],
                finished_s,
                cpu_s: self.processes[node].cpu_s(),
                dropped_up: self.network.dropped_up(node)?,
            })
        };
        let middle_cpu_s = cpu::own_s() - self.middle_cpu_before_s;
        let cpu_s = self.processes.iter().map(Process::cpu_s).sum::<f64>() + middle_cpu_s;
        Ok(Outcome {
            source: participant(SOURCE)?,
            peers: (FIRST_PEER..self.processes.len()).map(participant).collect::<Result<_>>()?,
            makespan_s,
            rates,
            bare,
            drops: self.network.drops()?.since(self.drops_before),
            cpu_busy: self.meter.busy(),
            cpu_own: self.meter.share_of(cpu_s),
            cpu_waited_s: self.processes.iter().map(Process::cpu_waited_s).sum(),
            cpu_s,
            middle_cpu_s,
        })
    }

    /// Lets everyone say their last and go.
    fn leave(&mut self) -> Result<()> {
        self.processes.iter().for_each(Process::interrupt);
        let (begin, mut left) = (Instant::now(), self.processes.len());
        while left > 0 && begin.elapsed() < LEAVE_MAX {
            match self.hearing.next(Duration::from_secs(1))? {
                Some(said) => match said.line {
                    Some(line) => self.take(said.who, &line, said.at),
                    None => left -= 1,
                },
                None => continue,
            }
        }
        self.processes.clear();
        Ok(())
    }

    /// With the last totals, and without those whose file is not what it should be.
    fn checked(&self, mut outcome: Outcome, digest: blake3::Hash) -> Result<Outcome> {
        outcome.source.totals = self.totals[SOURCE];
        for (node, peer) in (FIRST_PEER..).zip(&mut outcome.peers) {
            peer.totals = self.totals[node];
            let out = out_file(self.folder, node);
            if peer.finished_s.is_some() && digest_of(&out)? != digest {
                peer.finished_s = None;
            }
            // The next run needs the room.
            if out.exists() {
                fs::remove_file(out)?;
            }
        }
        Ok(outcome)
    }
}

fn out_file(folder: &Path, node: usize) -> PathBuf {
    folder.join(format!("out-{node:03}.bin"))
}

/// A line of `pleach --json`.
#[derive(Deserialize)]
struct Told {
    event: String,
    #[serde(flatten)]
    totals: Totals,
}
