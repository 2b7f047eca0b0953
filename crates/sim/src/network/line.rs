//! A peer's line: how fast it sends and receives, and how far it is from the middle of the network.

use std::collections::VecDeque;
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
    pub(super) spec: LineSpec,
    /// Whether a message is going out.
    pub(super) sending: bool,
    /// Ends that have something to send; each gets one message in turn.
    pub(super) turns: VecDeque<EndId>,
    /// When the downlink will have taken in all that has come to it.
    down_free: Time,
}

impl Line {
    pub(super) fn new(spec: LineSpec) -> Self {
        Self { spec, sending: false, turns: VecDeque::new(), down_free: Time::ZERO }
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
