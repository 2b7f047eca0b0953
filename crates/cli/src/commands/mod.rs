//! One module a command.

pub(crate) mod agent;
pub(crate) mod deliver;
pub(crate) mod get;
pub(crate) mod inspect;
pub(crate) mod publish;
pub(crate) mod report;
pub(crate) mod seed;
pub(crate) mod share;
pub(crate) mod tracker;
