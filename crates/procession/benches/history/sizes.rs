//! Bytes a sample and samples a second, each input in each form.

use std::path::PathBuf;

use anyhow::Result;

use crate::input::{self, Input};
use crate::table::{Table, per_second};
use crate::{columns, ours, rows};

/// Levels of zstd for the simple columns: quick, and as small as it gets.
const QUICK: i32 = 3;
const SMALL: i32 = 19;

/// The tables of made inputs and recordings.
pub(crate) async fn measure(seed: u64, files: &[PathBuf]) -> Result<String> {
    let mut inputs = input::made(seed);
    for file in files {
        inputs.push(Input::recorded(file)?);
    }
    let mut sizes = Table::new(&[
        "input",
        "processes × snapshots",
        "blocks and dictionaries, bytes a sample",
        "of that dictionaries",
        "rollups and names beside it",
        "columns (delta, varint, zstd -3)",
        "columns (zstd -19)",
        "plain SQLite rows, no index",
        "rows ÷ blocks",
    ]);
    let mut speeds = Table::new(&[
        "input",
        "append and fsync, samples/s",
        "blocks made of frames, samples/s",
        "sealed with rollups, samples/s",
        "rows, samples/s",
        "append ÷ rows",
    ]);
    for input in &inputs {
        let (ours, rows) = (ours::measure(input).await?, rows::measure(input)?);
        let samples = input.samples();
        let each = |bytes: u64| format!("{:.3}", ratio(bytes, samples));
        sizes.row([
            input.name.clone(),
            format!("{} × {}", input.processes(), input.snapshots.len()),
            each(ours.raw_bytes()),
            each(ours.dictionaries),
            format!("{:+.1} %", 100.0 * ratio(ours.rollups, ours.raw_bytes())),
            each(columns::bytes(input, QUICK)?),
            each(columns::bytes(input, SMALL)?),
            each(rows.bytes),
            format!("{:.0}", ratio(rows.bytes, ours.raw_bytes())),
        ]);
        speeds.row([
            input.name.clone(),
            per_second(samples, ours.append),
            per_second(samples, ours.encode),
            per_second(samples, ours.seal),
            per_second(samples, rows.insert),
            format!("{:.1}", rows.insert.as_secs_f64() / ours.append.as_secs_f64()),
        ]);
    }
    Ok(format!("### Size\n\n{sizes}\n### Speed\n\n{SPEED_NOTE}\n\n{speeds}"))
}

const SPEED_NOTE: &str = "One core. Sealed with rollups: open frames decoded, blocks and dictionaries made and committed, rollups \
     that are due made of them and committed.";

#[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
fn ratio(a: u64, b: u64) -> f64 {
    a as f64 / b.max(1) as f64
}
