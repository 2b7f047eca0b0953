//! What can be typed: commands, flags and their `PLEACH_…` environment.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, Parser, Subcommand};
use pleach_core::forest::Topology;
use pleach_tracker::ServerOptions;

/// Children that a node would feed, in all stripes together; a tracker gives it as many as it was seen to feed.
pub(crate) const SLOTS: u8 = 64;

const AFTER_HELP: &str = "\
Examples:
  pleach share talk.mp4                 share a file; open the printed link in any browser
  pleach get LINK                       get it on the command line instead
  pleach get LINK --stdout | tar x      or straight into another program
  pleach tracker --listen 0.0.0.0:8080  run a meeting point for many files
  pleach seed talk.mp4 --tracker https://tracker.example

Every flag can also be set in the environment, as PLEACH_ and its name: PLEACH_LISTEN, PLEACH_UPLOAD_LIMIT …
RUST_LOG sets what is logged, finer than -v does. NO_COLOR turns colours off.

Exit codes:
  0  done                                  4  storage: disk full, not writable, file in the way
  1  failure                               5  the file changed while it was shared
  2  wrong arguments                     130  interrupted (Ctrl-C)
  3  not found, or nobody had it in time 143  ended by the system (SIGTERM)";

/// Share files of any size from your machine: those who get them pass them on to each other.
#[derive(Debug, Parser)]
#[command(name = "pleach", version, about, after_help = AFTER_HELP, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// How much is said on stderr.
#[derive(Clone, Debug, Args)]
pub(crate) struct OutputArgs {
    /// Say more: once for what happens, twice for why.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Say nothing but errors.
    #[arg(short, long, global = true, env = "PLEACH_QUIET", value_parser = BoolishValueParser::new())]
    pub(crate) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Share a file: one process is all it takes, and a link that opens in any browser.
    Share(ShareArgs),
    /// Get what a link leads to.
    Get(GetArgs),
    /// Give a file to a tracker that runs elsewhere.
    Seed(SeedArgs),
    /// Run a tracker: the meeting point, with the page that links open.
    Tracker(Box<TrackerArgs>),
    /// Show what a link or a .pleach file is about, without getting it.
    Inspect(InspectArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
The link is printed on stdout, alone on its line; everything else goes to stderr. Ctrl-C ends the sharing;
what others have by then they can still give each other only while a tracker runs.

Examples:
  pleach share talk.mp4
  pleach share talk.mp4 --host my-laptop.local --upload-limit 5MB
  pleach share talk.mp4 --listen 127.0.0.1:0 --no-qr")]
pub(crate) struct ShareArgs {
    /// The file.
    pub(crate) file: PathBuf,
    /// Address and port of page and tracker, TCP, and of STUN, UDP [default: 0.0.0.0:8080, or a free port if 8080 is
    /// taken].
    #[arg(long, env = "PLEACH_LISTEN", value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// What the link says where this machine is: a name, an address, or a whole http(s) URL if a proxy stands before it
    /// [default: the address in the local network].
    #[arg(long, env = "PLEACH_HOST", value_name = "HOST")]
    pub(crate) host: Option<String>,
    /// Show no QR code.
    #[arg(long, env = "PLEACH_NO_QR", value_parser = BoolishValueParser::new())]
    pub(crate) no_qr: bool,
    /// Let at most so many in at a time.
    #[arg(long, env = "PLEACH_MAX_PEERS", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_peers: Option<u32>,
    /// How recipients are arranged: forest, heap, relay or relay:N, replica or replica:N; `pleach tracker --help` tells
    /// what these are.
    #[arg(long, env = "PLEACH_TOPOLOGY", value_name = "NAME", default_value_t)]
    pub(crate) topology: Topology,
    #[command(flatten)]
    pub(crate) seeding: SeedingArgs,
}

/// What share and seed have in common.
#[derive(Debug, Args)]
pub(crate) struct SeedingArgs {
    /// What recipients see and save it as [default: the file's name].
    #[arg(long, env = "PLEACH_NAME", value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Feed at most so many children, in all stripes together: who gets everything from here counts once for each
    /// stripe, 8 times at most trackers. They feed the others.
    #[arg(long, env = "PLEACH_SLOTS", value_name = "N", default_value_t = SLOTS, value_parser = clap::value_parser!(u8).range(1..))]
    pub(crate) slots: u8,
    /// Send at most so much a second: 500kB, 2MB, 1MiB.
    #[arg(long, env = "PLEACH_UPLOAD_LIMIT", value_name = "SIZE")]
    pub(crate) upload_limit: Option<ByteSize>,
    /// For programs: JSON objects on stdout, one a line: first the link, then each second how it goes, in totals.
    #[arg(long, env = "PLEACH_JSON", value_parser = BoolishValueParser::new())]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
While it is under way the data lies in OUT.pleach-part, beside a record of what is verified: run the same command
again to go on after an interruption. OUT appears only when everything is verified and written.

Examples:
  pleach get http://192.168.1.20:8080/4a7d…#m1.Xo3…
  pleach get LINK -o ~/Downloads/
  pleach get LINK --stdout | tar x
  pleach get talk.mp4.pleach --tracker https://tracker.example --seed")]
pub(crate) struct GetArgs {
    /// A Pleach link, a .pleach file, or the URL of one.
    pub(crate) link: String,
    /// Where to write: a file, a directory, or - for stdout [default: its name, here].
    #[arg(short, long, env = "PLEACH_OUT", value_name = "OUT")]
    pub(crate) out: Option<PathBuf>,
    /// Write to stdout, in order, as soon as each part is verified. Needs room for all of it in TMPDIR; can't be
    /// resumed.
    #[arg(long, env = "PLEACH_STDOUT", value_parser = BoolishValueParser::new(), conflicts_with = "out")]
    pub(crate) stdout: bool,
    /// Replace OUT if it is there, and a partial file of something else.
    #[arg(short, long, env = "PLEACH_FORCE", value_parser = BoolishValueParser::new())]
    pub(crate) force: bool,
    /// The tracker to ask, instead of that in the link or .pleach file.
    #[arg(long, env = "PLEACH_TRACKER", value_name = "URL")]
    pub(crate) tracker: Option<String>,
    /// Give up when nothing came for so long; 0 waits for ever.
    #[arg(long, env = "PLEACH_TIMEOUT", value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub(crate) timeout: Duration,
    /// Stay when it is complete and pass it on, until Ctrl-C.
    #[arg(long, env = "PLEACH_SEED", value_parser = BoolishValueParser::new())]
    pub(crate) seed: bool,
    /// When it is complete, stay for at most so long while somebody is still being fed.
    #[arg(long, env = "PLEACH_LINGER", value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub(crate) linger: Duration,
    /// Send at most so much a second to others: 500kB, 2MB, 1MiB; 0 sends nothing.
    #[arg(long, env = "PLEACH_UPLOAD_LIMIT", value_name = "SIZE")]
    pub(crate) upload_limit: Option<ByteSize>,
    /// For programs: JSON objects on stdout, one a line, each second and when it is complete, with totals of what was
    /// received, sent and wasted, links, and when the first packet was there.
    #[arg(long, env = "PLEACH_JSON", value_parser = BoolishValueParser::new(), conflicts_with = "stdout")]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The link is printed on stdout, alone on its line; everything else goes to stderr.

Examples:
  pleach seed talk.mp4 --tracker https://tracker.example
  pleach seed talk.mp4 --tracker ws://127.0.0.1:8080/ws --save-manifest talk.mp4.pleach")]
pub(crate) struct SeedArgs {
    /// The file.
    pub(crate) file: PathBuf,
    /// The tracker: http(s)://HOST[:PORT] or ws(s)://HOST[:PORT]/ws.
    #[arg(long, env = "PLEACH_TRACKER", value_name = "URL")]
    pub(crate) tracker: String,
    /// Also write the description, which `pleach get` and `pleach inspect` take in place of a link.
    #[arg(long, env = "PLEACH_SAVE_MANIFEST", value_name = "FILE.pleach")]
    pub(crate) save_manifest: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) seeding: SeedingArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Settings come from flags, then PLEACH_… in the environment, then the file, then the defaults.

Examples:
  pleach tracker --listen 0.0.0.0:8080
  pleach tracker --print-config > tracker.toml
  pleach tracker --config tracker.toml")]
pub(crate) struct TrackerArgs {
    /// A TOML file of settings; a key that is not known is refused.
    #[arg(long, env = "PLEACH_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Write a commented file of all settings with their defaults to stdout, and end.
    #[arg(long)]
    pub(crate) print_config: bool,
    #[command(flatten)]
    pub(crate) options: ServerOptions,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// A Pleach link, a .pleach file, or the URL of one.
    pub(crate) link: String,
    /// One JSON object on stdout, for programs.
    #[arg(long, env = "PLEACH_JSON", value_parser = BoolishValueParser::new())]
    pub(crate) json: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::Cli;

    /// Every `pleach …` line of the README is one that the program understands.
    #[test]
    fn the_readme_tells_commands_that_exist() {
        let readme = include_str!("../../../README.md");
        let lines: Vec<&str> = readme.lines().filter(|line| line.starts_with("pleach ")).collect();
        assert!(lines.len() >= 6, "the README shows how to use it");
        for line in lines {
            let command = line.split(['#', '|']).next().unwrap_or_default();
            let parsed = Cli::try_parse_from(command.split_whitespace());
            assert!(parsed.is_ok(), "{line}: {}", parsed.err().map(|error| error.to_string()).unwrap_or_default());
        }
    }
}
