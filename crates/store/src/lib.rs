//! Keeps the catalog (hosts, keys, sessions) and the history (every process of every host at every snapshot).
//!
//! The traits speak the words of the project, never SQL. One conformance suite runs against every implementation.

pub mod analysis;
mod blocking;
mod catalog;
mod engine;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod history;
mod parallel;
mod rollup;
mod sqlite;

pub use catalog::{
    Catalog, Host, HostAgent, HostNumber, Key, KeyChange, KeyId, KeyPurpose, NewKey, NewSession, Session, SignInLink,
};
pub use engine::{
    BATCH_ITEMS_MAX, LIST_MAX, LOSSES_MAX, POINTS_MAX, RUNS_MAX, SAMPLES_MAX, SCAN_MAX, SCAN_SAMPLES_MAX, SealPolicy,
};
pub use error::StoreError;
pub use history::{
    Append, Appended, Applied, FrameOrigin, History, HostPoint, HostSeries, KeptSnapshot, LEVELS, LevelStats, Nearest,
    Page, Published, Range, Retention, Retired, Run, SampleFilter, SampleRow, SnapshotEntry, Stats, StreamPosition,
};
pub use sqlite::{OpenOptions, SqliteCatalog, SqliteStore, backup, forget_names};
