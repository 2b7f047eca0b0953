//! What an ordered preset looks like to people: sources, then places from the root on, as far as there is room.

use super::OrderedPlanner;
use crate::forest::picture::{PEERS_MAX, Picture, Standing};
use crate::ids::PeerId;

/// Sources shown at most: the rest of the room is for those below them.
const SOURCES_MAX: usize = PEERS_MAX / 4;

impl OrderedPlanner {
    /// A picture of the arrangement; `held_permille` tells how much a peer holds.
    pub fn picture(&self, held_permille: impl Fn(PeerId) -> u16) -> Picture {
        let origins = self.complete.iter().take_while(|(is_other, _)| !is_other).map(|(_, peer)| *peer);
        let shown = origins.take(SOURCES_MAX).chain(self.groups.iter().take(PEERS_MAX));
        let standings = shown.filter_map(|peer| self.standing(peer)).collect();
        Picture::new(self.groups.stripes(), self.members.len(), standings, held_permille)
    }

    fn standing(&self, peer: PeerId) -> Option<Standing> {
        let member = self.members.get(&peer)?;
        let stripes = 0..self.groups.stripes();
        let parents: Vec<Option<PeerId>> = stripes.clone().map(|stripe| self.feeds.parent(stripe, peer)).collect();
        let depths = stripes.map(|stripe| self.feeds.way_up(stripe, peer).count() as u32 - 1);
        let fed = depths.zip(&parents).filter(|(_, parent)| member.complete || parent.is_some());
        let depth = fed.map(|(depth, _)| depth).min();
        let rate = member.measured.seen_or(0);
        Some(Standing {
            peer,
            origin: member.is_origin,
            complete: member.complete,
            depth,
            children: u16::try_from(self.feeds.child_count(peer)).unwrap_or(u16::MAX),
            up_bytes_per_s: (rate > 0).then_some(rate),
            parents,
        })
    }
}
