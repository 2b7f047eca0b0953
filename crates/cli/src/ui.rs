//! What people see while something runs: bars on a terminal, a plain line now and then elsewhere, nothing with `-q`.
//! All of it on stderr.

use std::fmt::Display;
use std::io::Write as _;
use std::time::{Duration, Instant};

use console::Term;
use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use pleach_core::peer::{Phase, Stats};

/// How often a plain line is written where there is no terminal.
const PLAIN_INTERVAL: Duration = Duration::from_secs(5);
/// Columns of a bar at least and at most, of the percentage after it, and of what is said beside it as a rule.
const BAR_COLUMNS: (u16, u16) = (8, 28);
const PERCENT_COLUMNS: u16 = 8;
const MESSAGE_COLUMNS: u16 = 62;

/// The person at stderr, if there is one.
#[derive(Clone, Debug)]
pub(crate) struct Ui {
    mode: Mode,
    bars: MultiProgress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Quiet,
    Plain,
    Terminal,
}

impl Ui {
    pub(crate) fn new(quiet: bool) -> Self {
        let mode = match (quiet, Term::stderr().is_term()) {
            (true, _) => Mode::Quiet,
            (false, true) => Mode::Terminal,
            (false, false) => Mode::Plain,
        };
        Self { mode, bars: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()) }
    }

    /// A line for people.
    pub(crate) fn say(&self, line: impl Display) {
        if self.mode != Mode::Quiet {
            // Who reads it may have gone away (`2>&1 | head`).
            let _ = self.beside_bars(|| writeln!(std::io::stderr(), "{line}"));
        }
    }

    /// Whether drawings make sense.
    pub(crate) fn is_terminal(&self) -> bool {
        self.mode == Mode::Terminal
    }

    /// Does something with stderr or a terminal's stdout while no bar is drawn.
    pub(crate) fn beside_bars<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bars.suspend(write)
    }

    /// Shows something that goes from nothing to `total_bytes`.
    pub(crate) fn bar(&self, total_bytes: u64) -> Progress {
        // An empty thing is done from the start; a bar of length 0 would show nothing.
        let bar_columns = bar_columns(Term::stderr().size().1);
        let template = format!("{{bar:{bar_columns}}} {{percent:>3}} %  {{wide_msg}}");
        let style = ProgressStyle::with_template(&template).expect("the template is constant but for a number");
        self.progress(ProgressBar::new(total_bytes.max(1)).with_style(style), Some(total_bytes))
    }

    /// Shows a line that changes.
    pub(crate) fn line(&self) -> Progress {
        let style = ProgressStyle::with_template("{wide_msg}").expect("the template is constant");
        self.progress(ProgressBar::new_spinner().with_style(style), None)
    }

    fn progress(&self, bar: ProgressBar, total_bytes: Option<u64>) -> Progress {
        let bar = (self.mode == Mode::Terminal).then(|| self.bars.add(bar));
        Progress { ui: self.clone(), bar, total_bytes, said: String::new(), said_at: Instant::now() }
    }
}

/// Something that is going on. Cleared from the terminal when dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    ui: Ui,
    bar: Option<ProgressBar>,
    total_bytes: Option<u64>,
    said: String,
    said_at: Instant,
}

impl Progress {
    /// Shows how it stands. Where there is no terminal, only if that is news and the last news is old.
    pub(crate) fn show(&mut self, done_bytes: u64, message: impl Display) {
        if let Some(bar) = &self.bar {
            let full = self.total_bytes == Some(0);
            bar.set_position(if full { 1 } else { done_bytes });
            bar.set_message(message.to_string());
        } else if self.said_at.elapsed() >= PLAIN_INTERVAL {
            let line = match self.total_bytes {
                Some(total_bytes) => format!("{} %  {message}", percent(done_bytes, total_bytes)),
                None => message.to_string(),
            };
            if line != self.said {
                self.ui.say(&line);
                self.said = line;
            }
            self.said_at = Instant::now();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A bar leaves room for what is said beside it; on a narrow terminal that is cut off, rather than wrapped.
fn bar_columns(terminal_columns: u16) -> u16 {
    let (least, most) = BAR_COLUMNS;
    terminal_columns.saturating_sub(PERCENT_COLUMNS + MESSAGE_COLUMNS).clamp(least, most)
}

/// How a download stands: `12 MiB of 256 MiB · 10 MiB/s · 24 s left · 3 peers`.
pub(crate) fn describe_download(stats: &Stats) -> String {
    let sizes = format!("{} of {}", HumanBytes(stats.have_bytes), HumanBytes(stats.size_bytes));
    let peers = describe_present(stats);
    match stats.phase {
        Phase::Checking => format!("{sizes} · checking what is there"),
        Phase::Searching if stats.links.is_empty() => format!("{sizes} · looking for peers"),
        Phase::Searching => format!("{sizes} · waiting · {peers}"),
        _ => {
            let left = time_left(stats).map_or_else(String::new, |left| format!(" · {left} left"));
            format!("{sizes} · {}{left} · {peers}", speed(stats.down_bytes_per_s))
        }
    }
}

/// Who is there: `3 peers`, `3 peers and the web (12 MiB)`, `the web alone`.
fn describe_present(stats: &Stats) -> String {
    let peers = peers(stats.links.len());
    match web_bytes(stats) {
        0 => peers,
        _ if stats.links.is_empty() => "from the web alone".into(),
        bytes => format!("{peers} and the web ({})", HumanBytes(bytes)),
    }
}

/// What came from where, at the end: `: 200 MiB from peers, 12 MiB from site.example`. Empty if no web server was of use.
pub(crate) fn describe_carriers(stats: &Stats) -> String {
    let web_bytes = web_bytes(stats);
    if web_bytes == 0 {
        return String::new();
    }
    let of_peers = HumanBytes(stats.received_bytes.saturating_sub(web_bytes));
    let used = stats.sources.iter().filter(|source| source.received_bytes > 0);
    let of_web = used.map(|source| format!(", {} from {}", HumanBytes(source.received_bytes), host_of(&source.url)));
    format!(": {of_peers} from peers{}", of_web.collect::<String>())
}

/// Verified bytes that came from web servers.
pub(crate) fn web_bytes(stats: &Stats) -> u64 {
    stats.sources.iter().map(|source| source.received_bytes).sum()
}

/// The host in an address.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or(rest)
}

/// How an upload stands: `3 peers · 10 MiB/s · 1.2 GiB served`.
pub(crate) fn describe_upload(stats: &Stats) -> String {
    let others = stats.swarm_peers.saturating_sub(1).max(u32::try_from(stats.links.len()).unwrap_or(u32::MAX));
    let direct = match stats.links.len() {
        direct if direct == others as usize => String::new(),
        direct => format!(" ({direct} fed directly)"),
    };
    let speed = speed(stats.up_bytes_per_s);
    format!("{}{direct} · {speed} · {} served", peers(others as usize), HumanBytes(stats.sent_bytes))
}

/// `1 peer`, `2 peers`.
pub(crate) fn peers(count: usize) -> String {
    if count == 1 { "1 peer".into() } else { format!("{count} peers") }
}

/// `1 machine`, `2 machines`.
pub(crate) fn machines(count: usize) -> String {
    if count == 1 { "1 machine".into() } else { format!("{count} machines") }
}

/// `10.00 MiB/s`.
pub(crate) fn speed(bytes_per_s: u64) -> String {
    format!("{}/s", HumanBytes(bytes_per_s))
}

/// `24 s`, `3 min 5 s`, `2 h 10 min`.
pub(crate) fn duration(duration: Duration) -> String {
    match duration.as_secs() {
        s @ 0..60 => format!("{s} s"),
        s @ 60..3600 => format!("{} min {} s", s / 60, s % 60),
        s => format!("{} h {} min", s / 3600, s / 60 % 60),
    }
}

fn time_left(stats: &Stats) -> Option<String> {
    let left_bytes = stats.size_bytes.saturating_sub(stats.have_bytes);
    left_bytes.checked_div(stats.down_bytes_per_s).map(|seconds| duration(Duration::from_secs(seconds + 1)))
}

fn percent(done: u64, total: u64) -> u64 {
    if total == 0 { 100 } else { (u128::from(done) * 100 / u128::from(total)) as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_and_what_is_said_beside_it_fit_on_one_line() {
        for columns in 78..=300 {
            assert!(bar_columns(columns) + PERCENT_COLUMNS + MESSAGE_COLUMNS <= columns, "{columns}");
        }
        assert_eq!(bar_columns(20), 8, "what is said is cut off where there is no room");
        assert_eq!(bar_columns(300), 28);
    }
}
