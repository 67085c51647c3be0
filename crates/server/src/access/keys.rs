//! Making and revoking keys. The command line uses these too, whether or not a server runs.

use procession_model::Timestamp;
use procession_store::{Catalog, Key, KeyChange, KeyPurpose, NewKey, StoreError};

use super::key_text;

/// The longest pattern of host names in characters.
pub const PATTERN_CHARACTERS_MAX: usize = 255;
/// The longest label in characters.
pub const LABEL_CHARACTERS_MAX: usize = 255;

/// What a new key is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRequest {
    /// What for.
    pub purpose: KeyPurpose,
    /// Host names it is good for: a name, or a pattern with `*`; `None` for all.
    pub host_pattern: Option<String>,
    /// For people.
    pub label: Option<String>,
    /// Until when.
    pub expires: Option<Timestamp>,
}

/// A key just made.
#[derive(Clone, Debug)]
pub struct CreatedKey {
    /// The key itself: shown once, kept nowhere.
    pub plain: String,
    /// What was kept.
    pub key: Key,
}

/// Why a key cannot be made or revoked.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A pattern no host name can fit, or too long a one.
    #[error("a host pattern has 1 to {PATTERN_CHARACTERS_MAX} characters")]
    Pattern,
    /// Too long a label.
    #[error("a label has at most {LABEL_CHARACTERS_MAX} characters")]
    Label,
    /// A key that would never have been good.
    #[error("the time at which the key expires has passed already")]
    Expired,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a key.
pub async fn create(catalog: &dyn Catalog, request: KeyRequest, now: Timestamp) -> Result<CreatedKey, KeyError> {
    if request
        .host_pattern
        .as_ref()
        .is_some_and(|pattern| pattern.is_empty() || pattern.chars().count() > PATTERN_CHARACTERS_MAX)
    {
        return Err(KeyError::Pattern);
    }
    if request.label.as_ref().is_some_and(|label| label.chars().count() > LABEL_CHARACTERS_MAX) {
        return Err(KeyError::Label);
    }
    if request.expires.is_some_and(|expires| expires <= now) {
        return Err(KeyError::Expired);
    }
    let plain = key_text::new_key();
    let new = NewKey {
        prefix: key_text::prefix_of(&plain).unwrap_or_default().to_owned(),
        hash: key_text::hash_of(&plain),
        purpose: request.purpose,
        host_pattern: request.host_pattern,
        expires: request.expires,
        created: now,
        label: request.label,
    };
    let key = catalog.create_key(new).await?;
    Ok(CreatedKey { plain, key })
}

/// Revokes the key with this prefix; false if there is none. A running server notices within seconds.
pub async fn revoke(catalog: &dyn Catalog, prefix: &str, now: Timestamp) -> Result<bool, KeyError> {
    match catalog.key_by_prefix(prefix).await? {
        Some(key) if key.revoked.is_some() => Ok(true),
        Some(key) => Ok(catalog.change_key(key.id, KeyChange::Revoked(now)).await?),
        None => Ok(false),
    }
}
