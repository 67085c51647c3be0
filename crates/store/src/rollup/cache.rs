//! Rollups that were read lately.

use std::sync::Arc;

use procession_codec::DecodeError;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::names::Names;
use super::{Cell, Rollup, encode};
use crate::engine::{BlockEntry, BlockFilter, Engine, Level, Segments};
use crate::{Range, StoreError};

/// Bytes of rollups that are kept, as far as they can be estimated.
const CACHE_BYTES: u64 = 48 << 20;
/// How many entries the cache is made for; it takes more where they are small.
const CACHE_ENTRIES: usize = 1_024;
/// What a row, a step and something folded cost about.
const ENTRY_BYTES: u64 = 320;

/// Rollups that were read lately, by the number of their block.
pub(crate) struct RollupCache(Cache<i64, Arc<Rollup>, Weights>);

impl Default for RollupCache {
    fn default() -> Self {
        Self(Cache::with_weighter(CACHE_ENTRIES, CACHE_BYTES, Weights))
    }
}

impl RollupCache {
    /// Forgets rollups that are deleted now.
    pub(crate) fn forget(&self, ids: &[i64]) {
        for id in ids {
            self.0.remove(id);
        }
    }
}

#[derive(Clone)]
struct Weights;

impl Weighter<i64, Arc<Rollup>> for Weights {
    fn weight(&self, _id: &i64, rollup: &Arc<Rollup>) -> u64 {
        let cells: usize = rollup.rows.iter().map(|row| row.cells.len()).sum();
        let fine = rollup.fine.as_ref().map_or(0, |fine| fine.steps.len());
        let entries = rollup.rows.len() + rollup.steps.len() + fine + rollup.folded.len();
        (cells * size_of::<Cell>()) as u64 + entries as u64 * ENTRY_BYTES
    }
}

/// A rollup; `None` once it was deleted.
pub(crate) fn read<S: Segments>(engine: &Engine<S>, entry: &BlockEntry) -> Result<Option<Arc<Rollup>>, StoreError> {
    let rollup = read_by(engine, entry, encode::decode)?;
    if let Some(rollup) = &rollup {
        engine.rollups().0.insert(entry.id, Arc::clone(rollup));
    }
    Ok(rollup)
}

/// A rollup that is not asked for again soon; `None` once it was deleted.
pub(crate) fn read_once<S: Segments>(
    engine: &Engine<S>,
    entry: &BlockEntry,
) -> Result<Option<Arc<Rollup>>, StoreError> {
    read_by(engine, entry, encode::decode)
}

/// A rollup without its processes; `None` once it was deleted. Not kept: it is read in a moment.
pub(crate) fn read_steps<S: Segments>(
    engine: &Engine<S>,
    entry: &BlockEntry,
) -> Result<Option<Arc<Rollup>>, StoreError> {
    read_by(engine, entry, encode::decode_steps)
}

/// The host alone, in the finest steps that a rollup has; `None` once it was deleted.
pub(crate) fn read_host<S: Segments>(
    engine: &Engine<S>,
    entry: &BlockEntry,
) -> Result<Option<Arc<Rollup>>, StoreError> {
    Ok(read_steps(engine, entry)?.map(|rollup| Arc::new(rollup.host_alone())))
}

/// A rollup with what these programs and users did alone; `None` once it was deleted. Kept only if all of it is.
pub(crate) fn read_of<S: Segments>(
    engine: &Engine<S>,
    entry: &BlockEntry,
    wanted: &dyn Fn(&str, Option<&str>) -> bool,
) -> Result<Option<Arc<Rollup>>, StoreError> {
    read_by(engine, entry, |body| encode::decode_of(body, wanted))
}

/// The whole rollup where it is kept, else as much of it as is decoded.
fn read_by<S: Segments>(
    engine: &Engine<S>,
    entry: &BlockEntry,
    decode: impl FnOnce(&[u8]) -> Result<Rollup, DecodeError>,
) -> Result<Option<Arc<Rollup>>, StoreError> {
    if let Some(found) = engine.rollups().0.get(&entry.id) {
        return Ok(Some(found));
    }
    let Some(body) = engine.segments().block_body(entry.id)? else {
        return Ok(None);
    };
    decode(&body).map(|rollup| Some(Arc::new(rollup))).map_err(|error| damaged(entry, &error))
}

/// Reads every rollup; what is damaged, in words.
pub(crate) fn damages<S: Segments>(engine: &Engine<S>) -> Result<Vec<String>, StoreError> {
    let mut damages = Vec::new();
    for level in Level::ROLLED {
        for entry in engine.segments().blocks(BlockFilter { host: None, level, range: Range::default() })? {
            let Some(body) = engine.segments().block_body(entry.id)? else { continue };
            if engine.segments().block_head(entry.id)?.is_some_and(|head| !Names::is_whole(&head)) {
                damages.push(format!("host {}: rollup {}: the names", entry.host, entry.id));
            }
            damages.extend(encode::decode(&body).err().map(|error| damaged(&entry, &error).to_string()));
        }
    }
    Ok(damages)
}

fn damaged(entry: &BlockEntry, error: &DecodeError) -> StoreError {
    StoreError::Damaged(format!("host {}: rollup {}: {error}", entry.host, entry.id))
}
