//! Hosts, keys and sessions.

use async_trait::async_trait;
use procession_model::Timestamp;

use crate::StoreError;

/// The number of a host in this store: 0 for the first one, below 2^20.
pub type HostNumber = u32;
/// The number of a key in this store.
pub type KeyId = i64;

/// A host that has sent something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its number.
    pub number: HostNumber,
    /// Its name: unique, compared byte by byte.
    pub name: String,
    /// When it was first seen, by the server's clock.
    pub first_seen: Timestamp,
}

/// An agent of a host: the one that was connected last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostAgent {
    /// The host it writes.
    pub host: HostNumber,
    /// Tells its installation from others: unique.
    pub agent_id: String,
    /// The name it said. The host has another one where this agent is on a clone of a machine of that name.
    pub told_name: String,
    /// Tells the boot of its machine from others; empty if it did not say.
    pub boot_id: String,
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPurpose {
    /// Agents and uploads.
    Upload,
    /// Reading.
    Read,
}

/// A key to be kept. The secret itself never reaches the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// Public part, unique.
    pub prefix: String,
    /// SHA-256 of the whole key.
    pub hash: [u8; 32],
    /// What it is for.
    pub purpose: KeyPurpose,
    /// Host names it is good for: a name, or a pattern with `*`; `None` for all.
    pub host_pattern: Option<String>,
    /// Until when.
    pub expires: Option<Timestamp>,
    /// When it was made.
    pub created: Timestamp,
    /// For people.
    pub label: Option<String>,
}

/// A kept key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its number.
    pub id: KeyId,
    /// What was kept.
    pub key: NewKey,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used: Option<Timestamp>,
}

/// A change of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyChange {
    /// It is not good any more.
    Revoked(Timestamp),
    /// It was used.
    Used(Timestamp),
}

/// A link that signs its first user in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInLink {
    /// SHA-256 of the token.
    pub hash: [u8; 32],
    /// Until when.
    pub expires: Timestamp,
}

/// A session to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// SHA-256 of the token in the cookie.
    pub hash: [u8; 32],
    /// When it was made.
    pub created: Timestamp,
    /// Until when.
    pub expires: Timestamp,
}

/// A kept session.
pub type Session = NewSession;

/// Hosts, keys and sessions.
#[async_trait]
pub trait Catalog: Send + Sync {
    /// All hosts by number.
    async fn hosts(&self) -> Result<Vec<Host>, StoreError>;
    /// The host of this name, made if there is none; numbers count up from 0.
    async fn host_named(&self, name: &str, now: Timestamp) -> Result<Host, StoreError>;
    /// The hosts of these names, in their order, those made that are not there; all in one durable step.
    async fn hosts_named(&self, names: Vec<String>, now: Timestamp) -> Result<Vec<Host>, StoreError>;
    /// Gives a host another name; false if there is no such host, or another one has the name.
    async fn rename_host(&self, number: HostNumber, name: &str) -> Result<bool, StoreError>;
    /// The last agent of each host that had one.
    async fn host_agents(&self) -> Result<Vec<HostAgent>, StoreError>;
    /// Keeps these in place of what is known of the same hosts and of the same agents; all in one durable step.
    async fn set_host_agents(&self, agents: Vec<HostAgent>) -> Result<(), StoreError>;
    /// Keeps a key.
    async fn create_key(&self, key: NewKey) -> Result<Key, StoreError>;
    /// All keys by number, revoked ones too.
    async fn keys(&self) -> Result<Vec<Key>, StoreError>;
    /// The key with this prefix.
    async fn key_by_prefix(&self, prefix: &str) -> Result<Option<Key>, StoreError>;
    /// Changes a key; false if there is none of that number.
    async fn change_key(&self, id: KeyId, change: KeyChange) -> Result<bool, StoreError>;
    /// Keeps a link.
    async fn create_sign_in_link(&self, link: SignInLink) -> Result<(), StoreError>;
    /// Uses a link up: true once for each link that has not expired.
    async fn use_sign_in_link(&self, hash: &[u8; 32], now: Timestamp) -> Result<bool, StoreError>;
    /// Keeps a session.
    async fn create_session(&self, session: NewSession) -> Result<(), StoreError>;
    /// A session that has not expired.
    async fn session(&self, hash: &[u8; 32], now: Timestamp) -> Result<Option<Session>, StoreError>;
    /// Ends a session.
    async fn delete_session(&self, hash: &[u8; 32]) -> Result<(), StoreError>;
    /// Whether any session or key was ever made: false only in a new store.
    async fn was_ever_used(&self) -> Result<bool, StoreError>;
    /// A setting of the whole store.
    async fn setting(&self, name: &str) -> Result<Option<String>, StoreError>;
    /// Keeps a setting of the whole store.
    async fn set_setting(&self, name: &str, value: &str) -> Result<(), StoreError>;
}
