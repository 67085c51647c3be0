//! `cargo xtask soak`: the long forms of tests that `cargo xtask test` has in short.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::command::{cargo, run};
use crate::debian;
use crate::step::{self, Step};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only these, separated by commas; `--list` shows them.
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    only: Vec<String>,
    /// List them and run none.
    #[arg(long)]
    list: bool,
}

const SOAKS: &[Step] = &[
    Step { name: "kill", about: "1,000 times kill -9 in mid-ingest: nothing acknowledged is lost", run: kill },
    Step { name: "contract", about: "schemathesis with 500 made-up requests an operation", run: contract },
];

/// Runs what was asked for.
pub(crate) fn soak(options: &Options) -> Result<ExitCode> {
    if options.list {
        for soak in SOAKS {
            println!("{:<14} {}", soak.name, soak.about);
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(name) = options.only.iter().find(|name| !SOAKS.iter().any(|soak| soak.name == **name)) {
        bail!("there is no soak {name:?}; `cargo xtask soak --list` shows them");
    }
    let chosen = |soak: &&Step| options.only.is_empty() || options.only.iter().any(|name| name == soak.name);
    Ok(step::run_all(&SOAKS.iter().filter(chosen).collect::<Vec<_>>()))
}

fn kill() -> Result<()> {
    let mut command = cargo(&["test", "--locked", "--package", "procession", "--test", "binary", "killed::"]);
    command.env("PROCESSION_TEST_KILLS", "1000");
    run(command)
}

fn contract() -> Result<()> {
    debian::ensure_python()?;
    let mut command = cargo(&["test", "--locked", "--package", "procession", "--test", "binary", "contract::"]);
    command.env("PROCESSION_TEST_EXAMPLES", "500");
    run(command)
}
