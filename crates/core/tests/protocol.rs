//! Every example of `docs/protocol.md` is what the code reads and writes.

use bytes::Bytes;
use pleach_core::content::{Geometry, Manifest};
use pleach_core::forest::picture::{Picture, Standing};
use pleach_core::ids::PeerId;
use pleach_core::wire::cluster::{ClusterMessage, Envelope};
use pleach_core::wire::fleet::api::DeliveryOrder;
use pleach_core::wire::fleet::{FromAgent, ToAgent};
use pleach_core::wire::link::LinkMessage;
use pleach_core::wire::tracker::{FromTracker, ToTracker};

const PAGE: &str = include_str!("../../../docs/protocol.md");

/// The blocks that follow a marker such as `<!-- link -->`.
fn examples(marker: &str) -> Vec<&'static str> {
    let marker = format!("<!-- {marker} -->\n```");
    let blocks = PAGE.split(marker.as_str()).skip(1);
    blocks.map(|rest| rest.split("```").next().unwrap().split_once('\n').unwrap().1.trim()).collect()
}

#[test]
fn messages_to_the_tracker() {
    let examples = examples("to-tracker");
    assert_eq!(examples.len(), 13);
    for example in examples {
        let message = ToTracker::decode(example).unwrap_or_else(|error| panic!("{example}: {error}"));
        assert_ne!(message, ToTracker::Unknown, "{example}");
        assert_eq!(message.encode(), example);
    }
}

#[test]
fn messages_between_trackers() {
    let examples = examples("cluster");
    assert_eq!(examples.len(), 4);
    for example in examples {
        let envelope = Envelope::decode(example).unwrap_or_else(|error| panic!("{example}: {error}"));
        assert_ne!(envelope.message, ClusterMessage::Unknown, "{example}");
        assert_eq!(envelope.encode(), example);
    }
}

#[test]
fn messages_from_an_agent() {
    let examples = examples("from-agent");
    assert_eq!(examples.len(), 8);
    for example in examples {
        let message = FromAgent::decode(example).unwrap_or_else(|error| panic!("{example}: {error}"));
        assert_ne!(message, FromAgent::Unknown, "{example}");
        assert_eq!(message.encode(), example);
        if let FromAgent::Enlist(enlist) = message {
            let agent = example.split("agent\\\":\\\"").nth(1).unwrap();
            let agent: pleach_core::ids::AgentId = agent[..64].parse().unwrap();
            assert_eq!(enlist.card.open(agent.as_bytes()).unwrap().agent, agent, "it is rightly signed");
        }
    }
}

#[test]
fn messages_to_an_agent() {
    let examples = examples("to-agent");
    assert_eq!(examples.len(), 6);
    let mut key = None;
    for example in examples {
        let message = ToAgent::decode(example).unwrap_or_else(|error| panic!("{example}: {error}"));
        assert_ne!(message, ToAgent::Unknown, "{example}");
        assert_eq!(message.encode(), example);
        match message {
            ToAgent::Enlisted { key: told, .. } => key = Some(told),
            ToAgent::Request { request } => {
                let open = request.open(&key.unwrap()).unwrap();
                assert_eq!((open.terms.title.as_str(), open.targets.len()), ("talk.mp4", 1));
            }
            _ => {}
        }
    }
}

#[test]
fn orders() {
    let examples = examples("order");
    assert_eq!(examples.len(), 1);
    let order = DeliveryOrder::decode(examples[0]).unwrap();
    assert_eq!(serde_json::to_string(&order).unwrap(), examples[0]);
}

#[test]
fn messages_from_the_tracker() {
    let examples = examples("from-tracker");
    assert_eq!(examples.len(), 12);
    for example in examples {
        let message = FromTracker::decode(example).unwrap_or_else(|error| panic!("{example}: {error}"));
        assert_ne!(message, FromTracker::Unknown, "{example}");
        assert_eq!(message.encode(), example);
    }
}

#[test]
fn messages_on_a_link() {
    let geometry = Geometry::new(3_000_001).unwrap();
    let examples = examples("link");
    assert_eq!(examples.len(), 14);
    for example in examples {
        let bytes: Bytes =
            (0..example.len() / 2).map(|i| u8::from_str_radix(&example[2 * i..2 * i + 2], 16).unwrap()).collect();
        let message = LinkMessage::decode(&bytes, &geometry).unwrap_or_else(|error| panic!("{example}: {error}"));
        assert_ne!(message, LinkMessage::Unknown, "{example}");
        assert_eq!(message.encode(), bytes);
    }
}

#[test]
fn manifests() {
    for example in examples("manifest") {
        Manifest::parse(example.as_bytes()).unwrap_or_else(|error| panic!("{example}: {error}"));
    }
}

#[test]
fn a_picture_of_a_swarm() {
    let peer = |id: &str| id.parse::<PeerId>().unwrap();
    let source = peer("f0e1d2c3b4a5968778695a4b3c2d1e0f");
    let root = Standing {
        peer: source,
        origin: true,
        complete: true,
        depth: Some(0),
        children: 1,
        up_bytes_per_s: Some(1_250_000),
        parents: vec![None, None],
    };
    let child = Standing {
        peer: peer("00112233445566778899aabbccddeeff"),
        origin: false,
        complete: false,
        depth: Some(1),
        children: 0,
        up_bytes_per_s: None,
        parents: vec![Some(source), None],
    };
    let picture = Picture::new(2, 2, vec![child, root], |_| 420);
    assert_eq!(examples("picture"), [serde_json::to_string(&picture).unwrap()]);
}
