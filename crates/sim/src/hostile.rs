//! Peers that do harm: honest engines whose outputs are bent, or that say more than an engine would.

use bytes::{Bytes, BytesMut};
use pleach_core::content::Geometry;
use pleach_core::peer::Output;
use pleach_core::wire::link::{LinkMessage, Run};
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How a peer behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduct {
    /// As it should.
    Honest,
    /// Bends a bit in every data message.
    Liar,
    /// Bends a bit in one of so many data messages.
    RareLiar(u32),
    /// Says that it has everything, and refuses what it is asked for.
    Boaster,
    /// Sends no data at all, whatever it has.
    Miser,
    /// Sends random bytes on its links and to the tracker.
    Garbler,
    /// Sends messages far above the limit.
    Oversize,
    /// Sends small valid messages as fast as it can.
    Flooder,
}

/// Bends one peer's outputs.
#[derive(Debug)]
pub(crate) struct Bender {
    pub(crate) conduct: Conduct,
    rng: ChaCha8Rng,
}

impl Bender {
    pub(crate) fn new(conduct: Conduct, seed: u64) -> Self {
        Self { conduct, rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    pub(crate) fn is_honest(&self) -> bool {
        self.conduct == Conduct::Honest
    }

    /// Whether it sends of its own accord.
    pub(crate) fn is_talker(&self) -> bool {
        matches!(self.conduct, Conduct::Garbler | Conduct::Oversize | Conduct::Flooder)
    }

    /// What really goes out instead of `output`, if anything does.
    pub(crate) fn bend(&mut self, output: Output, geometry: &Geometry) -> Option<Output> {
        let Output::SendLink { link, message } = output else { return Some(output) };
        let message = match (self.conduct, LinkMessage::decode(&message, geometry)) {
            (Conduct::Liar, Ok(LinkMessage::Data(_))) => self.flip_bit(&message),
            (Conduct::Miser, Ok(LinkMessage::Data(_))) => return None,
            (Conduct::RareLiar(one_in), Ok(LinkMessage::Data(_))) if self.rng.random_ratio(1, one_in) => {
                self.flip_bit(&message)
            }
            (Conduct::Boaster, Ok(LinkMessage::Hello { content, agent, .. })) => {
                let have = vec![Run { first: 0, count: geometry.packets() }];
                LinkMessage::Hello { content, agent, have }.encode()
            }
            _ => message,
        };
        Some(Output::SendLink { link, message })
    }

    fn flip_bit(&mut self, message: &Bytes) -> Bytes {
        let mut bent = BytesMut::from(&message[..]);
        let last = bent.len() - 1;
        bent[last] ^= 1 << self.rng.random_range(0..8);
        bent.freeze()
    }

    /// What a talker says on one link this time.
    pub(crate) fn talk(&mut self, geometry: &Geometry) -> Vec<Bytes> {
        match self.conduct {
            Conduct::Garbler => vec![self.random_bytes(1, 2_000)],
            Conduct::Oversize => vec![self.random_bytes(1 << 20, 2 << 20)],
            Conduct::Flooder => (0..200).map(|_| self.small_message(geometry)).collect(),
            Conduct::Honest | Conduct::Liar | Conduct::RareLiar(_) | Conduct::Boaster | Conduct::Miser => Vec::new(),
        }
    }

    fn random_bytes(&mut self, least: usize, most: usize) -> Bytes {
        let mut bytes = vec![0; self.rng.random_range(least..most)];
        self.rng.fill_bytes(&mut bytes);
        bytes.into()
    }

    fn small_message(&mut self, geometry: &Geometry) -> Bytes {
        let everything = vec![Run { first: 0, count: geometry.packets() }];
        let message = match self.rng.random_range(0..5) {
            0 => LinkMessage::Ping { nonce: self.rng.random() },
            1 => LinkMessage::Subscribe {
                stripes: self.rng.random_range(1..=16),
                mask: self.rng.random(),
                from: self.rng.random_range(0..geometry.packets().max(1)),
            },
            2 => LinkMessage::Have { packets: everything },
            3 => LinkMessage::Cancel { packets: everything },
            _ => LinkMessage::Request { packets: everything, partial: Vec::new() },
        };
        message.encode()
    }
}
