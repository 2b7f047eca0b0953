//! What is signed is believed, once changed it is not; and the examples of RFC 8032 hold.

use proptest::prelude::*;

use super::{Order, OrderKey, OrderTerms, Word, WordKey};
use crate::ids::{ContentId, OrderSession, PeerId, PeerSecret, Signature, TrackerKey, WordTag};

const SWARM: ContentId = ContentId::from_bytes([1; 32]);
const SESSION: OrderSession = OrderSession::from_bytes([2; 8]);
const TO: PeerId = PeerId::from_bytes([3; 16]);

fn order(text: &str) -> (Order, OrderTerms) {
    let key = OrderKey::from_seed([9; 32]);
    (key.sign(SWARM, SESSION, TO, 7, text.to_owned()), OrderTerms { key: key.public(), session: SESSION })
}

/// Flips a bit of an id.
macro_rules! bent {
    ($kind:ident, $id:expr, $at:expr) => {{
        let mut bytes = *$id.as_bytes();
        bytes[$at % $kind::LEN_BYTES] ^= 1 << ($at % 8);
        $kind::from_bytes(bytes)
    }};
}

#[test]
fn the_key_is_that_of_rfc_8032() {
    let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    let seed: TrackerKey = seed.parse().unwrap();
    let public = OrderKey::from_seed(*seed.as_bytes()).public().to_string();
    assert_eq!(public, "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn an_order_is_believed_as_it_was_signed_and_not_otherwise(text in ".{1,40}", at in any::<usize>()) {
        let (order, terms) = order(&text);
        prop_assert!(order.is_signed(SWARM, &terms));
        let other_text = order.order.chars().skip(1).collect();
        let bent = [
            Order { to: bent!(PeerId, TO, at), ..order.clone() },
            Order { serial: order.serial ^ 1 << (at % 32), ..order.clone() },
            Order { order: other_text, ..order.clone() },
            Order { signature: bent!(Signature, order.signature, at), ..order.clone() },
        ];
        prop_assert!(bent.iter().all(|order| !order.is_signed(SWARM, &terms)));
        prop_assert!(!order.is_signed(bent!(ContentId, SWARM, at), &terms));
        let other_session = OrderTerms { session: bent!(OrderSession, SESSION, at), ..terms };
        let other_key = OrderTerms { key: bent!(TrackerKey, terms.key, at), ..terms };
        prop_assert!(!order.is_signed(SWARM, &other_session) && !order.is_signed(SWARM, &other_key));
    }

    #[test]
    fn a_word_is_believed_as_it_was_tagged_and_not_otherwise(text in ".{1,40}", at in any::<usize>()) {
        let secret = PeerSecret::from_bytes([4; 16]);
        let key = WordKey::new(secret, SWARM, SESSION);
        let word = key.tag(7, text);
        prop_assert!(key.is_tagged(&word));
        let bent = [
            Word { serial: word.serial ^ 1 << (at % 32), ..word.clone() },
            Word { word: word.word.chars().skip(1).collect(), ..word.clone() },
            Word { tag: bent!(WordTag, word.tag, at), ..word.clone() },
        ];
        prop_assert!(bent.iter().all(|word| !key.is_tagged(word)));
        let others = [
            WordKey::new(bent!(PeerSecret, secret, at), SWARM, SESSION),
            WordKey::new(secret, bent!(ContentId, SWARM, at), SESSION),
            WordKey::new(secret, SWARM, bent!(OrderSession, SESSION, at)),
        ];
        prop_assert!(others.iter().all(|key| !key.is_tagged(&word)));
    }
}
