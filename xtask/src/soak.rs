//! `cargo xtask soak`: the long forms of tests that `cargo xtask test` has in short.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::command::{cargo, run};
use crate::step::{self, Step};
use crate::{debian, workspace};

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
    Step { name: "flips", about: "100,000 wrong bits in a journal: each is put right and told", run: flips },
    Step { name: "disk", about: "the server's disk fills and is emptied again (mounts a small one)", run: disk },
    Step { name: "backup", about: "100 backups in mid-ingest: each restores and verifies", run: backup },
    Step {
        name: "network",
        about: "10,000 networks that split and heal, and as many lost acknowledgements",
        run: network,
    },
    Step { name: "contract", about: "schemathesis with 500 made-up requests an operation", run: contract },
    Step { name: "fuzz", about: "each fuzz target for a minute (needs cargo-fuzz)", run: fuzz },
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

fn flips() -> Result<()> {
    let mut command =
        cargo(&["test", "--locked", "--package", "procession-store", "--test", "damage", "a_thousand_flipped_bits"]);
    command.env("PROCESSION_TEST_FLIPS", "100000");
    run(command)
}

fn disk() -> Result<()> {
    let test = ["test", "--locked", "--package", "procession", "--test", "binary", "small_disk::", "--", "--ignored"];
    run(cargo(&test))
}

fn backup() -> Result<()> {
    let mut command =
        cargo(&["test", "--locked", "--package", "procession", "--test", "binary", "backups_in_mid_ingest"]);
    command.env("PROCESSION_TEST_BACKUPS", "100");
    run(command)
}

fn network() -> Result<()> {
    let mut command = cargo(&["test", "--locked", "--package", "procession-agent", "--lib", "power_cut"]);
    command.env("PROCESSION_TEST_SEEDS", "10000");
    run(command)?;
    let mut command = cargo(&["test", "--locked", "--package", "procession-agent", "--test", "agent", "faults::"]);
    command.env("PROCESSION_TEST_SEEDS", "10000");
    run(command)
}

fn contract() -> Result<()> {
    debian::ensure_python()?;
    let mut command = cargo(&["test", "--locked", "--package", "procession", "--test", "binary", "contract::"]);
    command.env("PROCESSION_TEST_EXAMPLES", "500");
    run(command)
}

/// What `cargo fuzz list` lists.
const FUZZ_TARGETS: [&str; 8] =
    ["frame", "frame_sequence", "block", "seal", "dictionary", "journal", "rollup", "upload"];
/// How long each is tried, in seconds; `PROCESSION_FUZZ_SECONDS` says otherwise.
const FUZZ_SECONDS: u32 = 60;

fn fuzz() -> Result<()> {
    let seconds = std::env::var("PROCESSION_FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let limit = format!("-max_total_time={}", seconds.unwrap_or(FUZZ_SECONDS));
    for target in FUZZ_TARGETS {
        let features = ["--features", "server,store"];
        let mut command = cargo(&["fuzz", "run", "--sanitizer", "none"]);
        command.args(features).arg(target).args(["--", &limit, "-max_len=65536"]);
        // Coverage needs an option of rustc that only a nightly compiler gives, or one that is told to.
        command.env("RUSTC_BOOTSTRAP", "1").current_dir(workspace::root());
        run(command)?;
    }
    Ok(())
}
