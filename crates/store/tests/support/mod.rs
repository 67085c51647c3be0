//! What several tests of the store do alike.

use std::time::{Duration, Instant};

use procession_store::{OpenOptions, SqliteStore, StoreError};

/// So long a store that was closed may still be in use.
const IN_USE_MAX: Duration = Duration::from_secs(10);

/// Opens a store; a sealing in the background may still have it for a moment after it was closed. The sealing may need this
/// thread to end.
pub(crate) async fn open_when_free(options: &OpenOptions) -> SqliteStore {
    let begun = Instant::now();
    loop {
        match SqliteStore::open(options) {
            Err(StoreError::InUse(_)) if begun.elapsed() < IN_USE_MAX => {
                tokio::time::sleep(Duration::from_millis(20)).await
            }
            opened => return opened.unwrap(),
        }
    }
}
