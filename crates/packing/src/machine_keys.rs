//! The key of an encrypted delivery, for each machine alone ([001]: a request tells how its packets are encrypted).
//!
//! The key is in the description of what is delivered, once for each machine that is known when it is ordered, each sealed so
//! that only that machine opens it:
//!
//! ```text
//! "keys": { AGENT: base64url( one-time public key 32 | key 43, XChaCha20-Poly1305 | tag 16 ) }
//! ```
//!
//! It is sealed under what X25519 (RFC 7748) makes of a one-time key and the machine's own, which is its Ed25519 key on the
//! other curve, as `age` has it for SSH keys. So there is no second key to register or to vouch for: who may open it is who
//! signs as the machine. Bound to it is the content's id, so that it opens nothing else. The tracker, and all who pass the
//! description on, see neither the key nor names nor bytes; they see for which machines it is, and how much.
//!
//! One-time keys come from who seals, since nothing here reads randomness.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use ed25519_compact::x25519::{PublicKey, SecretKey};
use ed25519_compact::{KeyPair, Seed};
use pleach_core::content::{Manifest, ManifestError};
use pleach_core::ids::{AgentId, ContentId};
use serde::Deserialize;

use crate::key::Key;

/// What the key is made for.
const PURPOSE: &str = "pleach 2026 key of a delivery for one machine";
/// Bytes of a public key.
const PUBLIC_BYTES: usize = 32;

/// Why no key could be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// A machine's key is no point of the curve.
    #[error("machine {0} has no usable key")]
    Machine(AgentId),
    /// With all the keys the description is too long, or it is none.
    #[error("{0}")]
    Manifest(#[from] ManifestError),
}

/// The description with the key for each of these machines in it, each sealed with 32 random bytes that nothing else is made of.
///
/// # Errors
///
/// See [`SealError`]; some 5,000 machines are the most that one description has room for.
pub fn with_keys(manifest: &Manifest, key: &Key, machines: &[(AgentId, [u8; 32])]) -> Result<Manifest, SealError> {
    let mut keys = BTreeMap::new();
    for (machine, once) in machines {
        keys.insert(machine.to_string(), seal(key, manifest.id(), machine, *once)?);
    }
    let unreadable = |error: serde_json::Error| ManifestError::Json(error.to_string());
    let mut fields: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(manifest.as_bytes()).map_err(unreadable)?;
    fields.insert("keys".to_owned(), serde_json::to_value(keys).map_err(unreadable)?);
    Ok(Manifest::parse(&serde_json::to_vec(&fields).map_err(unreadable)?)?)
}

/// The key that is in the description for the machine of this seed.
///
/// # Errors
///
/// Why there is none, for people.
pub fn key_for(manifest: &Manifest, seed: &[u8; 32]) -> Result<Key, String> {
    #[derive(Deserialize)]
    struct Keys {
        #[serde(default)]
        keys: BTreeMap<String, String>,
    }
    let Keys { keys } = serde_json::from_slice(manifest.as_bytes()).map_err(|error| error.to_string())?;
    let me = AgentId::from_bytes(*machine(seed).pk);
    let sealed = keys.get(&me.to_string()).ok_or(
        "it is encrypted, and there is no key in it for this machine, which was not known when it was ordered: \
         it has to be delivered anew",
    )?;
    open(sealed, manifest.id(), seed).ok_or_else(|| "the key in it for this machine is damaged".to_owned())
}

fn seal(key: &Key, content: ContentId, machine: &AgentId, once: [u8; 32]) -> Result<String, SealError> {
    let unusable = |_| SealError::Machine(*machine);
    let theirs = ed25519_compact::PublicKey::from_slice(machine.as_bytes()).map_err(unusable)?;
    let theirs = PublicKey::from_ed25519(&theirs).map_err(unusable)?;
    let once = SecretKey::new(once);
    let public = once.recover_public_key().map_err(unusable)?;
    let shared = theirs.dh(&once).map_err(unusable)?;
    let text = key.to_text();
    let payload = Payload { msg: text.as_bytes(), aad: content.as_bytes() };
    // The key is used once, so the nonce may be zero.
    let sealed = cipher(&shared[..], &public[..], machine).encrypt(&XNonce::default(), payload);
    let sealed = sealed.map_err(|_| SealError::Machine(*machine))?;
    Ok(URL_SAFE_NO_PAD.encode([&public[..], &sealed].concat()))
}

fn open(sealed: &str, content: ContentId, seed: &[u8; 32]) -> Option<Key> {
    let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
    let (public, sealed) = bytes.split_at_checked(PUBLIC_BYTES)?;
    let mine = machine(seed);
    let shared = PublicKey::from_slice(public).ok()?.dh(&SecretKey::from_ed25519(&mine.sk).ok()?).ok()?;
    let cipher = cipher(&shared[..], public, &AgentId::from_bytes(*mine.pk));
    let text = cipher.decrypt(&XNonce::default(), Payload { msg: sealed, aad: content.as_bytes() }).ok()?;
    Key::parse(std::str::from_utf8(&text).ok()?).ok()
}

/// The machine's key pair, as it enlists with it.
fn machine(seed: &[u8; 32]) -> KeyPair {
    KeyPair::from_seed(Seed::new(*seed))
}

fn cipher(shared: &[u8], once: &[u8], machine: &AgentId) -> XChaCha20Poly1305 {
    let key = blake3::derive_key(PURPOSE, &[shared, once, machine.as_bytes()].concat());
    XChaCha20Poly1305::new((&key).into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A one-time key, the text of a key, and the tag.
    const SEALED_BYTES: usize = PUBLIC_BYTES + 43 + 16;
    const CONTENT: ContentId = ContentId::from_bytes([7; 32]);
    /// What a one-time key is made of.
    const ONCE: [u8; 32] = [6; 32];

    fn id(seed: u8) -> AgentId {
        AgentId::from_bytes(*machine(&[seed; 32]).pk)
    }

    /// So that machines of this build open what earlier ones sealed.
    #[test]
    fn it_is_sealed_as_the_format_tells() {
        let sealed = "9bLW5g-Ud-MQwpgtqqbJE2wQihd3xZR-RI-jfWgXRVcgBo-SiSpE9JsmfcYVGlO6bAvlRLszk0--38DjuzFHtNWm4KJ0TBeYMvTAHhU9gwHGXG3aYSD5ABC_3A";
        assert_eq!(seal(&Key::from_bytes([5; 32]), CONTENT, &id(1), ONCE).unwrap(), sealed);
    }

    #[test]
    fn who_it_is_for_opens_it_and_nobody_else() {
        let key = Key::from_bytes([5; 32]);
        let sealed = seal(&key, CONTENT, &id(1), ONCE).unwrap();
        assert!(open(&sealed, CONTENT, &[1; 32]).is_some_and(|opened| opened == key));
        assert!(open(&sealed, CONTENT, &[2; 32]).is_none(), "another machine");
        assert!(open(&sealed, ContentId::from_bytes([8; 32]), &[1; 32]).is_none(), "another content");
        assert_ne!(sealed, seal(&key, CONTENT, &id(1), [9; 32]).unwrap(), "each is sealed by itself");
    }

    #[test]
    fn what_was_changed_or_is_none_opens_nothing() {
        let sealed = seal(&Key::from_bytes([5; 32]), CONTENT, &id(1), ONCE).unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(&sealed).unwrap();
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            assert!(open(&URL_SAFE_NO_PAD.encode(bytes), CONTENT, &[1; 32]).is_none(), "byte {at}");
        }
        for len in 0..bytes.len() {
            assert!(open(&URL_SAFE_NO_PAD.encode(&bytes[..len]), CONTENT, &[1; 32]).is_none(), "{len} bytes");
        }
        assert!(open("no base64 at all", CONTENT, &[1; 32]).is_none());
        assert!(
            seal(&Key::from_bytes([5; 32]), CONTENT, &AgentId::from_bytes([0; 32]), ONCE).is_err(),
            "of small order"
        );
    }

    #[test]
    fn the_description_stays_what_it_was_and_says_for_whom_it_is() {
        let manifest = Manifest::of_file("film.mp4", None, CONTENT, 5).unwrap();
        let with = with_keys(&manifest, &Key::from_bytes([5; 32]), &[(id(1), ONCE), (id(2), [9; 32])]).unwrap();
        assert_eq!((with.id(), with.size_bytes()), (manifest.id(), manifest.size_bytes()));
        assert!(key_for(&with, &[2; 32]).is_ok_and(|key| key == Key::from_bytes([5; 32])));
        let reason = key_for(&with, &[3; 32]).err().unwrap();
        assert!(reason.contains("no key in it for this machine"), "{reason}");
        assert!(key_for(&manifest, &[1; 32]).is_err());
    }

    proptest! {
        #[test]
        fn only_the_machine_it_is_for_opens_it(
            key: [u8; 32], content: [u8; 32], mine: [u8; 32], other: [u8; 32], once: [u8; 32],
        ) {
            prop_assume!(mine != other);
            let (key, content) = (Key::from_bytes(key), ContentId::from_bytes(content));
            let sealed = seal(&key, content, &AgentId::from_bytes(*machine(&mine).pk), once).unwrap();
            prop_assert!(open(&sealed, content, &mine).is_some_and(|opened| opened == key));
            prop_assert!(open(&sealed, content, &other).is_none());
        }

        #[test]
        fn any_flipped_bit_is_refused(key: [u8; 32], bit in 0..8 * SEALED_BYTES) {
            let sealed = seal(&Key::from_bytes(key), CONTENT, &id(1), ONCE).unwrap();
            let mut bytes = URL_SAFE_NO_PAD.decode(sealed).unwrap();
            prop_assert_eq!(bytes.len(), SEALED_BYTES);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(open(&URL_SAFE_NO_PAD.encode(bytes), CONTENT, &[1; 32]).is_none());
        }

        #[test]
        fn any_text_opens_nothing_and_harms_nobody(text: String, bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(open(&text, CONTENT, &[1; 32]).is_none());
            prop_assert!(open(&URL_SAFE_NO_PAD.encode(bytes), CONTENT, &[1; 32]).is_none());
        }

        /// A description may come from anybody: what stands where the keys are to be is told, whatever it is.
        #[test]
        fn any_keys_in_a_description_are_read_or_refused(keys in any_json()) {
            let manifest = Manifest::of_file("film.mp4", None, CONTENT, 5).unwrap();
            let mut fields: serde_json::Map<_, _> = serde_json::from_slice(manifest.as_bytes()).unwrap();
            fields.insert("keys".to_owned(), keys);
            if let Ok(manifest) = Manifest::parse(&serde_json::to_vec(&fields).unwrap()) {
                prop_assert!(key_for(&manifest, &[1; 32]).is_err_and(|reason| !reason.is_empty()));
            }
        }
    }

    /// What may stand in the place of the keys: anything, and things that are nearly right.
    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let me = id(1).to_string();
        let of_me = move |text: String| serde_json::json!({ me.clone(): text });
        let bytes = proptest::collection::vec(any::<u8>(), 0..200).prop_map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        prop_oneof![
            any::<String>().prop_map(of_me.clone()),
            bytes.prop_map(of_me),
            any::<String>().prop_map(serde_json::Value::from),
            proptest::collection::vec(any::<i64>(), 0..4).prop_map(serde_json::Value::from),
            Just(serde_json::Value::Null),
            Just(serde_json::json!({ id(1).to_string(): { "a": 1 } })),
        ]
    }
}
