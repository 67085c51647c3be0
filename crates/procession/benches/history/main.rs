//! What history costs: bytes a process sample, samples a second, time to answer; beside plain SQLite rows and simple
//! compressed columns made of the same input in the same run. `cargo xtask bench history` runs it and keeps the tables.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its output is its purpose")]

mod asked;
mod columns;
mod input;
mod long;
mod ours;
mod questions;
mod row_questions;
mod rows;
mod sizes;
mod table;

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;

/// What to measure on.
#[derive(Parser)]
struct Options {
    /// A recording to measure beside the made inputs: upload bodies, one a line, plain or zstd
    #[arg(long, value_name = "FILE")]
    input: Vec<PathBuf>,
    /// The same seed makes the same inputs
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    long: long::Options,
    /// Keep the long history here, and take the one that is there if it was made with the same options
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Only make the long history, for a later run with the same --keep
    #[arg(long, requires = "keep")]
    make_only: bool,
    /// Leave out sizes and speeds
    #[arg(long)]
    only_questions: bool,
    /// What cargo gives every bench
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if !options.only_questions && !options.make_only {
        println!("{}", runtime.block_on(sizes::measure(options.seed, &options.input))?);
    }
    let temporary = tempfile::tempdir()?;
    let folder = options.keep.as_deref().unwrap_or(temporary.path());
    let made = runtime.block_on(long::make(folder, &options.long, options.seed))?;
    if !options.make_only {
        println!("{}", runtime.block_on(asked::measure(made, options.seed))?);
    }
    Ok(())
}
