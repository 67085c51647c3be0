//! One history, one process.
//!
//! The history's newest part lives in memory, so a second server on the same file would hand out the same numbers. An
//! advisory lock on a file of its own says so at once, and goes with the process that holds it, however it ends. The
//! catalog is not under it: keys can be made while a server runs.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use crate::StoreError;

const FILE_NAME: &str = "history.lock";

/// Held as long as the history is open.
#[derive(Debug)]
pub(super) struct HistoryLock {
    _file: File,
}

impl HistoryLock {
    /// Takes the lock of a data directory, or says that it is in use.
    pub(super) fn take(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join(FILE_NAME);
        let failed = |error: std::io::Error| {
            StoreError::Failed(Box::new(std::io::Error::new(error.kind(), format!("{}: {error}", path.display()))))
        };
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse(directory.display().to_string())),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}
