//! Every example of `docs/protocol.md` is what the code reads and writes.

use bytes::Bytes;
use pleach_core::content::{Geometry, Manifest};
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
    assert_eq!(examples.len(), 10);
    for example in examples {
        let message = ToTracker::decode(example).unwrap_or_else(|error| panic!("{example}: {error}"));
        assert_ne!(message, ToTracker::Unknown, "{example}");
        assert_eq!(message.encode(), example);
    }
}

#[test]
fn messages_from_the_tracker() {
    let examples = examples("from-tracker");
    assert_eq!(examples.len(), 9);
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
    assert_eq!(examples.len(), 7);
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
