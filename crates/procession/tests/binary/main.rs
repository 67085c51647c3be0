//! The real binary, run as operators and clients run it: real processes, real ports, real signals, and clients that
//! others wrote.
#![expect(clippy::expect_used, reason = "a test that cannot go on fails by panicking")]

mod api;
mod harness;
mod python;

mod arguments;
mod contract;
mod history_moves;
mod hostile;
mod killed;
mod limits;
mod process_monitor;
mod published;
mod second_machine;
mod shutdown;
#[cfg(target_os = "linux")]
mod small_disk;
mod store_in_use;
mod tls;
mod windows_agent;
