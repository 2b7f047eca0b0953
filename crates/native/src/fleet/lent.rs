//! The machine's own key, in swarms: what others receive of it is so known to be its doing, from day to day.
//!
//! One node of each swarm has it at a time, since two would take each other's place at the tracker. A second one, which a
//! machine has that gets the same content by two deliveries, is somebody new.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use pleach_core::ids::ContentId;
use pleach_core::wire::identity::Identity;

/// The key, and the swarms in which a node has it.
#[derive(Debug)]
pub(super) struct Lent {
    identity: Identity,
    to: Mutex<BTreeSet<ContentId>>,
}

impl Lent {
    pub(super) fn new(identity: Identity) -> Arc<Self> {
        Arc::new(Self { identity, to: Mutex::default() })
    }

    /// For a node of this swarm; nothing if another has it.
    pub(super) fn lend(lent: &Arc<Self>, content: ContentId) -> Option<Loan> {
        let is_free = lent.to.lock().unwrap_or_else(PoisonError::into_inner).insert(content);
        is_free.then(|| Loan { lent: Arc::clone(lent), content })
    }
}

/// One node has the key of the machine. Dropped, it is given back.
#[derive(Debug)]
pub(super) struct Loan {
    lent: Arc<Lent>,
    content: ContentId,
}

impl Loan {
    pub(super) fn identity(&self) -> Identity {
        self.lent.identity.clone()
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        self.lent.to.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.content);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_node_of_a_swarm_has_it_at_a_time() {
        let lent = Lent::new(Identity::from_seed([1; 32]));
        let swarm = |n| ContentId::from_bytes([n; 32]);
        let first = Lent::lend(&lent, swarm(1)).expect("nobody has it");
        assert!(Lent::lend(&lent, swarm(1)).is_none() && Lent::lend(&lent, swarm(2)).is_some());
        drop(first);
        assert!(Lent::lend(&lent, swarm(1)).is_some(), "it was given back");
    }
}
