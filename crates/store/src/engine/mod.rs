//! The history over any database that keeps rows of bytes.
//!
//! What is new is in memory and in the journal; what is older is in blocks. All of it blocks: [`store::SegmentStore`] calls
//! it on threads made for that.

mod blocks;
#[cfg(test)]
mod fault_tests;
mod histogram;
mod ingest;
mod journal;
mod journal_mend;
mod journal_rows;
mod level;
mod losses;
mod name_index;
mod name_spans;
mod open_host;
mod open_loss;
mod open_names;
mod open_run;
mod positions;
mod recent;
mod replay;
mod retention;
mod rollups_due;
mod runs;
mod samples;
mod scan;
mod seal;
mod segments;
mod series;
mod snapshots;
mod stats;
mod store;
mod view;
mod wake;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use journal_rows::JournalRows;
use open_host::Hosts;

pub use ingest::BATCH_ITEMS_MAX;
pub(crate) use journal::comes_back as journal_comes_back;
pub(crate) use level::Level;
pub use losses::LOSSES_MAX;
pub(crate) use name_index::Doubt;
pub(crate) use open_names::OpenName;
pub(crate) use retention::Why;
pub use runs::RUNS_MAX;
pub use samples::SAMPLES_MAX;
pub use scan::{SCAN_MAX, SCAN_SAMPLES_MAX};
pub use seal::SealPolicy;
pub(crate) use segments::{
    BlockEntry, BlockFilter, HostMark, HostNames, JournalRow, NameChange, NameLast, NameRow, NameSeen, NamedHost,
    NewBlock, Sealing, Segments, Totals,
};
pub use series::POINTS_MAX;
pub use snapshots::LIST_MAX;
pub(crate) use store::SegmentStore;
pub(crate) use view::{HostView, Part};

use crate::{Published, StoreError};

/// How many published frames a follower may be behind before it misses some.
const FOLLOW_MAX: usize = 16_384;
/// How many damages are kept in words; more are only counted.
const DAMAGES_MAX: usize = 1_000;

/// The history.
pub(crate) struct Engine<S> {
    segments: S,
    policy: SealPolicy,
    hosts: Hosts,
    published: broadcast::Sender<Arc<Published>>,
    rows: Mutex<JournalRows>,
    /// Held while sealing, so that one run is not sealed twice.
    sealing: Mutex<()>,
    rollups_due: Mutex<rollups_due::RollupsDue>,
    name_index: Mutex<name_index::NameIndex>,
    open_bytes: Bytes,
    /// Told whenever something left the open runs.
    room: tokio::sync::Notify,
    /// Whether some run is far longer than it should be.
    has_long_run: AtomicBool,
    damages: Mutex<Vec<String>>,
    caches: blocks::Caches,
    rollups: crate::rollup::RollupCache,
    rollup_names: crate::rollup::NamesCache,
}

impl<S: Segments> Engine<S> {
    /// Opens what the database has.
    pub(crate) fn open(segments: S, policy: SealPolicy) -> Result<Self, StoreError> {
        let replayed = replay::replay(&segments)?;
        let marks = replayed.hosts.values().map(|host| host.mark);
        let name_index = name_index::NameIndex::of(marks, segments.named_hosts()?);
        let engine = Self {
            segments,
            policy,
            hosts: Hosts::of(replayed.hosts.into_values()),
            published: broadcast::Sender::new(FOLLOW_MAX),
            rows: Mutex::new(replayed.rows),
            sealing: Mutex::default(),
            rollups_due: Mutex::default(),
            name_index: Mutex::new(name_index),
            open_bytes: Bytes(AtomicUsize::new(replayed.open_bytes)),
            room: tokio::sync::Notify::new(),
            has_long_run: AtomicBool::new(false),
            damages: Mutex::default(),
            caches: blocks::Caches::default(),
            rollups: crate::rollup::RollupCache::default(),
            rollup_names: crate::rollup::NamesCache::default(),
        };
        for damage in replayed.damages {
            engine.report(damage);
        }
        Ok(engine)
    }

    /// The database.
    pub(crate) const fn segments(&self) -> &S {
        &self.segments
    }

    /// Rollups that were read lately.
    pub(crate) const fn rollups(&self) -> &crate::rollup::RollupCache {
        &self.rollups
    }

    /// Names of rollups that were read lately.
    pub(crate) const fn rollup_names(&self) -> &crate::rollup::NamesCache {
        &self.rollup_names
    }

    fn rows(&self) -> MutexGuard<'_, JournalRows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rollups_due(&self) -> MutexGuard<'_, rollups_due::RollupsDue> {
        self.rollups_due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a damage, for the log and for `verify`.
    fn report(&self, damage: String) {
        tracing::error!(damage, "the history is damaged");
        let mut damages = self.damages.lock().unwrap_or_else(PoisonError::into_inner);
        if damages.len() < DAMAGES_MAX {
            damages.push(damage);
        }
    }
}

/// A number of bytes that goes up and down.
#[derive(Debug)]
struct Bytes(AtomicUsize);

impl Bytes {
    fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    fn remove(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}
