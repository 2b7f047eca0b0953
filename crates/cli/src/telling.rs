//! `--json`: how a transfer goes, for programs: one JSON object a line on stdout.
//!
//! Each line has the totals so far, whatever made it be written, so a reader that wants the end alone keeps the last
//! line. `event` says what made it: `resumed` when what an earlier run left was checked (`have_bytes` of it are good),
//! `progress` once a second, `complete` when everything is verified and written, `end` when the node has left.
//!
//! Lines without totals are `{"event":"descriptor","descriptor":N,…}`, when all bytes of one are there, and
//! `{"event":"link","link":…}`, which comes first from who makes a link.

use std::fmt::Display;
use std::io::Write;
use std::time::Duration;

use pleach_core::peer::{Event, SourceState, SourceStats, Stats};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::ui::web_bytes;

/// How often `progress` is told.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// Tells, if it was asked for.
#[derive(Debug)]
pub(crate) struct Telling {
    is_on: bool,
    begin: Instant,
    progress_at: Instant,
    links: usize,
    links_max: usize,
    links_opened: usize,
}

impl Telling {
    /// Times count from here.
    pub(crate) fn new(is_on: bool) -> Self {
        let now = Instant::now();
        Self { is_on, begin: now, progress_at: now, links: 0, links_max: 0, links_opened: 0 }
    }

    /// Tells of a descriptor whose bytes are all there.
    pub(crate) fn descriptor(&self, index: u32, name: Option<&str>) {
        if self.is_on {
            let time_s = self.begin.elapsed().as_secs_f64();
            write_line(json!({ "event": "descriptor", "time_s": time_s, "descriptor": index, "name": name }));
        }
    }

    /// Counts links.
    pub(crate) fn note(&mut self, event: &Event) {
        match event {
            Event::LinkUp { .. } => {
                self.links += 1;
                self.links_opened += 1;
                self.links_max = self.links_max.max(self.links);
            }
            Event::LinkDown { .. } => self.links = self.links.saturating_sub(1),
            _ => {}
        }
    }

    /// Tells how it stands, if the last time was long enough ago.
    pub(crate) fn progress(&mut self, stats: &Stats, first_packet: Option<Instant>) {
        if self.progress_at.elapsed() >= PROGRESS_INTERVAL {
            self.progress_at = Instant::now();
            self.tell("progress", stats, first_packet);
        }
    }

    /// Tells how it stands.
    pub(crate) fn tell(&self, event: &str, stats: &Stats, first_packet: Option<Instant>) {
        if self.is_on {
            write_line(self.totals(event, stats, first_packet));
        }
    }

    fn totals(&self, event: &str, stats: &Stats, first_packet: Option<Instant>) -> Value {
        let since_begin_s = |at: Instant| (at - self.begin).as_secs_f64();
        json!({
            "event": event,
            "time_s": self.begin.elapsed().as_secs_f64(),
            "first_packet_s": first_packet.map(since_begin_s),
            "have_bytes": stats.have_bytes,
            "size_bytes": stats.size_bytes,
            "received_bytes": stats.received_bytes,
            "web_bytes": web_bytes(stats),
            "sources": stats.sources.iter().map(source).collect::<Vec<_>>(),
            "wasted_bytes": stats.wasted_bytes,
            "sent_bytes": stats.sent_bytes,
            "control_bytes": stats.control_bytes,
            "links": self.links,
            "links_max": self.links_max,
            "links_opened": self.links_opened,
            "links_found": stats.links.iter().filter(|link| link.is_found).count(),
            "swarm_peers": stats.swarm_peers,
            "swarm_seeders": stats.swarm_seeders,
        })
    }
}

/// A web server, and what came from it.
fn source(stats: &SourceStats) -> Value {
    let state = match stats.state {
        SourceState::Idle => "idle",
        SourceState::Fetching => "fetching",
        SourceState::Resting => "resting",
        SourceState::Unfit => "unfit",
    };
    json!({ "url": stats.url, "received_bytes": stats.received_bytes, "state": state, "trouble": stats.trouble })
}

/// Tells a link: alone on its line, or as an object.
pub(crate) fn tell_link(link: &str, is_json: bool) {
    if is_json {
        write_line(json!({ "event": "link", "link": link }));
    } else {
        write_line(link);
    }
}

/// Writes a line to stdout. A reader that has gone away (`… | head`) is no reason to stop the transfer.
pub(crate) fn write_line(line: impl Display) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}
