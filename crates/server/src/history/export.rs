//! `GET /api/history/samples/`: every process at every snapshot of a range, as CSV or JSON, written while it is sent.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use procession_model::{Metric, Process, Timestamp};
use procession_store::{HostNumber, KeptSnapshot, Nearest, Range, StoreError};
use utoipa::ToSchema;

use crate::access::Reader;
use crate::app::App;
use crate::csv_text::harmless;
use crate::error::ApiError;
use crate::json_stream::{self, Chunk};
use crate::json_text::{field, value};
use crate::openapi::{NotFoundError, QueryErrors, ReaderErrors};
use crate::params::Params;
use crate::published::required_host;
use crate::{time_text, upload};

const COLUMNS: [&str; 16] = [
    "timestamp",
    "snapshot_id",
    "hostname",
    "pid",
    "parent_pid",
    "start_time",
    "name",
    "command_line",
    "user",
    "state",
    "cpu_percent",
    "memory_bytes",
    "virtual_memory_bytes",
    "threads",
    "read_bytes",
    "write_bytes",
];

#[derive(Clone, Copy)]
enum Format {
    Csv,
    Json,
}

/// One process at one snapshot, as JSON. Fields that were not given are absent.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its shape is used, in the document")]
pub(crate) struct SampleEntry {
    /// When.
    #[schema(format = DateTime)]
    timestamp: String,
    /// In which snapshot.
    snapshot_id: i64,
    /// On which host.
    hostname: String,
    /// Process id.
    pid: i64,
    /// Name.
    name: String,
    /// CPU in percent of one core.
    cpu: Option<f64>,
    /// Resident memory in bytes.
    memory_bytes: Option<i64>,
}

/// Every process at every snapshot of a range.
///
/// Oldest first. `format=csv` gives a table whose texts no spreadsheet takes for formulas.
#[utoipa::path(
    get,
    path = "/api/history/samples/",
    tag = "History",
    security(("read_key" = []), ("session" = [])),
    params(
        ("hostname" = String, Query, min_length = 1, description = "On which host"),
        ("start" = Option<String>, Query, format = DateTime, description = "From this time on: RFC 3339, or milliseconds since the epoch"),
        ("end" = Option<String>, Query, format = DateTime, description = "Before this time"),
        ("format" = Option<String>, Query, pattern = "^(csv|json)$", description = "`json` by default"),
    ),
    responses(
        (status = 200, description = "The samples", content((Vec<SampleEntry> = "application/json"), (String = "text/csv"))),
        NotFoundError,
        QueryErrors,
        ReaderErrors,
    ),
)]
pub(crate) async fn samples(
    State(app): State<Arc<App>>,
    reader: Reader,
    mut params: Params,
) -> Result<Response, ApiError> {
    let range = params.range();
    let format = params.choice("format", &[("csv", Format::Csv), ("json", Format::Json)]).unwrap_or(Format::Json);
    let (host, hostname) = required_host(&app, &reader, &mut params)?;
    let snapshots = Snapshots { app, host, hostname, range };
    Ok(match format {
        Format::Json => json(snapshots),
        Format::Csv => csv(snapshots),
    })
}

/// The snapshots of a range, one after the other.
#[derive(Clone)]
struct Snapshots {
    app: Arc<App>,
    host: HostNumber,
    hostname: Arc<str>,
    range: Range,
}

impl Snapshots {
    fn start(&self) -> Timestamp {
        self.range.start.unwrap_or(Timestamp::from_ms(i64::MIN))
    }

    /// The first snapshot from a time on, and the time after it.
    async fn from(&self, time: Timestamp) -> Result<Option<(KeptSnapshot, Timestamp)>, StoreError> {
        let kept = self.app.history.snapshot_at(self.host, time, Nearest::AtOrAfter).await?;
        let inside = kept.filter(|kept| self.range.end.is_none_or(|end| kept.snapshot.time < end));
        Ok(inside.map(|kept| {
            let next = kept.snapshot.time.plus_ms(1);
            (kept, next)
        }))
    }
}

fn json(snapshots: Snapshots) -> Response {
    json_stream::array(Some(snapshots.start()), move |time| {
        let snapshots = snapshots.clone();
        async move {
            let mut chunk = Chunk::default();
            let Some((kept, next)) = snapshots.from(time).await? else { return Ok((chunk, None)) };
            for process in &kept.snapshot.processes {
                append_json(&snapshots.hostname, &kept, process, chunk.next_item());
            }
            Ok((chunk, Some(next)))
        }
    })
}

fn append_json(hostname: &str, kept: &KeptSnapshot, process: &Process, out: &mut Vec<u8>) {
    let (description, sample) = (&process.description, &process.sample);
    out.extend_from_slice(b"{\"timestamp\":");
    value(out, &time_text::format(kept.snapshot.time));
    field(out, "snapshot_id", &kept.id.number());
    field(out, "hostname", hostname);
    field(out, "pid", &description.identity.pid);
    field(out, "name", &*description.name);
    field(out, "cpu", &sample.cpu_percent());
    field(out, "memory_bytes", &sample.get(Metric::Memory));
    field(out, "parent_pid", &description.parent_pid);
    upload::append_process_fields(description, sample, out);
    out.push(b'}');
}

fn csv(snapshots: Snapshots) -> Response {
    let header = header_line();
    let start = snapshots.start();
    let rows = stream::unfold(Some(start), move |time| {
        let snapshots = snapshots.clone();
        async move {
            match snapshots.from(time?).await {
                Ok(Some((kept, next))) => Some((Ok(rows_of(&snapshots.hostname, &kept)), Some(next))),
                Ok(None) => None,
                Err(error) => {
                    tracing::error!(cause = ?error.to_string(), "an export was cut off");
                    Some((Err(std::io::Error::other("the store failed")), None))
                }
            }
        }
    });
    let body = Body::from_stream(stream::once(async { Ok(header) }).chain(rows).fuse());
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"procession-samples.csv\""),
    ];
    (headers, body).into_response()
}

fn header_line() -> Bytes {
    Bytes::from(COLUMNS.join(",") + "\r\n")
}

fn rows_of(hostname: &str, kept: &KeptSnapshot) -> Bytes {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for process in &kept.snapshot.processes {
        let cells = cells_of(hostname, kept, process);
        // Writing into memory does not fail, and every row has the same number of cells.
        if let Err(error) = writer.write_record(cells.iter().map(|cell| cell.as_bytes())) {
            tracing::error!(%error, "a row of CSV could not be written");
        }
    }
    writer.into_inner().unwrap_or_default().into()
}

fn cells_of<'a>(hostname: &'a str, kept: &KeptSnapshot, process: &'a Process) -> [Cow<'a, str>; 16] {
    let (description, sample) = (&process.description, &process.sample);
    let number = |number: Option<u64>| number.map_or(Cow::Borrowed(""), |number| Cow::Owned(number.to_string()));
    let text = |text: Option<&'a str>| text.map_or(Cow::Borrowed(""), harmless);
    let state = sample.state().map_or(Cow::Borrowed(""), |state| Cow::Owned(harmless(&state.name()).into_owned()));
    [
        Cow::Owned(time_text::format(kept.snapshot.time)),
        number(Some(kept.id.number())),
        harmless(hostname),
        number(Some(description.identity.pid.into())),
        number(description.parent_pid.map(u64::from)),
        description.identity.start.map_or(Cow::Borrowed(""), |start| Cow::Owned(time_text::format(start))),
        harmless(&description.name),
        text(description.command_line.as_deref()),
        text(description.user.as_deref()),
        state,
        sample.cpu_percent().map_or(Cow::Borrowed(""), |cpu| Cow::Owned(cpu.to_string())),
        number(sample.get(Metric::Memory)),
        number(sample.get(Metric::VirtualMemory)),
        number(sample.get(Metric::Threads)),
        number(sample.get(Metric::ReadBytes)),
        number(sample.get(Metric::WriteBytes)),
    ]
}
