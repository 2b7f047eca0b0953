//! A tracker and a fleet without I/O: everything that they say is carried by hand, at once or never.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::*;
use crate::forest::Seen;
use crate::ids::{AgentId, ConnectionId, ContentId, ManifestDigest, PeerId, RequestId};
use crate::time::Time;
use crate::tracker::SigningSeed;
use crate::wire::fleet::api::{DeliveryOrder, DeliveryStatus, TargetState};
use crate::wire::fleet::request::{Terms, TransportRequest};
use crate::wire::fleet::token::FleetToken;
use crate::wire::fleet::{FromAgent, ToAgent};

const TOKEN: FleetToken = FleetToken::from_bytes([9; 32]);
const BEGIN_MS: u64 = 1_900_000_000_000;
const ID: RequestId = RequestId::from_bytes([7; 16]);

/// What an agent of the world is like.
struct Machine {
    agent: Agent,
    connection: Option<ConnectionId>,
    /// Takes requests of others there; others may be told so and not get through.
    listens: bool,
    reachable: bool,
    /// Hears what the tracker says, and says nothing.
    mute: bool,
    running: BTreeMap<RequestId, Terms>,
    started: Vec<Terms>,
    fed: Vec<RequestId>,
    kept: BTreeMap<RequestId, SavedJob>,
    events: Vec<AgentEvent>,
}

struct World {
    dispatcher: Dispatcher,
    now: Time,
    machines: Vec<Machine>,
    next_connection: u64,
    answers: Vec<Result<DeliveryStatus, Refused>>,
    ledger: Vec<Change>,
    /// What the tracker of the swarms knows.
    known: BTreeMap<PeerId, Option<u64>>,
    /// Bodies that agents sent to each other.
    posts: Vec<String>,
    /// Said to the tracker, by kind.
    acknowledged: (usize, usize),
    requests_to_agents: usize,
}

impl World {
    fn new(count: usize) -> Self {
        let now = Time::from_millis(BEGIN_MS);
        let config = DispatcherConfig::new(TOKEN, SigningSeed([3; 32]));
        let mut world = Self {
            dispatcher: Dispatcher::new(config, Snapshot::default(), [1; 32], now),
            now,
            machines: Vec::new(),
            next_connection: 1,
            answers: Vec::new(),
            ledger: Vec::new(),
            known: BTreeMap::new(),
            posts: Vec::new(),
            acknowledged: (0, 0),
            requests_to_agents: 0,
        };
        for number in 0..count {
            world.add(number);
        }
        world
    }

    /// One more machine of the group, connected.
    fn add(&mut self, number: usize) -> usize {
        let agent = Agent::new(agent_config(number, TOKEN), Vec::new(), [2; 32], self.now);
        self.machines.push(Machine {
            agent,
            connection: None,
            listens: true,
            reachable: true,
            mute: false,
            running: BTreeMap::new(),
            started: Vec::new(),
            fed: Vec::new(),
            kept: BTreeMap::new(),
            events: Vec::new(),
        });
        let index = self.machines.len() - 1;
        self.connect(index);
        index
    }

    fn address(index: usize) -> core::net::SocketAddr {
        (core::net::Ipv4Addr::from_bits(0x0a00_0000 + index as u32), 9000).into()
    }

    fn connect(&mut self, index: usize) {
        let connection = ConnectionId(self.next_connection);
        self.next_connection += 1;
        let machine = &mut self.machines[index];
        machine.connection = Some(connection);
        let address = machine.listens.then(|| Self::address(index));
        machine.agent.handle_input(AgentInput::SocketUp { address }, self.now);
        self.dispatcher.handle_input(DispatcherInput::Connected(connection), self.now);
        self.settle();
    }

    fn disconnect(&mut self, index: usize) {
        let Some(connection) = self.machines[index].connection.take() else { return };
        self.dispatcher.handle_input(DispatcherInput::Disconnected(connection), self.now);
        self.settle();
    }

    /// The process dies and another takes its place, with what was kept.
    fn restart(&mut self, index: usize) {
        self.disconnect(index);
        let machine = &mut self.machines[index];
        let kept = machine.kept.values().cloned().collect();
        machine.agent = Agent::new(agent_config(index, TOKEN), kept, [4; 32], self.now);
        (machine.running, machine.started) = (BTreeMap::new(), Vec::new());
        self.connect(index);
    }

    /// Carries everything that is to be said, until nobody says anything.
    fn settle(&mut self) {
        loop {
            let mut quiet = true;
            while let Some(output) = self.dispatcher.poll_output() {
                quiet = false;
                self.carry_from_tracker(output);
            }
            for index in 0..self.machines.len() {
                while let Some(output) = self.machines[index].agent.poll_output() {
                    quiet = false;
                    self.carry_from_agent(index, output);
                }
            }
            if quiet {
                return;
            }
        }
    }

    fn carry_from_tracker(&mut self, output: DispatcherOutput) {
        match output {
            DispatcherOutput::Send { connection, text } => {
                if matches!(ToAgent::decode(&text).unwrap(), ToAgent::Request { .. }) {
                    self.requests_to_agents += 1;
                }
                let machine = self.machines.iter_mut().find(|machine| machine.connection == Some(connection));
                if let Some(machine) = machine {
                    machine.agent.handle_input(AgentInput::Message(text), self.now);
                }
            }
            DispatcherOutput::Close { connection } => {
                let machine = self.machines.iter_mut().find(|machine| machine.connection == Some(connection));
                if let Some(machine) = machine {
                    machine.connection = None;
                    machine.agent.handle_input(AgentInput::SocketDown { reason: "closed".into() }, self.now);
                }
            }
            DispatcherOutput::Answer { answer, .. } => self.answers.push(answer),
            DispatcherOutput::Keep(change) => self.ledger.push(change),
            DispatcherOutput::Known { peer, bytes_per_s } => drop(self.known.insert(peer, bytes_per_s)),
            DispatcherOutput::Forgotten(peer) => drop(self.known.remove(&peer)),
            DispatcherOutput::Event(_) => {}
        }
    }

    fn carry_from_agent(&mut self, index: usize, output: AgentOutput) {
        match output {
            AgentOutput::Send(text) => {
                match FromAgent::decode(&text).unwrap() {
                    FromAgent::Got { .. } => self.acknowledged.0 += 1,
                    FromAgent::Done { .. } => self.acknowledged.1 += 1,
                    _ => {}
                }
                let machine = &self.machines[index];
                if let Some(connection) = machine.connection.filter(|_| !machine.mute || text.contains("enlist")) {
                    self.dispatcher.handle_input(DispatcherInput::Message { connection, text }, self.now);
                }
            }
            AgentOutput::Post { post, address, text } => {
                self.posts.push(text.clone());
                let core::net::IpAddr::V4(ip) = address.ip() else { panic!("it was told another") };
                let to = (ip.to_bits() - 0x0a00_0000) as usize;
                let is_there = self.machines[to].reachable;
                if is_there {
                    let ticket = TicketId(0);
                    self.machines[to].agent.handle_input(AgentInput::Posted { ticket, text }, self.now);
                }
                self.machines[index].agent.handle_input(AgentInput::PostEnded { post, is_there }, self.now);
            }
            AgentOutput::Start(terms) => {
                self.machines[index].started.push(terms.clone());
                self.machines[index].running.insert(terms.id, terms);
            }
            AgentOutput::Feed(terms) => self.machines[index].fed.push(terms.id),
            AgentOutput::Save(job) => drop(self.machines[index].kept.insert(job.terms.id, job)),
            AgentOutput::Forget(id) => drop(self.machines[index].kept.remove(&id)),
            AgentOutput::Event(event) => self.machines[index].events.push(event),
            AgentOutput::Connect | AgentOutput::Disconnect | AgentOutput::Answer { .. } => {}
        }
    }

    /// Lets time pass for the tracker, second by second.
    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now = self.now + core::time::Duration::from_secs(1);
            self.dispatcher.handle_timeout(self.now);
            for machine in &mut self.machines {
                machine.agent.handle_timeout(self.now);
            }
            self.settle();
        }
    }

    fn deliver(&mut self, order: DeliveryOrder) -> Result<DeliveryStatus, Refused> {
        self.dispatcher.handle_input(DispatcherInput::Deliver { ticket: 1, order }, self.now);
        self.settle();
        self.answers.pop().expect("each order is answered")
    }

    fn retry(&mut self, request: Option<RequestId>) -> Result<DeliveryStatus, Refused> {
        self.dispatcher.handle_input(DispatcherInput::Retry { ticket: 1, request }, self.now);
        self.settle();
        self.answers.pop().expect("each order is answered")
    }

    /// Receivers tell of a machine.
    fn seen(&mut self, index: usize, bytes_per_s: u64, is_limit: bool) {
        let peer = self.machines[index].agent.id().peer_id();
        self.dispatcher.handle_input(DispatcherInput::Seen { peer, seen: Seen { bytes_per_s, is_limit } }, self.now);
        self.settle();
    }

    fn finish(&mut self, index: usize, result: Result<Finish, String>) {
        let Some((request, _)) = self.machines[index].running.pop_first() else { return };
        self.machines[index].agent.handle_input(AgentInput::Finished { request, result }, self.now);
        self.settle();
    }

    fn finish_all(&mut self) {
        for index in 0..self.machines.len() {
            self.finish(index, Ok(Finish { received_bytes: 1_000_000, time_ms: 1_000 }));
        }
    }

    fn states(&self) -> Vec<TargetState> {
        let status = self.dispatcher.status(ID).unwrap();
        status.targets.iter().map(|target| target.state).collect()
    }

    fn reason(&self, index: usize) -> String {
        let agent = self.machines[index].agent.id();
        let status = self.dispatcher.status(ID).unwrap();
        status.targets.into_iter().find(|target| target.agent == agent).unwrap().reason.unwrap_or_default()
    }
}

fn agent_config(number: usize, token: FleetToken) -> AgentConfig {
    let mut identity = [0x55; 32];
    identity[..8].copy_from_slice(&(number as u64).to_le_bytes());
    AgentConfig {
        name: format!("machine {number:04}").parse().unwrap(),
        group: "office".parse().unwrap(),
        token,
        identity,
        program: "test".into(),
        jobs_max: 2,
        remembered_max: 8,
    }
}

fn order() -> DeliveryOrder {
    DeliveryOrder {
        id: ID,
        group: "office".parse().unwrap(),
        names: Vec::new(),
        content: ContentId::from_bytes([1; 32]),
        manifest: ManifestDigest::from_bytes([2; 16]),
        size_bytes: 1_000_000,
        title: "talk.mp4".into(),
        sources: Vec::new(),
        active_from_ms: None,
        active_until_ms: None,
        away_ms_max: 30_000,
    }
}

/// [001] B2 and B3: what the tracker sends does not grow with the fleet, and each target acknowledges twice.
#[test]
fn a_thousand_machines_are_told_by_four_requests_of_the_tracker() {
    let mut world = World::new(1_000);
    world.deliver(order()).unwrap();
    assert_eq!(world.requests_to_agents, 4);
    assert_eq!(world.posts.len(), 996, "all others are told by machines");
    assert_eq!(world.acknowledged, (1_000, 0));
    assert!(world.states().iter().all(|state| *state == TargetState::Getting));
    world.finish_all();
    assert_eq!(world.acknowledged, (1_000, 1_000));
    assert!(world.states().iter().all(|state| *state == TargetState::Done));
    world.pass(60);
    assert_eq!(world.requests_to_agents, 4, "nothing is said that is not needed");
    assert!(world.machines.iter().all(|machine| machine.started.len() == 1));
}

/// [001] B3: "moved down the target list", by others, and in the end by the source.
#[test]
fn who_cannot_be_reached_by_others_is_told_by_the_tracker_and_nobody_waits_for_it() {
    let mut world = World::new(40);
    let unreachable: BTreeSet<usize> = [0, 5, 6, 12, 13, 39].into();
    for index in &unreachable {
        world.machines[*index].reachable = false;
    }
    world.deliver(order()).unwrap();
    assert_eq!(world.acknowledged.0, 40, "all are told, in no time");
    assert!(world.requests_to_agents <= 4 + unreachable.len(), "{}", world.requests_to_agents);
    assert!(world.machines.iter().all(|machine| machine.started.len() == 1));
}

#[test]
fn who_takes_nothing_of_others_is_told_by_the_socket() {
    let mut world = World::new(0);
    for number in 0..10 {
        let index = world.add(number);
        if number % 3 == 0 {
            world.disconnect(index);
            world.machines[index].listens = false;
            world.connect(index);
        }
    }
    world.deliver(order()).unwrap();
    assert_eq!(world.acknowledged.0, 10);
    assert_eq!(world.requests_to_agents, 4 + 4);
}

/// [001]: "unreachable relay: fall back to the source".
#[test]
fn the_share_of_a_relay_that_does_nothing_is_told_by_the_tracker() {
    let mut world = World::new(20);
    // The best of all takes its request, and is never heard of again.
    let best = world.dispatcher.report().agents[0].record.agent;
    let best = world.machines.iter().position(|machine| machine.agent.id() == best).unwrap();
    world.machines[best].mute = true;
    let broken = agent_config(999, FleetToken::from_bytes([0; 32]));
    let now = world.now;
    world.machines[best].agent = Agent::new(broken, Vec::new(), [0; 32], now);
    world.deliver(order()).unwrap();
    assert_eq!(world.acknowledged.0, 15, "four others and the best lack it");
    world.pass(10);
    assert_eq!(world.acknowledged.0, 19);
    world.pass(60);
    let status = world.dispatcher.status(ID).unwrap();
    let failed: Vec<_> = status.targets.iter().filter(|target| target.state == TargetState::Failed).collect();
    assert_eq!(failed.len(), 1);
    let reason = failed[0].reason.clone().unwrap();
    assert!(reason.contains("does not answer") || reason.contains("not connected"), "{reason}");
}

#[test]
fn a_copied_id_without_its_key_gains_nothing() {
    let mut world = World::new(2);
    let honest = world.machines[0].agent.id();
    let index = world.add(7);
    world.disconnect(index);
    // It says that it is machine 0, and signs with its own key; or with the card of an earlier socket.
    let connection = ConnectionId(900);
    world.dispatcher.handle_input(DispatcherInput::Connected(connection), world.now);
    let hello = loop {
        match world.dispatcher.poll_output() {
            Some(DispatcherOutput::Send { text, .. }) => break text,
            Some(_) => {}
            None => panic!("a socket is greeted"),
        }
    };
    let mut thief = Agent::new(agent_config(8, TOKEN), Vec::new(), [5; 32], world.now);
    thief.handle_input(AgentInput::SocketUp { address: None }, world.now);
    thief.handle_input(AgentInput::Message(hello), world.now);
    let mut said = VecDeque::new();
    while let Some(output) = thief.poll_output() {
        if let AgentOutput::Send(text) = output {
            said.push_back(text);
        }
    }
    let enlist = said.pop_front().unwrap().replace(&thief.id().to_string(), &honest.to_string());
    world.dispatcher.handle_input(DispatcherInput::Message { connection, text: enlist }, world.now);
    let outputs: Vec<_> = core::iter::from_fn(|| world.dispatcher.poll_output()).collect();
    assert!(outputs.iter().any(|output| matches!(output, DispatcherOutput::Close { .. })), "{outputs:?}");
    let report = world.dispatcher.report();
    assert!(report.agents.iter().any(|agent| agent.record.agent == honest && agent.connected));
}

#[test]
fn who_has_another_token_is_turned_away_for_good_and_so_is_a_tracker_that_has() {
    let mut world = World::new(1);
    let now = world.now;
    world.disconnect(0);
    world.machines[0].agent = Agent::new(agent_config(0, FleetToken::from_bytes([1; 32])), Vec::new(), [1; 32], now);
    world.connect(0);
    assert!(
        matches!(&world.machines[0].events[..], [.., AgentEvent::Refused { reason }] if reason.contains("token")),
        "{:?}",
        world.machines[0].events
    );
    assert_eq!(world.machines[0].agent.poll_timeout(), None, "it does not try again");
}

/// [001] B3: failures are recorded and repeated.
#[test]
fn what_failed_is_recorded_and_repeated_and_the_others_are_left_alone() {
    let mut world = World::new(6);
    world.deliver(order()).unwrap();
    world.finish(2, Err("no space left on the disk".into()));
    world.finish_all();
    assert_eq!(world.states().iter().filter(|state| **state == TargetState::Done).count(), 5);
    assert_eq!(world.reason(2), "no space left on the disk");
    assert_eq!(world.dispatcher.report().failures.len(), 1);

    let status = world.retry(None).unwrap();
    assert_eq!((status.id, status.round), (ID, 1));
    assert_eq!(world.machines[2].started.len(), 2);
    assert!((0..6).filter(|index| *index != 2).all(|index| world.machines[index].started.len() == 1));
    assert_eq!(world.machines.iter().filter(|machine| machine.fed == [ID]).count(), 2, "some give it again");
    world.finish_all();
    assert!(world.states().iter().all(|state| *state == TargetState::Done));
    assert!(world.retry(Some(RequestId::from_bytes([1; 16]))).is_err());
}

/// [001] B5: who comes back gets what it missed, and a newcomer joins, without being asked.
#[test]
fn who_comes_back_and_who_is_new_gets_what_is_open() {
    let mut world = World::new(3);
    world.disconnect(1);
    world.deliver(order()).unwrap();
    world.pass(31);
    assert_eq!(world.reason(1), "it is not connected");
    world.finish_all();
    world.connect(1);
    let newcomer = world.add(77);
    assert_eq!((world.machines[1].started.len(), world.machines[newcomer].started.len()), (1, 1));
    world.finish_all();
    assert_eq!(world.states(), [TargetState::Done; 4]);
    world.connect(1);
    assert_eq!(world.machines[1].started.len(), 1, "what it has it is not told again");
}

#[test]
fn an_agent_that_is_killed_goes_on_by_itself() {
    let mut world = World::new(3);
    world.deliver(order()).unwrap();
    world.restart(1);
    assert_eq!(world.machines[1].started.len(), 1, "before the tracker said a word of it, and not twice");
    world.finish_all();
    assert_eq!(world.states(), [TargetState::Done; 3]);
    world.restart(1);
    assert!(world.machines[1].started.is_empty(), "what is done is done");
}

#[test]
fn one_that_goes_away_for_too_long_has_failed_and_the_others_have_not() {
    let mut world = World::new(3);
    world.deliver(order()).unwrap();
    let now = world.now;
    world.machines[2].agent.handle_input(AgentInput::Progress { request: ID, have_bytes: 400_000 }, now);
    world.settle();
    world.disconnect(2);
    world.finish(0, Ok(Finish::default()));
    world.finish(1, Ok(Finish::default()));
    world.pass(29);
    assert!(!world.states()[2].is_settled());
    world.pass(3);
    assert_eq!(world.reason(2), "it went away at 40 %");
}

#[test]
fn a_tracker_that_was_killed_goes_on_with_what_was_kept() {
    let mut world = World::new(4);
    world.deliver(order()).unwrap();
    world.finish(0, Ok(Finish { received_bytes: 1_000_000, time_ms: 500 }));
    let before = world.dispatcher.report();
    let kept = replay(&world.ledger);
    let config = DispatcherConfig::new(TOKEN, SigningSeed([4; 32]));
    world.dispatcher = Dispatcher::new(config, kept, [8; 32], world.now);
    assert_eq!(world.dispatcher.report().deliveries, before.deliveries);
    for index in 0..4 {
        world.connect(index);
    }
    assert!(world.machines.iter().all(|machine| machine.started.len() == 1), "what is under way goes on");
    world.finish_all();
    assert_eq!(world.states(), [TargetState::Done; 4]);
}

/// What a ledger makes of the changes.
fn replay(changes: &[Change]) -> Snapshot {
    let (mut agents, mut deliveries) = (BTreeMap::new(), BTreeMap::<RequestId, DeliveryRecord>::new());
    let mut failures = Vec::new();
    for change in changes.iter().cloned() {
        match change {
            Change::Agent(record) => drop(agents.insert(record.agent, record)),
            Change::ForgetAgent(agent) => drop(agents.remove(&agent)),
            Change::Delivery { order, created_ms, round } => {
                let targets = deliveries.remove(&order.id).map(|delivery| delivery.targets).unwrap_or_default();
                deliveries.insert(order.id, DeliveryRecord { order, created_ms, round, targets });
            }
            Change::Target { request, agent, target } => {
                deliveries.get_mut(&request).expect("a delivery comes first").targets.insert(agent, target);
            }
            Change::ForgetDelivery(id) => drop(deliveries.remove(&id)),
            Change::Failure(failure) => failures.push(failure),
        }
    }
    Snapshot { agents: agents.into_values().collect(), deliveries: deliveries.into_values().collect(), failures }
}

fn posted(world: &mut World, index: usize, text: &str) -> PostAnswer {
    let now = world.now;
    let agent = &mut world.machines[index].agent;
    agent.handle_input(AgentInput::Posted { ticket: TicketId(5), text: text.into() }, now);
    let mut answer = None;
    while let Some(output) = agent.poll_output() {
        match output {
            AgentOutput::Answer { answer: given, .. } => answer = Some(given),
            AgentOutput::Post { .. } | AgentOutput::Start(_) => panic!("{output:?}"),
            _ => {}
        }
    }
    answer.expect("each is answered")
}

#[test]
fn a_request_that_is_replayed_altered_void_or_not_for_it_does_nothing() {
    let mut world = World::new(12);
    world.deliver(DeliveryOrder { active_until_ms: Some(BEGIN_MS + 3_600_000), ..order() }).unwrap();
    world.finish_all();
    let text = world.posts.iter().max_by_key(|text| text.len()).unwrap().clone();
    let key = crate::wire::order::OrderKey::from_seed([3; 32]).public();
    let to = TransportRequest::decode(&text).unwrap().open(&key).unwrap().to.agent;
    let receiver = world.machines.iter().position(|machine| machine.agent.id() == to).unwrap();
    let other = (receiver + 1) % 12;

    assert_eq!(posted(&mut world, receiver, &text), PostAnswer::Known, "replayed");
    let refused = |answer| matches!(answer, PostAnswer::Refused(_));
    assert!(refused(posted(&mut world, other, &text)), "for another");
    assert!(refused(posted(&mut world, receiver, &text.replace("talk.mp4", "evil.exe"))), "altered");
    assert!(refused(posted(&mut world, receiver, "{}")), "nonsense");
    world.pass(3_601);
    assert!(refused(posted(&mut world, receiver, &text)), "void");
}

#[test]
fn an_order_is_done_once_and_a_wrong_one_is_refused_with_its_reason() {
    let mut world = World::new(2);
    world.deliver(order()).unwrap();
    world.deliver(order()).unwrap();
    assert_eq!(world.requests_to_agents, 2, "the same order changes nothing");
    let refused = |world: &mut World, order| world.deliver(order).unwrap_err().message;
    let other = DeliveryOrder { size_bytes: 5, ..order() };
    assert!(refused(&mut world, other).contains("id"));
    let id = RequestId::from_bytes([8; 16]);
    let nobody = DeliveryOrder { id, group: "attic".parse().unwrap(), ..order() };
    assert!(refused(&mut world, nobody).contains("attic"));
    let unknown = DeliveryOrder { id, names: vec!["nobody".parse().unwrap()], ..order() };
    assert!(refused(&mut world, unknown).contains("nobody"));
    let over = DeliveryOrder { id, active_until_ms: Some(BEGIN_MS), ..order() };
    assert!(refused(&mut world, over).contains("over"));
}

#[test]
fn a_delivery_begins_at_its_time_and_in_its_turn() {
    let mut world = World::new(1);
    let from = |number: u8, active_from_ms| DeliveryOrder {
        id: RequestId::from_bytes([number; 16]),
        active_from_ms,
        ..order()
    };
    world.deliver(from(1, Some(BEGIN_MS + 5_000))).unwrap();
    assert!(world.machines[0].started.is_empty() && world.acknowledged.0 == 1);
    world.pass(5);
    assert_eq!(world.machines[0].started.len(), 1);
    world.deliver(from(2, None)).unwrap();
    world.deliver(from(3, None)).unwrap();
    assert_eq!(world.machines[0].started.len(), 2, "two at a time");
    world.finish(0, Ok(Finish::default()));
    assert_eq!(world.machines[0].started.len(), 3);
}

/// [001] B1: the network information database, ranked.
#[test]
fn machines_are_ranked_by_what_others_got_of_them_and_how_often_they_failed() {
    let mut world = World::new(3);
    world.deliver(order()).unwrap();
    // Its own word counts for nothing.
    world.finish(0, Ok(Finish { received_bytes: 1_000_000, time_ms: 1 }));
    world.finish(1, Ok(Finish { received_bytes: 1_000_000, time_ms: 100_000 }));
    world.finish(2, Err("no".into()));
    for (machine, bytes_per_s) in [(0, 1_000_000), (1, 10_000_000), (2, 1_000_000)] {
        world.seen(machine, bytes_per_s, true);
    }
    world.seen(0, 500_000, false);
    let priors = [0, 1].map(|machine| world.known[&world.machines[machine].agent.id().peer_id()]);
    assert_eq!(priors, [Some(1_000_000), Some(10_000_000)], "who was asked for less than it can is worth no less");
    let names: Vec<String> =
        world.dispatcher.report().agents.iter().map(|agent| agent.record.name.to_string()).collect();
    assert_eq!(names, ["machine 0001", "machine 0000", "machine 0002"]);
    let ids: BTreeSet<AgentId> = world.dispatcher.report().agents.iter().map(|agent| agent.record.agent).collect();
    assert_eq!(ids.len(), 3);
}
