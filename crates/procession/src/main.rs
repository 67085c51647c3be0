//! The one binary: parses what was asked for and does it.

use std::process::ExitCode;

fn main() -> ExitCode {
    procession::run()
}
