//! What a host, a process and a snapshot are.
//!
//! These are the words of the whole project. Nothing here reads a file, opens a socket, is async or knows a wire
//! format: what goes over a wire has its own types, converted by hand at the edge.

mod host;
mod metric;
mod process;
mod snapshot;
mod state;
mod time;
pub mod tree;

pub use host::{FieldError, FieldErrorReason, HostFacts, HostMetric, HostSample, Loss, LossKind};
pub use metric::{Metric, Sample};
pub use process::{Brief, Description, End, Exit, Identity, Process};
pub use snapshot::{Ended, Snapshot, SnapshotId, SnapshotIdError};
pub use state::ProcessState;
pub use time::Timestamp;
