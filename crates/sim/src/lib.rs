//! Whole swarms in one process: the real [`Peer`](pleach_core::peer::Peer) and [`Tracker`](pleach_core::tracker::Tracker)
//! over a modelled network, replayed from a seed.
//!
//! # The idea
//!
//! The engine reads no clock and has no sockets, so a simulator is one more adapter: it carries out the outputs of a
//! hundred peers and their tracker, and what comes of them is an entry in one queue, ordered by time. Nothing is drawn
//! but from generators that the run's seed begets, and no collection without an order is walked, so a seed gives the
//! same run to the byte, on any machine: what was seen once can be looked at again.
//!
//! It never stands in for the peer's engine, and for the tracker's only where a baseline is asked for. What it models is what lies between: lines with rates and delays, links that take
//! time to open, break, or never open (`network`), stores that take time to write (`store`), a tracker that can be
//! restarted, peers that come, go, are killed, and lie (`hostile`). The modules say what their models leave out.
//!
//! # Two phases, two kinds of checks
//!
//! While faults go on, only *safety* is asked for, of every single output: nothing is written or passed on that is not
//! the true content, no credit is overdrawn, nobody honest is banned ([`check`]). After the last fault *liveness* is
//! asked for too: everyone who is left gets everything within a bound of simulated time.
//!
//! * [`scenario`]: runs by name, as a table
//! * [`topology`]: arrangements of the peers by name, as a table; `stand_in`: the baselines among them
//! * [`world`]: one run: peers, script, loop; the way in for tests that need something special
//! * [`bounds`]: how fast it could have been
//! * [`report`]: what a run came to; [`runs`]: several of them, and their medians
//! * [`record`], [`plot`]: a run as a picture
//! * [`crowd`]: what the policies of lists do to many who want the same
//! * [`settings`]: the tracker's numbers by name, for sweeps

mod bits;
pub mod bounds;
pub mod check;
mod content;
pub mod crowd;
mod hostile;
mod network;
mod player;
pub mod plot;
mod queue;
pub mod record;
pub mod report;
pub mod runs;
pub mod scenario;
pub mod settings;
mod stand_in;
mod store;
pub mod topology;
mod tracker_host;
mod web_server;
pub mod world;

pub use content::TrueContent;
pub use hostile::Conduct;
pub use network::{LineSpec, NodeId};
pub use stand_in::Shape;
pub use store::Kept;
