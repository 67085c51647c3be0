//! The index of names as rows.

use std::sync::Arc;

use procession_model::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::database::FILE_NAME;
use super::failure::{failed, out_of_range};
use super::segments::{collect, delete, unsigned};
use super::{OpenOptions, SqliteSegments};
use crate::engine::{HostNames, NameChange, NameLast, NameRow, NameSeen, NamedHost};
use crate::{HostNumber, StoreError};

/// Empties the index of names of a store that nobody has open: all hosts are gone through again as soon as something is
/// sealed, and are asked themselves until then.
pub fn forget_names(options: &OpenOptions) -> Result<(), StoreError> {
    if !options.directory.join(FILE_NAME).exists() {
        let text = format!("{}: there is no store in this directory", options.directory.display());
        return Err(StoreError::Failed(text.into()));
    }
    let segments = SqliteSegments::open(options)?;
    segments
        .database
        .write(|transaction| transaction.execute_batch("DELETE FROM name_host; DELETE FROM name_seen;").map_err(failed))
}

/// Does to a host what is to become of it.
pub(super) fn change(transaction: &Transaction<'_>, host: HostNumber, change: &NameChange) -> Result<(), StoreError> {
    if !matches!(change, NameChange::Put(_)) {
        delete(transaction, "DELETE FROM name_seen WHERE host = ?1", host.into())?;
    }
    let (NameChange::Put(names) | NameChange::Replace(names)) = change else {
        return delete(transaction, "DELETE FROM name_host WHERE host = ?1", host.into());
    };
    let put_host = "INSERT OR REPLACE INTO name_host (host, until, names) VALUES (?1, ?2, ?3)";
    let (until, count) = (names.until.map(Timestamp::as_ms), names.count.cast_signed());
    transaction
        .prepare_cached(put_host)
        .and_then(|mut put| put.execute(params![host, until, count]))
        .map_err(failed)?;
    let put_row = "INSERT OR REPLACE INTO name_seen (host, name, first, last, since) VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut put = transaction.prepare_cached(put_row).map_err(failed)?;
    let mut remove =
        transaction.prepare_cached("DELETE FROM name_seen WHERE host = ?1 AND name = ?2").map_err(failed)?;
    for NameRow { name, seen } in &names.rows {
        let name = name.as_bytes();
        let done = match seen {
            Some(NameSeen { first, last: NameLast::At(last) }) => {
                put.execute(params![host, name, first.as_ms(), last.as_ms(), None::<i64>])
            }
            Some(NameSeen { first, last: NameLast::Still { since } }) => {
                let since = Some(since.as_ms()).filter(|since| *since != first.as_ms());
                put.execute(params![host, name, first.as_ms(), None::<i64>, since])
            }
            None => remove.execute(params![host, name]),
        };
        done.map_err(failed)?;
    }
    Ok(())
}

/// The hosts in the index, without their names.
pub(super) fn hosts(connection: &Connection) -> Result<Vec<(HostNumber, HostNames)>, StoreError> {
    collect(connection, "SELECT until, names, host FROM name_host", [], |row| {
        Ok((row.get(2).map_err(failed)?, host_of(row)?))
    })
}

fn without_names(connection: &Connection, host: HostNumber) -> Result<Option<HostNames>, StoreError> {
    let found = collect(connection, "SELECT until, names FROM name_host WHERE host = ?1", [host], host_of)?;
    Ok(found.into_iter().next())
}

/// Everything of a host.
pub(super) fn of_host(connection: &Connection, host: HostNumber) -> Result<Option<HostNames>, StoreError> {
    let Some(found) = without_names(connection, host)? else { return Ok(None) };
    let select = "SELECT first, last, since, name FROM name_seen WHERE host = ?1";
    let rows = collect(connection, select, [host], |row| {
        let name: Vec<u8> = row.get(3).map_err(failed)?;
        let name = String::from_utf8(name).map_err(|_| out_of_range("a name"))?;
        Ok(NameRow { name: Arc::from(name), seen: Some(seen_of(row)?) })
    });
    Ok(Some(HostNames { rows: rows?, ..found }))
}

/// Columns until and names.
fn host_of(row: &Row<'_>) -> Result<HostNames, StoreError> {
    Ok(HostNames { until: time(row, 0)?, count: unsigned(row, 1)?, rows: Vec::new() })
}

/// A host with some of its names; nothing if it is not there.
pub(super) fn some_of_host(
    connection: &Connection,
    host: HostNumber,
    names: &[Arc<str>],
) -> Result<HostNames, StoreError> {
    let mut found = without_names(connection, host)?.unwrap_or_default();
    for name in names {
        let seen = seen(connection, host, name)?;
        found.rows.extend(seen.map(|seen| NameRow { name: Arc::clone(name), seen: Some(seen) }));
    }
    Ok(found)
}

fn seen(connection: &Connection, host: HostNumber, name: &str) -> Result<Option<NameSeen>, StoreError> {
    let select = "SELECT first, last, since FROM name_seen WHERE host = ?1 AND name = ?2";
    let mut select = connection.prepare_cached(select).map_err(failed)?;
    let found = select.query_row(params![host, name.as_bytes()], |row| Ok(seen_of(row))).optional();
    found.map_err(failed)?.transpose()
}

/// The hosts that have a name.
pub(super) fn hosts_with(
    connection: &Connection,
    name: &str,
    host: Option<HostNumber>,
) -> Result<Vec<NamedHost>, StoreError> {
    // A look-up for each host of the index; those of neighbours are near to each other.
    let select = "SELECT host, first, coalesce(last, until, first), last IS NULL, coalesce(since, first) \
                  FROM name_host CROSS JOIN name_seen USING (host) \
                  WHERE name = ?1 AND host BETWEEN ?2 AND ?3 ORDER BY host";
    let (from, until) = (host.unwrap_or(0), host.unwrap_or(HostNumber::MAX));
    collect(connection, select, params![name.as_bytes(), from, until], |row| {
        let at = |column| Ok::<_, StoreError>(time(row, column)?.unwrap_or_default());
        let is_still: bool = row.get(3).map_err(failed)?;
        Ok(NamedHost {
            host: row.get(0).map_err(failed)?,
            first: at(1)?,
            last: at(2)?,
            still_since: is_still.then(|| at(4)).transpose()?,
        })
    })
}

/// What the rows take, without the room that pages have to spare.
pub(super) fn bytes(connection: &Connection) -> Result<u64, StoreError> {
    // Header and length of a row take eight bytes, the rest are its columns.
    let select = "SELECT coalesce(sum(8 + length(name) + 2 + 6 + 6 * (last IS NOT NULL) + 6 * (since IS NOT NULL)), 0) \
                  + (SELECT 10 * count(*) FROM name_host) FROM name_seen";
    connection.query_row(select, [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned).map_err(failed)
}

/// Columns first, last and since.
fn seen_of(row: &Row<'_>) -> Result<NameSeen, StoreError> {
    let first = time(row, 0)?.ok_or_else(|| out_of_range("when a name was first seen"))?;
    let last = match (time(row, 1)?, time(row, 2)?) {
        (Some(last), _) => NameLast::At(last),
        (None, since) => NameLast::Still { since: since.unwrap_or(first) },
    };
    Ok(NameSeen { first, last })
}

fn time(row: &Row<'_>, column: usize) -> Result<Option<Timestamp>, StoreError> {
    row.get::<_, Option<i64>>(column).map(|time| time.map(Timestamp::from_ms)).map_err(failed)
}
