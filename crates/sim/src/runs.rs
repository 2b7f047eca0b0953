//! Several runs of one scenario, which differ in their seeds, and their medians.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::report::Report;

/// Runs that go on at a time: each is one thread, and holds a whole swarm in memory.
const THREADS: usize = 2;

/// The reports of all runs, by seed.
#[derive(Clone, Debug)]
pub struct Runs {
    /// One each.
    pub reports: Vec<Report>,
}

impl Runs {
    /// Runs the seeds from `first` on; the first error of a run is the error of all.
    pub fn of<E: Send>(first: u64, count: u64, run: impl Fn(u64) -> Result<Report, E> + Sync) -> Result<Self, E> {
        let next = AtomicU64::new(0);
        let done = Mutex::new(Vec::new());
        let work = || {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return;
                }
                let report = run(first + number);
                done.lock().expect("no run panics with the lock").push(report);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..THREADS.min(count as usize) {
                scope.spawn(work);
            }
        });
        let done: Vec<Result<Report, E>> = done.into_inner().expect("no run panics with the lock");
        let mut reports = done.into_iter().collect::<Result<Vec<Report>, E>>()?;
        reports.sort_by_key(|report| report.seed);
        Ok(Self { reports })
    }

    /// Whether all went well.
    pub fn are_good(&self) -> bool {
        self.reports.iter().all(Report::is_good)
    }
}

/// A column of the table: its head, and what stands in it.
type Column = (&'static str, fn(&Report) -> f64);

#[rustfmt::skip]
const COLUMNS: [Column; 14] = [
    ("makespan s",    |report| report.makespan_s),
    ("× fluid",       |report| report.ratio_fluid),
    ("× discrete",    |report| report.ratio_discrete),
    ("p50 s",         |report| report.p50_s),
    ("p95 s",         |report| report.p95_s),
    ("first p50 s",   |report| report.first_packet_p50_s),
    ("first p95 s",   |report| report.first_packet_p95_s),
    ("source copies", |report| report.source_copies),
    ("wasted %",      |report| 100.0 * report.wasted_bytes_ratio),
    ("control %",     |report| 100.0 * report.control_bytes_per_payload_byte),
    ("links live",    |report| report.links_live_max as f64),
    ("links opened",  |report| report.links_opened_max as f64),
    ("depth",         |report| report.depth_max as f64),
    ("plans/min",     |report| report.reorganisations_per_peer_minute),
];

impl fmt::Display for Runs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.reports.first() else { return Ok(()) };
        let failed = self.reports.iter().filter(|report| !report.is_good()).count();
        writeln!(
            f,
            "{} over {}: {} peers, {} packets, {} runs from seed {}, {failed} failed",
            first.scenario,
            first.topology,
            first.peers,
            first.packets,
            self.reports.len(),
            first.seed
        )?;
        writeln!(f, "  {:<14} {:>10} {:>10} {:>10}", "", "least", "median", "most")?;
        for (name, value) in COLUMNS {
            let mut values: Vec<f64> = self.reports.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            let (least, most) = (values[0], values[values.len() - 1]);
            writeln!(f, "  {name:<14} {least:>10.2} {:>10.2} {most:>10.2}", median(&values))?;
        }
        let bad = self.reports.iter().filter(|report| !report.is_good());
        bad.map(|report| report.seed).try_for_each(|seed| writeln!(f, "  FAILED  seed {seed}"))
    }
}

fn median(ascending: &[f64]) -> f64 {
    let middle = ascending.len() / 2;
    if ascending.len().is_multiple_of(2) {
        (ascending[middle - 1] + ascending[middle]) / 2.0
    } else {
        ascending[middle]
    }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median(&[1.0, 2.0, 9.0]), 2.0);
        assert_eq!(median(&[1.0, 2.0, 4.0, 9.0]), 3.0);
    }
}
