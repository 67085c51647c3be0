//! How far an import has got, on standard error.

use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};

/// Time between two drawings.
const DRAW_EVERY: Duration = Duration::from_millis(200);

/// A bar on a terminal, and a last line anywhere.
pub(super) struct Progress {
    bar: ProgressBar,
    began: Instant,
    snapshots: AtomicU64,
    duplicates: AtomicU64,
    samples: AtomicU64,
}

impl Progress {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::no_length();
        bar.enable_steady_tick(DRAW_EVERY);
        if let Ok(style) = ProgressStyle::with_template("{bytes} of {total_bytes} [{wide_bar}] {eta} left · {msg}") {
            bar.set_style(style);
        }
        let zero = || AtomicU64::new(0);
        Self { bar, began: Instant::now(), snapshots: zero(), duplicates: zero(), samples: zero() }
    }

    /// How many bytes there are to read.
    pub(super) fn expect_bytes(&self, bytes: u64) {
        self.bar.set_length(bytes);
    }

    /// A reader that moves the bar.
    pub(super) fn counting<R: Read>(&self, reader: R) -> impl Read + use<R> {
        self.bar.wrap_read(reader)
    }

    /// So many snapshots are durable, some of which were there before.
    pub(super) fn stored(&self, snapshots: u64, duplicates: u64, samples: u64) {
        let all = self.snapshots.fetch_add(snapshots, Ordering::Relaxed) + snapshots;
        self.duplicates.fetch_add(duplicates, Ordering::Relaxed);
        self.samples.fetch_add(samples, Ordering::Relaxed);
        self.bar.set_message(format!("{} snapshots, {}/s", HumanCount(all), HumanCount(self.rate(all))));
    }

    /// Says what was done.
    pub(super) fn finish(&self, hosts: usize) {
        self.bar.finish_and_clear();
        let snapshots = self.snapshots.load(Ordering::Relaxed);
        let duplicates = self.duplicates.load(Ordering::Relaxed);
        let samples = self.samples.load(Ordering::Relaxed);
        let text = format!(
            "{} snapshots of {hosts} hosts ({} process samples) in {}: {} snapshots/s; {} were there already\n",
            HumanCount(snapshots),
            HumanCount(samples),
            HumanDuration(self.began.elapsed()),
            HumanCount(self.rate(snapshots)),
            HumanCount(duplicates),
        );
        // Nobody is left to tell when standard error is closed.
        std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes()).ok();
    }

    fn rate(&self, count: u64) -> u64 {
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        count.saturating_mul(1_000) / ms
    }
}
