//! The same snapshots as plain SQLite rows, durably: one process at one time a row, a transaction a snapshot, as a server does
//! that answers each upload once it is kept.

use std::time::{Duration, Instant};

use anyhow::Result;
use procession::swarm::machine::{Machine, MachineConfig};
use procession_model::{Metric, Timestamp};
use rusqlite::{Connection, params};

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE samples (
        time INTEGER, pid INTEGER, start INTEGER, parent_pid INTEGER, name TEXT, command_line TEXT, user TEXT, cpu INTEGER,
        memory INTEGER
    );";
const INSERT: &str = "INSERT INTO samples VALUES (?,?,?,?,?,?,?,?,?)";

/// How many snapshots a second one connection keeps.
pub(crate) fn per_second(processes: u32, seconds: u32) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let mut database = Connection::open(folder.path().join("rows.sqlite"))?;
    database.execute_batch(SCHEMA)?;
    let mut machine = Machine::new(MachineConfig::ordinary(1, processes, 1_000), Timestamp::from_ms(0));
    let (began, mut count) = (Instant::now(), 0_u32);
    while began.elapsed() < Duration::from_secs(seconds.into()) {
        count += 1;
        let snapshot = machine.tick(Timestamp::from_ms(i64::from(count) * 1_000));
        let transaction = database.transaction()?;
        let mut insert = transaction.prepare_cached(INSERT)?;
        for process in &snapshot.processes {
            let description = &process.description;
            let value = |metric| process.sample.get(metric).map(u64::cast_signed);
            insert.execute(params![
                snapshot.time.as_ms(),
                description.identity.pid,
                description.identity.start.map(Timestamp::as_ms),
                description.parent_pid,
                &*description.name,
                description.command_line.as_deref(),
                description.user.as_deref(),
                value(Metric::Cpu),
                value(Metric::Memory),
            ])?;
        }
        drop(insert);
        transaction.commit()?;
    }
    Ok(f64::from(count) / began.elapsed().as_secs_f64())
}
