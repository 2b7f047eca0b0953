//! Orders and words: what a tracker and a peer without a socket tell each other through a neighbour ([000] claims 13
//! to 15: new-connection information travels from client to client as well).
//!
//! An *order* is a message of the tracker to one peer, as its text. The neighbour that carries it is not believed: the
//! tracker signs with Ed25519 (RFC 8032), and each peer learned the key in its `welcome`. Signed are, in this order:
//!
//! ```text
//! "pleach order 1\n"  swarm 32  session 8  to 16  serial u32, little-endian  text
//! ```
//!
//! The *session* is drawn anew for each welcome, and serials count from 1 in it: an order is good once, for one peer of
//! one swarm, until that peer joins again.
//!
//! A *word* is a message of that peer to its tracker. The two share a secret already (the peer's), so a word carries a
//! tag instead: the first 16 bytes of BLAKE3's keyed hash of serial and text, with a key derived from the secret, the
//! swarm and the session. A neighbour can hold back what it carries, and can read it; it can make nothing up.

use ed25519_compact::{KeyPair, PublicKey, Seed};
use serde::{Deserialize, Serialize};

use crate::ids::{ContentId, OrderSession, PeerId, PeerSecret, Signature, TrackerKey, WordTag};

/// Longest text of an order or a word, in bytes: the longest signal fits, and a plan of many edges.
pub const TEXT_BYTES_MAX: usize = 12 * 1024;

const SIGNED_PREFIX: &[u8] = b"pleach order 1\n";
const WORD_CONTEXT: &str = "pleach 2026 key of words to the tracker";

/// What a welcome says of orders: whose signature is to be believed, and in which session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderTerms {
    /// The tracker's public key.
    pub key: TrackerKey,
    /// This welcome's session.
    pub session: OrderSession,
}

/// A message of the tracker, signed, for one peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Whom it is for.
    pub to: PeerId,
    /// Counts up in each session.
    pub serial: u32,
    /// A plan or a signal, as the tracker would say it; at most [`TEXT_BYTES_MAX`].
    pub order: String,
    /// The tracker's.
    pub signature: Signature,
}

/// A message to the tracker, with a tag that only its author and the tracker can make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// Counts up in each session.
    pub serial: u32,
    /// A signal, a loss, or a pong, as the peer would say it; at most [`TEXT_BYTES_MAX`].
    pub word: String,
    /// The author's.
    pub tag: WordTag,
}

/// A signing key: a tracker's, a machine's, or a peer's.
#[derive(Clone)]
pub struct OrderKey(KeyPair);

impl core::fmt::Debug for OrderKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "OrderKey({})", self.public())
    }
}

impl OrderKey {
    /// The key that belongs to a seed.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        // The one seed that is refused, all zeros, is what a forgotten one looks like; a test may have it.
        let seed = if seed == [0; 32] { blake3::derive_key("pleach 2026 no seed", &seed) } else { seed };
        Self(KeyPair::from_seed(Seed::new(seed)))
    }

    /// What peers are told.
    pub fn public(&self) -> TrackerKey {
        TrackerKey::from_bytes(*self.0.pk)
    }

    /// Signs an order.
    pub fn sign(&self, swarm: ContentId, session: OrderSession, to: PeerId, serial: u32, text: String) -> Order {
        let signature = self.sign_bytes(&signed_bytes(swarm, session, to, serial, &text));
        Order { to, serial, order: text, signature }
    }

    /// Signs bytes, which begin with what they are, so that they are never taken for anything else.
    pub(super) fn sign_bytes(&self, bytes: &[u8]) -> Signature {
        Signature::from_bytes(*self.0.sk.sign(bytes, None))
    }
}

/// Whether the owner of an Ed25519 key signed these bytes.
pub(super) fn is_signed_by(key: &[u8; 32], bytes: &[u8], signature: &Signature) -> bool {
    let signature = ed25519_compact::Signature::new(*signature.as_bytes());
    PublicKey::new(*key).verify(bytes, &signature).is_ok()
}

impl Order {
    /// Whether the tracker of these terms made it for its receiver in this swarm.
    pub fn is_signed(&self, swarm: ContentId, terms: &OrderTerms) -> bool {
        let signed = signed_bytes(swarm, terms.session, self.to, self.serial, &self.order);
        is_signed_by(terms.key.as_bytes(), &signed, &self.signature)
    }
}

fn signed_bytes(swarm: ContentId, session: OrderSession, to: PeerId, serial: u32, text: &str) -> Vec<u8> {
    let parts = [SIGNED_PREFIX, swarm.as_bytes(), session.as_bytes(), to.as_bytes(), &serial.to_le_bytes()];
    [parts.concat().as_slice(), text.as_bytes()].concat()
}

/// Makes and checks the tags of one peer's words in one session.
#[derive(Clone)]
pub struct WordKey([u8; 32]);

impl core::fmt::Debug for WordKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("WordKey")
    }
}

impl WordKey {
    /// The key that peer and tracker both can derive.
    pub fn new(secret: PeerSecret, swarm: ContentId, session: OrderSession) -> Self {
        let parts = [secret.as_bytes().as_slice(), swarm.as_bytes(), session.as_bytes()];
        Self(blake3::derive_key(WORD_CONTEXT, &parts.concat()))
    }

    /// Tags a word.
    pub fn tag(&self, serial: u32, text: String) -> Word {
        let tag = self.tag_of(serial, &text);
        Word { serial, word: text, tag }
    }

    /// Whether the word was made with this key.
    pub fn is_tagged(&self, word: &Word) -> bool {
        // Compared as hashes, which takes the same time wherever they differ.
        let hash = |tag: WordTag| blake3::hash(tag.as_bytes());
        hash(self.tag_of(word.serial, &word.word)) == hash(word.tag)
    }

    fn tag_of(&self, serial: u32, text: &str) -> WordTag {
        let hash = blake3::keyed_hash(&self.0, &[&serial.to_le_bytes(), text.as_bytes()].concat());
        let mut tag = [0; WordTag::LEN_BYTES];
        tag.copy_from_slice(&hash.as_bytes()[..WordTag::LEN_BYTES]);
        WordTag::from_bytes(tag)
    }
}

#[cfg(test)]
mod tests;
