//! What the server says about itself, for Prometheus.

use std::sync::atomic::AtomicU64;
use std::time::Instant;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// How snapshots came, and what became of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct IngestLabels {
    /// What became of it.
    pub(crate) outcome: Outcome,
}

/// What became of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum Outcome {
    Stored,
    Duplicate,
    KeyframeNeeded,
    Refused,
    Failed,
}

/// A request by its route and the class of its answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RequestLabels {
    /// The route, never the path that was asked for: its number is bounded.
    pub(crate) route: String,
    /// The status.
    pub(crate) status: u16,
}

/// Open WebSockets by kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct SocketLabels {
    /// Which.
    pub(crate) kind: &'static str,
}

/// All metrics.
pub(crate) struct Metrics {
    registry: Registry,
    started: Instant,
    pub(crate) requests: Family<RequestLabels, Counter>,
    pub(crate) snapshots: Family<IngestLabels, Counter>,
    pub(crate) ingest_seconds: Histogram,
    pub(crate) batch_size: Histogram,
    pub(crate) queue: Gauge,
    pub(crate) sockets: Family<SocketLabels, Gauge>,
    pub(crate) hosts: Gauge,
    pub(crate) live_lagged: Counter,
    uptime: Gauge,
    cpu_seconds: Gauge<f64, AtomicU64>,
    memory: Gauge,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("procession");
        let metrics = Self {
            started: Instant::now(),
            requests: Family::default(),
            snapshots: Family::default(),
            ingest_seconds: Histogram::new(exponential_buckets(0.000_25, 2.0, 16)),
            batch_size: Histogram::new(exponential_buckets(1.0, 2.0, 14)),
            queue: Gauge::default(),
            sockets: Family::default(),
            hosts: Gauge::default(),
            live_lagged: Counter::default(),
            uptime: Gauge::default(),
            cpu_seconds: Gauge::default(),
            memory: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register("http_requests", "Requests answered", metrics.requests.clone());
        registry.register("snapshots", "Snapshots by what became of them", metrics.snapshots.clone());
        let help = "From receipt of a snapshot to its being durable";
        registry.register("ingest_seconds", help, metrics.ingest_seconds.clone());
        registry.register("ingest_batch_size", "Snapshots written in one durable step", metrics.batch_size.clone());
        registry.register("ingest_queue", "Snapshots that wait to be written", metrics.queue.clone());
        registry.register("open_sockets", "Open WebSockets", metrics.sockets.clone());
        registry.register("hosts", "Known hosts", metrics.hosts.clone());
        let help = "Times that the live view fell behind the history and began anew";
        registry.register("live_lagged", help, metrics.live_lagged.clone());
        registry.register("uptime_seconds", "Since the server started", metrics.uptime.clone());
        registry.register("cpu_seconds", "CPU time of this process", metrics.cpu_seconds.clone());
        registry.register("resident_memory_bytes", "Resident memory of this process", metrics.memory.clone());
        Self { registry, ..metrics }
    }

    /// Everything as Prometheus reads it.
    pub(crate) fn text(&self) -> Result<String, std::fmt::Error> {
        self.uptime.set(i64::try_from(self.started.elapsed().as_secs()).unwrap_or(i64::MAX));
        self.measure_own_process();
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }

    fn measure_own_process(&self) {
        use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};
        let (Ok(pid), Ok(mut system)) = (sysinfo::get_current_pid(), System::new()) else { return };
        let what = ProcessRefreshKind::nothing().with_cpu().with_memory().without_tasks();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, what);
        if let Some(process) = system.process(pid) {
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of CPU are far below 2^53")]
            self.cpu_seconds.set(process.accumulated_cpu_time() as f64 / 1_000.0);
            self.memory.set(i64::try_from(process.memory()).unwrap_or(i64::MAX));
        }
    }
}
