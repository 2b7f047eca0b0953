//! What goes into a [`service`](super::service) and what it tells.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use pleach_core::fleet::{AgentConfig, AgentEvent};
use pleach_core::wire::fleet::request::Terms;

/// How an agent is set up.
#[derive(Debug)]
pub struct ServiceConfig {
    /// Address of the tracker, without a path.
    pub base: String,
    /// Who it is, and what it takes.
    pub agent: AgentConfig,
    /// Where deliveries go.
    pub into: PathBuf,
    /// Where it keeps what it knows.
    pub state: PathBuf,
    /// Where it takes requests of other agents; `None`: nowhere.
    pub listen: Option<SocketAddr>,
    /// Where others reach that, if it is not there: behind a forwarded port.
    pub reached_at: Option<SocketAddr>,
    /// Whether a delivery may replace what has its name.
    pub replace: bool,
    /// A delivery of which nothing came for so long has failed.
    pub patience: Duration,
    /// How long a delivery is given to others once it is complete.
    pub linger: Duration,
    /// Most payload bytes a second to send; 0 sends nothing, `None` is no limit.
    pub upload_bytes_per_s: Option<u64>,
}

/// Why an agent can't go on.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// A folder can't be used.
    #[error("cannot use {}: {}", path.display(), crate::store::plain(source))]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The port can't be taken.
    #[error("cannot listen on {address}: {}", crate::store::plain(source))]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The tracker wants nothing of this machine.
    #[error("the tracker refused: {0}")]
    Refused(String),
    /// The tracker's address can't be used, or the system gives no random bytes.
    #[error("{0}")]
    System(String),
}

/// What people want to hear of.
#[derive(Debug)]
pub enum ServiceEvent {
    /// It takes requests of other agents here.
    Listening(SocketAddr),
    /// What the machine tells.
    Agent(AgentEvent),
    /// A delivery is complete.
    Done {
        /// What.
        terms: Terms,
        /// Where.
        path: PathBuf,
        /// What was received for it.
        received_bytes: u64,
        /// How long that took.
        time: Duration,
    },
    /// A delivery failed.
    Failed {
        /// What.
        terms: Terms,
        /// Why.
        reason: String,
    },
}
