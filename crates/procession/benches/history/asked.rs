//! How long questions to a long history take, beside the same questions to indexed SQLite rows.

use std::time::Duration;

use anyhow::Result;

use crate::long::Long;
use crate::questions::{First, Questions};
use crate::row_questions::RowQuestions;
use crate::table::{Table, median_and_p99};

/// The table of the times.
pub(crate) async fn measure(long: Long, seed: u64) -> Result<String> {
    let mut table = Table::new(&[
        "question",
        "median, ms",
        "p99, ms",
        "rows: median, ms",
        "rows: p99, ms",
        "rows ÷ ours (medians)",
    ]);
    let (days, processes, hosts) = (long.options.days, long.options.processes, long.options.many);
    let mut ours = Questions::of(&long, seed).await?;
    let rows = RowQuestions::of(&long, seed, ours.long_lived())?;
    let mut add = |question: String, ours: Vec<Duration>, rows: Vec<Duration>| add(&mut table, question, ours, rows);
    add(
        format!("snapshot of {processes} processes at a past time, block not read before"),
        ours.snapshots().await?,
        rows.snapshots()?,
    );
    add("the same, nothing read since the store was opened".into(), ours.first_snapshots().await?, rows.snapshots()?);
    for (first, words) in [(First::Time, "nothing read before"), (First::Again, "asked before")] {
        let rows_of = |times: Result<Vec<Duration>>| if first == First::Time { times } else { Ok(Vec::new()) };
        add(
            format!("one process over 24 h, every sample; {words}"),
            ours.process(first).await?,
            rows_of(rows.process())?,
        );
        add(
            format!("a host over {days} days in 1,000 points; {words}"),
            ours.series(first).await?,
            rows_of(rows.series())?,
        );
        add(format!("top 20 subtrees by CPU over an hour; {words}"), ours.top(first).await?, rows_of(rows.top())?);
        add(
            format!("runs and duration of a program on a host over {days} days; {words}"),
            ours.runs(first).await?,
            rows_of(rows.runs())?,
        );
        add(
            format!("which of {hosts} hosts ever ran a name that few have; {words}"),
            ours.hosts(first, true).await?,
            rows_of(rows.hosts(true))?,
        );
        add(
            format!("which of {hosts} hosts ever ran a name that all have; {words}"),
            ours.hosts(first, false).await?,
            rows_of(rows.hosts(false))?,
        );
    }
    ours.close().await?;
    Ok(format!("### Questions\n\n{}\n{ROWS_NOTE}\n\n{table}", long.words.replace('\n', "\n\n").trim_end()))
}

const ROWS_NOTE: &str = "
Rows are asked of one day only (the first host's last day; the last day of each of the many hosts), so their times are too
good where a question is about more. For the subtrees they only add up each process: the tree is left to the reader. All files
are in the system's cache for both sides.";

fn add(table: &mut Table, question: String, mut ours: Vec<Duration>, mut theirs: Vec<Duration>) {
    let [median, p99] = median_and_p99(&mut ours);
    if theirs.is_empty() {
        return table.row([question, median, p99, String::new(), String::new(), String::new()]);
    }
    let [row_median, row_p99] = median_and_p99(&mut theirs);
    let middle = |times: &[Duration]| times[times.len() / 2].as_secs_f64();
    let ratio = format!("{:.1}", middle(&theirs) / middle(&ours));
    table.row([question, median, p99, row_median, row_p99, ratio]);
}
