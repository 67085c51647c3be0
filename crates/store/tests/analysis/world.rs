//! A store with a made history in it, sealed here and there.

use std::sync::Arc;

use procession_model::{Snapshot, Timestamp};
use procession_store::{Append, Appended, Catalog, History, HostNumber, OpenOptions, Range, SealPolicy, SqliteStore};

use crate::made::{self, Recipe};
use crate::oracle::{self, Weighed};

/// A store with a made history in it.
pub(crate) struct World {
    pub(crate) store: SqliteStore,
    pub(crate) host: HostNumber,
    /// All snapshots as the store gives them back.
    pub(crate) snapshots: Vec<Weighed>,
    _directory: tempfile::TempDir,
}

impl World {
    /// `frames_max` is how long blocks are.
    pub(crate) async fn new(recipe: Recipe, frames_max: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut options = OpenOptions::new(directory.path());
        options.seal = SealPolicy { frames_max, ..SealPolicy::default() };
        let store = SqliteStore::open(&options).unwrap();
        let host = store.host_named("made", Timestamp::from_ms(0)).await.unwrap().number;
        for some in made::snapshots(recipe).chunks(23) {
            let batch = some.iter().map(|snapshot| Append::Snapshot { host, snapshot: Arc::clone(snapshot) }).collect();
            let applied = store.append(batch).await.unwrap();
            assert!(applied.outcomes.iter().all(|outcome| matches!(outcome, Appended::Stored(_))));
            store.seal(Timestamp::from_ms(0)).await.unwrap();
        }
        let mut snapshots: Vec<Arc<Snapshot>> = Vec::new();
        for entry in store.list(Some(host), Range::default(), None, 100_000).await.unwrap() {
            snapshots.push(store.snapshot(entry.id).await.unwrap().unwrap().snapshot);
        }
        assert_eq!(snapshots.len(), recipe.snapshots);
        Self { store, host, snapshots: oracle::weighed(snapshots), _directory: directory }
    }

    /// The part of the history in a range.
    pub(crate) fn within(&self, range: Range) -> Vec<Weighed> {
        oracle::within(&self.snapshots, range)
    }
}

/// A range of milliseconds after the beginning.
pub(crate) fn after_begin(from: i64, until: i64) -> Range {
    Range { start: Some(Timestamp::from_ms(made::BEGIN + from)), end: Some(Timestamp::from_ms(made::BEGIN + until)) }
}

/// A range of whole minutes.
pub(crate) fn minutes(from: i64, until: i64) -> Range {
    let minute = |count: i64| Timestamp::from_ms((made::BEGIN / 60_000 + count) * 60_000);
    Range { start: Some(minute(from)), end: Some(minute(until)) }
}
