//! Deliveries: what is ordered, who is a target, and who is told by whom.

use core::time::Duration;
use std::collections::BTreeMap;

use super::contract::{DispatcherEvent, DispatcherOutput, Refused, RefusedWhy};
use super::{Dispatcher, ms};
use crate::fleet::records::{Change, DeliveryRecord, TargetRecord};
use crate::fleet::shares::deal;
use crate::ids::{AgentId, RequestId};
use crate::time::Time;
use crate::wire::fleet::api::{AgentRecord, DeliveryOrder, DeliveryStatus, TargetState};
use crate::wire::fleet::request::{Entry, FAN_OUT_MAX, Signed, SignedTarget, TARGETS_MAX, Terms, TransportRequest};
use crate::wire::fleet::{Card, FleetName, ToAgent};

/// How long a delivery is open that has no end of its own.
const OPEN_MS: u64 = 7 * 24 * 3600 * 1_000;
/// Targets up to which people want to see how far each is.
const WATCHED_TARGETS_MAX: usize = 16;
/// How often targets tell how far they are, if there are few and if there are many.
const PROGRESS_MS: (u32, u32) = (500, 5_000);
/// From the second time on a target is told by the tracker itself, whoever else could.
pub(super) const BY_RELAY_MAX: u32 = 1;
/// Those who have everything are asked to give it again at most so often.
const FEED_EVERY: Duration = Duration::from_secs(20);
/// So many of them are asked.
const FEEDERS: usize = 2;

/// One machine of a delivery.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) record: TargetRecord,
    pub(super) have_bytes: u64,
    /// When it was told last, by whatever way, and how often.
    pub(super) told: Option<Time>,
    pub(super) times_told: u32,
    /// Since when it is not connected, as far as this delivery is concerned.
    pub(super) away_since: Time,
}

/// A delivery under way, or done.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) order: DeliveryOrder,
    pub(super) created_ms: u64,
    pub(super) round: u32,
    pub(super) targets: BTreeMap<AgentId, Target>,
    terms: Signed<Terms>,
    fed_at: Option<Time>,
}

impl Target {
    fn new(name: FleetName, now: Time) -> Self {
        let record = TargetRecord { name, state: TargetState::Waiting, reason: None };
        Self { record, have_bytes: 0, told: None, times_told: 0, away_since: now }
    }

    /// Begins once more.
    fn reset(&mut self, now: Time) {
        (self.record.state, self.record.reason) = (TargetState::Waiting, None);
        (self.told, self.times_told, self.away_since) = (None, 0, now);
    }
}

impl Delivery {
    pub(super) fn until_ms(&self) -> u64 {
        self.order.active_until_ms.unwrap_or(self.created_ms.saturating_add(OPEN_MS))
    }

    pub(super) fn is_over(&self, now: Time) -> bool {
        self.until_ms() <= ms(now)
    }

    /// Whether a machine of its group belongs to it.
    fn wants(&self, card: &Card) -> bool {
        self.order.group == card.group && (self.order.names.is_empty() || self.order.names.contains(&card.name))
    }

    pub(super) fn is_settled(&self) -> bool {
        self.targets.values().all(|target| target.record.state.is_settled())
    }
}

impl Dispatcher {
    /// Takes up what was kept. Those of whom nothing is known yet have the usual time to come back.
    pub(super) fn restore(&mut self, kept: Vec<DeliveryRecord>, now: Time) {
        for DeliveryRecord { order, created_ms, round, targets } in kept {
            let targets = targets.into_iter().map(|(agent, record)| {
                let have_bytes = if record.state == TargetState::Done { order.size_bytes } else { 0 };
                (agent, Target { record, have_bytes, ..Target::new(order.group.clone(), now) })
            });
            let delivery = self.delivery(order.clone(), created_ms, round, targets.collect());
            self.reopen(order.id, &delivery);
            self.deliveries.insert(order.id, delivery);
        }
    }

    /// A delivery with its terms signed.
    fn delivery(
        &self,
        order: DeliveryOrder,
        created_ms: u64,
        round: u32,
        targets: BTreeMap<AgentId, Target>,
    ) -> Delivery {
        let is_watched = targets.len() <= WATCHED_TARGETS_MAX;
        let terms = Terms {
            id: order.id,
            round,
            content: order.content,
            manifest: order.manifest,
            size_bytes: order.size_bytes,
            title: order.title.clone(),
            sources: order.sources.clone(),
            active_from_ms: order.active_from_ms,
            active_until_ms: order.active_until_ms.unwrap_or(created_ms.saturating_add(OPEN_MS)),
            fan_out: self.config.fan_out.clamp(1, FAN_OUT_MAX),
            progress_ms: if is_watched { PROGRESS_MS.0 } else { PROGRESS_MS.1 },
        };
        Delivery { terms: Signed::new(&terms, &self.key), order, created_ms, round, targets, fed_at: None }
    }

    fn reopen(&mut self, id: RequestId, delivery: &Delivery) {
        if delivery.is_settled() {
            self.open.remove(&id)
        } else {
            self.open.insert(id)
        };
    }

    /// Begins a delivery. The same order once more changes nothing.
    pub(super) fn deliver(&mut self, order: DeliveryOrder, now: Time) -> Result<DeliveryStatus, Refused> {
        let id = order.id;
        if let Some(known) = self.deliveries.get(&id) {
            if known.order != order {
                return Err(Refused::new(RefusedWhy::Invalid, "another delivery has this id"));
            }
            return self.known_status(id);
        }
        if order.active_until_ms.is_some_and(|until| until <= ms(now) || Some(until) <= order.active_from_ms) {
            return Err(Refused::new(RefusedWhy::Invalid, "its time is over before it begins"));
        }
        let chosen = self.choose(&order, now)?;
        self.make_room_for_delivery()?;
        let targets: BTreeMap<_, _> =
            chosen.into_iter().map(|record| (record.agent, Target::new(record.name, now))).collect();
        let delivery = self.delivery(order, ms(now), 0, targets);
        self.deliveries.insert(id, delivery);
        self.begin(id, now);
        self.known_status(id)
    }

    /// The machines of a group, or those of it that are named.
    fn choose(&self, order: &DeliveryOrder, now: Time) -> Result<Vec<AgentRecord>, Refused> {
        let not_found = |message: String| Err(Refused::new(RefusedWhy::NotFound, message));
        let of_group: Vec<&AgentRecord> = self.agents.values().filter(|record| record.group == order.group).collect();
        let is_lately = |record: &AgentRecord| {
            self.online.contains_key(&record.agent)
                || ms(now).saturating_sub(record.last_seen_ms) < self.config.seen_ms_max
        };
        let is_wanted = |record: &AgentRecord| match &order.names[..] {
            [] => is_lately(record),
            names => names.contains(&record.name),
        };
        if let Some(name) = order.names.iter().find(|name| of_group.iter().all(|record| record.name != **name)) {
            return not_found(format!("no machine of group {} is called {name}", order.group));
        }
        let chosen: Vec<AgentRecord> = of_group.into_iter().filter(|record| is_wanted(record)).cloned().collect();
        if chosen.is_empty() {
            return not_found(format!("no machine of group {} is known here", order.group));
        }
        if chosen.len() > TARGETS_MAX * usize::from(self.config.fan_out) {
            return Err(Refused::new(RefusedWhy::Full, "the group has more machines than one delivery can have"));
        }
        Ok(chosen)
    }

    fn make_room_for_delivery(&mut self) -> Result<(), Refused> {
        if self.deliveries.len() < self.config.deliveries_max {
            return Ok(());
        }
        let closed = self.deliveries.iter().filter(|(id, _)| !self.open.contains(id));
        let Some(oldest) = closed.min_by_key(|(_, delivery)| delivery.created_ms).map(|(id, _)| *id) else {
            return Err(Refused::new(RefusedWhy::Full, "as many deliveries are under way as can be"));
        };
        self.deliveries.remove(&oldest);
        self.keep(Change::ForgetDelivery(oldest));
        Ok(())
    }

    /// Repeats what failed of a delivery, or of the last of which something did.
    pub(super) fn retry(&mut self, request: Option<RequestId>, now: Time) -> Result<DeliveryStatus, Refused> {
        let has_failed =
            |delivery: &Delivery| delivery.targets.values().any(|target| target.record.state == TargetState::Failed);
        let last = || {
            let failed = self.deliveries.iter().filter(|(_, delivery)| has_failed(delivery));
            failed.max_by_key(|(_, delivery)| delivery.created_ms).map(|(id, _)| *id)
        };
        let id = request.or_else(last).ok_or_else(|| Refused::new(RefusedWhy::NotFound, "nothing has failed"))?;
        let Some(mut delivery) = self.deliveries.remove(&id) else {
            return Err(Refused::new(RefusedWhy::NotFound, "no such delivery is known here"));
        };
        if delivery.is_over(now) {
            self.deliveries.insert(id, delivery);
            return Err(Refused::new(RefusedWhy::Invalid, "the time of this delivery is over: deliver it anew"));
        }
        if has_failed(&delivery) {
            let failed = delivery.targets.values_mut().filter(|target| target.record.state == TargetState::Failed);
            failed.for_each(|target| target.reset(now));
            delivery = self.delivery(delivery.order, delivery.created_ms, delivery.round + 1, delivery.targets);
        }
        self.deliveries.insert(id, delivery);
        self.begin(id, now);
        self.known_status(id)
    }

    /// Writes a delivery down and tells its targets.
    fn begin(&mut self, id: RequestId, now: Time) {
        let Some(delivery) = self.deliveries.get(&id) else { return };
        let (order, created_ms, round) = (delivery.order.clone(), delivery.created_ms, delivery.round);
        let waiting = delivery.targets.iter().filter(|(_, target)| target.record.state == TargetState::Waiting);
        let waiting: Vec<AgentId> = waiting.map(|(agent, _)| *agent).collect();
        self.keep(Change::Delivery { order, created_ms, round });
        for agent in &waiting {
            self.keep_target(id, *agent);
        }
        if !waiting.is_empty() {
            self.open.insert(id);
            let targets = waiting.len();
            self.outputs.push_back(DispatcherOutput::Event(DispatcherEvent::Delivering { request: id, targets }));
        }
        self.tell(id, &waiting, now);
        self.feed(id, now);
    }

    /// Sends requests to those of these who are connected: to the best, with shares of the others; by the socket to those
    /// who take none of others, or were told before in vain.
    pub(super) fn tell(&mut self, id: RequestId, agents: &[AgentId], now: Time) {
        let Some(delivery) = self.deliveries.get_mut(&id) else { return };
        let online = agents.iter().filter(|agent| self.online.contains_key(*agent));
        let mut ranked: Vec<&AgentRecord> = online.filter_map(|agent| self.agents.get(agent)).collect();
        ranked.sort_by_cached_key(|record| record.rank_key());
        let (mut by_relay, mut by_socket) = (Vec::new(), Vec::new());
        for (rank, record) in ranked.into_iter().enumerate() {
            let Some(target) = delivery.targets.get_mut(&record.agent) else { continue };
            let session = self.online.get(&record.agent).and_then(|connection| self.sessions.get(connection));
            let address = session.and_then(|session| session.address);
            let entry = Entry {
                request: id,
                round: delivery.round,
                agent: record.agent,
                name: record.name.clone(),
                address,
                rank: u32::try_from(rank).unwrap_or(u32::MAX),
                bytes_per_s: record.bytes_per_s.unwrap_or(0),
            };
            let signed = SignedTarget { entry: Signed::new(&entry, &self.key), tried: 0 };
            let can_be_told = address.is_some() && target.times_told < BY_RELAY_MAX;
            (target.told, target.times_told) = (Some(now), target.times_told + 1);
            if can_be_told { by_relay.push((record.agent, signed)) } else { by_socket.push((record.agent, signed)) }
        }
        let terms = delivery.terms.clone();
        let shares = deal(by_relay, self.config.fan_out.clamp(1, FAN_OUT_MAX));
        for ((agent, to), share) in shares.into_iter().chain(by_socket.into_iter().map(|alone| (alone, Vec::new()))) {
            let targets = share.into_iter().map(|(_, signed)| signed).collect();
            let request = TransportRequest { terms: terms.clone(), to, targets };
            let Some(connection) = self.online.get(&agent).copied() else { continue };
            self.requests_sent += 1;
            self.send(connection, &ToAgent::Request { request });
        }
    }

    /// Asks some who have everything to give it again: who ordered it may have gone.
    fn feed(&mut self, id: RequestId, now: Time) {
        let Some(delivery) = self.deliveries.get_mut(&id) else { return };
        if delivery.fed_at.is_some_and(|fed_at| now - fed_at < FEED_EVERY) {
            return;
        }
        let done = delivery.targets.iter().filter(|(_, target)| target.record.state == TargetState::Done);
        let mut feeders: Vec<&AgentRecord> = done
            .filter(|(agent, _)| self.online.contains_key(*agent))
            .filter_map(|(agent, _)| self.agents.get(agent))
            .collect();
        feeders.sort_by_cached_key(|record| record.rank_key());
        let feeders: Vec<_> =
            feeders.iter().take(FEEDERS).filter_map(|record| self.online.get(&record.agent)).copied().collect();
        if feeders.is_empty() {
            return;
        }
        delivery.fed_at = Some(now);
        let terms = delivery.terms.clone();
        for connection in feeders {
            self.send(connection, &ToAgent::Feed { terms: terms.clone() });
        }
    }

    /// An agent is there: it is told of what it lacks, and a newcomer of what its group is to have ([001]: "the next
    /// transfer").
    pub(super) fn catch_up(&mut self, card: &Card, now: Time) {
        let wanted = self.deliveries.iter().filter(|(_, delivery)| !delivery.is_over(now));
        let wanted: Vec<RequestId> = wanted
            .filter(|(_, delivery)| match delivery.targets.get(&card.agent) {
                Some(target) => target.record.state != TargetState::Done,
                None => delivery.wants(card),
            })
            .map(|(id, _)| *id)
            .collect();
        for id in wanted {
            let Some(delivery) = self.deliveries.get_mut(&id) else { continue };
            let target = delivery.targets.entry(card.agent).or_insert_with(|| Target::new(card.name.clone(), now));
            target.record.name = card.name.clone();
            target.reset(now);
            // It asks for itself, so nobody else need tell it.
            target.times_told = BY_RELAY_MAX;
            self.open.insert(id);
            self.keep_target(id, card.agent);
            self.tell(id, &[card.agent], now);
            self.feed(id, now);
        }
    }

    pub(super) fn keep_target(&mut self, request: RequestId, agent: AgentId) {
        let target = self.deliveries.get(&request).and_then(|delivery| delivery.targets.get(&agent));
        if let Some(target) = target.map(|target| target.record.clone()) {
            self.keep(Change::Target { request, agent, target });
        }
    }
}
