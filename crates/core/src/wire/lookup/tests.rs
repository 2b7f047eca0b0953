//! What is said in looking up survives the wire; nothing that comes over it can do harm.

use bytes::Bytes;
use proptest::prelude::*;

use super::{Answer, Ask, HOLDERS_MAX, HOPS_MAX, Holder, LookupMessage, MESSAGE_BYTES_MAX, Meeting, Reach};
use crate::content::Geometry;
use crate::ids::{AskId, ContentId, PeerId};
use crate::wire::link::LinkMessage;
use crate::wire::signal::Signal;

fn peer() -> impl Strategy<Value = PeerId> {
    any::<[u8; 16]>().prop_map(PeerId::from_bytes)
}

fn package() -> impl Strategy<Value = ContentId> {
    any::<[u8; 32]>().prop_map(ContentId::from_bytes)
}

fn meeting() -> impl Strategy<Value = Meeting> {
    (package(), peer(), peer()).prop_map(|(package, holder, asker)| Meeting { package, holder, asker })
}

fn signal() -> impl Strategy<Value = Signal> {
    prop_oneof![
        ".{0,200}".prop_map(|sdp| Signal::Offer { sdp }),
        ".{0,200}".prop_map(|sdp| Signal::Answer { sdp }),
        (".{0,80}", prop::option::of(".{0,4}"), any::<Option<u16>>()).prop_map(|(candidate, sdp_mid, line)| {
            Signal::Candidate { candidate, sdp_mid, sdp_m_line_index: line }
        }),
    ]
}

fn message() -> impl Strategy<Value = LookupMessage> {
    let holder = (peer(), any::<u8>(), any::<u16>(), any::<u16>()).prop_map(|(peer, hands, age_s, busy_s)| Holder {
        peer,
        hands,
        age_s,
        busy_s,
    });
    prop_oneof![
        (any::<u64>(), package(), 0..=HOPS_MAX, any::<u8>(), any::<bool>()).prop_map(
            |(id, package, hops, width, in_group)| {
                LookupMessage::Ask(Ask { id: AskId(id), package, reach: Reach { hops, width, in_group } })
            }
        ),
        (any::<u64>(), prop::collection::vec(holder, 0..=HOLDERS_MAX))
            .prop_map(|(id, holders)| LookupMessage::Answer(Answer { id: AskId(id), holders })),
        (meeting(), any::<u32>()).prop_map(|(meeting, after_ms)| LookupMessage::Busy { meeting, after_ms }),
        (meeting(), any::<bool>(), any::<u32>(), signal()).prop_map(|(meeting, to_holder, session, signal)| {
            LookupMessage::Signal { meeting, to_holder, session, signal }
        }),
    ]
}

proptest! {
    #[test]
    fn messages_survive_the_wire(message in message()) {
        let bytes = message.encode();
        prop_assert_eq!(LookupMessage::decode(&bytes), Ok(message.clone()));
        let geometry = Geometry::new(1).expect("small");
        prop_assert_eq!(LinkMessage::decode(&bytes, &geometry), Ok(LinkMessage::Lookup(message.clone())));
        prop_assert_eq!(LinkMessage::Lookup(message).encode(), bytes);
    }

    #[test]
    fn no_bytes_do_harm(kind in 15_u8..=18, rest in prop::collection::vec(any::<u8>(), 0..200)) {
        let bytes = Bytes::from([vec![kind], rest].concat());
        if let Ok(message) = LookupMessage::decode(&bytes) {
            let again = message.encode();
            prop_assert!(again.len() > MESSAGE_BYTES_MAX || LookupMessage::decode(&again) == Ok(message));
        }
    }

    #[test]
    fn what_is_cut_short_or_lengthened_is_refused(message in message(), at in any::<prop::sample::Index>()) {
        let bytes = message.encode();
        prop_assert!(LookupMessage::decode(&bytes.slice(..at.index(bytes.len()))).is_err());
        let longer = Bytes::from([&bytes[..], &b"}"[..]].concat());
        prop_assert!(LookupMessage::decode(&longer).is_err());
    }
}

#[test]
fn what_goes_too_far_is_refused() {
    let reach = Reach { hops: HOPS_MAX + 1, ..Reach::BROADCAST };
    let ask = Ask { id: AskId(1), package: ContentId::from_bytes([1; 32]), reach };
    assert!(LookupMessage::decode(&LookupMessage::Ask(ask).encode()).is_err());
    let mut answer = LookupMessage::Answer(Answer { id: AskId(1), holders: Vec::new() }).encode().to_vec();
    answer[9] = HOLDERS_MAX as u8 + 1;
    answer.resize(answer.len() + 21 * (HOLDERS_MAX + 1), 0);
    assert!(LookupMessage::decode(&answer.into()).is_err());
}
