//! Asks that were heard: each is taken up once, and its answers go back the way it came.
//!
//! | what | bound | at the bound |
//! |---|---|---|
//! | asks that are remembered | [`ASKS_MAX`], of one way [`ASKS_OF_A_WAY_MAX`] | the oldest is forgotten: answers to it are dropped |
//! | how long | [`AGE_MAX`], as long as what was answered counts | as above |
//! | answers to one ask | [`ANSWERS_MAX`] | more are dropped |

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
    id: AskId,
    package: ContentId,
    /// Where it came from; `None`: it is ours.
    from: Option<Way>,
    at: Time,
    answers: u8,
}

/// What is remembered, the oldest first.
#[derive(Debug, Default)]
pub struct Asks(Vec<Heard>);

impl Asks {
    /// Takes an ask up, ours or another's. `false` if it was heard before.
    pub fn begin(&mut self, id: AskId, package: ContentId, from: Option<Way>, now: Time) -> bool {
        if self.0.iter().any(|heard| heard.id == id) {
            return false;
        }
        self.0.retain(|heard| now - heard.at < AGE_MAX);
        let of_way = self.0.iter().filter(|heard| heard.from == from).count();
        let oldest = if of_way >= ASKS_OF_A_WAY_MAX {
            self.0.iter().position(|heard| heard.from == from)
        } else {
            (self.0.len() >= ASKS_MAX).then_some(0)
        };
        if let Some(oldest) = oldest {
            self.0.remove(oldest);
        }
        self.0.push(Heard { id, package, from, at: now, answers: 0 });
        true
    }

    /// An answer came by a way: of which package it tells, and where it is to go on to (`None`: it is for us). Nothing if
    /// nobody asked for it here, or that way, or too many came.
    pub fn answered(&mut self, id: AskId, by: Way) -> Option<(ContentId, Option<Way>)> {
        let heard = self.0.iter_mut().find(|heard| heard.id == id)?;
        if heard.from == Some(by) || heard.answers >= ANSWERS_MAX {
            return None;
        }
        heard.answers += 1;
        Some((heard.package, heard.from))
    }

    /// Whether an ask for the package came by that way.
    pub fn has_asked(&self, package: ContentId, way: Way) -> bool {
        self.0.iter().any(|heard| heard.package == package && heard.from == Some(way))
    }

    /// A way is gone.
    pub fn forget_way(&mut self, way: Way) {
        self.0.retain(|heard| heard.from != Some(way));
    }

    /// Asks that are remembered.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
