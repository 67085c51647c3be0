//! The agent against made servers, in this process and over real sockets.
#![expect(clippy::unwrap_used, reason = "tests fail by it")]

mod clock;
mod cuts;
mod faults;
mod golden;
mod in_process;
mod made;
mod over_websocket;
mod program;
mod spool;
