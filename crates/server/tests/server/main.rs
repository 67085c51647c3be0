//! The real router, served on a free port, with the real store.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod agent_client;
mod agent_hosts;
mod agents;
mod bodies;
mod history;
mod live;
mod monitor_api;
mod openapi;
mod page_files;
mod recorded_agents;
mod sockets;
mod support;
mod system_api;
