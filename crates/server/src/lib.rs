//! The HTTP and WebSocket server: both published APIs, the page and what it asks for, and agents' connections.
//!
//! Everything that comes in goes one way: [`upload`] or an agent's frame, then the ingest task, which alone writes. What
//! goes out comes from the store's traits, or from the live view, which follows what was stored. Handlers extract,
//! authorise, act and return.

mod access;
mod agent_host;
mod agent_session;
mod agent_socket;
mod app;
mod assets;
mod body;
mod config;
mod csv_text;
mod error;
mod history;
mod host_agents;
mod hosts;
mod ingest;
mod json_stream;
mod json_text;
mod listener;
mod live;
mod metrics;
mod middleware;
mod openapi;
mod page;
mod params;
mod published;
mod router;
pub mod sample_csv;
mod server;
mod snapshot_json;
mod socket;
mod system;
mod time_text;
mod tls;
pub mod upload;

pub use access::{keys, sign_in};
pub use config::{Limits, ServerConfig, TlsFiles};
pub use server::{ServeError, Server, ServerHandle};
