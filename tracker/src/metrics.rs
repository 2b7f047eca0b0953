//! Numbers about the running server: `/stats.json` for people and programs, `/metrics` for Prometheus.
//!
//! What the tracker knows comes from the state machine; what the server does around it (sockets, refusals, manifests,
//! STUN) is counted here, with atomics, since many tasks count and none waits for another.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use pleach_core::fleet::DispatcherStats;
use pleach_core::tracker::{TrackerSeen, TrackerStats};
use serde::Serialize;

/// Counts of the server since its start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// TCP connections taken.
    pub(crate) connections: AtomicU64,
    /// TCP connections closed as they came, at a limit.
    pub(crate) connections_refused: AtomicU64,
    /// Sockets opened.
    pub(crate) sockets: AtomicU64,
    /// Sockets refused before they opened, at a limit or for their origin.
    pub(crate) sockets_refused: AtomicU64,
    /// Sockets closed for frames that are no messages.
    pub(crate) sockets_broken: AtomicU64,
    /// Sockets closed because their queue was full or they took no message for too long.
    pub(crate) sockets_slow: AtomicU64,
    /// Manifests taken.
    pub(crate) uploads: AtomicU64,
    /// Manifests refused.
    pub(crate) uploads_refused: AtomicU64,
    /// Messages to other trackers that found no room.
    pub(crate) cluster_dropped: AtomicU64,
    /// STUN requests answered.
    pub(crate) stun_answered: AtomicU64,
    /// Datagrams at the STUN port not answered.
    pub(crate) stun_ignored: AtomicU64,
}

/// One more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A snapshot of the server.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// What the state machine knows.
    pub tracker: TrackerStats,
    /// Manifests held.
    pub manifests: usize,
    /// Their bytes.
    pub manifests_bytes: usize,
    /// The fleet, if there is one.
    pub fleet: Option<FleetStats>,
}

/// A fleet, for operators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FleetStats {
    /// What the dispatcher knows.
    #[serde(flatten)]
    pub dispatcher: DispatcherStats,
    /// Changes that wait for the ledger's disk.
    pub ledger_waiting: usize,
}

/// `/stats.json`.
#[derive(Serialize)]
pub(crate) struct StatsJson {
    connections: usize,
    swarms: usize,
    peers: usize,
    seeders: usize,
    messages_in: u64,
    messages_out: u64,
    refused: u64,
    manifests: usize,
    manifests_bytes: usize,
    /// The other trackers that run swarms together with this one; only where there are some.
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<ClusterJson>,
    /// Only where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    fleet: Option<FleetStats>,
    /// Only where the operator wants it told; see the key `stats_swarms`.
    #[serde(skip_serializing_if = "Option::is_none")]
    swarm_list: Option<Vec<SwarmJson>>,
}

#[derive(Serialize)]
struct ClusterJson {
    /// Peers of the swarms above whose sockets other trackers hold.
    remote: usize,
    trackers: Vec<TrackerJson>,
}

/// Another tracker, and what its node lists say.
#[derive(Serialize)]
struct TrackerJson {
    tracker: String,
    lives: bool,
    swarms: usize,
    peers: usize,
}

impl From<&TrackerSeen> for TrackerJson {
    fn from(seen: &TrackerSeen) -> Self {
        Self { tracker: seen.tracker.to_string(), lives: seen.lives, swarms: seen.swarms, peers: seen.peers }
    }
}

#[derive(Serialize)]
struct SwarmJson {
    swarm: String,
    peers: usize,
    seeders: usize,
    depth: usize,
}

impl Stats {
    /// Peers of all swarms.
    pub fn peers(&self) -> usize {
        self.tracker.swarms.iter().map(|swarm| swarm.peers).sum()
    }

    /// Peers of all swarms that have everything.
    pub fn seeders(&self) -> usize {
        self.tracker.swarms.iter().map(|swarm| swarm.seeders).sum()
    }

    pub(crate) fn json(&self, with_swarms: bool) -> StatsJson {
        let swarms = self.tracker.swarms.iter().map(|swarm| SwarmJson {
            swarm: swarm.swarm.to_string(),
            peers: swarm.peers,
            seeders: swarm.seeders,
            depth: swarm.depth,
        });
        StatsJson {
            connections: self.tracker.connections,
            swarms: self.tracker.swarms.len(),
            peers: self.peers(),
            seeders: self.seeders(),
            messages_in: self.tracker.messages_in,
            messages_out: self.tracker.messages_out,
            refused: self.tracker.refused,
            manifests: self.manifests,
            manifests_bytes: self.manifests_bytes,
            cluster: (!self.tracker.trackers.is_empty()).then(|| ClusterJson {
                remote: self.tracker.remote,
                trackers: self.tracker.trackers.iter().map(TrackerJson::from).collect(),
            }),
            fleet: self.fleet,
            swarm_list: with_swarms.then(|| swarms.collect()),
        }
    }
}

/// The text of `/metrics`, in Prometheus' exposition format 0.0.4.
pub(crate) fn prometheus(stats: &Stats, counters: &Counters, connections_open: usize, sockets_open: usize) -> String {
    let depth_max = stats.tracker.swarms.iter().map(|swarm| swarm.depth).max().unwrap_or(0);
    let gauges = [
        ("connections_open", "Open TCP connections, sockets among them.", connections_open),
        ("sockets_open", "Open sockets of peers.", sockets_open),
        ("swarms", "Live swarms.", stats.tracker.swarms.len()),
        ("peers", "Peers of all swarms.", stats.peers()),
        ("seeders", "Peers that have everything.", stats.seeders()),
        ("depth_max", "Longest way from a root, in edges, over all swarms.", depth_max),
        (
            "others_alive",
            "Other trackers that run swarms together with this one, and live.",
            stats.tracker.trackers.iter().filter(|other| other.lives).count(),
        ),
        ("peers_remote", "Of the peers, those whose sockets other trackers hold.", stats.tracker.remote),
        ("manifests", "Manifests held.", stats.manifests),
        ("manifests_bytes", "Bytes of the manifests held.", stats.manifests_bytes),
    ];
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let totals = [
        ("messages_in", "Messages received from peers.", stats.tracker.messages_in),
        ("messages_out", "Messages sent to peers.", stats.tracker.messages_out),
        ("peers_refused", "Sockets refused by the tracker.", stats.tracker.refused),
        ("connections", "TCP connections taken.", read(&counters.connections)),
        ("connections_refused", "TCP connections closed at a limit.", read(&counters.connections_refused)),
        ("sockets", "Sockets opened.", read(&counters.sockets)),
        ("sockets_refused", "Sockets refused at a limit or for their origin.", read(&counters.sockets_refused)),
        ("sockets_broken", "Sockets closed for frames that are no messages.", read(&counters.sockets_broken)),
        ("sockets_slow", "Sockets closed because they took no messages.", read(&counters.sockets_slow)),
        ("uploads", "Manifests taken.", read(&counters.uploads)),
        ("uploads_refused", "Manifests refused.", read(&counters.uploads_refused)),
        ("cluster_dropped", "Messages to other trackers that found no room.", read(&counters.cluster_dropped)),
        ("stun_answered", "STUN requests answered.", read(&counters.stun_answered)),
        ("stun_ignored", "Datagrams at the STUN port not answered.", read(&counters.stun_ignored)),
    ];

    let mut text = String::with_capacity(4096);
    for (name, help, value) in gauges {
        put(&mut text, name, "gauge", help, value as u64);
    }
    if let Some(fleet) = &stats.fleet {
        put_fleet(&mut text, fleet);
    }
    for (name, help, value) in totals {
        put(&mut text, &format!("{name}_total"), "counter", help, value);
    }
    text
}

fn put_fleet(text: &mut String, fleet: &FleetStats) {
    let FleetStats { dispatcher: known, ledger_waiting } = fleet;
    let gauges = [
        ("machines", "Machines of the fleet that are known.", known.machines),
        ("machines_connected", "Machines of the fleet that are connected.", known.machines_connected),
        ("deliveries_open", "Deliveries that wait for a machine.", known.deliveries_open),
        ("deliveries_done", "Deliveries of which nobody is waited for.", known.deliveries - known.deliveries_open),
        ("failures", "Failures in the ledger: a machine did not get a delivery.", known.failures),
        ("ledger_waiting", "Changes that wait for the ledger's disk.", *ledger_waiting),
    ];
    for (name, help, value) in gauges {
        put(text, &format!("fleet_{name}"), "gauge", help, value as u64);
    }
    put(text, "fleet_requests_total", "counter", "Transport requests sent to machines.", known.requests_sent);
}

fn put(text: &mut String, name: &str, kind: &str, help: &str, value: u64) {
    let name = format!("pleach_tracker_{name}");
    // Writing to a String cannot fail.
    let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n");
}
