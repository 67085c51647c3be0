//! What history costs: bytes a process sample, samples a second, time to answer; beside plain SQLite rows and simple
//! compressed columns made of the same input in the same run. `cargo xtask bench history` runs it and keeps the table.
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

mod columns;
mod input;
mod ours;
mod queries;
mod rows;
mod table;

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;

use input::Input;
use table::Table;

/// What to measure on.
#[derive(Parser)]
struct Options {
    /// A recording to measure beside the made inputs: upload bodies, one a line, plain or zstd
    #[arg(long, value_name = "FILE")]
    input: Vec<PathBuf>,
    /// The same seed makes the same inputs
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Days of history that queries are asked of
    #[arg(long, default_value_t = 1)]
    days: u32,
    /// Hosts in that history
    #[arg(long, default_value_t = 5)]
    hosts: u32,
    /// Seconds between its snapshots
    #[arg(long, default_value_t = 30)]
    step: u32,
    /// What cargo gives every bench
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut inputs = input::made(options.seed);
    for file in &options.input {
        inputs.push(Input::recorded(file)?);
    }
    let mut sizes = Table::new(&[
        "input",
        "processes × snapshots",
        "Procession, bytes a sample",
        "columns (delta, varint, zstd)",
        "plain SQLite rows",
        "rows ÷ Procession",
    ]);
    let mut speeds =
        Table::new(&["input", "append and fsync, samples/s", "seal, samples/s", "rows, samples/s", "append ÷ rows"]);
    for input in &inputs {
        let ours = runtime.block_on(ours::measure(input))?;
        let rows = rows::measure(input)?;
        let columns = columns::bytes(input)?;
        let samples = input.samples();
        let each = |bytes: u64| format!("{:.3}", ratio(bytes, samples));
        sizes.row([
            input.name.clone(),
            format!("{} × {}", input.processes(), input.snapshots.len()),
            each(ours.bytes),
            each(columns),
            each(rows.bytes),
            format!("{:.0}", ratio(rows.bytes, ours.bytes)),
        ]);
        speeds.row([
            input.name.clone(),
            table::per_second(samples, ours.append),
            table::per_second(samples, ours.seal),
            table::per_second(samples, rows.insert),
            format!("{:.1}", rows.insert.as_secs_f64() / ours.append.as_secs_f64()),
        ]);
    }
    println!("### Size\n\n{sizes}\n### Speed\n\n{speeds}");
    println!("### Queries\n\n{}", runtime.block_on(queries::measure(&options))?);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
fn ratio(a: u64, b: u64) -> f64 {
    a as f64 / b.max(1) as f64
}
