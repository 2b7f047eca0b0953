//! Who feeds a stripe when its feeder fails, and whom this peer feeds when another fails (design, 'LOSS').
//!
//! The tracker names, for each stripe, a neighbour that *stands by*. When a feeder's link closes, or nothing at all comes
//! over it for two seconds although it was pinged, the stripe is asked of the standby at once, over a link that is
//! there: nobody waits for the tracker, which hears of the loss as before. Its new plan replaces the standby as it would
//! any feeder (`feeding`).
//!
//! The other end pushes what the tracker told it to, as parent or as standby. What it was told nothing of it pushes
//! while its uplink has room, and else once it has, or once a plan names the far end: a subscription may arrive before
//! the plan that explains it.

use core::time::Duration;
use std::collections::BTreeMap;

use super::{Link, Peer};
use crate::ids::{LinkId, PeerId};
use crate::time::Time;
use crate::wire::tracker::{Edge, Role, StripeMask};

/// A feeder over whose link nothing came for so long is taken for gone, if it was pinged.
const SILENT: Duration = Duration::from_secs(2);
/// A feeder over whose link nothing came for so long is pinged: others have longer.
pub(super) const PING_FEEDER_AFTER: Duration = Duration::from_secs(1);
/// How long the answer to that may take: as long as the other second.
const ANSWER_MAX: Duration = Duration::from_millis(900);

/// What plans say of standbys.
#[derive(Debug, Default)]
pub(super) struct Standby {
    /// By neighbour: stripes for which it stands by for me. Each stripe has one.
    by_other: BTreeMap<PeerId, StripeMask>,
    /// By neighbour: stripes that it may have pushed, since I am its parent or stand by for it.
    by_me: BTreeMap<PeerId, StripeMask>,
    /// Subscriptions of more than I was told to feed, while there is no room: what is asked for, in so many stripes.
    waiting: BTreeMap<LinkId, (u8, StripeMask)>,
}

impl Standby {
    /// Takes in what a plan says of one neighbour: all its edges.
    pub(super) fn plan(&mut self, peer: PeerId, edges: &[Edge]) {
        let mask_of = |part: fn(&Edge) -> StripeMask| edges.iter().map(part).fold(StripeMask::NONE, StripeMask::union);
        let by_other = mask_of(|edge| edge.standby);
        let by_me = mask_of(|edge| match edge.role {
            Role::Child => edge.stripes.union(edge.backs),
            Role::Parent | Role::Lateral => edge.backs,
        });
        for mask in self.by_other.values_mut() {
            *mask = mask.without(by_other);
        }
        self.by_other.insert(peer, by_other);
        self.by_me.insert(peer, by_me);
    }

    /// A plan closes the edge to a neighbour.
    pub(super) fn forget(&mut self, peer: PeerId) {
        self.by_other.remove(&peer);
        self.by_me.remove(&peer);
    }

    /// Forgets all but these neighbours.
    pub(super) fn retain(&mut self, is_kept: impl Fn(PeerId) -> bool) {
        self.by_other.retain(|peer, _| is_kept(*peer));
        self.by_me.retain(|peer, _| is_kept(*peer));
    }

    /// A link is gone.
    pub(super) fn forget_link(&mut self, id: LinkId) {
        self.waiting.remove(&id);
    }
}

impl Peer {
    /// Whether a link seems dead: nothing comes, not even an answer to a ping. A later ping does not make it alive.
    fn is_silent(link: &Link, now: Time) -> bool {
        let quiet = now - link.heard;
        let is_unanswered = |(_, sent_at)| now - sent_at >= ANSWER_MAX || quiet >= SILENT * 2;
        quiet >= SILENT && link.pinged.is_some_and(is_unanswered)
    }

    /// Whether a link can feed: it is open, and not silent.
    pub(super) fn can_feed(&self, id: LinkId, now: Time) -> bool {
        self.links.get(&id).is_some_and(|link| link.is_open() && !Self::is_silent(link, now))
    }

    /// Who stands by for a stripe, if its link is open and it does not get the stripe from here.
    pub(super) fn standby_for(&self, stripe: u8, now: Time) -> Option<LinkId> {
        let named = self.standby.by_other.iter().find(|(_, mask)| mask.contains(stripe));
        let id = self.link_to(*named?.0).filter(|id| self.can_feed(*id, now))?;
        let (stripes, fed) = self.links.get(&id)?.sending.subscribed;
        let is_fed_by_us = stripes == self.feeding.stripes && fed.contains(stripe);
        (!is_fed_by_us).then_some(id)
    }

    /// Of the stripes that a far end asks for, those that it is pushed now.
    pub(super) fn accept_stripes(&mut self, id: LinkId, stripes: u8, wanted: StripeMask, now: Time) -> StripeMask {
        self.standby.waiting.remove(&id);
        let Some(link) = self.links.get(&id) else { return wanted };
        let told = self.standby.by_me.get(&link.peer).copied().filter(|_| link.found.is_none()).unwrap_or_default();
        let fed = link.sending.subscribed.1;
        let more = wanted.without(told).without(fed);
        if more.is_empty() || !self.is_flight_full(true, now) {
            return wanted;
        }
        self.standby.waiting.insert(id, (stripes, wanted));
        wanted.without(more)
    }

    /// Looks again at what far ends asked for beyond what a plan gave them.
    pub(super) fn look_at_waiting(&mut self, now: Time) {
        for (id, (stripes, mask)) in core::mem::take(&mut self.standby.waiting) {
            let Some(from) = self.links.get(&id).map(|link| link.sending.from) else { continue };
            self.far_subscribes(id, stripes, mask.0, from, now);
        }
    }
}
