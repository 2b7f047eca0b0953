//! What is written is read; what was altered is refused; whatever comes, nothing panics.

use proptest::prelude::*;

use super::api::DeliveryOrder;
use super::request::{Entry, Signed, SignedTarget, TARGETS_MAX, Terms, TransportRequest};
use super::token::{FleetToken, is_same_proof};
use super::*;
use crate::ids::{ContentId, ManifestDigest};
use crate::wire::order::OrderKey;

fn key(of: u8) -> OrderKey {
    OrderKey::from_seed([of; 32])
}

fn terms(round: u32) -> Terms {
    Terms {
        id: RequestId::from_bytes([7; 16]),
        round,
        content: ContentId::from_bytes([1; 32]),
        manifest: ManifestDigest::from_bytes([2; 16]),
        size_bytes: 1_000_000,
        title: "talk.mp4".into(),
        sources: vec!["https://site.example/talk.mp4".into()],
        active_from_ms: Some(5),
        active_until_ms: 1_900_000_000_000,
        fan_out: 4,
        progress_ms: 500,
    }
}

fn entry(agent: u8, round: u32) -> Entry {
    Entry {
        request: RequestId::from_bytes([7; 16]),
        round,
        agent: AgentId::from_bytes([agent; 32]),
        name: format!("machine {agent}").parse().unwrap(),
        address: Some(([192, 0, 2, agent], 9000).into()),
        rank: u32::from(agent),
        bytes_per_s: 12_500_000,
    }
}

fn target(agent: u8, round: u32, by: &OrderKey) -> SignedTarget {
    SignedTarget { entry: Signed::new(&entry(agent, round), by), tried: 0 }
}

fn request(by: &OrderKey) -> TransportRequest {
    let targets = (2..=6).map(|agent| target(agent, 0, by)).collect();
    TransportRequest { terms: Signed::new(&terms(0), by), to: target(1, 0, by), targets }
}

#[test]
fn a_request_is_read_as_it_was_written() {
    let key = key(1);
    let read = TransportRequest::decode(&request(&key).encode()).unwrap();
    let open = read.open(&key.public()).unwrap();
    assert_eq!((open.terms, open.to), (terms(0), entry(1, 0)));
    assert_eq!(open.targets.iter().map(|target| target.entry.rank).collect::<Vec<_>>(), [2, 3, 4, 5, 6]);
}

/// [001] B2: each relay sends a modified request on. What it may modify is who is in it, and nothing else.
#[test]
fn a_relay_may_leave_targets_out_and_make_nothing_up() {
    let (tracker, liar) = (key(1), key(2));
    let open = |request: TransportRequest| request.open(&tracker.public());
    let mut smaller = request(&tracker);
    smaller.targets.truncate(2);
    smaller.to = target(3, 0, &tracker);
    assert_eq!(open(smaller).unwrap().targets.len(), 2);

    let mut other_terms = request(&tracker);
    other_terms.terms = Signed::new(&terms(0), &liar);
    assert!(matches!(open(other_terms), Err(FleetError::Signature("transport request"))));
    let mut added = request(&tracker);
    added.targets.push(target(9, 0, &liar));
    assert!(matches!(open(added), Err(FleetError::Signature("target"))));
    let mut of_another_round = request(&tracker);
    of_another_round.targets.push(target(9, 1, &tracker));
    assert!(matches!(open(of_another_round), Err(FleetError::Mixed)));
    let mut too_many = request(&tracker);
    too_many.targets = vec![target(2, 0, &tracker); TARGETS_MAX + 1];
    assert!(matches!(open(too_many), Err(FleetError::Limit("targets"))));
}

#[test]
fn a_card_is_no_request_and_a_target_no_card() {
    let key = key(1);
    let as_json = |signed: &Signed<Entry>| serde_json::to_string(signed).unwrap();
    let card: Signed<Card> = serde_json::from_str(&as_json(&Signed::new(&entry(1, 0), &key))).unwrap();
    assert!(matches!(card.open(key.public().as_bytes()), Err(FleetError::Signature("card"))));
}

#[test]
fn the_longest_request_fits_into_a_message() {
    let key = key(1);
    let longest = Entry {
        name: "\"".repeat(NAME_BYTES_MAX).parse().unwrap(),
        address: Some("[2001:db8:1111:2222:3333:4444:5555:6666]:65535".parse().unwrap()),
        rank: u32::MAX,
        bytes_per_s: u64::MAX,
        ..entry(1, u32::MAX)
    };
    let target = SignedTarget { entry: Signed::new(&longest, &key), tried: 9 };
    let terms = Terms {
        title: "t".repeat(request::TITLE_BYTES_MAX),
        sources: vec!["s".repeat(request::SOURCE_BYTES_MAX); request::SOURCES_MAX],
        ..terms(u32::MAX)
    };
    let request =
        TransportRequest { terms: Signed::new(&terms, &key), to: target.clone(), targets: vec![target; TARGETS_MAX] };
    let text = ToAgent::Request { request }.encode();
    assert!(text.len() <= REQUEST_BYTES_MAX, "{} bytes", text.len());
}

#[test]
fn proofs_belong_to_a_token_a_nonce_and_a_key() {
    let (nonce, other_nonce) = (SocketNonce::from_bytes([1; 16]), SocketNonce::from_bytes([2; 16]));
    let (agent, other) = (AgentId::from_bytes([3; 32]), AgentId::from_bytes([4; 32]));
    let token = FleetToken::from_bytes([5; 32]);
    let proof = token.agent_proof(&nonce, &agent);
    assert!(is_same_proof(&proof, &token.agent_proof(&nonce, &agent)));
    assert!(!is_same_proof(&proof, &token.agent_proof(&other_nonce, &agent)));
    assert!(!is_same_proof(&proof, &token.agent_proof(&nonce, &other)));
    assert!(!is_same_proof(&proof, &token.tracker_proof(&nonce, &TrackerKey::from_bytes([3; 32]))));
    assert!(!is_same_proof(&proof, &FleetToken::from_bytes([6; 32]).agent_proof(&nonce, &agent)));
    assert!(token.is_bearer(format!("Bearer {}", "05".repeat(32)).as_bytes()));
    assert!(!token.is_bearer(b"Bearer 05") && !token.is_bearer(b""));
}

#[test]
fn names_are_short_and_plain() {
    for good in ["a", "machine 7", "büro"] {
        assert_eq!(good.parse::<FleetName>().unwrap().as_str(), good);
    }
    for bad in ["", " a", "a ", "a\nb", "a\u{1b}[2J", &"x".repeat(65)] {
        assert!(bad.parse::<FleetName>().is_err(), "{bad:?}");
    }
}

#[test]
fn a_reason_is_cut_between_characters() {
    assert_eq!(cut_reason("short"), "short");
    assert_eq!(cut_reason("a\u{1b}[2Jb\n"), "a [2Jb ");
    let cut = cut_reason(&"ü".repeat(REASON_BYTES_MAX));
    assert_eq!(cut, "ü".repeat(REASON_BYTES_MAX / 2));
}

proptest! {
    #[test]
    fn whatever_text_comes_is_read_or_refused(text in ".{0,300}") {
        let _ = (FromAgent::decode(&text), ToAgent::decode(&text), DeliveryOrder::decode(&text));
        let _ = TransportRequest::decode(&text).map(|request| request.open(&key(1).public()));
    }

    /// One byte changed anywhere: what is read then is what was signed, or nothing.
    #[test]
    fn an_altered_request_is_refused_or_the_same(at in any::<prop::sample::Index>(), byte in 0x20_u8..0x7f) {
        let key = key(1);
        let right = request(&key);
        let expected = right.clone().open(&key.public()).unwrap();
        let mut text = right.encode().into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        let Ok(altered) = TransportRequest::decode(core::str::from_utf8(&text).unwrap()) else { return Ok(()) };
        if let Ok(open) = altered.open(&key.public()) {
            prop_assert_eq!(open.terms, expected.terms);
            prop_assert_eq!(open.to, expected.to);
            let entries = |open: &[request::Target]| open.iter().map(|target| target.entry.clone()).collect::<Vec<_>>();
            let left: Vec<Entry> = entries(&open.targets);
            prop_assert!(left.iter().all(|entry| entries(&expected.targets).contains(entry)));
        }
    }
}
