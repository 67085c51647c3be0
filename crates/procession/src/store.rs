//! `procession store`: figures and checks of the store, for operators and scripts.

use std::io::Write as _;

use procession_store::{History, Stats};

use crate::data_folder;
use crate::failure::Failure;
use crate::moment;
use crate::runtime::block_on;
use crate::storage;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    task: Task,
}

#[derive(clap::Subcommand)]
enum Task {
    /// What the history holds and what it costs
    Stats(StatsOptions),
    /// Check every checksum; exit code 4 where something is damaged
    Verify(VerifyOptions),
}

#[derive(clap::Args)]
struct StatsOptions {
    #[command(flatten)]
    data: data_folder::Options,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct VerifyOptions {
    #[command(flatten)]
    data: data_folder::Options,
}

/// Does what is asked with the store.
pub(crate) fn run(options: Options) -> Result<(), Failure> {
    match options.task {
        Task::Stats(options) => stats(&options),
        Task::Verify(options) => verify(&options),
    }
}

fn stats(options: &StatsOptions) -> Result<(), Failure> {
    let folder = options.data.existing()?;
    let stats = block_on(async { Ok(storage::open_to_read(&folder).await?.history.stats().await?) })?;
    let object = as_json(&stats);
    let mut text = if options.json { object.to_string() } else { as_lines(&object) };
    text.push('\n');
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

fn verify(options: &VerifyOptions) -> Result<(), Failure> {
    let folder = options.data.existing()?;
    let damages = block_on(async { Ok(storage::open_to_read(&folder).await?.history.verify().await?) })?;
    if damages.is_empty() {
        writeln!(std::io::stdout(), "every checksum fits")?;
        return Ok(());
    }
    Err(Failure::damaged(format!("{} damages:\n  {}", damages.len(), damages.join("\n  ")))
        .hint("copy the folder before anything else; what is undamaged stays readable, or restore a backup"))
}

fn as_json(stats: &Stats) -> serde_json::Value {
    let history_bytes = stats.journal_bytes + stats.block_bytes + stats.rollup_bytes + stats.dictionary_bytes;
    let raw_bytes = stats.journal_bytes + stats.block_bytes + stats.dictionary_bytes;
    serde_json::json!({
        "hosts": stats.hosts,
        "snapshots": stats.snapshots,
        "process_samples": stats.process_samples,
        "history_bytes": history_bytes,
        "bytes_per_sample": per_sample(raw_bytes, stats.process_samples),
        "journal_bytes": stats.journal_bytes,
        "block_bytes": stats.block_bytes,
        "dictionary_bytes": stats.dictionary_bytes,
        "rollup_bytes": stats.rollup_bytes,
        "oldest": stats.oldest.map(moment::write),
        "newest": stats.newest.map(moment::write),
    })
}

/// Bytes of journal, blocks and dictionaries for one process at one time; nothing of an empty history.
#[expect(clippy::cast_precision_loss, reason = "a ratio for people: 53 bits are plenty")]
fn per_sample(bytes: u64, samples: u64) -> Option<f64> {
    (samples > 0).then(|| (bytes as f64 / samples as f64 * 10_000.0).round() / 10_000.0)
}

fn as_lines(object: &serde_json::Value) -> String {
    let fields = object.as_object().into_iter().flatten();
    fields.map(|(name, value)| format!("{name:<18} {value}")).collect::<Vec<_>>().join("\n")
}
