//! `GET /api/history/runs/`

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use procession_store::analysis::{ProgramOnHost, ProgramRun, ProgramRuns};
use serde::Serialize;
use utoipa::ToSchema;

use super::wire::Life;
use crate::access::Reader;
use crate::app::App;
use crate::error::{ApiError, json_answer};
use crate::openapi::{NotFoundError, QueryErrors, ReaderErrors};
use crate::params::Params;
use crate::published::optional_host;

const LIMIT_DEFAULT: usize = 1_000;
const LIMIT_MAX: u64 = 10_000;
const OFFSET_MAX: u64 = 1_000_000_000;

/// When a program ran.
#[derive(Serialize, ToSchema)]
pub(crate) struct RunsOfProgram {
    /// How many runs there are in all.
    #[schema(value_type = i64)]
    count: u64,
    /// How long at least one process of it ran, in milliseconds; of several hosts the sum.
    #[schema(value_type = i64)]
    covered_ms: u64,
    /// Runs by host and start.
    runs: Vec<RunOfProgram>,
    /// Every host with a run in the range.
    hosts: Vec<HostOfProgram>,
}

/// One run.
#[derive(Serialize, ToSchema)]
pub(crate) struct RunOfProgram {
    /// On which host.
    hostname: Arc<str>,
    #[serde(flatten)]
    life: Life,
    /// How many runs this stands for: brief ones may be counted together.
    #[schema(value_type = i64)]
    count: u64,
    /// CPU time in the range in microseconds.
    #[schema(value_type = i64)]
    cpu_time_us: u64,
    /// The most resident memory in the range in bytes.
    #[schema(value_type = Option<i64>)]
    memory_bytes_max: Option<u64>,
}

/// A program on one host.
#[derive(Serialize, ToSchema)]
pub(crate) struct HostOfProgram {
    /// Which host.
    hostname: Arc<str>,
    /// How many runs.
    #[schema(value_type = i64)]
    runs: u64,
    /// How long at least one process of it ran, in milliseconds.
    #[schema(value_type = i64)]
    covered_ms: u64,
    /// How long all its processes ran together, in milliseconds.
    #[schema(value_type = i64)]
    process_ms: u64,
    /// CPU time in microseconds.
    #[schema(value_type = i64)]
    cpu_time_us: u64,
    /// How often it began again after none of it had run.
    #[schema(value_type = i64)]
    restarts: u64,
    /// The newest gaps, oldest first: of all hosts together at most 10,000.
    gaps: Vec<GapOfProgram>,
}

/// A time in which nothing of the program ran, in milliseconds since the epoch.
#[derive(Serialize, ToSchema)]
pub(crate) struct GapOfProgram {
    /// The last one ended.
    from_ms: i64,
    /// The next one started.
    until_ms: i64,
}

/// When a program ran.
///
/// Its runs, gaps and restarts, on one host or on all.
#[utoipa::path(
    get,
    path = "/api/history/runs/",
    tag = "History",
    security(("read_key" = []), ("session" = [])),
    params(
        ("name" = String, Query, min_length = 1, description = "Processes of exactly this name"),
        ("hostname" = Option<String>, Query, description = "Only on this host"),
        ("start" = Option<String>, Query, format = DateTime, description = "From this time on: RFC 3339, or milliseconds since the epoch"),
        ("end" = Option<String>, Query, format = DateTime, description = "Before this time"),
        ("offset" = Option<i64>, Query, minimum = 0, maximum = 1_000_000_000, description = "How many runs to leave out"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 10_000, description = "How many at most; 1,000 by default"),
    ),
    responses((status = 200, description = "The runs", body = RunsOfProgram), NotFoundError, QueryErrors, ReaderErrors),
)]
pub(crate) async fn runs(
    State(app): State<Arc<App>>,
    reader: Reader,
    mut params: Params,
) -> Result<Response, ApiError> {
    let name = params.required("name");
    let range = params.range();
    let offset = params.integer("offset", 0..=OFFSET_MAX).unwrap_or(0);
    let limit = params.count("limit", 1..=LIMIT_MAX, LIMIT_DEFAULT);
    params.check()?;
    let host = match optional_host(&app, &reader, &params, "hostname")? {
        Some(host) => Some(host.number.ok_or_else(ApiError::not_found)?),
        None => None,
    };
    let found = app.analysis.program_runs(host, &name, range, offset, limit).await?;
    Ok(json_answer(&runs_of(&app, &found)))
}

fn runs_of(app: &App, found: &ProgramRuns) -> RunsOfProgram {
    RunsOfProgram {
        count: found.count,
        covered_ms: found.hosts.iter().fold(0, |sum, host| sum.saturating_add(host.covered_ms)),
        runs: found.runs.iter().map(|run| run_of(app, run)).collect(),
        hosts: found.hosts.iter().map(|host| host_of(app, host)).collect(),
    }
}

fn run_of(app: &App, run: &ProgramRun) -> RunOfProgram {
    RunOfProgram {
        hostname: app.hosts.name(run.host).unwrap_or_default(),
        life: Life::of(&run.run),
        count: run.count,
        cpu_time_us: run.cpu_time_us,
        memory_bytes_max: run.memory_bytes_max,
    }
}

fn host_of(app: &App, host: &ProgramOnHost) -> HostOfProgram {
    let gap =
        |gap: &procession_store::analysis::Gap| GapOfProgram { from_ms: gap.from.as_ms(), until_ms: gap.until.as_ms() };
    HostOfProgram {
        hostname: app.hosts.name(host.host).unwrap_or_default(),
        runs: host.runs,
        covered_ms: host.covered_ms,
        process_ms: host.process_ms,
        cpu_time_us: host.cpu_time_us,
        restarts: host.restarts,
        gaps: host.gaps.iter().map(gap).collect(),
    }
}
