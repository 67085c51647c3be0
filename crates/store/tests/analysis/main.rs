//! Questions over time, asked of a store and of an oracle that goes through whole snapshots: the answers are equal.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

mod host_over_time;
mod hostile;
mod kept;
mod losses;
mod made;
mod moments;
mod names;
mod older;
mod oracle;
mod over_time;
mod ranking;
mod recent;
#[path = "../support/mod.rs"]
mod support;
mod world;
