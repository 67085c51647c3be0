//! `GET /api/charts/host/`

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use procession_model::{HostMetric, Loss};
use procession_store::HostSeries;
use serde::Serialize;

use crate::access::Reader;
use crate::app::App;
use crate::error::{ApiError, json_response};
use crate::openapi::{NotFoundError, QueryErrors, ReaderErrors};
use crate::params::Params;
use crate::published::required_host;
use crate::upload::loss_kind_name;
use crate::{json_text, live};

const POINTS_DEFAULT: usize = 1_000;
const POINTS_MAX: u64 = 10_000;
/// The most losses of one answer; of more the last ones are told.
const LOSSES_MAX: usize = 500;

/// A host over a range, one array a line of the chart. CPU in hundredths of a percent of one core.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct HostChart {
    /// Of which host.
    hostname: String,
    /// The length of a step in milliseconds; 0 where every snapshot is a point.
    #[schema(value_type = i64, minimum = 0)]
    step_ms: u64,
    /// When, in milliseconds since the epoch.
    time_ms: Vec<i64>,
    /// The (last) snapshot of each point.
    snapshot_id: Vec<i64>,
    /// The processes' CPU; of a step, the mean.
    #[schema(value_type = Vec<i64>)]
    cpu: Vec<u64>,
    /// The highest of the step.
    #[schema(value_type = Vec<i64>)]
    cpu_max: Vec<u64>,
    /// The processes' resident memory in bytes; of a step, the mean.
    #[schema(value_type = Vec<i64>)]
    memory_bytes: Vec<u64>,
    /// The highest of the step.
    #[schema(value_type = Vec<i64>)]
    memory_bytes_max: Vec<u64>,
    /// How many processes; of a step, the highest.
    #[schema(value_type = Vec<i64>)]
    process_count: Vec<u32>,
    /// The host's own CPU.
    #[schema(value_type = Vec<Option<i64>>)]
    host_cpu: Vec<Option<u64>>,
    /// The host's memory in use, in bytes.
    #[schema(value_type = Vec<Option<i64>>)]
    memory_used_bytes: Vec<Option<u64>>,
    /// What of the range is known to be lost, oldest first: the last 500. Snapshots tell of losses, so none are known where
    /// retention has taken the snapshots.
    losses: Vec<Lost>,
}

/// A gap in the history, as far as it is known.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Lost {
    /// What, and why: `snapshots` that an agent could not keep until the server took them; `events` (beginnings and ends of
    /// processes) that the kernel could not deliver; snapshots that were due and `missed`, because the machine slept or was
    /// too busy.
    #[schema(pattern = "^(snapshots|events|missed)$")]
    kind: &'static str,
    /// From when, in milliseconds since the epoch.
    from_ms: i64,
    /// Until when.
    until_ms: i64,
    /// How many, where that is known.
    #[schema(value_type = Option<i64>, minimum = 0)]
    count: Option<u64>,
}

impl Lost {
    fn of(loss: &Loss) -> Self {
        let (from_ms, until_ms) = (loss.from.as_ms(), loss.until.as_ms());
        Self { kind: loss_kind_name(loss.kind), from_ms, until_ms, count: loss.count }
    }
}

/// A host's charts.
///
/// At most `points` points over the range; with fewer snapshots than that, each is a point. Beside them what is known to be
/// lost in the range.
#[utoipa::path(
    get,
    path = "/api/charts/host/",
    tag = "Page",
    security(("read_key" = []), ("session" = [])),
    params(
        ("hostname" = String, Query, min_length = 1, description = "Of which host"),
        ("start" = Option<String>, Query, format = DateTime, description = "From this time on: RFC 3339, or milliseconds since the epoch"),
        ("end" = Option<String>, Query, format = DateTime, description = "Before this time"),
        ("points" = Option<i64>, Query, minimum = 1, maximum = 10_000, description = "How many at most; 1,000 by default"),
    ),
    responses((status = 200, description = "The lines", body = HostChart), NotFoundError, QueryErrors, ReaderErrors),
)]
pub(crate) async fn host_chart(
    State(app): State<Arc<App>>,
    reader: Reader,
    mut params: Params,
) -> Result<Response, ApiError> {
    let range = params.range();
    let points = params.count("points", 1..=POINTS_MAX, POINTS_DEFAULT);
    let (host, hostname) = required_host(&app, &reader, &mut params)?;
    let series = app.history.host_series(host, range, points).await?;
    let losses = app.history.losses(host, range, LOSSES_MAX).await?;
    let mut out = Vec::new();
    json_text::value(&mut out, &chart_of(&hostname, &series, &losses));
    Ok(json_response(StatusCode::OK, out))
}

fn chart_of(hostname: &str, series: &HostSeries, losses: &[Loss]) -> HostChart {
    let points = &series.points;
    let host = |metric| points.iter().map(|point| point.host.get(metric)).collect();
    HostChart {
        hostname: hostname.to_owned(),
        step_ms: series.step_ms,
        time_ms: points.iter().map(|point| point.time.as_ms()).collect(),
        snapshot_id: points.iter().map(|point| live::public_number(point.id)).collect(),
        cpu: points.iter().map(|point| point.cpu).collect(),
        cpu_max: points.iter().map(|point| point.cpu_max).collect(),
        memory_bytes: points.iter().map(|point| point.memory_bytes).collect(),
        memory_bytes_max: points.iter().map(|point| point.memory_bytes_max).collect(),
        process_count: points.iter().map(|point| point.process_count).collect(),
        host_cpu: host(HostMetric::Cpu),
        memory_used_bytes: host(HostMetric::MemoryUsed),
        losses: losses.iter().map(Lost::of).collect(),
    }
}
