//! What SQLite's errors mean to those who use the store.

use rusqlite::ErrorCode;

use crate::StoreError;

/// The store's word for an error of SQLite.
pub(super) fn failed(error: rusqlite::Error) -> StoreError {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType};
    if matches!(error, FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..)) {
        // A value that was never written so.
        return StoreError::Damaged(error.to_string());
    }
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::DiskFull,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Damaged(error.to_string()),
        _ => StoreError::Failed(Box::new(error)),
    }
}

/// A number of the database that does not fit its type: only damage makes one.
pub(super) fn out_of_range(what: &str) -> StoreError {
    StoreError::Damaged(format!("{what} in the database is out of range"))
}
