//! Configuration: one struct, and everything that fills it.
//!
//! [`ServerConfig`] names every key once, with its text for people and its default. From that one place come the flags
//! of the command line, the `PLEACH_…` variables of the environment, the keys of a TOML file, and the commented file
//! that [`ServerConfig::print`] writes. Key `tls_cert` is flag `--tls-cert` and variable `PLEACH_TLS_CERT`.
//!
//! Flags win over the environment, that over the file, that over the defaults. The merging is [`confique`]'s: each
//! source fills a *layer* ([`ServerOptions`]: the same struct with every field optional), and the first layer that
//! knows a value gives it.
//!
//! A command line flattens the layer, which is a [`clap::Args`], and hands it back:
//!
//! ```
//! use clap::Parser;
//! use pleach_tracker::{ServerConfig, ServerOptions};
//!
//! #[derive(Parser)]
//! struct TrackerCommand {
//!     /// A file of settings, in TOML.
//!     #[arg(long)]
//!     config: Option<std::path::PathBuf>,
//!     #[command(flatten)]
//!     options: ServerOptions,
//! }
//!
//! let command = TrackerCommand::parse_from(["tracker", "--listen", "127.0.0.1:0", "--stun=false"]);
//! let config = ServerConfig::load(command.options, command.config.as_deref()).unwrap();
//! assert_eq!(config.listen.port(), 0);
//! assert!(!config.stun);
//! ```

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use confique::env::parse::list_by_comma;
use confique::{Config, Layer};
use pleach_core::forest::Topology;
use pleach_core::tracker::TrackerConfig;
use pleach_core::wire::fleet::request::FAN_OUT_MAX;
use pleach_core::wire::tracker::STRIPES_MAX;

use crate::cluster::TRACKERS_MAX;

/// What one source of settings says: [`ServerConfig`] with every field optional. Flatten it into a command line.
pub type ServerOptions = <ServerConfig as Config>::Layer;

/// A longest list of ICE servers that peers understand.
const ICE_SERVERS_MAX: usize = 8;
/// What `ledger` says where nothing is to be kept.
const NO_LEDGER: &str = "none";
/// Links that a peer makes; it does not follow a plan beyond.
const PEER_LINKS_MAX: u8 = 64;

/// Settings of a Pleach tracker.
#[derive(Clone, Debug, PartialEq, Eq, Config)]
#[config(layer_attr(derive(Clone, Debug, clap::Args)))]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct ServerConfig {
    /// Where to listen: address and TCP port. `[::]:8080` takes IPv6 too; port 0 takes any free one.
    #[config(default = "0.0.0.0:8080", env = "PLEACH_LISTEN")]
    #[config(layer_attr(arg(long, value_name = "ADDRESS")))]
    pub listen: SocketAddr,

    /// Addresses at which further trackers listen, in the same process: they run all swarms together, so a peer may come to any
    /// of them. At most 15. They have all other settings in common, and none may have a fleet.
    #[config(default = [], env = "PLEACH_AND_LISTEN", parse_env = list_by_comma)]
    #[config(layer_attr(arg(long, value_name = "ADDRESS", value_delimiter = ',')))]
    pub and_listen: Vec<SocketAddr>,

    /// Answer STUN, so that peers learn their public addresses.
    #[config(default = true, env = "PLEACH_STUN")]
    #[config(layer_attr(arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")))]
    pub stun: bool,

    /// Where STUN listens (UDP), if not on the address and port of `listen`.
    #[config(env = "PLEACH_STUN_LISTEN")]
    #[config(layer_attr(arg(long, value_name = "ADDRESS")))]
    pub stun_listen: Option<SocketAddr>,

    /// STUN and TURN servers told to peers, as URLs, at most 8; `stun::PORT` is this host as the peer knows it. If
    /// empty, peers are told of the STUN of this server.
    #[config(default = [], env = "PLEACH_ICE_SERVERS", parse_env = list_by_comma)]
    #[config(layer_attr(arg(long, value_name = "URL", value_delimiter = ',')))]
    pub ice_servers: Vec<String>,

    /// Certificate chain for TLS, a PEM file. Without it the server speaks plain HTTP.
    #[config(env = "PLEACH_TLS_CERT")]
    #[config(layer_attr(arg(long, value_name = "FILE")))]
    pub tls_cert: Option<PathBuf>,

    /// Private key of the certificate, a PEM file.
    #[config(env = "PLEACH_TLS_KEY")]
    #[config(layer_attr(arg(long, value_name = "FILE")))]
    pub tls_key: Option<PathBuf>,

    /// File of the secret that signs orders to peers whose socket is away: 64 hexadecimal digits; made if it is not there.
    /// Without it the secret is another after each restart.
    #[config(env = "PLEACH_SIGNING_KEY")]
    #[config(layer_attr(arg(long, value_name = "FILE")))]
    pub signing_key: Option<PathBuf>,

    /// File of the token of the fleet: 64 hexadecimal digits; made if it is not there. Machines (`pleach agent`) and who
    /// delivers to them need the same. Without it this tracker runs no fleet.
    #[config(env = "PLEACH_FLEET_TOKEN_FILE")]
    #[config(layer_attr(arg(long, value_name = "FILE")))]
    pub fleet_token_file: Option<PathBuf>,

    /// File of what is known of the fleet's machines and deliveries, kept over restarts, or `none`. If not said, it is
    /// beside the token, with its name and `.ledger`. With `none`, a tracker that starts anew knows no delivery and no
    /// failure: machines that were told go on, all others are to be asked for again.
    #[config(env = "PLEACH_LEDGER")]
    #[config(layer_attr(arg(long, value_name = "FILE")))]
    pub ledger: Option<PathBuf>,

    /// Machines that the tracker tells of a delivery, and each machine of its share of the others, 1 to 8.
    #[config(default = 4, env = "PLEACH_FLEET_FAN_OUT")]
    #[config(layer_attr(arg(long, value_name = "COUNT", hide_short_help = true)))]
    pub fleet_fan_out: u8,

    /// Sites whose pages may use this tracker, as `https://example.org`; all if empty. The tracker's own page always
    /// may, and so may programs that are not browsers.
    #[config(default = [], env = "PLEACH_ALLOWED_ORIGINS", parse_env = list_by_comma)]
    #[config(layer_attr(arg(long, value_name = "ORIGIN", value_delimiter = ',')))]
    pub allowed_origins: Vec<String>,

    /// Addresses of reverse proxies in front of this server: from these alone, `X-Forwarded-For` is believed.
    #[config(default = [], env = "PLEACH_TRUSTED_PROXIES", parse_env = list_by_comma)]
    #[config(layer_attr(arg(long, value_name = "ADDRESS", value_delimiter = ',')))]
    pub trusted_proxies: Vec<IpAddr>,

    /// List the swarms by content id in `/stats.json`. Whoever knows the id of a content can fetch it, so a public
    /// tracker keeps the list to itself and tells sums only.
    #[config(default = false, env = "PLEACH_STATS_SWARMS")]
    #[config(layer_attr(arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")))]
    pub stats_swarms: bool,

    /// Most swarms. A join to one more is refused.
    #[config(default = 10_000, env = "PLEACH_SWARMS_MAX")]
    #[config(layer_attr(arg(long, value_name = "COUNT", hide_short_help = true)))]
    pub swarms_max: usize,

    /// Most peers of one swarm. A join of one more is refused.
    #[config(default = 100_000, env = "PLEACH_PEERS_PER_SWARM_MAX")]
    #[config(layer_attr(arg(long, value_name = "COUNT", hide_short_help = true)))]
    pub peers_per_swarm_max: usize,

    /// How the peers of a swarm are arranged: `forest`, a tree for each stripe, by what peers were seen to send; or an
    /// ordered preset: `heap`, a binary heap; `relay` or `relay:N`, ranked relays that feed N each (2 to 5, else 3);
    /// `replica` or `replica:N`, groups of N that exchange as many parts (2 to 16, else 8).
    #[config(default = "forest", env = "PLEACH_TOPOLOGY")]
    #[config(layer_attr(arg(long, value_name = "NAME")))]
    pub topology: Topology,

    /// Trees of each swarm's forest, 1 to 16. This and the next three are for `topology = "forest"` alone.
    #[config(default = 8, env = "PLEACH_STRIPES")]
    #[config(layer_attr(arg(long, value_name = "COUNT", hide_short_help = true)))]
    pub stripes: u8,

    /// Most children of a peer of which nothing is known yet, in all trees together, whatever it offers; as many as there
    /// are trees is one whole copy. One that was measured gets as many as it can feed.
    #[config(default = 8, env = "PLEACH_FAN_OUT_MAX")]
    #[config(layer_attr(arg(long, value_name = "COUNT", hide_short_help = true)))]
    pub fan_out_max: u8,

    /// Links of each peer beside the trees, to get from where there is more than the trees bring.
    #[config(default = 4, env = "PLEACH_LATERALS")]
    #[config(layer_attr(arg(long, value_name = "COUNT", hide_short_help = true)))]
    pub laterals: u8,

    /// Neighbours of each peer up to which places are filled; a link to one more is planned only where there is no other
    /// way.
    #[config(default = 24, env = "PLEACH_LINKS_MAX")]
    #[config(layer_attr(arg(long, value_name = "COUNT", hide_short_help = true)))]
    pub links_max: u8,

    /// How often the trees are put in order: the fast up, the slow down.
    #[config(default = 1_000, env = "PLEACH_EPOCH_MS")]
    #[config(layer_attr(arg(long, value_name = "MS", hide_short_help = true)))]
    pub epoch_ms: u64,

    /// A peer that said nothing for so long is asked whether it is there.
    #[config(default = 10_000, env = "PLEACH_HEARTBEAT_MS")]
    #[config(layer_attr(arg(long, value_name = "MS", hide_short_help = true)))]
    pub heartbeat_ms: u64,

    /// A peer that said nothing for so long is dropped.
    #[config(default = 25_000, env = "PLEACH_SILENCE_MS_MAX")]
    #[config(layer_attr(arg(long, value_name = "MS", hide_short_help = true)))]
    pub silence_ms_max: u64,

    /// A peer whose socket broke keeps its place in the trees for so long.
    #[config(default = 8_000, env = "PLEACH_AWAY_MS_MAX")]
    #[config(layer_attr(arg(long, value_name = "MS", hide_short_help = true)))]
    pub away_ms_max: u64,

    /// A socket that did not join a swarm within this time is closed.
    #[config(default = 10_000, env = "PLEACH_JOIN_MS_MAX")]
    #[config(layer_attr(arg(long, value_name = "MS", hide_short_help = true)))]
    pub join_ms_max: u64,

    /// Messages a second that a socket may send for long; ten times as many at once. A faster one is closed.
    #[config(default = 50, env = "PLEACH_MESSAGES_PER_S_MAX")]
    #[config(layer_attr(arg(long, value_name = "COUNT", hide_short_help = true)))]
    pub messages_per_s_max: u32,

    /// After so many different reporters of bad bytes a peer is banned from its swarm.
    #[config(default = 2, env = "PLEACH_REPORTERS_TO_BAN")]
    #[config(layer_attr(arg(long, value_name = "COUNT", hide_short_help = true)))]
    pub reporters_to_ban: u8,

    /// Most TCP connections. One more is closed as it comes.
    #[config(default = 25_000, env = "PLEACH_CONNECTIONS_MAX")]
    #[config(layer_attr(arg(long, value_name = "COUNT", hide_short_help = true)))]
    pub connections_max: usize,

    /// Most TCP connections of one address (of IPv6: one /64 network); trusted proxies may have more. One more is
    /// closed as it comes.
    #[config(default = 512, env = "PLEACH_CONNECTIONS_PER_ADDRESS_MAX")]
    #[config(layer_attr(arg(long, value_name = "COUNT", hide_short_help = true)))]
    pub connections_per_address_max: usize,

    /// Most peers' sockets. One more is refused with status 503.
    #[config(default = 20_000, env = "PLEACH_SOCKETS_MAX")]
    #[config(layer_attr(arg(long, value_name = "COUNT", hide_short_help = true)))]
    pub sockets_max: usize,

    /// Most peers' sockets of one address. One more is refused with status 429.
    #[config(default = 256, env = "PLEACH_SOCKETS_PER_ADDRESS_MAX")]
    #[config(layer_attr(arg(long, value_name = "COUNT", hide_short_help = true)))]
    pub sockets_per_address_max: usize,

    /// New sockets a second of one address for long; ten times as many at once. One more is refused with status 429.
    #[config(default = 20, env = "PLEACH_NEW_SOCKETS_PER_ADDRESS_PER_S_MAX")]
    #[config(layer_attr(arg(long, value_name = "COUNT", hide_short_help = true)))]
    pub new_sockets_per_address_per_s_max: u32,

    /// Manifests that one address may upload a minute, for long and at once; 0 takes none. One more is refused with
    /// status 429.
    #[config(default = 30, env = "PLEACH_UPLOADS_PER_ADDRESS_PER_MIN_MAX")]
    #[config(layer_attr(arg(long, value_name = "COUNT", hide_short_help = true)))]
    pub uploads_per_address_per_min_max: u32,

    /// Pictures of a swarm's forest that one address may ask for a second, for long; ten times as many at once. One more
    /// is refused with status 429; 0 shows none to anybody.
    #[config(default = 20, env = "PLEACH_PICTURES_PER_ADDRESS_PER_S_MAX")]
    #[config(layer_attr(arg(long, value_name = "COUNT", hide_short_help = true)))]
    pub pictures_per_address_per_s_max: u32,

    /// Memory for manifests. Beyond it those not asked for longest are dropped; peers upload them again when wanted.
    #[config(default = 67_108_864, env = "PLEACH_MANIFESTS_BYTES_MAX")]
    #[config(layer_attr(arg(long, value_name = "BYTES", hide_short_help = true)))]
    pub manifests_bytes_max: usize,

    /// STUN questions a second that one address may ask for long; ten times as many at once. More get no answer.
    #[config(default = 50, env = "PLEACH_STUN_PER_ADDRESS_PER_S_MAX")]
    #[config(layer_attr(arg(long, value_name = "COUNT", hide_short_help = true)))]
    pub stun_per_address_per_s_max: u32,

    /// A socket that takes no message within this time is closed.
    #[config(default = 10_000, env = "PLEACH_WRITE_MS_MAX")]
    #[config(layer_attr(arg(long, value_name = "MS", hide_short_help = true)))]
    pub write_ms_max: u64,

    /// How long a stopping server waits for connections to end by themselves before it cuts them.
    #[config(default = 5_000, env = "PLEACH_SHUTDOWN_MS_MAX")]
    #[config(layer_attr(arg(long, value_name = "MS", hide_short_help = true)))]
    pub shutdown_ms_max: u64,
}

/// Why settings were refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML, holds a key that is not known, or a value of the wrong kind.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Where in it, and why.
        source: Box<toml::de::Error>,
    },
    /// A variable of the environment does not parse.
    #[error("{0:#}")]
    Environment(confique::Error),
    /// A value that makes no sense.
    #[error("{key}: {reason}")]
    Value {
        /// Its key.
        key: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl ServerConfig {
    /// Merges flags over the environment over a file over the defaults.
    pub fn load(flags: ServerOptions, file: Option<&Path>) -> Result<Self, ConfigError> {
        let environment = ServerOptions::from_env().map_err(ConfigError::Environment)?;
        let file = file.map_or_else(|| Ok(ServerOptions::empty()), read_file)?;
        let config = Self::from_layers(flags.with_fallback(environment).with_fallback(file));
        config.check()?;
        Ok(config)
    }

    /// A commented TOML file of all keys, each with its default.
    pub fn print() -> String {
        confique::toml::template::<Self>(confique::toml::FormatOptions::default())
    }

    fn from_layers(layer: ServerOptions) -> Self {
        // Every key has a default or is optional.
        Self::from_layer(layer.with_fallback(ServerOptions::default_values())).expect("nothing can be missing")
    }

    /// Refuses what could not work, by the name of its key.
    pub fn check(&self) -> Result<(), ConfigError> {
        let refuse = |key, reason: &str| Err(ConfigError::Value { key, reason: reason.to_owned() });
        if self.and_listen.len() >= TRACKERS_MAX {
            return refuse("and_listen", &format!("at most {}", TRACKERS_MAX - 1));
        }
        if !self.and_listen.is_empty() && self.fleet_token_file.is_some() {
            return refuse("and_listen", "a fleet has one tracker: leave out fleet_token_file, or this");
        }
        if !self.and_listen.is_empty() && self.stun_listen.is_some() {
            return refuse(
                "and_listen",
                "each tracker has its own STUN, on its own port: leave out stun_listen, or this",
            );
        }
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            return refuse("tls_cert", "a certificate and its key (tls_key) go together");
        }
        if self.fleet_token_file.is_none() && self.ledger.as_deref().is_some_and(|ledger| ledger != NO_LEDGER) {
            return refuse("ledger", "there is only a fleet's to keep: say fleet_token_file too");
        }
        if !(1..=FAN_OUT_MAX).contains(&self.fleet_fan_out) {
            return refuse("fleet_fan_out", &format!("must be 1 to {FAN_OUT_MAX}"));
        }
        if self.ice_servers.len() > ICE_SERVERS_MAX {
            return refuse("ice_servers", "at most 8");
        }
        if let Some(origin) = self.allowed_origins.iter().find(|origin| !is_origin(origin)) {
            return refuse("allowed_origins", &format!("{origin:?} is not of the form https://example.org"));
        }
        let positive = [
            ("swarms_max", self.swarms_max as u64),
            ("peers_per_swarm_max", self.peers_per_swarm_max as u64),
            ("fan_out_max", u64::from(self.fan_out_max)),
            ("epoch_ms", self.epoch_ms),
            ("heartbeat_ms", self.heartbeat_ms),
            ("join_ms_max", self.join_ms_max),
            ("messages_per_s_max", u64::from(self.messages_per_s_max)),
            ("reporters_to_ban", u64::from(self.reporters_to_ban)),
            ("connections_max", self.connections_max as u64),
            ("connections_per_address_max", self.connections_per_address_max as u64),
            ("sockets_max", self.sockets_max as u64),
            ("sockets_per_address_max", self.sockets_per_address_max as u64),
            ("new_sockets_per_address_per_s_max", u64::from(self.new_sockets_per_address_per_s_max)),
            ("stun_per_address_per_s_max", u64::from(self.stun_per_address_per_s_max)),
            ("write_ms_max", self.write_ms_max),
        ];
        if let Some((key, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return refuse(key, "must not be 0");
        }
        if !(1..=STRIPES_MAX).contains(&self.stripes) {
            return refuse("stripes", &format!("must be 1 to {STRIPES_MAX}"));
        }
        if u16::from(self.links_max) <= u16::from(self.stripes) + u16::from(self.laterals) {
            return refuse("links_max", "must be more than stripes and laterals together: as many may be needed");
        }
        if self.links_max > PEER_LINKS_MAX {
            return refuse("links_max", &format!("must be at most {PEER_LINKS_MAX}: peers make no more links"));
        }
        if self.silence_ms_max <= self.heartbeat_ms {
            return refuse("silence_ms_max", "must be longer than heartbeat_ms");
        }
        Ok(())
    }

    /// Where the ledger is, if there is one.
    pub(crate) fn ledger_path(&self) -> Option<PathBuf> {
        match (&self.ledger, &self.fleet_token_file) {
            (Some(ledger), _) => (ledger != NO_LEDGER).then(|| ledger.clone()),
            (None, Some(token)) => {
                let mut path = token.as_os_str().to_owned();
                path.push(".ledger");
                Some(path.into())
            }
            (None, None) => None,
        }
    }

    /// The part that the state machine wants; `stun_port` is that of the STUN inside, where there is one.
    pub(crate) fn tracker(&self, stun_port: Option<u16>) -> TrackerConfig {
        let mut ice_servers = self.ice_servers.clone();
        if let (true, Some(port)) = (ice_servers.is_empty(), stun_port) {
            ice_servers.push(format!("stun::{port}"));
        }
        TrackerConfig {
            ice_servers,
            swarms_max: self.swarms_max,
            peers_per_swarm_max: self.peers_per_swarm_max,
            topology: self.topology,
            stripes: self.stripes,
            fan_out_max: self.fan_out_max,
            laterals: self.laterals,
            links_max: self.links_max,
            epoch_ms: self.epoch_ms,
            heartbeat_ms: self.heartbeat_ms,
            silence_ms_max: self.silence_ms_max,
            away_ms_max: self.away_ms_max,
            messages_per_s_max: self.messages_per_s_max,
            checks_joins: true,
            join_ms_max: self.join_ms_max,
            reporters_to_ban: self.reporters_to_ban,
            signing_seed: None,
            cluster: None,
        }
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self::from_layers(ServerOptions::empty())
    }
}

fn read_file(path: &Path) -> Result<ServerOptions, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    toml::from_str(&text).map_err(|source| ConfigError::File { path: path.to_owned(), source: Box::new(source) })
}

fn is_origin(text: &str) -> bool {
    text.strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
        .is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct CommandLine {
        #[command(flatten)]
        options: ServerOptions,
    }

    fn flags(arguments: &[&str]) -> ServerOptions {
        CommandLine::try_parse_from(std::iter::once(&"tracker").chain(arguments)).unwrap().options
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn the_printed_file_parses_back_to_the_defaults() {
        let printed = ServerConfig::print();
        let as_printed: ServerOptions = toml::from_str(&printed).unwrap();
        assert_eq!(ServerConfig::from_layers(as_printed), ServerConfig::default());

        // Keys are commented out with their defaults: taken in, they must say the same, and all of them must be known.
        let taken_in: String = printed
            .lines()
            .filter_map(|line| line.strip_prefix('#'))
            .filter(|line| line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')))
            .flat_map(|line| [line, "\n"])
            .collect();
        assert!(taken_in.lines().count() > 20, "{taken_in}");
        let layer: ServerOptions = toml::from_str(&taken_in).unwrap();
        assert_eq!(ServerConfig::from_layers(layer), ServerConfig::default());
    }

    #[test]
    fn defaults_are_those_of_the_state_machine() {
        let ours = ServerConfig::default().tracker(None);
        assert_eq!(format!("{ours:?}"), format!("{:?}", TrackerConfig::default()));
        ServerConfig::default().check().unwrap();
    }

    #[test]
    fn peers_are_told_of_the_stun_inside_unless_others_are_listed() {
        let mut config = ServerConfig::default();
        assert_eq!(config.tracker(Some(3478)).ice_servers, ["stun::3478"]);
        assert!(config.tracker(None).ice_servers.is_empty());
        config.ice_servers = vec!["turn:relay.example.org".to_owned()];
        assert_eq!(config.tracker(Some(3478)).ice_servers, ["turn:relay.example.org"]);
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let file = file("listen = \"127.0.0.1:1\"\nsockets_max = 7\nallowed_origins = [\"https://a.example\"]\n");
        let config =
            ServerConfig::load(flags(&["--listen", "127.0.0.1:2", "--stun=false"]), Some(file.path())).unwrap();
        assert_eq!(config.listen.port(), 2);
        assert!(!config.stun);
        assert_eq!(config.sockets_max, 7);
        assert_eq!(config.allowed_origins, ["https://a.example"]);
        assert_eq!(config.heartbeat_ms, ServerConfig::default().heartbeat_ms);
    }

    #[test]
    fn lists_come_from_flags_separated_by_commas() {
        let options = flags(&["--trusted-proxies", "127.0.0.1,::1", "--ice-servers", "stun:a.example"]);
        let config = ServerConfig::load(options, None).unwrap();
        assert_eq!(config.trusted_proxies.len(), 2);
        assert_eq!(config.ice_servers, ["stun:a.example"]);
    }

    #[test]
    fn a_topology_is_taken_from_flags_and_files_and_a_wrong_one_is_told() {
        let as_flag = ServerConfig::load(flags(&["--topology", "relay:4"]), None).unwrap();
        assert_eq!(as_flag.tracker(None).topology, Topology::Relay { fan_out: 4 });
        let in_file = |topology: &str| {
            ServerConfig::load(ServerOptions::empty(), Some(file(&format!("topology = {topology:?}")).path()))
        };
        assert_eq!(in_file("replica").unwrap().topology, Topology::Replica { group: 8 });
        let error = in_file("relay:9").unwrap_err().to_string();
        assert!(error.contains("relay:9") && error.contains("relay:5"), "{error}");
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_name_file_and_line() {
        let file = file("stun = true\nlisten_to = 3\n");
        let error = ServerConfig::load(ServerOptions::empty(), Some(file.path())).unwrap_err().to_string();
        assert!(error.contains("listen_to"), "{error}");
        assert!(error.contains("line 2"), "{error}");
        assert!(error.contains(file.path().to_str().unwrap()), "{error}");
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = ServerConfig::load(ServerOptions::empty(), Some(Path::new("/no/such.toml"))).unwrap_err();
        assert!(error.to_string().starts_with("cannot read /no/such.toml"), "{error}");
    }

    #[test]
    fn values_that_cannot_work_are_refused_by_key() {
        let many = vec!["[::1]:0"; TRACKERS_MAX].join(",");
        let cases: [(&[&str], &str); 17] = [
            (&["--and-listen", "[::1]:1", "--fleet-token-file", "x"], "and_listen"),
            (&["--and-listen", "[::1]:1", "--stun-listen", "[::1]:2"], "and_listen"),
            (&["--and-listen", &many], "and_listen"),
            (&["--ledger", "x"], "ledger"),
            (&["--fleet-fan-out", "9"], "fleet_fan_out"),
            (&["--stripes", "17"], "stripes"),
            (&["--stripes", "0"], "stripes"),
            (&["--fan-out-max", "0"], "fan_out_max"),
            (&["--epoch-ms", "0"], "epoch_ms"),
            (&["--links-max", "12"], "links_max"),
            (&["--links-max", "65"], "links_max"),
            (&["--tls-cert", "a.pem"], "tls_cert"),
            (&["--allowed-origins", "example.org"], "allowed_origins"),
            (&["--allowed-origins", "https://example.org/page"], "allowed_origins"),
            (&["--sockets-max", "0"], "sockets_max"),
            (&["--silence-ms-max", "10"], "silence_ms_max"),
            (&["--ice-servers", "a,b,c,d,e,f,g,h,i"], "ice_servers"),
        ];
        for (arguments, key) in cases {
            let error = ServerConfig::load(flags(arguments), None).unwrap_err().to_string();
            assert!(error.starts_with(key), "{arguments:?}: {error}");
        }
    }
}
