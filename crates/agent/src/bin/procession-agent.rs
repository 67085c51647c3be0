//! The agent alone, in a small binary.

use std::process::ExitCode;

use clap::Parser as _;
use procession_agent::{AgentArguments, command};

/// Watches this machine and sends its processes to a Procession server.
#[derive(clap::Parser)]
#[command(name = "procession-agent", version)]
struct Arguments {
    #[command(flatten)]
    agent: AgentArguments,
}

fn main() -> ExitCode {
    command::run(Arguments::parse().agent)
}
