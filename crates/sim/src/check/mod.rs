//! What must hold of a run.
//!
//! * `safety`: of every output, at any time, whatever the faults.
//! * `digest`: one number for all outputs and their times.
//! * Liveness, that everyone left finishes after the last fault, is asked at the end: [`crate::world::World::stuck`].

mod digest;
mod safety;

pub(crate) use digest::Digest;
pub(crate) use safety::{OUTPUTS_MAX, Safety};
