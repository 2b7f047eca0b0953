//! The command line and the native node with real parts: real processes, a real tracker, real WebRTC over loopback,
//! a real disk. One test program, because linking WebRTC many times takes longer than the tests.

mod common;
mod disk;
mod failures;
mod fleet;
mod fleet_lines;
#[cfg(unix)]
mod fleet_swarm;
mod folders;
mod help;
#[cfg(unix)]
mod kills;
#[cfg(unix)]
mod lookup;
mod nodes;
mod packed;
#[cfg(unix)]
mod prompts;
mod publish;
#[cfg(unix)]
mod recording;
mod share_get;
mod swarm;
mod tracker;
mod web;
mod web_server;
