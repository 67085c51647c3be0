//! The history's rows in SQLite.

use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;
use procession_model::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::database::Database;
use super::failure::{failed, out_of_range};
use super::lock::HistoryLock;
use super::names;
use crate::engine::{
    BlockEntry, BlockFilter, HostMark, HostNames, JournalRow, Level, NamedHost, NewBlock, Sealing, Segments, Totals,
};
use crate::{FrameOrigin, HostNumber, StoreError, StreamPosition};

/// Columns of a block entry, in the order `block` reads them.
const BLOCK_COLUMNS: &str = "id, host, level, late, first_time, last_time, first_sequence, last_sequence, frames, samples, \
                             bytes, epoch, segments";

/// Most pages that are given back to the disk at once: bounds how long ingest waits for it.
const VACUUM_PAGES_MAX: u32 = 2_000;
const DAY_MS: i64 = 86_400_000;

/// The history's rows in SQLite.
#[derive(Debug)]
pub struct SqliteSegments {
    pub(super) database: Arc<Database>,
    /// Absent where nothing is written.
    pub(super) _lock: Option<HistoryLock>,
}

impl Segments for SqliteSegments {
    fn append_journal(&self, bytes: &[u8]) -> Result<u64, StoreError> {
        self.database.write(|transaction| {
            let mut insert = transaction.prepare_cached("INSERT INTO journal (bytes) VALUES (?1)").map_err(failed)?;
            let id = insert.insert([bytes]).map_err(failed)?;
            u64::try_from(id).map_err(|_| out_of_range("the number of a journal row"))
        })
    }

    fn journal_rows(&self) -> Result<Vec<u64>, StoreError> {
        let sql = "SELECT id FROM journal ORDER BY id";
        self.database.read(|transaction| collect(transaction, sql, [], |row| unsigned(row, 0)))
    }

    fn each_journal_row(&self, rows: RangeInclusive<u64>, see: &mut dyn FnMut(JournalRow)) -> Result<(), StoreError> {
        let (first, last) = (signed(*rows.start())?, signed(*rows.end())?);
        self.database.read(|transaction| {
            let sql = "SELECT id, bytes FROM journal WHERE id BETWEEN ?1 AND ?2 ORDER BY id";
            let mut select = transaction.prepare(sql).map_err(failed)?;
            let mut rows = select.query([first, last]).map_err(failed)?;
            while let Some(row) = rows.next().map_err(failed)? {
                let id = unsigned(row, 0)?;
                see(JournalRow { id, bytes: blob(row, 1)? });
            }
            Ok(())
        })
    }

    fn marks(&self) -> Result<Vec<HostMark>, StoreError> {
        let sql =
            "SELECT host, sealed, sealed_late, last_sequence, epoch, stream, stream_sequence, resumable FROM host_mark";
        self.database.read(|transaction| collect(transaction, sql, [], mark))
    }

    fn seal(&self, sealing: &Sealing) -> Result<Vec<i64>, StoreError> {
        self.database.write(|transaction| {
            let ids = sealing.blocks.iter().map(|block| insert_block(transaction, block)).collect::<Result<_, _>>()?;
            for mark in &sealing.marks {
                put_mark(transaction, mark)?;
            }
            for (host, base) in &sealing.bases {
                let sql = "INSERT OR REPLACE INTO host_base (host, bytes) VALUES (?1, ?2)";
                transaction
                    .prepare_cached(sql)
                    .and_then(|mut put| put.execute(params![host, &base[..]]))
                    .map_err(failed)?;
            }
            for row in &sealing.journal_rows {
                delete(transaction, "DELETE FROM journal WHERE id = ?1", signed(*row)?)?;
            }
            for id in &sealing.removed {
                for sql in DELETE_BLOCK {
                    delete(transaction, sql, *id)?;
                }
            }
            sealing.names.iter().try_for_each(|(host, change)| names::change(transaction, *host, change))?;
            Ok(ids)
        })
    }

    fn blocks(&self, filter: BlockFilter) -> Result<Vec<BlockEntry>, StoreError> {
        let start = filter.range.start.map_or(i64::MIN, Timestamp::as_ms);
        let end = filter.range.end.map_or(i64::MAX, Timestamp::as_ms);
        let level = filter.level.number();
        self.database.read(|transaction| match filter.host {
            Some(host) => {
                let sql = format!(
                    "SELECT {BLOCK_COLUMNS} FROM block WHERE host = ?1 AND level = ?2 AND last_time >= ?3 \
                     AND first_time < ?4 ORDER BY first_time, id"
                );
                collect(transaction, &sql, params![host, level, start, end], block)
            }
            None => {
                let sql = format!(
                    "SELECT {BLOCK_COLUMNS} FROM block WHERE level = ?1 AND last_time >= ?2 AND first_time < ?3 \
                     ORDER BY host, first_time, id"
                );
                collect(transaction, &sql, params![level, start, end], block)
            }
        })
    }

    fn blocks_around(&self, host: HostNumber, sequence: u32) -> Result<Vec<BlockEntry>, StoreError> {
        let sql = format!(
            "SELECT {BLOCK_COLUMNS} FROM block WHERE host = ?1 AND level = 0 AND last_sequence >= ?2 \
             AND first_sequence <= ?2 ORDER BY last_sequence"
        );
        self.database.read(|transaction| collect(transaction, &sql, params![host, sequence], block))
    }

    fn base(&self, host: HostNumber) -> Result<Option<Bytes>, StoreError> {
        self.database
            .read(|transaction| one_blob(transaction, "SELECT bytes FROM host_base WHERE host = ?1", host.into()))
    }

    fn oldest_blocks(&self, level: Level, before: Timestamp, limit: usize) -> Result<Vec<BlockEntry>, StoreError> {
        let sql = format!(
            "SELECT {BLOCK_COLUMNS} FROM block WHERE level = ?1 AND last_time < ?2 ORDER BY last_time, id LIMIT ?3"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let parameters = params![level.number(), before.as_ms(), limit];
        self.database.read(|transaction| collect(transaction, &sql, parameters, block))
    }

    fn clean_up(&self, hosts: &[HostNumber]) -> Result<(), StoreError> {
        // The newest epoch is the one that the next block goes on with.
        let sql = "DELETE FROM dictionary WHERE host = ?1 \
                   AND epoch < (SELECT epoch FROM host_mark WHERE host_mark.host = ?1) \
                   AND epoch NOT IN (SELECT epoch FROM block WHERE block.host = ?1 AND level = 0)";
        self.database.write(|transaction| {
            for host in hosts {
                delete(transaction, sql, (*host).into())?;
            }
            Ok(())
        })?;
        let writer = self.database.writer();
        writer.execute_batch(&format!("PRAGMA incremental_vacuum({VACUUM_PAGES_MAX})")).map_err(failed)
    }

    fn block_head(&self, id: i64) -> Result<Option<Bytes>, StoreError> {
        self.database.read(|transaction| one_blob(transaction, "SELECT bytes FROM block_head WHERE id = ?1", id))
    }

    fn block_body(&self, id: i64) -> Result<Option<Bytes>, StoreError> {
        self.database.read(|transaction| one_blob(transaction, "SELECT bytes FROM block_body WHERE id = ?1", id))
    }

    fn dictionary(&self, host: HostNumber, epoch: u32) -> Result<Vec<Bytes>, StoreError> {
        let sql = "SELECT bytes FROM dictionary WHERE host = ?1 AND epoch = ?2 ORDER BY segment";
        self.database.read(|transaction| collect(transaction, sql, [host, epoch], |row| blob(row, 0)))
    }

    fn named_hosts(&self) -> Result<Vec<(HostNumber, HostNames)>, StoreError> {
        self.database.read(names::hosts)
    }

    fn names(&self, host: HostNumber) -> Result<Option<HostNames>, StoreError> {
        self.database.read(|transaction| names::of_host(transaction, host))
    }

    fn names_seen(&self, host: HostNumber, names: &[Arc<str>]) -> Result<HostNames, StoreError> {
        self.database.read(|transaction| names::some_of_host(transaction, host, names))
    }

    fn hosts_with_name(&self, name: &str, host: Option<HostNumber>) -> Result<Vec<NamedHost>, StoreError> {
        self.database.read(|transaction| names::hosts_with(transaction, name, host))
    }

    fn totals(&self) -> Result<Totals, StoreError> {
        let disk_free_bytes = fs4::available_space(self.database.path()).ok();
        let totals = self.database.read(totals)?;
        Ok(Totals { disk_free_bytes, ..totals })
    }

    fn check(&self) -> Result<Vec<String>, StoreError> {
        self.database.read(|transaction| {
            let found: Vec<String> =
                collect(transaction, "PRAGMA integrity_check", [], |row| row.get(0).map_err(failed))?;
            Ok(found.into_iter().filter(|line| line != "ok").collect())
        })
    }

    fn close(&self) -> Result<(), StoreError> {
        if self._lock.is_none() {
            return Ok(());
        }
        self.database.writer().pragma_update_and_check(None, "wal_checkpoint", "TRUNCATE", |_| Ok(())).map_err(failed)
    }
}

/// What a block has in each table.
const DELETE_BLOCK: [&str; 3] =
    ["DELETE FROM block WHERE id = ?1", "DELETE FROM block_head WHERE id = ?1", "DELETE FROM block_body WHERE id = ?1"];

pub(super) fn delete(connection: &Connection, sql: &str, id: i64) -> Result<(), StoreError> {
    connection.prepare_cached(sql).and_then(|mut delete| delete.execute([id])).map_err(failed)?;
    Ok(())
}

pub(super) fn collect<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut select = connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = select.query(parameters).map_err(failed)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        found.push(read(row)?);
    }
    Ok(found)
}

fn one_blob(connection: &Connection, sql: &str, id: i64) -> Result<Option<Bytes>, StoreError> {
    let mut select = connection.prepare_cached(sql).map_err(failed)?;
    select
        .query_row([id], |row| row.get::<_, Vec<u8>>(0))
        .optional()
        .map(|bytes| bytes.map(Bytes::from))
        .map_err(failed)
}

fn blob(row: &Row<'_>, column: usize) -> Result<Bytes, StoreError> {
    row.get::<_, Vec<u8>>(column).map(Bytes::from).map_err(failed)
}

pub(super) fn unsigned(row: &Row<'_>, column: usize) -> Result<u64, StoreError> {
    u64::try_from(row.get::<_, i64>(column).map_err(failed)?).map_err(|_| out_of_range("a number"))
}

fn signed(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Limit(format!("{number} is more than the database can count")))
}

fn mark(row: &Row<'_>) -> Result<HostMark, StoreError> {
    let stream: Option<[u8; 16]> = row.get(5).map_err(failed)?;
    let stream = match stream {
        Some(stream) => Some(StreamPosition {
            // Stream sequences use all 64 bits: kept bit by bit.
            origin: FrameOrigin { stream, sequence: row.get::<_, i64>(6).map_err(failed)?.cast_unsigned() },
            resumable: row.get(7).map_err(failed)?,
        }),
        None => None,
    };
    Ok(HostMark {
        host: row.get(0).map_err(failed)?,
        sealed: row.get(1).map_err(failed)?,
        sealed_late: row.get(2).map_err(failed)?,
        last_sequence: row.get(3).map_err(failed)?,
        epoch: row.get(4).map_err(failed)?,
        stream,
    })
}

fn put_mark(transaction: &Transaction<'_>, mark: &HostMark) -> Result<(), StoreError> {
    let mut put = transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO host_mark (host, sealed, sealed_late, last_sequence, epoch, stream, stream_sequence, \
             resumable) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )
        .map_err(failed)?;
    let origin = mark.stream.map(|stream| stream.origin);
    put.execute(params![
        mark.host,
        mark.sealed,
        mark.sealed_late,
        mark.last_sequence,
        mark.epoch,
        origin.map(|origin| origin.stream),
        origin.map(|origin| origin.sequence.cast_signed()),
        mark.stream.is_some_and(|stream| stream.resumable),
    ])
    .map_err(failed)?;
    Ok(())
}

fn block(row: &Row<'_>) -> Result<BlockEntry, StoreError> {
    let level: u8 = row.get(2).map_err(failed)?;
    Ok(BlockEntry {
        id: row.get(0).map_err(failed)?,
        host: row.get(1).map_err(failed)?,
        level: Level::from_number(level).ok_or_else(|| out_of_range("the level of a block"))?,
        late: row.get(3).map_err(failed)?,
        first_time: Timestamp::from_ms(row.get(4).map_err(failed)?),
        last_time: Timestamp::from_ms(row.get(5).map_err(failed)?),
        first_sequence: row.get(6).map_err(failed)?,
        last_sequence: row.get(7).map_err(failed)?,
        frames: row.get(8).map_err(failed)?,
        samples: unsigned(row, 9)?,
        bytes: unsigned(row, 10)?,
        epoch: row.get(11).map_err(failed)?,
        segments: row.get(12).map_err(failed)?,
    })
}

fn insert_block(transaction: &Transaction<'_>, block: &NewBlock) -> Result<i64, StoreError> {
    let entry = &block.entry;
    let mut insert = transaction
        .prepare_cached(
            "INSERT INTO block (host, level, late, first_time, last_time, first_sequence, last_sequence, frames, samples, \
             bytes, epoch, segments) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )
        .map_err(failed)?;
    let id = insert
        .insert(params![
            entry.host,
            entry.level.number(),
            entry.late,
            entry.first_time.as_ms(),
            entry.last_time.as_ms(),
            entry.first_sequence,
            entry.last_sequence,
            entry.frames,
            signed(entry.samples)?,
            signed(entry.bytes)?,
            entry.epoch,
            entry.segments,
        ])
        .map_err(failed)?;
    for (sql, bytes) in [
        ("INSERT INTO block_head (id, bytes) VALUES (?1, ?2)", &block.head),
        ("INSERT INTO block_body (id, bytes) VALUES (?1, ?2)", &block.body),
    ] {
        transaction.prepare_cached(sql).and_then(|mut put| put.execute(params![id, bytes])).map_err(failed)?;
    }
    if let Some(segment) = &block.segment {
        // The block needs its own segment and all before it.
        let number = entry.segments.saturating_sub(1);
        let sql = "INSERT INTO dictionary (host, epoch, segment, bytes) VALUES (?1, ?2, ?3, ?4)";
        let mut put = transaction.prepare_cached(sql).map_err(failed)?;
        put.execute(params![entry.host, entry.epoch, number, segment]).map_err(failed)?;
    }
    Ok(id)
}

fn totals(connection: &Connection) -> Result<Totals, StoreError> {
    let sum = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(failed);
    let mut totals = Totals {
        journal_bytes: sum("SELECT coalesce(sum(length(bytes)), 0) FROM journal")?.cast_unsigned(),
        dictionary_bytes: sum("SELECT coalesce(sum(length(bytes)), 0) FROM dictionary")?.cast_unsigned(),
        name_bytes: names::bytes(connection)?,
        ..Totals::default()
    };
    let sql = "SELECT level, count(*), sum(frames), sum(samples), sum(bytes), min(first_time), max(last_time) FROM block \
               GROUP BY level";
    let mut select = connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = select.query([]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let level: u8 = row.get(0).map_err(failed)?;
        let level = totals.levels.get_mut(usize::from(level)).ok_or_else(|| out_of_range("the level of a block"))?;
        level.blocks = unsigned(row, 1)?;
        level.frames = unsigned(row, 2)?;
        level.samples = unsigned(row, 3)?;
        level.bytes = unsigned(row, 4)?;
        level.oldest = Some(Timestamp::from_ms(row.get(5).map_err(failed)?));
        level.newest = Some(Timestamp::from_ms(row.get(6).map_err(failed)?));
    }
    for (level, number) in totals.levels.iter_mut().zip(0_u8..) {
        let since = level.newest.map_or(0, |newest| newest.plus_ms(-DAY_MS).as_ms());
        let sql = "SELECT coalesce(sum(bytes), 0) FROM block WHERE level = ?1 AND last_time > ?2";
        let bytes: i64 = connection.query_row(sql, params![number, since], |row| row.get(0)).map_err(failed)?;
        level.last_day_bytes = bytes.cast_unsigned();
    }
    Ok(totals)
}
