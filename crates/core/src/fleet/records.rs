//! What of a fleet outlives the tracker's process: what a [`Dispatcher`](super::Dispatcher) begins with, and each change.

use std::collections::BTreeMap;

use crate::ids::{AgentId, RequestId};
use crate::wire::fleet::FleetName;
use crate::wire::fleet::api::{AgentRecord, DeliveryOrder, FailureRecord, TargetState};

/// Most failures that are kept; the oldest go.
pub const FAILURES_MAX: usize = 10_000;

/// One machine of one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetRecord {
    /// For people.
    pub name: FleetName,
    /// How it stands.
    pub state: TargetState,
    /// Why it failed.
    pub reason: Option<String>,
}

/// A delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// What was ordered.
    pub order: DeliveryOrder,
    /// When, in milliseconds since 1970.
    pub created_ms: u64,
    /// How often it was begun, less one.
    pub round: u32,
    /// To whom.
    pub targets: BTreeMap<AgentId, TargetRecord>,
}

/// All that was kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Machines.
    pub agents: Vec<AgentRecord>,
    /// Deliveries.
    pub deliveries: Vec<DeliveryRecord>,
    /// What failed, the oldest first; at most [`FAILURES_MAX`].
    pub failures: Vec<FailureRecord>,
}

/// What is to be kept from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// What is known of a machine.
    Agent(AgentRecord),
    /// A machine is forgotten.
    ForgetAgent(AgentId),
    /// A delivery, without its targets.
    Delivery {
        /// What was ordered.
        order: DeliveryOrder,
        /// When, in milliseconds since 1970.
        created_ms: u64,
        /// How often it was begun, less one.
        round: u32,
    },
    /// One target of a delivery.
    Target {
        /// Of which.
        request: RequestId,
        /// Who.
        agent: AgentId,
        /// How it stands.
        target: TargetRecord,
    },
    /// A delivery and its targets are forgotten.
    ForgetDelivery(RequestId),
    /// Something failed; of these the last [`FAILURES_MAX`] are kept.
    Failure(FailureRecord),
}
