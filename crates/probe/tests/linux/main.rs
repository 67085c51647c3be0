//! The Linux collector, on a made proc file system and on the machine that runs the tests.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "tests fail by it, or say why they cannot run")]

mod made;
mod made_machine;
mod rest;
mod short_lives;
mod this_machine;
