//! Uploads as JSON: read in one pass into a snapshot, and written back whole.
//!
//! Bodies come from anyone with a key and are the busiest thing the server reads, so the text goes straight into the
//! model without a tree of values between. Whatever is wrong with a value is collected by place and field, and reading
//! goes on; only what is not JSON at all ends it.

mod check;
mod draft;
mod extras;
mod known;
mod memory_text;
mod process_field;
mod process_visitor;
mod scalar;
mod surrogates;
mod upload_visitor;
mod write;

use procession_model::Snapshot;
use serde_json::{Value, json};

pub(crate) use extras::{loss_kind_name, reason_name};
pub(crate) use known::KnownUploads;
pub(crate) use memory_text::{bytes as memory_bytes, megabytes};
pub use write::write;
pub(crate) use write::{append_facts, append_process_fields};

/// How deep processes may be nested within their parents. Flat lists with `parent_pid` may be of any depth.
pub const NESTING_MAX: usize = 256;
/// The most processes in one snapshot.
pub const PROCESSES_MAX: usize = 100_000;
/// The longest host name in characters.
pub const HOSTNAME_CHARACTERS_MAX: usize = 255;
/// The longest name of a process or user in characters.
pub const NAME_CHARACTERS_MAX: usize = 4_096;
/// The longest command line, path or control group in characters.
pub const COMMAND_LINE_CHARACTERS_MAX: usize = 65_536;
/// The largest count or number of bytes: what JavaScript keeps exactly.
pub const COUNT_MAX: u64 = (1 << 53) - 1;
/// The highest CPU use in percent of one core.
pub const CPU_PERCENT_MAX: f64 = 1e9;
/// How many problems of one upload are told.
const PROBLEMS_MAX: usize = 100;

/// What an upload says.
#[derive(Clone, Debug, PartialEq)]
pub struct Upload {
    /// Of which host.
    pub hostname: String,
    /// What.
    pub snapshot: Snapshot,
}

/// Why a body is not an upload.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum UploadError {
    /// Not JSON.
    #[error("JSON parse error - {0}")]
    Json(String),
    /// JSON, but not an upload: what is wrong, by field, nested by index as the upload is.
    #[error("{0}")]
    Fields(Value),
}

impl UploadError {
    fn field(field: &str, problem: impl Into<String>) -> Self {
        Self::Fields(json!({ field: [problem.into()] }))
    }
}

/// Which of the two published clients wrote the body: the names of the fields differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `hostname`, `snapshot_time`, `cpu`, `memory`.
    Monitor,
    /// `system_name`, `cpu_percent`, `memory_percent`; the time is that of receipt.
    System,
}

/// Reads an upload.
pub fn parse(body: &[u8]) -> Result<Upload, UploadError> {
    read(body, Dialect::Monitor, None, &KnownUploads::none())
}

/// Reads an upload of either kind; `received` is its time where the body has none. What the host's last upload told of its
/// processes is taken from there.
pub(crate) fn read(
    body: &[u8],
    dialect: Dialect,
    received: Option<procession_model::Timestamp>,
    uploads: &KnownUploads,
) -> Result<Upload, UploadError> {
    match upload_visitor::read(body, dialect) {
        Err(UploadError::Json(problem)) => {
            let mended = surrogates::without_lone_ones(body).ok_or(UploadError::Json(problem))?;
            check::finish(upload_visitor::read(&mended, dialect)?, dialect, received, uploads)
        }
        draft => check::finish(draft?, dialect, received, uploads),
    }
}

#[cfg(test)]
mod tests;
