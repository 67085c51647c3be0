//! The input as plain SQLite rows: one process at one time a row, every field in it, as most programs would keep it.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use procession_model::{Metric, Snapshot};
use rusqlite::{Connection, params};

use crate::input::Input;
use crate::ours::BATCH;

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS samples (
        host INTEGER, time INTEGER, pid INTEGER, start INTEGER, parent_pid INTEGER, name TEXT, command_line TEXT, user TEXT,
        executable TEXT, cgroup TEXT, cpu INTEGER, memory INTEGER, virtual_memory INTEGER, threads INTEGER, state INTEGER,
        read_bytes INTEGER, write_bytes INTEGER
    );";
const INSERT: &str = "INSERT INTO samples VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";

/// What it came to.
pub(crate) struct Measured {
    pub(crate) bytes: u64,
    pub(crate) insert: Duration,
}

/// Inserts and weighs. No index: that is the least a table can take.
pub(crate) fn measure(input: &Input) -> Result<Measured> {
    let folder = tempfile::tempdir()?;
    let mut database = open(folder.path())?;
    let began = Instant::now();
    insert(&mut database, 0, input)?;
    let insert = began.elapsed();
    let bytes =
        database.query_row("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size", [], |row| {
            row.get::<_, i64>(0)
        })?;
    Ok(Measured { bytes: bytes.cast_unsigned(), insert })
}

/// A database, new or with what was inserted before.
pub(crate) fn open(folder: &Path) -> Result<Connection> {
    let database = Connection::open(folder.join("rows.sqlite"))?;
    database.execute_batch(SCHEMA)?;
    Ok(database)
}

/// Inserts all snapshots, as many in a transaction as the other side has in a batch.
pub(crate) fn insert(database: &mut Connection, host: i64, input: &Input) -> Result<()> {
    for batch in input.snapshots.chunks(BATCH) {
        let transaction = database.transaction()?;
        {
            let mut statement = transaction.prepare_cached(INSERT)?;
            for snapshot in batch {
                insert_snapshot(&mut statement, host, snapshot)?;
            }
        }
        transaction.commit()?;
    }
    Ok(())
}

fn insert_snapshot(statement: &mut rusqlite::CachedStatement<'_>, host: i64, snapshot: &Snapshot) -> Result<()> {
    for process in &snapshot.processes {
        let (description, sample) = (&process.description, &process.sample);
        let value = |metric| sample.get(metric).map(u64::cast_signed);
        statement.execute(params![
            host,
            snapshot.time.as_ms(),
            description.identity.pid,
            description.identity.start.map(procession_model::Timestamp::as_ms),
            description.parent_pid,
            &*description.name,
            description.command_line.as_deref(),
            description.user.as_deref(),
            description.executable.as_deref(),
            description.cgroup.as_deref(),
            value(Metric::Cpu),
            value(Metric::Memory),
            value(Metric::VirtualMemory),
            value(Metric::Threads),
            value(Metric::State),
            value(Metric::ReadBytes),
            value(Metric::WriteBytes),
        ])?;
    }
    Ok(())
}
