//! The input in Procession's own store.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use procession_codec::HostState;
use procession_codec::block::{Dictionary, Effort, seal as seal_block};
use procession_model::Timestamp;
use procession_store::{Append, Appended, Catalog as _, History as _, HostNumber, OpenOptions, SqliteStore};

use crate::input::Input;

/// Snapshots in a batch: one commit each.
pub(crate) const BATCH: usize = 60;
/// By then any run is old enough to be sealed.
const SEAL_AFTER_MS: i64 = 7_200_000;
/// Frames of a block, as the store makes them.
const BLOCK_FRAMES: usize = 720;

/// What it came to.
pub(crate) struct Measured {
    pub(crate) blocks: u64,
    pub(crate) dictionaries: u64,
    pub(crate) rollups: u64,
    pub(crate) append: Duration,
    /// Blocks alone: frames in memory to bytes in memory.
    pub(crate) encode: Duration,
    /// All of sealing: frames decoded, blocks, rollups, the commit.
    pub(crate) seal: Duration,
}

impl Measured {
    /// What every snapshot takes.
    pub(crate) const fn raw_bytes(&self) -> u64 {
        self.blocks + self.dictionaries
    }
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
    ensure!(stats.journal_bytes == 0, "{} bytes are not sealed", stats.journal_bytes);
    // The index of names is made beside blocks as rollups are, and counted with them.
    let rollups = stats.rollup_bytes + stats.name_bytes;
    let (blocks, dictionaries) = (stats.block_bytes, stats.dictionary_bytes);
    store.close().await?;
    Ok(Measured { blocks, dictionaries, rollups, append, encode: encode(input)?, seal })
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

/// How long it takes to make blocks of frames.
fn encode(input: &Input) -> Result<Duration> {
    let mut state = HostState::new();
    let mut dictionary = Dictionary::new(0);
    let mut took = Duration::ZERO;
    for (run, snapshots) in input.snapshots.chunks(BLOCK_FRAMES).enumerate() {
        let base = state.clone();
        let first = u32::try_from(run * BLOCK_FRAMES + 1)?;
        let frames =
            (first..).zip(snapshots).map(|(sequence, snapshot)| Ok((sequence, Arc::new(state.advance(snapshot)?))));
        let frames: Vec<_> = frames.collect::<Result<_>>()?;
        let began = Instant::now();
        let sealed = seal_block(&base, &frames, &dictionary, Effort::Small)?;
        took += began.elapsed();
        if let Some(segment) = &sealed.segment {
            dictionary.push(segment)?;
        }
    }
    Ok(took)
}
