//! Saying what is fetched from web servers, so that neighbours do not fetch it too.
//!
//! [003] has a client that found a package at nobody *say so* before it goes to the web server; others then wait for it
//! and get the package from it (claims on announcing). Here each peer tells its neighbours which packets it is fetching
//! (message 14, all of them each time). A neighbour leaves those to it: they will be announced, and can be had over the
//! link, as soon as they are there.
//!
//! * A word counts for [`WORD`], and anew with each packet of it that came. Who does not keep it is not believed for
//!   [`DISTRUST`]: whatever it says, it delays what it names by so long and no more.
//! * Of one neighbour [`CLAIMED_MAX`] packets are believed, as many as an honest one can be fetching; the rest is ignored.
//! * Two who begin with the same packets at once have both said so before they hear of each other: the one with the greater
//!   id gives way, unless bytes have begun to come.

use core::time::Duration;

use super::fetching::{FETCHES_MAX, RANGE_PACKETS_MAX};
use super::linking::runs_of;
use super::{Life, Peer};
use crate::content::PacketIndex;
use crate::ids::LinkId;
use crate::time::Time;
use crate::wire::link::{LinkMessage, Run};

/// How long a neighbour's word counts without progress.
const WORD: Duration = Duration::from_secs(10);
/// How long a neighbour that did not keep its word is not believed.
const DISTRUST: Duration = Duration::from_secs(60);
/// Packets of one neighbour's word that count.
const CLAIMED_MAX: usize = FETCHES_MAX * RANGE_PACKETS_MAX as usize;
/// The own word is said again so often while it holds, for those that count from the last progress.
const REPEAT: Duration = Duration::from_secs(3);

/// What the far end of a link says that it is fetching.
#[derive(Debug, Default)]
pub(super) struct Claim {
    /// In ascending order.
    packets: Vec<PacketIndex>,
    counts_until: Time,
    void_until: Time,
}

/// What neighbours were told that is fetched here.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// In ascending order.
    packets: Vec<u32>,
    at: Time,
}

impl Peer {
    /// Whether a neighbour is fetching this packet, as it says and is believed.
    pub(super) fn is_claimed(&self, packet: PacketIndex, now: Time) -> bool {
        let claims = self.links.values().filter(|link| link.is_open()).map(|link| &link.claim);
        claims.filter(|claim| claim.counts_until > now).any(|claim| claim.packets.binary_search(&packet).is_ok())
    }

    /// The far end says what it is fetching, instead of what it said before.
    pub(super) fn far_fetches(&mut self, id: LinkId, packets: &[Run], now: Time) {
        let geometry = self.geometry;
        let Some(link) = self.links.get_mut(&id) else { return };
        let (claim, has) = (&mut link.claim, &link.has);
        if claim.void_until > now {
            return;
        }
        let is_here = |packet: PacketIndex| has.contains(packet) || self.holdings.has_packet(packet);
        let is_news = claim.packets.is_empty() || claim.packets.iter().any(|packet| is_here(*packet));
        if is_news {
            claim.counts_until = now + WORD;
        }
        let indices = packets.iter().flat_map(|run| run.first..run.first.saturating_add(run.count));
        let claimed = indices.take(CLAIMED_MAX).filter_map(|index| geometry.packet(index));
        claim.packets = claimed.filter(|packet| !is_here(*packet)).collect();
        if link.peer < self.id {
            self.give_way(id, now);
        }
        self.fetch_more(now);
    }

    /// Gives up what a neighbour is fetching too and of which nothing came yet.
    fn give_way(&mut self, id: LinkId, now: Time) {
        let Some(link) = self.links.get(&id).filter(|link| link.claim.counts_until > now) else { return };
        let claimed = link.claim.packets.clone();
        self.cancel_untouched(&claimed);
    }

    /// Tells neighbours what is fetched here, if there is something new to tell, and again while it holds.
    pub(super) fn tell_fetches(&mut self, now: Time) {
        let packets = self.fetched_packets();
        let told = &self.told_fetches;
        let is_over = packets.is_empty() && !told.packets.is_empty();
        let is_due = !packets.is_empty() && now - told.at >= REPEAT;
        let is_new = packets.iter().any(|packet| told.packets.binary_search(packet).is_err());
        if self.life != Life::Running || !(is_over || is_due || is_new) {
            return;
        }
        self.told_fetches = Told { packets, at: now };
        for id in self.links.keys().copied().collect::<Vec<_>>() {
            self.tell_fetches_to(id);
        }
    }

    /// Tells one neighbour what all were told.
    pub(super) fn tell_fetches_to(&mut self, id: LinkId) {
        let packets = runs_of(&self.told_fetches.packets);
        if self.links.get(&id).is_some_and(super::Link::is_open) {
            self.tell_link(id, &LinkMessage::Fetching { packets });
        }
    }

    /// Whether there is something to tell a new neighbour.
    pub(super) fn has_told_fetches(&self) -> bool {
        !self.told_fetches.packets.is_empty()
    }

    /// Looks for neighbours that did not keep their word.
    pub(super) fn look_at_claims(&mut self, now: Time) {
        for link in self.links.values_mut() {
            let (claim, has) = (&mut link.claim, &link.has);
            // What it got from here it does not tell of.
            let is_here = |packet: PacketIndex| has.contains(packet) || self.holdings.has_packet(packet);
            let is_kept = claim.packets.iter().all(|packet| is_here(*packet));
            if is_kept {
                claim.packets.clear();
            } else if claim.counts_until <= now {
                claim.packets.clear();
                claim.void_until = now + DISTRUST;
            }
        }
        self.tell_fetches(now);
    }
}
