//! The suite that every store runs, on SQLite.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

use std::sync::Arc;

use procession_store::{OpenOptions, SqliteStore};
use procession_store_conformance::{Factory, Kept, catalog, random_history};
use tempfile::TempDir;

struct Sqlite {
    directory: TempDir,
}

impl Sqlite {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }
}

impl Factory for Sqlite {
    type Store = SqliteStore;

    fn open(&self) -> Arc<SqliteStore> {
        Arc::new(SqliteStore::open(&OpenOptions::new(self.directory.path())).unwrap())
    }
}

// In parts, so that they run side by side; `procession_store_conformance::everything` is all of it.

#[tokio::test(flavor = "multi_thread")]
async fn histories_that_are_not_sealed() {
    for seed in 0..3 {
        random_history(&Sqlite::new(), seed, Kept::Unsealed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn histories_that_are_sealed() {
    for seed in 100..104 {
        random_history(&Sqlite::new(), seed, Kept::Sealed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn histories_with_sealings_and_restarts_in_between() {
    for seed in 200..206 {
        random_history(&Sqlite::new(), seed, Kept::Mixed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog() {
    catalog(&Sqlite::new()).await;
}
