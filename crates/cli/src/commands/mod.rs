//! One module a command.

pub(crate) mod get;
pub(crate) mod inspect;
pub(crate) mod publish;
pub(crate) mod seed;
pub(crate) mod share;
pub(crate) mod tracker;
