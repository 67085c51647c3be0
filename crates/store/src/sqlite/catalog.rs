//! Hosts, keys, sessions and settings as rows.

use std::sync::Arc;

use async_trait::async_trait;
use procession_model::{SnapshotId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::database::Database;
use super::failure::{failed, out_of_range};
use crate::blocking::blocking;
use crate::{
    Catalog, Host, HostAgent, HostNumber, Key, KeyChange, KeyId, KeyPurpose, NewKey, NewSession, Session, SignInLink,
    StoreError,
};

/// Use of a key is noted once in so many milliseconds, so that reading does not write.
const KEY_USE_STEP_MS: i64 = 60_000;

/// Everything that has the database has the catalog.
#[async_trait]
impl<T: AsRef<Arc<Database>> + Send + Sync> Catalog for T {
    async fn hosts(&self) -> Result<Vec<Host>, StoreError> {
        self.as_ref()
            .reading(|connection| {
                rows(connection, "SELECT number, name, first_seen FROM host ORDER BY number", [], host)
            })
            .await
    }

    async fn host_named(&self, name: &str, now: Timestamp) -> Result<Host, StoreError> {
        let name = name.to_owned();
        if let Some(found) = self
            .as_ref()
            .reading({
                let name = name.clone();
                move |connection| find_host(connection, &name)
            })
            .await?
        {
            return Ok(found);
        }
        self.as_ref().writing(move |connection| add_host(connection, &name, now)).await
    }

    async fn hosts_named(&self, names: Vec<String>, now: Timestamp) -> Result<Vec<Host>, StoreError> {
        self.as_ref()
            .writing(move |connection| names.iter().map(|name| add_host(connection, name, now)).collect())
            .await
    }

    async fn rename_host(&self, number: HostNumber, name: &str) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.as_ref().writing(move |connection| rename_host(connection, number, &name)).await
    }

    async fn host_agents(&self) -> Result<Vec<HostAgent>, StoreError> {
        let select = "SELECT host, agent_id, told_name, boot_id FROM host_agent ORDER BY host";
        self.as_ref().reading(move |connection| rows(connection, select, [], host_agent)).await
    }

    async fn set_host_agents(&self, agents: Vec<HostAgent>) -> Result<(), StoreError> {
        self.as_ref()
            .writing(move |connection| agents.iter().try_for_each(|agent| set_host_agent(connection, agent)))
            .await
    }

    async fn create_key(&self, key: NewKey) -> Result<Key, StoreError> {
        self.as_ref().writing(move |connection| add_key(connection, key)).await
    }

    async fn keys(&self) -> Result<Vec<Key>, StoreError> {
        self.as_ref().reading(|connection| rows(connection, &select_keys("ORDER BY id"), [], key)).await
    }

    async fn key_by_prefix(&self, prefix: &str) -> Result<Option<Key>, StoreError> {
        // Asked at each request, and answered from one page that is in memory: on another thread it would take several times
        // as long. Who reads does not wait for who writes.
        self.as_ref().read_at_once(|connection| {
            let found = rows(connection, &select_keys("WHERE prefix = ?1"), [prefix], key)?;
            Ok(found.into_iter().next())
        })
    }

    async fn change_key(&self, id: KeyId, change: KeyChange) -> Result<bool, StoreError> {
        self.as_ref().writing(move |connection| change_key(connection, id, change)).await
    }

    async fn create_sign_in_link(&self, link: SignInLink) -> Result<(), StoreError> {
        self.as_ref()
            .writing(move |connection| {
                connection
                    .execute(
                        "INSERT INTO sign_in_link (hash, expires) VALUES (?1, ?2)",
                        params![link.hash, link.expires.as_ms()],
                    )
                    .map_err(failed)?;
                Ok(())
            })
            .await
    }

    async fn use_sign_in_link(&self, hash: &[u8; 32], now: Timestamp) -> Result<bool, StoreError> {
        let hash = *hash;
        self.as_ref()
            .writing(move |connection| {
                connection.execute("DELETE FROM sign_in_link WHERE expires <= ?1", [now.as_ms()]).map_err(failed)?;
                let used = connection.execute("DELETE FROM sign_in_link WHERE hash = ?1", [hash]).map_err(failed)?;
                Ok(used == 1)
            })
            .await
    }

    async fn create_session(&self, session: NewSession) -> Result<(), StoreError> {
        self.as_ref()
            .writing(move |connection| {
                connection
                    .execute("DELETE FROM session WHERE expires <= ?1", [session.created.as_ms()])
                    .map_err(failed)?;
                connection
                    .execute(
                        "INSERT INTO session (hash, created, expires) VALUES (?1, ?2, ?3)",
                        params![session.hash, session.created.as_ms(), session.expires.as_ms()],
                    )
                    .map_err(failed)?;
                connection
                    .execute("INSERT OR REPLACE INTO setting (name, value) VALUES ('ever_used', '1')", [])
                    .map_err(failed)?;
                Ok(())
            })
            .await
    }

    async fn session(&self, hash: &[u8; 32], now: Timestamp) -> Result<Option<Session>, StoreError> {
        let hash = *hash;
        self.as_ref()
            .reading(move |connection| {
                connection
                    .query_row(
                        "SELECT hash, created, expires FROM session WHERE hash = ?1 AND expires > ?2",
                        params![hash, now.as_ms()],
                        |row| Ok(NewSession { hash: row.get(0)?, created: time(row, 1)?, expires: time(row, 2)? }),
                    )
                    .optional()
                    .map_err(failed)
            })
            .await
    }

    async fn delete_session(&self, hash: &[u8; 32]) -> Result<(), StoreError> {
        let hash = *hash;
        self.as_ref()
            .writing(move |connection| {
                connection.execute("DELETE FROM session WHERE hash = ?1", [hash]).map_err(failed)?;
                Ok(())
            })
            .await
    }

    async fn was_ever_used(&self) -> Result<bool, StoreError> {
        self.as_ref()
            .reading(|connection| {
                connection
                .query_row(
                    "SELECT EXISTS (SELECT 1 FROM api_key) OR EXISTS (SELECT 1 FROM setting WHERE name = 'ever_used')",
                    [],
                    |row| row.get(0),
                )
                .map_err(failed)
            })
            .await
    }

    async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        let name = name.to_owned();
        self.as_ref()
            .reading(move |connection| {
                connection
                    .query_row("SELECT value FROM setting WHERE name = ?1", [&name], |row| row.get(0))
                    .optional()
                    .map_err(failed)
            })
            .await
    }

    async fn set_setting(&self, name: &str, value: &str) -> Result<(), StoreError> {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.as_ref()
            .writing(move |connection| {
                connection
                    .execute("INSERT OR REPLACE INTO setting (name, value) VALUES (?1, ?2)", [&name, &value])
                    .map_err(failed)?;
                Ok(())
            })
            .await
    }
}

impl Database {
    async fn reading<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let database = Arc::clone(self);
        blocking(move || database.read(work)).await
    }

    async fn writing<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let database = Arc::clone(self);
        blocking(move || database.write(|transaction| work(transaction))).await
    }
}

fn rows<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let found = statement.query_map(parameters, read).map_err(failed)?;
    found.collect::<Result<_, _>>().map_err(failed)
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    row.get(column).map(Timestamp::from_ms)
}

fn optional_time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_ms))
}

fn host(row: &Row<'_>) -> rusqlite::Result<Host> {
    Ok(Host { number: row.get(0)?, name: row.get(1)?, first_seen: time(row, 2)? })
}

fn find_host(connection: &Connection, name: &str) -> Result<Option<Host>, StoreError> {
    connection
        .query_row("SELECT number, name, first_seen FROM host WHERE name = ?1", [name], host)
        .optional()
        .map_err(failed)
}

fn add_host(connection: &Connection, name: &str, now: Timestamp) -> Result<Host, StoreError> {
    if let Some(found) = find_host(connection, name)? {
        return Ok(found);
    }
    let number: i64 =
        connection.query_row("SELECT coalesce(max(number) + 1, 0) FROM host", [], |row| row.get(0)).map_err(failed)?;
    let number = HostNumber::try_from(number).map_err(|_| out_of_range("the number of a host"))?;
    if number >= SnapshotId::HOSTS_MAX {
        return Err(StoreError::Limit(format!("a store holds at most {} hosts", SnapshotId::HOSTS_MAX)));
    }
    connection
        .execute("INSERT INTO host (number, name, first_seen) VALUES (?1, ?2, ?3)", params![number, name, now.as_ms()])
        .map_err(failed)?;
    Ok(Host { number, name: name.to_owned(), first_seen: now })
}

fn rename_host(connection: &Connection, number: HostNumber, name: &str) -> Result<bool, StoreError> {
    if find_host(connection, name)?.is_some() {
        return Ok(false);
    }
    let update = "UPDATE host SET name = ?2 WHERE number = ?1";
    let changed = connection.execute(update, params![number, name]).map_err(failed)?;
    Ok(changed == 1)
}

fn host_agent(row: &Row<'_>) -> rusqlite::Result<HostAgent> {
    Ok(HostAgent { host: row.get(0)?, agent_id: row.get(1)?, told_name: row.get(2)?, boot_id: row.get(3)? })
}

/// A row of the same host, or of the same agent elsewhere, gives way.
fn set_host_agent(connection: &Connection, agent: &HostAgent) -> Result<(), StoreError> {
    let insert = "INSERT OR REPLACE INTO host_agent (host, agent_id, told_name, boot_id) VALUES (?1, ?2, ?3, ?4)";
    let HostAgent { host, agent_id, told_name, boot_id } = agent;
    connection
        .prepare_cached(insert)
        .and_then(|mut statement| statement.execute(params![host, agent_id, told_name, boot_id]))
        .map_err(failed)?;
    Ok(())
}

fn select_keys(rest: &str) -> String {
    format!(
        "SELECT id, prefix, hash, purpose, host_pattern, expires, created, label, revoked, last_used FROM api_key {rest}"
    )
}

fn key(row: &Row<'_>) -> rusqlite::Result<Key> {
    Ok(Key {
        id: row.get(0)?,
        key: NewKey {
            prefix: row.get(1)?,
            hash: row.get(2)?,
            purpose: if row.get::<_, i64>(3)? == 0 { KeyPurpose::Upload } else { KeyPurpose::Read },
            host_pattern: row.get(4)?,
            expires: optional_time(row, 5)?,
            created: time(row, 6)?,
            label: row.get(7)?,
        },
        revoked: optional_time(row, 8)?,
        last_used: optional_time(row, 9)?,
    })
}

fn add_key(connection: &Connection, key: NewKey) -> Result<Key, StoreError> {
    let purpose = match key.purpose {
        KeyPurpose::Upload => 0,
        KeyPurpose::Read => 1,
    };
    connection
        .execute(
            "INSERT INTO api_key (prefix, hash, purpose, host_pattern, expires, created, label) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                key.prefix,
                key.hash,
                purpose,
                key.host_pattern,
                key.expires.map(Timestamp::as_ms),
                key.created.as_ms(),
                key.label
            ],
        )
        .map_err(failed)?;
    Ok(Key { id: connection.last_insert_rowid(), key, revoked: None, last_used: None })
}

fn change_key(connection: &Connection, id: KeyId, change: KeyChange) -> Result<bool, StoreError> {
    let changed = match change {
        // The first revocation stands.
        KeyChange::Revoked(at) => connection
            .execute("UPDATE api_key SET revoked = coalesce(revoked, ?2) WHERE id = ?1", params![id, at.as_ms()]),
        KeyChange::Used(at) => connection.execute(
            "UPDATE api_key SET last_used = ?2 WHERE id = ?1",
            params![id, at.as_ms() - at.as_ms().rem_euclid(KEY_USE_STEP_MS)],
        ),
    };
    Ok(changed.map_err(failed)? == 1)
}
