//! One end of a link: its state, and what waits to be sent.

use std::collections::VecDeque;

use bytes::Bytes;
use pleach_core::ids::LinkId;

use super::{EndId, HIGH_WATER_BYTES, LOW_WATER_BYTES, NodeId};

/// Where an end is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Signals and handshakes.
    Setup,
    /// The channel is open.
    Open,
    /// The engine closed it; what it sent before still goes out.
    Closing,
    /// Over.
    Closed,
}

/// What travels on a channel, in order.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Message {
        message: Bytes,
        /// What it takes on the lines.
        wire_bytes: usize,
    },
    /// The sender has closed.
    Close,
}

impl Item {
    pub(super) fn wire_bytes(&self) -> usize {
        match self {
            Self::Message { wire_bytes, .. } => *wire_bytes,
            Self::Close => 0,
        }
    }
}

/// One end.
#[derive(Debug)]
pub(super) struct End {
    pub(super) node: NodeId,
    pub(super) link: LinkId,
    pub(super) far: Option<EndId>,
    pub(super) state: State,
    /// Nothing gets through any more, and nobody has noticed yet.
    pub(super) broken: bool,
    pub(super) waiting: VecDeque<Item>,
    /// Whether it stands in its line's turns, and where its last message left it there.
    pub(super) has_turn: bool,
    pub(super) share: u64,
    /// What was sent and has not gone out.
    pub(super) buffered_bytes: usize,
    /// The room that the engine was told of last, less what it sent since.
    told_bytes: usize,
}

impl End {
    pub(super) fn new(node: NodeId, link: LinkId) -> Self {
        Self {
            node,
            link,
            far: None,
            state: State::Setup,
            broken: false,
            waiting: VecDeque::new(),
            has_turn: false,
            share: 0,
            buffered_bytes: 0,
            told_bytes: 0,
        }
    }

    /// The channel is open: the room to tell.
    pub(super) fn open(&mut self) -> usize {
        self.state = State::Open;
        self.told_bytes = HIGH_WATER_BYTES;
        HIGH_WATER_BYTES
    }

    pub(super) fn buffer(&mut self, message: Bytes, wire_bytes: usize) {
        self.buffered_bytes += wire_bytes;
        self.told_bytes = self.told_bytes.saturating_sub(wire_bytes);
        self.waiting.push_back(Item::Message { message, wire_bytes });
    }

    /// A message has gone out: the room to tell, if the buffer is low and the engine knows of much less.
    pub(super) fn gone_out(&mut self, bytes: usize) -> Option<usize> {
        self.buffered_bytes = self.buffered_bytes.saturating_sub(bytes);
        let room_bytes = HIGH_WATER_BYTES.saturating_sub(self.buffered_bytes);
        let is_news = room_bytes.saturating_sub(self.told_bytes) >= LOW_WATER_BYTES;
        if self.state != State::Open || self.buffered_bytes > LOW_WATER_BYTES || !is_news {
            return None;
        }
        self.told_bytes = room_bytes;
        Some(room_bytes)
    }

    pub(super) fn close(&mut self) {
        self.state = State::Closed;
        self.waiting.clear();
    }
}
