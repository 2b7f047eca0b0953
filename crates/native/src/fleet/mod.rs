//! Fleets on an operating system: a machine that takes deliveries, and what those need who order them.
//!
//! * [`service`]: an agent, which drives the engine's [`Agent`](pleach_core::fleet::Agent).
//! * [`sealed`]: the key of an encrypted delivery, for each machine alone.
//! * [`api`]: orders and reports, over HTTP.

pub mod api;
mod contract;
mod job;
mod journal;
mod lent;
mod listener;
pub mod sealed;
pub mod service;
mod shape;
