//! The channels between trackers that run swarms together, in one process.
//!
//! What goes over them is what could go between processes: texts of [`pleach_core::wire::cluster`], and manifests as they are.
//! Which swarm runs where, and what becomes of a message that is lost, is the state machine's affair
//! ([`pleach_core::tracker`]).
//!
//! A driver never waits for another, or two could wait for each other for ever: what finds a channel full is dropped, and the
//! socket that it is about with it; its peer comes again. A manifest that is dropped is not to be had there until somebody who
//! has everything is asked for it.

use std::collections::HashMap;
use std::net::SocketAddr;

use bytes::Bytes;
use pleach_core::ids::TrackerId;
use pleach_core::tracker::ClusterConfig;
use tokio::sync::mpsc;

/// Most that waits for one tracker, of all others together, at least. At the bound more is dropped.
const SAID_MIN: usize = 4 * 1024;
/// The same for each socket that a tracker may hold: one look at all swarms can have something to say to every peer, more than
/// once, before the holder has taken any of it.
const SAID_PER_SOCKET: usize = 4;
/// Most trackers of one process.
pub(crate) const TRACKERS_MAX: usize = 16;

/// What one tracker says to another.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    /// A message of the state machine.
    Message(String),
    /// A manifest that was published there.
    Manifest(Bytes),
}

/// One tracker's ends of the channels.
pub(crate) struct Links {
    to: HashMap<TrackerId, mpsc::Sender<Said>>,
    heard: mpsc::Receiver<Said>,
}

impl Links {
    /// Those of a tracker without others.
    pub(crate) fn alone() -> Self {
        Self { to: HashMap::new(), heard: mpsc::channel(1).1 }
    }

    /// Waits for what others say, and takes up to `count_max` of it. Without others, or when all are gone, it waits for ever.
    pub(crate) async fn hear(&mut self, said: &mut Vec<Said>, count_max: usize) {
        if self.heard.recv_many(said, count_max).await == 0 {
            std::future::pending().await
        }
    }

    /// Says something to another; false if it can't be said.
    pub(crate) fn tell(&self, to: TrackerId, said: Said) -> bool {
        self.to.get(&to).is_some_and(|channel| channel.try_send(said).is_ok())
    }

    /// Says something to all others that can take it.
    pub(crate) fn tell_all(&self, said: &Said) {
        for channel in self.to.values() {
            let _ = channel.try_send(said.clone());
        }
    }
}

/// A place in the cluster for each tracker, by the address that it listens at; none for one alone. Each may hold `sockets_max`
/// sockets.
pub(crate) fn places(addresses: &[SocketAddr], sockets_max: usize) -> Vec<(Option<ClusterConfig>, Links)> {
    if addresses.len() < 2 {
        return addresses.iter().map(|_| (None, Links::alone())).collect();
    }
    let ids: Vec<TrackerId> = addresses.iter().map(|address| TrackerId::of_name(&address.to_string())).collect();
    let said_max = said_max(sockets_max);
    let channels: Vec<_> = ids.iter().map(|id| (*id, mpsc::channel(said_max))).collect();
    let senders: HashMap<TrackerId, mpsc::Sender<Said>> =
        channels.iter().map(|(id, (sender, _))| (*id, sender.clone())).collect();
    let place = |(me, (_, heard))| {
        let others = ids.iter().copied().filter(|id| *id != me).collect();
        let to = senders.iter().filter(|(id, _)| **id != me).map(|(id, sender)| (*id, sender.clone())).collect();
        (Some(ClusterConfig::new(me, others)), Links { to, heard })
    };
    channels.into_iter().map(place).collect()
}

fn said_max(sockets_max: usize) -> usize {
    sockets_max.saturating_mul(SAID_PER_SOCKET).clamp(SAID_MIN, tokio::sync::Semaphore::MAX_PERMITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID_MAX: usize = SAID_MIN;

    fn two() -> (Links, Links, TrackerId) {
        let addresses = ["127.0.0.1:1", "127.0.0.1:2"].map(|address| address.parse().unwrap());
        let mut places = places(&addresses, 1);
        let (second, first) = (places.pop().unwrap(), places.pop().unwrap());
        assert_eq!(first.0.unwrap().others, [second.0.as_ref().unwrap().me]);
        (first.1, second.1, second.0.unwrap().me)
    }

    #[tokio::test]
    async fn a_full_channel_drops_what_is_new_and_keeps_the_order_of_the_rest() {
        let (first, mut second, id) = two();
        let taken = (0..2 * SAID_MAX).filter(|n| first.tell(id, Said::Message(n.to_string()))).count();
        assert_eq!(taken, SAID_MAX);
        let mut said = Vec::new();
        while said.len() < SAID_MAX {
            second.hear(&mut said, SAID_MAX).await;
        }
        let texts = said.iter().map(|said| match said {
            Said::Message(text) => text.parse::<usize>().unwrap(),
            Said::Manifest(_) => panic!("nobody said that"),
        });
        assert!(texts.eq(0..SAID_MAX), "the first ones, in order");
        assert!(first.tell(id, Said::Message("again".to_owned())), "there is room again");
    }

    #[tokio::test]
    async fn who_is_gone_takes_nothing() {
        let (first, second, id) = two();
        drop(second);
        assert!(!first.tell(id, Said::Message("hello".to_owned())));
    }
}
