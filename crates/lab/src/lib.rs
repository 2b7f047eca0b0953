//! Real swarms over real, slow lines: processes of `pleach`, each in a network namespace of its own, on one machine.
//!
//! # The idea
//!
//! The simulator knows no loss, no congestion control and no handshakes but what its model says. Here everything is
//! real but the lines: each process has a network of its own, whose one interface is shaped by the kernel in both
//! directions, and what leaves it crosses a middle that takes its time.
//!
//! ```text
//!  namespace of A                    the middle                     namespace of B
//!  pleach ── line ══ tbf, A's up ══► p3 ─► waits delay A + delay B ─► p4 ══ tbf, B's down ══► line ── pleach
//! ```
//!
//! * [`sealed`]: a place where we may make networks, and of which nothing is left when the process has ended
//! * [`line`](mod@line): how fast whose line is
//! * [`network`]: namespaces and shaping; [`middle`]: the delay between them
//! * [`process`]: programs in them; [`bare`]: what a line carries without Pleach
//! * [`swarm`]: a tracker, a source and peers, until all have everything; [`report`]: what that came to
//! * [`cpu`]: whether the processor was what was measured
#![cfg(target_os = "linux")]

pub mod bare;
pub mod cpu;
pub mod line;
mod middle;
pub mod network;
pub mod process;
pub mod report;
pub mod sealed;
pub mod swarm;
