//! Who a peer is: an Ed25519 key of its own (RFC 8032), so that a copied id gains nothing.
//!
//! A peer's id is the first 16 bytes of the BLAKE3 hash of its public key. Its tracker draws a nonce for each socket and says
//! it first, with the socket's opening, so that nothing is waited for; the `join` on that socket shows the key, and signs
//!
//! ```text
//! "pleach join 1\n"  nonce 16  swarm 32  secret of its words 16
//! ```
//!
//! What was signed for one socket is no good on another, on none of any other tracker, and in no other swarm. A machine of a
//! fleet signs with the key that it enlists with, so that its tracker knows which peer it is.

use crate::ids::{AgentId, ContentId, PeerId, PeerKey, PeerSecret, Signature, SocketNonce};
use crate::wire::order::{OrderKey, is_signed_by};
use crate::wire::tracker::Join;

const SIGNED_PREFIX: &[u8] = b"pleach join 1\n";
const SEED_CONTEXT: &str = "pleach 2026 identity of a peer";

/// What a peer proves its id with.
#[derive(Clone, Debug)]
pub struct Identity {
    key: PeerKey,
    /// None: it signs nothing.
    signing: Option<OrderKey>,
}

impl Identity {
    /// The one that belongs to a peer's seed.
    pub fn of_peer(seed: &[u8; 32]) -> Self {
        Self::from_seed(blake3::derive_key(SEED_CONTEXT, seed))
    }

    /// The one that belongs to a key's seed, such as that of a machine.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let signing = OrderKey::from_seed(seed);
        Self { key: PeerKey::from_bytes(*signing.public().as_bytes()), signing: Some(signing) }
    }

    /// One that costs no arithmetic and proves nothing: for simulated peers, whose tracker is told not to check joins. All
    /// others refuse it.
    pub fn simulated(seed: &[u8; 32]) -> Self {
        Self { key: PeerKey::from_bytes(blake3::derive_key(SEED_CONTEXT, seed)), signing: None }
    }

    /// The public name.
    pub fn peer_id(&self) -> PeerId {
        self.key.peer_id()
    }

    /// The public key.
    pub fn key(&self) -> PeerKey {
        self.key
    }

    /// Signs a join for the socket of this nonce.
    pub fn sign(&self, nonce: &SocketNonce, swarm: &ContentId, secret: &PeerSecret) -> Signature {
        let sign = |key: &OrderKey| key.sign_bytes(&signed_bytes(nonce, swarm, secret));
        self.signing.as_ref().map_or(Signature::from_bytes([0; Signature::LEN_BYTES]), sign)
    }
}

impl Join {
    /// Whether the owner of its key signed it for the socket of this nonce.
    pub fn is_signed(&self, nonce: &SocketNonce) -> bool {
        is_signed_by(self.key.as_bytes(), &signed_bytes(nonce, &self.swarm, &self.secret), &self.signature)
    }
}

impl AgentId {
    /// What the machine is called in swarms.
    pub fn peer_id(&self) -> PeerId {
        PeerKey::from_bytes(*self.as_bytes()).peer_id()
    }
}

fn signed_bytes(nonce: &SocketNonce, swarm: &ContentId, secret: &PeerSecret) -> Vec<u8> {
    [SIGNED_PREFIX, nonce.as_bytes(), swarm.as_bytes(), secret.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::tracker::VERSION;

    fn join(identity: &Identity, nonce: &SocketNonce) -> Join {
        let (swarm, secret) = (ContentId::from_bytes([1; 32]), PeerSecret::from_bytes([2; 16]));
        Join {
            version: VERSION,
            swarm,
            key: identity.key(),
            signature: identity.sign(nonce, &swarm, &secret),
            secret,
            agent: String::new(),
            packets_held: 0,
            packets_total: 1,
            slots: 0,
            fetches: false,
            links: Vec::new(),
        }
    }

    /// An array of 16 bytes, of which one bit is another.
    fn bent<const N: usize>(bytes: &[u8; N], at: usize) -> [u8; N] {
        let mut bent = *bytes;
        bent[at / 8 % N] ^= 1 << (at % 8);
        bent
    }

    #[test]
    fn a_machine_is_called_by_the_key_that_it_enlists_with() {
        let key = OrderKey::from_seed([5; 32]);
        assert_eq!(AgentId::from_bytes(*key.public().as_bytes()).peer_id(), Identity::from_seed([5; 32]).peer_id());
    }

    #[test]
    fn who_has_no_key_proves_nothing() {
        let nonce = SocketNonce::from_bytes([3; 16]);
        let simulated = Identity::simulated(&[5; 32]);
        assert!(!join(&simulated, &nonce).is_signed(&nonce));
        // Another's key, shown by somebody who does not have its other half.
        let copied = Join { key: Identity::of_peer(&[6; 32]).key(), ..join(&Identity::of_peer(&[5; 32]), &nonce) };
        assert!(!copied.is_signed(&nonce));
    }

    proptest! {
        #[test]
        fn a_join_is_good_for_one_socket_and_one_swarm(seed: [u8; 32], nonce: [u8; 16], at in 0_usize..512) {
            let nonce = SocketNonce::from_bytes(nonce);
            let join = join(&Identity::of_peer(&seed), &nonce);
            prop_assert!(join.is_signed(&nonce));
            prop_assert!(!join.is_signed(&SocketNonce::from_bytes(bent(nonce.as_bytes(), at))));
            for bent in [
                Join { swarm: ContentId::from_bytes(bent(join.swarm.as_bytes(), at)), ..join.clone() },
                Join { secret: PeerSecret::from_bytes(bent(join.secret.as_bytes(), at)), ..join.clone() },
                Join { key: PeerKey::from_bytes(bent(join.key.as_bytes(), at)), ..join.clone() },
                Join { signature: Signature::from_bytes(bent(join.signature.as_bytes(), at)), ..join.clone() },
            ] {
                prop_assert!(!bent.is_signed(&nonce));
            }
        }
    }
}
