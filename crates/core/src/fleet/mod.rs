//! Fleets: deliveries to machines that are registered with a tracker ([001]).
//!
//! The data of a delivery goes through the swarm of its content, as every download does; this module is about who is told,
//! by whom, and what became of it. Two state machines under the contract of the crate's front page, but for one thing:
//! their time counts from 1970 (UTC), because requests end at moments of the calendar.
//!
//! * [`Dispatcher`], at the tracker: knows the machines, ranks them by what they were seen to do, signs transport requests,
//!   hands each of the best its share of the targets, and notes who acknowledged and who failed.
//! * [`Agent`], at a machine: believes what its tracker signed, passes it on to its share at once, before it has any of the
//!   content, and says when it has everything.
//!
//! So for `N` targets the tracker sends as many requests as the fan-out, and receives two acknowledgements of each target:
//! that it is told, and that it has everything. A target that can't be reached by its relay is moved down the relay's list,
//! the next best takes over its share and tries it once more (T8 and T17 in figure 4); who can't be reached by that one
//! either is told by the tracker, over its socket. So are those from whom no word came in time, whatever their relay did.
//!
//! `shares`: the arithmetic of both. [`Change`] and [`Snapshot`]: what of it outlives the process.

mod agent;
mod dispatcher;
mod records;
mod shares;
#[cfg(test)]
mod tests;

pub use agent::{
    Agent, AgentConfig, AgentEvent, AgentInput, AgentOutput, AgentReason, Finish, JobState, PostAnswer, PostId,
    SavedJob, TicketId,
};
pub use dispatcher::{
    Dispatcher, DispatcherConfig, DispatcherEvent, DispatcherInput, DispatcherOutput, DispatcherReason,
    DispatcherStats, Refused, RefusedWhy,
};
pub use records::{Change, DeliveryRecord, FAILURES_MAX, Snapshot, TargetRecord};
