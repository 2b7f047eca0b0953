//! Uplinks that are to be spared.
//!
//! A slow line has an uplink that is a small part of its downlink, and needs it: the transport acknowledges all that comes in,
//! which takes a twentieth of that again, and what the peer itself sends waits before those acknowledgements. Over real lines
//! a peer that sent 16 kB/s took in 150 kB/s, and 500 from when it stopped. So whoever is a leaf because it can do little is
//! named to its neighbours as to be *spared*: they ask it only for what nobody else about has.
//!
//! Of who is not asked nothing is seen. Now and then it may be asked for a while, so that who was misjudged is found out.

use core::time::Duration;

use super::Planner;
use crate::ids::PeerId;
use crate::time::Time;

/// So long a peer is spared at first, twice as long each time it is found to be slow again, and so long at most.
const SPARE_MIN: Duration = Duration::from_secs(30);
const SPARE_MAX: Duration = Duration::from_secs(240);
/// So long it may be asked in between.
const TRIAL: Duration = Duration::from_secs(5);

/// Whether, and how long, a peer is spared.
#[derive(Debug, Default)]
pub(super) struct Sparing {
    pub(super) is_spared: bool,
    /// When that ends, or may begin again.
    until: Time,
    span: Duration,
}

impl Sparing {
    /// Takes in whether the peer is a leaf because of what it can do, or wants; in the latter case there is no trial. True if
    /// that changed something.
    fn settle(&mut self, is_leaf: bool, is_by_choice: bool, now: Time) -> bool {
        let before = self.is_spared;
        if !is_leaf {
            *self = Self::default();
        } else if now >= self.until {
            self.is_spared = !self.is_spared || is_by_choice;
            if self.is_spared {
                self.span = (self.span * 2).clamp(SPARE_MIN, SPARE_MAX);
            }
            self.until = now + if self.is_spared { self.span } else { TRIAL };
        }
        self.is_spared != before
    }
}

impl Planner {
    /// Looks who is to be spared.
    pub(super) fn settle_sparing(&mut self, now: Time) {
        let mut changed: Vec<(PeerId, PeerId)> = Vec::new();
        for (peer, member) in &mut self.members {
            let is_leaf = member.slots == 0 && !member.complete;
            if member.sparing.settle(is_leaf, member.offered == 0, now) {
                changed.extend(member.links.keys().map(|other| (*peer, *other)));
            }
        }
        for (peer, other) in changed {
            self.touch(peer, other);
        }
    }
}
