//! Several trackers that run swarms together ([002]: "Trackers shall share and maintain node lists").
//!
//! A swarm has one *home*: the tracker whose state machine plans it. It is chosen by rendezvous hashing (Thaler and
//! Ravishankar, 1998) of the content's id among the trackers that live, so all choose the same without a word, and when
//! one goes only its swarms move. A peer may come to any tracker: that one *holds* its socket, and if the swarm's home is
//! another passes the peer's frames on to it, and its answers back. To the home it is a socket like any other, under a
//! number of its own.
//!
//! Trackers tell each other that they live by a *beat* a second; of whom nothing was heard for [`ClusterConfig::silence_ms_max`]
//! is gone, and so is who says good-bye. Then the peers of its swarms are asked to join again, by a second hello on the
//! socket that they have, and tell the new home which links they have, as after a restart; their transfers go on. A home also
//! tells the others who is in its swarms ([`lists`]). So whoever takes a swarm over knows whom it banned, and each tracker can
//! tell what all of them do.
//!
//! Views may differ for a moment. Who is passed a join to a swarm of which it does not think itself the home closes that
//! socket, and the peer comes again; nothing is passed on twice, so nothing goes in circles.
//!
//! Trackers believe each other: whoever can write to the channel between them is one of them.

pub(super) mod lists;
mod passing;

use core::time::Duration;
use std::collections::BTreeMap;

use super::contract::{ClusterConfig, Output, TrackerSeen};
use crate::ids::{ConnectionId, ContentId, TrackerId};
use crate::time::Time;
use crate::wire::cluster::{ClusterMessage, Envelope, VERSION};
use lists::Lists;

/// The home of a swarm: the tracker whose hash with the content's id is the highest. Whoever asks with the same trackers
/// gets the same, in whatever order they are. `None` only without any.
pub fn home_of(content: ContentId, trackers: impl IntoIterator<Item = TrackerId>) -> Option<TrackerId> {
    let score = |tracker: &TrackerId| {
        let hash = blake3::Hasher::new().update(tracker.as_bytes()).update(content.as_bytes()).finalize();
        (*hash.as_bytes(), *tracker)
    };
    trackers.into_iter().max_by_key(score)
}

/// Another tracker.
#[derive(Debug)]
struct Other {
    heard: Time,
    lives: bool,
    /// Of the run that was heard last.
    run: Option<u64>,
    /// That run has said good-bye: what is still on its way of it does not bring it back.
    has_gone: bool,
}

/// What is new about another tracker that was just heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    None,
    /// It lives, and did not before.
    Came,
    /// It lives still, but what it knew of sockets is lost.
    Restarted,
}

/// What a tracker knows of the others, and of the sockets that they hold for it.
#[derive(Debug)]
pub(super) struct Cluster {
    config: ClusterConfig,
    run: u64,
    others: BTreeMap<TrackerId, Other>,
    beat_at: Option<Time>,
    /// Sockets of peers of our swarms that others hold: who, and its number of it.
    remote: BTreeMap<ConnectionId, (TrackerId, u64)>,
    remote_by_holder: BTreeMap<(TrackerId, u64), ConnectionId>,
    remote_named: u64,
    pub(super) lists: Lists,
}

impl Cluster {
    /// At the start all others count as alive, or each would take all swarms for its own until it has heard of them.
    pub(super) fn new(config: Option<&ClusterConfig>, run: u64, now: Time) -> Self {
        let config = config.cloned().unwrap_or_else(ClusterConfig::alone);
        let other = || Other { heard: now, lives: true, run: None, has_gone: false };
        let others: BTreeMap<_, _> =
            config.others.iter().filter(|id| **id != config.me).map(|id| (*id, other())).collect();
        Self {
            run,
            beat_at: (!others.is_empty()).then_some(now),
            others,
            config,
            remote: BTreeMap::new(),
            remote_by_holder: BTreeMap::new(),
            remote_named: 0,
            lists: Lists::default(),
        }
    }

    pub(super) fn next_beat(&self) -> Option<Time> {
        self.beat_at
    }

    /// The other tracker that runs a swarm; `None` if it is this one.
    pub(super) fn home_elsewhere(&self, content: ContentId) -> Option<TrackerId> {
        if self.others.is_empty() {
            return None;
        }
        home_of(content, self.living().chain([self.config.me])).filter(|home| *home != self.config.me)
    }

    /// Sockets that others hold.
    pub(super) fn remote_count(&self) -> usize {
        self.remote.len()
    }

    /// For people: the other trackers, and what they told.
    pub(super) fn seen(&self) -> Vec<TrackerSeen> {
        let seen = self.others.iter().map(|(id, other)| {
            let (swarms, peers) = self.lists.told_by(*id);
            TrackerSeen { tracker: *id, lives: other.lives, swarms, peers }
        });
        seen.collect()
    }

    /// What the adapter is to do, if `output` concerns a socket that another holds; else `output`.
    pub(super) fn route(&mut self, output: Output) -> Output {
        match output {
            Output::Send { connection, text } => match self.remote.get(&connection) {
                Some((to, socket)) => {
                    self.telling(*to, Some(connection), ClusterMessage::Say { socket: *socket, text })
                }
                None => Output::Send { connection, text },
            },
            Output::Close { connection } => match self.forget_remote(connection) {
                Some((to, socket)) => self.telling(to, None, ClusterMessage::Close { socket }),
                None => Output::Close { connection },
            },
            other => other,
        }
    }

    fn telling(&self, to: TrackerId, about: Option<ConnectionId>, message: ClusterMessage) -> Output {
        let envelope = Envelope { version: VERSION, from: self.config.me, run: self.run, message };
        Output::Tell { to, about, text: envelope.encode() }
    }

    fn living(&self) -> impl Iterator<Item = TrackerId> {
        self.others.iter().filter(|(_, other)| other.lives).map(|(id, _)| *id)
    }

    /// Something came from another tracker; `None` if it is not to be heard.
    fn note(&mut self, from: TrackerId, run: u64, now: Time) -> Option<News> {
        let other = self.others.get_mut(&from)?;
        let is_same_run = other.run == Some(run);
        if is_same_run && other.has_gone {
            return None;
        }
        let news = match (other.lives, other.run.is_none() || is_same_run) {
            (false, _) => News::Came,
            (true, true) => News::None,
            (true, false) => News::Restarted,
        };
        *other = Other { heard: now, lives: true, run: Some(run), has_gone: false };
        Some(news)
    }

    fn note_bye(&mut self, from: TrackerId) {
        if let Some(other) = self.others.get_mut(&from) {
            (other.lives, other.has_gone) = (false, true);
        }
    }

    /// Whose silence is too long now.
    fn take_silent(&mut self, now: Time) -> Vec<TrackerId> {
        let silence_max = Duration::from_millis(self.config.silence_ms_max);
        let silent = self.others.iter_mut().filter(|(_, other)| other.lives && now - other.heard >= silence_max);
        silent
            .map(|(id, other)| {
                other.lives = false;
                *id
            })
            .collect()
    }

    /// A name for a socket that another holds. One that it named the same before is gone; its older name is returned too.
    fn name_remote(&mut self, holder: TrackerId, socket: u64) -> (ConnectionId, Option<ConnectionId>) {
        let connection = ConnectionId(ConnectionId::REMOTE_FIRST + self.remote_named);
        self.remote_named += 1;
        let older = self.remote_by_holder.insert((holder, socket), connection);
        if let Some(older) = older {
            self.remote.remove(&older);
        }
        self.remote.insert(connection, (holder, socket));
        (connection, older)
    }

    fn forget_remote(&mut self, connection: ConnectionId) -> Option<(TrackerId, u64)> {
        let named = self.remote.remove(&connection)?;
        self.remote_by_holder.remove(&named);
        Some(named)
    }

    fn remote_of(&self, holder: TrackerId) -> Vec<ConnectionId> {
        let from = self.remote_by_holder.range((holder, 0)..=(holder, u64::MAX));
        from.map(|(_, connection)| *connection).collect()
    }
}
