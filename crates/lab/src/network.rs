//! Namespaces with one shaped interface each, joined by the middle.
//!
//! An uplink is shaped where frames leave the namespace, a downlink where the middle puts frames on their last stretch:
//! both are token buckets of the kernel (`tc`, `tbf`), each with a queue behind which it drops, as a home router has it.
//! Every namespace has one address, one way out, and everybody's frames look as if they came from that one router.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;

use crate::line::Line;
use crate::middle::{Middle, Port};

/// Namespaces of a network; their numbers are the last byte of their addresses.
const NODES_MAX: usize = 250;
/// How long a full queue takes to drain, but for slow lines, whose queue holds [`QUEUE_BYTES_MIN`].
pub(crate) const QUEUE_S: f64 = 0.25;
const QUEUE_BYTES_MIN: u64 = 32 * 1024;
/// What may go out at once: what a kernel's timer may be late, and ten frames at least.
const BURST_S: f64 = 0.002;
const BURST_BYTES_MIN: u64 = 15_000;
/// How long a new interface may take to be heard of.
const HELLO_MAX: Duration = Duration::from_secs(10);

/// One namespace.
#[derive(Clone, Debug)]
pub struct Node {
    /// The namespace's name.
    pub name: String,
    /// Its address.
    pub ip: Ipv4Addr,
    /// Its line; `None` is as fast as the machine.
    pub line: Option<Line>,
}

/// Namespaces that reach each other. They are taken down when this is dropped, and by the kernel in any case when
/// [`sealed`](crate::sealed) ends.
#[derive(Debug)]
pub struct Network {
    nodes: Vec<Node>,
    middle: Middle,
}

/// What was dropped where.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Drops {
    /// Frames that full uplinks dropped.
    pub up: u64,
    /// Frames that full downlinks dropped.
    pub down: u64,
    /// Frames that the middle was too slow for: there should be none.
    pub middle: u64,
}

impl Drops {
    /// What was dropped after an earlier look.
    pub fn since(self, earlier: Self) -> Self {
        let (up, down) = (self.up - earlier.up, self.down - earlier.down);
        Self { up, down, middle: self.middle.saturating_sub(earlier.middle) }
    }
}

impl Network {
    /// Makes a namespace for each line. Must run [inside](crate::sealed).
    pub fn new(lines: &[Option<Line>]) -> Result<Self> {
        ensure!(lines.len() <= NODES_MAX, "a network has at most {NODES_MAX} namespaces");
        let nodes: Vec<Node> = lines.iter().enumerate().map(|(number, line)| node(number, *line)).collect();
        let ports = nodes.iter().enumerate().map(|(number, node)| Port {
            mac: mac(number),
            ip: node.ip,
            delay: node.line.map_or(Duration::ZERO, |line| line.delay),
        });
        // First, because it learns the way to a namespace from what that says when it comes up.
        let middle = Middle::start(ports.collect())?;
        let script: String = nodes.iter().enumerate().map(|(number, node)| set_up(number, node)).collect();
        shell(&script).context("the namespaces could not be set up")?;
        let network = Self { nodes, middle };
        network.wait_for_hellos()?;
        Ok(network)
    }

    /// The namespaces, in the order of the lines.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// A command that runs a program in a namespace.
    pub fn command(&self, node: usize, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.nodes[node].name]).arg(program);
        command
    }

    /// What was dropped so far.
    pub fn drops(&self) -> Result<Drops> {
        let mut drops = Drops { middle: self.middle.lost(received_frames()?), ..Drops::default() };
        for (number, _) in self.nodes.iter().enumerate().filter(|(_, node)| node.line.is_some()) {
            drops.up += self.dropped_up(number)?;
            drops.down += dropped(&["-s", "qdisc", "show", "dev", &far_end(number)])?;
        }
        Ok(drops)
    }

    /// Frames that the queue of one namespace's uplink dropped so far.
    pub fn dropped_up(&self, node: usize) -> Result<u64> {
        dropped(&["-n", &self.nodes[node].name, "-s", "qdisc", "show", "dev", "line"])
    }

    /// An interface that comes up announces its address, unless its carrier comes up late; then it is asked again.
    fn wait_for_hellos(&self) -> Result<()> {
        let begin = Instant::now();
        loop {
            let silent = self.middle.silent();
            if silent.is_empty() {
                return Ok(());
            }
            if begin.elapsed() > HELLO_MAX {
                bail!("nothing came from the namespace {}", self.nodes[silent[0]].name);
            }
            let again =
                silent.iter().map(|number| format!("ip -n n{number} link set line address {}\n", mac_text(*number)));
            shell(&again.collect::<String>())?;
            sleep(Duration::from_millis(20));
        }
    }
}

/// Makes room for the next network in the same place.
impl Drop for Network {
    fn drop(&mut self) {
        let remove = |(number, node): (usize, &Node)| {
            // The interface first, since the kernel takes its time with the namespace and what is in it.
            format!("ip link del {} || true\nip netns del {} || true\n", far_end(number), node.name)
        };
        // What fails here was never made.
        let _ = shell(&self.nodes.iter().enumerate().map(remove).collect::<String>());
    }
}

fn node(number: usize, line: Option<Line>) -> Node {
    Node { name: format!("n{number}"), ip: Ipv4Addr::new(10, 9, 0, number as u8 + 1), line }
}

fn mac(number: usize) -> [u8; 6] {
    [2, 0, 0, 0, 0, number as u8 + 1]
}

fn mac_text(number: usize) -> String {
    mac(number).map(|byte| format!("{byte:02x}")).join(":")
}

/// The end in the middle of a namespace's interface.
fn far_end(number: usize) -> String {
    format!("p{number}")
}

/// The commands that make one namespace.
fn set_up(number: usize, node: &Node) -> String {
    let (name, ip, mac, far_end) = (&node.name, node.ip, mac_text(number), far_end(number));
    // Frames are cut to their size before they leave, because the middle passes on what a wire would carry.
    let mut script = format!(
        "ip netns add {name}
        ip link add {far_end} type veth peer name line netns {name}
        ip -n {name} link set lo up
        ip -n {name} link set line address {mac} gso_max_segs 1
        ip netns exec {name} sh -ec 'cd /proc/sys/net; echo 1 > ipv6/conf/all/disable_ipv6; echo 1 > ipv4/conf/line/arp_notify'
        ip -n {name} addr add {ip}/32 dev line
        ip link set {far_end} up
        ip -n {name} link set line up
        ip -n {name} neigh add 10.9.0.254 lladdr 02:00:00:00:00:fe dev line nud permanent
        ip -n {name} route add default via 10.9.0.254 dev line onlink\n"
    );
    if let Some(line) = node.line {
        // Writing to a string does not fail.
        let _ = writeln!(script, "tc -n {name} qdisc add dev line root {}", bucket(line.up_bits_per_s));
        let _ = writeln!(script, "tc qdisc add dev {far_end} root {}", bucket(line.down_bits_per_s));
    }
    script
}

/// A token bucket with a queue.
fn bucket(bits_per_s: u64) -> String {
    let bytes_in = |seconds: f64| (bits_per_s as f64 / 8.0 * seconds) as u64;
    let burst_bytes = bytes_in(BURST_S).max(BURST_BYTES_MIN);
    let limit_bytes = bytes_in(QUEUE_S).max(QUEUE_BYTES_MIN);
    format!("tbf rate {bits_per_s}bit burst {burst_bytes} limit {limit_bytes}")
}

fn shell(script: &str) -> Result<()> {
    let mut child = Command::new("sh").args(["-e", "-s"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    child.stdin.take().context("stdin is piped")?.write_all(script.as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

/// The number after `dropped` in what `tc` tells of a queue.
fn dropped(args: &[&str]) -> Result<u64> {
    let output = Command::new("tc").args(args).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let number = text.split("(dropped ").nth(1).and_then(|rest| rest.split(',').next()?.parse().ok());
    number.with_context(|| format!("`tc` told no drops: {text}"))
}

/// Frames that all namespaces have sent to the middle.
fn received_frames() -> Result<u64> {
    let table = std::fs::read_to_string("/proc/self/net/dev")?;
    let frames = table.lines().filter_map(|line| {
        let (name, numbers) = line.trim().split_once(':')?;
        name.starts_with('p').then(|| numbers.split_whitespace().nth(1)?.parse::<u64>().ok()).flatten()
    });
    Ok(frames.sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_line_has_room_for_some_frames() {
        assert_eq!(bucket(500_000), "tbf rate 500000bit burst 15000 limit 32768");
        assert_eq!(bucket(100_000_000), "tbf rate 100000000bit burst 25000 limit 3125000");
    }
}
