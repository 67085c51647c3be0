//! What a swarm counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::time::Instant;

/// The longest time to acknowledgement told apart, in microseconds: an hour.
const LONGEST_US: u64 = 3_600_000_000;

/// Counted by all hosts together.
#[derive(Debug)]
pub(super) struct Figures {
    plan: Plan,
    sent: AtomicU64,
    refused: AtomicU64,
    times: Mutex<Times>,
    first_trouble: Mutex<Option<String>>,
}

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) hosts: u32,
    pub(super) processes: u32,
    /// How long connections are being opened.
    pub(super) ramp_up: Duration,
    /// How long all of them are there.
    pub(super) steady: Duration,
    /// When the last one is to be there.
    pub(super) steady_from: Instant,
}

/// Times to acknowledgement, by when the snapshot was due.
#[derive(Debug)]
struct Times {
    ramp_up: Histogram<u64>,
    steady: Histogram<u64>,
}

impl Figures {
    pub(super) fn new(plan: Plan) -> Self {
        // Three digits and a fixed maximum above 2: the bounds are always valid.
        let histogram = || Histogram::new_with_max(LONGEST_US, 3).unwrap_or_else(|_| unreachable!("constant bounds"));
        Self {
            plan,
            sent: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            times: Mutex::new(Times { ramp_up: histogram(), steady: histogram() }),
            first_trouble: Mutex::new(None),
        }
    }

    /// A snapshot was sent.
    pub(super) fn sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// A snapshot that was due then is acknowledged now.
    pub(super) fn acknowledged_since(&self, due: Instant) {
        let us = u64::try_from(due.elapsed().as_micros()).unwrap_or(LONGEST_US);
        let mut times = self.times();
        let of_its_time = if due < self.plan.steady_from { &mut times.ramp_up } else { &mut times.steady };
        of_its_time.saturating_record(us);
    }

    /// A snapshot or a connection was refused.
    pub(super) fn refused(&self, why: impl std::fmt::Display) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        self.trouble(why);
    }

    /// Something else went wrong. The first one is kept: the rest are mostly its echo.
    pub(super) fn trouble(&self, why: impl std::fmt::Display) {
        let mut first = self.first_trouble.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert_with(|| why.to_string());
    }

    /// How many were acknowledged.
    pub(super) fn acknowledged(&self) -> u64 {
        let times = self.times();
        times.ramp_up.len() + times.steady.len()
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What went wrong first.
    pub(super) fn first_trouble(&self) -> Option<String> {
        self.first_trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One line of JSON.
    pub(super) fn line(&self) -> String {
        let (acknowledged, plan) = (self.acknowledged(), self.plan);
        let times = self.times();
        let mut all = times.steady.clone();
        // Both have the same bounds, so one always fits into the other.
        all.add(&times.ramp_up).ok();
        let line = Line {
            sent: self.sent.load(Ordering::Relaxed),
            acknowledged,
            refused: self.refused.load(Ordering::Relaxed),
            p50_ms: ms(&all, 0.5),
            p99_ms: ms(&all, 0.99),
            hosts: plan.hosts,
            processes: plan.processes,
            ramp_up_s: plan.ramp_up.as_secs_f64(),
            ramp_up_acknowledged: times.ramp_up.len(),
            ramp_up_p99_ms: ms(&times.ramp_up, 0.99),
            steady_s: plan.steady.as_secs_f64(),
            steady_acknowledged: times.steady.len(),
            steady_p50_ms: ms(&times.steady, 0.5),
            steady_p99_ms: ms(&times.steady, 0.99),
            steady_max_ms: ms(&times.steady, 1.0),
            first_trouble: self.first_trouble(),
        };
        // Numbers are finite and keys are text, so this cannot fail.
        serde_json::to_string(&line).unwrap_or_default()
    }
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of at most an hour")]
fn ms(times: &Histogram<u64>, quantile: f64) -> f64 {
    times.value_at_quantile(quantile) as f64 / 1_000.0
}

/// The line, in this order. The first five are of the whole run; a snapshot is of the ramp-up when it was due before the last
/// connection was.
#[derive(serde::Serialize)]
struct Line {
    sent: u64,
    acknowledged: u64,
    refused: u64,
    p50_ms: f64,
    p99_ms: f64,
    hosts: u32,
    processes: u32,
    ramp_up_s: f64,
    ramp_up_acknowledged: u64,
    ramp_up_p99_ms: f64,
    steady_s: f64,
    steady_acknowledged: u64,
    steady_p50_ms: f64,
    steady_p99_ms: f64,
    steady_max_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_trouble: Option<String>,
}
