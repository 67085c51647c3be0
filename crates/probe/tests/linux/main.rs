//! The Linux collector, on a made proc file system and on the machine that runs the tests.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "tests fail by it")]

mod made;
mod made_machine;
mod this_machine;
