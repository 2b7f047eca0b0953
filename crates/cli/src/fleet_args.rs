//! What can be typed of fleets: `agent`, `deliver` and `report`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use clap::Args;
use clap::builder::BoolishValueParser;
use pleach_core::ids::RequestId;
use pleach_core::wire::fleet::FleetName;
use pleach_core::wire::fleet::token::FleetToken;

use crate::args::{ContentArgs, DescribeArgs, PackingArgs, SLOTS, bytes_per_s, seconds, some_bytes_per_s};
use crate::exit::{Error, Result};

/// Where the token may stand in the environment.
const TOKEN_VARIABLE: &str = "PLEACH_TOKEN";

/// Which fleet, and that one may take part.
#[derive(Debug, Args)]
pub(crate) struct FleetArgs {
    /// The fleet's tracker: http(s)://HOST[:PORT].
    #[arg(long, env = "PLEACH_TRACKER", value_name = "URL")]
    pub(crate) tracker: String,
    /// The file of the fleet's token, as `pleach tracker --fleet-token-file` made it. Without it the token is in
    /// PLEACH_TOKEN.
    #[arg(long, env = "PLEACH_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl FleetArgs {
    /// The token, from the file or the environment.
    pub(crate) fn token(&self) -> Result<FleetToken> {
        let token = match (&self.token_file, std::env::var(TOKEN_VARIABLE)) {
            (Some(path), _) => pleach_tracker::secret_file::load(path).map_err(Error::usage)?,
            (None, Ok(text)) => {
                // A proof of as many bytes knows how to read them.
                let parsed = text.trim().parse::<pleach_core::ids::FleetProof>();
                let refused = |_| Error::usage(format!("{TOKEN_VARIABLE} is not 64 hexadecimal digits"));
                *parsed.map_err(refused)?.as_bytes()
            }
            (None, Err(_)) => {
                return Err(Error::usage("the fleet's token is missing")
                    .hint("--token-file FILE, a copy of the one that the tracker has, or PLEACH_TOKEN"));
            }
        };
        Ok(FleetToken::from_bytes(token))
    }
}

/// An address, or none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListenAt(pub(crate) Option<SocketAddr>);

impl FromStr for ListenAt {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "none" => Ok(Self(None)),
            address => address.parse().map(|address| Self(Some(address))).map_err(|_| {
                "expected an address and a port, such as 0.0.0.0:0 or 192.168.1.20:9000, or none".to_owned()
            }),
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
It stays until Ctrl-C or SIGTERM, and comes back to the tracker by itself. Who it is, and
what it was told to get, it keeps in --state: after any end the same command goes on where it
was. While a delivery is under way its data lies in DIR/NAME.pleach-part; NAME appears when all
of it is verified.

Examples:
  pleach agent --tracker https://tracker.example --token-file token \\
      --name till-7 --group tills --into /srv/media
  pleach agent --tracker http://10.0.0.1:8080 --token-file token \\
      --name lab-3 --group lab --into . --listen none")]
pub(crate) struct AgentArgs {
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
    /// What this machine is called in reports, and for `deliver --target` [up to 64 bytes].
    #[arg(long, env = "PLEACH_NAME", value_name = "NAME")]
    pub(crate) name: FleetName,
    /// Which deliveries it takes.
    #[arg(long, env = "PLEACH_GROUP", value_name = "GROUP")]
    pub(crate) group: FleetName,
    /// The folder that deliveries go into; made if it is not there. Nothing is written outside it.
    #[arg(long, env = "PLEACH_INTO", value_name = "DIR")]
    pub(crate) into: PathBuf,
    /// Where it takes requests from other machines of its fleet, or none: then the tracker alone tells it what to get.
    /// Port 0 is any free one.
    #[arg(long, env = "PLEACH_LISTEN", value_name = "ADDRESS|none", default_value = "0.0.0.0:0")]
    pub(crate) listen: ListenAt,
    /// The address and port at which other machines reach it, if they are not those of --listen: behind a forwarded port, or
    /// in a container [default: that from which it reaches the tracker, unless --listen says one].
    #[arg(long, env = "PLEACH_REACHED_AT", value_name = "ADDRESS")]
    pub(crate) reached_at: Option<SocketAddr>,
    /// Where it keeps its key and what it knows [default: .pleach-agent in DIR].
    #[arg(long, env = "PLEACH_STATE", value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Let a delivery replace a file of its name. A folder that would be replaced is kept, as NAME.pleach-old.
    #[arg(long, env = "PLEACH_REPLACE", value_parser = BoolishValueParser::new())]
    pub(crate) replace: bool,
    /// A delivery has failed when nothing of it came for so long; 0 waits for ever.
    #[arg(long, env = "PLEACH_TIMEOUT", value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub(crate) timeout: Duration,
    /// Give a delivery to others for so long once it is here.
    #[arg(long, env = "PLEACH_LINGER", value_name = "SECONDS", default_value = "600", value_parser = seconds)]
    pub(crate) linger: Duration,
    /// Send at most so much a second to others: 500kB, 2MB, 1MiB; 0 sends nothing.
    #[arg(long, env = "PLEACH_UPLOAD_LIMIT", value_name = "SIZE", value_parser = bytes_per_s)]
    pub(crate) upload_limit: Option<ByteSize>,
    /// For programs: JSON objects on stdout, one a line, for what happens.
    #[arg(long, env = "PLEACH_JSON", value_parser = BoolishValueParser::new())]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
It gives the files until every machine has them or has failed, says who failed and why, and
ends with code 7 then. A machine that was away gets it when it is back, from others or from
--source, until --active-until [default: in seven days]. The delivery's id is printed on stdout,
alone on its line. Where the fleet is can be said once: PLEACH_TRACKER and PLEACH_TOKEN_FILE.

Examples:
  pleach deliver film.mp4 --group tills --tracker https://tracker.example --token-file token
  pleach deliver Photos --group lab --target lab-3 --target lab-4
  pleach deliver logs --group lab --compress
  pleach deliver keys.tar --group tills --encrypt
  pleach deliver film.mp4 --group tills --source https://site.example/film.mp4 --no-seed
  pleach deliver --retry
  pleach deliver film.mp4 --retry 5f0c…")]
pub(crate) struct DeliverArgs {
    /// Files and folders; several come out as one folder. With --retry they need not be named if machines that have
    /// them, or a web server, can give them.
    #[arg(required_unless_present = "retry", value_name = "FILE|DIR")]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
    /// To the machines of this group.
    #[arg(long, env = "PLEACH_GROUP", value_name = "GROUP", required_unless_present = "retry")]
    pub(crate) group: Option<FleetName>,
    /// To this machine of the group alone; can be given several times [default: to all, and to those that join it while
    /// the delivery is open].
    #[arg(long = "target", env = "PLEACH_TARGET", value_name = "NAME")]
    pub(crate) targets: Vec<FleetName>,
    /// Repeat what failed of this delivery, or of the last one of which something did.
    #[arg(long, value_name = "ID", num_args = 0..=1, conflicts_with_all = ["group", "targets", "no_seed"])]
    pub(crate) retry: Option<Option<RequestId>>,
    /// What machines save it as [default: the name of the file or folder].
    #[arg(long, env = "PLEACH_NAME", value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Take hidden files and folders too: those whose names begin with a dot.
    #[arg(long, env = "PLEACH_HIDDEN", value_parser = BoolishValueParser::new())]
    pub(crate) hidden: bool,
    /// Compress it on its way where that pays (zstd). Machines have the files as they were; a --source must then have the
    /// packed bytes that `pleach publish --compress` writes.
    #[arg(long, env = "PLEACH_COMPRESS", value_parser = BoolishValueParser::new())]
    pub(crate) compress: bool,
    /// Encrypt it, for the machines that are known when it is ordered, each of which has the key sealed to it alone. The
    /// tracker sees neither names nor bytes. A machine that joins later does not get it.
    #[arg(long, env = "PLEACH_ENCRYPT", value_parser = BoolishValueParser::new(), conflicts_with = "retry")]
    pub(crate) encrypt: bool,
    #[command(flatten)]
    pub(crate) describe: DescribeArgs,
    /// Do not give the file from here: all comes from --source, and machines from each other.
    #[arg(long, env = "PLEACH_NO_SEED", value_parser = BoolishValueParser::new(), requires = "sources")]
    pub(crate) no_seed: bool,
    /// A machine that is not connected for so long has failed. It still gets it when it comes back.
    #[arg(long, env = "PLEACH_AWAY", value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(crate) away: Duration,
    /// Feed at most so many children, in all stripes together.
    #[arg(long, env = "PLEACH_SLOTS", value_name = "N", default_value_t = SLOTS, value_parser = clap::value_parser!(u8).range(1..))]
    pub(crate) slots: u8,
    /// Send at most so much a second: 500kB, 2MB, 1MiB.
    #[arg(long, env = "PLEACH_UPLOAD_LIMIT", value_name = "SIZE", value_parser = some_bytes_per_s)]
    pub(crate) upload_limit: Option<ByteSize>,
    /// For programs: JSON objects on stdout, one a line: first the delivery, then each second how it stands, and the end.
    #[arg(long, env = "PLEACH_JSON", value_parser = BoolishValueParser::new())]
    pub(crate) json: bool,
}

impl DeliverArgs {
    /// The files, compressed and encrypted if that is wanted.
    pub(crate) fn content(&self) -> ContentArgs {
        let packing =
            PackingArgs { encrypt: self.encrypt, password: false, password_file: None, compress: self.compress };
        ContentArgs { files: self.files.clone(), name: self.name.clone(), hidden: self.hidden, packing }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pleach report --tracker https://tracker.example --token-file token
  pleach report --tracker http://10.0.0.1:8080 --token-file token --json")]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
    /// One JSON object on stdout, for programs.
    #[arg(long, env = "PLEACH_JSON", value_parser = BoolishValueParser::new())]
    pub(crate) json: bool,
}
