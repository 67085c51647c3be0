//! `GET /api/history/top/`

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use procession_model::Timestamp;
use procession_store::analysis::{Group, Measure, Top, TopRequest, TopRow};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Reader;
use crate::app::App;
use crate::error::{ApiError, json_answer};
use crate::openapi::{NotFoundError, QueryErrors, ReaderErrors};
use crate::params::Params;
use crate::published::required_host;

const LIMIT_DEFAULT: usize = 20;
const LIMIT_MAX: u64 = 10_000;

const MEASURES: [(&str, Measure); 7] = [
    ("cpu", Measure::CpuTime),
    ("memory", Measure::MemoryMean),
    ("memory_peak", Measure::MemoryPeak),
    ("memory_growth", Measure::MemoryGrowth),
    ("io", Measure::Io),
    ("read", Measure::Read),
    ("write", Measure::Write),
];
const GROUPS: [(&str, Group); 4] =
    [("process", Group::Process), ("program", Group::Program), ("user", Group::User), ("subtree", Group::Subtree)];

/// Who used most of it. CPU in microseconds, memory and IO in bytes.
#[derive(Serialize, ToSchema)]
pub(crate) struct Ranking {
    /// Of which host.
    hostname: Arc<str>,
    /// What is ranked.
    by: &'static str,
    /// By whom.
    group: &'static str,
    /// What the host used, by its own counters, else what its processes used.
    total: i64,
    /// What all processes used together.
    attributed: i64,
    /// What belongs to nobody: the total less what is attributed. Null where the host's own counters are not known.
    unattributed: Option<i64>,
    /// Highest first; of subtrees each after the one it is in.
    rows: Vec<RankingRow>,
    /// How many rows there would be.
    #[schema(value_type = i64)]
    count: u64,
    /// How many snapshots were looked at.
    #[schema(value_type = i64)]
    snapshots: u64,
    /// The step of the coarsest rollup that was read, in milliseconds; 0 if all came from snapshots.
    #[schema(value_type = i64)]
    rollup_ms: u64,
}

/// A row of a ranking.
#[derive(Serialize, ToSchema)]
pub(crate) struct RankingRow {
    /// Name of the process, program or user.
    label: Option<Arc<str>>,
    /// Process id.
    #[schema(value_type = Option<i64>)]
    pid: Option<u32>,
    /// When it started, in milliseconds since the epoch.
    start_time: Option<i64>,
    /// Name.
    name: Option<Arc<str>>,
    /// User.
    user: Option<Arc<str>>,
    /// Command line.
    command_line: Option<Arc<str>>,
    /// What it used.
    value: i64,
    /// Of a subtree, what its root used by itself.
    own: i64,
    /// The part of the total, from 0 to 1.
    share: Option<f64>,
    /// How many processes are in it.
    #[schema(value_type = i64)]
    processes: u64,
    /// Of a subtree, the row of the subtree that it is in.
    #[schema(value_type = Option<i64>)]
    parent: Option<usize>,
    /// Whether it stands for processes that ended before any snapshot had them.
    brief: bool,
}

/// Who used most of it.
///
/// Ranked over a range: processes, programs, users or subtrees, with the share that belongs to nobody.
#[utoipa::path(
    get,
    path = "/api/history/top/",
    tag = "History",
    security(("read_key" = []), ("session" = [])),
    params(
        ("hostname" = String, Query, min_length = 1, description = "On which host"),
        ("start" = Option<String>, Query, format = DateTime, description = "From this time on: RFC 3339, or milliseconds since the epoch"),
        ("end" = Option<String>, Query, format = DateTime, description = "Before this time"),
        ("by" = Option<String>, Query, pattern = "^(cpu|memory|memory_peak|memory_growth|io|read|write)$", description = "What is ranked; `cpu` by default"),
        ("group" = Option<String>, Query, pattern = "^(process|program|user|subtree)$", description = "By whom; `process` by default"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 10_000, description = "How many rows at most; 20 by default"),
    ),
    responses((status = 200, description = "The ranking", body = Ranking), NotFoundError, QueryErrors, ReaderErrors),
)]
pub(crate) async fn top(State(app): State<Arc<App>>, reader: Reader, mut params: Params) -> Result<Response, ApiError> {
    let range = params.range();
    let by = params.choice("by", &MEASURES).unwrap_or(Measure::CpuTime);
    let group = params.choice("group", &GROUPS).unwrap_or(Group::Process);
    let limit = params.count("limit", 1..=LIMIT_MAX, LIMIT_DEFAULT);
    let (host, hostname) = required_host(&app, &reader, &mut params)?;
    let request = TopRequest { host, range, by, group, limit };
    let answer = app.analysis.top(&request).await?;
    Ok(json_answer(&ranking(hostname, &request, &answer)))
}

fn word<T: Copy + PartialEq>(words: &[(&'static str, T)], wanted: T) -> &'static str {
    words.iter().find(|(_, value)| *value == wanted).map_or("", |(word, _)| word)
}

fn ranking(hostname: Arc<str>, request: &TopRequest, top: &Top) -> Ranking {
    let total = top.total.unwrap_or(top.attributed);
    Ranking {
        hostname,
        by: word(&MEASURES, request.by),
        group: word(&GROUPS, request.group),
        total,
        attributed: top.attributed,
        unattributed: top.unattributed,
        rows: top.rows.iter().map(|row| ranking_row(row, total)).collect(),
        count: top.count,
        snapshots: top.snapshots,
        rollup_ms: top.rollup_ms,
    }
}

fn ranking_row(row: &TopRow, total: i64) -> RankingRow {
    let description = row.description.as_deref();
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
    let share = (total > 0).then(|| row.value as f64 / total as f64);
    RankingRow {
        label: row.label.clone(),
        pid: description.map(|description| description.identity.pid),
        start_time: description.and_then(|description| description.identity.start).map(Timestamp::as_ms),
        name: description.map(|description| Arc::clone(&description.name)),
        user: description.and_then(|description| description.user.clone()),
        command_line: description.and_then(|description| description.command_line.clone()),
        value: row.value,
        own: row.own,
        share,
        processes: row.processes,
        parent: row.parent,
        brief: row.brief,
    }
}
