//! Who feeds each line: its place's feeder if that can be, else a detour.

use std::collections::BTreeSet;

use super::{Line, OrderedPlanner};
use crate::forest::replica::Feeder;
use crate::ids::PeerId;
use crate::time::Time;

/// Those who have everything that are looked at for one who feeds a line.
const SOURCES_TRIED: usize = 64;
/// Those near the root that are looked at for a detour.
const NEAR_ROOT_TRIED: usize = 64;
/// Children that one has by detours and by its place together, as many times over as its place gives it.
const OVERLOAD: usize = 4;
/// Those who may take another's place that are looked at.
const SUBSTITUTES_TRIED: usize = 64;

impl OrderedPlanner {
    /// Gives these lines feeders by their places. All let go first: between what was and what will be no circle comes.
    pub(super) fn settle(&mut self, lines: BTreeSet<Line>, now: Time) {
        for (stripe, child) in &lines {
            self.feeds.unset(*stripe, *child);
        }
        for line in lines {
            self.set_line_right(line, now);
        }
    }

    /// Gives a line its place's feeder if it has another, or any other if that cannot be.
    pub(super) fn set_line_right(&mut self, line: Line, now: Time) {
        let mut waiting = vec![line];
        while let Some((stripe, child)) = waiting.pop() {
            self.astray.remove(&(stripe, child));
            let Some(placed) = self.groups.parent(stripe, child) else {
                self.feeds.unset(stripe, child);
                continue;
            };
            if let Some(feeder) = self.feeder_in_place(placed, child, now) {
                if self.feeds.parent(stripe, child) != Some(feeder) {
                    waiting.extend(self.clear_way(stripe, child, feeder));
                    self.feeds.set(stripe, child, feeder);
                }
                continue;
            }
            self.astray.insert((stripe, child));
            self.take_detour(stripe, child, now);
        }
    }

    /// Ends detours by which `feeder` would get the stripe from `child`; these lines are to be set right.
    fn clear_way(&mut self, stripe: u8, child: PeerId, feeder: PeerId) -> Vec<Line> {
        let mut cleared = Vec::new();
        while self.feeds.is_below(stripe, feeder, child) {
            let on_way = |at: &PeerId| self.astray.contains(&(stripe, *at));
            let Some(detour) = self.feeds.way_up(stripe, feeder).find(on_way) else {
                debug_assert!(false, "places alone make no circle");
                break;
            };
            self.feeds.unset(stripe, detour);
            cleared.push((stripe, detour));
        }
        cleared
    }

    fn feeder_in_place(&self, placed: Feeder, child: PeerId, now: Time) -> Option<PeerId> {
        match placed {
            Feeder::Source => self.source_for(child, now),
            Feeder::Peer(parent) => self.may_feed(parent, child, now).then_some(parent),
        }
    }

    /// Of those who have everything, an origin if there is one: the one that feeds the child already, or feeds least.
    fn source_for(&self, child: PeerId, now: Time) -> Option<PeerId> {
        let tried = self.complete.iter().take(SOURCES_TRIED);
        let able = tried.filter(|(_, source)| self.may_feed(*source, child, now) && self.members[source].offered > 0);
        let best = able.min_by_key(|(is_other, source)| {
            let is_new = self.feeds.neighbour(*source, child).is_none();
            (*is_other, is_new, self.feeds.child_count(*source), *source)
        });
        best.map(|(_, source)| *source)
    }

    /// Whether the two may be put together.
    fn may_feed(&self, parent: PeerId, child: PeerId, now: Time) -> bool {
        self.members.get(&parent).is_some_and(|above| above.present) && !self.is_apart(parent, child, now)
    }

    fn is_apart(&self, one: PeerId, other: PeerId, now: Time) -> bool {
        self.members.get(&one).is_some_and(|member| member.apart.contains(other, now))
    }

    /// Keeps the feeder that a line has, or finds another: who feeds least of its group; a source; who feeds least of
    /// those near the root.
    fn take_detour(&mut self, stripe: u8, child: PeerId, now: Time) {
        if let Some(parent) = self.feeds.parent(stripe, child) {
            if self.is_fit(stripe, parent, child, now) {
                return;
            }
            self.feeds.unset(stripe, child);
        }
        let idlest = |peers: Vec<PeerId>| {
            let fit = peers.into_iter().filter(|peer| self.is_fit(stripe, *peer, child, now));
            fit.min_by_key(|peer| (self.feeds.child_count(*peer), *peer))
        };
        let feeder = idlest(self.groups.mates(child))
            .or_else(|| self.source_for(child, now))
            .or_else(|| idlest(self.groups.iter().take(NEAR_ROOT_TRIED).collect()));
        if let Some(feeder) = feeder {
            self.feeds.set(stripe, child, feeder);
        }
    }

    /// Whether one may feed a line that it has no place for.
    fn is_fit(&self, stripe: u8, parent: PeerId, child: PeerId, now: Time) -> bool {
        let Some(above) = self.members.get(&parent) else { return false };
        let relays = self.relays(parent) || above.is_origin;
        let most = usize::from(above.offered.min(self.children_max)) * OVERLOAD;
        let has_room = above.is_origin
            || self.feeds.child_count(parent) < most
            || self.feeds.parent(stripe, child) == Some(parent);
        relays && has_room && self.may_feed(parent, child, now) && !self.feeds.is_below(stripe, parent, child)
    }

    /// Ends every edge between two who cannot meet. The lower end of each changes places if that helps.
    pub(super) fn part(&mut self, one: PeerId, other: PeerId, now: Time) {
        for (child, parent) in [(one, other), (other, one)] {
            let lines: BTreeSet<Line> = self.feeds.children(parent).filter(|line| line.1 == child).collect();
            // One whose socket is away is about to be taken out, which gives everybody another place anyway.
            if self.members.get(&parent).is_some_and(|above| above.present) {
                self.change_places(child, lines.iter().map(|(stripe, _)| *stripe).collect(), now);
            }
            let left = lines.into_iter().filter(|(stripe, child)| self.feeds.parent(*stripe, *child) == Some(parent));
            self.settle(left.collect(), now);
        }
    }

    /// Those who take a detour because they and their place's feeder are apart change places, if that helps by now.
    pub(super) fn mend(&mut self, now: Time) {
        for (stripe, child) in self.astray.clone() {
            let is_apart = match self.groups.parent(stripe, child) {
                Some(Feeder::Peer(parent)) => self.is_apart(parent, child, now),
                Some(Feeder::Source) => !self.complete.is_empty(),
                None => false,
            };
            if is_apart {
                self.change_places(child, vec![stripe], now);
            }
        }
    }

    /// Swaps a child that its place's feeder cannot reach in one of these stripes with another, so that both can be fed;
    /// nothing changes if nothing is gained by that.
    fn change_places(&mut self, child: PeerId, stripes: Vec<u8>, now: Time) {
        let mates = self.groups.mates(child);
        let unreached = stripes.into_iter().find_map(|stripe| {
            let placed = self.groups.parent(stripe, child)?;
            // Another place in the group would bring the two together again.
            let is_exchange = matches!(placed, Feeder::Peer(parent) if mates.contains(&parent));
            (!is_exchange && self.feeder_in_place(placed, child, now).is_none()).then_some(placed)
        });
        let Some(unreached) = unreached else { return };
        let substitute = self.groups.substitutes(child).take(SUBSTITUTES_TRIED).find(|other| {
            let is_taken = self.feeder_in_place(unreached, *other, now).is_some();
            is_taken && self.can_stand_at(child, *other, now)
        });
        if let Some(substitute) = substitute {
            let rewiring = self.groups.swap(child, substitute);
            self.rewire(&rewiring, now);
        }
    }

    /// Whether each of two could be fed in the other's place.
    pub(super) fn may_exchange(&self, one: PeerId, other: PeerId, now: Time) -> bool {
        self.can_stand_at(one, other, now) && self.can_stand_at(other, one, now)
    }

    /// Whether a peer, changing places with another, could be fed there.
    fn can_stand_at(&self, peer: PeerId, other: PeerId, now: Time) -> bool {
        let feeder = match self.groups.feeder_from_above(other) {
            None => return true,
            // What stands below it takes its place, and feeds it then.
            Some(Feeder::Peer(parent)) if parent == peer => Feeder::Peer(other),
            Some(feeder) => feeder,
        };
        self.feeder_in_place(feeder, peer, now).is_some()
    }
}
