//! Catalog and history in one SQLite file.

mod backup;
mod catalog;
mod database;
mod failure;
#[cfg(test)]
mod full_tests;
mod lock;
mod names;
mod schema;
mod segments;

use std::path::PathBuf;
use std::sync::Arc;

pub use backup::backup;
use database::Database;
use lock::HistoryLock;
pub use names::forget_names;
pub(crate) use segments::SqliteSegments;

use crate::StoreError;
use crate::engine::{Engine, SealPolicy, SegmentStore};

/// What to open, and how.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// The data directory; made where it is missing.
    pub directory: PathBuf,
    /// When open runs are sealed.
    pub seal: SealPolicy,
}

impl OpenOptions {
    /// A data directory and the defaults.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), seal: SealPolicy::default() }
    }
}

/// Catalog and history in one SQLite file. One process at a time has the history.
pub type SqliteStore = SegmentStore<SqliteSegments>;

/// The catalog alone: for commands that run beside a server.
#[derive(Clone, Debug)]
pub struct SqliteCatalog {
    database: Arc<Database>,
}

impl SqliteStore {
    /// Opens catalog and history. Blocks until the journal is read.
    pub fn open(options: &OpenOptions) -> Result<Self, StoreError> {
        Ok(Self::new(Engine::open(SqliteSegments::open(options)?, options.seal)?))
    }

    /// Opens catalog and history as they are now, to be read, whether or not a server runs on them. What changes is
    /// refused.
    pub fn open_to_read(options: &OpenOptions) -> Result<Self, StoreError> {
        if !options.directory.join(database::FILE_NAME).exists() {
            let text = format!("{}: there is no store in this directory", options.directory.display());
            return Err(StoreError::Failed(text.into()));
        }
        let database = Arc::new(Database::open_frozen(&options.directory)?);
        Ok(Self::new(Engine::open(SqliteSegments { database, _lock: None }, options.seal)?))
    }
}

impl SqliteSegments {
    /// Opens the rows of the history for this process alone.
    pub(crate) fn open(options: &OpenOptions) -> Result<Self, StoreError> {
        database::make_directory(&options.directory)?;
        let lock = HistoryLock::take(&options.directory)?;
        let database = Arc::new(Database::open(&options.directory)?);
        Ok(Self { database, _lock: Some(lock) })
    }
}

impl SqliteCatalog {
    /// Opens the catalog of a data directory, whether or not a server runs on it.
    pub fn open(options: &OpenOptions) -> Result<Self, StoreError> {
        database::make_directory(&options.directory)?;
        Ok(Self { database: Arc::new(Database::open(&options.directory)?) })
    }
}

impl AsRef<Arc<Database>> for SqliteStore {
    fn as_ref(&self) -> &Arc<Database> {
        &self.segments().database
    }
}

impl AsRef<Arc<Database>> for SqliteCatalog {
    fn as_ref(&self) -> &Arc<Database> {
        &self.database
    }
}
