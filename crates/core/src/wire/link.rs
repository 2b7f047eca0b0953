//! Peer and peer: binary messages over one data channel, version 1.
//!
//! One message is one data channel message: a type byte, then fields in a fixed order. Integers are little-endian.
//! `runs` are a `u16` count and so many pairs of `u32`: first packet and number of packets, ascending, apart.
//! A type that is not known is ignored, so that newer ends can say more; anything else that does not parse closes the
//! link. Decoding checks every index against the content's geometry and allocates no more than the message is long.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::lookup::{self, LookupMessage};
use super::order::{Order, TEXT_BYTES_MAX, Word};
use crate::content::{GROUPS_PER_PACKET, Geometry, GroupIndex, NodeId, PROOF_NODES_MAX, ProofNode, cut_text};
use crate::ids::{ContentId, PeerId, Signature, WordTag};

/// The protocol's version, in `hello`.
pub const VERSION: u8 = 1;
/// Most runs in one message.
pub const RUNS_MAX: usize = 1024;
/// Longest `agent` in a hello, in bytes.
pub const AGENT_BYTES_MAX: usize = super::tracker::AGENT_BYTES_MAX;
/// Longest message that carries no payload, in bytes: a hello with all its runs, and room to spare.
pub const CONTROL_BYTES_MAX: usize = 16 * 1024;

/// Bytes before a data message's proof and payload.
const DATA_HEAD_BYTES: usize = 1 + 4 + 1 + 1;
/// Bytes of one proof node: level, index, hash.
const PROOF_NODE_BYTES: usize = 1 + 4 + 32;

/// Most packets that one request tells to be held in part.
pub const PARTIAL_MAX: usize = 128;

/// A packet that is held in part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partial {
    /// Which.
    pub packet: u32,
    /// Groups of it that are held: bit `i` is its group `i`.
    pub groups: u8,
}

/// Most padding of one probe, in bytes.
pub const PADDING_BYTES_MAX: usize = 4096;

/// Consecutive packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The first.
    pub first: u32,
    /// How many; at least 1.
    pub count: u32,
}

impl Run {
    /// Whether the packet is among them.
    pub const fn contains(&self, packet: u32) -> bool {
        packet >= self.first && packet - self.first < self.count
    }
}

/// Verified groups of one packet, on their way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    /// The first group.
    pub first: GroupIndex,
    /// How many, 1 to 4, all of one packet.
    pub count: u8,
    /// What the receiver needs to verify them, beyond what it had over this link before.
    pub proof: Vec<ProofNode>,
    /// The groups' bytes, as many as the geometry says.
    pub payload: Bytes,
}

/// What one peer says to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkMessage {
    /// First message of both ends.
    Hello {
        /// The content; the link closes if it is another.
        content: ContentId,
        /// What program it is, for people.
        agent: String,
        /// Packets held. What does not fit into the runs is told by [`LinkMessage::Have`] right after.
        have: Vec<Run>,
    },
    /// Packets that I hold since I told you last.
    Have {
        /// Which.
        packets: Vec<Run>,
    },
    /// Push me all packets of these stripes that I do not hold, in order, as you get them. Replaces what I said before.
    Subscribe {
        /// Number of stripes that packets are dealt to; the packet at place `p` of the content's order is in stripe
        /// `p mod stripes`.
        stripes: u8,
        /// Bit `i` is stripe `i`.
        mask: u16,
        /// The place to push from; after the last place comes the first.
        from: u32,
    },
    /// You may send payload until the sum on this link, since it opened, is `limit_bytes`. Also acknowledges.
    Credit {
        /// Payload bytes that arrived on this link since it opened.
        received_bytes: u64,
        /// The new limit; never less than before.
        limit_bytes: u64,
        /// The sender's clock, milliseconds from anywhere, wrapping: only differences count.
        clock_ms: u32,
        /// Whole packets of the content that the sender of this holds.
        held_packets: u32,
    },
    /// Send me these packets, if you can do so soon; else refuse.
    Request {
        /// Which.
        packets: Vec<Run>,
        /// Of some of them, what I hold already: at most [`PARTIAL_MAX`].
        partial: Vec<Partial>,
    },
    /// I no longer need these packets from you.
    Cancel {
        /// Which.
        packets: Vec<Run>,
    },
    /// I can't send you these packets that you asked for: I do not have them, or am busy.
    Refuse {
        /// Which.
        packets: Vec<Run>,
    },
    /// Groups.
    Data(Data),
    /// Answer with a pong of the same number.
    Ping {
        /// Anything.
        nonce: u32,
    },
    /// The answer.
    Pong {
        /// Of the ping.
        nonce: u32,
    },
    /// I am closing this link on purpose.
    Goodbye,
    /// The tracker asked me to pass this on to you.
    Order(Order),
    /// My socket is away: pass this on to the tracker.
    Word(Word),
    /// I am fetching these packets from a web server; replaces what I said before. Leave them to me: I will have them soon.
    Fetching {
        /// Which.
        packets: Vec<Run>,
    },
    /// Something about who has which package, be it this link's content or another.
    Lookup(LookupMessage),
    /// One of several messages that were sent back to back, to see how fast they come.
    Probe {
        /// Of which train.
        train: u8,
        /// How many of it follow.
        left: u8,
        /// Of no meaning; at most [`PADDING_BYTES_MAX`].
        padding: Bytes,
    },
    /// The second half of the train came this fast.
    Probed {
        /// Which.
        train: u8,
        /// Padding, bytes a second.
        bytes_per_s: u64,
        /// Whether so much else came at the same time that more may be possible.
        is_least: bool,
    },
    /// A message of a later protocol; ignored.
    Unknown,
}

/// Why a message was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It ends too early.
    #[error("the message is cut short")]
    Short,
    /// Something follows its end.
    #[error("the message is longer than it should be")]
    Long,
    /// Another version of the protocol.
    #[error("the peer speaks version {0} of the protocol")]
    Version(u8),
    /// A packet, group or node that the content does not have, or not in order.
    #[error("the message names a part that does not exist")]
    Index,
    /// A count over its limit.
    #[error("the message's {0} is over its limit")]
    Limit(&'static str),
    /// Text that is no UTF-8.
    #[error("the message's text is not valid")]
    Text,
}

mod kind {
    pub(super) const HELLO: u8 = 1;
    pub(super) const HAVE: u8 = 2;
    pub(super) const SUBSCRIBE: u8 = 3;
    pub(super) const CREDIT: u8 = 4;
    pub(super) const REQUEST: u8 = 5;
    pub(super) const CANCEL: u8 = 6;
    pub(super) const REFUSE: u8 = 7;
    pub(super) const DATA: u8 = 8;
    pub(super) const PING: u8 = 9;
    pub(super) const PONG: u8 = 10;
    pub(super) const GOODBYE: u8 = 11;
    pub(super) const ORDER: u8 = 12;
    pub(super) const WORD: u8 = 13;
    pub(super) const FETCHING: u8 = 14;
    pub(super) const PROBE: u8 = 19;
    pub(super) const PROBED: u8 = 20;
}

/// Bytes that a data message adds to its payload.
pub fn data_overhead_bytes(proof_nodes: usize) -> usize {
    DATA_HEAD_BYTES + proof_nodes * PROOF_NODE_BYTES
}

impl LinkMessage {
    /// One data channel message.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.encoded_bytes());
        match self {
            Self::Lookup(message) => return message.encode(),
            Self::Hello { content, agent, have } => {
                out.put_u8(kind::HELLO);
                out.put_u8(VERSION);
                out.put_slice(content.as_bytes());
                let agent = cut_text(agent, AGENT_BYTES_MAX);
                out.put_u8(agent.len() as u8);
                out.put_slice(agent.as_bytes());
                put_runs(&mut out, have);
            }
            Self::Have { packets } => put_kind_and_runs(&mut out, kind::HAVE, packets),
            Self::Subscribe { stripes, mask, from } => {
                out.put_u8(kind::SUBSCRIBE);
                out.put_u8(*stripes);
                out.put_u16_le(*mask);
                out.put_u32_le(*from);
            }
            Self::Credit { received_bytes, limit_bytes, clock_ms, held_packets } => {
                out.put_u8(kind::CREDIT);
                out.put_u64_le(*received_bytes);
                out.put_u64_le(*limit_bytes);
                out.put_u32_le(*clock_ms);
                out.put_u32_le(*held_packets);
            }
            Self::Request { packets, partial } => {
                put_kind_and_runs(&mut out, kind::REQUEST, packets);
                debug_assert!(partial.len() <= PARTIAL_MAX);
                out.put_u8(partial.len() as u8);
                for partial in partial {
                    out.put_u32_le(partial.packet);
                    out.put_u8(partial.groups);
                }
            }
            Self::Cancel { packets } => put_kind_and_runs(&mut out, kind::CANCEL, packets),
            Self::Refuse { packets } => put_kind_and_runs(&mut out, kind::REFUSE, packets),
            Self::Data(data) => put_data(&mut out, data),
            Self::Ping { nonce } => {
                out.put_u8(kind::PING);
                out.put_u32_le(*nonce);
            }
            Self::Pong { nonce } => {
                out.put_u8(kind::PONG);
                out.put_u32_le(*nonce);
            }
            Self::Goodbye => out.put_u8(kind::GOODBYE),
            Self::Order(order) => {
                out.put_u8(kind::ORDER);
                out.put_slice(order.to.as_bytes());
                out.put_u32_le(order.serial);
                out.put_slice(order.signature.as_bytes());
                put_text(&mut out, &order.order);
            }
            Self::Word(word) => {
                out.put_u8(kind::WORD);
                out.put_u32_le(word.serial);
                out.put_slice(word.tag.as_bytes());
                put_text(&mut out, &word.word);
            }
            Self::Fetching { packets } => put_kind_and_runs(&mut out, kind::FETCHING, packets),
            Self::Probe { train, left, padding } => {
                debug_assert!(padding.len() <= PADDING_BYTES_MAX);
                out.put_u8(kind::PROBE);
                out.put_u8(*train);
                out.put_u8(*left);
                out.put_u16_le(padding.len() as u16);
                out.put_slice(padding);
            }
            Self::Probed { train, bytes_per_s, is_least } => {
                out.put_u8(kind::PROBED);
                out.put_u8(*train);
                out.put_u64_le(*bytes_per_s);
                out.put_u8(u8::from(*is_least));
            }
            Self::Unknown => out.put_u8(0),
        }
        out.freeze()
    }

    /// Parses one data channel message about a content of this geometry. The payload of a data message shares the
    /// input's memory.
    pub fn decode(message: &Bytes, geometry: &Geometry) -> Result<Self, DecodeError> {
        let mut input = message.clone();
        let kind = get_u8(&mut input)?;
        if kind != kind::DATA && message.len() > CONTROL_BYTES_MAX {
            return Err(DecodeError::Limit("length"));
        }
        let decoded = match kind {
            kind::HELLO => decode_hello(&mut input, geometry)?,
            kind::HAVE => Self::Have { packets: get_runs(&mut input, geometry)? },
            kind::SUBSCRIBE => decode_subscribe(&mut input, geometry)?,
            kind::CREDIT => Self::Credit {
                received_bytes: get_u64(&mut input)?,
                limit_bytes: get_u64(&mut input)?,
                clock_ms: get_u32(&mut input)?,
                held_packets: get_u32(&mut input)?,
            },
            kind::REQUEST => {
                let packets = get_runs(&mut input, geometry)?;
                Self::Request { packets, partial: get_partial(&mut input, geometry)? }
            }
            kind::CANCEL => Self::Cancel { packets: get_runs(&mut input, geometry)? },
            kind::REFUSE => Self::Refuse { packets: get_runs(&mut input, geometry)? },
            kind::DATA => return decode_data(input, geometry).map(Self::Data),
            kind::PING => Self::Ping { nonce: get_u32(&mut input)? },
            kind::PONG => Self::Pong { nonce: get_u32(&mut input)? },
            kind::GOODBYE => Self::Goodbye,
            kind::ORDER => decode_order(&mut input)?,
            kind::WORD => decode_word(&mut input)?,
            kind::FETCHING => Self::Fetching { packets: get_runs(&mut input, geometry)? },
            kind::PROBE => decode_probe(&mut input)?,
            kind::PROBED => Self::Probed {
                train: get_u8(&mut input)?,
                bytes_per_s: get_u64(&mut input)?,
                is_least: match get_u8(&mut input)? {
                    flag @ (0 | 1) => flag == 1,
                    _ => return Err(DecodeError::Limit("flag")),
                },
            },
            kind if cfg!(feature = "lookup") && lookup::KINDS.contains(&kind) => {
                return LookupMessage::decode(message).map(Self::Lookup);
            }
            _ => return Ok(Self::Unknown),
        };
        if input.has_remaining() { Err(DecodeError::Long) } else { Ok(decoded) }
    }

    fn encoded_bytes(&self) -> usize {
        match self {
            Self::Hello { agent, have, .. } => 64 + agent.len() + have.len() * 8,
            Self::Have { packets }
            | Self::Cancel { packets }
            | Self::Refuse { packets }
            | Self::Fetching { packets } => 3 + packets.len() * 8,
            Self::Request { packets, partial } => 4 + packets.len() * 8 + partial.len() * 5,
            Self::Data(data) => data_overhead_bytes(data.proof.len()) + data.payload.len(),
            Self::Order(order) => 87 + order.order.len(),
            Self::Word(word) => 23 + word.word.len(),
            Self::Probe { padding, .. } => 5 + padding.len(),
            _ => 17,
        }
    }
}

fn put_data(out: &mut BytesMut, data: &Data) {
    out.put_u8(kind::DATA);
    out.put_u32_le(data.first.get());
    out.put_u8(data.count);
    debug_assert!(data.proof.len() <= PROOF_NODES_MAX);
    out.put_u8(data.proof.len() as u8);
    for node in &data.proof {
        out.put_u8(node.node.level);
        out.put_u32_le(node.node.index);
        out.put_slice(&node.hash);
    }
    out.put_slice(&data.payload);
}

fn decode_data(mut input: Bytes, geometry: &Geometry) -> Result<Data, DecodeError> {
    let first = geometry.group(get_u32(&mut input)?).ok_or(DecodeError::Index)?;
    let count = get_u8(&mut input)?;
    if count == 0 || u32::from(count) > GROUPS_PER_PACKET {
        return Err(DecodeError::Limit("count of groups"));
    }
    let range = geometry.groups_range(first, u32::from(count)).ok_or(DecodeError::Index)?;
    let nodes = usize::from(get_u8(&mut input)?);
    if nodes > PROOF_NODES_MAX {
        return Err(DecodeError::Limit("proof"));
    }
    let mut proof = Vec::with_capacity(nodes);
    for _ in 0..nodes {
        proof.push(get_proof_node(&mut input)?);
    }
    match (input.remaining() as u64).cmp(&range.len()) {
        core::cmp::Ordering::Less => Err(DecodeError::Short),
        core::cmp::Ordering::Greater => Err(DecodeError::Long),
        core::cmp::Ordering::Equal => Ok(Data { first, count, proof, payload: input }),
    }
}

fn get_proof_node(input: &mut Bytes) -> Result<ProofNode, DecodeError> {
    let node = NodeId { level: get_u8(input)?, index: get_u32(input)? };
    Ok(ProofNode { node, hash: get_array(input)? })
}

fn decode_hello(input: &mut Bytes, geometry: &Geometry) -> Result<LinkMessage, DecodeError> {
    let version = get_u8(input)?;
    if version != VERSION {
        return Err(DecodeError::Version(version));
    }
    let content = ContentId::from_bytes(get_array(input)?);
    let agent_bytes = usize::from(get_u8(input)?);
    if agent_bytes > AGENT_BYTES_MAX {
        return Err(DecodeError::Limit("agent"));
    }
    if input.remaining() < agent_bytes {
        return Err(DecodeError::Short);
    }
    let agent = input.split_to(agent_bytes);
    let agent = core::str::from_utf8(&agent).map_err(|_| DecodeError::Text)?.to_owned();
    Ok(LinkMessage::Hello { content, agent, have: get_runs(input, geometry)? })
}

fn decode_subscribe(input: &mut Bytes, geometry: &Geometry) -> Result<LinkMessage, DecodeError> {
    let stripes = get_u8(input)?;
    if stripes == 0 || stripes > super::tracker::STRIPES_MAX {
        return Err(DecodeError::Limit("stripes"));
    }
    let mask = get_u16(input)?;
    let from = get_u32(input)?;
    if from > 0 && from >= geometry.packets() {
        return Err(DecodeError::Index);
    }
    Ok(LinkMessage::Subscribe { stripes, mask, from })
}

fn decode_order(input: &mut Bytes) -> Result<LinkMessage, DecodeError> {
    let to = PeerId::from_bytes(get_array(input)?);
    let serial = get_u32(input)?;
    let signature = Signature::from_bytes(get_array(input)?);
    Ok(LinkMessage::Order(Order { to, serial, order: get_text(input)?, signature }))
}

fn decode_word(input: &mut Bytes) -> Result<LinkMessage, DecodeError> {
    let serial = get_u32(input)?;
    let tag = WordTag::from_bytes(get_array(input)?);
    Ok(LinkMessage::Word(Word { serial, word: get_text(input)?, tag }))
}

fn decode_probe(input: &mut Bytes) -> Result<LinkMessage, DecodeError> {
    let (train, left) = (get_u8(input)?, get_u8(input)?);
    let bytes = usize::from(get_u16(input)?);
    if bytes > PADDING_BYTES_MAX {
        return Err(DecodeError::Limit("padding"));
    }
    if input.remaining() < bytes {
        return Err(DecodeError::Short);
    }
    Ok(LinkMessage::Probe { train, left, padding: input.split_to(bytes) })
}

pub(super) fn put_text(out: &mut BytesMut, text: &str) {
    debug_assert!(text.len() <= TEXT_BYTES_MAX);
    out.put_u16_le(text.len() as u16);
    out.put_slice(text.as_bytes());
}

pub(super) fn get_text(input: &mut Bytes) -> Result<String, DecodeError> {
    let bytes = usize::from(get_u16(input)?);
    if bytes > TEXT_BYTES_MAX {
        return Err(DecodeError::Limit("text"));
    }
    if input.remaining() < bytes {
        return Err(DecodeError::Short);
    }
    let text = input.split_to(bytes);
    Ok(core::str::from_utf8(&text).map_err(|_| DecodeError::Text)?.to_owned())
}

fn put_kind_and_runs(out: &mut BytesMut, kind: u8, runs: &[Run]) {
    out.put_u8(kind);
    put_runs(out, runs);
}

fn put_runs(out: &mut BytesMut, runs: &[Run]) {
    debug_assert!(runs.len() <= RUNS_MAX, "the caller cuts a long list into several messages");
    out.put_u16_le(runs.len() as u16);
    for run in runs {
        out.put_u32_le(run.first);
        out.put_u32_le(run.count);
    }
}

fn get_partial(input: &mut Bytes, geometry: &Geometry) -> Result<Vec<Partial>, DecodeError> {
    let count = usize::from(get_u8(input)?);
    if count > PARTIAL_MAX {
        return Err(DecodeError::Limit("count of partial packets"));
    }
    let mut partial = Vec::with_capacity(count);
    for _ in 0..count {
        let packet = geometry.packet(get_u32(input)?).ok_or(DecodeError::Index)?.get();
        partial.push(Partial { packet, groups: get_u8(input)? });
    }
    Ok(partial)
}

fn get_runs(input: &mut Bytes, geometry: &Geometry) -> Result<Vec<Run>, DecodeError> {
    let count = usize::from(get_u16(input)?);
    if count > RUNS_MAX {
        return Err(DecodeError::Limit("count of runs"));
    }
    if input.remaining() < count * 8 {
        return Err(DecodeError::Short);
    }
    let mut runs = Vec::with_capacity(count);
    let mut next_allowed = 0;
    for _ in 0..count {
        let run = Run { first: get_u32(input)?, count: get_u32(input)? };
        let end = run.first.checked_add(run.count).ok_or(DecodeError::Index)?;
        if run.count == 0 || run.first < next_allowed || end > geometry.packets() {
            return Err(DecodeError::Index);
        }
        next_allowed = end;
        runs.push(run);
    }
    Ok(runs)
}

pub(super) fn get_u8(input: &mut Bytes) -> Result<u8, DecodeError> {
    input.try_get_u8().map_err(|_| DecodeError::Short)
}

pub(super) fn get_u16(input: &mut Bytes) -> Result<u16, DecodeError> {
    input.try_get_u16_le().map_err(|_| DecodeError::Short)
}

pub(super) fn get_u32(input: &mut Bytes) -> Result<u32, DecodeError> {
    input.try_get_u32_le().map_err(|_| DecodeError::Short)
}

pub(super) fn get_u64(input: &mut Bytes) -> Result<u64, DecodeError> {
    input.try_get_u64_le().map_err(|_| DecodeError::Short)
}

pub(super) fn get_array<const N: usize>(input: &mut Bytes) -> Result<[u8; N], DecodeError> {
    let mut array = [0; N];
    input.try_copy_to_slice(&mut array).map_err(|_| DecodeError::Short)?;
    Ok(array)
}

#[cfg(test)]
mod tests;
