//! Every message survives the wire; nothing that comes over it can do harm.

use bytes::Bytes;
use proptest::prelude::*;

use super::{AGENT_BYTES_MAX, CONTROL_BYTES_MAX, Data, DecodeError, LinkMessage, PARTIAL_MAX, Partial, RUNS_MAX, Run};
use crate::content::{Geometry, NodeId, PROOF_NODES_MAX, ProofNode, cut_text};
use crate::ids::{ContentId, PeerId, Signature, WordTag};
use crate::wire::order::{Order, TEXT_BYTES_MAX, Word};

const SIZE_BYTES: u64 = 3_000_001;

fn geometry() -> Geometry {
    Geometry::new(SIZE_BYTES).expect("small")
}

fn runs() -> impl Strategy<Value = Vec<Run>> {
    let packets = geometry().packets();
    prop::collection::btree_set(0..packets, 0..20).prop_map(|packets| {
        let packets: Vec<u32> = packets.into_iter().collect();
        let mut runs: Vec<Run> = Vec::new();
        for packet in packets {
            match runs.last_mut() {
                Some(run) if run.first + run.count == packet => run.count += 1,
                _ => runs.push(Run { first: packet, count: 1 }),
            }
        }
        runs
    })
}

fn partial() -> impl Strategy<Value = Vec<Partial>> {
    let partial = (0..geometry().packets(), any::<u8>()).prop_map(|(packet, groups)| Partial { packet, groups });
    prop::collection::vec(partial, 0..=PARTIAL_MAX)
}

fn data() -> impl Strategy<Value = LinkMessage> {
    let nodes = prop::collection::vec((any::<u8>(), any::<u32>(), any::<[u8; 32]>()), 0..PROOF_NODES_MAX);
    (0..geometry().groups(), 1_u32..=4, nodes).prop_filter_map("groups of two packets", |(first, count, nodes)| {
        let first = geometry().group(first)?;
        let range = geometry().groups_range(first, count)?;
        let payload = Bytes::from(vec![7; range.len() as usize]);
        let node = |(level, index, hash)| ProofNode { node: NodeId { level, index }, hash };
        let proof = nodes.into_iter().map(node).collect();
        Some(LinkMessage::Data(Data { first, count: count as u8, proof, payload }))
    })
}

fn message() -> impl Strategy<Value = LinkMessage> {
    prop_oneof![
        (any::<[u8; 32]>(), ".{0,16}", runs()).prop_map(|(content, agent, have)| LinkMessage::Hello {
            content: ContentId::from_bytes(content),
            agent: cut_text(&agent, AGENT_BYTES_MAX).to_owned(),
            have
        }),
        runs().prop_map(|packets| LinkMessage::Have { packets }),
        runs().prop_map(|packets| LinkMessage::Fetching { packets }),
        (1_u8..=16, any::<u16>(), 0..geometry().packets()).prop_map(|(stripes, mask, from)| LinkMessage::Subscribe {
            stripes,
            mask,
            from
        }),
        any::<(u64, u64, u32, u32)>().prop_map(|(received_bytes, limit_bytes, clock_ms, held_packets)| {
            LinkMessage::Credit { received_bytes, limit_bytes, clock_ms, held_packets }
        }),
        (runs(), partial()).prop_map(|(packets, partial)| LinkMessage::Request { packets, partial }),
        runs().prop_map(|packets| LinkMessage::Cancel { packets }),
        runs().prop_map(|packets| LinkMessage::Refuse { packets }),
        data(),
        any::<u32>().prop_map(|nonce| LinkMessage::Ping { nonce }),
        any::<u32>().prop_map(|nonce| LinkMessage::Pong { nonce }),
        Just(LinkMessage::Goodbye),
        (any::<u8>(), any::<u8>(), prop::collection::vec(any::<u8>(), 0..60))
            .prop_map(|(train, left, padding)| { LinkMessage::Probe { train, left, padding: Bytes::from(padding) } }),
        (any::<u8>(), any::<u64>(), any::<bool>()).prop_map(|(train, bytes_per_s, is_least)| LinkMessage::Probed {
            train,
            bytes_per_s,
            is_least
        }),
        (any::<[u8; 16]>(), any::<u32>(), ".{0,60}", any::<[u8; 64]>()).prop_map(|(to, serial, order, signature)| {
            let (to, signature) = (PeerId::from_bytes(to), Signature::from_bytes(signature));
            LinkMessage::Order(Order { to, serial, order, signature })
        }),
        (any::<u32>(), ".{0,60}", any::<[u8; 16]>()).prop_map(|(serial, word, tag)| {
            LinkMessage::Word(Word { serial, word, tag: WordTag::from_bytes(tag) })
        }),
    ]
}

proptest! {
    #[test]
    fn what_is_encoded_decodes_to_the_same(message in message()) {
        prop_assert_eq!(LinkMessage::decode(&message.encode(), &geometry()), Ok(message));
    }

    #[test]
    fn a_cut_message_is_refused(message in message(), cut in any::<prop::sample::Index>()) {
        let encoded = message.encode();
        let cut = cut.index(encoded.len());
        prop_assert!(LinkMessage::decode(&encoded.slice(..cut), &geometry()).is_err());
    }

    #[test]
    fn a_longer_message_is_refused(message in message(), more in 1_usize..100) {
        let mut encoded = message.encode().to_vec();
        encoded.resize(encoded.len() + more, 0);
        prop_assert!(LinkMessage::decode(&encoded.into(), &geometry()).is_err());
    }

    #[test]
    fn bytes_of_any_kind_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        if let Ok(message) = LinkMessage::decode(&bytes.clone().into(), &geometry()) {
            let is_known = message != LinkMessage::Unknown;
            prop_assert!(!is_known || message.encode() == bytes, "there is one way to write a message");
        }
    }
}

fn decode(bytes: &[u8]) -> Result<LinkMessage, DecodeError> {
    LinkMessage::decode(&Bytes::copy_from_slice(bytes), &geometry())
}

#[test]
fn limits_hold() {
    let many = vec![Run { first: 0, count: 1 }; 3];
    assert_eq!(decode(&LinkMessage::Have { packets: many }.encode()), Err(DecodeError::Index), "not ascending");
    let beyond = vec![Run { first: geometry().packets() - 1, count: 2 }];
    assert_eq!(decode(&LinkMessage::Have { packets: beyond }.encode()), Err(DecodeError::Index));
    let overflow = vec![Run { first: u32::MAX, count: u32::MAX }];
    assert_eq!(
        decode(&LinkMessage::Request { packets: overflow, partial: Vec::new() }.encode()),
        Err(DecodeError::Index)
    );
    let no_packet = vec![Partial { packet: geometry().packets(), groups: 1 }];
    assert_eq!(
        decode(&LinkMessage::Request { packets: Vec::new(), partial: no_packet }.encode()),
        Err(DecodeError::Index)
    );
    assert_eq!(decode(&[5, 0, 0, PARTIAL_MAX as u8 + 1]), Err(DecodeError::Limit("count of partial packets")));
    assert_eq!(decode(&[2, 0xff, 0xff]), Err(DecodeError::Limit("count of runs")));
    assert_eq!(decode(&vec![2; CONTROL_BYTES_MAX + 1]), Err(DecodeError::Limit("length")));
    assert_eq!(decode(&[3, 0, 1, 0]), Err(DecodeError::Limit("stripes")));
    assert_eq!(decode(&[1, 9]), Err(DecodeError::Version(9)));
    let long = [&[13][..], &[0; 20], &(TEXT_BYTES_MAX as u16 + 1).to_le_bytes(), &[b'x'; TEXT_BYTES_MAX + 1]].concat();
    assert_eq!(decode(&long), Err(DecodeError::Limit("text")));
    let no_text = [&[12][..], &[0; 84], &[1, 0, 0xff]].concat();
    assert_eq!(decode(&no_text), Err(DecodeError::Text));
    assert_eq!(decode(&[]), Err(DecodeError::Short));
    assert_eq!(decode(&[200, 1, 2, 3]), Ok(LinkMessage::Unknown));
    const { assert!(RUNS_MAX * 8 + PARTIAL_MAX * 5 + 128 <= CONTROL_BYTES_MAX, "the longest honest message fits") };
    const { assert!(TEXT_BYTES_MAX + 128 <= CONTROL_BYTES_MAX, "so does the longest order") };
    const { assert!(PROOF_NODES_MAX <= u8::MAX as usize) };
}

#[test]
fn text_is_cut_between_characters() {
    assert_eq!(cut_text("añb", 2), "a");
    assert_eq!(cut_text("añb", 3), "añ");
    assert_eq!(cut_text("ab", 9), "ab");
}
