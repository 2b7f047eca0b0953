//! Asks that were heard: each is taken up once, and its answers go back the way it came.
//!
//! | what | bound | at the bound |
//! |---|---|---|
//! | asks that are remembered | [`ASKS_MAX`], of one way [`ASKS_OF_A_WAY_MAX`] | the oldest is forgotten: answers to it are dropped |
//! | how long | [`AGE_MAX`](super::directory::AGE_MAX), as long as what was answered counts | as above |
//! | answers to one ask | [`ANSWERS_MAX`] | more are dropped |

use std::collections::{BTreeMap, VecDeque};

use super::Way;
use super::directory::AGE_MAX;
use crate::ids::{AskId, ContentId};
use crate::time::Time;

/// Asks that are remembered.
pub(super) const ASKS_MAX: usize = 512;
/// Of these, asks that came by one way: whoever floods forgets its own.
pub(super) const ASKS_OF_A_WAY_MAX: usize = 64;
/// Answers to one ask that are heard or passed back.
pub(super) const ANSWERS_MAX: u8 = 32;

#[derive(Clone, Copy, Debug)]
struct Heard {
    package: ContentId,
    /// Where it came from; `None`: it is ours.
    from: Option<Way>,
    at: Time,
    answers: u8,
}

/// What is remembered.
#[derive(Debug, Default)]
pub struct Asks {
    heard: BTreeMap<AskId, Heard>,
    /// The same, the oldest first.
    order: VecDeque<AskId>,
}

impl Asks {
    /// Takes an ask up, ours or another's. `false` if it was heard before.
    pub fn begin(&mut self, id: AskId, package: ContentId, from: Option<Way>, now: Time) -> bool {
        if self.heard.contains_key(&id) {
            return false;
        }
        self.forget_old(now);
        let of_way = || self.order.iter().filter(|id| self.heard.get(id).is_some_and(|heard| heard.from == from));
        let oldest = match of_way().count() {
            ASKS_OF_A_WAY_MAX.. => of_way().next().copied(),
            _ if self.order.len() >= ASKS_MAX => self.order.front().copied(),
            _ => None,
        };
        if let Some(oldest) = oldest {
            self.heard.remove(&oldest);
            self.order.retain(|id| *id != oldest);
        }
        self.heard.insert(id, Heard { package, from, at: now, answers: 0 });
        self.order.push_back(id);
        true
    }

    /// An answer came by a way: of which package it tells, and where it is to go on to (`None`: it is for us). Nothing if
    /// nobody asked for it here, or that way, or too many came.
    pub fn answered(&mut self, id: AskId, by: Way) -> Option<(ContentId, Option<Way>)> {
        let heard = self.heard.get_mut(&id).filter(|heard| heard.from != Some(by) && heard.answers < ANSWERS_MAX)?;
        heard.answers += 1;
        Some((heard.package, heard.from))
    }

    /// Whether an ask for the package came by that way.
    pub fn has_asked(&self, package: ContentId, way: Way) -> bool {
        self.heard.values().any(|heard| heard.package == package && heard.from == Some(way))
    }

    /// A way is gone.
    pub fn forget_way(&mut self, way: Way) {
        self.heard.retain(|_, heard| heard.from != Some(way));
        self.order.retain(|id| self.heard.contains_key(id));
    }

    /// Asks that are remembered.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    fn forget_old(&mut self, now: Time) {
        while let Some(id) = self.order.front() {
            if self.heard.get(id).is_some_and(|heard| now - heard.at < AGE_MAX) {
                return;
            }
            self.heard.remove(id);
            self.order.pop_front();
        }
    }
}
