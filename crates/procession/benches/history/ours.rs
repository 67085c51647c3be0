//! The input in Procession's own store.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use procession_model::Timestamp;
use procession_store::{Append, Appended, Catalog as _, History as _, HostNumber, OpenOptions, SqliteStore};

use crate::input::Input;

/// Snapshots in a batch: one commit each.
pub(crate) const BATCH: usize = 60;
/// By then any run is old enough to be sealed.
const SEAL_AFTER_MS: i64 = 7_200_000;

/// What it came to.
pub(crate) struct Measured {
    pub(crate) bytes: u64,
    pub(crate) append: Duration,
    pub(crate) seal: Duration,
}

/// Appends, seals, and weighs.
pub(crate) async fn measure(input: &Input) -> Result<Measured> {
    let folder = tempfile::tempdir()?;
    let store = SqliteStore::open(&OpenOptions::new(folder.path()))?;
    let host = store.host_named("bench", Timestamp::default()).await?.number;
    let append = append(&store, host, input).await?;
    let seal = seal(&store).await?;
    let stats = store.stats().await?;
    ensure!(stats.process_samples == input.samples(), "stored {} of {}", stats.process_samples, input.samples());
    let bytes = stats.journal_bytes + stats.block_bytes + stats.dictionary_bytes;
    store.close().await?;
    Ok(Measured { bytes, append, seal })
}

/// Appends all snapshots; the time it took.
pub(crate) async fn append(store: &SqliteStore, host: HostNumber, input: &Input) -> Result<Duration> {
    let began = Instant::now();
    for batch in input.snapshots.chunks(BATCH) {
        let batch = batch.iter().map(|snapshot| Append::Snapshot { host, snapshot: snapshot.clone() }).collect();
        for outcome in store.append(batch).await?.outcomes {
            ensure!(matches!(outcome, Appended::Stored(_) | Appended::Duplicate(_)), "{outcome:?}");
        }
    }
    Ok(began.elapsed())
}

/// Seals every run; the time it took.
pub(crate) async fn seal(store: &SqliteStore) -> Result<Duration> {
    let began = Instant::now();
    store.seal(Timestamp::default()).await?;
    store.seal(Timestamp::from_ms(SEAL_AFTER_MS)).await?;
    Ok(began.elapsed())
}
