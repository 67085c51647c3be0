//! The file and its connections: one that writes, some that read.
//!
//! WAL lets readers go on while the writer commits; `synchronous=FULL` makes a commit durable before it returns. Other
//! processes may write too (a key made while the server runs), so the writer waits for their locks.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::failure::failed;
use super::schema;
use crate::StoreError;

/// Name of the database in the data directory.
pub(super) const FILE_NAME: &str = "procession.db";
/// How long to wait for the lock of another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How many idle reading connections are kept; more are opened when more queries run at once, and closed after.
const IDLE_READERS_MAX: usize = 8;
/// Bytes a page. Nearly everything is blobs of many kilobytes.
const PAGE_BYTES: u32 = 16_384;
/// Pages in the write-ahead log before it is copied into the database: 32 MiB.
const CHECKPOINT_PAGES: u32 = 2_048;

/// The file and its connections.
#[derive(Debug)]
pub struct Database {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    /// The only connection of a database that is looked at as it was at one moment.
    frozen: Option<Mutex<Connection>>,
}

impl Database {
    /// Opens the database in a directory.
    pub(super) fn open(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join(FILE_NAME);
        let mut writer = Connection::open(&path).map_err(|error| opening(&path, error))?;
        prepare_file(&writer).map_err(|error| opening(&path, error))?;
        schema::migrate(&mut writer)?;
        Ok(Self { path, writer: Mutex::new(writer), readers: Mutex::default(), frozen: None })
    }

    /// Opens the database in a directory as it is now; what others write to it from now on is not seen.
    pub(super) fn open_frozen(directory: &Path) -> Result<Self, StoreError> {
        let database = Self::open(directory)?;
        let frozen = database.reader()?;
        // A transaction begins with its first read.
        frozen.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema").map_err(failed)?;
        Ok(Self { frozen: Some(Mutex::new(frozen)), ..database })
    }

    /// Runs `work` in a transaction that is durable when this returns.
    pub(super) fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.frozen.is_some() {
            return Err(StoreError::InUse(self.path.display().to_string()));
        }
        let mut writer = self.writer();
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let value = work(&transaction)?;
        transaction.commit().map_err(failed)?;
        Ok(value)
    }

    /// Runs `work` on one state of the database, whatever is written meanwhile.
    pub(super) fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if let Some(frozen) = &self.frozen {
            return work(&frozen.lock().unwrap_or_else(PoisonError::into_inner));
        }
        let mut reader = self.reader()?;
        let transaction = reader.transaction().map_err(failed)?;
        let result = work(&transaction);
        drop(transaction);
        self.give_back(reader);
        result
    }

    /// Runs `work`, which is one statement: it sees one state of the database without a transaction around it.
    pub(super) fn read_at_once<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if let Some(frozen) = &self.frozen {
            return work(&frozen.lock().unwrap_or_else(PoisonError::into_inner));
        }
        let reader = self.reader()?;
        let result = work(&reader);
        self.give_back(reader);
        result
    }

    fn give_back(&self, reader: Connection) {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < IDLE_READERS_MAX {
            readers.push(reader);
        }
    }

    /// The connection that writes.
    pub(super) fn writer(&self) -> MutexGuard<'_, Connection> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the database is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn reader(&self) -> Result<Connection, StoreError> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(connection) = idle {
            return Ok(connection);
        }
        // Not SQLITE_OPEN_READ_ONLY: the last reader of a WAL may have to recover it. `query_only` keeps it from writing.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags).map_err(failed)?;
        prepare(&connection).map_err(failed)?;
        connection.pragma_update(None, "query_only", true).map_err(failed)?;
        Ok(connection)
    }
}

/// Makes the data directory where it is missing.
pub(super) fn make_directory(directory: &Path) -> Result<(), StoreError> {
    std::fs::create_dir_all(directory).map_err(|error| {
        let text = format!("{}: cannot make this directory: {error}", directory.display());
        StoreError::Failed(Box::new(std::io::Error::new(error.kind(), text)))
    })
}

/// What stays with the file. Only for the connection that writes: SQLite writes the mode of vacuuming down each time that it
/// is set, which would make every new reader wait for the writer and for the disk.
fn prepare_file(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    prepare(connection)
}

/// What each connection is set to.
fn prepare(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

fn opening(path: &Path, error: rusqlite::Error) -> StoreError {
    match failed(error) {
        StoreError::Failed(cause) => {
            StoreError::Failed(format!("{}: cannot be opened as a database: {cause}", path.display()).into())
        }
        StoreError::Damaged(cause) => StoreError::Damaged(format!("{}: {cause}", path.display())),
        other => other,
    }
}
