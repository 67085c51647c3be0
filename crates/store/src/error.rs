//! What can go wrong in a store.

/// What can go wrong in a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has the store open.
    #[error("{0} is in use by another Procession: stop it first, or choose another --data")]
    InUse(String),
    /// The disk is full. Nothing was acknowledged; try again when there is space.
    #[error("no space left for the history: free some, or lower the retention")]
    DiskFull,
    /// Written by a newer version.
    #[error("the store has schema version {found}, this Procession knows up to {known}: install the newer one")]
    TooNew {
        /// Version of the store.
        found: u32,
        /// Newest known version.
        known: u32,
    },
    /// Bytes in the store are not what was written.
    #[error("damaged: {0}")]
    Damaged(String),
    /// A limit of the store: what was asked for cannot be kept.
    #[error("{0}")]
    Limit(String),
    /// Reading or writing failed.
    #[error("{0}")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}
