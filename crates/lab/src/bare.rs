//! What a line carries without Pleach: one WebRTC data channel through it, sent full.
//!
//! A line's rate counts headers, and congestion control leaves some of it unused. What is left is what a swarm is held
//! against: its ratio to a bound from bare rates is Pleach's own, not WebRTC's.
//!
//! No more is on the way than fills the line and its queue. A channel left to itself begins by overfilling the queue, and
//! takes many seconds to send again what that dropped: 53 to 81 % of the line in 15 s, from run to run.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::network::{Network, QUEUE_S};
use crate::process::{Hearing, Process};

/// Bytes of a message, as the benchmark of links has it.
const MESSAGE_BYTES: u64 = 64 * 1024;
/// How long the transfer should take.
const TRANSFER_S: f64 = 15.0;
/// When it has failed.
const WAIT_MAX: Duration = Duration::from_secs(120);

/// What was seen.
#[derive(Clone, Copy, Debug)]
pub struct Bare {
    /// Payload a second, to the rate of the line.
    pub efficiency: f64,
    /// From the first signal to the open channel.
    pub setup_s: f64,
}

/// Sends from one namespace to another with the program `bare_end`, an example of `pleach-native`.
pub fn measure(
    network: &Network,
    (from, to): (usize, usize),
    program: &Path,
    folder: &Path,
    hearing: &Hearing<'_>,
) -> Result<Bare> {
    let line = |node: usize| network.nodes()[node].line.context("a bare transfer needs shaped lines");
    let line_bytes_per_s = line(from)?.up_bits_per_s.min(line(to)?.down_bits_per_s) as f64 / 8.0;
    let total_bytes = (line_bytes_per_s * TRANSFER_S) as u64;
    let start = |node: usize, role: [&str; 2]| {
        let mut command = network.command(node, program);
        let window_bytes = (line_bytes_per_s * QUEUE_S) as u64;
        command.args(role).args([MESSAGE_BYTES, total_bytes, window_bytes].map(|bytes| bytes.to_string()));
        Process::start(command, &format!("bare-{}", role[0]), node, folder, hearing)
    };
    let mut sender = start(from, ["send", "dial"])?;
    let mut receiver = start(to, ["receive", "answer"])?;
    let mut setup_s = None;
    // The sender has its answer when the receiver has everything, so its end is the end, though it may be told last.
    loop {
        let said = hearing.next(WAIT_MAX)?.context("the bare transfer does not end")?;
        let Some(line) = said.line else {
            if said.who == to && setup_s.is_some() {
                continue;
            }
            bail!("the bare transfer failed: {} {}", sender.last_words(), receiver.last_words());
        };
        match serde_json::from_str::<End>(&line) {
            Ok(end) if said.who == to => setup_s = Some(end.setup_ms / 1e3),
            Ok(end) => {
                let efficiency = end.mbps * 1e6 / line_bytes_per_s;
                return Ok(Bare { efficiency, setup_s: setup_s.unwrap_or(end.setup_ms / 1e3) });
            }
            // A signal for the other end.
            Err(_) if said.who == from => receiver.write(&line)?,
            Err(_) => sender.write(&line)?,
        }
    }
}

/// The last line of an end.
#[derive(serde::Deserialize)]
struct End {
    /// Million bytes a second.
    mbps: f64,
    setup_ms: f64,
}
