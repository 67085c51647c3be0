//! Watches a machine and sends its frames to a server.
//!
//! [`run`] is the agent: it samples at every tick, keeps frames until the server has said that they are durable, and
//! connects again and again. What carries the messages is a [`Connect`]: a WebSocket for an agent of its own, a pair of
//! queues for the one inside `procession serve`. [`command`] is that agent as a program.

pub mod address;
mod arguments;
mod backoff;
pub mod command;
mod config;
pub mod connect;
mod drain_pace;
mod event_loop;
mod install;
mod interval;
mod key;
mod masking;
mod outbox;
mod outboxes;
mod print;
mod sampler;
mod session;
mod settings;
mod settings_file;
mod spool;
mod storage;
mod watcher;

pub use arguments::{AgentArguments, CollectorChoice};
pub use config::AgentConfig;
pub use connect::{Connect, ConnectError, InProcess, WebSocket};
pub use event_loop::{AgentError, run, run_with};
pub use install::{InstallArguments, Right, RootArguments, ServiceAction, UninstallArguments};
pub use key::Key;
pub use masking::{MASK, Masker};
pub use sampler::Sampler;

/// The shortest time between two snapshots that anyone may set, in milliseconds.
pub const INTERVAL_MS_MIN: u64 = 200;
/// The longest time between two snapshots that anyone may set, in milliseconds.
pub const INTERVAL_MS_MAX: u64 = 3_600_000;
/// The time between two snapshots if nothing is set, in milliseconds.
pub const INTERVAL_MS_DEFAULT: u64 = 5_000;
