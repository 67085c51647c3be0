//! `GET /api/process-duration/`

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use procession_model::Timestamp;
use procession_store::{Range, Run};
use serde_json::{Value, json};

use super::error::SystemError;
use crate::access::Reader;
use crate::app::App;
use crate::error::json_response;
use crate::openapi::{ProgramDuration, ReaderErrors, SystemProblem};
use crate::params::Params;
use crate::published::named_host;
use crate::time_text;

/// The most runs that are listed: the newest. The duration is that of all.
const RUNS_MAX: usize = 10_000;

/// How long a program ran on a system.
///
/// The time in which at least one process of that name ran; still running ones count up to now.
#[utoipa::path(
    get,
    path = "/api/process-duration/",
    tag = "Process Monitoring API",
    security(("read_key" = []), ("session" = [])),
    params(
        ("system_name" = String, Query, min_length = 1, description = "On which system"),
        ("process_name" = String, Query, min_length = 1, description = "Processes of exactly this name"),
    ),
    responses(
        (status = 200, description = "How long, and when", body = ProgramDuration),
        (status = 400, description = "A parameter is missing", body = SystemProblem),
        (status = 404, description = "No such process on that system", body = SystemProblem),
        ReaderErrors,
    ),
)]
pub(crate) async fn duration(
    State(app): State<Arc<App>>,
    reader: Reader,
    params: Params,
) -> Result<Response, SystemError> {
    let (Some(system), Some(process)) = (params.text("system_name"), params.text("process_name")) else {
        return Err(SystemError::bad_request("Both system name and process name are required."));
    };
    let none = || SystemError::not_found("No process found with the specified name on the system.");
    let host = named_host(&app, &reader, system)?.number.ok_or_else(none)?;
    let runs = app.history.runs(host, process, Range::default()).await?;
    if runs.is_empty() {
        return Err(none());
    }
    let now = time_text::now();
    let duration_ms = union_ms(runs.iter().map(|run| (run.started, end_of(run, now))).collect());
    let listed = &runs[runs.len().saturating_sub(RUNS_MAX)..];
    let body = json!({
        "success": true,
        "duration_seconds": seconds(duration_ms),
        "duration_human_readable": human_readable(duration_ms),
        "runs": listed.iter().map(|run| run_json(run, now)).collect::<Vec<_>>(),
    });
    Ok(json_response(StatusCode::OK, body.to_string()))
}

fn end_of(run: &Run, now: Timestamp) -> Timestamp {
    if run.running { now.max(run.ended) } else { run.ended }
}

fn run_json(run: &Run, now: Timestamp) -> Value {
    json!({
        "pid": run.description.identity.pid,
        "started_at": time_text::format(run.started),
        "ended_at": if run.running { Value::Null } else { Value::from(time_text::format(run.ended)) },
        "duration_seconds": seconds(end_of(run, now).since_ms(run.started).max(0)),
    })
}

/// The length of all spans together, overlaps counted once.
fn union_ms(mut spans: Vec<(Timestamp, Timestamp)>) -> i64 {
    spans.sort_unstable();
    let mut total = 0;
    let mut covered_until = Timestamp::from_ms(i64::MIN);
    for (start, end) in spans {
        let from = start.max(covered_until);
        if end > from {
            total += end.since_ms(from);
            covered_until = end;
        }
    }
    total
}

/// Seconds, as a whole number where they are.
fn seconds(ms: i64) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "durations are far below 2^53 ms")]
    if ms % 1_000 == 0 { Value::from(ms / 1_000) } else { Value::from(ms as f64 / 1_000.0) }
}

fn human_readable(ms: i64) -> String {
    let seconds = ms / 1_000;
    let parts = [
        (seconds / 86_400, "day"),
        (seconds / 3_600 % 24, "hour"),
        (seconds / 60 % 60, "minute"),
        (seconds % 60, "second"),
    ];
    let words: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count} {unit}{}", if *count == 1 { "" } else { "s" }))
        .collect();
    if words.is_empty() { "0 seconds".to_owned() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlaps_count_once() {
        let span = |start, end| (Timestamp::from_ms(start), Timestamp::from_ms(end));
        assert_eq!(union_ms(vec![span(50, 60), span(0, 10), span(5, 20), span(6, 7), span(20, 21)]), 31);
        assert_eq!(union_ms(vec![]), 0);
    }

    #[test]
    fn durations_as_people_say_them() {
        assert_eq!(human_readable(999), "0 seconds");
        assert_eq!(human_readable(3_661_000), "1 hour, 1 minute, 1 second");
        assert_eq!(human_readable(2 * 86_400_000 + 5_000), "2 days, 5 seconds");
    }
}
