//! How soon a server takes connections whose journal is long: it was killed, or could not seal.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, ensure};
use bytes::Bytes;
use procession::swarm::machine::{Machine, MachineConfig};
use procession_codec::{HostState, frame};
use procession_model::Timestamp;
use procession_store::{
    Append, Appended, Catalog as _, FrameOrigin, History as _, OpenOptions, SealPolicy, SqliteStore,
};
use serde_json::{Value, json};

use crate::serving::Serving;

/// Hosts of one batch, so of one row.
const HOSTS: u32 = 2_000;

/// Makes a journal of so many megabytes and starts a server on it.
pub(crate) fn start(megabytes: u64, processes: u32) -> Result<Value> {
    let folder = tempfile::tempdir()?;
    let frames = tokio::runtime::Runtime::new()?.block_on(make(folder.path(), megabytes << 20, processes))?;
    let began = Instant::now();
    let serving = Serving::start(folder.path())?;
    let took = began.elapsed();
    Ok(json!({
        "what": format!("start on a journal of {megabytes} MB, {HOSTS} hosts, {frames} frames, just written"),
        "longest_ms": u64::try_from(took.as_millis())?,
        "server_peak_mb": serving.cost()?.peak_mb,
    }))
}

/// Frames as agents send them, none of them sealed.
async fn make(folder: &Path, bytes: u64, processes: u32) -> Result<u64> {
    let never = i64::MAX;
    let mut options = OpenOptions::new(folder);
    options.seal = SealPolicy {
        frames_max: usize::MAX,
        bytes_max: usize::MAX,
        samples_max: u64::MAX,
        age_max_ms: never,
        silence_ms: never,
        open_bytes_max: usize::MAX,
        journal_bytes_max: u64::MAX,
    };
    let store = Arc::new(SqliteStore::open(&options)?);
    let names = (0..HOSTS).map(|host| format!("host-{host}")).collect();
    store.hosts_named(names, Timestamp::from_ms(0)).await?;
    let mut machine = Machine::new(MachineConfig::ordinary(1, processes, 1_000), Timestamp::from_ms(0));
    let (mut state, mut sequence, mut written) = (HostState::new(), 0, 0);
    while written < bytes {
        sequence += 1;
        let snapshot = machine.tick(Timestamp::from_ms(i64::try_from(sequence)? * 1_000));
        let mut encoded = Vec::new();
        frame::encode(&state.advance(&snapshot)?, &mut encoded);
        let frame = Bytes::from(encoded);
        written += frame.len() as u64 * u64::from(HOSTS);
        let origin = FrameOrigin { stream: [1; 16], sequence };
        let batch = (0..HOSTS).map(|host| Append::Frame { host, origin, frame: frame.clone() }).collect();
        let applied = store.append(batch).await?;
        ensure!(applied.outcomes.iter().all(|outcome| matches!(outcome, Appended::Stored(_))), "a frame was refused");
    }
    store.close().await?;
    Ok(sequence * u64::from(HOSTS))
}
