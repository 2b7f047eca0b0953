//! What targets say of a delivery, and what is done about those who say nothing.

use core::time::Duration;

use super::contract::{DispatcherEvent, DispatcherOutput};
use super::delivering::{BY_RELAY_MAX, Delivery, Target};
use super::{Dispatcher, ms};
use crate::ids::{AgentId, RequestId};
use crate::time::Time;
use crate::wire::fleet::api::{FailureRecord, TargetState};
use crate::wire::fleet::cut_reason;

/// A target that was told so often and has not said a word is given up.
const TOLD_MAX: u32 = 5;

impl Dispatcher {
    /// A machine is gone; its time runs from now on.
    pub(super) fn went_away(&mut self, agent: AgentId, now: Time) {
        for id in &self.open {
            let target = self.deliveries.get_mut(id).and_then(|delivery| delivery.targets.get_mut(&agent));
            if let Some(target) = target {
                target.away_since = now;
            }
        }
    }

    /// The acknowledgement of connection.
    pub(super) fn got(&mut self, id: RequestId, round: u32, agent: AgentId) {
        let Some(delivery) = self.deliveries.get_mut(&id).filter(|delivery| delivery.round == round) else { return };
        let Some(target) = delivery.targets.get_mut(&agent) else { return };
        if target.record.state == TargetState::Waiting {
            target.record.state = TargetState::Getting;
            self.keep_target(id, agent);
        }
    }

    pub(super) fn progress(&mut self, id: RequestId, agent: AgentId, have_bytes: u64) {
        let Some(delivery) = self.deliveries.get_mut(&id) else { return };
        let size_bytes = delivery.order.size_bytes;
        if let Some(target) = delivery.targets.get_mut(&agent) {
            target.have_bytes = have_bytes.min(size_bytes);
        }
    }

    /// The acknowledgement of the last packet. What it says of its own speed is for people: what it is worth, others tell.
    pub(super) fn done(&mut self, id: RequestId, agent: AgentId) {
        let Some(delivery) = self.deliveries.get_mut(&id) else { return };
        let size_bytes = delivery.order.size_bytes;
        let Some(target) = delivery.targets.get_mut(&agent) else { return };
        if target.record.state == TargetState::Done {
            return;
        }
        (target.record.state, target.record.reason, target.have_bytes) = (TargetState::Done, None, size_bytes);
        let name = target.record.name.clone();
        self.keep_target(id, agent);
        if let Some(record) = self.agents.get_mut(&agent) {
            record.done = record.done.saturating_add(1);
            self.keep_agent(agent);
        }
        self.outputs.push_back(DispatcherOutput::Event(DispatcherEvent::Delivered { request: id, name }));
        self.close_if_settled(id);
    }

    /// A target did not get it. What it says of an earlier round counts no more.
    pub(super) fn failed(&mut self, id: RequestId, round: Option<u32>, agent: AgentId, reason: String, now: Time) {
        let Some(delivery) = self.deliveries.get_mut(&id) else { return };
        if round.is_some_and(|round| round != delivery.round) {
            return;
        }
        let Some(target) = delivery.targets.get_mut(&agent) else { return };
        if target.record.state.is_settled() {
            return;
        }
        let reason = cut_reason(&reason);
        (target.record.state, target.record.reason) = (TargetState::Failed, Some(reason.clone()));
        let name = target.record.name.clone();
        self.keep_target(id, agent);
        if let Some(record) = self.agents.get_mut(&agent) {
            record.failed = record.failed.saturating_add(1);
            self.keep_agent(agent);
        }
        let at_ms = ms(now);
        self.keep_failure(FailureRecord { at_ms, request: id, agent, name: name.clone(), reason: reason.clone() });
        self.outputs.push_back(DispatcherOutput::Event(DispatcherEvent::Failed { request: id, name, reason }));
        self.close_if_settled(id);
    }

    /// Relays could not reach these: they are told by the socket.
    pub(super) fn unreached(&mut self, id: RequestId, agents: &[AgentId], now: Time) {
        let Some(delivery) = self.deliveries.get_mut(&id) else { return };
        let mut waiting = Vec::new();
        for agent in agents {
            let Some(target) = delivery.targets.get_mut(agent) else { continue };
            // Who was told by the socket already needs no other's word for it.
            if target.record.state == TargetState::Waiting && target.times_told <= BY_RELAY_MAX {
                target.times_told = BY_RELAY_MAX;
                waiting.push(*agent);
            }
        }
        self.tell(id, &waiting, now);
    }

    /// Looks after those from whom nothing comes.
    pub(super) fn sweep_deliveries(&mut self, now: Time) {
        for id in self.open.iter().copied().collect::<Vec<_>>() {
            let (silent, failed) = self.look_over(id, now);
            self.tell(id, &silent, now);
            for (agent, reason) in failed {
                self.failed(id, None, agent, reason, now);
            }
        }
    }

    /// Who is to be told once more, and who has failed and why.
    fn look_over(&self, id: RequestId, now: Time) -> (Vec<AgentId>, Vec<(AgentId, String)>) {
        let (mut silent, mut failed) = (Vec::new(), Vec::new());
        let Some(delivery) = self.deliveries.get(&id) else { return (silent, failed) };
        let waits = Duration::from_millis(self.config.acknowledge_ms_max);
        let away_max = Duration::from_millis(delivery.order.away_ms_max);
        for (agent, target) in delivery.targets.iter().filter(|(_, target)| !target.record.state.is_settled()) {
            let is_online = self.online.contains_key(agent);
            let is_silent = target.record.state == TargetState::Waiting && is_online;
            if delivery.is_over(now) {
                failed.push((*agent, "the delivery's time is over".to_owned()));
            } else if !is_online && now - target.away_since >= away_max {
                failed.push((*agent, away_reason(target, delivery.order.size_bytes)));
            } else if is_silent && target.told.is_none_or(|told| now - told >= waits) {
                if target.times_told < TOLD_MAX {
                    silent.push(*agent);
                } else {
                    failed.push((*agent, "it is connected, and does not answer".to_owned()));
                }
            }
        }
        (silent, failed)
    }

    fn close_if_settled(&mut self, id: RequestId) {
        if self.deliveries.get(&id).is_some_and(Delivery::is_settled) {
            self.open.remove(&id);
        }
    }
}

fn away_reason(target: &Target, size_bytes: u64) -> String {
    match (target.record.state, target.have_bytes) {
        (TargetState::Waiting, _) => "it is not connected".to_owned(),
        (_, have_bytes) => {
            let percent = u128::from(have_bytes) * 100 / u128::from(size_bytes.max(1));
            format!("it went away at {percent} %")
        }
    }
}
