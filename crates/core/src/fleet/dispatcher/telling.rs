//! What is told of deliveries and machines to who orders and asks.

use std::collections::BTreeMap;

use super::Dispatcher;
use super::contract::{DispatcherStats, Refused, RefusedWhy};
use super::delivering::Delivery;
use crate::ids::{ContentId, ManifestDigest, RequestId};
use crate::wire::fleet::api::{
    DeliveryStatus, DeliverySummary, REPORT_FAILURES_MAX, RankedAgent, Report, TargetState, TargetStatus,
};

impl Dispatcher {
    /// How a delivery stands; `None` if it is not known.
    pub fn status(&self, id: RequestId) -> Option<DeliveryStatus> {
        let delivery = self.deliveries.get(&id)?;
        let mut targets: Vec<TargetStatus> = delivery
            .targets
            .iter()
            .map(|(agent, target)| TargetStatus {
                agent: *agent,
                name: target.record.name.clone(),
                state: target.record.state,
                have_bytes: target.have_bytes,
                connected: self.online.contains_key(agent),
                reason: target.record.reason.clone(),
            })
            .collect();
        targets.sort_by(|one, other| (&one.name, one.agent).cmp(&(&other.name, other.agent)));
        Some(DeliveryStatus {
            id,
            group: delivery.order.group.clone(),
            content: delivery.order.content,
            manifest: delivery.order.manifest,
            title: delivery.order.title.clone(),
            size_bytes: delivery.order.size_bytes,
            round: delivery.round,
            created_ms: delivery.created_ms,
            active_until_ms: delivery.until_ms(),
            targets,
        })
    }

    pub(super) fn known_status(&self, id: RequestId) -> Result<DeliveryStatus, Refused> {
        self.status(id).ok_or_else(|| Refused::new(RefusedWhy::NotFound, "no such delivery is known here"))
    }

    /// All that is known: machines by rank, deliveries, failures.
    pub fn report(&self) -> Report {
        let mut agents: Vec<RankedAgent> = self
            .agents
            .values()
            .map(|record| RankedAgent { record: record.clone(), connected: self.online.contains_key(&record.agent) })
            .collect();
        agents.sort_by_cached_key(|agent| agent.record.rank_key());
        let mut deliveries: Vec<DeliverySummary> =
            self.deliveries.iter().map(|(id, delivery)| summary(*id, delivery)).collect();
        deliveries.sort_by_key(|delivery| core::cmp::Reverse((delivery.created_ms, delivery.id)));
        let failures = self.failures.iter().rev().take(REPORT_FAILURES_MAX).cloned().collect();
        Report { agents, deliveries, failures }
    }

    /// Whether something is delivered that has this description.
    pub fn delivers(&self, content: ContentId, manifest: ManifestDigest) -> bool {
        self.deliveries
            .values()
            .any(|delivery| delivery.order.content == content && delivery.order.manifest == manifest)
    }

    /// How it stands.
    pub fn stats(&self) -> DispatcherStats {
        DispatcherStats {
            machines: self.agents.len(),
            machines_connected: self.online.len(),
            deliveries: self.deliveries.len(),
            deliveries_open: self.open.len(),
            failures: self.failures.len(),
            requests_sent: self.requests_sent,
        }
    }
}

fn summary(id: RequestId, delivery: &Delivery) -> DeliverySummary {
    let mut counts: BTreeMap<TargetState, usize> = BTreeMap::new();
    for target in delivery.targets.values() {
        *counts.entry(target.record.state).or_default() += 1;
    }
    let count = |state| counts.get(&state).copied().unwrap_or(0);
    DeliverySummary {
        id,
        group: delivery.order.group.clone(),
        title: delivery.order.title.clone(),
        size_bytes: delivery.order.size_bytes,
        created_ms: delivery.created_ms,
        active_until_ms: delivery.until_ms(),
        targets: delivery.targets.len(),
        done: count(TargetState::Done),
        failed: count(TargetState::Failed),
    }
}
