//! Signals that are carried for two that found each other, along the way of the answer.
//!
//! | what | bound | at the bound |
//! |---|---|---|
//! | meetings at a time | [`RELAYS_MAX`] | another is not begun: the two try again later, or by others |
//! | bytes of one meeting, both ways | [`RELAY_BYTES_MAX`] | more are dropped |
//! | how long one is carried | [`RELAY_MAX`] | then it is forgotten |

use core::time::Duration;

use super::Way;
use crate::time::Time;
use crate::wire::lookup::Meeting;

/// Meetings that are carried at a time.
pub(super) const RELAYS_MAX: usize = 64;
/// Bytes carried for one meeting: two descriptions and the candidates of both.
pub(super) const RELAY_BYTES_MAX: usize = 48 * 1024;
/// How long one is carried: a link that is not open by then is given up anyway.
pub(super) const RELAY_MAX: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug)]
struct Relay {
    meeting: Meeting,
    to_holder: Way,
    to_asker: Way,
    left_bytes: usize,
    until: Time,
}

/// What is carried.
#[derive(Debug, Default)]
pub struct Relays(Vec<Relay>);

impl Relays {
    /// Begins to carry for two, if there is room and the two ways differ. One that is carried already stays as it is.
    pub fn begin(&mut self, meeting: Meeting, to_asker: Way, to_holder: Way, now: Time) {
        self.0.retain(|relay| relay.until > now);
        let is_known = self.0.iter().any(|relay| relay.meeting == meeting);
        if !is_known && to_asker != to_holder && self.0.len() < RELAYS_MAX {
            let until = now + RELAY_MAX;
            self.0.push(Relay { meeting, to_holder, to_asker, left_bytes: RELAY_BYTES_MAX, until });
        }
    }

    /// Where so many bytes go on to that came by a way; nowhere if they do not belong there, or are too many.
    pub fn carry(&mut self, meeting: &Meeting, by: Way, to_holder: bool, bytes: usize, now: Time) -> Option<Way> {
        let relay = self.0.iter_mut().find(|relay| relay.meeting == *meeting && relay.until > now)?;
        let (from, to) = if to_holder { (relay.to_asker, relay.to_holder) } else { (relay.to_holder, relay.to_asker) };
        relay.left_bytes = relay.left_bytes.checked_sub(bytes).filter(|_| from == by)?;
        Some(to)
    }

    /// A way is gone.
    pub fn forget_way(&mut self, way: Way) {
        self.0.retain(|relay| relay.to_holder != way && relay.to_asker != way);
    }
}
