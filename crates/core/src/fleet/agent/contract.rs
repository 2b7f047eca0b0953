//! What goes into an [`Agent`](super::Agent) and what comes out.

use core::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::ids::RequestId;
use crate::wire::fleet::FleetName;
use crate::wire::fleet::request::Terms;
use crate::wire::fleet::token::FleetToken;

/// How an agent is set up.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// For people.
    pub name: FleetName,
    /// Which deliveries to take.
    pub group: FleetName,
    /// What the tracker knows too.
    pub token: FleetToken,
    /// What its key is made from, which is who it is: 32 bytes that are kept for as long as the machine is the same.
    pub identity: [u8; 32],
    /// What program it is.
    pub program: String,
    /// Most deliveries that are got at a time; further ones wait.
    pub jobs_max: usize,
    /// Most deliveries that are remembered. At the bound the one that ends first and is done is forgotten; if there is
    /// none, a new one fails.
    pub remembered_max: usize,
}

/// A request of another agent that waits for its answer; named by the adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TicketId(pub u64);

/// A request on its way to another agent; named by the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PostId(pub u64);

/// What came of a delivery that is complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Finish {
    /// Received in this run, bytes.
    pub received_bytes: u64,
    /// How long that took.
    pub time_ms: u64,
}

/// How a delivery stands at this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waits for its time, or for its turn.
    Queued,
    /// Is being got.
    Running,
    /// Is there.
    Done,
    /// Can't be had.
    Failed,
}

/// What is to be kept of a delivery, so that a new process goes on with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedJob {
    /// What the tracker signed; believed because it was, when it came.
    pub terms: Terms,
    /// How it stands.
    pub state: JobState,
}

/// What happens outside.
#[derive(Debug)]
pub enum AgentInput {
    /// The socket to the tracker is open. `address` is where requests of other agents are taken, as they can reach it.
    SocketUp {
        /// None: they are not taken.
        address: Option<SocketAddr>,
    },
    /// The socket is closed, or did not open.
    SocketDown {
        /// For people.
        reason: String,
    },
    /// A text frame of the tracker.
    Message(String),
    /// Another agent sent a request; may be anything. To be answered by [`AgentOutput::Answer`].
    Posted {
        /// Comes back with the answer.
        ticket: TicketId,
        /// The body.
        text: String,
    },
    /// What became of [`AgentOutput::Post`].
    PostEnded {
        /// Which.
        post: PostId,
        /// Whether the other agent has it.
        is_there: bool,
    },
    /// How far a delivery is.
    Progress {
        /// Which.
        request: RequestId,
        /// Verified bytes.
        have_bytes: u64,
    },
    /// A delivery that was [started](AgentOutput::Start) has ended.
    Finished {
        /// Which.
        request: RequestId,
        /// Why it failed, for people.
        result: Result<Finish, String>,
    },
}

/// What the program is to do, at once and in order.
#[derive(Debug)]
pub enum AgentOutput {
    /// Open the socket to the tracker.
    Connect,
    /// Close it after what was sent; [`AgentInput::SocketDown`] is not expected.
    Disconnect,
    /// Send a text frame to the tracker.
    Send(String),
    /// Answer a request of another agent.
    Answer {
        /// Which.
        ticket: TicketId,
        /// What.
        answer: PostAnswer,
    },
    /// Send a request to another agent, and say what became of it.
    Post {
        /// Which.
        post: PostId,
        /// Where.
        address: SocketAddr,
        /// The body.
        text: String,
    },
    /// Get this, or go on with it.
    Start(Terms),
    /// Give this to others again for a while; it is there.
    Feed(Terms),
    /// Keep this in place of what was kept of the same delivery, before anything that comes after.
    Save(SavedJob),
    /// Forget what was kept of it.
    Forget(RequestId),
    /// Tell people.
    Event(AgentEvent),
}

/// What another agent is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostAnswer {
    /// Taken, and passed on.
    Taken,
    /// Nothing to do: it was taken before, or it is there.
    Known,
    /// It is not believed, or void.
    Refused(String),
}

/// Why an agent wants to be called again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentReason {
    /// The tracker is to be tried again.
    Connect,
    /// The tracker said nothing for too long.
    Silence,
    /// A delivery may begin, or its time is over.
    Jobs,
}

/// What people want to hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentEvent {
    /// The tracker has let it in.
    Enlisted,
    /// The tracker is not reached.
    Down {
        /// For people.
        reason: String,
        /// Wait before the next try.
        retry_ms: u64,
    },
    /// The tracker wants nothing of it: no use trying again.
    Refused {
        /// For people.
        reason: String,
    },
    /// There is something to get.
    Requested {
        /// What.
        terms: Terms,
        /// How many others it was passed on to.
        passed_on: usize,
    },
}
