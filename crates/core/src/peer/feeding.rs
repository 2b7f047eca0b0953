//! Which neighbour feeds which stripe.
//!
//! The tracker plans a parent for every stripe. A stripe stays with the feeder it has until the link to the planned one
//! is open: make before break ([000] claim 14).

use core::time::Duration;
use std::collections::BTreeMap;

use super::{Life, Peer};
use crate::content::PacketSet;
use crate::ids::{LinkId, PeerId};
use crate::time::Time;
use crate::wire::link::LinkMessage;
use crate::wire::tracker::{Edge, Role, STRIPES_MAX, StripeMask};

/// Neighbours that a tracker may plan for one peer; more are ignored.
const NEIGHBOURS_MAX: usize = 128;
/// Who fed a stripe that is to come from web servers now has nothing left to bring of it when nothing came for so long.
const LAST_MAX: Duration = Duration::from_millis(2_500);
/// A link that the plan closes stays no longer than this while it still feeds a stripe.
const CLOSE_MAX: Duration = Duration::from_secs(10);

/// What the tracker planned, and what is.
#[derive(Debug)]
pub(super) struct Feeding {
    pub(super) stripes: u8,
    /// The stripes each planned neighbour is to feed me; empty for children and laterals.
    planned: BTreeMap<PeerId, StripeMask>,
    /// Planned neighbours whose uplinks are to be spared.
    spared: Vec<PeerId>,
    /// By stripe: the link that feeds it.
    feeders: [Option<LinkId>; STRIPES_MAX as usize],
}

impl Default for Feeding {
    fn default() -> Self {
        Self { stripes: 1, planned: BTreeMap::new(), spared: Vec::new(), feeders: [None; STRIPES_MAX as usize] }
    }
}

impl Feeding {
    pub(super) fn set_stripes(&mut self, stripes: u8) {
        if self.stripes != stripes {
            self.stripes = stripes;
            self.feeders = [None; STRIPES_MAX as usize];
        }
    }

    /// Whether the tracker told us to meet this peer.
    pub(super) fn is_neighbour(&self, peer: PeerId) -> bool {
        self.planned.contains_key(&peer)
    }

    /// Whether a neighbour is asked only for what nobody else about has.
    pub(super) fn is_spared(&self, peer: PeerId) -> bool {
        self.spared.contains(&peer)
    }

    /// The stripe of the packet at a place.
    pub(super) fn stripe_of(&self, place: u32) -> u8 {
        (place % u32::from(self.stripes)) as u8
    }

    /// The link that feeds a stripe.
    pub(super) fn feeder(&self, stripe: u8) -> Option<LinkId> {
        self.feeders[usize::from(stripe)]
    }

    /// Stripes that a link feeds.
    fn fed_by(&self, link: LinkId) -> StripeMask {
        let fed = (0..self.stripes).filter(|stripe| self.feeder(*stripe) == Some(link));
        fed.fold(StripeMask::NONE, |mask, stripe| mask.union(StripeMask::one(stripe)))
    }

    /// The neighbour that is planned to feed a stripe.
    pub(super) fn planned_parent(&self, stripe: u8) -> Option<PeerId> {
        self.planned.iter().find(|(_, mask)| mask.contains(stripe)).map(|(peer, _)| *peer)
    }

    /// Stripes that the tracker wants this peer to bring from web servers: it stands at their top.
    pub(super) fn top_of(&self) -> StripeMask {
        self.planned.get(&PeerId::WEB).copied().unwrap_or_default()
    }

    /// Takes in what a plan says of one neighbour: all its edges. Each stripe has one parent.
    fn plan(&mut self, peer: PeerId, parent_of: StripeMask, is_spared: bool) {
        for mask in self.planned.values_mut() {
            *mask = mask.without(parent_of);
        }
        if self.planned.len() < NEIGHBOURS_MAX || self.planned.contains_key(&peer) {
            self.planned.insert(peer, parent_of);
            self.spared.retain(|spared| *spared != peer);
            if is_spared {
                self.spared.push(peer);
            }
        }
    }
}

impl Peer {
    /// A tracker tells all edges after its welcome. What an earlier one told, or this one before the socket broke, counts
    /// only where there is a link.
    pub(super) fn forget_neighbours(&mut self) {
        let planned = self.links.values().filter(|link| link.found.is_none());
        let linked: Vec<PeerId> = planned.map(|link| link.peer).collect();
        self.feeding.planned.retain(|peer, _| linked.contains(peer));
        self.feeding.spared.retain(|peer| linked.contains(peer));
        self.standby.retain(|peer| linked.contains(&peer));
    }

    /// Opens, changes and closes links as the tracker says.
    pub(super) fn follow_plan(&mut self, open: &[Edge], close: &[PeerId], now: Time) {
        let was_top_of = self.feeding.top_of();
        for edges in open.chunk_by(|a, b| a.peer == b.peer) {
            let peer = edges[0].peer;
            if peer == self.id {
                continue;
            }
            let parents = edges.iter().filter(|edge| edge.role == Role::Parent);
            let parent_of = parents.fold(StripeMask::NONE, |mask, edge| mask.union(edge.stripes));
            self.feeding.plan(peer, parent_of, edges.iter().any(|edge| edge.spared));
            if self.feeding.is_neighbour(peer) {
                self.standby.plan(peer, edges);
            }
            match self.link_to(peer) {
                Some(id) => self.keep_link(id),
                None if edges[0].dial && self.feeding.is_neighbour(peer) => self.dial(peer, now),
                None => {}
            }
        }
        for peer in close {
            self.feeding.planned.remove(peer);
            self.feeding.spared.retain(|spared| spared != peer);
            self.standby.forget(*peer);
            if let Some(link) = self.link_to(*peer).and_then(|id| self.links.get_mut(&id)) {
                link.close_by.get_or_insert(now + CLOSE_MAX);
            }
        }
        self.resubscribe(now);
        self.look_at_waiting(now);
        let top_of = self.feeding.top_of();
        self.fetching.tell(top_of.without(was_top_of), was_top_of.without(top_of), now);
        self.fetch_more(now);
    }

    /// Gives each stripe its feeder and tells whoever begins or ends to feed. Closes what the plan closed and nobody
    /// needs any longer.
    pub(super) fn resubscribe(&mut self, now: Time) {
        if self.life != Life::Running {
            return;
        }
        // What one that has failed had on its way does not come.
        let before = self.feeding.feeders.map(|feeder| feeder.filter(|id| self.can_feed(*id, now)));
        for stripe in 0..self.feeding.stripes {
            let feeder = if self.holdings.has_all_groups() { None } else { self.choose_feeder(stripe, now) };
            self.feeding.feeders[usize::from(stripe)] = feeder;
        }
        for id in self.links.keys().copied().collect::<Vec<_>>() {
            self.tell_subscription(id, &before, now);
            self.close_if_unneeded(id, now);
        }
    }

    /// Where web servers are to bring the stripe, whoever did so far, as long as there is something left; else the planned parent once its link is open; until then whoever feeds the stripe now, and, if that one has failed, who
    /// stands by.
    fn choose_feeder(&self, stripe: u8, now: Time) -> Option<LinkId> {
        if self.feeding.top_of().contains(stripe) {
            let is_bringing = now - self.fetching.left_to_peers_at(stripe) < LAST_MAX;
            return self.feeding.feeder(stripe).filter(|id| is_bringing && self.can_feed(*id, now));
        }
        let planned = self.feeding.planned_parent(stripe).and_then(|peer| self.link_to(peer));
        let current = self.feeding.feeder(stripe);
        let working = planned.into_iter().chain(current).find(|id| self.can_feed(*id, now));
        let standby = || current.and_then(|_| self.standby_for(stripe, now));
        // A silent one is better than none.
        let is_open = |id: &LinkId| self.links.get(id).is_some_and(super::Link::is_open);
        working.or_else(standby).or_else(|| planned.into_iter().chain(current).find(is_open))
    }

    fn tell_subscription(&mut self, id: LinkId, before: &[Option<LinkId>], now: Time) {
        let mask = self.feeding.fed_by(id);
        let stripes = self.feeding.stripes;
        let Some(link) = self.links.get_mut(&id).filter(|link| link.is_open()) else { return };
        let from = self.schedule.from();
        let (is_other, is_elsewhere) = (link.receiving.subscribed != mask, link.receiving.from != from);
        if !is_other && (!is_elsewhere || mask.is_empty()) {
            return;
        }
        let (was_feeding, new) = (!link.receiving.subscribed.is_empty(), mask.without(link.receiving.subscribed));
        link.receiving.from = from;
        if is_other {
            link.receiving.subscribed = mask;
            link.receiving.subscribed_at = now;
            link.receiving.declined = PacketSet::new(self.geometry);
        }
        // What is held goes first, so that it is not pushed.
        self.announce(id);
        if !was_feeding && !mask.is_empty() {
            self.announce_common(id);
        }
        self.tell_begun(id, new);
        self.tell_link(id, &LinkMessage::Subscribe { stripes, mask: mask.0, from });
        if is_other && !mask.is_empty() && !self.holdings.has_all_groups() {
            let others = (0..stripes).filter(|stripe| mask.contains(*stripe));
            let others = others.filter_map(|stripe| before[usize::from(stripe)]).filter(|before| *before != id);
            self.decline_coming(id, mask, &others.collect::<Vec<_>>());
        }
    }

    fn close_if_unneeded(&mut self, id: LinkId, now: Time) {
        let Some(link) = self.links.get(&id) else { return };
        let Some(close_by) = link.close_by else { return };
        let is_idle = link.receiving.subscribed.is_empty() && link.sending.subscribed.1.is_empty();
        if is_idle || close_by <= now {
            self.close_link(id);
        }
    }
}
