//! Row C2 ([002]): several trackers share and maintain node lists.

use proptest::prelude::*;

use super::*;
use crate::ids::TrackerId;
use crate::tracker::{ClusterConfig, home_of};
use crate::wire::cluster::{ClusterMessage, Envelope, VERSION as CLUSTER_VERSION};

const SWARM: ContentId = ContentId::from_bytes([1; 32]);

fn tracker_id(number: u8) -> TrackerId {
    TrackerId::of_name(&format!("tracker {number}"))
}

/// Trackers that run swarms together, with bounded channels between them, and sockets at each.
struct Town {
    trackers: BTreeMap<TrackerId, Tracker>,
    /// What waits for a tracker.
    waiting: BTreeMap<TrackerId, VecDeque<String>>,
    /// Most that may wait for one.
    room: usize,
    dropped: usize,
    at: BTreeMap<u64, TrackerId>,
    nonces: BTreeMap<u64, SocketNonce>,
    hellos: BTreeMap<u64, usize>,
    got: BTreeMap<u64, Got>,
    now: Time,
    starts: u8,
}

impl Town {
    fn new(count: u8) -> Self {
        let mut town = Self {
            trackers: BTreeMap::new(),
            waiting: BTreeMap::new(),
            room: 100,
            dropped: 0,
            at: BTreeMap::new(),
            nonces: BTreeMap::new(),
            hellos: BTreeMap::new(),
            got: BTreeMap::new(),
            now: Time::from_millis(1),
            starts: 0,
        };
        let all: Vec<TrackerId> = (1..=count).map(tracker_id).collect();
        all.iter().for_each(|id| town.start(*id, &all));
        town.pass_s(1);
        town
    }

    fn start(&mut self, id: TrackerId, all: &[TrackerId]) {
        self.starts += 1;
        let cluster = Some(ClusterConfig::new(id, all.to_vec()));
        let config = TrackerConfig { laterals: 0, silence_ms_max: 100_000, cluster, ..TrackerConfig::default() };
        self.trackers.insert(id, Tracker::new(config, [self.starts; 32], self.now));
        self.waiting.insert(id, VecDeque::new());
    }

    /// The tracker is no more, without a word; so are its sockets.
    fn kill(&mut self, id: TrackerId) {
        self.trackers.remove(&id);
        self.waiting.remove(&id);
        self.at.retain(|_, at| *at != id);
    }

    fn stop(&mut self, id: TrackerId) {
        self.input(id, Input::Stopping);
        self.kill(id);
    }

    fn input(&mut self, id: TrackerId, input: Input) {
        self.trackers.get_mut(&id).expect("it runs").handle_input(input, self.now);
        self.drain();
    }

    /// Does all that is to be done, and carries all that is said.
    fn drain(&mut self) {
        loop {
            for id in self.trackers.keys().copied().collect::<Vec<_>>() {
                while let Some(output) = self.trackers.get_mut(&id).and_then(Tracker::poll_output) {
                    self.act(id, output);
                }
            }
            let next = self.waiting.iter_mut().find_map(|(id, texts)| Some((*id, texts.pop_front()?)));
            let Some((id, text)) = next else { return };
            self.trackers.get_mut(&id).expect("it runs").handle_input(Input::Heard { text }, self.now);
        }
    }

    fn act(&mut self, id: TrackerId, output: Output) {
        match output {
            Output::Send { connection, text } => {
                assert!(!connection.is_remote(), "the adapter has no such socket");
                if self.at.get(&connection.0) == Some(&id) {
                    let message = FromTracker::decode(&text).unwrap();
                    if let FromTracker::Hello { nonce } = message {
                        self.nonces.insert(connection.0, nonce);
                        *self.hellos.entry(connection.0).or_default() += 1;
                    }
                    self.got.entry(connection.0).or_default().messages.push(message);
                }
            }
            Output::Close { connection } => {
                if self.at.remove(&connection.0).is_some() {
                    self.got.entry(connection.0).or_default().closed = true;
                }
            }
            Output::Tell { to, about, text } => {
                let room = self.room;
                match self.waiting.get_mut(&to).filter(|texts| texts.len() < room) {
                    Some(texts) => texts.push_back(text),
                    None => {
                        self.dropped += 1;
                        let Some(about) = about else { return };
                        if self.at.remove(&about.0).is_some() {
                            self.got.entry(about.0).or_default().closed = true;
                        }
                        let lost = Input::Disconnected(about);
                        self.trackers.get_mut(&id).expect("it runs").handle_input(lost, self.now);
                    }
                }
            }
            Output::Seen { .. } | Output::Event(_) => {}
        }
    }

    fn pass_s(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        loop {
            let timeouts = self.trackers.iter().filter_map(|(id, tracker)| Some((tracker.poll_timeout()?.0, *id)));
            let Some((at, id)) = timeouts.min().filter(|(at, _)| *at <= end) else { break };
            self.now = self.now.max(at);
            self.trackers.get_mut(&id).expect("it was just seen").handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn connect(&mut self, socket: u64, id: TrackerId) {
        self.at.insert(socket, id);
        self.got.remove(&socket);
        self.input(id, Input::Connected(ConnectionId(socket)));
    }

    fn say(&mut self, socket: u64, message: &ToTracker) {
        let text = match message {
            ToTracker::Join(join) => ToTracker::Join(signed(join, &self.nonces[&socket])).encode(),
            _ => message.encode(),
        };
        if let Some(id) = self.at.get(&socket).copied() {
            self.input(id, Input::Message { connection: ConnectionId(socket), text });
        }
    }

    /// A peer joins by the socket of its number.
    fn join(&mut self, number: u8, id: TrackerId, held: u32) {
        self.connect(u64::from(number), id);
        self.say(u64::from(number), &join(number, held));
    }

    fn take(&mut self, socket: u64) -> Got {
        self.got.remove(&socket).unwrap_or_default()
    }

    fn home(&self) -> TrackerId {
        home_of(SWARM, self.trackers.keys().copied()).unwrap()
    }

    fn not_home(&self) -> Vec<TrackerId> {
        self.trackers.keys().copied().filter(|id| *id != self.home()).collect()
    }

    /// Peers of the swarm by the tracker that runs it; all others run none.
    fn peers(&self) -> usize {
        let home = self.home();
        for (_, tracker) in self.trackers.iter().filter(|(id, _)| **id != home) {
            assert!(tracker.stats().swarms.is_empty(), "a swarm has one home");
        }
        self.trackers[&home].stats().swarms.first().map_or(0, |swarm| swarm.peers)
    }

    /// All that the trackers know of each other and their sockets fits together.
    fn assert_sockets(&self, open: usize) {
        let stats: Vec<_> = self.trackers.values().map(Tracker::stats).collect();
        assert_eq!(stats.iter().map(|stats| stats.connections).sum::<usize>(), open);
        let at_home = |(_, at): &(&u64, &TrackerId)| **at == self.home();
        let elsewhere = self.at.len() - self.at.iter().filter(at_home).count();
        assert_eq!(stats.iter().map(|stats| stats.remote).sum::<usize>(), elsewhere);
    }
}

fn is_welcome(message: &FromTracker) -> bool {
    matches!(message, FromTracker::Welcome { .. })
}

#[test]
fn peers_at_different_trackers_meet() {
    let mut town = Town::new(3);
    let [first, second] = town.not_home()[..] else { panic!("two are left") };
    town.join(1, first, 10);
    town.join(2, second, 0);
    assert!(town.take(1).messages.iter().any(is_welcome));
    let got = town.take(2);
    assert_eq!(got.parents(), [id(1)], "{got:?}");
    let signal = Signal::Offer { sdp: "v=0".to_owned() };
    town.say(2, &ToTracker::Signal { to: id(1), session: 1, signal: signal.clone() });
    let carried = FromTracker::Signal { from: id(2), session: 1, signal };
    assert!(town.take(1).messages.contains(&carried), "signals go between them");
    assert_eq!(town.peers(), 2);
    town.assert_sockets(2);

    town.say(2, &ToTracker::Leave);
    assert!(town.take(2).closed);
    town.input(first, Input::Disconnected(ConnectionId(1)));
    town.at.remove(&1);
    town.pass_s(30);
    assert_eq!(town.peers(), 0);
    town.assert_sockets(0);
}

#[test]
fn limits_of_a_socket_hold_wherever_its_swarm_is() {
    let mut town = Town::new(2);
    let holder = town.not_home()[0];
    town.join(1, holder, 0);
    (0..1_000).for_each(|_| town.say(1, &ToTracker::Pong));
    let got = town.take(1);
    assert_eq!(got.refusal(), Some(Refusal::TooFast));
    assert!(got.closed);
    town.pass_s(10);
    assert_eq!(town.peers(), 0, "the home has heard of it");

    town.join(2, holder, 0);
    town.pass_s(120);
    assert!(town.take(2).closed, "nothing came of it for long");
    town.assert_sockets(0);
}

/// The home goes in the middle, politely or not; peers that are asked to join again keep their sockets.
#[test]
fn when_the_home_goes_the_next_takes_its_swarms() {
    for is_polite in [true, false] {
        let mut town = Town::new(3);
        let (home, others) = (town.home(), town.not_home());
        town.join(1, others[0], 10);
        town.join(2, others[1], 0);
        town.join(3, home, 0);
        assert_eq!(town.peers(), 3);
        if is_polite {
            town.stop(home);
        } else {
            town.kill(home);
            town.pass_s(3);
            assert_eq!(town.hellos[&1], 1, "it may have stopped for a moment only");
            town.pass_s(3);
        }
        for (peer, held) in [(1, 10), (2, 3)] {
            assert_eq!(town.hellos[&u64::from(peer)], 2, "{peer} is asked to join again");
            assert!(!town.take(u64::from(peer)).closed);
            // What it said before it heard of that harms nobody.
            town.say(u64::from(peer), &status(held, Vec::new()));
            let links = vec![crate::wire::tracker::LinkReport {
                peer: id(3 - peer),
                role: if peer == 1 { Role::Child } else { Role::Parent },
                stripes: crate::wire::tracker::StripeMask::all(8),
            }];
            let ToTracker::Join(again) = join(peer, held) else { unreachable!("it is one") };
            town.say(u64::from(peer), &ToTracker::Join(Join { links, ..again }));
        }
        assert_eq!(town.peers(), 2);
        let (one, two) = (town.take(1), town.take(2));
        assert!(one.messages.iter().any(is_welcome) && two.messages.iter().any(is_welcome));
        let is_closed = |got: &Got| {
            got.messages.iter().any(|message| matches!(message, FromTracker::Plan { close, .. } if !close.is_empty()))
        };
        assert!(!is_closed(&one) && !is_closed(&two), "the links that work stay");
        town.assert_sockets(2);
        // The third lost its socket with its tracker, and comes to another.
        town.join(3, others[0], 0);
        assert_eq!(town.peers(), 3);
    }
}

#[test]
fn who_does_not_join_again_is_closed() {
    let mut town = Town::new(2);
    let (home, holder) = (town.home(), town.not_home()[0]);
    town.join(1, holder, 10);
    town.stop(home);
    town.take(1);
    town.pass_s(12);
    assert!(town.take(1).closed, "such as one that does not know of a second hello: it opens another socket");
}

#[test]
fn a_tracker_that_comes_back_takes_its_swarms_back() {
    let mut town = Town::new(3);
    let (home, others) = (town.home(), town.not_home());
    town.stop(home);
    let all: Vec<_> = others.iter().copied().chain([home]).collect();
    town.join(1, others[0], 10);
    town.join(2, others[1], 0);
    assert_eq!(town.peers(), 2);
    town.start(home, &all);
    town.pass_s(2);
    for peer in [1, 2] {
        assert_eq!(town.hellos[&u64::from(peer)], 2);
        town.say(u64::from(peer), &join(peer, 10));
    }
    assert_eq!(town.home(), home);
    assert_eq!(town.peers(), 2);
    town.assert_sockets(2);
    town.pass_s(20);
    assert!(!town.take(1).closed && !town.take(2).closed, "nobody thinks that they have not joined");
}

/// It is started again so quickly that nobody missed it.
#[test]
fn sockets_of_an_earlier_run_are_not_taken_for_those_of_this() {
    let mut town = Town::new(2);
    let all: Vec<_> = town.trackers.keys().copied().collect();
    let (home, holder) = (town.home(), town.not_home()[0]);
    town.join(1, holder, 10);
    town.kill(holder);
    town.start(holder, &all);
    town.pass_s(2);
    // The same number, another peer.
    town.connect(1, holder);
    town.say(1, &join(2, 0));
    assert!(town.take(1).messages.iter().any(is_welcome));
    assert_eq!(town.peers(), 2, "the first keeps its place for a while");
    town.pass_s(20);
    assert_eq!(town.peers(), 1);

    town.kill(home);
    town.start(home, &all);
    town.pass_s(2);
    assert_eq!(town.hellos[&1], 3, "the home knows nothing of it any more");
    town.say(1, &join(2, 0));
    assert_eq!(town.peers(), 1);
    town.assert_sockets(1);
}

#[test]
fn who_was_banned_stays_so_when_the_home_goes() {
    let mut town = Town::new(3);
    let (home, others) = (town.home(), town.not_home());
    town.join(1, others[0], 10);
    for number in [2, 3] {
        town.join(number, others[1], 0);
    }
    for number in [2, 3] {
        town.say(number, &ToTracker::Bad { peer: id(1) });
    }
    assert_eq!(town.take(1).refusal(), Some(Refusal::Banned));
    town.pass_s(2);
    town.stop(home);
    town.join(1, others[1], 0);
    town.say(2, &join(2, 0));
    assert_eq!(town.take(1).refusal(), Some(Refusal::Banned), "even before anybody else is there");
    assert_eq!(town.take(2).refusal(), None);
    town.join(1, others[0], 0);
    assert_eq!(town.take(1).refusal(), Some(Refusal::Banned));
}

#[test]
fn lists_of_nodes_are_shared_and_kept() {
    let mut town = Town::new(3);
    let (home, others) = (town.home(), town.not_home());
    town.join(1, home, 10);
    town.join(2, home, 0);
    let told = |town: &Town| {
        let of_home =
            |tracker: &Tracker| tracker.stats().trackers.into_iter().find(|seen| seen.tracker == home).unwrap();
        others
            .iter()
            .map(|id| of_home(&town.trackers[id]))
            .map(|seen| (seen.lives, seen.swarms, seen.peers))
            .collect::<Vec<_>>()
    };
    town.pass_s(2);
    assert_eq!(told(&town), [(true, 1, 2); 2]);
    // The channel has no room for some time: what was lost is said again.
    town.room = 0;
    town.join(3, home, 0);
    town.pass_s(2);
    assert_eq!(told(&town), [(true, 1, 2); 2]);
    town.room = 100;
    town.pass_s(31);
    assert_eq!(told(&town), [(true, 1, 3); 2]);
    for peer in [1, 2, 3] {
        town.say(peer, &ToTracker::Leave);
    }
    town.pass_s(2);
    assert_eq!(told(&town), [(true, 0, 0); 2]);
}

#[test]
fn of_many_swarms_each_has_its_turn() {
    const SWARMS: u8 = 200;
    let mut town = Town::new(2);
    town.room = 1_000;
    let at = town.home();
    let other = town.not_home()[0];
    for number in 1..=SWARMS {
        town.connect(u64::from(number), at);
        let ToTracker::Join(join) = join(number, 10) else { unreachable!("it is one") };
        town.say(u64::from(number), &ToTracker::Join(Join { swarm: ContentId::from_bytes([number; 32]), ..join }));
    }
    let ours = town.trackers[&at].stats().swarms.len();
    let theirs = town.trackers[&other].stats().swarms.len();
    assert_eq!(ours + theirs, usize::from(SWARMS));
    town.pass_s(u64::from(SWARMS) / 32 + 2);
    let told = |id| town.trackers[&id].stats().trackers[0].swarms;
    assert_eq!((told(other), told(at)), (ours, theirs));
}

/// At the bound of a channel the socket that a message is about is lost, and nothing else: its peer comes again.
#[test]
fn a_full_channel_costs_the_sockets_that_found_no_room() {
    let mut town = Town::new(2);
    let (home, holder) = (town.home(), town.not_home()[0]);
    town.join(1, holder, 10);
    town.join(2, home, 0);
    town.room = 0;
    town.join(3, holder, 0);
    assert!(town.take(3).closed, "its join finds no room");
    town.say(2, &ToTracker::Signal { to: id(1), session: 1, signal: Signal::Offer { sdp: String::new() } });
    assert!(town.dropped > 0);
    town.room = 100;
    // The holder does not know yet that the home has lost the socket; it hears of it with the next frame.
    town.say(1, &ToTracker::Pong);
    assert!(town.take(1).closed);
    assert!(!town.take(2).closed);
    for number in [1, 3] {
        town.join(number, holder, 10);
    }
    town.pass_s(1);
    assert_eq!(town.peers(), 3);
    town.assert_sockets(3);
}

/// While views differ, nothing goes in circles.
#[test]
fn what_is_passed_to_a_tracker_that_is_not_the_home_is_closed() {
    let mut town = Town::new(3);
    let (home, others) = (town.home(), town.not_home());
    town.connect(1, others[0]);
    let ToTracker::Join(join) = join(1, 0) else { unreachable!("it is one") };
    let text = ToTracker::Join(signed(&join, &town.nonces[&1])).encode();
    let message = ClusterMessage::Open { socket: 1, nonce: town.nonces[&1], text };
    let envelope = Envelope { version: CLUSTER_VERSION, from: others[0], run: 7, message };
    town.input(others[1], Input::Heard { text: envelope.encode() });
    assert!(town.trackers[&others[1]].stats().remote == 0 && town.trackers[&home].stats().remote == 0);
    assert!(!town.take(1).closed, "it is not a socket that the first has passed on");
}

#[test]
fn trackers_of_another_version_and_strangers_are_not_heard() {
    let mut town = Town::new(2);
    let (home, holder) = (town.home(), town.not_home()[0]);
    let say = |town: &mut Town, version, from, message| {
        let envelope = Envelope { version, from, run: 99, message };
        town.input(home, Input::Heard { text: envelope.encode() });
    };
    let lives = |town: &Town| town.trackers[&home].stats().trackers[0].lives;
    town.kill(holder);
    town.pass_s(10);
    assert!(!lives(&town));
    say(&mut town, CLUSTER_VERSION + 1, holder, ClusterMessage::Beat);
    say(&mut town, CLUSTER_VERSION, tracker_id(200), ClusterMessage::Beat);
    assert!(!lives(&town));
    say(&mut town, CLUSTER_VERSION, holder, ClusterMessage::Beat);
    assert!(lives(&town));
    say(&mut town, CLUSTER_VERSION, holder, ClusterMessage::Bye);
    say(&mut town, CLUSTER_VERSION, holder, ClusterMessage::Beat);
    assert!(!lives(&town), "what was still on its way does not bring it back");
}

#[test]
fn swarms_are_dealt_evenly() {
    let trackers: Vec<_> = (1..=4).map(tracker_id).collect();
    let mut counts = BTreeMap::new();
    for n in 0..1_000_u32 {
        let content = ContentId::from_bytes(*blake3::hash(&n.to_le_bytes()).as_bytes());
        *counts.entry(home_of(content, trackers.iter().copied()).unwrap()).or_insert(0) += 1;
    }
    assert!(counts.len() == 4 && counts.values().all(|count| (200..300).contains(count)), "{counts:?}");
}

fn content() -> impl Strategy<Value = ContentId> {
    any::<[u8; 32]>().prop_map(ContentId::from_bytes)
}

fn trackers() -> impl Strategy<Value = Vec<TrackerId>> {
    let ids = proptest::collection::btree_set(any::<[u8; 16]>(), 1..12);
    ids.prop_map(|ids| ids.into_iter().map(TrackerId::from_bytes).collect())
}

/// What another tracker may say, whatever it means.
fn said() -> impl Strategy<Value = ClusterMessage> {
    let socket = || prop_oneof![0..4_u64, Just(u64::MAX), any::<u64>()];
    let nonce = any::<[u8; 16]>().prop_map(SocketNonce::from_bytes);
    let text = || prop_oneof![Just(join(1, 0).encode()), Just(ToTracker::Leave.encode()), any::<String>()];
    prop_oneof![
        Just(ClusterMessage::Beat),
        Just(ClusterMessage::Bye),
        (socket(), nonce, text()).prop_map(|(socket, nonce, text)| ClusterMessage::Open { socket, nonce, text }),
        (socket(), text()).prop_map(|(socket, text)| ClusterMessage::Frame { socket, text }),
        (socket(), text()).prop_map(|(socket, text)| ClusterMessage::Say { socket, text }),
        socket().prop_map(|socket| ClusterMessage::Gone { socket }),
        socket().prop_map(|socket| ClusterMessage::Close { socket }),
    ]
}

proptest! {
    #[test]
    fn whoever_asks_gets_the_same_home(content in content(), mut trackers in trackers(), turn in 0..12_usize) {
        let home = home_of(content, trackers.iter().copied());
        prop_assert!(home.is_some_and(|home| trackers.contains(&home)));
        let places = turn % trackers.len();
        trackers.rotate_left(places);
        prop_assert_eq!(home_of(content, trackers.iter().copied()), home);
        trackers.reverse();
        prop_assert_eq!(home_of(content, trackers.iter().copied()), home);
    }

    #[test]
    fn when_one_goes_only_its_swarms_move(contents in proptest::collection::vec(content(), 20), trackers in trackers()) {
        for gone in &trackers {
            let left = || trackers.iter().copied().filter(|id| id != gone);
            for content in &contents {
                let (before, after) = (home_of(*content, trackers.iter().copied()), home_of(*content, left()));
                prop_assert!(before == Some(*gone) || before == after);
            }
        }
    }

    #[test]
    fn whatever_is_said_between_trackers_harms_no_peer(
        what in proptest::collection::vec((0..2_u64, said()), 0..40),
        noise in any::<String>(),
    ) {
        let mut town = Town::new(2);
        let (home, other) = (town.home(), town.not_home()[0]);
        town.join(9, home, 10);
        for (run, message) in what {
            let envelope = Envelope { version: CLUSTER_VERSION, from: other, run, message };
            town.input(home, Input::Heard { text: envelope.encode() });
        }
        town.input(home, Input::Heard { text: noise });
        prop_assert!(!town.take(9).closed);
        prop_assert!(town.trackers[&home].stats().swarms.iter().any(|swarm| swarm.swarm == SWARM));
    }
}
