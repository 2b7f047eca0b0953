//! What can be typed: commands, flags and their `PLEACH_…` environment.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, Parser, Subcommand};
use pleach_core::content::{DESCRIPTORS_MAX, Segmentation, WebPlaces};
use pleach_core::forest::Topology;
use pleach_tracker::ServerOptions;
use url::Url;

use crate::describing::Stretch;
use crate::fleet_args::{AgentArgs, DeliverArgs, ReportArgs};
use crate::moment::Moment;

/// Children that a node would feed, in all stripes together; a tracker gives it as many as it was seen to feed.
pub(crate) const SLOTS: u8 = 64;

const AFTER_HELP: &str = "\
Examples:
  pleach share talk.mp4                 share a file
  pleach share Photos                   or a folder
  pleach get LINK                       get what is shared
  pleach get LINK --stdout | tar x      unpack it on the way
  pleach tracker --listen 0.0.0.0:8080  run a meeting point
  pleach seed talk.mp4 --tracker https://tracker.example
  pleach publish talk.mp4 --tracker https://tracker.example
  pleach deliver talk.mp4 --group office \\
      --tracker https://tracker.example --token-file token

Every flag can also be set in the environment, as PLEACH_
and its name: PLEACH_LISTEN, PLEACH_UPLOAD_LIMIT …
RUST_LOG sets what is logged, finer than -v does.
NO_COLOR turns colours off.

Exit codes:
    0  done
    1  failure
    2  wrong arguments
    3  not found, or not to be had in time
    4  storage: disk full, not writable, file in the way
    5  a file changed while it was shared
    6  encrypted, and key or password missing or wrong
    7  some machines did not get a delivery
  130  interrupted (Ctrl-C)
  143  ended by the system (SIGTERM)";

/// Share files and folders of any size from your machine: those who get them pass them on to each other.
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
    /// Share files or folders: one process is all it takes, and a link that opens in any browser.
    Share(ShareArgs),
    /// Get what a link leads to.
    Get(GetArgs),
    /// Give files or folders to a tracker that runs elsewhere.
    Seed(SeedArgs),
    /// Describe files or folders in a .pleach file, to be put beside them on a web server.
    Publish(PublishArgs),
    /// Run a tracker: the meeting point, with the page that links open.
    Tracker(Box<TrackerArgs>),
    /// Show what a link or a .pleach file is about, without getting it.
    Inspect(InspectArgs),
    /// Make this machine one of a fleet: it takes deliveries into a folder.
    Agent(Box<AgentArgs>),
    /// Deliver files or folders to the machines of a fleet.
    Deliver(Box<DeliverArgs>),
    /// Show a fleet's machines, deliveries and failures.
    Report(ReportArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
The link is printed on stdout, alone on its line; everything else goes to stderr.
Ctrl-C ends the sharing; what others have by then they can still give each other only while
a tracker runs.

Examples:
  pleach share talk.mp4
  pleach share Photos
  pleach share slides.pdf talk.mp4 --name Talk
  pleach share Photos --encrypt
  pleach share talk.mp4 --host my-laptop.local --upload-limit 5MB
  pleach share talk.mp4 --listen 127.0.0.1:0 --no-qr")]
pub(crate) struct ShareArgs {
    /// Address and port of page and tracker, TCP, and of STUN, UDP [default: 0.0.0.0:8080, or a free port if 8080 is
    /// taken].
    #[arg(long, env = "PLEACH_LISTEN", value_name = "ADDRESS", value_parser = address)]
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

/// What share, seed and publish have in common: which bytes.
#[derive(Debug, Args)]
pub(crate) struct ContentArgs {
    /// Files and folders. A folder, or several things together, come out as one folder at the other end, its files sorted
    /// by path.
    ///
    /// Below a folder these are left out: hidden files and folders (see --hidden), symbolic links, what is neither file
    /// nor folder, unfinished downloads, and folders in which nothing is. How many that are is said. What is named itself
    /// is always taken.
    #[arg(required = true, value_name = "FILE|DIR")]
    pub(crate) files: Vec<PathBuf>,
    /// What recipients see and save it as [default: the name of the file or folder; of several, that of the first and
    /// how many more].
    #[arg(long, env = "PLEACH_NAME", value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Take hidden files and folders too: those whose names begin with a dot.
    #[arg(long, env = "PLEACH_HIDDEN", value_parser = BoolishValueParser::new())]
    pub(crate) hidden: bool,
    #[command(flatten)]
    pub(crate) packing: PackingArgs,
}

/// How the bytes are packed.
#[derive(Debug, Args)]
pub(crate) struct PackingArgs {
    /// Encrypt names and bytes. The key is in the link, behind the #, and goes nowhere else: whoever has the whole link
    /// can read it, and neither tracker nor web server nor who passes it on.
    #[arg(long, env = "PLEACH_ENCRYPT", value_parser = BoolishValueParser::new())]
    pub(crate) encrypt: bool,
    /// Encrypt with a password, which recipients are asked for: for links that others may see. It is asked for, or comes
    /// from PLEACH_PASSWORD or --password-file.
    #[arg(long)]
    pub(crate) password: bool,
    /// The file that the password is in, on its first line; turns --password on.
    #[arg(long, env = "PLEACH_PASSWORD_FILE", value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Compress what becomes shorter by it (zstd, up to 64 GiB).
    #[arg(long, env = "PLEACH_COMPRESS", value_parser = BoolishValueParser::new())]
    pub(crate) compress: bool,
}

impl PackingArgs {
    /// Whether what is transported is not the files themselves.
    pub(crate) fn is_packed(&self) -> bool {
        self.encrypt || self.asks_password() || self.compress
    }

    pub(crate) fn asks_password(&self) -> bool {
        self.password || self.password_file.is_some()
    }
}

/// What get and inspect need of encrypted content.
#[derive(Debug, Args)]
pub(crate) struct UnlockArgs {
    /// The key, as links have it behind `k1.`, if what is named has none.
    #[arg(long, env = "PLEACH_KEY", value_name = "KEY", hide_env_values = true)]
    pub(crate) key: Option<String>,
    /// The file that the password is in, on its first line. Without it the password is in PLEACH_PASSWORD, or `get`
    /// asks for it.
    #[arg(long, env = "PLEACH_PASSWORD_FILE", value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

/// What share, seed and publish have in common: what is said of the bytes.
#[derive(Debug, Args)]
pub(crate) struct DescribeArgs {
    /// An address, http or https, at which the bytes of the one file are too; can be given several times.
    #[arg(long = "source", env = "PLEACH_SOURCE", value_name = "URL")]
    pub(crate) sources: Vec<String>,
    /// An address, http or https, of the hash list that `pleach publish` writes; can be given several times [default:
    /// beside the .pleach file and beside each source].
    #[arg(long = "hashes", env = "PLEACH_HASHES", value_name = "URL")]
    pub(crate) hashes: Vec<String>,
    /// To be had from this moment on: 2031-05-01T18:00:00Z, or with an offset such as +02:00. Until then seeders wait.
    #[arg(long, env = "PLEACH_ACTIVE_FROM", value_name = "MOMENT")]
    pub(crate) active_from: Option<Moment>,
    /// To be had until this moment; then seeders end, and nobody begins to get it.
    #[arg(long, env = "PLEACH_ACTIVE_UNTIL", value_name = "MOMENT")]
    pub(crate) active_until: Option<Moment>,
    /// Cut into segments: fixed[:LENGTH], all alike; or ramp[:FIRST[:LONGEST]], each twice as long as the one before and
    /// half as urgent, so that the beginning is there soon [lengths by default: 1MiB; 256KiB to 16MiB; more if the
    /// content is huge]; or media, where films (MP4, WebM, HLS) can be played from, what a player needs first coming first; or
    /// author:FILE, as a text file lists them, one range a line: 0-4MiB=200, 4MiB-, with # before remarks.
    #[arg(long, env = "PLEACH_SEGMENTS", value_name = "KIND", value_parser = segmentation)]
    pub(crate) segments: Option<Segments>,
    /// Fetch these bytes earlier than others: FROM-TO, FROM- (to the end) or -LAST, then = and 1 to 255, or 0 for no
    /// hurry: 0-1MiB=200, -64KiB=150; can be given several times, of which the last counts.
    #[arg(long = "priority", env = "PLEACH_PRIORITY", value_name = "RANGE=N", value_parser = priority, allow_hyphen_values = true)]
    pub(crate) priorities: Vec<Priority>,
    /// It is made of so many descriptors, any of which are of use without the others: its packets of 64 KiB are dealt to
    /// them by turns, as `pleach-descriptors encode` does. Who gets it is told of each that is there.
    #[arg(long, env = "PLEACH_DESCRIPTORS", value_name = "N", value_parser = clap::value_parser!(u8).range(1..=DESCRIPTORS_MAX as i64))]
    pub(crate) descriptors: Option<u8>,
}

/// How the content is cut.
#[derive(Clone, Debug)]
pub(crate) enum Segments {
    /// By its length alone.
    ByLength(Segmentation),
    /// Where what is in it can be played from.
    Media,
    /// As this file lists them.
    Author(PathBuf),
}

/// A stretch of the content and its priority.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Priority {
    pub(crate) range: Stretch,
    pub(crate) priority: u8,
}

/// What share and seed have in common.
#[derive(Debug, Args)]
pub(crate) struct SeedingArgs {
    #[command(flatten)]
    pub(crate) content: ContentArgs,
    #[command(flatten)]
    pub(crate) describe: DescribeArgs,
    /// Give it under a description that `pleach publish` wrote, instead of making one.
    #[arg(
        long,
        env = "PLEACH_MANIFEST",
        value_name = "FILE.pleach",
        conflicts_with_all = [
            "name", "sources", "hashes", "active_from", "active_until", "segments", "priorities", "descriptors", "encrypt", "password",
            "compress"
        ]
    )]
    pub(crate) manifest: Option<PathBuf>,
    /// Feed at most so many children, in all stripes together: who gets everything from here counts once for each
    /// stripe, 8 times at most trackers. They feed the others.
    #[arg(long, env = "PLEACH_SLOTS", value_name = "N", default_value_t = SLOTS, value_parser = clap::value_parser!(u8).range(1..))]
    pub(crate) slots: u8,
    /// Send at most so much a second: 500kB, 2MB, 1MiB.
    #[arg(long, env = "PLEACH_UPLOAD_LIMIT", value_name = "SIZE", value_parser = some_bytes_per_s)]
    pub(crate) upload_limit: Option<ByteSize>,
    /// For programs: JSON objects on stdout, one a line: first the link, then each second how it goes, in totals.
    #[arg(long, env = "PLEACH_JSON", value_parser = BoolishValueParser::new())]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
While it is under way the data lies in OUT.pleach-part, beside a record of what is verified: run
the same command again to go on after an interruption. OUT, a file or a whole folder, appears
only when everything is verified and written. What may not be had yet is waited for if its time
comes within --timeout.

Examples:
  pleach get http://192.168.1.20:8080/4a7d…#m1.Xo3…
  pleach get LINK -o ~/Downloads/
  pleach get LINK --stdout | tar x
  pleach get https://site.example/talk.mp4.pleach
  pleach get talk.mp4.pleach --tracker https://tracker.example --seed")]
pub(crate) struct GetArgs {
    /// A Pleach link, a .pleach file, or the URL of one.
    pub(crate) link: String,
    #[command(flatten)]
    pub(crate) unlock: UnlockArgs,
    /// Where to write: a name for the file or folder, a directory to put it in, or - for stdout [default: its name, here].
    #[arg(short, long, env = "PLEACH_OUT", value_name = "OUT")]
    pub(crate) out: Option<PathBuf>,
    /// Write the one file to stdout, in order, as soon as each part is verified. Needs room for all of it in TMPDIR; can't be
    /// resumed.
    #[arg(long, env = "PLEACH_STDOUT", value_parser = BoolishValueParser::new(), conflicts_with = "out")]
    pub(crate) stdout: bool,
    /// Replace OUT if it is there, and a partial download of something else. What a folder would replace is kept, as
    /// OUT.pleach-old.
    #[arg(short, long, env = "PLEACH_FORCE", value_parser = BoolishValueParser::new())]
    pub(crate) force: bool,
    /// The tracker to ask, instead of that in the link or .pleach file.
    #[arg(long, env = "PLEACH_TRACKER", value_name = "URL")]
    pub(crate) tracker: Option<String>,
    #[command(flatten)]
    pub(crate) web: WebArgs,
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
    #[arg(long, env = "PLEACH_UPLOAD_LIMIT", value_name = "SIZE", value_parser = bytes_per_s)]
    pub(crate) upload_limit: Option<ByteSize>,
    /// For programs: JSON objects on stdout, one a line, each second and when it is complete, with totals of what was
    /// received, sent and wasted, links, and when the first packet was there.
    #[arg(long, env = "PLEACH_JSON", value_parser = BoolishValueParser::new(), conflicts_with = "stdout")]
    pub(crate) json: bool,
}

/// What get takes from web servers.
#[derive(Debug, Args)]
pub(crate) struct WebArgs {
    /// A web server that has the one file, by the file's address there; can be given several times. It is asked for what
    /// peers do not bring [default: as the .pleach file says, or else the file that it lies beside].
    #[arg(long = "source", env = "PLEACH_SOURCE", value_name = "URL", value_parser = web_address)]
    sources: Vec<String>,
    /// Take nothing from web servers.
    #[arg(long, env = "PLEACH_NO_SOURCE", value_parser = BoolishValueParser::new(), conflicts_with = "sources")]
    no_source: bool,
    /// Take at most so much a second from each web server: 500kB, 2MB, 1MiB; 0 takes nothing.
    #[arg(long, env = "PLEACH_SOURCE_LIMIT", value_name = "SIZE", value_parser = bytes_per_s)]
    pub(crate) source_limit: Option<ByteSize>,
}

impl WebArgs {
    /// The web servers to use instead of those that were found.
    pub(crate) fn choose(&self, found: WebPlaces) -> WebPlaces {
        match (self.no_source, &self.sources[..]) {
            (true, _) => WebPlaces::default(),
            (false, []) => found,
            (false, sources) => found.with_sources(sources.to_vec()),
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
The link is printed on stdout, alone on its line; everything else goes to stderr.

Examples:
  pleach seed talk.mp4 --tracker https://tracker.example
  pleach seed Photos --tracker https://tracker.example --active-until 2031-05-01T18:00:00Z
  pleach seed talk.mp4 --tracker ws://127.0.0.1:8080/ws --save-manifest talk.mp4.pleach")]
pub(crate) struct SeedArgs {
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
Put the .pleach file beside what it describes, and of one file also the .pleach-hashes file that is
written with it. `pleach get` and pages take its address in place of a link: the bytes come from
peers, and from the web server what no peer brings. Where it was written is printed on stdout.

Examples:
  pleach publish talk.mp4 --tracker https://tracker.example --source https://site.example/talk.mp4
  pleach publish talk.mp4 --segments ramp --priority -64KiB=200
  pleach publish talk.mp4 --segments author:chapters.txt
  pleach publish Photos --encrypt       writes Photos.packed, to be put where Photos would be
  pleach publish Photos -o photos-2031.pleach --active-from 2031-05-01T18:00:00Z
  pleach seed talk.mp4 --manifest talk.mp4.pleach --tracker https://tracker.example
  pleach get https://site.example/talk.mp4.pleach")]
pub(crate) struct PublishArgs {
    #[command(flatten)]
    pub(crate) content: ContentArgs,
    #[command(flatten)]
    pub(crate) describe: DescribeArgs,
    /// A tracker at which it is to be had: http(s)://HOST[:PORT] or ws(s)://HOST[:PORT]/ws; can be given several times.
    #[arg(long = "tracker", env = "PLEACH_TRACKER", value_name = "URL")]
    pub(crate) trackers: Vec<String>,
    /// Where to write, or - for stdout [default: its name and .pleach, beside it; of several, here].
    #[arg(short, long, env = "PLEACH_OUT", value_name = "FILE.pleach")]
    pub(crate) out: Option<PathBuf>,
    /// Replace the .pleach file, and the .pleach-hashes file, if they are there.
    #[arg(short, long, env = "PLEACH_FORCE", value_parser = BoolishValueParser::new())]
    pub(crate) force: bool,
    /// For programs: one JSON object on stdout.
    #[arg(long, env = "PLEACH_JSON", value_parser = BoolishValueParser::new())]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Settings come from flags, then PLEACH_… in the environment, then the file, then the defaults.

Examples:
  pleach tracker --listen 0.0.0.0:8080
  pleach tracker --listen 10.0.0.1:8080 --and-listen 10.0.0.2:8080    two that run all swarms together
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
    #[command(flatten)]
    pub(crate) unlock: UnlockArgs,
    /// One JSON object on stdout, for programs.
    #[arg(long, env = "PLEACH_JSON", value_parser = BoolishValueParser::new())]
    pub(crate) json: bool,
}

/// `fixed`, `fixed:LENGTH`, `ramp`, `ramp:FIRST`, `ramp:FIRST:LONGEST`, `media` or `author:FILE`.
fn segmentation(text: &str) -> Result<Segments, String> {
    if let Some(file) = text.strip_prefix("author:").filter(|file| !file.is_empty()) {
        return Ok(Segments::Author(file.into()));
    }
    let mut parts = text.split(':');
    let kind = parts.next().unwrap_or_default();
    let lens = parts.map(size).collect::<Result<Vec<_>, _>>()?;
    match (kind, &lens[..]) {
        ("fixed", [] | [_]) => Ok(Segments::ByLength(Segmentation::Fixed { len_bytes: lens.first().copied() })),
        ("ramp", [] | [_] | [_, _]) => Ok(Segments::ByLength(Segmentation::Ramp {
            first_bytes: lens.first().copied(),
            longest_bytes: lens.get(1).copied(),
        })),
        ("media", []) => Ok(Segments::Media),
        _ => Err("expected fixed, fixed:LENGTH, ramp, ramp:FIRST, ramp:FIRST:LONGEST, media or author:FILE".into()),
    }
}

/// `FROM-TO=N`, `FROM-=N` or `-LAST=N`.
fn priority(text: &str) -> Result<Priority, String> {
    let expected = || "expected a range and a priority from 0 to 255, such as 0-1MiB=200".to_owned();
    let (range, priority) = text.split_once('=').ok_or_else(expected)?;
    let priority = priority.parse().map_err(|_| expected())?;
    Ok(Priority { range: stretch(range)?.ok_or_else(expected)?, priority })
}

/// The same, or a range alone, which is in no hurry.
pub(crate) fn listed_range(text: &str) -> Result<Priority, String> {
    if text.contains('=') {
        return priority(text);
    }
    let expected = || "expected a range, such as 0-1MiB, and perhaps a priority from 0 to 255: 0-1MiB=200".to_owned();
    Ok(Priority { range: stretch(text)?.ok_or_else(expected)?, priority: 0 })
}

/// `FROM-TO`, `FROM-` or `-LAST`.
fn stretch(text: &str) -> Result<Option<Stretch>, String> {
    Ok(match text.split_once('-') {
        None => None,
        Some(("", last)) => Some(Stretch::Last(size(last)?)),
        Some((from, "")) => Some(Stretch::FromTo(size(from)?, None)),
        Some((from, to)) => Some(Stretch::FromTo(size(from)?, Some(size(to)?))),
    })
}

pub(crate) fn bytes_per_s(text: &str) -> Result<ByteSize, String> {
    size(text).map(ByteSize)
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "expected an address and a port, such as 0.0.0.0:8080".to_owned())
}

fn web_address(text: &str) -> Result<String, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    match url.scheme() {
        "http" | "https" => Ok(url.into()),
        _ => Err("expected an http or https address".to_owned()),
    }
}

/// Who is there to give would be of no use with 0.
pub(crate) fn some_bytes_per_s(text: &str) -> Result<ByteSize, String> {
    match bytes_per_s(text)? {
        ByteSize(0) => Err("with 0 nobody gets anything".to_owned()),
        limit => Ok(limit),
    }
}

fn size(text: &str) -> Result<u64, String> {
    text.parse::<ByteSize>().map(|size| size.as_u64()).map_err(|_| format!("{text:?} is no size such as 500kB or 1MiB"))
}

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
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
