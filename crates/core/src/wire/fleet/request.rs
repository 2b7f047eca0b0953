//! Transport requests: what is to be had, and by whom ([001]: details of the content, its source, the targets with their
//! relative performance; each relay sends a modified request on).
//!
//! A request has one part for all, its *terms*, and one *entry* for each target. The tracker signs each of them alone
//! (Ed25519, RFC 8032), so a relay can make smaller requests of it, and can make up nothing: who receives one believes the
//! terms, that it is a target itself, and each further target in it, and nothing else. Signed are a line that says what it
//! is and the text as it stands:
//!
//! ```text
//! "pleach transport terms 1\n" text     "pleach transport target 1\n" text     "pleach fleet card 1\n" text
//! ```

use core::marker::PhantomData;
use core::net::SocketAddr;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Card, FleetError, FleetName, REQUEST_BYTES_MAX, decode_json, encode_json, is_title};
use crate::ids::{AgentId, ContentId, ManifestDigest, RequestId, Signature, TrackerKey};
use crate::wire::order::{OrderKey, is_signed_by};

/// Most targets in one request. A tracker gives a part of them to each of its children, so a delivery has more.
pub const TARGETS_MAX: usize = 1_200;
/// Most relays that a tracker or a relay tells.
pub const FAN_OUT_MAX: u8 = 8;
/// Most web servers in the terms.
pub const SOURCES_MAX: usize = 8;
/// Longest address of a web server, in bytes.
pub const SOURCE_BYTES_MAX: usize = 2_048;
/// Longest name of what is delivered, in bytes.
pub const TITLE_BYTES_MAX: usize = 255;
/// Longest text that is signed, in bytes: the terms with all their sources.
const SIGNED_BYTES_MAX: usize = 32 * 1024;

/// What can be signed.
pub trait Signable: Serialize + DeserializeOwned {
    /// What is signed before the text, so that it is never taken for anything else.
    const PREFIX: &'static [u8];
    /// What it is, for people.
    const WHAT: &'static str;

    /// Refuses what is over its limits.
    fn check(&self) -> Result<(), FleetError>;
}

/// A text and its signature. Parsed only by [`Signed::open`], which checks both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed<T> {
    text: String,
    signature: Signature,
    #[serde(skip)]
    kind: PhantomData<T>,
}

impl<T: Signable> Signed<T> {
    /// Signs.
    pub fn new(value: &T, key: &OrderKey) -> Self {
        let text = encode_json(value);
        let signature = key.sign_bytes(&signed_bytes::<T>(&text));
        Self { text, signature, kind: PhantomData }
    }

    /// What was signed, if the owner of the key signed it.
    pub fn open(&self, key: &[u8; 32]) -> Result<T, FleetError> {
        if !is_signed_by(key, &signed_bytes::<T>(&self.text), &self.signature) {
            return Err(FleetError::Signature(T::WHAT));
        }
        self.peek()
    }

    /// What the text says, whoever wrote it. Only for finding out whose key to check it with.
    pub(crate) fn peek(&self) -> Result<T, FleetError> {
        let value: T = decode_json(&self.text, SIGNED_BYTES_MAX)?;
        value.check()?;
        Ok(value)
    }
}

fn signed_bytes<T: Signable>(text: &str) -> Vec<u8> {
    [T::PREFIX, text.as_bytes()].concat()
}

/// What is delivered, alike for all targets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Which delivery.
    pub id: RequestId,
    /// Counts up each time that what failed is repeated.
    pub round: u32,
    /// The content, whose swarm carries it.
    pub content: ContentId,
    /// Its description, which the tracker gives.
    pub manifest: ManifestDigest,
    /// Bytes of the whole.
    pub size_bytes: u64,
    /// What it is called, for people; the files' names are in the description.
    pub title: String,
    /// Web servers that have it besides those in the description.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// Not to be begun before, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_from_ms: Option<u64>,
    /// Not to be done after, in milliseconds since 1970. Then the request is void.
    pub active_until_ms: u64,
    /// How many each relay tells at most.
    pub fan_out: u8,
    /// How often to tell how far one is.
    pub progress_ms: u32,
}

impl Signable for Terms {
    const PREFIX: &'static [u8] = b"pleach transport terms 1\n";
    const WHAT: &'static str = "transport request";

    fn check(&self) -> Result<(), FleetError> {
        let sources_fit =
            self.sources.len() <= SOURCES_MAX && self.sources.iter().all(|source| source.len() <= SOURCE_BYTES_MAX);
        match () {
            () if !is_title(&self.title) => Err(FleetError::Limit("title")),
            () if !sources_fit => Err(FleetError::Limit("sources")),
            () if !(1..=FAN_OUT_MAX).contains(&self.fan_out) => Err(FleetError::Limit("fan_out")),
            () => Ok(()),
        }
    }
}

/// One target of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Of which delivery.
    pub request: RequestId,
    /// Of which round.
    pub round: u32,
    /// Who.
    pub agent: AgentId,
    /// For people.
    pub name: FleetName,
    /// Where it takes requests of other agents; absent: nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<SocketAddr>,
    /// Its place among the targets by performance; 0 is the best.
    pub rank: u32,
    /// What it was seen to get, bytes a second; 0: not known.
    pub bytes_per_s: u64,
}

impl Signable for Entry {
    const PREFIX: &'static [u8] = b"pleach transport target 1\n";
    const WHAT: &'static str = "target";

    fn check(&self) -> Result<(), FleetError> {
        Ok(())
    }
}

impl Signable for Card {
    const PREFIX: &'static [u8] = b"pleach fleet card 1\n";
    const WHAT: &'static str = "card";

    fn check(&self) -> Result<(), FleetError> {
        if self.program.len() > super::NAME_BYTES_MAX { Err(FleetError::Limit("program")) } else { Ok(()) }
    }
}

/// A target as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedTarget {
    /// What the tracker says of it.
    pub entry: Signed<Entry>,
    /// How many relays could not reach it. Not signed: who lies about it only changes who tries next.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tried: u8,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(tried: &u8) -> bool {
    *tried == 0
}

/// A request as it travels, for one receiver and those that it is to tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransportRequest {
    /// What.
    pub terms: Signed<Terms>,
    /// The receiver.
    pub to: SignedTarget,
    /// The receiver's share of the other targets, in the order of their performance; at most [`TARGETS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<SignedTarget>,
}

/// A target that the tracker signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What it says.
    pub entry: Entry,
    /// To be passed on.
    pub signed: SignedTarget,
}

/// A request that the tracker signed, every part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRequest {
    /// What.
    pub terms: Terms,
    /// The same, to be passed on.
    pub signed_terms: Signed<Terms>,
    /// For whom.
    pub to: Entry,
    /// Whom to tell.
    pub targets: Vec<Target>,
}

impl TransportRequest {
    /// Parses the body of a request of another agent.
    pub fn decode(text: &str) -> Result<Self, FleetError> {
        decode_json(text, REQUEST_BYTES_MAX)
    }

    /// As it goes to another agent.
    pub fn encode(&self) -> String {
        encode_json(self)
    }

    /// Believes what this tracker signed, and refuses the whole if a part of it is not, or is of another request.
    pub fn open(self, tracker: &TrackerKey) -> Result<OpenRequest, FleetError> {
        if self.targets.len() > TARGETS_MAX {
            return Err(FleetError::Limit("targets"));
        }
        let terms = self.terms.open(tracker.as_bytes())?;
        let open = |signed: &SignedTarget| {
            let entry = signed.entry.open(tracker.as_bytes())?;
            let fits = (entry.request, entry.round) == (terms.id, terms.round);
            if fits { Ok(entry) } else { Err(FleetError::Mixed) }
        };
        let to = open(&self.to)?;
        let targets = self.targets.into_iter().map(|signed| Ok(Target { entry: open(&signed)?, signed }));
        let mut targets = targets.collect::<Result<Vec<_>, FleetError>>()?;
        // A relay moves down whom it could not reach; else the order is the tracker's, whatever it made of it.
        targets.sort_by_key(|target| (target.signed.tried, target.entry.rank));
        targets.dedup_by_key(|target| target.entry.agent);
        Ok(OpenRequest { terms, signed_terms: self.terms, to, targets })
    }
}
