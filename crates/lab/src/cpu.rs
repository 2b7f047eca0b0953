//! The processor: a run in which it was the limit measured the machine and not the swarm.

use std::fs;
use std::time::Instant;

/// Ticks of a second in `/proc`, on every Linux that we know of.
const TICKS_PER_S: f64 = 100.0;
/// Busier than this on average, the processor is taken for the limit.
pub const BUSY_MAX: f64 = 0.85;

/// Counts from its beginning.
#[derive(Debug)]
pub struct Meter {
    begin: Instant,
    at_begin: Ticks,
}

#[derive(Clone, Copy, Debug, Default)]
struct Ticks {
    all: f64,
    idle: f64,
}

impl Meter {
    /// Begins to count.
    pub fn start() -> Self {
        Self { begin: Instant::now(), at_begin: machine() }
    }

    /// The share of all cores that was busy since, whoever kept them so, other machines on this hardware included.
    pub fn busy(&self) -> f64 {
        let now = machine();
        let all = now.all - self.at_begin.all;
        if all > 0.0 { 1.0 - (now.idle - self.at_begin.idle) / all } else { 0.0 }
    }

    /// What share of all cores so many seconds of processor time are.
    pub fn share_of(&self, cpu_s: f64) -> f64 {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        cpu_s / (self.begin.elapsed().as_secs_f64() * cores as f64).max(f64::MIN_POSITIVE)
    }
}

fn machine() -> Ticks {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    // user, nice, system, idle, iowait, irq, softirq, steal; the two after them are in the first two already.
    let numbers: Vec<f64> = line.split_whitespace().skip(1).take(8).filter_map(|number| number.parse().ok()).collect();
    Ticks { all: numbers.iter().sum(), idle: numbers.iter().skip(3).take(2).sum() }
}

/// Processor time of a process so far, with that of its children that it has waited for; 0 if it has ended.
pub(crate) fn process_s(pid: u32) -> f64 {
    of_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default())
}

/// How long threads of a process, those that are still there, were ready to run and had to wait for the processor.
pub(crate) fn waited_s(pid: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let waited_ns = threads.filter_map(|thread| {
        // Time on the processor, time waiting for it, and turns.
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().nth(1)?.parse::<f64>().ok()
    });
    waited_ns.sum::<f64>() / 1e9
}

/// Processor time of this process.
pub(crate) fn own_s() -> f64 {
    process_s(std::process::id())
}

fn of_stat(text: &str) -> f64 {
    // The name, in brackets, may have spaces. After it: state, parent, …; user, system, and the children's of both.
    let fields = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    fields.split_whitespace().skip(11).take(4).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_S
}

#[cfg(test)]
mod tests {
    #[test]
    fn time_is_found_behind_a_name_with_brackets() {
        assert_eq!(super::of_stat("7 (a) b) S 1 7 7 0 -1 4194304 9 0 0 0 150 50 0 0 20 0 1"), 2.0);
        assert_eq!(super::of_stat(""), 0.0);
    }
}
