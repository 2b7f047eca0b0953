//! A peer's line: how fast it sends and receives, and how far it is from the middle of the network.
//!
//! An uplink is fair by bytes, as datagrams of several connections are that leave in turn: what would be through first
//! if all sent a little at a time goes first (self-clocked fair queueing). So a small message of an end that has little
//! to send does not wait for all the large ones of others, only for the one that is going out.

use std::collections::BTreeSet;
use std::time::Duration;

use pleach_core::time::Time;

use super::EndId;

/// What a line can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineSpec {
    /// Bytes a second that go out.
    pub up_bytes_per_s: u64,
    /// Bytes a second that come in.
    pub down_bytes_per_s: u64,
    /// One way to the middle; two peers are as far apart as both of theirs together.
    pub delay: Duration,
}

impl LineSpec {
    /// A line of so many megabits a second up and down, and so many milliseconds to the middle.
    pub fn mbit(up: u64, down: u64, delay_ms: u64) -> Self {
        let bytes = |mbit: u64| mbit * 1_000_000 / 8;
        Self { up_bytes_per_s: bytes(up), down_bytes_per_s: bytes(down), delay: Duration::from_millis(delay_ms) }
    }
}

/// A line at work.
#[derive(Debug)]
pub(super) struct Line {
    /// As it is now.
    pub(super) spec: LineSpec,
    full: LineSpec,
    /// Whether a message is going out.
    pub(super) sending: bool,
    /// Ends that have something to send, by the byte of fair service at which their next message would be through.
    turns: BTreeSet<(u64, EndId)>,
    /// Bytes of fair service given so far: where an end that was idle joins in.
    served: u64,
    /// When the downlink will have taken in all that has come to it.
    down_free: Time,
}

impl Line {
    pub(super) fn new(spec: LineSpec) -> Self {
        Self { spec, full: spec, sending: false, turns: BTreeSet::new(), served: 0, down_free: Time::ZERO }
    }

    pub(super) fn set_full(&mut self, is_full: bool) {
        let half = |rate: u64| if is_full { rate } else { rate / 2 };
        self.spec.up_bytes_per_s = half(self.full.up_bytes_per_s);
        self.spec.down_bytes_per_s = half(self.full.down_bytes_per_s);
    }

    /// An end has a message of so many bytes to send; `share` is where its last one left it. Where this one leaves it.
    pub(super) fn enter(&mut self, end: EndId, share: u64, bytes: usize) -> u64 {
        let through = share.max(self.served) + bytes as u64;
        self.turns.insert((through, end));
        through
    }

    /// Whose message goes out next.
    pub(super) fn next_turn(&mut self, bytes_of: impl Fn(EndId) -> usize) -> Option<EndId> {
        let (through, end) = self.turns.pop_first()?;
        self.served = self.served.max(through - bytes_of(end) as u64);
        Some(end)
    }

    /// How long so many bytes take to go out.
    pub(super) fn up_time(&self, bytes: usize) -> Duration {
        duration(bytes, self.spec.up_bytes_per_s)
    }

    /// A message whose first byte comes now and whose last can't come before `last_byte`: when all of it is in.
    pub(super) fn take_in(&mut self, bytes: usize, last_byte: Time, now: Time) -> Time {
        self.down_free = self.down_free.max(now) + duration(bytes, self.spec.down_bytes_per_s);
        self.down_free.max(last_byte)
    }
}

/// Rounded up, so that rounding never makes a line faster.
fn duration(bytes: usize, bytes_per_s: u64) -> Duration {
    Duration::from_micros((bytes as u64 * 1_000_000).div_ceil(bytes_per_s.max(1)))
}
