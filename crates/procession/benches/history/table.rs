//! Tables in Markdown.

use std::fmt;
use std::time::Duration;

/// Rows under a head.
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(head: &[&str]) -> Self {
        Self { head: head.iter().map(|cell| (*cell).to_owned()).collect(), rows: Vec::new() }
    }

    /// Adds a row, and shows it at once: a run takes minutes, and one that is cut off has told something.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        eprintln!("{}", cells.join(" | "));
        self.rows.push(cells.into());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| {} |", self.head.join(" | "))?;
        writeln!(f, "| --- |{}", " ---: |".repeat(self.head.len() - 1))?;
        for row in &self.rows {
            writeln!(f, "| {} |", row.join(" | "))?;
        }
        Ok(())
    }
}

/// So many in that time, a second, in thousands or millions.
pub(crate) fn per_second(count: u64, time: Duration) -> String {
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let rate = count as f64 / time.as_secs_f64().max(1e-9);
    if rate >= 1e6 { format!("{:.1} M", rate / 1e6) } else { format!("{:.0} k", rate / 1e3) }
}

/// Median and 99th percentile in milliseconds.
pub(crate) fn median_and_p99(times: &mut [Duration]) -> [String; 2] {
    times.sort_unstable();
    let at = |percent: usize| {
        let time = times.get((times.len() * percent / 100).min(times.len().saturating_sub(1)));
        format!("{:.2}", time.map_or(0.0, |time| time.as_secs_f64() * 1e3))
    };
    [at(50), at(99)]
}
