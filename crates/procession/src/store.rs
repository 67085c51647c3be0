//! `procession store`: figures and checks of the store, for operators and scripts.

use std::io::Write as _;

use procession_store::{History, LevelStats, Stats};

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
    /// Make the index of names anew, where `verify` finds it wrong: empties it, and the server fills it again as it runs
    Reindex(ReindexOptions),
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

#[derive(clap::Args)]
struct ReindexOptions {
    #[command(flatten)]
    data: data_folder::Options,
}

/// Does what is asked with the store.
pub(crate) fn run(options: Options) -> Result<(), Failure> {
    match options.task {
        Task::Stats(options) => stats(&options),
        Task::Verify(options) => verify(&options),
        Task::Reindex(options) => {
            procession_store::forget_names(&procession_store::OpenOptions::new(options.data.existing()?))?;
            writeln!(std::io::stdout(), "the index of names is empty: a server that runs fills it again")?;
            Ok(())
        }
    }
}

fn stats(options: &StatsOptions) -> Result<(), Failure> {
    let folder = options.data.existing()?;
    let stats = block_on(async { Ok(storage::open_to_read(&folder).await?.history.stats().await?) })?;
    let figures = Figures::of(&stats);
    let mut text = if options.json { figures.as_json() } else { figures.as_lines() };
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

/// The figures as they are printed, in this order.
#[derive(serde::Serialize)]
struct Figures {
    hosts: u64,
    snapshots: u64,
    process_samples: u64,
    history_bytes: u64,
    bytes_per_sample: Option<f64>,
    journal_bytes: u64,
    block_bytes: u64,
    dictionary_bytes: u64,
    rollup_bytes: u64,
    name_bytes: u64,
    levels: Vec<LevelFigures>,
    disk_free_bytes: Option<u64>,
    disk_lasts_days: Option<u64>,
    oldest: Option<String>,
    newest: Option<String>,
}

/// What one level holds and costs.
#[derive(serde::Serialize)]
struct LevelFigures {
    step_seconds: u64,
    blocks: u64,
    bytes: u64,
    bytes_a_day: u64,
}

impl Figures {
    fn of(stats: &Stats) -> Self {
        let raw_bytes = stats.journal_bytes + stats.block_bytes + stats.dictionary_bytes;
        Self {
            hosts: stats.hosts,
            snapshots: stats.snapshots,
            process_samples: stats.process_samples,
            history_bytes: raw_bytes + stats.rollup_bytes + stats.name_bytes,
            bytes_per_sample: per_sample(raw_bytes, stats.process_samples),
            journal_bytes: stats.journal_bytes,
            block_bytes: stats.block_bytes,
            dictionary_bytes: stats.dictionary_bytes,
            rollup_bytes: stats.rollup_bytes,
            name_bytes: stats.name_bytes,
            levels: stats.levels.iter().map(LevelFigures::of).collect(),
            disk_free_bytes: stats.disk_free_bytes,
            disk_lasts_days: stats.disk_lasts_days,
            oldest: stats.oldest.map(moment::write),
            newest: stats.newest.map(moment::write),
        }
    }

    fn as_json(&self) -> String {
        // Numbers are finite and keys are text, so this cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// A figure a line.
    fn as_lines(&self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        let fields = value.as_object().into_iter().flatten();
        fields.map(|(name, value)| format!("{name:<18} {value}")).collect::<Vec<_>>().join("\n")
    }
}

impl LevelFigures {
    fn of(level: &LevelStats) -> Self {
        let LevelStats { step_ms, blocks, bytes, bytes_a_day, .. } = *level;
        Self { step_seconds: step_ms / 1_000, blocks, bytes, bytes_a_day }
    }
}

/// Bytes of journal, blocks and dictionaries for one process at one time; nothing of an empty history.
#[expect(clippy::cast_precision_loss, reason = "a ratio for people: 53 bits are plenty")]
fn per_sample(bytes: u64, samples: u64) -> Option<f64> {
    (samples > 0).then(|| (bytes as f64 / samples as f64 * 10_000.0).round() / 10_000.0)
}
