//! What must come about once the last fault is over: every honest peer that is there has everything, within a bound of
//! simulated time that the scenario sets. Whoever has not is told of, with a word on why.

use pleach_core::peer::LinkStats;

use crate::network::NodeId;
use crate::world::{Fate, World};

/// Honest peers that are there and do not have everything.
pub(crate) fn stuck(world: &World) -> Vec<String> {
    world.awaited().into_iter().map(|id| describe(world, id)).collect()
}

fn describe(world: &World, id: NodeId) -> String {
    let Some(Fate { stats, .. }) = world.fate(id) else { return format!("peer {} has not started", id.0) };
    let link = |link: &LinkStats| {
        let far = world.named(link.peer).map_or(u32::MAX, |far| far.0);
        let LinkStats { role, packets_held, received_bytes, sent_bytes, .. } = link;
        format!("{far}:{role:?} has {packets_held} in {received_bytes} out {sent_bytes}")
    };
    let links: Vec<String> = stats.links.iter().map(link).collect();
    format!(
        "peer {} {:?} has {} of {}, tracker {}, links [{}]",
        id.0,
        stats.phase,
        stats.have_bytes,
        stats.size_bytes,
        if stats.tracker_up { "up" } else { "down" },
        links.join(", ")
    )
}
