//! A picture of a forest for people: who feeds whom, at most [`PEERS_MAX`] of them, and not who they are.
//!
//! Peers are numbered as they are listed. Of a public id only the beginning is told, enough for a page to find itself and
//! its neighbours and too little to name a peer to the tracker; secrets and addresses are not known here at all.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::ids::PeerId;

/// Most peers of a picture: more than anybody can tell apart. Whoever chooses them puts roots and interiors first; the
/// others are counted in [`Picture::left_out`].
pub const PEERS_MAX: usize = 200;
/// Bytes of an id that are told.
const ID_BYTES: usize = 4;

/// Where a peer stands, as the arrangement of a swarm knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Who.
    pub peer: PeerId,
    /// Whether it had everything when it came.
    pub origin: bool,
    /// Whether it has everything.
    pub complete: bool,
    /// Edges to the nearest root, over all stripes; `None` if nothing can reach it.
    pub depth: Option<u32>,
    /// Children that it has, in all stripes together.
    pub children: u16,
    /// What others got from it together when they were asked last, in bytes a second; `None` before.
    pub up_bytes_per_s: Option<u64>,
    /// Its parent in each stripe.
    pub parents: Vec<Option<PeerId>>,
}

/// A forest at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Picture {
    /// Trees.
    pub stripes: u8,
    /// Peers of the swarm, those left out among them.
    pub peers_total: usize,
    /// Of these, how many are not in `peers`.
    pub left_out: usize,
    /// Roots first, then by depth.
    pub peers: Vec<PicturePeer>,
}

/// One peer of a picture. Its number is its place in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PicturePeer {
    /// The first eight hexadecimal digits of its public id.
    pub id: String,
    /// Whether it had everything when it came.
    pub origin: bool,
    /// Whether it has everything.
    pub complete: bool,
    /// How much it holds, as it said last, in thousandths, rounded down.
    pub held_permille: u16,
    /// See [`Standing::depth`].
    pub depth: Option<u32>,
    /// See [`Standing::children`].
    pub children: u16,
    /// See [`Standing::up_bytes_per_s`].
    pub up_bytes_per_s: Option<u64>,
    /// The number of its parent in each stripe; `None` if it has none there, or one that is left out.
    pub parents: Vec<Option<u16>>,
}

impl Picture {
    /// A picture of these peers, at most [`PEERS_MAX`], of a swarm of `peers_total`. `held_permille` tells how much one
    /// holds.
    pub fn new(
        stripes: u8,
        peers_total: usize,
        mut standings: Vec<Standing>,
        held_permille: impl Fn(PeerId) -> u16,
    ) -> Self {
        standings.truncate(PEERS_MAX);
        standings.sort_by_key(|standing| (standing.depth.unwrap_or(u32::MAX), !standing.origin, standing.peer));
        let listed = standings.iter().zip(0_u16..).map(|(standing, number)| (standing.peer, number));
        let numbers: BTreeMap<PeerId, u16> = listed.collect();
        let peers = standings.into_iter().map(|standing| PicturePeer {
            id: standing.peer.to_string()[..2 * ID_BYTES].to_owned(),
            origin: standing.origin,
            complete: standing.complete,
            held_permille: if standing.complete { 1_000 } else { held_permille(standing.peer) },
            depth: standing.depth,
            children: standing.children,
            up_bytes_per_s: standing.up_bytes_per_s,
            parents: standing.parents.iter().map(|parent| numbers.get(&(*parent)?).copied()).collect(),
        });
        let peers: Vec<PicturePeer> = peers.collect();
        Self { stripes, peers_total, left_out: peers_total.saturating_sub(peers.len()), peers }
    }
}
