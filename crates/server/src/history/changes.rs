//! `GET /api/history/changes/`

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use procession_model::Metric;
use procession_store::SnapshotEntry;
use procession_store::analysis::{Changed, Changes, Moment, ProcessAt};
use serde::Serialize;
use utoipa::ToSchema;

use super::wire::{ProcessMoment, ProcessName};
use crate::access::Reader;
use crate::app::App;
use crate::error::{ApiError, json_answer};
use crate::live::public_number;
use crate::openapi::{NotFoundError, QueryErrors, ReaderErrors};
use crate::params::Params;
use crate::published::{named_host, required_host};
use crate::time_text;

const LIMIT_DEFAULT: usize = 500;
const LIMIT_MAX: u64 = 10_000;

/// What changed between two moments. CPU in hundredths of a percent of one core, memory in bytes.
#[derive(Serialize, ToSchema)]
pub(crate) struct Differences {
    /// The first moment.
    from: MomentEntry,
    /// The second moment.
    to: MomentEntry,
    /// What is only at the second; most memory first.
    began: Vec<ProcessMoment>,
    /// What is only at the first; most memory first.
    ended: Vec<ProcessMoment>,
    /// What is at both and differs; largest change of memory first.
    changed: Vec<Difference>,
    /// How many began, with those not listed.
    #[schema(value_type = i64)]
    began_count: u64,
    /// How many ended, with those not listed.
    #[schema(value_type = i64)]
    ended_count: u64,
    /// How many differ, with those not listed.
    #[schema(value_type = i64)]
    changed_count: u64,
}

/// The snapshot that stands for a moment.
#[derive(Serialize, ToSchema)]
pub(crate) struct MomentEntry {
    /// Of which host.
    hostname: Arc<str>,
    /// Its number.
    snapshot_id: i64,
    /// When, in milliseconds since the epoch.
    time_ms: i64,
}

/// A process at both moments: pairs of before and after.
#[derive(Serialize, ToSchema)]
pub(crate) struct Difference {
    #[serde(flatten)]
    process: ProcessName,
    /// Parents as they were reported.
    #[schema(value_type = Vec<Option<i64>>)]
    parent_pid: [Option<u32>; 2],
    /// CPU.
    #[schema(value_type = Vec<Option<i64>>)]
    cpu: [Option<u64>; 2],
    /// Resident memory.
    #[schema(value_type = Vec<Option<i64>>)]
    memory: [Option<u64>; 2],
    /// Whether it has another parent now.
    moved: bool,
}

/// What changed between two moments.
///
/// Of one host, or of two: then processes are matched by name and command line.
#[utoipa::path(
    get,
    path = "/api/history/changes/",
    tag = "History",
    security(("read_key" = []), ("session" = [])),
    params(
        ("hostname" = String, Query, min_length = 1, description = "The host of the first moment"),
        ("other_hostname" = Option<String>, Query, description = "The host of the second moment; the same by default"),
        ("from" = Option<String>, Query, format = DateTime, description = "The first moment; now by default"),
        ("to" = Option<String>, Query, format = DateTime, description = "The second moment; now by default"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 10_000, description = "How many rows a list at most; 500 by default"),
    ),
    responses((status = 200, description = "What changed", body = Differences), NotFoundError, QueryErrors, ReaderErrors),
)]
pub(crate) async fn changes(
    State(app): State<Arc<App>>,
    reader: Reader,
    mut params: Params,
) -> Result<Response, ApiError> {
    let now = time_text::now();
    let (from, to) = (params.time("from").unwrap_or(now), params.time("to").unwrap_or(now));
    let limit = params.count("limit", 1..=LIMIT_MAX, LIMIT_DEFAULT);
    let (host, hostname) = required_host(&app, &reader, &mut params)?;
    let (other, other_hostname) = match params.text("other_hostname") {
        Some(name) => (named_host(&app, &reader, name)?.number.ok_or_else(ApiError::not_found)?, name.into()),
        None => (host, Arc::clone(&hostname)),
    };
    let (from, to) = (Moment { host, time: from }, Moment { host: other, time: to });
    let changes = app.analysis.changes(from, to, limit).await?.ok_or_else(ApiError::not_found)?;
    Ok(json_answer(&differences(hostname, other_hostname, &changes)))
}

fn differences(hostname: Arc<str>, other_hostname: Arc<str>, changes: &Changes) -> Differences {
    let moments = |processes: &[ProcessAt]| processes.iter().map(ProcessMoment::of).collect();
    Differences {
        from: moment(hostname, &changes.from),
        to: moment(other_hostname, &changes.to),
        began: moments(&changes.began),
        ended: moments(&changes.ended),
        changed: changes.changed.iter().map(difference).collect(),
        began_count: changes.began_count,
        ended_count: changes.ended_count,
        changed_count: changes.changed_count,
    }
}

fn moment(hostname: Arc<str>, entry: &SnapshotEntry) -> MomentEntry {
    MomentEntry { hostname, snapshot_id: public_number(entry.id), time_ms: entry.time.as_ms() }
}

fn difference(changed: &Changed) -> Difference {
    let both = [&changed.before, &changed.after];
    Difference {
        process: ProcessName::of(&changed.after.description),
        parent_pid: both.map(|process| process.description.parent_pid),
        cpu: both.map(|process| process.sample.get(Metric::Cpu)),
        memory: both.map(|process| process.sample.get(Metric::Memory)),
        moved: changed.moved,
    }
}
