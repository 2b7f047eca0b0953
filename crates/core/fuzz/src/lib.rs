//! What must hold whatever bytes come: the bodies of the fuzz targets.
//!
//! `tests/corpus.rs` of the engine compiles this file too, and replays with it what is kept in `corpus/`.

use bytes::Bytes;
use pleach_core::content::{
    ByteRange, GROUPS_PER_PACKET, Geometry, GroupIndex, HashTree, KnownNodes, Link, Manifest, PacketIndex, ProofNode,
    TreeBuilder,
};
use pleach_core::ids::TrackerKey;
use pleach_core::wire::cluster::{self, Envelope};
use pleach_core::wire::fleet::api::DeliveryOrder;
use pleach_core::wire::fleet::request::TransportRequest;
use pleach_core::wire::fleet::{FromAgent, REQUEST_BYTES_MAX, ToAgent};
use pleach_core::wire::link::LinkMessage;
use pleach_core::wire::tracker::{FromTracker, MESSAGE_BYTES_MAX, ToTracker};

/// Small groups, so that small contents have trees.
const GROUP_BYTES: u32 = 1024;
/// Bytes of the largest content whose tree is built: 64 packets.
const CONTENT_BYTES_MAX: usize = 64 * 4 * 1024;

/// `data` is a manifest.
pub fn manifest(data: &[u8]) {
    let manifest = match Manifest::parse(data) {
        Ok(manifest) => manifest,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert_eq!(manifest.as_bytes(), data);
    assert_eq!(manifest.files().iter().map(|file| file.size_bytes).sum::<u64>(), manifest.size_bytes());
    assert_eq!(manifest.geometry().size_bytes(), manifest.size_bytes());
    assert!(!manifest.name().is_empty());
    for file in manifest.files() {
        let mut parts = std::path::Path::new(&file.path).components();
        assert!(parts.all(|part| matches!(part, std::path::Component::Normal(_))), "{:?} leads out", file.path);
    }
    assert_eq!(manifest.layout().size_bytes(), manifest.size_bytes());
    assert!(!manifest.saved_name().contains('/') && manifest.saved_paths().all(|path| !path.is_empty()));
    let segments_end = manifest.segments().iter().map(|segment| segment.len_bytes).sum::<u64>();
    assert!(manifest.segments().is_empty() || segments_end == manifest.size_bytes());
    for descriptor in manifest.descriptors() {
        let mut end = 0;
        for range in descriptor.ranges() {
            assert!(end <= range.start && range.start < range.end && range.end <= manifest.size_bytes());
            end = range.end;
        }
        assert!(descriptor.size_bytes() > 0 && descriptor.touches(ByteRange { start: end - 1, end }));
    }
}

/// `data` is a link.
pub fn link(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    match text.parse::<Link>() {
        Ok(link) => {
            assert_eq!(link.to_string().parse(), Ok(link.clone()));
            assert!(link.tracker_url().starts_with("ws"));
            assert!(link.manifest_url().starts_with(&link.page_url()));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// `data` is a text frame, from a peer or from a tracker.
pub fn tracker_messages(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    if let Ok(message) = ToTracker::decode(text) {
        let again = message.encode();
        assert!(again.len() > MESSAGE_BYTES_MAX || ToTracker::decode(&again).is_ok_and(|same| same == message));
    }
    if let Ok(message) = FromTracker::decode(text) {
        let again = message.encode();
        assert!(again.len() > MESSAGE_BYTES_MAX || FromTracker::decode(&again).is_ok_and(|same| same == message));
    }
}

/// `data` is what one tracker says to another.
pub fn cluster_messages(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    match Envelope::decode(text) {
        Ok(envelope) => {
            let again = envelope.encode();
            let is_too_long = again.len() > cluster::MESSAGE_BYTES_MAX;
            assert!(is_too_long || Envelope::decode(&again).is_ok_and(|same| same == envelope));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// `data` is a text frame of an agent or of its tracker, a transport request of another agent, or an order.
pub fn fleet_messages(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    if let Ok(message) = FromAgent::decode(text) {
        let again = message.encode();
        assert!(again.len() > MESSAGE_BYTES_MAX || FromAgent::decode(&again).is_ok_and(|same| same == message));
    }
    if let Ok(message) = ToAgent::decode(text) {
        let again = message.encode();
        assert!(again.len() > REQUEST_BYTES_MAX || ToAgent::decode(&again).is_ok_and(|same| same == message));
        if let ToAgent::Request { request } = message {
            transport_request(request);
        }
    }
    if let Ok(request) = TransportRequest::decode(text) {
        transport_request(request);
    }
    if let Ok(order) = DeliveryOrder::decode(text) {
        assert!(!order.title.chars().any(char::is_control));
    }
}

/// Nobody knows the key that this one belongs to, so nothing may pass.
fn transport_request(request: TransportRequest) {
    assert!(request.open(&TrackerKey::from_bytes([0x5a; 32])).is_err());
}

/// `data` is the size of a content (four bytes, in KiB), and a message about it.
pub fn link_messages(data: &[u8]) {
    let Some((size_kib, message)) = data.split_first_chunk::<4>() else { return };
    let size_bytes = u64::from(u32::from_le_bytes(*size_kib)) << 10;
    let Ok(geometry) = Geometry::new(size_bytes) else { return };
    if let Ok(message) = LinkMessage::decode(&Bytes::copy_from_slice(message), &geometry) {
        assert_eq!(LinkMessage::decode(&message.encode(), &geometry), Ok(message));
    }
}

/// `data` is the size of a content (three bytes) and steps that make a damaged journal of its tree.
pub fn tree_journal(data: &[u8]) {
    let Some((content, mut whole, steps)) = content_of(data) else { return };
    let journal = whole.take_journal();
    let full = HashTree::restore(whole.geometry(), whole.root(), &journal);
    assert!(full.is_complete());
    // Nothing public tells the length of an entry, but a tree of two packets has one.
    let entry_bytes = journal.len() / (whole.geometry().packets() as usize).saturating_sub(1).max(1);
    let mut damaged = Vec::new();
    for step in steps.chunks(3) {
        let [kind, at, value] = [0, 1, 2].map(|index| step.get(index).copied().unwrap_or(0));
        let start = (usize::from(at) * entry_bytes).min(journal.len());
        let entry = &journal[start..(start + entry_bytes).min(journal.len())];
        match kind % 4 {
            0 => damaged.extend_from_slice(entry),
            1 => damaged.extend_from_slice(&entry[..usize::from(value).min(entry.len())]),
            2 => damaged.extend_from_slice(&[at, value]),
            _ => {
                let len = damaged.len().max(1);
                damaged.iter_mut().nth_back(usize::from(at) % len).into_iter().for_each(|byte| *byte ^= value);
            }
        }
    }
    let restored = HashTree::restore(whole.geometry(), whole.root(), &damaged);
    assert_right(&restored, &content);
    let all = [damaged, journal].concat();
    assert!(HashTree::restore(whole.geometry(), whole.root(), &all).is_complete(), "what follows damage is read");
}

/// `data` is the size of a content (three bytes) and messages that bring it, some of them damaged.
pub fn tree_verify(data: &[u8]) {
    let Some((content, whole, steps)) = content_of(data) else { return };
    let geometry = whole.geometry();
    let mut tree = HashTree::new(geometry, whole.root());
    let mut known = KnownNodes::new(&geometry);
    for step in steps.chunks(5) {
        let [group, count, damage, at, value] = [0, 1, 2, 3, 4].map(|index| step.get(index).copied().unwrap_or(0));
        let Some(first) = geometry.group(u32::from(group)) else { continue };
        let count = u32::from(count) % GROUPS_PER_PACKET + 1;
        let Some(range) = geometry.groups_range(first, count) else { continue };
        let right = &content[range.start as usize..range.end as usize];
        let packet_bytes = packet_bytes(&geometry, geometry.packet_of(first), &content);
        let mut proof =
            whole.proof(first, count, Some(packet_bytes), &mut known.clone()).expect("the tree is complete");
        let mut part = right.to_vec();
        damage_message(&mut part, &mut proof, damage, usize::from(at), value);
        match tree.verify(first, &part, &proof) {
            Ok(()) => {
                assert_eq!(part, right, "wrong bytes were believed");
                known.mark_packet(geometry.packet_of(first));
            }
            Err(error) => assert!(damage % 7 != 0, "a right message was refused: {error}"),
        }
        assert_right(&tree, &content);
    }
    assert_relays(&tree, &whole, &content);
}

/// Does one of six harms, or none.
fn damage_message(part: &mut Vec<u8>, proof: &mut Vec<ProofNode>, damage: u8, at: usize, value: u8) {
    let (node, byte) = (at % proof.len().max(1), at % part.len().max(1));
    match (damage % 7, proof.get_mut(node)) {
        (1, _) => part[byte] ^= value,
        (2, _) => part.truncate(at * 4),
        (3, Some(node)) => node.hash[at % 32] ^= value,
        (4, Some(node)) => node.node.level ^= value,
        (5, Some(node)) => node.node.index ^= u32::from(value) << (at % 32),
        (6, Some(_)) => drop(proof.remove(node)),
        _ => {}
    }
}

/// What the tree knows of packets is right.
fn assert_right(tree: &HashTree, content: &[u8]) {
    let geometry = tree.geometry();
    for packet in geometry.all_packets() {
        let is_right = tree.check_packet(packet, packet_bytes(&geometry, packet, content));
        assert_eq!(is_right, tree.knows_packet(packet));
    }
}

/// What the tree knows is enough to pass it on.
fn assert_relays(tree: &HashTree, whole: &HashTree, content: &[u8]) {
    let geometry = tree.geometry();
    let (mut next, mut link) = (HashTree::new(geometry, whole.root()), KnownNodes::new(&geometry));
    for packet in geometry.all_packets().filter(|packet| tree.knows_packet(*packet)) {
        let first: GroupIndex = geometry.group(geometry.groups_of(packet).start).expect("a packet has a group");
        let count = geometry.groups_of(packet).len() as u32;
        let proof = tree.proof(first, count, None, &mut link).expect("a known packet can be proved");
        assert_eq!(next.verify(first, packet_bytes(&geometry, packet, content), &proof), Ok(()));
    }
}

fn packet_bytes<'a>(geometry: &Geometry, packet: PacketIndex, content: &'a [u8]) -> &'a [u8] {
    let range = geometry.packet_range(packet);
    &content[range.start as usize..range.end as usize]
}

/// A content of the size that the first three bytes say, its tree, and the other bytes.
fn content_of(data: &[u8]) -> Option<(Vec<u8>, HashTree, &[u8])> {
    let (size, steps) = data.split_first_chunk::<3>()?;
    let size = u32::from_le_bytes([size[0], size[1], size[2], 0]) as usize % (CONTENT_BYTES_MAX + 1);
    // Any bytes do that are not alike from packet to packet.
    let content: Vec<u8> = (0..size as u32).map(|at| (at.wrapping_mul(0x9e37_79b9) >> 24) as u8).collect();
    let mut builder = TreeBuilder::with_group_bytes(GROUP_BYTES).expect("a valid size of groups");
    builder.push(&content);
    let (_, tree) = builder.finish().expect("a small content");
    Some((content, tree, steps))
}
