//! A plain web server that has the content and its hash list.
//!
//! It has one uplink, which sends a packet's worth of each answer in turn, and to nobody faster than its downlink takes
//! it. An answer begins two round trips after it was asked for: a connection is made first.
//!
//! # What the model leaves out
//!
//! What comes from the server does not take from what the downlink has for peers: the sum may be more than the line.
//! Nobody is refused, and nothing breaks.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use pleach_core::content::{ByteRange, PACKET_BYTES};
use pleach_core::ids::FetchId;
use pleach_core::peer::Input;
use pleach_core::time::Time;
use pleach_core::wire::range::FetchOutcome;

use crate::content::TrueContent;
use crate::network::{LineSpec, NodeId};

/// Where the content is. Whatever else is asked for is the hash list.
pub(crate) const CONTENT_URL: &str = "https://web.example/content";
/// Where its hash list is.
pub(crate) const HASHES_URL: &str = "https://web.example/content.pleach-hashes";
/// From the middle of the network to the server.
const DELAY: Duration = Duration::from_millis(10);
/// So far ahead of what a downlink takes may be on its way to it.
const WINDOW: Duration = Duration::from_millis(250);

/// An answer that is being sent.
#[derive(Debug)]
struct Answer {
    node: NodeId,
    fetch: FetchId,
    left: Bytes,
    is_content: bool,
    line: LineSpec,
    begins: Time,
    /// When all that was sent so far has come through the downlink.
    taken_at: Time,
}

/// What is to happen, and when.
pub(crate) type Later = (Time, WebEvent);

/// Something that happens at the server, or at a peer because of it.
#[derive(Debug)]
pub(crate) enum WebEvent {
    /// The uplink is free, or somebody's turn may have come.
    Send,
    /// A peer is told.
    Tell(NodeId, Input),
}

/// The server.
#[derive(Debug)]
pub(crate) struct WebServer {
    up_bytes_per_s: u64,
    content: TrueContent,
    hashes: Bytes,
    answers: VecDeque<Answer>,
    free_at: Time,
    /// The next [`WebEvent::Send`] that was entered.
    send_at: Option<Time>,
    /// Bytes of the content that it sent, as those that they stand for.
    pub(crate) sent_bytes: u64,
}

impl WebServer {
    pub(crate) fn new(up_bytes_per_s: u64, content: TrueContent) -> Self {
        let hashes = content.tree().hash_list().unwrap_or_default().into();
        let answers = VecDeque::new();
        Self { up_bytes_per_s, content, hashes, answers, free_at: Time::ZERO, send_at: None, sent_bytes: 0 }
    }

    /// A peer asks for a range.
    pub(crate) fn ask(
        &mut self,
        (node, line): (NodeId, LineSpec),
        fetch: FetchId,
        url: &str,
        range: ByteRange,
        now: Time,
    ) -> Option<Later> {
        let is_content = url == CONTENT_URL;
        let left = match is_content {
            true => self.content.slice(range.start, range.len() as usize).unwrap_or_default(),
            false => self.hashes.slice(range.start as usize..range.end as usize),
        };
        let begins = now + (line.delay + DELAY) * 4;
        self.answers.push_back(Answer { node, fetch, left, is_content, line, begins, taken_at: begins });
        self.next_send(now)
    }

    /// A peer has enough.
    pub(crate) fn cancel(&mut self, node: NodeId, fetch: FetchId) {
        self.answers.retain(|answer| (answer.node, answer.fetch) != (node, fetch));
    }

    /// A peer is gone.
    pub(crate) fn forget(&mut self, node: NodeId) {
        self.answers.retain(|answer| answer.node != node);
    }

    /// Sends a piece of the answer whose turn it is.
    pub(crate) fn send(&mut self, now: Time) -> Vec<Later> {
        if self.send_at != Some(now) {
            return Vec::new();
        }
        self.send_at = None;
        let mut later = Vec::new();
        if now >= self.free_at
            && let Some(at) = self.answers.iter().position(|answer| answer.may_send_at() <= now)
            && let Some(mut answer) = self.answers.remove(at)
        {
            let stands_for = u64::from(self.content.bytes_per_byte());
            let most = (PACKET_BYTES / self.content.bytes_per_byte()) as usize;
            let piece = answer.left.split_to(most.min(answer.left.len()));
            let bytes = piece.len() as u64 * stands_for;
            self.free_at = now + carried_in(bytes, self.up_bytes_per_s);
            self.sent_bytes += if answer.is_content { bytes } else { 0 };
            let comes = (self.free_at + answer.line.delay + DELAY).max(answer.taken_at);
            answer.taken_at = comes + carried_in(bytes, answer.line.down_bytes_per_s);
            let (node, fetch, at) = (answer.node, answer.fetch, answer.taken_at);
            later.push((at, WebEvent::Tell(node, Input::Fetched { fetch, bytes: piece })));
            if answer.left.is_empty() {
                let ended = Input::FetchEnded { fetch, outcome: FetchOutcome::Done };
                later.push((at, WebEvent::Tell(node, ended)));
            } else {
                self.answers.push_back(answer);
            }
        }
        later.extend(self.next_send(now));
        later
    }

    /// When there is something to send next, if that is not entered yet.
    fn next_send(&mut self, now: Time) -> Option<Later> {
        let at = self.answers.iter().map(Answer::may_send_at).min()?.max(self.free_at).max(now);
        if self.send_at.is_some_and(|entered| entered <= at) {
            return None;
        }
        self.send_at = Some(at);
        Some((at, WebEvent::Send))
    }
}

impl Answer {
    fn may_send_at(&self) -> Time {
        self.begins.max(Time::ZERO + self.taken_at.since(Time::ZERO).saturating_sub(WINDOW))
    }
}

fn carried_in(bytes: u64, bytes_per_s: u64) -> Duration {
    Duration::from_micros(bytes.saturating_mul(1_000_000) / bytes_per_s.max(1))
}
