//! What must hold of a run.
//!
//! * `safety`: of every output, at any time, whatever the faults.
//! * `digest`: one number for all outputs and their times.
//! * `liveness`: at the end, that everyone left finished after the last fault.

mod digest;
mod liveness;
mod safety;

pub(crate) use digest::Digest;
pub(crate) use liveness::stuck;
pub(crate) use safety::{OUTPUTS_MAX, Safety};
