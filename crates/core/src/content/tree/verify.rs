//! From bytes and proof to known nodes.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::hash::{self, Hash};
use super::{HashTree, NodeId, PACKET_LEVEL, PACKET_NODES, PROOF_NODES_MAX, Pair, ProofNode};
use crate::content::geometry::{GROUPS_PER_PACKET, GroupIndex, PacketIndex};

/// Why bytes were not believed. Nothing of them, or of their proof, is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The bytes are no whole groups of one packet.
    #[error("the bytes are not one to four whole groups of one packet")]
    Length,
    /// More than [`PROOF_NODES_MAX`].
    #[error("the proof has {0} nodes, more than {PROOF_NODES_MAX}")]
    TooManyNodes(usize),
    /// The proof has a node that is not on the way from the groups to the root.
    #[error("the proof has a node that does not belong to it: level {}, index {}", .0.level, .0.index)]
    Unneeded(NodeId),
    /// The proof has a node twice.
    #[error("the proof has a node twice: level {}, index {}", .0.level, .0.index)]
    Twice(NodeId),
    /// A node that is needed is neither known nor in the proof.
    #[error("the proof lacks a node")]
    Missing,
    /// The bytes, or the proof, are not the content's.
    #[error("the bytes or their proof do not belong to the content")]
    Mismatch,
}

/// Where a node belongs: in the tree over packets, or in the one inside the packet in question.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Upper(u32),
    Lower(u32),
}

/// The nodes of a proof that were not used yet.
struct Proof(BTreeMap<Place, ProofNode>);

/// What a verification teaches, to be remembered once all of it has succeeded.
struct Learnt {
    packet: PacketIndex,
    lower: Option<[Option<Hash>; PACKET_NODES]>,
    /// The lowest first.
    upper: Vec<Pair>,
}

/// Some groups of a packet that are being verified.
struct Part<'a> {
    packet: PacketIndex,
    /// Numbers of the groups within the packet.
    groups: core::ops::Range<u32>,
    bytes: &'a [u8],
}

impl HashTree {
    /// Verifies `bytes`, which are one to four whole groups of one packet (the content's last group may be short), with
    /// the help of `proof`: the siblings on the way up to a node that is known here, in any order. Nodes that are known
    /// already may be there too, and must be right.
    ///
    /// On success all nodes on the way become known. On failure nothing changes.
    pub fn verify(&mut self, first: GroupIndex, bytes: &[u8], proof: &[ProofNode]) -> Result<(), VerifyError> {
        let learnt = self.check(first, bytes, proof)?;
        for pair in learnt.upper.into_iter().rev() {
            self.learn_pair(pair);
        }
        if let Some(lower) = learnt.lower {
            let known = self.lower.entry(learnt.packet.get()).or_default();
            for (known, new) in known.iter_mut().zip(lower) {
                *known = known.or(new);
            }
        }
        Ok(())
    }

    fn check(&self, first: GroupIndex, bytes: &[u8], proof: &[ProofNode]) -> Result<Learnt, VerifyError> {
        let part = self.part(first, bytes).ok_or(VerifyError::Length)?;
        let mut proof = self.sort_proof(part.packet, proof)?;
        let shape = self.lower_shape(part.packet);
        let (packet_hash, lower) = if part.groups == shape.leaves_under(shape.root()) {
            (self.hash_packet(self.geometry.packet_range(part.packet), bytes), None)
        } else {
            let mut lower = [None; PACKET_NODES];
            (self.climb_lower(&part, shape.root(), &mut proof, &mut lower)?, Some(lower))
        };
        let upper = self.climb_upper(part.packet, packet_hash, &mut proof)?;
        match proof.0.into_values().next() {
            Some(unused) => Err(VerifyError::Unneeded(unused.node)),
            None => Ok(Learnt { packet: part.packet, lower, upper }),
        }
    }

    fn part<'a>(&self, first: GroupIndex, bytes: &'a [u8]) -> Option<Part<'a>> {
        let count = bytes.len().div_ceil(self.geometry.group_bytes() as usize);
        let range = self.geometry.groups_range(first, u32::try_from(count).ok()?)?;
        if range.len() != bytes.len() as u64 {
            return None;
        }
        let start = self.group_in_packet(first);
        Some(Part { packet: self.geometry.packet_of(first), groups: start..start + count as u32, bytes })
    }

    fn sort_proof(&self, packet: PacketIndex, proof: &[ProofNode]) -> Result<Proof, VerifyError> {
        if proof.len() > PROOF_NODES_MAX {
            return Err(VerifyError::TooManyNodes(proof.len()));
        }
        let mut sorted = BTreeMap::new();
        for node in proof {
            let place = self.place_of(packet, node.node).ok_or(VerifyError::Unneeded(node.node))?;
            match sorted.entry(place) {
                Entry::Vacant(entry) => entry.insert(*node),
                Entry::Occupied(_) => return Err(VerifyError::Twice(node.node)),
            };
        }
        Ok(Proof(sorted))
    }

    /// The place of a node that may be part of a proof about this packet.
    fn place_of(&self, packet: PacketIndex, node: NodeId) -> Option<Place> {
        if let Some(level) = node.level.checked_sub(PACKET_LEVEL) {
            return self.upper_shape().place(level, node.index).map(Place::Upper);
        }
        let first_in_packet = packet.get().checked_mul(GROUPS_PER_PACKET >> node.level)?;
        let index = node.index.checked_sub(first_in_packet)?;
        self.lower_shape(packet).place(node.level, index).map(Place::Lower)
    }

    /// The hash of a node of the packet's own tree: hashed from the part's bytes if it covers some of them, otherwise
    /// known or taken from the proof. Puts all it sees into `seen`, but for the packet's node.
    fn climb_lower(
        &self,
        part: &Part<'_>,
        place: u32,
        proof: &mut Proof,
        seen: &mut [Option<Hash>; PACKET_NODES],
    ) -> Result<Hash, VerifyError> {
        let shape = self.lower_shape(part.packet);
        let known = self.lower_hash(part.packet, place);
        let leaves = shape.leaves_under(place);
        let hash = if leaves.end <= part.groups.start || part.groups.end <= leaves.start {
            proof.take_or_known(Place::Lower(place), known)?
        } else if let Some((left, right)) = shape.children(place) {
            let left = self.climb_lower(part, left, proof, seen)?;
            let right = self.climb_lower(part, right, proof, seen)?;
            hash::parent(&left, &right, place == shape.root() && self.is_one_packet())
        } else {
            let from_first = leaves.start - part.groups.start..leaves.end - part.groups.start;
            let offset = self.geometry.packet_range(part.packet).start;
            let offset = offset + u64::from(leaves.start) * u64::from(self.geometry.group_bytes());
            hash::subtree(offset, self.groups_of_packet(part.bytes, from_first))
        };
        if known.is_some_and(|known| *known != hash) {
            return Err(VerifyError::Mismatch);
        }
        if place != shape.root() {
            seen[place as usize] = Some(hash);
        }
        Ok(hash)
    }

    /// Climbs from a packet's node to one that is known, and returns the pairs that it passed, the lowest first. What
    /// the proof holds beyond the known node has to agree with what is known there.
    fn climb_upper(&self, packet: PacketIndex, packet_hash: Hash, proof: &mut Proof) -> Result<Vec<Pair>, VerifyError> {
        let shape = self.upper_shape();
        let mut passed = Vec::new();
        let mut place = shape.place(0, packet.get()).ok_or(VerifyError::Length)?;
        let mut climbing = Some(packet_hash);
        let mut steps = shape.climb(packet.get());
        loop {
            if let (Some(hash), Some(known)) = (climbing, self.upper_hash(place)) {
                if hash != *known {
                    return Err(VerifyError::Mismatch);
                }
                climbing = None;
            }
            let Some(step) = steps.next() else { break };
            if climbing.is_none() && proof.0.is_empty() {
                break;
            }
            let sibling = proof.take_or_known(Place::Upper(step.sibling), self.upper_hash(step.sibling))?;
            if let Some(hash) = climbing {
                let (node, sibling) = ((step.node, hash), (step.sibling, sibling));
                let (left, right) = if step.sibling_is_left { (sibling, node) } else { (node, sibling) };
                climbing = Some(hash::parent(&left.1, &right.1, step.parent == shape.root()));
                passed.push(Pair { parent: step.parent, left, right });
            }
            place = step.parent;
        }
        Ok(passed)
    }
}

impl Proof {
    /// The hash of a node that is needed: the known one, with which the proof must agree if it has it, or the proof's.
    fn take_or_known(&mut self, place: Place, known: Option<&Hash>) -> Result<Hash, VerifyError> {
        match (self.0.remove(&place), known) {
            (Some(given), Some(known)) if given.hash != *known => Err(VerifyError::Mismatch),
            (_, Some(known)) => Ok(*known),
            (Some(given), None) => Ok(given.hash),
            (None, None) => Err(VerifyError::Missing),
        }
    }
}
