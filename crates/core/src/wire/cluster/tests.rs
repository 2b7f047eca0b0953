use proptest::prelude::*;

use super::*;

fn envelope(message: ClusterMessage) -> Envelope {
    Envelope { version: VERSION, from: TrackerId::of_name("127.0.0.1:8080"), run: u64::MAX, message }
}

#[test]
fn the_longest_frame_of_a_peer_fits() {
    let text = "\u{1}".repeat(crate::wire::tracker::MESSAGE_BYTES_MAX);
    let open = envelope(ClusterMessage::Open { socket: u64::MAX, nonce: SocketNonce::from_bytes([255; 16]), text });
    assert_eq!(Envelope::decode(&open.encode()).unwrap(), open);
}

#[test]
fn the_longest_list_fits_and_a_longer_one_is_refused() {
    let ids = |count| (0..count).map(|n: usize| PeerId::from_bytes((n as u128).to_le_bytes())).collect::<Vec<_>>();
    let list = |complete, partial, banned| {
        let (complete, partial, banned) = (ids(complete), ids(partial), ids(banned));
        let swarm = ContentId::from_bytes([1; 32]);
        envelope(ClusterMessage::List(NodeList { swarm, peers: u32::MAX, seeders: 7, complete, partial, banned }))
    };
    let longest = list(LIST_NODES_MAX - 1, 1, LIST_BANNED_MAX);
    assert_eq!(Envelope::decode(&longest.encode()).unwrap(), longest);
    for longer in [list(LIST_NODES_MAX, 1, 0), list(0, 0, LIST_BANNED_MAX + 1)] {
        assert!(matches!(Envelope::decode(&longer.encode()), Err(DecodeError::Limit(_))));
    }
}

#[test]
fn another_version_is_told_from_what_is_broken() {
    let other = r#"{"version":2,"who":"f0e1","says":["something else"]}"#;
    assert!(matches!(Envelope::decode(other), Err(DecodeError::Version(2))));
    let same = Envelope { version: 3, ..envelope(ClusterMessage::Beat) };
    assert!(matches!(Envelope::decode(&same.encode()), Err(DecodeError::Version(3))));
    assert!(matches!(Envelope::decode(r#"{"version":1}"#), Err(DecodeError::Json(_))));
    let later = r#"{"version":1,"from":"f0e1d2c3b4a5968778695a4b3c2d1e0f","run":1,"message":{"type":"dance","how":2}}"#;
    assert_eq!(Envelope::decode(later).unwrap().message, ClusterMessage::Unknown);
    let long = " ".repeat(MESSAGE_BYTES_MAX + 1);
    assert!(matches!(Envelope::decode(&long), Err(DecodeError::TooLong(_))));
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(text in ".*") {
        if let Err(error) = Envelope::decode(&text) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn what_is_carried_comes_out_as_it_went_in(socket: u64, text: String) {
        let frame = envelope(ClusterMessage::Frame { socket, text });
        prop_assert_eq!(Envelope::decode(&frame.encode()).unwrap(), frame);
    }
}
