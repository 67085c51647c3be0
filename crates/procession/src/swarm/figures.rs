//! What a swarm counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;

/// The longest time to acknowledgement told apart, in microseconds: an hour.
const LONGEST_US: u64 = 3_600_000_000;

/// Counted by all hosts together.
#[derive(Debug)]
pub(super) struct Figures {
    sent: AtomicU64,
    acknowledged: AtomicU64,
    refused: AtomicU64,
    to_acknowledgement_us: Mutex<Histogram<u64>>,
    first_trouble: Mutex<Option<String>>,
}

impl Figures {
    pub(super) fn new() -> Self {
        // Two digits and a fixed maximum above 2: the bounds are always valid.
        let histogram = Histogram::new_with_max(LONGEST_US, 3).unwrap_or_else(|_| unreachable!("constant bounds"));
        Self {
            sent: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            to_acknowledgement_us: Mutex::new(histogram),
            first_trouble: Mutex::new(None),
        }
    }

    /// A snapshot was sent.
    pub(super) fn sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// A snapshot was acknowledged, so long after it was due.
    pub(super) fn acknowledged_after(&self, time: Duration) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
        let us = u64::try_from(time.as_micros()).unwrap_or(LONGEST_US);
        self.to_acknowledgement_us.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(us);
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
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// What went wrong first.
    pub(super) fn first_trouble(&self) -> Option<String> {
        self.first_trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One line of JSON.
    pub(super) fn line(&self) -> String {
        let times = self.to_acknowledgement_us.lock().unwrap_or_else(PoisonError::into_inner);
        #[expect(clippy::cast_precision_loss, reason = "microseconds of at most an hour")]
        let ms = |quantile| times.value_at_quantile(quantile) as f64 / 1_000.0;
        let line = Line {
            sent: self.sent.load(Ordering::Relaxed),
            acknowledged: self.acknowledged(),
            refused: self.refused.load(Ordering::Relaxed),
            p50_ms: ms(0.5),
            p99_ms: ms(0.99),
            first_trouble: self.first_trouble(),
        };
        // Numbers are finite and keys are text, so this cannot fail.
        serde_json::to_string(&line).unwrap_or_default()
    }
}

/// The line, in this order.
#[derive(serde::Serialize)]
struct Line {
    sent: u64,
    acknowledged: u64,
    refused: u64,
    p50_ms: f64,
    p99_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_trouble: Option<String>,
}
