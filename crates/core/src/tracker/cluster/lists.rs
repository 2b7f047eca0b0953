//! Node lists: who is in a swarm, told by its home to the other trackers.
//!
//! A list is told whole, when it has changed and again after a while, so one that is lost is mended by the next, and one who
//! comes late learns all. Each beat tells at most [`LISTS_PER_BEAT`]; of more swarms each waits for its turn. What nobody has
//! told for [`AGE_MAX`] is forgotten, and so is what its home says is empty.

use core::time::Duration;
use std::collections::BTreeMap;
use std::ops::Bound;

use super::super::swarm::Swarm;
use crate::ids::{ContentId, PeerId, TrackerId};
use crate::time::Time;
use crate::wire::cluster::NodeList;

/// Lists told at one beat; 10,000 swarms that all change take five minutes.
const LISTS_PER_BEAT: usize = 32;
/// A list is told again after so long even if it has not changed.
const AGAIN: Duration = Duration::from_secs(30);
/// A list that was not told again for so long is forgotten.
const AGE_MAX: Duration = Duration::from_secs(900);

/// What is told of a swarm in which nobody is any more.
pub(super) fn nobody(swarm: ContentId) -> NodeList {
    NodeList { swarm, peers: 0, seeders: 0, complete: Vec::new(), partial: Vec::new(), banned: Vec::new() }
}

#[derive(Debug)]
struct Told {
    by: TrackerId,
    at: Time,
    list: NodeList,
}

/// What others told of their swarms, and what they were told of ours.
#[derive(Debug, Default)]
pub(in crate::tracker) struct Lists {
    told: BTreeMap<ContentId, Told>,
    /// Which state of each of our swarms they were told, and when.
    telling: BTreeMap<ContentId, (u64, Time)>,
    /// Whose turn was last.
    cursor: Option<ContentId>,
}

impl Lists {
    /// Takes in what `by` told of a swarm. With `swarms_max` lists a new one is not taken.
    pub(super) fn take(&mut self, by: TrackerId, list: NodeList, swarms_max: usize, now: Time) {
        if list.peers == 0 {
            if self.told.get(&list.swarm).is_some_and(|told| told.by == by) {
                self.told.remove(&list.swarm);
            }
        } else if self.told.len() < swarms_max || self.told.contains_key(&list.swarm) {
            self.told.insert(list.swarm, Told { by, at: now, list });
        }
    }

    /// The swarm runs here now: what was told of it, once.
    pub(in crate::tracker) fn inherit(&mut self, swarm: ContentId) -> Option<NodeList> {
        self.told.remove(&swarm).map(|told| told.list)
    }

    /// Whether the last home of a swarm found a peer to send bad bytes.
    pub(in crate::tracker) fn is_banned(&self, swarm: ContentId, peer: PeerId) -> bool {
        self.told.get(&swarm).is_some_and(|told| told.list.banned.contains(&peer))
    }

    /// Swarms and peers that a tracker told of.
    pub(super) fn told_by(&self, tracker: TrackerId) -> (usize, usize) {
        let told = self.told.values().filter(|told| told.by == tracker);
        told.fold((0, 0), |(swarms, peers), told| (swarms + 1, peers + told.list.peers as usize))
    }

    /// Which swarms are to be told of at this beat, those that are no more first.
    pub(super) fn take_due(&mut self, swarms: &BTreeMap<ContentId, Swarm>, now: Time) -> Vec<ContentId> {
        let after = self.cursor.map_or(Bound::Unbounded, Bound::Excluded);
        let before = self.cursor.map(|cursor| swarms.range(..=cursor)).into_iter().flatten();
        let in_turn = swarms.range((after, Bound::Unbounded)).chain(before);
        let is_due = |(swarm, state): &(&ContentId, &Swarm)| {
            let told = self.telling.get(swarm);
            told.is_none_or(|(revision, at)| *revision != state.revision() || now - *at >= AGAIN)
        };
        let over = self.telling.keys().filter(|swarm| !swarms.contains_key(swarm)).copied();
        let mut due: Vec<ContentId> = over.take(LISTS_PER_BEAT).collect();
        let left = LISTS_PER_BEAT - due.len();
        let mut more: Vec<ContentId> = in_turn.filter(is_due).map(|(swarm, _)| *swarm).take(left).collect();
        self.cursor = more.last().copied().or(self.cursor);
        due.append(&mut more);
        for swarm in &due {
            match swarms.get(swarm) {
                Some(state) => drop(self.telling.insert(*swarm, (state.revision(), now))),
                None => drop(self.telling.remove(swarm)),
            }
        }
        due
    }

    /// Somebody came who was told nothing yet.
    pub(super) fn tell_all_again(&mut self) {
        self.telling.values_mut().for_each(|(revision, _)| *revision = u64::MAX);
    }

    pub(super) fn forget_old(&mut self, now: Time) {
        self.told.retain(|_, told| now - told.at < AGE_MAX);
    }
}
