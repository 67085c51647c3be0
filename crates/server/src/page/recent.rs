//! `GET /api/charts/processes/`

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use procession_model::Timestamp;
use procession_store::Range;
use procession_store::analysis::RecentCpu;
use serde::Serialize;

use crate::access::Reader;
use crate::app::App;
use crate::error::{ApiError, json_response};
use crate::json_text;
use crate::openapi::{NotFoundError, QueryErrors, ReaderErrors};
use crate::params::Params;
use crate::published::required_host;

const SNAPSHOTS_DEFAULT: usize = 20;
const SNAPSHOTS_MAX: u64 = 100;

/// What all processes used lately, one array a snapshot.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ProcessesChart {
    /// Of which host.
    hostname: Arc<str>,
    /// When the snapshots were taken, in milliseconds since the epoch, oldest first.
    time_ms: Vec<i64>,
    /// The processes by pid and start, without those that used nothing in any of the snapshots.
    #[schema(value_type = Vec<i64>)]
    pid: Vec<u32>,
    /// When they started, in milliseconds since the epoch, where that is known.
    start_time: Vec<Option<i64>>,
    /// For each snapshot the CPU of each process in hundredths of a percent of one core; 0 where it used none, or was not
    /// there, or its CPU is not known.
    #[schema(value_type = Vec<Vec<i64>>)]
    cpu: Vec<Vec<u64>>,
}

/// All processes over the last snapshots.
///
/// Enough for a small line beside each process, at the newest snapshot or at a past moment, in one answer.
#[utoipa::path(
    get,
    path = "/api/charts/processes/",
    tag = "Page",
    security(("read_key" = []), ("session" = [])),
    params(
        ("hostname" = String, Query, min_length = 1, description = "Of which host"),
        ("at" = Option<String>, Query, format = DateTime, description = "Up to this time: RFC 3339, or milliseconds since the epoch; up to the newest by default"),
        ("snapshots" = Option<i64>, Query, minimum = 1, maximum = 100, description = "How many at most; 20 by default"),
    ),
    responses((status = 200, description = "The lines", body = ProcessesChart), NotFoundError, QueryErrors, ReaderErrors),
)]
pub(crate) async fn recent(
    State(app): State<Arc<App>>,
    reader: Reader,
    mut params: Params,
) -> Result<Response, ApiError> {
    let end = params.time("at").map(|at| at.plus_ms(1));
    let snapshots = params.count("snapshots", 1..=SNAPSHOTS_MAX, SNAPSHOTS_DEFAULT);
    let (host, hostname) = required_host(&app, &reader, &mut params)?;
    let recent = app.analysis.recent_cpu(host, Range { start: None, end }, snapshots).await?;
    let recent = recent.ok_or_else(ApiError::not_found)?;
    let mut out = Vec::new();
    json_text::value(&mut out, &chart_of(hostname, &recent));
    Ok(json_response(StatusCode::OK, out))
}

fn chart_of(hostname: Arc<str>, recent: &RecentCpu) -> ProcessesChart {
    let processes = &recent.processes;
    let column = |snapshot: usize| processes.iter().map(|(_, values)| values[snapshot]).collect();
    ProcessesChart {
        hostname,
        time_ms: recent.times.iter().map(|time| time.as_ms()).collect(),
        pid: processes.iter().map(|(identity, _)| identity.pid).collect(),
        start_time: processes.iter().map(|(identity, _)| identity.start.map(Timestamp::as_ms)).collect(),
        cpu: (0..recent.times.len()).map(column).collect(),
    }
}
