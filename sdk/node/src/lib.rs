//! What one embeds to be a party: driver, channel, services, store, control.
//!
//! A [`Node`] is one party: it listens to other parties (interconnect side) and to its own people and programs (control
//! side), keeps its state in one folder, and runs joint jobs. Protocol logic is in `hefu-protocol`; here are its clock,
//! its network, its files and its randomness.
//!
//! | room | what it does |
//! |---|---|
//! | `config` | the node's TOML, `[[allow]]` entries |
//! | `identity`, `trust` | own keys and descriptor; whom a person trusts |
//! | `tls` | TLS 1.3, mutual, hybrid key exchange |
//! | `wire` | generated types, one file a service: they go no further |
//! | `services` | what a peer may call |
//! | `session` | sessions that others opened, and what they may do next |
//! | `channel` | sealed frames, relay, back-pressure |
//! | `driver` | runs protocol machines |
//! | `job` | a job from offer to result, on either side |
//! | `pool` | pooled jobs: rounds of sums, on either side |
//! | `epochs` | evaluation keys and published sets of unbalanced alignment |
//! | `dataset`, `store` | published rows; what is remembered |
//! | `approvals` | a steward's word on who may use a dataset |
//! | `throughput` | what `hefu bench frames` measures at either side |
//! | `control` | what the node's own people may call |
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
// A refusal is the exceptional path, and gRPC's own status is larger still.
#![allow(clippy::result_large_err)]

mod approvals;
mod channel;
mod config;
mod control;
mod dataset;
mod driver;
mod epochs;
mod error;
mod files;
mod identity;
mod job;
mod node;
mod pool;
mod services;
mod session;
mod store;
pub mod throughput;
mod tls;
mod trust;
mod wire;

pub use config::{
    AllowEntry, DEFAULT_CONTROL_PORT, DEFAULT_PORT, FilesSection, LimitsSection, ListenSection, NodeConfig,
    PartySection, Permit, TrainerSection,
};
pub use driver::peak_rss_mib;
pub use error::Error;
pub use node::{Connection, Log, Node, RunningNode};
pub use pool::leave_at_round;

/// Name and version of this implementation, for people.
pub const SOFTWARE: &str = concat!("hefu ", env!("CARGO_PKG_VERSION"));

/// Bytes from the system's generator.
fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| Error::Internal("the system has no randomness"))?;
    Ok(bytes)
}

/// Microseconds since 1970.
fn now_us() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_micros()).unwrap_or(i64::MAX)
}
