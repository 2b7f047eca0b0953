//! What trackers say to each other, sent and followed: frames of sockets that one holds and another serves, beats, lists, and
//! swarms that find another home.

use core::time::Duration;
use std::collections::BTreeSet;

use super::super::contract::{Event, Output};
use super::super::{Connection, Tracker};
use super::News;
use crate::ids::{ConnectionId, ContentId, SocketNonce, TrackerId};
use crate::time::Time;
use crate::wire::cluster::{ClusterMessage, Envelope};
use crate::wire::tracker::FromTracker;

impl Tracker {
    /// A beat is due: tells the others that this tracker lives and who is in its swarms, and sees who has gone silent.
    pub(in crate::tracker) fn beat(&mut self, now: Time) {
        self.cluster.beat_at = Some(now + Duration::from_millis(self.cluster.config.beat_ms));
        self.tell_trackers(&ClusterMessage::Beat);
        let silent = self.cluster.take_silent(now);
        for tracker in &silent {
            self.lose_tracker(*tracker, now);
        }
        if !silent.is_empty() {
            self.rehome(now);
        }
        self.cluster.lists.forget_old(now);
        for swarm in self.cluster.lists.take_due(&self.swarms, now) {
            let list = self.swarms.get(&swarm).map_or_else(|| super::lists::nobody(swarm), |state| state.list(swarm));
            self.tell_trackers(&ClusterMessage::List(list));
        }
    }

    /// This tracker stops: the others need not wait for its silence.
    pub(in crate::tracker) fn say_bye(&mut self) {
        self.tell_trackers(&ClusterMessage::Bye);
    }

    /// Another tracker says something.
    pub(in crate::tracker) fn heard(&mut self, text: &str, now: Time) {
        let Envelope { from, run, message, .. } = match Envelope::decode(text) {
            Ok(envelope) => envelope,
            Err(error) => {
                return self.outputs.push_back(Output::Event(Event::NotUnderstood { reason: error.to_string() }));
            }
        };
        let Some(news) = self.cluster.note(from, run, now) else { return };
        if news != News::None {
            self.outputs.push_back(Output::Event(Event::TrackerCame { tracker: from }));
            self.part_from(from, now);
            self.cluster.lists.tell_all_again();
            self.rehome(now);
        }
        match message {
            ClusterMessage::Open { socket, nonce, text } => self.open_remote(from, socket, nonce, &text, now),
            ClusterMessage::Frame { socket, text } => match self.cluster.remote_by_holder.get(&(from, socket)).copied()
            {
                Some(connection) => self.message(connection, &text, now),
                None => self.tell_tracker(from, None, ClusterMessage::Close { socket }),
            },
            ClusterMessage::Gone { socket } => {
                if let Some(connection) = self.cluster.remote_by_holder.get(&(from, socket)).copied() {
                    self.lose_remote(connection, now);
                }
            }
            ClusterMessage::Say { socket, text } => self.say_for(from, ConnectionId(socket), text),
            ClusterMessage::Close { socket } => self.close_for(from, ConnectionId(socket)),
            ClusterMessage::List(list) => {
                if !self.swarms.contains_key(&list.swarm) {
                    self.cluster.lists.take(from, list, self.config.swarms_max, now);
                }
            }
            ClusterMessage::Bye => {
                self.cluster.note_bye(from);
                self.lose_tracker(from, now);
                self.rehome(now);
            }
            ClusterMessage::Beat | ClusterMessage::Unknown => {}
        }
    }

    /// A peer wants to join a swarm whose home is another tracker: from now on its frames go there.
    pub(in crate::tracker) fn hand_over(
        &mut self,
        connection: ConnectionId,
        swarm: ContentId,
        home: TrackerId,
        join: &str,
    ) {
        if connection.is_remote() {
            // Another view of who lives; nothing is passed on twice.
            self.outputs.push_back(Output::Close { connection });
            self.connections.remove(&connection);
            return;
        }
        let Some(entry) = self.connections.get_mut(&connection) else { return };
        (entry.home, entry.joins_again) = (Some((home, swarm)), false);
        let open = ClusterMessage::Open { socket: connection.0, nonce: entry.nonce, text: join.to_owned() };
        self.tell_tracker(home, Some(connection), open);
    }

    /// Passes a frame on to the home of its peer's swarm; false if the peer has none elsewhere.
    pub(in crate::tracker) fn pass_on(&mut self, connection: ConnectionId, text: &str) -> bool {
        let Some((home, _)) = self.connections.get(&connection).and_then(|entry| entry.home) else { return false };
        self.tell_tracker(
            home,
            Some(connection),
            ClusterMessage::Frame { socket: connection.0, text: text.to_owned() },
        );
        true
    }

    /// Forgets a socket, and says so to the home of its peer's swarm.
    pub(in crate::tracker) fn forget_connection(&mut self, connection: ConnectionId) -> Option<Connection> {
        let entry = self.connections.remove(&connection)?;
        if let Some((home, _)) = entry.home {
            self.tell_tracker(home, None, ClusterMessage::Gone { socket: connection.0 });
        }
        Some(entry)
    }

    /// What is said about a socket that another holds did not get to it: its peer is to come again.
    pub(in crate::tracker) fn lose_remote(&mut self, connection: ConnectionId, now: Time) {
        self.disconnected(connection, now);
        if let Some((holder, socket)) = self.cluster.forget_remote(connection) {
            self.tell_tracker(holder, None, ClusterMessage::Close { socket });
        }
    }

    /// A peer of one of our swarms is at another tracker.
    fn open_remote(&mut self, holder: TrackerId, socket: u64, nonce: SocketNonce, join: &str, now: Time) {
        let (connection, older) = self.cluster.name_remote(holder, socket);
        if let Some(older) = older {
            self.disconnected(older, now);
        }
        let entry = self.new_connection(nonce, now);
        self.connections.insert(connection, entry);
        self.sweep_soon(now);
        self.message(connection, join, now);
    }

    /// Says something to a peer at a socket here, for the home of its swarm.
    fn say_for(&mut self, home: TrackerId, connection: ConnectionId, text: String) {
        if self.is_held_for(home, connection) {
            self.outputs.push_back(Output::Send { connection, text });
        } else {
            self.tell_tracker(home, None, ClusterMessage::Gone { socket: connection.0 });
        }
    }

    fn close_for(&mut self, home: TrackerId, connection: ConnectionId) {
        if self.is_held_for(home, connection) {
            self.connections.remove(&connection);
            self.outputs.push_back(Output::Close { connection });
        }
    }

    fn is_held_for(&self, home: TrackerId, connection: ConnectionId) -> bool {
        self.connections.get(&connection).and_then(|entry| entry.home).is_some_and(|(of, _)| of == home)
    }

    fn lose_tracker(&mut self, tracker: TrackerId, now: Time) {
        self.outputs.push_back(Output::Event(Event::TrackerGone { tracker }));
        self.part_from(tracker, now);
    }

    /// Whatever was shared with a tracker is no more: sockets that it held are gone, and peers of its swarms join again.
    fn part_from(&mut self, tracker: TrackerId, now: Time) {
        for connection in self.cluster.remote_of(tracker) {
            self.disconnected(connection, now);
            self.cluster.forget_remote(connection);
        }
        let held = self.connections.iter().filter(|(_, entry)| entry.home.is_some_and(|(home, _)| home == tracker));
        for connection in held.map(|(connection, _)| *connection).collect::<Vec<_>>() {
            self.ask_to_join_again(connection, now);
        }
    }

    /// Other trackers live than before: swarms whose home is elsewhere now end here, and their peers join again.
    fn rehome(&mut self, now: Time) {
        let moved = self.swarms.keys().filter(|swarm| self.cluster.home_elsewhere(**swarm).is_some());
        let moved: BTreeSet<ContentId> = moved.copied().collect();
        for swarm in &moved {
            self.swarms.remove(swarm);
            self.outputs.push_back(Output::Event(Event::Moved { swarm: *swarm }));
        }
        let is_concerned = |entry: &Connection| match (entry.joined, entry.home) {
            (Some((swarm, _)), _) => moved.contains(&swarm),
            (None, Some((home, swarm))) => self.cluster.home_elsewhere(swarm) != Some(home),
            (None, None) => false,
        };
        let concerned = self.connections.iter().filter(|(_, entry)| is_concerned(entry));
        for connection in concerned.map(|(connection, _)| *connection).collect::<Vec<_>>() {
            self.ask_to_join_again(connection, now);
        }
    }

    /// Asks the peer at a socket to join anew, by another hello. One that does not within the time for joining is closed. At a
    /// socket that another holds, it is that one's to ask.
    fn ask_to_join_again(&mut self, connection: ConnectionId, now: Time) {
        let nonce = self.signing.next_nonce();
        let Some(entry) = self.connections.get_mut(&connection) else { return };
        let home = entry.home.take();
        (entry.joined, entry.joins_again, entry.since, entry.nonce) = (None, true, now, nonce);
        if let Some((home, _)) = home {
            self.tell_tracker(home, None, ClusterMessage::Gone { socket: connection.0 });
        }
        if !connection.is_remote() {
            self.send(connection, &FromTracker::Hello { nonce });
        }
    }

    fn tell_trackers(&mut self, message: &ClusterMessage) {
        for to in self.cluster.others.keys().copied().collect::<Vec<_>>() {
            self.tell_tracker(to, None, message.clone());
        }
    }

    /// `about`: the socket that is lost if this does not get there.
    fn tell_tracker(&mut self, to: TrackerId, about: Option<ConnectionId>, message: ClusterMessage) {
        let telling = self.cluster.telling(to, about, message);
        self.outputs.push_back(telling);
    }
}
