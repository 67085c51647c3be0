//! Opening the store of a data folder.

use std::path::Path;
use std::sync::Arc;

use procession_store::{History, OpenOptions, SqliteCatalog, SqliteStore, StoreError};

use crate::failure::Failure;

/// An open store.
pub(crate) struct Store {
    pub(crate) catalog: Arc<SqliteStore>,
    pub(crate) history: Arc<SqliteStore>,
}

impl Store {
    /// Writes everything down and lets the store go.
    pub(crate) async fn close(&self) -> Result<(), Failure> {
        Ok(self.history.close().await?)
    }
}

/// The whole store, for this process alone. Replays the journal.
pub(crate) async fn open(folder: &Path) -> Result<Store, Failure> {
    open_as(folder, SqliteStore::open).await
}

/// The whole store as it is now, only to read; a server may run on it.
pub(crate) async fn open_to_read(folder: &Path) -> Result<Store, Failure> {
    open_as(folder, SqliteStore::open_to_read).await
}

async fn open_as(folder: &Path, open: fn(&OpenOptions) -> Result<SqliteStore, StoreError>) -> Result<Store, Failure> {
    let options = OpenOptions::new(folder);
    let store = tokio::task::spawn_blocking(move || open(&options)).await.map_err(Failure::failed)??;
    let store = Arc::new(store);
    Ok(Store { catalog: Arc::clone(&store), history: store })
}

/// Keys and sessions alone; a server may run on the store.
pub(crate) fn catalog(folder: &Path) -> Result<SqliteCatalog, Failure> {
    Ok(SqliteCatalog::open(&OpenOptions::new(folder))?)
}
