//! Who delivers and its tracker, over HTTP, with the fleet's token: JSON bodies of at most
//! [`ORDER_BYTES_MAX`] bytes one way, and what the tracker tells the other.

use serde::{Deserialize, Serialize};

use super::request::{SOURCE_BYTES_MAX, SOURCES_MAX};
use super::{FleetError, FleetName, decode_json, is_title};
use crate::ids::{AgentId, ContentId, ManifestDigest, RequestId};

/// Longest order, in bytes.
pub const ORDER_BYTES_MAX: usize = 256 * 1024;
/// Most machines that an order names.
pub const NAMES_MAX: usize = 2_000;

/// Order of a delivery: `POST /fleet/deliveries`. The same once more changes nothing and is answered alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryOrder {
    /// Drawn by who orders.
    pub id: RequestId,
    /// To whom.
    pub group: FleetName,
    /// To these of the group; empty: to all, and to who joins it while the delivery is open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<FleetName>,
    /// What.
    pub content: ContentId,
    /// Its description, which the tracker must have.
    pub manifest: ManifestDigest,
    /// Bytes of the whole.
    pub size_bytes: u64,
    /// What it is called.
    pub title: String,
    /// Web servers that have it besides those in the description.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// Not to be begun before, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_from_ms: Option<u64>,
    /// Not to be done after, in milliseconds since 1970; absent: in seven days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_until_ms: Option<u64>,
    /// A machine that is not connected for so long counts as failed. It still gets it if it comes back in time.
    pub away_ms_max: u64,
}

impl DeliveryOrder {
    /// Parses a body.
    pub fn decode(text: &str) -> Result<Self, FleetError> {
        let order: Self = decode_json(text, ORDER_BYTES_MAX)?;
        let sources_fit =
            order.sources.len() <= SOURCES_MAX && order.sources.iter().all(|source| source.len() <= SOURCE_BYTES_MAX);
        match () {
            () if order.names.len() > NAMES_MAX => Err(FleetError::Limit("names")),
            () if !is_title(&order.title) => Err(FleetError::Limit("title")),
            () if !sources_fit => Err(FleetError::Limit("sources")),
            () => Ok(order),
        }
    }
}

/// How one machine stands with one delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetState {
    /// It has not said yet that it knows.
    Waiting,
    /// It has the request, and gets the content.
    Getting,
    /// It has everything.
    Done,
    /// It did not get it. If it comes back while the delivery is open, it is told again.
    Failed,
    /// A state of a later protocol.
    #[serde(other)]
    Other,
}

impl TargetState {
    /// Whether nothing more is waited for.
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }
}

/// One machine of a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetStatus {
    /// Who.
    pub agent: AgentId,
    /// For people.
    pub name: FleetName,
    /// How it stands.
    pub state: TargetState,
    /// Verified bytes, as it last told.
    pub have_bytes: u64,
    /// Whether its socket is open.
    pub connected: bool,
    /// Why it failed, or what it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How a delivery stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryStatus {
    /// Which.
    pub id: RequestId,
    /// To whom.
    pub group: FleetName,
    /// What.
    pub content: ContentId,
    /// Its description.
    pub manifest: ManifestDigest,
    /// What it is called.
    pub title: String,
    /// Bytes of the whole.
    pub size_bytes: u64,
    /// How often it was begun, less one.
    pub round: u32,
    /// When it was ordered, in milliseconds since 1970.
    pub created_ms: u64,
    /// Until when it is open.
    pub active_until_ms: u64,
    /// All machines of it, by name.
    pub targets: Vec<TargetStatus>,
}

/// A machine that the tracker knows, as the ledger has it ([001]: the network information database).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRecord {
    /// Who.
    pub agent: AgentId,
    /// For people.
    pub name: FleetName,
    /// Which deliveries it takes.
    pub group: FleetName,
    /// In milliseconds since 1970.
    pub first_seen_ms: u64,
    /// In milliseconds since 1970.
    pub last_seen_ms: u64,
    /// How soon it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_us: Option<u64>,
    /// What it was seen to send in swarms, by those who received it, bytes a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_s: Option<u64>,
    /// Deliveries that it has.
    pub done: u32,
    /// Times that one failed there.
    pub failed: u32,
}

impl AgentRecord {
    /// Orders machines, the best first: by what they send, less what failed; then by how soon they answer.
    pub fn rank_key(&self) -> impl Ord + use<> {
        let (tries, done) = (u64::from(self.done) + u64::from(self.failed) + 1, u64::from(self.done) + 1);
        let worth = u128::from(self.bytes_per_s.unwrap_or(0)) * u128::from(done) / u128::from(tries);
        (core::cmp::Reverse(worth), self.response_us.unwrap_or(u64::MAX), self.agent)
    }
}

/// Something that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureRecord {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// Which delivery.
    pub request: RequestId,
    /// Where.
    pub agent: AgentId,
    /// For people.
    pub name: FleetName,
    /// Why.
    pub reason: String,
}

/// A delivery in a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliverySummary {
    /// Which.
    pub id: RequestId,
    /// To whom.
    pub group: FleetName,
    /// What it is called.
    pub title: String,
    /// Bytes of the whole.
    pub size_bytes: u64,
    /// When it was ordered, in milliseconds since 1970.
    pub created_ms: u64,
    /// Until when it is open.
    pub active_until_ms: u64,
    /// Machines of it.
    pub targets: usize,
    /// Of these, how many have it.
    pub done: usize,
    /// And how many did not get it.
    pub failed: usize,
}

/// A machine in a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RankedAgent {
    /// What is known of it.
    #[serde(flatten)]
    pub record: AgentRecord,
    /// Whether its socket is open.
    pub connected: bool,
}

/// `GET /fleet/report`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Machines, the best first.
    pub agents: Vec<RankedAgent>,
    /// Deliveries, the newest first.
    pub deliveries: Vec<DeliverySummary>,
    /// What failed, the newest first; at most as many as [`REPORT_FAILURES_MAX`].
    pub failures: Vec<FailureRecord>,
}

/// Failures in one report; older ones are left out.
pub const REPORT_FAILURES_MAX: usize = 500;
