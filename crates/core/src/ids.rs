//! Names of things, each a type of its own, so that a link is never taken for a peer.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Why a textual id was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected_chars} hexadecimal digits")]
pub struct ParseIdError {
    expected_chars: usize,
}

/// Makes a type of `$len` bytes that is written as lower-case hexadecimal in text and JSON.
macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN_BYTES: usize = $len;

            /// The id with these bytes.
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// Its bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                parse_hex(text).map(Self).ok_or(ParseIdError { expected_chars: 2 * $len })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let high = (pair[0] as char).to_digit(16)?;
        let low = (pair[1] as char).to_digit(16)?;
        *byte = (high * 16 + low) as u8;
    }
    Some(bytes)
}

hex_id! {
    /// What a content is called: the BLAKE3 root of its transported bytes, so `b3sum FILE` prints it. Also the name of
    /// the swarm that carries it.
    ContentId, 32
}

hex_id! {
    /// What a peer is called in a swarm: the first 16 bytes of the BLAKE3 hash of its [`PeerKey`].
    PeerId, 16
}

impl PeerId {
    /// The web servers that have a content, where a plan gives them a place: no peer has a key whose hash is zeros.
    pub const WEB: Self = Self([0; Self::LEN_BYTES]);
}

hex_id! {
    /// A peer's public Ed25519 key, which makes its id its own: a join is signed with it.
    PeerKey, 32
}

hex_id! {
    /// What a peer and its tracker share: its words are tagged with it. Goes to trackers only, never to peers.
    PeerSecret, 16
}

hex_id! {
    /// The first 16 bytes of the BLAKE3 hash of a manifest's bytes. A link carries it in its fragment, so a manifest
    /// can come from anyone and still be the author's.
    ManifestDigest, 16
}

hex_id! {
    /// A tracker's public Ed25519 key: what it signs, peers believe whoever brings it.
    TrackerKey, 32
}

hex_id! {
    /// What a tracker is called among those that it shares swarms with.
    TrackerId, 16
}

hex_id! {
    /// An Ed25519 signature.
    Signature, 64
}

hex_id! {
    /// One welcome of one peer: what was signed in another is no longer good.
    OrderSession, 8
}

hex_id! {
    /// Shows that a word to the tracker comes from the peer that it is said to come from.
    WordTag, 16
}

hex_id! {
    /// A machine of a fleet: its public Ed25519 key, so that nobody else can be it.
    AgentId, 32
}

hex_id! {
    /// A delivery to a fleet, and each transport request of it. Drawn by who orders it.
    RequestId, 16
}

hex_id! {
    /// What a tracker draws for one socket of a peer or an agent: what was signed for another is no longer good.
    SocketNonce, 16
}

hex_id! {
    /// Shows that somebody knows the fleet's token, without telling it.
    FleetProof, 32
}

impl PeerKey {
    /// The public name that belongs to this key.
    pub fn peer_id(&self) -> PeerId {
        PeerId(first_16_bytes_of_hash(&self.0))
    }
}

impl TrackerId {
    /// The tracker of this name, such as the address that it listens at; the same in each of its runs.
    pub fn of_name(name: &str) -> Self {
        Self(first_16_bytes_of_hash(name.as_bytes()))
    }
}

impl ManifestDigest {
    /// The digest of a manifest as it lies on disk or came over the wire.
    pub fn of(manifest: &[u8]) -> Self {
        Self(first_16_bytes_of_hash(manifest))
    }
}

fn first_16_bytes_of_hash(input: &[u8]) -> [u8; 16] {
    let hash = blake3::hash(input);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_bytes()[..16]);
    bytes
}

/// One link of one peer machine to another peer, named by the machine itself; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u32);

/// One read of the store that is under way; never used twice by one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadId(pub u64);

/// One write to the store that is under way; never used twice by one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriteId(pub u64);

/// One fetch from a web server that is under way; never used twice by one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FetchId(pub u64);

/// One ask for a package, drawn by who asks; those who pass it on know it by this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u64);

/// One socket of a tracker, named by the adapter, from small numbers on; never used twice. The upper half of the numbers is for
/// sockets that another tracker holds, which the machine names itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

impl ConnectionId {
    /// The first of those that another tracker holds.
    pub(crate) const REMOTE_FIRST: u64 = 1 << 63;

    /// Whether another tracker holds the socket.
    pub fn is_remote(self) -> bool {
        self.0 >= Self::REMOTE_FIRST
    }
}
