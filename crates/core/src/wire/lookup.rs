//! Looking packages up, from peer to peer ([003] claims 4 to 8 and 15): asks, answers, 'busy', and the signals of two that
//! found each other.
//!
//! These travel as messages of a link ([`super::link`], types 15 to 18), and between the engines of one process as they
//! are. They name the package, which need not be the content of the link that carries them. What peers are called here
//! is what whoever brings the message says; nobody vouches for it.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::link::{DecodeError, get_array, get_text, get_u8, get_u16, get_u32, get_u64, put_text};
use super::signal::{SIGNAL_BYTES_MAX, Signal};
use crate::ids::{AskId, ContentId, PeerId};

/// Most holders in one answer.
pub const HOLDERS_MAX: usize = 8;
/// Farthest that an ask goes, in links.
pub const HOPS_MAX: u8 = 4;
/// Longest message, in bytes: the longest signal with its head, and room to spare.
pub const MESSAGE_BYTES_MAX: usize = 12 * 1024;
/// Message types, which are those of a link.
pub(super) const KINDS: core::ops::RangeInclusive<u8> = kind::ASK..=kind::SIGNAL;

mod kind {
    pub(super) const ASK: u8 = 15;
    pub(super) const ANSWER: u8 = 16;
    pub(super) const BUSY: u8 = 17;
    pub(super) const SIGNAL: u8 = 18;
}

mod signal_kind {
    pub(super) const OFFER: u8 = 1;
    pub(super) const ANSWER: u8 = 2;
    pub(super) const CANDIDATE: u8 = 4;
    /// With a candidate: the name of the media section follows, and its number.
    pub(super) const MID: u8 = 8;
    pub(super) const LINE: u8 = 16;
}

/// How far an ask goes, and to how many: *broadcast*, *group* and *polling* are points of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Links that it goes along after the first, at most [`HOPS_MAX`].
    pub hops: u8,
    /// How many each passes it on to, drawn; 0: all.
    pub width: u8,
    /// Whether it goes along links of the package itself alone.
    pub in_group: bool,
}

impl Reach {
    /// To all, and on ([003] claim 6).
    pub const BROADCAST: Self = Self { hops: 3, width: 0, in_group: false };
    /// To a few of those who share the same package, and on to a few of theirs ([003] claim 7): who is found so is not only
    /// whom one's neighbours know already, and peers that find each other so stay one swarm.
    pub const GROUP: Self = Self { hops: 3, width: 3, in_group: true };
    /// To one, who answers from its own list ([003] claim 8).
    pub const POLL: Self = Self { hops: 0, width: 1, in_group: false };
}

/// Who has this package?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Drawn by who asks.
    pub id: AskId,
    /// What is looked for.
    pub package: ContentId,
    /// What is left of its way.
    pub reach: Reach,
}

/// One who has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Who, as it is called in the package's swarm.
    pub peer: PeerId,
    /// Through how many hands the word has come; 0: it says so itself.
    pub hands: u8,
    /// How old the word is, in seconds.
    pub age_s: u16,
    /// For so many seconds it takes nobody; 0: it is free.
    pub busy_s: u16,
}

/// These have it. Goes back the way that the ask came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Of the ask, which names the package.
    pub id: AskId,
    /// At most [`HOLDERS_MAX`].
    pub holders: Vec<Holder>,
}

/// Two that are to be linked: signals between them go along the way of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Meeting {
    /// The package.
    pub package: ContentId,
    /// Who has it.
    pub holder: PeerId,
    /// Who asked, and dials.
    pub asker: PeerId,
}

/// What is said in looking up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookupMessage {
    /// Who has it?
    Ask(Ask),
    /// These.
    Answer(Answer),
    /// The holder takes nobody now ([003] claim 15). Goes to who asked.
    Busy {
        /// Which two.
        meeting: Meeting,
        /// When it is worth coming back.
        after_ms: u32,
    },
    /// A signal of one of two to the other.
    Signal {
        /// Which two.
        meeting: Meeting,
        /// Whether it goes to the holder; else to who asked.
        to_holder: bool,
        /// Which attempt of the two; who asked counts.
        session: u32,
        /// What.
        signal: Signal,
    },
}

impl LookupMessage {
    /// The message, from its type byte on.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        match self {
            Self::Ask(Ask { id, package, reach }) => {
                out.put_u8(kind::ASK);
                out.put_u64_le(id.0);
                out.put_slice(package.as_bytes());
                out.put_slice(&[reach.hops, reach.width, u8::from(reach.in_group)]);
            }
            Self::Answer(Answer { id, holders }) => {
                out.put_u8(kind::ANSWER);
                out.put_u64_le(id.0);
                debug_assert!(holders.len() <= HOLDERS_MAX);
                out.put_u8(holders.len() as u8);
                holders.iter().for_each(|holder| put_holder(&mut out, holder));
            }
            Self::Busy { meeting, after_ms } => {
                out.put_u8(kind::BUSY);
                put_meeting(&mut out, meeting);
                out.put_u32_le(*after_ms);
            }
            Self::Signal { meeting, to_holder, session, signal } => {
                out.put_u8(kind::SIGNAL);
                put_meeting(&mut out, meeting);
                out.put_u8(u8::from(*to_holder));
                out.put_u32_le(*session);
                put_signal(&mut out, signal);
            }
        }
        out.freeze()
    }

    /// Parses a message, from its type byte on.
    pub fn decode(message: &Bytes) -> Result<Self, DecodeError> {
        if message.len() > MESSAGE_BYTES_MAX {
            return Err(DecodeError::Limit("length"));
        }
        let mut input = message.clone();
        let decoded = match get_u8(&mut input)? {
            kind::ASK => Self::Ask(decode_ask(&mut input)?),
            kind::ANSWER => Self::Answer(decode_answer(&mut input)?),
            kind::BUSY => Self::Busy { meeting: get_meeting(&mut input)?, after_ms: get_u32(&mut input)? },
            kind::SIGNAL => decode_signal(&mut input)?,
            _ => return Err(DecodeError::Limit("type")),
        };
        if input.has_remaining() { Err(DecodeError::Long) } else { Ok(decoded) }
    }
}

fn put_holder(out: &mut BytesMut, holder: &Holder) {
    out.put_slice(holder.peer.as_bytes());
    out.put_u8(holder.hands);
    out.put_u16_le(holder.age_s);
    out.put_u16_le(holder.busy_s);
}

fn put_meeting(out: &mut BytesMut, meeting: &Meeting) {
    out.put_slice(meeting.package.as_bytes());
    out.put_slice(meeting.holder.as_bytes());
    out.put_slice(meeting.asker.as_bytes());
}

/// A form of its own, since the JSON of signals is read only inside of other messages, and a reader for it alone would
/// make a page's engine larger.
fn put_signal(out: &mut BytesMut, signal: &Signal) {
    match signal {
        Signal::Offer { sdp } => {
            out.put_u8(signal_kind::OFFER);
            put_text(out, sdp);
        }
        Signal::Answer { sdp } => {
            out.put_u8(signal_kind::ANSWER);
            put_text(out, sdp);
        }
        Signal::Candidate { candidate, sdp_mid, sdp_m_line_index } => {
            let (has_mid, has_line) = (sdp_mid.is_some(), sdp_m_line_index.is_some());
            out.put_u8(
                signal_kind::CANDIDATE
                    | if has_mid { signal_kind::MID } else { 0 }
                    | if has_line { signal_kind::LINE } else { 0 },
            );
            put_text(out, candidate);
            sdp_mid.iter().for_each(|mid| put_text(out, mid));
            sdp_m_line_index.iter().for_each(|line| out.put_u16_le(*line));
        }
    }
}

fn get_signal(input: &mut Bytes) -> Result<Signal, DecodeError> {
    let kind = get_u8(input)?;
    let text = get_text(input)?;
    match kind {
        signal_kind::OFFER => Ok(Signal::Offer { sdp: text }),
        signal_kind::ANSWER => Ok(Signal::Answer { sdp: text }),
        _ if kind & !(signal_kind::MID | signal_kind::LINE) == signal_kind::CANDIDATE => {
            let sdp_mid = if kind & signal_kind::MID == 0 { None } else { Some(get_text(input)?) };
            let sdp_m_line_index = if kind & signal_kind::LINE == 0 { None } else { Some(get_u16(input)?) };
            Ok(Signal::Candidate { candidate: text, sdp_mid, sdp_m_line_index })
        }
        _ => Err(DecodeError::Limit("kind of signal")),
    }
}

fn decode_ask(input: &mut Bytes) -> Result<Ask, DecodeError> {
    let id = AskId(get_u64(input)?);
    let package = ContentId::from_bytes(get_array(input)?);
    let [hops, width, in_group] = get_array(input)?;
    if hops > HOPS_MAX {
        return Err(DecodeError::Limit("hops"));
    }
    Ok(Ask { id, package, reach: Reach { hops, width, in_group: get_bool(in_group)? } })
}

fn decode_answer(input: &mut Bytes) -> Result<Answer, DecodeError> {
    let id = AskId(get_u64(input)?);
    let count = usize::from(get_u8(input)?);
    if count > HOLDERS_MAX {
        return Err(DecodeError::Limit("count of holders"));
    }
    let holders = (0..count).map(|_| get_holder(input)).collect::<Result<_, _>>()?;
    Ok(Answer { id, holders })
}

fn decode_signal(input: &mut Bytes) -> Result<LookupMessage, DecodeError> {
    let meeting = get_meeting(input)?;
    let to_holder = get_bool(get_u8(input)?)?;
    let session = get_u32(input)?;
    let signal = get_signal(input)?;
    if signal.text_bytes() > SIGNAL_BYTES_MAX {
        return Err(DecodeError::Limit("signal"));
    }
    Ok(LookupMessage::Signal { meeting, to_holder, session, signal })
}

fn get_holder(input: &mut Bytes) -> Result<Holder, DecodeError> {
    let peer = PeerId::from_bytes(get_array(input)?);
    let hands = get_u8(input)?;
    Ok(Holder { peer, hands, age_s: get_u16(input)?, busy_s: get_u16(input)? })
}

fn get_meeting(input: &mut Bytes) -> Result<Meeting, DecodeError> {
    let package = ContentId::from_bytes(get_array(input)?);
    let holder = PeerId::from_bytes(get_array(input)?);
    Ok(Meeting { package, holder, asker: PeerId::from_bytes(get_array(input)?) })
}

fn get_bool(byte: u8) -> Result<bool, DecodeError> {
    if byte > 1 { Err(DecodeError::Limit("flag")) } else { Ok(byte == 1) }
}

#[cfg(test)]
mod tests;
