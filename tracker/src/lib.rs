//! The Pleach tracker as a server: a thin driver of the sans-IO state machine [`pleach_core::tracker::Tracker`], and
//! what a browser needs beside it.
//!
//! One process, one port: peers' WebSockets, the manifests of what they carry, the page that opens a link, STUN on the
//! same port number over UDP, and numbers for the operator. `pleach tracker` runs it alone; `pleach share` runs it
//! with a seeder in the same process, which hands its manifest over by [`ServerHandle::publish_manifest`].
//!
//! ```text
//! TCP ─► server ─► routes ─┬─► socket ───────┐
//!        limits            ├─► manifests ────┼─► driver ─┬─► Tracker (pleach-core)
//!        TLS               ├─► pictures ─────┤           └─► fleet: Dispatcher (pleach-core) ─► ledger
//!                          ├─► fleet ────────┤
//!                          ├─► health, stats ┘
//!                          └─► assets
//! UDP ─► stun
//! ```
//!
//! Several in one process run swarms together: [`Server::bind_all`], and the module `cluster`.
//!
//! Nothing here decides who connects to whom: that is the state machine's. What is here is bounded: each queue,
//! buffer, rate and time has a limit, stated where it is defined with what happens at it, and the ones that depend on
//! the machine are keys of [`ServerConfig`].
//!
//! ```no_run
//! # async fn example() -> Result<(), pleach_tracker::Error> {
//! use pleach_tracker::{Server, ServerConfig};
//!
//! let config = ServerConfig { listen: ([127, 0, 0, 1], 0).into(), ..ServerConfig::default() };
//! let server = Server::bind(config).await?;
//! println!("http://{}", server.local_addr());
//! server.run(std::future::pending()).await;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod assets;
mod cluster;
pub mod config;
mod driver;
mod fleet;
mod ledger;
mod limits;
mod manifests;
mod metrics;
mod pictures;
mod routes;
pub mod secret_file;
mod server;
mod socket;
mod stun;
mod tls;

pub use config::{ConfigError, ServerConfig, ServerOptions};
pub use driver::{Published, Stopped};
pub use ledger::LedgerError;
pub use manifests::ManifestsFull;
pub use metrics::Stats;
pub use server::{Error, PublishError, Server, ServerHandle};
